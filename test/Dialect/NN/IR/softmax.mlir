// Softmax: print and parse again.
// RUN: tp-opt %s | tp-opt | FileCheck %s

// CHECK-LABEL: func.func @softmax
func.func @softmax(%x: tensor<2x8x63xf32>, %h: tensor<8xbf16>) {
  // CHECK: nn.softmax %{{.*}} dim 2 : tensor<2x8x63xf32>
  %0 = nn.softmax %x dim 2 : tensor<2x8x63xf32>
  // CHECK: nn.softmax %{{.*}} dim 0 : tensor<2x8x63xf32>
  %1 = nn.softmax %x dim 0 : tensor<2x8x63xf32>
  // CHECK: nn.softmax %{{.*}} dim 0 : tensor<8xbf16>
  %2 = nn.softmax %h dim 0 : tensor<8xbf16>
  return
}
