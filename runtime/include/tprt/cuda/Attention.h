//===- Attention.h - grouped-query attention on a GPU ---------------------===//
//
// Part of tp-mlir, under the Apache License v2.0.
//
//===----------------------------------------------------------------------===//
//
// Made for decode steps, which are bound by the reading of keys and values: it
// uses no tensor cores. Where there are many queries the host may know better;
// if it does not, AttentionTiles.h does.
//
// A block has one query, one head of keys, up to 8 query heads of its group and
// a part of the keys: what is read serves them all, in loads of 16 bytes,
// several ahead. As many threads as a head has loads
// share a key; a warp looks at several keys at once. With 128 elements of bf16,
//
//     warp 0:   lanes 0-15  key 0, key 2, key 4, key 6      then 32, ...
//               lanes 16-31 key 1, key 3, key 5, key 7
//     warp 1:   lanes 0-15  key 8, ...
//
// and a lane has elements 8i to 8i+7 of queries, keys and values for i =
// lane % 16. Those who share keys have a running maximum, sum and weighted sum
// of values (online softmax); at the end the warp's are made one, then the
// block's, then those of all blocks that share a query (attentionJoinKernel).
// Everything is added in an order that depends on sizes alone.
//
//===----------------------------------------------------------------------===//

#ifndef TPRT_CUDA_ATTENTION_H
#define TPRT_CUDA_ATTENTION_H

#include "tprt/cuda/AttentionTiles.h"
#include "tprt/cuda/Kernels.h"
#include "tprt/cuda/Softmax.h"

namespace tprt_cuda {

constexpr int kAttentionWarps = 4;

/// Query heads that a block has at once: each takes registers.
constexpr int64_t kMostHeads = 8;

/// Keys are divided between blocks until there are about so many: a few for
/// each multiprocessor of a large GPU.
constexpr int64_t kAttentionBlocks = 384;

/// Rounds that a block has at least, or its end costs more than they do.
constexpr int64_t kLeastRounds = 2;

/// From so many queries on the host is asked: what a tile of tensor cores has.
constexpr int64_t kManyQueries = 16;

/// Of the kernel that mostly has nothing to do.
constexpr int64_t kTailBlocks = 64;

template <typename T> constexpr bool isNarrow = !std::is_same_v<T, Wide<T>>;

//===----------------------------------------------------------------------===//
// Who does what
//===----------------------------------------------------------------------===//

TPRT_CONSTEXPR int64_t powerOfTwoFrom(int64_t least) {
  int64_t power = 1;
  while (power < least)
    power *= 2;
  return power;
}

template <typename T> TPRT_CONSTEXPR T clampTo(T value, T least, T most) {
  return value < least ? least : value > most ? most : value;
}

/// What does not depend on how the elements are loaded: the workspace has this
/// shape.
struct AttentionParts {
  int64_t chunks; ///< of a group's query heads
  int64_t heads;  ///< in each chunk
  int64_t units;  ///< (sequence, query, head of keys, chunk)
  int64_t rows;   ///< (sequence, query, query head)
  int64_t splits; ///< blocks that share the keys of a unit

