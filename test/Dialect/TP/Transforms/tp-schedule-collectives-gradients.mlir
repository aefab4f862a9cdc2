// Data-parallel training: the sums of the weights' gradients run while others are
// computed. Nothing knows of gradients here; they depend on nothing else.
// RUN: tp-opt %s -nn-differentiate | tp-opt --pass-pipeline="builtin.module(tp-propagate,func.func(tp-insert-reshards,tp-partition,tp-split-collectives,tp-schedule-collectives,tp-verify-placements))" | FileCheck %s

tp.mesh @mesh = <["dp"=4]>

// CHECK-LABEL: func.func @f_gradient
// CHECK: tp.all_reduce {{.*}} -> !tp.pending
// CHECK-NOT: tp.wait
// CHECK: nn.contract
// CHECK: tp.all_reduce {{.*}} -> !tp.pending
// CHECK-NOT: tp.wait
// CHECK: nn.contract
// CHECK-COUNT-3: tp.wait
// CHECK-NEXT: return
func.func @f(%x: tensor<16384x2048xbf16> {tp.sharding = #tp.sharding<@mesh, [{"dp"}, {}]>},
             %a: tensor<2048x2048xbf16>, %b: tensor<2048x2048xbf16>, %c: tensor<2048x2048xbf16>) -> tensor<16384x2048xbf16> {
  %0 = nn.contract %x, %a "sk,nk->sn" : (tensor<16384x2048xbf16>, tensor<2048x2048xbf16>) -> tensor<16384x2048xbf16>
  %1 = nn.contract %0, %b "sk,nk->sn" : (tensor<16384x2048xbf16>, tensor<2048x2048xbf16>) -> tensor<16384x2048xbf16>
  %2 = nn.contract %1, %c "sk,nk->sn" : (tensor<16384x2048xbf16>, tensor<2048x2048xbf16>) -> tensor<16384x2048xbf16>
  return %2 : tensor<16384x2048xbf16>
}
