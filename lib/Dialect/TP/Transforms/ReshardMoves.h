//===- ReshardMoves.h - the moves from a placement --------------*- C++ -*-===//
//
// Part of tp-mlir, under the Apache License v2.0.
//
//===----------------------------------------------------------------------===//
//
// The table of moves in Reshard.h, on states of the search; and which parts of
// axes are alike, so that of states that differ only in these one is enough.
//
//===----------------------------------------------------------------------===//

#ifndef TP_DIALECT_TP_TRANSFORMS_RESHARDMOVES_H
#define TP_DIALECT_TP_TRANSFORMS_RESHARDMOVES_H

#include "ReshardSearch.h"

namespace mlir::tp::reshard {

/// Of each part, the part that takes its place.
using Renaming = SmallVector<Part, 32>;

/// Classes of parts that can be exchanged for each other without changing what
/// it costs to go on. Only pieces have company: what remains of other axes
/// depends on how they are cut.
class Alike {
public:
  /// Pieces of one size and one role are alike; those of role -1 are not.
  Alike(const PartTable &table, function_ref<int(Part)> roleOf);

  /// Whether two parts are alike, or the same.
  bool areAlike(Part a, Part b) const { return classOf[a] == classOf[b]; }
  /// Renames the parts of a state so that of all states that differ in parts
  /// that are alike one remains: each class in the order of its parts. Says how
  /// all parts were renamed, if asked.
  void makeCanonical(State &state, Renaming *renaming = nullptr) const;

private:
  const PartTable &table;
  SmallVector<uint8_t, 32> classOf;
  /// Of each class, its parts, ascending.
  SmallVector<Parts> members;
};

class Moves {
public:
  explicit Moves(const Problem &problem);

  /// What a move leads to; not canonical.
  using Visit = function_ref<void(State next, const Edge &edge, int64_t units)>;

  /// Visits all moves but permutations. A reduce-scatter is visited for one
  /// part that cannot be cut further: over more, it costs as much as one after
  /// another on the same dim.
  void forEach(const State &state, const Alike &alike, Visit visit) const;

  /// Visits what permutations of a state make of it, one of those that differ
  /// in parts that are alike.
  void forEachPermuted(const State &state, const Alike &alike,
                       function_ref<void(State)> visit) const;

private:
  struct Reduction;
  class Filling;

  bool fits(const State &state, size_t dim) const {
    return problem.divisors[dim] % table.product(state.dims[dim]) == 0;
  }
  Parts unusedAtoms(const State &state, const Alike &alike) const;
  void addFree(const State &state, const Alike &alike, Visit visit) const;
  void forEachReduced(const State &state, const Alike &alike,
                      std::optional<Part> last,
                      function_ref<void(Part atom, State reduced)> visit) const;
  void addScatters(const State &state, const Alike &alike, int64_t have,
                   Visit visit) const;
  void addReductions(const State &state, const Alike &alike, int64_t have,
                     const Parts &list, Visit visit) const;
  void addGathers(const State &state, size_t dim, int64_t have,
                  Visit visit) const;

  const Problem &problem;
  const PartTable &table;
  bool goalIsPartial;
};

} // namespace mlir::tp::reshard

#endif // TP_DIALECT_TP_TRANSFORMS_RESHARDMOVES_H
