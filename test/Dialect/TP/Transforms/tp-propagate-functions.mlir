// RUN: tp-opt %s -tp-propagate | FileCheck %s

// Parameters and states are stored once for all functions of a module.

tp.mesh @mesh = <["tp"=2]>

// What one function asks for holds in the others. Of what is left open, the
// function with the most work decides: %w of @step, which alone would be whole,
// and the padding of %b, which only @train needs.
// CHECK-LABEL: func.func @step
// CHECK-SAME: %arg1: tensor<6x4xf32> {{{.*}}tp.sharding = #tp.sharding<@mesh, [{"tp"}, {}]>}
// CHECK-SAME: %arg2: tensor<4x6xf32> {{{.*}}tp.sharding = #tp.sharding<@mesh, [{}, {"tp"}]>}
// CHECK-SAME: %arg3: tensor<3xf32> {{{.*}}tp.sharding = #tp.sharding<@mesh, [{"tp"} pad 4]>}
func.func @step(%x: tensor<2x4xf32>,
    %w: tensor<6x4xf32> {nn.parameter = #nn.parameter<name = "up.weight", tensor = "up.weight", shape = [6, 4], offset = [0, 0], dims = [0, 1], strides = [1, 1], initialisation = "normal">},
    %d: tensor<4x6xf32> {nn.parameter = #nn.parameter<name = "down.weight", tensor = "down.weight", shape = [4, 6], offset = [0, 0], dims = [0, 1], strides = [1, 1], initialisation = "normal">},
    %b: tensor<3xf32> {nn.state = "bias"}) -> (tensor<2x4xf32>, tensor<3xf32> {nn.state = "bias"}) {
  %0 = nn.contract %x, %w "sk,nk->sn" : (tensor<2x4xf32>, tensor<6x4xf32>) -> tensor<2x6xf32>
  %1 = nn.contract %0, %d "sn,kn->sk" : (tensor<2x6xf32>, tensor<4x6xf32>) -> tensor<2x4xf32>
  return %1, %b : tensor<2x4xf32>, tensor<3xf32>
}

// CHECK-LABEL: func.func @train
// CHECK-SAME: %arg1: tensor<6x4xf32> {{{.*}}tp.sharding = #tp.sharding<@mesh, [{"tp"}, {}]>}
// CHECK-SAME: %arg2: tensor<4x6xf32> {{{.*}}tp.sharding = #tp.sharding<@mesh, [{}, {"tp"}]>}
// CHECK-SAME: %arg3: tensor<3xf32> {{{.*}}tp.sharding = #tp.sharding<@mesh, [{"tp"} pad 4]>}
func.func @train(%x: tensor<8x4xf32>,
    %w: tensor<6x4xf32> {nn.parameter = #nn.parameter<name = "up.weight", tensor = "up.weight", shape = [6, 4], offset = [0, 0], dims = [0, 1], strides = [1, 1], initialisation = "normal">},
    %d: tensor<4x6xf32> {nn.parameter = #nn.parameter<name = "down.weight", tensor = "down.weight", shape = [4, 6], offset = [0, 0], dims = [0, 1], strides = [1, 1], initialisation = "normal">, tp.sharding = #tp.sharding<@mesh, [{}, {"tp"}]>},
    %b: tensor<3xf32> {nn.state = "bias"},
    %g: tensor<3xf32> {tp.sharding = #tp.sharding<@mesh, [{"tp"}]>}) -> (tensor<8x4xf32>, tensor<3xf32> {nn.state = "bias"}) {
  %0 = nn.contract %x, %w "sk,nk->sn" : (tensor<8x4xf32>, tensor<6x4xf32>) -> tensor<8x6xf32>
  %1 = nn.contract %0, %d "sn,kn->sk" : (tensor<8x6xf32>, tensor<4x6xf32>) -> tensor<8x4xf32>
  %2 = arith.addf %b, %g : tensor<3xf32>
  return %1, %2 : tensor<8x4xf32>, tensor<3xf32>
}

// A later function needs more padding than the first chose: both have it.
// CHECK-LABEL: func.func @first
// CHECK-SAME: nn.state = "s", tp.sharding = #tp.sharding<@mesh, [{"tp"} pad 12]>
func.func @first(%s: tensor<5xf32> {nn.state = "s", tp.sharding = #tp.sharding<@mesh, [{"tp"}]>}, %x: tensor<100x100xf32>) -> (tensor<5xf32> {nn.state = "s"}, tensor<100x100xf32>) {
  %0 = math.exp %x : tensor<100x100xf32>
  return %s, %0 : tensor<5xf32>, tensor<100x100xf32>
}

// CHECK-LABEL: func.func @second
// CHECK-SAME: nn.state = "s", tp.sharding = #tp.sharding<@mesh, [{"tp"} pad 12]>
func.func @second(%s: tensor<5xf32> {nn.state = "s"}, %x: tensor<5xf32> {tp.sharding = #tp.sharding<@mesh, [{} pad 12]>}) -> (tensor<5xf32> {nn.state = "s"}) {
  %0 = arith.addf %s, %x : tensor<5xf32>
  return %0 : tensor<5xf32>
}
