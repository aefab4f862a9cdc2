//===- KernelEmitter.h - writes a kernel as loops or threads ----*- C++ -*-===//
//
// Part of tp-mlir, under the Apache License v2.0.
//
//===----------------------------------------------------------------------===//

#ifndef TP_LIB_CONVERSION_KERNELEMITTER_H
#define TP_LIB_CONVERSION_KERNELEMITTER_H

#include "mlir/Dialect/Func/IR/FuncOps.h"

namespace mlir::tp {

/// What runs the points of a kernel's space.
enum class KernelForm {
  Loops,  ///< loops of one thread, the innermost vectorised
  Threads ///< threads of a grid: a block for each row that is reduced
};

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
  KernelForm form = KernelForm::Loops;

  /// The extents of the loops from `first` up to `end`, multiplied.
  int64_t product(unsigned first, unsigned end) const {
    return llvm::product_of(
        ArrayRef<int64_t>(extents).slice(first, end - first));
  }
};

/// Finds the shape of a kernel on tensors. Fails with a diagnostic on a body
/// that is not a kernel's: an op that cannot be in one, or shapes that do not
/// agree. Threads only take vectors that are whole, and none if a buffer of the
/// kernel may begin anywhere (`anyAlignment`).
FailureOr<KernelShape> analyseKernel(func::FuncOp kernel,
                                     KernelForm form = KernelForm::Loops,
                                     bool anyAlignment = false);

/// Replaces a kernel on tensors by one on buffers, arguments first, then
/// results.
LogicalResult emitKernel(func::FuncOp kernel,
                         KernelForm form = KernelForm::Loops,
                         bool anyAlignment = false);

} // namespace mlir::tp

#endif // TP_LIB_CONVERSION_KERNELEMITTER_H
