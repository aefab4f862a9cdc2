//===- RTEmitKernels.cpp - writes kernels as vectorised loops -------------===//
//
// Part of tp-mlir, under the Apache License v2.0.
//
//===----------------------------------------------------------------------===//

#include "KernelEmitter.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"
#include "tp/Conversion/Passes.h"
#include "tp/Dialect/RT/IR/RT.h"

namespace mlir::tp {
#define GEN_PASS_DEF_RTEMITKERNELS
#include "tp/Conversion/Passes.h.inc"
} // namespace mlir::tp

using namespace mlir;
using namespace mlir::tp;

/// Whether the kernel still works on tensors.
static bool isOnTensors(func::FuncOp kernel) {
  return llvm::any_of(kernel.getResultTypes(), llvm::IsaPred<RankedTensorType>);
}

namespace {

struct RTEmitKernelsPass
    : public tp::impl::RTEmitKernelsBase<RTEmitKernelsPass> {
  void runOnOperation() override {
    for (auto kernel :
         llvm::make_early_inc_range(getOperation().getOps<func::FuncOp>()))
      if (kernel->hasAttr(rt::kKernelName) && isOnTensors(kernel) &&
          failed(emitKernel(kernel)))
        return signalPassFailure();
  }
};

} // namespace
