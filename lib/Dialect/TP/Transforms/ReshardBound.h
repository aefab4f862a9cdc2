//===- ReshardBound.h - what a reshard costs at the least -------*- C++ -*-===//
//
// Part of tp-mlir, under the Apache License v2.0.
//
//===----------------------------------------------------------------------===//
//
// What the moves cost depends on how many blocks each dim has and how many
// partials there are, not on which axes they are. Of the axes themselves it
// matters how far each dim has those that it has at the goal: more of these can
// be added, and what follows them has to be taken off again.
//
// An outline of a placement says just this: for each dim how much of the goal's
// list it begins with and how many blocks the rest makes; how many partials the
// goal has too and how many it has not; and whether of the goal's kind. Every
// path between placements is one between their outlines, where the moves take
// any factor of a number and always find the axes they need, and costs no less
// than the cheapest of those.
//
// There are few outlines, and a Dijkstra search from the goal backwards is
// taken only as far as it is asked for.
//
//===----------------------------------------------------------------------===//

#ifndef TP_DIALECT_TP_TRANSFORMS_RESHARDBOUND_H
#define TP_DIALECT_TP_TRANSFORMS_RESHARDBOUND_H

#include "ReshardSearch.h"
#include "llvm/ADT/DenseMap.h"
#include "llvm/ADT/DenseSet.h"
#include <limits>
#include <queue>

namespace mlir::tp::reshard {

class OutlineBound {
public:
  explicit OutlineBound(const Problem &problem);

  struct Bound {
    Cost cost;
    /// Whether there is no better one.
    bool isFinal;
  };
  /// No more than the least cost of any path from a state to the goal; or,
  /// `ofCounts`, from any state with as many blocks of each dim and partials.
  /// Exact, unless it is more than `enough`, or there are too many outlines.
  Bound least(const State &state, bool ofCounts, Cost enough);
  /// Paths with more units are of no interest, and their costs are not known.
  void setLimit(int64_t units) { limit = units; }

private:
  /// A divisor of D, by its number; and one that is none.
  using Divisor = uint16_t;
  static constexpr Divisor kNone = ~Divisor(0);
  static constexpr size_t kMostOutlines = 200000;

  /// An outline as one number.
  using Key = uint64_t;

  /// Of the goal's list of a dim, the first parts; where an axis can be cut in
  /// ways that do not nest, also what is no prefix but may yet become one.
  struct Prefix {
    Divisor size;
    /// The prefixes of this one, itself not included.
    SmallVector<uint16_t, 8> shorter;
  };
  struct GoalDim {
    SmallVector<Prefix, 8> prefixes; ///< 0 is the empty one
    uint16_t goal = 0;
    Key stride = 0; ///< of the dim's outline in a key
    /// Of each part of the goal's list: the prefix before it, and where each
    /// end of a part that begins with it leads.
    struct Turn {
      Part part;
      uint16_t before;
      SmallVector<std::pair<int64_t, uint16_t>, 4> ends;
    };
    SmallVector<Turn, 8> turns;
  };
  /// A dim's prefix and the size of the rest. Of all states with the same
  /// counts, the prefix is one past the last.
  struct OutlineDim {
    uint16_t prefix;
    Divisor rest;
  };
  struct Outline {
    SmallVector<OutlineDim, 6> dims;
    /// What is partial at the goal too, if of its kind, and the rest; of all
    /// states with the same counts, all is rest.
    Divisor kept, rest;
    bool goalKind;
    bool ofCounts;
  };
  /// A dim before or after one part of a move, which takes `size`.
  struct Change {
    Divisor size;
    OutlineDim dim;
  };
  using Changes = SmallVector<Change, 32>;

  struct Node {
    Key key;
    Cost cost;
    bool isDone;
  };
  struct Entry {
    Cost cost;
    uint32_t node;
    bool operator<(const Entry &other) const {
      return other.cost < cost || (!(cost < other.cost) && node > other.node);
    }
  };

  void findDivisors();
  GoalDim makeGoalDim(ArrayRef<Part> list) const;
  Divisor divisor(int64_t size) const;
  Divisor times(Divisor a, Divisor b) const {
    return products[a * divisors.size() + b];
  }
  Divisor over(Divisor a, Divisor b) const {
    return quotients[a * divisors.size() + b];
  }
  Divisor sizeOf(size_t dim, OutlineDim of) const;

  bool isKept(Part part) const;
  OutlineDim outlineOf(size_t dim, ArrayRef<Part> list) const;
  Outline outlineOf(const State &state, bool ofCounts) const;
  Key keyOf(const Outline &outline) const;
  Outline outlineOf(Key key) const;

  int64_t unitsOf(const Outline &outline) const;
  int64_t leastBefore(const Outline &outline, int64_t units) const;
  void settleNext();
  void relax(const Outline &outline, int64_t units, Cost cost);
  void addArrangements(Outline &outline, size_t dim, Cost cost);
  void addMovesTo(Outline &outline, Cost cost);
  void addDimMovesTo(Outline &outline, int64_t have, Divisor unused, Cost cost);
  void addReduced(Outline &outline, int64_t units, Divisor size, Cost cost);
  void addAppended(size_t dim, OutlineDim after, Changes &changes) const;
  void addTaken(size_t dim, OutlineDim after, Divisor unused,
                Changes &changes) const;

  const Problem &problem;
  const int64_t startUnits, startPartial;
  int64_t limit = std::numeric_limits<int64_t>::max();
  bool known = false;
  SmallVector<int64_t> divisors; ///< ascending
  std::vector<Divisor> products, quotients;
  SmallVector<GoalDim, 4> goalDims;
  bool goalIsPartial;
  Key stride = 0; ///< of what is partial in a key
  /// The most that can be partial at the goal too.
  Divisor mostKept = 0;
  /// The sizes of parts that cannot be cut further.
  llvm::SmallDenseSet<Divisor> atomSizes;
  llvm::DenseMap<Key, uint32_t> numbers;
  std::vector<Node> nodes;
  std::priority_queue<Entry> queue;
};

} // namespace mlir::tp::reshard

#endif // TP_DIALECT_TP_TRANSFORMS_RESHARDBOUND_H
