// The pass has no errors: what it does not understand is left alone.
// RUN: tp-opt %s -tp-merge-collectives -allow-unregistered-dialect | FileCheck %s

// CHECK: func.func private @external(tensor<8xf32>)
func.func private @external(tensor<8xf32>)

// CHECK-LABEL: func.func @empty
func.func @empty() {
  return
}

// A global program.
// CHECK-LABEL: func.func @global
// CHECK: "my.op"
// CHECK: arith.negf
func.func @global(%x: tensor<?xf32>) -> tensor<?xf32> {
  "my.op"() : () -> ()
  %0 = arith.negf %x : tensor<?xf32>
  return %0 : tensor<?xf32>
}
