//===- SplitCollectives.cpp - collectives in two halves -------------------===//
//
// Part of tp-mlir, under the Apache License v2.0.
//
//===----------------------------------------------------------------------===//

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "tp/Dialect/TP/IR/TP.h"
#include "tp/Dialect/TP/Transforms/Passes.h"

using namespace mlir;
using namespace mlir::tp;

namespace mlir::tp {
#define GEN_PASS_DEF_TPSPLITCOLLECTIVES
#include "tp/Dialect/TP/Transforms/Passes.h.inc"
} // namespace mlir::tp

namespace {

struct SplitCollectives : tp::impl::TPSplitCollectivesBase<SplitCollectives> {
  using TPSplitCollectivesBase::TPSplitCollectivesBase;

  void runOnOperation() override {
    SmallVector<CollectiveOpInterface> whole;
    getOperation().walk([&](CollectiveOpInterface op) {
      if (!isStart(op) && op.getBytesSent() >= bytes)
        whole.push_back(op);
    });
    for (CollectiveOpInterface op : whole)
      split(op);
  }

  static void split(Operation *op) {
    OpBuilder builder(op->getContext());
    builder.setInsertionPointAfter(op);
    for (OpResult result : op->getResults()) {
      auto type = cast<RankedTensorType>(result.getType());
      result.setType(PendingType::get(op->getContext(), type));
      auto wait = WaitOp::create(builder, op->getLoc(), type, result);
      result.replaceAllUsesExcept(wait.getResult(), wait);
    }
    // What was known of the tensor is not known of one that is pending.
    op->removeAttr(kShardingsName);
  }
};

} // namespace
