//===- tp-opt.cpp - runs passes on model IR -------------------------------===//
//
// Part of tp-mlir, under the Apache License v2.0.
//
//===----------------------------------------------------------------------===//

#include "mlir/Support/FileUtilities.h"
#include "mlir/Tools/mlir-opt/MlirOptMain.h"
#include "tp/InitAll.h"
#include "tp/Support/Tool.h"
#include "llvm/Support/InitLLVM.h"
#include "llvm/Support/MemoryBuffer.h"

using namespace mlir;

int main(int argc, char **argv) {
  llvm::InitLLVM init(argc, argv);
  DialectRegistry registry;
  tp::registerAllDialects(registry);
  tp::registerAllPasses();
  auto [input, output] = registerAndParseCLIOptions(
      argc, argv, "tp-mlir optimiser driver\n", registry);

  std::string message;
  std::unique_ptr<llvm::MemoryBuffer> buffer = openInputFile(input, &message);
  if (!buffer) {
    tp::printError(message);
    return EXIT_FAILURE;
  }
  // Into memory first, so that no output is left half-written.
  std::string text;
  llvm::raw_string_ostream os(text);
  if (failed(MlirOptMain(os, std::move(buffer), registry,
                         MlirOptMainConfig::createFromCLOptions())))
    return EXIT_FAILURE;
  bool written =
      tp::writeOutput(output, [&](raw_ostream &file) { file << text; });
  return written ? EXIT_SUCCESS : EXIT_FAILURE;
}
