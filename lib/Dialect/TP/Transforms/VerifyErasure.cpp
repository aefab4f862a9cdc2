//===- VerifyErasure.cpp - a local program is the global one, sharded -----===//
//
// Part of tp-mlir, under the Apache License v2.0.
//
//===----------------------------------------------------------------------===//

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/IR/OperationSupport.h"
#include "tp/Dialect/TP/IR/TP.h"
#include "tp/Dialect/TP/Transforms/FactorAxes.h"
#include "tp/Dialect/TP/Transforms/Passes.h"

using namespace mlir;
using namespace mlir::tp;

namespace mlir::tp {
#define GEN_PASS_DEF_TPVERIFYERASURE
#include "tp/Dialect/TP/Transforms/Passes.h.inc"
} // namespace mlir::tp

namespace {

/// Walks through a local function and names, for each of its values, the value
/// of the global program that it is a part of.
class Eraser {
public:
  Eraser(func::FuncOp local, func::FuncOp global)
      : local(local), global(global), scratch(local.getContext()) {}

  LogicalResult run() {
    index();
    if (failed(eraseArguments()))
      return failure();
    for (Operation &op : llvm::make_early_inc_range(local.getBody().front())) {
      LogicalResult erased =
          op.hasTrait<OpTrait::IsTerminator>() ? finish(&op) : erase(&op);
      if (failed(erased))
        return failure();
    }
    return success();
  }

private:
  //===--------------------------------------------------------------------===//
  // The global program
  //===--------------------------------------------------------------------===//

  /// A global value, through ops that only speak of placement; of several that
  /// are computed alike, the first.
  Value canonical(Value value) const {
    while (Operation *op = value.getDefiningOp()) {
      if (!isa<ReshardOp, ConstraintOp>(op))
        break;
      value = op->getOperand(0);
    }
    auto it = firsts.find(value);
    return it == firsts.end() ? value : it->second;
  }

  static bool isTensor(Value value) {
    return isa<RankedTensorType>(value.getType());
  }

  /// What an op is found by: its name and operands.
  using Key = std::pair<OperationName, SmallVector<const void *, 4>>;
  struct KeyInfo {
    static Key getEmptyKey() {
      return {DenseMapInfo<OperationName>::getEmptyKey(), {}};
    }
    static Key getTombstoneKey() {
      return {DenseMapInfo<OperationName>::getTombstoneKey(), {}};
    }
    static unsigned getHashValue(const Key &key) {
      return llvm::hash_combine(
          key.first,
          llvm::hash_combine_range(key.second.begin(), key.second.end()));
    }
    static bool isEqual(const Key &a, const Key &b) { return a == b; }
  };

  static Key keyOf(OperationName name, ArrayRef<Value> operands) {
    Key key{name, {}};
    for (Value value : operands)
      key.second.push_back(value.getAsOpaquePointer());
    return key;
  }

  void index() {
    for (Operation &op : global.getBody().front()) {
      SmallVector<Value> operands;
      for (Value operand : op.getOperands())
        operands.push_back(canonical(operand));
      auto &alike = candidates[keyOf(op.getName(), operands)];
      auto *it = llvm::find_if(alike, [&](Operation *other) {
        return OperationEquivalence::isEquivalentTo(
            other, &op, OperationEquivalence::ignoreValueEquivalence, nullptr,
            OperationEquivalence::IgnoreLocations |
                OperationEquivalence::IgnoreDiscardableAttrs);
      });
      if (it == alike.end()) {
        alike.push_back(&op);
        continue;
      }
      for (auto [result, first] :
           llvm::zip(op.getResults(), (*it)->getResults()))
        firsts[result] = first;
    }
  }

  //===--------------------------------------------------------------------===//
  // The local one
  //===--------------------------------------------------------------------===//

