//===- SharedStorage.cpp - what several functions store alike -------------===//
//
// Part of tp-mlir, under the Apache License v2.0.
//
//===----------------------------------------------------------------------===//

#include "tp/Dialect/TP/Transforms/SharedStorage.h"
#include "tp/Interfaces/ShardingDialectInterface.h"

using namespace mlir;
using namespace mlir::tp;

static void forEachStored(
    func::FuncOp function,
    function_ref<void(unsigned, StringAttr, std::pair<Attribute, Type>)>
        visit) {
  for (auto [i, type] : llvm::enumerate(function.getArgumentTypes()))
    if (auto stored = findStored(function, i))
      visit(i, stored->name, {stored->identity, type});
}

LogicalResult SharedStorage::collectRequests(func::FuncOp function) {
  LogicalResult result = success();
  forEachStored(function, [&](unsigned argument, StringAttr name, Key key) {
    auto own = function.getArgAttrOfType<ShardingAttr>(argument, kShardingName);
    if (!own)
      return;
    auto [it, isNew] = known.try_emplace(key, own, function);
    auto [asked, other] = it->second;
    if (isNew || asked == own)
      return;
    InFlightDiagnostic diagnostic =
        function.emitError("\"")
        << name.getValue() << "\" lies as " << own << " here, but as " << asked
        << " in @" << other.getName()
        << ": it is stored once for both, so ask for "
           "it once or alike";
    diagnostic.attachNote(other.getLoc()) << "the other function";
    result = diagnostic;
  });
  return result;
}

void SharedStorage::compareShapes(func::FuncOp function) {
  forEachStored(function, [&](unsigned argument, StringAttr name, Key key) {
    auto [it, isNew] = shapes.try_emplace(name, key, function);
    auto [otherKey, other] = it->second;
    if (isNew || otherKey == key || other == function)
      return;
    emitWarning(function.getArgument(argument).getLoc())
        << "\"" << name.getValue() << "\" is stored in another shape in @"
        << function.getName() << " than in @" << other.getName()
        << ", so no program can have both: use it alike in both, or give it "
           "another name";
  });
}

bool SharedStorage::apply(func::FuncOp function) const {
  bool isNews = false;
  forEachStored(function, [&](unsigned argument, StringAttr, Key key) {
    auto it = known.find(key);
    if (it == known.end() ||
        function.getArgAttr(argument, kShardingName) == it->second.first)
      return;
    function.setArgAttr(argument, kShardingName, it->second.first);
    isNews = true;
  });
  return isNews;
}

void SharedStorage::update(func::FuncOp function) {
  forEachStored(function, [&](unsigned argument, StringAttr, Key key) {
    known[key] = {
        function.getArgAttrOfType<ShardingAttr>(argument, kShardingName),
        function};
  });
}
