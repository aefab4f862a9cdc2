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
}
