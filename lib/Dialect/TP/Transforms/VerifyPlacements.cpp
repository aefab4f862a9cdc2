//===- VerifyPlacements.cpp - proves a local program ----------------------===//
//
// Part of tp-mlir, under the Apache License v2.0.
//
//===----------------------------------------------------------------------===//

#include "tp/Dialect/TP/Transforms/FactorAxes.h"
#include "tp/Dialect/TP/Transforms/Passes.h"
#include "tp/Dialect/TP/Transforms/PlacementProver.h"

using namespace mlir;
using namespace mlir::tp;

namespace mlir::tp {
#define GEN_PASS_DEF_TPVERIFYPLACEMENTS
#include "tp/Dialect/TP/Transforms/Passes.h.inc"
} // namespace mlir::tp

namespace {

struct VerifyPlacements : tp::impl::TPVerifyPlacementsBase<VerifyPlacements> {
  void runOnOperation() override {
    if (failed(runOnMesh<PlacementProver>(getOperation(), checkVerifiable)))
      signalPassFailure();
    markAllAnalysesPreserved();
  }
};

} // namespace
