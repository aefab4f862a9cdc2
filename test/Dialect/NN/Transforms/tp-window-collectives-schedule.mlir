// The worked example of docs/collectives.md: cut in four, split in halves, and
// scheduled. Each gather runs while the part before is computed.
// RUN: tp-opt %s -tp-window-collectives -tp-keep-program -tp-partition -tp-simplify-collectives -tp-split-collectives -tp-schedule-collectives -tp-verify-placements -tp-verify-erasure=drop | FileCheck %s
// Its parts are no messages to be packed again, and lowering takes it.
// RUN: tp-opt %s -tp-window-collectives -tp-partition -tp-merge-collectives -tp-split-collectives -tp-schedule-collectives -tp-lower-runtime | FileCheck %s --check-prefix=RUNTIME

tp.mesh @mesh = <["tp"=4]>

// CHECK-LABEL: func.func @gathered
// CHECK: nn.slice {{.*}} offsets [0, 0, 0]
// CHECK-NEXT: %[[G1:.*]] = tp.all_gather {{.*}} -> !tp.pending<tensor<4x512x4096xbf16>>
// CHECK-NEXT: nn.slice {{.*}} offsets [0, 512, 0]
// CHECK-NEXT: %[[G2:.*]] = tp.all_gather
// CHECK-NEXT: nn.slice {{.*}} offsets [0, 1024, 0]
// CHECK-NEXT: %[[G3:.*]] = tp.all_gather
// CHECK-NEXT: nn.slice {{.*}} offsets [0, 1536, 0]
// CHECK-NEXT: %[[G4:.*]] = tp.all_gather
// CHECK-NEXT: %[[X1:.*]] = tp.wait %[[G1]]
// CHECK-NEXT: nn.contract %[[X1]], %arg1 "abk,nk->abn"
// CHECK-NEXT: %[[X2:.*]] = tp.wait %[[G2]]
// CHECK-NEXT: nn.contract %[[X2]], %arg1 "abk,nk->abn"
// CHECK-NEXT: %[[X3:.*]] = tp.wait %[[G3]]
// CHECK-NEXT: nn.contract %[[X3]], %arg1 "abk,nk->abn"
// CHECK-NEXT: %[[X4:.*]] = tp.wait %[[G4]]
// CHECK-NEXT: nn.contract %[[X4]], %arg1 "abk,nk->abn"
// CHECK-NEXT: nn.concat
// CHECK-NEXT: nn.reshape
// CHECK-NEXT: return
// RUNTIME-LABEL: func.func @gathered
// RUNTIME-COUNT-4: rt.collective all_gather
// RUNTIME-COUNT-4: rt.contract
// RUNTIME: return
func.func @gathered(%x: tensor<8192x4096xbf16> {tp.sharding = #tp.sharding<@mesh, [{"tp"}, {}]>},
                    %w: tensor<8192x4096xbf16> {tp.sharding = #tp.sharding<@mesh, [{"tp"}, {}]>}) -> tensor<8192x8192xbf16> {
  %1 = tp.reshard %x from <@mesh, [{"tp"}, {}]> to <@mesh, [{}, {}]> {tp.shardings = [#tp.sharding<@mesh, [{}, {}]>]} : tensor<8192x4096xbf16>
  %2 = nn.contract %1, %w "sk,nk->sn" {tp.shardings = [#tp.sharding<@mesh, [{}, {"tp"}]>]} : (tensor<8192x4096xbf16>, tensor<8192x4096xbf16>) -> tensor<8192x8192xbf16>
  return %2 : tensor<8192x8192xbf16>
}
