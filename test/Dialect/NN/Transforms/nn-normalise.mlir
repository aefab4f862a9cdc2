// Reshapes of activations move into the parameters.
// RUN: tp-opt %s -nn-normalise -split-input-file | FileCheck %s

// The example of the pass's description.
// CHECK-LABEL: func.func @documented
// CHECK-SAME: %[[X:.*]]: tensor<1x8x64xf32>, %[[W:.*]]: tensor<4x6x64xf32>
// CHECK-SAME: shape = [24, 64], offset = [0, 0], dims = [0, 0, 1], strides = [6, 1, 1]
// CHECK-NEXT: %[[Y:.*]] = nn.contract %[[X]], %[[W]] "bsk,ack->bsac" : (tensor<1x8x64xf32>, tensor<4x6x64xf32>) -> tensor<1x8x4x6xf32>
// CHECK-NEXT: return %[[Y]] : tensor<1x8x4x6xf32>
func.func @documented(%x: tensor<1x8x64xf32>,
    %w: tensor<24x64xf32> {nn.parameter = #nn.parameter<name = "w", tensor = "w", shape = [24, 64], offset = [0, 0],
                           dims = [0, 1], strides = [1, 1], initialisation = "normal">}) -> tensor<1x8x4x6xf32> {
  %0 = nn.contract %x, %w "bsk,nk->bsn" : (tensor<1x8x64xf32>, tensor<24x64xf32>) -> tensor<1x8x24xf32>
  %1 = nn.reshape %0 : (tensor<1x8x24xf32>) -> tensor<1x8x4x6xf32>
  return %1 : tensor<1x8x4x6xf32>
}

// -----

// Through a bias, its broadcast, a boundary and a cast: the bias is split like
// the weight, and the boundary remembers the dim that it speaks of.
// CHECK-LABEL: func.func @bias
// CHECK-SAME: %[[W:[a-z0-9]+]]: tensor<4x6x64xf32> {nn.parameter = #nn.parameter<name = "w"
// CHECK-SAME: %[[B:[a-z0-9]+]]: tensor<4x6xf32> {nn.parameter = #nn.parameter<name = "b"
// CHECK-SAME: dims = [0, 0], strides = [6, 1]
// CHECK-DAG: %[[DOT:.*]] = nn.contract %{{.*}}, %[[W]] "sk,abk->sab"
// CHECK-DAG: %[[WIDE:.*]] = nn.broadcast %[[B]] dims [1, 2] : (tensor<4x6xf32>) -> tensor<8x4x6xf32>
// CHECK: %[[SUM:.*]] = arith.addf %[[DOT]], %[[WIDE]] : tensor<8x4x6xf32>
// CHECK: %[[OUT:.*]] = nn.boundary %[[SUM]] "output" "0" of "q_proj" dims [0, 1, 1] {note = "kept"} : tensor<8x4x6xf32>
// CHECK: %[[CAST:.*]] = arith.extf %[[OUT]] : tensor<8x4x6xf32> to tensor<8x4x6xf64>
// CHECK: return %[[CAST]]
func.func @bias(%x: tensor<8x64xf32>,
    %w: tensor<24x64xf32> {nn.parameter = #nn.parameter<name = "w", tensor = "w", shape = [24, 64], offset = [0, 0],
                           dims = [0, 1], strides = [1, 1], initialisation = "normal">},
    %b: tensor<24xf32> {nn.parameter = #nn.parameter<name = "b", tensor = "b", shape = [24], offset = [0],
                        dims = [0], strides = [1], initialisation = "normal">}) -> tensor<8x4x6xf64> {
  %dot = nn.contract %x, %w "sk,nk->sn" : (tensor<8x64xf32>, tensor<24x64xf32>) -> tensor<8x24xf32>
  %wide = nn.broadcast %b dims [1] : (tensor<24xf32>) -> tensor<8x24xf32>
  %sum = arith.addf %dot, %wide : tensor<8x24xf32>
  %out = nn.boundary %sum "output" "0" of "q_proj" {note = "kept"} : tensor<8x24xf32>
  %cast = arith.extf %out : tensor<8x24xf32> to tensor<8x24xf64>
  %heads = nn.reshape %cast : (tensor<8x24xf64>) -> tensor<8x4x6xf64>
  return %heads : tensor<8x4x6xf64>
}

// -----

// Heads that are merged before the output projection: it takes the parts, and
// its weight is split on the dim that it contracts.
// CHECK-LABEL: func.func @merge
// CHECK-SAME: %[[X:.*]]: tensor<8x4x6xf32>, %[[W:.*]]: tensor<64x4x6xf32>
// CHECK-SAME: dims = [0, 1, 1], strides = [1, 6, 1]
// CHECK-NEXT: %[[IN:.*]] = nn.boundary %[[X]] "input" "0" of "o_proj" dims [0, 1, 1] : tensor<8x4x6xf32>
// CHECK-NEXT: %[[Y:.*]] = nn.contract %[[IN]], %[[W]] "sab,nab->sn" : (tensor<8x4x6xf32>, tensor<64x4x6xf32>) -> tensor<8x64xf32>
// CHECK-NEXT: return %[[Y]]
func.func @merge(%x: tensor<8x4x6xf32>,
    %w: tensor<64x24xf32> {nn.parameter = #nn.parameter<name = "w", tensor = "w", shape = [64, 24], offset = [0, 0],
                           dims = [0, 1], strides = [1, 1], initialisation = "normal">}) -> tensor<8x64xf32> {
  %0 = nn.reshape %x : (tensor<8x4x6xf32>) -> tensor<8x24xf32>
  %1 = nn.boundary %0 "input" "0" of "o_proj" : tensor<8x24xf32>
  %2 = nn.contract %1, %w "sk,nk->sn" : (tensor<8x24xf32>, tensor<64x24xf32>) -> tensor<8x64xf32>
  return %2 : tensor<8x64xf32>
}

