//===- InsertReshards.cpp - makes changes of placement explicit -----------===//
//
// Part of tp-mlir, under the Apache License v2.0.
//
//===----------------------------------------------------------------------===//

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "tp/Dialect/TP/IR/TP.h"
#include "tp/Dialect/TP/Transforms/DimClasses.h"
#include "tp/Dialect/TP/Transforms/FactorAxes.h"
#include "tp/Dialect/TP/Transforms/FactorChoice.h"
#include "tp/Dialect/TP/Transforms/PartialSums.h"
#include "tp/Dialect/TP/Transforms/Passes.h"
#include "tp/Interfaces/ShardingDialectInterface.h"

using namespace mlir;
using namespace mlir::tp;

namespace mlir::tp {
#define GEN_PASS_DEF_TPINSERTRESHARDS
#include "tp/Dialect/TP/Transforms/Passes.h.inc"
} // namespace mlir::tp

namespace {

class Inserter {
public:
  Inserter(func::FuncOp function, FlatSymbolRefAttr meshName, MeshAttr mesh)
      : function(function), meshName(meshName), mesh(mesh), builder(function),
        chooser(function, meshName, mesh),
        sums(function, meshName, mesh, chooser) {}

  LogicalResult run() {
    for (BlockArgument argument : function.getArguments())
      if (isa<RankedTensorType>(argument.getType()))
        placements[argument] = propagated(argument);
    sums.gather();
    for (Operation &op :
         llvm::make_early_inc_range(function.getBody().front())) {
      if (op.hasTrait<OpTrait::IsTerminator>())
        finish(&op);
      else if (failed(visit(&op)))
        return failure();
    }
    reportDropped();
    return success();
  }

private:
  Placement propagated(Value value) { return propagatedTo(value, mesh); }

  //===--------------------------------------------------------------------===//
  // How an op is sharded
  //===--------------------------------------------------------------------===//

  /// The axes of every factor: as the operands lie and the results should.
  SmallVector<Axes> chooseFactors(Operation *op, const ShardingRule &rule) {
    DenseMap<Value, SmallVector<Axes, 4>> wanted;
    for (Value result : op->getResults())
      if (isa<RankedTensorType>(result.getType()))
        wanted[result] = propagated(result).dims;
    // A constraint says by itself how it lies.
    bool isGiven = isa<DeclaredPlacementOpInterface>(op);
    SmallVector<Axes> factors = chooser.choose(
        op, rule,
        [&](Value value) -> ArrayRef<Axes> {
          if (auto it = wanted.find(value); it != wanted.end())
            return it->second;
          return isGiven ? ArrayRef<Axes>() : placements[value].dims;
        },
        /*mayDecompose=*/false);
    dropUnfitAxes(op, rule, factors);
    dropUnreachableAxes(rule, factors);
    return factors;
  }

  /// A factor that is one dim here and a part of one there may have axes that
  /// the padding of the latter has no room for. Where the op cannot handle
  /// padding, the dim is whole, so that its padding can be dropped.
  void dropUnfitAxes(Operation *op, const ShardingRule &rule,
                     SmallVectorImpl<Axes> &factors) {
    auto visit = [&](Value value, const TensorFactors &dims) {
      if (!isa<RankedTensorType>(value.getType()))
        return;
      Placement placement = placementOf(value, dims, rule, factors);
      for (auto [pad, axes, dimFactors, size] : llvm::zip(
               placement.pads, placement.dims, dims, shapeOf(value.getType())))
        if (pad % sizeOf(axes) || (pad != size && !canPad(dimFactors, rule)))
          for (unsigned factor : dimFactors)
            factors[factor].clear();
    };
    for (auto [value, dims] : llvm::zip(op->getOperands(), rule.operands))
      visit(value, dims);
    for (auto [value, dims] : llvm::zip(op->getResults(), rule.results))
      visit(value, dims);
  }

