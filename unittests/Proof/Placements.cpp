//===- Placements.cpp - every way to place an op's tensors ----------------===//
//
// Part of tp-mlir, under the Apache License v2.0.
//
//===----------------------------------------------------------------------===//

#include "Placements.h"

using namespace mlir;
using namespace mlir::tp;
using namespace mlir::tp::proof;

std::vector<MeshCase> proof::makeMeshCases() {
  return {
      {"\"x\"=2", {{"x", 1, 2}}},
      {"\"x\"=3", {{"x", 1, 3}}},
      {"\"x\"=4", {{"x", 1, 4}}},
      {"\"x\"=4", {{"x", 1, 2}, {"x", 2, 2}}},
      {"\"x\"=2, \"y\"=2", {{"x", 1, 2}, {"y", 1, 2}}},
      {"\"x\"=2, \"y\"=3", {{"x", 1, 2}, {"y", 1, 3}}},
  };
}

static int64_t product(ArrayRef<Axis> axes) {
  int64_t size = 1;
  for (const Axis &axis : axes)
    size *= axis.size;
  return size;
}

/// The axes of a dim; none if they do not fit its factors.
static std::optional<Axes> axesOfDim(const DimFactors &dim,
                                     const ShardingRule &rule,
                                     const FactorPlacement &placement) {
  Axes axes;
  bool isUsedUp = true;
  for (unsigned number : dim) {
    const Axes &mine = placement.factors[number];
    int64_t shards = product(mine), size = rule.factors[number].size;
    bool isWhole =
        shards == 1 && (dim.size() == 1 || placement.pads[number] == size);
    if (dim.size() > 1 && !isWhole && (!isUsedUp || size % shards))
      return std::nullopt;
    isUsedUp &= shards == size;
    axes.append(mine);
  }
  return axes;
}

std::optional<Placement> proof::placeTensor(const TensorFactors &dims,
                                            ArrayRef<int64_t> shape,
                                            const ShardingRule &rule,
                                            const FactorPlacement &placement) {
  Placement result = Placement::replicated(shape);
  for (auto [i, dim] : llvm::enumerate(dims)) {
    std::optional<Axes> axes = axesOfDim(dim, rule, placement);
    if (!axes)
      return std::nullopt;
    result.dims[i] = *axes;
    if (dim.size() == 1)
      result.pads[i] = placement.pads[dim.front()];
  }
  return result;
}

std::optional<Placement> proof::placeResult(Operation *op, unsigned number,
                                            const ShardingRule &rule,
                                            const FactorPlacement &placement) {
  std::optional<Placement> result =
      placeTensor(rule.results[number],
                  shapeOf(op->getResult(number).getType()), rule, placement);
  if (!result)
    return result;
  for (auto [axes, factor] : llvm::zip(placement.factors, rule.factors))
    if (factor.kind == FactorKind::Reduce && !axes.empty()) {
      result->partialKind = factor.reduction;
      result->partial.append(axes);
    }
  // Joint operands are partial over the same axes.
  for (const Axes &axes : placement.partial)
    for (const Axis &axis : axes)
      if (!llvm::is_contained(result->partial, axis))
        result->partial.push_back(axis);
  return result;
}

//===----------------------------------------------------------------------===//
// Enumeration
//===----------------------------------------------------------------------===//

namespace {

/// Where an axis may go: to a factor, or to operands that are partial over it.
struct Target {
  std::optional<unsigned> factor;
  SmallVector<unsigned> partial;
};

class Enumerator {
public:
  Enumerator(Operation *op, const ShardingRule &rule, ArrayRef<Axis> axes,
             Allowed allowed)
      : op(op), rule(rule), axes(axes.begin(), axes.end()), allowed(allowed) {
    targets.push_back({}); // Nowhere.
    for (unsigned i = 0; i < rule.factors.size(); ++i)
      if (allowed == Allowed::Anything || canShard(rule.factors[i]))
        targets.push_back({i, {}});
    addPartialTargets();
  }

  std::vector<FactorPlacement> run() {
    SmallVector<unsigned> order;
    for (unsigned i = 0; i < axes.size(); ++i)
      order.push_back(i);
    do {
      SmallVector<unsigned> choice(axes.size(), 0);
      do {
        if (llvm::is_sorted(order) || orderMatters(choice))
          emit(order, choice);
      } while (advance(choice));
    } while (std::next_permutation(order.begin(), order.end()));
    return std::move(found);
  }

private:
  static bool canShard(const Factor &factor) {
    return factor.kind == FactorKind::Pass || factor.kind == FactorKind::Reduce;
  }

