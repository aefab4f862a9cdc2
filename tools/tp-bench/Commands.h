//===- Commands.h - what tp-bench can be asked to do ------------*- C++ -*-===//
//
// Part of tp-mlir, under the Apache License v2.0.
//
//===----------------------------------------------------------------------===//

#ifndef TP_TOOLS_TP_BENCH_COMMANDS_H
#define TP_TOOLS_TP_BENCH_COMMANDS_H

#include "mlir/Support/LLVM.h"
#include <string>
#include <utility>
#include <vector>

namespace mlir::tp::bench {

struct MachineOptions {
  int64_t ranks = 1;
  std::string name;
  std::string output = "-";
  /// Rates by the time that a rank's thread runs, for a machine that others use
  /// at the same time; collectives always by the wall clock.
  bool onProcessor = false;
};

/// Measures this machine with so many ranks at work together and writes the
/// machine file that describes it. Returns the exit status.
int runMachine(const MachineOptions &options);

struct StepOptions {
  std::string program;
  std::string entry; ///< empty: all of them
  /// What elements of inputs are; 0 if nothing is said of one.
  std::vector<std::pair<std::string, int64_t>> inputs;
  int64_t repetitions = 10;
};

/// Times the entries, or one of them, of a program of tp-compile, with its own
/// weights or, if it names none, random ones. A line for each on standard
/// output. Returns the exit status.
int runSteps(const StepOptions &options);

} // namespace mlir::tp::bench

#endif // TP_TOOLS_TP_BENCH_COMMANDS_H
