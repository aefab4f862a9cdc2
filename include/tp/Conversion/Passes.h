//===- Passes.h - from local programs to machine code -----------*- C++ -*-===//
//
// Part of tp-mlir, under the Apache License v2.0.
//
//===----------------------------------------------------------------------===//

#ifndef TP_CONVERSION_PASSES_H
#define TP_CONVERSION_PASSES_H

#include "mlir/IR/BuiltinOps.h"
#include "mlir/Pass/Pass.h"
#include <memory>

namespace mlir {
class OpPassManager;
namespace func {
class FuncOp;
} // namespace func
} // namespace mlir

namespace mlir::tp {

#define GEN_PASS_DECL
#define GEN_PASS_REGISTRATION
#include "tp/Conversion/Passes.h.inc"

/// Whether a program says when each of its ops begins, for a timeline of a run.
enum class Marks { None, EveryOp };

/// From a local program on tensors to one with places for all of them: fusion,
/// which weights stay as they are stored, memory plan.
void buildMemoryPipeline(OpPassManager &manager, Marks marks = Marks::None);

/// From a local program on tensors to the runtime level: the same, and runtime
/// calls. The module is then what manifests are made of.
void buildRuntimePipeline(OpPassManager &manager, Marks marks = Marks::None);

/// Runs it on a module that is not at the runtime level yet. Marks go into any.
LogicalResult lowerToRuntimeLevel(ModuleOp module, Marks marks = Marks::None);

/// From the runtime level to the LLVM dialect.
void buildCodePipeline(OpPassManager &manager);

/// Both, in one: the pipeline `tp-lower`.
void buildLoweringPipeline(OpPassManager &manager);

/// All passes above and the pipelines `tp-lower-runtime` (the first half) and
/// `tp-lower`.
void registerConversionPasses();

/// The dialects that lowering goes through, the lowering interfaces of nn, tp
/// and rt ops, and what translates the result to LLVM IR. Whoever runs these
/// passes registers this once.
void registerLowering(DialectRegistry &registry);

} // namespace mlir::tp

#endif // TP_CONVERSION_PASSES_H
