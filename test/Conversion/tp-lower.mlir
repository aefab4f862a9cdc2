// RUN: tp-opt %s --tp-lower | FileCheck %s

// The whole way: one kernel that two layers share, straight-line calls, nothing of
// the levels above left.
// CHECK-NOT: tp.mesh
// CHECK: llvm.func @f
// CHECK: llvm.call @tprt_contract
// CHECK: llvm.call @tprt_collective
// CHECK: llvm.call @kernel_0
// CHECK: llvm.call @tprt_contract
// CHECK: llvm.call @tprt_collective
// CHECK: llvm.call @kernel_0
// CHECK-NOT: llvm.func @kernel_1
// CHECK-NOT: func.func
tp.mesh @mesh = <["tp"=2]>
func.func @f(%x: tensor<4x8xf32> {nn.input = "x"}, %w: tensor<8x8xf32> {nn.input = "w"})
    -> (tensor<4x8xf32> {nn.output = "y"}) {
  %0 = nn.contract %x, %w "mk,nk->mn" : (tensor<4x8xf32>, tensor<8x8xf32>) -> tensor<4x8xf32>
  %1 = tp.all_reduce %0 sum over [#tp.axis<"tp">] of @mesh : (tensor<4x8xf32>) -> tensor<4x8xf32>
  %2 = arith.addf %1, %x : tensor<4x8xf32>
  %3 = nn.contract %2, %w "mk,nk->mn" : (tensor<4x8xf32>, tensor<8x8xf32>) -> tensor<4x8xf32>
  %4 = tp.all_reduce %3 sum over [#tp.axis<"tp">] of @mesh : (tensor<4x8xf32>) -> tensor<4x8xf32>
  %5 = arith.addf %4, %x : tensor<4x8xf32>
  return %5 : tensor<4x8xf32>
}
