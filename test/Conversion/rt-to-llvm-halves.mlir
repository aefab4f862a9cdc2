// RUN: tp-opt %s --rt-to-llvm | FileCheck %s

// The runtime's collectives are done when they return.
// CHECK-LABEL: llvm.func @halves
// CHECK: llvm.call @tprt_collective
// CHECK-NOT: llvm.call
// CHECK: llvm.return
module attributes {rt.groups = [[#tp.axis<"tp">]]} {
tp.mesh @mesh = <["tp"=2]>
func.func @halves(%x: memref<8xf32>) {
  rt.collective all_reduce sum (%x) into (%x) group 0 id 0 name "" started : (memref<8xf32>) -> memref<8xf32>
  rt.wait %x of 0 : memref<8xf32>
  return
}
}
