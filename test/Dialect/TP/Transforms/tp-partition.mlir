// From global tensors to what one device holds.
// RUN: tp-opt %s -tp-propagate -tp-insert-reshards -tp-partition | FileCheck %s
// The proof finds nothing wrong.
// RUN: tp-opt %s -tp-propagate -tp-insert-reshards -tp-partition -tp-verify-placements -o /dev/null

tp.mesh @mesh = <["tp"=4]>

// The example of the pass's description: a reshard becomes a collective and says
// why; arguments and results keep their sharding and their global type.
// CHECK-LABEL: func.func @documented
// CHECK-SAME: %arg0: tensor<8x6xf32> {tp.global = tensor<8x24xf32>, tp.sharding = #tp.sharding<@mesh, [{}, {"tp"}]>}
// CHECK-SAME: -> (tensor<8x64xf32> {tp.global = tensor<8x64xf32>, tp.sharding = #tp.sharding<@mesh, [{}, {}]>})
// CHECK-NEXT: %[[DOT:.*]] = nn.contract %arg0, %arg1 "sk,nk->sn" : (tensor<8x6xf32>, tensor<64x6xf32>) -> tensor<8x64xf32>
// CHECK-NEXT: %[[SUM:.*]] = tp.all_reduce %[[DOT]] sum over [#tp.axis<"tp">] of @mesh reason "output of o_proj is [tp: Partial(sum)]; its user needs [tp: Replicate]" module "o_proj" : (tensor<8x64xf32>) -> tensor<8x64xf32>
// CHECK-NEXT: %[[Y:.*]] = nn.rms_norm %[[SUM]], %arg2 epsilon 1.000000e-05 : (tensor<8x64xf32>, tensor<64xf32>) -> tensor<8x64xf32>
// CHECK-NEXT: return %[[Y]]
func.func @documented(
    %x: tensor<8x24xf32> {tp.sharding = #tp.sharding<@mesh, [{}, {"tp"}]>},
    %w: tensor<64x24xf32> {tp.sharding = #tp.sharding<@mesh, [{}, {"tp"}]>},
    %g: tensor<64xf32>) -> tensor<8x64xf32> {
  %0 = nn.contract %x, %w "sk,nk->sn" : (tensor<8x24xf32>, tensor<64x24xf32>) -> tensor<8x64xf32> loc("o_proj")
  %1 = nn.rms_norm %0, %g epsilon 1.0e-5 : (tensor<8x64xf32>, tensor<64xf32>) -> tensor<8x64xf32>
  return %1 : tensor<8x64xf32>
}

// The other moves of a placement.
// CHECK-LABEL: func.func @moves
// CHECK: tp.all_to_all %arg0 gather [0] split [1] {{.*}} : (tensor<2x8xf32>) -> tensor<8x2xf32>
// CHECK: tp.all_gather %arg0 dims [0] {{.*}} : (tensor<2x8xf32>) -> tensor<8x8xf32>
// CHECK: tp.slice %arg1 dim 0 over [#tp.axis<"tp">] of @mesh : (tensor<8x8xf32>) -> tensor<2x8xf32>
// CHECK: tp.make_partial %arg1 over [#tp.axis<"tp">] of @mesh : tensor<8x8xf32>
// CHECK: tp.reduce_scatter %arg2 sum dims [1] {{.*}} : (tensor<8x8xf32>) -> tensor<8x2xf32>
func.func @moves(
    %sharded: tensor<8x8xf32> {tp.sharding = #tp.sharding<@mesh, [{"tp"}, {}]>},
    %whole: tensor<8x8xf32> {tp.sharding = #tp.sharding<@mesh, [{}, {}]>},
    %partial: tensor<8x8xf32> {tp.sharding = #tp.sharding<@mesh, [{}, {}], partial = sum{"tp"}>})
    -> (tensor<8x8xf32> {tp.sharding = #tp.sharding<@mesh, [{}, {"tp"}]>},
        tensor<8x8xf32> {tp.sharding = #tp.sharding<@mesh, [{}, {}]>},
        tensor<8x8xf32> {tp.sharding = #tp.sharding<@mesh, [{"tp"}, {}]>},
        tensor<8x8xf32> {tp.sharding = #tp.sharding<@mesh, [{}, {}], partial = sum{"tp"}>},
        tensor<8x8xf32> {tp.sharding = #tp.sharding<@mesh, [{}, {"tp"}]>}) {
  return %sharded, %sharded, %whole, %whole, %partial : tensor<8x8xf32>, tensor<8x8xf32>, tensor<8x8xf32>, tensor<8x8xf32>, tensor<8x8xf32>
}

// Ops that read global positions are given the start of their shard, once.
// CHECK-LABEL: func.func @positions
// CHECK-NEXT: %[[TABLE:.*]] = tp.shard_start [#tp.axis<"tp">] of @mesh block 128
// CHECK-NEXT: %[[ROWS:.*]] = tp.shard_start [#tp.axis<"tp">] of @mesh block 2
// CHECK-NEXT: %[[IOTA:.*]] = nn.iota from %[[ROWS]] dim 0 : tensor<2xi32>
// CHECK-NEXT: arith.addi %[[IOTA]], %arg0
// 510 rows are padded to 512; the embedding itself takes care of them.
// CHECK-NEXT: nn.embedding %arg2, %arg1 from %[[TABLE]] of 510 : (tensor<3xi32>, tensor<128x64xf32>, index) -> tensor<3x64xf32>
// CHECK-NEXT: nn.iota from %[[ROWS]] dim 0 : tensor<2xi32>
func.func @positions(
    %x: tensor<8xi32> {tp.sharding = #tp.sharding<@mesh, [{"tp"}]>},
    %table: tensor<510x64xf32> {tp.sharding = #tp.sharding<@mesh, [{"tp"}, {}]>},
    %ids: tensor<3xi32>)
    -> (tensor<8xi32>, tensor<3x64xf32> {tp.sharding = #tp.sharding<@mesh, [{}, {}], partial = sum{"tp"}>}, tensor<8xi32>) {
  %iota = nn.iota dim 0 : tensor<8xi32>
  %0 = arith.addi %iota, %x : tensor<8xi32>
  %1 = nn.embedding %ids, %table : (tensor<3xi32>, tensor<510x64xf32>) -> tensor<3x64xf32>
  %again = nn.iota dim 0 : tensor<8xi32>
  %2 = arith.addi %again, %x : tensor<8xi32>
  return %0, %1, %2 : tensor<8xi32>, tensor<3x64xf32>, tensor<8xi32>
}

// Padding is masked before reductions, with what is neutral, once; a parameter's
// is zero already.
// CHECK-LABEL: func.func @padding
// CHECK-NEXT: %[[START:.*]] = tp.shard_start [#tp.axis<"tp">] of @mesh block 3
// CHECK-NEXT: %[[X:.*]] = math.exp %arg0 : tensor<8x3xf32>
// CHECK-NEXT: %[[ZERO:.*]] = tp.mask %[[X]] dim 1 from %[[START]] size 9 fill 0.000000e+00 : tensor<8x3xf32>
// CHECK-NEXT: nn.contract %[[ZERO]], %arg1 "sk,nk->sn"
// CHECK-NEXT: %[[LOW:.*]] = tp.mask %[[X]] dim 1 from %[[START]] size 9 fill 0xFFF0000000000000
// CHECK-NEXT: nn.reduce %[[LOW]] "max"
// CHECK-NEXT: %[[HIGH:.*]] = tp.mask %[[X]] dim 1 from %[[START]] size 9 fill 0x7FF0000000000000
// CHECK-NEXT: nn.reduce %[[HIGH]] "min"
// CHECK-NEXT: %[[ONE:.*]] = tp.mask %[[X]] dim 1 from %[[START]] size 9 fill 1.000000e+00
// CHECK-NEXT: nn.reduce %[[ONE]] "product"
// CHECK-NEXT: nn.reduce %[[ZERO]] "sum"
// CHECK-NOT: tp.mask
// CHECK: return
func.func @padding(
    %x: tensor<8x9xf32> {tp.sharding = #tp.sharding<@mesh, [{}, {"tp"}]>},
    %w: tensor<64x9xf32> {nn.parameter = #nn.parameter<name = "w", tensor = "w", shape = [64, 9], offset = [0, 0],
                          dims = [0, 1], strides = [1, 1], initialisation = "normal">})
    -> (tensor<8x64xf32>, tensor<8xf32>, tensor<8xf32>, tensor<8xf32>, tensor<8xf32>) {
  %0 = math.exp %x : tensor<8x9xf32>
  %1 = nn.contract %0, %w "sk,nk->sn" : (tensor<8x9xf32>, tensor<64x9xf32>) -> tensor<8x64xf32>
  %2 = nn.reduce %0 "max" dims [1] : (tensor<8x9xf32>) -> tensor<8xf32>
  %3 = nn.reduce %0 "min" dims [1] : (tensor<8x9xf32>) -> tensor<8xf32>
  %4 = nn.reduce %0 "product" dims [1] : (tensor<8x9xf32>) -> tensor<8xf32>
  %5 = nn.reduce %0 "sum" dims [1] : (tensor<8x9xf32>) -> tensor<8xf32>
  return %1, %2, %3, %4, %5 : tensor<8x64xf32>, tensor<8xf32>, tensor<8xf32>, tensor<8xf32>, tensor<8xf32>
}

// An argument is masked in its local type, too.
// CHECK-LABEL: func.func @padded_argument
// CHECK: tp.mask %arg0 dim 0 from %{{.*}} size 9 fill 0xFFF0000000000000 : tensor<3xf32>
func.func @padded_argument(%x: tensor<9xf32> {tp.sharding = #tp.sharding<@mesh, [{"tp"}]>}) -> tensor<f32> {
  %0 = nn.reduce %x "max" dims [0] : (tensor<9xf32>) -> tensor<f32>
  return %0 : tensor<f32>
}

// A local reshape keeps the global shapes, which say what corresponds; a splat is
// cut; a constraint that is met is gone.
// CHECK-LABEL: func.func @shapes
// CHECK-NEXT: nn.reshape %arg0 from [8, 24] to [8, 4, 6] : (tensor<8x6xf32>) -> tensor<8x1x6xf32>
// CHECK-NEXT: arith.constant dense<2.000000e+00> : tensor<8x1x6xf32>
// CHECK-NEXT: arith.mulf
// CHECK-NEXT: return
func.func @shapes(%x: tensor<8x24xf32> {tp.sharding = #tp.sharding<@mesh, [{}, {"tp"}]>}) -> tensor<8x4x6xf32> {
  %0 = nn.reshape %x : (tensor<8x24xf32>) -> tensor<8x4x6xf32>
  %two = arith.constant dense<2.0> : tensor<8x4x6xf32>
  %1 = arith.mulf %0, %two : tensor<8x4x6xf32>
  %2 = tp.constraint %1 to <@mesh, [{}, {"tp"}, {}]> : tensor<8x4x6xf32>
  return %2 : tensor<8x4x6xf32>
}

// Any other constant is whole on every device.
// CHECK-LABEL: func.func @constant
// CHECK: %[[ALL:.*]] = arith.constant dense<[1, 2, 3, 4]> : tensor<4xi32>
// CHECK-NEXT: %[[MINE:.*]] = tp.slice %[[ALL]] dim 0 {{.*}} -> tensor<1xi32>
// CHECK-NEXT: arith.addi %[[MINE]], %arg0 : tensor<1xi32>
func.func @constant(%x: tensor<4xi32> {tp.sharding = #tp.sharding<@mesh, [{"tp"}]>}) -> tensor<4xi32> {
  %0 = arith.constant dense<[1, 2, 3, 4]> : tensor<4xi32>
  %1 = arith.addi %0, %x : tensor<4xi32>
  return %1 : tensor<4xi32>
}

// Values that are no tensors, and nothing at all.
// CHECK-LABEL: func.func @scalars(%arg0: index, %arg1: tensor<f32> {tp.global = tensor<f32>, tp.sharding = #tp.sharding<@mesh, []>})
// CHECK-SAME: -> (index, tensor<f32> {tp.global
func.func @scalars(%i: index, %x: tensor<f32>) -> (index, tensor<f32>) {
  return %i, %x : index, tensor<f32>
}
// CHECK-LABEL: func.func @empty
func.func @empty() {
  return
}
// CHECK: func.func private @external(tensor<8xf32>)
func.func private @external(tensor<8xf32>)

// The verifier sees no axes on a splat; where it is reduced, a mask names them.
// CHECK-LABEL: func.func @splat_reduced
// CHECK: %[[ONES:.*]] = arith.constant dense<1.000000e+00> : tensor<8x2xf32>
// CHECK: %[[NAMED:.*]] = tp.mask %[[ONES]] dim 1 {{.*}} size 8 fill 0.000000e+00
// CHECK: %[[SUM:.*]] = nn.reduce %[[NAMED]] "sum" dims [1]
// CHECK: tp.all_reduce %[[SUM]] sum
func.func @splat_reduced() -> tensor<8xf32> {
  %ones = arith.constant dense<1.0> : tensor<8x8xf32>
  %0 = tp.constraint %ones to <@mesh, [{}, {"tp"}]> : tensor<8x8xf32>
  %1 = nn.reduce %0 "sum" dims [1] : (tensor<8x8xf32>) -> tensor<8xf32>
  return %1 : tensor<8xf32>
}

// It may be gathered and exchanged, and be a table.
// CHECK-LABEL: func.func @splat_moved
// CHECK: tp.all_gather
// CHECK: tp.all_reduce
func.func @splat_moved(%id: tensor<i32>) -> (tensor<8x8xf32> {tp.sharding = #tp.sharding<@mesh, [{}, {}]>}, tensor<8xf32>) {
  %ones = arith.constant dense<1.0> : tensor<8x8xf32>
  %0 = tp.constraint %ones to <@mesh, [{"tp"}, {}]> : tensor<8x8xf32>
  %1 = nn.embedding %id, %0 : (tensor<i32>, tensor<8x8xf32>) -> tensor<8xf32>
  return %0, %1 : tensor<8x8xf32>, tensor<8xf32>
}

// Merging it with another dim.
// CHECK-LABEL: func.func @splat_merged
// CHECK: tp.mask {{.*}} dim 0
// CHECK: nn.reshape {{.*}} -> tensor<3xf32>
func.func @splat_merged(%x: tensor<3xf32>) -> tensor<12xf32> {
  %0 = nn.broadcast %x dims [1] : (tensor<3xf32>) -> tensor<4x3xf32>
  %1 = tp.constraint %0 to <@mesh, [{"tp"}, {}]> : tensor<4x3xf32>
  %2 = nn.reshape %1 : (tensor<4x3xf32>) -> tensor<12xf32>
  return %2 : tensor<12xf32>
}

// State goes back to its argument, with the padding of whatever became of it.
// CHECK-LABEL: func.func @state
// CHECK-SAME: (%arg0: tensor<4x2xf32> {nn.state = "s", tp.global = tensor<3x2xf32>, tp.sharding = #tp.sharding<@mesh, [{} pad 4, {}]>}
// CHECK-SAME: -> (tensor<4x2xf32> {nn.state = "s", tp.global = tensor<3x2xf32>, tp.sharding = #tp.sharding<@mesh, [{} pad 4, {}]>}
func.func @state(%s: tensor<3x2xf32> {nn.state = "s", tp.sharding = #tp.sharding<@mesh, [{}, {}]>}, %x: tensor<3x2xf32>)
    -> (tensor<3x2xf32> {nn.state = "s"}, tensor<3x2xf32>) {
  %0 = arith.negf %x : tensor<3x2xf32>
  %1 = tp.constraint %0 to <@mesh, [{"tp"}, {}]> : tensor<3x2xf32>
  return %0, %1 : tensor<3x2xf32>, tensor<3x2xf32>
}

// Ops that cannot handle padding get a whole dim without it, cut once.
// CHECK-LABEL: func.func @cannot_pad
// CHECK-NEXT: %[[X:.*]] = tp.all_gather %arg0 dims [1]
// CHECK-NEXT: %[[CUT:.*]] = tp.resize %[[X]] dim 1 : (tensor<2x8xf32>) -> tensor<2x5xf32>
// CHECK-NEXT: nn.slice %[[CUT]] offsets [0, 1] strides [1, 1]
// CHECK-NEXT: nn.reshape %[[CUT]] from [2, 5] to [10]
// CHECK-NEXT: nn.concat %[[CUT]], %[[CUT]] dim 1
// CHECK-NEXT: return
func.func @cannot_pad(%x: tensor<2x5xf32> {tp.sharding = #tp.sharding<@mesh, [{}, {"tp"}]>})
    -> (tensor<2x4xf32>, tensor<10xf32>, tensor<2x10xf32>) {
  %0 = nn.slice %x offsets [0, 1] strides [1, 1] : (tensor<2x5xf32>) -> tensor<2x4xf32>
  %1 = nn.reshape %x : (tensor<2x5xf32>) -> tensor<10xf32>
  %2 = nn.concat %x, %x dim 1 : (tensor<2x5xf32>, tensor<2x5xf32>) -> tensor<2x10xf32>
  return %0, %1, %2 : tensor<2x4xf32>, tensor<10xf32>, tensor<2x10xf32>
}

// What they make is padded behind them.
// CHECK-LABEL: func.func @constant_padded
// CHECK-NEXT: %[[C:.*]] = arith.constant dense<[1.000000e+00, {{.*}}]> : tensor<5xf32>
// CHECK-NEXT: %[[PADDED:.*]] = tp.resize %[[C]] dim 0 : (tensor<5xf32>) -> tensor<8xf32>
// CHECK-NEXT: %[[BLOCK:.*]] = tp.slice %[[PADDED]] dim 0
// CHECK-NEXT: arith.addf %arg0, %[[BLOCK]] : tensor<2xf32>
func.func @constant_padded(%x: tensor<5xf32> {tp.sharding = #tp.sharding<@mesh, [{"tp"}]>}) -> tensor<5xf32> {
  %0 = arith.constant dense<[1.0, 2.0, 3.0, 4.0, 5.0]> : tensor<5xf32>
  %1 = arith.addf %x, %0 : tensor<5xf32>
  return %1 : tensor<5xf32>
}

// An index may be cut to any size.
// CHECK-LABEL: func.func @index
// CHECK: %[[ALL:.*]] = tp.all_gather {{.*}} -> tensor<2x2x4xi32>
// CHECK-NEXT: %[[CUT:.*]] = tp.resize %[[ALL]] dim 2 : (tensor<2x2x4xi32>) -> tensor<2x2x2xi32>
// CHECK-NEXT: nn.reshape %[[CUT]]
func.func @index() -> tensor<2x4xi32> {
  %0 = nn.iota dim 2 : tensor<2x2x2xi32>
  %1 = tp.constraint %0 to <@mesh, [{}, {}, {"tp"}]> : tensor<2x2x2xi32>
  %2 = nn.reshape %1 : (tensor<2x2x2xi32>) -> tensor<2x4xi32>
  return %2 : tensor<2x4xi32>
}

// One element is kept by any stride, which says nothing of padding.
// CHECK-LABEL: func.func @stride
// CHECK: nn.slice %{{.*}} offsets [0, 0] strides [2, 1] : (tensor<1x2xf32>) -> tensor<1x2xf32>
func.func @stride(%x: tensor<1x8xf32> {tp.sharding = #tp.sharding<@mesh, [{}, {"tp"}]>}) -> tensor<1x8xf32> {
  %0 = nn.slice %x offsets [0, 0] strides [2, 1] : (tensor<1x8xf32>) -> tensor<1x8xf32>
  return %0 : tensor<1x8xf32>
}

// Padding of ids would be refused at run time.
// CHECK-LABEL: func.func @padded_ids
// CHECK: %[[IDS:.*]] = tp.mask %arg0 dim 0 {{.*}} size 6 fill 0.000000e+00 : tensor<2xi32>
// CHECK: nn.embedding %[[IDS]]
func.func @padded_ids(%ids: tensor<6xi32> {tp.sharding = #tp.sharding<@mesh, [{"tp"} pad 8]>}, %t: tensor<5x2xf32>) -> tensor<6x2xf32> {
  %0 = nn.embedding %ids, %t : (tensor<6xi32>, tensor<5x2xf32>) -> tensor<6x2xf32>
  return %0 : tensor<6x2xf32>
}
