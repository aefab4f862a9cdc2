// A local function with collectives of its own in a global program: its boundary
// is declared, met, and checked on both sides.
// RUN: tp-opt %s -tp-shard=plan=none | FileCheck %s
// RUN: tp-opt %s -tp-shard=plan=none -tp-flatten=local | FileCheck %s -check-prefix=FLAT
// Lowering and reports write it out by themselves.
// RUN: tp-opt %s -tp-shard=plan=none -tp-lower -o /dev/null
// RUN: tp-opt %s -tp-shard=plan=none | tp-report - | FileCheck %s -check-prefix=REPORT
// REPORT: main: {{.*}}sent by each device in one execution

tp.mesh @mesh = <["tp"=2]>

// A sum of shards in a ring of its own: all-gather, then add.
// CHECK-LABEL: func.func private @ring_sum
// CHECK: tp.all_gather
// FLAT-NOT: @ring_sum
func.func private @ring_sum(%x: tensor<1x4xf32> {tp.global = tensor<2x4xf32>, tp.sharding = #tp.sharding<@mesh, [{"tp"}, {}]>})
    -> (tensor<4xf32> {tp.global = tensor<4xf32>, tp.sharding = #tp.sharding<@mesh, [{}]>}) {
  %0 = tp.all_gather %x dims [0] over [#tp.axis<"tp">] of @mesh : (tensor<1x4xf32>) -> tensor<2x4xf32>
  %1 = nn.reduce %0 "sum" dims [0] : (tensor<2x4xf32>) -> tensor<4xf32>
  return %1 : tensor<4xf32>
}

// What is declared reaches the neighbours: rows are sharded, so the argument is
// computed on as it comes and nothing else is inserted.
// CHECK-LABEL: func.func @main
// CHECK-SAME: %arg0: tensor<1x4xf32>
// CHECK-NEXT: %[[E:.*]] = math.exp %arg0 : tensor<1x4xf32>
// CHECK-NEXT: %[[S:.*]] = tp.call @ring_sum(%[[E]]) : (tensor<1x4xf32>) -> tensor<4xf32>
// CHECK-NEXT: %[[N:.*]] = arith.negf %[[S]]
// CHECK-NEXT: return %[[N]]
// FLAT-LABEL: func.func @main
// FLAT: tp.all_gather
// FLAT-NEXT: nn.reduce
// FLAT-NEXT: arith.negf
func.func @main(%x: tensor<2x4xf32> {tp.sharding = #tp.sharding<@mesh, [{"tp"}, {}]>}) -> tensor<4xf32> {
  %0 = math.exp %x : tensor<2x4xf32>
  %1 = tp.call @ring_sum(%0) : (tensor<2x4xf32>) -> tensor<4xf32>
  %2 = arith.negf %1 : tensor<4xf32>
  return %2 : tensor<4xf32>
}

// What lies otherwise is resharded to what the callee takes.
// CHECK-LABEL: func.func @otherwise
// CHECK-SAME: %arg0: tensor<2x2xf32>
// CHECK-NEXT: %[[X:.*]] = tp.all_to_all %arg0
// CHECK-NEXT: tp.call @ring_sum(%[[X]])
func.func @otherwise(%x: tensor<2x4xf32> {tp.sharding = #tp.sharding<@mesh, [{}, {"tp"}]>}) -> tensor<4xf32> {
  %1 = tp.call @ring_sum(%x) : (tensor<2x4xf32>) -> tensor<4xf32>
  return %1 : tensor<4xf32>
}
