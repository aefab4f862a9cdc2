//===- ReshardSearch.h - shortest paths between placements ------*- C++ -*-===//
//
// Part of tp-mlir, under the Apache License v2.0.
//
//===----------------------------------------------------------------------===//
//
// The search behind ReshardPlanner, on the table of moves in Reshard.h: an A*
// search whose states are placements, written as lists of numbered parts of
// axes.
//
// Costs are counted in units that keep every fraction whole: of D devices, a
// tensor that is whole on each has D * D units, so that a block has D * D / n.
//
//===----------------------------------------------------------------------===//

#ifndef TP_DIALECT_TP_TRANSFORMS_RESHARDSEARCH_H
#define TP_DIALECT_TP_TRANSFORMS_RESHARDSEARCH_H

#include "tp/Dialect/TP/Transforms/Reshard.h"
#include <optional>
#include <tuple>

namespace mlir::tp::reshard {

/// A part of an axis, by its number in the table.
using Part = uint8_t;
using Parts = SmallVector<Part, 8>;

/// All parts that a search may use.
class PartTable {
public:
  /// A range of an axis and the sizes of the major parts of the axis at which
  /// the range may be cut, its begin and end included, ascending.
  struct CutRange {
    StringRef axis;
    SmallVector<int64_t, 8> cuts;
  };

  /// The axes with these cuts each, 1 and the size of the axis included,
  /// ascending. Where an axis's cuts nest, its pieces become ranges of their
  /// own, so that all of the same size look the same to a search. None if there
  /// are too many parts to number.
  struct CutAxis {
    Axis axis;
    SmallVector<int64_t, 8> cuts;
    bool operator==(const CutAxis &other) const {
      return axis == other.axis && cuts == other.cuts;
    }
  };
  static std::optional<PartTable> make(ArrayRef<CutAxis> axes);

  const Axis &get(Part part) const { return parts[part]; }
  int64_t product(ArrayRef<Part> list) const;
  Part numParts() const { return Part(parts.size()); }
  /// Whether the part is all of a range that is never cut.
  bool isPiece(Part part) const {
    return ranges[rangeOf[part]].cuts.size() == 2;
  }
  bool isWholeRange(Part part) const {
    ArrayRef<int64_t> cuts = ranges[rangeOf[part]].cuts;
    return beginOf(part) == cuts.front() && endOf(part) == cuts.back();
  }
  bool isSameRange(Part a, Part b) const { return rangeOf[a] == rangeOf[b]; }

  /// The parts of these axes; cuts must be the table's.
  Parts encode(ArrayRef<Axis> axes) const;
  Axes decode(ArrayRef<Part> list) const;

  /// Appends; consecutive parts of a range become one.
  void append(Parts &list, Part part) const;
  void append(Parts &list, ArrayRef<Part> more) const {
    for (Part part : more)
      append(list, part);
  }
  /// In ascending order, consecutive parts joined.
  Parts sorted(Parts list) const;

  /// Visits every way to take something off the end of a list.
  void forEachSuffix(
      ArrayRef<Part> list,
      function_ref<void(const Parts &kept, const Parts &suffix)> visit) const;
  /// Visits every part of `part` that cannot be cut further.
  void forEachAtom(Part part, function_ref<void(Part)> visit) const;
  /// Where the parts that begin where this one begins can end, ascending.
  SmallVector<int64_t, 8> endsFrom(Part part) const;
  /// What remains of `part` without its part `taken`.
  void without(Part part, Part taken, Parts &rest) const;
  /// The largest parts that `used` leaves of all ranges.
  Parts unused(ArrayRef<Part> used) const;

private:
  int64_t beginOf(Part part) const { return parts[part].pre; }
  int64_t endOf(Part part) const { return parts[part].pre * parts[part].size; }
  Part find(unsigned range, int64_t begin, int64_t end) const;
  void findAtoms();

  SmallVector<CutRange> ranges;
  SmallVector<Axis> parts;
  SmallVector<uint8_t> rangeOf;
  /// Of each range, its first part; and the number of all parts.
  Parts firstPart;
  /// Of each part, those of its parts that cannot be cut further.
  SmallVector<Parts> atoms;
};

/// A placement; `dims` in order, `partial` sorted.
struct State {
  SmallVector<Parts, 4> dims;
  Parts partial;
  /// Whether the partial kind is that of the goal; true if nothing is partial.
  bool goalKind = true;

  bool operator==(const State &other) const {
    return dims == other.dims && partial == other.partial &&
           goalKind == other.goalKind;
  }
};

/// How a state was reached.
struct Edge {
  Move move = Move::Slice;
  Parts parts;
  int64_t dim = 0, splitDim = 0;
};

struct Cost {
  int64_t units = 0;
  int32_t collectives = 0, moves = 0;

  bool operator<(const Cost &other) const {
    return std::tie(units, collectives, moves) <
           std::tie(other.units, other.collectives, other.moves);
  }
  Cost operator+(const Cost &other) const {
    return {units + other.units, collectives + other.collectives,
            moves + other.moves};
  }
};

/// Where costs are compared with what is left of another.
inline Cost operator-(const Cost &a, const Cost &b) {
  return {a.units - b.units, a.collectives - b.collectives, a.moves - b.moves};
}

struct Problem {
  const PartTable &table;
  State start, goal;
  /// Of what the goal is partial.
  ReduceKind toKind;
  /// What the padded extent of each dim divides by.
  SmallVector<int64_t> divisors;
  /// D.
  int64_t devices;

  int64_t units(const State &state) const {
    int64_t blocks = 1;
    for (const Parts &dim : state.dims)
      blocks *= table.product(dim);
    return devices * devices / blocks;
  }
};

struct PathStep {
  Edge edge;
  State before, after;
};

struct SearchOptions {
  /// Searches that grow larger are given up.
  size_t mostStates = 50000;
  /// Only paths with fewer units are of interest, or as many in fewer
  /// collectives.
  std::optional<Cost> limit = std::nullopt;
  /// A quick search does without what takes long to prepare.
  bool isQuick = false;
  /// Goes for what looks nearest to the goal, and takes the first path.
  bool isGreedy = false;
};

struct SearchResult {
  /// The cheapest path, if there is one.
  std::optional<std::vector<PathStep>> path;
  Cost cost;
  /// Whether there may be a path that was not found.
  bool gaveUp = false;
};

SearchResult findPath(const Problem &problem, const SearchOptions &options);

} // namespace mlir::tp::reshard

#endif // TP_DIALECT_TP_TRANSFORMS_RESHARDSEARCH_H
