// Softmax and cross-entropy over a sharded dim: written out, and what is sent.
// RUN: tp-opt %s -tp-propagate -tp-decompose | FileCheck %s
// RUN: tp-opt %s -tp-propagate -tp-decompose -tp-propagate -tp-insert-reshards \
// RUN:   -tp-partition -tp-merge-collectives -tp-verify-placements \
// RUN:   | FileCheck %s --check-prefix=LOCAL

tp.mesh @mesh = <["tp"=4]>

// The maximum comes first; narrow types are computed in f32.
// CHECK-LABEL: func.func @softmax
// CHECK: %[[X:.*]] = arith.extf %{{.*}} : tensor<63x8xbf16> to tensor<63x8xf32>
// CHECK: %[[MAX:.*]] = nn.reduce %[[X]] "max" dims [0] : (tensor<63x8xf32>) -> tensor<8xf32>
// CHECK: %[[WIDE:.*]] = nn.broadcast %[[MAX]] dims [1]
// CHECK: %[[SHIFTED:.*]] = arith.subf %[[X]], %[[WIDE]]
// CHECK: %[[EXP:.*]] = math.exp %[[SHIFTED]]
// CHECK: %[[SUM:.*]] = nn.reduce %[[EXP]] "sum" dims [0]
// CHECK: %[[SPREAD:.*]] = nn.broadcast %[[SUM]] dims [1]
// CHECK: %[[SHARE:.*]] = arith.divf %[[EXP]], %[[SPREAD]]
// CHECK: %[[Y:.*]] = arith.truncf %[[SHARE]] : tensor<63x8xf32> to tensor<63x8xbf16>
// CHECK: return %[[Y]]
// Padding is masked by what each reduction ignores; one number a column is sent.
// LOCAL-LABEL: func.func @softmax
// LOCAL: %[[HIDDEN:.*]] = tp.mask {{.*}} dim 0 from %{{.*}} size 63 fill 0xFFF0000000000000 : tensor<16x8xf32>
// LOCAL: %[[MAX:.*]] = nn.reduce %[[HIDDEN]] "max"
// LOCAL: tp.all_reduce %[[MAX]] max {{.*}} : (tensor<8xf32>) -> tensor<8xf32>
// LOCAL: %[[ZEROED:.*]] = tp.mask {{.*}} dim 0 from %{{.*}} size 63 fill 0.000000e+00 : tensor<16x8xf32>
// LOCAL: %[[SUM:.*]] = nn.reduce %[[ZEROED]] "sum"
// LOCAL: tp.all_reduce %[[SUM]] sum {{.*}} : (tensor<8xf32>) -> tensor<8xf32>
// LOCAL-NOT: tp.all
func.func @softmax(%x: tensor<63x8xbf16> {tp.sharding = #tp.sharding<@mesh, [{"tp"}, {}]>}) -> tensor<63x8xbf16> {
  %0 = nn.softmax %x dim 0 : tensor<63x8xbf16>
  return %0 : tensor<63x8xbf16>
}

// Along another dim it stays whole, and nothing is sent.
// CHECK-LABEL: func.func @rows
// CHECK: nn.softmax
// LOCAL-LABEL: func.func @rows
// LOCAL: nn.softmax %{{.*}} dim 1 : tensor<16x8xf32>
// LOCAL-NOT: tp.all
func.func @rows(%x: tensor<63x8xf32> {tp.sharding = #tp.sharding<@mesh, [{"tp"}, {}]>}) -> tensor<63x8xf32> {
  %0 = nn.softmax %x dim 1 : tensor<63x8xf32>
  return %0 : tensor<63x8xf32>
}

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
