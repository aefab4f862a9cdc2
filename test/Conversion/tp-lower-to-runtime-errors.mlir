// RUN: tp-opt %s --tp-lower-to-runtime --split-input-file --verify-diagnostics

func.func @not_planned(%x: tensor<2x3xf32>) -> tensor<3x2xf32> {
  // expected-error @+2 {{'nn.transpose' op has no planned places; run tp-plan-memory first}}
  // expected-error @+1 {{failed to legalize operation 'nn.transpose'}}
  %0 = nn.transpose %x [1, 0] : (tensor<2x3xf32>) -> tensor<3x2xf32>
  return %0 : tensor<3x2xf32>
}

// -----

func.func @wrong_place(%x: tensor<2x3xf32>) -> tensor<3x2xf32> {
  // expected-error @+2 {{'nn.transpose' op cannot have a result of type 'tensor<3x2xf32>' at #rt.place<operand 0>}}
  // expected-error @+1 {{failed to legalize operation 'nn.transpose'}}
  %0 = nn.transpose %x [1, 0] {rt.places = [#rt.place<operand 0>]} : (tensor<2x3xf32>) -> tensor<3x2xf32>
  return %0 : tensor<3x2xf32>
}

// -----

tp.mesh @mesh = <["tp"=2]>
func.func @packed(%x: tensor<4xf32>) {
  // expected-error @+2 {{'tp.all_reduce' op has 5 inputs, the runtime sends at most 4 at once}}
  // expected-error @+1 {{failed to legalize operation 'tp.all_reduce'}}
  %0:5 = tp.all_reduce %x, %x, %x, %x, %x sum over [#tp.axis<"tp">] of @mesh
      : (tensor<4xf32>, tensor<4xf32>, tensor<4xf32>, tensor<4xf32>, tensor<4xf32>)
      -> (tensor<4xf32>, tensor<4xf32>, tensor<4xf32>, tensor<4xf32>, tensor<4xf32>)
  return
}
