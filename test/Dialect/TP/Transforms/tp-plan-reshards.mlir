// Reshards by themselves, as collectives.
// RUN: tp-opt %s -tp-plan-reshards | FileCheck %s

tp.mesh @mesh = <["x"=2, "y"=3, "z"=2]>

// The example of the pass's description.
// CHECK-LABEL: func.func @documented
// CHECK-NEXT: %[[Y:.*]] = tp.all_gather %arg0 dims [1] over [#tp.axis<"y">] of @mesh : (tensor<4x2xf32>) -> tensor<4x6xf32>
// CHECK-NEXT: return %[[Y]]
func.func @documented(%x: tensor<8x6xf32> {tp.sharding = #tp.sharding<@mesh, [{"x"}, {"y"}]>})
    -> tensor<8x6xf32> {
  %0 = tp.reshard %x to <@mesh, [{"x"}, {}]> : tensor<8x6xf32>
  return %0 : tensor<8x6xf32>
}

// Padded once, to what all axes that a dim ever has divide: 7 to 12, 5 to 6. Two
// axes of a size change places, one of another size stays where it is.
// CHECK-LABEL: func.func @uneven(
// CHECK-SAME: %arg0: tensor<2x3xf32> {tp.global = tensor<7x5xf32>, tp.sharding = #tp.sharding<@mesh, [{"x", "y"} pad 12, {"z"} pad 6]>}
// CHECK-SAME: tp.sharding = #tp.sharding<@mesh, [{"z", "y"} pad 12, {"x"} pad 6]>
// CHECK-NEXT: tp.permute %arg0 from [#tp.axis<"x">, #tp.axis<"z">] to [#tp.axis<"z">, #tp.axis<"x">] of @mesh
// CHECK-NEXT: return
func.func @uneven(%x: tensor<7x5xf32> {tp.sharding = #tp.sharding<@mesh, [{"x", "y"} pad 12, {"z"}]>})
    -> tensor<7x5xf32> {
  %0 = tp.reshard %x to <@mesh, [{"z", "y"}, {"x"}]> : tensor<7x5xf32>
  return %0 : tensor<7x5xf32>
}

// What is replicated over other axes is reduced in shares.
// CHECK-LABEL: func.func @in_shares
// CHECK-NEXT: %[[SHARE:.*]] = tp.slice %arg0 dim 0 over [#tp.axis<"x">, #tp.axis<"z">]
// CHECK-NEXT: %[[SUM:.*]] = tp.all_reduce %[[SHARE]] sum over [#tp.axis<"y">]
// CHECK-NEXT: tp.all_gather %[[SUM]] dims [0] over [#tp.axis<"x">, #tp.axis<"z">]
func.func @in_shares(%x: tensor<8x4xf32> {tp.sharding = #tp.sharding<@mesh, [{}, {}], partial = sum{"y"}>})
    -> tensor<8x4xf32> {
  %0 = tp.reshard %x to <@mesh, [{}, {}]> : tensor<8x4xf32>
  return %0 : tensor<8x4xf32>
}

// One after another, from a sum to a maximum; kinds other than sums too.
// CHECK-LABEL: func.func @kinds
// CHECK: tp.reduce_scatter %arg0 sum dims [0] over [#tp.axis<"x">]
// CHECK-NEXT: %[[WHOLE:.*]] = tp.all_gather
// CHECK-NEXT: %[[MAX:.*]] = tp.make_partial %[[WHOLE]] as{{ +}}max over [#tp.axis<"y">]
// CHECK-NEXT: return %[[MAX]]
func.func @kinds(%x: tensor<8xi32> {tp.sharding = #tp.sharding<@mesh, [{}], partial = sum{"x"}>})
    -> tensor<8xi32> {
  %0 = tp.reshard %x to <@mesh, [{"x"}]> : tensor<8xi32>
  %1 = tp.reshard %0 from <@mesh, [{"x"}]> to <@mesh, [{}], partial = max{"y"}> : tensor<8xi32>
  return %1 : tensor<8xi32>
}
