//===- Summary.h - sums over a report, layers folded ------------*- C++ -*-===//
//
// Part of tp-mlir, under the Apache License v2.0.
//
//===----------------------------------------------------------------------===//

#ifndef TP_LIB_REPORT_SUMMARY_H
#define TP_LIB_REPORT_SUMMARY_H

#include "tp/Report/Report.h"

namespace mlir::tp {

/// What the collectives and ops of a phase, an axis or a module amount to in
/// one execution.
struct SummaryRow {
  std::string phase, name;
  int64_t collectives = 0, bytesSent = 0;
  double communication = 0, hidden = 0; ///< microseconds
  int64_t multiplyAdds = 0;
  double compute = 0; ///< microseconds
  int64_t layers = 0; ///< how many modules are one row

  void add(const ReportCollective &collective);
};

struct Summary {
  std::vector<SummaryRow> phases;  ///< in program order
  std::vector<SummaryRow> axes;    ///< of a group's axes together, by phase
  std::vector<SummaryRow> modules; ///< layers folded
};

Summary sumUp(const Report &report);

/// Collectives that differ in their layer alone.
struct FoldedCollective {
  const ReportCollective *first;
  std::string module;
  int64_t count = 0;
};
std::vector<FoldedCollective> foldCollectives(const Report &report);

/// As printJson does, in lines or without, and with the graphs of a layer.
void printJsonData(const Report &report, llvm::raw_ostream &os, unsigned indent,
                   bool withGraphs);

/// "4x8xf32+4xi32"
std::string shapesOf(const ReportCollective &collective);
/// "f32,i32"
std::string dtypesOf(const ReportCollective &collective);

} // namespace mlir::tp

#endif // TP_LIB_REPORT_SUMMARY_H
