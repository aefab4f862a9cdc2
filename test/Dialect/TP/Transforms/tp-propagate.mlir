// Shardings of arguments and constraints reach every other value.
// RUN: tp-opt %s -tp-propagate | FileCheck %s
// Once more changes nothing.
// RUN: tp-opt %s -tp-propagate -tp-propagate | FileCheck %s

tp.mesh @mesh = <["dp"=2, "tp"=4]>

// The example of the pass's description.
// CHECK-LABEL: func.func @documented
// CHECK-SAME: tensor<8x64xf32> {tp.sharding = #tp.sharding<@mesh, [{}, {}]>}
// CHECK-SAME: tensor<24x64xf32> {tp.sharding = #tp.sharding<@mesh, [{"tp"}, {}]>}
// CHECK: nn.contract {{.*}} {tp.shardings = [#tp.sharding<@mesh, [{}, {"tp"}]>]}
func.func @documented(%x: tensor<8x64xf32>,
    %w: tensor<24x64xf32> {tp.sharding = #tp.sharding<@mesh, [{"tp"}, {}]>}) -> tensor<8x24xf32> {
  %0 = nn.contract %x, %w "sk,nk->sn" : (tensor<8x64xf32>, tensor<24x64xf32>) -> tensor<8x24xf32>
  return %0 : tensor<8x24xf32>
}

// Backward through a chain: the contraction of a row-sharded weight shards what
// it contracts, up to the arguments. Partial sums are no part of a sharding.
// CHECK-LABEL: func.func @backward
// CHECK-SAME: %arg1: tensor<24x64xf32> {tp.sharding = #tp.sharding<@mesh, [{"tp"}, {}]>}
// CHECK: nn.contract {{.*}} [{}, {"tp"}]
// CHECK: math.exp {{.*}} [{}, {"tp"}]
// CHECK: nn.contract {{.*}} {tp.shardings = [#tp.sharding<@mesh, [{}, {}]>]}
func.func @backward(%x: tensor<8x64xf32>, %up: tensor<24x64xf32>,
    %down: tensor<64x24xf32> {tp.sharding = #tp.sharding<@mesh, [{}, {"tp"}]>}) -> tensor<8x64xf32> {
  %0 = nn.contract %x, %up "sk,nk->sn" : (tensor<8x64xf32>, tensor<24x64xf32>) -> tensor<8x24xf32>
  %1 = math.exp %0 : tensor<8x24xf32>
  %2 = nn.contract %1, %down "sn,kn->sk" : (tensor<8x24xf32>, tensor<64x24xf32>) -> tensor<8x64xf32>
  return %2 : tensor<8x64xf32>
}

// The axes of a compound dim go to its parts, major to minor, as long as they
// divide them.
// CHECK-LABEL: func.func @reshape
// CHECK: nn.reshape %arg0 {{.*}} [{}, {"tp"}, {}]
// CHECK: nn.reshape %arg1 {{.*}} [{}, {"tp"}, {"dp"}]
// 4 devices do not divide 3 heads.
// CHECK: nn.reshape %arg0 {{.*}} [{}, {}, {}]
func.func @reshape(
    %x: tensor<8x24xf32> {tp.sharding = #tp.sharding<@mesh, [{}, {"tp"}]>},
    %y: tensor<8x24xf32> {tp.sharding = #tp.sharding<@mesh, [{}, {"tp", "dp"}]>})
    -> (tensor<8x4x6xf32>, tensor<8x4x6xf32>, tensor<8x3x8xf32>) {
  %0 = nn.reshape %x : (tensor<8x24xf32>) -> tensor<8x4x6xf32>
  %1 = nn.reshape %y : (tensor<8x24xf32>) -> tensor<8x4x6xf32>
  %2 = nn.reshape %x : (tensor<8x24xf32>) -> tensor<8x3x8xf32>
  return %0, %1, %2 : tensor<8x4x6xf32>, tensor<8x4x6xf32>, tensor<8x3x8xf32>
}

// One padded extent for all dims that must agree, a multiple of 2 and of 4; of
// the rows of two activations, the data-parallel axis comes first.
// CHECK-LABEL: func.func @uneven
// CHECK-SAME: %arg0: {{.*}} [{"dp"} pad 12, {}]
// CHECK-SAME: %arg1: {{.*}} [{"tp"} pad 12, {}]
// CHECK: arith.addf {{.*}} [{"dp"} pad 12, {}]
func.func @uneven(
    %x: tensor<9x4xf32> {tp.sharding = #tp.sharding<@mesh, [{"dp"}, {}]>},
    %y: tensor<9x4xf32> {tp.sharding = #tp.sharding<@mesh, [{"tp"}, {}]>}) -> tensor<9x4xf32> {
  %0 = arith.addf %x, %y : tensor<9x4xf32>
  return %0 : tensor<9x4xf32>
}

// A padded extent that is asked for holds for the whole class ...
// CHECK-LABEL: func.func @padding
// CHECK-SAME: %arg1: {{.*}} [{} pad 16, {}]
// CHECK: arith.addf {{.*}} [{"tp"} pad 16, {}]
func.func @padding(
    %x: tensor<9x4xf32> {tp.sharding = #tp.sharding<@mesh, [{"tp"} pad 16, {}]>},
    %y: tensor<9x4xf32> {tp.sharding = #tp.sharding<@mesh, [{}, {}]>}) -> tensor<9x4xf32> {
  %0 = arith.addf %x, %y : tensor<9x4xf32>
  return %0 : tensor<9x4xf32>
}

// ... and a result must find room for its axes. What is asked of a result is
// carried backward, to what may lie so.
// CHECK-LABEL: func.func @result
// CHECK-SAME: %arg0: {{.*}} [{"dp"} pad 10]
// CHECK-SAME: %arg1: {{.*}} [{} pad 10]
// CHECK: arith.addf {{.*}} [{"dp"} pad 10]
func.func @result(%x: tensor<9xf32>, %y: tensor<9xf32> {tp.sharding = #tp.sharding<@mesh, [{}]>}) -> (tensor<9xf32> {tp.sharding = #tp.sharding<@mesh, [{"dp"}]>}) {
  %0 = arith.addf %x, %y : tensor<9xf32>
  return %0 : tensor<9xf32>
}

// Over equally many devices, the earlier operand wins; arguments keep what they
// have, and an axis shards one dim only.
// CHECK-LABEL: func.func @conflict
// CHECK-SAME: %arg0: {{.*}} [{"tp"}, {}]
// CHECK-SAME: %arg1: {{.*}} [{}, {"tp"}]
// CHECK: arith.addf {{.*}} [{"tp"}, {}]
func.func @conflict(
    %x: tensor<8x4xf32> {tp.sharding = #tp.sharding<@mesh, [{"tp"}, {}]>},
    %y: tensor<8x4xf32> {tp.sharding = #tp.sharding<@mesh, [{}, {"tp"}]>}) -> tensor<8x4xf32> {
  %0 = arith.addf %x, %y : tensor<8x4xf32>
  return %0 : tensor<8x4xf32>
}

// Open dims take further axes, closed ones do not; a constraint is where a
// sharding changes.
// CHECK-LABEL: func.func @constraint
// CHECK-SAME: %arg0: {{.*}} [{"tp", "dp"}, {}]
// CHECK-SAME: %arg1: {{.*}} [{"tp"}, {}]
// CHECK: arith.addf {{.*}} [{"tp", "dp"}, {}]
// CHECK: tp.constraint {{.*}} [{"tp", "dp"}, {}]
// CHECK: tp.constraint {{.*}} [{}, {"tp"}]
// CHECK: arith.negf {{.*}} [{}, {"tp"}]
func.func @constraint(
    %x: tensor<8x4xf32> {tp.sharding = #tp.sharding<@mesh, [{"tp", ?}, {}]>},
    %y: tensor<8x4xf32> {tp.sharding = #tp.sharding<@mesh, [{"tp"}, {}]>}) -> tensor<8x4xf32> {
  %0 = arith.addf %x, %y : tensor<8x4xf32>
  %1 = tp.constraint %0 to <@mesh, [{"tp", "dp"}, {}]> : tensor<8x4xf32>
  %2 = tp.constraint %1 to <@mesh, [{}, {"tp"}]> : tensor<8x4xf32>
  %3 = arith.negf %2 : tensor<8x4xf32>
  return %3 : tensor<8x4xf32>
}

// Parts of an axis: two KV heads on four devices.
// CHECK-LABEL: func.func @parts
// CHECK: nn.contract {{.*}} [{}, {"tp":(1)2}, {}]
// CHECK: nn.broadcast {{.*}} [{}, {"tp":(1)2}, {"tp":(2)2}, {}]
// CHECK: arith.addf {{.*}} [{}, {"tp":(1)2}, {"tp":(2)2}, {}]
func.func @parts(%x: tensor<8x64xf32>,
    %k: tensor<2x16x64xf32> {tp.sharding = #tp.sharding<@mesh, [{"tp":(1)2}, {}, {}]>},
    %q: tensor<8x2x4x16xf32> {tp.sharding = #tp.sharding<@mesh, [{}, {"tp":(1)2}, {"tp":(2)2}, {}]>}) -> tensor<8x2x4x16xf32> {
  %0 = nn.contract %x, %k "sk,hdk->shd" : (tensor<8x64xf32>, tensor<2x16x64xf32>) -> tensor<8x2x16xf32>
  %1 = nn.broadcast %0 dims [0, 1, 3] : (tensor<8x2x16xf32>) -> tensor<8x2x4x16xf32>
  %2 = arith.addf %1, %q : tensor<8x2x4x16xf32>
  return %2 : tensor<8x2x4x16xf32>
}

// What an op needs whole stays whole: here the heads' dim, not the heads.
// CHECK-LABEL: func.func @whole
// CHECK: nn.attention {{.*}} [{}, {}, {"tp"}, {}, {}]
func.func @whole(
    %q: tensor<1x8x4x2x16xf32> {tp.sharding = #tp.sharding<@mesh, [{}, {}, {}, {}, {"dp"}]>},
    %k: tensor<1x8x4x16xf32> {tp.sharding = #tp.sharding<@mesh, [{}, {}, {"tp"}, {}]>}) -> tensor<1x8x4x2x16xf32> {
  %0 = nn.attention %q, %k, %k scale 0.25 : (tensor<1x8x4x2x16xf32>, tensor<1x8x4x16xf32>, tensor<1x8x4x16xf32>) -> tensor<1x8x4x2x16xf32>
  return %0 : tensor<1x8x4x2x16xf32>
}

// What is known of an argument is kept: also that it is partial.
// CHECK-LABEL: func.func @partial
// CHECK-SAME: [{}], partial = sum{"tp"}>
// CHECK: arith.negf {{.*}} {tp.shardings = [#tp.sharding<@mesh, [{}]>]}
func.func @partial(%x: tensor<8xf32> {tp.sharding = #tp.sharding<@mesh, [{}], partial = sum{"tp"}>}) -> tensor<8xf32> {
  %0 = arith.negf %x : tensor<8xf32>
  return %0 : tensor<8xf32>
}

// Values that are no tensors, tensors without dims, and functions without ops.
// CHECK-LABEL: func.func @scalars
// CHECK: arith.constant {tp.shardings = [#tp.sharding<@mesh, []>]} 0 : index
// CHECK: arith.negf {{.*}} {tp.shardings = [#tp.sharding<@mesh, []>]} : tensor<f32>
func.func @scalars(%i: index, %x: tensor<f32>) -> (index, tensor<f32>) {
  %0 = arith.constant 0 : index
  %1 = arith.negf %x : tensor<f32>
  return %0, %1 : index, tensor<f32>
}
// CHECK-LABEL: func.func @empty
func.func @empty() {
  return
}
// CHECK: func.func private @external(tensor<8xf32>)
func.func private @external(tensor<8xf32>)

// Priorities: the request of the lower number is carried to everything it reaches
// first.
// CHECK-LABEL: func.func @priorities
// CHECK: arith.addf {{.*}} [{}, {"tp"}]
// CHECK: arith.negf {{.*}} [{}, {"tp"}]
func.func @priorities(
    %x: tensor<8x4xf32> {tp.sharding = #tp.sharding<@mesh, [{"tp"}p1, {}]>},
    %y: tensor<8x4xf32> {tp.sharding = #tp.sharding<@mesh, [{}, {"tp"}]>}) -> tensor<8x4xf32> {
  %0 = arith.addf %x, %y : tensor<8x4xf32>
  %1 = arith.negf %0 : tensor<8x4xf32>
  return %1 : tensor<8x4xf32>
}

// An open dim takes only what leaves room for what was asked of the others.
// CHECK-LABEL: func.func @open_but_asked
// CHECK-SAME: %arg0: {{.*}} [{}, {"tp"}]
func.func @open_but_asked(
    %x: tensor<8x4xf32> {tp.sharding = #tp.sharding<@mesh, [{?}, {"tp"}p1]>},
    %y: tensor<8x4xf32> {tp.sharding = #tp.sharding<@mesh, [{"tp"}, {}]>}) -> tensor<8x4xf32> {
  %0 = arith.addf %x, %y : tensor<8x4xf32>
  return %0 : tensor<8x4xf32>
}

// A part of an axis that another dim has taken is left out, the part before it is
// kept.
// CHECK-LABEL: func.func @cut
// CHECK: nn.contract {{.*}} [{"dp"}, {"tp"}]
func.func @cut(
    %x: tensor<8x64xf32> {tp.sharding = #tp.sharding<@mesh, [{"dp", "tp"}, {}]>},
    %w: tensor<24x64xf32> {tp.sharding = #tp.sharding<@mesh, [{"tp"}, {}]>}) -> tensor<8x24xf32> {
  %0 = nn.contract %x, %w "sk,nk->sn" : (tensor<8x64xf32>, tensor<24x64xf32>) -> tensor<8x24xf32>
  return %0 : tensor<8x24xf32>
}

// State lies as the result that becomes of it.
// CHECK-LABEL: func.func @donated
// CHECK-SAME: %arg0: {{.*}} [{"tp"}]
func.func @donated(%s: tensor<8xf32> {nn.state = "s"}, %x: tensor<8xf32> {tp.sharding = #tp.sharding<@mesh, [{"tp"}]>})
    -> (tensor<8xf32> {nn.state = "s"}) {
  %0 = math.exp %x : tensor<8xf32>
  return %0 : tensor<8xf32>
}
