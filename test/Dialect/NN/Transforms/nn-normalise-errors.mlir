// The pass has no errors: what cannot be hoisted stays, and is still right.
// RUN: tp-opt %s -nn-normalise -split-input-file -allow-unregistered-dialect | FileCheck %s

// The origin is an input.
// CHECK-LABEL: func.func @input
// CHECK: nn.contract {{.*}} "sk,nk->sn"
// CHECK: nn.reshape
func.func @input(%x: tensor<8x64xf32>, %w: tensor<24x64xf32>) -> tensor<8x4x6xf32> {
  %0 = nn.contract %x, %w "sk,nk->sn" : (tensor<8x64xf32>, tensor<24x64xf32>) -> tensor<8x24xf32>
  %1 = nn.reshape %0 : (tensor<8x24xf32>) -> tensor<8x4x6xf32>
  return %1 : tensor<8x4x6xf32>
}

// -----

tp.mesh @mesh = <["tp"=2]>

// The parameter's sharding was asked for on the dim as it is.
// CHECK-LABEL: func.func @sharded
// CHECK-SAME: tensor<24x64xf32>
// CHECK: nn.reshape
func.func @sharded(%x: tensor<8x64xf32>,
    %w: tensor<24x64xf32> {tp.sharding = #tp.sharding<@mesh, [{"tp"}, {}]>,
                           nn.parameter = #nn.parameter<name = "w", tensor = "w", shape = [24, 64], offset = [0, 0],
                           dims = [0, 1], strides = [1, 1], initialisation = "normal">}) -> tensor<8x4x6xf32> {
  %0 = nn.contract %x, %w "sk,nk->sn" : (tensor<8x64xf32>, tensor<24x64xf32>) -> tensor<8x24xf32>
  %1 = nn.reshape %0 : (tensor<8x24xf32>) -> tensor<8x4x6xf32>
  return %1 : tensor<8x4x6xf32>
}

// -----

// A softmax cannot do with parts of the dim that it reduces.
// CHECK-LABEL: func.func @softmax
// CHECK: nn.softmax
// CHECK: nn.reshape
func.func @softmax(%x: tensor<8x64xf32>,
    %w: tensor<24x64xf32> {nn.parameter = #nn.parameter<name = "w", tensor = "w", shape = [24, 64], offset = [0, 0],
                           dims = [0, 1], strides = [1, 1], initialisation = "normal">}) -> tensor<8x4x6xf32> {
  %0 = nn.contract %x, %w "sk,nk->sn" : (tensor<8x64xf32>, tensor<24x64xf32>) -> tensor<8x24xf32>
  %1 = nn.softmax %0 dim 1 : tensor<8x24xf32>
  %2 = nn.reshape %1 : (tensor<8x24xf32>) -> tensor<8x4x6xf32>
  return %2 : tensor<8x4x6xf32>
}

// -----

// Dims that do not correspond one to several.
// CHECK-LABEL: func.func @irregular
// CHECK: nn.reshape %{{.*}} : (tensor<8x24xf32>) -> tensor<12x16xf32>
func.func @irregular(%x: tensor<8x64xf32>,
    %w: tensor<24x64xf32> {nn.parameter = #nn.parameter<name = "w", tensor = "w", shape = [24, 64], offset = [0, 0],
                           dims = [0, 1], strides = [1, 1], initialisation = "normal">}) -> tensor<12x16xf32> {
  %0 = nn.contract %x, %w "sk,nk->sn" : (tensor<8x64xf32>, tensor<24x64xf32>) -> tensor<8x24xf32>
  %1 = nn.reshape %0 : (tensor<8x24xf32>) -> tensor<12x16xf32>
  return %1 : tensor<12x16xf32>
}

// -----

