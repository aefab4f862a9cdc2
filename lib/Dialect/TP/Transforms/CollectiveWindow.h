//===- CollectiveWindow.h - successive moves as one change ------*- C++ -*-===//
//
// Part of tp-mlir, under the Apache License v2.0.
//
//===----------------------------------------------------------------------===//
//
// What a few local placement ops, one after the other, do together: a change
// from one placement to another, of which only the axes that they name are
// known. What lies on other axes is neither seen nor moved, so that whatever
// makes the same change can take their place, wherever they stand.
//
//===----------------------------------------------------------------------===//

#ifndef TP_LIB_DIALECT_TP_TRANSFORMS_COLLECTIVEWINDOW_H
#define TP_LIB_DIALECT_TP_TRANSFORMS_COLLECTIVEWINDOW_H

#include "tp/Dialect/TP/Transforms/Reshard.h"
#include <cmath>

namespace mlir::tp {

/// Bytes sent per device, then collectives, then moves: the order of the
/// reshard search.
struct MoveCost {
  double bytes = 0;
  int64_t collectives = 0, moves = 0;

  /// Bytes are sums of fractions, equal up to rounding.
  bool operator<(const MoveCost &other) const {
    double difference = bytes - other.bytes;
    if (std::abs(difference) > 1e-9 * std::max(bytes, other.bytes))
      return difference < 0;
    return std::tie(collectives, moves) <
           std::tie(other.collectives, other.moves);
  }
};

/// The cost of a path for elements of this size.
MoveCost costOfMoves(const Placement &from, ArrayRef<ReshardStep> path,
                     int64_t elementBytes);

struct CollectiveWindow {
  /// The least that must hold before the first step; the extents are those of
  /// the local tensor times the axes known here.
  Placement from;
  /// The steps with the placement after each.
  ReshardPath path;
  /// The stretch of each mesh axis that the steps name, in the mesh's order.
  /// The placements and steps speak of these as if they were whole axes.
  SmallVector<Axis> axes;

  /// What the steps do to a local tensor of this shape. None where they do not
  /// say where the axes of a permutation lie, or do not fit together.
  static std::optional<CollectiveWindow> read(ArrayRef<ReshardStep> steps,
                                              ArrayRef<int64_t> localShape,
                                              MeshAttr mesh);
  /// A step of another path on `axes`, on the axes of the mesh.
  ReshardStep toMesh(ReshardStep step) const;
};

} // namespace mlir::tp

#endif // TP_LIB_DIALECT_TP_TRANSFORMS_COLLECTIVEWINDOW_H
