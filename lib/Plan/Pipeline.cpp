//===- Pipeline.cpp - --tp-shard ------------------------------------------===//
//
// Part of tp-mlir, under the Apache License v2.0.
//
//===----------------------------------------------------------------------===//

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Pass/PassManager.h"
#include "mlir/Pass/PassRegistry.h"
#include "mlir/Transforms/Passes.h"
#include "tp/Dialect/NN/Transforms/Passes.h"
#include "tp/Dialect/TP/Transforms/Passes.h"
#include "tp/Plan/Passes.h"

using namespace mlir;
using namespace mlir::tp;

void tp::buildShardPipeline(OpPassManager &manager,
                            const ShardOptions &options) {
  // Both halves of the proof, after every pass that could break it.
  auto verify = [&](bool isLast) {
    if (!options.verify)
      return;
    manager.addNestedPass<func::FuncOp>(createTPVerifyPlacements());
    manager.addPass(createTPVerifyErasure({/*drop=*/isLast}));
  };
  manager.addPass(createTPFlatten());
  bool isCompared =
      options.compare && options.plan != "auto" && options.plan != "none";
  if (isCompared)
    manager.addPass(createPlanEstimateAutomatic({options.mesh, options.plan}));
  manager.addPass(
      createPlanApply({options.mesh, options.plan, options.automatic}));
  manager.addNestedPass<func::FuncOp>(nn::createNNNormalise());
  manager.addPass(createPlanPlaceParameters());
  manager.addPass(createTPPropagate());
  manager.addNestedPass<func::FuncOp>(createTPDecompose());
  manager.addPass(createTPPropagate());
  // A derivative says again what the forward pass has: reduced once for both.
  manager.addNestedPass<func::FuncOp>(createCSEPass());
  manager.addNestedPass<func::FuncOp>(createTPInsertReshards());
  if (options.window)
    manager.addNestedPass<func::FuncOp>(
        nn::createNNWindowCollectives({options.machine}));
  if (options.verify)
    manager.addPass(createTPKeepProgram());
  manager.addNestedPass<func::FuncOp>(createTPPartition());
  verify(/*isLast=*/false);
  manager.addNestedPass<func::FuncOp>(createTPSimplifyCollectives());
  manager.addNestedPass<func::FuncOp>(createTPMergeCollectives());
  if (options.overlap || options.window) {
    manager.addNestedPass<func::FuncOp>(createTPSplitCollectives());
    manager.addNestedPass<func::FuncOp>(
        createTPScheduleCollectives({options.machine}));
  }
  verify(/*isLast=*/true);
  if (isCompared)
    manager.addPass(createPlanCompare());
}

void tp::registerShardPipeline() {
  PassPipelineRegistration<ShardOptions>(
      "tp-shard",
      "the whole sharding pipeline, from a global module to a "
      "checked local one",
      buildShardPipeline);
}
