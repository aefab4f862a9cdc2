//===- AttentionTiles.h - attention of many queries by tensor cores -------===//
//
// Part of tp-mlir, under the Apache License v2.0.
//
//===----------------------------------------------------------------------===//
//
// For prompts in bf16 and f16 where the host has no library. A block has 64
// rows, the queries of all heads that share a head of keys, one query after the
// other; a warp has 16 of them. Keys and values come in tiles through shared
// memory. For each tile (FlashAttention-2, Dao 2023):
//
//     scores = rows x keys^T                 16 x 8 at a time, f32
//     weights = exp(scores - maximum)        in registers, rounded to T
//     sums of values += weights x values     16 x 8 at a time, f32
//
// Lane l of a warp has, of each 16 x 8 of a result, rows l / 4 and l / 4 + 8
// and columns 2 (l % 4) and the next: so two of them side by side are the 16 x
// 16 left operand of the next product as they are.
//
// A weight is zero where a query does not see a key of its tile: an infinite
// value there makes NaN of the row, as in other kernels of the kind.
//
//===----------------------------------------------------------------------===//

#ifndef TPRT_CUDA_ATTENTIONTILES_H
#define TPRT_CUDA_ATTENTIONTILES_H

#include "tprt/cuda/Kernels.h"
#include "tprt/cuda/Softmax.h"

namespace tprt_cuda {

constexpr int kTileWarps = 4, kTileRows = 16 * kTileWarps;

//===----------------------------------------------------------------------===//
// Products of 16 x 16 and 16 x 8
//===----------------------------------------------------------------------===//

/// Two neighbouring elements.
template <typename T> using Pair = Vector<T, 2>;

template <typename T> TPRT_DEVICE uint32_t bitsOf(Pair<T> pair) {
  uint32_t bits;
  memcpy(&bits, &pair, sizeof bits);
  return bits;
}

// A simulation on a CPU multiplies in its own way.
#ifndef TPRT_MULTIPLY_TILE
/// result += a x b by all lanes of a warp. Lane l has of a pairs at rows l / 4
/// and l / 4 + 8, columns 2 (l % 4), then those 8 columns on; of b pairs of
/// column l / 4 at rows 2 (l % 4) and 8 rows on; of the result pairs at rows
/// l / 4 and l / 4 + 8 (mma.m16n8k16 in the PTX manual).
#define TPRT_MULTIPLY_TILE(T, type)                                            \
  TPRT_DEVICE void multiplyTile(T, float (&result)[4], const uint32_t (&a)[4], \
                                const uint32_t (&b)[2]) {                      \
    asm volatile(                                                              \
        "mma.sync.aligned.m16n8k16.row.col.f32." type "." type                 \
        ".f32 {%0, %1, %2, %3}, {%4, %5, %6, %7}, {%8, %9}, "                  \
        "{%0, %1, %2, %3};"                                                    \
        : "+f"(result[0]), "+f"(result[1]), "+f"(result[2]), "+f"(result[3])   \
        : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b[0]), "r"(b[1]));   \
  }
#endif
TPRT_MULTIPLY_TILE(__nv_bfloat16, "bf16")
TPRT_MULTIPLY_TILE(__half, "f16")

//===----------------------------------------------------------------------===//
// Tiles
//===----------------------------------------------------------------------===//

/// Whether attention of this shape can go by tiles.
template <typename Call, typename T> constexpr bool takesTiles() {
  return sizeof(T) == 2 && Call::desc.head_dim % 16 == 0 &&
         Call::desc.head_dim <= 256 && Call::alignment % 16 == 0;
}

template <typename Call, typename T> struct TileShape {
  static constexpr tprt_attention_desc desc = Call::desc;
  static constexpr int dim = int(desc.head_dim);
  /// Keys of a tile: keys and values fit 48 KB.
  static constexpr int keys = dim <= 128 ? 64 : 32;
  /// Of a row in shared memory: 8 elements more, so that lanes that read a
  /// column of pairs use all banks.
  static constexpr int stride = dim + 8;
  static constexpr int64_t rows = desc.queries * desc.groups;
  static constexpr int64_t blocksOfRows = ceilDivide(rows, kTileRows);
  static constexpr int64_t blocks = desc.batch * desc.kv_heads * blocksOfRows;
};

