//===- LoweringInterfaces.h - what lowering asks of an op -------*- C++ -*-===//
//
// Part of tp-mlir, under the Apache License v2.0.
//
//===----------------------------------------------------------------------===//

#ifndef TP_CONVERSION_LOWERINGINTERFACES_H
#define TP_CONVERSION_LOWERINGINTERFACES_H

#include "mlir/IR/Builders.h"
#include "mlir/IR/OpDefinition.h"
#include "tp/Interfaces/ShardingRule.h"

#include "tp/Conversion/LoweringEnums.h.inc"
#include "tp/Conversion/LoweringInterfaces.h.inc"

namespace mlir::tp {

/// What `op` is to a kernel, by the interface or by its traits.
KernelRole getKernelRole(Operation *op);

/// The dims of the result along which the dims of operand `index` of a
/// pointwise or leaf op run.
SmallVector<int64_t> getOperandDims(Operation *op, unsigned index);

/// Gives nn, tp and rt ops their lowering interfaces.
void registerLoweringModels(DialectRegistry &registry);

} // namespace mlir::tp

#endif // TP_CONVERSION_LOWERINGINTERFACES_H
