//===- FactorAxes.h - between the dims of tensors and factors ---*- C++ -*-===//
//
// Part of tp-mlir, under the Apache License v2.0.
//
//===----------------------------------------------------------------------===//

#ifndef TP_DIALECT_TP_TRANSFORMS_FACTORAXES_H
#define TP_DIALECT_TP_TRANSFORMS_FACTORAXES_H

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "tp/Dialect/TP/IR/TP.h"

namespace mlir::tp {

/// The mesh of the module that `op` is in: the first; null if there is none.
FlatSymbolRefAttr findMesh(Operation *op);

/// All shardings and collectives of the function are of this mesh; otherwise an
/// error.
LogicalResult checkMesh(func::FuncOp function, FlatSymbolRefAttr meshName);

/// Every op has a rule and works on ranked tensors of static shape, on the
/// first mesh of the module; otherwise an error that names the op.
LogicalResult checkShardable(func::FuncOp function);

/// The frame of a pass over functions: runs a `Worker` on the function and the
/// mesh of its module if `check` finds nothing wrong. A declaration, and a
/// function in a module without a mesh, stay as they are.
template <typename Worker>
LogicalResult
runOnMesh(func::FuncOp function,
          function_ref<LogicalResult(func::FuncOp)> check = checkShardable) {
  FlatSymbolRefAttr meshName = findMesh(function);
  if (!meshName || function.isExternal())
    return success();
  if (failed(check(function)))
    return failure();
  return Worker(function, meshName, lookupMesh(function, meshName)).run();
}

/// The same for a pass over global functions: embedded ones stay as they are.
template <typename Worker> LogicalResult runOnGlobal(func::FuncOp function) {
  return isEmbedded(function) ? success() : runOnMesh<Worker>(function);
}

/// The sharding that propagation gave `value`; null if it gave none.
ShardingAttr shardingOf(Value value);

/// The axes of a dim, one list for each of its factors. On a compound dim (h d)
/// of 4x6, axes of sizes 2, 2, 3 give h two of them and d the third. With
/// `cut`, an axis may end in the next factor: one of size 8 gives h its major
/// part of 4 and d the other.
SmallVector<Axes> spreadOver(ArrayRef<Axis> axes, const DimFactors &factors,
                             const ShardingRule &rule, bool cut = false);

/// The other way round: the axes of a dim, from those of all factors.
Axes gatherFrom(const DimFactors &factors, const ShardingRule &rule,
                ArrayRef<Axes> factorAxes);

/// The points of an op's iteration space: the sizes of all factors, multiplied.
double iterationsOf(const ShardingRule &rule);

/// Whether the op has a dim that is compounded of this factor and others.
bool isCompounded(unsigned factor, const ShardingRule &rule);

/// Whether a dim may be padded: it is one factor that is not needed whole, or
/// the op takes care of padding.
bool canPad(const DimFactors &factors, const ShardingRule &rule);

} // namespace mlir::tp

#endif // TP_DIALECT_TP_TRANSFORMS_FACTORAXES_H
