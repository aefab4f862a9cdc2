// Reshapes and slices of activations move into the parameters.
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

// -----

// The description's second example.
// CHECK-LABEL: func.func @parts
// CHECK-SAME: %[[X:.*]]: tensor<8x64xf32>,
// CHECK-SAME: %[[W0:[a-z0-9]+]]: tensor<16x64xf32> {nn.parameter = #nn.parameter<name = "w[0:16]", tensor = "w", shape = [24, 64], offset = [0, 0], dims = [0, 1], strides = [1, 1], initialisation = "normal">},
// CHECK-SAME: %[[W1:[a-z0-9]+]]: tensor<8x64xf32> {nn.parameter = #nn.parameter<name = "w[16:24]", tensor = "w", shape = [24, 64], offset = [16, 0], dims = [0, 1], strides = [1, 1], initialisation = "normal">})
// CHECK-NEXT: %[[Y0:.*]] = nn.contract %[[X]], %[[W0]] "sk,nk->sn" : (tensor<8x64xf32>, tensor<16x64xf32>) -> tensor<8x16xf32>
// CHECK-NEXT: %[[Y1:.*]] = nn.contract %[[X]], %[[W1]] "sk,nk->sn" : (tensor<8x64xf32>, tensor<8x64xf32>) -> tensor<8x8xf32>
// CHECK-NEXT: return %[[Y0]], %[[Y1]]
func.func @parts(%x: tensor<8x64xf32>,
    %w: tensor<24x64xf32> {nn.parameter = #nn.parameter<name = "w", tensor = "w", shape = [24, 64], offset = [0, 0],
                           dims = [0, 1], strides = [1, 1], initialisation = "normal">}) -> (tensor<8x16xf32>, tensor<8x8xf32>) {
  %0 = nn.contract %x, %w "sk,nk->sn" : (tensor<8x64xf32>, tensor<24x64xf32>) -> tensor<8x24xf32>
  %1 = nn.slice %0 offsets [0, 0] strides [1, 1] : (tensor<8x24xf32>) -> tensor<8x16xf32>
  %2 = nn.slice %0 offsets [0, 16] strides [1, 1] : (tensor<8x24xf32>) -> tensor<8x8xf32>
  return %1, %2 : tensor<8x16xf32>, tensor<8x8xf32>
}

// -----

// With a bias and a boundary, and heads that are split afterwards; every other row
// of the rest. A part that nobody uses is not loaded.
// CHECK-LABEL: func.func @fused
// CHECK-SAME: %[[X:.*]]: tensor<8x64xf32>, %[[W0:[a-z0-9]+]]: tensor<4x3x64xf32> {nn.parameter = #nn.parameter<name = "w[0:12]", tensor = "w", shape = [24, 64], offset = [0, 0], dims = [0, 0, 1], strides = [3, 1, 1]
// CHECK-SAME: %[[B0:[a-z0-9]+]]: tensor<4x3xf32> {nn.parameter = #nn.parameter<name = "b[0:12]", tensor = "b", shape = [24], offset = [0], dims = [0, 0], strides = [3, 1]
// CHECK-SAME: %[[W1:[a-z0-9]+]]: tensor<3x64xf32> {nn.parameter = #nn.parameter<name = "w[12:17:2]", tensor = "w", shape = [24, 64], offset = [12, 0], dims = [0, 1], strides = [2, 1]
// CHECK-SAME: %[[B1:[a-z0-9]+]]: tensor<3xf32> {nn.parameter = #nn.parameter<name = "b[12:17:2]", tensor = "b", shape = [24], offset = [12], dims = [0], strides = [2]
// CHECK-NOT: nn.parameter
// CHECK-DAG: %[[DOT0:.*]] = nn.contract %[[X]], %[[W0]] "sk,abk->sab"
// CHECK-DAG: %[[WIDE0:.*]] = nn.broadcast %[[B0]] dims [1, 2]
// CHECK-DAG: %[[SUM0:.*]] = arith.addf %[[DOT0]], %[[WIDE0]] : tensor<8x4x3xf32>
// CHECK-DAG: %[[OUT0:.*]] = nn.boundary %[[SUM0]] "output" "0" of "qkv_proj" dims [0, 1, 1] {note = "kept"}
// CHECK-DAG: %[[DOT1:.*]] = nn.contract %[[X]], %[[W1]] "sk,nk->sn"
// CHECK-DAG: %[[WIDE1:.*]] = nn.broadcast %[[B1]] dims [1]
// CHECK-DAG: %[[SUM1:.*]] = arith.addf %[[DOT1]], %[[WIDE1]] : tensor<8x3xf32>
// CHECK-DAG: %[[OUT1:.*]] = nn.boundary %[[SUM1]] "output" "0" of "qkv_proj" {note = "kept"}
// CHECK-NOT: nn.slice
// CHECK: return %[[OUT0]], %[[OUT1]]
func.func @fused(%x: tensor<8x64xf32>,
    %w: tensor<24x64xf32> {nn.parameter = #nn.parameter<name = "w", tensor = "w", shape = [24, 64], offset = [0, 0],
                           dims = [0, 1], strides = [1, 1], initialisation = "normal">},
    %b: tensor<24xf32> {nn.parameter = #nn.parameter<name = "b", tensor = "b", shape = [24], offset = [0],
                           dims = [0], strides = [1], initialisation = "normal">}) -> (tensor<8x4x3xf32>, tensor<8x3xf32>) {
  %0 = nn.contract %x, %w "sk,nk->sn" : (tensor<8x64xf32>, tensor<24x64xf32>) -> tensor<8x24xf32>
  %1 = nn.broadcast %b dims [1] : (tensor<24xf32>) -> tensor<8x24xf32>
  %2 = arith.addf %0, %1 : tensor<8x24xf32>
  %3 = nn.boundary %2 "output" "0" of "qkv_proj" {note = "kept"} : tensor<8x24xf32>
  %4 = nn.slice %3 offsets [0, 0] strides [1, 1] : (tensor<8x24xf32>) -> tensor<8x12xf32>
  %5 = nn.slice %3 offsets [0, 12] strides [1, 2] : (tensor<8x24xf32>) -> tensor<8x3xf32>
  %unused = nn.slice %3 offsets [0, 18] strides [1, 1] : (tensor<8x24xf32>) -> tensor<8x6xf32>
  %6 = nn.reshape %4 : (tensor<8x12xf32>) -> tensor<8x4x3xf32>
  return %6, %5 : tensor<8x4x3xf32>, tensor<8x3xf32>
}

