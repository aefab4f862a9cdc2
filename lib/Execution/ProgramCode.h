//===- ProgramCode.h - a program as LLVM IR ---------------------*- C++ -*-===//
//
// Part of tp-mlir, under the Apache License v2.0.
//
//===----------------------------------------------------------------------===//
//
// What a program is before it becomes machine code, in memory or in a file:
// both are made of the same IR, optimised in the same way.
//
//===----------------------------------------------------------------------===//

#ifndef TP_LIB_EXECUTION_PROGRAMCODE_H
#define TP_LIB_EXECUTION_PROGRAMCODE_H

#include "tp/Conversion/Passes.h"
#include <memory>
#include <string>

namespace llvm {
class Error;
class LLVMContext;
class Module;
class TargetMachine;
} // namespace llvm

namespace mlir::tp {

/// One half of a program and the context that owns it.
struct Code {
  Code();
  Code(Code &&);
  Code &operator=(Code &&);
  ~Code();

  std::unique_ptr<llvm::LLVMContext> context;
  std::unique_ptr<llvm::Module> module;
};

/// Kernels are optimised. Entries, which call them, are thousands of calls in a
/// row, on which optimisation and register allocation would take quadratic time
/// for nothing: they are compiled cheaply, and apart.
struct ProgramCode {
  std::string manifest;
  std::vector<std::string> entries; ///< their symbols, in order
  Code kernelCode, entryCode;
};

/// Takes a local program, or one at the runtime level, to LLVM IR; `module` is
/// not changed. Fails with diagnostics on the ops at fault.
FailureOr<ProgramCode> makeProgramCode(ModuleOp module, Marks marks);

/// Lays the code out for a machine and optimises it, 0 to 3.
llvm::Error prepareForMachine(Code &code, llvm::TargetMachine &machine,
                              unsigned optimisation);

/// LLVM's target of this process, ready to make machine code.
void initialiseNativeTarget();

/// Reports what LLVM has against the module; false if there is nothing.
bool reportError(ModuleOp module, llvm::Error error);

} // namespace mlir::tp

#endif // TP_LIB_EXECUTION_PROGRAMCODE_H
