// RUN: tp-opt %s --rt-fold-bias | FileCheck %s

// Two layers, one kernel: it goes. Addresses may stand between, and the buffer may be
// on either side of the sum.
// CHECK-LABEL: func.func @layers(
// CHECK: %[[Y:.*]] = rt.buffer 0
// CHECK-NEXT: %[[Z:.*]] = rt.buffer 256
// CHECK-NEXT: rt.contract %arg0, %arg1 plus %arg2 into %[[Y]] "bsk,nk->bsn" : memref<2x4x8xbf16>, memref<16x8xbf16>, memref<16xbf16>, memref<2x4x16xbf16>
// CHECK-NEXT: rt.contract %arg0, %arg1 plus %arg2 into %[[Z]] "bsk,nk->bsn"
// CHECK-NEXT: rt.contract %arg0, %arg3 plus %arg4 into %arg5 "bsk,khd->bshd" : memref<2x4x8xbf16>, memref<8x2x3xbf16>, memref<2x3xbf16>, memref<2x4x2x3xbf16>
// CHECK-NEXT: return
func.func @layers(%x: memref<2x4x8xbf16>, %w: memref<16x8xbf16>, %b: memref<16xbf16>, %v: memref<8x2x3xbf16>, %c: memref<2x3xbf16>, %h: memref<2x4x2x3xbf16>) {
  %y = rt.buffer 0 : memref<2x4x16xbf16>
  rt.contract %x, %w into %y "bsk,nk->bsn" : memref<2x4x8xbf16>, memref<16x8xbf16>, memref<2x4x16xbf16>
  %z = rt.buffer 256 : memref<2x4x16xbf16>
  rt.launch @add(%y, %b) into (%y) : (memref<2x4x16xbf16>, memref<16xbf16>) -> memref<2x4x16xbf16>
  rt.contract %x, %w into %z "bsk,nk->bsn" : memref<2x4x8xbf16>, memref<16x8xbf16>, memref<2x4x16xbf16>
  rt.launch @add(%z, %b) into (%z) : (memref<2x4x16xbf16>, memref<16xbf16>) -> memref<2x4x16xbf16>
  rt.contract %x, %v into %h "bsk,khd->bshd" : memref<2x4x8xbf16>, memref<8x2x3xbf16>, memref<2x4x2x3xbf16>
  rt.launch @heads(%c, %h) into (%h) : (memref<2x3xbf16>, memref<2x4x2x3xbf16>) -> memref<2x4x2x3xbf16>
  return
}
// CHECK-NOT: @add
func.func private @add(%x: tensor<2x4x16xbf16>, %b: tensor<16xbf16>) -> tensor<2x4x16xbf16> attributes {rt.kernel} {
  %0 = nn.broadcast %b dims [2] : (tensor<16xbf16>) -> tensor<2x4x16xbf16>
  %1 = arith.addf %x, %0 : tensor<2x4x16xbf16>
  return %1 : tensor<2x4x16xbf16>
}
// CHECK-NOT: @heads
func.func private @heads(%b: tensor<2x3xbf16>, %x: tensor<2x4x2x3xbf16>) -> tensor<2x4x2x3xbf16> attributes {rt.kernel} {
  %0 = nn.broadcast %b dims [2, 3] : (tensor<2x3xbf16>) -> tensor<2x4x2x3xbf16>
  %1 = arith.addf %0, %x : tensor<2x4x2x3xbf16>
  return %1 : tensor<2x4x2x3xbf16>
}

// A bias for each expert, or of a dim that both operands have, is not for all rows; one
// that begins wherever a rank says is not aligned.
// CHECK-LABEL: func.func @experts(
// CHECK-NOT: plus
// CHECK-LABEL: func.func private @each
func.func @experts(%x: memref<4x3x8xf32>, %w: memref<3x6x8xf32>, %b: memref<3x6xf32>, %y: memref<4x3x6xf32>,
                   %u: memref<6x8xf32>, %v: memref<6x8xf32>, %c: memref<12xf32>, %z: memref<6x6xf32>, %at: index) {
  rt.contract %x, %w into %y "bek,enk->ben" : memref<4x3x8xf32>, memref<3x6x8xf32>, memref<4x3x6xf32>
  rt.launch @each(%y, %b) into (%y) : (memref<4x3x6xf32>, memref<3x6xf32>) -> memref<4x3x6xf32>
  %part = rt.view %c from %at : memref<12xf32> to memref<6xf32>
  rt.contract %u, %v into %z "mk,nk->mn" : memref<6x8xf32>, memref<6x8xf32>, memref<6x6xf32>
  rt.launch @part(%z, %part) into (%z) : (memref<6x6xf32>, memref<6xf32>) -> memref<6x6xf32>
  return
}
func.func private @each(%x: tensor<4x3x6xf32>, %b: tensor<3x6xf32>) -> tensor<4x3x6xf32> attributes {rt.kernel} {
  %0 = nn.broadcast %b dims [1, 2] : (tensor<3x6xf32>) -> tensor<4x3x6xf32>
  %1 = arith.addf %x, %0 : tensor<4x3x6xf32>
  return %1 : tensor<4x3x6xf32>
}
func.func private @part(%x: tensor<6x6xf32>, %b: tensor<6xf32>) -> tensor<6x6xf32> attributes {rt.kernel} {
  %0 = nn.broadcast %b dims [1] : (tensor<6xf32>) -> tensor<6x6xf32>
  %1 = arith.addf %x, %0 : tensor<6x6xf32>
  return %1 : tensor<6x6xf32>
}

