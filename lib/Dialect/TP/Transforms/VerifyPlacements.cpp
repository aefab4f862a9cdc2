//===- VerifyPlacements.cpp - proves a local program ----------------------===//
//
// Part of tp-mlir, under the Apache License v2.0.
//
//===----------------------------------------------------------------------===//

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "tp/Dialect/TP/IR/TP.h"
#include "tp/Dialect/TP/Transforms/FactorAxes.h"
#include "tp/Dialect/TP/Transforms/Passes.h"
#include "tp/Interfaces/ShardingDialectInterface.h"

using namespace mlir;
using namespace mlir::tp;

namespace mlir::tp {
#define GEN_PASS_DEF_TPVERIFYPLACEMENTS
#include "tp/Dialect/TP/Transforms/Passes.h.inc"
} // namespace mlir::tp

namespace {

/// What padding along a dim holds.
enum class Padding {
  Unknown,
  Zero,
  NegativeInfinity,
  PositiveInfinity,
  One,
  MinusOne
};

/// What is known of a dim of a local tensor.
struct Dim {
  Axes axes;
  int64_t size = 0; ///< true extent of the global dim
  Padding padding = Padding::Unknown;
  /// The content does not depend on the position along this dim (broadcast,
  /// splat): it is right for any sharding of any global extent.
  bool uniform = false;
  /// The content is right for every true size up to the padded one (an index).
  bool anySize = false;
};

/// What is known of a local value.
struct Fact {
  SmallVector<Dim, 4> dims;
  Axes partial;
  ReduceKind partialKind = ReduceKind::Sum;
};

Padding paddingFor(ReduceKind kind) {
  switch (kind) {
  case ReduceKind::Max:
    return Padding::NegativeInfinity;
  case ReduceKind::Min:
    return Padding::PositiveInfinity;
  case ReduceKind::Product:
    return Padding::One;
  case ReduceKind::And:
    return Padding::MinusOne;
  case ReduceKind::Sum:
  case ReduceKind::Or:
    break;
  }
  return Padding::Zero;
}

class Prover {
public:
  Prover(func::FuncOp function, FlatSymbolRefAttr meshName, MeshAttr mesh)
      : function(function), meshName(meshName), mesh(mesh) {}

  LogicalResult run() {
    for (BlockArgument argument : function.getArguments())
      if (failed(assume(argument)))
        return failure();
    for (Operation &op : function.getBody().front()) {
      LogicalResult result =
          op.hasTrait<OpTrait::IsTerminator>() ? finish(&op) : infer(&op);
      if (failed(result))
        return failure();
    }
    return success();
  }

private:
  int64_t extent(Value value, size_t dim) {
    return tensorOf(value.getType()).getDimSize(dim);
  }

  /// The padded extent of the global dim, from the local one.
  int64_t padded(Value value, size_t dim) {
    return extent(value, dim) * sizeOf(facts[value].dims[dim].axes);
  }

  bool isPadded(Value value, size_t dim) {
    const Dim &known = facts[value].dims[dim];
    return !known.uniform && padded(value, dim) != known.size;
  }

  /// "[tp: Shard(0)]"
  std::string show(Value value) {
    Placement placement;
    for (const Dim &dim : facts[value].dims) {
      placement.dims.push_back(dim.axes);
      placement.pads.push_back(dim.size);
    }
    placement.partial = facts[value].partial;
    placement.partialKind = facts[value].partialKind;
    return describe(placement, mesh);
  }

  //===--------------------------------------------------------------------===//
  // Entry and exit
  //===--------------------------------------------------------------------===//

  static RankedTensorType globalType(TypeAttr global, Type type) {
    auto tensor = dyn_cast<RankedTensorType>(type);
    if (global && tensor)
      tensor = dyn_cast<RankedTensorType>(global.getValue());
    return tensor;
  }

  /// Partial axes have no order.
  static Axes sorted(Axes axes) {
    llvm::sort(axes);
    return normalised(axes);
  }

  LogicalResult assume(BlockArgument argument) {
    unsigned number = argument.getArgNumber();
    auto type =
        globalType(function.getArgAttrOfType<TypeAttr>(number, kGlobalName),
                   argument.getType());
    if (!type)
      return success();
    auto sharding =
        function.getArgAttrOfType<ShardingAttr>(number, kShardingName);
    Placement placement = sharding
                              ? toPlacement(sharding, mesh, type.getShape())
                              : Placement::replicated(type.getShape());
    facts[argument] = factOf(placement, type,
                             isZeroPadded(function, number) ? Padding::Zero
                                                            : Padding::Unknown);
    return success();
  }

