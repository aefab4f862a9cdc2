//===- Request.cpp - what a plan asks of one tensor -----------------------===//
//
// Part of tp-mlir, under the Apache License v2.0.
//
//===----------------------------------------------------------------------===//

#include "Request.h"
#include "mlir/IR/Builders.h"
#include "tp/Dialect/NN/IR/NN.h"
#include "tp/Dialect/TP/IR/TP.h"
#include "tp/Interfaces/ShardingRule.h"

using namespace mlir;
using namespace mlir::tp;

std::string Request::source() const {
  return "\"" + entry.str() + "\": " + style.str();
}

DictionaryAttr Request::toAttribute(MLIRContext *context) const {
  Builder builder(context);
  SmallVector<NamedAttribute> fields;
  auto add = [&](StringRef name, Attribute value) {
    fields.push_back(builder.getNamedAttr(name, value));
  };
  auto addFlag = [&](StringRef name, bool isSet) {
    if (isSet)
      add(name, builder.getUnitAttr());
  };
  add("axis", builder.getStringAttr(axis));
  add("dim", builder.getI64IntegerAttr(dim));
  if (stage)
    add("stage", builder.getI64IntegerAttr(stage));
  addFlag("gathered", isGathered);
  addFlag("packed", isPacked);
  addFlag("storage", isStorage);
  addFlag("lazy", isLazy);
  if (!user.empty())
    add("user", builder.getStringAttr(user));
  add("entry", builder.getStringAttr(entry));
  add("style", builder.getStringAttr(style));
  return builder.getDictionaryAttr(fields);
}

SmallVector<Request, 2> tp::readRequests(Attribute attribute) {
  SmallVector<Request, 2> requests;
  auto list = dyn_cast_or_null<ArrayAttr>(attribute);
  if (!list)
    return requests;
  for (Attribute element : list) {
    auto fields = dyn_cast<DictionaryAttr>(element);
    auto axis = fields ? fields.getAs<StringAttr>("axis") : StringAttr();
    auto dim = fields ? fields.getAs<IntegerAttr>("dim") : IntegerAttr();
    if (!axis || !dim)
      continue;
    Request request;
    request.axis = axis.getValue();
    request.dim = dim.getInt();
    if (auto stage = fields.getAs<IntegerAttr>("stage"))
      request.stage = stage.getInt();
    request.isGathered = fields.contains("gathered");
    request.isPacked = fields.contains("packed");
    request.isStorage = fields.contains("storage");
    request.isLazy = fields.contains("lazy");
    if (auto user = fields.getAs<StringAttr>("user"))
      request.user = user.getValue();
    if (auto entry = fields.getAs<StringAttr>("entry"))
      request.entry = entry.getValue();
    if (auto style = fields.getAs<StringAttr>("style"))
      request.style = style.getValue();
    requests.push_back(request);
  }
  return requests;
}

Attribute tp::writeRequests(ArrayRef<Request> requests, MLIRContext *context) {
  SmallVector<Attribute> list;
  for (const Request &request : requests)
    list.push_back(request.toAttribute(context));
  return ArrayAttr::get(context, list);
}

SmallVector<std::pair<StringRef, AxisRole>>
tp::rolesOf(ModuleOp module, ArrayRef<StringRef> axes) {
  DictionaryAttr given;
  for (MeshOp mesh : module.getOps<MeshOp>()) {
    given = mesh->getAttrOfType<DictionaryAttr>(kRolesName);
    break;
  }
  bool hasRole[2] = {false, false};
  SmallVector<std::pair<StringRef, AxisRole>> roles;
  auto add = [&](StringRef axis, AxisRole role) {
    roles.push_back({axis, role});
    hasRole[unsigned(role)] = true;
  };
  auto named = [&](StringRef axis) {
    return given ? given.getAs<StringAttr>(axis) : StringAttr();
  };
  for (StringRef axis : axes)
    if (StringAttr role = named(axis))
      add(axis, role == kDataParallel ? AxisRole::DataParallel
                                      : AxisRole::TensorParallel);
  // A role that is given to no axis goes by the usual name.
  bool isBatchGiven = hasRole[0], isTensorGiven = hasRole[1];
  for (StringRef axis : axes) {
    if (named(axis))
      continue;
    if (axis == "dp" && !isBatchGiven)
      add(axis, AxisRole::DataParallel);
    if (axis == "tp" && !isTensorGiven)
      add(axis, AxisRole::TensorParallel);
  }
  return roles;
}

StringRef tp::moduleAround(Operation *op) {
  if (StringRef module = moduleOf(op->getLoc()); !module.empty())
    return module;
  for (Value operand : op->getOperands())
    if (auto boundary = operand.getDefiningOp<nn::BoundaryOp>();
        boundary && boundary.getDirection() == "input")
      return boundary.getModule();
  for (Operation *next : op->getUsers())
    if (auto boundary = dyn_cast<nn::BoundaryOp>(next);
        boundary && boundary.getDirection() == "output")
      return boundary.getModule();
  return {};
}

bool tp::isLookup(OpOperand &use) {
  auto ruled = dyn_cast<ShardingRuleOpInterface>(use.getOwner());
  if (!ruled)
    return false;
  ShardingRule rule = ruled.getShardingRule();
  const TensorFactors &dims = rule.operands[use.getOperandNumber()];
  return !dims.empty() && dims[0].size() == 1 &&
         rule.factors[dims[0].front()].indexed;
}

StringRef tp::readerOf(OpOperand &use) {
  StringRef module = moduleAround(use.getOwner());
  if (!module.empty())
    return module;
  for (OpOperand &other : use.get().getUses()) {
    StringRef around = moduleAround(other.getOwner());
    if (around.empty() || isLookup(other) != isLookup(use))
      continue;
    if (!module.empty() && module != around)
      return {};
    module = around;
  }
  return module;
}
