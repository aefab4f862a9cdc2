// The functions as they are, beside themselves.
// RUN: tp-opt %s -tp-keep-program | FileCheck %s
// Kept once, however often.
// RUN: tp-opt %s -tp-keep-program -tp-keep-program | FileCheck %s

// The example of the pass's description.
// CHECK: tp.mesh @mesh = <["tp"=2]>
// CHECK-NEXT: func.func @main
// CHECK: func.func private @external
// CHECK-NEXT: tp.program {
// CHECK-NEXT: tp.mesh @mesh = <["tp"=2]>
// CHECK-NEXT: func.func @main(%arg0: tensor<8xf32>) -> tensor<8xf32> {
// CHECK-NEXT: return %arg0 : tensor<8xf32>
// CHECK-NEXT: }
// CHECK-NEXT: }
// CHECK-NOT: tp.program
tp.mesh @mesh = <["tp"=2]>
func.func @main(%x: tensor<8xf32>) -> tensor<8xf32> {
  return %x : tensor<8xf32>
}
func.func private @external(tensor<8xf32>)
