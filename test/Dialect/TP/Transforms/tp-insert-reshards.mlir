// Changes of placement become explicit, reductions as late as is cheapest.
// RUN: tp-opt %s -tp-propagate -tp-insert-reshards | FileCheck %s
// What is explicit stays so.
// RUN: tp-opt %s -tp-propagate -tp-insert-reshards -tp-insert-reshards | FileCheck %s

tp.mesh @mesh = <["tp"=4]>

// The example of the pass's description.
// CHECK-LABEL: func.func @documented
// CHECK: %[[DOT:.*]] = nn.contract {{.*}} {tp.shardings = [#tp.sharding<@mesh, [{}, {}], partial = sum{"tp"}>]}
// CHECK-NEXT: %[[SUM:.*]] = tp.reshard %[[DOT]] from <@mesh, [{}, {}], partial = sum{"tp"}> to <@mesh, [{}, {}]>
// CHECK-SAME: reason "a value is [tp: Partial(sum)]; its user needs [tp: Replicate]"
// CHECK-NEXT: nn.rms_norm %[[SUM]],
func.func @documented(
    %x: tensor<8x24xf32> {tp.sharding = #tp.sharding<@mesh, [{}, {"tp"}]>},
    %w: tensor<64x24xf32> {tp.sharding = #tp.sharding<@mesh, [{}, {"tp"}]>},
    %g: tensor<64xf32>) -> tensor<8x64xf32> {
  %0 = nn.contract %x, %w "sk,nk->sn" : (tensor<8x24xf32>, tensor<64x24xf32>) -> tensor<8x64xf32>
  %1 = nn.rms_norm %0, %g epsilon 1.0e-5 : (tensor<8x64xf32>, tensor<64xf32>) -> tensor<8x64xf32>
  return %1 : tensor<8x64xf32>
}

// Parallel branches meet before they are reduced: the residual becomes partial,
// which costs nothing, and there is one reduction for both.
// CHECK-LABEL: func.func @parallel
// CHECK: %[[RESIDUAL:.*]] = tp.reshard %arg0 from <@mesh, [{}, {}]> to <@mesh, [{}, {}], partial = sum{"tp"}>
// CHECK: %[[FIRST:.*]] = arith.addf %[[RESIDUAL]],
// CHECK-NEXT: %[[BOTH:.*]] = arith.addf %[[FIRST]],
// CHECK-NEXT: %[[OUT:.*]] = tp.reshard %[[BOTH]] from {{.*}} partial = sum{"tp"}> to <@mesh, [{}, {}]> reason "{{.*}}; the caller needs [tp: Replicate]"
// CHECK-NEXT: return %[[OUT]]
func.func @parallel(%residual: tensor<8x64xf32>,
    %x: tensor<8x24xf32> {tp.sharding = #tp.sharding<@mesh, [{}, {"tp"}]>},
    %w: tensor<64x24xf32> {tp.sharding = #tp.sharding<@mesh, [{}, {"tp"}]>},
    %v: tensor<64x24xf32> {tp.sharding = #tp.sharding<@mesh, [{}, {"tp"}]>}) -> tensor<8x64xf32> {
  %attention = nn.contract %x, %w "sk,nk->sn" : (tensor<8x24xf32>, tensor<64x24xf32>) -> tensor<8x64xf32>
  %mlp = nn.contract %x, %v "sk,nk->sn" : (tensor<8x24xf32>, tensor<64x24xf32>) -> tensor<8x64xf32>
  %first = arith.addf %residual, %attention : tensor<8x64xf32>
  %both = arith.addf %first, %mlp : tensor<8x64xf32>
  return %both : tensor<8x64xf32>
}

// Reduced once for two users.
// CHECK-LABEL: func.func @once
// CHECK: %[[SUM:.*]] = tp.reshard
// CHECK: math.exp %[[SUM]]
// CHECK: math.tanh %[[SUM]]
// CHECK-NOT: tp.reshard
func.func @once(
    %x: tensor<8x24xf32> {tp.sharding = #tp.sharding<@mesh, [{}, {"tp"}]>},
    %w: tensor<64x24xf32> {tp.sharding = #tp.sharding<@mesh, [{}, {"tp"}]>}) -> (tensor<8x64xf32>, tensor<8x64xf32>) {
  %0 = nn.contract %x, %w "sk,nk->sn" : (tensor<8x24xf32>, tensor<64x24xf32>) -> tensor<8x64xf32>
  %1 = math.exp %0 : tensor<8x64xf32>
  %2 = math.tanh %0 : tensor<8x64xf32>
  return %1, %2 : tensor<8x64xf32>, tensor<8x64xf32>
}

// Before an op that makes the value larger, after one that makes it smaller.
// CHECK-LABEL: func.func @grow
// CHECK: nn.contract
// CHECK-NEXT: tp.reshard {{.*}} : tensor<8x4xf32>
// CHECK-NEXT: nn.contract
// CHECK-NEXT: return
func.func @grow(
    %x: tensor<8x24xf32> {tp.sharding = #tp.sharding<@mesh, [{}, {"tp"}]>},
    %w: tensor<4x24xf32> {tp.sharding = #tp.sharding<@mesh, [{}, {"tp"}]>},
    %v: tensor<256x4xf32>) -> tensor<8x256xf32> {
  %0 = nn.contract %x, %w "sk,nk->sn" : (tensor<8x24xf32>, tensor<4x24xf32>) -> tensor<8x4xf32>
  %1 = nn.contract %0, %v "sk,nk->sn" : (tensor<8x4xf32>, tensor<256x4xf32>) -> tensor<8x256xf32>
  return %1 : tensor<8x256xf32>
}
// CHECK-LABEL: func.func @shrink
// CHECK: nn.contract
// CHECK-NEXT: nn.contract
// CHECK-NEXT: tp.reshard {{.*}} : tensor<8x4xf32>
// CHECK-NEXT: return
func.func @shrink(
    %x: tensor<8x24xf32> {tp.sharding = #tp.sharding<@mesh, [{}, {"tp"}]>},
    %w: tensor<256x24xf32> {tp.sharding = #tp.sharding<@mesh, [{}, {"tp"}]>},
    %v: tensor<4x256xf32>) -> tensor<8x4xf32> {
  %0 = nn.contract %x, %w "sk,nk->sn" : (tensor<8x24xf32>, tensor<256x24xf32>) -> tensor<8x256xf32>
  %1 = nn.contract %0, %v "sk,nk->sn" : (tensor<8x256xf32>, tensor<4x256xf32>) -> tensor<8x4xf32>
  return %1 : tensor<8x4xf32>
}

// A maximum is partial of its own kind, and passes nothing.
// CHECK-LABEL: func.func @max
// CHECK: nn.reduce {{.*}} partial = max{"tp"}
// CHECK-NEXT: tp.reshard %{{.*}} from <@mesh, [{}], partial = max{"tp"}> to <@mesh, [{}]>
// CHECK-NEXT: arith.negf
func.func @max(%x: tensor<8x24xf32> {tp.sharding = #tp.sharding<@mesh, [{}, {"tp"}]>}) -> tensor<8xf32> {
  %0 = nn.reduce %x "max" dims [1] : (tensor<8x24xf32>) -> tensor<8xf32>
  %1 = arith.negf %0 : tensor<8xf32>
  return %1 : tensor<8xf32>
}

// State goes back to where it came from.
// CHECK-LABEL: func.func @state
// CHECK-SAME: -> (tensor<8x24xf32> {nn.state = "s", tp.sharding = #tp.sharding<@mesh, [{}, {"tp"}]>})
// CHECK: tp.reshard %{{.*}} from <@mesh, [{}, {}]> to <@mesh, [{}, {"tp"}]>
func.func @state(
    %s: tensor<8x24xf32> {nn.state = "s", tp.sharding = #tp.sharding<@mesh, [{}, {"tp"}]>},
    %x: tensor<8x24xf32> {tp.sharding = #tp.sharding<@mesh, [{}, {}]>}) -> (tensor<8x24xf32> {nn.state = "s"}) {
  %0 = arith.negf %x : tensor<8x24xf32>
  return %0 : tensor<8x24xf32>
}

// Results are placed as asked: scattered, or left partial.
// CHECK-LABEL: func.func @results
// CHECK: %[[DOT:.*]] = nn.contract
// CHECK: %[[SHARD:.*]] = tp.reshard %[[DOT]] from {{.*}} to <@mesh, [{"tp"}, {}]>
// CHECK-NEXT: return %[[SHARD]], %[[DOT]]
func.func @results(
    %x: tensor<8x24xf32> {tp.sharding = #tp.sharding<@mesh, [{}, {"tp"}]>},
    %w: tensor<64x24xf32> {tp.sharding = #tp.sharding<@mesh, [{}, {"tp"}]>})
    -> (tensor<8x64xf32> {tp.sharding = #tp.sharding<@mesh, [{"tp"}, {}]>},
        tensor<8x64xf32> {tp.sharding = #tp.sharding<@mesh, [{}, {}], partial = sum{"tp"}>}) {
  %0 = nn.contract %x, %w "sk,nk->sn" : (tensor<8x24xf32>, tensor<64x24xf32>) -> tensor<8x64xf32>
  return %0, %0 : tensor<8x64xf32>, tensor<8x64xf32>
}

// Reports name the modules on both sides.
// CHECK-LABEL: func.func @reasons
// CHECK: tp.reshard {{.*}} reason "output of o_proj is [tp: Partial(sum)]; norm needs [tp: Replicate]" module "o_proj"
func.func @reasons(
    %x: tensor<8x24xf32> {tp.sharding = #tp.sharding<@mesh, [{}, {"tp"}]>},
    %w: tensor<64x24xf32> {tp.sharding = #tp.sharding<@mesh, [{}, {"tp"}]>},
    %g: tensor<64xf32>) -> tensor<8x64xf32> {
  %0 = nn.contract %x, %w "sk,nk->sn" : (tensor<8x24xf32>, tensor<64x24xf32>) -> tensor<8x64xf32> loc("o_proj")
  %1 = nn.rms_norm %0, %g epsilon 1.0e-5 : (tensor<8x64xf32>, tensor<64xf32>) -> tensor<8x64xf32> loc("norm")
  return %1 : tensor<8x64xf32>
}

// A reshard that is there already: its operand is brought to what it starts from.
// CHECK-LABEL: func.func @given
// CHECK: %[[WHOLE:.*]] = tp.reshard %arg0 from <@mesh, [{"tp"}]> to <@mesh, [{}]>
// CHECK: tp.reshard %[[WHOLE]] from <@mesh, [{}]> to <@mesh, [{"tp"}]>
func.func @given(%x: tensor<8xf32> {tp.sharding = #tp.sharding<@mesh, [{"tp"}]>}) -> tensor<8xf32> {
  %0 = tp.reshard %x from <@mesh, [{}]> to <@mesh, [{"tp"}]> : tensor<8xf32>
  return %0 : tensor<8xf32>
}

// Nothing was propagated: all is replicated.
// CHECK-LABEL: func.func @nothing
// CHECK-NOT: tp.reshard
// CHECK: func.func private @external
func.func @nothing(%i: index, %x: tensor<f32>) -> (index, tensor<f32>) {
  %0 = arith.negf %x : tensor<f32>
  return %i, %0 : index, tensor<f32>
}
func.func private @external(tensor<8xf32>)

// A partial maximum becomes a partial sum.
// CHECK-LABEL: func.func @kinds
// CHECK: tp.reshard %{{.*}} from <@mesh, [{}], partial = max{"tp"}> to <@mesh, [{}], partial = sum{"tp"}>
func.func @kinds(%x: tensor<8x4xf32> {tp.sharding = #tp.sharding<@mesh, [{}, {"tp"}]>})
    -> (tensor<8xf32> {tp.sharding = #tp.sharding<@mesh, [{}], partial = sum{"tp"}>}) {
  %0 = nn.reduce %x "max" dims [1] : (tensor<8x4xf32>) -> tensor<8xf32>
  return %0 : tensor<8xf32>
}

// A merged dim cannot have its minor part alone sharded: the op is whole, and
// its result sliced.
// CHECK-LABEL: func.func @minor_part
// CHECK: %[[SPLIT:.*]] = nn.reshape %arg0 {{.*}}[{}, {}, {}]
// CHECK: tp.reshard %[[SPLIT]] from <@mesh, [{}, {}, {}]> to <@mesh, [{}, {}, {"tp"}]>
func.func @minor_part(%x: tensor<2x12xf32>, %y: tensor<2x3x4xf32> {tp.sharding = #tp.sharding<@mesh, [{}, {}, {"tp"}]>}) -> tensor<2x3x4xf32> {
  %0 = nn.reshape %x : (tensor<2x12xf32>) -> tensor<2x3x4xf32>
  %1 = arith.mulf %0, %y : tensor<2x3x4xf32>
  return %1 : tensor<2x3x4xf32>
}

// A partial maximum does not join a partial sum.
// CHECK-LABEL: func.func @kinds_in_one_op
// CHECK: tp.reshard %arg1 from <@mesh, [{}], partial = max{"tp"}> to <@mesh, [{}], partial = sum{"tp"}>
// CHECK-NOT: partial = max
// CHECK: return
func.func @kinds_in_one_op(%x: tensor<2x4xf32> {tp.sharding = #tp.sharding<@mesh, [{}, {"tp"}]>},
                           %m: tensor<2xf32> {tp.sharding = #tp.sharding<@mesh, [{}], partial = max{"tp"}>},
                           %w: tensor<2xf32>) -> tensor<f32> {
  %0 = nn.reduce %x "sum" dims [1] : (tensor<2x4xf32>) -> tensor<2xf32>
  %1 = arith.addf %0, %m : tensor<2xf32>
  %2 = nn.contract %1, %w "a,a->" : (tensor<2xf32>, tensor<2xf32>) -> tensor<f32>
  return %2 : tensor<f32>
}

// What is handed over partial need not be reduced before.
// CHECK-LABEL: func.func @partial_result
// CHECK: %[[R:.*]] = tp.reshard %arg0 from <@mesh, [{}, {}]> to <@mesh, [{}, {}], partial = sum{"tp"}>
// CHECK-NEXT: %[[SUM:.*]] = arith.addf %[[R]],
// CHECK-NEXT: return %[[SUM]]
func.func @partial_result(%r: tensor<8x64xf32>,
    %x: tensor<8x24xf32> {tp.sharding = #tp.sharding<@mesh, [{}, {"tp"}]>},
    %w: tensor<64x24xf32> {tp.sharding = #tp.sharding<@mesh, [{}, {"tp"}]>})
    -> (tensor<8x64xf32> {tp.sharding = #tp.sharding<@mesh, [{}, {}], partial = sum{"tp"}>}) {
  %0 = nn.contract %x, %w "sk,nk->sn" : (tensor<8x24xf32>, tensor<64x24xf32>) -> tensor<8x64xf32>
  %1 = arith.addf %r, %0 : tensor<8x64xf32>
  return %1 : tensor<8x64xf32>
}

// An adapter beside a row-parallel linear: its second matrix makes more of what is
// partial, but the sum is reduced anyway.
// CHECK-LABEL: func.func @adapter
// CHECK: %[[BASE:.*]] = nn.contract %arg0, %arg1
// CHECK-NEXT: %[[DOWN:.*]] = nn.contract %arg0, %arg2
// CHECK-NEXT: %[[UP:.*]] = nn.contract %[[DOWN]], %arg3 {{.*}} partial = sum{"tp"}
// CHECK-NEXT: %[[SCALED:.*]] = arith.negf %[[UP]] {{.*}} partial = sum{"tp"}
// CHECK-NEXT: %[[SUM:.*]] = arith.addf %[[BASE]], %[[SCALED]] {{.*}} partial = sum{"tp"}
// CHECK-NEXT: tp.reshard %[[SUM]]
// CHECK-NEXT: return
func.func @adapter(%x: tensor<8x24xf32> {tp.sharding = #tp.sharding<@mesh, [{}, {"tp"}]>},
    %w: tensor<64x24xf32> {tp.sharding = #tp.sharding<@mesh, [{}, {"tp"}]>},
    %a: tensor<4x24xf32>, %b: tensor<64x4xf32>) -> tensor<8x64xf32> {
  %0 = nn.contract %x, %w "sk,nk->sn" : (tensor<8x24xf32>, tensor<64x24xf32>) -> tensor<8x64xf32>
  %1 = nn.contract %x, %a "sk,nk->sn" : (tensor<8x24xf32>, tensor<4x24xf32>) -> tensor<8x4xf32>
  %2 = nn.contract %1, %b "sk,nk->sn" : (tensor<8x4xf32>, tensor<64x4xf32>) -> tensor<8x64xf32>
  %3 = arith.negf %2 : tensor<8x64xf32>
  %4 = arith.addf %0, %3 : tensor<8x64xf32>
  return %4 : tensor<8x64xf32>
}

// Alone, it is reduced while it is small.
// CHECK-LABEL: func.func @adapter_alone
// CHECK: %[[DOWN:.*]] = nn.contract %arg0, %arg1
// CHECK-NEXT: tp.reshard %[[DOWN]]
// CHECK-NEXT: nn.contract
// CHECK-NEXT: return
func.func @adapter_alone(%x: tensor<8x24xf32> {tp.sharding = #tp.sharding<@mesh, [{}, {"tp"}]>},
    %a: tensor<4x24xf32>, %b: tensor<64x4xf32>) -> tensor<8x64xf32> {
  %1 = nn.contract %x, %a "sk,nk->sn" : (tensor<8x24xf32>, tensor<4x24xf32>) -> tensor<8x4xf32>
  %2 = nn.contract %1, %b "sk,nk->sn" : (tensor<8x4xf32>, tensor<64x4xf32>) -> tensor<8x64xf32>
  return %2 : tensor<8x64xf32>
}
