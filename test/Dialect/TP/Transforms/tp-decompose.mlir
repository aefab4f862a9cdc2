// Composites are written out where the dim that they reduce is sharded.
// RUN: tp-opt %s -tp-propagate -tp-decompose -split-input-file | FileCheck %s

tp.mesh @mesh = <["tp"=4]>

// The sum of squares is what remains to be reduced: one number a row.
// CHECK-LABEL: func.func @rms_norm
// CHECK-SAME: %[[X:.*]]: tensor<8x64xf32> {{{.*}}}, %[[G:.*]]: tensor<64xf32>
// CHECK: %[[SQUARES:.*]] = arith.mulf %[[X]], %[[X]] : tensor<8x64xf32>
// CHECK: %[[SUM:.*]] = nn.reduce %[[SQUARES]] "sum" dims [1] : (tensor<8x64xf32>) -> tensor<8xf32>
// CHECK: %[[WIDTH:.*]] = arith.constant dense<1.562500e-02> : tensor<8xf32>
// CHECK: %[[MEAN:.*]] = arith.mulf %[[SUM]], %[[WIDTH]]
// CHECK: %[[EPSILON:.*]] = arith.constant dense<9.99999974E-6> : tensor<8xf32>
// CHECK: %[[SHIFTED:.*]] = arith.addf %[[MEAN]], %[[EPSILON]]
// CHECK: %[[ROOT:.*]] = math.rsqrt %[[SHIFTED]]
// CHECK: %[[WIDE:.*]] = nn.broadcast %[[ROOT]] dims [0]
// CHECK: %[[NORMAL:.*]] = arith.mulf %[[X]], %[[WIDE]]
// CHECK: %[[WEIGHT:.*]] = nn.broadcast %[[G]] dims [1]
// CHECK: %[[Y:.*]] = arith.mulf %[[NORMAL]], %[[WEIGHT]]
// CHECK: return %[[Y]]
func.func @rms_norm(%x: tensor<8x64xf32> {tp.sharding = #tp.sharding<@mesh, [{}, {"tp"}]>},
                    %g: tensor<64xf32>) -> tensor<8x64xf32> {
  %0 = nn.rms_norm %x, %g epsilon 1.0e-5 : (tensor<8x64xf32>, tensor<64xf32>) -> tensor<8x64xf32>
  return %0 : tensor<8x64xf32>
}

// A norm counts true elements: 1/63, not 1/64. It is computed in f32 and rounded
// before the weight is applied.
// CHECK-LABEL: func.func @padded
// CHECK: arith.extf %{{.*}} : tensor<8x63xbf16> to tensor<8x63xf32>
// CHECK: arith.constant dense<0.0158730168> : tensor<8xf32>
// CHECK: %[[ROUNDED:.*]] = arith.truncf %{{.*}} : tensor<8x63xf32> to tensor<8x63xbf16>
// CHECK: arith.mulf %[[ROUNDED]], %{{.*}} : tensor<8x63xbf16>
func.func @padded(%x: tensor<8x63xbf16> {tp.sharding = #tp.sharding<@mesh, [{}, {"tp"}]>},
                  %g: tensor<63xbf16>) -> tensor<8x63xbf16> {
  %0 = nn.rms_norm %x, %g epsilon 1.0e-5 : (tensor<8x63xbf16>, tensor<63xbf16>) -> tensor<8x63xbf16>
  return %0 : tensor<8x63xbf16>
}

// Padded for the sake of another tensor, though whole on every device.
// CHECK-LABEL: func.func @padded_whole
// CHECK-NOT: nn.rms_norm
func.func @padded_whole(%x: tensor<8x63xf32> {tp.sharding = #tp.sharding<@mesh, [{}, {} pad 64]>},
                        %g: tensor<63xf32>) -> tensor<8x63xf32> {
  %0 = nn.rms_norm %x, %g epsilon 1.0e-5 : (tensor<8x63xf32>, tensor<63xf32>) -> tensor<8x63xf32>
  return %0 : tensor<8x63xf32>
}

// The best of each shard, then the best of those.
// CHECK-LABEL: func.func @top_k
// CHECK: %[[VALUES:.*]], %[[IDS:.*]] = nn.top_k %{{.*}} k 2 segments 4 : (tensor<8x63xf32>) -> (tensor<8x8xf32>, tensor<8x8xi32>)
// CHECK: nn.top_k %[[VALUES]] ids %[[IDS]] k 2 of 63 : (tensor<8x8xf32>, tensor<8x8xi32>) -> (tensor<8x2xf32>, tensor<8x2xi32>)
func.func @top_k(%x: tensor<8x63xf32> {tp.sharding = #tp.sharding<@mesh, [{}, {"tp"}]>}) -> (tensor<8x2xf32>, tensor<8x2xi32>) {
  %0:2 = nn.top_k %x k 2 : (tensor<8x63xf32>) -> (tensor<8x2xf32>, tensor<8x2xi32>)
  return %0#0, %0#1 : tensor<8x2xf32>, tensor<8x2xi32>
}

// -----

// What is not sharded where it reduces stays whole.
tp.mesh @mesh = <["tp"=4]>
// CHECK-LABEL: func.func @rows
// CHECK: nn.rms_norm
// CHECK: nn.top_k {{.*}} k 1 {tp.shardings
func.func @rows(%x: tensor<8x64xf32> {tp.sharding = #tp.sharding<@mesh, [{"tp"}, {}]>},
                %g: tensor<64xf32>) -> (tensor<8x1xf32>, tensor<8x1xi32>) {
  %0 = nn.rms_norm %x, %g epsilon 1.0e-5 : (tensor<8x64xf32>, tensor<64xf32>) -> tensor<8x64xf32>
  %1:2 = nn.top_k %0 k 1 : (tensor<8x64xf32>) -> (tensor<8x1xf32>, tensor<8x1xi32>)
  return %1#0, %1#1 : tensor<8x1xf32>, tensor<8x1xi32>
}

// Padded and not sharded: the op is told where its elements end.
// CHECK-LABEL: func.func @padded_top_k
// CHECK: nn.top_k %{{.*}} k 2 of 63 : (tensor<8x63xf32>) -> (tensor<8x2xf32>, tensor<8x2xi32>)
// CHECK-NEXT: return
func.func @padded_top_k(%x: tensor<8x63xf32> {tp.sharding = #tp.sharding<@mesh, [{}, {} pad 64]>}) -> (tensor<8x2xf32>, tensor<8x2xi32>) {
  %0:2 = nn.top_k %x k 2 : (tensor<8x63xf32>) -> (tensor<8x2xf32>, tensor<8x2xi32>)
  return %0#0, %0#1 : tensor<8x2xf32>, tensor<8x2xi32>
}

// One norm after the other: the second is decided by what the first had.
// CHECK-LABEL: func.func @norm_of_norm
// CHECK-NOT: nn.rms_norm
// CHECK: return
func.func @norm_of_norm(%x: tensor<8x64xf32> {tp.sharding = #tp.sharding<@mesh, [{}, {"tp"}]>},
                        %g: tensor<64xf32>) -> tensor<8x64xf32> {
  %0 = nn.rms_norm %x, %g epsilon 1.0e-5 : (tensor<8x64xf32>, tensor<64xf32>) -> tensor<8x64xf32>
  %1 = nn.rms_norm %0, %g epsilon 1.0e-5 : (tensor<8x64xf32>, tensor<64xf32>) -> tensor<8x64xf32>
  return %1 : tensor<8x64xf32>
}