  /// A compound dim is cut at its most major factors first, evenly: axes of a
  /// factor that it cannot have are dropped from the others' dims too.
  static void dropUnreachableAxes(const ShardingRule &rule,
                                  SmallVectorImpl<Axes> &factors) {
    for (const auto *tensors : {&rule.operands, &rule.results})
      for (const TensorFactors &dims : *tensors)
        for (const DimFactors &dim : dims) {
          bool isUsedUp = true;
          for (unsigned factor : dim) {
            int64_t size = rule.factors[factor].size;
            if (dim.size() > 1 && (!isUsedUp || size % sizeOf(factors[factor])))
              factors[factor].clear();
            isUsedUp &= sizeOf(factors[factor]) == size;
          }
        }
  }

  Placement placementOf(Value value, const TensorFactors &dims,
                        const ShardingRule &rule, ArrayRef<Axes> factors) {
    Placement placement = propagated(value);
    for (auto [axes, dimFactors] : llvm::zip(placement.dims, dims))
      axes = gatherFrom(dimFactors, rule, factors);
    return placement;
  }

  LogicalResult visit(Operation *op) {
    if (auto given = dyn_cast<ReshardOp>(op)) {
      // Made before, or by hand: its operand is placed as it says.
      // Padded extents are those that suit the whole program.
      Placement from = placements[given.getInput()];
      auto padded = [&](ShardingAttr sharding) {
        Placement placement =
            toPlacement(sharding, mesh, given.getType().getShape());
        placement.pads = from.pads;
        return placement;
      };
      Placement to = padded(given.getTo());
      if (ShardingAttr asked = given.getFromAttr()) {
        from = padded(asked);
        op->setOperand(0, reshard(given.getInput(), from, op));
      }
      given.setFromAttr(attribute(given.getInput(), from));
      given.setToAttr(attribute(given, to));
      placements[given] = to;
      writeCache(op);
      return success();
    }
    auto constraint = dyn_cast<ConstraintOp>(op);
    if (constraint && !constraint.getLazy()) {
      Placement wanted = propagated(op->getResult(0));
      // A parameter is gathered for use.
      if (!chooser.isStored(op->getOperand(0)))
        noteDropped(constraint, placements[op->getOperand(0)], wanted);
      op->setOperand(0, reshard(op->getOperand(0), wanted, op));
      placements[op->getResult(0)] = wanted;
      writeCache(op);
      return success();
    }
    if (auto declared = dyn_cast<DeclaredPlacementOpInterface>(op);
        declared && !constraint)
      return visitDeclared(op, declared);
    ShardingRule rule = cast<ShardingRuleOpInterface>(op).getShardingRule();
    SmallVector<Axes> factors = chooseFactors(op, rule);
    Axes used;
    for (const Axes &axes : factors)
      used.append(axes);
    SmallVector<Axes> partial = choosePartial(op, rule, used);

    // Operands: as the factors say, partial where the op is linear.
    for (auto [i, dims] : llvm::enumerate(rule.operands)) {
      Value value = op->getOperand(i);
      if (!isa<RankedTensorType>(value.getType()))
        continue;
      Placement wanted = placementOf(value, dims, rule, factors);
      wanted.partial = partial[i];
      wanted.partialKind = ReduceKind::Sum;
      op->setOperand(i, reshard(value, wanted, op));
    }

    // Results: partial over what was reduced and what came in.
    Axes resultPartial;
    ReduceKind kind = ReduceKind::Sum;
    for (auto [axes, factor] : llvm::zip(factors, rule.factors))
      if (factor.kind == FactorKind::Reduce && !axes.empty()) {
        kind = factor.reduction;
        resultPartial.append(axes);
      }
    for (const Axes &axes : partial)
      if (!overlap(axes, resultPartial))
        resultPartial.append(axes);
    llvm::sort(resultPartial);
    for (auto [value, dims] : llvm::zip(op->getResults(), rule.results)) {
      if (!isa<RankedTensorType>(value.getType()))
        continue;
      Placement placement = placementOf(value, dims, rule, factors);
      placement.partial = normalised(resultPartial);
      placement.partialKind = kind;
      placements[value] = placement;
    }
    writeCache(op);
    return success();
  }