  bool canBePartial(unsigned operand) {
    auto type = dyn_cast<RankedTensorType>(op->getOperand(operand).getType());
    // A sum of bits is no bit.
    return type && !type.getElementType().isInteger(1);
  }

  void addPartialTargets() {
    if (!rule.joint.empty() && llvm::all_of(rule.joint, [&](unsigned operand) {
          return canBePartial(operand);
        }))
      targets.push_back({std::nullopt, rule.joint});
    for (unsigned i = 0; i < op->getNumOperands(); ++i)
      if (canBePartial(i) &&
          (allowed == Allowed::Anything || llvm::is_contained(rule.each, i)))
        targets.push_back({std::nullopt, {i}});
  }

  /// Whether two axes go to one factor.
  bool orderMatters(ArrayRef<unsigned> choice) {
    for (size_t i = 0; i < choice.size(); ++i)
      for (size_t j = 0; j < i; ++j)
        if (choice[i] == choice[j] && targets[choice[i]].factor)
          return true;
    return false;
  }

  bool advance(SmallVectorImpl<unsigned> &choice) {
    for (unsigned &digit : choice) {
      if (++digit < targets.size())
        return true;
      digit = 0;
    }
    return false;
  }

  void emit(ArrayRef<unsigned> order, ArrayRef<unsigned> choice) {
    FactorPlacement placement;
    placement.factors.resize(rule.factors.size());
    placement.partial.resize(op->getNumOperands());
    bool isReducedOtherwise = false, isPartial = false;
    for (unsigned i : order) {
      const Target &target = targets[choice[i]];
      if (target.factor) {
        placement.factors[*target.factor].push_back(axes[i]);
        const Factor &factor = rule.factors[*target.factor];
        isReducedOtherwise |= factor.kind == FactorKind::Reduce &&
                              factor.reduction != ReduceKind::Sum;
      }
      for (unsigned operand : target.partial)
        placement.partial[operand].push_back(axes[i]);
      isPartial |= !target.partial.empty();
    }
    for (Axes &factorAxes : placement.factors)
      factorAxes = normalised(factorAxes);
    // A maximum of partial sums is no partial anything.
    if (isPartial && isReducedOtherwise && allowed == Allowed::ByRule)
      return;
    for (bool generous : {false, true})
      emitPadded(placement, generous);
  }

  void emitPadded(FactorPlacement placement, bool generous) {
    bool isPadded = false;
    for (auto [number, factor] : llvm::enumerate(rule.factors)) {
      int64_t shards = product(placement.factors[number]);
      int64_t pad = (factor.size + shards - 1) / shards * shards;
      bool mayPad = canShard(factor) || factor.masked ||
                    (allowed == Allowed::Anything &&
                     factor.kind == FactorKind::Decompose);
      if (generous && mayPad && !isCompound(number)) {
        pad += shards;
        isPadded = true;
      }
      placement.pads.push_back(pad);
    }
    if (generous && !isPadded)
      return;
    for (unsigned i = 0; i < op->getNumResults(); ++i)
      if (!placeResult(op, i, rule, placement))
        return;
    for (auto [value, dims] : llvm::zip(op->getOperands(), rule.operands))
      if (!placeTensor(dims, shapeOf(value.getType()), rule, placement))
        return;
    found.push_back(std::move(placement));
  }

  bool isCompound(unsigned factor) {
    for (const auto *tensors : {&rule.operands, &rule.results})
      for (const TensorFactors &dims : *tensors)
        for (const DimFactors &dim : dims)
          if (dim.size() > 1 && llvm::is_contained(dim, factor))
            return true;
    return false;
  }

  Operation *op;
  const ShardingRule &rule;
  Axes axes;
  Allowed allowed;
  std::vector<Target> targets;
  std::vector<FactorPlacement> found;
};

} // namespace

std::vector<FactorPlacement>
proof::enumeratePlacements(Operation *op, const ShardingRule &rule,
                           ArrayRef<Axis> axes, Allowed allowed) {
  return Enumerator(op, rule, axes, allowed).run();
}
