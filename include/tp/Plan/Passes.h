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
/// boundary (in the value's dims): a list of dictionaries {axis, dim, entry,
/// style}, where dim -1 is replicated. Of a boundary, `stage` 0 is what the
/// value is taken to be and 1 what it is made to be.
inline constexpr StringLiteral kRequestName = "tp.request";
/// On a `tp.constraint`: the boundary and the entry of the plan that it is for.
inline constexpr StringLiteral kAskedName = "tp.asked";
/// On the module until parameters are placed: which plan it was given ("auto",
/// "none", "file") and, if it is there, that what cannot be met becomes less.
inline constexpr StringLiteral kPlanName = "tp.plan";
inline constexpr StringLiteral kMayWeakenName = "tp.may_weaken";
/// On the module: what the automatic plan would cost, for tp-compare-plans.
inline constexpr StringLiteral kAutomaticCostName = "tp.automatic";

/// Options of `--tp-shard`.
struct ShardOptions : public PassPipelineOptions<ShardOptions> {
  PassOptions::Option<std::string> mesh{
      *this, "mesh", llvm::cl::desc("axes and sizes, such as dp=2,tp=4"),
      llvm::cl::init("")};
  PassOptions::Option<std::string> plan{
      *this, "plan", llvm::cl::desc("auto, none or a JSON file"),
      llvm::cl::init("auto")};
  PassOptions::Option<bool> overlap{
      *this, "overlap",
      llvm::cl::desc("start collectives early and compute while they run"),
      llvm::cl::init(false)};
  PassOptions::Option<bool> window{
      *this, "window",
      llvm::cl::desc("overlap, and cut collectives and contractions in parts "
                     "where that is predicted to be faster"),
      llvm::cl::init(false)};
  PassOptions::Option<std::string> machine{
      *this, "machine",
      llvm::cl::desc("how fast a device is, as tp-schedule-collectives has it"),
      llvm::cl::init("")};
  PassOptions::Option<bool> verify{
      *this, "verify", llvm::cl::desc("prove the result well-placed"),
      llvm::cl::init(true)};
  PassOptions::Option<bool> compare{
      *this, "compare",
      llvm::cl::desc("say what a plan file costs above the automatic plan"),
      llvm::cl::init(true)};
  PassOptions::Option<bool> automatic{
      *this, "automatic",
      llvm::cl::desc("take the mesh, the roles and what is stored from the "
                     "file, and the rest from the automatic plan"),
      llvm::cl::init(false)};
};

/// From a global module to a checked local one: tp-apply-plan, nn-normalise,
/// tp-place-parameters, tp-propagate, tp-decompose, tp-propagate, cse,
/// tp-insert-reshards, with `window` tp-window-collectives, tp-partition,
/// tp-simplify-collectives, tp-merge-collectives; with `overlap`
/// tp-split-collectives and tp-schedule-collectives; tp-verify-placements and
/// tp-verify-erasure. With a plan file, between tp-estimate-automatic and
/// tp-compare-plans.
void buildShardPipeline(OpPassManager &manager, const ShardOptions &options);

/// Registers `--tp-shard`.
void registerShardPipeline();

} // namespace mlir::tp

#endif // TP_PLAN_PASSES_H
