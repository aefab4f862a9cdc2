// Parameters, inputs, state and outputs.
// RUN: tp-opt %s | tp-opt | FileCheck %s

// CHECK: module attributes {nn.checkpoint = "model.gguf", nn.checksum = "fnv1a64:0"}
module attributes {nn.checkpoint = "model.gguf", nn.checksum = "fnv1a64:0"} {
// CHECK-LABEL: func.func private @f
func.func private @f(
// The whole stored tensor.
// CHECK-SAME: tensor<8x4xf32> {nn.parameter = #nn.parameter<name = "w", tensor = "blk.w", shape = [8, 4], offset = [0, 0], dims = [0, 1], strides = [1, 1], initialisation = "normal">}
  tensor<8x4xf32> {nn.parameter = #nn.parameter<name = "w", tensor = "blk.w", shape = [8, 4], offset = [0, 0],
                   dims = [0, 1], strides = [1, 1], initialisation = "normal">},
// Two rows of heads, transposed and cut out of a larger tensor; a tied parameter.
// CHECK-SAME: tensor<4x2x3xf32> {nn.parameter = #nn.parameter<name = "q", tensor = "qkv", shape = [12, 4], offset = [6, 0], dims = [1, 0, 0], strides = [1, 3, 1], initialisation = "ones", aliases = ["a", "b"]>}
  tensor<4x2x3xf32> {nn.parameter = #nn.parameter<name = "q", tensor = "qkv", shape = [12, 4], offset = [6, 0],
                     dims = [1, 0, 0], strides = [1, 3, 1], initialisation = "ones", aliases = ["a", "b"]>},
// Backwards: a negative stride from the last element.
// CHECK-SAME: strides = [-1]
  tensor<4xf32> {nn.parameter = #nn.parameter<name = "r", tensor = "r", shape = [4], offset = [3],
                 dims = [0], strides = [-1], initialisation = "normal">},
// A scalar out of a vector.
// CHECK-SAME: dims = [], strides = []
  tensor<f32> {nn.parameter = #nn.parameter<name = "s", tensor = "s", shape = [4], offset = [2],
               dims = [], strides = [], initialisation = "normal">},
// The share of one device is checked by the global type.
// CHECK-SAME: tensor<4xf32> {nn.parameter = #nn.parameter<name = "l"
  tensor<4xf32> {nn.parameter = #nn.parameter<name = "l", tensor = "l", shape = [8], offset = [0],
                 dims = [0], strides = [1], initialisation = "normal">, tp.global = tensor<8xf32>, tp.sharding = #tp.sharding<@mesh, [{"tp"}]>},
// CHECK-SAME: tensor<1x8xi32> {nn.dims = ["batch", "sequence"], nn.input = "input_ids"}
  tensor<1x8xi32> {nn.input = "input_ids", nn.dims = ["batch", "sequence"]},
// CHECK-SAME: tensor<1x8xf32> {nn.state = "cache"}
  tensor<1x8xf32> {nn.state = "cache"})
// CHECK-SAME: -> (tensor<1x8xf32> {nn.output = "logits"}, tensor<1x8xf32> {nn.state = "cache"})
  -> (tensor<1x8xf32> {nn.output = "logits"}, tensor<1x8xf32> {nn.state = "cache"})
tp.mesh @mesh = <["tp"=2]>
}
