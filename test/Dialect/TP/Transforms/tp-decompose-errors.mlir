// The pass has no error that input can reach: every op that decomposes has a
// rule. What it cannot work on is left alone.
// RUN: tp-opt %s -tp-decompose -split-input-file -allow-unregistered-dialect | FileCheck %s

// No mesh, no shardings.
// CHECK-LABEL: func.func @unsharded
// CHECK: nn.rms_norm
func.func @unsharded(%x: tensor<8x64xf32>, %g: tensor<64xf32>) -> tensor<8x64xf32> {
  %0 = nn.rms_norm %x, %g epsilon 1.0e-5 : (tensor<8x64xf32>, tensor<64xf32>) -> tensor<8x64xf32>
  return %0 : tensor<8x64xf32>
}

// -----

tp.mesh @mesh = <["tp"=4]>

// CHECK: func.func private @external(tensor<8xf32>)
func.func private @external(tensor<8xf32>)

// CHECK-LABEL: func.func @empty
func.func @empty() {
  return
}

// CHECK-LABEL: func.func @unknown
// CHECK: my.op
func.func @unknown(%x: tensor<?x8xf32>) {
  "my.op"(%x) : (tensor<?x8xf32>) -> ()
  return
}

// CHECK-LABEL: func.func @blocks
// CHECK: my.branch
func.func @blocks(%x: tensor<8xf32>) -> tensor<8xf32> {
  "my.branch"()[^end] : () -> ()
^end:
  return %x : tensor<8xf32>
}
