//===- PlanCost.h - what a sharded program sends and computes ---*- C++ -*-===//
//
// Part of tp-mlir, under the Apache License v2.0.
//
//===----------------------------------------------------------------------===//

#ifndef TP_LIB_PLAN_PLANCOST_H
#define TP_LIB_PLAN_PLANCOST_H

#include "mlir/IR/BuiltinOps.h"
#include <map>
#include <optional>
#include <string>

namespace mlir::tp {

/// What one device does in one execution of every function.
struct PlanCost {
  int64_t bytes = 0; ///< sent, under ring algorithms
  double work = 0;   ///< multiply-adds of contractions, padding included
  std::map<std::string, int64_t> collectives; ///< by kind
  /// Placements of parameters by name, in the stored tensor's dims; only those
  /// that are not whole.
  std::map<std::string, std::string> parameters;

  /// "30.1 KiB in 13 collectives (8 all_gather, 5 reduce_scatter)"
  std::string describe() const;
  Attribute toAttribute(MLIRContext *context) const;
  static std::optional<PlanCost> read(Attribute attribute);
};

/// Of a local module.
PlanCost costOf(ModuleOp module);

} // namespace mlir::tp

#endif // TP_LIB_PLAN_PLANCOST_H
