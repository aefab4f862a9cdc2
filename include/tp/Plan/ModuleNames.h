//===- ModuleNames.h - which modules a plan's key names ---------*- C++ -*-===//
//
// Part of tp-mlir, under the Apache License v2.0.
//
//===----------------------------------------------------------------------===//

#ifndef TP_PLAN_MODULENAMES_H
#define TP_PLAN_MODULENAMES_H

#include "mlir/Support/LLVM.h"
#include <optional>
#include <string>

namespace mlir::tp {

/// Whether `pattern` names the module: component by component, from the end,
/// with the shell's wildcards *, ?, [abc] and [!abc].
/// "layers.*.self_attn.q_proj" and "self_attn.q_proj" both name
/// "model.layers.7.self_attn.q_proj". The empty pattern names the empty module
/// only: the model itself.
bool matchesModule(StringRef pattern, StringRef module);

/// Whether `pattern` names more than one thing.
bool hasWildcard(StringRef pattern);

/// The module names nearest to `pattern` that it might have meant, layer
/// numbers as "*", with how many modules each stands for; empty if none is
/// near.
std::optional<std::pair<std::string, unsigned>>
nearestModule(StringRef pattern, ArrayRef<StringRef> modules);

} // namespace mlir::tp

#endif // TP_PLAN_MODULENAMES_H
