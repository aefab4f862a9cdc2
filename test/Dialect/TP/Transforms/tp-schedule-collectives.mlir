// RUN: tp-opt %s -tp-split-collectives -tp-schedule-collectives | FileCheck %s
// RUN: tp-opt %s -tp-split-collectives -tp-schedule-collectives="extra-mebibytes=0" | FileCheck %s --check-prefix=TIGHT
// RUN: tp-opt %s -tp-split-collectives -tp-schedule-collectives="machine=link=1000000,latency=0,reduce-latency=0" | FileCheck %s --check-prefix=FAST

tp.mesh @mesh = <["tp"=4]>

// The example of the pass's description.
// CHECK-LABEL: func.func @documented
// CHECK-NEXT: %[[P:.*]] = tp.all_reduce %arg0 sum {{.*}} -> !tp.pending<tensor<1024x1024xf32>>
// CHECK-NEXT: %[[L:.*]] = math.log %arg1
// CHECK-NEXT: %[[W:.*]] = tp.wait %[[P]]
// CHECK-NEXT: %[[E:.*]] = math.exp %[[W]]
// CHECK-NEXT: return %[[E]], %[[L]]
func.func @documented(%0: tensor<1024x1024xf32> {tp.sharding = #tp.sharding<@mesh, [{}, {}], partial = sum{"tp"}>}, %x: tensor<1024x1024xf32>) -> (tensor<1024x1024xf32>, tensor<1024x1024xf32>) {
  %1 = tp.all_reduce %0 sum over [#tp.axis<"tp">] of @mesh : (tensor<1024x1024xf32>) -> tensor<1024x1024xf32>
  %3 = math.exp %1 : tensor<1024x1024xf32>
  %4 = math.log %x : tensor<1024x1024xf32>
  return %3, %4 : tensor<1024x1024xf32>, tensor<1024x1024xf32>
}

// Nothing to do in the meantime: whole again, the ops as they were.
// CHECK-LABEL: func.func @nothing_between
// CHECK-NEXT: %[[E:.*]] = math.exp %arg0
// CHECK-NEXT: %[[R:.*]] = tp.all_reduce %[[E]] sum {{.*}} -> tensor<1024x1024xf32>
// CHECK-NEXT: math.log %[[R]]
func.func @nothing_between(%x: tensor<1024x1024xf32>) -> tensor<1024x1024xf32> {
  %0 = math.exp %x : tensor<1024x1024xf32>
  %1 = tp.all_reduce %0 sum over [#tp.axis<"tp">] of @mesh : (tensor<1024x1024xf32>) -> tensor<1024x1024xf32>
  %2 = math.log %1 : tensor<1024x1024xf32>
  return %2 : tensor<1024x1024xf32>
}

// A backward pass: the gradient that others wait for is computed, and its sum
// started, before that of the weights, which then hides it. The order of the
// two sums stays.
// CHECK-LABEL: func.func @backward
// CHECK-NEXT: %[[GX:.*]] = nn.contract %arg0, %arg2 "sn,nk->sk"
// CHECK-NEXT: %[[P:.*]] = tp.all_reduce %[[GX]] sum
// CHECK-NEXT: %[[GW:.*]] = nn.contract %arg0, %arg1 "sn,sk->nk"
// CHECK-NEXT: %[[W:.*]] = tp.wait %[[P]]
// CHECK-NEXT: %[[NEXT:.*]] = nn.contract %[[W]], %arg3
// CHECK-NEXT: tp.all_reduce %[[NEXT]] sum
// CHECK-NEXT: return
// A machine whose links take no time has nothing to gain.
// FAST-LABEL: func.func @backward
// FAST-NEXT: nn.contract %arg0, %arg1 "sn,sk->nk"
// FAST-NEXT: nn.contract %arg0, %arg2 "sn,nk->sk"
// FAST-NEXT: tp.all_reduce
// FAST-NEXT: nn.contract
// FAST-NEXT: tp.all_reduce
// FAST-NEXT: return
func.func @backward(%g: tensor<1024x512xbf16>, %x: tensor<1024x1024xbf16>, %w: tensor<512x1024xbf16>, %v: tensor<1024x1024xbf16>) -> (tensor<1024x1024xbf16>, tensor<512x1024xbf16>) {
  %gw = nn.contract %g, %x "sn,sk->nk" : (tensor<1024x512xbf16>, tensor<1024x1024xbf16>) -> tensor<512x1024xbf16>
  %gx = nn.contract %g, %w "sn,nk->sk" : (tensor<1024x512xbf16>, tensor<512x1024xbf16>) -> tensor<1024x1024xbf16>
  %0 = tp.all_reduce %gx sum over [#tp.axis<"tp">] of @mesh : (tensor<1024x1024xbf16>) -> tensor<1024x1024xbf16>
  %1 = nn.contract %0, %v "sk,mk->sm" : (tensor<1024x1024xbf16>, tensor<1024x1024xbf16>) -> tensor<1024x1024xbf16>
  %2 = tp.all_reduce %1 sum over [#tp.axis<"tp">] of @mesh : (tensor<1024x1024xbf16>) -> tensor<1024x1024xbf16>
  return %2, %gw : tensor<1024x1024xbf16>, tensor<512x1024xbf16>
}

// Weights of later layers are gathered ahead of their use as far as the memory
// allows: three of 16 MiB by default, none where nothing may be spent.
// CHECK-LABEL: func.func @prefetch
// CHECK-NEXT: tp.all_gather %arg1
// CHECK-NEXT: tp.all_gather %arg2
// CHECK: tp.all_gather %arg3
// CHECK: nn.contract
// CHECK: nn.contract
// CHECK: nn.contract
// TIGHT-LABEL: func.func @prefetch
// TIGHT-NEXT: tp.all_gather %arg1 {{.*}} -> tensor<
// TIGHT-NEXT: nn.contract
// TIGHT-NEXT: tp.all_gather %arg2 {{.*}} -> tensor<
// TIGHT-NEXT: nn.contract
// TIGHT-NEXT: tp.all_gather %arg3 {{.*}} -> tensor<
// TIGHT-NEXT: nn.contract
func.func @prefetch(%x: tensor<16x2048xf32>, %a: tensor<512x2048xf32>, %b: tensor<512x2048xf32>, %c: tensor<512x2048xf32>) -> tensor<16x2048xf32> {
  %0 = tp.all_gather %a dims [0] over [#tp.axis<"tp">] of @mesh : (tensor<512x2048xf32>) -> tensor<2048x2048xf32>
  %1 = nn.contract %x, %0 "sk,nk->sn" : (tensor<16x2048xf32>, tensor<2048x2048xf32>) -> tensor<16x2048xf32>
  %2 = tp.all_gather %b dims [0] over [#tp.axis<"tp">] of @mesh : (tensor<512x2048xf32>) -> tensor<2048x2048xf32>
  %3 = nn.contract %1, %2 "sk,nk->sn" : (tensor<16x2048xf32>, tensor<2048x2048xf32>) -> tensor<16x2048xf32>
  %4 = tp.all_gather %c dims [0] over [#tp.axis<"tp">] of @mesh : (tensor<512x2048xf32>) -> tensor<2048x2048xf32>
  %5 = nn.contract %3, %4 "sk,nk->sn" : (tensor<16x2048xf32>, tensor<2048x2048xf32>) -> tensor<16x2048xf32>
  return %5 : tensor<16x2048xf32>
}
