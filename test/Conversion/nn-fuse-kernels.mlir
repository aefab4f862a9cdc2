// RUN: tp-opt %s --nn-fuse-kernels --split-input-file | FileCheck %s

// Constants are cloned into every group that uses them.
// CHECK-LABEL: @elementwise
// CHECK: %[[Y:.*]] = rt.fused (%[[A:.*]] = %arg0 : tensor<8x64xf32>, %[[B:.*]] = %arg1 : tensor<8x64xf32>) -> tensor<8x64xf32> {
// CHECK-NEXT: %[[SUM:.*]] = arith.addf %[[A]], %[[B]]
// CHECK-NEXT: %[[ONE:.*]] = arith.constant dense<1.000000e+00>
// CHECK-NEXT: %[[PRODUCT:.*]] = arith.mulf %[[SUM]], %[[ONE]]
// CHECK-NEXT: rt.yield %[[PRODUCT]]
// CHECK-NEXT: }
// CHECK-NEXT: return %[[Y]]
func.func @elementwise(%x: tensor<8x64xf32>, %y: tensor<8x64xf32>) -> tensor<8x64xf32> {
  %one = arith.constant dense<1.0> : tensor<8x64xf32>
  %0 = arith.addf %x, %y : tensor<8x64xf32>
  %1 = arith.mulf %0, %one : tensor<8x64xf32>
  return %1 : tensor<8x64xf32>
}

// -----

// A residual, a norm and a module boundary are one kernel with two results.
// CHECK-LABEL: @norm
// CHECK: %[[Y:.*]]:2 = rt.fused
// CHECK: arith.addf
// CHECK: nn.reduce
// CHECK: math.rsqrt
// CHECK: nn.broadcast
// CHECK: nn.broadcast
// CHECK: rt.yield %{{.*}}, %{{.*}}
// CHECK-NOT: rt.fused
// CHECK: nn.contract %[[Y]]#1
func.func @norm(%x: tensor<8x64xf32>, %y: tensor<8x64xf32>, %w: tensor<64xf32>,
                %p: tensor<32x64xf32>) -> (tensor<8x64xf32>, tensor<8x32xf32>) {
  %0 = arith.addf %x, %y : tensor<8x64xf32>
  %1 = nn.boundary %0 "input" "0" of "norm" : tensor<8x64xf32>
  %2 = nn.rms_norm %1, %w epsilon 1.0e-5 : (tensor<8x64xf32>, tensor<64xf32>) -> tensor<8x64xf32>
  %3 = nn.contract %2, %p "mk,nk->mn" : (tensor<8x64xf32>, tensor<32x64xf32>) -> tensor<8x32xf32>
  return %0, %3 : tensor<8x64xf32>, tensor<8x32xf32>
}

// -----

// Composites that have no lowering of their own are written out: one kernel each.
// CHECK-LABEL: @composites
// CHECK: rt.fused
// CHECK: nn.reduce %{{.*}} "max"
// CHECK: math.exp
// CHECK: nn.reduce %{{.*}} "sum"
// CHECK: arith.divf
// CHECK: rt.yield
// CHECK: rt.fused
// CHECK: nn.reduce %{{.*}} "max"
// CHECK: nn.iota
// CHECK: math.log
// CHECK: rt.yield
// CHECK-NOT: rt.fused
// CHECK: return
func.func @composites(%x: tensor<8x64xf32>, %y: tensor<4x32xbf16>, %t: tensor<4xi32>) -> (tensor<8x64xf32>, tensor<4xf32>) {
  %0 = nn.softmax %x dim 1 : tensor<8x64xf32>
  %1 = nn.cross_entropy %y, %t : (tensor<4x32xbf16>, tensor<4xi32>) -> tensor<4xf32>
  return %0, %1 : tensor<8x64xf32>, tensor<4xf32>
}

// -----

