//===- CollectiveSteps.h - local placement ops as moves ---------*- C++ -*-===//
//
// Part of tp-mlir, under the Apache License v2.0.
//
//===----------------------------------------------------------------------===//
//
// Between the moves of a reshard and the local ops that make them, and what
// passes over collectives share: reasons that are kept, tensors that travel
// together.
//
//===----------------------------------------------------------------------===//

#ifndef TP_LIB_DIALECT_TP_TRANSFORMS_COLLECTIVESTEPS_H
#define TP_LIB_DIALECT_TP_TRANSFORMS_COLLECTIVESTEPS_H

#include "tp/Dialect/TP/Transforms/Reshard.h"

namespace mlir::tp {

/// Why collectives are there, for one that takes their place.
struct Provenance {
  StringAttr reason, module;
  SmallVector<Location> locations;

  /// Adds what `op`, a collective or a local step, says of itself.
  void add(Operation *op);
  /// Writes reason and module to a collective; they may be null.
  void writeTo(NamedAttrList &attributes) const;
  Location location(MLIRContext *context) const;
};

/// Whether a move sends anything.
bool isCollective(Move move);

/// What `op` does to its input `index`, with no placement in it; none if it is
/// no move, or is only half a collective.
std::optional<ReshardStep> stepOf(Operation *op, unsigned index, MeshAttr mesh);

/// The local op that makes a move. `type` is its local result type.
Value buildStep(OpBuilder &builder, Location loc, Value value,
                const ReshardStep &step, Type type, FlatSymbolRefAttr meshName,
                MeshAttr mesh, StringAttr reason, StringAttr module);

/// Attributes of a collective that are lists of one number for each tensor.
ArrayRef<StringLiteral> tensorListNames();

/// What collectives that travel as one have in common: all attributes but the
/// lists above and those that say why it is there, and the name.
DictionaryAttr commonKindOf(Operation *op);

/// One collective with the inputs of all of `parts`, which have a common kind,
/// at the builder's position. `keep(part, index)` says which inputs to keep.
Operation *packCollectives(
    OpBuilder &builder, ArrayRef<Operation *> parts,
    function_ref<bool(Operation *, unsigned)> keep = [](Operation *, unsigned) {
      return true;
    });

} // namespace mlir::tp

#endif // TP_LIB_DIALECT_TP_TRANSFORMS_COLLECTIVESTEPS_H
