//===- Kernels.h - the program API's functions on a GPU -------------------===//
//
// Part of tp-mlir, under the Apache License v2.0.
//
//===----------------------------------------------------------------------===//
//
// What tprt.h says of each function holds here: the same descriptors, shapes
// and errors. They queue on the rank's compute stream; buffers are the GPU's.
//
//===----------------------------------------------------------------------===//

#ifndef TPRT_CUDA_KERNELS_H
#define TPRT_CUDA_KERNELS_H

#include "tprt/cuda/Rank.h"
#include "tprt/cuda/Reduce.h"

#include <climits>

namespace tprt_cuda {

constexpr int kThreads = 256;

/// Blocks for `count` elements, one a thread; threads go round if they are
/// more.
inline int64_t blocksFor(int64_t count) {
  const int64_t blocks = (count + kThreads - 1) / kThreads;
  return blocks<1 ? 1 : blocks>(1 << 16) ? 1 << 16 : blocks;
}

/// Goes through [0, count) with all threads of the grid.
#define TPRT_FOR_EACH(i, count)                                                \
  for (int64_t i = int64_t(blockIdx.x) * blockDim.x + threadIdx.x;             \
       i < (count); i += int64_t(gridDim.x) * blockDim.x)

/// The first fault of a run stays.
TPRT_DEVICE void report(Fault *fault, Fault::What what, long long a,
                        long long b, long long c = 0) {
  if (atomicCAS(&fault->what, int(Fault::None), int(what)) != Fault::None)
    return;
  fault->values[0] = a;
  fault->values[1] = b;
  fault->values[2] = c;
}

//===----------------------------------------------------------------------===//
// Rows by index
//===----------------------------------------------------------------------===//

template <typename T>
__global__ void embeddingKernel(tprt_embedding_desc desc, const int32_t *ids,
                                const T *table, int64_t start, T *out,
                                Fault *fault) {
  TPRT_FOR_EACH(i, desc.num_ids * desc.width) {
    const int64_t id = ids[i / desc.width], row = id - start;
    if (id < 0 || id >= desc.vocabulary)
      report(fault, Fault::Token, id, desc.vocabulary);
    out[i] = row >= 0 && row < desc.rows
                 ? table[row * desc.width + i % desc.width]
                 : cast<T>(0.0f);
  }
}

template <typename T>
tprt_status embedding(Rank *rank, const tprt_embedding_desc &desc,
                      const int32_t *ids, const T *table, int64_t start,
                      T *out) {
  TPRT_LAUNCH(embeddingKernel<T>, blocksFor(desc.num_ids * desc.width),
              kThreads, rank->compute)
  (desc, ids, table, start, out, rank->fault);
  TPRT_LAUNCHED(rank);
  return TPRT_OK;
}

/// The transpose has the same descriptor.
typedef tprt_embedding_desc tprt_embedding_gradient_desc;

/// A thread has a column of the table: sums go in the order of the ids.
template <typename T>
__global__ void embeddingGradientKernel(tprt_embedding_desc desc,
                                        const int32_t *ids, const T *gradient,
                                        int64_t start, T *table, Fault *fault) {
  TPRT_FOR_EACH(column, desc.width) {
    for (int64_t row = 0; row < desc.rows; ++row)
      table[row * desc.width + column] = cast<T>(0.0f);
    for (int64_t i = 0; i < desc.num_ids; ++i) {
      const int64_t id = ids[i], row = id - start;
      if (id < 0 || id >= desc.vocabulary)
        report(fault, Fault::Token, id, desc.vocabulary);
      if (row < 0 || row >= desc.rows)
        continue;
      T &sum = table[row * desc.width + column];
      sum = cast<T>(widen(sum) + widen(gradient[i * desc.width + column]));
    }
  }
}

template <typename T>
tprt_status embedding_gradient(Rank *rank,
                               const tprt_embedding_gradient_desc &desc,
                               const int32_t *ids, const T *gradient,
                               int64_t start, T *table) {
  TPRT_LAUNCH(embeddingGradientKernel<T>, blocksFor(desc.width), kThreads,
              rank->compute)
  (desc, ids, gradient, start, table, rank->fault);
  TPRT_LAUNCHED(rank);
  return TPRT_OK;
}

template <typename T>
__global__ void takeKernel(tprt_take_desc desc, const T *x,
                           const int32_t *index, T *out, Fault *fault) {
  const int64_t at = *index;
  if (at < 0 || at >= desc.extent)
    return report(fault, Fault::Index, at, desc.extent);
  TPRT_FOR_EACH(i, desc.outer * desc.inner)
  out[i] = x[(i / desc.inner * desc.extent + at) * desc.inner + i % desc.inner];
}

template <typename T>
tprt_status take(Rank *rank, const tprt_take_desc &desc, const T *x,
                 const int32_t *index, T *out) {
  TPRT_LAUNCH(takeKernel<T>, blocksFor(desc.outer * desc.inner), kThreads,
              rank->compute)
  (desc, x, index, out, rank->fault);
  TPRT_LAUNCHED(rank);
  return TPRT_OK;
}

template <typename T>
__global__ void cacheUpdateKernel(tprt_cache_update_desc desc, T *cache,
                                  const T *update, const int32_t *position,
                                  const int32_t *length, int64_t start,
                                  Fault *fault) {
  const int64_t first = *position, rows = *length;
  if (first < 0 || rows < 0 || rows > desc.extent ||
      first + rows > desc.capacity)
    return report(fault, Fault::Cache, first, rows, desc.capacity);
  TPRT_FOR_EACH(i, desc.outer * rows * desc.inner) {
    const int64_t column = i % desc.inner, row = i / desc.inner % rows;
    const int64_t outer = i / desc.inner / rows, to = first + row - start;
    if (to >= 0 && to < desc.rows)
      cache[(outer * desc.rows + to) * desc.inner + column] =
          update[(outer * desc.extent + row) * desc.inner + column];
  }
}

template <typename T>
tprt_status cache_update(Rank *rank, const tprt_cache_update_desc &desc,
                         T *cache, const T *update, const int32_t *position,
                         const int32_t *length, int64_t start) {
  TPRT_LAUNCH(cacheUpdateKernel<T>,
              blocksFor(desc.outer * desc.extent * desc.inner), kThreads,
              rank->compute)
  (desc, cache, update, position, length, start, rank->fault);
  TPRT_LAUNCHED(rank);
  return TPRT_OK;
}

//===----------------------------------------------------------------------===//
// Element by element
//===----------------------------------------------------------------------===//

template <typename T>
__global__ void copyKernel(tprt_copy_desc desc, int64_t count, const T *x,
                           T *out) {
  TPRT_FOR_EACH(i, count) {
    int64_t rest = i, from = desc.src_offset, to = desc.dst_offset;
    for (int64_t dim = desc.num_dims; dim-- > 0;) {
      const int64_t index = rest % desc.extent[dim];
      rest /= desc.extent[dim];
      from += index * desc.src_stride[dim];
      to += index * desc.dst_stride[dim];
    }
    out[to] = x[from];
  }
}

template <typename T>
tprt_status copy(Rank *rank, const tprt_copy_desc &desc, const T *x, T *out) {
  int64_t count = 1;
  for (int64_t dim = 0; dim < desc.num_dims; ++dim)
    count *= desc.extent[dim];
  if (count == 0)
    return TPRT_OK;
  TPRT_LAUNCH(copyKernel<T>, blocksFor(count), kThreads, rank->compute)
  (desc, count, x, out);
  TPRT_LAUNCHED(rank);
  return TPRT_OK;
}

template <typename T>
__global__ void maskKernel(tprt_mask_desc desc, T *x, int64_t start,
                           double fill) {
  TPRT_FOR_EACH(i, desc.outer * desc.extent * desc.inner)
  if (start + i / desc.inner % desc.extent >= desc.size)
    x[i] = cast<T>(fill);
}

template <typename T>
tprt_status mask(Rank *rank, const tprt_mask_desc &desc, T *x, int64_t start) {
  double fill;
  std::memcpy(&fill, &desc.fill_bits, sizeof fill);
  TPRT_LAUNCH(maskKernel<T>, blocksFor(desc.outer * desc.extent * desc.inner),
              kThreads, rank->compute)
  (desc, x, start, fill);
  TPRT_LAUNCHED(rank);
  return TPRT_OK;
}

template <typename T>
__global__ void fillKernel(int64_t count, T *x, float value) {
  TPRT_FOR_EACH(i, count) x[i] = cast<T>(value);
}

template <typename T>
tprt_status make_partial(Rank *rank, const tprt_make_partial_desc &desc, T *x) {
  const bool neutral =
      desc.reduction == TPRT_SUM || desc.reduction == TPRT_PRODUCT;
  if (!neutral || rank->coordinates[desc.group] == 0)
    return TPRT_OK;
  TPRT_LAUNCH(fillKernel<T>, blocksFor(desc.elements), kThreads, rank->compute)
  (desc.elements, x, desc.reduction == TPRT_PRODUCT ? 1.0f : 0.0f);
  TPRT_LAUNCHED(rank);
  return TPRT_OK;
}

/// A thread has a pair, or an element that passes.
template <typename T>
__global__ void rotaryKernel(tprt_rotary_desc desc, const T *x, const T *cosine,
                             const T *sine, T *out) {
  const int64_t half = desc.rotary_dim / 2;
  const int64_t each = half + desc.head_dim - desc.rotary_dim;
  TPRT_FOR_EACH(i, desc.batch * desc.sequence * desc.heads * each) {
    const int64_t k = i % each, row = i / each;
    const int64_t position = row / desc.heads % desc.sequence;
    const int64_t begin = row * desc.head_dim;
    if (k >= half) {
      const int64_t at = begin + desc.rotary_dim + k - half;
      out[at] = x[at];
      continue;
    }
    const int64_t first = begin + (desc.interleaved ? 2 * k : k);
    const int64_t second = first + (desc.interleaved ? 1 : half);
    const Wide<T> c = widen(cosine[position * half + k]);
    const Wide<T> s = widen(sine[position * half + k]);
    const Wide<T> a = widen(x[first]), b = widen(x[second]);
    out[first] = cast<T>(a * c - b * s);
    out[second] = cast<T>(b * c + a * s);
  }
}

template <typename T>
tprt_status rotary(Rank *rank, const tprt_rotary_desc &desc, const T *x,
                   const T *cosine, const T *sine, T *out) {
  const int64_t each = desc.head_dim - desc.rotary_dim / 2;
  TPRT_LAUNCH(rotaryKernel<T>,
              blocksFor(desc.batch * desc.sequence * desc.heads * each),
              kThreads, rank->compute)
  (desc, x, cosine, sine, out);
  TPRT_LAUNCHED(rank);
  return TPRT_OK;
}

//===----------------------------------------------------------------------===//
// The k largest
//===----------------------------------------------------------------------===//

/// An element and what it stands for; `id` INT_MAX stands for none.
template <typename W> struct Candidate {
  W value;
  int32_t id;

  /// NaN first, then the larger, then the lower id.
  TPRT_DEVICE bool isBefore(const Candidate &other) const {
    const bool thisNan = value != value, otherNan = other.value != other.value;
    if (thisNan != otherNan)
      return thisNan;
    if (!thisNan && value != other.value)
      return value > other.value;
    return id < other.id;
  }
};

struct Foremost {
  template <typename W>
  static TPRT_DEVICE Candidate<W> apply(Candidate<W> a, Candidate<W> b) {
    return b.isBefore(a) ? b : a;
  }
};

template <typename W>
TPRT_DEVICE Candidate<W> shuffle(Candidate<W> value, int distance) {
  return {shuffle(value.value, distance), shuffle(value.id, distance)};
}

/// A block has a segment; every round finds the first element after the one
/// before, so that nothing needs to be marked.
template <typename T>
__global__ void topKKernel(tprt_top_k_desc desc, const T *values,
                           const int32_t *ids, int64_t start, T *outValues,
                           int32_t *outIds) {
  using W = Wide<T>;
  const W lowest = cast<W>(-INFINITY);
  const int64_t width = desc.segments * desc.extent;
  for (int64_t segment = blockIdx.x; segment < desc.outer * desc.segments;
       segment += gridDim.x) {
    const int64_t row = segment / desc.segments;
    const int64_t begin = segment % desc.segments * desc.extent;
    Candidate<W> previous = {lowest, -1};
    for (int64_t place = 0; place < desc.k; ++place) {
      Candidate<W> best = {lowest, INT_MAX};
      for (int64_t i = threadIdx.x; i < desc.extent; i += blockDim.x) {
        const int64_t j = begin + i;
        const int64_t id = ids ? ids[row * width + j] : start + j;
        const Candidate<W> candidate = {widen(values[row * width + j]),
                                        int32_t(id)};
        if (id >= 0 && id < desc.size &&
            (place == 0 || previous.isBefore(candidate)) &&
            candidate.isBefore(best))
          best = candidate;
      }
      previous = reduceBlock<Foremost>(best);
      if (threadIdx.x == 0) {
        outValues[segment * desc.k + place] = cast<T>(previous.value);
        outIds[segment * desc.k + place] = previous.id;
      }
    }
  }
}

template <typename T>
tprt_status top_k(Rank *rank, const tprt_top_k_desc &desc, const T *values,
                  const int32_t *ids, int64_t start, T *outValues,
                  int32_t *outIds) {
  TPRT_LAUNCH(topKKernel<T>, desc.outer * desc.segments, 1024, rank->compute)
  (desc, values, ids, start, outValues, outIds);
  TPRT_LAUNCHED(rank);
  return TPRT_OK;
}

} // namespace tprt_cuda

#endif // TPRT_CUDA_KERNELS_H
