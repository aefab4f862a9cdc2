//===- KernelsIndexed.cpp - kernels that look up positions ---------------===//
//
// Part of tp-mlir, under the Apache License v2.0.
//
//===----------------------------------------------------------------------===//

#include "Checked.h"
#include "Numeric.h"
#include "Rank.h"
#include "Stored.h"

#include <algorithm>
#include <cstring>
#include <limits>
#include <type_traits>
#include <utility>

using namespace tprt;

static void checkSizes(std::initializer_list<int64_t> sizes) {
  int64_t product = 8; // no element is larger
  for (int64_t size : sizes) {
    if (size < 0)
      raise(TPRT_INVALID, "a negative size, ", size);
    product = multiply(product, std::max<int64_t>(size, 1), "the size");
  }
}

static void copyBytes(void *to, const void *from, int64_t bytes) {
  if (bytes > 0)
    std::memcpy(to, from, size_t(bytes));
}

//===----------------------------------------------------------------------===//
// Embedding
//===----------------------------------------------------------------------===//

static void checkEmbedding(const tprt_embedding_desc &desc,
                           const int32_t *ids) {
  checkSizes({desc.num_ids, desc.width});
  checkSizes({desc.rows, desc.width});
  for (int64_t i = 0; i < desc.num_ids; ++i)
    if (ids[i] < 0 || ids[i] >= desc.vocabulary)
      raise(TPRT_INVALID, "token id ", ids[i], " at position ", i,
            " is outside the vocabulary of ", desc.vocabulary,
            ": ids are 0 to ", desc.vocabulary - 1);
}

extern "C" void tprt_embedding(tprt_rank *rank, const tprt_embedding_desc *desc,
                               const int32_t *ids, const void *table,
                               int64_t start, void *out) {
  guarded(rank, "embedding", [&] {
    checkEmbedding(*desc, ids);
    const int64_t bytes = desc->width * checkedElementBytes(desc->dtype);
    if (desc->stored && (desc->dtype != TPRT_F32 || !isStored(desc->stored)))
      raise(TPRT_INVALID, "stored type ", desc->stored, " with ",
            dtypeName(desc->dtype));
    char *to = static_cast<char *>(out);
    for (int64_t i = 0; i < desc->num_ids; ++i, to += bytes) {
      int64_t row = ids[i] - start;
      if (row >= 0 && row < desc->rows && desc->stored)
        widenStored(desc->stored, table, row * desc->width, desc->width,
                    reinterpret_cast<float *>(to));
      else if (row >= 0 && row < desc->rows)
        copyBytes(to, static_cast<const char *>(table) + row * bytes, bytes);
      else if (bytes > 0)
        std::memset(to, 0, size_t(bytes));
    }
  });
}

/// The positions of the ids that this shard holds, by row, then in order.
static int64_t sortByRow(const tprt_embedding_desc &desc, const int32_t *ids,
                         int64_t start, std::pair<int64_t, int64_t> *sorted) {
  int64_t count = 0;
  for (int64_t i = 0; i < desc.num_ids; ++i) {
    int64_t row = ids[i] - start;
    if (row >= 0 && row < desc.rows)
      sorted[count++] = {row, i};
  }
  std::sort(sorted, sorted + count);
  return count;
}

template <typename T>
static void addRows(const tprt_embedding_desc &desc, Scratch &scratch,
                    const int32_t *ids, const T *gradient, int64_t start,
                    T *out) {
  using A = Accumulator<T>;
  const int64_t width = desc.width;
  auto *sorted = scratch.get<std::pair<int64_t, int64_t>>(0, desc.num_ids);
  const int64_t count = sortByRow(desc, ids, start, sorted);
  A *sum = scratch.get<A>(1, width);
  std::memset(out, 0, size_t(desc.rows * width) * sizeof(T));
  for (int64_t i = 0; i < count;) {
    const int64_t row = sorted[i].first;
    std::fill_n(sum, width, A(0));
    for (; i < count && sorted[i].first == row; ++i) {
      const T *line = gradient + sorted[i].second * width;
      for (int64_t j = 0; j < width; ++j)
        sum[j] += widen<T>(line[j]);
    }
    for (int64_t j = 0; j < width; ++j)
      out[row * width + j] = narrow<T>(sum[j]);
  }
}

