// RUN: tp-opt %s -tp-strip-placements | FileCheck %s
// RUN: tp-opt %s -tp-propagate -tp-insert-reshards -tp-strip-placements | FileCheck %s

// Nothing but the program of one device is left, also after propagation.

// CHECK-NOT: tp.
// CHECK: func.func @f(%[[X:.*]]: tensor<8xf32> {nn.input = "x"}, %[[Y:.*]]: tensor<8xf32>) -> (tensor<8xf32> {nn.output = "y"}) {
// CHECK-NEXT: %[[E:.*]] = math.exp %[[X]] : tensor<8xf32>
// CHECK-NEXT: %[[S:.*]] = arith.addf %[[E]], %[[Y]] : tensor<8xf32>
// CHECK-NEXT: return %[[S]]
// CHECK-NOT: tp.
tp.mesh @mesh = <["tp"=2]> {tp.roles = {tp = "tensor_parallel"}}
func.func @f(%x: tensor<8xf32> {nn.input = "x", tp.sharding = #tp.sharding<@mesh, [{"tp"}]>}, %y: tensor<8xf32>)
    -> (tensor<8xf32> {nn.output = "y", tp.sharding = #tp.sharding<@mesh, [{"tp"}]>}) {
  %0 = math.exp %x : tensor<8xf32>
  %1 = tp.constraint %0 to <@mesh, [{}]> : tensor<8xf32>
  %2 = tp.reshard %1 to <@mesh, [{"tp"}]> : tensor<8xf32>
  %3 = arith.addf %2, %y : tensor<8xf32>
  return %3 : tensor<8xf32>
}