  /// Whether a local value is the part of a tensor of `type` that `declared`
  /// says.
  bool lies(Value value, const Placement &declared, RankedTensorType type) {
    const Fact &fact = facts[value];
    bool matches =
        fact.dims.size() == declared.dims.size() &&
        sorted(declared.partial) == fact.partial &&
        (fact.partial.empty() || declared.partialKind == fact.partialKind);
    for (size_t d = 0; matches && d < fact.dims.size(); ++d)
      matches =
          fact.dims[d].uniform ||
          (normalised(declared.dims[d]) == fact.dims[d].axes &&
           (fact.dims[d].anySize || fact.dims[d].size == type.getDimSize(d)) &&
           declared.pads[d] == padded(value, d));
    return matches;
  }

  /// A value of which nothing but its placement is known.
  Fact factOf(const Placement &placement, RankedTensorType type,
              Padding padding) {
    Fact fact;
    for (auto [axes, size] : llvm::zip(placement.dims, type.getShape()))
      fact.dims.push_back({normalised(axes), size, padding, false});
    fact.partial = sorted(placement.partial);
    fact.partialKind = placement.partialKind;
    return fact;
  }

  LogicalResult finish(Operation *terminator) {
    for (auto [i, value] : llvm::enumerate(terminator->getOperands())) {
      auto type =
          globalType(function.getResultAttrOfType<TypeAttr>(i, kGlobalName),
                     value.getType());
      if (!type)
        continue;
      auto sharding =
          function.getResultAttrOfType<ShardingAttr>(i, kShardingName);
      Placement declared = sharding
                               ? toPlacement(sharding, mesh, type.getShape())
                               : Placement::replicated(type.getShape());
      if (!lies(value, declared, type)) {
        InFlightDiagnostic error = terminator->emitError("result ")
                                   << i << " is declared "
                                   << describe(declared, mesh) << " of " << type
                                   << " but is " << show(value);
        return path(error, value);
      }
    }
    return success();
  }

  //===--------------------------------------------------------------------===//
  // Ops
  //===--------------------------------------------------------------------===//

  /// Adds the ops that a placement came through, nearest first.
  LogicalResult path(InFlightDiagnostic &error, Value value) {
    for (int i = 0; i < 4; ++i) {
      Operation *op = value.getDefiningOp();
      if (!op)
        break;
      error.attachNote(op->getLoc())
          << "through '" << op->getName() << "', which gives " << show(value);
      Value next;
      for (Value operand : op->getOperands())
        if (isa<RankedTensorType>(operand.getType()) && !next)
          next = operand;
      if (!next)
        break;
      value = next;
    }
    return failure();
  }

  /// The callee is proven by itself; here, that it is given what it declares.
  LogicalResult inferCall(CallOp call) {
    auto callee = SymbolTable::lookupNearestSymbolFrom<func::FuncOp>(
        call, call.getCalleeAttr());
    if (!callee)
      return call.emitOpError("calls no function");
    for (auto [i, value] : llvm::enumerate(call.getOperands())) {
      auto type = globalType(callee.getArgAttrOfType<TypeAttr>(i, kGlobalName),
                             value.getType());
      if (!type)
        continue;
      Placement declared =
          toPlacement(call.getDeclaredOperand(i), mesh, type.getShape());
      if (lies(value, declared, type))
        continue;
      InFlightDiagnostic error = call.emitOpError("takes operand ")
                                 << i << " as " << describe(declared, mesh)
                                 << " of " << type << ", but it is "
                                 << show(value);
      return path(error, value);
    }
    for (auto [i, value] : llvm::enumerate(call.getResults()))
      if (auto type =
              globalType(callee.getResultAttrOfType<TypeAttr>(i, kGlobalName),
                         value.getType()))
        facts[value] = factOf(
            toPlacement(call.getDeclaredResult(i), mesh, type.getShape()), type,
            Padding::Unknown);
    return success();
  }

