// RUN: tp-opt %s -tp-split-collectives -tp-verify-placements | FileCheck %s
// RUN: tp-opt %s -tp-split-collectives="bytes=100" | FileCheck %s --check-prefix=LARGE
// RUN: tp-opt %s -tp-split-collectives -cse -canonicalize | FileCheck %s --check-prefix=KEPT

tp.mesh @mesh = <["tp"=4]>

// The example of the pass's description: sends 24 bytes, which may be too few.
// CHECK-LABEL: func.func @documented
// CHECK-NEXT: %[[P:.*]] = tp.all_gather %arg0 dims [0] over [#tp.axis<"tp">] of @mesh reason "r" module "m" : (tensor<2xf32>) -> !tp.pending<tensor<8xf32>>
// CHECK-NEXT: %[[W:.*]] = tp.wait %[[P]] : !tp.pending<tensor<8xf32>>
// CHECK-NEXT: return %[[W]]
// LARGE-LABEL: func.func @documented
// LARGE-NEXT: tp.all_gather {{.*}} -> tensor<8xf32>
// LARGE-NEXT: return
func.func @documented(%x: tensor<2xf32> {tp.global = tensor<8xf32>, tp.sharding = #tp.sharding<@mesh, [{"tp"}]>}) -> tensor<8xf32> {
  %0 = tp.all_gather %x dims [0] over [#tp.axis<"tp">] of @mesh reason "r" module "m" : (tensor<2xf32>) -> tensor<8xf32>
  return %0 : tensor<8xf32>
}

// Every tensor of a message has its wait; what is split already stays.
// CHECK-LABEL: func.func @packed
// CHECK-NEXT: %[[P:.*]]:2 = tp.all_reduce %arg0, %arg1 sum
// CHECK-NEXT: %[[A:.*]] = tp.wait %[[P]]#0
// CHECK-NEXT: %[[B:.*]] = tp.wait %[[P]]#1
// CHECK-NEXT: %[[G:.*]] = tp.reduce_scatter %arg0
// CHECK-NEXT: %[[C:.*]] = tp.wait %[[G]]
// CHECK-NEXT: return %[[A]], %[[B]], %[[C]]
// LARGE-LABEL: func.func @packed
// LARGE-NEXT: tp.all_reduce {{.*}} -> (!tp.pending
func.func @packed(%x: tensor<8x8xf32> {tp.sharding = #tp.sharding<@mesh, [{}, {}], partial = sum{"tp"}>},
                  %y: tensor<4xf32> {tp.sharding = #tp.sharding<@mesh, [{}], partial = sum{"tp"}>})
    -> (tensor<8x8xf32>, tensor<4xf32>, tensor<2x8xf32> {tp.global = tensor<8x8xf32>, tp.sharding = #tp.sharding<@mesh, [{"tp"}, {}]>}) {
  %0:2 = tp.all_reduce %x, %y sum over [#tp.axis<"tp">] of @mesh : (tensor<8x8xf32>, tensor<4xf32>) -> (tensor<8x8xf32>, tensor<4xf32>)
  %1 = tp.reduce_scatter %x sum dims [0] over [#tp.axis<"tp">] of @mesh : (tensor<8x8xf32>) -> !tp.pending<tensor<2x8xf32>>
  %2 = tp.wait %1 : !tp.pending<tensor<2x8xf32>>
  return %0#0, %0#1, %2 : tensor<8x8xf32>, tensor<4xf32>, tensor<2x8xf32>
}

// Upstream passes neither join nor drop halves, though whole collectives are pure.
// KEPT-LABEL: func.func @kept
// KEPT-NEXT: tp.all_gather
// KEPT-NEXT: tp.wait
// KEPT-NEXT: tp.all_gather
// KEPT-NEXT: %[[W:.*]] = tp.wait
// KEPT-NEXT: return %[[W]]
func.func @kept(%x: tensor<2xf32> {tp.global = tensor<8xf32>, tp.sharding = #tp.sharding<@mesh, [{"tp"}]>}) -> tensor<8xf32> {
  %0 = tp.all_gather %x dims [0] over [#tp.axis<"tp">] of @mesh : (tensor<2xf32>) -> tensor<8xf32>
  %1 = tp.all_gather %x dims [0] over [#tp.axis<"tp">] of @mesh : (tensor<2xf32>) -> tensor<8xf32>
  return %1 : tensor<8xf32>
}
