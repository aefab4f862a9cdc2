//===- Explain.h - what a plan asked and what became of it ------*- C++ -*-===//
//
// Part of tp-mlir, under the Apache License v2.0.
//
//===----------------------------------------------------------------------===//

#ifndef TP_PLAN_EXPLAIN_H
#define TP_PLAN_EXPLAIN_H

#include "mlir/Pass/PassInstrumentation.h"
#include "llvm/Support/raw_ostream.h"
#include <memory>
#include <string>
#include <vector>

namespace mlir::tp {

/// What one entry asked of a tensor along one mesh axis.
struct AskedLayout {
  std::string axis;
  std::string
      layout; ///< "Shard(1)", of the stored tensor or the module's value
  bool isInput = false;
  int stage = 0; ///< of a boundary: 0 taken to be, 1 made to be
  bool isStorage = false, isPacked = false;
  std::string user; ///< the module that a tied parameter is asked for by
  std::string entry, style;
};

struct ExplainedParameter {
  std::string module, leaf;
  std::vector<int64_t> shape; ///< as stored
  std::vector<AskedLayout> asked;
  std::string became;    ///< "dp: Replicate, tp: Shard(0)", of the stored dims
  bool isPlaced = false; ///< by the plan, not by propagation
  std::vector<std::pair<std::string, std::string>> placed; ///< axis, layout
};

struct ExplainedBoundary {
  std::string function, module, direction, name;
  std::vector<AskedLayout> asked;
  std::vector<std::string> became; ///< one for each constraint
};

struct PlanExplanation {
  std::string plan; ///< "auto", "none", "file"
  std::vector<std::pair<std::string, int64_t>> axes;
  std::vector<std::pair<std::string, std::string>> roles;
  bool mayWeaken = false;
  std::vector<ExplainedParameter> parameters; ///< of all functions, once each
  std::vector<ExplainedBoundary> boundaries;  ///< in the order of the program

  /// For people.
  void printText(llvm::raw_ostream &os) const;
  /// A plan file with the same effect, every module by its own name.
  void printJson(llvm::raw_ostream &os) const;
};

/// Fills `explanations`, one for each module, while a pipeline with
/// tp-place-parameters runs. The vector must outlive the pass manager.
std::unique_ptr<PassInstrumentation>
makePlanExplainer(std::vector<PlanExplanation> &explanations);

} // namespace mlir::tp

#endif // TP_PLAN_EXPLAIN_H
