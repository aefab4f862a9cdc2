// Cross-entropy: print and parse again.
// RUN: tp-opt %s | tp-opt | FileCheck %s

// A loss is at least f32.
// CHECK-LABEL: func.func @cross_entropy
func.func @cross_entropy(%x: tensor<2x8x63xf32>, %t: tensor<2x8xi32>,
                         %h: tensor<63xbf16>, %one: tensor<i32>, %d: tensor<8x63xf64>, %rows: tensor<8xi32>) {
  // CHECK: nn.cross_entropy %{{.*}}, %{{.*}} : (tensor<2x8x63xf32>, tensor<2x8xi32>) -> tensor<2x8xf32>
  %0 = nn.cross_entropy %x, %t : (tensor<2x8x63xf32>, tensor<2x8xi32>) -> tensor<2x8xf32>
  // CHECK: nn.cross_entropy %{{.*}}, %{{.*}} ignore_index -100 : (tensor<2x8x63xf32>
  %1 = nn.cross_entropy %x, %t ignore_index -100 : (tensor<2x8x63xf32>, tensor<2x8xi32>) -> tensor<2x8xf32>
  // CHECK: nn.cross_entropy %{{.*}}, %{{.*}} ignore_index 0 label_smoothing 1.000000e-01 : (tensor<63xbf16>, tensor<i32>) -> tensor<f32>
  %2 = nn.cross_entropy %h, %one ignore_index 0 label_smoothing 0.1 : (tensor<63xbf16>, tensor<i32>) -> tensor<f32>
  // CHECK: nn.cross_entropy %{{.*}}, %{{.*}} label_smoothing 1.000000e+00 : (tensor<8x63xf64>, tensor<8xi32>) -> tensor<8xf64>
  %3 = nn.cross_entropy %d, %rows label_smoothing 1.0 : (tensor<8x63xf64>, tensor<8xi32>) -> tensor<8xf64>
  return
}

// CHECK-LABEL: func.func @reduced
func.func @reduced(%x: tensor<2x8x63xbf16>, %t: tensor<2x8xi32>, %w: tensor<63xf32>) {
  // CHECK: nn.cross_entropy %{{.*}}, %{{.*}} reduction "sum" : (tensor<2x8x63xbf16>, tensor<2x8xi32>) -> tensor<f32>
  %0 = nn.cross_entropy %x, %t reduction "sum" : (tensor<2x8x63xbf16>, tensor<2x8xi32>) -> tensor<f32>
  // CHECK: nn.cross_entropy %{{.*}}, %{{.*}} weights %{{.*}} ignore_index -100 label_smoothing 1.250000e-01 reduction "mean" : (tensor<2x8x63xbf16>, tensor<2x8xi32>, tensor<63xf32>) -> tensor<f32>
  %1 = nn.cross_entropy %x, %t weights %w ignore_index -100 label_smoothing 0.125 reduction "mean" : (tensor<2x8x63xbf16>, tensor<2x8xi32>, tensor<63xf32>) -> tensor<f32>
  // "none" is what it is without saying.
  // CHECK: nn.cross_entropy %{{.*}}, %{{.*}} weights %{{.*}} : (tensor
  %2 = nn.cross_entropy %x, %t weights %w reduction "none" : (tensor<2x8x63xbf16>, tensor<2x8xi32>, tensor<63xf32>) -> tensor<2x8xf32>
  return
}

// CHECK-LABEL: func.func @probabilities
func.func @probabilities(%x: tensor<8x63xf32>, %t: tensor<8x63xbf16>, %w: tensor<63xf32>) {
  // CHECK: nn.cross_entropy %{{.*}}, %{{.*}} weights %{{.*}} label_smoothing 1.250000e-01 reduction "mean" : (tensor<8x63xf32>, tensor<8x63xbf16>, tensor<63xf32>) -> tensor<f32>
  %0 = nn.cross_entropy %x, %t weights %w label_smoothing 0.125 reduction "mean" : (tensor<8x63xf32>, tensor<8x63xbf16>, tensor<63xf32>) -> tensor<f32>
  return
}