// -----

// KV heads, query group and head: a dim is cut in three, and a parameter that is
// a slice of its stored tensor keeps its offset and strides.
// CHECK-LABEL: func.func @strided
// CHECK-SAME: %[[W:[a-z0-9]+]]: tensor<2x3x4x64xf32>
// CHECK-SAME: offset = [8, 0], dims = [0, 0, 0, 1], strides = [24, 8, 2, 1]
func.func @strided(%x: tensor<8x64xf32>,
    %w: tensor<24x64xf32> {nn.parameter = #nn.parameter<name = "w", tensor = "w", shape = [56, 64], offset = [8, 0],
                           dims = [0, 1], strides = [2, 1], initialisation = "normal">}) -> tensor<8x2x3x4xf32> {
  %0 = nn.contract %x, %w "sk,nk->sn" : (tensor<8x64xf32>, tensor<24x64xf32>) -> tensor<8x24xf32>
  %1 = nn.reshape %0 : (tensor<8x24xf32>) -> tensor<8x2x3x4xf32>
  return %1 : tensor<8x2x3x4xf32>
}

// -----

// Another user of the projection still sees it whole.
// CHECK-LABEL: func.func @two_users
// CHECK: %[[PARTS:.*]] = nn.contract {{.*}} "sk,abk->sab"
// CHECK: %[[WHOLE:.*]] = nn.reshape %[[PARTS]] : (tensor<8x4x6xf32>) -> tensor<8x24xf32>
// CHECK: return %[[PARTS]], %[[WHOLE]]
func.func @two_users(%x: tensor<8x64xf32>,
    %w: tensor<24x64xf32> {nn.parameter = #nn.parameter<name = "w", tensor = "w", shape = [24, 64], offset = [0, 0],
                           dims = [0, 1], strides = [1, 1], initialisation = "normal">}) -> (tensor<8x4x6xf32>, tensor<8x24xf32>) {
  %0 = nn.contract %x, %w "sk,nk->sn" : (tensor<8x64xf32>, tensor<24x64xf32>) -> tensor<8x24xf32>
  %1 = nn.reshape %0 : (tensor<8x24xf32>) -> tensor<8x4x6xf32>
  return %1, %0 : tensor<8x4x6xf32>, tensor<8x24xf32>
}

// -----

// Reshapes that compose, do nothing or are not used.
// CHECK-LABEL: func.func @trivial
// CHECK-SAME: %[[X:.*]]: tensor<8x24xf32>
// CHECK-NEXT: %[[Y:.*]] = nn.reshape %[[X]] : (tensor<8x24xf32>) -> tensor<192xf32>
// CHECK-NEXT: return %[[X]], %[[Y]]
func.func @trivial(%x: tensor<8x24xf32>) -> (tensor<8x24xf32>, tensor<192xf32>) {
  %same = nn.reshape %x : (tensor<8x24xf32>) -> tensor<8x24xf32>
  %parts = nn.reshape %x : (tensor<8x24xf32>) -> tensor<8x4x6xf32>
  %flat = nn.reshape %parts : (tensor<8x4x6xf32>) -> tensor<192xf32>
  %unused = nn.reshape %x : (tensor<8x24xf32>) -> tensor<24x8xf32>
  return %same, %flat : tensor<8x24xf32>, tensor<192xf32>
}

// -----

// A dim of one element comes and goes: only the cut moves.
// CHECK-LABEL: func.func @ones
// CHECK-SAME: tensor<4x6x64xf32>
// CHECK: %[[PARTS:.*]] = nn.contract {{.*}} "sk,abk->sab"
// CHECK: nn.reshape %[[PARTS]] : (tensor<8x4x6xf32>) -> tensor<1x8x4x6xf32>
func.func @ones(%x: tensor<8x64xf32>,
    %w: tensor<24x64xf32> {nn.parameter = #nn.parameter<name = "w", tensor = "w", shape = [24, 64], offset = [0, 0],
                           dims = [0, 1], strides = [1, 1], initialisation = "normal">}) -> tensor<1x8x4x6xf32> {
  %0 = nn.contract %x, %w "sk,nk->sn" : (tensor<8x64xf32>, tensor<24x64xf32>) -> tensor<8x24xf32>
  %1 = nn.reshape %0 : (tensor<8x24xf32>) -> tensor<1x8x4x6xf32>
  return %1 : tensor<1x8x4x6xf32>
}
