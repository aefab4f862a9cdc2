// A square weight beside a residual: both its dims lie as the residual does, so
// that one axis cannot shard both. Its outputs take it.
// RUN: tp-opt %s --tp-shard=mesh=tp=2 | FileCheck %s

// CHECK: %arg1: tensor<2x4xf32> {nn.parameter = {{.*}}tp.sharding = #tp.sharding<@mesh, [{"tp"}, {}]>}
func.func @f(%x: tensor<2x5x4xf32> {nn.input = "x"},
    %w: tensor<4x4xf32> {nn.parameter = #nn.parameter<name = "linear.weight", tensor = "linear.weight", shape = [4, 4], offset = [0, 0], dims = [0, 1], strides = [1, 1], initialisation = "normal">}) -> (tensor<2x5x4xf32> {nn.output = "y"}) {
  %0 = nn.contract %x, %w "bsk,nk->bsn" : (tensor<2x5x4xf32>, tensor<4x4xf32>) -> tensor<2x5x4xf32>
  %1 = arith.addf %x, %0 : tensor<2x5x4xf32>
  return %1 : tensor<2x5x4xf32>
}
