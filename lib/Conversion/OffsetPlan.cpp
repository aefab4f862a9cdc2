//===- OffsetPlan.cpp - offsets in an arena -------------------------------===//
//
// Part of tp-mlir, under the Apache License v2.0.
//
//===----------------------------------------------------------------------===//

#include "tp/Conversion/MemoryPlan.h"
#include "llvm/ADT/STLExtras.h"
#include "llvm/Support/MathExtras.h"
#include <map>
#include <queue>
#include <set>

using namespace mlir;
using namespace mlir::tp;

static int64_t roundUp(int64_t bytes) {
  return llvm::alignTo(bytes, kBufferAlignment);
}

/// Indices of the buffers that take space, ordered by `before`.
template <typename Less>
static SmallVector<unsigned> sorted(ArrayRef<LiveBuffer> buffers, Less before) {
  SmallVector<unsigned> order;
  for (unsigned i = 0; i < buffers.size(); ++i)
    if (buffers[i].bytes > 0)
      order.push_back(i);
  llvm::sort(order, [&](unsigned a, unsigned b) {
    if (before(buffers[a], buffers[b]) || before(buffers[b], buffers[a]))
      return before(buffers[a], buffers[b]);
    return a < b;
  });
  return order;
}

static bool byTime(const LiveBuffer &a, const LiveBuffer &b) {
  return std::make_tuple(a.first, -a.bytes) <
         std::make_tuple(b.first, -b.bytes);
}

int64_t tp::getLiveBytes(ArrayRef<LiveBuffer> buffers) {
  std::map<int64_t, int64_t> changes;
  for (const LiveBuffer &buffer : buffers) {
    changes[buffer.first] += roundUp(buffer.bytes);
    changes[buffer.last + 1] -= roundUp(buffer.bytes);
  }
  int64_t live = 0, most = 0;
  for (auto [time, change] : changes)
    most = std::max(most, live += change);
  return most;
}

//===----------------------------------------------------------------------===//
// By time
//===----------------------------------------------------------------------===//

namespace {

/// Free gaps of an arena that grows at its end, by offset and by size.
class Gaps {
public:
  /// Takes the tightest gap that fits, else grows the arena, from its last gap
  /// on if that touches the end.
  int64_t take(int64_t bytes) {
    auto fit = bySize.lower_bound({bytes, 0});
    if (fit != bySize.end()) {
      auto [size, offset] = *fit;
      erase(offset, size);
      if (size > bytes)
        insert(offset + bytes, size - bytes);
      return offset;
    }
    int64_t offset = end;
    if (!byOffset.empty()) {
      auto [lastOffset, lastSize] = *byOffset.rbegin();
      if (lastOffset + lastSize == end) {
        erase(lastOffset, lastSize);
        offset = lastOffset;
      }
    }
    end = offset + bytes;
    return offset;
  }

  void giveBack(int64_t offset, int64_t bytes) {
    auto next = byOffset.lower_bound(offset);
    if (next != byOffset.end() && next->first == offset + bytes) {
      bytes += next->second;
      erase(next->first, next->second);
    }
    auto previous = byOffset.lower_bound(offset);
    if (previous != byOffset.begin()) {
      --previous;
      if (previous->first + previous->second == offset) {
        offset = previous->first;
        bytes += previous->second;
        erase(previous->first, previous->second);
      }
    }
    insert(offset, bytes);
  }

  int64_t size() const { return end; }

private:
  void insert(int64_t offset, int64_t size) {
    byOffset[offset] = size;
    bySize.insert({size, offset});
  }
  void erase(int64_t offset, int64_t size) {
    byOffset.erase(offset);
    bySize.erase({size, offset});
  }

  std::map<int64_t, int64_t> byOffset;
  std::set<std::pair<int64_t, int64_t>> bySize;
  int64_t end = 0;
};

} // namespace

static OffsetPlan planByTime(ArrayRef<LiveBuffer> buffers) {
  OffsetPlan plan;
  plan.offsets.assign(buffers.size(), 0);
  Gaps gaps;
  using Ending = std::pair<int64_t, unsigned>;
  std::priority_queue<Ending, std::vector<Ending>, std::greater<Ending>> live;
  for (unsigned index : sorted(buffers, byTime)) {
    const LiveBuffer &buffer = buffers[index];
    while (!live.empty() && live.top().first < buffer.first) {
      unsigned ended = live.top().second;
      gaps.giveBack(plan.offsets[ended], roundUp(buffers[ended].bytes));
      live.pop();
    }
    plan.offsets[index] = gaps.take(roundUp(buffer.bytes));
    live.push({buffer.last, index});
  }
  plan.bytes = gaps.size();
  return plan;
}

//===----------------------------------------------------------------------===//
// By size
//===----------------------------------------------------------------------===//