  LogicalResult eraseArguments() {
    if (local.getNumArguments() != global.getNumArguments())
      return local.emitError("has ")
             << local.getNumArguments() << " arguments, the program that it is "
             << "made from has " << global.getNumArguments();
    for (auto [part, whole] :
         llvm::zip(local.getArguments(), global.getArguments())) {
      auto type =
          local.getArgAttrOfType<TypeAttr>(part.getArgNumber(), kGlobalName);
      if ((type ? type.getValue() : part.getType()) != whole.getType())
        return local.emitError("argument ")
               << part.getArgNumber() << " is part of "
               << (type ? type.getValue() : part.getType()) << ", not of "
               << whole.getType();
      wholes[part] = {whole};
    }
    return success();
  }

  /// A mask is the identity on values of the size that it says: of a splat, or
  /// of what was computed from one, the local program does not tell the size.
  LogicalResult eraseMask(MaskOp mask) {
    SmallVector<Value, 1> list = wholes.lookup(mask.getInput());
    auto size = [&](Value whole) {
      return shapeOf(whole.getType())[mask.getDim()];
    };
    int64_t given = size(list.front());
    llvm::erase_if(list, [&](Value whole) {
      return size(whole) != int64_t(mask.getSize());
    });
    if (list.empty())
      return mask.emitOpError("masks from ")
             << mask.getSize() << " on, but in the program before sharding dim "
             << mask.getDim() << " is of size " << given;
    wholes[mask.getResult()] = std::move(list);
    return success();
  }

  LogicalResult erase(Operation *op) {
    if (auto mask = dyn_cast<MaskOp>(op))
      return eraseMask(mask);
    if (isa<PlacementOpInterface>(op)) {
      for (auto [result, input] :
           llvm::zip(op->getResults(), op->getOperands()))
        wholes[result] = wholes.lookup(input);
      return success();
    }
    if (isa<ShardStartOp>(op))
      return success();
    // Operands that the op has only here say where its shard begins.
    SmallVector<ArrayRef<Value>> choices;
    for (Value operand : op->getOperands())
      if (auto it = wholes.find(operand); it != wholes.end())
        choices.push_back(it->second);
    SmallVector<SmallVector<Value, 1>> found(op->getNumResults());
    Operation *alike = nullptr;
    bool isFound = false;
    forEachChoice(choices, [&](ArrayRef<Value> operands) {
      auto it = candidates.find(keyOf(op->getName(), operands));
      if (it == candidates.end())
        return;
      alike = it->second.front();
      for (Operation *candidate : it->second)
        if (isPartOf(op, candidate)) {
          isFound = true;
          for (auto [list, whole] : llvm::zip(found, candidate->getResults()))
            list.push_back(canonical(whole));
        }
    });
    if (!isFound) {
      InFlightDiagnostic error = unknown(op);
      if (alike)
        error.attachNote(alike->getLoc())
            << "on the same operands it has " << describe(alike);
      return error;
    }
    for (auto [result, list] : llvm::zip(op->getResults(), found))
      wholes[result] = std::move(list);
    return success();
  }

  /// Calls `visit` with one value of each list, in every way.
  static void forEachChoice(ArrayRef<ArrayRef<Value>> lists,
                            llvm::function_ref<void(ArrayRef<Value>)> visit) {
    SmallVector<size_t> number(lists.size());
    SmallVector<Value> chosen;
    for (ArrayRef<Value> list : lists)
      chosen.push_back(list.front());
    for (size_t i = 0;;) {
      visit(chosen);
      for (i = 0; i < lists.size(); ++i) {
        number[i] = (number[i] + 1) % lists[i].size();
        chosen[i] = lists[i][number[i]];
        if (number[i])
          break;
      }
      if (i == lists.size())
        return;
    }
  }

  static std::string describe(Operation *op) {
    std::string text;
    llvm::raw_string_ostream os(text);
    os << "'" << op->getName() << "' " << op->getAttrDictionary();
    return text;
  }

  static InFlightDiagnostic unknown(Operation *op) {
    return op->emitError("'")
           << op->getName() << "' computes what the program before sharding "
           << "does not";
  }

