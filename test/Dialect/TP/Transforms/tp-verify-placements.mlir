// Right local programs pass, and come out as they went in.
// RUN: tp-opt %s -tp-verify-placements | FileCheck %s

tp.mesh @mesh = <["dp"=2, "tp"=4]>

// A column-parallel contraction, a row-parallel one, one reduction.
// CHECK-LABEL: func.func @mlp
// CHECK: tp.all_reduce
func.func @mlp(
    %x: tensor<8x64xf32> {tp.global = tensor<8x64xf32>, tp.sharding = #tp.sharding<@mesh, [{}, {}]>},
    %up: tensor<6x64xf32> {tp.global = tensor<24x64xf32>, tp.sharding = #tp.sharding<@mesh, [{"tp"}, {}]>},
    %down: tensor<64x6xf32> {tp.global = tensor<64x24xf32>, tp.sharding = #tp.sharding<@mesh, [{}, {"tp"}]>})
    -> (tensor<8x64xf32> {tp.global = tensor<8x64xf32>, tp.sharding = #tp.sharding<@mesh, [{}, {}]>}) {
  %0 = nn.contract %x, %up "sk,nk->sn" : (tensor<8x64xf32>, tensor<6x64xf32>) -> tensor<8x6xf32>
  %1 = math.exp %0 : tensor<8x6xf32>
  %2 = nn.contract %1, %down "sk,nk->sn" : (tensor<8x6xf32>, tensor<64x6xf32>) -> tensor<8x64xf32>
  %3 = tp.all_reduce %2 sum over [#tp.axis<"tp">] of @mesh : (tensor<8x64xf32>) -> tensor<8x64xf32>
  return %3 : tensor<8x64xf32>
}

// Deferred reductions, of what became partial for the purpose.
// CHECK-LABEL: func.func @deferred
func.func @deferred(
    %residual: tensor<8xf32>,
    %a: tensor<8xf32> {tp.sharding = #tp.sharding<@mesh, [{}], partial = sum{"tp"}>},
    %b: tensor<8xf32> {tp.sharding = #tp.sharding<@mesh, [{}], partial = sum{"tp"}>})
    -> (tensor<2xf32> {tp.global = tensor<8xf32>, tp.sharding = #tp.sharding<@mesh, [{"tp"}]>}) {
  %0 = tp.make_partial %residual over [#tp.axis<"tp">] of @mesh : tensor<8xf32>
  %1 = arith.addf %0, %a : tensor<8xf32>
  %2 = arith.subf %1, %b : tensor<8xf32>
  %3 = tp.reduce_scatter %2 sum dims [0] over [#tp.axis<"tp">] of @mesh : (tensor<8xf32>) -> tensor<2xf32>
  return %3 : tensor<2xf32>
}

// Products of values that are partial over different axes, reduced in two steps,
// by parts of an axis.
// CHECK-LABEL: func.func @product
func.func @product(
    %a: tensor<8xf32> {tp.sharding = #tp.sharding<@mesh, [{}], partial = sum{"dp"}>},
    %b: tensor<8xf32> {tp.sharding = #tp.sharding<@mesh, [{}], partial = sum{"tp"}>}) -> tensor<8xf32> {
  %0 = arith.mulf %a, %b : tensor<8xf32>
  %1 = tp.all_reduce %0 sum over [#tp.axis<"tp":(2)2>, #tp.axis<"dp">] of @mesh : (tensor<8xf32>) -> tensor<8xf32>
  %2 = tp.all_reduce %1 sum over [#tp.axis<"tp":(1)2>] of @mesh : (tensor<8xf32>) -> tensor<8xf32>
  return %2 : tensor<8xf32>
}

// Partial axes have no order, and what is partial may be returned so.
// CHECK-LABEL: func.func @partial
func.func @partial(%x: tensor<8xf32> {tp.sharding = #tp.sharding<@mesh, [{}], partial = sum{"tp", "dp"}>})
    -> (tensor<8xf32> {tp.sharding = #tp.sharding<@mesh, [{}], partial = sum{"tp", "dp"}>}) {
  %0 = arith.negf %x : tensor<8xf32>
  return %0 : tensor<8xf32>
}

// A masked maximum over an uneven dim.
// CHECK-LABEL: func.func @uneven
func.func @uneven(%x: tensor<8x3xf32> {tp.global = tensor<8x9xf32>, tp.sharding = #tp.sharding<@mesh, [{}, {"tp"} pad 12]>})
    -> tensor<8xf32> {
  %start = tp.shard_start [#tp.axis<"tp">] of @mesh block 3
  %0 = tp.mask %x dim 1 from %start size 9 fill 0xFFF0000000000000 : tensor<8x3xf32>
  %1 = nn.reduce %0 "max" dims [1] : (tensor<8x3xf32>) -> tensor<8xf32>
  %2 = tp.all_reduce %1 max over [#tp.axis<"tp">] of @mesh : (tensor<8xf32>) -> tensor<8xf32>
  return %2 : tensor<8xf32>
}

// A vocabulary of 510 on 4 devices: embedding, its gradient, and the best token.
// CHECK-LABEL: func.func @vocabulary
func.func @vocabulary(%ids: tensor<3xi32>,
    %table: tensor<128x16xf32> {tp.global = tensor<510x16xf32>, tp.sharding = #tp.sharding<@mesh, [{"tp"} pad 512, {}]>})
    -> (tensor<128x16xf32> {tp.global = tensor<510x16xf32>, tp.sharding = #tp.sharding<@mesh, [{"tp"} pad 512, {}]>},
        tensor<3x1xi32> {tp.global = tensor<3x1xi32>, tp.sharding = #tp.sharding<@mesh, [{}, {}]>}) {
  %start = tp.shard_start [#tp.axis<"tp">] of @mesh block 128
  %0 = nn.embedding %ids, %table from %start of 510 : (tensor<3xi32>, tensor<128x16xf32>, index) -> tensor<3x16xf32>
  %rows = tp.all_reduce %0 sum over [#tp.axis<"tp">] of @mesh : (tensor<3x16xf32>) -> tensor<3x16xf32>
  %1 = nn.embedding_gradient %ids, %rows from %start of 510 : (tensor<3xi32>, tensor<3x16xf32>, index) -> tensor<128x16xf32>
  %logits = nn.contract %rows, %table "sk,vk->sv" : (tensor<3x16xf32>, tensor<128x16xf32>) -> tensor<3x128xf32>
  %2:2 = nn.top_k %logits from %start k 1 segments 4 of 510 : (tensor<3x128xf32>, index) -> (tensor<3x1xf32>, tensor<3x1xi32>)
  %3:2 = tp.all_gather %2#0, %2#1 dims [1, 1] over [#tp.axis<"tp">] of @mesh : (tensor<3x1xf32>, tensor<3x1xi32>) -> (tensor<3x4xf32>, tensor<3x4xi32>)
  %4:2 = nn.top_k %3#0 ids %3#1 k 1 of 510 : (tensor<3x4xf32>, tensor<3x4xi32>) -> (tensor<3x1xf32>, tensor<3x1xi32>)
  return %1, %4#1 : tensor<128x16xf32>, tensor<3x1xi32>
}

// Positions along an uneven dim.
// CHECK-LABEL: func.func @positions
func.func @positions(%x: tensor<3xi32> {tp.global = tensor<9xi32>, tp.sharding = #tp.sharding<@mesh, [{"tp"} pad 12]>})
    -> (tensor<3xi32> {tp.global = tensor<9xi32>, tp.sharding = #tp.sharding<@mesh, [{"tp"} pad 12]>}) {
  %start = tp.shard_start [#tp.axis<"tp">] of @mesh block 3
  %0 = nn.iota from %start dim 0 : tensor<3xi32>
  %1 = arith.addi %0, %x : tensor<3xi32>
  return %1 : tensor<3xi32>
}

// What does not depend on the position, a splat or a repeated dim, is right for
// every sharding; so are its heads.
// CHECK-LABEL: func.func @uniform
func.func @uniform(
    %x: tensor<2x6xf32> {tp.global = tensor<8x6xf32>, tp.sharding = #tp.sharding<@mesh, [{"tp"}, {}]>},
    %b: tensor<6xf32>)
    -> (tensor<2x2x3xf32> {tp.global = tensor<8x2x3xf32>, tp.sharding = #tp.sharding<@mesh, [{"tp"}, {}, {}]>}) {
  %0 = nn.broadcast %b dims [1] : (tensor<6xf32>) -> tensor<2x6xf32>
  %1 = arith.addf %x, %0 : tensor<2x6xf32>
  %2 = nn.reshape %1 from [8, 6] to [8, 2, 3] : (tensor<2x6xf32>) -> tensor<2x2x3xf32>
  %two = arith.constant dense<2.0> : tensor<2x6xf32>
  %3 = nn.reshape %two from [8, 6] to [8, 2, 3] : (tensor<2x6xf32>) -> tensor<2x2x3xf32>
  %4 = arith.mulf %3, %2 : tensor<2x2x3xf32>
  return %4 : tensor<2x2x3xf32>
}

// From one dim to another and back, by parts of an axis.
// CHECK-LABEL: func.func @there_and_back
func.func @there_and_back(%x: tensor<2x8xf32> {tp.global = tensor<8x8xf32>, tp.sharding = #tp.sharding<@mesh, [{"tp"}, {}]>})
    -> (tensor<2x8xf32> {tp.global = tensor<8x8xf32>, tp.sharding = #tp.sharding<@mesh, [{"tp"}, {}]>}) {
  %0 = tp.all_to_all %x gather [0] split [1] over [#tp.axis<"tp":(2)2>] of @mesh : (tensor<2x8xf32>) -> tensor<4x4xf32>
  %1 = tp.all_gather %0 dims [1] over [#tp.axis<"tp":(2)2>] of @mesh : (tensor<4x4xf32>) -> tensor<4x8xf32>
  %2 = tp.slice %1 dim 0 over [#tp.axis<"tp":(2)2>] of @mesh : (tensor<4x8xf32>) -> tensor<2x8xf32>
  return %2 : tensor<2x8xf32>
}

// Nothing to prove.
// CHECK-LABEL: func.func @empty
func.func @empty() {
  return
}
// CHECK: func.func private @external(tensor<8xf32>)
func.func private @external(tensor<8xf32>)

// An axis over a merged dim may end in its minor part.
// CHECK-LABEL: func.func @cut_axis
func.func @cut_axis(%x: tensor<1xf32> {tp.global = tensor<4xf32>, tp.sharding = #tp.sharding<@mesh, [{"tp"}]>})
    -> (tensor<1x1xf32> {tp.global = tensor<2x2xf32>, tp.sharding = #tp.sharding<@mesh, [{"tp":(1)2}, {"tp":(2)2}]>}) {
  %0 = nn.reshape %x from [4] to [2, 2] : (tensor<1xf32>) -> tensor<1x1xf32>
  return %0 : tensor<1x1xf32>
}

// A wait denotes what the collective denotes, padding and all.
// CHECK-LABEL: func.func @halves
func.func @halves(%x: tensor<2xf32> {tp.global = tensor<7xf32>, tp.sharding = #tp.sharding<@mesh, [{"tp"} pad 8]>})
    -> (tensor<8xf32> {tp.global = tensor<7xf32>, tp.sharding = #tp.sharding<@mesh, [{} pad 8]>}) {
  %0 = tp.all_gather %x dims [0] over [#tp.axis<"tp">] of @mesh : (tensor<2xf32>) -> !tp.pending<tensor<8xf32>>
  %1 = tp.wait %0 : !tp.pending<tensor<8xf32>>
  return %1 : tensor<8xf32>
}
