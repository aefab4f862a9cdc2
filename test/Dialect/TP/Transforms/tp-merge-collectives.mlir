// Collectives of one kind over the same axes become one message.
// RUN: tp-opt %s -tp-merge-collectives="bytes=1000" | FileCheck %s

tp.mesh @mesh = <["dp"=2, "tp"=4]>

// The example of the pass's description; both are where the first was.
// CHECK-LABEL: func.func @documented
// CHECK-NEXT: %[[BOTH:.*]]:2 = tp.all_gather %arg0, %arg1 dims [1, 0] over [#tp.axis<"tp">] of @mesh reason "values; also: ids" module "top, other" : (tensor<2x1xf32>, tensor<1x2xi32>) -> (tensor<2x4xf32>, tensor<4x2xi32>)
// CHECK-NEXT: tp.shard_start
// CHECK-NEXT: return %[[BOTH]]#0, %[[BOTH]]#1
func.func @documented(%values: tensor<2x1xf32>, %ids: tensor<1x2xi32>) -> (tensor<2x4xf32>, tensor<4x2xi32>) {
  %0 = tp.all_gather %values dims [1] over [#tp.axis<"tp">] of @mesh reason "values" module "top" : (tensor<2x1xf32>) -> tensor<2x4xf32>
  %start = tp.shard_start [#tp.axis<"tp">] of @mesh block 2
  %1 = tp.all_gather %ids dims [0] over [#tp.axis<"tp">] of @mesh reason "ids" module "other" : (tensor<1x2xi32>) -> tensor<4x2xi32>
  return %0, %1 : tensor<2x4xf32>, tensor<4x2xi32>
}

// At most four tensors are packed in one message; the rest make another.
// CHECK-LABEL: func.func @five
// CHECK: :4 = tp.all_gather
// CHECK: = tp.all_gather %arg0 dims [0]
// CHECK-NOT: tp.all_gather
func.func @five(%x: tensor<2xf32>) {
  %0 = tp.all_gather %x dims [0] over [#tp.axis<"tp">] of @mesh : (tensor<2xf32>) -> tensor<8xf32>
  %1 = tp.all_gather %x dims [0] over [#tp.axis<"tp">] of @mesh : (tensor<2xf32>) -> tensor<8xf32>
  %2 = tp.all_gather %x dims [0] over [#tp.axis<"tp">] of @mesh : (tensor<2xf32>) -> tensor<8xf32>
  %3 = tp.all_gather %x dims [0] over [#tp.axis<"tp">] of @mesh : (tensor<2xf32>) -> tensor<8xf32>
  %4 = tp.all_gather %x dims [0] over [#tp.axis<"tp">] of @mesh : (tensor<2xf32>) -> tensor<8xf32>
  return
}

// Each sends 3 x 200 bytes a device; together they are too large.
// CHECK-LABEL: func.func @large
// CHECK-COUNT-2: = tp.all_gather %arg0 dims
func.func @large(%x: tensor<50xf32>) {
  %0 = tp.all_gather %x dims [0] over [#tp.axis<"tp">] of @mesh : (tensor<50xf32>) -> tensor<200xf32>
  %1 = tp.all_gather %x dims [0] over [#tp.axis<"tp">] of @mesh : (tensor<50xf32>) -> tensor<200xf32>
  return
}

// Other axes, or a result that is needed: not merged.
// CHECK-LABEL: func.func @axes
// CHECK-COUNT-2: = tp.all_gather %arg0 dims
func.func @axes(%x: tensor<2xf32>) {
  %0 = tp.all_gather %x dims [0] over [#tp.axis<"tp">] of @mesh : (tensor<2xf32>) -> tensor<8xf32>
  %1 = tp.all_gather %x dims [0] over [#tp.axis<"dp">] of @mesh : (tensor<2xf32>) -> tensor<4xf32>
  return
}
// CHECK-LABEL: func.func @needed
// CHECK: %[[ONE:.*]] = tp.all_gather %arg0
// CHECK: tp.all_gather %[[ONE]]
func.func @needed(%x: tensor<2xf32>) {
  %0 = tp.all_gather %x dims [0] over [#tp.axis<"tp">] of @mesh : (tensor<2xf32>) -> tensor<8xf32>
  %1 = tp.all_gather %0 dims [0] over [#tp.axis<"tp">] of @mesh : (tensor<8xf32>) -> tensor<32xf32>
  return
}
// The first waits for what the second needs, but not longer than until it is used.
// CHECK-LABEL: func.func @needed_later
// CHECK-NEXT: %[[NEGATIVE:.*]] = arith.negf
// CHECK-NEXT: %[[BOTH:.*]]:2 = tp.all_gather %arg0, %[[NEGATIVE]]
// CHECK-NEXT: math.exp %[[BOTH]]#0
func.func @needed_later(%x: tensor<2xf32>) -> tensor<8xf32> {
  %0 = tp.all_gather %x dims [0] over [#tp.axis<"tp">] of @mesh : (tensor<2xf32>) -> tensor<8xf32>
  %1 = arith.negf %x : tensor<2xf32>
  %2 = tp.all_gather %1 dims [0] over [#tp.axis<"tp">] of @mesh : (tensor<2xf32>) -> tensor<8xf32>
  %3 = math.exp %0 : tensor<8xf32>
  return %3 : tensor<8xf32>
}
// What the second needs is brought before the first's use, in its order.
// CHECK-LABEL: func.func @used_before
// CHECK-NEXT: %[[NEGATIVE:.*]] = arith.negf %arg0
// CHECK-NEXT: %[[SENT:.*]] = math.tanh %[[NEGATIVE]]
// CHECK-NEXT: %[[BOTH:.*]]:2 = tp.all_gather %arg0, %[[SENT]]
// CHECK-NEXT: math.exp %[[BOTH]]#0
func.func @used_before(%x: tensor<2xf32>) -> tensor<8xf32> {
  %0 = tp.all_gather %x dims [0] over [#tp.axis<"tp">] of @mesh : (tensor<2xf32>) -> tensor<8xf32>
  %3 = math.exp %0 : tensor<8xf32>
  %1 = arith.negf %x : tensor<2xf32>
  %4 = math.tanh %1 : tensor<2xf32>
  %2 = tp.all_gather %4 dims [0] over [#tp.axis<"tp">] of @mesh : (tensor<2xf32>) -> tensor<8xf32>
  return %3 : tensor<8xf32>
}

// Not if it depends on the first, or on another collective that is between.
// CHECK-LABEL: func.func @depends
// CHECK-COUNT-2: = tp.all_gather {{.*}} (tensor<2xf32>) ->
func.func @depends(%x: tensor<2xf32>, %y: tensor<2xf32>) -> tensor<8xf32> {
  %0 = tp.all_gather %x dims [0] over [#tp.axis<"tp">] of @mesh : (tensor<2xf32>) -> tensor<8xf32>
  %1 = nn.slice %0 offsets [2] strides [1] : (tensor<8xf32>) -> tensor<2xf32>
  %2 = arith.addf %1, %y : tensor<2xf32>
  %3 = tp.all_gather %2 dims [0] over [#tp.axis<"tp">] of @mesh : (tensor<2xf32>) -> tensor<8xf32>
  return %3 : tensor<8xf32>
}
// CHECK-LABEL: func.func @between
// CHECK: tp.all_gather %arg0 {{.*}} (tensor<2xf32>) ->
// CHECK-NEXT: math.exp
// CHECK-NEXT: tp.all_reduce %arg1
// CHECK-NEXT: arith.negf
// CHECK-NEXT: tp.all_gather {{.*}} (tensor<2xf32>) ->
func.func @between(%x: tensor<2xf32>, %y: tensor<2xf32>) -> (tensor<8xf32>, tensor<8xf32>) {
  %0 = tp.all_gather %x dims [0] over [#tp.axis<"tp">] of @mesh : (tensor<2xf32>) -> tensor<8xf32>
  %1 = math.exp %0 : tensor<8xf32>
  %2 = tp.all_reduce %y sum over [#tp.axis<"tp">] of @mesh : (tensor<2xf32>) -> tensor<2xf32>
  %3 = arith.negf %2 : tensor<2xf32>
  %4 = tp.all_gather %3 dims [0] over [#tp.axis<"tp">] of @mesh : (tensor<2xf32>) -> tensor<8xf32>
  return %1, %4 : tensor<8xf32>, tensor<8xf32>
}

// The gathers wait for the negation, so what reduces one of them comes too late
// for the reduction before.
// CHECK-LABEL: func.func @crossing
// CHECK-NEXT: tp.all_reduce %arg1 sum
// CHECK-NEXT: math.exp
// CHECK-NEXT: %[[NEGATIVE:.*]] = arith.negf
// CHECK-NEXT: %[[BOTH:.*]]:2 = tp.all_gather %arg0, %[[NEGATIVE]]
// CHECK-NEXT: tp.all_reduce %[[BOTH]]#0 sum
func.func @crossing(%x: tensor<2xf32>, %y: tensor<8xf32>) -> (tensor<8xf32>, tensor<8xf32>, tensor<8xf32>) {
  %0 = tp.all_gather %x dims [0] over [#tp.axis<"tp">] of @mesh : (tensor<2xf32>) -> tensor<8xf32>
  %1 = tp.all_reduce %y sum over [#tp.axis<"tp">] of @mesh : (tensor<8xf32>) -> tensor<8xf32>
  %5 = math.exp %1 : tensor<8xf32>
  %2 = arith.negf %x : tensor<2xf32>
  %3 = tp.all_gather %2 dims [0] over [#tp.axis<"tp">] of @mesh : (tensor<2xf32>) -> tensor<8xf32>
  %4 = tp.all_reduce %0 sum over [#tp.axis<"tp">] of @mesh : (tensor<8xf32>) -> tensor<8xf32>
  return %5, %3, %4 : tensor<8xf32>, tensor<8xf32>, tensor<8xf32>
}

// What stands between does not matter, if it is not needed.
// CHECK-LABEL: func.func @apart
// CHECK-NEXT: %[[NEGATIVE:.*]] = arith.negf
// CHECK-NEXT: %[[BOTH:.*]]:2 = tp.all_reduce %arg0, %[[NEGATIVE]] sum over [#tp.axis<"tp">] of @mesh : (tensor<2xf32>, tensor<2xf32>) -> (tensor<2xf32>, tensor<2xf32>)
// CHECK-NEXT: %[[LOG:.*]] = math.log %[[BOTH]]#0
// CHECK-NEXT: arith.addf %[[LOG]], %[[BOTH]]#1
func.func @apart(%x: tensor<2xf32>) -> tensor<2xf32> {
  %0 = arith.negf %x : tensor<2xf32>
  %1 = tp.all_reduce %x sum over [#tp.axis<"tp">] of @mesh : (tensor<2xf32>) -> tensor<2xf32>
  %2 = math.log %1 : tensor<2xf32>
  %3 = tp.all_reduce %0 sum over [#tp.axis<"tp">] of @mesh : (tensor<2xf32>) -> tensor<2xf32>
  %4 = arith.addf %2, %3 : tensor<2xf32>
  return %4 : tensor<2xf32>
}

// Each with its own kind, whatever stands between them.
// CHECK-LABEL: func.func @kinds
// CHECK-NEXT: %{{.*}}:2 = tp.all_reduce %arg0, %arg1 max
// CHECK-NEXT: %{{.*}}:2 = tp.all_reduce %arg0, %arg1 sum
// CHECK-NEXT: %{{.*}}:2 = tp.reduce_scatter %arg0, %arg1 sum dims [1, 0]
// CHECK-NEXT: %{{.*}}:2 = tp.all_to_all %arg0, %arg1 gather [0, 1] split [1, 0]
// CHECK-NEXT: return
func.func @kinds(%x: tensor<4x4xf32>, %y: tensor<4x4xi32>) {
  %0 = tp.all_reduce %x max over [#tp.axis<"tp">] of @mesh : (tensor<4x4xf32>) -> tensor<4x4xf32>
  %1 = tp.all_reduce %x sum over [#tp.axis<"tp">] of @mesh : (tensor<4x4xf32>) -> tensor<4x4xf32>
  %2 = tp.reduce_scatter %x sum dims [1] over [#tp.axis<"tp">] of @mesh : (tensor<4x4xf32>) -> tensor<4x1xf32>
  %3 = tp.all_to_all %x gather [0] split [1] over [#tp.axis<"tp">] of @mesh : (tensor<4x4xf32>) -> tensor<16x1xf32>
  %4 = tp.all_reduce %y max over [#tp.axis<"tp">] of @mesh : (tensor<4x4xi32>) -> tensor<4x4xi32>
  %5 = tp.all_reduce %y sum over [#tp.axis<"tp">] of @mesh : (tensor<4x4xi32>) -> tensor<4x4xi32>
  %6 = tp.reduce_scatter %y sum dims [0] over [#tp.axis<"tp">] of @mesh : (tensor<4x4xi32>) -> tensor<1x4xi32>
  %7 = tp.all_to_all %y gather [1] split [0] over [#tp.axis<"tp">] of @mesh : (tensor<4x4xi32>) -> tensor<1x16xi32>
  return
}