  /// A constraint that leaves out the axis of the batch gathers it, and all
  /// that follows is computed by every device: hardly what was meant.
  void noteDropped(ConstraintOp op, const Placement &have,
                   const Placement &wanted) {
    for (auto [dim, axes] : llvm::enumerate(have.dims))
      for (const Axis &axis : axes) {
        bool isKept = llvm::any_of(wanted.dims, [&](const Axes &other) {
          return llvm::any_of(
              other, [&](const Axis &own) { return own.name == axis.name; });
        });
        if (!chooser.isData(axis.name) || isKept)
          continue;
        if (numDropped++ == 0)
          dropped = {op, unsigned(dim), axis};
      }
  }

  void reportDropped() {
    if (numDropped == 0)
      return;
    InFlightDiagnostic remark = dropped.op.emitRemark("leaves dim ");
    remark << dropped.dim << " whole, which is sharded over \""
           << dropped.axis.name
           << "\", the axis of the batch: it is gathered here";
    if (numDropped > 1)
      remark << ", and in " << (numDropped - 1)
             << (numDropped > 2 ? " more constraints" : " more constraint");
    remark << "; {?} for the dim leaves it as it is, {\"" << dropped.axis.name
           << "\"} asks for it";
  }

  /// Operands and results lie as the op declares, padded as here: whole dims
  /// can be resized.
  LogicalResult visitDeclared(Operation *op,
                              DeclaredPlacementOpInterface declared) {
    auto padded = [&](Value value, ShardingAttr sharding,
                      const Twine &what) -> FailureOr<Placement> {
      if (!sharding)
        return propagated(value);
      Placement placement =
          toPlacement(sharding, mesh, shapeOf(value.getType()));
      SmallVector<int64_t, 4> pads = propagated(value).pads;
      for (auto [dim, own, pad] : llvm::enumerate(placement.pads, pads)) {
        if (own != pad && !placement.dims[dim].empty())
          return op->emitOpError("takes dim ")
                 << dim << " of " << what << " padded to " << own
                 << ", but what else it meets needs it padded to " << pad;
        own = pad;
      }
      return placement;
    };
    for (OpOperand &operand : op->getOpOperands()) {
      unsigned number = operand.getOperandNumber();
      if (!isa<RankedTensorType>(operand.get().getType()))
        continue;
      FailureOr<Placement> wanted =
          padded(operand.get(), declared.getDeclaredOperand(number),
                 "operand " + Twine(number));
      if (failed(wanted))
        return failure();
      operand.set(reshard(operand.get(), *wanted, op));
    }
    for (auto [i, result] : llvm::enumerate(op->getResults())) {
      if (!isa<RankedTensorType>(result.getType()))
        continue;
      FailureOr<Placement> placement =
          padded(result, declared.getDeclaredResult(i), "result " + Twine(i));
      if (failed(placement))
        return failure();
      placements[result] = *placement;
    }
    writeCache(op);
    return success();
  }

  //===--------------------------------------------------------------------===//
  // Partial operands
  //===--------------------------------------------------------------------===//

