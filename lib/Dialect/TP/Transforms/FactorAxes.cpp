//===- FactorAxes.cpp - between the dims of tensors and factors -----------===//
//
// Part of tp-mlir, under the Apache License v2.0.
//
//===----------------------------------------------------------------------===//

#include "tp/Dialect/TP/Transforms/FactorAxes.h"

using namespace mlir;
using namespace mlir::tp;

FlatSymbolRefAttr tp::findMesh(Operation *op) {
  auto module = op->getParentOfType<ModuleOp>();
  if (auto self = dyn_cast<ModuleOp>(op))
    module = self;
  if (!module)
    return {};
  for (MeshOp mesh : module.getOps<MeshOp>())
    return FlatSymbolRefAttr::get(mesh.getSymNameAttr());
  return {};
}

SmallVector<Axes> tp::spreadOver(ArrayRef<Axis> axes, const DimFactors &factors,
                                 const ShardingRule &rule, bool cut) {
  SmallVector<Axes> spread(factors.size());
  if (factors.size() == 1) {
    spread[0].assign(axes.begin(), axes.end());
    return spread;
  }
  // A compound dim: each factor takes axes while they divide it; the next
  // factor begins only where the one before is used up.
  size_t position = 0;
  int64_t left = factors.empty() ? 1 : rule.factors[factors[0]].size;
  for (Axis axis : axes) {
    while (true) {
      while (position < factors.size() && left == 1)
        left = ++position < factors.size()
                   ? rule.factors[factors[position]].size
                   : 0;
      if (position >= factors.size())
        return spread;
      if (left % axis.size == 0)
        break;
      if (!cut || axis.size % left)
        return spread;
      spread[position].push_back({axis.name, axis.pre, left});
      axis = {axis.name, axis.pre * left, axis.size / left};
      left = 1;
    }
    spread[position].push_back(axis);
    left /= axis.size;
  }
  return spread;
}

Axes tp::gatherFrom(const DimFactors &factors, const ShardingRule &rule,
                    ArrayRef<Axes> factorAxes) {
  Axes axes;
  for (unsigned factor : factors) {
    axes.append(factorAxes[factor].begin(), factorAxes[factor].end());
    // A minor factor may only be sharded below a major one that is used up.
    if (factors.size() > 1 &&
        sizeOf(factorAxes[factor]) != rule.factors[factor].size)
      break;
  }
  return normalised(axes);
}

double tp::iterationsOf(const ShardingRule &rule) {
  double points = 1;
  for (const Factor &factor : rule.factors)
    points *= double(factor.size);
  return points;
}

bool tp::isCompounded(unsigned factor, const ShardingRule &rule) {
  for (const auto *tensors : {&rule.operands, &rule.results})
    for (const TensorFactors &dims : *tensors)
      for (const DimFactors &dim : dims)
        if (dim.size() > 1 && llvm::is_contained(dim, factor))
          return true;
  return false;
}

bool tp::canPad(const DimFactors &factors, const ShardingRule &rule) {
  if (factors.empty())
    return false;
  const Factor &first = rule.factors[factors.front()];
  return first.masked ||
         (!isCompounded(factors.front(), rule) &&
          (first.kind == FactorKind::Pass || first.kind == FactorKind::Reduce));
}

LogicalResult tp::checkMesh(func::FuncOp function, FlatSymbolRefAttr meshName) {
  WalkResult result = function.walk([&](Operation *op) {
    auto other = op->getAttrDictionary().walk([&](ShardingAttr sharding) {
      return sharding.getMesh() == meshName ? WalkResult::advance()
                                            : WalkResult::interrupt();
    });
    auto named = op->getAttrOfType<FlatSymbolRefAttr>("mesh");
    bool isOther = other.wasInterrupted() ||
                   (isa_and_nonnull<TPDialect>(op->getDialect()) && named &&
                    named != meshName);
    if (!isOther)
      return WalkResult::advance();
    op->emitError("speaks of another mesh than ")
        << meshName << ", the first of the module; a program is sharded over "
        << "one mesh";
    return WalkResult::interrupt();
  });
  return failure(result.wasInterrupted());
}