/// Keys or values from `first` on, zeros from `end` on, by all threads.
template <typename Shape, typename T>
TPRT_DEVICE void loadTile(T (&tile)[Shape::keys * Shape::stride], const T *from,
                          int64_t first, int64_t end) {
  constexpr int loads = Shape::dim / 8;
#pragma unroll 4
  for (int i = threadIdx.x; i < Shape::keys * loads; i += kTileWarps * kWarp) {
    const int key = i / loads, column = i % loads * 8;
    Vector<T, 8> value = splat<8>(cast<T>(0.0f));
    if (first + key < end)
      value = load<8>(from + (first + key) * Shape::desc.kv_heads * Shape::dim +
                      column);
    store(tile + key * Shape::stride + column, value);
  }
}

/// The 16 rows of a warp; a lane has two of them, `which` 0 and 1.
template <typename Shape, typename T> struct TileRows {
  uint32_t query[Shape::dim / 16][4];
  float weighted[Shape::dim / 8][4];
  float maximum[2] = {-INFINITY, -INFINITY}, sum[2] = {0, 0};

  /// `q` is the first row's; rows from `count` on are zeros.
  TPRT_DEVICE void begin(const T *const (&rows)[2], int lane) {
#pragma unroll
    for (int i = 0; i < Shape::dim / 16; ++i)
#pragma unroll
      for (int part = 0; part < 4; ++part) {
        const T *row = rows[part % 2];
        const int column = 16 * i + part / 2 * 8 + lane % 4 * 2;
        query[i][part] = row ? bitsOf(load<2>(row + column)) : 0u;
      }
#pragma unroll
    for (auto &tile : weighted)
#pragma unroll
      for (float &value : tile)
        value = 0;
  }

  /// Takes in a tile; `ends` and `begins` are the keys that the rows see, of
  /// the tile's.
  TPRT_DEVICE void take(const T *keys, const T *values,
                        const int64_t (&begins)[2], const int64_t (&ends)[2],
                        float scale, float cap, int lane) {
    float scores[Shape::keys / 8][4] = {};
#pragma unroll
    for (int tile = 0; tile < Shape::keys / 8; ++tile)
#pragma unroll
      for (int i = 0; i < Shape::dim / 16; ++i) {
        const T *at = keys + (8 * tile + lane / 4) * Shape::stride + 16 * i +
                      lane % 4 * 2;
        const uint32_t b[2] = {bitsOf(load<2>(at)), bitsOf(load<2>(at + 8))};
        multiplyTile(T(), scores[tile], query[i], b);
      }
    weigh(scores, begins, ends, scale, cap, lane);
#pragma unroll
    for (int i = 0; i < Shape::keys / 16; ++i) {
      uint32_t a[4];
#pragma unroll
      for (int part = 0; part < 4; ++part) {
        const float *weights = &scores[2 * i + part / 2][part % 2 * 2];
        a[part] = bitsOf(Pair<T>{{cast<T>(weights[0]), cast<T>(weights[1])}});
      }
#pragma unroll
      for (int tile = 0; tile < Shape::dim / 8; ++tile) {
        const T *at = values + (16 * i + lane % 4 * 2) * Shape::stride +
                      8 * tile + lane / 4;
        const uint32_t b[2] = {
            bitsOf(Pair<T>{{at[0], at[Shape::stride]}}),
            bitsOf(Pair<T>{{at[8 * Shape::stride], at[9 * Shape::stride]}})};
        multiplyTile(T(), weighted[tile], a, b);
      }
    }
  }

  /// Makes weights of scores; sums are still those of this lane's columns.
  TPRT_DEVICE void weigh(float (&scores)[Shape::keys / 8][4],
                         const int64_t (&begins)[2], const int64_t (&ends)[2],
                         float scale, float cap, int lane) {
#pragma unroll
    for (int which = 0; which < 2; ++which) {
      float larger = maximum[which];
#pragma unroll
      for (int i = 0; i < Shape::keys / 4; ++i) {
        float &score = scores[i / 2][2 * which + i % 2];
        const int key = i / 2 * 8 + lane % 4 * 2 + i % 2;
        score *= scale;
        if (cap > 0)
          score = cap * ::tanh(score / cap);
        if (key < begins[which] || key >= ends[which])
          score = -INFINITY;
        larger = largerOf(larger, score);
      }
      larger = largerOf(larger, shuffle(larger, 1));
      larger = largerOf(larger, shuffle(larger, 2));
      const float keep = weightOf(maximum[which], larger);
      maximum[which] = larger;
      sum[which] *= keep;
#pragma unroll
      for (int i = 0; i < Shape::keys / 4; ++i) {
        float &score = scores[i / 2][2 * which + i % 2];
        score = weightOf(score, larger);
        sum[which] += score;
      }
#pragma unroll
      for (auto &tile : weighted) {
        tile[2 * which] *= keep;
        tile[2 * which + 1] *= keep;
      }
    }
  }

  TPRT_DEVICE void end(T *const (&rows)[2], int lane) {
#pragma unroll
    for (int which = 0; which < 2; ++which) {
      sum[which] += shuffle(sum[which], 1);
      sum[which] += shuffle(sum[which], 2);
      if (!rows[which])
        continue;
#pragma unroll
      for (int i = 0; i < Shape::dim / 8; ++i) {
        Pair<T> pair;
#pragma unroll
        for (int j = 0; j < 2; ++j) // a query that sees no key gives zeros
          pair[j] = cast<T>(
              sum[which] == 0 ? 0.0f : weighted[i][2 * which + j] / sum[which]);
        store(rows[which] + 8 * i + lane % 4 * 2, pair);
      }
    }
  }
};

