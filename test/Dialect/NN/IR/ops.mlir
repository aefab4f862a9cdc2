// Every op of the dialect prints as it is written.
// RUN: tp-opt %s | tp-opt | FileCheck %s
// RUN: tp-opt %s -mlir-print-op-generic | tp-opt | FileCheck %s

// CHECK-LABEL: func.func @contraction
func.func @contraction(%x: tensor<1x8x64xf32>, %w: tensor<32x64xf32>, %a: tensor<f64>) {
  // CHECK: nn.contract %{{.*}}, %{{.*}} "bsk,nk->bsn" : (tensor<1x8x64xf32>, tensor<32x64xf32>) -> tensor<1x8x32xf32>
  %0 = nn.contract %x, %w "bsk,nk->bsn" : (tensor<1x8x64xf32>, tensor<32x64xf32>) -> tensor<1x8x32xf32>
  // An outer product of scalars: no dims at all.
  // CHECK: nn.contract %{{.*}}, %{{.*}} ",->" : (tensor<f64>, tensor<f64>) -> tensor<f64>
  %1 = nn.contract %a, %a ",->" : (tensor<f64>, tensor<f64>) -> tensor<f64>
  // Upper-case letters are other dims than lower-case ones.
  // CHECK: nn.contract %{{.*}}, %{{.*}} "aA,BA->aB"
  %2 = nn.contract %w, %w "aA,BA->aB" : (tensor<32x64xf32>, tensor<32x64xf32>) -> tensor<32x32xf32>
  // CHECK: nn.reduce %{{.*}} "sum" dims [2] : (tensor<1x8x64xf32>) -> tensor<1x8xf32>
  %3 = nn.reduce %x "sum" dims [2] : (tensor<1x8x64xf32>) -> tensor<1x8xf32>
  // CHECK: nn.reduce %{{.*}} "max" dims [0, 2, 1] : (tensor<1x8x64xf32>) -> tensor<f32>
  %4 = nn.reduce %x "max" dims [0, 2, 1] : (tensor<1x8x64xf32>) -> tensor<f32>
  // CHECK: nn.reduce %{{.*}} "min" dims [] : (tensor<1x8x64xf32>) -> tensor<1x8x64xf32>
  %5 = nn.reduce %x "min" dims [] : (tensor<1x8x64xf32>) -> tensor<1x8x64xf32>
  // CHECK: nn.reduce %{{.*}} "product" dims [0]
  %6 = nn.reduce %x "product" dims [0] : (tensor<1x8x64xf32>) -> tensor<8x64xf32>
  return
}

// CHECK-LABEL: func.func @layout
func.func @layout(%x: tensor<8x24xf32>, %m: tensor<8x24xi1>, %a: tensor<i64>) {
  // CHECK: nn.reshape %{{.*}} : (tensor<8x24xf32>) -> tensor<8x4x6xf32>
  %0 = nn.reshape %x : (tensor<8x24xf32>) -> tensor<8x4x6xf32>
  // CHECK: nn.reshape %{{.*}} : (tensor<i64>) -> tensor<1x1xi64>
  %1 = nn.reshape %a : (tensor<i64>) -> tensor<1x1xi64>
  // On one device: the shapes of the whole tensors are kept.
  // CHECK: nn.reshape %{{.*}} from [16, 24] to [16, 4, 6] : (tensor<8x24xf32>) -> tensor<8x4x6xf32>
  %2 = nn.reshape %x from [16, 24] to [16, 4, 6] : (tensor<8x24xf32>) -> tensor<8x4x6xf32>
  // CHECK: nn.transpose %{{.*}} [1, 0] : (tensor<8x24xi1>) -> tensor<24x8xi1>
  %3 = nn.transpose %m [1, 0] : (tensor<8x24xi1>) -> tensor<24x8xi1>
  // CHECK: nn.transpose %{{.*}} [] : (tensor<i64>) -> tensor<i64>
  %4 = nn.transpose %a [] : (tensor<i64>) -> tensor<i64>
  // CHECK: nn.broadcast %{{.*}} dims [1, 3] : (tensor<8x24xf32>) -> tensor<2x8x3x24xf32>
  %5 = nn.broadcast %x dims [1, 3] : (tensor<8x24xf32>) -> tensor<2x8x3x24xf32>
  // CHECK: nn.broadcast %{{.*}} dims [] : (tensor<i64>) -> tensor<4xi64>
  %6 = nn.broadcast %a dims [] : (tensor<i64>) -> tensor<4xi64>
  // CHECK: nn.slice %{{.*}} offsets [0, 4] strides [1, 2] : (tensor<8x24xf32>) -> tensor<8x10xf32>
  %7 = nn.slice %x offsets [0, 4] strides [1, 2] : (tensor<8x24xf32>) -> tensor<8x10xf32>
  // Nothing of a dim: the offset may be its end.
  // CHECK: nn.slice %{{.*}} offsets [8, 0] strides [1, 1] : (tensor<8x24xf32>) -> tensor<0x24xf32>
  %8 = nn.slice %x offsets [8, 0] strides [1, 1] : (tensor<8x24xf32>) -> tensor<0x24xf32>
  // CHECK: nn.concat %{{.*}}, %{{.*}} dim 1 : (tensor<8x24xf32>, tensor<8x24xf32>) -> tensor<8x48xf32>
  %9 = nn.concat %x, %x dim 1 : (tensor<8x24xf32>, tensor<8x24xf32>) -> tensor<8x48xf32>
  // CHECK: nn.concat %{{.*}} dim 0 : (tensor<8x24xf32>) -> tensor<8x24xf32>
  %10 = nn.concat %x dim 0 : (tensor<8x24xf32>) -> tensor<8x24xf32>
  // CHECK: nn.pad %{{.*}} low [0, 1] high [2, 0] value 5.000000e-01 : (tensor<8x24xf32>) -> tensor<10x25xf32>
  %11 = nn.pad %x low [0, 1] high [2, 0] value 0.5 : (tensor<8x24xf32>) -> tensor<10x25xf32>
  return
}

