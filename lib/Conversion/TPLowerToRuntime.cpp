//===- TPLowerToRuntime.cpp - ops on tensors become runtime calls ---------===//
//
// Part of tp-mlir, under the Apache License v2.0.
//
//===----------------------------------------------------------------------===//

#include "LowerToRuntime.h"
#include "PlannedMemory.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Func/Transforms/FuncConversions.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/IR/IRMapping.h"
#include "tp/Conversion/Passes.h"
#include "tp/Dialect/NN/IR/NN.h"

namespace mlir::tp {
#define GEN_PASS_DEF_TPLOWERTORUNTIME
#include "tp/Conversion/Passes.h.inc"
} // namespace mlir::tp

using namespace mlir;
using namespace mlir::tp;
using rt::PlaceAttr;
using rt::PlaceKind;

//===----------------------------------------------------------------------===//
// Kernels
//===----------------------------------------------------------------------===//

KernelTable::KernelTable(ModuleOp module) : module(module), symbols(module) {}

/// Numbers that two regions share exactly if they compute the same.
static std::vector<uintptr_t> structureOf(Region &region) {
  std::vector<uintptr_t> key;
  DenseMap<Value, uintptr_t> numbers;
  auto addValue = [&](Value value) {
    uintptr_t number = numbers.size();
    numbers[value] = number;
    key.push_back(uintptr_t(value.getType().getAsOpaquePointer()));
  };
  key.push_back(region.getNumArguments());
  llvm::for_each(region.getArguments(), addValue);
  for (Operation &op : region.front()) {
    // Fused bodies and kernels end in different terminators.
    bool ends = op.hasTrait<OpTrait::IsTerminator>();
    key.push_back(ends ? 0 : uintptr_t(op.getName().getAsOpaquePointer()));
    key.push_back(uintptr_t(op.getAttrDictionary().getAsOpaquePointer()));
    key.push_back(op.getNumOperands());
    for (Value operand : op.getOperands())
      key.push_back(numbers.lookup(operand));
    llvm::for_each(op.getResults(), addValue);
  }
  return key;
}

FlatSymbolRefAttr KernelTable::getOrCreate(Region &region, Location loc) {
  auto [it, inserted] = kernels.try_emplace(structureOf(region));
  if (inserted)
    it->second = create(region, loc);
  return it->second;
}

FlatSymbolRefAttr KernelTable::create(Region &region, Location loc) {
  Block &body = region.front();
  std::string name;
  do
    name = ("kernel_" + Twine(count++)).str();
  while (symbols.lookup(name));
  auto type =
      FunctionType::get(module.getContext(), body.getArgumentTypes(),
                        TypeRange(body.getTerminator()->getOperandTypes()));
  auto kernel = func::FuncOp::create(loc, name, type);
  kernel.setPrivate();
  kernel->setAttr(rt::kKernelName, UnitAttr::get(module.getContext()));
  IRMapping mapping;
  Block *block = kernel.addEntryBlock();
  mapping.map(body.getArguments(), block->getArguments());
  OpBuilder builder = OpBuilder::atBlockEnd(block);
  for (Operation &op : body.without_terminator())
    builder.clone(op, mapping);
  SmallVector<Value> results;
  for (Value value : body.getTerminator()->getOperands())
    results.push_back(mapping.lookup(value));
  func::ReturnOp::create(builder, loc, results);
  return FlatSymbolRefAttr::get(symbols.insert(kernel));
}

/// A region that gives a tensor full of one value.
static void buildFill(Region &region, RankedTensorType type,
                      const APFloat &value, Location loc) {
  OpBuilder builder(loc.getContext());
  builder.createBlock(&region);
  auto element =
      builder.getFloatAttr(type.getElementType(), value.convertToDouble());
  Value filled = arith::ConstantOp::create(
      builder, loc, SplatElementsAttr::get(type, Attribute(element)));
  func::ReturnOp::create(builder, loc, filled);
}

RuntimeLowering::RuntimeLowering(ModuleOp module) : kernels(module) {
  if (auto known = module->getAttrOfType<ArrayAttr>(rt::kGroupsName))
    groups.assign(known.begin(), known.end());
}

//===----------------------------------------------------------------------===//
// Places
//===----------------------------------------------------------------------===//

static Value makeBuffer(PlaceAttr place, MemRefType type, Operation *op,
                        ValueRange operands, OpBuilder &builder) {
  int64_t index = place.getIndex();
  switch (place.getKind()) {
  case PlaceKind::Arena:
    return rt::BufferOp::create(builder, op->getLoc(), type, index);
  case PlaceKind::Argument:
    return rt::ArgumentOp::create(builder, op->getLoc(), type, index);
  case PlaceKind::Result:
    return rt::ResultOp::create(builder, op->getLoc(), type, index);
  case PlaceKind::Operand:
    if (index < int64_t(operands.size()) && operands[index].getType() == type)
      return operands[index];
    return {};
  }
  return {};
}

FailureOr<SmallVector<Value>>
tp::getResultBuffers(Operation *op, ValueRange operands,
                     ConversionPatternRewriter &rewriter) {
  auto places = op->getAttrOfType<ArrayAttr>(rt::kPlacesName);
  if (!places || places.size() != op->getNumResults())
    return op->emitOpError("has no planned places; run tp-plan-memory first");
  SmallVector<Value> buffers;
  for (auto [place, result] : llvm::zip(places, op->getResults())) {
    auto type = rt::getBufferType(tensorOf(result.getType()));
    auto known = dyn_cast<PlaceAttr>(place);
    Value buffer =
        known ? makeBuffer(known, type, op, operands, rewriter) : Value();
    if (!buffer)
      return op->emitOpError("cannot have a result of type ")
             << result.getType() << " at " << place;
    buffers.push_back(buffer);
  }
  return buffers;
}

