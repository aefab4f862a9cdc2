//===- Report.h - the collectives and memory of a program -------*- C++ -*-===//
//
// Part of tp-mlir, under the Apache License v2.0.
//
//===----------------------------------------------------------------------===//

#ifndef TP_REPORT_REPORT_H
#define TP_REPORT_REPORT_H

#include "mlir/IR/BuiltinOps.h"
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

struct Report {
  std::vector<std::pair<std::string, int64_t>> axes;
  std::vector<ReportCollective> collectives; ///< in program order
  ReportMemory memory;                       ///< bytes per device
};

/// The report of a local module, from IR alone. A diagnostic if it has no mesh
/// or is not partitioned yet.
FailureOr<Report> buildReport(ModuleOp module);

/// JSON, schema 1; see docs/report.md.
void printJson(const Report &report, llvm::raw_ostream &os);
/// A table of at most 100 columns, layers folded.
void printText(const Report &report, llvm::raw_ostream &os);

/// "1.5 MiB"
std::string formatBytes(int64_t bytes);

} // namespace mlir::tp

#endif // TP_REPORT_REPORT_H
