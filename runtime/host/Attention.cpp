//===- Attention.cpp - attention -----------------------------------------===//
//
// Part of tp-mlir, under the Apache License v2.0.
//
//===----------------------------------------------------------------------===//
//
// Online softmax: the keys are visited in blocks, and each query keeps the
// largest score so far, the sum of exponentials and the weighted sum of values
// relative to it. Scores exist for one block of queries and keys at a time.
//
//===----------------------------------------------------------------------===//

#include "AttentionKernels.h"
#include "Blas.h"
#include "Checked.h"
#include "Convert.h"
#include "Rank.h"

#include <algorithm>
#include <limits>
#include <type_traits>

using namespace tprt;

namespace {

constexpr int64_t keyBlock = 256;

/// About so many rows, queries times groups, share a block of keys.
constexpr int64_t rowBlock = 256;

/// With fewer rows packing the keys for a matrix product does not pay.
constexpr int64_t fewRows = 16;

/// Some rows of keys or values as the accumulator's type.
template <typename A> struct Rows {
  const A *data;
  int64_t stride;
};

template <typename T> class Attention {
public:
  using A = Accumulator<T>;

  Attention(const tprt_attention_desc &desc, int64_t offset, Scratch &scratch)
      : desc(desc), offset(offset), scale(A(bitCast<double>(desc.scale_bits))),
        softCap(A(bitCast<double>(desc.soft_cap_bits))),
        queryBlock(std::max<int64_t>(1, rowBlock / desc.groups)) {
    const int64_t rows = queryBlock * desc.groups;
    queries = scratch.get<A>(0, rows * desc.head_dim);
    outputs = scratch.get<A>(1, rows * desc.head_dim);
    scores = scratch.get<A>(2, rows * keyBlock);
    maxima = scratch.get<A>(3, rows);
    sums = scratch.get<A>(4, rows);
    if (!std::is_same<T, A>::value) {
      wideKeys = scratch.get<A>(5, keyBlock * desc.head_dim);
      wideValues = scratch.get<A>(6, keyBlock * desc.head_dim);
    }
  }

  void run(const T *q, const T *k, const T *v, T *out) {
    const int64_t queryStride = desc.groups * desc.head_dim;
    for (int64_t b = 0; b < desc.batch; ++b)
      for (int64_t h = 0; h < desc.kv_heads; ++h) {
        const int64_t atKey =
            (b * desc.capacity * desc.kv_heads + h) * desc.head_dim;
        for (int64_t i = 0; i < desc.queries; i += queryBlock) {
          const int64_t atQuery =
              ((b * desc.queries + i) * desc.kv_heads + h) * queryStride;
          runBlock(i, std::min(queryBlock, desc.queries - i), q + atQuery,
                   k + atKey, v + atKey, out + atQuery);
        }
      }
  }

private:
  /// The keys that a query sees are [firstKey, endKey).
  int64_t firstKey(int64_t query) const {
    if (desc.window <= 0)
      return 0;
    return std::clamp<int64_t>(offset + query - desc.window + 1, 0, desc.keys);
  }
  int64_t endKey(int64_t query) const {
    if (!desc.causal)
      return desc.keys;
    return std::clamp<int64_t>(offset + query + 1, 0, desc.keys);
  }

  /// Those of keys [begin, begin + count) that a query sees, from `begin` on.
  struct Range {
    int64_t first, end;
  };
  Range seenKeys(int64_t query, int64_t begin, int64_t count) const {
    const int64_t first =
        std::clamp<int64_t>(firstKey(query) - begin, 0, count);
    return {first, std::clamp<int64_t>(endKey(query) - begin, first, count)};
  }

  /// Queries [begin, begin + count) of one head of keys.
  void runBlock(int64_t begin, int64_t count, const T *q, const T *k,
                const T *v, T *out) {
    const int64_t rows = count * desc.groups;
    loadQueries(q, count);
    std::fill_n(outputs, rows * desc.head_dim, A(0));
    std::fill_n(maxima, rows, -std::numeric_limits<A>::infinity());
    std::fill_n(sums, rows, A(0));
    const int64_t end = endKey(begin + count - 1);
    for (int64_t j = firstKey(begin); j < end; j += keyBlock) {
      const int64_t keys = std::min(keyBlock, end - j);
      const int64_t at = j * desc.kv_heads * desc.head_dim;
      scoreKeys(rows, keys, widenRows(k + at, keys, wideKeys));
      for (int64_t r = 0; r < rows; ++r)
        softmax(r, seenKeys(begin + r / desc.groups, j, keys), keys);
      weighValues(begin, rows, j, keys, widenRows(v + at, keys, wideValues));
    }
    storeOutputs(out, count);
  }

  void loadQueries(const T *q, int64_t count) {
    const int64_t width = desc.groups * desc.head_dim;
    for (int64_t i = 0; i < count; ++i)
      widenMany(q + i * desc.kv_heads * width, queries + i * width, width);
    for (int64_t i = 0; i < count * width; ++i)
      queries[i] *= scale;
  }

  void storeOutputs(T *out, int64_t count) {
    const int64_t width = desc.groups * desc.head_dim;
    for (int64_t r = 0; r < count * desc.groups; ++r) {
      // A query that saw no key has sum 0 and output 0.
      const A factor = sums[r] == A(0) ? A(0) : A(1) / sums[r];
      for (int64_t d = 0; d < desc.head_dim; ++d)
        outputs[r * desc.head_dim + d] *= factor;
    }
    for (int64_t i = 0; i < count; ++i)
      narrowMany(outputs + i * width, out + i * desc.kv_heads * width, width);
  }

  Rows<A> widenRows(const T *source, int64_t count, A *wide) const {
    const int64_t stride = desc.kv_heads * desc.head_dim;
    if constexpr (std::is_same<T, A>::value)
      return {source, stride};
    for (int64_t j = 0; j < count; ++j)
      widenMany(source + j * stride, wide + j * desc.head_dim, desc.head_dim);
    return {wide, desc.head_dim};
  }

  void scoreKeys(int64_t rows, int64_t count, Rows<A> keys) {
    const int64_t width = desc.head_dim;
    if (rows >= fewRows)
      return gemm(CblasNoTrans, CblasTrans, int(rows), int(count), int(width),
                  queries, int(width), keys.data, int(keys.stride), A(0),
                  scores, int(keyBlock));
    for (int64_t r = 0; r < rows; ++r)
      dotKeys(queries + r * width, keys.data, keys.stride, count, width,
              scores + r * keyBlock);
  }

  void softmax(int64_t r, Range seen, int64_t count) {
    softmaxRow(SoftmaxRow<A>{scores + r * keyBlock, count, seen.first, seen.end,
                             softCap, maxima + r, sums + r,
                             outputs + r * desc.head_dim, desc.head_dim});
  }

  /// Whether no value is infinite or NaN: zero times such a one is NaN.
  bool areFinite(Rows<A> values, int64_t count) const {
    constexpr int64_t lanes = 16; // several sums at a time
    A sums[lanes] = {};
    for (int64_t j = 0; j < count; ++j) {
      const A *row = values.data + j * values.stride;
      int64_t d = 0;
      for (; d + lanes <= desc.head_dim; d += lanes)
        for (int64_t i = 0; i < lanes; ++i)
          sums[i] += row[d + i] * A(0);
      for (; d < desc.head_dim; ++d)
        sums[0] += row[d] * A(0);
    }
    return std::all_of(sums, sums + lanes, [](A sum) { return sum == A(0); });
  }

  /// The weights of keys that a query does not see are zero, but zero times
  /// infinity is NaN: then each row takes only what it sees. What a query gives
  /// so depends on nothing else, whichever block it is in.
  void weighValues(int64_t begin, int64_t rows, int64_t firstOfBlock,
                   int64_t count, Rows<A> values) {
    const int64_t width = desc.head_dim;
    const int64_t last = begin + (rows - 1) / desc.groups;
    const bool allSeen = seenKeys(begin, firstOfBlock, count).end == count &&
                         seenKeys(last, firstOfBlock, count).first == 0;
    if (rows >= fewRows && (allSeen || areFinite(values, count)))
      return gemm(CblasNoTrans, CblasNoTrans, int(rows), int(width), int(count),
                  scores, int(keyBlock), values.data, int(values.stride), A(1),
                  outputs, int(width));
    for (int64_t r = 0; r < rows; ++r) {
      const Range seen = seenKeys(begin + r / desc.groups, firstOfBlock, count);
      addValues(scores + r * keyBlock + seen.first,
                values.data + seen.first * values.stride, values.stride,
                seen.end - seen.first, width, outputs + r * width);
    }
  }

  const tprt_attention_desc &desc;
  const int64_t offset;
  const A scale, softCap;
  const int64_t queryBlock;
  A *queries, *outputs, *scores, *maxima, *sums;
  A *wideKeys = nullptr, *wideValues = nullptr;
};

void checkAttention(const tprt_attention_desc &desc) {
  for (int64_t size : {desc.batch, desc.queries, desc.keys, desc.kv_heads,
                       desc.groups, desc.head_dim})
    if (size < 0)
      raise(TPRT_INVALID, "a negative size, ", size);
  if (desc.keys > desc.capacity)
    raise(TPRT_INVALID, desc.keys, " keys where there is room for ",
          desc.capacity);
  int64_t position = multiply(desc.kv_heads, desc.head_dim, "the size");
  if (position > std::numeric_limits<int>::max())
    raise(TPRT_UNSUPPORTED, "heads of ", position, " elements altogether");
  int64_t rows =
      multiply(desc.batch, std::max(desc.queries, desc.capacity), "the size");
  multiply(multiply(rows, position, "the size"),
           std::max<int64_t>(8, multiply(desc.groups, 8, "the size")),
           "the size");
}

} // namespace

extern "C" void tprt_attention(tprt_rank *rank, const tprt_attention_desc *desc,
                               const void *q, const void *k, const void *v,
                               const int32_t *offset, int64_t start,
                               void *out) {
  guarded(rank, "attention", [&] {
    checkAttention(*desc);
    if (desc->groups == 0 || desc->head_dim == 0 || desc->queries == 0)
      return;
    dispatchFloat(desc->dtype, "attention", [&](auto tag) {
      using T = typename decltype(tag)::Type;
      Attention<T>(*desc, (offset ? *offset : 0) + start, rank->scratch)
          .run(static_cast<const T *>(q), static_cast<const T *>(k),
               static_cast<const T *>(v), static_cast<T *>(out));
    });
  });
}
