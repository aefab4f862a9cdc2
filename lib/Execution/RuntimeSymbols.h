//===- RuntimeSymbols.h - the runtime's functions by name -------*- C++ -*-===//
//
// Part of tp-mlir, under the Apache License v2.0.
//
//===----------------------------------------------------------------------===//

#ifndef TP_LIB_EXECUTION_RUNTIMESYMBOLS_H
#define TP_LIB_EXECUTION_RUNTIMESYMBOLS_H

#include "llvm/ADT/ArrayRef.h"
#include <utility>

namespace mlir::tp {

/// The program interface of the runtime library that this process links.
llvm::ArrayRef<std::pair<const char *, void *>> getRuntimeSymbols();

} // namespace mlir::tp

#endif // TP_LIB_EXECUTION_RUNTIMESYMBOLS_H
