//===- Report.h - the collectives and memory of a program -------*- C++ -*-===//
//
// Part of tp-mlir, under the Apache License v2.0.
//
//===----------------------------------------------------------------------===//

#ifndef TP_REPORT_REPORT_H
#define TP_REPORT_REPORT_H

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/IR/BuiltinOps.h"
#include "tp/Dialect/TP/IR/TP.h"
#include "llvm/Support/raw_ostream.h"
#include <optional>
#include <string>
#include <vector>

namespace mlir::tp {

struct ReportTensor {
  std::string dtype;
  std::vector<int64_t> shape; ///< local, before the collective
};

struct ReportCollective {
  std::string kind; ///< "all_reduce", ...
  std::vector<std::string> axes;
  int64_t groupSize = 1;
  std::string reduction; ///< "sum", ...; empty if it reduces nothing
  std::vector<ReportTensor> tensors; ///< more than one if packed
  int64_t bytesSent = 0; ///< one execution, per device, ring algorithms
  int64_t count = 1;
  std::string phase; ///< the function
  std::string module, reason, location;
  std::optional<int64_t> executions; ///< of a report from a run
};

struct ReportMemory {
  int64_t parameters = 0, state = 0, activationsPeak = 0, peak = 0;
};

/// Of what a device holds or computes, all and what is padding: on average over
/// the devices, rounded down.
struct ReportAmount {
  int64_t total = 0, padding = 0;

  void operator+=(const ReportAmount &other);
};

struct ReportAmounts {
  /// Elements and bytes of tensors: parameters, state, and all values that one
  /// execution takes or computes.
  ReportAmount parameterElements, parameterBytes, stateElements, stateBytes,
      activationElements, activationBytes;
  ReportAmount multiplyAdds; ///< of contractions, of one execution

  void operator+=(const ReportAmounts &other);
  /// Calls `visit` on every amount.
  void forEach(llvm::function_ref<void(ReportAmount &)> visit);
};

/// The tensors and contractions of a module that have a dim of one size, padded
/// to one extent over the same axes. What has two such dims counts for each.
struct ReportPadding {
  std::string phase, module;
  int64_t size = 0, padded = 0;
  std::vector<std::string> axes;
  ReportAmounts amounts; ///< padding: along this dim
};

struct ReportPhase {
  std::string phase;
  ReportAmounts amounts; ///< of all tensors and contractions, along any dim
};

struct Report {
  std::vector<std::pair<std::string, int64_t>> axes;
  std::vector<ReportCollective> collectives; ///< in program order
  ReportMemory memory;                       ///< bytes per device
  std::vector<ReportPadding> padding;        ///< in order of first use
  std::vector<ReportPhase> phases;           ///< functions in program order
};

/// The report of a local module, from IR alone. A diagnostic if it has no mesh,
/// is not partitioned yet, or has wrong placements: what is padding then cannot
/// be told.
FailureOr<Report> buildReport(ModuleOp module);

/// Adds what is padding in a local function. Linear in the function.
LogicalResult addPadding(func::FuncOp function, FlatSymbolRefAttr meshName,
                         MeshAttr mesh, Report &report);
/// "tp", or "tp:(1)2" of a part of an axis.
std::string textOf(const Axis &axis, MeshAttr mesh);

/// JSON, schema 1; see docs/report.md.
void printJson(const Report &report, llvm::raw_ostream &os);
/// A table of at most 100 columns, layers folded.
void printText(const Report &report, llvm::raw_ostream &os);

/// "1.5 MiB"
std::string formatBytes(int64_t bytes);

} // namespace mlir::tp

#endif // TP_REPORT_REPORT_H
