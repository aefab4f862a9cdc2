//===- JitProgram.h - a program compiled in this process --------*- C++ -*-===//
//
// Part of tp-mlir, under the Apache License v2.0.
//
//===----------------------------------------------------------------------===//

#ifndef TP_EXECUTION_JITPROGRAM_H
#define TP_EXECUTION_JITPROGRAM_H

#include "tp/Conversion/Passes.h"
#include "llvm/ADT/StringMap.h"
#include <memory>
#include <string>

namespace llvm::orc {
class LLJIT;
} // namespace llvm::orc

namespace mlir::tp {

struct JitOptions {
  /// How hard kernels are optimised, 0 to 3. Entries only call and never are.
  unsigned optimisation = 3;
  /// Whether the program can give a timeline of its runs.
  Marks marks = Marks::None;
  /// Functions by name, preferred to those of the runtime library: for tests.
  llvm::StringMap<void *> symbols;
};

/// Machine code for this host, and the manifest that goes with it. What
/// tprt_session_create wants is `manifest()` and a lookup through `lookup`.
class JitProgram {
public:
  /// Compiles a local program, or one at the runtime level; `module` is not
  /// changed. Its context must have what registerLowering registers. Fails with
  /// diagnostics on the ops at fault.
  static FailureOr<std::unique_ptr<JitProgram>>
  compile(ModuleOp module, const JitOptions &options = {});
  ~JitProgram();

  const std::string &manifest() const { return manifestText; }

  /// The address of an entry; null if the program has none of this name. May be
  /// called from any thread.
  void *lookup(StringRef symbol) const;

private:
  JitProgram();

  std::string manifestText;
  /// Kernels are optimised; entries, which call them, are compiled cheaply.
  std::unique_ptr<llvm::orc::LLJIT> kernelJit, entryJit;
  /// The entries' addresses, found once.
  llvm::StringMap<void *> entries;
};

} // namespace mlir::tp

#endif // TP_EXECUTION_JITPROGRAM_H
