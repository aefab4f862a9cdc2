// RUN: tp-opt %s -tp-propagate -tp-insert-reshards | FileCheck %s

// Partial values are added up before they are reduced.

tp.mesh @mesh = <["tp"=2]>

// Attention and MLP beside each other, with biases, onto a residual in shards
// of the sequence: the residual is added last.
// CHECK-LABEL: func.func @parallel_residual
// CHECK: %[[A:.*]] = nn.contract %arg1, %arg2 {{.*}}partial = sum{"tp"}
// CHECK: %[[AB:.*]] = arith.addf %[[A]], %{{.*}}partial = sum{"tp"}
// CHECK: %[[M:.*]] = nn.contract %arg3, %arg4 {{.*}}partial = sum{"tp"}
// CHECK: %[[MB:.*]] = arith.addf %[[M]], %{{.*}}partial = sum{"tp"}
// CHECK: %[[S:.*]] = arith.addf %[[AB]], %[[MB]] {{.*}}partial = sum{"tp"}
// CHECK: %[[R:.*]] = tp.reshard %[[S]] from <@mesh, [{}, {}], partial = sum{"tp"}> to <@mesh, [{"tp"}, {}]>
// CHECK: arith.addf %arg0, %[[R]]
// CHECK-NOT: tp.reshard
func.func @parallel_residual(%x: tensor<4x8xf32> {tp.sharding = #tp.sharding<@mesh, [{"tp"}, {}]>},
    %a: tensor<4x6xf32> {tp.sharding = #tp.sharding<@mesh, [{}, {"tp"}]>}, %wa: tensor<8x6xf32> {tp.sharding = #tp.sharding<@mesh, [{}, {"tp"}]>},
    %m: tensor<4x6xf32> {tp.sharding = #tp.sharding<@mesh, [{}, {"tp"}]>}, %wm: tensor<8x6xf32> {tp.sharding = #tp.sharding<@mesh, [{}, {"tp"}]>},
    %ba: tensor<8xf32>, %bm: tensor<8xf32>) -> (tensor<4x8xf32> {tp.sharding = #tp.sharding<@mesh, [{"tp"}, {}]>}) {
  %0 = nn.contract %a, %wa "sk,nk->sn" : (tensor<4x6xf32>, tensor<8x6xf32>) -> tensor<4x8xf32>
  %1 = nn.broadcast %ba dims [1] : (tensor<8xf32>) -> tensor<4x8xf32>
  %2 = arith.addf %0, %1 : tensor<4x8xf32>
  %3 = arith.addf %x, %2 : tensor<4x8xf32>
  %4 = nn.contract %m, %wm "sk,nk->sn" : (tensor<4x6xf32>, tensor<8x6xf32>) -> tensor<4x8xf32>
  %5 = nn.broadcast %bm dims [1] : (tensor<8xf32>) -> tensor<4x8xf32>
  %6 = arith.addf %4, %5 : tensor<4x8xf32>
  %7 = arith.addf %3, %6 : tensor<4x8xf32>
  return %7 : tensor<4x8xf32>
}

// One after the other: what follows needs the first sum, so it stays.
// CHECK-LABEL: func.func @sequential_residual
// CHECK: tp.reshard %{{.*}} from <@mesh, [{}, {}], partial = sum{"tp"}> to <@mesh, [{"tp"}, {}]>
// CHECK: %[[H:.*]] = arith.addf %arg0, %
// CHECK: arith.addf %[[H]], %[[H]]
func.func @sequential_residual(%x: tensor<4x8xf32> {tp.sharding = #tp.sharding<@mesh, [{"tp"}, {}]>},
    %a: tensor<4x6xf32> {tp.sharding = #tp.sharding<@mesh, [{}, {"tp"}]>}, %wa: tensor<8x6xf32> {tp.sharding = #tp.sharding<@mesh, [{}, {"tp"}]>})
    -> (tensor<4x8xf32> {tp.sharding = #tp.sharding<@mesh, [{"tp"}, {}]>}) {
  %0 = nn.contract %a, %wa "sk,nk->sn" : (tensor<4x6xf32>, tensor<8x6xf32>) -> tensor<4x8xf32>
  %1 = arith.addf %x, %0 : tensor<4x8xf32>
  %2 = arith.addf %1, %1 : tensor<4x8xf32>
  return %2 : tensor<4x8xf32>
}

// An adapter that stands before the row-parallel linear that it is added to:
// its partial product grows, and is reduced with the other.
// CHECK-LABEL: func.func @adapter
// CHECK-NOT: tp.reshard
// CHECK: %[[S:.*]] = arith.addf %{{.*}}partial = sum{"tp"}
// CHECK: tp.reshard %[[S]]
// CHECK-NOT: tp.reshard
func.func @adapter(%a: tensor<4x6xf32> {tp.sharding = #tp.sharding<@mesh, [{}, {"tp"}]>},
    %w: tensor<8x6xf32> {tp.sharding = #tp.sharding<@mesh, [{}, {"tp"}]>},
    %down: tensor<2x6xf32> {tp.sharding = #tp.sharding<@mesh, [{}, {"tp"}]>}, %up: tensor<8x2xf32>) -> tensor<4x8xf32> {
  %0 = nn.contract %a, %down "sk,rk->sr" : (tensor<4x6xf32>, tensor<2x6xf32>) -> tensor<4x2xf32>
  %1 = nn.contract %0, %up "sr,nr->sn" : (tensor<4x2xf32>, tensor<8x2xf32>) -> tensor<4x8xf32>
  %2 = nn.contract %a, %w "sk,nk->sn" : (tensor<4x6xf32>, tensor<8x6xf32>) -> tensor<4x8xf32>
  %3 = arith.addf %1, %2 : tensor<4x8xf32>
  return %3 : tensor<4x8xf32>
}

// A cast to a wider type on the way does not stop them: three reductions of
// bf16 send more than one of f32.
// CHECK-LABEL: func.func @casts
// CHECK-NOT: tp.reshard
// CHECK: %[[S:.*]] = arith.addf {{.*}}partial = sum{"tp"}{{.*}} : tensor<4x8xf32>
// CHECK: tp.reshard %[[S]] from <@mesh, [{}, {}], partial = sum{"tp"}> to <@mesh, [{"tp"}, {}]>
// CHECK-NOT: tp.reshard
func.func @casts(%x: tensor<4x8xf32> {tp.sharding = #tp.sharding<@mesh, [{"tp"}, {}]>},
    %a: tensor<4x6xbf16> {tp.sharding = #tp.sharding<@mesh, [{}, {"tp"}]>}, %wa: tensor<8x6xbf16> {tp.sharding = #tp.sharding<@mesh, [{}, {"tp"}]>},
    %m: tensor<4x6xbf16> {tp.sharding = #tp.sharding<@mesh, [{}, {"tp"}]>}, %wm: tensor<8x6xbf16> {tp.sharding = #tp.sharding<@mesh, [{}, {"tp"}]>})
    -> (tensor<4x8xf32> {tp.sharding = #tp.sharding<@mesh, [{"tp"}, {}]>}) {
  %0 = nn.contract %a, %wa "sk,nk->sn" : (tensor<4x6xbf16>, tensor<8x6xbf16>) -> tensor<4x8xbf16>
  %1 = arith.extf %0 : tensor<4x8xbf16> to tensor<4x8xf32>
  %2 = arith.addf %x, %1 : tensor<4x8xf32>
  %3 = nn.contract %m, %wm "sk,nk->sn" : (tensor<4x6xbf16>, tensor<8x6xbf16>) -> tensor<4x8xbf16>
  %4 = arith.extf %3 : tensor<4x8xbf16> to tensor<4x8xf32>
  %5 = arith.addf %2, %4 : tensor<4x8xf32>
  return %5 : tensor<4x8xf32>
}
