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

// A norm is positional in the dim that it reduces.
// CHECK-LABEL: func.func @norm
// CHECK: nn.rms_norm
// CHECK: nn.reshape
func.func @norm(%x: tensor<8x64xf32>,
    %w: tensor<24x64xf32> {nn.parameter = #nn.parameter<name = "w", tensor = "w", shape = [24, 64], offset = [0, 0],
                           dims = [0, 1], strides = [1, 1], initialisation = "normal">},
    %g: tensor<24xf32> {nn.parameter = #nn.parameter<name = "g", tensor = "g", shape = [24], offset = [0],
                        dims = [0], strides = [1], initialisation = "ones">}) -> tensor<8x4x6xf32> {
  %0 = nn.contract %x, %w "sk,nk->sn" : (tensor<8x64xf32>, tensor<24x64xf32>) -> tensor<8x24xf32>
  %1 = nn.rms_norm %0, %g epsilon 1.0e-5 : (tensor<8x24xf32>, tensor<24xf32>) -> tensor<8x24xf32>
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
