// RUN: tp-opt %s --rt-emit-kernels --split-input-file --verify-diagnostics

func.func private @foreign(%x: tensor<2x3xf32>) -> tensor<3x2xf32> attributes {rt.kernel} {
  // expected-error @+1 {{'nn.transpose' op cannot be part of a kernel}}
  %0 = nn.transpose %x [1, 0] : (tensor<2x3xf32>) -> tensor<3x2xf32>
  return %0 : tensor<3x2xf32>
}

// -----

func.func private @leading(%x: tensor<2x3xf32>) -> tensor<3xf32> attributes {rt.kernel} {
  // expected-error @+1 {{in a kernel must reduce the same trailing dims as every other reduction}}
  %0 = nn.reduce %x "sum" dims [0] : (tensor<2x3xf32>) -> tensor<3xf32>
  return %0 : tensor<3xf32>
}

// -----

func.func private @other_row(%x: tensor<3x3xf32>) -> tensor<3x3xf32> attributes {rt.kernel} {
  // expected-error @+1 {{is read at another row than the kernel's}}
  %0 = nn.reduce %x "sum" dims [1] : (tensor<3x3xf32>) -> tensor<3xf32>
  %1 = nn.broadcast %0 dims [1] : (tensor<3xf32>) -> tensor<3x3xf32>
  return %1 : tensor<3x3xf32>
}

// -----

func.func private @two_spaces(%x: tensor<2x3xf32>, %y: tensor<5xf32>) -> (tensor<2x3xf32>, tensor<5xf32>) attributes {rt.kernel} {
  %0 = arith.negf %x : tensor<2x3xf32>
  %1 = arith.negf %y : tensor<5xf32>
  // expected-error @+1 {{which is neither the kernel's whole shape nor its rows}}
  return %0, %1 : tensor<2x3xf32>, tensor<5xf32>
}
