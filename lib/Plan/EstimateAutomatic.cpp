//===- EstimateAutomatic.cpp - what the automatic plan would cost ---------===//
//
// Part of tp-mlir, under the Apache License v2.0.
//
//===----------------------------------------------------------------------===//

#include "PlanCost.h"
#include "mlir/Pass/PassManager.h"
#include "tp/Dialect/TP/IR/TP.h"
#include "tp/Plan/Passes.h"
#include "tp/Plan/PlanFile.h"

using namespace mlir;
using namespace mlir::tp;

namespace mlir::tp {
#define GEN_PASS_DEF_PLANESTIMATEAUTOMATIC
#include "tp/Plan/Passes.h.inc"
} // namespace mlir::tp

namespace {

struct EstimateAutomatic
    : tp::impl::PlanEstimateAutomaticBase<EstimateAutomatic> {
  using PlanEstimateAutomaticBase::PlanEstimateAutomaticBase;

  void runOnOperation() override {
    if (plan == "auto" || plan == "none")
      return;
    // What is wrong with the plan or the module, the passes that follow say.
    ScopedDiagnosticHandler silence(&getContext(),
                                    [](Diagnostic &) { return success(); });
    FailureOr<PlanFile> file = readPlan(
        plan, [&] { return emitError(UnknownLoc::get(&getContext())); });
    if (failed(file) || file->isAutomatic)
      return;
    OwningOpRef<ModuleOp> copy(getOperation().clone());
    ShardOptions options;
    options.mesh = mesh;
    options.plan = plan;
    options.verify = options.compare = false;
    options.automatic = true;
    PassManager manager(&getContext(), ModuleOp::getOperationName());
    buildShardPipeline(manager, options);
    if (succeeded(manager.run(*copy)))
      getOperation()->setAttr(kAutomaticCostName,
                              costOf(*copy).toAttribute(&getContext()));
  }
};

} // namespace
