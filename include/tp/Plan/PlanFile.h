//===- PlanFile.h - plans as people write them ------------------*- C++ -*-===//
//
// Part of tp-mlir, under the Apache License v2.0.
//
//===----------------------------------------------------------------------===//

#ifndef TP_PLAN_PLANFILE_H
#define TP_PLAN_PLANFILE_H

#include "mlir/IR/Diagnostics.h"
#include <optional>
#include <string>
#include <vector>

namespace mlir::tp {

/// What a style asks of one tensor: a dim to shard, or replicated, or nothing.
struct Ask {
  enum Kind { Nothing, Replicated, Sharded } kind = Nothing;
  int64_t dim = 0; ///< of Sharded; negative counts from the last
};

/// A style: what it asks of a module's parameters, its input and its output.
/// The names are Hugging Face's, older and newer.
struct Style {
  StringRef name;
  Ask weight, bias;
  Ask table; ///< of a weight that is looked up instead of contracted
  Ask input, output;
};

/// The style called `name`; null if there is none.
const Style *findStyle(StringRef name);
/// All names, for messages.
std::string styleNames();

struct PlanEntry {
  std::string pattern;
  const Style *style;
};

struct PlanFile {
  std::string name; ///< of the file, for messages
  std::optional<std::string> mesh;
  std::vector<PlanEntry> entries;
};

/// Reads a plan. Errors: the file cannot be read, is not JSON, is neither form,
/// or names an unknown style.
FailureOr<PlanFile> readPlan(StringRef path,
                             function_ref<InFlightDiagnostic()> emitError);

/// "dp=2,tp=4": the names and sizes, each positive, no name twice.
FailureOr<std::vector<std::pair<std::string, int64_t>>>
parseMesh(StringRef text, function_ref<InFlightDiagnostic()> emitError);

/// Whether `pattern` names the module: component by component, from the end,
/// with shell wildcards. "layers.*.self_attn.q_proj" and "self_attn.q_proj"
/// both name "model.layers.7.self_attn.q_proj".
bool matchesModule(StringRef pattern, StringRef module);

/// The module names nearest to `pattern` that it might have meant, layer
/// numbers as "*", with how many modules each stands for; empty if none is
/// near.
std::optional<std::pair<std::string, unsigned>>
nearestModule(StringRef pattern, ArrayRef<StringRef> modules);

} // namespace mlir::tp

#endif // TP_PLAN_PLANFILE_H
