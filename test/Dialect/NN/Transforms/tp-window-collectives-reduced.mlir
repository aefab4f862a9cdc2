// A gather before a reduction over another axis, on a machine that computes
// slowly and copies fast, so that whatever can be cut is.
// RUN: tp-opt %s -tp-window-collectives="machine=memory=1e9,compute=1e-6,link=1,latency=0,reduce-latency=0" -tp-partition -tp-verify-placements | FileCheck %s

tp.mesh @mesh = <["dp"=2, "tp"=4]>

// Sums that are still to be reduced are joined.
// CHECK-LABEL: func.func @sum
// CHECK-COUNT-4: tp.all_gather
// CHECK: nn.concat
func.func @sum(%x: tensor<4096x8192xbf16> {tp.sharding = #tp.sharding<@mesh, [{"dp"}, {"tp"}]>})
    -> (tensor<8192xbf16> {tp.sharding = #tp.sharding<@mesh, [{}], partial = sum{"dp"}>}) {
  %0 = tp.reshard %x from <@mesh, [{"dp"}, {"tp"}]> to <@mesh, [{"dp"}, {}]> {tp.shardings = [#tp.sharding<@mesh, [{"dp"}, {}]>]} : tensor<4096x8192xbf16>
  %1 = nn.reduce %0 "sum" dims [0] {tp.shardings = [#tp.sharding<@mesh, [{}], partial = sum{"dp"}>]} : (tensor<4096x8192xbf16>) -> tensor<8192xbf16>
  return %1 : tensor<8192xbf16>
}

// Maxima are not.
// CHECK-LABEL: func.func @maximum
// CHECK: tp.all_gather {{.*}} -> tensor<2048x8192xbf16>
// CHECK-NEXT: nn.reduce {{.*}} "max"
// CHECK-NEXT: return
func.func @maximum(%x: tensor<4096x8192xbf16> {tp.sharding = #tp.sharding<@mesh, [{"dp"}, {"tp"}]>})
    -> (tensor<8192xbf16> {tp.sharding = #tp.sharding<@mesh, [{}], partial = max{"dp"}>}) {
  %0 = tp.reshard %x from <@mesh, [{"dp"}, {"tp"}]> to <@mesh, [{"dp"}, {}]> {tp.shardings = [#tp.sharding<@mesh, [{"dp"}, {}]>]} : tensor<4096x8192xbf16>
  %1 = nn.reduce %0 "max" dims [0] {tp.shardings = [#tp.sharding<@mesh, [{}], partial = max{"dp"}>]} : (tensor<4096x8192xbf16>) -> tensor<8192xbf16>
  return %1 : tensor<8192xbf16>
}