  /// For each operand, the axes over which the op takes it as partial.
  SmallVector<Axes> choosePartial(Operation *op, const ShardingRule &rule,
                                  const Axes &used) {
    SmallVector<Axes> partial(op->getNumOperands());
    auto partialOf = [&](unsigned i) -> Axes {
      Value value = op->getOperand(i);
      const Placement &placement = placements[value];
      bool usable = isa<RankedTensorType>(value.getType()) &&
                    placement.partialKind == ReduceKind::Sum &&
                    !overlap(placement.partial, used) && !findReduced(value);
      return usable ? placement.partial : Axes();
    };
    double resultBytes = 0;
    for (Value result : op->getResults())
      if (isa<RankedTensorType>(result.getType()))
        resultBytes += bytesOf(result);

    if (!rule.joint.empty()) {
      // All or none. Passing costs one reduction of the result, later; not
      // passing costs one of each operand, now.
      Axes all;
      double operandBytes = 0;
      for (unsigned i : rule.joint) {
        Axes axes = partialOf(i);
        if (axes.empty())
          continue;
        operandBytes += bytesOf(op->getOperand(i));
        if (all.empty())
          all = axes;
        if (axes != all)
          return partial;
      }
      bool isCheaper = resultBytes < operandBytes ||
                       (resultBytes == operandBytes && onlyLinearUsers(op)) ||
                       meetsPartial(op, all);
      if (!all.empty() && isCheaper)
        for (unsigned i : rule.joint)
          partial[i] = all;
      return partial;
    }
    // At most one of them on each axis.
    Axes taken = used;
    for (unsigned i : rule.each) {
      Axes axes = partialOf(i);
      if (axes.empty() || overlap(axes, taken))
        continue;
      // A larger result costs more to reduce later, unless it is reduced
      // anyway.
      if (resultBytes > bytesOf(op->getOperand(i)) && !meetsPartial(op, axes))
        continue;
      partial[i] = axes;
      taken.append(axes);
    }
    return partial;
  }

  /// The axes over which `value` is partial, or will be.
  Axes expectedPartial(Value value) {
    auto it = placements.find(value);
    if (it == placements.end())
      return sums.expectedPartial(value);
    return it->second.partialKind == ReduceKind::Sum && !findReduced(value)
               ? it->second.partial
               : Axes();
  }

  /// Whether the result of `op`, left partial over `axes`, is soon added to
  /// another that is: an adapter beside a row-parallel linear.
  bool meetsPartial(Operation *op, const Axes &axes) {
    constexpr unsigned most = 4;
    for (unsigned step = 0; step < most; ++step) {
      if (op->getNumResults() != 1 || !op->hasOneUse())
        return false;
      OpOperand &use = *op->use_begin();
      auto ruled = dyn_cast<ShardingRuleOpInterface>(use.getOwner());
      if (!ruled)
        return false;
      ShardingRule rule = ruled.getShardingRule();
      bool isJoint = llvm::is_contained(rule.joint, use.getOperandNumber());
      bool isEach = llvm::is_contained(rule.each, use.getOperandNumber());
      if (isJoint && rule.joint.size() > 1)
        return llvm::all_of(rule.joint, [&](unsigned other) {
          return other == use.getOperandNumber() ||
                 expectedPartial(use.getOwner()->getOperand(other)) == axes;
        });
      // Through what is linear and makes no more of it.
      op = use.getOwner();
      if (!(isJoint || isEach) || op->getNumResults() != 1 ||
          !isa<RankedTensorType>(op->getResult(0).getType()) ||
          bytesOf(op->getResult(0)) > bytesOf(use.get()))
        return false;
    }
    return false;
  }

  /// Whether a partial result of `op` could travel further. If some user needs
  /// it whole, reducing an operand of the same size now costs the same and
  /// spares the others from being made partial.
  bool onlyLinearUsers(Operation *op) {
    for (OpOperand &use : op->getUses()) {
      if (use.getOwner()->hasTrait<OpTrait::IsTerminator>()) {
        auto asked = function.getResultAttrOfType<ShardingAttr>(
            use.getOperandNumber(), kShardingName);
        if (!asked || asked.getPartialAxes().empty())
          return false;
        continue;
      }
      auto ruled = dyn_cast<ShardingRuleOpInterface>(use.getOwner());
      if (!ruled)
        return false;
      ShardingRule rule = ruled.getShardingRule();
      if (!llvm::is_contained(rule.joint, use.getOperandNumber()) &&
          !llvm::is_contained(rule.each, use.getOperandNumber()))
        return false;
    }
    return true;
  }

  /// A version of `value` that is not partial any more, made earlier.
  bool findReduced(Value value) {
    auto it = versions.find(value);
    return it != versions.end() && llvm::any_of(it->second, [&](Value version) {
             return placements[version].partial.empty();
           });
  }

  //===--------------------------------------------------------------------===//
  // Reshards
  //===--------------------------------------------------------------------===//

