//===- tp-report.cpp - the collectives of a sharded module ----------------===//
//
// Part of tp-mlir, under the Apache License v2.0.
//
//===----------------------------------------------------------------------===//

#include "mlir/Parser/Parser.h"
#include "mlir/Support/FileUtilities.h"
#include "tp/InitAll.h"
#include "tp/Report/Report.h"
#include "tp/Support/Tool.h"
#include "llvm/Support/CommandLine.h"
#include "llvm/Support/InitLLVM.h"
#include "llvm/Support/SourceMgr.h"

using namespace mlir;

static llvm::cl::opt<std::string> input(llvm::cl::Positional,
                                        llvm::cl::desc("<sharded module>"),
                                        llvm::cl::init("-"));
static llvm::cl::opt<std::string> outputName("o", llvm::cl::desc("output file"),
                                             llvm::cl::value_desc("file"),
                                             llvm::cl::init("-"));
namespace {
enum class Format { Text, Json };
} // namespace
static llvm::cl::opt<Format>
    format("format", llvm::cl::desc("output format"),
           llvm::cl::values(clEnumValN(Format::Text, "text", "a table"),
                            clEnumValN(Format::Json, "json", "JSON, schema 1")),
           llvm::cl::init(Format::Text));

static llvm::cl::opt<std::string> machine(
    "machine", llvm::cl::value_desc("file"),
    llvm::cl::desc("a machine description (docs/machines.md), or numbers of "
                   "the default such as link=100,compute=300"));

int main(int argc, char **argv) {
  llvm::InitLLVM init(argc, argv);
  if (!tp::parseCommandLine(
          argc, argv,
          "prints the collectives and the memory of a sharded module\n"))
    return 1;
  DialectRegistry registry;
  tp::registerAllDialects(registry);
  MLIRContext context(registry);
  context.printOpOnDiagnostic(false);

  std::string message;
  std::unique_ptr<llvm::MemoryBuffer> buffer = openInputFile(input, &message);
  if (!buffer) {
    tp::printError(message);
    return 1;
  }
  llvm::SourceMgr sources;
  sources.AddNewSourceBuffer(std::move(buffer), llvm::SMLoc());
  SourceMgrDiagnosticHandler handler(sources, &context);
  OwningOpRef<ModuleOp> module = parseSourceFile<ModuleOp>(sources, &context);
  if (!module)
    return 1;
  tp::ReportOptions options;
  FailureOr<tp::Machine> described = tp::Machine::read(machine, *module);
  if (failed(described))
    return 1;
  options.machine = *described;
  FailureOr<tp::Report> report = tp::buildReport(*module, options);
  if (failed(report))
    return 1;
  bool written = tp::writeOutput(outputName, [&](raw_ostream &os) {
    format == Format::Json ? tp::printJson(*report, os)
                           : tp::printText(*report, os);
  });
  return written ? 0 : 1;
}