// The argument of a block inside is no parameter, whatever its number.
// CHECK-LABEL: func.func @region
// CHECK: ^bb0(%{{.*}}: tensor<8xf32>, %[[X:.*]]: tensor<8xf32>):
// CHECK: nn.reshape %[[X]]
func.func @region(%x: tensor<8xf32>) {
  "my.region"() ({
  ^bb0(%a: tensor<8xf32>, %b: tensor<8xf32>):
    %0 = nn.reshape %b : (tensor<8xf32>) -> tensor<2x4xf32>
    "my.yield"(%0) : (tensor<2x4xf32>) -> ()
  }) : () -> ()
  return
}

// -----

// No elements, no results, no body.
// CHECK-LABEL: func.func @nothing
// CHECK: nn.reshape
func.func @nothing(%x: tensor<0x4xf32>) -> tensor<0xf32> {
  %0 = nn.reshape %x : (tensor<0x4xf32>) -> tensor<0xf32>
  return %0 : tensor<0xf32>
}
// CHECK-LABEL: func.func @empty
// CHECK-NEXT: return
func.func @empty() {
  return
}
// CHECK: func.func private @external(tensor<8xf32>)
func.func private @external(tensor<8xf32>)

// -----

// An input is not cut up.
// CHECK-LABEL: func.func @slice_of_input
// CHECK: nn.slice
func.func @slice_of_input(%x: tensor<8x64xf32>, %w: tensor<24x64xf32>) -> (tensor<8x16xf32>, tensor<8x8xf32>) {
  %0 = nn.contract %x, %w "sk,nk->sn" : (tensor<8x64xf32>, tensor<24x64xf32>) -> tensor<8x24xf32>
  %1 = nn.slice %0 offsets [0, 0] strides [1, 1] : (tensor<8x24xf32>) -> tensor<8x16xf32>
  %2 = nn.slice %0 offsets [0, 16] strides [1, 1] : (tensor<8x24xf32>) -> tensor<8x8xf32>
  return %1, %2 : tensor<8x16xf32>, tensor<8x8xf32>
}

// -----

// Somebody sees all of it.
// CHECK-LABEL: func.func @slice_of_used
// CHECK: nn.slice
func.func @slice_of_used(%x: tensor<8x64xf32>,
    %w: tensor<24x64xf32> {nn.parameter = #nn.parameter<name = "w", tensor = "w", shape = [24, 64], offset = [0, 0],
                           dims = [0, 1], strides = [1, 1], initialisation = "normal">}) -> (tensor<8x16xf32>, tensor<8x24xf32>) {
  %0 = nn.contract %x, %w "sk,nk->sn" : (tensor<8x64xf32>, tensor<24x64xf32>) -> tensor<8x24xf32>
  %1 = nn.slice %0 offsets [0, 0] strides [1, 1] : (tensor<8x24xf32>) -> tensor<8x16xf32>
  return %1, %0 : tensor<8x16xf32>, tensor<8x24xf32>
}

// -----

// The parameter is somebody else's, too: it would be stored twice.
// CHECK-LABEL: func.func @slice_of_tied
// CHECK: nn.slice
func.func @slice_of_tied(%x: tensor<8x64xf32>,
    %w: tensor<24x64xf32> {nn.parameter = #nn.parameter<name = "w", tensor = "w", shape = [24, 64], offset = [0, 0],
                           dims = [0, 1], strides = [1, 1], initialisation = "normal">}) -> (tensor<8x16xf32>, tensor<8x8xf32>, tensor<24x64xf32>) {
  %0 = nn.contract %x, %w "sk,nk->sn" : (tensor<8x64xf32>, tensor<24x64xf32>) -> tensor<8x24xf32>
  %1 = nn.slice %0 offsets [0, 0] strides [1, 1] : (tensor<8x24xf32>) -> tensor<8x16xf32>
  %2 = nn.slice %0 offsets [0, 16] strides [1, 1] : (tensor<8x24xf32>) -> tensor<8x8xf32>
  return %1, %2, %w : tensor<8x16xf32>, tensor<8x8xf32>, tensor<24x64xf32>
}

// -----

