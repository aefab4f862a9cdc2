//===- Report.h - what a sharded program sends, holds and takes -*- C++ -*-===//
//
// Part of tp-mlir, under the Apache License v2.0.
//
//===----------------------------------------------------------------------===//
//
// One structure that every format prints. All amounts are of one device; times
// are predictions under a machine description, in microseconds.
//
//===----------------------------------------------------------------------===//

#ifndef TP_REPORT_REPORT_H
#define TP_REPORT_REPORT_H

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/IR/BuiltinOps.h"
#include "tp/Dialect/TP/IR/TP.h"
#include "tp/Report/Machine.h"
#include "llvm/Support/raw_ostream.h"
#include <optional>
#include <string>
#include <vector>

namespace mlir::tp {

//===----------------------------------------------------------------------===//
// Collectives
//===----------------------------------------------------------------------===//

struct ReportTensor {
  std::string dtype;
  std::vector<int64_t> shape; ///< local, before the collective
};

/// What would do without a collective, or in its place, and what that costs on
/// top of what the program does anyway.
struct ReportAlternative {
  std::string what; ///< "keeping lm_head.weight whole"
  int64_t bytesSent = 0;
  int64_t memory = 0; ///< more bytes held
  double microseconds = 0;
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

  std::string link;        ///< the level of links that it needs
  double microseconds = 0; ///< of one execution
  double hidden = 0;       ///< of these, while the device computes
  std::string parameter;   ///< at which it arises; may be empty
  std::string from, to;    ///< placements of its first tensor
  std::string why;         ///< in words, from the program itself
  std::optional<ReportAlternative> alternative;

  /// What `reason` joins: one for each collective that was merged into it.
  std::vector<std::string> reasons() const;
};

//===----------------------------------------------------------------------===//
// Memory
//===----------------------------------------------------------------------===//

/// Buffers of the same kind and type that are alive together.
struct ReportLive {
  std::string kind; ///< "activation", "communication", "input" or "output"
  std::string module, type;
  int64_t bytes = 0, count = 1; ///< bytes: all of them
};

/// The largest arena in use while one module computes.
struct ReportMemoryPoint {
  std::string module;
  int64_t bytes = 0, communication = 0;
};

struct ReportPhaseMemory {
  std::string phase;
  int64_t inputs = 0, outputs = 0, arena = 0;
  int64_t live = 0;          ///< of the arena, at the peak
  int64_t communication = 0; ///< most bytes that collectives fill at a time
  std::string peakModule;
  std::vector<ReportLive> alive;         ///< at the peak, largest first
  std::vector<ReportMemoryPoint> points; ///< in program order
};

struct ReportMemory {
  int64_t parameters = 0, state = 0, activationsPeak = 0, peak = 0;
  std::vector<ReportPhaseMemory> phases;
};

//===----------------------------------------------------------------------===//
// Padding, work and time
//===----------------------------------------------------------------------===//

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

/// One execution of a phase. What is hidden counts as computing too.
struct ReportTime {
  double total = 0, compute = 0, communication = 0, hidden = 0;
};

struct ReportPhase {
  std::string phase;
  ReportAmounts amounts; ///< of all tensors and contractions, along any dim
  ReportTime time;
  double oneDevice = 0; ///< microseconds if one device did everything
  /// For each axis of the mesh: microseconds if it had one device.
  std::vector<double> withoutAxis;
};

/// Multiply-adds and time of the ops of a module in a phase.
struct ReportModule {
  std::string phase, module;
  int64_t multiplyAdds = 0, ops = 0;
  double compute = 0;
};

/// Something that happens in one execution of a phase.
struct ReportEvent {
  std::string phase, name, module;
  bool isCollective = false;
  double begin = 0, end = 0; ///< microseconds from the start of the phase
  int64_t bytesSent = 0;
};

//===----------------------------------------------------------------------===//
// Tensors
//===----------------------------------------------------------------------===//

/// An argument, result or value of the program and how it lies on the mesh.
struct ReportPlacement {
  std::string kind; ///< "parameter", "state", "input", "output" or "value"
  std::string name, dtype, location;
  std::string phase; ///< the first that has it
  std::vector<int64_t> shape, local;
  Placement placement;
  std::string text; ///< "[dp: Replicate, tp: Shard(0)]"
};

/// An op of the layer that a graph shows, or where its values come from and go
/// to.
struct ReportNode {
  std::string name, module, type, location;
  std::vector<std::string> parameters;   ///< that it reads
  std::optional<ReportPlacement> result; ///< the first
  bool isOutside = false;
};

/// A value that an op gives to another; with `collective`, what it goes through
/// on the way, a number in the report's list.
struct ReportEdge {
  size_t from = 0, to = 0;
  std::string type, placement;
  std::vector<size_t> collectives;
};

/// One layer of a phase.
struct ReportGraph {
  std::string phase;
  int64_t layer = -1;            ///< -1: all that there is
  std::vector<ReportNode> nodes; ///< in program order
  std::vector<ReportEdge> edges;
  size_t leftOut = 0; ///< nodes beyond the most that are shown
};

struct Report {
  std::vector<std::pair<std::string, int64_t>> axes;
  std::vector<bool> isDataParallel; ///< of each axis
  Machine machine;
  std::vector<ReportCollective> collectives; ///< in program order
  ReportMemory memory;                       ///< bytes per device
  std::vector<ReportPadding> padding;        ///< in order of first use
  std::vector<ReportPhase> phases;           ///< functions in program order
  std::vector<ReportModule> modules;         ///< in order of first use
  std::vector<ReportPlacement> tensors;      ///< in order of first use
  std::vector<ReportEvent> events;           ///< if asked for
  std::vector<ReportGraph> graphs;           ///< if asked for
  std::vector<std::string> remarks;
};

struct ReportOptions {
  Machine machine = Machine::standard();
  bool withEvents = false, withGraphs = false;
  int64_t layer = -1; ///< of graphs; -1 chooses a typical one
};

/// The report of a local module, from IR alone. A diagnostic if it has no mesh,
/// is not partitioned yet, or has wrong placements: what is padding then cannot
/// be told.
FailureOr<Report> buildReport(ModuleOp module,
                              const ReportOptions &options = ReportOptions());

/// "tp", or "tp:(1)2" of a part of an axis.
std::string textOf(const Axis &axis, MeshAttr mesh);

//===----------------------------------------------------------------------===//
// Printing
//===----------------------------------------------------------------------===//

/// JSON, schema 1; see docs/report.md and docs/report.schema.json.
void printJson(const Report &report, llvm::raw_ostream &os);
/// Tables of at most 100 columns, layers folded.
void printText(const Report &report, llvm::raw_ostream &os,
               bool inColour = false);

/// The predicted run, of a report with events, in the Chrome trace format.
void printTimeline(const Report &report, llvm::raw_ostream &os);

/// "1.5 MiB"
std::string formatBytes(int64_t bytes);
/// "37.7M"
std::string formatCount(int64_t count);
/// "12.3 us", "4.6 ms"
std::string formatTime(double microseconds);
/// "model.layers.7.mlp" becomes "model.layers.*.mlp".
std::string foldLayers(StringRef name);

} // namespace mlir::tp

#endif // TP_REPORT_REPORT_H
