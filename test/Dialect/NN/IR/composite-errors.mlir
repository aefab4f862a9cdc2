// One test for each rule of the composites and of module boundaries.
// RUN: tp-opt %s -split-input-file -verify-diagnostics

//===----------------------------------------------------------------------===//
// Composites
//===----------------------------------------------------------------------===//

func.func @rms_norm_result(%x: tensor<8x24xf32>, %g: tensor<24xf32>) {
  // expected-error @+1 {{'nn.rms_norm' op result must be of the input's type 'tensor<8x24xf32>'}}
  %0 = nn.rms_norm %x, %g epsilon 1.0e-5 : (tensor<8x24xf32>, tensor<24xf32>) -> tensor<8x24xf64>
  return
}

// -----

func.func @rms_norm_weight(%x: tensor<8x24xf32>, %g: tensor<8xf32>) {
  // expected-error @+1 {{'nn.rms_norm' op needs a weight with the input's last dims, got 'tensor<8xf32>' for 'tensor<8x24xf32>'}}
  %0 = nn.rms_norm %x, %g epsilon 1.0e-5 : (tensor<8x24xf32>, tensor<8xf32>) -> tensor<8x24xf32>
  return
}

// -----

func.func @rms_norm_weight_type(%x: tensor<8x24xf32>, %g: tensor<24xf64>) {
  // expected-error @+1 {{'nn.rms_norm' op needs a weight with the input's last dims}}
  %0 = nn.rms_norm %x, %g epsilon 1.0e-5 : (tensor<8x24xf32>, tensor<24xf64>) -> tensor<8x24xf32>
  return
}

// -----

func.func @rms_norm_scalar(%x: tensor<f32>) {
  // expected-error @+1 {{'nn.rms_norm' op needs a weight with the input's last dims}}
  %0 = nn.rms_norm %x, %x epsilon 1.0e-5 : (tensor<f32>, tensor<f32>) -> tensor<f32>
  return
}

// -----

func.func @rms_norm_two_dims(%x: tensor<8x4x6xf32>, %g: tensor<6x4xf32>) {
  // expected-error @+1 {{'nn.rms_norm' op needs a weight with the input's last dims, got 'tensor<6x4xf32>' for 'tensor<8x4x6xf32>'}}
  %0 = nn.rms_norm %x, %g epsilon 1.0e-5 : (tensor<8x4x6xf32>, tensor<6x4xf32>) -> tensor<8x4x6xf32>
  return
}

// -----

func.func @rms_norm_more_dims(%x: tensor<24xf32>, %g: tensor<1x24xf32>) {
  // expected-error @+1 {{'nn.rms_norm' op needs a weight with the input's last dims}}
  %0 = nn.rms_norm %x, %g epsilon 1.0e-5 : (tensor<24xf32>, tensor<1x24xf32>) -> tensor<24xf32>
  return
}

// -----

func.func @rms_norm_negative(%x: tensor<8x24xf32>, %g: tensor<24xf32>) {
  // expected-error @+1 {{'nn.rms_norm' op needs an epsilon that is not negative}}
  %0 = nn.rms_norm %x, %g epsilon -1.0e-5 : (tensor<8x24xf32>, tensor<24xf32>) -> tensor<8x24xf32>
  return
}

// -----

func.func @rms_norm_nan(%x: tensor<8x24xf32>, %g: tensor<24xf32>) {
  // expected-error @+1 {{'nn.rms_norm' op needs an epsilon that is not negative}}
  %0 = nn.rms_norm %x, %g epsilon 0x7FF8000000000000 : (tensor<8x24xf32>, tensor<24xf32>) -> tensor<8x24xf32>
  return
}

// -----

func.func @rotary_result(%x: tensor<1x8x16xf32>, %c: tensor<8x8xf32>, %s: tensor<8x8xf32>) {
  // expected-error @+1 {{'nn.rotary' op result must be of the input's type 'tensor<1x8x16xf32>'}}
  %0 = nn.rotary %x, %c, %s : (tensor<1x8x16xf32>, tensor<8x8xf32>, tensor<8x8xf32>) -> tensor<1x8x8xf32>
  return
}

// -----

