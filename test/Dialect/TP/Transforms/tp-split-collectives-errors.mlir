// The pass has no errors: what is no collective is left alone.
// RUN: tp-opt %s -tp-split-collectives -allow-unregistered-dialect | FileCheck %s

// CHECK: func.func private @external(tensor<8xf32>)
func.func private @external(tensor<8xf32>)

// CHECK-LABEL: func.func @global
// CHECK-NEXT: "my.op"
// CHECK-NEXT: arith.negf
func.func @global(%x: tensor<?xf32>) -> tensor<?xf32> {
  "my.op"() : () -> ()
  %0 = arith.negf %x : tensor<?xf32>
  return %0 : tensor<?xf32>
}
