//===- StripPlacements.cpp - back to the program of one device ------------===//
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
#define GEN_PASS_DEF_TPSTRIPPLACEMENTS
#include "tp/Dialect/TP/Transforms/Passes.h.inc"
} // namespace mlir::tp

namespace {

struct StripPlacements : tp::impl::TPStripPlacementsBase<StripPlacements> {
  void runOnOperation() override {
    ModuleOp module = getOperation();
    WalkResult result = module.walk([](Operation *op) {
      if (isa<ConstraintOp, ReshardOp>(op)) {
        op->getResult(0).replaceAllUsesWith(op->getOperand(0));
        op->erase();
        return WalkResult::advance();
      }
      bool isGlobal = isa<MeshOp>(op) || !isa<TPDialect>(op->getDialect());
      auto function = dyn_cast<FunctionOpInterface>(op);
      if (!isGlobal || (function && isLocal(function)))
        return WalkResult(op->emitError(
            "is what one device runs: there is no program of one device to go "
            "back to"));
      for (NamedAttribute attribute :
           llvm::to_vector(op->getDiscardableAttrs()))
        if (isPlacement(attribute.getName()))
          op->removeDiscardableAttr(attribute.getName());
      if (function)
        strip(function);
      return WalkResult::advance();
    });
    if (result.wasInterrupted())
      return signalPassFailure();
    for (MeshOp mesh : llvm::make_early_inc_range(module.getOps<MeshOp>()))
      mesh.erase();
  }

private:
  static bool isPlacement(StringAttr name) {
    return isa_and_nonnull<TPDialect>(name.getReferencedDialect());
  }

  static void strip(FunctionOpInterface function) {
    for (unsigned i = 0; i < function.getNumArguments(); ++i)
      for (NamedAttribute attribute : llvm::to_vector(function.getArgAttrs(i)))
        if (isPlacement(attribute.getName()))
          function.removeArgAttr(i, attribute.getName());
    for (unsigned i = 0; i < function.getNumResults(); ++i)
      for (NamedAttribute attribute :
           llvm::to_vector(function.getResultAttrs(i)))
        if (isPlacement(attribute.getName()))
          function.removeResultAttr(i, attribute.getName());
  }
};

} // namespace