  /// `value` placed as `wanted`, for `user`.
  Value reshard(Value value, const Placement &wanted, Operation *user) {
    Placement have = placements[value];
    if (have == wanted)
      return value;
    for (Value version : versions[value])
      if (placements[version] == wanted)
        return version;
    // From a version that is not partial, if there is one: reduced once.
    Value source = value;
    for (Value version : versions[value])
      if (!have.partial.empty() && placements[version].partial.empty())
        source = version;
    builder.setInsertionPoint(user);
    Location loc = user->getLoc();
    if (Operation *producer = value.getDefiningOp())
      if (!have.partial.empty())
        loc = producer->getLoc();
    StringRef module = moduleOf(loc);
    auto op = ReshardOp::create(
        builder, loc, source, attribute(source, placements[source]),
        attribute(source, wanted),
        builder.getStringAttr(reason(value, have, wanted, user)),
        module.empty() ? StringAttr() : builder.getStringAttr(module));
    placements[op] = wanted;
    versions[value].push_back(op);
    writeCache(op);
    return op;
  }

  /// Why: for people.
  std::string reason(Value value, const Placement &have,
                     const Placement &wanted, Operation *user) {
    std::string text;
    llvm::raw_string_ostream os(text);
    StringRef from;
    if (Operation *producer = value.getDefiningOp())
      from = moduleOf(producer->getLoc());
    StringRef to = moduleOf(user->getLoc());
    bool isReturn = user->hasTrait<OpTrait::IsTerminator>();
    os << (from.empty() ? "a value" : "output of " + from.str()) << " is "
       << describe(have, mesh) << "; "
       << (isReturn     ? "the caller"
           : to.empty() ? "its user"
                        : to.str())
       << " needs " << describe(wanted, mesh);
    return text;
  }

  ShardingAttr attribute(Value value, const Placement &placement) {
    return toSharding(placement, meshName, mesh, shapeOf(value.getType()),
                      function.getContext());
  }

  void writeCache(Operation *op) {
    SmallVector<Attribute> shardings;
    for (Value value : op->getResults())
      shardings.push_back(isa<RankedTensorType>(value.getType())
                              ? attribute(value, placements[value])
                              : ShardingAttr::getReplicated(meshName, 0));
    if (!shardings.empty())
      op->setAttr(kShardingsName, builder.getArrayAttr(shardings));
  }

  /// Results: as asked for; where an argument was donated, as that; others as
  /// they are, whole sums.
  void finish(Operation *terminator) {
    Donors donors = findDonors(function);
    for (auto [i, value] : llvm::enumerate(terminator->getOperands())) {
      if (!isa<RankedTensorType>(value.getType()))
        continue;
      Placement wanted = placements[value];
      wanted.partial.clear();
      if (auto asked =
              function.getResultAttrOfType<ShardingAttr>(i, kShardingName)) {
        Placement placement =
            toPlacement(asked, mesh, shapeOf(value.getType()));
        wanted.dims = placement.dims;
        wanted.partial = placement.partial;
        wanted.partialKind = placement.partialKind;
      } else if (donors[i]) {
        wanted.dims = placements[function.getArgument(*donors[i])].dims;
      }
      Value placed = reshard(value, wanted, terminator);
      terminator->setOperand(i, placed);
      function.setResultAttr(i, kShardingName, attribute(placed, wanted));
    }
  }

  func::FuncOp function;
  FlatSymbolRefAttr meshName;
  MeshAttr mesh;
  OpBuilder builder;
  FactorChooser chooser;
  PartialSums sums;
  DenseMap<Value, Placement> placements;
  DenseMap<Value, SmallVector<Value, 2>> versions;
  struct Dropped {
    ConstraintOp op;
    unsigned dim = 0;
    Axis axis = {};
  };
  Dropped dropped; ///< the first of them
  unsigned numDropped = 0;
};

struct InsertReshards : tp::impl::TPInsertReshardsBase<InsertReshards> {
  void runOnOperation() override {
    if (failed(runOnGlobal<Inserter>(getOperation())))
      signalPassFailure();
  }
};

} // namespace