// -----

// Each head's query and key side by side: heads first, then the parts of each.
// CHECK-LABEL: func.func @interleaved
// CHECK-SAME: tensor<4x4x64xf32> {nn.parameter = #nn.parameter<name = "w[:, 0:4]", tensor = "w", shape = [24, 64], offset = [0, 0], dims = [0, 0, 1], strides = [6, 1, 1]
// CHECK-SAME: tensor<4x2x64xf32> {nn.parameter = #nn.parameter<name = "w[:, 4:6]", tensor = "w", shape = [24, 64], offset = [4, 0], dims = [0, 0, 1], strides = [6, 1, 1]
// CHECK-COUNT-2: nn.contract
// CHECK-NEXT: return
func.func @interleaved(%x: tensor<8x64xf32>,
    %w: tensor<24x64xf32> {nn.parameter = #nn.parameter<name = "w", tensor = "w", shape = [24, 64], offset = [0, 0],
                           dims = [0, 1], strides = [1, 1], initialisation = "normal">}) -> (tensor<8x4x4xf32>, tensor<8x4x2xf32>) {
  %0 = nn.contract %x, %w "sk,nk->sn" : (tensor<8x64xf32>, tensor<24x64xf32>) -> tensor<8x24xf32>
  %1 = nn.reshape %0 : (tensor<8x24xf32>) -> tensor<8x4x6xf32>
  %2 = nn.slice %1 offsets [0, 0, 0] strides [1, 1, 1] : (tensor<8x4x6xf32>) -> tensor<8x4x4xf32>
  %3 = nn.slice %1 offsets [0, 0, 4] strides [1, 1, 1] : (tensor<8x4x6xf32>) -> tensor<8x4x2xf32>
  return %2, %3 : tensor<8x4x4xf32>, tensor<8x4x2xf32>
}

// -----

