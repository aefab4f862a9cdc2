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
#include "Simd.h"

#include <algorithm>
#include <limits>
#include <type_traits>

using namespace tprt;

namespace {

constexpr int64_t keyBlock = 256;

/// About so many rows, queries times groups, share a block of keys.
constexpr int64_t rowBlock = 256;

/// With fewer rows a head packing its keys for a matrix product does not pay.
constexpr int64_t fewRows = 16;

/// So many keys or values are visited by all heads before the next are. Heads
/// lie side by side: so memory is read in its own order. While one tile is
/// multiplied the next is fetched; with larger tiles fetches wait for one
/// another.
constexpr int64_t keyTile = 4;

template <typename T> class Attention {
public:
  using A = Accumulator<T>;

  Attention(const tprt_attention_desc &desc, int64_t offset, Scratch &scratch)
      : desc(desc), offset(offset), scale(A(bitCast<double>(desc.scale_bits))),
        softCap(A(bitCast<double>(desc.soft_cap_bits))),
        queryBlock(
            std::clamp<int64_t>(rowBlock / desc.groups, 1, desc.queries)),
        isFew(queryBlock * desc.groups < fewRows),
        headBlock(isFew ? desc.kv_heads : 1) {
    const int64_t rows = headBlock * queryBlock * desc.groups;
    queries = scratch.get<A>(0, rows * desc.head_dim);
    outputs = scratch.get<A>(1, rows * desc.head_dim);
    scores = scratch.get<A>(2, rows * keyBlock);
    maxima = scratch.get<A>(3, rows);
    sums = scratch.get<A>(4, rows);
    if (!std::is_same<T, A>::value)
      wide = scratch.get<A>(5, (isFew ? keyTile : keyBlock) * headBlock *
                                   desc.head_dim);
  }

  void run(const T *q, const T *k, const T *v, T *out) {
    for (int64_t b = 0; b < desc.batch; ++b)
      for (int64_t h = 0; h < desc.kv_heads; h += headBlock) {
        const int64_t atKey =
            (b * desc.capacity * desc.kv_heads + h) * desc.head_dim;
        for (int64_t i = 0; i < desc.queries; i += queryBlock) {
          const int64_t atQuery = ((b * desc.queries + i) * desc.kv_heads + h) *
                                  desc.groups * desc.head_dim;
          Block block{i, std::min(queryBlock, desc.queries - i)};
          runBlock(block, q + atQuery, k + atKey, v + atKey, out + atQuery);
        }
      }
  }

private:
  /// Queries [begin, begin + queries) of headBlock neighbouring heads of keys.
  /// Its rows are those of the first head, of the first query, of its groups,
  /// ...
  struct Block {
    int64_t begin, queries;
  };
  int64_t rowsOfHead(Block block) const { return block.queries * desc.groups; }
  int64_t queryOf(Block block, int64_t row) const {
    return block.begin + row % rowsOfHead(block) / desc.groups;
  }

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

  void runBlock(Block block, const T *q, const T *k, const T *v, T *out) {
    const int64_t rows = headBlock * rowsOfHead(block);
    loadQueries(block, q);
    std::fill_n(outputs, rows * desc.head_dim, A(0));
    std::fill_n(maxima, rows, -std::numeric_limits<A>::infinity());
    std::fill_n(sums, rows, A(0));
    const int64_t end = endKey(block.begin + block.queries - 1);
    for (int64_t j = firstKey(block.begin); j < end; j += keyBlock) {
      const int64_t keys = std::min(keyBlock, end - j);
      scoreRows(block, j, keys, k);
      for (int64_t r = 0; r < rows; ++r)
        softmax(r, seenKeys(queryOf(block, r), j, keys), keys);
      weighValues(block, j, keys, v);
    }
    storeOutputs(block, out);
  }

  /// Calls visit(at, row, width): where rows begin in queries or outputs of the
  /// caller, which row is the first, and of how many elements they are.
  template <typename Visit> void visitRows(Block block, Visit &&visit) const {
    const int64_t width = desc.groups * desc.head_dim;
    for (int64_t h = 0; h < headBlock; ++h)
      for (int64_t i = 0; i < block.queries; ++i)
        visit((i * desc.kv_heads + h) * width,
              (h * block.queries + i) * desc.groups, width);
  }

  void loadQueries(Block block, const T *q) {
    visitRows(block, [&](int64_t at, int64_t row, int64_t width) {
      widenMany(q + at, queries + row * desc.head_dim, width);
    });
    const int64_t rows = headBlock * rowsOfHead(block);
    for (int64_t i = 0; i < rows * desc.head_dim; ++i)
      queries[i] *= scale;
  }

  void storeOutputs(Block block, T *out) {
    for (int64_t r = 0; r < headBlock * rowsOfHead(block); ++r) {
      // A query that saw no key has sum 0 and output 0.
      const A factor = sums[r] == A(0) ? A(0) : A(1) / sums[r];
      for (int64_t d = 0; d < desc.head_dim; ++d)
        outputs[r * desc.head_dim + d] *= factor;
    }
    visitRows(block, [&](int64_t at, int64_t row, int64_t width) {
      narrowMany(outputs + row * desc.head_dim, out + at, width);
    });
  }

  /// `count` keys or values from `first` on, of headBlock neighbouring heads.
  Rows<const A> load(const T *source, int64_t first, int64_t count) const {
    const int64_t stride = desc.kv_heads * desc.head_dim;
    source += first * stride;
    if constexpr (std::is_same<T, A>::value)
      return {source, stride};
    const int64_t width = headBlock * desc.head_dim;
    for (int64_t j = 0; j < count; ++j)
      widenMany(source + j * stride, wide + j * width, width);
    return {wide, width};
  }

  /// Calls visit(first, count, head, keys or values of that head) for tiles of
  /// [begin, begin + count) and all heads, `first` counted from `begin`.
  template <typename Visit>
  void visitTiles(int64_t begin, int64_t count, const T *source,
                  Visit &&visit) const {
    const int64_t stride = desc.kv_heads * desc.head_dim;
    for (int64_t j = 0; j < count; j += keyTile) {
      const int64_t some = std::min(keyTile, count - j);
      const int64_t left = std::min(keyTile, count - j - some);
      const Rows<const A> tile = load(source, begin + j, some);
      const T *next = source + (begin + j + some) * stride;
      for (int64_t h = 0; h < desc.kv_heads; ++h) {
        const int64_t share = left * desc.head_dim; // of the next tile
        prefetch(next + h * share, share * int64_t(sizeof(T)));
        visit(j, some, h,
              Rows<const A>{tile.data + h * desc.head_dim, tile.stride});
      }
    }
  }

  void scoreRows(Block block, int64_t begin, int64_t count, const T *k) {
    const int64_t width = desc.head_dim, rows = rowsOfHead(block);
    if (!isFew) {
      const Rows<const A> keys = load(k, begin, count);
      return gemm(CblasNoTrans, CblasTrans, int(rows), int(count), int(width),
                  queries, int(width), keys.data, int(keys.stride), A(0),
                  scores, int(keyBlock));
    }
    visitTiles(begin, count, k,
               [&](int64_t j, int64_t some, int64_t h, Rows<const A> keys) {
                 scoreKeys({queries + h * rows * width, width}, rows, keys,
                           some, width,
                           {scores + h * rows * keyBlock + j, keyBlock});
               });
  }

  void softmax(int64_t r, Range seen, int64_t count) {
    softmaxRow(SoftmaxRow<A>{scores + r * keyBlock, count, seen.first, seen.end,
                             softCap, maxima + r, sums + r,
                             outputs + r * desc.head_dim, desc.head_dim});
  }

  /// Whether no value is infinite or NaN: zero times such a one is NaN.
  bool areFinite(Rows<const A> values, int64_t count) const {
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
  void weighValues(Block block, int64_t begin, int64_t count, const T *v) {
    if (isFew)
      return visitTiles(
          begin, count, v,
          [&](int64_t j, int64_t some, int64_t h, Rows<const A> values) {
            addSeen(block, h * rowsOfHead(block), begin, j, some, values);
          });
    const int64_t width = desc.head_dim;
    const int64_t last = block.begin + block.queries - 1;
    const bool allSeen = seenKeys(block.begin, begin, count).end == count &&
                         seenKeys(last, begin, count).first == 0;
    const Rows<const A> values = load(v, begin, count);
    if (!allSeen && !areFinite(values, count))
      return addSeen(block, 0, begin, 0, count, values);
    gemm(CblasNoTrans, CblasNoTrans, int(rowsOfHead(block)), int(width),
         int(count), scores, int(keyBlock), values.data, int(values.stride),
         A(1), outputs, int(width));
  }

  /// Values [first, first + count) of a block of keys that starts at `begin`,
  /// for the rows of one head, from `row` on.
  void addSeen(Block block, int64_t row, int64_t begin, int64_t first,
               int64_t count, Rows<const A> values) {
    const int64_t width = desc.head_dim;
    for (int64_t i = 0; i < block.queries; ++i, row += desc.groups) {
      const Range seen = seenKeys(block.begin + i, begin + first, count);
      addValues({scores + row * keyBlock + first + seen.first, keyBlock},
                desc.groups,
                {values.data + seen.first * values.stride, values.stride},
                seen.end - seen.first, width, {outputs + row * width, width});
    }
  }

  const tprt_attention_desc &desc;
  const int64_t offset;
  const A scale, softCap;
  const int64_t queryBlock;
  const bool isFew; ///< are the rows of a head
  const int64_t headBlock;
  A *queries, *outputs, *scores, *maxima, *sums;
  A *wide = nullptr;
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
