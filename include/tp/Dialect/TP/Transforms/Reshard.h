//===- Reshard.h - the cheapest way between placements ----------*- C++ -*-===//
//
// Part of tp-mlir, under the Apache License v2.0.
//
//===----------------------------------------------------------------------===//
//
// Moves and their cost in bytes sent per device, for a local tensor of b bytes
// before the move and a group of n devices:
//
//   slice            0                append unused axes to a dim
//   make_partial     0                unused axes become partial (sum)
//   all_gather       (n - 1) b        drop the most minor axes of a dim
//   all_reduce       2 (n - 1) / n b  drop partial axes
//   reduce_scatter   (n - 1) / n b    partial axes become a dim's most minor
//   all_to_all       (n - 1) / n b    a dim's most minor axes move to another's
//
// The path is a shortest one over this table and the axes that the two ends
// use: bytes first, then the number of collectives, then the number of moves,
// then the order of the table. (Where the ends use very many axes, or cut an
// axis in ways that have no parts in common, it is a path, and not always the
// shortest.)
//
//===----------------------------------------------------------------------===//

#ifndef TP_DIALECT_TP_TRANSFORMS_RESHARD_H
#define TP_DIALECT_TP_TRANSFORMS_RESHARD_H

#include "tp/Dialect/TP/IR/TP.h"

namespace mlir::tp {

enum class Move {
  Slice,
  MakePartial,
  AllGather,
  AllReduce,
  ReduceScatter,
  AllToAll
};

struct ReshardStep {
  Move move;
  Axes axes;
  /// The dim that is sliced, gathered or scattered; of all_to_all the gathered.
  int64_t dim = 0;
  /// Of all_to_all, the dim that is split.
  int64_t splitDim = 0;
  /// The placement after the step.
  Placement result;
};

/// The cheapest path from `from` to `to`, which have the same pads and, if both
/// are partial, the same kind. Fails if there is none: only when `to` is
/// partial (not sum) over an axis that `from` is not.
FailureOr<std::vector<ReshardStep>>
planReshard(const Placement &from, const Placement &to, int64_t elementBytes);

/// Bytes sent per device by the path.
double costOf(const Placement &from, ArrayRef<ReshardStep> path,
              int64_t elementBytes);

} // namespace mlir::tp

#endif // TP_DIALECT_TP_TRANSFORMS_RESHARD_H