// A norm over all heads: they are dims of it, and of its weight.
// CHECK-LABEL: func.func @norm_of_heads
// CHECK-SAME: %[[W:[a-z0-9]+]]: tensor<4x6x64xf32>
// CHECK-SAME: %[[G:[a-z0-9]+]]: tensor<4x6xf32> {nn.parameter = #nn.parameter<name = "g"
// CHECK: %[[DOT:.*]] = nn.contract %{{.*}}, %[[W]] "sk,abk->sab"
// CHECK: %[[Y:.*]] = nn.rms_norm %[[DOT]], %[[G]] epsilon 1.000000e-05 : (tensor<8x4x6xf32>, tensor<4x6xf32>) -> tensor<8x4x6xf32>
// CHECK: return %[[Y]]
func.func @norm_of_heads(%x: tensor<8x64xf32>,
    %w: tensor<24x64xf32> {nn.parameter = #nn.parameter<name = "w", tensor = "w", shape = [24, 64], offset = [0, 0],
                           dims = [0, 1], strides = [1, 1], initialisation = "normal">},
    %g: tensor<24xf32> {nn.parameter = #nn.parameter<name = "g", tensor = "g", shape = [24], offset = [0],
                        dims = [0], strides = [1], initialisation = "ones">}) -> tensor<8x4x6xf32> {
  %0 = nn.contract %x, %w "sk,nk->sn" : (tensor<8x64xf32>, tensor<24x64xf32>) -> tensor<8x24xf32>
  %1 = nn.rms_norm %0, %g epsilon 1.0e-5 : (tensor<8x24xf32>, tensor<24xf32>) -> tensor<8x24xf32>
  %2 = nn.reshape %1 : (tensor<8x24xf32>) -> tensor<8x4x6xf32>
  return %2 : tensor<8x4x6xf32>
}

// -----

// Merged heads gate themselves: the second user of the reshape is split with the
// first, whose operand it makes.
// CHECK-LABEL: func.func @gated
// CHECK-NEXT: %[[T:.*]] = math.tanh %arg0 : tensor<5x4x6xf32>
// CHECK-NEXT: %[[G:.*]] = arith.mulf %arg0, %[[T]] : tensor<5x4x6xf32>
// CHECK-NEXT: nn.reshape %[[G]]
func.func @gated(%x: tensor<5x4x6xf32>) -> tensor<5x24xf32> {
  %0 = nn.reshape %x : (tensor<5x4x6xf32>) -> tensor<5x24xf32>
  %1 = math.tanh %0 : tensor<5x24xf32>
  %2 = arith.mulf %0, %1 : tensor<5x24xf32>
  return %2 : tensor<5x24xf32>
}

// -----

// A constraint on a dim that is split lies on its parts: on the major one, and
// on the next where that is used up; what divides no part evenly stays out of
// heads, which are padded.
tp.mesh @mesh = <["x"=8, "y"=3]>

// CHECK-LABEL: func.func @constrained
// CHECK-SAME: tensor<4x6x64xf32>
// CHECK: %[[C:.*]] = tp.constraint %{{.*}} to <@mesh, [{?}p1, {"x":(1)4}, {"x":(4)2}]> : tensor<8x4x6xf32>
// CHECK: %[[D:.*]] = tp.constraint %[[C]] to <@mesh, [{}, {"y", ?}p2, {?}p2]> : tensor<8x4x6xf32>
// CHECK: return %[[D]]
func.func @constrained(%x: tensor<8x64xf32>,
    %w: tensor<24x64xf32> {nn.parameter = #nn.parameter<name = "w", tensor = "w", shape = [24, 64], offset = [0, 0],
                           dims = [0, 1], strides = [1, 1], initialisation = "normal">}) -> tensor<8x4x6xf32> {
  %0 = nn.contract %x, %w "sk,nk->sn" : (tensor<8x64xf32>, tensor<24x64xf32>) -> tensor<8x24xf32>
  %1 = tp.constraint %0 to <@mesh, [{?}p1, {"x"}]> : tensor<8x24xf32>
  %2 = tp.constraint %1 to <@mesh, [{}, {"y", ?}p2]> : tensor<8x24xf32>
  %3 = nn.reshape %2 : (tensor<8x24xf32>) -> tensor<8x4x6xf32>
  return %3 : tensor<8x4x6xf32>
}

// -----

// What KV heads cannot take evenly, the groups do, rather than padding.
tp.mesh @mesh = <["tp"=4]>

// CHECK-LABEL: func.func @grouped
// CHECK: tp.constraint %{{.*}} to <@mesh, [{}, {"tp":(1)2}, {"tp":(2)2}, {}]> : tensor<8x2x3x4xf32>
func.func @grouped(%x: tensor<8x16xf32>,
    %w: tensor<24x16xf32> {nn.parameter = #nn.parameter<name = "w", tensor = "w", shape = [24, 16], offset = [0, 0],
                           dims = [0, 1], strides = [1, 1], initialisation = "normal">}) -> tensor<8x2x3x4xf32> {
  %0 = nn.contract %x, %w "sk,nk->sn" : (tensor<8x16xf32>, tensor<24x16xf32>) -> tensor<8x24xf32>
  %1 = tp.constraint %0 to <@mesh, [{}, {"tp"}]> : tensor<8x24xf32>
  %2 = nn.reshape %1 : (tensor<8x24xf32>) -> tensor<8x2x3x4xf32>
  return %2 : tensor<8x2x3x4xf32>
}
