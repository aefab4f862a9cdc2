//===- Reshard.h - the cheapest way between placements ----------*- C++ -*-===//
//
// Part of tp-mlir, under the Apache License v2.0.
//
//===----------------------------------------------------------------------===//
//
// Moves and their cost in bytes sent per device, for a local tensor of b bytes
// before the move and a group of n devices. Axes may be parts of mesh axes
// throughout; an axis can be cut wherever its size divides.
//
//   slice            0                unused axes become a dim's most minor
//   make_partial     0                unused axes become partial, of a kind
//   all_gather       (n - 1) b        a dim's most minor axes become unused
//   all_reduce       2 (n - 1) / n b  partial axes become unused
//   reduce_scatter   (n - 1) / n b    partial axes become a dim's most minor
//   all_to_all       (n - 1) / n b    a dim's most minor axes become another's
//   permute          b                any change that keeps every dim's number
//                                     of blocks and the number of partials
//
// A path is a shortest one over this table and all axes of the mesh: fewest
// bytes, then fewest collectives, then fewest moves, then the order in which
// the search finds them, which is fixed. docs/resharding.md has examples.
//
// "All axes of the mesh": eight devices that sum over "tp"=4 what is replicated
// over "dp"=2 send 1.5 b in an all-reduce, and 1.25 b if each half of them
// reduces one half of the tensor and the halves are gathered at the end.
//
// Axes are cut at every divisor, down to parts of prime size. A search that
// grows too large (docs/resharding.md says when) gives the best path that it
// has found, which is right but perhaps not the cheapest.
//
//===----------------------------------------------------------------------===//

#ifndef TP_DIALECT_TP_TRANSFORMS_RESHARD_H
#define TP_DIALECT_TP_TRANSFORMS_RESHARD_H

#include "tp/Dialect/TP/IR/TP.h"
#include <map>
#include <string>
#include <vector>

namespace mlir::tp {

enum class Move : uint8_t {
  Slice,
  MakePartial,
  AllGather,
  AllReduce,
  ReduceScatter,
  AllToAll,
  Permute
};

struct ReshardStep {
  Move move;
  /// The group, in the order of the blocks.
  Axes axes;
  /// The dim that is sliced, gathered or scattered; of all_to_all the gathered.
  int64_t dim = 0;
  /// Of all_to_all, the dim that is split.
  int64_t splitDim = 0;
  /// Of all_reduce, reduce_scatter and make_partial.
  ReduceKind kind = ReduceKind::Sum;
  /// Of permute, the group in the order that takes the place of `axes`.
  Axes toAxes = {};
  /// The placement after the step.
  Placement result = {};
};

using ReshardPath = std::vector<ReshardStep>;

/// Plans reshards on one mesh and remembers what it planned: tensors that
/// differ only in extents of the same divisibility, or in type, share a path.
class ReshardPlanner {
public:
  explicit ReshardPlanner(MeshAttr mesh);
  /// `axes`: the whole axes of the mesh, in its order.
  explicit ReshardPlanner(ArrayRef<Axis> axes) : meshAxes(axes) {}

  /// The cheapest path from `from` to `to`, which have the same pads, divisible
  /// by their axes. Fails if they have not.
  FailureOr<ReshardPath> plan(const Placement &from, const Placement &to);

private:
  SmallVector<Axis> meshAxes;
  /// By the two ends, written out, and what the extents divide by.
  std::map<std::string, ReshardPath> known;
};

/// Bytes sent per device by the path.
double costOf(const Placement &from, ArrayRef<ReshardStep> path,
              int64_t elementBytes);

} // namespace mlir::tp

#endif // TP_DIALECT_TP_TRANSFORMS_RESHARD_H
