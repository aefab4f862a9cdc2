// Cross-entropy over sharded classes and rows: written out, and what is sent.
// RUN: tp-opt %s -split-input-file -tp-propagate -tp-decompose | FileCheck %s
// RUN: tp-opt %s -split-input-file -tp-propagate -tp-decompose -tp-propagate -tp-insert-reshards \
// RUN:   -tp-partition -tp-merge-collectives -tp-verify-placements \
// RUN:   | FileCheck %s --check-prefix=LOCAL

tp.mesh @mesh = <["tp"=4]>

// The target's logit is picked by the shard that has it; both sums travel in one
// message. The logits are not gathered.
// CHECK-LABEL: func.func @cross_entropy
// CHECK-SAME: %[[X:.*]]: tensor<8x63xf32> {{{.*}}}, %[[TARGET:.*]]: tensor<8xi32>
// CHECK: nn.reduce %[[X]] "max" dims [1] : (tensor<8x63xf32>) -> tensor<8xf32>
// CHECK: %[[SHIFTED:.*]] = arith.subf %[[X]]
// CHECK: %[[EXP:.*]] = math.exp %[[SHIFTED]]
// CHECK: %[[SUM:.*]] = nn.reduce %[[EXP]] "sum" dims [1]
// CHECK: %[[CLASS:.*]] = nn.iota dim 1 : tensor<8x63xi32>
// CHECK: %[[WANTED:.*]] = nn.broadcast %[[TARGET]] dims [0]
// CHECK: %[[HIT:.*]] = arith.cmpi eq, %[[CLASS]], %[[WANTED]]
// CHECK: %[[ZERO:.*]] = arith.constant dense<0.0{{.*}}> : tensor<8x63xf32>
// CHECK: %[[PICKED:.*]] = arith.select %[[HIT]], %[[SHIFTED]], %[[ZERO]]
// CHECK: %[[LOGIT:.*]] = nn.reduce %[[PICKED]] "sum" dims [1]
// CHECK: %[[LOG:.*]] = math.log %[[SUM]]
// CHECK: %[[LOSS:.*]] = arith.subf %[[LOG]], %[[LOGIT]]
// CHECK: %[[CLASSES:.*]] = arith.constant dense<63> : tensor<8xi32>
// CHECK: %[[VALID:.*]] = arith.cmpi ult, %[[TARGET]], %[[CLASSES]]
// CHECK: %[[NAN:.*]] = arith.constant dense<0x7FC00000>
// CHECK: %[[CHECKED:.*]] = arith.select %[[VALID]], %[[LOSS]], %[[NAN]]
// CHECK: %[[NONE:.*]] = arith.constant dense<-100> : tensor<8xi32>
// CHECK: %[[IGNORED:.*]] = arith.cmpi eq, %[[TARGET]], %[[NONE]]
// CHECK: %[[NOTHING:.*]] = arith.constant dense<0.0{{.*}}> : tensor<8xf32>
// CHECK: %[[KEPT:.*]] = arith.select %[[IGNORED]], %[[NOTHING]], %[[CHECKED]]
// CHECK: return %[[KEPT]]
// LOCAL-LABEL: func.func @cross_entropy
// LOCAL: tp.all_reduce {{.*}} max {{.*}} : (tensor<8xf32>) -> tensor<8xf32>
// LOCAL: nn.iota from %{{.*}} dim 1 : tensor<8x16xi32>
// LOCAL: %[[SUMS:.*]]:2 = tp.all_reduce {{.*}} sum {{.*}} : (tensor<8xf32>, tensor<8xf32>) -> (tensor<8xf32>, tensor<8xf32>)
// LOCAL: %[[LOG:.*]] = math.log %[[SUMS]]#0
// LOCAL: arith.subf %[[LOG]], %[[SUMS]]#1
// LOCAL-NOT: tp.all
func.func @cross_entropy(%x: tensor<8x63xf32> {tp.sharding = #tp.sharding<@mesh, [{}, {"tp"}]>}, %t: tensor<8xi32>) -> tensor<8xf32> {
  %0 = nn.cross_entropy %x, %t ignore_index -100 : (tensor<8x63xf32>, tensor<8xi32>) -> tensor<8xf32>
  return %0 : tensor<8xf32>
}

// An eighth is spread over all 64 classes.
// CHECK-LABEL: func.func @smoothed
// LOCAL-LABEL: func.func @smoothed
// CHECK: %[[SHIFTED:.*]] = arith.subf
// CHECK: %[[HIT:.*]] = arith.cmpi eq
// CHECK: %[[MOST:.*]] = arith.constant dense<0.876953125>
// CHECK: %[[LITTLE:.*]] = arith.constant dense<0.001953125>
// CHECK: %[[WEIGHT:.*]] = arith.select %[[HIT]], %[[MOST]], %[[LITTLE]]
// CHECK: %[[PART:.*]] = arith.mulf %[[SHIFTED]], %[[WEIGHT]]
// CHECK: nn.reduce %[[PART]] "sum" dims [1]
func.func @smoothed(%x: tensor<8x64xf32> {tp.sharding = #tp.sharding<@mesh, [{}, {"tp"}]>}, %t: tensor<8xi32>) -> tensor<8xf32> {
  %0 = nn.cross_entropy %x, %t label_smoothing 0.125 : (tensor<8x64xf32>, tensor<8xi32>) -> tensor<8xf32>
  return %0 : tensor<8xf32>
}

// -----

tp.mesh @mesh = <["dp"=2, "tp"=4]>

// The mean: each row counts, unless it is ignored or its target is no class. What
// is summed up and what it is divided by are reduced over the rows' devices in one
// message, 2 numbers; over the classes, what each row needs, once.
// CHECK-LABEL: func.func @mean
// CHECK: %[[ONES:.*]] = arith.constant dense<1.0{{.*}}> : tensor<8xf32>
// CHECK: %[[LOSS:.*]] = arith.subf
// CHECK: %[[KNOWN:.*]] = arith.select %{{.*}}, %[[LOSS]], %{{.*}} : tensor<8xi1>, tensor<8xf32>
// CHECK: %[[ROWS:.*]] = arith.select %{{.*}}, %{{.*}}, %[[KNOWN]] : tensor<8xi1>, tensor<8xf32>
// CHECK: %[[TOTAL:.*]] = nn.reduce %[[ROWS]] "sum" dims [0] : (tensor<8xf32>) -> tensor<f32>
// CHECK: %[[ONE:.*]] = arith.select %{{.*}}, %[[ONES]], %{{.*}} : tensor<8xi1>, tensor<8xf32>
// CHECK: %[[COUNTS:.*]] = arith.select %{{.*}}, %{{.*}}, %[[ONE]] : tensor<8xi1>, tensor<8xf32>
// CHECK: %[[COUNT:.*]] = nn.reduce %[[COUNTS]] "sum" dims [0] : (tensor<8xf32>) -> tensor<f32>
// CHECK: %[[NOTHING:.*]] = arith.cmpf oeq, %[[COUNT]]
// CHECK: %[[BY:.*]] = arith.select %[[NOTHING]], %{{.*}}, %[[COUNT]]
// CHECK: %[[ALL:.*]] = arith.select %[[NOTHING]], %{{.*}}, %[[TOTAL]]
// CHECK: arith.divf %[[ALL]], %[[BY]]
// LOCAL-LABEL: func.func @mean
// LOCAL: tp.all_reduce {{.*}} max over [#tp.axis<"tp">] {{.*}} : (tensor<4xf32>) -> tensor<4xf32>
// LOCAL: tp.all_reduce {{.*}} sum over [#tp.axis<"tp">] {{.*}} : (tensor<4xf32>, tensor<4xf32>) -> (tensor<4xf32>, tensor<4xf32>)
// LOCAL: tp.all_reduce {{.*}} sum over [#tp.axis<"dp">] {{.*}} : (tensor<f32>, tensor<f32>) -> (tensor<f32>, tensor<f32>)
// LOCAL-NOT: tp.all_
// LOCAL-NOT: tp.reduce_scatter
func.func @mean(%x: tensor<8x63xf32> {tp.sharding = #tp.sharding<@mesh, [{"dp"}, {"tp"}]>}, %t: tensor<8xi32>) -> tensor<f32> {
  %0 = nn.cross_entropy %x, %t ignore_index -100 reduction "mean" : (tensor<8x63xf32>, tensor<8xi32>) -> tensor<f32>
  return %0 : tensor<f32>
}

// With weights, and smoothed, the share of a row's classes in its loss is a sum, too:
// times the logarithm it stays one until the loss is reduced, with the weight of
// the target, by which the mean is divided. 7 rows on 2.
// LOCAL-LABEL: func.func @weighted_mean
// LOCAL: tp.all_reduce {{.*}} max over [#tp.axis<"tp">] {{.*}} : (tensor<4xf32>) -> tensor<4xf32>
// LOCAL: tp.all_reduce {{.*}} sum over [#tp.axis<"tp">] {{.*}} : (tensor<4xf32>) -> tensor<4xf32>
// LOCAL: tp.all_reduce {{.*}} sum over [#tp.axis<"tp">] {{.*}} : (tensor<4xf32>, tensor<4xf32>) -> (tensor<4xf32>, tensor<4xf32>)
// LOCAL: tp.all_reduce {{.*}} sum over [#tp.axis<"dp">] {{.*}} : (tensor<f32>, tensor<f32>) -> (tensor<f32>, tensor<f32>)
// LOCAL-NOT: tp.all_
// LOCAL-NOT: tp.reduce_scatter
func.func @weighted_mean(%x: tensor<7x63xf32> {tp.sharding = #tp.sharding<@mesh, [{"dp"}, {"tp"}]>}, %t: tensor<7xi32>, %w: tensor<63xf32>) -> tensor<f32> {
  %0 = nn.cross_entropy %x, %t weights %w ignore_index 0 label_smoothing 0.125 reduction "mean" : (tensor<7x63xf32>, tensor<7xi32>, tensor<63xf32>) -> tensor<f32>
  return %0 : tensor<f32>
}

// Rows alone: nothing is sent but the two sums.
// LOCAL-LABEL: func.func @rows
// LOCAL: tp.all_reduce {{.*}} sum over [#tp.axis<"dp">] {{.*}} : (tensor<f32>, tensor<f32>) -> (tensor<f32>, tensor<f32>)
// LOCAL-NOT: tp.all_
func.func @rows(%x: tensor<2x7x63xf32> {tp.sharding = #tp.sharding<@mesh, [{}, {"dp"}, {}]>}, %t: tensor<2x7xi32>) -> tensor<f32> {
  %0 = nn.cross_entropy %x, %t ignore_index -100 reduction "mean" : (tensor<2x7x63xf32>, tensor<2x7xi32>) -> tensor<f32>
  return %0 : tensor<f32>
}

// Probabilities: the number of rows is known, and no row is looked at by itself, so
// that what is left to reduce in the end is one number, over all devices.
// LOCAL-LABEL: func.func @probabilities
// LOCAL: tp.all_reduce {{.*}} max over [#tp.axis<"tp">] {{.*}} : (tensor<4xf32>) -> tensor<4xf32>
// LOCAL: tp.all_reduce {{.*}} sum over [#tp.axis<"tp">] {{.*}} : (tensor<4xf32>) -> tensor<4xf32>
// LOCAL: tp.all_reduce {{.*}} sum over [#tp.axis<"dp">, #tp.axis<"tp">] {{.*}} : (tensor<f32>) -> tensor<f32>
// LOCAL-NOT: tp.all_
func.func @probabilities(%x: tensor<8x63xbf16> {tp.sharding = #tp.sharding<@mesh, [{"dp"}, {"tp"}]>}, %t: tensor<8x63xbf16> {tp.sharding = #tp.sharding<@mesh, [{"dp"}, {"tp"}]>}) -> tensor<f32> {
  %0 = nn.cross_entropy %x, %t reduction "mean" : (tensor<8x63xbf16>, tensor<8x63xbf16>) -> tensor<f32>
  return %0 : tensor<f32>
}

// The sum over all rows is one number.
// LOCAL-LABEL: func.func @sum
// LOCAL: tp.all_reduce {{.*}} max over [#tp.axis<"tp">]
// LOCAL: tp.all_reduce {{.*}} sum over [#tp.axis<"tp">]
// LOCAL: tp.all_reduce {{.*}} sum over [#tp.axis<"dp">] {{.*}} : (tensor<f32>) -> tensor<f32>
// LOCAL-NOT: tp.all_
func.func @sum(%x: tensor<8x63xf32> {tp.sharding = #tp.sharding<@mesh, [{"dp"}, {"tp"}]>}, %t: tensor<8xi32>) -> tensor<f32> {
  %0 = nn.cross_entropy %x, %t reduction "sum" : (tensor<8x63xf32>, tensor<8xi32>) -> tensor<f32>
  return %0 : tensor<f32>
}
