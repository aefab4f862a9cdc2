//===- Passes.h - passes on the Transformer graph ---------------*- C++ -*-===//
//
// Part of tp-mlir, under the Apache License v2.0.
//
//===----------------------------------------------------------------------===//

#ifndef TP_DIALECT_NN_TRANSFORMS_PASSES_H
#define TP_DIALECT_NN_TRANSFORMS_PASSES_H

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Pass/Pass.h"

namespace mlir::nn {

#define GEN_PASS_DECL
#include "tp/Dialect/NN/Transforms/Passes.h.inc"
#define GEN_PASS_REGISTRATION
#include "tp/Dialect/NN/Transforms/Passes.h.inc"

} // namespace mlir::nn

#endif // TP_DIALECT_NN_TRANSFORMS_PASSES_H
