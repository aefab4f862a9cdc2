//===- DimClasses.h - dims that must agree in extent ------------*- C++ -*-===//
//
// Part of tp-mlir, under the Apache License v2.0.
//
//===----------------------------------------------------------------------===//

#ifndef TP_DIALECT_TP_TRANSFORMS_DIMCLASSES_H
#define TP_DIALECT_TP_TRANSFORMS_DIMCLASSES_H

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "tp/Interfaces/ShardingRule.h"
#include "llvm/ADT/DenseMap.h"

namespace mlir::tp {

/// The dims of all tensors of a function, in classes: two dims are in one class
/// if some op maps both to one factor, or one is of state and the other of the
/// result that it becomes. All dims of a class have one true size and get one
/// padded extent. Linear in the function.
///
///   %0 = nn.contract %x, %w "bsk,nk->bsn"    x:[b,s,k]  w:[n,k]  %0:[b,s,n]
///   classes: {x.0, %0.0}, {x.1, %0.1}, {x.2, w.1}, {w.0, %0.2}
class DimClasses {
public:
  explicit DimClasses(func::FuncOp function);

  /// The class of a dim: a small number, the same on every run.
  unsigned classOf(Value value, unsigned dim) const;
  unsigned size() const { return numClasses; }

private:
  unsigned first(Value value) const { return firsts.lookup(value); }

  DenseMap<Value, unsigned> firsts; ///< number of a tensor's dim 0
  SmallVector<unsigned> classes;    ///< class of each numbered dim
  unsigned numClasses = 0;
};

/// Calls `visit` on every ranked tensor of a function: arguments, then results
/// of ops in order.
void forEachTensor(func::FuncOp function, function_ref<void(Value)> visit);

} // namespace mlir::tp

#endif // TP_DIALECT_TP_TRANSFORMS_DIMCLASSES_H