/// An op that is told where its shard begins, or how much of a dim is no
/// padding, is what partitioning makes of one; a global op sees all of all
/// dims.
static LogicalResult checkWhole(ShardingRuleOpInterface op) {
  ShardingRule rule = op.getShardingRule();
  auto name = op->getName();
  for (unsigned i = 0; i < rule.factors.size(); ++i)
    if (op.getShardStart(i))
      return op->emitError("'")
             << name << "' is told where a shard begins, as in the program of "
             << "one device; leave the start out in a global one";
  auto check = [&](Value value, const TensorFactors &dims) -> LogicalResult {
    for (auto [size, factors] : llvm::zip(shapeOf(value.getType()), dims)) {
      if (factors.empty() || !rule.factors[factors.front()].masked)
        continue;
      std::optional<int64_t> given = op.getMaskedExtent(factors.front());
      if (given && *given != size)
        return op->emitError("'")
               << name << "' is told to keep to " << *given
               << " elements of a dim of size " << size
               << ", as in the program of one device, where dims are padded; "
                  "in a global one, leave it out or slice the operand";
    }
    return success();
  };
  for (auto [value, dims] : llvm::zip(op->getOperands(), rule.operands))
    if (failed(check(value, dims)))
      return failure();
  for (auto [value, dims] : llvm::zip(op->getResults(), rule.results))
    if (failed(check(value, dims)))
      return failure();
  return success();
}

LogicalResult tp::checkShardable(func::FuncOp function) {
  if (!function.getBody().hasOneBlock())
    return function.emitError("a function to shard has one block");
  if (FlatSymbolRefAttr meshName = findMesh(function))
    if (failed(checkMesh(function, meshName)))
      return failure();
  auto isUnfit = [](Type type) {
    auto tensor = dyn_cast<ShapedType>(type);
    return tensor &&
           !(isa<RankedTensorType>(tensor) && tensor.hasStaticShape());
  };
  // Bytes are counted in 64 bits, of dims that may be padded.
  auto isTooLarge = [](Type type) {
    int64_t bytes = 64;
    return llvm::any_of(shapeOf(type), [&](int64_t size) {
      return llvm::MulOverflow(bytes, std::max<int64_t>(size, 1), bytes);
    });
  };
  for (BlockArgument argument : function.getArguments()) {
    if (isUnfit(argument.getType()))
      return function.emitError("argument ")
             << argument.getArgNumber() << ": only ranked tensors of static "
             << "shape can be sharded, got " << argument.getType();
    if (isTooLarge(argument.getType()))
      return function.emitError("argument ")
             << argument.getArgNumber()
             << ": more elements than can be counted in " << argument.getType();
  }
  for (Operation &op : function.getBody().front()) {
    if (op.hasTrait<OpTrait::IsTerminator>() ||
        isa<DeclaredPlacementOpInterface>(op))
      continue;
    auto ruled = dyn_cast<ShardingRuleOpInterface>(op);
    // Calls and loops of constant bounds have been written out.
    if (!ruled && op.getNumRegions())
      return op.emitError("'")
             << op.getName() << "' decides at run time what is computed, so it "
             << "cannot be sharded; compute all that it may choose from, and "
             << "choose with arith.select";
    if (!ruled)
      return op.emitError("'")
             << op.getName() << "' has no sharding rule, so it cannot be "
             << "sharded; it must implement ShardingRuleOpInterface";
    for (Value result : op.getResults()) {
      if (isUnfit(result.getType()))
        return op.emitError("only ranked tensors of static shape can be "
                            "sharded, got ")
               << result.getType();
      if (isTooLarge(result.getType()))
        return op.emitError("more elements than can be counted in ")
               << result.getType();
    }
    if (failed(checkWhole(ruled)))
      return failure();
  }
  return success();
}