// What nothing runs as it is, and no sharding ever writes out: gathers are of one
// table, with an id of no row kept out of the other batches', and a cumulative sum
// is additions of shifted tensors.
// CHECK-LABEL: @batched
// CHECK-SAME: %[[I:.*]]: tensor<4x6xi32>, %[[T:.*]]: tensor<4x5x8xf32>
// CHECK: %[[IDS:.*]] = rt.fused (%[[ID:.*]] = %[[I]] : tensor<4x6xi32>)
// CHECK: %[[IN:.*]] = arith.cmpi ult, %[[ID]]
// CHECK: %[[BATCH:.*]] = nn.iota dim 0
// CHECK: %[[FIRST:.*]] = arith.muli %[[BATCH]]
// CHECK: %[[ROW:.*]] = arith.addi %[[ID]], %[[FIRST]]
// CHECK: %[[NONE:.*]] = arith.constant dense<-1>
// CHECK: arith.select %[[IN]], %[[ROW]], %[[NONE]]
// CHECK: %[[TABLE:.*]] = nn.reshape %[[T]] : (tensor<4x5x8xf32>) -> tensor<20x8xf32>
// CHECK: nn.embedding %[[IDS]], %[[TABLE]] : (tensor<4x6xi32>, tensor<20x8xf32>) -> tensor<4x6x8xf32>
// CHECK: nn.embedding_gradient %{{.*}}, %{{.*}} : (tensor<4x6xi32>, tensor<4x6x8xf32>) -> tensor<20x8xf32>
// CHECK: nn.reshape %{{.*}} : (tensor<20x8xf32>) -> tensor<4x5x8xf32>
func.func @batched(%i: tensor<4x6xi32>, %t: tensor<4x5x8xf32>) -> (tensor<4x6x8xf32>, tensor<4x5x8xf32>) {
  %0 = nn.gather %i, %t : (tensor<4x6xi32>, tensor<4x5x8xf32>) -> tensor<4x6x8xf32>
  %1 = nn.scatter_add %i, %0 : (tensor<4x6xi32>, tensor<4x6x8xf32>) -> tensor<4x5x8xf32>
  return %0, %1 : tensor<4x6x8xf32>, tensor<4x5x8xf32>
}

// -----

// CHECK-LABEL: @cumulative_sum
// CHECK: nn.slice {{.*}} -> tensor<4x8xf32>
// CHECK: nn.pad {{.*}} low [1, 0]
// CHECK: nn.slice {{.*}} -> tensor<3x8xf32>
// CHECK: nn.pad {{.*}} low [2, 0]
// CHECK: nn.slice {{.*}} -> tensor<1x8xf32>
// CHECK: nn.pad {{.*}} low [4, 0]
// CHECK-NOT: nn.pad
func.func @cumulative_sum(%x: tensor<5x8xf32>) -> tensor<5x8xf32> {
  %0 = nn.cumulative_sum %x dim 0 : tensor<5x8xf32>
  return %0 : tensor<5x8xf32>
}

// -----

// The contraction needs %0 before %2 can be computed: two kernels.
// CHECK-LABEL: @outside_use
// CHECK: rt.fused
// CHECK: arith.negf
// CHECK: nn.contract
// CHECK: rt.fused
// CHECK: arith.addf
func.func @outside_use(%x: tensor<8x8xf32>) -> tensor<8x8xf32> {
  %0 = arith.negf %x : tensor<8x8xf32>
  %1 = nn.contract %0, %x "mk,nk->mn" : (tensor<8x8xf32>, tensor<8x8xf32>) -> tensor<8x8xf32>
  %2 = arith.addf %0, %1 : tensor<8x8xf32>
  return %2 : tensor<8x8xf32>
}

// -----

// What comes between but needs nothing of the group does not split it.
// CHECK-LABEL: @between
// CHECK: nn.contract
// CHECK: rt.fused
// CHECK: arith.negf
// CHECK: arith.addf
// CHECK-NOT: rt.fused
func.func @between(%x: tensor<8x8xf32>) -> tensor<8x8xf32> {
  %0 = arith.negf %x : tensor<8x8xf32>
  %1 = nn.contract %x, %x "mk,nk->mn" : (tensor<8x8xf32>, tensor<8x8xf32>) -> tensor<8x8xf32>
  %2 = arith.addf %0, %1 : tensor<8x8xf32>
  return %2 : tensor<8x8xf32>
}

// -----