  LogicalResult infer(Operation *op) {
    if (auto placed = dyn_cast<PlacementOpInterface>(op))
      return inferPlaced(op, placed);
    if (auto mask = dyn_cast<MaskOp>(op))
      return inferMask(mask);
    if (auto call = dyn_cast<CallOp>(op))
      return inferCall(call);
    if (isa<ShardStartOp>(op))
      return success();
    auto ruled = dyn_cast<ShardingRuleOpInterface>(op);
    if (!ruled)
      return op->emitError("'") << op->getName()
                                << "' has no sharding rule, so nothing can be "
                                   "proved of it";
    return inferRuled(op, ruled);
  }

  LogicalResult inferPlaced(Operation *op, PlacementOpInterface placed) {
    for (auto [i, input] : llvm::enumerate(op->getOperands())) {
      std::string message;
      FailureOr<Placement> to = placeResult(op, placed, i, message);
      if (failed(to)) {
        InFlightDiagnostic error = op->emitOpError(message);
        error << ", but input " << i << " is " << show(input);
        return path(error, input);
      }
      Fact fact = facts[input];
      // A uniform dim stays right however it is cut or repeated.
      for (auto [dim, axes] : llvm::zip(fact.dims, to->dims))
        dim.axes = dim.uniform ? Axes() : normalised(axes);
      fact.partial = normalised(to->partial);
      fact.partialKind = to->partialKind;
      facts[op->getResult(i)] = fact;
    }
    return success();
  }

  /// What `op` makes of its input i. A uniform dim is sharded over no axes in
  /// particular, hence over those that the op gathers, if it needs some.
  FailureOr<Placement> placeResult(Operation *op, PlacementOpInterface placed,
                                   unsigned i, std::string &message) {
    Value input = op->getOperand(i);
    const Fact &known = facts[input];
    Placement from;
    for (auto [d, dim] : llvm::enumerate(known.dims)) {
      from.dims.push_back(dim.axes);
      from.pads.push_back(padded(input, d));
    }
    from.partial = known.partial;
    from.partialKind = known.partialKind;
    FailureOr<Placement> to = placed.inferPlacement(i, from, message);
    if (succeeded(to))
      return to;
    Axes group = toAxes(op->getAttrOfType<ArrayAttr>("axes"), mesh);
    // What lies elsewhere on these axes would be mixed up.
    if (overlap(group, from.usedAxes()))
      return to;
    for (auto [d, dim] : llvm::enumerate(known.dims)) {
      if (!dim.uniform)
        continue;
      Placement sharded = from;
      sharded.dims[d] = group;
      sharded.pads[d] *= sizeOf(group);
      std::string unused;
      to = placed.inferPlacement(i, sharded, unused);
      if (succeeded(to))
        return to;
    }
    return failure();
  }

  LogicalResult inferMask(MaskOp op) {
    Fact fact = facts[op.getInput()];
    Dim &dim = fact.dims[op.getDim()];
    int64_t block = extent(op.getInput(), op.getDim());
    // A uniform dim is right for any sharding: the mask says for which.
    if (std::exchange(dim.uniform, false)) {
      Axes axes = axesOfStart(op.getStart());
      Axes used = fact.partial;
      for (const Dim &other : fact.dims)
        used.append(other.axes);
      if (overlap(axes, used)) {
        InFlightDiagnostic error =
            op.emitOpError("is given the start of a shard over axes that the "
                           "value already uses: ");
        error << show(op.getInput());
        return path(error, op.getInput());
      }
      dim.axes = axes;
      dim.size = op.getSize();
      if (block * sizeOf(dim.axes) < dim.size)
        return op.emitOpError("has blocks of ")
               << block << ", which do not hold " << dim.size << " elements";
    }
    if (failed(checkStart(op, op.getStart(), dim.axes, block)))
      return failure();
    if (std::exchange(dim.anySize, false))
      dim.size = op.getSize();
    if (int64_t(op.getSize()) != dim.size)
      return op.emitOpError("masks from ")
             << op.getSize() << " on, but dim " << op.getDim()
             << " has true size " << dim.size;
    // A partial value stays a sum only if what is filled in is zero.
    double fill = op.getFill().convertToDouble();
    if (!fact.partial.empty() && fill != 0)
      return op.emitOpError("fills a partial value with ") << fill;
    dim.padding = fill == 0          ? Padding::Zero
                  : fill == 1        ? Padding::One
                  : fill == -1       ? Padding::MinusOne
                  : std::isinf(fill) ? (fill < 0 ? Padding::NegativeInfinity
                                                 : Padding::PositiveInfinity)
                                     : Padding::Unknown;
    facts[op.getResult()] = fact;
    return success();
  }

