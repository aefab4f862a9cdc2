// Two linears and nothing after them: the outputs of the second would cost
// nothing, but then the wide middle has to be reduced. One reduction of the
// result is cheaper.
// RUN: tp-opt %s --tp-shard=mesh=tp=4 | FileCheck %s

// CHECK: %arg1: tensor<16x16xf32> {nn.parameter = {{.*}}"up.weight"{{.*}}tp.sharding = #tp.sharding<@mesh, [{"tp"}, {}]>}
// CHECK-SAME: %arg2: tensor<16x16xf32> {nn.parameter = {{.*}}"down.weight"{{.*}}tp.sharding = #tp.sharding<@mesh, [{}, {"tp"}]>}
// CHECK-COUNT-1: tp.all_reduce {{.*}}tensor<2x8x16xf32>
// CHECK-NOT: tp.all_
func.func @f(%x: tensor<2x8x16xf32> {nn.input = "x"},
    %u: tensor<64x16xf32> {nn.parameter = #nn.parameter<name = "up.weight", tensor = "up.weight", shape = [64, 16], offset = [0, 0], dims = [0, 1], strides = [1, 1], initialisation = "normal">},
    %d: tensor<16x64xf32> {nn.parameter = #nn.parameter<name = "down.weight", tensor = "down.weight", shape = [16, 64], offset = [0, 0], dims = [0, 1], strides = [1, 1], initialisation = "normal">}) -> (tensor<2x8x16xf32> {nn.output = "y"}) {
  %0 = nn.contract %x, %u "bsk,nk->bsn" : (tensor<2x8x16xf32>, tensor<64x16xf32>) -> tensor<2x8x64xf32>
  %1 = math.tanh %0 : tensor<2x8x64xf32>
  %2 = nn.contract %1, %d "bsk,nk->bsn" : (tensor<2x8x64xf32>, tensor<16x64xf32>) -> tensor<2x8x16xf32>
  return %2 : tensor<2x8x16xf32>
}
