//===- TopK.cpp - the largest values -------------------------------------===//
//
// Part of tp-mlir, under the Apache License v2.0.
//
//===----------------------------------------------------------------------===//

#include "Checked.h"
#include "Numeric.h"
#include "Rank.h"

#include <algorithm>
#include <limits>

using namespace tprt;

namespace {

/// Maps a value to an integer of the same order: NaN on top, -0 equal to +0.
template <typename T> uint64_t orderKey(T value) {
  double wide = double(widen<T>(value)); // exact, and keeps the order
  if (wide != wide)
    return ~uint64_t(0);
  if (wide == 0)
    wide = 0;
  uint64_t bits = bitCast<uint64_t>(wide);
  return bits >> 63 ? ~bits : bits | (uint64_t(1) << 63);
}

struct Candidate {
  uint64_t key;
  int32_t id;
  uint32_t place; ///< in the segment

  /// Whether this one comes first.
  bool operator<(const Candidate &other) const {
    if (key != other.key)
      return key > other.key;
    return id != other.id ? id < other.id : place < other.place;
  }
};

/// Keeps the first k of a stream of candidates. What is beyond them is thrown
/// out each time the buffer is full: linear in the stream, whatever k is.
class Selection {
public:
  Selection(Candidate *buffer, int64_t k) : buffer(buffer), k(k) {}

  static int64_t bufferSize(int64_t k) { return 2 * k + 64; }

  void add(const Candidate &candidate) {
    if (full && !(candidate < worst))
      return;
    buffer[count++] = candidate;
    if (count == bufferSize(k))
      shrink();
  }

  /// The last of the first k so far: nothing behind it matters any more. Null
  /// as long as anything may.
  const Candidate *last() const { return full ? &worst : nullptr; }

  /// The first k, in order; returns how many there are.
  int64_t finish() {
    if (count > k)
      shrink();
    std::sort(buffer, buffer + count);
    return count;
  }

private:
  void shrink() {
    std::nth_element(buffer, buffer + (k - 1), buffer + count);
    count = k;
    worst = buffer[k - 1];
    full = true;
  }

  Candidate *buffer;
  const int64_t k;
  int64_t count = 0;
  bool full = false; ///< `worst` is the last of k
  Candidate worst = {};
};

/// Whether none of `count` values comes before `bar` or with it, several at a
/// time. A NaN comes before everything.
template <typename T>
bool allBelow(const T *values, int64_t count, decltype(widen<T>(T())) bar) {
  int below = 1;
  for (int64_t i = 0; i < count; ++i)
    below &= int(widen<T>(values[i]) < bar);
  return below;
}

template <typename T>
void topK(const tprt_top_k_desc &desc, Scratch &scratch, const T *values,
          const int32_t *ids, int64_t start, T *outValues, int32_t *outIds) {
  const int64_t k = std::clamp<int64_t>(desc.extent, 1, desc.k);
  auto *buffer = scratch.get<Candidate>(0, Selection::bufferSize(k));
  const T missing = fromDouble<T>(-std::numeric_limits<double>::infinity());
  for (int64_t o = 0; o < desc.outer * desc.segments; ++o) {
    const int64_t base = o * desc.extent;
    // An element's number counts from the start of its row, not its segment.
    const int64_t first = start + o % desc.segments * desc.extent;
    Selection selection(buffer, k);
    constexpr int64_t block = 64;
    for (int64_t begin = 0; begin < desc.extent; begin += block) {
      const int64_t end = std::min(begin + block, desc.extent);
      const T *some = values + base + begin;
      if (const Candidate *last = selection.last())
        if (allBelow(some, end - begin, widen<T>(values[base + last->place])))
          continue;
      for (int64_t j = begin; j < end; ++j) {
        int64_t id = ids ? ids[base + j] : first + j;
        if (id >= 0 && id < desc.size)
          selection.add({orderKey(values[base + j]), int32_t(id), uint32_t(j)});
      }
    }
    const int64_t found = selection.finish();
    for (int64_t i = 0; i < desc.k; ++i) {
      outValues[o * desc.k + i] =
          i < found ? values[base + buffer[i].place] : missing;
      outIds[o * desc.k + i] =
          i < found ? buffer[i].id : std::numeric_limits<int32_t>::max();
    }
  }
}

void checkTopK(const tprt_top_k_desc &desc) {
  for (int64_t size :
       {desc.outer, desc.segments, desc.extent, desc.k, desc.size})
    if (size < 0)
      raise(TPRT_INVALID, "a negative size, ", size);
  const int64_t most = std::numeric_limits<int32_t>::max();
  if (desc.size > most || desc.extent > most || desc.k > most)
    raise(TPRT_UNSUPPORTED, "more than ", most, " elements");
  multiply(multiply(desc.outer, desc.segments, "the size"),
           std::max(desc.extent, desc.k), "the size");
}

} // namespace

extern "C" void tprt_top_k(tprt_rank *rank, const tprt_top_k_desc *desc,
                           const void *values, const int32_t *ids,
                           int64_t start, void *out_values, int32_t *out_ids) {
  guarded(rank, "top_k", [&] {
    checkTopK(*desc);
    if (desc->k == 0)
      return;
    dispatchFloat(desc->dtype, "top_k", [&](auto tag) {
      using T = typename decltype(tag)::Type;
      topK(*desc, rank->scratch, static_cast<const T *>(values), ids, start,
           static_cast<T *>(out_values), out_ids);
    });
  });
}