  Axes axesOfStart(Value start) {
    auto given = start ? start.getDefiningOp<ShardStartOp>() : ShardStartOp();
    return given ? normalised(toAxes(given.getAxes(), mesh)) : Axes();
  }

  /// `start` must be this device's coordinate over `axes` times `block`.
  LogicalResult checkStart(Operation *op, Value start, const Axes &axes,
                           int64_t block) {
    auto given = start ? start.getDefiningOp<ShardStartOp>() : ShardStartOp();
    if (!start && axes.empty())
      return success();
    if (!given)
      return op->emitError("'")
             << op->getName()
             << "' reads positions of a sharded dim without the shard's start";
    Axes have = normalised(toAxes(given.getAxes(), mesh));
    if (have != normalised(axes) ||
        (!have.empty() && int64_t(given.getBlock()) != block)) {
      InFlightDiagnostic error = op->emitError("'")
                                 << op->getName() << "' is given the start of ";
      error << given.getAxes() << " with blocks of " << given.getBlock()
            << ", but its shard is of "
            << toAttribute(axes, mesh, op->getContext()) << " with blocks of "
            << block;
      return error;
    }
    return success();
  }

  /// What the tensors of an op say of each factor.
  struct FactorFact {
    Dim dim;
    bool known = false;
    int64_t block = 0;
    Value from;
  };

  LogicalResult inferRuled(Operation *op, ShardingRuleOpInterface ruled) {
    ShardingRule rule = ruled.getShardingRule();
    SmallVector<FactorFact> factors(rule.factors.size());
    for (auto [i, dims] : llvm::enumerate(rule.operands))
      if (failed(readOperand(op, i, dims, rule, factors)))
        return failure();
    for (unsigned i = 0; i < factors.size(); ++i)
      nameAxes(op, ruled, rule, i, factors[i]);
    if (failed(checkFactors(op, ruled, rule, factors)))
      return failure();
    Axes partial;
    ReduceKind kind = ReduceKind::Sum;
    if (failed(inferPartial(op, rule, factors, partial, kind)))
      return failure();
    for (auto [value, dims] : llvm::zip(op->getResults(), rule.results)) {
      if (!isa<RankedTensorType>(value.getType()))
        continue;
      Fact fact;
      for (auto [d, dimFactors] : llvm::enumerate(dims)) {
        FailureOr<Dim> dim = resultDim(op, value, d, dimFactors, rule, factors);
        if (failed(dim))
          return failure();
        fact.dims.push_back(*dim);
      }
      fact.partial = partial;
      fact.partialKind = kind;
      facts[value] = fact;
    }
    return success();
  }

  /// A uniform factor is right for any sharding; an op that is given the start
  /// of its shard is meant for that one.
  void nameAxes(Operation *op, ShardingRuleOpInterface ruled,
                const ShardingRule &rule, unsigned number, FactorFact &known) {
    Axes axes = axesOfStart(ruled.getShardStart(number));
    if (!known.known || !known.dim.uniform || axes.empty())
      return;
    bool isCompound = false;
    for (const TensorFactors &dims : rule.operands)
      for (const DimFactors &dim : dims)
        isCompound |= dim.size() > 1 && llvm::is_contained(dim, number);
    if (isCompound)
      known.block = rule.factors[number].size / sizeOf(axes);
    known.dim = {axes, known.block * sizeOf(axes)};
    if (rule.factors[number].masked && !isCompound)
      known.dim.size = ruled.getMaskedExtent(number).value_or(known.dim.size);
  }