// A row statistic that is spread along another dim belongs to no row of the same
// kernel.
// CHECK-LABEL: @other_dim
// CHECK: rt.fused
// CHECK: nn.reduce
// CHECK: rt.fused
// CHECK: nn.broadcast
func.func @other_dim(%x: tensor<8x8xf32>) -> tensor<8x8xf32> {
  %0 = nn.reduce %x "sum" dims [1] : (tensor<8x8xf32>) -> tensor<8xf32>
  %1 = nn.broadcast %0 dims [1] : (tensor<8xf32>) -> tensor<8x8xf32>
  %2 = arith.mulf %x, %1 : tensor<8x8xf32>
  return %2 : tensor<8x8xf32>
}

// -----

// A broadcast that two contractions use is materialised; used by a kernel, it is
// cloned.
// CHECK-LABEL: @leaves
// CHECK: %[[B:.*]] = rt.fused (%{{.*}} = %arg0 : tensor<8xf32>)
// CHECK-NEXT: nn.broadcast
// CHECK-NEXT: rt.yield
// CHECK: nn.contract %[[B]]
// CHECK: rt.fused (%{{.*}} = %{{.*}} : tensor<8x8xf32>, %{{.*}} = %arg0 : tensor<8xf32>)
func.func @leaves(%x: tensor<8xf32>, %y: tensor<8x8xf32>) -> tensor<8x8xf32> {
  %0 = nn.broadcast %x dims [1] : (tensor<8xf32>) -> tensor<8x8xf32>
  %1 = nn.contract %0, %y "mk,nk->mn" : (tensor<8x8xf32>, tensor<8x8xf32>) -> tensor<8x8xf32>
  %2 = arith.addf %1, %0 : tensor<8x8xf32>
  return %2 : tensor<8x8xf32>
}

// -----

// A reduction of leading dims is brought to the end.
// CHECK-LABEL: @leading
// CHECK: %[[T:.*]] = nn.transpose %arg0 [1, 0]
// CHECK: rt.fused (%{{.*}} = %[[T]] : tensor<8x4xf32>)
// CHECK-NEXT: nn.reduce %{{.*}} "sum" dims [1] : (tensor<8x4xf32>) -> tensor<8xf32>
func.func @leading(%x: tensor<4x8xf32>) -> tensor<8xf32> {
  %0 = nn.reduce %x "sum" dims [0] : (tensor<4x8xf32>) -> tensor<8xf32>
  return %0 : tensor<8xf32>
}

// -----

// Indices begin at the shard's start, a scalar operand.
// CHECK-LABEL: @iota
// CHECK: rt.fused (%[[S:.*]] = %{{.*}} : index) -> tensor<4xf32>
// CHECK-NEXT: nn.iota from %[[S]] dim 0
tp.mesh @mesh = <["tp"=2]>
func.func @iota() -> tensor<4xf32> {
  %start = tp.shard_start [#tp.axis<"tp">] of @mesh block 4
  %0 = nn.iota from %start dim 0 : tensor<4xi32>
  %1 = arith.sitofp %0 : tensor<4xi32> to tensor<4xf32>
  return %1 : tensor<4xf32>
}

// -----

// A broadcast is written before the kernel that it reads was complete: its own
// kernel comes after that one.
// CHECK-LABEL: @late
// CHECK: %[[G:.*]]:2 = rt.fused
// CHECK: nn.reduce
// CHECK: arith.negf
// CHECK: %[[B:.*]] = rt.fused (%{{.*}} = %[[G]]#0 : tensor<8xf32>)
// CHECK-NEXT: nn.broadcast %{{.*}} dims [1]
// CHECK: return %[[G]]#1, %[[B]]
func.func @late(%x: tensor<8x8xf32>) -> (tensor<8xf32>, tensor<8x8xf32>) {
  %0 = nn.reduce %x "sum" dims [1] : (tensor<8x8xf32>) -> tensor<8xf32>
  %1 = nn.broadcast %0 dims [1] : (tensor<8xf32>) -> tensor<8x8xf32>
  %2 = arith.negf %0 : tensor<8xf32>
  return %2, %1 : tensor<8xf32>, tensor<8x8xf32>
}

// -----

// A reduction of nothing is no kernel.
// CHECK-LABEL: @reduce_nothing
// CHECK-NEXT: return %arg0
func.func @reduce_nothing(%x: tensor<8x64xf32>) -> tensor<8x64xf32> {
  %0 = nn.reduce %x "sum" dims [] : (tensor<8x64xf32>) -> tensor<8x64xf32>
  return %0 : tensor<8x64xf32>
}
