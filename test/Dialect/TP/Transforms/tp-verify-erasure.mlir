// A local program and the global one that it was made from.
// RUN: tp-opt %s -tp-verify-erasure | FileCheck %s --check-prefix=KEPT
// RUN: tp-opt %s -tp-verify-erasure=drop | FileCheck %s --check-prefix=DROPPED

// KEPT: tp.program
// DROPPED-NOT: tp.program
tp.mesh @mesh = <["tp"=4]>

// Starts, masks and collectives are nothing but placement; the table is told of
// its true rows.
func.func @lookup(
    %ids: tensor<3xi32> {tp.global = tensor<3xi32>},
    %table: tensor<3x8xf32> {tp.global = tensor<10x8xf32>, tp.sharding = #tp.sharding<@mesh, [{"tp"} pad 12, {}]>})
    -> (tensor<3xf32> {tp.global = tensor<3xf32>}) {
  %start = tp.shard_start [#tp.axis<"tp">] of @mesh block 3
  %0 = nn.embedding %ids, %table from %start of 10 : (tensor<3xi32>, tensor<3x8xf32>, index) -> tensor<3x8xf32>
  %1 = tp.reduce_scatter %0 sum dims [1] over [#tp.axis<"tp">] of @mesh : (tensor<3x8xf32>) -> tensor<3x2xf32>
  %2 = nn.reduce %1 "sum" dims [1] : (tensor<3x2xf32>) -> tensor<3xf32>
  %p = tp.all_reduce %2 sum over [#tp.axis<"tp">] of @mesh : (tensor<3xf32>) -> !tp.pending<tensor<3xf32>>
  %3 = tp.wait %p : !tp.pending<tensor<3xf32>>
  return %3 : tensor<3xf32>
}

// What is computed twice in the one may be computed once in the other, and the
// other way round.
func.func @twice(%x: tensor<2xf32> {tp.global = tensor<8xf32>, tp.sharding = #tp.sharding<@mesh, [{"tp"}]>})
    -> (tensor<2xf32> {tp.global = tensor<8xf32>, tp.sharding = #tp.sharding<@mesh, [{"tp"}]>}) {
  %0 = arith.negf %x : tensor<2xf32>
  %1 = math.exp %0 : tensor<2xf32>
  %2 = math.exp %0 : tensor<2xf32>
  %3 = arith.addf %1, %2 : tensor<2xf32>
  return %3 : tensor<2xf32>
}

// Splats of one value, of several sizes: which one a part belongs to, its use
// says.
func.func @splats(%x: tensor<2xf32> {tp.global = tensor<8xf32>, tp.sharding = #tp.sharding<@mesh, [{"tp"}]>})
    -> (tensor<2xf32> {tp.global = tensor<8xf32>, tp.sharding = #tp.sharding<@mesh, [{"tp"}]>}, tensor<1x1xf32>, tensor<4xf32>) {
  %0 = arith.constant dense<1.0> : tensor<2xf32>
  %1 = arith.addf %x, %0 : tensor<2xf32>
  %2 = arith.constant dense<1.0> : tensor<1x1xf32>
  %3 = arith.constant dense<1.0> : tensor<4xf32>
  return %1, %2, %3 : tensor<2xf32>, tensor<1x1xf32>, tensor<4xf32>
}

// Every operand is a part of a splat of 4 or of 8: in how many ways that could
// be read does not matter.
func.func @many() -> (tensor<160xf32>, tensor<4xf32>) {
  %0 = arith.constant dense<3.0> : tensor<4xf32>
  %1 = nn.concat %0, %0, %0, %0, %0, %0, %0, %0, %0, %0, %0, %0, %0, %0, %0, %0, %0, %0, %0, %0, %0, %0, %0, %0, %0, %0, %0, %0, %0, %0, %0, %0, %0, %0, %0, %0, %0, %0, %0, %0 dim 0 : (tensor<4xf32>, tensor<4xf32>, tensor<4xf32>, tensor<4xf32>, tensor<4xf32>, tensor<4xf32>, tensor<4xf32>, tensor<4xf32>, tensor<4xf32>, tensor<4xf32>, tensor<4xf32>, tensor<4xf32>, tensor<4xf32>, tensor<4xf32>, tensor<4xf32>, tensor<4xf32>, tensor<4xf32>, tensor<4xf32>, tensor<4xf32>, tensor<4xf32>, tensor<4xf32>, tensor<4xf32>, tensor<4xf32>, tensor<4xf32>, tensor<4xf32>, tensor<4xf32>, tensor<4xf32>, tensor<4xf32>, tensor<4xf32>, tensor<4xf32>, tensor<4xf32>, tensor<4xf32>, tensor<4xf32>, tensor<4xf32>, tensor<4xf32>, tensor<4xf32>, tensor<4xf32>, tensor<4xf32>, tensor<4xf32>, tensor<4xf32>) -> tensor<160xf32>
  return %1, %0 : tensor<160xf32>, tensor<4xf32>
}

// A splat and an index that are masked where they are added up.
func.func @counted() -> (
    tensor<f32> {tp.sharding = #tp.sharding<@mesh, [], partial = sum{"tp"}>},
    tensor<f32> {tp.sharding = #tp.sharding<@mesh, [], partial = sum{"tp"}>}, tensor<f32>) {
  %start = tp.shard_start [#tp.axis<"tp">] of @mesh block 2
  %0 = arith.constant dense<2.0> : tensor<2xf32>
  %1 = tp.mask %0 dim 0 from %start size 7 fill 0.0 : tensor<2xf32>
  %2 = nn.reduce %1 "sum" dims [0] : (tensor<2xf32>) -> tensor<f32>
  %3 = nn.iota from %start dim 0 : tensor<2xi32>
  %f = arith.sitofp %3 : tensor<2xi32> to tensor<2xf32>
  %4 = tp.mask %f dim 0 from %start size 7 fill 0.0 : tensor<2xf32>
  %5 = nn.reduce %4 "sum" dims [0] : (tensor<2xf32>) -> tensor<f32>
  %6 = nn.reduce %0 "sum" dims [0] : (tensor<2xf32>) -> tensor<f32>
  return %2, %5, %6 : tensor<f32>, tensor<f32>, tensor<f32>
}

// Segments are as wide as the padded dim makes them.
func.func @segments(%x: tensor<4xf32> {tp.global = tensor<6xf32>, tp.sharding = #tp.sharding<@mesh, [{"tp":(1)2} pad 8]>})
    -> (tensor<2xf32>, tensor<2xi32>) {
  %start = tp.shard_start [#tp.axis<"tp":(1)2>] of @mesh block 4
  %0:2 = nn.top_k %x from %start k 2 segments 2 of 6 : (tensor<4xf32>, index) -> (tensor<2xf32>, tensor<2xi32>)
  %1:2 = tp.all_gather %0#0, %0#1 dims [0, 0] over [#tp.axis<"tp":(1)2>] of @mesh : (tensor<2xf32>, tensor<2xi32>) -> (tensor<4xf32>, tensor<4xi32>)
  %2:2 = nn.top_k %1#0 ids %1#1 k 2 of 6 : (tensor<4xf32>, tensor<4xi32>) -> (tensor<2xf32>, tensor<2xi32>)
  return %2#0, %2#1 : tensor<2xf32>, tensor<2xi32>
}

tp.program {
  tp.mesh @mesh = <["tp"=4]>
  func.func @lookup(%ids: tensor<3xi32>, %table: tensor<10x8xf32>) -> tensor<3xf32> {
    %0 = nn.embedding %ids, %table of 10 : (tensor<3xi32>, tensor<10x8xf32>) -> tensor<3x8xf32>
    %1 = tp.reshard %0 from <@mesh, [{}, {}], partial = sum{"tp"}> to <@mesh, [{}, {"tp"}]> : tensor<3x8xf32>
    %2 = nn.reduce %1 "sum" dims [1] : (tensor<3x8xf32>) -> tensor<3xf32>
    return %2 : tensor<3xf32>
  }
  func.func @twice(%x: tensor<8xf32>) -> tensor<8xf32> {
    %0 = arith.negf %x : tensor<8xf32>
    %1 = arith.negf %x : tensor<8xf32>
    %2 = math.exp %0 : tensor<8xf32>
    %3 = math.exp %1 : tensor<8xf32>
    %4 = arith.addf %2, %3 : tensor<8xf32>
    return %4 : tensor<8xf32>
  }
  func.func @splats(%x: tensor<8xf32>) -> (tensor<8xf32>, tensor<1x1xf32>, tensor<4xf32>) {
    %0 = arith.constant dense<1.0> : tensor<1x1xf32>
    %1 = arith.constant dense<1.0> : tensor<4xf32>
    %2 = arith.constant dense<1.0> : tensor<8xf32>
    %3 = arith.addf %x, %2 : tensor<8xf32>
    return %3, %0, %1 : tensor<8xf32>, tensor<1x1xf32>, tensor<4xf32>
  }
  func.func @many() -> (tensor<160xf32>, tensor<4xf32>) {
    %other = arith.constant dense<3.0> : tensor<8xf32>
    %0 = arith.constant dense<3.0> : tensor<4xf32>
    %1 = nn.concat %0, %0, %0, %0, %0, %0, %0, %0, %0, %0, %0, %0, %0, %0, %0, %0, %0, %0, %0, %0, %0, %0, %0, %0, %0, %0, %0, %0, %0, %0, %0, %0, %0, %0, %0, %0, %0, %0, %0, %0 dim 0 : (tensor<4xf32>, tensor<4xf32>, tensor<4xf32>, tensor<4xf32>, tensor<4xf32>, tensor<4xf32>, tensor<4xf32>, tensor<4xf32>, tensor<4xf32>, tensor<4xf32>, tensor<4xf32>, tensor<4xf32>, tensor<4xf32>, tensor<4xf32>, tensor<4xf32>, tensor<4xf32>, tensor<4xf32>, tensor<4xf32>, tensor<4xf32>, tensor<4xf32>, tensor<4xf32>, tensor<4xf32>, tensor<4xf32>, tensor<4xf32>, tensor<4xf32>, tensor<4xf32>, tensor<4xf32>, tensor<4xf32>, tensor<4xf32>, tensor<4xf32>, tensor<4xf32>, tensor<4xf32>, tensor<4xf32>, tensor<4xf32>, tensor<4xf32>, tensor<4xf32>, tensor<4xf32>, tensor<4xf32>, tensor<4xf32>, tensor<4xf32>) -> tensor<160xf32>
    return %1, %0 : tensor<160xf32>, tensor<4xf32>
  }
  func.func @counted() -> (tensor<f32>, tensor<f32>, tensor<f32>) {
    %0 = arith.constant dense<2.0> : tensor<7xf32>
    %1 = arith.constant dense<2.0> : tensor<2xf32>
    %2 = nn.reduce %0 "sum" dims [0] : (tensor<7xf32>) -> tensor<f32>
    %3 = nn.iota dim 0 : tensor<7xi32>
    %f = arith.sitofp %3 : tensor<7xi32> to tensor<7xf32>
    %4 = nn.reduce %f "sum" dims [0] : (tensor<7xf32>) -> tensor<f32>
    %5 = nn.reduce %1 "sum" dims [0] : (tensor<2xf32>) -> tensor<f32>
    return %2, %4, %5 : tensor<f32>, tensor<f32>, tensor<f32>
  }
  func.func @segments(%x: tensor<6xf32>) -> (tensor<2xf32>, tensor<2xi32>) {
    %0:2 = nn.top_k %x k 2 segments 2 : (tensor<6xf32>) -> (tensor<4xf32>, tensor<4xi32>)
    %1:2 = nn.top_k %0#0 ids %0#1 k 2 of 6 : (tensor<4xf32>, tensor<4xi32>) -> (tensor<2xf32>, tensor<2xi32>)
    return %1#0, %1#1 : tensor<2xf32>, tensor<2xi32>
  }
}
