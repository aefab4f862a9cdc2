// Beside each function, its gradient.
// RUN: tp-opt %s -nn-differentiate -split-input-file | FileCheck %s

// The example of the pass's description.
// CHECK-LABEL: func.func @documented(
// CHECK-LABEL: func.func @documented_gradient(
// CHECK-SAME: %[[X:.*]]: tensor<8x64xf32>, %[[W:.*]]: tensor<24x64xf32>, %[[G:.*]]: tensor<8x24xf32>) -> (tensor<8x64xf32>, tensor<24x64xf32>)
// CHECK: %[[DX:.*]] = nn.contract %[[G]], %[[W]] "sn,nk->sk"
// CHECK: %[[DW:.*]] = nn.contract %[[G]], %[[X]] "sn,sk->nk"
// CHECK: return %[[DX]], %[[DW]]
func.func @documented(%x: tensor<8x64xf32>, %w: tensor<24x64xf32>) -> tensor<8x24xf32> {
  %0 = nn.contract %x, %w "sk,nk->sn" : (tensor<8x64xf32>, tensor<24x64xf32>) -> tensor<8x24xf32>
  return %0 : tensor<8x24xf32>
}

// -----

// Gradients of several uses meet; names follow.
// CHECK-LABEL: func.func @uses_gradient(
// CHECK-SAME: %[[X:.*]]: tensor<8xf32> {nn.input = "x"}, %[[G:.*]]: tensor<8xf32> {nn.input = "y.gradient"}) -> (tensor<8xf32> {nn.output = "x.gradient"})
// CHECK: %[[A:.*]] = arith.mulf %[[G]], %[[X]]
// CHECK: %[[B:.*]] = arith.mulf %[[G]], %[[X]]
// CHECK: %[[SUM:.*]] = arith.addf
// CHECK: return %[[SUM]]
func.func @uses(%x: tensor<8xf32> {nn.input = "x"}) -> (tensor<8xf32> {nn.output = "y"}) {
  %0 = arith.mulf %x, %x : tensor<8xf32>
  return %0 : tensor<8xf32>
}

// -----

// Integers have no gradient; an embedding's is a scatter.
// CHECK-LABEL: func.func @embedding_gradient(
// CHECK-SAME: %[[IDS:.*]]: tensor<3xi32>, %{{.*}}: tensor<9x4xf32>, %[[G:.*]]: tensor<3x4xf32>) -> tensor<9x4xf32>
// CHECK: %[[DT:.*]] = nn.embedding_gradient %[[IDS]], %[[G]]
// CHECK: return %[[DT]]
func.func @embedding(%ids: tensor<3xi32>, %t: tensor<9x4xf32>) -> tensor<3x4xf32> {
  %0 = nn.embedding %ids, %t : (tensor<3xi32>, tensor<9x4xf32>) -> tensor<3x4xf32>
  return %0 : tensor<3x4xf32>
}

// -----

// Nothing flows to an argument that is not used: zeros, though the module has no
// arithmetic of its own. Functions without a body have no gradient.
// CHECK-LABEL: func.func @unused_gradient(
// CHECK: %[[ZERO:.*]] = arith.constant dense<0.000000e+00> : tensor<8xf32>
// CHECK: return %[[ZERO]]
// CHECK-NOT: @external_gradient
func.func @unused(%x: tensor<8xf32>) {
  return
}
func.func private @external(tensor<8xf32>) -> tensor<8xf32>

// -----

// The forward pass keeps its boundaries; a gradient passes them.
// CHECK-LABEL: func.func @boundary_gradient(
// CHECK-SAME: %[[X:.*]]: tensor<8xf32>, %[[G:.*]]: tensor<8xf32>) -> tensor<8xf32>
// CHECK: %[[INPUT:.*]] = nn.boundary %[[X]] "input" "0" of "layer"
// CHECK: nn.boundary %{{.*}} "output" "0" of "layer"
// CHECK: %[[A:.*]] = arith.mulf %[[G]], %[[INPUT]]
// CHECK: %[[B:.*]] = arith.mulf %[[G]], %[[INPUT]]
// CHECK: %[[SUM:.*]] = arith.addf
// CHECK-NOT: nn.boundary
// CHECK: return %[[SUM]]
func.func @boundary(%x: tensor<8xf32>) -> tensor<8xf32> {
  %0 = nn.boundary %x "input" "0" of "layer" : tensor<8xf32>
  %1 = arith.mulf %0, %0 : tensor<8xf32>
  %2 = nn.boundary %1 "output" "0" of "layer" : tensor<8xf32>
  return %2 : tensor<8xf32>
}
