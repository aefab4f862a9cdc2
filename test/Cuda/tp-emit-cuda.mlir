// RUN: tp-opt %s --tp-emit-cuda | FileCheck %s

// Two layers with one collective each: products and collectives in order, and one
// kernel for both layers.

// CHECK: // {{.*}} one of 2 ranks, mesh tp=2.
// CHECK: #include "tprt/cuda.h"
// CHECK-NOT: #include
tp.mesh @mesh = <["tp"=2]>
func.func @forward(
    %x: tensor<4x8xf32> {nn.input = "x", tp.global = tensor<4x8xf32>, tp.sharding = #tp.sharding<@mesh, [{}, {}]>},
    %w: tensor<16x8xf32> {nn.input = "up.weight", tp.global = tensor<32x8xf32>, tp.sharding = #tp.sharding<@mesh, [{"tp"}, {}]>},
    %v: tensor<8x16xf32> {nn.input = "down.weight", tp.global = tensor<8x32xf32>, tp.sharding = #tp.sharding<@mesh, [{}, {"tp"}]>})
    -> (tensor<4x8xf32> {nn.output = "y", tp.global = tensor<4x8xf32>, tp.sharding = #tp.sharding<@mesh, [{}, {}]>}) {
  %0 = nn.contract %x, %w "mk,nk->mn" : (tensor<4x8xf32>, tensor<16x8xf32>) -> tensor<4x16xf32> loc("layers.0.up")
  %1 = math.tanh %0 : tensor<4x16xf32> loc("layers.0")
  %2 = nn.contract %1, %v "mk,nk->mn" : (tensor<4x16xf32>, tensor<8x16xf32>) -> tensor<4x8xf32> loc("layers.0.down")
  %3 = tp.all_reduce %2 sum over [#tp.axis<"tp">] of @mesh : (tensor<4x8xf32>) -> tensor<4x8xf32> loc("layers.0.down")
  %4 = nn.contract %3, %w "mk,nk->mn" : (tensor<4x8xf32>, tensor<16x8xf32>) -> tensor<4x16xf32> loc("layers.1.up")
  %5 = math.tanh %4 : tensor<4x16xf32> loc("layers.1")
  %6 = nn.contract %5, %v "mk,nk->mn" : (tensor<4x16xf32>, tensor<8x16xf32>) -> tensor<4x8xf32> loc("layers.1.down")
  %7 = tp.all_reduce %6 sum over [#tp.axis<"tp">] of @mesh : (tensor<4x8xf32>) -> tensor<4x8xf32> loc("layers.1.down")
  return %7 : tensor<4x8xf32>
}
// CHECK: // 2 launches, the first for layers.0; its buffers have 512 bytes
// CHECK-NEXT: __global__ void __launch_bounds__(256) kernel_0(const float *in0, float *out0) {
// CHECK: tprt_cuda::tanh(
// CHECK-NOT: __global__

// CHECK: // results[0]: y, 4x8 f32, [tp: Replicate]
// CHECK-NEXT: tprt_status run_forward(Rank *rank, void *arena, void *const *arguments, void *const *results) {
// CHECK-NEXT: TPRT_TRY(rank->status);
// CHECK-NEXT: // 4x8 f32, [tp: Replicate]
// CHECK-NEXT: float *x = at<float>(arguments[0], 0);
// CHECK-NEXT: // 16x8 f32, of 32x8 f32, [tp: Shard(0)]
// CHECK-NEXT: float *up_weight = at<float>(arguments[1], 0);
// CHECK-NEXT: // 8x16 f32, of 8x32 f32, [tp: Shard(1)]
// CHECK-NEXT: float *down_weight = at<float>(arguments[2], 0);
// CHECK: // -- layers.0.up
// CHECK-NEXT: // "mk,nk->mn"
// CHECK-NEXT: TPRT_TRY(multiply(rank, 0, up_weight, x, [[UP:v[0-9]+]]));
// CHECK: // -- layers.0
// CHECK-NEXT: kernel_0<<<1, 256, 0, rank->compute>>>([[UP]], [[UP]]);
// CHECK-NEXT: TPRT_LAUNCHED(rank);
// CHECK: // -- layers.0.down
// CHECK: TPRT_TRY(multiply(rank, 1, down_weight, [[UP]], [[DOWN:v[0-9]+]]));
// CHECK: // all_reduce of sum over tp{{$}}
// CHECK-NEXT: TPRT_CUDA(rank, cudaEventRecord(rank->computed, rank->compute));
// CHECK-NEXT: TPRT_CUDA(rank, cudaStreamWaitEvent(rank->communicate, rank->computed));
// CHECK-NEXT: TPRT_TRY(communicate(rank, {TPRT_ALL_REDUCE, 0, 0, 0, TPRT_SUM, 1, {{[{][{]}}[[DOWN]], [[DOWN]], 32, TPRT_F32{{[}][}]}}}));
// CHECK-NEXT: TPRT_CUDA(rank, cudaEventRecord(rank->communicated, rank->communicate));
// CHECK-NEXT: TPRT_CUDA(rank, cudaStreamWaitEvent(rank->compute, rank->communicated));
// CHECK: // -- layers.1.up
// CHECK: multiply(rank, 0,
// CHECK: kernel_0<<<1, 256, 0, rank->compute>>>
// CHECK: // -- layers.1.down
// CHECK: multiply(rank, 1,
// CHECK: // all_reduce of sum over tp{{$}}
// CHECK: return TPRT_OK;

// Rank r is at (r / 1) % 2 of the group; C is 16 x 4 in columns.
// CHECK: const Group groups[] = {
// CHECK-NEXT: {1, {{[{][{]}}1, 2{{[}][}]}}} /* tp */,
// CHECK: const MatmulShape matmuls[] = {
// CHECK-NEXT: {TPRT_F32, true, false, 16, 4, 8, 8, 8, 16, 1, 0, 0, 0, 64, false},
// CHECK-NEXT: {TPRT_F32, true, false, 8, 4, 16, 16, 16, 8, 1, 0, 0, 0, 64, false},
// CHECK-NEXT: };
// CHECK: const Entry entries[] = {
// CHECK-NEXT: {"forward", run_forward, {{[0-9]+}}, 3, 1},
// CHECK: const Program tp_cuda_program = {kVersion, 2, 0, calls::workspaceBytes, 0, 1, 2, 1, groups, matmuls, entries};
