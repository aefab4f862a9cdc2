// RUN: tp-opt %s --rt-to-llvm | FileCheck %s

// Marks are numbered in each entry, in its order.
// CHECK: llvm.func @tprt_mark(!llvm.ptr, i64)
// CHECK-LABEL: llvm.func @f
// CHECK-SAME: %[[RANK:[a-z0-9]+]]: !llvm.ptr
// CHECK: %[[ZERO:.*]] = llvm.mlir.constant(0 : i64)
// CHECK: llvm.call @tprt_mark(%[[RANK]], %[[ZERO]])
// CHECK: llvm.call @kernel_0
// CHECK: %[[ONE:.*]] = llvm.mlir.constant(1 : i64)
// CHECK: llvm.call @tprt_mark(%[[RANK]], %[[ONE]])
// CHECK: llvm.call @tprt_collective
module attributes {rt.groups = [[#tp.axis<"tp">]]} {
tp.mesh @mesh = <["tp"=2]>
func.func @f(%x: memref<8xf32>) attributes {rt.marked} {
  rt.mark "arith.negf" of "mlp" kernel @kernel_0
  rt.launch @kernel_0(%x) into (%x) : (memref<8xf32>) -> memref<8xf32>
  rt.mark "tp.all_reduce" of "mlp" collective 7
  rt.collective all_reduce sum (%x) into (%x) group 0 id 7 name "mlp" : (memref<8xf32>) -> memref<8xf32>
  return
}

// CHECK-LABEL: llvm.func @g
// CHECK: %[[ZERO:.*]] = llvm.mlir.constant(0 : i64)
// CHECK: llvm.call @tprt_mark(%{{.*}}, %[[ZERO]])
// CHECK: llvm.call @kernel_0
func.func @g(%x: memref<8xf32>) attributes {rt.marked} {
  rt.mark "arith.negf" of "mlp" kernel @kernel_0
  rt.launch @kernel_0(%x) into (%x) : (memref<8xf32>) -> memref<8xf32>
  return
}
func.func private @kernel_0(%x: memref<8xf32>, %y: memref<8xf32>) attributes {rt.kernel} {
  return
}
}
