//===- Tool.cpp - what every command-line tool does -----------------------===//
//
// Part of tp-mlir, under the Apache License v2.0.
//
//===----------------------------------------------------------------------===//

#include "tp/Support/Tool.h"
#include "tp/Interfaces/ShardingRule.h"
#include "llvm/Support/CommandLine.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/Process.h"

using namespace mlir;
using namespace mlir::tp;
namespace fs = llvm::sys::fs;

//===----------------------------------------------------------------------===//
// Standard error
//===----------------------------------------------------------------------===//

static bool showsProgress = false;

void tp::progress(const Twine &message) {
  if (!llvm::sys::Process::StandardErrIsDisplayed())
    return;
  llvm::errs() << "\r\x1b[K" << message;
  showsProgress = true;
}

void tp::progressDone() {
  if (showsProgress)
    llvm::errs() << "\r\x1b[K";
  showsProgress = false;
}

static raw_ostream *errorStream = nullptr;

void tp::setErrorStream(raw_ostream &os) { errorStream = &os; }

static raw_ostream &errors() {
  return errorStream ? *errorStream : llvm::errs();
}

void tp::printError(const Twine &message) {
  progressDone();
  errors() << "error: " << message << "\n";
}

static StringRef nameOf(DiagnosticSeverity severity) {
  switch (severity) {
  case DiagnosticSeverity::Error:
    return "error";
  case DiagnosticSeverity::Warning:
    return "warning";
  case DiagnosticSeverity::Remark:
    return "remark";
  case DiagnosticSeverity::Note:
    break;
  }
  return "note";
}

void tp::formatDiagnostic(Diagnostic &diagnostic, raw_ostream &os) {
  os << nameOf(diagnostic.getSeverity()) << ": ";
  if (StringRef module = moduleOf(diagnostic.getLocation()); !module.empty())
    os << module << ": ";
  os << diagnostic << "\n";
  for (Diagnostic &note : diagnostic.getNotes())
    formatDiagnostic(note, os);
}

LogicalResult tp::printDiagnostic(Diagnostic &diagnostic) {
  progressDone();
  formatDiagnostic(diagnostic, errors());
  return success();
}

void tp::printLines(StringRef lines) {
  progressDone();
  errors() << lines;
}

//===----------------------------------------------------------------------===//
// Command lines and files
//===----------------------------------------------------------------------===//

bool tp::parseCommandLine(int argc, char **argv, StringRef overview) {
  std::string text;
  llvm::raw_string_ostream os(text);
  if (llvm::cl::ParseCommandLineOptions(argc, argv, overview, &os))
    return true;
  // LLVM begins with the program's name and may add hints on further lines.
  StringRef line = StringRef(text).ltrim().split('\n').first;
  line.consume_front(StringRef(argv[0]));
  if (size_t colon = line.find(": "); colon == 0)
    line = line.drop_front(2);
  printError(line);
  return false;
}

/// Prints to an open file; the error, if any, is the caller's to report.
static llvm::Error printTo(int descriptor,
                           function_ref<void(raw_ostream &)> write) {
  llvm::raw_fd_ostream os(descriptor, /*shouldClose=*/false);
  write(os);
  os.flush();
  std::error_code code = os.error();
  os.clear_error();
  return llvm::errorCodeToError(code);
}

/// Writes beside the file and renames, so that none is left half-written.
static llvm::Error replace(StringRef path,
                           function_ref<void(raw_ostream &)> write) {
  llvm::Expected<fs::TempFile> file =
      fs::TempFile::create(path + ".tmp-%%%%%%%%");
  if (!file)
    return file.takeError();
  if (llvm::Error error = printTo(file->FD, write)) {
    llvm::consumeError(file->discard());
    return error;
  }
  return file->keep(path);
}

/// Only a regular file may be replaced: a device or a pipe is written to, and
/// so is what a link points to.
static llvm::Error writeFile(StringRef path,
                             function_ref<void(raw_ostream &)> write) {
  SmallString<256> target(path);
  if (fs::real_path(path, target))
    target = path;
  if (!fs::exists(target) || fs::is_regular_file(target))
    return replace(target, write);
  int descriptor = -1;
  if (std::error_code code = fs::openFileForWrite(
          target, descriptor, fs::CD_OpenExisting, fs::OF_None))
    return llvm::errorCodeToError(code);
  llvm::Error error = printTo(descriptor, write);
  // What was written late may fail as late as here.
  std::error_code code =
      llvm::sys::Process::SafelyCloseFileDescriptor(descriptor);
  return llvm::joinErrors(std::move(error), llvm::errorCodeToError(code));
}

/// True if there is nothing to report.
static bool reportUnwritable(StringRef path, llvm::Error error) {
  if (!error)
    return true;
  printError("cannot write \"" + path +
             "\": " + llvm::toString(std::move(error)));
  return false;
}

/// Tries what writeFile would do first, and leaves nothing behind.
static llvm::Error tryFile(StringRef path) {
  SmallString<256> target(path);
  if (fs::real_path(path, target))
    target = path;
  if (fs::is_directory(target))
    return llvm::errorCodeToError(
        std::make_error_code(std::errc::is_a_directory));
  if (fs::exists(target) && !fs::is_regular_file(target))
    return llvm::errorCodeToError(fs::access(target, fs::AccessMode::Write));
  llvm::Expected<fs::TempFile> file =
      fs::TempFile::create(target + ".tmp-%%%%%%%%");
  return file ? file->discard() : file.takeError();
}

bool tp::canWriteOutput(StringRef path) {
  return path == "-" || reportUnwritable(path, tryFile(path));
}

static llvm::Error
writeStandardOutput(function_ref<void(raw_ostream &)> write) {
  write(llvm::outs());
  llvm::outs().flush();
  std::error_code code = llvm::outs().error();
  llvm::outs().clear_error();
  return llvm::errorCodeToError(code);
}

bool tp::writeOutput(StringRef path, function_ref<void(raw_ostream &)> write) {
  llvm::Error error =
      path == "-" ? writeStandardOutput(write) : writeFile(path, write);
  return reportUnwritable(path, std::move(error));
}