func.func @rotary_sine(%x: tensor<1x8x16xf32>, %c: tensor<8x8xf32>, %s: tensor<8x4xf32>) {
  // expected-error @+1 {{'nn.rotary' op needs a cosine and a sine of one type, of rank 2 and the input's element type}}
  %0 = nn.rotary %x, %c, %s : (tensor<1x8x16xf32>, tensor<8x8xf32>, tensor<8x4xf32>) -> tensor<1x8x16xf32>
  return
}

// -----

func.func @rotary_table_rank(%x: tensor<1x8x16xf32>, %c: tensor<8xf32>, %s: tensor<8xf32>) {
  // expected-error @+1 {{'nn.rotary' op needs a cosine and a sine of one type, of rank 2 and the input's element type}}
  %0 = nn.rotary %x, %c, %s : (tensor<1x8x16xf32>, tensor<8xf32>, tensor<8xf32>) -> tensor<1x8x16xf32>
  return
}

// -----

func.func @rotary_table_type(%x: tensor<1x8x16xf32>, %c: tensor<8x8xf64>, %s: tensor<8x8xf64>) {
  // expected-error @+1 {{'nn.rotary' op needs a cosine and a sine of one type, of rank 2 and the input's element type}}
  %0 = nn.rotary %x, %c, %s : (tensor<1x8x16xf32>, tensor<8x8xf64>, tensor<8x8xf64>) -> tensor<1x8x16xf32>
  return
}

// -----

func.func @rotary_rank(%x: tensor<8x16xf32>, %c: tensor<8x8xf32>, %s: tensor<8x8xf32>) {
  // expected-error @+1 {{'nn.rotary' op needs an input [batch, sequence, ..., head_dim] for tables [sequence, at most head_dim / 2]}}
  %0 = nn.rotary %x, %c, %s : (tensor<8x16xf32>, tensor<8x8xf32>, tensor<8x8xf32>) -> tensor<8x16xf32>
  return
}

// -----

func.func @rotary_sequence(%x: tensor<1x8x16xf32>, %c: tensor<7x8xf32>, %s: tensor<7x8xf32>) {
  // expected-error @+1 {{'nn.rotary' op needs an input [batch, sequence, ..., head_dim] for tables [sequence, at most head_dim / 2]}}
  %0 = nn.rotary %x, %c, %s : (tensor<1x8x16xf32>, tensor<7x8xf32>, tensor<7x8xf32>) -> tensor<1x8x16xf32>
  return
}

// -----

func.func @rotary_width(%x: tensor<1x8x16xf32>, %c: tensor<8x9xf32>, %s: tensor<8x9xf32>) {
  // expected-error @+1 {{'nn.rotary' op needs an input [batch, sequence, ..., head_dim] for tables [sequence, at most head_dim / 2], got 'tensor<1x8x16xf32>' and 'tensor<8x9xf32>'}}
  %0 = nn.rotary %x, %c, %s : (tensor<1x8x16xf32>, tensor<8x9xf32>, tensor<8x9xf32>) -> tensor<1x8x16xf32>
  return
}

// -----

func.func @attention_result(%q: tensor<1x8x3x2x16xf32>, %k: tensor<1x32x3x16xf32>, %v: tensor<1x32x3x16xf32>) {
  // expected-error @+1 {{'nn.attention' op result must be of the query's type 'tensor<1x8x3x2x16xf32>'}}
  %0 = nn.attention %q, %k, %v scale 0.25 : (tensor<1x8x3x2x16xf32>, tensor<1x32x3x16xf32>, tensor<1x32x3x16xf32>) -> tensor<1x32x3x16xf32>
  return
}

// -----

func.func @attention_value(%q: tensor<1x8x3x2x16xf32>, %k: tensor<1x32x3x16xf32>, %v: tensor<1x31x3x16xf32>) {
  // expected-error @+1 {{'nn.attention' op needs a key and a value of one type}}
  %0 = nn.attention %q, %k, %v scale 0.25 : (tensor<1x8x3x2x16xf32>, tensor<1x32x3x16xf32>, tensor<1x31x3x16xf32>) -> tensor<1x8x3x2x16xf32>
  return
}

// -----

func.func @attention_query_rank(%q: tensor<1x32x3x16xf32>, %k: tensor<1x32x3x16xf32>, %v: tensor<1x32x3x16xf32>) {
  // expected-error @+1 {{'nn.attention' op needs a query [batch, sequence, kv_heads, groups, head_dim] and keys [batch, keys, kv_heads, head_dim]}}
  %0 = nn.attention %q, %k, %v scale 0.25 : (tensor<1x32x3x16xf32>, tensor<1x32x3x16xf32>, tensor<1x32x3x16xf32>) -> tensor<1x32x3x16xf32>
  return
}