extern "C" void tprt_embedding_gradient(tprt_rank *rank,
                                        const tprt_embedding_desc *desc,
                                        const int32_t *ids,
                                        const void *gradient, int64_t start,
                                        void *table_gradient) {
  guarded(rank, "embedding_gradient", [&] {
    checkEmbedding(*desc, ids);
    dispatchFloat(desc->dtype, "an embedding's gradient", [&](auto tag) {
      using T = typename decltype(tag)::Type;
      addRows(*desc, rank->scratch, ids, static_cast<const T *>(gradient),
              start, static_cast<T *>(table_gradient));
    });
  });
}

//===----------------------------------------------------------------------===//
// Cache update and take
//===----------------------------------------------------------------------===//

extern "C" void tprt_cache_update(tprt_rank *rank,
                                  const tprt_cache_update_desc *desc,
                                  void *cache, const void *update,
                                  const int32_t *position,
                                  const int32_t *length, int64_t start) {
  guarded(rank, "cache_update", [&] {
    checkSizes({desc->outer, desc->rows, desc->inner});
    checkSizes({desc->outer, desc->extent, desc->inner});
    if (*position < 0)
      raise(TPRT_INVALID, "position ", *position, " is negative");
    if (*length < 0 || *length > desc->extent)
      raise(TPRT_INVALID, "length ", *length, " is outside [0, ", desc->extent,
            "], the update's extent");
    if (int64_t(*position) + *length > desc->capacity)
      raise(TPRT_INVALID, "position ", *position, " + length ", *length,
            " exceeds the cache's capacity of ", desc->capacity);
    const int64_t bytes = desc->inner * checkedElementBytes(desc->dtype);
    // The rows of the shard that are written.
    const int64_t first = *position - start;
    const int64_t begin = std::clamp<int64_t>(first, 0, desc->rows);
    const int64_t end = std::clamp<int64_t>(first + *length, 0, desc->rows);
    for (int64_t o = 0; o < desc->outer && begin < end; ++o)
      copyBytes(static_cast<char *>(cache) + (o * desc->rows + begin) * bytes,
                static_cast<const char *>(update) +
                    (o * desc->extent + begin - first) * bytes,
                (end - begin) * bytes);
  });
}

extern "C" void tprt_take(tprt_rank *rank, const tprt_take_desc *desc,
                          const void *x, const int32_t *index, void *out) {
  guarded(rank, "take", [&] {
    checkSizes({desc->outer, desc->extent, desc->inner});
    if (*index < 0 || *index >= desc->extent)
      raise(TPRT_INVALID, "index ", *index, " is outside [0, ", desc->extent,
            ")");
    const int64_t bytes = desc->inner * checkedElementBytes(desc->dtype);
    for (int64_t o = 0; o < desc->outer; ++o)
      copyBytes(static_cast<char *>(out) + o * bytes,
                static_cast<const char *>(x) +
                    (o * desc->extent + *index) * bytes,
                bytes);
  });
}

//===----------------------------------------------------------------------===//
// Mask
//===----------------------------------------------------------------------===//

template <typename T> static T fillValue(double value) {
  if constexpr (std::is_integral<T>::value) {
    using Limits = std::numeric_limits<T>;
    // An infinity, say, becomes the integer nearest to it.
    if (!(value > double(Limits::min())))
      return value != value ? T(0) : Limits::min();
    return value >= double(Limits::max()) ? Limits::max() : T(value);
  } else {
    return fromDouble<T>(value);
  }
}

extern "C" void tprt_mask(tprt_rank *rank, const tprt_mask_desc *desc, void *x,
                          int64_t start) {
  guarded(rank, "mask", [&] {
    checkSizes({desc->outer, desc->extent, desc->inner});
    // The first index along the middle dim that is padding.
    int64_t first = std::clamp<int64_t>(desc->size - start, 0, desc->extent);
    const double fill = bitCast<double>(desc->fill_bits);
    dispatchAny(desc->dtype, "a mask", [&](auto tag) {
      using T = typename decltype(tag)::Type;
      const T value = fillValue<T>(fill);
      T *line = static_cast<T *>(x);
      for (int64_t o = 0; o < desc->outer; ++o)
        std::fill_n(line + (o * desc->extent + first) * desc->inner,
                    (desc->extent - first) * desc->inner, value);
    });
  });
}
