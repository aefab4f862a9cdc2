//===- SourceModels.h - source forms of ops ---------------------*- C++ -*-===//
//
// Part of tp-mlir, under the Apache License v2.0.
//
//===----------------------------------------------------------------------===//

#ifndef TP_LIB_CUDA_SOURCEMODELS_H
#define TP_LIB_CUDA_SOURCEMODELS_H

#include "mlir/IR/DialectRegistry.h"

namespace mlir::tp {

void registerKernelSource(DialectRegistry &registry);
void registerCallSource(DialectRegistry &registry);
void registerContractSource(DialectRegistry &registry);
void registerCollectiveSource(DialectRegistry &registry);

} // namespace mlir::tp

#endif // TP_LIB_CUDA_SOURCEMODELS_H
