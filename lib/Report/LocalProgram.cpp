//===- LocalProgram.cpp - one walk over a local function ------------------===//
//
// Part of tp-mlir, under the Apache License v2.0.
//
//===----------------------------------------------------------------------===//

#include "LocalProgram.h"
#include "tp/Dialect/NN/IR/NN.h"
#include <set>

using namespace mlir;
using namespace mlir::tp;

//===----------------------------------------------------------------------===//
// Programs
//===----------------------------------------------------------------------===//

int64_t tp::saturatingProduct(int64_t a, int64_t b) {
  uint64_t product = llvm::SaturatingMultiply(uint64_t(a), uint64_t(b));
  return int64_t(std::min<uint64_t>(product, INT64_MAX));
}

LocalProgram::LocalProgram(func::FuncOp function, FlatSymbolRefAttr meshName,
                           MeshAttr mesh, const Machine &machine)
    : function(function), mesh(mesh), machine(machine),
      prover(function, meshName, mesh), names(function) {
  for (MeshAxisAttr axis : mesh.getAxes())
    devices = saturatingProduct(devices, axis.getSize());
}

Placement LocalProgram::placementOf(Value value) {
  const ValueFact &fact = prover.factOf(value);
  Placement placement;
  RankedTensorType type = tensorOf(value.getType());
  for (auto [dim, local] : llvm::zip(fact.dims, type.getShape())) {
    placement.dims.push_back(dim.axes);
    placement.pads.push_back(local * sizeOf(dim.axes));
  }
  placement.partial = fact.partial;
  placement.partialKind = fact.partialKind;
  return placement;
}

ReportPlacement LocalProgram::describeValue(Value value) {
  ReportPlacement row;
  RankedTensorType type = tensorOf(value.getType());
  row.kind = "value";
  row.dtype = textOf(type.getElementType());
  row.location = textOf(value.getLoc());
  row.phase = phase();
  row.local = type.getShape().vec();
  row.placement = placementOf(value);
  for (auto [dim, padded] :
       llvm::zip(prover.factOf(value).dims, row.placement.pads))
    row.shape.push_back(dim.isFree() ? padded : dim.size);
  row.text = describe(row.placement, mesh);
  return row;
}

MachineModel LocalProgram::modelFor(Operation *op) const {
  auto collective = dyn_cast<CollectiveOpInterface>(op);
  if (!collective)
    return machine.model;
  return machine.modelFor(
      spanOf(toAxes(collective.getGroupAxes(), mesh), mesh));
}

LogicalResult tp::walk(LocalProgram &program, const OpObservers &observers) {
  if (failed(checkVerifiable(program.function)) ||
      failed(program.prover.enterArguments()))
    return failure();
  for (const auto &observer : observers)
    observer->enter();
  for (Operation &op : program.function.getBody().front()) {
    if (failed(program.prover.visit(&op)))
      return failure();
    program.names.add(&op);
    if (!op.hasTrait<OpTrait::IsTerminator>())
      for (const auto &observer : observers)
        observer->visit(&op);
  }
  for (const auto &observer : observers)
    observer->finish();
  return success();
}

//===----------------------------------------------------------------------===//
// Words
//===----------------------------------------------------------------------===//

std::string tp::textOf(Type type) {
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

std::string tp::textOf(Location location) {
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

//===----------------------------------------------------------------------===//
// Tensors
//===----------------------------------------------------------------------===//

namespace {

/// Arguments, and results that are not the new content of one.
class TensorCollector : public OpObserver {
public:
  TensorCollector(LocalProgram &program, Report &report)
      : program(program), report(report) {}

  void enter() override {
    for (const ReportPlacement &row : report.tensors)
      seen.insert(keyOf(row));
    func::FuncOp function = program.function;
    for (BlockArgument argument : function.getArguments()) {
      DictionaryAttr attributes =
          function.getArgAttrDict(argument.getArgNumber());
      bool isState = attributes && attributes.contains(nn::kStateName);
      std::string name = program.names.argumentName(argument).str();
      if (name.empty())
        name = "argument " + std::to_string(argument.getArgNumber());
      add(argument,
          program.names.isParameter(argument) ? "parameter"
          : isState                           ? "state"
                                              : "input",
          name, attributes);
    }
  }

  void visit(Operation *) override {}

  void finish() override {
    func::FuncOp function = program.function;
    Operation *terminator = function.getBody().front().getTerminator();
    for (auto [i, value] : llvm::enumerate(terminator->getOperands())) {
      DictionaryAttr attributes = function.getResultAttrDict(i);
      if (attributes && attributes.contains(nn::kStateName))
        continue;
      auto name = attributes ? attributes.getAs<StringAttr>(nn::kOutputName)
                             : StringAttr();
      add(value, "output",
          name ? name.getValue().str() : "result " + std::to_string(i),
          attributes);
    }
  }

private:
  void add(Value value, StringRef kind, const std::string &name,
           DictionaryAttr attributes) {
    auto type = dyn_cast<RankedTensorType>(value.getType());
    if (!type)
      return;
    ReportPlacement row = program.describeValue(value);
    row.kind = kind.str();
    row.name = name;
    // What is declared is so where nothing else is known.
    auto global =
        attributes ? attributes.getAs<TypeAttr>(kGlobalName) : TypeAttr();
    if (auto globalType =
            global ? dyn_cast<RankedTensorType>(global.getValue()) : nullptr)
      row.shape = globalType.getShape().vec();
    if (seen.insert(keyOf(row)).second)
      report.tensors.push_back(std::move(row));
  }

  /// Parameters and state of one name and type are one buffer in all phases.
  static std::string keyOf(const ReportPlacement &row) {
    std::string key = row.kind + " " + row.name + " " + row.dtype;
    for (int64_t size : row.local)
      key += " " + std::to_string(size);
    bool isShared = row.kind == "parameter" || row.kind == "state";
    return isShared ? key : key + " " + row.phase;
  }

  LocalProgram &program;
  Report &report;
  std::set<std::string> seen;
};

} // namespace

std::unique_ptr<OpObserver> tp::makeTensorCollector(LocalProgram &program,
                                                    Report &report) {
  return std::make_unique<TensorCollector>(program, report);
}
