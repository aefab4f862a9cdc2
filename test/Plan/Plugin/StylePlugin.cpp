//===- StylePlugin.cpp - a plugin that adds styles ------------------------===//
//
// Part of tp-mlir, under the Apache License v2.0.
//
//===----------------------------------------------------------------------===//

#include "mlir/Tools/Plugins/PassPlugin.h"
#include "tp/Plan/Style.h"

using namespace mlir;

/// A new style, one that takes the place of another, and one that must not.
static void registerStyles() {
  tp::Style style;
  style.name = "plugin_rows";
  style.origin = "StylePlugin";
  style.summary = "rows of a weight are shared out";
  style.weight = tp::Layout::shard(0);
  tp::registerStyle(style);
  style.name = "colwise_rep";
  tp::registerStyle(style, /*override=*/true);
  style.name = "rowwise";
  if (tp::registerStyle(style))
    llvm::errs() << "rowwise was replaced without being asked to\n";
}

extern "C" LLVM_ATTRIBUTE_WEAK PassPluginLibraryInfo mlirGetPassPluginInfo() {
  return {MLIR_PLUGIN_API_VERSION, "StylePlugin", LLVM_VERSION_STRING,
          registerStyles};
}
