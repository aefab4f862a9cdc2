// RUN: tp-opt %s --tp-lower-runtime --split-input-file | FileCheck %s

// CHECK-LABEL: func.func @contract
// CHECK-SAME: %[[X:[^:]*]]: memref<8x64xf32> {rt.slot = {nn.input = "x", tp.global = tensor<8x64xf32>}}
// CHECK-SAME: -> (memref<8x32xf32> {rt.slot = {nn.output = "y", tp.global = tensor<8x32xf32>}})
// CHECK: %[[Y:.*]] = rt.result 0 : memref<8x32xf32>
// CHECK: rt.contract %[[X]], %{{.*}} into %[[Y]] "mk,nk->mn"
// CHECK: return %[[Y]] : memref<8x32xf32>
func.func @contract(%x: tensor<8x64xf32> {nn.input = "x"}, %w: tensor<32x64xf32>)
    -> (tensor<8x32xf32> {nn.output = "y"}) {
  %0 = nn.contract %x, %w "mk,nk->mn" : (tensor<8x64xf32>, tensor<32x64xf32>) -> tensor<8x32xf32>
  return %0 : tensor<8x32xf32>
}

// -----

// Equal bodies share a kernel; other constants make another one.
// CHECK-LABEL: func.func @kernels
// CHECK: rt.launch @kernel_0(%arg0) into(%[[A:.*]])
// CHECK: rt.contract
// CHECK: rt.launch @kernel_0
// CHECK: rt.contract
// CHECK: rt.launch @kernel_1
// CHECK-DAG: func.func private @kernel_0(%{{.*}}: tensor<8x8xf32>) -> tensor<8x8xf32> attributes {rt.kernel}
// CHECK-DAG: func.func private @kernel_1
// CHECK-NOT: @kernel_2
func.func @kernels(%x: tensor<8x8xf32>) -> tensor<8x8xf32> {
  %one = arith.constant dense<1.0> : tensor<8x8xf32>
  %two = arith.constant dense<2.0> : tensor<8x8xf32>
  %0 = arith.addf %x, %one : tensor<8x8xf32>
  %1 = nn.contract %0, %x "mk,nk->mn" : (tensor<8x8xf32>, tensor<8x8xf32>) -> tensor<8x8xf32>
  %2 = arith.addf %1, %one : tensor<8x8xf32>
  %3 = nn.contract %2, %x "mk,nk->mn" : (tensor<8x8xf32>, tensor<8x8xf32>) -> tensor<8x8xf32>
  %4 = arith.addf %3, %two : tensor<8x8xf32>
  return %4 : tensor<8x8xf32>
}

// -----

