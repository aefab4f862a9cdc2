//===- OpModules.cpp - which module an op belongs to ----------------------===//
//
// Part of tp-mlir, under the Apache License v2.0.
//
//===----------------------------------------------------------------------===//

#include "tp/Conversion/OpModules.h"
#include "tp/Dialect/NN/IR/NN.h"
#include "tp/Dialect/TP/IR/TP.h"

using namespace mlir;
using namespace mlir::tp;

/// "model.layers.7" of "model.layers.7.mlp.down", and the 7; nothing if the
/// name has no number.
static std::optional<std::pair<StringRef, int64_t>> layerPart(StringRef name) {
  size_t begin = 0;
  while (begin <= name.size()) {
    StringRef part =
        name.drop_front(begin).take_until([](char c) { return c == '.'; });
    int64_t number = 0;
    if (!part.getAsInteger(10, number))
      return std::make_pair(name.take_front(begin + part.size()), number);
    begin += part.size() + 1;
  }
  return std::nullopt;
}

std::optional<int64_t> tp::layerOf(StringRef module) {
  auto layer = layerPart(module);
  return layer ? std::optional(layer->second) : std::nullopt;
}

/// "layers.0.attention.q" and "layers.0.attention.k" share
/// "layers.0.attention". What a layer adds to what came before is of the layer:
/// "layers.0.mlp" and "layers.1.mlp" make "layers.1".
static std::string sharedPart(StringRef a, StringRef b) {
  auto inA = layerPart(a), inB = layerPart(b);
  if (inA && (!inB || inA->first != inB->first) &&
      (!inB || inA->second > inB->second))
    return inA->first.str();
  if (inB && (!inA || inA->first != inB->first))
    return inB->first.str();
  while (a != b && !a.empty())
    if (a.size() >= b.size())
      a = a.contains('.') ? a.rsplit('.').first : StringRef();
    else
      b = b.contains('.') ? b.rsplit('.').first : StringRef();
  return a.str();
}

ModuleNames::ModuleNames(func::FuncOp function) : function(function) {
  for (BlockArgument argument : function.getArguments()) {
    if (!isParameter(argument))
      continue;
    StringRef name = argumentName(argument);
    values[argument] =
        name.contains('.') ? name.rsplit('.').first.str() : name.str();
  }
}

bool ModuleNames::isParameter(Value value) const {
  auto argument = dyn_cast<BlockArgument>(value);
  func::FuncOp owner = function;
  return argument && argument.getOwner()->getParentOp() == owner &&
         owner.getArgAttr(argument.getArgNumber(), nn::kParameterName);
}

StringRef ModuleNames::argumentName(BlockArgument argument) const {
  unsigned number = argument.getArgNumber();
  func::FuncOp owner = function;
  if (auto parameter =
          owner.getArgAttrOfType<nn::ParameterAttr>(number, nn::kParameterName))
    return parameter.getName().getValue();
  for (StringRef attribute : {nn::kStateName, nn::kInputName})
    if (auto name = owner.getArgAttrOfType<StringAttr>(number, attribute))
      return name.getValue();
  return {};
}

/// What the location says. A printed program has none: then the module of the
/// parameter that the op reads, or what the modules of its operands share.
std::string ModuleNames::find(Operation *op) const {
  if (auto collective = dyn_cast<CollectiveOpInterface>(op))
    if (StringAttr module = collective.getModuleName())
      return module.getValue().str();
  if (StringRef name = tp::moduleOf(op->getLoc()); !name.empty())
    return name.str();
  std::string shared;
  for (Value operand : op->getOperands()) {
    StringRef module = of(operand);
    if (parameterOf(operand) && !module.empty())
      return module.str();
    if (!module.empty())
      shared = shared.empty() ? module.str() : sharedPart(shared, module);
  }
  return shared;
}

StringRef ModuleNames::add(Operation *op) {
  std::string module = find(op);
  for (auto [i, result] : llvm::enumerate(op->getResults())) {
    values[result] = module;
    if (!isa<PlacementOpInterface>(op) || i >= op->getNumOperands())
      continue;
    if (Value parameter = parameterOf(op->getOperand(i))) {
      moved[result] = parameter;
      values[result] = of(parameter).str();
    }
  }
  return ops[op] = std::move(module);
}

Value ModuleNames::parameterOf(Value value) const {
  return isParameter(value) ? value : moved.lookup(value);
}

StringRef ModuleNames::of(Operation *op) const {
  auto it = ops.find(op);
  return it == ops.end() ? StringRef() : StringRef(it->second);
}

StringRef ModuleNames::of(Value value) const {
  auto it = values.find(value);
  return it == values.end() ? StringRef() : StringRef(it->second);
}
