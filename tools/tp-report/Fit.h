//===- Fit.h - what fits in the memory of a device --------------*- C++ -*-===//
//
// Part of tp-mlir, under the Apache License v2.0.
//
//===----------------------------------------------------------------------===//

#ifndef TP_TOOLS_TP_REPORT_FIT_H
#define TP_TOOLS_TP_REPORT_FIT_H

#include "mlir/IR/MLIRContext.h"
#include "tp/Conversion/MemoryPlan.h"
#include "tp/Import/Import.h"
#include "llvm/Support/raw_ostream.h"
#include <optional>

namespace mlir::tp {

struct FitOptions {
  std::string model; ///< a checkpoint, its configuration, or a global module
  std::string plan = "auto";
  ImportOptions import;
  int64_t deviceMemory = 0;
  /// "tp=4"; those of 1, 2, 4 and 8 devices if there is none.
  std::vector<std::string> meshes;
};

struct FitRow {
  std::string mesh;
  MemorySummary memory;        ///< of the batch asked for
  std::optional<int64_t> most; ///< the largest batch; 0: not even one
  int64_t peak = 0;            ///< of the largest batch
  bool isMore = false;         ///< than was tried
};

struct FitAnswer {
  std::vector<FitRow> rows;
  /// The smallest tensor-parallel size for the batch asked for, and what it
  /// takes; none of those that were tried.
  std::optional<int64_t> smallest;
  int64_t smallestPeak = 0;
  int64_t largestTried = 0;
};

/// Whether `path` is a model, and not a program that was sharded already.
bool isModel(StringRef path);

/// Whether `path` is a module that can be read and has no mesh. Standard input
/// is not looked at.
bool isUnsharded(StringRef path, MLIRContext &context);

/// Imports, shards and plans memory for each mesh and batch that it takes to
/// know. What is wrong is printed.
FailureOr<FitAnswer> findFit(const FitOptions &options, MLIRContext &context);

void printFitText(const FitOptions &options, const FitAnswer &answer,
                  raw_ostream &os);
void printFitJson(const FitOptions &options, const FitAnswer &answer,
                  raw_ostream &os);

} // namespace mlir::tp

#endif // TP_TOOLS_TP_REPORT_FIT_H
