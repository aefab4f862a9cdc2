// One test for each rule of the layout ops.
// RUN: tp-opt %s -split-input-file -verify-diagnostics

func.func @reshape_elements(%x: tensor<8x24xf32>) {
  // expected-error @+1 {{'nn.reshape' op cannot make 'tensor<8x4x7xf32>' of 'tensor<8x24xf32>'}}
  %0 = nn.reshape %x : (tensor<8x24xf32>) -> tensor<8x4x7xf32>
  return
}

// -----

func.func @reshape_type(%x: tensor<8x24xf32>) {
  // expected-error @+1 {{'nn.reshape' op cannot make 'tensor<192xi32>' of 'tensor<8x24xf32>'}}
  %0 = nn.reshape %x : (tensor<8x24xf32>) -> tensor<192xi32>
  return
}

// -----

func.func @reshape_half(%x: tensor<8x24xf32>) {
  // expected-error @+1 {{'nn.reshape' op needs both global shapes, of the ranks of the tensors and of equally many elements}}
  %0 = nn.reshape %x from [16, 24] : (tensor<8x24xf32>) -> tensor<192xf32>
  return
}

// -----

func.func @reshape_other_half(%x: tensor<8x24xf32>) {
  // expected-error @+1 {{'nn.reshape' op needs both global shapes, of the ranks of the tensors and of equally many elements}}
  %0 = nn.reshape %x to [384] : (tensor<8x24xf32>) -> tensor<192xf32>
  return
}

// -----

func.func @reshape_input_rank(%x: tensor<8x24xf32>) {
  // expected-error @+1 {{'nn.reshape' op needs both global shapes, of the ranks of the tensors and of equally many elements}}
  %0 = nn.reshape %x from [384] to [384] : (tensor<8x24xf32>) -> tensor<192xf32>
  return
}

// -----

func.func @reshape_result_rank(%x: tensor<8x24xf32>) {
  // expected-error @+1 {{'nn.reshape' op needs both global shapes, of the ranks of the tensors and of equally many elements}}
  %0 = nn.reshape %x from [16, 24] to [16, 24] : (tensor<8x24xf32>) -> tensor<192xf32>
  return
}

// -----

func.func @reshape_global_elements(%x: tensor<8x24xf32>) {
  // expected-error @+1 {{'nn.reshape' op needs both global shapes, of the ranks of the tensors and of equally many elements}}
  %0 = nn.reshape %x from [16, 24] to [192] : (tensor<8x24xf32>) -> tensor<192xf32>
  return
}

// -----

func.func @reshape_global_negative(%x: tensor<8x24xf32>) {
  // expected-error @+1 {{'nn.reshape' op needs both global shapes, of the ranks of the tensors and of equally many elements}}
  %0 = nn.reshape %x from [-16, -24] to [384] : (tensor<8x24xf32>) -> tensor<192xf32>
  return
}

// -----

func.func @reshape_global_overflow(%x: tensor<8x24xf32>) {
  // expected-error @+1 {{'nn.reshape' op needs both global shapes, of the ranks of the tensors and of equally many elements}}
  %0 = nn.reshape %x from [4294967296, 4294967296] to [0] : (tensor<8x24xf32>) -> tensor<192xf32>
  return
}

// -----

func.func @transpose_short(%x: tensor<8x24xf32>) {
  // expected-error @+1 {{'nn.transpose' op permutation must name every dim once}}
  %0 = nn.transpose %x [1] : (tensor<8x24xf32>) -> tensor<24xf32>
  return
}

// -----

func.func @transpose_twice(%x: tensor<8x24xf32>) {
  // expected-error @+1 {{'nn.transpose' op permutation must name every dim once}}
  %0 = nn.transpose %x [1, 1] : (tensor<8x24xf32>) -> tensor<24x24xf32>
  return
}

// -----

func.func @transpose_dim(%x: tensor<8x24xf32>) {
  // expected-error @+1 {{'nn.transpose' op permutation must name every dim once}}
  %0 = nn.transpose %x [1, 2] : (tensor<8x24xf32>) -> tensor<24x8xf32>
  return
}

// -----

func.func @transpose_result(%x: tensor<8x24xf32>) {
  // expected-error @+1 {{'nn.transpose' op result must be 'tensor<24x8xf32>'}}
  %0 = nn.transpose %x [1, 0] : (tensor<8x24xf32>) -> tensor<8x24xf32>
  return
}

