//===- Cuda.h - programs as CUDA source -------------------------*- C++ -*-===//
//
// Part of tp-mlir, under the Apache License v2.0.
//
//===----------------------------------------------------------------------===//

#ifndef TP_CUDA_CUDA_H
#define TP_CUDA_CUDA_H

#include "mlir/IR/BuiltinOps.h"
#include "mlir/Pass/Pass.h"
#include "llvm/Support/raw_ostream.h"
#include <memory>

namespace mlir::tp {

/// Writes a program as CUDA C++: a local program, which is taken to the runtime
/// level first, or one that is there. Its kernels, then a function for each
/// entry with its launches, products and collectives in order, then the table
/// that tprt/cuda.h opens. `module` is changed. Fails with diagnostics on ops
/// that have no such form.
LogicalResult emitCuda(ModuleOp module, raw_ostream &os);

/// The same at the end of a pass pipeline.
std::unique_ptr<Pass> createEmitCudaPass(raw_ostream &os);

/// Gives ops their source form.
void registerSourceModels(DialectRegistry &registry);

} // namespace mlir::tp

#endif // TP_CUDA_CUDA_H