// -----

func.func @attention_key_rank(%q: tensor<1x8x3x2x16xf32>, %k: tensor<1x8x3x2x16xf32>, %v: tensor<1x8x3x2x16xf32>) {
  // expected-error @+1 {{'nn.attention' op needs a query [batch, sequence, kv_heads, groups, head_dim] and keys [batch, keys, kv_heads, head_dim]}}
  %0 = nn.attention %q, %k, %v scale 0.25 : (tensor<1x8x3x2x16xf32>, tensor<1x8x3x2x16xf32>, tensor<1x8x3x2x16xf32>) -> tensor<1x8x3x2x16xf32>
  return
}

// -----

func.func @attention_type(%q: tensor<1x8x3x2x16xf32>, %k: tensor<1x32x3x16xbf16>, %v: tensor<1x32x3x16xbf16>) {
  // expected-error @+1 {{'nn.attention' op needs a query [batch, sequence, kv_heads, groups, head_dim] and keys [batch, keys, kv_heads, head_dim]}}
  %0 = nn.attention %q, %k, %v scale 0.25 : (tensor<1x8x3x2x16xf32>, tensor<1x32x3x16xbf16>, tensor<1x32x3x16xbf16>) -> tensor<1x8x3x2x16xf32>
  return
}

// -----

func.func @attention_batch(%q: tensor<1x8x3x2x16xf32>, %k: tensor<2x32x3x16xf32>, %v: tensor<2x32x3x16xf32>) {
  // expected-error @+1 {{'nn.attention' op needs a query [batch, sequence, kv_heads, groups, head_dim] and keys [batch, keys, kv_heads, head_dim]}}
  %0 = nn.attention %q, %k, %v scale 0.25 : (tensor<1x8x3x2x16xf32>, tensor<2x32x3x16xf32>, tensor<2x32x3x16xf32>) -> tensor<1x8x3x2x16xf32>
  return
}

// -----

func.func @attention_heads(%q: tensor<1x8x3x2x16xf32>, %k: tensor<1x32x6x16xf32>, %v: tensor<1x32x6x16xf32>) {
  // expected-error @+1 {{'nn.attention' op needs a query [batch, sequence, kv_heads, groups, head_dim] and keys [batch, keys, kv_heads, head_dim]}}
  %0 = nn.attention %q, %k, %v scale 0.25 : (tensor<1x8x3x2x16xf32>, tensor<1x32x6x16xf32>, tensor<1x32x6x16xf32>) -> tensor<1x8x3x2x16xf32>
  return
}

// -----

func.func @attention_head_dim(%q: tensor<1x8x3x2x16xf32>, %k: tensor<1x32x3x8xf32>, %v: tensor<1x32x3x8xf32>) {
  // expected-error @+1 {{'nn.attention' op needs a query [batch, sequence, kv_heads, groups, head_dim] and keys [batch, keys, kv_heads, head_dim]}}
  %0 = nn.attention %q, %k, %v scale 0.25 : (tensor<1x8x3x2x16xf32>, tensor<1x32x3x8xf32>, tensor<1x32x3x8xf32>) -> tensor<1x8x3x2x16xf32>
  return
}

// -----

func.func @attention_window(%q: tensor<1x8x3x2x16xf32>, %k: tensor<1x32x3x16xf32>, %v: tensor<1x32x3x16xf32>) {
  // expected-error @+1 {{'nn.attention' op needs a positive window}}
  %0 = nn.attention %q, %k, %v scale 0.25 causal window 0 : (tensor<1x8x3x2x16xf32>, tensor<1x32x3x16xf32>, tensor<1x32x3x16xf32>) -> tensor<1x8x3x2x16xf32>
  return
}

// -----

func.func @attention_scale(%q: tensor<1x8x3x2x16xf32>, %k: tensor<1x32x3x16xf32>, %v: tensor<1x32x3x16xf32>) {
  // expected-error @+1 {{'nn.attention' op needs a finite scale}}
  %0 = nn.attention %q, %k, %v scale 0x7FF0000000000000 : (tensor<1x8x3x2x16xf32>, tensor<1x32x3x16xf32>, tensor<1x32x3x16xf32>) -> tensor<1x8x3x2x16xf32>
  return
}

