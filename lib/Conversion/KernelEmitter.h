//===- KernelEmitter.h - writes a kernel as vectorised loops ----*- C++ -*-===//
//
// Part of tp-mlir, under the Apache License v2.0.
//
//===----------------------------------------------------------------------===//

#ifndef TP_LIB_CONVERSION_KERNELEMITTER_H
#define TP_LIB_CONVERSION_KERNELEMITTER_H

#include "mlir/Dialect/Func/IR/FuncOps.h"

namespace mlir::tp {

/// How a kernel's values run through its iteration space.
struct KernelShape {
  /// The widest shape of any value, and how many of its leading dims a
  /// reduction leaves; its rank if nothing is reduced.
  SmallVector<int64_t> space;
  unsigned rows = 0;
  /// The loop that each dim of the space belongs to: adjacent dims that every
  /// access treats alike share one. And the extent of each loop.
  SmallVector<unsigned> loopOf;
  SmallVector<int64_t> extents;
  /// The first loop that reductions run over; all loops if there are none.
  unsigned firstReducedLoop = 0;
  /// Elements in a full vector.
  int64_t lanes = 16;
};

/// Finds the shape of a kernel on tensors. Fails with a diagnostic on a body
/// that is not a kernel's: an op that cannot be in one, or shapes that do not
/// agree.
FailureOr<KernelShape> analyseKernel(func::FuncOp kernel);

/// Replaces a kernel on tensors by one on buffers, arguments first, then
/// results.
LogicalResult emitKernel(func::FuncOp kernel);

} // namespace mlir::tp

#endif // TP_LIB_CONVERSION_KERNELEMITTER_H
