//===- PlanFile.h - plans as people write them ------------------*- C++ -*-===//
//
// Part of tp-mlir, under the Apache License v2.0.
//
//===----------------------------------------------------------------------===//

#ifndef TP_PLAN_PLANFILE_H
#define TP_PLAN_PLANFILE_H

#include "tp/Plan/Style.h"
#include <optional>

namespace mlir::tp {

struct PlanEntry {
  std::string key;     ///< as written
  std::string pattern; ///< with the root before it; empty for the whole model
  Style style;
};

/// What is asked along one mesh axis, as of one call of `parallelize_module`.
struct PlanSection {
  std::optional<std::string> axis;
  std::vector<PlanEntry> entries; ///< sorted by key
};

/// What the automatic plan may use an axis for.
enum class AxisRole { DataParallel, TensorParallel };
/// "data_parallel"
StringRef stringifyRole(AxisRole role);

/// A plan file; docs/plans.md describes the form.
struct PlanFile {
  std::string name; ///< of the file, for messages
  std::optional<std::string> mesh;
  std::vector<std::pair<std::string, AxisRole>> roles; ///< by axis, sorted
  std::vector<PlanSection> sections;
  /// Nothing is asked: the automatic plan, on this mesh and with these roles.
  bool isAutomatic = false;
  /// What cannot be met becomes something less, with a remark.
  bool mayWeaken = false;
};

/// Reads a plan. Errors: the file cannot be read, is not JSON, has another
/// form, or names an unknown style or a mistaken one.
FailureOr<PlanFile> readPlan(StringRef path,
                             function_ref<InFlightDiagnostic()> emitError);

/// "dp=2,tp=4": the names and sizes, each positive, no name twice.
FailureOr<std::vector<std::pair<std::string, int64_t>>>
parseMesh(StringRef text, function_ref<InFlightDiagnostic()> emitError);

} // namespace mlir::tp

#endif // TP_PLAN_PLANFILE_H
