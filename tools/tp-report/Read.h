//===- Read.h - reports from IR and from JSON -------------------*- C++ -*-===//
//
// Part of tp-mlir, under the Apache License v2.0.
//
//===----------------------------------------------------------------------===//

#ifndef TP_TOOLS_TP_REPORT_READ_H
#define TP_TOOLS_TP_REPORT_READ_H

#include "mlir/IR/MLIRContext.h"
#include "tp/Report/Report.h"
#include "llvm/Support/JSON.h"

namespace mlir::tp {

/// What the command line says of reading.
struct ReadOptions {
  std::string machine;
  bool withEvents = false, withGraphs = false;
  int64_t layer = -1;       ///< of graphs; -1 chooses
  int64_t deviceMemory = 0; ///< instead of the machine's, if not 0
};

/// The report of a sharded module. What is wrong is printed, once.
FailureOr<Report> readReport(StringRef path, const ReadOptions &options,
                             MLIRContext &context);

/// A report as JSON: of a file that is one, of schema 1, or of a module.
FailureOr<llvm::json::Object> readReportJson(StringRef path,
                                             const ReadOptions &options,
                                             MLIRContext &context);

} // namespace mlir::tp

#endif // TP_TOOLS_TP_REPORT_READ_H
