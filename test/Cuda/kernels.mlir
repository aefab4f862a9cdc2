// RUN: tp-opt %s --tp-emit-cuda | FileCheck %s

// CHECK: alignas(16) __device__ const float data_constant_0[4] = {1.0f, 2.0f, 0.5f, -3.25f};

// A reduced row has a block: threads go through it in vectors, reduce, and go
// through it again. What is stored to is not const.
// CHECK-LABEL: __global__ void __launch_bounds__(32) norm(const float *in0, const float *in1, float *out0, float *out1) {
// CHECK-NEXT: for (int64_t [[ROW:i.*]] = int64_t(blockIdx.x); [[ROW]] < 6; [[ROW]] += int64_t(gridDim.x)) {
// CHECK-NEXT: Vector<float, 4> [[SUM:v[0-9]+]] = splat<4>(0.0f);
// CHECK-NEXT: for (int64_t [[I:i.*]] = int64_t(threadIdx.x); [[I]] < 8; [[I]] += int64_t(blockDim.x)) {
// CHECK: load<4>(in0 + {{v[0-9]+}});
// CHECK: [[SUM]] = {{v[0-9]+}};
// CHECK-NEXT: }
// CHECK-NEXT: const float [[LANES:v[0-9]+]] = reduceLanes<Sum>([[SUM]]);
// CHECK-NEXT: const float [[ALL:v[0-9]+]] = reduceBlock<Sum>([[LANES]]);
// CHECK-NEXT: const float [[SCALE:v[0-9]+]] = tprt_cuda::rsqrt([[ALL]]);
// CHECK-NEXT: for (int64_t
// CHECK: splat<4>([[SCALE]]);
// CHECK: store(out0 + {{v[0-9]+}}, {{v[0-9]+}});
// CHECK-NEXT: }
// CHECK-NEXT: __syncthreads();
// CHECK-NEXT: const bool [[FIRST:v[0-9]+]] = int64_t(threadIdx.x) == 0;
// CHECK-NEXT: if ([[FIRST]]) {
// CHECK-NEXT: out1[[[ROW]]] = [[SCALE]];
func.func private @norm(%x: tensor<6x32xf32>, %w: tensor<32xf32>) -> (tensor<6x32xf32>, tensor<6xf32>) attributes {rt.kernel} {
  %0 = arith.mulf %x, %x : tensor<6x32xf32>
  %1 = nn.reduce %0 "sum" dims [1] : (tensor<6x32xf32>) -> tensor<6xf32>
  %2 = math.rsqrt %1 : tensor<6xf32>
  %3 = nn.broadcast %2 dims [0] : (tensor<6xf32>) -> tensor<6x32xf32>
  %4 = arith.mulf %x, %3 : tensor<6x32xf32>
  %5 = nn.broadcast %w dims [1] : (tensor<32xf32>) -> tensor<6x32xf32>
  %6 = arith.mulf %4, %5 : tensor<6x32xf32>
  return %6, %2 : tensor<6x32xf32>, tensor<6xf32>
}

// bf16 is computed in f32 and rounded after every operation, as on CPUs; eight of
// them would fit a load, but their f32 do not.
// CHECK-LABEL: __global__ void __launch_bounds__(256) narrow(const __nv_bfloat16 *in0, __nv_bfloat16 *out0) {
// CHECK: const Vector<__nv_bfloat16, 8> [[X:v[0-9]+]] = load<8>(in0 + {{v[0-9]+}});
// CHECK-NEXT: const Vector<float, 8> [[WIDE:v[0-9]+]] = cast<float>([[X]]);
// CHECK-NEXT: const Vector<float, 8> [[Y:v[0-9]+]] = [[WIDE]] * [[WIDE]];
// CHECK-NEXT: cast<__nv_bfloat16>([[Y]]);
func.func private @narrow(%x: tensor<64xbf16>) -> tensor<64xbf16> attributes {rt.kernel} {
  %0 = arith.mulf %x, %x : tensor<64xbf16>
  return %0 : tensor<64xbf16>
}

// 7 elements have no vectors. Comparisons that NaN passes are negations.
// CHECK-LABEL: __global__ void __launch_bounds__(256) choose(
// CHECK: const float [[A:v[0-9]+]] = in0[
// CHECK: const float [[B:v[0-9]+]] = in1[
// CHECK-NEXT: const bool [[C:v[0-9]+]] = !([[A]] >= [[B]]);
// CHECK-NEXT: const float [[S:v[0-9]+]] = select([[C]], [[A]], [[B]]);
// CHECK-NEXT: tprt_cuda::maximumf([[S]], -INFINITY);
func.func private @choose(%a: tensor<7xf32>, %b: tensor<7xf32>) -> tensor<7xf32> attributes {rt.kernel} {
  %0 = arith.cmpf ult, %a, %b : tensor<7xf32>
  %1 = arith.select %0, %a, %b : tensor<7xi1>, tensor<7xf32>
  %cst = arith.constant dense<0xFF800000> : tensor<7xf32>
  %2 = arith.maximumf %1, %cst : tensor<7xf32>
  return %2 : tensor<7xf32>
}

// Positions: lanes count up; literals of integers have a type where it matters.
// CHECK-LABEL: __global__ void __launch_bounds__(256) positions(
// CHECK: Vector<int64_t, 4>{{[{][{]}}0, 1, 2, 3}};
// CHECK: cast<int32_t>(
// CHECK: splat<4>(int32_t(5))
// CHECK: cast<float>(
func.func private @positions() -> tensor<8xf32> attributes {rt.kernel} {
  %0 = nn.iota dim 0 : tensor<8xi32>
  %cst = arith.constant dense<5> : tensor<8xi32>
  %1 = arith.maxsi %0, %cst : tensor<8xi32>
  %2 = arith.sitofp %1 : tensor<8xi32> to tensor<8xf32>
  return %2 : tensor<8xf32>
}

// Data of the program is aligned for whole loads.
// CHECK-LABEL: __global__ void __launch_bounds__(256) data(
// CHECK: load<4>(data_constant_0 + {{v[0-9]+}});
func.func private @data(%x: tensor<2x4xf32>) -> tensor<2x4xf32> attributes {rt.kernel} {
  %cst = arith.constant dense<[1.0, 2.0, 0.5, -3.25]> : tensor<4xf32>
  %0 = nn.broadcast %cst dims [1] : (tensor<4xf32>) -> tensor<2x4xf32>
  %1 = arith.addf %x, %0 : tensor<2x4xf32>
  return %1 : tensor<2x4xf32>
}
