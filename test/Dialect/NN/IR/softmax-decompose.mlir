// Softmax over a sharded dim: written out, and what is sent.
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
