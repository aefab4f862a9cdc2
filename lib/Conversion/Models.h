//===- Models.h - lowering interfaces of other dialects' ops ----*- C++ -*-===//
//
// Part of tp-mlir, under the Apache License v2.0.
//
//===----------------------------------------------------------------------===//

#ifndef TP_LIB_CONVERSION_MODELS_H
#define TP_LIB_CONVERSION_MODELS_H

#include "mlir/IR/DialectRegistry.h"

namespace mlir::tp {

void registerKernelModels(DialectRegistry &registry);
void registerBufferModels(DialectRegistry &registry);

} // namespace mlir::tp

#endif // TP_LIB_CONVERSION_MODELS_H
