//===- ReshardCheck.h - whether a path is one, and right --------*- C++ -*-===//
//
// Part of tp-mlir, under the Apache License v2.0.
//
//===----------------------------------------------------------------------===//
//
// A path is checked step by step in two ways: as moves of the table in
// Reshard.h between legal placements, which gives its cost, and on data.
//
//===----------------------------------------------------------------------===//

#ifndef TP_UNITTESTS_DIALECT_RESHARDCHECK_H
#define TP_UNITTESTS_DIALECT_RESHARDCHECK_H

#include "ReshardReference.h"
#include <unordered_set>

namespace mlir::tp::test {

/// For messages.
std::string show(llvm::ArrayRef<Axis> axes);
std::string show(const Placement &placement);
std::string show(llvm::ArrayRef<ReshardStep> path);

/// What is wrong with a placement on a mesh: axes that are not there, used
/// twice, cut in ways that do not nest, or do not divide a dim. Empty if it is
/// legal.
std::string illegal(const Mesh &mesh, const Placement &placement);

/// Whether the steps are moves of the table that lead from `from` to `to` over
/// legal placements, and what they cost.
struct Walk {
  std::string wrong;
  Cost cost;
};
Walk walk(const Mesh &mesh, const Placement &from, const Placement &to,
          llvm::ArrayRef<ReshardStep> path);

/// Runs paths on data. What the dims' extents are matters only by what they
/// divide by, so each path gets the least tensor that all its placements fit,
/// or twice that, the last one or two indices of a dim being padding.
class DataCheck {
public:
  explicit DataCheck(const Mesh &mesh) : mesh(mesh) {}

  /// Runs the path from its first placement on, twice; the first wrong value.
  std::string run(Placement from, ReshardPath path);
  /// The same for each step alone, if it is the first time that it is seen.
  std::string runNewSteps(const Placement &from, const ReshardPath &path);

  size_t numSteps() const { return seen.size(); }

private:
  std::string runOnce(const Placement &from, const ReshardPath &path,
                      llvm::ArrayRef<int64_t> trueShape) const;

  const Mesh &mesh;
  std::unordered_set<std::string> seen;
  /// Counts the runs, so that each pads another dim.
  size_t turn = 0;
};

} // namespace mlir::tp::test

#endif // TP_UNITTESTS_DIALECT_RESHARDCHECK_H