// What stays: something between that reads the product; another place for the sum; a
// kernel that does more; a row that is added to columns; another dim than the last; a
// bias of one element; f64; what the left operand has of its own.
// CHECK-LABEL: func.func @others(
// CHECK-NOT: plus
// CHECK-LABEL: func.func private @rows
func.func @others(%x: memref<4x8xf32>, %w: memref<4x8xf32>, %b: memref<4xf32>, %y: memref<4x4xf32>, %z: memref<4x4xf32>,
                  %one: memref<1x8xf32>, %c: memref<1xf32>, %o: memref<4x1xf32>,
                  %xd: memref<4x8xf64>, %bd: memref<4xf64>, %yd: memref<4x4xf64>) {
  rt.contract %x, %w into %y "mk,nk->mn" : memref<4x8xf32>, memref<4x8xf32>, memref<4x4xf32>
  rt.launch @rows(%y, %b) into (%z) : (memref<4x4xf32>, memref<4xf32>) -> memref<4x4xf32>
  rt.launch @rows(%y, %b) into (%y) : (memref<4x4xf32>, memref<4xf32>) -> memref<4x4xf32>
  rt.contract %x, %w into %y "mk,nk->mn" : memref<4x8xf32>, memref<4x8xf32>, memref<4x4xf32>
  rt.launch @rows(%z, %b) into (%y) : (memref<4x4xf32>, memref<4xf32>) -> memref<4x4xf32>
  rt.contract %x, %w into %y "mk,nk->mn" : memref<4x8xf32>, memref<4x8xf32>, memref<4x4xf32>
  rt.launch @more(%y, %b) into (%y) : (memref<4x4xf32>, memref<4xf32>) -> memref<4x4xf32>
  rt.contract %x, %w into %y "mk,nk->mn" : memref<4x8xf32>, memref<4x8xf32>, memref<4x4xf32>
  rt.launch @columns(%y, %b) into (%y) : (memref<4x4xf32>, memref<4xf32>) -> memref<4x4xf32>
  rt.contract %w, %x into %y "nk,mk->mn" : memref<4x8xf32>, memref<4x8xf32>, memref<4x4xf32>
  rt.launch @rows(%y, %b) into (%y) : (memref<4x4xf32>, memref<4xf32>) -> memref<4x4xf32>
  rt.contract %x, %one into %o "mk,nk->mn" : memref<4x8xf32>, memref<1x8xf32>, memref<4x1xf32>
  rt.launch @one(%o, %c) into (%o) : (memref<4x1xf32>, memref<1xf32>) -> memref<4x1xf32>
  rt.contract %xd, %xd into %yd "mk,nk->mn" : memref<4x8xf64>, memref<4x8xf64>, memref<4x4xf64>
  rt.launch @wide(%yd, %bd) into (%yd) : (memref<4x4xf64>, memref<4xf64>) -> memref<4x4xf64>
  return
}
func.func private @rows(%x: tensor<4x4xf32>, %b: tensor<4xf32>) -> tensor<4x4xf32> attributes {rt.kernel} {
  %0 = nn.broadcast %b dims [1] : (tensor<4xf32>) -> tensor<4x4xf32>
  %1 = arith.addf %x, %0 : tensor<4x4xf32>
  return %1 : tensor<4x4xf32>
}
func.func private @more(%x: tensor<4x4xf32>, %b: tensor<4xf32>) -> tensor<4x4xf32> attributes {rt.kernel} {
  %0 = nn.broadcast %b dims [1] : (tensor<4xf32>) -> tensor<4x4xf32>
  %1 = arith.addf %x, %0 : tensor<4x4xf32>
  %2 = arith.negf %1 : tensor<4x4xf32>
  return %2 : tensor<4x4xf32>
}
func.func private @columns(%x: tensor<4x4xf32>, %b: tensor<4xf32>) -> tensor<4x4xf32> attributes {rt.kernel} {
  %0 = nn.broadcast %b dims [0] : (tensor<4xf32>) -> tensor<4x4xf32>
  %1 = arith.addf %x, %0 : tensor<4x4xf32>
  return %1 : tensor<4x4xf32>
}
func.func private @one(%x: tensor<4x1xf32>, %b: tensor<1xf32>) -> tensor<4x1xf32> attributes {rt.kernel} {
  %0 = nn.broadcast %b dims [1] : (tensor<1xf32>) -> tensor<4x1xf32>
  %1 = arith.addf %x, %0 : tensor<4x1xf32>
  return %1 : tensor<4x1xf32>
}
func.func private @wide(%x: tensor<4x4xf64>, %b: tensor<4xf64>) -> tensor<4x4xf64> attributes {rt.kernel} {
  %0 = nn.broadcast %b dims [1] : (tensor<4xf64>) -> tensor<4x4xf64>
  %1 = arith.addf %x, %0 : tensor<4x4xf64>
  return %1 : tensor<4x4xf64>
}
