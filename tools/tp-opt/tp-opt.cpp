//===- tp-opt.cpp - runs passes on model IR -------------------------------===//
//
// Part of tp-mlir, under the Apache License v2.0.
//
//===----------------------------------------------------------------------===//

#include "mlir/Pass/PassManager.h"
#include "mlir/Support/FileUtilities.h"
#include "mlir/Tools/mlir-opt/MlirOptMain.h"
#include "tp/Cuda/Cuda.h"
#include "tp/InitAll.h"
#include "tp/Plan/Explain.h"
#include "tp/Plan/Style.h"
#include "tp/Report/ExplainPlacement.h"
#include "tp/Support/Tool.h"
#include "llvm/Support/CommandLine.h"
#include "llvm/Support/InitLLVM.h"
#include "llvm/Support/MemoryBuffer.h"

using namespace mlir;
namespace cl = llvm::cl;

namespace {
enum class Explain { No, Text, Json };
} // namespace

static cl::opt<bool>
    listStyles("tp-list-styles",
               cl::desc("Print the styles that a plan can name, and what each "
                        "asks for, instead of reading anything"));

static cl::opt<Explain> explainPlan(
    "tp-explain-plan",
    cl::desc("Write, instead of the IR, which entry of the plan matched each "
             "parameter and boundary and what it became, or a plan file with "
             "the same effect"),
    cl::ValueOptional, cl::init(Explain::No),
    cl::values(clEnumValN(Explain::Text, "", ""),
               clEnumValN(Explain::Text, "text", "for people"),
               clEnumValN(Explain::Json, "json", "a plan file")));

static cl::opt<bool> emitCuda(
    "tp-emit-cuda",
    cl::desc("Write, instead of the IR, the program that the passes leave as "
             "CUDA source; a local program, or one at the runtime level"));

static cl::opt<std::string> explainPlacement(
    "tp-explain", cl::value_desc("parameter, module or %value"),
    cl::desc("Write, instead of the IR, what gave a value its placement: op by "
             "op, from what was asked for; remarks say it at each op"));

static void printStyles(raw_ostream &os) {
  StringRef origin;
  for (const tp::Style &style : tp::StyleSet::registered().all()) {
    if (style.origin != origin) {
      os << (origin.empty() ? "" : "\n") << style.origin << "\n";
      origin = style.origin;
    }
    os << "  " << style.name;
    if (!style.arguments.empty()) {
      os << "(";
      llvm::interleaveComma(
          style.arguments, os,
          [&](const tp::Style::Argument &argument) { os << argument.name; });
      os << ")";
    }
    os << "\n    " << style.summary << "\n    asks: " << style.describe()
       << "\n";
  }
}

/// The passes of the command line, and source in place of their IR.
static LogicalResult runAndEmitCuda(raw_ostream &os,
                                    std::unique_ptr<llvm::MemoryBuffer> buffer,
                                    DialectRegistry &registry,
                                    MlirOptMainConfig config) {
  MlirOptMainConfig passes = config;
  config.setPassPipelineSetupFn([&](PassManager &manager) {
    if (failed(passes.setupPassPipeline(manager)))
      return failure();
    manager.addPass(tp::createEmitCudaPass(os));
    return success();
  });
  std::string ir;
  llvm::raw_string_ostream unused(ir);
  return MlirOptMain(unused, std::move(buffer), registry, config);
}

/// The passes of the command line, and what they made of one value.
static LogicalResult
runAndExplainPlacement(raw_ostream &os,
                       std::unique_ptr<llvm::MemoryBuffer> buffer,
                       DialectRegistry &registry, MlirOptMainConfig config) {
  tp::PlacementQuestion question;
  question.value = explainPlacement;
  MlirOptMainConfig passes = config;
  config.setPassPipelineSetupFn([&](PassManager &manager) {
    if (failed(passes.setupPassPipeline(manager)))
      return failure();
    manager.addInstrumentation(tp::makePlacementExplainer(question));
    return success();
  });
  std::string ir;
  llvm::raw_string_ostream unused(ir);
  if (failed(MlirOptMain(unused, std::move(buffer), registry, config)))
    return failure();
  return success(tp::printAnswers(question, os));
}

/// The passes of the command line, and an explanation on the way.
static LogicalResult run(raw_ostream &os,
                         std::unique_ptr<llvm::MemoryBuffer> buffer,
                         DialectRegistry &registry) {
  MlirOptMainConfig config = MlirOptMainConfig::createFromCLOptions();
  if (emitCuda)
    return runAndEmitCuda(os, std::move(buffer), registry, config);
  if (!explainPlacement.empty())
    return runAndExplainPlacement(os, std::move(buffer), registry, config);
  if (explainPlan == Explain::No)
    return MlirOptMain(os, std::move(buffer), registry, config);
  std::vector<tp::PlanExplanation> explanations;
  MlirOptMainConfig passes = config;
  config.setPassPipelineSetupFn([&](PassManager &manager) {
    if (failed(passes.setupPassPipeline(manager)))
      return failure();
    manager.addInstrumentation(tp::makePlanExplainer(explanations));
    return success();
  });
  std::string ir;
  llvm::raw_string_ostream unused(ir);
  if (failed(MlirOptMain(unused, std::move(buffer), registry, config)))
    return failure();
  if (explanations.empty()) {
    tp::printError(
        "--tp-explain-plan needs a plan to explain: give --tp-shard, "
        "or --tp-apply-plan and --tp-place-parameters");
    return failure();
  }
  for (const tp::PlanExplanation &explanation : explanations)
    if (explainPlan == Explain::Json)
      explanation.printJson(os);
    else
      explanation.printText(os);
  return success();
}

int main(int argc, char **argv) {
  llvm::InitLLVM init(argc, argv);
  DialectRegistry registry;
  tp::registerAllDialects(registry);
  tp::registerSourceModels(registry);
  tp::registerAllPasses();
  auto [input, output] = registerAndParseCLIOptions(
      argc, argv, "tp-mlir optimiser driver\n", registry);

  // Into memory first, so that no output is left half-written.
  std::string text;
  llvm::raw_string_ostream os(text);
  if (listStyles) {
    printStyles(os);
  } else {
    std::string message;
    std::unique_ptr<llvm::MemoryBuffer> buffer = openInputFile(input, &message);
    if (!buffer) {
      tp::printError(message);
      return EXIT_FAILURE;
    }
    if (failed(run(os, std::move(buffer), registry)))
      return EXIT_FAILURE;
  }
  bool written =
      tp::writeOutput(output, [&](raw_ostream &file) { file << text; });
  return written ? EXIT_SUCCESS : EXIT_FAILURE;
}
