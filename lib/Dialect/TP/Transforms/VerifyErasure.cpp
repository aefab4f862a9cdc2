//===- VerifyErasure.cpp - a local program is the global one, sharded -----===//
//
// Part of tp-mlir, under the Apache License v2.0.
//
//===----------------------------------------------------------------------===//

#include "ContentClasses.h"
#include "mlir/IR/OperationSupport.h"
#include "tp/Dialect/TP/Transforms/FactorAxes.h"
#include "tp/Dialect/TP/Transforms/Passes.h"
#include "tp/Dialect/TP/Transforms/PlacementProver.h"

using namespace mlir;
using namespace mlir::tp;

namespace mlir::tp {
#define GEN_PASS_DEF_TPVERIFYERASURE
#include "tp/Dialect/TP/Transforms/Passes.h.inc"
} // namespace mlir::tp

namespace {

/// Walks through a local function and names, for each of its values, the class
/// of values of the global program that it is a part of. With what the prover
/// knows of its placement it denotes every value of the class that is of the
/// extents known there.
class Eraser {
public:
  Eraser(func::FuncOp local, func::FuncOp global, MeshAttr mesh)
      : local(local), global(global), scratch(local.getContext()),
        prover(local, {}, mesh), classes(global) {}

  LogicalResult run() {
    if (failed(eraseArguments()) || failed(prover.enterArguments()))
      return failure();
    for (Operation &op : llvm::make_early_inc_range(local.getBody().front())) {
      if (failed(prover.visit(&op)))
        return failure();
      LogicalResult erased =
          op.hasTrait<OpTrait::IsTerminator>() ? finish(&op) : erase(&op);
      if (failed(erased))
        return failure();
    }
    return success();
  }

private:
  static bool isTensor(Value value) {
    return isa<RankedTensorType>(value.getType());
  }

  /// The type that `part` is a part of, as the function says.
  static Type wholeType(TypeAttr declared, Value part) {
    return declared ? declared.getValue() : part.getType();
  }

  LogicalResult eraseArguments() {
    if (local.getNumArguments() != global.getNumArguments())
      return local.emitError("has ")
             << local.getNumArguments() << " arguments, the program that it is "
             << "made from has " << global.getNumArguments();
    for (auto [part, whole] :
         llvm::zip(local.getArguments(), global.getArguments())) {
      Type type = wholeType(
          local.getArgAttrOfType<TypeAttr>(part.getArgNumber(), kGlobalName),
          part);
      if (type != whole.getType())
        return local.emitError("argument ")
               << part.getArgNumber() << " is part of " << type << ", not of "
               << whole.getType();
      wholes[part] = classes.classOf(whole);
    }
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
    SmallVector<unsigned> operands;
    for (Value operand : op->getOperands())
      if (auto it = wholes.find(operand); it != wholes.end())
        operands.push_back(it->second);
    FailureOr<Operation *> whole = findWhole(op, operands);
    if (failed(whole))
      return failure();
    for (auto [result, value] :
         llvm::zip(op->getResults(), (*whole)->getResults()))
      wholes[result] = classes.classOf(value);
    return success();
  }

  /// A mask is the identity on values of the size that it says.
  LogicalResult eraseMask(MaskOp mask) {
    unsigned whole = wholes.lookup(mask.getInput());
    if (!classes.hasExtent(whole, mask.getDim(), mask.getSize()))
      return mask.emitOpError("masks from ")
             << mask.getSize() << " on, but in the program before sharding dim "
             << mask.getDim() << " is of size "
             << shapeOf(classes.firstOf(whole).getType())[mask.getDim()];
    wholes[mask.getResult()] = whole;
    return success();
  }

  /// The global op that `op` is a part of.
  FailureOr<Operation *> findWhole(Operation *op, ArrayRef<unsigned> operands) {
    OpForm part = formOf(op);
    // Not all that are on the same operands need be looked at.
    const OpForm *same = classes.find(part, operands);
    if (same && isPartOf(op, same->op) && !findDisagreement(part, *same) &&
        resultsAgree(op, same->op))
      return same->op;
    ArrayRef<OpForm> alike = classes.formsOn(op->getName(), operands);
    const OpForm *other = nullptr;
    for (const OpForm &whole : alike) {
      if (!isPartOf(op, whole.op))
        continue;
      if (findDisagreement(part, whole))
        other = &whole;
      else if (resultsAgree(op, whole.op))
        return whole.op;
    }
    InFlightDiagnostic error = op->emitError("'") << op->getName() << "' ";
    if (other && part.sizes.size() == other->sizes.size()) {
      unsigned factor = *findDisagreement(part, *other);
      error << "is of " << part.sizes[factor]
            << " elements along a dim that is of size " << other->sizes[factor]
            << " in the program before sharding";
      error.attachNote(other->op->getLoc()) << "it is a part of this";
      return error;
    }
    error << "computes what the program before sharding does not";
    if (!alike.empty())
      error.attachNote(alike.front().op->getLoc())
          << "on the same operands it has " << describe(alike.front().op);
    return error;
  }

