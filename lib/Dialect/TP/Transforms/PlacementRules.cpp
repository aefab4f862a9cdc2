//===- PlacementRules.cpp - placements, by the rules of ops ---------------===//
//
// Part of tp-mlir, under the Apache License v2.0.
//
//===----------------------------------------------------------------------===//

#include "tp/Dialect/TP/Transforms/FactorAxes.h"
#include "tp/Dialect/TP/Transforms/PlacementProver.h"

using namespace mlir;
using namespace mlir::tp;

static Padding paddingFor(ReduceKind kind) {
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

LogicalResult PlacementProver::inferRuled(Operation *op,
                                          ShardingRuleOpInterface ruled) {
  ShardingRule rule = ruled.getShardingRule();
  factors.assign(rule.factors.size(), FactorFact());
  for (auto [i, dims] : llvm::enumerate(rule.operands))
    if (failed(readOperand(op, i, dims, rule)))
      return failure();
  for (unsigned i = 0; i < factors.size(); ++i)
    nameFactor(op, ruled, rule, i);
  if (failed(checkFactors(op, ruled, rule)))
    return failure();
  Axes partial;
  ReduceKind kind = ReduceKind::Sum;
  if (failed(inferPartial(op, rule, partial, kind)))
    return failure();
  for (auto [value, dims] : llvm::zip(op->getResults(), rule.results)) {
    if (!isa<RankedTensorType>(value.getType()))
      continue;
    ValueFact fact;
    for (auto [d, dimFactors] : llvm::enumerate(dims)) {
      FailureOr<DimFact> dim = resultDim(op, value, d, dimFactors, rule);
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

/// Where nothing says how a dim is sharded, or how large it is, an op that
/// reads positions or keeps to a size says it: what it makes of the dim is
/// meant for that sharding and that size.
void PlacementProver::nameFactor(Operation *op, ShardingRuleOpInterface ruled,
                                 const ShardingRule &rule, unsigned number) {
  const Factor &factor = rule.factors[number];
  FactorFact &known = factors[number];
  if ((known.known && !known.dim.isFree()) ||
      !(factor.indexed || factor.masked))
    return;
  if (!known.known)
    known.block = resultExtent(op, rule, number);
  bool isCompound = isCompounded(number, rule);
  std::optional<int64_t> size;
  if (factor.masked && !isCompound)
    size = ruled.getMaskedExtent(number);
  if (factor.indexed && (!known.known || known.dim.uniform)) {
    Axes axes = axesOfStart(ruled.getShardStart(number));
    if (isCompound)
      known.block = factor.size / sizeOf(axes);
    known.dim = {axes, known.block * sizeOf(axes)};
    known.dim.anySize = !factor.masked;
  } else if (size) {
    known.dim.uniform = known.dim.anySize = false;
  }
  known.dim.size = size.value_or(known.dim.size);
}

/// The extent on a device of a factor that only results have.
int64_t PlacementProver::resultExtent(Operation *op, const ShardingRule &rule,
                                      unsigned number) {
  for (auto [value, dims] : llvm::zip(op->getResults(), rule.results))
    for (auto [d, dimFactors] : llvm::enumerate(dims))
      if (dimFactors.size() == 1 && dimFactors.front() == number)
        return extent(value, d);
  return rule.factors[number].size;
}

LogicalResult PlacementProver::readOperand(Operation *op, unsigned i,
                                           const TensorFactors &dims,
                                           const ShardingRule &rule) {
  Value value = op->getOperand(i);
  if (!isa<RankedTensorType>(value.getType()))
    return success();
  const ValueFact &fact = facts[value];
  bool isChecked = llvm::is_contained(rule.checked, i);
  for (auto [d, dimFactors] : llvm::enumerate(dims)) {
    const DimFact &dim = fact.dims[d];
    if (isChecked && isPadded(value, d) && dim.padding != Padding::Zero) {
      InFlightDiagnostic error = op->emitError("'")
                                 << op->getName() << "' may fail on the "
                                 << "padding of operand " << i << ", whose dim "
                                 << d << " of size " << dim.size
                                 << " is not masked";
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
      if (failed(readCompound(op, value, d, dimFactors, rule)))
        return failure();
      continue;
    }
    if (failed(readDim(op, i, d, factors[dimFactors.front()])))
      return failure();
  }
  return success();
}

/// What dim d of operand i adds to what other operands say of its factor.
LogicalResult PlacementProver::readDim(Operation *op, unsigned i, unsigned d,
                                       FactorFact &known) {
  Value value = op->getOperand(i);
  const DimFact &dim = facts[value].dims[d];
  if (!known.known) {
    known = {dim, true, extent(value, d), value};
    return success();
  }
  // Padding: known only if all say so.
  Padding padding =
      known.dim.padding == dim.padding ? dim.padding : Padding::Unknown;
  if (known.dim.uniform && !dim.uniform) {
    known = {dim, true, extent(value, d), value};
  } else if (!dim.uniform) {
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
          << show(value) << ", the other of size " << known.dim.size << " and "
          << show(known.from);
      return path(error, value);
    }
  }
  known.dim.padding = padding;
  return success();
}

/// A compound dim: its axes go to its factors, major to minor. The rule's
/// factors have global sizes.
LogicalResult PlacementProver::readCompound(Operation *op, Value value,
                                            unsigned d,
                                            const DimFactors &dimFactors,
                                            const ShardingRule &rule) {
  const DimFact &dim = facts[value].dims[d];
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
        op->emitError("'") << op->getName() << "' cuts dim " << d << " of size "
                           << dim.size
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

LogicalResult PlacementProver::checkFactors(Operation *op,
                                            ShardingRuleOpInterface ruled,
                                            const ShardingRule &rule) {
  Axes used;
  for (auto [number, known] : llvm::enumerate(factors)) {
    // Two dims of the op on one axis: each device would have a block of the
    // diagonal only.
    if (overlap(known.dim.axes, used)) {
      InFlightDiagnostic error = op->emitError("'")
                                 << op->getName() << "' has two dims that are "
                                 << "sharded over the same axes";
      if (known.from)
        error << "; one is " << show(known.from);
      return path(error, known.from);
    }
    used.append(known.dim.axes);
    // What only results have, they check.
    if (known.known && failed(checkFactor(op, ruled, rule, number)))
      return failure();
  }
  return success();
}

LogicalResult PlacementProver::checkFactor(Operation *op,
                                           ShardingRuleOpInterface ruled,
                                           const ShardingRule &rule,
                                           unsigned number) {
  const Factor &factor = rule.factors[number];
  const FactorFact &known = factors[number];
  if (known.dim.uniform)
    return success(); // Right for any sharding.
  int64_t padded = known.block * sizeOf(known.dim.axes);
  int64_t present = blockOf(op, rule, number) * sizeOf(known.dim.axes);
  int64_t needed = known.dim.size;
  if (factor.masked)
    needed = ruled.getMaskedExtent(number).value_or(needed);
  if (present < needed) {
    InFlightDiagnostic error = op->emitError("'")
                               << op->getName() << "' keeps to " << needed
                               << " elements, but all devices together have "
                               << present << ": " << show(known.from);
    return path(error, known.from);
  }
  bool needsWhole = factor.kind == FactorKind::Replicate ||
                    factor.kind == FactorKind::Decompose;
  if (needsWhole && (!known.dim.axes.empty() ||
                     (known.dim.size != known.block && !factor.masked))) {
    InFlightDiagnostic error = op->emitError("'")
                               << op->getName() << "' needs the dim of size "
                               << known.dim.size
                               << " whole, without padding, but it is "
                               << show(known.from);
    return path(error, known.from);
  }
  if (factor.indexed &&
      failed(checkStart(op, ruled.getShardStart(number), known.dim.axes,
                        blockOf(op, rule, number))))
    return failure();
  if (factor.masked && failed(checkMaskedExtent(op, ruled, rule, number)))
    return failure();
  if (factor.kind == FactorKind::Reduce && padded != known.dim.size &&
      !factor.masked && known.dim.padding != paddingFor(factor.reduction)) {
    InFlightDiagnostic error =
        op->emitError("'") << op->getName() << "' reduces a dim of size "
                           << known.dim.size << " whose padding is not masked";
    return path(error, known.from);
  }
  return success();
}

/// An op that ignores padding by itself must be told where it begins.
LogicalResult PlacementProver::checkMaskedExtent(Operation *op,
                                                 ShardingRuleOpInterface ruled,
                                                 const ShardingRule &rule,
                                                 unsigned number) {
  std::optional<int64_t> given = ruled.getMaskedExtent(number);
  for (auto [value, dims] : llvm::zip(op->getOperands(), rule.operands))
    for (auto [d, dimFactors] : llvm::enumerate(dims)) {
      if (dimFactors.empty() || dimFactors.front() != number)
        continue;
      if (facts[value].dims[d].isFree())
        continue; // Right for any size.
      int64_t size = facts[value].dims[d].size;
      if (given ? *given == size : !isPadded(value, d))
        continue;
      InFlightDiagnostic error = op->emitError("'") << op->getName() << "' ";
      if (given)
        error << "keeps to " << *given << " elements of a dim of size " << size;
      else
        error << "is not told that a dim of size " << size << " is padded to "
              << padded(value, d);
      return path(error, value);
    }
  return success();
}

/// The block of an indexed factor in elements of its dim: of a compound dim,
/// the whole local extent.
int64_t PlacementProver::blockOf(Operation *op, const ShardingRule &rule,
                                 unsigned number) {
  for (auto [value, dims] : llvm::zip(op->getOperands(), rule.operands))
    for (auto [d, dimFactors] : llvm::enumerate(dims))
      if (dimFactors.size() > 1 && dimFactors.front() == number)
        return extent(value, d);
  return factors[number].block;
}

LogicalResult PlacementProver::inferPartial(Operation *op,
                                            const ShardingRule &rule,
                                            Axes &partial, ReduceKind &kind) {
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
    used.append(known.dim.axes);

  Axes joint;
  bool isFirst = true;
  for (auto [i, value] : llvm::enumerate(op->getOperands())) {
    if (!isa<RankedTensorType>(value.getType()))
      continue;
    const ValueFact &fact = facts[value];
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
      InFlightDiagnostic error = op->emitError("'")
                                 << op->getName()
                                 << "' multiplies values that are both partial "
                                 << "or sharded over the same axes; operand "
                                 << i << " is " << show(value);
      return path(error, value);
    }
    partial.append(fact.partial);
    used.append(fact.partial);
  }
  llvm::sort(partial);
  partial = normalised(partial);
  return success();
}

FailureOr<DimFact> PlacementProver::resultDim(Operation *op, Value value,
                                              unsigned d,
                                              const DimFactors &dimFactors,
                                              const ShardingRule &rule) {
  int64_t local = extent(value, d);
  if (dimFactors.size() == 1) {
    const FactorFact &known = factors[dimFactors.front()];
    if (known.known) {
      if (!known.dim.uniform && known.block != local)
        return op->emitError("'")
               << op->getName() << "' has a dim " << d << " of " << local
               << " on a device, which is not the " << known.block
               << " that its operands have";
      DimFact dim = known.dim;
      // What the op makes of padding is not known.
      dim.padding = Padding::Unknown;
      return dim;
    }
    return newDim(value, d, rule, dimFactors.front());
  }
  return compoundDim(op, value, d, dimFactors, rule);
}

/// A compound result: the axes of its factors, one after the other.
FailureOr<DimFact> PlacementProver::compoundDim(Operation *op, Value value,
                                                unsigned d,
                                                const DimFactors &dimFactors,
                                                const ShardingRule &rule) {
  int64_t local = extent(value, d);
  DimFact dim;
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
    return op->emitError("'") << op->getName() << "' has a dim " << d << " of "
                              << local << " on a device, which is not the "
                              << "share of " << dim.size;
  return dim;
}

/// A dim that no operand has: broadcast, iota, a constant's.
FailureOr<DimFact> PlacementProver::newDim(Value value, unsigned d,
                                           const ShardingRule &rule,
                                           unsigned factor) {
  Operation *op = value.getDefiningOp();
  const FactorFact &named = factors[factor];
  int64_t local = extent(value, d);
  if (rule.factors[factor].indexed || rule.factors[factor].masked) {
    Value start = cast<ShardingRuleOpInterface>(op).getShardStart(factor);
    if (start && failed(checkStart(op, start, named.dim.axes, local)))
      return failure();
    return named.dim;
  }
  DimFact dim;
  dim.size = local;
  dim.uniform = rule.factors[factor].kind == FactorKind::Pass;
  return dim;
}