  LogicalResult readOperand(Operation *op, unsigned i,
                            const TensorFactors &dims, const ShardingRule &rule,
                            SmallVectorImpl<FactorFact> &factors) {
    Value value = op->getOperand(i);
    if (!isa<RankedTensorType>(value.getType()))
      return success();
    const Fact &fact = facts[value];
    bool isChecked = llvm::is_contained(rule.checked, i);
    for (auto [d, dimFactors] : llvm::enumerate(dims)) {
      const Dim &dim = fact.dims[d];
      if (isChecked && isPadded(value, d) && dim.padding != Padding::Zero) {
        InFlightDiagnostic error = op->emitError("'")
                                   << op->getName() << "' may fail on the "
                                   << "padding of operand " << i
                                   << ", whose dim " << d << " of size "
                                   << dim.size << " is not masked";
        return path(error, value);
      }
      if (dimFactors.empty()) {
        // One element, which belongs to nothing: true only of a whole dim.
        if (dim.uniform || (dim.axes.empty() && dim.size == 1))
          continue;
        InFlightDiagnostic error = op->emitError("'")
                                   << op->getName() << "' needs dim " << d
                                   << " of operand " << i << " whole, of one "
                                   << "element, but it is of size " << dim.size
                                   << " and " << show(value);
        return path(error, value);
      }
      if (dimFactors.size() > 1) {
        if (failed(readCompound(op, value, d, dimFactors, rule, factors)))
          return failure();
        continue;
      }
      FactorFact &known = factors[dimFactors.front()];
      if (dim.uniform && known.known)
        continue;
      if (!known.known || known.dim.uniform) {
        known = {dim, true, extent(value, d), value};
        continue;
      }
      if (known.dim.anySize && !dim.anySize) {
        known.dim.anySize = false;
        known.dim.size = dim.size;
      }
      bool agrees = known.dim.axes == dim.axes &&
                    (known.dim.size == dim.size || dim.anySize) &&
                    known.block == extent(value, d);
      if (!agrees) {
        InFlightDiagnostic error =
            op->emitError("'")
            << op->getName() << "' has operands that disagree: dim " << d
            << " of operand " << i << " is of size " << dim.size << " and "
            << show(value) << ", the other of size " << known.dim.size
            << " and " << show(known.from);
        return path(error, value);
      }
      // Padding: known only if both say so; see combine().
      if (known.dim.padding != dim.padding)
        known.dim.padding = Padding::Unknown;
    }
    return success();
  }

  /// A compound dim: its axes go to its factors, major to minor. The rule's
  /// factors have global sizes.
  LogicalResult readCompound(Operation *op, Value value, unsigned d,
                             const DimFactors &dimFactors,
                             const ShardingRule &rule,
                             SmallVectorImpl<FactorFact> &factors) {
    const Dim &dim = facts[value].dims[d];
    if (dim.uniform) { // So is every part of it.
      for (unsigned factor : dimFactors)
        if (!factors[factor].known)
          factors[factor] = {dim, true, rule.factors[factor].size, value};
      return success();
    }
    SmallVector<Axes> spread =
        spreadOver(dim.axes, dimFactors, rule, /*cut=*/true);
    SmallVector<Axes> all(rule.factors.size());
    int64_t product = 1;
    for (auto [factor, axes] : llvm::zip(dimFactors, spread)) {
      all[factor] = axes;
      product *= rule.factors[factor].size;
    }
    bool masked = rule.factors[dimFactors.front()].masked;
    if (gatherFrom(dimFactors, rule, all) != normalised(dim.axes) ||
        (!masked && (product != dim.size || isPadded(value, d)))) {
      InFlightDiagnostic error =
          op->emitError("'")
          << op->getName() << "' cuts dim " << d << " of size " << dim.size
          << " where its shards do not end: " << show(value);
      return path(error, value);
    }
    for (auto [factor, axes] : llvm::zip(dimFactors, spread)) {
      int64_t size = rule.factors[factor].size;
      FactorFact fact{{normalised(axes), size, Padding::Unknown, false},
                      true,
                      size / sizeOf(axes),
                      value};
      if (factors[factor].known && !factors[factor].dim.uniform &&
          factors[factor].dim.axes != fact.dim.axes) {
        InFlightDiagnostic error =
            op->emitError("'")
            << op->getName() << "' has operands that disagree: dim " << d
            << " is " << show(value) << " and " << show(factors[factor].from);
        return path(error, value);
      }
      factors[factor] = fact;
    }
    return success();
  }

