//===- InitAll.h - all dialects, interfaces and passes ----------*- C++ -*-===//
//
// Part of tp-mlir, under the Apache License v2.0.
//
//===----------------------------------------------------------------------===//
//
// What a tool registers, once, so that every stage of a module can be read and
// every op has its interfaces.
//
//===----------------------------------------------------------------------===//

#ifndef TP_INITALL_H
#define TP_INITALL_H

#include "mlir/Transforms/Passes.h"
#include "tp/Conversion/Passes.h"
#include "tp/Dialect/NN/IR/NN.h"
#include "tp/Dialect/NN/Transforms/Passes.h"
#include "tp/Dialect/TP/IR/TP.h"
#include "tp/Dialect/TP/Transforms/Passes.h"
#include "tp/Plan/Passes.h"

namespace mlir::tp {

inline void registerAllDialects(DialectRegistry &registry) {
  registerLowering(registry);
  registerShardingModels(registry);
  nn::registerDerivativeModels(registry);
}

inline void registerAllPasses() {
  mlir::registerTransformsPasses();
  nn::registerNNPasses();
  registerTPPasses();
  registerPlanPasses();
  registerShardPipeline();
  registerConversionPasses();
}

} // namespace mlir::tp

#endif // TP_INITALL_H
