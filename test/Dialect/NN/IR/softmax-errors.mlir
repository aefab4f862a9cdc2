// One test for each rule of softmax.
// RUN: tp-opt %s -split-input-file -verify-diagnostics

func.func @softmax_dim(%x: tensor<8x24xf32>) {
  // expected-error @+1 {{'nn.softmax' op has no dim 2}}
  %0 = nn.softmax %x dim 2 : tensor<8x24xf32>
  return
}

// -----

func.func @softmax_negative(%x: tensor<8x24xf32>) {
  // expected-error @+1 {{'nn.softmax' op has no dim -1}}
  %0 = nn.softmax %x dim -1 : tensor<8x24xf32>
  return
}

// -----

func.func @softmax_scalar(%x: tensor<f32>) {
  // expected-error @+1 {{'nn.softmax' op has no dim 0}}
  %0 = nn.softmax %x dim 0 : tensor<f32>
  return
}

// -----

func.func @softmax_result(%x: tensor<8x24xf32>) {
  // expected-error @+1 {{'nn.softmax' op requires the same type for all operands and results}}
  %0 = "nn.softmax"(%x) {dim = 1 : i64} : (tensor<8x24xf32>) -> tensor<8x25xf32>
  return
}
