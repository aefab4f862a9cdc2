//===- tp-import.cpp - checkpoints to nn graphs ---------------------------===//
//
// Part of tp-mlir, under the Apache License v2.0.
//
//===----------------------------------------------------------------------===//

#include "mlir/IR/MLIRContext.h"
#include "tp/Dialect/NN/IR/NN.h"
#include "tp/Import/Import.h"
#include "tp/Support/Tool.h"
#include "llvm/Support/CommandLine.h"
#include "llvm/Support/InitLLVM.h"
#include "llvm/Support/Path.h"

using namespace mlir;
namespace cl = llvm::cl;

static cl::OptionCategory category("tp-import options");

static cl::opt<std::string> modelPath(cl::Positional, cl::Required,
                                      cl::desc("<GGUF file or directory>"),
                                      cl::cat(category));
static cl::opt<std::string> outputPath("o", cl::init("-"),
                                       cl::value_desc("file"),
                                       cl::desc("Where to write the module"),
                                       cl::cat(category));
static cl::opt<std::string>
    entry("entry", cl::init("forward"), cl::value_desc("forward|generate"),
          cl::desc("Logits of a sequence, or prefill and decode steps"),
          cl::cat(category));
static cl::opt<int64_t> batch("batch", cl::init(1), cl::value_desc("n"),
                              cl::desc("Sequences at a time"),
                              cl::cat(category));
static cl::opt<int64_t>
    sequence("seq", cl::init(0), cl::value_desc("n"),
             cl::desc("Tokens of a sequence, or of a prefill chunk"),
             cl::cat(category));
static cl::opt<int64_t> maxSequence("max-seq", cl::init(0), cl::value_desc("n"),
                                    cl::desc("Tokens that the cache holds"),
                                    cl::cat(category));
static cl::opt<std::string>
    dtype("dtype", cl::init("auto"), cl::value_desc("auto|f64|f32|bf16"),
          cl::desc("Type to compute in; auto is the checkpoint's"),
          cl::cat(category));
static cl::opt<bool> dequantise(
    "dequantise",
    cl::desc("Weights are widened when they are loaded, instead of staying as "
             "their file stores them"),
    cl::cat(category));
static cl::opt<int64_t>
    topK("top-k", cl::init(1), cl::value_desc("n"),
         cl::desc("How many of the best tokens a step answers"),
         cl::cat(category));

static void print(ModuleOp module, raw_ostream &os) {
  // Locations name the module that an op belongs to.
  module.print(os, OpPrintingFlags().enableDebugInfo());
  os << '\n';
}

int main(int argc, char **argv) {
  llvm::InitLLVM init(argc, argv);
  cl::HideUnrelatedOptions(category);
  if (!tp::parseCommandLine(
          argc, argv, "Imports a model as an nn graph on global tensors\n"))
    return EXIT_FAILURE;

  tp::ImportOptions options;
  options.entry = entry;
  options.batch = batch;
  options.sequence = sequence;
  options.maxSequence = maxSequence;
  options.dtype = dtype;
  options.topK = topK;
  if (outputPath != "-")
    options.baseDirectory = llvm::sys::path::parent_path(outputPath).str();

  MLIRContext context(MLIRContext::Threading::DISABLED);
  ScopedDiagnosticHandler handler(&context, tp::printDiagnostic);
  FailureOr<OwningOpRef<ModuleOp>> module =
      tp::importModel(modelPath, options, &context);
  if (failed(module))
    return EXIT_FAILURE;
  if (dequantise)
    nn::forgetStored(**module);
  bool written = tp::writeOutput(outputPath,
                                 [&](raw_ostream &os) { print(**module, os); });
  return written ? EXIT_SUCCESS : EXIT_FAILURE;
}