  /// What the local program tells of `op`; it has been visited by the prover.
  OpForm formOf(Operation *op) {
    auto ruled = cast<ShardingRuleOpInterface>(op);
    ShardingRule rule = ruled.getShardingRule();
    OpForm form{op, {}, {}};
    form.isFree = freeFactorsOf(op, rule, [&](Value value, unsigned dim) {
      return prover.factOf(value).dims[dim].isFree();
    });
    for (unsigned i = 0; i < rule.factors.size(); ++i)
      form.sizes.push_back(sizeOf(rule, i));
    return form;
  }

  /// The global extent of a factor, as far as the local program tells. Where it
  /// does not, the op works on as many elements as it sees.
  int64_t sizeOf(const ShardingRule &rule, unsigned number) {
    const FactorFact &known = prover.factorsOfLast()[number];
    const Factor &factor = rule.factors[number];
    if (followsPadding(rule, number))
      return 0;
    if (known.known)
      return known.dim.uniform ? known.block : known.dim.size;
    return factor.indexed || factor.masked ? known.dim.size : factor.size;
  }

  /// A factor of which the op works on another number of elements than the
  /// whole one does, where that makes a difference.
  static std::optional<unsigned> findDisagreement(const OpForm &part,
                                                  const OpForm &whole) {
    if (part.sizes.size() != whole.sizes.size())
      return 0;
    for (unsigned i = 0; i < whole.sizes.size(); ++i)
      if (!whole.isFree.test(i) && !part.isFree.test(i) &&
          part.sizes[i] != whole.sizes[i])
        return i;
    return std::nullopt;
  }

  /// Whether the results of `op` are known to be of the extents that those of
  /// `whole` have. Slices along two dims may look the same on a device.
  bool resultsAgree(Operation *op, Operation *whole) {
    ShardingRule rule = cast<ShardingRuleOpInterface>(op).getShardingRule();
    for (auto [part, result, dims] :
         llvm::zip(op->getResults(), whole->getResults(), rule.results)) {
      ArrayRef<DimFact> known = prover.factOf(part).dims;
      for (auto [d, factors] : llvm::enumerate(dims)) {
        bool isFixed =
            !known[d].isFree() && llvm::none_of(factors, [&](unsigned f) {
              return followsPadding(rule, f);
            });
        if (isFixed && known[d].size != shapeOf(result.getType())[d])
          return false;
      }
    }
    return true;
  }

  static std::string describe(Operation *op) {
    std::string text;
    llvm::raw_string_ostream os(text);
    os << "'" << op->getName() << "' " << op->getAttrDictionary();
    return text;
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
      Type type =
          wholeType(local.getResultAttrOfType<TypeAttr>(i, kGlobalName), part);
      unsigned number = classes.classOf(value);
      auto it = wholes.find(part);
      if (it != wholes.end() && it->second == number && type == value.getType())
        continue;
      InFlightDiagnostic error =
          terminator->emitError("result ")
          << i << " is not what the program before sharding returns";
      error.attachNote(part.getLoc()) << "it is this";
      error.attachNote(classes.firstOf(number).getLoc())
          << "and should be this";
      return error;
    }
    return success();
  }

  func::FuncOp local, global;
  OpBuilder scratch;
  PlacementProver prover;
  ContentClasses classes;
  /// The class that a local value is a part of.
  DenseMap<Value, unsigned> wholes;
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
        FlatSymbolRefAttr name = findMesh(local);
        MeshAttr mesh =
            name ? lookupMesh(local, name) : MeshAttr::get(&getContext(), {});
        if (failed(checkVerifiable(local)))
          return signalPassFailure();
        // What was local before stays as it was.
        LogicalResult same = isEmbedded(global)
                                 ? compare(local, global)
                                 : Eraser(local, global, mesh).run();
        if (failed(same))
          return signalPassFailure();
      }
      if (drop)
        program.erase();
    }
  }
};

} // namespace
