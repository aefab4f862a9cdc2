// RUN: tp-opt %s --rt-emit-kernels=threads --split-input-file | FileCheck %s

// All points over all threads, in whole vectors of 16 bytes: 40 elements are 10.
// CHECK-LABEL: func.func private @flat
// CHECK-SAME: attributes {rt.grid = array<i64: 1, 256>, rt.kernel}
// CHECK-DAG: %[[BLOCK:.*]] = gpu.block_id x
// CHECK-DAG: %[[WIDTH:.*]] = gpu.block_dim x
// CHECK-DAG: %[[THREAD:.*]] = gpu.thread_id x
// CHECK-DAG: %[[BLOCKS:.*]] = gpu.grid_dim x
// CHECK-DAG: %[[FIRST:.*]] = arith.muli %[[BLOCK]], %[[WIDTH]]
// CHECK-DAG: %[[BEGIN:.*]] = arith.addi %[[FIRST]], %[[THREAD]]
// CHECK-DAG: %[[STRIDE:.*]] = arith.muli %[[BLOCKS]], %[[WIDTH]]
// CHECK: scf.for %[[I:.*]] = %[[BEGIN]] to %c10{{.*}} step %[[STRIDE]]
// CHECK: %[[J:.*]] = arith.muli %[[I]], %c4
// CHECK: %[[V:.*]] = vector.load %{{.*}}[%[[J]]] : memref<40xf32>, vector<4xf32>
// CHECK: %[[N:.*]] = arith.negf %[[V]] : vector<4xf32>
// CHECK: vector.store %[[N]]{{.*}} vector<4xf32>
// CHECK-NOT: vector<
// CHECK: return
func.func private @flat(%x: tensor<8x5xf32>) -> tensor<8x5xf32> attributes {rt.kernel} {
  %0 = arith.negf %x : tensor<8x5xf32>
  return %0 : tensor<8x5xf32>
}

// -----

// Points are cut into the indices of the loops; 6 has vectors of 2.
// CHECK-LABEL: func.func private @broadcast
// CHECK: scf.for %[[I:.*]] = %{{.*}} to %c24
// CHECK: %[[R:.*]] = arith.remsi %[[I]], %c3
// CHECK: %[[ROW:.*]] = arith.divsi %[[I]], %c3
// CHECK: %[[COLUMN:.*]] = arith.muli %[[R]], %c2
// CHECK: memref.load %{{.*}}[%[[ROW]]] : memref<8xf32>
// CHECK: vector.load %{{.*}}[%[[COLUMN]]] : memref<6xf32>, vector<2xf32>
func.func private @broadcast(%a: tensor<8xf32>, %b: tensor<6xf32>) -> tensor<8x6xf32> attributes {rt.kernel} {
  %0 = nn.broadcast %a dims [0] : (tensor<8xf32>) -> tensor<8x6xf32>
  %1 = nn.broadcast %b dims [1] : (tensor<6xf32>) -> tensor<8x6xf32>
  %2 = arith.addf %0, %1 : tensor<8x6xf32>
  return %2 : tensor<8x6xf32>
}

// -----

// A block for each of 6 rows, of as many threads as a row has vectors, in whole
// warps. All have read the row before anything of it is stored.
// CHECK-LABEL: func.func private @rows
// CHECK-SAME: rt.grid = array<i64: 6, 160>
// CHECK: scf.for %[[ROW:.*]] = %{{.*}} to %c6
// CHECK: %[[SUM:.*]] = scf.for %{{.*}} = %{{.*}} to %c150{{.*}} iter_args
// CHECK: %[[LANES:.*]] = vector.reduction <add>, %[[SUM]]
// CHECK: %[[ALL:.*]] = gpu.all_reduce add %[[LANES]]
// CHECK: scf.for
// CHECK: vector.store
// CHECK: gpu.barrier
// CHECK: scf.if
// CHECK: memref.store %[[ALL]], %{{.*}}[%[[ROW]]] : memref<6xf32>
func.func private @rows(%x: tensor<6x600xf32>) -> (tensor<6x600xf32>, tensor<6xf32>) attributes {rt.kernel} {
  %0 = nn.reduce %x "sum" dims [1] : (tensor<6x600xf32>) -> tensor<6xf32>
  %1 = nn.broadcast %0 dims [0] : (tensor<6xf32>) -> tensor<6x600xf32>
  %2 = arith.subf %x, %1 : tensor<6x600xf32>
  return %2, %0 : tensor<6x600xf32>, tensor<6xf32>
}

// -----

// A part of a buffer may begin anywhere: nothing to load whole vectors from.
// CHECK-LABEL: func.func private @anywhere
// CHECK: memref.load
// CHECK-NOT: vector
// CHECK-LABEL: func.func @entry
module attributes {rt.groups = [[#tp.axis<"tp">]]} {
tp.mesh @mesh = <["tp"=2]>
func.func private @anywhere(%x: tensor<8xf32>) -> tensor<8xf32> attributes {rt.kernel} {
  %0 = arith.negf %x : tensor<8xf32>
  return %0 : tensor<8xf32>
}
func.func @entry(%x: memref<16xf32>, %y: memref<8xf32>) {
  %start = rt.coordinate group 0
  %part = rt.view %x from %start : memref<16xf32> to memref<8xf32>
  rt.launch @anywhere(%part) into (%y) : (memref<8xf32>) -> memref<8xf32>
  return
}
}
