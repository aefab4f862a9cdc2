// What has no derivative is an error that names it.
// RUN: tp-opt %s -nn-differentiate -split-input-file -verify-diagnostics -allow-unregistered-dialect

func.func @unknown(%x: tensor<8xf32>) -> tensor<8xf32> {
  // expected-error @+1 {{'my.op' has no derivative; it must implement DerivativeOpInterface}}
  %0 = "my.op"(%x) : (tensor<8xf32>) -> tensor<8xf32>
  return %0 : tensor<8xf32>
}

// -----

// expected-error @+1 {{a function to differentiate has one block}}
func.func @blocks(%x: tensor<8xf32>) -> tensor<8xf32> {
  "my.branch"()[^end] : () -> ()
^end:
  return %x : tensor<8xf32>
}

// -----

// expected-error @+1 {{there is a function "f_gradient" already}}
func.func @f(%x: tensor<8xf32>) {
  return
}
func.func private @f_gradient()

// -----

// expected-error @+1 {{only tensors of static shape can be differentiated, got 'tensor<?xf32>'}}
func.func @dynamic(%x: tensor<?xf32>) {
  return
}

// -----

func.func @dynamic_result(%i: index) {
  // expected-error @+1 {{only tensors of static shape can be differentiated, got 'tensor<?xf32>'}}
  %0 = "my.op"(%i) : (index) -> tensor<?xf32>
  return
}

// -----

func.func @product(%x: tensor<8xf32>) -> tensor<f32> {
  // expected-error @+1 {{'nn.reduce' has no derivative with these attributes}}
  %0 = nn.reduce %x "product" dims [0] : (tensor<8xf32>) -> tensor<f32>
  return %0 : tensor<f32>
}
