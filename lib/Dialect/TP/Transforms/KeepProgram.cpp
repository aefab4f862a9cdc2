//===- KeepProgram.cpp - keeps the global program to compare with ---------===//
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
#define GEN_PASS_DEF_TPKEEPPROGRAM
#include "tp/Dialect/TP/Transforms/Passes.h.inc"
} // namespace mlir::tp

namespace {

struct KeepProgram : tp::impl::TPKeepProgramBase<KeepProgram> {
  void runOnOperation() override {
    ModuleOp module = getOperation();
    for (ProgramOp old : llvm::make_early_inc_range(module.getOps<ProgramOp>()))
      old.erase();
    auto builder = OpBuilder::atBlockEnd(module.getBody());
    auto program = ProgramOp::create(builder, module.getLoc());
    OpBuilder inside(builder.getContext());
    inside.createBlock(&program.getBody());
    for (Operation &op : *module.getBody()) {
      auto function = dyn_cast<func::FuncOp>(op);
      if (isa<MeshOp>(op) || (function && !function.isExternal()))
        inside.clone(op);
    }
    // Only the graph is compared: what propagation said has served.
    program.walk([](Operation *op) { op->removeAttr(kShardingsName); });
  }
};

} // namespace
