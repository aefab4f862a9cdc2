// A call's boundary with uneven dims: padded as declared. Whole dims are resized.
// RUN: tp-opt %s -tp-shard=plan=none | FileCheck %s

tp.mesh @mesh = <["tp"=4]>

func.func private @sharded(%x: tensor<2x2xf32> {tp.global = tensor<2x5xf32>, tp.sharding = #tp.sharding<@mesh, [{}, {"tp"} pad 8]>})
    -> (tensor<2x2xf32> {tp.global = tensor<2x5xf32>, tp.sharding = #tp.sharding<@mesh, [{}, {"tp"} pad 8]>}) {
  %0 = arith.negf %x : tensor<2x2xf32>
  return %0 : tensor<2x2xf32>
}
func.func private @whole(%x: tensor<2x5xf32> {tp.global = tensor<2x5xf32>, tp.sharding = #tp.sharding<@mesh, [{}, {}]>})
    -> (tensor<2x5xf32> {tp.global = tensor<2x5xf32>, tp.sharding = #tp.sharding<@mesh, [{}, {}]>}) {
  %0 = arith.negf %x : tensor<2x5xf32>
  return %0 : tensor<2x5xf32>
}
func.func private @whole_padded(%x: tensor<2x8xf32> {tp.global = tensor<2x5xf32>, tp.sharding = #tp.sharding<@mesh, [{}, {} pad 8]>})
    -> (tensor<2x8xf32> {tp.global = tensor<2x5xf32>, tp.sharding = #tp.sharding<@mesh, [{}, {} pad 8]>}) {
  %0 = arith.negf %x : tensor<2x8xf32>
  return %0 : tensor<2x8xf32>
}

// CHECK-LABEL: func.func @calls_sharded
// CHECK-NEXT: %[[Y:.*]] = tp.call @sharded(%arg0) : (tensor<2x2xf32>) -> tensor<2x2xf32>
// CHECK-NEXT: %[[ALL:.*]] = tp.all_gather %[[Y]] dims [1]
// CHECK-NEXT: %[[CUT:.*]] = tp.resize %[[ALL]] dim 1 : (tensor<2x8xf32>) -> tensor<2x5xf32>
// CHECK-NEXT: nn.slice %[[CUT]]
func.func @calls_sharded(%x: tensor<2x5xf32> {tp.sharding = #tp.sharding<@mesh, [{}, {"tp"}]>}) -> tensor<2x4xf32> {
  %0 = tp.call @sharded(%x) : (tensor<2x5xf32>) -> tensor<2x5xf32>
  %1 = nn.slice %0 offsets [0, 1] strides [1, 1] : (tensor<2x5xf32>) -> tensor<2x4xf32>
  return %1 : tensor<2x4xf32>
}

// The callee knows nothing of the padding that the caller's dim needs ...
// CHECK-LABEL: func.func @calls_whole
// CHECK-NEXT: %[[ALL:.*]] = tp.all_gather %arg0 dims [1]
// CHECK-NEXT: %[[CUT:.*]] = tp.resize %[[ALL]] dim 1 : (tensor<2x8xf32>) -> tensor<2x5xf32>
// CHECK-NEXT: %[[Y:.*]] = tp.call @whole(%[[CUT]])
// CHECK-NEXT: return %[[Y]]
func.func @calls_whole(%x: tensor<2x5xf32> {tp.sharding = #tp.sharding<@mesh, [{}, {"tp"}]>}) -> tensor<2x5xf32> {
  %0 = tp.call @whole(%x) : (tensor<2x5xf32>) -> tensor<2x5xf32>
  return %0 : tensor<2x5xf32>
}

// ... or the caller nothing of the callee's.
// CHECK-LABEL: func.func @calls_whole_padded
// CHECK-NEXT: %[[GROWN:.*]] = tp.resize %arg0 dim 1 : (tensor<2x5xf32>) -> tensor<2x8xf32>
// CHECK-NEXT: %[[Y:.*]] = tp.call @whole_padded(%[[GROWN]])
// CHECK-NEXT: return %[[Y]]
func.func @calls_whole_padded(%x: tensor<2x5xf32>) -> tensor<2x5xf32> {
  %0 = tp.call @whole_padded(%x) : (tensor<2x5xf32>) -> tensor<2x5xf32>
  return %0 : tensor<2x5xf32>
}
