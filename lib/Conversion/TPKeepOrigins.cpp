//===- TPKeepOrigins.cpp - where ops come from, in their locations --------===//
//
// Part of tp-mlir, under the Apache License v2.0.
//
//===----------------------------------------------------------------------===//

#include "tp/Conversion/OpModules.h"
#include "tp/Conversion/Passes.h"
#include "tp/Dialect/RT/IR/RT.h"

namespace mlir::tp {
#define GEN_PASS_DEF_TPKEEPORIGINS
#include "tp/Conversion/Passes.h.inc"
} // namespace mlir::tp

using namespace mlir;
using namespace mlir::tp;

namespace {

struct TPKeepOriginsPass
    : public tp::impl::TPKeepOriginsBase<TPKeepOriginsPass> {
  void runOnOperation() override {
    func::FuncOp function = getOperation();
    // Anything but straight-line code is the next pass's to refuse.
    if (function.isDeclaration() || function->hasAttr(rt::kKernelName) ||
        !function.getBody().hasOneBlock())
      return;
    MLIRContext *context = &getContext();
    ModuleNames names(function);
    for (Operation &op : function.getBody().front()) {
      StringRef module = names.add(&op);
      auto origin =
          rt::OriginAttr::get(context, op.getName().getStringRef(), module);
      Location location = FusedLoc::get(context, {op.getLoc()}, origin);
      if (!module.empty())
        location = NameLoc::get(StringAttr::get(context, module), location);
      op.setLoc(location);
    }
  }
};

} // namespace
