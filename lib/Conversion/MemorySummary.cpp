//===- MemorySummary.cpp - state and the memory summary -------------------===//
//
// Part of tp-mlir, under the Apache License v2.0.
//
//===----------------------------------------------------------------------===//

#include "PlannedMemory.h"
#include "mlir/Pass/PassManager.h"
#include "tp/Conversion/Passes.h"
#include "tp/Dialect/NN/IR/NN.h"
#include "tp/Dialect/RT/IR/RT.h"
#include "tp/Dialect/TP/Transforms/Passes.h"
#include "llvm/ADT/StringSet.h"

using namespace mlir;
using namespace mlir::tp;

//===----------------------------------------------------------------------===//
// State
//===----------------------------------------------------------------------===//

static DictionaryAttr slotOf(func::FuncOp function, DictionaryAttr attributes) {
  if (!attributes)
    return DictionaryAttr::get(function.getContext());
  auto slot = attributes.getAs<DictionaryAttr>(rt::kSlotName);
  return slot ? slot : attributes;
}

DictionaryAttr tp::getArgumentSlot(func::FuncOp function, unsigned index) {
  return slotOf(function, function.getArgAttrDict(index));
}

DictionaryAttr tp::getResultSlot(func::FuncOp function, unsigned index) {
  return slotOf(function, function.getResultAttrDict(index));
}

static StringAttr stateOfArgument(func::FuncOp function, unsigned index) {
  return getArgumentSlot(function, index).getAs<StringAttr>(nn::kStateName);
}

static StringAttr stateOfResult(func::FuncOp function, unsigned index) {
  return getResultSlot(function, index).getAs<StringAttr>(nn::kStateName);
}

std::optional<unsigned> tp::findStateResult(func::FuncOp function,
                                            unsigned argument) {
  StringAttr name = stateOfArgument(function, argument);
  for (unsigned i = 0; name && i < function.getNumResults(); ++i)
    if (stateOfResult(function, i) == name)
      return i;
  return std::nullopt;
}

std::optional<unsigned> tp::findStateArgument(func::FuncOp function,
                                              unsigned result) {
  StringAttr name = stateOfResult(function, result);
  for (unsigned i = 0; name && i < function.getNumArguments(); ++i)
    if (stateOfArgument(function, i) == name)
      return i;
  return std::nullopt;
}

StringRef tp::getStateName(func::FuncOp function, unsigned argument) {
  StringAttr name = stateOfArgument(function, argument);
  return name ? name.getValue() : StringRef();
}

LogicalResult tp::checkStates(func::FuncOp function) {
  llvm::DenseMap<StringAttr, unsigned> arguments;
  for (unsigned i = 0; i < function.getNumArguments(); ++i) {
    StringAttr name = stateOfArgument(function, i);
    if (name && !arguments.try_emplace(name, i).second)
      return function.emitError() << "state " << name << " is two arguments";
  }
  llvm::DenseSet<StringAttr> results;
  for (unsigned i = 0; i < function.getNumResults(); ++i) {
    StringAttr name = stateOfResult(function, i);
    if (!name)
      continue;
    auto it = arguments.find(name);
    if (it == arguments.end())
      return function.emitError() << "state " << name << " is no argument";
    if (!results.insert(name).second)
      return function.emitError() << "state " << name << " is two results";
    if (function.getArgumentTypes()[it->second] != function.getResultTypes()[i])
      return function.emitError()
             << "state " << name << " comes as "
             << function.getArgumentTypes()[it->second] << " and leaves as "
             << function.getResultTypes()[i];
  }
  return success();
}

//===----------------------------------------------------------------------===//
// Summaries
//===----------------------------------------------------------------------===//

/// As the runtime reserves it: every buffer begins at a multiple of the
/// alignment.
static int64_t alignedBytesOf(Type type) {
  auto shaped = dyn_cast<ShapedType>(type);
  int64_t bytes = shaped && shaped.hasStaticShape() ? rt::getBytes(shaped) : 0;
  return llvm::alignTo(bytes, kBufferAlignment);
}

/// The type of a value's buffer: its own, or that of the blocks of a file.
static Type heldTypeOf(Value value) {
  auto argument = dyn_cast<BlockArgument>(value);
  auto function =
      argument ? dyn_cast<func::FuncOp>(argument.getOwner()->getParentOp())
               : func::FuncOp();
  auto shaped = dyn_cast<ShapedType>(value.getType());
  if (!function || !shaped || !shaped.hasStaticShape())
    return value.getType();
  auto stored = getArgumentSlot(function, argument.getArgNumber())
                    .getAs<TypeAttr>(rt::kStoredName);
  return stored && isa<rt::StoredType>(stored.getValue())
             ? Type(MemRefType::get(shaped.getShape(), stored.getValue()))
             : value.getType();
}

