// One test for each rule of cross-entropy.
// RUN: tp-opt %s -split-input-file -verify-diagnostics

func.func @cross_entropy_scalar(%x: tensor<f32>, %t: tensor<i32>) {
  // expected-error @+1 {{'nn.cross_entropy' op needs logits [..., classes], got 'tensor<f32>'}}
  %0 = nn.cross_entropy %x, %t : (tensor<f32>, tensor<i32>) -> tensor<f32>
  return
}

// -----

func.func @cross_entropy_no_classes(%x: tensor<8x0xf32>, %t: tensor<8xi32>) {
  // expected-error @+1 {{'nn.cross_entropy' op needs logits [..., classes], got 'tensor<8x0xf32>'}}
  %0 = nn.cross_entropy %x, %t : (tensor<8x0xf32>, tensor<8xi32>) -> tensor<8xf32>
  return
}

// -----

func.func @cross_entropy_targets(%x: tensor<8x24xf32>, %t: tensor<8x24xi32>) {
  // expected-error @+1 {{'nn.cross_entropy' op needs a target for each row of 'tensor<8x24xf32>', got 'tensor<8x24xi32>'}}
  %0 = nn.cross_entropy %x, %t : (tensor<8x24xf32>, tensor<8x24xi32>) -> tensor<8xf32>
  return
}

// -----

func.func @cross_entropy_result(%x: tensor<8x24xbf16>, %t: tensor<8xi32>) {
  // expected-error @+1 {{'nn.cross_entropy' op result must be 'tensor<8xf32>'}}
  %0 = nn.cross_entropy %x, %t : (tensor<8x24xbf16>, tensor<8xi32>) -> tensor<8xbf16>
  return
}

// -----

func.func @cross_entropy_ignore(%x: tensor<8x24xf32>, %t: tensor<8xi32>) {
  // expected-error @+1 {{'nn.cross_entropy' op needs an ignore_index of 32 bits}}
  %0 = nn.cross_entropy %x, %t ignore_index 2147483648 : (tensor<8x24xf32>, tensor<8xi32>) -> tensor<8xf32>
  return
}

// -----

func.func @cross_entropy_smoothing(%x: tensor<8x24xf32>, %t: tensor<8xi32>) {
  // expected-error @+1 {{'nn.cross_entropy' op needs a label_smoothing from 0 to 1}}
  %0 = nn.cross_entropy %x, %t label_smoothing 1.5 : (tensor<8x24xf32>, tensor<8xi32>) -> tensor<8xf32>
  return
}

// -----

func.func @cross_entropy_smoothing_nan(%x: tensor<8x24xf32>, %t: tensor<8xi32>) {
  // expected-error @+1 {{'nn.cross_entropy' op needs a label_smoothing from 0 to 1}}
  %0 = nn.cross_entropy %x, %t label_smoothing 0x7FF8000000000000 : (tensor<8x24xf32>, tensor<8xi32>) -> tensor<8xf32>
  return
}

// -----

func.func @cross_entropy_probabilities(%x: tensor<8x24xf32>, %t: tensor<8xf32>) {
  // expected-error @+1 {{'nn.cross_entropy' op needs a probability for each class of each row of 'tensor<8x24xf32>', got 'tensor<8xf32>'}}
  %0 = nn.cross_entropy %x, %t : (tensor<8x24xf32>, tensor<8xf32>) -> tensor<8xf32>
  return
}

// -----

func.func @cross_entropy_target_type(%x: tensor<8x24xf32>, %t: tensor<8xi64>) {
  // expected-error @+1 {{'nn.cross_entropy' op operand #1 must be statically shaped tensor}}
  %0 = nn.cross_entropy %x, %t : (tensor<8x24xf32>, tensor<8xi64>) -> tensor<8xf32>
  return
}

// -----

func.func @cross_entropy_weights(%x: tensor<8x24xf32>, %t: tensor<8xi32>, %w: tensor<8xf32>) {
  // expected-error @+1 {{'nn.cross_entropy' op needs a weight for each of 24 classes, got 'tensor<8xf32>'}}
  %0 = nn.cross_entropy %x, %t weights %w : (tensor<8x24xf32>, tensor<8xi32>, tensor<8xf32>) -> tensor<8xf32>
  return
}

// -----

func.func @cross_entropy_reduction(%x: tensor<8x24xf32>, %t: tensor<8xi32>) {
  // expected-error @+1 {{'nn.cross_entropy' op reduction is none, sum or mean, got max}}
  %0 = nn.cross_entropy %x, %t reduction "max" : (tensor<8x24xf32>, tensor<8xi32>) -> tensor<f32>
  return
}

// -----

func.func @cross_entropy_reduced(%x: tensor<8x24xf32>, %t: tensor<8xi32>) {
  // expected-error @+1 {{'nn.cross_entropy' op result must be 'tensor<f32>'}}
  %0 = nn.cross_entropy %x, %t reduction "mean" : (tensor<8x24xf32>, tensor<8xi32>) -> tensor<8xf32>
  return
}

// -----

func.func @cross_entropy_ignored_probabilities(%x: tensor<8x24xf32>, %t: tensor<8x24xf32>) {
  // expected-error @+1 {{'nn.cross_entropy' op has an ignore_index, but its targets are probabilities; give an ignored row zeros}}
  %0 = nn.cross_entropy %x, %t ignore_index -100 : (tensor<8x24xf32>, tensor<8x24xf32>) -> tensor<8xf32>
  return
}