namespace {

/// Which placed buffers are live at each instant; time is counted in instants
/// at which a buffer begins, since a maximal set of live buffers begins at one.
class Timeline {
public:
  explicit Timeline(ArrayRef<LiveBuffer> buffers) {
    for (const LiveBuffer &buffer : buffers)
      instants.push_back(buffer.first);
    llvm::sort(instants);
    instants.erase(llvm::unique(instants), instants.end());
    placed.resize(instants.size());
    stamps.resize(buffers.size());
    for (const LiveBuffer &buffer : buffers) {
      size_t begin =
          llvm::lower_bound(instants, buffer.first) - instants.begin();
      size_t end = llvm::upper_bound(instants, buffer.last) - instants.begin();
      ranges.push_back({begin, end});
    }
  }

  /// Nothing is placed any more.
  void clear() {
    for (auto &list : placed)
      list.clear();
    stamps.assign(stamps.size(), -1);
  }

  void place(unsigned index) {
    for (size_t i = ranges[index].first; i < ranges[index].second; ++i)
      placed[i].push_back(index);
  }

  /// Placed buffers that are live together with a buffer, each once.
  SmallVector<unsigned> conflicts(unsigned index) {
    SmallVector<unsigned> result;
    for (size_t i = ranges[index].first; i < ranges[index].second; ++i) {
      visited += 1 + int64_t(placed[i].size());
      for (unsigned other : placed[i])
        if (std::exchange(stamps[other], int64_t(index)) != int64_t(index))
          result.push_back(other);
    }
    return result;
  }

  /// The sum of the live ranges, in instants.
  int64_t size() const {
    int64_t total = 0;
    for (auto [begin, end] : ranges)
      total += int64_t(end - begin);
    return total;
  }

  /// List entries looked at so far: a measure of the time taken.
  int64_t work() const { return visited; }

private:
  std::vector<int64_t> instants;
  std::vector<std::pair<size_t, size_t>> ranges;
  std::vector<SmallVector<unsigned, 4>> placed;
  std::vector<int64_t> stamps;
  int64_t visited = 0;
};

} // namespace

/// Each buffer in turn in its lowest gap.
static OffsetPlan planInOrder(ArrayRef<LiveBuffer> buffers,
                              ArrayRef<unsigned> order, Timeline &timeline) {
  OffsetPlan plan;
  plan.offsets.assign(buffers.size(), 0);
  timeline.clear();
  for (unsigned index : order) {
    int64_t bytes = roundUp(buffers[index].bytes), offset = 0;
    SmallVector<unsigned> others = timeline.conflicts(index);
    llvm::sort(others, [&](unsigned a, unsigned b) {
      return std::make_tuple(plan.offsets[a], a) <
             std::make_tuple(plan.offsets[b], b);
    });
    for (unsigned other : others) {
      if (plan.offsets[other] - offset >= bytes)
        break;
      offset =
          std::max(offset, plan.offsets[other] + roundUp(buffers[other].bytes));
    }
    plan.offsets[index] = offset;
    plan.bytes = std::max(plan.bytes, offset + bytes);
    timeline.place(index);
  }
  return plan;
}

/// The largest first; then other orders, found by exchanging two at random and
/// going back where that makes the arena larger.
static OffsetPlan planBySize(ArrayRef<LiveBuffer> buffers, OffsetPlan best,
                             int64_t bound) {
  // Many long-lived buffers would make this quadratic.
  constexpr int64_t kMostSize = int64_t(1) << 20, kMostWork = int64_t(1) << 22;
  Timeline timeline(buffers);
  if (best.bytes <= bound || timeline.size() > kMostSize)
    return best;
  auto bySize = [](const LiveBuffer &a, const LiveBuffer &b) {
    return std::make_tuple(-roundUp(a.bytes), a.first) <
           std::make_tuple(-roundUp(b.bytes), b.first);
  };
  SmallVector<unsigned> order = sorted(buffers, bySize);
  OffsetPlan current = planInOrder(buffers, order, timeline);
  uint64_t state = 1; // the same numbers every time
  auto random = [&]() -> uint64_t {
    state = state * 6364136223846793005U + 1442695040888963407U;
    return state >> 33;
  };
  while (current.bytes > bound && timeline.work() < kMostWork) {
    unsigned &a = order[random() % order.size()];
    unsigned &b = order[random() % order.size()];
    std::swap(a, b);
    OffsetPlan plan = planInOrder(buffers, order, timeline);
    if (plan.bytes <= current.bytes)
      current = std::move(plan);
    else
      std::swap(a, b);
  }
  return current.bytes < best.bytes ? current : best;
}

OffsetPlan tp::planOffsets(ArrayRef<LiveBuffer> buffers) {
  return planBySize(buffers, planByTime(buffers), getLiveBytes(buffers));
}