int64_t tp::heldBytesOf(Value value) {
  auto shaped = dyn_cast<ShapedType>(heldTypeOf(value));
  return shaped && shaped.hasStaticShape() ? rt::getBytes(shaped) : 0;
}

StringRef tp::heldBlocksOf(Value value) {
  auto buffer = dyn_cast<MemRefType>(heldTypeOf(value));
  auto stored = buffer ? dyn_cast<rt::StoredType>(buffer.getElementType())
                       : rt::StoredType();
  return stored ? stored.getName() : StringRef();
}

/// What an argument counts as: a member of the summary.
static int64_t MemorySummary::*classify(func::FuncOp function, unsigned index) {
  DictionaryAttr slot = getArgumentSlot(function, index);
  if (slot.contains(nn::kParameterName))
    return &MemorySummary::parameters;
  if (slot.contains(nn::kStateName))
    return &MemorySummary::state;
  return &MemorySummary::inputs;
}

static MemorySummary summariseTypes(func::FuncOp function) {
  MemorySummary summary;
  for (unsigned i = 0; i < function.getNumArguments(); ++i)
    summary.*classify(function, i) +=
        alignedBytesOf(heldTypeOf(function.getArgument(i)));
  for (unsigned i = 0; i < function.getNumResults(); ++i)
    if (!stateOfResult(function, i))
      summary.outputs += alignedBytesOf(function.getResultTypes()[i]);
  return summary;
}

void tp::recordMemory(func::FuncOp function, int64_t arenaBytes) {
  MemorySummary summary = summariseTypes(function);
  summary.arena = arenaBytes;
  Builder builder(function.getContext());
  auto entry = [&](StringRef name, int64_t bytes) {
    return builder.getNamedAttr(name, builder.getI64IntegerAttr(bytes));
  };
  function->setAttr(rt::kArenaBytesName, builder.getI64IntegerAttr(arenaBytes));
  function->setAttr(
      rt::kMemoryName,
      builder.getDictionaryAttr(
          {entry("parameters", summary.parameters),
           entry("state", summary.state), entry("inputs", summary.inputs),
           entry("outputs", summary.outputs), entry("arena", summary.arena)}));
}

/// Plans the entries of a copy of `module`, of which only `only` is kept if not
/// null.
static FailureOr<OwningOpRef<ModuleOp>> planCopy(ModuleOp module,
                                                 func::FuncOp only) {
  OwningOpRef<ModuleOp> copy(module.clone());
  if (only)
    for (auto function :
         llvm::make_early_inc_range(copy->getOps<func::FuncOp>()))
      if (function.getName() != only.getName())
        function.erase();
  PassManager manager(module.getContext());
  buildMemoryPipeline(manager);
  if (failed(manager.run(*copy)))
    return failure();
  return copy;
}

static bool isEntry(func::FuncOp function) {
  return !function.isDeclaration() && !function->hasAttr(rt::kKernelName);
}

FailureOr<MemorySummary> tp::summarise(func::FuncOp function) {
  if (auto arena = function->getAttrOfType<IntegerAttr>(rt::kArenaBytesName)) {
    MemorySummary summary = summariseTypes(function);
    summary.arena = arena.getInt();
    return summary;
  }
  auto module = function->getParentOfType<ModuleOp>();
  if (!module)
    return function.emitError("must be in a module to be planned");
  FailureOr<OwningOpRef<ModuleOp>> copy = planCopy(module, function);
  if (failed(copy))
    return failure();
  return summarise((*copy)->lookupSymbol<func::FuncOp>(function.getName()));
}

FailureOr<MemorySummary> tp::summarise(ModuleOp module) {
  OwningOpRef<ModuleOp> owned;
  bool planned = llvm::all_of(module.getOps<func::FuncOp>(), [](auto function) {
    return !isEntry(function) || function->hasAttr(rt::kArenaBytesName);
  });
  if (!planned) {
    FailureOr<OwningOpRef<ModuleOp>> copy = planCopy(module, {});
    if (failed(copy))
      return failure();
    owned = std::move(*copy);
    module = *owned;
  }
  MemorySummary total, largest;
  llvm::DenseSet<Attribute> seen;
  for (auto function : module.getOps<func::FuncOp>()) {
    if (!isEntry(function))
      continue;
    FailureOr<MemorySummary> summary = summarise(function);
    if (failed(summary))
      return failure();
    if (summary->activationsPeak() > largest.activationsPeak())
      largest = *summary;
    for (unsigned i = 0; i < function.getNumArguments(); ++i) {
      // A parameter is known by its whole attribute: one name, one buffer.
      Attribute key = getArgumentSlot(function, i).get(nn::kParameterName);
      if (!key)
        key = stateOfArgument(function, i);
      if (key && seen.insert(key).second)
        total.*classify(function, i) +=
            alignedBytesOf(heldTypeOf(function.getArgument(i)));
    }
  }
  total.inputs = largest.inputs;
  total.outputs = largest.outputs;
  total.arena = largest.arena;
  return total;
}
