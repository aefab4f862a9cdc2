// RUN: tp-opt %s -split-input-file -tp-window-collectives="chunks=2" -tp-keep-program -tp-partition -tp-verify-placements -tp-verify-erasure=drop | FileCheck %s
// RUN: tp-opt %s -split-input-file -tp-window-collectives="chunks=2" | FileCheck %s --check-prefix=GLOBAL
// RUN: tp-opt %s -split-input-file -tp-window-collectives="machine=latency=1000,reduce-latency=1000" | FileCheck %s --check-prefix=SLOW

tp.mesh @mesh = <["tp"=4]>

// The example of the pass's description, and what a device does. A machine of
// which every collective takes a millisecond has nothing to gain.
// GLOBAL-LABEL: func.func @documented
// GLOBAL: %[[X:.*]] = nn.reshape %arg0 {{.*}} : (tensor<8192x4096xbf16>) -> tensor<4x2048x4096xbf16>
// GLOBAL: %[[A:.*]] = nn.slice %[[X]] offsets [0, 0, 0] strides [1, 1, 1] {{.*}} -> tensor<4x1024x4096xbf16>
// GLOBAL: %[[B:.*]] = nn.slice %[[X]] offsets [0, 1024, 0] strides [1, 1, 1] {{.*}} -> tensor<4x1024x4096xbf16>
// GLOBAL: %[[GA:.*]] = tp.reshard %[[A]] from <@mesh, [{"tp"}, {}, {}]> to <@mesh, [{}, {}, {}]> reason "why" module "m"
// GLOBAL: %[[GB:.*]] = tp.reshard %[[B]] from <@mesh, [{"tp"}, {}, {}]> to <@mesh, [{}, {}, {}]> reason "why" module "m"
// GLOBAL: %[[CA:.*]] = nn.contract %[[GA]], %arg1 "abk,nk->abn"
// GLOBAL: %[[CB:.*]] = nn.contract %[[GB]], %arg1 "abk,nk->abn"
// GLOBAL: %[[C:.*]] = nn.concat %[[CA]], %[[CB]] dim 1 {{.*}} -> tensor<4x2048x8192xbf16>
// GLOBAL: nn.reshape %[[C]] {{.*}} -> tensor<8192x8192xbf16>
// CHECK-LABEL: func.func @documented
// CHECK: nn.slice {{.*}} offsets [0, 0, 0] {{.*}} -> tensor<1x1024x4096xbf16>
// CHECK: nn.slice {{.*}} offsets [0, 1024, 0] {{.*}} -> tensor<1x1024x4096xbf16>
// CHECK-COUNT-2: tp.all_gather %{{.*}} dims [0] over [#tp.axis<"tp">] of @mesh reason "why" module "m" : (tensor<1x1024x4096xbf16>) -> tensor<4x1024x4096xbf16>
// CHECK-COUNT-2: nn.contract {{.*}} -> tensor<4x1024x2048xbf16>
// CHECK: nn.concat {{.*}} dim 1
// SLOW-LABEL: func.func @documented
// SLOW-NOT: nn.slice
// SLOW: return
func.func @documented(%x: tensor<8192x4096xbf16> {tp.sharding = #tp.sharding<@mesh, [{"tp"}, {}]>},
                      %w: tensor<8192x4096xbf16> {tp.sharding = #tp.sharding<@mesh, [{"tp"}, {}]>}) -> tensor<8192x8192xbf16> {
  %1 = tp.reshard %x from <@mesh, [{"tp"}, {}]> to <@mesh, [{}, {}]> reason "why" module "m" {tp.shardings = [#tp.sharding<@mesh, [{}, {}]>]} : tensor<8192x4096xbf16>
  %2 = nn.contract %1, %w "sk,nk->sn" {tp.shardings = [#tp.sharding<@mesh, [{}, {"tp"}]>]} : (tensor<8192x4096xbf16>, tensor<8192x4096xbf16>) -> tensor<8192x8192xbf16>
  return %2 : tensor<8192x8192xbf16>
}

// A contraction and its scatter: the same the other way round.
// CHECK-LABEL: func.func @scattered
// CHECK: %[[A:.*]] = nn.contract {{.*}} -> tensor<4x1024x4096xbf16>
// CHECK-NEXT: tp.reduce_scatter %[[A]] sum dims [0] over [#tp.axis<"tp">] of @mesh reason "why" : (tensor<4x1024x4096xbf16>) -> tensor<1x1024x4096xbf16>
// CHECK-NEXT: %[[B:.*]] = nn.contract
// CHECK-NEXT: tp.reduce_scatter %[[B]]
// CHECK: nn.concat {{.*}} dim 1
// CHECK: nn.reshape {{.*}} -> tensor<2048x4096xbf16>
func.func @scattered(%x: tensor<8192x8192xbf16> {tp.sharding = #tp.sharding<@mesh, [{}, {"tp"}]>},
                     %w: tensor<4096x8192xbf16> {tp.sharding = #tp.sharding<@mesh, [{}, {"tp"}]>}) -> tensor<8192x4096xbf16> {
  %1 = nn.contract %x, %w "sk,nk->sn" {tp.shardings = [#tp.sharding<@mesh, [{}, {}], partial = sum{"tp"}>]} : (tensor<8192x8192xbf16>, tensor<4096x8192xbf16>) -> tensor<8192x4096xbf16>
  %2 = tp.reshard %1 from <@mesh, [{}, {}], partial = sum{"tp"}> to <@mesh, [{"tp"}, {}]> reason "why" {tp.shardings = [#tp.sharding<@mesh, [{"tp"}, {}]>]} : tensor<8192x4096xbf16>
  return %2 : tensor<8192x4096xbf16>
}

// Reduced only: any dim will do, and none need become two.
// CHECK-LABEL: func.func @reduced
// CHECK: nn.slice %arg0 offsets [0, 0] {{.*}} -> tensor<16384x4096xbf16>
// CHECK: tp.all_reduce {{.*}} : (tensor<16384x4096xbf16>)
// CHECK: tp.all_reduce {{.*}} : (tensor<16384x4096xbf16>)
// CHECK: nn.concat {{.*}} dim 0 {{.*}} -> tensor<32768x4096xbf16>
// CHECK-NOT: nn.reshape
func.func @reduced(%x: tensor<32768x16384xbf16> {tp.sharding = #tp.sharding<@mesh, [{}, {"tp"}]>},
                   %w: tensor<4096x16384xbf16> {tp.sharding = #tp.sharding<@mesh, [{}, {"tp"}]>}) -> tensor<32768x4096xbf16> {
  %1 = nn.contract %x, %w "sk,nk->sn" {tp.shardings = [#tp.sharding<@mesh, [{}, {}], partial = sum{"tp"}>]} : (tensor<32768x16384xbf16>, tensor<4096x16384xbf16>) -> tensor<32768x4096xbf16>
  %2 = tp.reshard %1 from <@mesh, [{}, {}], partial = sum{"tp"}> to <@mesh, [{}, {}]> {tp.shardings = [#tp.sharding<@mesh, [{}, {}]>]} : tensor<32768x4096xbf16>
  return %2 : tensor<32768x4096xbf16>
}

// Two that need one gather are cut together; a use that cannot be cut (it reads
// the dim as a whole) leaves everything as it is.
// CHECK-LABEL: func.func @shared
// CHECK-COUNT-2: tp.all_gather
// CHECK-COUNT-2: nn.contract {{.*}} -> tensor<4x1024x2048xbf16>
// CHECK: nn.concat {{.*}} dim 1
// CHECK-COUNT-2: nn.contract {{.*}} -> tensor<2048x4x1024xbf16>
// CHECK: nn.concat {{.*}} dim 2
// CHECK-LABEL: func.func @reduced_too
// CHECK: tp.all_gather {{.*}} -> tensor<8192x4096xbf16>
// CHECK-NOT: nn.slice
// CHECK: return
func.func @shared(%x: tensor<8192x4096xbf16> {tp.sharding = #tp.sharding<@mesh, [{"tp"}, {}]>},
                  %w: tensor<8192x4096xbf16> {tp.sharding = #tp.sharding<@mesh, [{"tp"}, {}]>}) -> (tensor<8192x8192xbf16>, tensor<8192x8192xbf16>) {
  %1 = tp.reshard %x from <@mesh, [{"tp"}, {}]> to <@mesh, [{}, {}]> {tp.shardings = [#tp.sharding<@mesh, [{}, {}]>]} : tensor<8192x4096xbf16>
  %2 = nn.contract %1, %w "sk,nk->sn" {tp.shardings = [#tp.sharding<@mesh, [{}, {"tp"}]>]} : (tensor<8192x4096xbf16>, tensor<8192x4096xbf16>) -> tensor<8192x8192xbf16>
  %3 = nn.contract %1, %w "sk,nk->ns" {tp.shardings = [#tp.sharding<@mesh, [{"tp"}, {}]>]} : (tensor<8192x4096xbf16>, tensor<8192x4096xbf16>) -> tensor<8192x8192xbf16>
  return %2, %3 : tensor<8192x8192xbf16>, tensor<8192x8192xbf16>
}
func.func @reduced_too(%x: tensor<8192x4096xbf16> {tp.sharding = #tp.sharding<@mesh, [{"tp"}, {}]>},
                       %w: tensor<8192x4096xbf16> {tp.sharding = #tp.sharding<@mesh, [{"tp"}, {}]>}) -> (tensor<8192x8192xbf16>, tensor<4096xbf16>) {
  %1 = tp.reshard %x from <@mesh, [{"tp"}, {}]> to <@mesh, [{}, {}]> {tp.shardings = [#tp.sharding<@mesh, [{}, {}]>]} : tensor<8192x4096xbf16>
  %2 = nn.contract %1, %w "sk,nk->sn" {tp.shardings = [#tp.sharding<@mesh, [{}, {"tp"}]>]} : (tensor<8192x4096xbf16>, tensor<8192x4096xbf16>) -> tensor<8192x8192xbf16>
  %3 = nn.reduce %1 "sum" dims [0] {tp.shardings = [#tp.sharding<@mesh, [{}]>]} : (tensor<8192x4096xbf16>) -> tensor<4096xbf16>
  return %2, %3 : tensor<8192x8192xbf16>, tensor<4096xbf16>
}

// -----

// With rows on two axes, only the minor one is gathered.
tp.mesh @mesh = <["dp"=2, "tp"=4]>
// CHECK-LABEL: func.func @nested
// CHECK: nn.slice {{.*}} -> tensor<1x512x4096xbf16>
// CHECK: tp.all_gather %{{.*}} dims [0] over [#tp.axis<"tp">] of @mesh : (tensor<1x512x4096xbf16>) -> tensor<4x512x4096xbf16>
// CHECK: nn.concat {{.*}} -> tensor<4x1024x2048xbf16>
// CHECK: nn.reshape {{.*}} -> tensor<4096x2048xbf16>
func.func @nested(%x: tensor<8192x4096xbf16> {tp.sharding = #tp.sharding<@mesh, [{"dp", "tp"}, {}]>},
                  %w: tensor<8192x4096xbf16> {tp.sharding = #tp.sharding<@mesh, [{"tp"}, {}]>}) -> tensor<8192x8192xbf16> {
  %1 = tp.reshard %x from <@mesh, [{"dp", "tp"}, {}]> to <@mesh, [{"dp"}, {}]> {tp.shardings = [#tp.sharding<@mesh, [{"dp"}, {}]>]} : tensor<8192x4096xbf16>
  %2 = nn.contract %1, %w "sk,nk->sn" {tp.shardings = [#tp.sharding<@mesh, [{"dp"}, {"tp"}]>]} : (tensor<8192x4096xbf16>, tensor<8192x4096xbf16>) -> tensor<8192x8192xbf16>
  return %2 : tensor<8192x8192xbf16>
}
