// Attention of many queries in the forms that a library may take or not. Weights
// are in the place of activations, so that a run has them from a seed.
func.func @forward(
    %position: tensor<i32> {nn.input = "position"},
    %q: tensor<2x18x2x3x8xf32> {nn.parameter = #nn.parameter<name = "q", tensor = "q", shape = [2, 18, 2, 3, 8], offset = [0, 0, 0, 0, 0], dims = [0, 1, 2, 3, 4], strides = [1, 1, 1, 1, 1], initialisation = "normal">},
    %k: tensor<2x40x2x8xf32> {nn.parameter = #nn.parameter<name = "k", tensor = "k", shape = [2, 40, 2, 8], offset = [0, 0, 0, 0], dims = [0, 1, 2, 3], strides = [1, 1, 1, 1], initialisation = "normal">},
    %v: tensor<2x40x2x8xf32> {nn.parameter = #nn.parameter<name = "v", tensor = "v", shape = [2, 40, 2, 8], offset = [0, 0, 0, 0], dims = [0, 1, 2, 3], strides = [1, 1, 1, 1], initialisation = "normal">},
    %odd: tensor<2x18x2x3x7xf32> {nn.parameter = #nn.parameter<name = "odd", tensor = "odd", shape = [2, 18, 2, 3, 7], offset = [0, 0, 0, 0, 0], dims = [0, 1, 2, 3, 4], strides = [1, 1, 1, 1, 1], initialisation = "normal">},
    %odds: tensor<2x40x2x7xf32> {nn.parameter = #nn.parameter<name = "odds", tensor = "odds", shape = [2, 40, 2, 7], offset = [0, 0, 0, 0], dims = [0, 1, 2, 3], strides = [1, 1, 1, 1], initialisation = "normal">})
    -> (tensor<2x18x2x3x8xf32> {nn.output = "whole"}, tensor<2x18x2x3x8xf32> {nn.output = "cache"}, tensor<2x18x2x3x8xf32> {nn.output = "window"},
        tensor<2x18x2x3x8xf32> {nn.output = "everything"}, tensor<2x18x2x3x8xf32> {nn.output = "keys"}, tensor<2x18x2x3x8xf32> {nn.output = "capped"},
        tensor<2x18x2x3x7xf32> {nn.output = "odd"}, tensor<2x18x2x3x8xf32> {nn.output = "wide"}) {
  %qn = arith.truncf %q : tensor<2x18x2x3x8xf32> to tensor<2x18x2x3x8xbf16>
  %kn = arith.truncf %k : tensor<2x40x2x8xf32> to tensor<2x40x2x8xbf16>
  %vn = arith.truncf %v : tensor<2x40x2x8xf32> to tensor<2x40x2x8xbf16>
  %qo = arith.truncf %odd : tensor<2x18x2x3x7xf32> to tensor<2x18x2x3x7xbf16>
  %ko = arith.truncf %odds : tensor<2x40x2x7xf32> to tensor<2x40x2x7xbf16>
  %0 = nn.attention %qn, %kn, %vn scale 2.0e+03 causal : (tensor<2x18x2x3x8xbf16>, tensor<2x40x2x8xbf16>, tensor<2x40x2x8xbf16>) -> tensor<2x18x2x3x8xbf16>
  %1 = nn.attention %qn, %kn, %vn at %position scale 2.0e+03 causal : (tensor<2x18x2x3x8xbf16>, tensor<2x40x2x8xbf16>, tensor<2x40x2x8xbf16>, tensor<i32>) -> tensor<2x18x2x3x8xbf16>
  %2 = nn.attention %qn, %kn, %vn at %position scale 2.0e+03 causal window 5 : (tensor<2x18x2x3x8xbf16>, tensor<2x40x2x8xbf16>, tensor<2x40x2x8xbf16>, tensor<i32>) -> tensor<2x18x2x3x8xbf16>
  %3 = nn.attention %qn, %kn, %vn scale 2.0e+03 : (tensor<2x18x2x3x8xbf16>, tensor<2x40x2x8xbf16>, tensor<2x40x2x8xbf16>) -> tensor<2x18x2x3x8xbf16>
  %4 = nn.attention %qn, %kn, %vn at %position scale 2.0e+03 causal of 33 : (tensor<2x18x2x3x8xbf16>, tensor<2x40x2x8xbf16>, tensor<2x40x2x8xbf16>, tensor<i32>) -> tensor<2x18x2x3x8xbf16>
  %5 = nn.attention %qn, %kn, %vn at %position scale 2.0e+03 causal soft_cap 2.0 : (tensor<2x18x2x3x8xbf16>, tensor<2x40x2x8xbf16>, tensor<2x40x2x8xbf16>, tensor<i32>) -> tensor<2x18x2x3x8xbf16>
  %6 = nn.attention %qo, %ko, %ko at %position scale 2.0e+03 causal : (tensor<2x18x2x3x7xbf16>, tensor<2x40x2x7xbf16>, tensor<2x40x2x7xbf16>, tensor<i32>) -> tensor<2x18x2x3x7xbf16>
  %7 = nn.attention %q, %k, %v at %position scale 2.0e+03 causal : (tensor<2x18x2x3x8xf32>, tensor<2x40x2x8xf32>, tensor<2x40x2x8xf32>, tensor<i32>) -> tensor<2x18x2x3x8xf32>
  %w0 = arith.extf %0 : tensor<2x18x2x3x8xbf16> to tensor<2x18x2x3x8xf32>
  %w1 = arith.extf %1 : tensor<2x18x2x3x8xbf16> to tensor<2x18x2x3x8xf32>
  %w2 = arith.extf %2 : tensor<2x18x2x3x8xbf16> to tensor<2x18x2x3x8xf32>
  %w3 = arith.extf %3 : tensor<2x18x2x3x8xbf16> to tensor<2x18x2x3x8xf32>
  %w4 = arith.extf %4 : tensor<2x18x2x3x8xbf16> to tensor<2x18x2x3x8xf32>
  %w5 = arith.extf %5 : tensor<2x18x2x3x8xbf16> to tensor<2x18x2x3x8xf32>
  %w6 = arith.extf %6 : tensor<2x18x2x3x7xbf16> to tensor<2x18x2x3x7xf32>
  return %w0, %w1, %w2, %w3, %w4, %w5, %w6, %7 : tensor<2x18x2x3x8xf32>, tensor<2x18x2x3x8xf32>, tensor<2x18x2x3x8xf32>, tensor<2x18x2x3x8xf32>, tensor<2x18x2x3x8xf32>, tensor<2x18x2x3x8xf32>, tensor<2x18x2x3x7xf32>, tensor<2x18x2x3x8xf32>
}