  LogicalResult checkFactors(Operation *op, ShardingRuleOpInterface ruled,
                             const ShardingRule &rule,
                             ArrayRef<FactorFact> factors) {
    Axes used;
    for (auto [number, factor] : llvm::enumerate(rule.factors)) {
      const FactorFact &known = factors[number];
      Value start = ruled.getShardStart(number);
      // Two dims of the op on one axis: each device would have a block of the
      // diagonal only.
      if (overlap(known.dim.axes, used)) {
        InFlightDiagnostic error =
            op->emitError("'")
            << op->getName() << "' has two dims that are "
            << "sharded over the same axes; one is " << show(known.from);
        return path(error, known.from);
      }
      used.append(known.dim.axes);
      if (!known.known)
        continue; // Only results have it.
      bool needsWhole = factor.kind == FactorKind::Replicate ||
                        factor.kind == FactorKind::Decompose;
      if (needsWhole && !known.dim.uniform &&
          (!known.dim.axes.empty() ||
           (known.dim.size != known.block && !factor.masked))) {
        InFlightDiagnostic error =
            op->emitError("'")
            << op->getName() << "' needs the dim of size " << known.dim.size
            << " whole, without padding, but it is " << show(known.from);
        return path(error, known.from);
      }
      if (factor.indexed && !known.dim.uniform &&
          failed(checkStart(op, start, known.dim.axes,
                            blockOf(op, rule, number, known))))
        return failure();
      if (factor.masked && !known.dim.uniform &&
          failed(checkMaskedExtent(op, ruled, rule, number)))
        return failure();
      bool padded = !known.dim.uniform &&
                    known.block * sizeOf(known.dim.axes) != known.dim.size;
      if (factor.kind == FactorKind::Reduce && padded && !factor.masked &&
          known.dim.padding != paddingFor(factor.reduction)) {
        InFlightDiagnostic error =
            op->emitError("'")
            << op->getName() << "' reduces a dim of size " << known.dim.size
            << " whose padding is not masked";
        return path(error, known.from);
      }
    }
    return success();
  }

  /// An op that ignores padding by itself must be told where it begins.
  LogicalResult checkMaskedExtent(Operation *op, ShardingRuleOpInterface ruled,
                                  const ShardingRule &rule, unsigned number) {
    std::optional<int64_t> given = ruled.getMaskedExtent(number);
    for (auto [value, dims] : llvm::zip(op->getOperands(), rule.operands))
      for (auto [d, dimFactors] : llvm::enumerate(dims)) {
        if (dimFactors.empty() || dimFactors.front() != number)
          continue;
        if (facts[value].dims[d].uniform)
          continue; // Right for any size.
        int64_t size = facts[value].dims[d].size;
        if (given ? *given == size : !isPadded(value, d))
          continue;
        InFlightDiagnostic error = op->emitError("'") << op->getName() << "' ";
        if (given)
          error << "keeps to " << *given << " elements of a dim of size "
                << size;
        else
          error << "is not told that a dim of size " << size << " is padded to "
                << padded(value, d);
        return path(error, value);
      }
    return success();
  }

  /// The block of an indexed factor in elements of its dim: of a compound dim,
  /// the whole local extent.
  int64_t blockOf(Operation *op, const ShardingRule &rule, unsigned number,
                  const FactorFact &known) {
    for (auto [value, dims] : llvm::zip(op->getOperands(), rule.operands))
      for (auto [d, dimFactors] : llvm::enumerate(dims))
        if (dimFactors.size() > 1 && dimFactors.front() == number)
          return extent(value, d);
    return known.block;
  }

  LogicalResult inferPartial(Operation *op, const ShardingRule &rule,
                             ArrayRef<FactorFact> factors, Axes &partial,
                             ReduceKind &kind) {
    for (auto [number, factor] : llvm::enumerate(rule.factors)) {
      if (factor.kind != FactorKind::Reduce || !factors[number].known ||
          factors[number].dim.axes.empty())
        continue;
      if (!partial.empty() && kind != factor.reduction)
        return op->emitError("reduces sharded dims in two ways");
      kind = factor.reduction;
      partial.append(factors[number].dim.axes);
    }
    Axes used = partial;
    for (const FactorFact &known : factors)
      if (known.known)
        used.append(known.dim.axes);

    Axes joint;
    bool isFirst = true;
    for (auto [i, value] : llvm::enumerate(op->getOperands())) {
      if (!isa<RankedTensorType>(value.getType()))
        continue;
      const Fact &fact = facts[value];
      bool inJoint = llvm::is_contained(rule.joint, i);
      if (inJoint) {
        if (!isFirst && joint != fact.partial) {
          InFlightDiagnostic error =
              op->emitError("'")
              << op->getName()
              << "' adds values that are partial over different axes: "
              << show(op->getOperand(rule.joint.front())) << " and "
              << show(value);
          return path(error, value);
        }
        joint = fact.partial;
      }
      bool isSeen = inJoint && !std::exchange(isFirst, false);
      if (fact.partial.empty())
        continue;
      bool isLinear = inJoint || llvm::is_contained(rule.each, i);
      if (!isLinear || fact.partialKind != ReduceKind::Sum ||
          (!partial.empty() && kind != ReduceKind::Sum)) {
        InFlightDiagnostic error =
            op->emitError("'") << op->getName() << "' is not linear in operand "
                               << i << ", which is partial: " << show(value);
        return path(error, value);
      }
      if (isSeen)
        continue; // With an earlier operand.
      if (overlap(fact.partial, used)) {
        InFlightDiagnostic error =
            op->emitError("'")
            << op->getName() << "' multiplies values that are both partial "
            << "or sharded over the same axes; operand " << i << " is "
            << show(value);
        return path(error, value);
      }
      partial.append(fact.partial);
      used.append(fact.partial);
    }
    llvm::sort(partial);
    partial = normalised(partial);
    return success();
  }

