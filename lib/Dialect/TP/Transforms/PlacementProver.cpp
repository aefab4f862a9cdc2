//===- PlacementProver.cpp - placements, inferred forward -----------------===//
//
// Part of tp-mlir, under the Apache License v2.0.
//
//===----------------------------------------------------------------------===//

#include "tp/Dialect/TP/Transforms/PlacementProver.h"
#include "tp/Dialect/TP/Transforms/FactorAxes.h"
#include "tp/Interfaces/ShardingDialectInterface.h"

using namespace mlir;
using namespace mlir::tp;

LogicalResult tp::checkVerifiable(func::FuncOp function) {
  if (!function.getBody().hasOneBlock())
    return function.emitError("a function to verify has one block");
  return checkMesh(function, findMesh(function));
}

LogicalResult PlacementProver::run() {
  if (failed(enterArguments()))
    return failure();
  for (Operation &op : function.getBody().front())
    if (failed(visit(&op)))
      return failure();
  return success();
}

LogicalResult PlacementProver::enterArguments() {
  for (BlockArgument argument : function.getArguments())
    if (failed(assume(argument)))
      return failure();
  return success();
}

/// "[tp: Shard(0)]"
std::string PlacementProver::show(Value value) {
  Placement placement;
  for (const DimFact &dim : facts[value].dims) {
    placement.dims.push_back(dim.axes);
    placement.pads.push_back(dim.size);
  }
  placement.partial = facts[value].partial;
  placement.partialKind = facts[value].partialKind;
  return describe(placement, mesh);
}

//===----------------------------------------------------------------------===//
// Entry and exit
//===----------------------------------------------------------------------===//

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

LogicalResult PlacementProver::assume(BlockArgument argument) {
  unsigned number = argument.getArgNumber();
  auto type =
      globalType(function.getArgAttrOfType<TypeAttr>(number, kGlobalName),
                 argument.getType());
  if (!type)
    return success();
  auto sharding =
      function.getArgAttrOfType<ShardingAttr>(number, kShardingName);
  Placement placement = sharding ? toPlacement(sharding, mesh, type.getShape())
                                 : Placement::replicated(type.getShape());
  facts[argument] = factFrom(placement, type,
                             isZeroPadded(function, number) ? Padding::Zero
                                                            : Padding::Unknown);
  return success();
}

ValueFact PlacementProver::factFrom(const Placement &placement,
                                    RankedTensorType type, Padding padding) {
  ValueFact fact;
  for (auto [axes, size] : llvm::zip(placement.dims, type.getShape()))
    fact.dims.push_back({normalised(axes), size, padding, false});
  fact.partial = sorted(placement.partial);
  fact.partialKind = placement.partialKind;
  return fact;
}

