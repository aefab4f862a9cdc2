//===- Kernels.h - the program API's functions on a GPU -------------------===//
//
// Part of tp-mlir, under the Apache License v2.0.
//
//===----------------------------------------------------------------------===//
//
// What tprt.h says of each function holds here: the same descriptors, shapes
// and errors. They queue on the rank's compute stream; buffers are the GPU's.
//
// A program knows its sizes: descriptors are part of a function's type, so that
// the compiler divides by constants and chooses loads of up to 16 bytes.
//
//     struct copy_0 {
//       static constexpr tprt_copy_desc desc = {4, 3, 0, 0, {8, 2, 64}, ...};
//       static constexpr int64_t alignment = 64; // of all buffers, in bytes
//     };
//     copy<copy_0>(rank, x, out);
//
//===----------------------------------------------------------------------===//

#ifndef TPRT_CUDA_KERNELS_H
#define TPRT_CUDA_KERNELS_H

#include "tprt/cuda/Rank.h"
#include "tprt/cuda/Reduce.h"

#include <climits>
#include <initializer_list>
#include <type_traits>

namespace tprt_cuda {

constexpr int kThreads = 256, kTopKThreads = 1024;

/// Blocks for `count` elements, one a thread; threads go round if they are
/// more.
inline int64_t blocksFor(int64_t count) {
  const int64_t blocks = ceilDivide(count, kThreads);
  return blocks<1 ? 1 : blocks>(1 << 16) ? 1 << 16 : blocks;
}

/// What counts up to `count`: numbers of 32 bits are divided faster.
template <int64_t count>
using Index = std::conditional_t<(count <= INT32_MAX), uint32_t, uint64_t>;

/// Goes through [0, count) with all threads of the grid; `type` is an Index.
#define TPRT_FOR_EACH(type, i, count)                                          \
  for (type i = type(blockIdx.x) * blockDim.x + threadIdx.x; i < type(count);  \
       i += type(gridDim.x) * blockDim.x)

/// The bytes that a function needs on the compute stream beside its buffers.
template <typename Desc> TPRT_CONSTEXPR int64_t workspaceBytesOf(const Desc &) {
  return 0;
}

/// 0 of none.
constexpr int64_t mostOf(std::initializer_list<int64_t> values) {
  int64_t most = 0;
  for (int64_t value : values)
    most = value > most ? value : most;
  return most;
}

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

template <typename Call, typename T>
__global__ void embeddingKernel(const int32_t *ids, const T *table,
                                int64_t start, T *out, Fault *fault) {
  constexpr tprt_embedding_desc desc = Call::desc;
  constexpr int lanes = lanesOf<T>(Call::alignment, desc.width);
  using I = Index<desc.num_ids * desc.width>;
  constexpr I loads = I(desc.width / lanes);
  TPRT_FOR_EACH(I, i, desc.num_ids * loads) {
    const int64_t id = ids[i / loads], row = id - start;
    if (id < 0 || id >= desc.vocabulary)
      report(fault, Fault::Token, id, desc.vocabulary);
    Vector<T, lanes> value = splat<lanes>(cast<T>(0.0f));
    if (row >= 0 && row < desc.rows)
      value = load<lanes>(table + row * desc.width + i % loads * lanes);
    store(out + int64_t(i) * lanes, value);
  }
}

template <typename Call, typename T>
tprt_status embedding(Rank *rank, const int32_t *ids, const T *table,
                      int64_t start, T *out) {
  constexpr int64_t count = Call::desc.num_ids * Call::desc.width /
                            lanesOf<T>(Call::alignment, Call::desc.width);
  TPRT_LAUNCH((embeddingKernel<Call, T>), blocksFor(count), kThreads,
              rank->compute)
  (ids, table, start, out, rank->fault);
  TPRT_LAUNCHED(rank);
  return TPRT_OK;
}

/// The transpose has the same descriptor.
typedef tprt_embedding_desc tprt_embedding_gradient_desc;

/// To a table of zeros. Whoever has the first occurrence of an id adds up all
/// of them, in their order.
template <typename Call, typename T>
__global__ void embeddingGradientKernel(const int32_t *ids, const T *gradient,
                                        int64_t start, T *table, Fault *fault) {
  constexpr tprt_embedding_desc desc = Call::desc;
  constexpr int lanes = lanesOf<T>(Call::alignment, desc.width);
  using I = Index<desc.num_ids * desc.width>;
  constexpr I loads = I(desc.width / lanes);
  TPRT_FOR_EACH(I, i, desc.num_ids * loads) {
    const int64_t first = i / loads, column = int64_t(i % loads) * lanes;
    const int64_t id = ids[first], row = id - start;
    if (id < 0 || id >= desc.vocabulary)
      report(fault, Fault::Token, id, desc.vocabulary);
    int64_t before = 0;
    while (before < first && ids[before] != id)
      ++before;
    if (row < 0 || row >= desc.rows || before < first)
      continue;
    Vector<Wide<T>, lanes> sum = splat<lanes>(Wide<T>(0));
    for (int64_t at = first; at < desc.num_ids; ++at)
      if (ids[at] == id)
        sum = sum +
              cast<Wide<T>>(load<lanes>(gradient + at * desc.width + column));
    store(table + row * desc.width + column, cast<T>(sum));
  }
}

template <typename Call, typename T>
tprt_status embedding_gradient(Rank *rank, const int32_t *ids,
                               const T *gradient, int64_t start, T *table) {
  constexpr tprt_embedding_desc desc = Call::desc;
  TPRT_CUDA(rank, cudaMemsetAsync(table, 0,
                                  size_t(desc.rows * desc.width) * sizeof(T),
                                  rank->compute));
  TPRT_LAUNCH((embeddingGradientKernel<Call, T>),
              blocksFor(desc.num_ids * desc.width /
                        lanesOf<T>(Call::alignment, desc.width)),
              kThreads, rank->compute)
  (ids, gradient, start, table, rank->fault);
  TPRT_LAUNCHED(rank);
  return TPRT_OK;
}

template <typename Call, typename T>
__global__ void takeKernel(const T *x, const int32_t *index, T *out,
                           Fault *fault) {
  constexpr tprt_take_desc desc = Call::desc;
  constexpr int lanes = lanesOf<T>(Call::alignment, desc.inner);
  using I = Index<desc.outer * desc.inner>;
  constexpr I loads = I(desc.inner / lanes);
  const int64_t at = *index;
  if (at < 0 || at >= desc.extent)
    return report(fault, Fault::Index, at, desc.extent);
  TPRT_FOR_EACH(I, i, desc.outer * loads)
  store(out + int64_t(i) * lanes,
        load<lanes>(x + (i / loads * desc.extent + at) * desc.inner +
                    i % loads * lanes));
}

template <typename Call, typename T>
tprt_status take(Rank *rank, const T *x, const int32_t *index, T *out) {
  constexpr int64_t count = Call::desc.outer * Call::desc.inner /
                            lanesOf<T>(Call::alignment, Call::desc.inner);
  TPRT_LAUNCH((takeKernel<Call, T>), blocksFor(count), kThreads, rank->compute)
  (x, index, out, rank->fault);
  TPRT_LAUNCHED(rank);
  return TPRT_OK;
}

template <typename Call, typename T>
__global__ void
cacheUpdateKernel(T *cache, const T *update, const int32_t *position,
                  const int32_t *length, int64_t start, Fault *fault) {
  constexpr tprt_cache_update_desc desc = Call::desc;
  constexpr int lanes = lanesOf<T>(Call::alignment, desc.inner);
  using I = Index<desc.outer * desc.extent * desc.inner>;
  constexpr I loads = I(desc.inner / lanes), extent = I(desc.extent);
  const int64_t first = *position, rows = *length;
  if (first < 0 || rows < 0 || rows > desc.extent ||
      first + rows > desc.capacity)
    return report(fault, Fault::Cache, first, rows, desc.capacity);
  TPRT_FOR_EACH(I, i, desc.outer * extent * loads) {
    const int64_t column = i % loads * lanes, row = i / loads % extent;
    const int64_t outer = i / loads / extent, to = first + row - start;
    if (row < rows && to >= 0 && to < desc.rows)
      store(cache + (outer * desc.rows + to) * desc.inner + column,
            load<lanes>(update + int64_t(i) * lanes));
  }
}

template <typename Call, typename T>
tprt_status cache_update(Rank *rank, T *cache, const T *update,
                         const int32_t *position, const int32_t *length,
                         int64_t start) {
  constexpr tprt_cache_update_desc desc = Call::desc;
  constexpr int64_t count = desc.outer * desc.extent * desc.inner /
                            lanesOf<T>(Call::alignment, desc.inner);
  TPRT_LAUNCH((cacheUpdateKernel<Call, T>), blocksFor(count), kThreads,
              rank->compute)
  (cache, update, position, length, start, rank->fault);
  TPRT_LAUNCHED(rank);
  return TPRT_OK;
}

//===----------------------------------------------------------------------===//
// Element by element
//===----------------------------------------------------------------------===//

/// Neighbours that are copied together: of the last dim, if it is contiguous on
/// both sides and everything else begins at multiples of them.
template <typename T>
TPRT_CONSTEXPR int lanesOfCopy(const tprt_copy_desc &desc, int64_t alignment) {
  const int64_t last = desc.num_dims - 1;
  if (last < 0 || desc.src_stride[last] != 1 || desc.dst_stride[last] != 1)
    return 1;
  int lanes = lanesOf<T>(alignment, desc.src_offset, desc.dst_offset,
                         desc.extent[last]);
  for (int64_t dim = 0; dim < last; ++dim)
    while (desc.src_stride[dim] % lanes != 0 ||
           desc.dst_stride[dim] % lanes != 0)
      lanes /= 2;
  return lanes;
}

TPRT_CONSTEXPR int64_t elementsOf(const tprt_copy_desc &desc) {
  int64_t count = 1;
  for (int64_t dim = 0; dim < desc.num_dims; ++dim)
    count *= desc.extent[dim];
  return count;
}

template <typename Call, typename T>
__global__ void copyKernel(const T *x, T *out) {
  constexpr tprt_copy_desc desc = Call::desc;
  constexpr int lanes = lanesOfCopy<T>(Call::desc, Call::alignment);
  using I = Index<elementsOf(Call::desc)>;
  TPRT_FOR_EACH(I, i, elementsOf(Call::desc) / lanes) {
    I rest = i;
    int64_t from = desc.src_offset, to = desc.dst_offset;
#pragma unroll
    for (int dim = int(desc.num_dims); dim-- > 0;) {
      const int step = dim + 1 == desc.num_dims ? lanes : 1;
      const I extent = I(desc.extent[dim] / step);
      const int64_t index = int64_t(rest % extent) * step;
      rest /= extent;
      from += index * desc.src_stride[dim];
      to += index * desc.dst_stride[dim];
    }
    store(out + to, load<lanes>(x + from));
  }
}

template <typename Call, typename T>
tprt_status copy(Rank *rank, const T *x, T *out) {
  constexpr int64_t count =
      elementsOf(Call::desc) / lanesOfCopy<T>(Call::desc, Call::alignment);
  if constexpr (count > 0) {
    TPRT_LAUNCH((copyKernel<Call, T>), blocksFor(count), kThreads,
                rank->compute)
    (x, out);
    TPRT_LAUNCHED(rank);
  }
  return TPRT_OK;
}

template <typename Call, typename T>
__global__ void maskKernel(T *x, int64_t start, double fill) {
  constexpr tprt_mask_desc desc = Call::desc;
  using I = Index<desc.outer * desc.extent * desc.inner>;
  TPRT_FOR_EACH(I, i, desc.outer * desc.extent * desc.inner)
  if (start + int64_t(i / I(desc.inner) % I(desc.extent)) >= desc.size)
    x[i] = cast<T>(fill);
}

template <typename Call, typename T>
tprt_status mask(Rank *rank, T *x, int64_t start) {
  constexpr tprt_mask_desc desc = Call::desc;
  double fill;
  std::memcpy(&fill, &desc.fill_bits, sizeof fill);
  TPRT_LAUNCH((maskKernel<Call, T>),
              blocksFor(desc.outer * desc.extent * desc.inner), kThreads,
              rank->compute)
  (x, start, fill);
  TPRT_LAUNCHED(rank);
  return TPRT_OK;
}

template <typename T>
__global__ void fillKernel(int64_t count, T *x, float value) {
  TPRT_FOR_EACH(int64_t, i, count) x[i] = cast<T>(value);
}

template <typename Call, typename T>
tprt_status make_partial(Rank *rank, T *x) {
  constexpr tprt_make_partial_desc desc = Call::desc;
  constexpr bool neutral =
      desc.reduction == TPRT_SUM || desc.reduction == TPRT_PRODUCT;
  if (!neutral || rank->coordinates[desc.group] == 0)
    return TPRT_OK;
  TPRT_LAUNCH(fillKernel<T>, blocksFor(desc.elements), kThreads, rank->compute)
  (desc.elements, x, desc.reduction == TPRT_PRODUCT ? 1.0f : 0.0f);
  TPRT_LAUNCHED(rank);
  return TPRT_OK;
}

/// Elements that are loaded at once where those of a pair are neighbours.
template <typename T>
TPRT_CONSTEXPR int lanesOfPairs(const tprt_rotary_desc &desc,
                                int64_t alignment) {
  return lanesOf<T>(alignment, desc.rotary_dim, desc.head_dim);
}

/// How many pairs a thread turns, or elements it passes on.
template <typename T>
TPRT_CONSTEXPR int lanesOfRotary(const tprt_rotary_desc &desc,
                                 int64_t alignment) {
  if (!desc.interleaved)
    return lanesOf<T>(alignment, desc.rotary_dim / 2, desc.head_dim);
  const int together = lanesOfPairs<T>(desc, alignment);
  return together > 1 ? together / 2 : 1;
}

template <typename Call, typename T>
__global__ void rotaryKernel(const T *x, const T *cosine, const T *sine,
                             T *out) {
  constexpr tprt_rotary_desc desc = Call::desc;
  constexpr int lanes = lanesOfRotary<T>(Call::desc, Call::alignment);
  constexpr int64_t half = desc.rotary_dim / 2;
  using I = Index<desc.batch * desc.sequence * desc.heads * desc.head_dim>;
  constexpr I each = I((desc.head_dim - half) / lanes);
  TPRT_FOR_EACH(I, i, desc.batch * desc.sequence * desc.heads * each) {
    const I row = i / each;
    const int64_t k = int64_t(i % each) * lanes;
    const int64_t position = row / I(desc.heads) % I(desc.sequence);
    const int64_t begin = int64_t(row) * desc.head_dim;
    if (k >= half) {
      const int64_t at = begin + half + k;
      store(out + at, load<lanes>(x + at));
      continue;
    }
    const auto c = cast<Wide<T>>(load<lanes>(cosine + position * half + k));
    const auto s = cast<Wide<T>>(load<lanes>(sine + position * half + k));
    if constexpr (desc.interleaved) {
      // A pair by itself may begin anywhere.
      constexpr bool isWhole = lanesOfPairs<T>(Call::desc, Call::alignment) > 1;
      const int64_t at = begin + 2 * k;
      Vector<T, 2 * lanes> pairs, turned;
      if constexpr (isWhole)
        pairs = load<2 * lanes>(x + at);
      else
        pairs[0] = x[at], pairs[1] = x[at + 1];
#pragma unroll
      for (int j = 0; j < lanes; ++j) {
        const Wide<T> a = widen(pairs[2 * j]), b = widen(pairs[2 * j + 1]);
        turned[2 * j] = cast<T>(a * c[j] - b * s[j]);
        turned[2 * j + 1] = cast<T>(b * c[j] + a * s[j]);
      }
      if constexpr (isWhole)
        store(out + at, turned);
      else
        out[at] = turned[0], out[at + 1] = turned[1];
    } else {
      const auto a = cast<Wide<T>>(load<lanes>(x + begin + k));
      const auto b = cast<Wide<T>>(load<lanes>(x + begin + half + k));
      store(out + begin + k, cast<T>(a * c - b * s));
      store(out + begin + half + k, cast<T>(b * c + a * s));
    }
  }
}

template <typename Call, typename T>
tprt_status rotary(Rank *rank, const T *x, const T *cosine, const T *sine,
                   T *out) {
  constexpr tprt_rotary_desc desc = Call::desc;
  constexpr int64_t count = desc.batch * desc.sequence * desc.heads *
                            (desc.head_dim - desc.rotary_dim / 2) /
                            lanesOfRotary<T>(desc, Call::alignment);
  TPRT_LAUNCH((rotaryKernel<Call, T>), blocksFor(count), kThreads,
              rank->compute)
  (x, cosine, sine, out);
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

/// Of the elements of a segment that are a thread's, the first one after
/// `previous`.
template <typename Call, typename T>
TPRT_DEVICE Candidate<Wide<T>> firstAfter(const Candidate<Wide<T>> &previous,
                                          const T *values, const int32_t *ids,
                                          int64_t begin, int64_t start) {
  constexpr tprt_top_k_desc desc = Call::desc;
  Candidate<Wide<T>> best = {cast<Wide<T>>(-INFINITY), INT_MAX};
#pragma unroll 8
  for (int64_t i = threadIdx.x; i < desc.extent; i += blockDim.x) {
    const int64_t id = ids ? ids[begin + i] : start + i;
    const Candidate<Wide<T>> candidate = {widen(values[begin + i]),
                                          int32_t(id)};
    if (id >= 0 && id < desc.size && previous.isBefore(candidate) &&
        candidate.isBefore(best))
      best = candidate;
  }
  return best;
}

/// A block has a segment; in every round the thread whose element was taken
/// looks for its next one.
template <typename Call, typename T>
__global__ void __launch_bounds__(kTopKThreads)
    topKKernel(const T *values, const int32_t *ids, int64_t start, T *outValues,
               int32_t *outIds) {
  constexpr tprt_top_k_desc desc = Call::desc;
  for (int64_t segment = blockIdx.x; segment < desc.outer * desc.segments;
       segment += gridDim.x) {
    const int64_t begin = segment * desc.extent;
    const int64_t first = start + segment % desc.segments * desc.extent;
    auto own = [&](const Candidate<Wide<T>> &previous) {
      return firstAfter<Call, T>(previous, values, ids, begin, first);
    };
    // Before everything else: NaN, and lower than any id.
    Candidate<Wide<T>> taken = {cast<Wide<T>>(NAN), -1};
    Candidate<Wide<T>> mine = own(taken);
    for (int64_t place = 0; place < desc.k; ++place) {
      taken = reduceBlock<Foremost>(mine);
      if (threadIdx.x == 0) {
        outValues[segment * desc.k + place] = cast<T>(taken.value);
        outIds[segment * desc.k + place] = taken.id;
      }
      if (mine.id == taken.id && place + 1 < desc.k)
        mine = own(taken);
    }
  }
}

template <typename Call, typename T>
tprt_status top_k(Rank *rank, const T *values, const int32_t *ids,
                  int64_t start, T *outValues, int32_t *outIds) {
  TPRT_LAUNCH((topKKernel<Call, T>), Call::desc.outer * Call::desc.segments,
              kTopKThreads, rank->compute)
  (values, ids, start, outValues, outIds);
  TPRT_LAUNCHED(rank);
  return TPRT_OK;
}

} // namespace tprt_cuda

#endif // TPRT_CUDA_KERNELS_H
