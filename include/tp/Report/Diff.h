//===- Diff.h - two reports side by side ------------------------*- C++ -*-===//
//
// Part of tp-mlir, under the Apache License v2.0.
//
//===----------------------------------------------------------------------===//

#ifndef TP_REPORT_DIFF_H
#define TP_REPORT_DIFF_H

#include "mlir/Support/LLVM.h"
#include "llvm/Support/JSON.h"
#include "llvm/Support/raw_ostream.h"
#include <string>
#include <vector>

namespace mlir::tp {

/// An amount of both reports; what one of them does not say is absent.
struct DiffAmount {
  std::string name;
  enum class Unit { Count, Bytes, Microseconds } unit = Unit::Count;
  double before = 0, after = 0;
};

/// Collectives of one kind that belong to one module, layers folded.
struct DiffCollectives {
  std::string phase, module, kind;
  int64_t countBefore = 0, countAfter = 0;
  int64_t bytesBefore = 0, bytesAfter = 0;
};

/// Tensors whose placement differs, layers folded.
struct DiffPlacement {
  std::string name, before, after; ///< empty: it is not there
  int64_t count = 0;
};

struct ReportDiff {
  std::vector<DiffAmount> amounts;
  std::vector<DiffCollectives> collectives; ///< those that differ
  std::vector<DiffPlacement> placements;    ///< those that differ
  /// Total bytes sent, or peak memory, are more than before.
  bool sendsMore = false, holdsMore = false;
};

/// Compares two reports of schema 1, as JSON, as old as they may be.
ReportDiff diffReports(const llvm::json::Object &before,
                       const llvm::json::Object &after);

void printDiffText(const ReportDiff &diff, llvm::raw_ostream &os);
void printDiffJson(const ReportDiff &diff, llvm::raw_ostream &os);

} // namespace mlir::tp

#endif // TP_REPORT_DIFF_H
