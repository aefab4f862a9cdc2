//===- OutputFile.h - compilers, and files that they make -------*- C++ -*-===//
//
// Part of tp-mlir, under the Apache License v2.0.
//
//===----------------------------------------------------------------------===//

#ifndef TP_LIB_EXECUTION_OUTPUTFILE_H
#define TP_LIB_EXECUTION_OUTPUTFILE_H

#include "llvm/ADT/ArrayRef.h"
#include "llvm/ADT/SmallString.h"
#include "llvm/ADT/Twine.h"
#include "llvm/Support/Error.h"
#include <string>

namespace mlir::tp {

llvm::Error makeError(const llvm::Twine &message);

/// A directory that goes away with what is in it.
class TemporaryDirectory {
public:
  ~TemporaryDirectory();
  llvm::Error create();
  std::string file(llvm::StringRef name) const;

private:
  llvm::SmallString<128> path;
};

/// Writes a file of text.
llvm::Error writeText(llvm::StringRef path, llvm::StringRef text);

/// Runs a compiler, the first of `arguments`; an error of one line, "PROGRAM
/// cannot ...: " and the first that it printed, if it fails. `log` is a file
/// for what it prints, `folder` where it runs if that is not here.
llvm::Error runCompiler(llvm::ArrayRef<llvm::StringRef> arguments,
                        llvm::StringRef log, llvm::StringRef what,
                        llvm::StringRef folder = "");

/// Copies a file to the one that was asked for, which appears whole or not at
/// all, and can be run.
llvm::Error publish(llvm::StringRef from, llvm::StringRef path);

} // namespace mlir::tp

#endif // TP_LIB_EXECUTION_OUTPUTFILE_H
