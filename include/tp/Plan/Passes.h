//===- Passes.h - from plans to placements ----------------------*- C++ -*-===//
//
// Part of tp-mlir, under the Apache License v2.0.
//
//===----------------------------------------------------------------------===//

#ifndef TP_PLAN_PASSES_H
#define TP_PLAN_PASSES_H

#include "mlir/IR/BuiltinOps.h"
#include "mlir/Pass/Pass.h"
#include "mlir/Pass/PassOptions.h"

namespace mlir::tp {

#define GEN_PASS_DECL
#include "tp/Plan/Passes.h.inc"
#define GEN_PASS_REGISTRATION
#include "tp/Plan/Passes.h.inc"

/// What a plan asks of a parameter (in the stored tensor's dims) or of a
/// boundary (in the value's dims): a dictionary {axis, dim}; dim -1 is
/// replicated.
inline constexpr StringLiteral kRequestName = "tp.request";
/// On the module: which plan it was given.
inline constexpr StringLiteral kPlanName = "tp.plan";

/// Options of `--tp-shard`.
struct ShardOptions : public PassPipelineOptions<ShardOptions> {
  PassOptions::Option<std::string> mesh{
      *this, "mesh", llvm::cl::desc("axes and sizes, such as dp=2,tp=4"),
      llvm::cl::init("")};
  PassOptions::Option<std::string> plan{
      *this, "plan", llvm::cl::desc("auto, none or a JSON file"),
      llvm::cl::init("auto")};
  PassOptions::Option<bool> verify{
      *this, "verify", llvm::cl::desc("prove the result well-placed"),
      llvm::cl::init(true)};
};

/// From a global module to a checked local one: tp-apply-plan, nn-normalise,
/// tp-place-parameters, tp-propagate, tp-decompose, tp-propagate, cse,
/// tp-insert-reshards, tp-partition, tp-merge-collectives,
/// tp-verify-placements.
void buildShardPipeline(OpPassManager &manager, const ShardOptions &options);

/// Registers `--tp-shard`.
void registerShardPipeline();

} // namespace mlir::tp

#endif // TP_PLAN_PASSES_H