bool PlacementProver::lies(Value value, const Placement &declared,
                           RankedTensorType type) {
  const ValueFact &fact = facts[value];
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

/// Adds to an error in which dim a value is of other extents than declared, the
/// one thing that placements in words do not show.
void PlacementProver::addExtents(InFlightDiagnostic &error, Value value,
                                 const Placement &declared,
                                 RankedTensorType type) {
  const ValueFact &fact = facts[value];
  auto show = [&](int64_t size, int64_t pad) {
    error << size;
    if (pad != size)
      error << " padded to " << pad;
  };
  for (size_t d = 0; d < std::min(fact.dims.size(), declared.dims.size());
       ++d) {
    const DimFact &dim = fact.dims[d];
    int64_t size = type.getDimSize(d);
    if (dim.uniform || (padded(value, d) == declared.pads[d] &&
                        (dim.anySize || dim.size == size)))
      continue;
    error << "; dim " << d << " is declared of size ";
    show(size, declared.pads[d]);
    error << " but is of size ";
    show(dim.size, padded(value, d));
    return;
  }
}

LogicalResult PlacementProver::finish(Operation *terminator) {
  for (auto [i, value] : llvm::enumerate(terminator->getOperands())) {
    auto type =
        globalType(function.getResultAttrOfType<TypeAttr>(i, kGlobalName),
                   value.getType());
    if (!type)
      continue;
    auto sharding =
        function.getResultAttrOfType<ShardingAttr>(i, kShardingName);
    Placement declared = sharding ? toPlacement(sharding, mesh, type.getShape())
                                  : Placement::replicated(type.getShape());
    if (!lies(value, declared, type)) {
      InFlightDiagnostic error = terminator->emitError("result ")
                                 << i << " is declared "
                                 << describe(declared, mesh) << " of " << type
                                 << " but is " << show(value);
      addExtents(error, value, declared, type);
      return path(error, value);
    }
  }
  return success();
}

/// Adds the ops that a placement came through, nearest first.
LogicalResult PlacementProver::path(InFlightDiagnostic &error, Value value) {
  for (int i = 0; i < 4 && value; ++i) {
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

//===----------------------------------------------------------------------===//
// Ops that are about placement
//===----------------------------------------------------------------------===//

LogicalResult PlacementProver::visit(Operation *op) {
  if (op->hasTrait<OpTrait::IsTerminator>())
    return finish(op);
  if (auto placed = dyn_cast<PlacementOpInterface>(op))
    return inferPlaced(op, placed);
  if (auto mask = dyn_cast<MaskOp>(op))
    return inferMask(mask);
  if (isa<ShardStartOp>(op))
    return success();
  if (auto call = dyn_cast<CallOp>(op))
    return inferCall(call);
  auto ruled = dyn_cast<ShardingRuleOpInterface>(op);
  if (!ruled)
    return op->emitError("'") << op->getName()
                              << "' has no sharding rule, so nothing can be "
                                 "proved of it";
  return inferRuled(op, ruled);
}

LogicalResult PlacementProver::inferPlaced(Operation *op,
                                           PlacementOpInterface placed) {
  for (auto [i, input] : llvm::enumerate(op->getOperands())) {
    std::string message;
    FailureOr<Placement> to = placeResult(op, placed, i, message);
    if (failed(to)) {
      InFlightDiagnostic error = op->emitOpError(message);
      error << ", but input " << i << " is " << show(input);
      return path(error, input);
    }
    ValueFact fact = facts[input];
    // A uniform dim stays right however it is cut or repeated.
    for (auto [dim, axes] : llvm::zip(fact.dims, to->dims))
      dim.axes = dim.uniform ? Axes() : normalised(axes);
    fact.partial = normalised(to->partial);
    fact.partialKind = to->partialKind;
    if (auto resize = dyn_cast<ResizeOp>(op))
      if (failed(inferResized(resize, fact.dims[resize.getDim()])))
        return failure();
    facts[op->getResult(i)] = fact;
  }
  return success();
}

/// All that there is must remain; what is added may be anything.
LogicalResult PlacementProver::inferResized(ResizeOp op, DimFact &dim) {
  int64_t before = extent(op.getInput(), op.getDim());
  int64_t now = extent(op.getResult(), op.getDim());
  if (dim.isFree())
    dim.size = std::min(before, now);
  if (now > before) {
    dim.uniform = dim.anySize = false;
    dim.padding = Padding::Unknown;
  }
  if (!dim.isFree() && now < dim.size)
    return op.emitOpError("cuts dim ")
           << op.getDim() << " of true size " << dim.size << " to " << now;
  return success();
}

/// What `op` makes of its input i. A uniform dim is sharded over no axes in
/// particular, hence over those that the op gathers, if it needs some.
FailureOr<Placement> PlacementProver::placeResult(Operation *op,
                                                  PlacementOpInterface placed,
                                                  unsigned i,
                                                  std::string &message) {
  Value input = op->getOperand(i);
  const ValueFact &known = facts[input];
  Placement from;
  for (auto [d, dim] : llvm::enumerate(known.dims)) {
    from.dims.push_back(dim.axes);
    from.pads.push_back(padded(input, d));
  }
  from.partial = known.partial;
  from.partialKind = known.partialKind;
  FailureOr<Placement> to = placed.inferPlacement(i, from, message);
  if (succeeded(to) || !op->hasAttr("axes"))
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

/// The callee is proven by itself; here, that it is given what it declares.
LogicalResult PlacementProver::inferCall(CallOp call) {
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
    addExtents(error, value, declared, type);
    return path(error, value);
  }
  for (auto [i, value] : llvm::enumerate(call.getResults()))
    if (auto type =
            globalType(callee.getResultAttrOfType<TypeAttr>(i, kGlobalName),
                       value.getType()))
      facts[value] = factFrom(
          toPlacement(call.getDeclaredResult(i), mesh, type.getShape()), type,
          Padding::Unknown);
  // Every dim is a factor by itself.
  ShardingRule rule = call.getShardingRule();
  factors.assign(rule.factors.size(), FactorFact());
  auto name = [&](ValueRange values, ArrayRef<TensorFactors> all) {
    for (auto [value, dims] : llvm::zip(values, all))
      for (auto [d, list] : llvm::enumerate(dims))
        factors[list.front()] = {facts[value].dims[d], true, extent(value, d),
                                 value};
  };
  name(call.getOperands(), rule.operands);
  name(call.getResults(), rule.results);
  return success();
}

LogicalResult PlacementProver::inferMask(MaskOp op) {
  ValueFact fact = facts[op.getInput()];
  DimFact &dim = fact.dims[op.getDim()];
  int64_t block = extent(op.getInput(), op.getDim());
  // A uniform dim is right for any sharding: the mask says for which.
  if (std::exchange(dim.uniform, false)) {
    Axes axes = axesOfStart(op.getStart());
    Axes used = fact.partial;
    for (const DimFact &other : fact.dims)
      used.append(other.axes);
    if (overlap(axes, used)) {
      InFlightDiagnostic error =
          op.emitOpError("is given the start of a shard over axes that the "
                         "value already uses: ");
      error << show(op.getInput());
      return path(error, op.getInput());
    }
    dim.axes = axes;
    dim.anySize = true;
  }
  if (failed(checkStart(op, op.getStart(), dim.axes, block)))
    return failure();
  if (std::exchange(dim.anySize, false)) {
    dim.size = op.getSize();
    if (block * sizeOf(dim.axes) < dim.size)
      return op.emitOpError("has blocks of ")
             << block << ", which do not hold " << dim.size << " elements";
  }
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

Axes PlacementProver::axesOfStart(Value start) {
  auto given = start ? start.getDefiningOp<ShardStartOp>() : ShardStartOp();
  return given ? normalised(toAxes(given.getAxes(), mesh)) : Axes();
}

/// `start` must be this device's coordinate over `axes` times `block`.
LogicalResult PlacementProver::checkStart(Operation *op, Value start,
                                          const Axes &axes, int64_t block) {
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
