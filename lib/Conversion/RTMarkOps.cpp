//===- RTMarkOps.cpp - marks where calls and launches begin ---------------===//
//
// Part of tp-mlir, under the Apache License v2.0.
//
//===----------------------------------------------------------------------===//

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "tp/Conversion/Passes.h"
#include "tp/Dialect/RT/IR/RT.h"

namespace mlir::tp {
#define GEN_PASS_DEF_RTMARKOPS
#include "tp/Conversion/Passes.h.inc"
} // namespace mlir::tp

using namespace mlir;
using namespace mlir::tp;

/// Whether an op takes time: addresses and coordinates do not.
static bool isSpan(Operation &op) {
  return isa<rt::RuntimeCallOpInterface, rt::LaunchOp>(op);
}

static void addMark(Operation &op) {
  OpBuilder builder(&op);
  rt::OriginAttr origin = rt::findOrigin(op.getLoc());
  auto collective = dyn_cast<rt::CollectiveOp>(op);
  auto launch = dyn_cast<rt::LaunchOp>(op);
  StringRef module = origin       ? origin.getModule()
                     : collective ? collective.getName()
                                  : moduleOf(op.getLoc());
  rt::MarkOp::create(builder, op.getLoc(),
                     builder.getStringAttr(
                         origin ? origin.getOp() : op.getName().getStringRef()),
                     builder.getStringAttr(module),
                     collective ? builder.getI64IntegerAttr(collective.getId())
                                : IntegerAttr(),
                     launch ? launch.getKernelAttr() : FlatSymbolRefAttr());
}

namespace {

struct RTMarkOpsPass : public tp::impl::RTMarkOpsBase<RTMarkOpsPass> {
  void runOnOperation() override {
    func::FuncOp function = getOperation();
    if (function.isDeclaration() || function->hasAttr(rt::kKernelName) ||
        function->hasAttr(rt::kMarkedName))
      return;
    for (Operation &op : llvm::make_early_inc_range(function.getOps()))
      if (isSpan(op))
        addMark(op);
    function->setAttr(rt::kMarkedName, UnitAttr::get(&getContext()));
  }
};

} // namespace
