//===- SplitPacked.h - packed weights as one parameter a matrix -*- C++ -*-===//
//
// Part of tp-mlir, under the Apache License v2.0.
//
//===----------------------------------------------------------------------===//

#ifndef TP_LIB_PLAN_SPLITPACKED_H
#define TP_LIB_PLAN_SPLITPACKED_H

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "llvm/ADT/BitVector.h"

namespace mlir::tp {

/// A weight that is several matrices side by side along dim `dim`, of which the
/// graph uses slices, becomes one parameter for each slice, of the same stored
/// tensor, so that each can be sharded by itself:
///
///   %y = nn.contract %x, %w      w: [2n, k]      %g = nn.contract %x, %w0
///   %g = nn.slice %y [0, n)                 ->   %u = nn.contract %x, %w1
///   %u = nn.slice %y [n, 2n)
///
/// The new parameters are called "name[0:n]" and "name[n:2n]". What is between
/// weight and slices (a bias, a boundary) is sliced with it.
/// The new arguments stand at the end; arguments that nothing uses any more are
/// set in `replaced`. True if each slice has its parameter, or no slice is
/// taken of the weight in the first place; false, and nothing changed, if its
/// uses are not slices that share it out.
bool splitPacked(func::FuncOp function, unsigned argument, int64_t dim,
                 llvm::BitVector &replaced);

} // namespace mlir::tp

#endif // TP_LIB_PLAN_SPLITPACKED_H
