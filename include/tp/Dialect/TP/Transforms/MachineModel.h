//===- MachineModel.h - how long things take, roughly -----------*- C++ -*-===//
//
// Part of tp-mlir, under the Apache License v2.0.
//
//===----------------------------------------------------------------------===//
//
// A collective takes a latency and its bytes over the link's rate; any other op
// the longer of its arithmetic and its traffic with memory. That is enough to
// say what is worth doing at the same time, and no more: kernels that are fused
// later are counted one by one, and nothing slows down anything else.
//
//===----------------------------------------------------------------------===//

#ifndef TP_DIALECT_TP_TRANSFORMS_MACHINEMODEL_H
#define TP_DIALECT_TP_TRANSFORMS_MACHINEMODEL_H

#include "tp/Dialect/TP/IR/TP.h"

namespace mlir::tp {

/// One device and its links. The defaults are measurements of an H200 with
/// seven others on NVLink 4, bf16, collectives by rings.
struct MachineModel {
  double reduceLatency = 15.0; ///< of an all-reduce, microseconds
  double latency = 10.8;       ///< of any other collective, microseconds
  double link = 370;           ///< sent by a device, GB/s
  double memory = 4300;        ///< read and written, GB/s
  double compute = 780;        ///< contractions, TFLOP/s

  /// From "latency=10.8,link=370": what is not named keeps its default. A name
  /// that there is not, and what is no positive number, is an error.
  /// Errors are of `op`, on the option 'machine' of the pass over it.
  static FailureOr<MachineModel> parse(StringRef text, Operation *op);

  /// Microseconds that one device sends `bytes` in a collective; `reduces` one
  /// that leaves the sum on all of them.
  double collectiveTime(double bytes, bool reduces) const;
  /// Of a collective, or of a local op, on the tensors that it has.
  double timeOf(Operation *op) const;
  /// Arithmetic on the points of an op's iteration space, and traffic.
  double computeTime(double points, double bytes) const;
};

/// The points at which an op computes: the product of the factors of its
/// results and of those that two operands share, such as the contracted ones.
/// Rows of a table that is looked up in are none, nor what only one operand is
/// summed over, of which its bytes say enough. `shares`, if given, says how
/// many devices share each factor.
double countPoints(Operation *op, ArrayRef<int64_t> shares = {});

} // namespace mlir::tp

#endif // TP_DIALECT_TP_TRANSFORMS_MACHINEMODEL_H
