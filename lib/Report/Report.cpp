//===- Report.cpp - what a sharded program sends, holds and takes ---------===//
//
// Part of tp-mlir, under the Apache License v2.0.
//
//===----------------------------------------------------------------------===//

#include "tp/Report/Report.h"
#include "LocalProgram.h"
#include "mlir/IR/IRMapping.h"
#include "mlir/Pass/PassManager.h"
#include "tp/Conversion/Passes.h"
#include "tp/Dialect/RT/IR/RT.h"
#include "tp/Dialect/TP/Transforms/Passes.h"

using namespace mlir;
using namespace mlir::tp;

/// What a partitioned program calls counts where it is called.
static LogicalResult writeOutCalls(ModuleOp module) {
  WalkResult found = module.walk([](CallOp call) {
    auto caller = call->getParentOfType<FunctionOpInterface>();
    return caller && isLocal(caller) && !isEmbedded(caller)
               ? WalkResult::interrupt()
               : WalkResult::advance();
  });
  if (!found.wasInterrupted())
    return success();
  PassManager manager(module.getContext());
  manager.addPass(createTPFlatten({/*local=*/true}));
  return manager.run(module);
}

static LogicalResult checkLocal(func::FuncOp function) {
  for (unsigned i = 0; i < function.getNumArguments(); ++i)
    if (isa<RankedTensorType>(function.getArgumentTypes()[i]) &&
        !function.getArgAttr(i, kGlobalName))
      return function.emitError("is not sharded yet: argument ")
             << i << " has no '" << kGlobalName
             << "'; run tp-opt --tp-shard first";
  for (Operation &op : function.getOps())
    if (isa_and_nonnull<rt::RTDialect>(op.getDialect()))
      return op.emitError("this program is lowered already; report on what "
                          "tp-opt --tp-shard gives");
  return success();
}

/// Fused ops keep locations, and nothing else that says where they come from.
static void writeModules(LocalProgram &program, const IRMapping &copies) {
  MLIRContext *context = program.function.getContext();
  for (Operation &op : program.function.getBody().front()) {
    StringRef module = program.names.of(&op);
    Operation *copy = copies.lookupOrNull(&op);
    if (copy && !module.empty())
      copy->setLoc(NameLoc::get(StringAttr::get(context, module), op.getLoc()));
  }
}

/// Weights that stay as they are stored are read in fewer bytes.
static LogicalResult chooseStored(ModuleOp module) {
  PassManager manager(module.getContext());
  manager.addPass(createTPKeepStored());
  return manager.run(module);
}

static LogicalResult planMemory(ModuleOp module) {
  PassManager manager(module.getContext());
  buildMemoryPipeline(manager);
  return manager.run(module);
}

/// What the program as a whole makes worth saying.
static void addRemarks(Report &report, MeshAttr mesh) {
  for (auto [i, axis] : llvm::enumerate(report.axes)) {
    int64_t span = spanOf({Axis{axis.first, 1, axis.second}}, mesh);
    int64_t host = report.machine.devicesPerHost;
    if (axis.second > 1 && !report.isDataParallel[i] && host && span > host)
      report.remarks.push_back("axis " + axis.first + "=" +
                               std::to_string(axis.second) +
                               " crosses hosts of " + std::to_string(host) +
                               " devices: its collectives go over \"" +
                               report.machine.linkFor(span).name + "\"");
    for (const ReportPhase &phase : report.phases)
      if (axis.second > 1 && phase.withoutAxis[i] < phase.time.total)
        report.remarks.push_back(
            "axis " + axis.first + "=" + std::to_string(axis.second) +
            " slows " + phase.phase + " down: " + formatTime(phase.time.total) +
            " instead of " + formatTime(phase.withoutAxis[i]) + " without it");
  }
  if (report.machine.deviceMemory &&
      report.memory.peak > report.machine.deviceMemory)
    report.remarks.push_back("a device needs " +
                             formatBytes(report.memory.peak) + " and has " +
                             formatBytes(report.machine.deviceMemory));
}

FailureOr<Report> tp::buildReport(ModuleOp module,
                                  const ReportOptions &options) {
  auto meshes = module.getOps<MeshOp>();
  if (meshes.empty())
    return module.emitError(
        "there is no tp.mesh in this module; shard it first, "
        "with tp-opt --tp-shard");
  if (failed(writeOutCalls(module)) || failed(chooseStored(module)))
    return failure();
  Report report;
  report.machine = options.machine;
  MeshOp meshOp = *meshes.begin();
  MeshAttr mesh = meshOp.getMesh();
  auto meshName = FlatSymbolRefAttr::get(meshOp.getSymNameAttr());
  for (MeshAxisAttr axis : mesh.getAxes()) {
    report.axes.push_back({axis.getName().str(), axis.getSize()});
    report.isDataParallel.push_back(meshOp.isDataParallel(axis.getName()));
  }
  IRMapping copies;
  OwningOpRef<ModuleOp> copy(cast<ModuleOp>(module->clone(copies)));
  for (auto function : module.getOps<func::FuncOp>()) {
    if (function.isExternal())
      continue;
    if (failed(checkLocal(function)))
      return failure();
    LocalProgram program(function, meshName, mesh, report.machine);
    OpObservers observers;
    observers.push_back(makePaddingCounter(program, report));
    observers.push_back(makeCollectiveCollector(program, report));
    observers.push_back(makeTimer(program, report, options.withEvents));
    observers.push_back(makeTensorCollector(program, report));
    if (options.withGraphs)
      observers.push_back(makeGraphCollector(program, report, options.layer));
    if (failed(walk(program, observers)))
      return failure();
    writeModules(program, copies);
  }
  if (failed(planMemory(*copy)) || failed(addMemory(*copy, report)))
    return failure();
  addRemarks(report, mesh);
  return report;
}