//===----------------------------------------------------------------------===//
// The pass
//===----------------------------------------------------------------------===//

/// What an argument or result was as a tensor, with its global type, which is
/// its own type if nothing else is said.
static DictionaryAttr makeSlot(DictionaryAttr attributes, Type type) {
  NamedAttrList all(attributes);
  if (!all.get(kGlobalName))
    all.set(kGlobalName, TypeAttr::get(type));
  DictionaryAttr slot = all.getDictionary(type.getContext());
  Builder builder(type.getContext());
  return builder.getDictionaryAttr(builder.getNamedAttr(rt::kSlotName, slot));
}

static void keepSlots(func::FuncOp function) {
  for (unsigned i = 0; i < function.getNumArguments(); ++i)
    function.setArgAttrs(i, makeSlot(getArgumentSlot(function, i),
                                     function.getArgumentTypes()[i]));
  for (unsigned i = 0; i < function.getNumResults(); ++i)
    function.setResultAttrs(
        i, makeSlot(getResultSlot(function, i), function.getResultTypes()[i]));
}

/// Gives the parameters that tp-keep-stored chose the type of their blocks. All
/// who read them take it, as their verifiers see to.
static LogicalResult keepStored(func::FuncOp function) {
  for (BlockArgument argument : function.getArguments()) {
    unsigned index = argument.getArgNumber();
    auto stored =
        getArgumentSlot(function, index).getAs<TypeAttr>(rt::kStoredName);
    if (!stored)
      continue;
    auto type = dyn_cast<MemRefType>(argument.getType());
    if (!type || !type.getElementType().isF32() ||
        !isa<rt::StoredType>(stored.getValue()))
      return function.emitError()
             << "argument " << index << " of type " << argument.getType()
             << " cannot be kept as " << stored;
    argument.setType(MemRefType::get(type.getShape(), stored.getValue()));
  }
  function.setType(FunctionType::get(function.getContext(),
                                     function.getBody().getArgumentTypes(),
                                     function.getResultTypes()));
  return success();
}

namespace {

struct TPLowerToRuntimePass
    : public tp::impl::TPLowerToRuntimeBase<TPLowerToRuntimePass> {
  void runOnOperation() override {
    RuntimeLowering lowering(getOperation());
    SmallVector<func::FuncOp> entries;
    for (auto function : getOperation().getOps<func::FuncOp>())
      if (!function.isDeclaration() && !function->hasAttr(rt::kKernelName))
        entries.push_back(function);
    for (func::FuncOp entry : entries) {
      collect(entry, lowering);
      keepSlots(entry);
      if (failed(convert(entry, lowering)) || failed(keepStored(entry)))
        return signalPassFailure();
    }
    lowering.writeGroups(getOperation());
  }

  /// Makes kernels and numbers collectives, in the order of the ops.
  void collect(func::FuncOp entry, RuntimeLowering &lowering) {
    int64_t id = 0;
    for (Operation &op : entry.getBody().front()) {
      if (auto fused = dyn_cast<rt::FusedOp>(op)) {
        lowering.kernelOf[&op] =
            lowering.kernels.getOrCreate(fused.getBody(), op.getLoc());
      } else if (auto pad = dyn_cast<nn::PadOp>(op)) {
        Region fill;
        buildFill(fill, pad.getType(), pad.getValue(), op.getLoc());
        lowering.kernelOf[&op] =
            lowering.kernels.getOrCreate(fill, op.getLoc());
      } else if (isa<CollectiveOpInterface>(op)) {
        lowering.collectiveIds[&op] = id++;
      } else if (auto wait = dyn_cast<WaitOp>(op)) {
        lowering.collectiveIds[&op] =
            lowering.collectiveIds.lookup(wait.getPending().getDefiningOp());
      }
    }
  }

  LogicalResult convert(func::FuncOp entry, RuntimeLowering &lowering) {
    TypeConverter converter;
    converter.addConversion([](Type type) { return type; });
    converter.addConversion(
        [](RankedTensorType type) { return rt::getBufferType(type); });
    converter.addConversion(
        [](PendingType type) { return rt::getBufferType(type.getTensor()); });
    RewritePatternSet patterns(&getContext());
    populateOpLowerings(patterns, converter, lowering);
    populateLayoutLowerings(patterns, converter, lowering);
    populateCollectiveLowerings(patterns, converter, lowering);
    populateFunctionOpInterfaceTypeConversionPattern<func::FuncOp>(patterns,
                                                                   converter);
    populateReturnOpTypeConversionPattern(patterns, converter);
    ConversionTarget target(getContext());
    target.addLegalDialect<rt::RTDialect>();
    target.addIllegalOp<rt::FusedOp, rt::CloneOp>();
    target.addIllegalOp<ShardStartOp>();
    target.addDynamicallyLegalOp<func::FuncOp>([&](func::FuncOp op) {
      return converter.isSignatureLegal(op.getFunctionType());
    });
    target.markUnknownOpDynamicallyLegal(
        [&](Operation *op) { return converter.isLegal(op); });
    return applyPartialConversion(entry, target, std::move(patterns));
  }
};

} // namespace