  FailureOr<Dim> resultDim(Operation *op, Value value, unsigned d,
                           const DimFactors &dimFactors,
                           const ShardingRule &rule,
                           ArrayRef<FactorFact> factors) {
    int64_t local = extent(value, d);
    if (dimFactors.size() == 1) {
      const FactorFact &known = factors[dimFactors.front()];
      if (known.known) {
        if (!known.dim.uniform && known.block != local)
          return op->emitError("'")
                 << op->getName() << "' has a dim " << d << " of " << local
                 << " on a device, which is not the " << known.block
                 << " that its operands have";
        Dim dim = known.dim;
        // What the op makes of padding is not known.
        dim.padding = Padding::Unknown;
        return dim;
      }
      return newDim(value, d, rule, dimFactors.front(), local);
    }
    // A compound result: the axes of its factors, one after the other.
    Dim dim;
    dim.size = dimFactors.empty() ? local : 1;
    SmallVector<Axes> all(rule.factors.size());
    Axes listed;
    dim.uniform = !dimFactors.empty();
    for (unsigned factor : dimFactors) {
      all[factor] = factors[factor].dim.axes;
      listed.append(all[factor]);
      dim.size *= rule.factors[factor].size;
      dim.uniform &= factors[factor].known && factors[factor].dim.uniform;
    }
    if (dim.uniform) {
      dim.size = local;
      return dim;
    }
    dim.axes = gatherFrom(dimFactors, rule, all);
    if (dim.axes != normalised(listed))
      return op->emitError("'")
             << op->getName() << "' merges dims into dim " << d
             << ", of which a minor one is sharded below a major one that is "
                "not";
    if (local * sizeOf(dim.axes) != dim.size)
      return op->emitError("'")
             << op->getName() << "' has a dim " << d << " of " << local
             << " on a device, which is not the "
             << "share of " << dim.size;
    return dim;
  }

  /// A dim that no operand has: broadcast, iota, a constant's.
  FailureOr<Dim> newDim(Value value, unsigned d, const ShardingRule &rule,
                        unsigned factor, int64_t local) {
    Operation *op = value.getDefiningOp();
    Dim dim;
    dim.size = local;
    const Factor &kind = rule.factors[factor];
    if (kind.indexed) {
      auto ruled = cast<ShardingRuleOpInterface>(op);
      Value start = ruled.getShardStart(factor);
      auto given = start ? start.getDefiningOp<ShardStartOp>() : ShardStartOp();
      if (given)
        dim.axes = normalised(toAxes(given.getAxes(), mesh));
      if (start && failed(checkStart(op, start, dim.axes, local)))
        return failure();
      dim.size = local * sizeOf(dim.axes);
      dim.anySize = true;
      if (std::optional<int64_t> size =
              kind.masked ? ruled.getMaskedExtent(factor) : std::nullopt) {
        dim.size = *size;
        dim.anySize = false;
      }
      return dim;
    }
    dim.uniform = kind.kind == FactorKind::Pass;
    return dim;
  }

  func::FuncOp function;
  FlatSymbolRefAttr meshName;
  MeshAttr mesh;
  DenseMap<Value, Fact> facts;
};

LogicalResult checkVerifiable(func::FuncOp function) {
  if (!function.getBody().hasOneBlock())
    return function.emitError("a function to verify has one block");
  return checkMesh(function, findMesh(function));
}

struct VerifyPlacements : tp::impl::TPVerifyPlacementsBase<VerifyPlacements> {
  void runOnOperation() override {
    if (failed(runOnMesh<Prover>(getOperation(), checkVerifiable)))
      signalPassFailure();
    markAllAnalysesPreserved();
  }
};

} // namespace