// CHECK: module attributes {rt.groups = [
// CHECK-SAME: [#tp.axis<"tp">], [#tp.axis<"dp">, #tp.axis<"tp">]]}
// CHECK-LABEL: func.func @placement
// CHECK: rt.coordinate group 0
// CHECK: %[[START:.*]] = arith.muli
// CHECK: rt.mask %{{.*}} dim 0 from %[[START]] size 7 fill 0.000000e+00 : memref<4x3xf32>
// CHECK: rt.collective all_reduce sum(%[[M:.*]]) into(%[[M]]) group 1 id 0 name "mlp"
// CHECK: rt.collective all_gather sum(%[[M]]) into(%{{.*}}) group 0 id 1 name "" dims [0]
// CHECK: rt.make_partial %{{.*}} as sum group 0
// CHECK: %[[C:.*]] = rt.coordinate group 0
// CHECK: %[[FROM:.*]] = arith.muli %[[C]]
// CHECK: %[[PART:.*]] = rt.view %{{.*}} from %[[FROM]] : memref<8x3xf32> to memref<12xf32>
// CHECK: rt.copy %[[PART]] to %[[BLOCK:.*]] extents [4, 3] from 0 [3, 1] to 0 [3, 1]
// CHECK: rt.copy %[[BLOCK]] to %{{.*}} extents [4, 3] from 0 [3, 1] to 0 [5, 1]
// CHECK: rt.copy %[[BLOCK]] to %{{.*}} extents [2, 3] from 0 [3, 1] to 0 [3, 1]
tp.mesh @mesh = <["dp"=2, "tp"=2]>
func.func @placement(%x: tensor<4x3xf32>) -> (tensor<4x3xf32>, tensor<4x5xf32>, tensor<2x3xf32>) {
  %start = tp.shard_start [#tp.axis<"tp">] of @mesh block 4
  %0 = tp.mask %x dim 0 from %start size 7 fill 0.0 : tensor<4x3xf32>
  %1 = tp.all_reduce %0 sum over [#tp.axis<"dp">, #tp.axis<"tp">] of @mesh module "mlp"
      : (tensor<4x3xf32>) -> tensor<4x3xf32>
  %2 = tp.all_gather %1 dims [0] over [#tp.axis<"tp">] of @mesh : (tensor<4x3xf32>) -> tensor<8x3xf32>
  %3 = tp.make_partial %2 over [#tp.axis<"tp">] of @mesh : tensor<8x3xf32>
  %4 = tp.slice %3 dim 0 over [#tp.axis<"tp">] of @mesh : (tensor<8x3xf32>) -> tensor<4x3xf32>
  %5 = tp.resize %4 dim 1 : (tensor<4x3xf32>) -> tensor<4x5xf32>
  %6 = tp.resize %4 dim 0 : (tensor<4x3xf32>) -> tensor<2x3xf32>
  return %4, %5, %6 : tensor<4x3xf32>, tensor<4x5xf32>, tensor<2x3xf32>
}

// -----

// CHECK-LABEL: func.func @layout
// CHECK: rt.copy %arg0 to %{{.*}} extents [4, 3] from 0 [1, 4] to 0 [3, 1]
// CHECK: rt.copy %arg0 to %{{.*}} extents [2, 2] from 1 [8, 2] to 0 [2, 1]
// CHECK: rt.copy %arg0 to %[[C:.*]] extents [3, 4] from 0 [4, 1] to 0 [8, 1]
// CHECK: rt.copy %arg0 to %[[C]] extents [3, 4] from 0 [4, 1] to 4 [8, 1]
// CHECK: rt.launch @kernel_0() into(%[[P:.*]]) : () -> memref<4x7xf32>
// CHECK: rt.copy %arg0 to %[[P]] extents [3, 4] from 0 [4, 1] to 9 [7, 1]
func.func @layout(%x: tensor<3x4xf32>) -> (tensor<4x3xf32>, tensor<2x2xf32>, tensor<3x8xf32>, tensor<4x7xf32>) {
  %t = nn.transpose %x [1, 0] : (tensor<3x4xf32>) -> tensor<4x3xf32>
  %s = nn.slice %x offsets [0, 1] strides [2, 2] : (tensor<3x4xf32>) -> tensor<2x2xf32>
  %c = nn.concat %x, %x dim 1 : (tensor<3x4xf32>, tensor<3x4xf32>) -> tensor<3x8xf32>
  %p = nn.pad %x low [1, 2] high [0, 1] value 7.0 : (tensor<3x4xf32>) -> tensor<4x7xf32>
  return %t, %s, %c, %p : tensor<4x3xf32>, tensor<2x2xf32>, tensor<3x8xf32>, tensor<4x7xf32>
}

// -----

// Halves stay halves, for backends that make use of them.
// CHECK-LABEL: func.func @halves
// CHECK: rt.collective all_reduce sum(%[[X:.*]]) into(%[[R:.*]]) group 0 id 0 name "" started
// CHECK: rt.launch
// CHECK: rt.wait %[[R]] of 0
// CHECK: rt.copy %[[R]]
tp.mesh @mesh = <["tp"=2]>
func.func @halves(%x: tensor<2xf32>) -> (tensor<2xf32>, tensor<2xf32>) {
  %0 = tp.all_reduce %x sum over [#tp.axis<"tp">] of @mesh : (tensor<2xf32>) -> !tp.pending<tensor<2xf32>>
  %1 = arith.negf %x : tensor<2xf32>
  %2 = tp.wait %0 : !tp.pending<tensor<2xf32>>
  %3 = nn.slice %2 offsets [0] strides [1] : (tensor<2xf32>) -> tensor<2xf32>
  return %1, %3 : tensor<2xf32>, tensor<2xf32>
}

// -----

// Booleans are bytes 0 and 1: or is the greatest of them, and the least. Bits of
// wider integers stay as they are.
// CHECK-LABEL: func.func @booleans
// CHECK: rt.collective all_reduce max{{.*}} : (memref<4xi8>)
// CHECK: rt.collective all_reduce min{{.*}} : (memref<4xi8>)
// CHECK: rt.collective all_reduce and{{.*}} : (memref<4xi32>)
tp.mesh @mesh = <["tp"=2]>
func.func @booleans(%x: tensor<4xi1>, %bits: tensor<4xi32>) -> (tensor<4xi1>, tensor<4xi1>, tensor<4xi32>) {
  %0 = tp.all_reduce %x or over [#tp.axis<"tp">] of @mesh : (tensor<4xi1>) -> tensor<4xi1>
  %1 = tp.all_reduce %x and over [#tp.axis<"tp">] of @mesh : (tensor<4xi1>) -> tensor<4xi1>
  %2 = tp.all_reduce %bits and over [#tp.axis<"tp">] of @mesh : (tensor<4xi32>) -> tensor<4xi32>
  return %0, %1, %2 : tensor<4xi1>, tensor<4xi1>, tensor<4xi32>
}
