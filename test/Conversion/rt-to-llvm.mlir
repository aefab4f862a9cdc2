// RUN: tp-opt %s --rt-to-llvm | FileCheck %s

// One descriptor for equal calls.
// CHECK: llvm.mlir.global internal constant @rt_descriptor_0(dense<[4, 1, 0, 0, 8, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 1,
// CHECK-NOT: @rt_descriptor_1
// CHECK: llvm.func @tprt_copy(!llvm.ptr, !llvm.ptr, !llvm.ptr, !llvm.ptr)
// CHECK-LABEL: llvm.func @f(
// CHECK-SAME: %[[RANK:[^:]*]]: !llvm.ptr, %[[ARENA:[^:]*]]: !llvm.ptr, %[[ARGUMENTS:[^:]*]]: !llvm.ptr, %[[RESULTS:[^:]*]]: !llvm.ptr)
// CHECK-SAME: passthrough = ["noinline", "optnone"]
// CHECK: %[[X:.*]] = llvm.load %[[ARGUMENTS]]
// CHECK: %[[OFFSET:.*]] = llvm.mlir.constant(64 : i64)
// CHECK: %[[B:.*]] = llvm.getelementptr %[[ARENA]][%[[OFFSET]]]
// CHECK: %[[D:.*]] = llvm.mlir.addressof @rt_descriptor_0
// CHECK: llvm.call @tprt_copy(%[[RANK]], %[[D]], %[[X]], %[[B]])
// CHECK: %[[Y:.*]] = llvm.load %[[RESULTS]]
// CHECK: llvm.call @kernel_0(%{{.*}}, %[[Y]])
// CHECK: llvm.call @tprt_copy
// CHECK: llvm.return
func.func @f(%x: memref<8xf32>) -> memref<8xf32> attributes {rt.arena_bytes = 128 : i64} {
  %0 = rt.buffer 64 : memref<8xf32>
  rt.copy %x to %0 extents [8] from 0 [1] to 0 [1] : memref<8xf32>, memref<8xf32>
  %1 = rt.result 0 : memref<8xf32>
  rt.launch @kernel_0(%0) into(%1) : (memref<8xf32>) -> memref<8xf32>
  rt.launch @kernel_1(%1) into(%1) : (memref<8xf32>) -> memref<8xf32>
  rt.copy %1 to %0 extents [8] from 0 [1] to 0 [1] : memref<8xf32>, memref<8xf32>
  return %1 : memref<8xf32>
}

// Pointers are distinct where every launch passes distinct memory.
// CHECK-LABEL: llvm.func @kernel_0
// CHECK-SAME: llvm.noalias
// CHECK-SAME: llvm.noalias
func.func private @kernel_0(%x: memref<8xf32>, %y: memref<8xf32>) attributes {rt.kernel} {
  return
}

// CHECK-LABEL: llvm.func @kernel_1
// CHECK-NOT: llvm.noalias
func.func private @kernel_1(%x: memref<8xf32>, %y: memref<8xf32>) attributes {rt.kernel} {
  return
}
