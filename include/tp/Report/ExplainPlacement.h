//===- ExplainPlacement.h - what gave a value its placement -----*- C++ -*-===//
//
// Part of tp-mlir, under the Apache License v2.0.
//
//===----------------------------------------------------------------------===//

#ifndef TP_REPORT_EXPLAINPLACEMENT_H
#define TP_REPORT_EXPLAINPLACEMENT_H

#include "mlir/Pass/PassInstrumentation.h"
#include "llvm/Support/raw_ostream.h"
#include <map>
#include <memory>
#include <string>
#include <vector>

namespace mlir::tp {

/// How one value of a function came to lie as it does.
struct PlacementExplanation {
  std::string name, placement;
  std::vector<std::string> lines; ///< a step each, from what started it
};

struct PlacementQuestion {
  /// A parameter, state, input or output; a module, for its output; or a value
  /// as it is printed before the first propagation, "%12".
  std::string value;
  /// For each function that has it, after a pipeline with tp-propagate ran.
  std::map<std::string, PlacementExplanation> answers;
  bool hasPropagated = false;
  std::vector<std::string> names; ///< all that there are
};

/// Answers while a pipeline runs, and emits each step as a remark at its op.
/// The question must outlive the pass manager.
std::unique_ptr<PassInstrumentation>
makePlacementExplainer(PlacementQuestion &question);

/// Prints the answers; false after a printed error if there are none.
bool printAnswers(const PlacementQuestion &question, llvm::raw_ostream &os);

} // namespace mlir::tp

#endif // TP_REPORT_EXPLAINPLACEMENT_H