// CHECK-LABEL: func.func @positions
func.func @positions(%x: tensor<1x8x64xf32>, %last: tensor<i32>, %start: index,
                     %ids: tensor<1x8xi32>, %table: tensor<512x64xf32>,
                     %cache: tensor<1x256x64xf32>) {
  // CHECK: nn.iota dim 1 : tensor<4x8xi32>
  %0 = nn.iota dim 1 : tensor<4x8xi32>
  // CHECK: nn.iota from %{{.*}} dim 0 : tensor<8xi64>
  %1 = nn.iota from %start dim 0 : tensor<8xi64>
  // CHECK: nn.take %{{.*}}, %{{.*}} dim 1 : (tensor<1x8x64xf32>, tensor<i32>) -> tensor<1x64xf32>
  %2 = nn.take %x, %last dim 1 : (tensor<1x8x64xf32>, tensor<i32>) -> tensor<1x64xf32>
  // CHECK: nn.embedding %{{.*}}, %{{.*}} : (tensor<1x8xi32>, tensor<512x64xf32>) -> tensor<1x8x64xf32>
  %3 = nn.embedding %ids, %table : (tensor<1x8xi32>, tensor<512x64xf32>) -> tensor<1x8x64xf32>
  // A quarter of the table, and a single id.
  // CHECK: nn.embedding %{{.*}}, %{{.*}} from %{{.*}} of 2048 : (tensor<i32>, tensor<512x64xf32>, index) -> tensor<64xf32>
  %4 = nn.embedding %last, %table from %start of 2048 : (tensor<i32>, tensor<512x64xf32>, index) -> tensor<64xf32>
  // CHECK: nn.embedding_gradient %{{.*}}, %{{.*}} : (tensor<1x8xi32>, tensor<1x8x64xf32>) -> tensor<512x64xf32>
  %5 = nn.embedding_gradient %ids, %x : (tensor<1x8xi32>, tensor<1x8x64xf32>) -> tensor<512x64xf32>
  // CHECK: nn.embedding_gradient %{{.*}}, %{{.*}} from %{{.*}} of 2048 : (tensor<1x8xi32>, tensor<1x8x64xf32>, index) -> tensor<512x64xf32>
  %6 = nn.embedding_gradient %ids, %x from %start of 2048 : (tensor<1x8xi32>, tensor<1x8x64xf32>, index) -> tensor<512x64xf32>
  // CHECK: nn.cache_update %{{.*}}, %{{.*}} at %{{.*}} length %{{.*}} : (tensor<1x256x64xf32>, tensor<1x8x64xf32>, tensor<i32>, tensor<i32>) -> tensor<1x256x64xf32>
  %7 = nn.cache_update %cache, %x at %last length %last : (tensor<1x256x64xf32>, tensor<1x8x64xf32>, tensor<i32>, tensor<i32>) -> tensor<1x256x64xf32>
  // A quarter of the cache.
  // CHECK: nn.cache_update %{{.*}}, %{{.*}} at %{{.*}} length %{{.*}} from %{{.*}} of 1024 : (tensor<1x256x64xf32>, tensor<1x8x64xf32>, tensor<i32>, tensor<i32>, index) -> tensor<1x256x64xf32>
  %8 = nn.cache_update %cache, %x at %last length %last from %start of 1024 : (tensor<1x256x64xf32>, tensor<1x8x64xf32>, tensor<i32>, tensor<i32>, index) -> tensor<1x256x64xf32>
  // Two ids of each batch; one of a single table.
  // CHECK: nn.gather %{{.*}}, %{{.*}} : (tensor<1x2xi32>, tensor<1x8x64xf32>) -> tensor<1x2x64xf32>
  %9 = nn.slice %ids offsets [0, 0] strides [1, 1] : (tensor<1x8xi32>) -> tensor<1x2xi32>
  %10 = nn.gather %9, %x : (tensor<1x2xi32>, tensor<1x8x64xf32>) -> tensor<1x2x64xf32>
  // CHECK: nn.gather %{{.*}}, %{{.*}} : (tensor<i32>, tensor<512x64xf32>) -> tensor<64xf32>
  %11 = nn.gather %last, %table : (tensor<i32>, tensor<512x64xf32>) -> tensor<64xf32>
  // CHECK: nn.scatter_add %{{.*}}, %{{.*}} : (tensor<1x8xi32>, tensor<1x8x64xf32>) -> tensor<1x25x64xf32>
  %12 = nn.scatter_add %ids, %x : (tensor<1x8xi32>, tensor<1x8x64xf32>) -> tensor<1x25x64xf32>
  return
}