// -----

func.func @broadcast_count(%x: tensor<8x24xf32>) {
  // expected-error @+1 {{'nn.broadcast' op needs one dim for each of the input's 2}}
  %0 = nn.broadcast %x dims [1] : (tensor<8x24xf32>) -> tensor<2x8x24xf32>
  return
}

// -----

func.func @broadcast_order(%x: tensor<8x24xf32>) {
  // expected-error @+1 {{'nn.broadcast' op dims must rise and be dims of the result}}
  %0 = nn.broadcast %x dims [2, 1] : (tensor<8x24xf32>) -> tensor<2x24x8xf32>
  return
}

// -----

func.func @broadcast_dim(%x: tensor<8x24xf32>) {
  // expected-error @+1 {{'nn.broadcast' op dims must rise and be dims of the result}}
  %0 = nn.broadcast %x dims [1, 3] : (tensor<8x24xf32>) -> tensor<2x8x24xf32>
  return
}

// -----

func.func @broadcast_size(%x: tensor<8x24xf32>) {
  // expected-error @+1 {{'nn.broadcast' op dim 2 of the result must be 24}}
  %0 = nn.broadcast %x dims [1, 2] : (tensor<8x24xf32>) -> tensor<2x8x48xf32>
  return
}

// -----

func.func @broadcast_type(%x: tensor<8x24xf32>) {
  // expected-error @+1 {{'nn.broadcast' op keeps the element type}}
  %0 = nn.broadcast %x dims [1, 2] : (tensor<8x24xf32>) -> tensor<2x8x24xf64>
  return
}

// -----

func.func @slice_offsets(%x: tensor<8x24xf32>) {
  // expected-error @+1 {{'nn.slice' op needs an offset, a stride and a result dim for each of the input's 2 dims}}
  %0 = nn.slice %x offsets [0] strides [1, 1] : (tensor<8x24xf32>) -> tensor<8x24xf32>
  return
}

// -----

func.func @slice_strides(%x: tensor<8x24xf32>) {
  // expected-error @+1 {{'nn.slice' op needs an offset, a stride and a result dim for each of the input's 2 dims}}
  %0 = nn.slice %x offsets [0, 0] strides [1] : (tensor<8x24xf32>) -> tensor<8x24xf32>
  return
}

// -----

func.func @slice_rank(%x: tensor<8x24xf32>) {
  // expected-error @+1 {{'nn.slice' op needs an offset, a stride and a result dim for each of the input's 2 dims}}
  %0 = nn.slice %x offsets [0, 0] strides [1, 1] : (tensor<8x24xf32>) -> tensor<8xf32>
  return
}

// -----

func.func @slice_type(%x: tensor<8x24xf32>) {
  // expected-error @+1 {{'nn.slice' op needs an offset, a stride and a result dim for each of the input's 2 dims}}
  %0 = nn.slice %x offsets [0, 0] strides [1, 1] : (tensor<8x24xf32>) -> tensor<8x24xf64>
  return
}

// -----

func.func @slice_negative(%x: tensor<8x24xf32>) {
  // expected-error @+1 {{'nn.slice' op dim 1 of size 24 has no box of 4 from -1 with stride 1}}
  %0 = nn.slice %x offsets [0, -1] strides [1, 1] : (tensor<8x24xf32>) -> tensor<8x4xf32>
  return
}

// -----

func.func @slice_stride(%x: tensor<8x24xf32>) {
  // expected-error @+1 {{'nn.slice' op dim 1 of size 24 has no box of 4 from 0 with stride 0}}
  %0 = nn.slice %x offsets [0, 0] strides [1, 0] : (tensor<8x24xf32>) -> tensor<8x4xf32>
  return
}

// -----

func.func @slice_end(%x: tensor<8x24xf32>) {
  // expected-error @+1 {{'nn.slice' op dim 1 of size 24 has no box of 5 from 4 with stride 5}}
  %0 = nn.slice %x offsets [0, 4] strides [1, 5] : (tensor<8x24xf32>) -> tensor<8x5xf32>
  return
}

// -----

func.func @slice_overflow(%x: tensor<8x24xf32>) {
  // expected-error @+1 {{'nn.slice' op dim 1 of size 24 has no box of 3 from 0 with stride 9223372036854775807}}
  %0 = nn.slice %x offsets [0, 0] strides [1, 9223372036854775807] : (tensor<8x24xf32>) -> tensor<8x3xf32>
  return
}

