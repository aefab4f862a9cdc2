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

namespace mlir::tp::reshard {

/// A part of an axis, by its number in the table.
using Part = uint8_t;
using Parts = SmallVector<Part, 4>;

/// All parts that a search may use.
class PartTable {
public:
  /// The axes of a mesh, each with the sizes of the major parts at which it may
  /// be cut, 1 and the size of the axis included, ascending.
  struct CutAxis {
    Axis axis;
    SmallVector<int64_t, 8> cuts;
  };

  /// None if there are too many parts to number.
  static std::optional<PartTable> make(ArrayRef<CutAxis> axes);

  const Axis &get(Part part) const { return parts[part]; }
  int64_t product(ArrayRef<Part> list) const;
  size_t numAxes() const { return axes.size(); }
  size_t numParts() const { return parts.size(); }
  /// Whether some axis can be cut in ways that do not nest.
  bool hasClashes() const { return clashes; }

  /// The numbers of these axes; cuts must be the table's.
  Parts encode(ArrayRef<Axis> axes) const;
  Axes decode(ArrayRef<Part> list) const;

  /// Appends; consecutive parts of an axis become one.
  void append(Parts &list, Part part) const;
  void append(Parts &list, ArrayRef<Part> more) const {
    for (Part part : more)
      append(list, part);
  }
  /// In ascending order, consecutive parts joined.
  Parts sorted(Parts list) const;
  /// Cut as finely as the table allows, where all cuts nest.
  Parts atoms(ArrayRef<Part> list) const;

  /// Visits every way to take something off the end of a list.
  void forEachSuffix(
      ArrayRef<Part> list,
      function_ref<void(const Parts &kept, const Parts &suffix)> visit) const;
  /// Visits every part of `part`, itself included; of those that cannot be cut
  /// further only, if so asked.
  void forEachSubPart(Part part, bool onlyAtoms,
                      function_ref<void(Part)> visit) const;
  /// What remains of `part` without its part `taken`.
  void without(Part part, Part taken, Parts &rest) const;
  /// The largest parts that `used` leaves of all axes.
  Parts unused(ArrayRef<Part> used) const;

private:
  Part find(unsigned axis, int64_t begin, int64_t end) const;

  SmallVector<CutAxis> axes;
  SmallVector<Axis> parts;
  SmallVector<uint8_t> axisOf;
  bool clashes = false;
};

/// A placement; `dims` in order, `partial` sorted.
struct State {
  SmallVector<Parts, 4> dims;
  Parts partial;
  /// Whether the partial kind is that of the goal; true if nothing is partial.
  bool goalKind = true;

  std::string key() const;
};

/// How a state was reached.
struct Edge {
  Move move = Move::Slice;
  Parts parts;
  int64_t dim = 0, splitDim = 0;
};

struct Problem {
  const PartTable &table;
  State start, goal;
  /// Of what the goal is partial.
  ReduceKind toKind;
  /// What the padded extent of each dim divides by.
  SmallVector<int64_t> divisors;
  /// D.
  int64_t devices;
};

struct PathStep {
  Edge edge;
  State before, after;
};

/// The cheapest path; none if the search grew too large.
std::optional<std::vector<PathStep>> findPath(const Problem &problem);

} // namespace mlir::tp::reshard

#endif // TP_DIALECT_TP_TRANSFORMS_RESHARDSEARCH_H
