//===- RTEmitKernels.cpp - writes kernels as loops or for threads ---------===//
//
// Part of tp-mlir, under the Apache License v2.0.
//
//===----------------------------------------------------------------------===//

#include "KernelEmitter.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/GPU/IR/GPUDialect.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"
#include "tp/Conversion/Passes.h"
#include "tp/Dialect/RT/IR/RT.h"
#include "llvm/ADT/StringSet.h"

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

/// The kernels that are launched on a part of a buffer that may begin at any
/// element.
static llvm::StringSet<> findAnyAlignment(ModuleOp module) {
  llvm::StringSet<> kernels;
  auto beginsAnywhere = [](Value buffer) {
    while (auto view = buffer.getDefiningOp<rt::ViewOp>()) {
      if (view.getStart())
        return true;
      buffer = view.getSource();
    }
    return false;
  };
  module.walk([&](rt::LaunchOp launch) {
    if (llvm::any_of(launch.getOperands(), beginsAnywhere))
      kernels.insert(launch.getKernel());
  });
  return kernels;
}

namespace {

struct RTEmitKernelsPass
    : public tp::impl::RTEmitKernelsBase<RTEmitKernelsPass> {
  using RTEmitKernelsBase::RTEmitKernelsBase;

  void runOnOperation() override {
    KernelForm form = threads ? KernelForm::Threads : KernelForm::Loops;
    llvm::StringSet<> anyAlignment = findAnyAlignment(getOperation());
    for (auto kernel :
         llvm::make_early_inc_range(getOperation().getOps<func::FuncOp>()))
      if (kernel->hasAttr(rt::kKernelName) && isOnTensors(kernel) &&
          failed(emitKernel(kernel, form,
                            anyAlignment.contains(kernel.getName()))))
        return signalPassFailure();
  }
};

} // namespace
