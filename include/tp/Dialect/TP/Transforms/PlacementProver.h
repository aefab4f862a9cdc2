//===- PlacementProver.h - what is known of local values --------*- C++ -*-===//
//
// Part of tp-mlir, under the Apache License v2.0.
//
//===----------------------------------------------------------------------===//
//
// The inference behind tp-verify-placements, one op at a time, so that
// tp-verify-erasure and reports can go along with it.
//
//===----------------------------------------------------------------------===//

#ifndef TP_DIALECT_TP_TRANSFORMS_PLACEMENTPROVER_H
#define TP_DIALECT_TP_TRANSFORMS_PLACEMENTPROVER_H

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "tp/Dialect/TP/IR/TP.h"

namespace mlir::tp {

/// What padding along a dim holds.
enum class Padding {
  Unknown,
  Zero,
  NegativeInfinity,
  PositiveInfinity,
  One,
  MinusOne
};

/// What is known of a dim of a local tensor.
struct DimFact {
  Axes axes;
  int64_t size = 0; ///< true extent of the global dim
  Padding padding = Padding::Unknown;
  /// The content does not depend on the position along this dim (broadcast,
  /// splat): it is right for any sharding of any global extent.
  bool uniform = false;
  /// The content is right for every true size up to the padded one (an index).
  bool anySize = false;

  /// Whether nothing says how large the global dim is.
  bool isFree() const { return uniform || anySize; }
};

/// What is known of a local value.
struct ValueFact {
  SmallVector<DimFact, 4> dims;
  Axes partial;
  ReduceKind partialKind = ReduceKind::Sum;
};

/// What the operands of an op say of a factor.
struct FactorFact {
  DimFact dim;
  bool known = false; ///< false where only results have the factor
  int64_t block = 0;  ///< extent on a device
  Value from;
};

/// Infers the placement of every value of a local function forward from its
/// arguments. Each step emits an error if the op is wrong.
class PlacementProver {
public:
  PlacementProver(func::FuncOp function, FlatSymbolRefAttr, MeshAttr mesh)
      : function(function), mesh(mesh) {}

  /// All steps: arguments, ops in order, results.
  LogicalResult run();

  LogicalResult enterArguments();
  /// Infers the results of `op`, all of whose operands have been inferred, or
  /// compares those of a terminator with what the function declares.
  LogicalResult visit(Operation *op);

  const ValueFact &factOf(Value value) { return facts[value]; }
  /// Of each factor of the op with a rule that was visited last.
  ArrayRef<FactorFact> factorsOfLast() const { return factors; }

private:
  // Entry and exit.
  LogicalResult assume(BlockArgument argument);
  LogicalResult finish(Operation *terminator);
  /// A value of which nothing but its placement is known.
  static ValueFact factFrom(const Placement &placement, RankedTensorType type,
                            Padding padding);
  /// Whether a local value is the part of a tensor of `type` that `declared`
  /// says.
  bool lies(Value value, const Placement &declared, RankedTensorType type);

  // Ops that are about placement.
  LogicalResult inferPlaced(Operation *op, PlacementOpInterface placed);
  FailureOr<Placement> placeResult(Operation *op, PlacementOpInterface placed,
                                   unsigned i, std::string &message);
  LogicalResult inferResized(ResizeOp op, DimFact &dim);
  LogicalResult inferMask(MaskOp op);
  LogicalResult inferCall(CallOp call);
  Axes axesOfStart(Value start);
  LogicalResult checkStart(Operation *op, Value start, const Axes &axes,
                           int64_t block);

  // Ops with a rule.
  LogicalResult inferRuled(Operation *op, ShardingRuleOpInterface ruled);
  LogicalResult readOperand(Operation *op, unsigned i,
                            const TensorFactors &dims,
                            const ShardingRule &rule);
  LogicalResult readDim(Operation *op, unsigned i, unsigned d,
                        FactorFact &known);
  LogicalResult readCompound(Operation *op, Value value, unsigned d,
                             const DimFactors &dimFactors,
                             const ShardingRule &rule);
  void nameFactor(Operation *op, ShardingRuleOpInterface ruled,
                  const ShardingRule &rule, unsigned number);
  int64_t resultExtent(Operation *op, const ShardingRule &rule,
                       unsigned number);
  LogicalResult checkFactors(Operation *op, ShardingRuleOpInterface ruled,
                             const ShardingRule &rule);
  LogicalResult checkFactor(Operation *op, ShardingRuleOpInterface ruled,
                            const ShardingRule &rule, unsigned number);
  LogicalResult checkMaskedExtent(Operation *op, ShardingRuleOpInterface ruled,
                                  const ShardingRule &rule, unsigned number);
  int64_t blockOf(Operation *op, const ShardingRule &rule, unsigned number);
  LogicalResult inferPartial(Operation *op, const ShardingRule &rule,
                             Axes &partial, ReduceKind &kind);
  FailureOr<DimFact> resultDim(Operation *op, Value value, unsigned d,
                               const DimFactors &dimFactors,
                               const ShardingRule &rule);
  FailureOr<DimFact> compoundDim(Operation *op, Value value, unsigned d,
                                 const DimFactors &dimFactors,
                                 const ShardingRule &rule);
  FailureOr<DimFact> newDim(Value value, unsigned d, const ShardingRule &rule,
                            unsigned factor);

  // Words for errors.
  std::string show(Value value);
  void addExtents(InFlightDiagnostic &error, Value value,
                  const Placement &declared, RankedTensorType type);
  LogicalResult path(InFlightDiagnostic &error, Value value);

  int64_t extent(Value value, size_t dim) {
    return tensorOf(value.getType()).getDimSize(dim);
  }
  /// The padded extent of the global dim, from the local one.
  int64_t padded(Value value, size_t dim) {
    return extent(value, dim) * sizeOf(facts[value].dims[dim].axes);
  }
  bool isPadded(Value value, size_t dim) {
    const DimFact &known = facts[value].dims[dim];
    return !known.uniform && padded(value, dim) != known.size;
  }

  func::FuncOp function;
  MeshAttr mesh;
  DenseMap<Value, ValueFact> facts;
  SmallVector<FactorFact> factors;
};

/// A function whose placements can be inferred: of one block, and all that is
/// said of meshes is said of the module's; otherwise an error.
LogicalResult checkVerifiable(func::FuncOp function);

} // namespace mlir::tp

#endif // TP_DIALECT_TP_TRANSFORMS_PLACEMENTPROVER_H