  /// Whether `op` is what `candidate` becomes on one device: built again from
  /// it, with the operands that `op` has, the two are the same.
  bool isPartOf(Operation *op, Operation *candidate) {
    auto ruled = dyn_cast<ShardingRuleOpInterface>(candidate);
    auto own = dyn_cast<ShardingRuleOpInterface>(op);
    if (!ruled || !own || op->getNumResults() != candidate->getNumResults() ||
        op->getNumOperands() < candidate->getNumOperands())
      return false;
    for (auto [result, whole] :
         llvm::zip(op->getResults(), candidate->getResults()))
      if (getElementTypeOrSelf(result) != getElementTypeOrSelf(whole) ||
          isTensor(result) != isTensor(whole) ||
          shapeOf(result.getType()).size() != shapeOf(whole.getType()).size())
        return false;
    scratch.setInsertionPoint(op);
    Operation *built = ruled.buildLocal(
        scratch, op->getOperands().take_front(candidate->getNumOperands()),
        op->getResultTypes(),
        [&](unsigned factor) { return own.getShardStart(factor); });
    if (!built)
      return false;
    bool same = OperationEquivalence::isEquivalentTo(
        built, op, OperationEquivalence::exactValueMatch, nullptr,
        OperationEquivalence::IgnoreLocations |
            OperationEquivalence::IgnoreDiscardableAttrs);
    built->erase();
    return same;
  }

  LogicalResult finish(Operation *terminator) {
    Operation *whole = global.getBody().front().getTerminator();
    if (terminator->getNumOperands() != whole->getNumOperands())
      return terminator->emitError("has ")
             << terminator->getNumOperands()
             << " results, the program before sharding has "
             << whole->getNumOperands();
    for (auto [i, part, value] :
         llvm::enumerate(terminator->getOperands(), whole->getOperands())) {
      auto type = local.getResultAttrOfType<TypeAttr>(i, kGlobalName);
      if (llvm::is_contained(wholes.lookup(part), canonical(value)) &&
          (!type || type.getValue() == value.getType()))
        continue;
      InFlightDiagnostic error =
          terminator->emitError("result ")
          << i << " is not what the program before sharding returns";
      error.attachNote(part.getLoc()) << "it is this";
      error.attachNote(canonical(value).getLoc()) << "and should be this";
      return error;
    }
    return success();
  }

  func::FuncOp local, global;
  OpBuilder scratch;
  /// Of global values that are computed again, the first.
  DenseMap<Value, Value> firsts;
  /// The global values that a local one is a part of. More than one only where
  /// a part does not tell of which it is: splats that differ in size.
  DenseMap<Value, SmallVector<Value, 1>> wholes;
  DenseMap<Key, SmallVector<Operation *, 1>, KeyInfo> candidates;
};

LogicalResult compare(func::FuncOp local, func::FuncOp before) {
  if (OperationEquivalence::isEquivalentTo(
          local, before, OperationEquivalence::ignoreValueEquivalence, nullptr,
          OperationEquivalence::IgnoreLocations |
              OperationEquivalence::IgnoreDiscardableAttrs) &&
      OperationEquivalence::isRegionEquivalentTo(
          &local.getBody(), &before.getBody(),
          OperationEquivalence::IgnoreLocations |
              OperationEquivalence::IgnoreDiscardableAttrs))
    return success();
  InFlightDiagnostic error = local.emitError(
      "is called as a local function, but is not what it was before sharding");
  error.attachNote(before.getLoc()) << "it was this";
  return error;
}

struct VerifyErasure : tp::impl::TPVerifyErasureBase<VerifyErasure> {
  using Base::Base;

  void runOnOperation() override {
    ModuleOp module = getOperation();
    for (ProgramOp program :
         llvm::make_early_inc_range(module.getOps<ProgramOp>())) {
      for (auto global : program.getBody().getOps<func::FuncOp>()) {
        auto local = module.lookupSymbol<func::FuncOp>(global.getSymName());
        if (!local || !local.getBody().hasOneBlock()) {
          global.emitError("there is no function of this name and of one "
                           "block to compare with");
          return signalPassFailure();
        }
        // What was local before stays as it was.
        LogicalResult same = isEmbedded(global) ? compare(local, global)
                                                : Eraser(local, global).run();
        if (failed(same))
          return signalPassFailure();
      }
      if (drop)
        program.erase();
    }
  }
};

} // namespace
