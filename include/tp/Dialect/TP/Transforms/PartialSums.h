//===- PartialSums.h - sums that are reduced once ---------------*- C++ -*-===//
//
// Part of tp-mlir, under the Apache License v2.0.
//
//===----------------------------------------------------------------------===//
//
// Between propagation and resharding: partial values that are added to each
// other are reduced once, though their sum is wanted in shards over the same
// axes. Where one of them meets first what lies in shards, the other is added
// before it:
//
//   sequence parallel, attention and MLP beside each other
//     (x{tp} + attention) + mlp      two reduce-scatters
//     x{tp} + (attention + mlp)      one
//
// The sums are wanted whole over those axes, and so is what is linear on the
// way to them: row biases, casts. What follows scatters the result. Sums are
// ops that commute and are linear in both operands together.
//
//===----------------------------------------------------------------------===//

#ifndef TP_DIALECT_TP_TRANSFORMS_PARTIALSUMS_H
#define TP_DIALECT_TP_TRANSFORMS_PARTIALSUMS_H

#include "tp/Dialect/TP/Transforms/FactorChoice.h"

namespace mlir::tp {

/// What propagation wrote for `value`, which has no partial axes; replicated if
/// it wrote nothing.
Placement propagatedTo(Value value, MeshAttr mesh);

class PartialSums {
public:
  PartialSums(func::FuncOp function, FlatSymbolRefAttr meshName, MeshAttr mesh,
              const FactorChooser &chooser)
      : function(function), meshName(meshName), mesh(mesh), chooser(chooser) {}

  /// Regroups sums and changes what is wanted, as above, in the whole function.
  void gather();

  /// The axes over which `value` will be partial if its user lets it, as a sum:
  /// as far as a few ops tell. One of several uses counts as one that does not.
  Axes expectedPartial(Value value, unsigned depth = 4) const;

private:
  Axes reducedAxes(Operation *op) const;
  bool liesInShards(Value value, const Axes &axes, unsigned depth = 2) const;
  bool regroup(Operation *op) const;
  void leavePartial(Operation *sum) const;
  void wantWhole(Value value, const Axes &axes, unsigned depth = 5) const;

  func::FuncOp function;
  FlatSymbolRefAttr meshName;
  MeshAttr mesh;
  const FactorChooser &chooser;
};

} // namespace mlir::tp

#endif // TP_DIALECT_TP_TRANSFORMS_PARTIALSUMS_H
