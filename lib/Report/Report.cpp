//===- Report.cpp - the collectives and memory of a program ---------------===//
//
// Part of tp-mlir, under the Apache License v2.0.
//
//===----------------------------------------------------------------------===//

#include "tp/Report/Report.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Pass/PassManager.h"
#include "tp/Conversion/MemoryPlan.h"
#include "tp/Dialect/TP/IR/TP.h"
#include "tp/Dialect/TP/Transforms/Passes.h"

using namespace mlir;
using namespace mlir::tp;

static std::string textOf(Type type) {
  std::string text;
  llvm::raw_string_ostream(text) << type;
  return text;
}

std::string tp::textOf(const Axis &axis, MeshAttr mesh) {
  std::string text = axis.name.str();
  for (MeshAxisAttr whole : mesh.getAxes())
    if (whole.getName() == axis.name && whole.getSize() != axis.size)
      text += ":(" + std::to_string(axis.pre) + ")" + std::to_string(axis.size);
  return text;
}

static std::string textOf(AxisRefAttr axis) {
  std::string text = axis.getName().str();
  if (axis.getSize())
    text += ":(" + std::to_string(axis.getPre()) + ")" +
            std::to_string(axis.getSize());
  return text;
}

/// "file:line:column" of the importer or the user; empty if there is none.
static std::string textOf(Location location) {
  if (auto file = dyn_cast<FileLineColLoc>(location))
    return (file.getFilename().getValue() + ":" + Twine(file.getLine()) + ":" +
            Twine(file.getColumn()))
        .str();
  if (auto name = dyn_cast<NameLoc>(location))
    return textOf(name.getChildLoc());
  if (auto fused = dyn_cast<FusedLoc>(location))
    for (Location part : fused.getLocations())
      if (std::string text = textOf(part); !text.empty())
        return text;
  return {};
}

static ReportCollective describeCollective(CollectiveOpInterface op,
                                           StringRef phase) {
  ReportCollective collective;
  collective.kind = op->getName().stripDialect().str();
  for (AxisRefAttr axis : op.getGroupAxes().getAsRange<AxisRefAttr>())
    collective.axes.push_back(textOf(axis));
  collective.groupSize = op.getGroupSize();
  if (auto kind = op->getAttrOfType<ReduceKindAttr>("kind"))
    collective.reduction = stringifyReduceKind(kind.getValue()).str();
  for (Type type : op->getOperandTypes()) {
    auto tensor = cast<RankedTensorType>(type);
    collective.tensors.push_back(
        {textOf(tensor.getElementType()), tensor.getShape().vec()});
  }
  collective.bytesSent = op.getBytesSent();
  collective.phase = phase.str();
  if (StringAttr module = op.getModuleName())
    collective.module = module.getValue().str();
  if (StringAttr reason = op.getReasonText())
    collective.reason = reason.getValue().str();
  collective.location = textOf(op->getLoc());
  return collective;
}

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

FailureOr<Report> tp::buildReport(ModuleOp module) {
  auto meshes = module.getOps<MeshOp>();
  if (meshes.empty())
    return module.emitError(
        "there is no tp.mesh in this module; shard it first, "
        "with tp-opt --tp-shard");
  if (failed(writeOutCalls(module)))
    return failure();
  Report report;
  MeshAttr mesh = (*meshes.begin()).getMesh();
  auto meshName = FlatSymbolRefAttr::get((*meshes.begin()).getSymNameAttr());
  for (MeshAxisAttr axis : mesh.getAxes())
    report.axes.push_back({axis.getName().str(), axis.getSize()});
  for (auto function : module.getOps<func::FuncOp>()) {
    if (function.isExternal())
      continue;
    for (unsigned i = 0; i < function.getNumArguments(); ++i)
      if (isa<RankedTensorType>(function.getArgumentTypes()[i]) &&
          !function.getArgAttr(i, kGlobalName))
        return function.emitError("is not sharded yet: argument ")
               << i << " has no '" << kGlobalName
               << "'; run tp-opt --tp-shard first";
    function.walk([&](CollectiveOpInterface op) {
      report.collectives.push_back(describeCollective(op, function.getName()));
    });
    if (failed(addPadding(function, meshName, mesh, report)))
      return failure();
  }
  FailureOr<MemorySummary> memory = summarise(module);
  if (failed(memory))
    return failure();
  report.memory = {memory->parameters, memory->state, memory->activationsPeak(),
                   memory->peak()};
  return report;
}
