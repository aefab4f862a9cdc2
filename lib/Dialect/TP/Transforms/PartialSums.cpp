//===- PartialSums.cpp - sums that are reduced once -----------------------===//
//
// Part of tp-mlir, under the Apache License v2.0.
//
//===----------------------------------------------------------------------===//

#include "tp/Dialect/TP/Transforms/PartialSums.h"
#include "tp/Dialect/TP/Transforms/FactorAxes.h"
#include <deque>

using namespace mlir;
using namespace mlir::tp;

Placement tp::propagatedTo(Value value, MeshAttr mesh) {
  ArrayRef<int64_t> shape = shapeOf(value.getType());
  ShardingAttr sharding = shardingOf(value);
  return sharding ? toPlacement(sharding, mesh, shape)
                  : Placement::replicated(shape);
}

/// Whether `op` adds two tensors.
static bool isSum(Operation *op) {
  auto ruled = dyn_cast<ShardingRuleOpInterface>(op);
  return ruled && op->hasTrait<OpTrait::IsCommutative>() &&
         op->getNumOperands() == 2 && op->getNumResults() == 1 &&
         ruled.getShardingRule().joint.size() == 2;
}

static bool isSharded(const Placement &placement, const Axes &axes) {
  return llvm::any_of(placement.dims,
                      [&](const Axes &dim) { return overlap(dim, axes); });
}

/// The op that makes `value`, if its placement follows from a rule.
static ShardingRuleOpInterface findRuled(Value value) {
  auto ruled = value.getDefiningOp<ShardingRuleOpInterface>();
  bool isTensor = isa<RankedTensorType>(value.getType());
  return ruled && isTensor && !isa<DeclaredPlacementOpInterface>(*ruled)
             ? ruled
             : ShardingRuleOpInterface();
}

/// The axes over which `op` itself makes a sum partial.
Axes PartialSums::reducedAxes(Operation *op) const {
  ShardingRule rule = cast<ShardingRuleOpInterface>(op).getShardingRule();
  std::deque<SmallVector<Axes, 4>> dims; // stay where they are
  auto dimsOf = [&](Value value) -> ArrayRef<Axes> {
    return dims.emplace_back(propagatedTo(value, mesh).dims);
  };
  SmallVector<Axes> factors =
      chooser.choose(op, rule, dimsOf, /*mayDecompose=*/false);
  for (auto [axes, factor] : llvm::zip(factors, rule.factors))
    if (factor.kind == FactorKind::Reduce && !axes.empty())
      return factor.reduction == ReduceKind::Sum ? axes : Axes();
  return {};
}

/// Whether `value` will lie in shards over some of the axes and could not as
/// well be whole: what is used here alone and made of whole tensors could.
bool PartialSums::liesInShards(Value value, const Axes &axes,
                               unsigned depth) const {
  if (!isa<RankedTensorType>(value.getType()) ||
      !isSharded(propagatedTo(value, mesh), axes))
    return false;
  ShardingRuleOpInterface ruled = findRuled(value);
  if (!ruled || depth == 0 || !value.hasOneUse())
    return true;
  return llvm::any_of(ruled->getOperands(), [&](Value operand) {
    return liesInShards(operand, axes, depth - 1);
  });
}

Axes PartialSums::expectedPartial(Value value, unsigned depth) const {
  ShardingRuleOpInterface ruled = findRuled(value);
  if (!ruled || depth == 0 || !value.hasOneUse())
    return {};
  if (Axes axes = reducedAxes(ruled); !axes.empty())
    return axes;
  ShardingRule rule = ruled.getShardingRule();
  Axes partial;
  for (unsigned i : llvm::concat<unsigned>(rule.joint, rule.each))
    if (partial.empty())
      partial = expectedPartial(ruled->getOperand(i), depth - 1);
  for (Value operand : ruled->getOperands())
    if (liesInShards(operand, partial) &&
        expectedPartial(operand, depth - 1) != partial)
      return {};
  return partial;
}

void PartialSums::gather() {
  for (Operation &op : llvm::make_early_inc_range(function.getBody().front()))
    if (isSum(&op) && !regroup(&op))
      leavePartial(&op);
}

/// If `op` is first + other, and used in (first + other) + third alone: makes
/// that other + (first + third). Returns whether it did.
bool PartialSums::regroup(Operation *op) const {
  if (!op->hasOneUse())
    return false;
  Operation *sum = *op->user_begin();
  if (sum->getName() != op->getName() ||
      sum->getPropertiesAsAttribute() != op->getPropertiesAsAttribute())
    return false;
  Value third = sum->getOperand(sum->getOperand(0) == op->getResult(0));
  Axes partial = expectedPartial(third);
  for (unsigned i : {0, 1}) {
    Value first = op->getOperand(i), other = op->getOperand(1 - i);
    if (partial.empty() || expectedPartial(first) != partial ||
        !liesInShards(other, partial) || expectedPartial(other) == partial)
      continue;
    OpBuilder builder(sum);
    Operation *inner = builder.clone(*sum);
    inner->setOperands({first, third});
    sum->setOperands({other, inner->getResult(0)});
    op->erase();
    leavePartial(inner);
    return true;
  }
  return false;
}

/// If both operands of `sum` can be partial over the same axes, makes sure that
/// nothing up to it is wanted in shards over them.
void PartialSums::leavePartial(Operation *sum) const {
  Placement placement = propagatedTo(sum->getResult(0), mesh);
  if (llvm::all_of(placement.dims,
                   [](const Axes &axes) { return axes.empty(); }))
    return;
  Axes partial = expectedPartial(sum->getOperand(0));
  if (!partial.empty() && expectedPartial(sum->getOperand(1)) == partial)
    wantWhole(sum->getResult(0), partial);
}

/// Wants `value` whole over `axes`, and so what it is made of, back to what
/// makes it partial.
void PartialSums::wantWhole(Value value, const Axes &axes,
                            unsigned depth) const {
  ShardingRuleOpInterface op = findRuled(value);
  if (!op || depth == 0)
    return;
  if (auto cache = op->getAttrOfType<ArrayAttr>(kShardingsName)) {
    Placement placement = propagatedTo(value, mesh);
    for (Axes &dim : placement.dims)
      if (overlap(dim, axes))
        dim.clear();
    auto shardings = llvm::to_vector(cache.getValue());
    shardings[cast<OpResult>(value).getResultNumber()] = toSharding(
        placement, meshName, mesh, shapeOf(value.getType()), op->getContext());
    op->setAttr(kShardingsName, ArrayAttr::get(op->getContext(), shardings));
  }
  if (!reducedAxes(op).empty())
    return;
  for (Value operand : op->getOperands())
    wantWhole(operand, axes, depth - 1);
}
