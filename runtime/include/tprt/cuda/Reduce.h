//===- Reduce.h - reductions over lanes and over a block ------------------===//
//
// Part of tp-mlir, under the Apache License v2.0.
//
//===----------------------------------------------------------------------===//

#ifndef TPRT_CUDA_REDUCE_H
#define TPRT_CUDA_REDUCE_H

#include "tprt/cuda/Vector.h"

namespace tprt_cuda {

/// Threads that run in step; blocks are a multiple of it.
constexpr int kWarp = 32;
constexpr int kMostWarps = 32;

#define TPRT_REDUCTION(Name, expression)                                       \
  struct Name {                                                                \
    template <typename T> static TPRT_DEVICE T apply(T a, T b) {               \
      return expression;                                                       \
    }                                                                          \
  };
TPRT_REDUCTION(Sum, a + b)
TPRT_REDUCTION(Product, a *b)
TPRT_REDUCTION(Maximum, maximumf(a, b))
TPRT_REDUCTION(Minimum, minimumf(a, b))
TPRT_REDUCTION(And, a &b)
TPRT_REDUCTION(Or, a | b)
#undef TPRT_REDUCTION

/// First to last.
template <typename Kind, typename T, int N>
TPRT_DEVICE T reduceLanes(Vector<T, N> value) {
  T result = value[0];
#pragma unroll
  for (int i = 1; i < N; ++i)
    result = Kind::apply(result, value[i]);
  return result;
}

template <typename T> TPRT_DEVICE T shuffle(T value, int distance) {
  return __shfl_xor_sync(0xffffffffu, value, distance);
}

/// What lane `from` has; all lanes of the warp say so together.
template <typename T> TPRT_DEVICE T shuffleFrom(T value, int from) {
  return __shfl_sync(0xffffffffu, value, from);
}

/// Over the threads of a warp; every thread gets the same bits.
template <typename Kind, typename T> TPRT_DEVICE T reduceWarp(T value) {
#pragma unroll
  for (int distance = kWarp / 2; distance > 0; distance /= 2)
    value = Kind::apply(value, shuffle(value, distance));
  return value;
}

/// Over the threads of the block, all of which must come here; every thread
/// gets the same bits. What was read before is read when this returns.
template <typename Kind, typename T> __device__ T reduceBlock(T value) {
  __shared__ T partial[kMostWarps];
  const int warp = threadIdx.x / kWarp, lane = threadIdx.x % kWarp;
  const int warps = (blockDim.x + kWarp - 1) / kWarp;
  value = reduceWarp<Kind>(value);
  __syncthreads(); // the reduction before may still be reading
  if (lane == 0)
    partial[warp] = value;
  __syncthreads();
  value = partial[0];
  for (int i = 1; i < warps; ++i)
    value = Kind::apply(value, partial[i]);
  return value;
}

} // namespace tprt_cuda

#endif // TPRT_CUDA_REDUCE_H