// Row 15 would be computed twice.
// CHECK-LABEL: func.func @slices_overlap
// CHECK: nn.slice
func.func @slices_overlap(%x: tensor<8x64xf32>,
    %w: tensor<24x64xf32> {nn.parameter = #nn.parameter<name = "w", tensor = "w", shape = [24, 64], offset = [0, 0],
                           dims = [0, 1], strides = [1, 1], initialisation = "normal">}) -> (tensor<8x16xf32>, tensor<8x9xf32>) {
  %0 = nn.contract %x, %w "sk,nk->sn" : (tensor<8x64xf32>, tensor<24x64xf32>) -> tensor<8x24xf32>
  %1 = nn.slice %0 offsets [0, 0] strides [1, 1] : (tensor<8x24xf32>) -> tensor<8x16xf32>
  %2 = nn.slice %0 offsets [0, 15] strides [1, 1] : (tensor<8x24xf32>) -> tensor<8x9xf32>
  return %1, %2 : tensor<8x16xf32>, tensor<8x9xf32>
}

// -----

// The rows of the one, the columns of the other.
// CHECK-LABEL: func.func @slices_across
// CHECK: nn.slice
func.func @slices_across(%x: tensor<8x64xf32>,
    %w: tensor<24x64xf32> {nn.parameter = #nn.parameter<name = "w", tensor = "w", shape = [24, 64], offset = [0, 0],
                           dims = [0, 1], strides = [1, 1], initialisation = "normal">}) -> (tensor<8x16xf32>, tensor<4x24xf32>) {
  %0 = nn.contract %x, %w "sk,nk->sn" : (tensor<8x64xf32>, tensor<24x64xf32>) -> tensor<8x24xf32>
  %1 = nn.slice %0 offsets [0, 0] strides [1, 1] : (tensor<8x24xf32>) -> tensor<8x16xf32>
  %2 = nn.slice %0 offsets [4, 0] strides [1, 1] : (tensor<8x24xf32>) -> tensor<4x24xf32>
  return %1, %2 : tensor<8x16xf32>, tensor<4x24xf32>
}

// -----

// Rows come from the input.
// CHECK-LABEL: func.func @slice_of_rows
// CHECK: nn.slice
func.func @slice_of_rows(%x: tensor<8x64xf32>,
    %w: tensor<24x64xf32> {nn.parameter = #nn.parameter<name = "w", tensor = "w", shape = [24, 64], offset = [0, 0],
                           dims = [0, 1], strides = [1, 1], initialisation = "normal">}) -> (tensor<4x24xf32>) {
  %0 = nn.contract %x, %w "sk,nk->sn" : (tensor<8x64xf32>, tensor<24x64xf32>) -> tensor<8x24xf32>
  %1 = nn.slice %0 offsets [4, 0] strides [1, 1] : (tensor<8x24xf32>) -> tensor<4x24xf32>
  return %1 : tensor<4x24xf32>
}

// -----

// A softmax needs all of the dim.
// CHECK-LABEL: func.func @slice_of_softmax
// CHECK: nn.slice
func.func @slice_of_softmax(%x: tensor<8x64xf32>,
    %w: tensor<24x64xf32> {nn.parameter = #nn.parameter<name = "w", tensor = "w", shape = [24, 64], offset = [0, 0],
                           dims = [0, 1], strides = [1, 1], initialisation = "normal">}) -> (tensor<8x16xf32>, tensor<8x8xf32>) {
  %z = nn.contract %x, %w "sk,nk->sn" : (tensor<8x64xf32>, tensor<24x64xf32>) -> tensor<8x24xf32>
  %0 = nn.softmax %z dim 1 : tensor<8x24xf32>
  %1 = nn.slice %0 offsets [0, 0] strides [1, 1] : (tensor<8x24xf32>) -> tensor<8x16xf32>
  %2 = nn.slice %0 offsets [0, 16] strides [1, 1] : (tensor<8x24xf32>) -> tensor<8x8xf32>
  return %1, %2 : tensor<8x16xf32>, tensor<8x8xf32>
}
