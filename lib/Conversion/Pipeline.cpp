//===- Pipeline.cpp - the order of lowering -------------------------------===//
//
// Part of tp-mlir, under the Apache License v2.0.
//
//===----------------------------------------------------------------------===//

#include "mlir/Conversion/ReconcileUnrealizedCasts/ReconcileUnrealizedCasts.h"
#include "mlir/Conversion/SCFToControlFlow/SCFToControlFlow.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/ControlFlow/IR/ControlFlow.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"
#include "mlir/Pass/PassManager.h"
#include "mlir/Pass/PassRegistry.h"
#include "mlir/Target/LLVMIR/Dialect/Builtin/BuiltinToLLVMIRTranslation.h"
#include "mlir/Target/LLVMIR/Dialect/LLVMIR/LLVMToLLVMIRTranslation.h"
#include "mlir/Transforms/Passes.h"
#include "tp/Conversion/LoweringInterfaces.h"
#include "tp/Conversion/Passes.h"
#include "tp/Dialect/NN/IR/NN.h"
#include "tp/Dialect/RT/IR/RT.h"
#include "tp/Dialect/TP/Transforms/Passes.h"

using namespace mlir;

void tp::buildMemoryPipeline(OpPassManager &manager, Marks marks) {
  manager.addPass(createTPFlatten({/*local=*/true}));
  if (marks != Marks::None)
    manager.addNestedPass<func::FuncOp>(createTPKeepOrigins());
  manager.addNestedPass<func::FuncOp>(createNNFuseKernels());
  manager.addPass(createTPKeepStored());
  manager.addNestedPass<func::FuncOp>(createTPPlanMemory());
}

void tp::buildRuntimePipeline(OpPassManager &manager, Marks marks) {
  buildMemoryPipeline(manager, marks);
  manager.addPass(createTPLowerToRuntime());
  if (marks != Marks::None)
    manager.addNestedPass<func::FuncOp>(createRTMarkOps());
}

/// An entry that has tensors, as none has at the runtime level.
static bool isOnTensors(func::FuncOp function) {
  auto hasTensor = [](TypeRange types) {
    return llvm::any_of(types, llvm::IsaPred<TensorType>);
  };
  return !function.isDeclaration() && !function->hasAttr(rt::kKernelName) &&
         (hasTensor(function.getArgumentTypes()) ||
          hasTensor(function.getResultTypes()));
}

LogicalResult tp::lowerToRuntimeLevel(ModuleOp module, Marks marks) {
  PassManager manager(module.getContext());
  if (llvm::any_of(module.getOps<func::FuncOp>(), isOnTensors))
    buildRuntimePipeline(manager, marks);
  else if (marks != Marks::None)
    manager.addNestedPass<func::FuncOp>(createRTMarkOps());
  else
    return success();
  return manager.run(module);
}

void tp::buildCodePipeline(OpPassManager &manager) {
  manager.addPass(createRTEmitKernels());
  manager.addPass(createRTExpandMath());
  manager.addNestedPass<func::FuncOp>(createCSEPass());
  manager.addPass(createSCFToControlFlowPass());
  manager.addPass(createRTToLLVM());
  manager.addPass(createReconcileUnrealizedCastsPass());
}

void tp::buildLoweringPipeline(OpPassManager &manager) {
  buildRuntimePipeline(manager);
  buildCodePipeline(manager);
}

void tp::registerConversionPasses() {
  registerLoweringPasses();
  PassPipelineRegistration<>(
      "tp-lower-runtime", "from a local program to runtime calls on buffers",
      [](OpPassManager &manager) { buildRuntimePipeline(manager); });
  PassPipelineRegistration<>("tp-lower",
                             "from a local program to the LLVM dialect",
                             buildLoweringPipeline);
}

void tp::registerLowering(DialectRegistry &registry) {
  registry.insert<nn::NNDialect, TPDialect, rt::RTDialect, arith::ArithDialect,
                  cf::ControlFlowDialect, func::FuncDialect, LLVM::LLVMDialect,
                  math::MathDialect, memref::MemRefDialect, scf::SCFDialect,
                  vector::VectorDialect>();
  registerLoweringModels(registry);
  registerBuiltinDialectTranslation(registry);
  registerLLVMDialectTranslation(registry);
}
