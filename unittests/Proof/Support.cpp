//===- Support.cpp - what the proofs share --------------------------------===//
//
// Part of tp-mlir, under the Apache License v2.0.
//
//===----------------------------------------------------------------------===//

#include "Support.h"
#include "tp/Dialect/NN/Transforms/Passes.h"
#include "tp/Dialect/TP/Transforms/Passes.h"
#include "tp/InitAll.h"

using namespace mlir;
using namespace mlir::tp;
using namespace mlir::tp::proof;

std::unique_ptr<MLIRContext> proof::makeContext() {
  DialectRegistry registry;
  registerAllDialects(registry);
  auto context =
      std::make_unique<MLIRContext>(registry, MLIRContext::Threading::DISABLED);
  context->loadAllAvailableDialects();
  return context;
}

static void addWindows(OpPassManager &functions) {
  nn::NNWindowCollectivesOptions options;
  options.machine =
      "memory=1e9,compute=1e-6,link=0.001,latency=0,reduce-latency=0";
  functions.addPass(nn::createNNWindowCollectives(options));
}

void proof::addOverlap(OpPassManager &functions) {
  functions.addPass(createTPSplitCollectives());
  TPScheduleCollectivesOptions options;
  options.machine = "memory=0.1,link=0.01,latency=0.1";
  functions.addPass(createTPScheduleCollectives(options));
}

Passes::Passes(MLIRContext &context, Extra extra)
    : sharding(&context), verification(&context) {
  auto add = [&](std::unique_ptr<Pass> pass) {
    sharding.nest<func::FuncOp>().addPass(std::move(pass));
  };
  if (extra == Extra::Normalise)
    add(nn::createNNNormalise());
  sharding.addPass(createTPPropagate());
  add(createTPDecompose());
  sharding.addPass(createTPPropagate());
  add(createTPInsertReshards());
  if (extra == Extra::Overlap)
    addWindows(sharding.nest<func::FuncOp>());
  sharding.addPass(createTPKeepProgram());
  add(createTPPartition());
  add(createTPSimplifyCollectives());
  add(createTPMergeCollectives());
  if (extra == Extra::Overlap)
    addOverlap(sharding.nest<func::FuncOp>());
  add(createTPVerifyPlacements());
  sharding.addPass(createTPVerifyErasure({/*drop=*/true}));
  verification.nest<func::FuncOp>().addPass(createTPVerifyPlacements());
}

LogicalResult Passes::run(PassManager &passes, ModuleOp module,
                          std::string &messages) {
  ScopedDiagnosticHandler handler(module.getContext(),
                                  [&](Diagnostic &diagnostic) {
                                    messages += diagnostic.str() + "\n";
                                    return success();
                                  });
  return passes.run(module);
}

LogicalResult Passes::shard(ModuleOp module, std::string &messages) {
  return run(sharding, module, messages);
}

LogicalResult Passes::verify(ModuleOp module, std::string &messages) {
  return run(verification, module, messages);
}

Tensor proof::randomTensor(Type type, int low, int high,
                           std::mt19937 &generator) {
  Tensor tensor(shapeOf(type));
  bool isBit = getElementTypeOrSelf(type).isInteger(1);
  int first = isBit ? 0 : low, count = isBit ? 2 : high - low + 1;
  for (double &x : tensor.data)
    x = first + int(generator() % unsigned(count));
  return tensor;
}

unsigned proof::setting(const char *name, unsigned otherwise) {
  const char *text = std::getenv(name);
  return text ? unsigned(std::strtoul(text, nullptr, 10)) : otherwise;
}

std::string proof::toText(ModuleOp module) {
  std::string text;
  llvm::raw_string_ostream os(text);
  module.print(os);
  return text;
}

func::FuncOp proof::functionOf(ModuleOp module) {
  return *module.getOps<func::FuncOp>().begin();
}