// -----

func.func @attention_soft_cap(%q: tensor<1x8x3x2x16xf32>, %k: tensor<1x32x3x16xf32>, %v: tensor<1x32x3x16xf32>) {
  // expected-error @+1 {{'nn.attention' op needs a positive soft cap}}
  %0 = nn.attention %q, %k, %v scale 0.25 soft_cap 0.0 : (tensor<1x8x3x2x16xf32>, tensor<1x32x3x16xf32>, tensor<1x32x3x16xf32>) -> tensor<1x8x3x2x16xf32>
  return
}

// -----

func.func @attention_soft_cap_negative(%q: tensor<1x8x3x2x16xf32>, %k: tensor<1x32x3x16xf32>, %v: tensor<1x32x3x16xf32>) {
  // expected-error @+1 {{'nn.attention' op needs a positive soft cap}}
  %0 = nn.attention %q, %k, %v scale 0.25 soft_cap -1.0 : (tensor<1x8x3x2x16xf32>, tensor<1x32x3x16xf32>, tensor<1x32x3x16xf32>) -> tensor<1x8x3x2x16xf32>
  return
}

// -----

func.func @attention_soft_cap_infinite(%q: tensor<1x8x3x2x16xf32>, %k: tensor<1x32x3x16xf32>, %v: tensor<1x32x3x16xf32>) {
  // expected-error @+1 {{'nn.attention' op needs a positive soft cap}}
  %0 = nn.attention %q, %k, %v scale 0.25 soft_cap 0x7FF0000000000000 : (tensor<1x8x3x2x16xf32>, tensor<1x32x3x16xf32>, tensor<1x32x3x16xf32>) -> tensor<1x8x3x2x16xf32>
  return
}

// -----

func.func @attention_keys(%q: tensor<1x8x3x2x16xf32>, %k: tensor<1x32x3x16xf32>) {
  // expected-error @+1 {{'nn.attention' op has 32 keys, not 33}}
  %0 = nn.attention %q, %k, %k scale 0.25 of 33 : (tensor<1x8x3x2x16xf32>, tensor<1x32x3x16xf32>, tensor<1x32x3x16xf32>) -> tensor<1x8x3x2x16xf32>
  return
}

// -----

func.func @attention_offset(%q: tensor<1x8x3x2x16xf32>, %k: tensor<1x32x3x16xf32>, %i: tensor<1xi32>) {
  // expected-error @+1 {{'nn.attention' op operand #3 must be 0D tensor}}
  %0 = nn.attention %q, %k, %k at %i scale 0.25 : (tensor<1x8x3x2x16xf32>, tensor<1x32x3x16xf32>, tensor<1x32x3x16xf32>, tensor<1xi32>) -> tensor<1x8x3x2x16xf32>
  return
}

// -----

func.func @top_k_scalar(%x: tensor<f32>) {
  // expected-error @+1 {{'nn.top_k' op needs a dim to choose from}}
  %0:2 = nn.top_k %x k 1 : (tensor<f32>) -> (tensor<f32>, tensor<i32>)
  return
}

// -----

func.func @top_k_zero(%x: tensor<2x8xf32>) {
  // expected-error @+1 {{'nn.top_k' op needs k and segments of at least 1}}
  %0:2 = nn.top_k %x k 0 : (tensor<2x8xf32>) -> (tensor<2x0xf32>, tensor<2x0xi32>)
  return
}

// -----

func.func @top_k_segments(%x: tensor<2x8xf32>) {
  // expected-error @+1 {{'nn.top_k' op needs k and segments of at least 1}}
  %0:2 = nn.top_k %x k 1 segments 0 : (tensor<2x8xf32>) -> (tensor<2x1xf32>, tensor<2x1xi32>)
  return
}

// -----

func.func @top_k_many_segments(%x: tensor<2x8xf32>) {
  // expected-error @+1 {{'nn.top_k' op needs k and segments of at least 1}}
  %0:2 = nn.top_k %x k 1 segments 1099511627777 : (tensor<2x8xf32>) -> (tensor<2x1xf32>, tensor<2x1xi32>)
  return
}

// -----

