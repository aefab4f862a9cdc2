//===- Placements.h - every way to place an op's tensors --------*- C++ -*-===//
//
// Part of tp-mlir, under the Apache License v2.0.
//
//===----------------------------------------------------------------------===//

#ifndef TP_UNITTESTS_PROOF_PLACEMENTS_H
#define TP_UNITTESTS_PROOF_PLACEMENTS_H

#include "Interpreter.h"

namespace mlir::tp::proof {

/// A mesh as text, and the axes or parts of axes to place on it.
struct MeshCase {
  std::string mesh;
  Axes axes;
};

/// Ranks 2, 3, 4 (as 4, as its two halves, as 2x2) and 6 (2x3).
std::vector<MeshCase> makeMeshCases();

/// How the tensors of one op lie: the axes and padded extent of each factor,
/// and the axes over which each operand is partial.
struct FactorPlacement {
  SmallVector<Axes> factors;
  SmallVector<int64_t> pads;
  SmallVector<Axes> partial;
};

enum class Allowed {
  ByRule,   ///< what the rule says the op itself can do
  Anything, ///< any factor sharded, any operand partial: resharding must help
};

/// Every assignment of the axes, each to a factor, to partial operands or to
/// nothing, in every order, with the least padding and with more than that.
std::vector<FactorPlacement> enumeratePlacements(Operation *op,
                                                 const ShardingRule &rule,
                                                 ArrayRef<Axis> axes,
                                                 Allowed allowed);

/// The placement of a tensor with these factors; none if a compound dim cannot
/// be placed so (a minor factor is only sharded where those above it are used
/// up, and nothing is padded).
std::optional<Placement> placeTensor(const TensorFactors &dims,
                                     ArrayRef<int64_t> shape,
                                     const ShardingRule &rule,
                                     const FactorPlacement &placement);

/// How the op's results lie by its rule.
std::optional<Placement> placeResult(Operation *op, unsigned result,
                                     const ShardingRule &rule,
                                     const FactorPlacement &placement);

} // namespace mlir::tp::proof

#endif // TP_UNITTESTS_PROOF_PLACEMENTS_H
