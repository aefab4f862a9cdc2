//===- Pipeline.cpp - --tp-shard ------------------------------------------===//
//
// Part of tp-mlir, under the Apache License v2.0.
//
//===----------------------------------------------------------------------===//

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Pass/PassManager.h"
#include "mlir/Pass/PassRegistry.h"
#include "tp/Dialect/NN/Transforms/Passes.h"
#include "tp/Dialect/TP/Transforms/Passes.h"
#include "tp/Plan/Passes.h"

using namespace mlir;
using namespace mlir::tp;

void tp::buildShardPipeline(OpPassManager &manager,
                            const ShardOptions &options) {
  manager.addPass(createPlanApply({options.mesh, options.plan}));
  manager.addNestedPass<func::FuncOp>(nn::createNNNormalise());
  manager.addPass(createPlanPlaceParameters());
  OpPassManager &functions = manager.nest<func::FuncOp>();
  functions.addPass(createTPPropagate());
  functions.addPass(createTPDecompose());
  functions.addPass(createTPPropagate());
  functions.addPass(createTPInsertReshards());
  functions.addPass(createTPPartition());
  functions.addPass(createTPMergeCollectives());
  if (options.verify)
    functions.addPass(createTPVerifyPlacements());
}

void tp::registerShardPipeline() {
  PassPipelineRegistration<ShardOptions>(
      "tp-shard",
      "the whole sharding pipeline, from a global module to a "
      "checked local one",
      buildShardPipeline);
}