func.func @top_k_more(%x: tensor<2x8xf32>) {
  // expected-error @+1 {{'nn.top_k' op k = 9 is more than the 8 elements there are}}
  %0:2 = nn.top_k %x k 9 : (tensor<2x8xf32>) -> (tensor<2x9xf32>, tensor<2x9xi32>)
  return
}

// -----

func.func @top_k_ids(%x: tensor<2x8xf32>, %i: tensor<2x7xi32>) {
  // expected-error @+1 {{'nn.top_k' op needs ids of the values' shape}}
  %0:2 = nn.top_k %x ids %i k 1 : (tensor<2x8xf32>, tensor<2x7xi32>) -> (tensor<2x1xf32>, tensor<2x1xi32>)
  return
}

// -----

func.func @top_k_answers(%x: tensor<2x8xf32>) {
  // expected-error @+1 {{'nn.top_k' op the last dim of the results must be k times a divisor of the number of segments}}
  %0:2 = nn.top_k %x k 2 : (tensor<2x8xf32>) -> (tensor<2x3xf32>, tensor<2x3xi32>)
  return
}

// -----

func.func @top_k_divisor(%x: tensor<2x8xf32>) {
  // expected-error @+1 {{'nn.top_k' op the last dim of the results must be k times a divisor of the number of segments}}
  %0:2 = nn.top_k %x k 1 segments 4 : (tensor<2x8xf32>) -> (tensor<2x3xf32>, tensor<2x3xi32>)
  return
}

// -----

func.func @top_k_none(%x: tensor<2x8xf32>) {
  // expected-error @+1 {{'nn.top_k' op the last dim of the results must be k times a divisor of the number of segments}}
  %0:2 = nn.top_k %x k 1 : (tensor<2x8xf32>) -> (tensor<f32>, tensor<i32>)
  return
}

// -----

func.func @top_k_result(%x: tensor<2x8xf32>) {
  // expected-error @+1 {{'nn.top_k' op results must have shape 'tensor<2x1xf32>'}}
  %0:2 = nn.top_k %x k 1 : (tensor<2x8xf32>) -> (tensor<3x1xf32>, tensor<3x1xi32>)
  return
}

// -----

func.func @top_k_result_ids(%x: tensor<2x8xf32>) {
  // expected-error @+1 {{'nn.top_k' op results must have shape 'tensor<2x1xf32>'}}
  %0:2 = nn.top_k %x k 1 : (tensor<2x8xf32>) -> (tensor<2x1xf32>, tensor<2x2xi32>)
  return
}

// -----

func.func @top_k_result_type(%x: tensor<2x8xf32>) {
  // expected-error @+1 {{'nn.top_k' op results must have shape 'tensor<2x1xf32>'}}
  %0:2 = nn.top_k %x k 1 : (tensor<2x8xf32>) -> (tensor<2x1xf64>, tensor<2x1xi32>)
  return
}

// -----

//===----------------------------------------------------------------------===//
// Module boundaries
//===----------------------------------------------------------------------===//

func.func @boundary_direction(%x: tensor<8x24xf32>) {
  // expected-error @+1 {{'nn.boundary' op direction is "input" or "output", got "sideways"}}
  %0 = nn.boundary %x "sideways" "0" of "m" : tensor<8x24xf32>
  return
}

// -----

func.func @boundary_module(%x: tensor<8x24xf32>) {
  // expected-error @+1 {{'nn.boundary' op needs the name of a module}}
  %0 = nn.boundary %x "input" "0" of "" : tensor<8x24xf32>
  return
}

// -----

func.func @boundary_dims(%x: tensor<8x24xf32>) {
  // expected-error @+1 {{'nn.boundary' op needs an original dim for each of 2 dims, in order}}
  %0 = nn.boundary %x "input" "0" of "m" dims [0] : tensor<8x24xf32>
  return
}

// -----

func.func @boundary_order(%x: tensor<8x24xf32>) {
  // expected-error @+1 {{'nn.boundary' op needs an original dim for each of 2 dims, in order}}
  %0 = nn.boundary %x "input" "0" of "m" dims [1, 0] : tensor<8x24xf32>
  return
}

// -----

func.func @boundary_negative(%x: tensor<8x24xf32>) {
  // expected-error @+1 {{'nn.boundary' op needs an original dim for each of 2 dims, in order}}
  %0 = nn.boundary %x "input" "0" of "m" dims [-1, 0] : tensor<8x24xf32>
  return
}