//===----------------------------------------------------------------------===//
// The kernel
//===----------------------------------------------------------------------===//

/// A block for 64 rows of a head of keys; the last queries, which see the most
/// keys, first.
template <typename Call, typename T>
__global__ void __launch_bounds__(kTileWarps *kWarp)
    attentionTilesKernel(double scale, double softCap, const T *q, const T *k,
                         const T *v, const int32_t *offset, int64_t start,
                         T *out) {
  using Shape = TileShape<Call, T>;
  constexpr tprt_attention_desc desc = Call::desc;
  alignas(16) __shared__ T keys[Shape::keys * Shape::stride];
  alignas(16) __shared__ T values[Shape::keys * Shape::stride];
  const int lane = threadIdx.x % kWarp, warp = threadIdx.x / kWarp;
  const int64_t block =
      Shape::blocksOfRows - 1 - blockIdx.x % Shape::blocksOfRows;
  const int64_t head = blockIdx.x / Shape::blocksOfRows % desc.kv_heads;
  const int64_t sequence = blockIdx.x / Shape::blocksOfRows / desc.kv_heads;
  const int64_t first = (offset ? *offset : 0) + start;

  // Row r is query r / groups of head r % groups.
  auto beginOf = [&](int64_t row) {
    const int64_t begin = first + row / desc.groups - desc.window + 1;
    return desc.window > 0 && begin > 0 ? begin : 0;
  };
  auto endOf = [&](int64_t row) {
    const int64_t end = first + row / desc.groups + 1;
    return desc.causal && end < desc.keys ? end : desc.keys;
  };
  const T *from[2];
  T *to[2];
  int64_t begins[2], ends[2];
#pragma unroll
  for (int which = 0; which < 2; ++which) {
    const int64_t row = block * kTileRows + 16 * warp + lane / 4 + 8 * which;
    const int64_t query = row / desc.groups, group = row % desc.groups;
    const int64_t at =
        (((sequence * desc.queries + query) * desc.kv_heads + head) *
             desc.groups +
         group) *
        desc.head_dim;
    const bool isThere = row < Shape::rows;
    from[which] = isThere ? q + at : nullptr;
    to[which] = isThere ? out + at : nullptr;
    begins[which] = beginOf(row);
    ends[which] = isThere ? endOf(row) : 0;
  }
  TileRows<Shape, T> rows;
  rows.begin(from, lane);

  // What any row of the block sees.
  const int64_t lastRow = block * kTileRows + kTileRows < Shape::rows
                              ? block * kTileRows + kTileRows - 1
                              : Shape::rows - 1;
  const int64_t end = endOf(lastRow);
  const int64_t base =
      (sequence * desc.capacity * desc.kv_heads + head) * desc.head_dim;
  for (int64_t key = beginOf(block * kTileRows) / Shape::keys * Shape::keys;
       key < end; key += Shape::keys) {
    loadTile<Shape>(keys, k + base, key, end);
    loadTile<Shape>(values, v + base, key, end);
    __syncthreads();
    const int64_t tileBegins[2] = {begins[0] - key, begins[1] - key};
    const int64_t tileEnds[2] = {ends[0] - key, ends[1] - key};
    rows.take(keys, values, tileBegins, tileEnds, float(scale), float(softCap),
              lane);
    __syncthreads();
  }
  rows.end(to, lane);
}

} // namespace tprt_cuda

#endif // TPRT_CUDA_ATTENTIONTILES_H
