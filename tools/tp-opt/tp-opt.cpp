//===- tp-opt.cpp - runs passes on model IR -------------------------------===//
//
// Part of tp-mlir, under the Apache License v2.0.
//
//===----------------------------------------------------------------------===//

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Transforms/Passes.h"
#include "mlir/Tools/mlir-opt/MlirOptMain.h"
#include "tp/Dialect/NN/IR/NN.h"
#include "tp/Dialect/NN/Transforms/Passes.h"
#include "tp/Dialect/TP/IR/TP.h"
#include "tp/Dialect/TP/Transforms/Passes.h"
#include "tp/Plan/Passes.h"

int main(int argc, char **argv) {
  mlir::DialectRegistry registry;
  registry.insert<mlir::arith::ArithDialect, mlir::math::MathDialect,
                  mlir::func::FuncDialect, mlir::nn::NNDialect,
                  mlir::tp::TPDialect>();
  mlir::tp::registerShardingModels(registry);
  mlir::registerTransformsPasses();
  mlir::nn::registerNNPasses();
  mlir::tp::registerTPPasses();
  mlir::tp::registerPlanPasses();
  mlir::tp::registerShardPipeline();
  return mlir::asMainReturnCode(
      mlir::MlirOptMain(argc, argv, "tp-mlir modular optimiser\n", registry));
}
