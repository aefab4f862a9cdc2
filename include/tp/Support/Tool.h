//===- Tool.h - what every command-line tool does ---------------*- C++ -*-===//
//
// Part of tp-mlir, under the Apache License v2.0.
//
//===----------------------------------------------------------------------===//

#ifndef TP_SUPPORT_TOOL_H
#define TP_SUPPORT_TOOL_H

#include "mlir/IR/Diagnostics.h"
#include "llvm/Support/raw_ostream.h"

namespace mlir::tp {

/// Where printError and printDiagnostic write to, standard error at first: for
/// a tool that runs as several processes, of which one tells what is wrong.
void setErrorStream(raw_ostream &os);

/// "error: ..." on the error stream.
void printError(const Twine &message);

/// Reads the command line into the tool's llvm::cl options. What is wrong is
/// one line that begins with "error:"; false then.
bool parseCommandLine(int argc, char **argv, StringRef overview);

/// Writes a file ("-" is standard output). A regular file appears whole or not
/// at all. False after printing what is wrong.
bool writeOutput(StringRef path, function_ref<void(raw_ostream &)> write);

/// Whether writeOutput could write there, for what is asked before long work.
/// False after printing what is wrong.
bool canWriteOutput(StringRef path);

/// Prints a diagnostic as "error: module: message", for tools whose users have
/// models and not IR before them. For DiagnosticEngine::registerHandler.
LogicalResult printDiagnostic(Diagnostic &diagnostic);

/// The lines that printDiagnostic prints.
void formatDiagnostic(Diagnostic &diagnostic, raw_ostream &os);

/// Prints whole lines on the error stream.
void printLines(StringRef lines);

/// A line of progress on standard error, when that is a terminal; each replaces
/// the one before.
void progress(const Twine &message);
/// Removes the line of progress.
void progressDone();

} // namespace mlir::tp

#endif // TP_SUPPORT_TOOL_H