  explicit TPRT_CONSTEXPR AttentionParts(const tprt_attention_desc &desc)
      : chunks(ceilDivide(desc.groups, kMostHeads)),
        heads(ceilDivide(desc.groups, chunks)),
        units(desc.batch * desc.queries * desc.kv_heads * chunks),
        rows(desc.batch * desc.queries * desc.kv_heads * desc.groups),
        splits(clampTo<int64_t>(kAttentionBlocks / units, 1,
                                1 + (desc.keys - 1) / 32)) {}
};

/// Elements of Wide<T> that a row of a split has in the workspace: its weighted
/// values, maximum and sum.
TPRT_CONSTEXPR int64_t partElements(const tprt_attention_desc &desc) {
  return desc.head_dim + 2;
}

/// Bytes of the workspace.
TPRT_CONSTEXPR int64_t workspaceBytesOf(const tprt_attention_desc &desc) {
  const AttentionParts parts(desc);
  return parts.splits == 1 ? 0
                           : parts.rows * parts.splits * partElements(desc) *
                                 (desc.dtype == TPRT_F64 ? 8 : 4);
}

/// How the threads of a block divide a head and keys between them.
template <typename Call, typename T> struct AttentionShape {
  static constexpr tprt_attention_desc desc = Call::desc;
  static constexpr AttentionParts parts{desc};
  static constexpr int heads = int(parts.heads);
  /// Elements of a load, and loads of a head.
  static constexpr int lanes = lanesOf<T>(Call::alignment, desc.head_dim);
  static constexpr int64_t loads = desc.head_dim / lanes;
  /// Threads that share a key, and loads of each.
  static constexpr int sharers =
      int(clampTo<int64_t>(powerOfTwoFrom(loads), 1, kWarp));
  static constexpr int each = int(ceilDivide(loads, sharers));
  /// Keys that a warp looks at at once, and that it loads ahead of each.
  static constexpr int together = kWarp / sharers;
  static constexpr int ahead = sharers < 4 ? sharers : 4;
  /// Keys of a round of a block.
  static constexpr int64_t round = kAttentionWarps * together * ahead;
  /// Elements of a head as threads have them, those beyond its end included.
  static constexpr int width = sharers * each * lanes;
};

//===----------------------------------------------------------------------===//
// Running softmax
//===----------------------------------------------------------------------===//

/// Sums of N values over `sharers` lanes, N of them at most as many: lane l
/// gets that of value l % N. With N = 4, lanes 0 to 3 exchange two values each,
/// then one, and only then everybody's sum travels further.
template <int N, int sharers, typename W>
TPRT_DEVICE W sumEach(W (&values)[N], int lane) {
  int distance = 1;
#pragma unroll
  for (int left = N / 2; left > 0; left /= 2, distance *= 2) {
    const bool isOdd = lane & distance;
#pragma unroll
    for (int i = 0; i < left; ++i) {
      const W kept = isOdd ? values[2 * i + 1] : values[2 * i];
      const W given = isOdd ? values[2 * i] : values[2 * i + 1];
      values[i] = kept + shuffle(given, distance);
    }
  }
#pragma unroll
  for (; distance < sharers; distance *= 2)
    values[0] += shuffle(values[0], distance);
  return values[0];
}

/// One query head's; lane l of those who share a key has the sum of the weights
/// of keys l % ahead only.
template <typename Shape, typename W> struct RunningHead {
  W query[Shape::each * Shape::lanes], weighted[Shape::each * Shape::lanes];
  W maximum, sum;

  template <typename T>
  TPRT_DEVICE void begin(const T *q, bool isThere, int share) {
    maximum = W(-INFINITY);
    sum = 0;
#pragma unroll
    for (int i = 0; i < Shape::each; ++i) {
      const int64_t column = (i * Shape::sharers + share) * Shape::lanes;
      Vector<T, Shape::lanes> loaded = splat<Shape::lanes>(cast<T>(0.0f));
      if (isThere && column < Shape::desc.head_dim)
        loaded = load<Shape::lanes>(q + column);
#pragma unroll
      for (int lane = 0; lane < Shape::lanes; ++lane) {
        query[i * Shape::lanes + lane] = widen(loaded[lane]);
        weighted[i * Shape::lanes + lane] = 0;
      }
    }
  }

  /// Takes in `ahead` keys, of which those are here that `isHere` says of this
  /// lane's own.
  template <typename Loaded>
  TPRT_DEVICE void take(const Loaded (&keys)[Shape::ahead][Shape::each],
                        const Loaded (&values)[Shape::ahead][Shape::each],
                        bool isHere, W scale, W cap, int lane) {
    W scores[Shape::ahead];
#pragma unroll
    for (int a = 0; a < Shape::ahead; ++a) {
      scores[a] = 0;
#pragma unroll
      for (int i = 0; i < Shape::each * Shape::lanes; ++i)
        scores[a] +=
            query[i] * widen(keys[a][i / Shape::lanes][i % Shape::lanes]);
    }
    W score = sumEach<Shape::ahead, Shape::sharers>(scores, lane) * scale;
    if (cap > 0)
      score = cap * ::tanh(score / cap);
    if (!isHere)
      score = W(-INFINITY);
    W larger = largerOf(maximum, score);
#pragma unroll
    for (int distance = 1; distance < Shape::ahead; distance *= 2)
      larger = largerOf(larger, shuffle(larger, distance));
    const W keep = weightOf(maximum, larger), weight = weightOf(score, larger);
    maximum = larger;
    sum = sum * keep + weight;
#pragma unroll
    for (W &value : weighted)
      value *= keep;
#pragma unroll
    for (int a = 0; a < Shape::ahead; ++a) {
      const W times =
          shuffleFrom(weight, lane / Shape::ahead * Shape::ahead + a);
#pragma unroll
      for (int i = 0; i < Shape::each * Shape::lanes; ++i)
        weighted[i] +=
            times * widen(values[a][i / Shape::lanes][i % Shape::lanes]);
    }
  }

  /// Makes those of the warp one, in every lane.
  TPRT_DEVICE void join() {
#pragma unroll
    for (int distance = 1; distance < Shape::ahead; distance *= 2)
      sum += shuffle(sum, distance);
#pragma unroll
    for (int distance = Shape::sharers; distance < kWarp; distance *= 2) {
      const W other = shuffle(maximum, distance);
      const W larger = largerOf(maximum, other);
      const W mine = weightOf(maximum, larger),
              theirs = weightOf(other, larger);
      maximum = larger;
      sum = sum * mine + shuffle(sum, distance) * theirs;
#pragma unroll
      for (W &value : weighted)
        value = value * mine + shuffle(value, distance) * theirs;
    }
  }
};

//===----------------------------------------------------------------------===//
// One unit, by all threads of a block
//===----------------------------------------------------------------------===//

/// Keys from `begin` up to `end`.
struct KeyRange {
  int64_t begin, end;
};

/// What block `split` of `splits` has of the keys that a query sees.
template <typename Shape, int64_t splits>
TPRT_DEVICE KeyRange keysOf(int64_t position, int64_t split) {
  KeyRange keys = {0, Shape::desc.keys};
  if (Shape::desc.causal && position + 1 < keys.end)
    keys.end = position + 1;
  if (Shape::desc.window > 0 && position - Shape::desc.window + 1 > 0)
    keys.begin = position - Shape::desc.window + 1;
  if (splits == 1)
    return keys;
  const int64_t each = ceilDivide(keys.end - keys.begin, splits);
  int64_t rounds = ceilDivide(each, Shape::round);
  rounds = rounds < kLeastRounds ? kLeastRounds : rounds;
  keys.begin += split * rounds * Shape::round;
  if (keys.begin + rounds * Shape::round < keys.end)
    keys.end = keys.begin + rounds * Shape::round;
  return keys;
}

/// All heads take in the keys of a range; k and v are those of the unit's head
/// and sequence.
template <typename Shape, typename T, typename W>
TPRT_DEVICE void takeKeys(RunningHead<Shape, W> (&heads)[Shape::heads],
                          const T *k, const T *v, KeyRange range, W scale,
                          W cap) {
  using Loaded = Vector<T, Shape::lanes>;
  const int lane = threadIdx.x % kWarp, warp = threadIdx.x / kWarp;
  const int share = lane % Shape::sharers, which = lane / Shape::sharers;
  for (int64_t key =
           range.begin + warp * Shape::together * Shape::ahead + which;
       key - which < range.end; key += Shape::round) {
    Loaded keys[Shape::ahead][Shape::each], values[Shape::ahead][Shape::each];
#pragma unroll
    for (int a = 0; a < Shape::ahead; ++a) {
      const int64_t row = key + a * Shape::together;
      const int64_t at = row * Shape::desc.kv_heads * Shape::desc.head_dim;
#pragma unroll
      for (int i = 0; i < Shape::each; ++i) {
        const int64_t column = (i * Shape::sharers + share) * Shape::lanes;
        keys[a][i] = values[a][i] = splat<Shape::lanes>(cast<T>(0.0f));
        if (row < range.end && column < Shape::desc.head_dim) {
          keys[a][i] = load<Shape::lanes>(k + at + column);
          values[a][i] = load<Shape::lanes>(v + at + column);
        }
      }
    }
    const bool isHere =
        key + share % Shape::ahead * Shape::together < range.end;
#pragma unroll
    for (auto &head : heads)
      head.take(keys, values, isHere, scale, cap, lane);
  }
}

/// A head as the warps of a block show it to one another.
template <typename Shape, typename W> struct SharedHead {
  W maxima[kAttentionWarps], sums[kAttentionWarps];
  W weighted[kAttentionWarps][Shape::width];

  /// By all threads; the others may read after a barrier.
  TPRT_DEVICE void show(const RunningHead<Shape, W> &head) {
    const int lane = threadIdx.x % kWarp, warp = threadIdx.x / kWarp;
    if (lane == 0) {
      maxima[warp] = head.maximum;
      sums[warp] = head.sum;
    }
    if (lane >= Shape::sharers)
      return;
#pragma unroll
    for (int i = 0; i < Shape::each * Shape::lanes; ++i)
      weighted[warp][(i / Shape::lanes * Shape::sharers + lane) * Shape::lanes +
                     i % Shape::lanes] = head.weighted[i];
  }

  TPRT_DEVICE W maximum() const {
    W largest = maxima[0];
    for (int i = 1; i < kAttentionWarps; ++i)
      largest = largerOf(largest, maxima[i]);
    return largest;
  }
  TPRT_DEVICE W sum(W largest) const {
    W total = 0;
    for (int i = 0; i < kAttentionWarps; ++i)
      total += sums[i] * weightOf(maxima[i], largest);
    return total;
  }
  TPRT_DEVICE W value(int64_t column, W largest) const {
    W value = 0;
    for (int i = 0; i < kAttentionWarps; ++i)
      value += weighted[i][column] * weightOf(maxima[i], largest);
    return value;
  }
};

/// A query that sees no key gives zeros.
template <typename T, typename W> TPRT_DEVICE T finished(W value, W sum) {
  return cast<T>(sum == 0 ? W(0) : value / sum);
}

/// One unit's keys from `split` of `splits` on. `first` is the position of
/// query 0; what is shared between blocks goes to `parts`, else to `out`.
template <typename Call, typename T, int64_t splits>
TPRT_DEVICE void attendUnit(double scale, double cap, const T *q, const T *k,
                            const T *v, int64_t first, int64_t unit,
                            int64_t split, T *out, Wide<T> *parts) {
  using W = Wide<T>;
  using Shape = AttentionShape<Call, T>;
  constexpr tprt_attention_desc desc = Call::desc;
  // By turns: who is a head ahead writes where nobody reads any more.
  __shared__ SharedHead<Shape, W> shared[2];

  // out, q: [batch, queries, kv_heads, groups, head_dim]
  const int64_t group = unit % Shape::parts.chunks * Shape::heads;
  const int64_t row = unit / Shape::parts.chunks;
  const int64_t query = row / desc.kv_heads % desc.queries;
  const int64_t sequence = row / desc.kv_heads / desc.queries;
  const int64_t cache =
      (sequence * desc.capacity * desc.kv_heads + row % desc.kv_heads) *
      desc.head_dim;
  RunningHead<Shape, W> heads[Shape::heads];
#pragma unroll
  for (int h = 0; h < Shape::heads; ++h)
    heads[h].begin(q + (row * desc.groups + group + h) * desc.head_dim,
                   group + h < desc.groups,
                   threadIdx.x % kWarp % Shape::sharers);
  takeKeys<Shape>(heads, k + cache, v + cache,
                  keysOf<Shape, splits>(first + query, split), W(scale),
                  W(cap));

#pragma unroll
  for (int h = 0; h < Shape::heads; ++h) {
    SharedHead<Shape, W> &head = shared[h % 2];
    heads[h].join();
    head.show(heads[h]);
    __syncthreads();
    if (group + h >= desc.groups)
      continue;
    const int64_t to = row * desc.groups + group + h;
    const W largest = head.maximum(), sum = head.sum(largest);
    W *part = splits > 1 ? parts + (to * splits + split) * partElements(desc)
                         : nullptr;
    for (int64_t column = threadIdx.x; column < desc.head_dim;
         column += blockDim.x) {
      const W value = head.value(column, largest);
      if (splits > 1)
        part[column] = value;
      else
        out[to * desc.head_dim + column] = finished<T>(value, sum);
    }
    if (splits > 1 && threadIdx.x == 0) {
      part[desc.head_dim] = largest;
      part[desc.head_dim + 1] = sum;
    }
  }
}

//===----------------------------------------------------------------------===//
// Kernels
//===----------------------------------------------------------------------===//

/// A block for each unit and split.
template <typename Call, typename T>
__global__ void __launch_bounds__(kAttentionWarps *kWarp)
    attentionKernel(double scale, double softCap, const T *q, const T *k,
                    const T *v, const int32_t *offset, int64_t start, T *out,
                    Wide<T> *parts) {
  constexpr int64_t splits = AttentionShape<Call, T>::parts.splits;
  attendUnit<Call, T, splits>(
      scale, softCap, q, k, v, (offset ? *offset : 0) + start,
      blockIdx.x / splits, blockIdx.x % splits, out, parts);
}

/// A block for each row, whose threads have its columns.
template <typename Call, typename T>
__global__ void attentionJoinKernel(const Wide<T> *parts, T *out) {
  using W = Wide<T>;
  constexpr tprt_attention_desc desc = Call::desc;
  constexpr int64_t splits = AttentionShape<Call, T>::parts.splits;
  constexpr int64_t step = partElements(desc);
  const W *mine = parts + blockIdx.x * splits * step;
  W largest = W(-INFINITY), total = 0;
  for (int64_t i = 0; i < splits; ++i)
    largest = largerOf(largest, mine[i * step + desc.head_dim]);
  for (int64_t i = 0; i < splits; ++i)
    total += mine[i * step + desc.head_dim + 1] *
             weightOf(mine[i * step + desc.head_dim], largest);
  for (int64_t column = threadIdx.x; column < desc.head_dim;
       column += blockDim.x) {
    W value = 0;
    for (int64_t i = 0; i < splits; ++i)
      value += mine[i * step + column] *
               weightOf(mine[i * step + desc.head_dim], largest);
    out[blockIdx.x * desc.head_dim + column] = finished<T>(value, total);
  }
}

/// Only the queries whose positions lie beyond the keys, as those of a chunk's
/// last part may: mostly none.
template <typename Call, typename T>
__global__ void __launch_bounds__(kAttentionWarps *kWarp)
    attentionTailKernel(double scale, double softCap, const T *q, const T *k,
                        const T *v, const int32_t *offset, int64_t start,
                        T *out) {
  constexpr tprt_attention_desc desc = Call::desc;
  constexpr int64_t units =
      desc.kv_heads * AttentionShape<Call, T>::parts.chunks;
  const int64_t first = (offset ? *offset : 0) + start;
  int64_t inside = desc.keys - first;
  inside = inside < 0 ? 0 : inside < desc.queries ? inside : desc.queries;
  const int64_t beyond = (desc.queries - inside) * units;
  for (int64_t i = blockIdx.x; i < desc.batch * beyond; i += gridDim.x) {
    attendUnit<Call, T, 1>(scale, softCap, q, k, v, first,
                           (i / beyond * desc.queries + inside) * units +
                               i % beyond,
                           0, out, nullptr);
    __syncthreads(); // before what the block shares is another unit's
  }
}

template <typename Call, typename T>
tprt_status attention(Rank *rank, const T *q, const T *k, const T *v,
                      const int32_t *offset, int64_t start, T *out) {
  constexpr tprt_attention_desc desc = Call::desc;
  constexpr AttentionParts parts{desc};
  static_assert(desc.head_dim * sizeof(Wide<T>) <= 4096,
                "attention: heads of at most 1024 elements (f64: 512)");
  double scale, cap;
  std::memcpy(&scale, &desc.scale_bits, sizeof scale);
  std::memcpy(&cap, &desc.soft_cap_bits, sizeof cap);
  constexpr int threads = kAttentionWarps * kWarp;
  if constexpr (isNarrow<T> && desc.queries >= kManyQueries) {
    bool isQueued = false;
    if (rank->host)
      TPRT_TRY(rank->host->attend(rank, {desc, q, k, v, offset, start, out},
                                  &isQueued));
    if (isQueued && !desc.causal)
      return TPRT_OK;
    // None may stand beyond the keys.
    if (isQueued && !offset && start + desc.queries <= desc.keys)
      return TPRT_OK;
    if (isQueued) {
      TPRT_LAUNCH((attentionTailKernel<Call, T>), kTailBlocks, threads,
                  rank->compute)
      (scale, cap, q, k, v, offset, start, out);
      TPRT_LAUNCHED(rank);
      return TPRT_OK;
    }
    if constexpr (takesTiles<Call, T>()) {
      TPRT_LAUNCH((attentionTilesKernel<Call, T>), (TileShape<Call, T>::blocks),
                  kTileWarps * kWarp, rank->compute)
      (scale, cap, q, k, v, offset, start, out);
      TPRT_LAUNCHED(rank);
      return TPRT_OK;
    }
  }
  auto *workspace = static_cast<Wide<T> *>(rank->workspace);
  TPRT_LAUNCH((attentionKernel<Call, T>), parts.units * parts.splits, threads,
              rank->compute)
  (scale, cap, q, k, v, offset, start, out, workspace);
  TPRT_LAUNCHED(rank);
  if constexpr (parts.splits > 1) {
    TPRT_LAUNCH((attentionJoinKernel<Call, T>), parts.rows, threads,
                rank->compute)
    (workspace, out);
    TPRT_LAUNCHED(rank);
  }
  return TPRT_OK;
}

} // namespace tprt_cuda

#endif // TPRT_CUDA_ATTENTION_H
