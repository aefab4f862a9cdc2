//===- OutputFile.cpp - compilers, and files that they make ---------------===//
//
// Part of tp-mlir, under the Apache License v2.0.
//
//===----------------------------------------------------------------------===//

#include "OutputFile.h"
#include "mlir/Support/LLVM.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/MemoryBuffer.h"
#include "llvm/Support/Path.h"
#include "llvm/Support/Program.h"
#include "llvm/Support/raw_ostream.h"

using namespace mlir;
using namespace mlir::tp;
namespace fs = llvm::sys::fs;

llvm::Error tp::makeError(const Twine &message) {
  return llvm::createStringError(llvm::inconvertibleErrorCode(), message);
}

TemporaryDirectory::~TemporaryDirectory() {
  if (path.empty())
    return;
  // One that cannot be removed is left behind.
  std::error_code ignored = fs::remove_directories(path);
  (void)ignored;
}

llvm::Error TemporaryDirectory::create() {
  if (std::error_code code = fs::createUniqueDirectory("tp-compile", path)) {
    path.clear();
    return makeError("cannot make a temporary directory: " + code.message());
  }
  return llvm::Error::success();
}

std::string TemporaryDirectory::file(StringRef name) const {
  SmallString<128> whole(path);
  llvm::sys::path::append(whole, name);
  return std::string(whole);
}

llvm::Error tp::writeText(StringRef path, StringRef text) {
  std::error_code code;
  llvm::raw_fd_ostream file(path, code);
  if (!code) {
    file << text;
    file.close();
    code = file.error();
    file.clear_error();
  }
  if (!code)
    return llvm::Error::success();
  return makeError("cannot write \"" + path + "\": " + code.message());
}

/// The first line that a program printed, for a message of one line.
static std::string firstLineOf(StringRef path) {
  auto buffer = llvm::MemoryBuffer::getFile(path);
  StringRef text = buffer ? (*buffer)->getBuffer() : "";
  std::string line = text.ltrim().split('\n').first.str();
  return line.empty() ? "it does not say why" : line;
}

llvm::Error tp::runCompiler(ArrayRef<StringRef> arguments, StringRef log,
                            StringRef what, StringRef folder) {
  SmallVector<StringRef> whole(arguments);
  if (!folder.empty())
    whole.insert(whole.begin(),
                 {"/bin/sh", "-c", "cd \"$0\" && exec \"$@\"", folder});
  std::optional<StringRef> redirects[] = {StringRef(""), log, log};
  std::string message;
  int status = llvm::sys::ExecuteAndWait(whole.front(), whole, std::nullopt,
                                         redirects, 0, 0, &message);
  if (status == 0)
    return llvm::Error::success();
  return makeError(arguments.front() + " " + what + ": " +
                   (message.empty() ? firstLineOf(log) : message));
}

/// To the file that was asked for, which appears whole or not at all.
llvm::Error tp::publish(StringRef from, StringRef path) {
  auto temporary = fs::TempFile::create(
      path + ".tmp-%%%%%%%%", fs::all_read | fs::all_write | fs::all_exe);
  if (!temporary)
    return makeError("cannot write \"" + path +
                     "\": " + llvm::toString(temporary.takeError()));
  std::error_code code = fs::copy_file(from, temporary->FD);
  if (code) {
    llvm::consumeError(temporary->discard());
    return makeError("cannot write \"" + path + "\": " + code.message());
  }
  if (llvm::Error error = temporary->keep(path))
    return makeError("cannot write \"" + path +
                     "\": " + llvm::toString(std::move(error)));
  return llvm::Error::success();
}
