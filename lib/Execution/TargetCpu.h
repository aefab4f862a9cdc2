//===- TargetCpu.h - the CPU that a program is compiled for -----*- C++ -*-===//
//
// Part of tp-mlir, under the Apache License v2.0.
//
//===----------------------------------------------------------------------===//

#ifndef TP_LIB_EXECUTION_TARGETCPU_H
#define TP_LIB_EXECUTION_TARGETCPU_H

#include "llvm/ADT/StringRef.h"
#include "llvm/Support/Error.h"
#include <string>

namespace mlir::tp {

struct TargetCpu {
  std::string baseline; ///< LLVM's name of the least CPU of the architecture
  std::string tune;     ///< that of the CPU whose timing is to be minded
  std::string features; ///< "+avx,+avx2", on top of the baseline
  /// The instruction sets that code may use beyond the baseline, by their names
  /// in tprt/InstructionSets.h, separated by commas.
  std::string instructionSets;
};

/// The CPU by clang's names: `cpu` is that of -march ("native" is this one),
/// `features` is "+avx2,-fma" and changes it. What the runtime could not look
/// for on the machine that loads the program is left out.
llvm::Expected<TargetCpu> resolveCpu(llvm::StringRef cpu,
                                     llvm::StringRef features);

} // namespace mlir::tp

#endif // TP_LIB_EXECUTION_TARGETCPU_H