// -----

func.func @concat_nothing() {
  // expected-error @+1 {{'nn.concat' op needs an input}}
  %0 = nn.concat dim 0 : () -> tensor<8xf32>
  return
}

// -----

func.func @concat_dim(%x: tensor<8x24xf32>) {
  // expected-error @+1 {{'nn.concat' op has no dim 2}}
  %0 = nn.concat %x, %x dim 2 : (tensor<8x24xf32>, tensor<8x24xf32>) -> tensor<8x48xf32>
  return
}

// -----

func.func @concat_scalar(%x: tensor<f32>) {
  // expected-error @+1 {{'nn.concat' op has no dim 0}}
  %0 = nn.concat %x, %x dim 0 : (tensor<f32>, tensor<f32>) -> tensor<2xf32>
  return
}

// -----

func.func @concat_rank(%x: tensor<8x24xf32>, %y: tensor<8xf32>) {
  // expected-error @+1 {{'nn.concat' op inputs differ in rank or element type}}
  %0 = nn.concat %x, %y dim 0 : (tensor<8x24xf32>, tensor<8xf32>) -> tensor<8x48xf32>
  return
}

// -----

func.func @concat_type(%x: tensor<8x24xf32>, %y: tensor<8x24xf64>) {
  // expected-error @+1 {{'nn.concat' op inputs differ in rank or element type}}
  %0 = nn.concat %x, %y dim 0 : (tensor<8x24xf32>, tensor<8x24xf64>) -> tensor<16x24xf32>
  return
}

// -----

func.func @concat_shape(%x: tensor<8x24xf32>, %y: tensor<8x20xf32>) {
  // expected-error @+1 {{'nn.concat' op inputs differ in dim 1}}
  %0 = nn.concat %x, %y dim 0 : (tensor<8x24xf32>, tensor<8x20xf32>) -> tensor<16x24xf32>
  return
}

// -----

func.func @concat_result(%x: tensor<8x24xf32>) {
  // expected-error @+1 {{'nn.concat' op result must be 'tensor<8x48xf32>'}}
  %0 = nn.concat %x, %x dim 1 : (tensor<8x24xf32>, tensor<8x24xf32>) -> tensor<8x24xf32>
  return
}

// -----

func.func @pad_count(%x: tensor<8x24xf32>) {
  // expected-error @+1 {{'nn.pad' op needs a low and a high for each of the input's 2 dims}}
  %0 = nn.pad %x low [0, 0] high [1] value 0.0 : (tensor<8x24xf32>) -> tensor<8x25xf32>
  return
}

// -----

func.func @pad_negative(%x: tensor<8x24xf32>) {
  // expected-error @+1 {{'nn.pad' op low and high must not be negative or beyond 2^40}}
  %0 = nn.pad %x low [0, -1] high [0, 0] value 0.0 : (tensor<8x24xf32>) -> tensor<8x23xf32>
  return
}

// -----

func.func @pad_huge(%x: tensor<8x24xf32>) {
  // expected-error @+1 {{'nn.pad' op low and high must not be negative or beyond 2^40}}
  %0 = nn.pad %x low [0, 0] high [0, 9223372036854775807] value 0.0 : (tensor<8x24xf32>) -> tensor<8x23xf32>
  return
}

// -----

func.func @pad_result(%x: tensor<8x24xf32>) {
  // expected-error @+1 {{'nn.pad' op result must be 'tensor<8x26xf32>'}}
  %0 = nn.pad %x low [0, 1] high [0, 1] value 0.0 : (tensor<8x24xf32>) -> tensor<8x24xf32>
  return
}

// -----

func.func @iota_dim() {
  // expected-error @+1 {{'nn.iota' op has no dim 1}}
  %0 = nn.iota dim 1 : tensor<8xi32>
  return
}

// -----

func.func @iota_negative() {
  // expected-error @+1 {{'nn.iota' op has no dim}}
  %0 = nn.iota dim -1 : tensor<8xi32>
  return
}

// -----

func.func @iota_scalar() {
  // expected-error @+1 {{'nn.iota' op has no dim 0}}
  %0 = nn.iota dim 0 : tensor<i32>
  return
}

// -----

func.func @iota_type() {
  // expected-error @+1 {{'nn.iota' op result #0 must be statically shaped tensor of}}
  %0 = nn.iota dim 0 : tensor<8xf32>
  return
}
