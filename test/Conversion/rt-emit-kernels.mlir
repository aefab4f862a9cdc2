// RUN: tp-opt %s --rt-emit-kernels --split-input-file | FileCheck %s

// Without broadcasts all dims are one; what remains is a shorter vector.
// CHECK-LABEL: func.func private @flat
// CHECK-SAME: (%[[X:.*]]: memref<8x5xf32>, %[[OUT:.*]]: memref<8x5xf32>) attributes {rt.kernel}
// CHECK: %[[FX:.*]] = memref.reinterpret_cast %[[X]] {{.*}} to memref<40xf32>
// CHECK: scf.for %[[I:.*]] = %c0{{.*}} to %c32{{.*}} step %c16
// CHECK: %[[V:.*]] = vector.load %[[FX]][%[[I]]] : memref<40xf32>, vector<16xf32>
// CHECK: %[[N:.*]] = arith.negf %[[V]] : vector<16xf32>
// CHECK: vector.store %[[N]]
// CHECK: vector.load %[[FX]][%c32{{.*}}] : memref<40xf32>, vector<8xf32>
// CHECK: vector.store {{.*}} vector<8xf32>
// CHECK: return
func.func private @flat(%x: tensor<8x5xf32>) -> tensor<8x5xf32> attributes {rt.kernel} {
  %0 = arith.negf %x : tensor<8x5xf32>
  return %0 : tensor<8x5xf32>
}

// -----

// A scalar of the row is loaded once a row and spread; a vector of the last dim is
// loaded in every row.
// CHECK-LABEL: func.func private @broadcast
// CHECK: scf.for %[[I:.*]] = %c0
// CHECK: memref.load %{{.*}}[%[[I]]] : memref<8xf32>
// CHECK: scf.for %[[J:.*]] = %c0
// CHECK: vector.broadcast %{{.*}} : f32 to vector<16xf32>
// CHECK: vector.load %{{.*}}[%[[J]]] : memref<32xf32>, vector<16xf32>
func.func private @broadcast(%a: tensor<8xf32>, %b: tensor<32xf32>) -> tensor<8x32xf32> attributes {rt.kernel} {
  %0 = nn.broadcast %a dims [0] : (tensor<8xf32>) -> tensor<8x32xf32>
  %1 = nn.broadcast %b dims [1] : (tensor<32xf32>) -> tensor<8x32xf32>
  %2 = arith.addf %0, %1 : tensor<8x32xf32>
  return %2 : tensor<8x32xf32>
}

// -----

// A dim that one operand lacks is a loop of its own, even if it is the last.
// CHECK-LABEL: func.func private @rows
// CHECK: scf.for %[[I:.*]] = %c0
// CHECK: memref.load %arg1[%[[I]]] : memref<3xf32>
// CHECK: vector.broadcast %{{.*}} : f32 to vector<3xf32>
func.func private @rows(%x: tensor<3x3xf32>, %y: tensor<3xf32>) -> tensor<3x3xf32> attributes {rt.kernel} {
  %0 = nn.broadcast %y dims [0] : (tensor<3xf32>) -> tensor<3x3xf32>
  %1 = arith.addf %x, %0 : tensor<3x3xf32>
  return %1 : tensor<3x3xf32>
}

// -----

// One loop for the reduction, one that stores; the exponential is computed again.
// CHECK-LABEL: func.func private @stages
// CHECK: scf.for
// CHECK: %[[SUM:.*]] = scf.for {{.*}} iter_args(%[[ACC:.*]] = %{{.*}}) -> (vector<16xf32>)
// CHECK: %[[E:.*]] = math.exp
// CHECK: arith.addf %[[ACC]], %[[E]]
// CHECK: %[[TAIL:.*]] = arith.addf %{{.*}}, %{{.*}} : vector<5xf32>
// CHECK: vector.reduction <add>, %[[SUM]]
// CHECK: vector.reduction <add>, %[[TAIL]]
// CHECK: scf.for
// CHECK: math.exp
// CHECK: arith.divf
// CHECK: vector.store
// CHECK: math.exp %{{.*}} : vector<5xf32>
func.func private @stages(%x: tensor<3x37xf32>) -> tensor<3x37xf32> attributes {rt.kernel} {
  %0 = math.exp %x : tensor<3x37xf32>
  %1 = nn.reduce %0 "sum" dims [1] : (tensor<3x37xf32>) -> tensor<3xf32>
  %2 = nn.broadcast %1 dims [0] : (tensor<3xf32>) -> tensor<3x37xf32>
  %3 = arith.divf %0, %2 : tensor<3x37xf32>
  return %3 : tensor<3x37xf32>
}

// -----

// Narrow sums are made in f32.
// CHECK-LABEL: func.func private @narrow
// CHECK: arith.extf %{{.*}} : vector<16xbf16> to vector<16xf32>
// CHECK: arith.truncf %{{.*}} : f32 to bf16
func.func private @narrow(%x: tensor<16xbf16>) -> tensor<bf16> attributes {rt.kernel} {
  %0 = nn.reduce %x "sum" dims [0] : (tensor<16xbf16>) -> tensor<bf16>
  return %0 : tensor<bf16>
}

// -----

// Data becomes a global; booleans are bytes in memory.
// CHECK: memref.global "private" constant @data_constant_0 : memref<4xi8> = dense<[1, 0, 0, 1]>
// CHECK-LABEL: func.func private @data
// CHECK-SAME: memref<4xi8>
// CHECK: memref.get_global @data_constant_0
// CHECK: arith.trunci %{{.*}} : vector<4xi8> to vector<4xi1>
// CHECK: arith.andi %{{.*}} : vector<4xi1>
// CHECK: arith.extui %{{.*}} : vector<4xi1> to vector<4xi8>
func.func private @data(%x: tensor<4xi1>) -> tensor<4xi1> attributes {rt.kernel} {
  %0 = arith.constant dense<[true, false, false, true]> : tensor<4xi1>
  %1 = arith.andi %x, %0 : tensor<4xi1>
  return %1 : tensor<4xi1>
}

// -----

// CHECK-LABEL: func.func private @iota
// CHECK-SAME: (%[[START:.*]]: index, %{{.*}}: memref<8xi32>)
// CHECK: arith.constant dense<[0, 1, 2, 3, 4, 5, 6, 7]> : vector<8xindex>
// CHECK: arith.index_cast %{{.*}} : vector<8xindex> to vector<8xi32>
func.func private @iota(%start: index) -> tensor<8xi32> attributes {rt.kernel} {
  %0 = nn.iota from %start dim 0 : tensor<8xi32>
  return %0 : tensor<8xi32>
}