// CHECK-LABEL: func.func @composites
func.func @composites(%x: tensor<1x8x64xf32>, %g: tensor<64xf32>, %c: tensor<8x32xf32>,
                      %q: tensor<1x8x3x2x16xbf16>, %k: tensor<1x32x3x16xbf16>,
                      %position: tensor<i32>, %start: index, %ids: tensor<1x8x64xi32>) {
  // CHECK: nn.rms_norm %{{.*}}, %{{.*}} epsilon 1.000000e-05 : (tensor<1x8x64xf32>, tensor<64xf32>) -> tensor<1x8x64xf32>
  %0 = nn.rms_norm %x, %g epsilon 1.0e-5 : (tensor<1x8x64xf32>, tensor<64xf32>) -> tensor<1x8x64xf32>
  // Over two dims.
  // CHECK: nn.rms_norm %{{.*}}, %{{.*}} epsilon 1.000000e-05 : (tensor<2x8x32xf32>, tensor<8x32xf32>) -> tensor<2x8x32xf32>
  %14 = nn.reshape %x : (tensor<1x8x64xf32>) -> tensor<2x8x32xf32>
  %15 = nn.rms_norm %14, %c epsilon 1.0e-5 : (tensor<2x8x32xf32>, tensor<8x32xf32>) -> tensor<2x8x32xf32>
  // CHECK: nn.rotary %{{.*}}, %{{.*}}, %{{.*}} : (tensor<1x8x64xf32>, tensor<8x32xf32>, tensor<8x32xf32>) -> tensor<1x8x64xf32>
  %1 = nn.rotary %x, %c, %c : (tensor<1x8x64xf32>, tensor<8x32xf32>, tensor<8x32xf32>) -> tensor<1x8x64xf32>
  // CHECK: nn.rotary %{{.*}}, %{{.*}}, %{{.*}} interleaved : (tensor<1x8x64xf32>
  %2 = nn.rotary %x, %c, %c interleaved : (tensor<1x8x64xf32>, tensor<8x32xf32>, tensor<8x32xf32>) -> tensor<1x8x64xf32>
  // CHECK: nn.attention %{{.*}}, %{{.*}}, %{{.*}} scale 2.500000e-01 : (tensor<1x8x3x2x16xbf16>, tensor<1x32x3x16xbf16>, tensor<1x32x3x16xbf16>) -> tensor<1x8x3x2x16xbf16>
  %3 = nn.attention %q, %k, %k scale 0.25 : (tensor<1x8x3x2x16xbf16>, tensor<1x32x3x16xbf16>, tensor<1x32x3x16xbf16>) -> tensor<1x8x3x2x16xbf16>
  // CHECK: nn.attention %{{.*}}, %{{.*}}, %{{.*}} at %{{.*}} scale 2.500000e-01 causal window 4096 soft_cap 5.000000e+01 : (tensor<1x8x3x2x16xbf16>, tensor<1x32x3x16xbf16>, tensor<1x32x3x16xbf16>, tensor<i32>) -> tensor<1x8x3x2x16xbf16>
  %4 = nn.attention %q, %k, %k at %position scale 0.25 causal window 4096 soft_cap 50.0 : (tensor<1x8x3x2x16xbf16>, tensor<1x32x3x16xbf16>, tensor<1x32x3x16xbf16>, tensor<i32>) -> tensor<1x8x3x2x16xbf16>
  // One device's share of the queries, with keys padded to 32.
  // CHECK: nn.attention %{{.*}}, %{{.*}}, %{{.*}} at %{{.*}} from %{{.*}} scale 2.500000e-01 causal of 31 : (tensor<1x8x3x2x16xbf16>, tensor<1x32x3x16xbf16>, tensor<1x32x3x16xbf16>, tensor<i32>, index) -> tensor<1x8x3x2x16xbf16>
  %11 = nn.attention %q, %k, %k at %position from %start scale 0.25 causal of 31 : (tensor<1x8x3x2x16xbf16>, tensor<1x32x3x16xbf16>, tensor<1x32x3x16xbf16>, tensor<i32>, index) -> tensor<1x8x3x2x16xbf16>
  // CHECK: nn.top_k %{{.*}} k 2 : (tensor<1x8x64xf32>) -> (tensor<1x8x2xf32>, tensor<1x8x2xi32>)
  %5:2 = nn.top_k %x k 2 : (tensor<1x8x64xf32>) -> (tensor<1x8x2xf32>, tensor<1x8x2xi32>)
  // CHECK: nn.top_k %{{.*}} ids %{{.*}} k 1 : (tensor<1x8x64xf32>, tensor<1x8x64xi32>) -> (tensor<1x8x1xf32>, tensor<1x8x1xi32>)
  %6:2 = nn.top_k %x ids %ids k 1 : (tensor<1x8x64xf32>, tensor<1x8x64xi32>) -> (tensor<1x8x1xf32>, tensor<1x8x1xi32>)
  // CHECK: nn.top_k %{{.*}} k 2 segments 4 : (tensor<1x8x64xf32>) -> (tensor<1x8x8xf32>, tensor<1x8x8xi32>)
  %7:2 = nn.top_k %x k 2 segments 4 : (tensor<1x8x64xf32>) -> (tensor<1x8x8xf32>, tensor<1x8x8xi32>)
  // One device's share of 4 segments of 250 elements, padded to 256.
  // CHECK: nn.top_k %{{.*}} from %{{.*}} k 2 segments 4 of 250 : (tensor<1x8x64xf32>, index) -> (tensor<1x8x2xf32>, tensor<1x8x2xi32>)
  %8:2 = nn.top_k %x from %start k 2 segments 4 of 250 : (tensor<1x8x64xf32>, index) -> (tensor<1x8x2xf32>, tensor<1x8x2xi32>)
  // CHECK: nn.cumulative_sum %{{.*}} dim 1 : tensor<1x8x64xf32>
  %12 = nn.cumulative_sum %x dim 1 : tensor<1x8x64xf32>
  // CHECK: nn.cumulative_sum %{{.*}} dim 0 exclusive : tensor<1x8x64xf32>
  %13 = nn.cumulative_sum %x dim 0 exclusive : tensor<1x8x64xf32>
  // CHECK: nn.boundary %{{.*}} "output" "0" of "model.norm" : tensor<1x8x64xf32>
  %9 = nn.boundary %x "output" "0" of "model.norm" : tensor<1x8x64xf32>
  // CHECK: nn.boundary %{{.*}} "input" "hidden_states" of "m" dims [0, 1, 1] : tensor<1x8x64xf32>
  %10 = nn.boundary %x "input" "hidden_states" of "m" dims [0, 1, 1] : tensor<1x8x64xf32>
  return
}
