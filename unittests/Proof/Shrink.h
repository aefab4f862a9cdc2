//===- Shrink.h - the least program that still fails ------------*- C++ -*-===//
//
// Part of tp-mlir, under the Apache License v2.0.
//
//===----------------------------------------------------------------------===//

#ifndef TP_UNITTESTS_PROOF_SHRINK_H
#define TP_UNITTESTS_PROOF_SHRINK_H

#include "RandomProgram.h"

namespace mlir::tp::proof {

/// What is wrong with a program: empty if nothing is. `kind` is the same for
/// like mistakes.
struct Verdict {
  std::string kind, details;

  bool isWrong() const { return !kind.empty(); }
};

using Judge = llvm::function_ref<Verdict(Program &)>;

/// Drops ops, choices, attributes and results, as long as the verdict keeps
/// its kind. Leaves `recipe` and gives the program.
Program shrink(MLIRContext &context, Recipe &recipe, Judge judge);

} // namespace mlir::tp::proof

#endif // TP_UNITTESTS_PROOF_SHRINK_H
