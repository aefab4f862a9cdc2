//===- LocalProgram.h - one walk over a local function ----------*- C++ -*-===//
//
// Part of tp-mlir, under the Apache License v2.0.
//
//===----------------------------------------------------------------------===//
//
// A report goes over each function once, along with the inference of
// placements. What it collects are observers of that walk.
//
//===----------------------------------------------------------------------===//

#ifndef TP_LIB_REPORT_LOCALPROGRAM_H
#define TP_LIB_REPORT_LOCALPROGRAM_H

#include "tp/Conversion/OpModules.h"
#include "tp/Dialect/TP/Transforms/PlacementProver.h"
#include "tp/Report/Report.h"

namespace mlir::tp {

struct LocalProgram {
  LocalProgram(func::FuncOp function, FlatSymbolRefAttr meshName, MeshAttr mesh,
               const Machine &machine);

  func::FuncOp function;
  MeshAttr mesh;
  const Machine &machine;
  PlacementProver prover;
  ModuleNames names;
  int64_t devices = 1;

  std::string phase() { return function.getName().str(); }
  /// Global, with padded extents.
  Placement placementOf(Value value);
  /// Of what is known of a value alone; without a name.
  ReportPlacement describeValue(Value value);
  /// The model for an op: that of the links that a collective needs.
  MachineModel modelFor(Operation *op) const;
};

class OpObserver {
public:
  virtual ~OpObserver() = default;
  /// After the arguments' placements are known.
  virtual void enter() {}
  /// After the placements of the op's results are known. Not the terminator.
  virtual void visit(Operation *op) = 0;
  virtual void finish() {}
};

using OpObservers = std::vector<std::unique_ptr<OpObserver>>;

LogicalResult walk(LocalProgram &program, const OpObservers &observers);

std::unique_ptr<OpObserver> makePaddingCounter(LocalProgram &program,
                                               Report &report);
std::unique_ptr<OpObserver> makeCollectiveCollector(LocalProgram &program,
                                                    Report &report);
/// After the collectives, whose times it completes.
std::unique_ptr<OpObserver> makeTimer(LocalProgram &program, Report &report,
                                      bool withEvents);
std::unique_ptr<OpObserver> makeTensorCollector(LocalProgram &program,
                                                Report &report);

/// Of one layer; after the collectives.
std::unique_ptr<OpObserver> makeGraphCollector(LocalProgram &program,
                                               Report &report, int64_t layer);

/// How often an op multiplies and adds for each combination of its factors'
/// positions: once for each float operand but the first, if it reduces some
/// factor that two of them have. Other ops contract nothing.
int64_t contractionsOf(Operation *op, const ShardingRule &rule);

/// Tensors that go to or from memory, each with how often.
using Traffic = SmallVector<std::pair<Value, double>>;

/// What a local op reads and writes; nothing if it costs nothing, as a constant
/// and another view of a tensor do.
std::optional<Traffic> trafficOf(Operation *op);

/// Reads memory off a copy whose memory is planned. `names` are the modules of
/// the ops, where locations do not say them.
LogicalResult addMemory(ModuleOp module, Report &report);

/// "f32" of an element type.
std::string textOf(Type type);
/// "file:line:column" of the importer or the user; empty if there is none.
std::string textOf(Location location);
int64_t saturatingProduct(int64_t a, int64_t b);

} // namespace mlir::tp

#endif // TP_LIB_REPORT_LOCALPROGRAM_H
