//===- tp-import.cpp - checkpoints to nn graphs ---------------------------===//
//
// Part of tp-mlir, under the Apache License v2.0.
//
//===----------------------------------------------------------------------===//

#include "mlir/IR/Diagnostics.h"
#include "mlir/IR/MLIRContext.h"
#include "tp/Import/Import.h"
#include "llvm/Support/CommandLine.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/InitLLVM.h"
#include "llvm/Support/Path.h"
#include "llvm/Support/Process.h"

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
static cl::opt<int64_t>
    topK("top-k", cl::init(1), cl::value_desc("n"),
         cl::desc("How many of the best tokens a step answers"),
         cl::cat(category));

/// "error: FILE: message": importer diagnostics name their file themselves.
static LogicalResult printDiagnostic(Diagnostic &diagnostic) {
  switch (diagnostic.getSeverity()) {
  case DiagnosticSeverity::Error:
    llvm::errs() << "error: ";
    break;
  case DiagnosticSeverity::Warning:
    llvm::errs() << "warning: ";
    break;
  case DiagnosticSeverity::Remark:
    llvm::errs() << "remark: ";
    break;
  case DiagnosticSeverity::Note:
    llvm::errs() << "note: ";
    break;
  }
  if (!isa<UnknownLoc>(diagnostic.getLocation()))
    llvm::errs() << diagnostic.getLocation() << ": ";
  llvm::errs() << diagnostic << '\n';
  return success();
}

static void print(ModuleOp module, raw_ostream &os) {
  // Locations name the module that an op belongs to.
  module.print(os, OpPrintingFlags().enableDebugInfo());
  os << '\n';
}

/// Prints to an open file; the error, if any, is the caller's to report.
static llvm::Error printTo(ModuleOp module, int descriptor) {
  llvm::raw_fd_ostream os(descriptor, /*shouldClose=*/false);
  print(module, os);
  os.flush();
  std::error_code ec = os.error();
  os.clear_error();
  return llvm::errorCodeToError(ec);
}

/// Writes beside the file and renames, so that none is left half-written.
static llvm::Error replace(ModuleOp module, StringRef path) {
  llvm::Expected<llvm::sys::fs::TempFile> file =
      llvm::sys::fs::TempFile::create(path + ".tmp-%%%%%%%%");
  if (!file)
    return file.takeError();
  if (llvm::Error error = printTo(module, file->FD)) {
    llvm::consumeError(file->discard());
    return error;
  }
  return file->keep(path);
}

/// Only a regular file may be replaced: a device or a pipe is written to, and
/// so is what a link points to.
static llvm::Error write(ModuleOp module, StringRef path) {
  namespace fs = llvm::sys::fs;
  SmallString<256> target(path);
  if (std::error_code ec = fs::real_path(path, target))
    target = path;
  if (!fs::exists(target) || fs::is_regular_file(target))
    return replace(module, target);
  int descriptor = -1;
  if (std::error_code ec = fs::openFileForWrite(
          target, descriptor, fs::CD_OpenExisting, fs::OF_None))
    return llvm::errorCodeToError(ec);
  llvm::Error error = printTo(module, descriptor);
  std::error_code ec =
      llvm::sys::Process::SafelyCloseFileDescriptor(descriptor);
  return llvm::joinErrors(std::move(error), llvm::errorCodeToError(ec));
}

static LogicalResult writeOutput(ModuleOp module) {
  if (outputPath == "-") {
    print(module, llvm::outs());
    llvm::outs().flush();
    if (!llvm::outs().has_error())
      return success();
    llvm::errs() << "error: <stdout>: " << llvm::outs().error().message()
                 << '\n';
    llvm::outs().clear_error();
    return failure();
  }
  llvm::Error error = write(module, outputPath);
  if (!error)
    return success();
  llvm::errs() << "error: " << outputPath << ": "
               << llvm::toString(std::move(error)) << '\n';
  return failure();
}

int main(int argc, char **argv) {
  llvm::InitLLVM init(argc, argv);
  cl::HideUnrelatedOptions(category);
  cl::ParseCommandLineOptions(
      argc, argv, "Imports a model as an nn graph on global tensors\n");

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
  ScopedDiagnosticHandler handler(&context, printDiagnostic);
  FailureOr<OwningOpRef<ModuleOp>> module =
      tp::importModel(modelPath, options, &context);
  if (failed(module) || failed(writeOutput(**module)))
    return EXIT_FAILURE;
  return EXIT_SUCCESS;
}
