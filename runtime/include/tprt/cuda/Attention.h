//===- Attention.h - grouped-query attention on a GPU ---------------------===//
//
// Part of tp-mlir, under the Apache License v2.0.
//
//===----------------------------------------------------------------------===//
//
// One block for a query; its warps share the keys, and each keeps a running
// maximum, sum and weighted sum of values (online softmax), which are combined
// at the end. Memory-bound work, a decode step, is what it is made for: it uses
// no tensor cores. Where there are many queries the host may know better.
//
//===----------------------------------------------------------------------===//

#ifndef TPRT_CUDA_ATTENTION_H
#define TPRT_CUDA_ATTENTION_H

#include "tprt/cuda/Kernels.h"

#include <type_traits>

namespace tprt_cuda {

constexpr int kAttentionWarps = 8;

/// From so many queries on the host is asked: what a tile of tensor cores has.
constexpr int64_t kManyQueries = 16;

/// Of the kernel that mostly has nothing to do.
constexpr int64_t kTailBlocks = 64;

template <typename T> constexpr bool isNarrow = !std::is_same_v<T, Wide<T>>;

/// One query of one head, by all threads of a block; `first` is the position of
/// query 0. Each lane of a warp has `perLane` elements of a head, kWarp apart.
template <typename T, int perLane>
TPRT_DEVICE void attendRow(const tprt_attention_desc &desc, double scaleFactor,
                           double softCap, const T *q, const T *k, const T *v,
                           int64_t first, int64_t row, T *out) {
  using W = Wide<T>;
  __shared__ W maxima[kAttentionWarps], sums[kAttentionWarps];
  __shared__ W outputs[kAttentionWarps][perLane * kWarp];
  const W scale = W(scaleFactor), cap = W(softCap);
  const int lane = threadIdx.x % kWarp, warp = threadIdx.x / kWarp;
  const int warps = (blockDim.x + kWarp - 1) / kWarp;
  const int64_t dim = desc.head_dim;

  // out, q: [batch, queries, kv_heads, groups, head_dim]
  const int64_t head = row / desc.groups % desc.kv_heads;
  const int64_t query = row / desc.groups / desc.kv_heads % desc.queries;
  const int64_t sequence = row / desc.groups / desc.kv_heads / desc.queries;
  const int64_t position = first + query;
  int64_t end = desc.keys, begin = 0;
  if (desc.causal && position + 1 < end)
    end = position + 1;
  if (desc.window > 0 && position - desc.window + 1 > begin)
    begin = position - desc.window + 1;

  W mine[perLane], sum = 0, maximum = W(-INFINITY), weighted[perLane];
#pragma unroll
  for (int i = 0; i < perLane; ++i) {
    const int64_t column = lane + i * kWarp;
    mine[i] = column < dim ? widen(q[row * dim + column]) : W(0);
    weighted[i] = 0;
  }
  for (int64_t key = begin + warp; key < end; key += warps) {
    const int64_t at =
        ((sequence * desc.capacity + key) * desc.kv_heads + head) * dim;
    W score = 0;
#pragma unroll
    for (int i = 0; i < perLane; ++i) {
      const int64_t column = lane + i * kWarp;
      if (column < dim)
        score += mine[i] * widen(k[at + column]);
    }
    score = reduceWarp<Sum>(score) * scale;
    if (cap > 0)
      score = cap * ::tanh(score / cap);
    const W larger = score > maximum ? score : maximum;
    const W keep = ::exp(maximum - larger), weight = ::exp(score - larger);
    sum = sum * keep + weight;
#pragma unroll
    for (int i = 0; i < perLane; ++i) {
      const int64_t column = lane + i * kWarp;
      if (column < dim)
        weighted[i] = weighted[i] * keep + weight * widen(v[at + column]);
    }
    maximum = larger;
  }

  if (lane == 0) {
    maxima[warp] = maximum;
    sums[warp] = sum;
  }
#pragma unroll
  for (int i = 0; i < perLane; ++i)
    outputs[warp][lane + i * kWarp] = weighted[i];
  __syncthreads();
  W largest = maxima[0];
  for (int i = 1; i < warps; ++i)
    largest = maxima[i] > largest ? maxima[i] : largest;
  W total = 0;
  for (int i = 0; i < warps; ++i)
    total += sums[i] > 0 ? sums[i] * ::exp(maxima[i] - largest) : W(0);
  for (int64_t column = threadIdx.x; column < dim; column += blockDim.x) {
    W value = 0;
    for (int i = 0; i < warps; ++i)
      if (sums[i] > 0)
        value += outputs[i][column] * ::exp(maxima[i] - largest);
    // A query that sees no key gives zeros.
    out[row * dim + column] = cast<T>(total > 0 ? value / total : W(0));
  }
}

/// A block for each row.
template <typename T, int perLane>
__global__ void attentionKernel(tprt_attention_desc desc, double scale,
                                double softCap, const T *q, const T *k,
                                const T *v, const int32_t *offset,
                                int64_t start, T *out) {
  attendRow<T, perLane>(desc, scale, softCap, q, k, v,
                        (offset ? *offset : 0) + start, blockIdx.x, out);
}

/// Only the queries whose positions lie beyond the keys, as those of a chunk's
/// last part may: mostly none.
template <typename T, int perLane>
__global__ void attentionTailKernel(tprt_attention_desc desc, double scale,
                                    double softCap, const T *q, const T *k,
                                    const T *v, const int32_t *offset,
                                    int64_t start, T *out) {
  const int64_t first = (offset ? *offset : 0) + start;
  const int64_t heads = desc.kv_heads * desc.groups;
  int64_t inside = desc.keys - first;
  inside = inside < 0 ? 0 : inside < desc.queries ? inside : desc.queries;
  const int64_t rows = (desc.queries - inside) * heads;
  for (int64_t i = blockIdx.x; i < desc.batch * rows; i += gridDim.x) {
    attendRow<T, perLane>(desc, scale, softCap, q, k, v, first,
                          (i / rows * desc.queries + inside) * heads + i % rows,
                          out);
    __syncthreads(); // before what the block shares is another row's
  }
}

template <typename T>
tprt_status attention(Rank *rank, const tprt_attention_desc &desc, const T *q,
                      const T *k, const T *v, const int32_t *offset,
                      int64_t start, T *out) {
  double scale, cap;
  std::memcpy(&scale, &desc.scale_bits, sizeof scale);
  std::memcpy(&cap, &desc.soft_cap_bits, sizeof cap);
  auto *kernel = desc.head_dim <= 64    ? attentionKernel<T, 64 / kWarp>
                 : desc.head_dim <= 128 ? attentionKernel<T, 128 / kWarp>
                                        : attentionKernel<T, 256 / kWarp>;
  if (desc.head_dim > 256)
    return rank->fail(TPRT_UNSUPPORTED, "attention",
                      "heads of more than 256 elements");
  int64_t rows = desc.batch * desc.queries * desc.kv_heads * desc.groups;
  if constexpr (isNarrow<T>) {
    bool isQueued = false;
    if (desc.queries >= kManyQueries && rank->host)
      TPRT_TRY(rank->host->attend(rank, {desc, q, k, v, offset, start, out},
                                  &isQueued));
    if (isQueued && !desc.causal)
      return TPRT_OK;
    if (isQueued) {
      kernel = desc.head_dim <= 64    ? attentionTailKernel<T, 64 / kWarp>
               : desc.head_dim <= 128 ? attentionTailKernel<T, 128 / kWarp>
                                      : attentionTailKernel<T, 256 / kWarp>;
      rows = kTailBlocks;
    }
  }
  TPRT_LAUNCH(kernel, rows, kAttentionWarps * 32, rank->compute)
  (desc, scale, cap, q, k, v, offset, start, out);
  TPRT_LAUNCHED(rank);
  return TPRT_OK;
}

} // namespace tprt_cuda

#endif // TPRT_CUDA_ATTENTION_H
