//===- Json.h - reading JSON that people give -------------------*- C++ -*-===//
//
// Part of tp-mlir, under the Apache License v2.0.
//
//===----------------------------------------------------------------------===//

#ifndef TP_SUPPORT_JSON_H
#define TP_SUPPORT_JSON_H

#include "mlir/Support/LLVM.h"
#include "llvm/Support/JSON.h"

namespace mlir::tp {

/// Whether objects and lists are nested deeper than in anything that is meant:
/// LLVM's reader recurses, and would run out of stack.
bool isNestedTooDeep(StringRef json);

/// Reads JSON of any depth; an error also for what is nested too deep.
llvm::Expected<llvm::json::Value> parseJson(StringRef json);

} // namespace mlir::tp

#endif // TP_SUPPORT_JSON_H
