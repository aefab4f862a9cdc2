//===- Decompose.cpp - writes out composites whose reduction is sharded ---===//
//
// Part of tp-mlir, under the Apache License v2.0.
//
//===----------------------------------------------------------------------===//

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "tp/Dialect/TP/IR/TP.h"
#include "tp/Dialect/TP/Transforms/FactorAxes.h"
#include "tp/Dialect/TP/Transforms/Passes.h"

using namespace mlir;
using namespace mlir::tp;

namespace mlir::tp {
#define GEN_PASS_DEF_TPDECOMPOSE
#include "tp/Dialect/TP/Transforms/Passes.h.inc"
} // namespace mlir::tp

ShardingAttr tp::shardingOf(Value value) {
  if (auto argument = dyn_cast<BlockArgument>(value)) {
    auto function = dyn_cast<func::FuncOp>(argument.getOwner()->getParentOp());
    return function ? function.getArgAttrOfType<ShardingAttr>(
                          argument.getArgNumber(), kShardingName)
                    : ShardingAttr();
  }
  auto result = cast<OpResult>(value);
  auto shardings = result.getOwner()->getAttrOfType<ArrayAttr>(kShardingsName);
  if (!shardings || result.getResultNumber() >= shardings.size())
    return {};
  return dyn_cast<ShardingAttr>(shardings[result.getResultNumber()]);
}

namespace {

struct Decompose : tp::impl::TPDecomposeBase<Decompose> {
  void runOnOperation() override {
    if (getOperation().isExternal())
      return;
    // All are decided before any is written out: what replaces an op has no
    // sharding yet, and the next op may read it.
    SmallVector<Decision> decisions;
    for (Operation &op : getOperation().getBody().front())
      if (isa<DecomposeOpInterface>(op))
        if (failed(decide(&op, decisions)))
          return signalPassFailure();
    for (const Decision &decision : decisions) {
      OpBuilder builder(decision.op);
      SmallVector<Value> values =
          cast<DecomposeOpInterface>(decision.op)
              .decompose(builder, decision.factor, decision.shards,
                         decision.padded);
      decision.op->replaceAllUsesWith(values);
      decision.op->erase();
    }
  }

  struct Decision {
    Operation *op;
    unsigned factor;
    int64_t shards, padded;
  };

  /// Decomposes `op` if the factor that asks for it is sharded or padded.
  static LogicalResult decide(Operation *op,
                              SmallVectorImpl<Decision> &decisions) {
    auto ruled = dyn_cast<ShardingRuleOpInterface>(op);
    if (!ruled)
      return op->emitError("can be decomposed, but has no sharding rule");
    ShardingRule rule = ruled.getShardingRule();
    SmallVector<Axes> axes = axesOfFactors(op, rule);
    for (auto [value, dims] : llvm::zip(op->getOperands(), rule.operands)) {
      std::optional<Placement> placement = placementOf(op, value);
      if (!placement)
        continue;
      for (auto [i, factors] : llvm::enumerate(dims)) {
        if (factors.size() != 1 ||
            rule.factors[factors[0]].kind != FactorKind::Decompose)
          continue;
        int64_t shards = sizeOf(axes[factors[0]]);
        bool hasPadding = placement->pads[i] != shapeOf(value.getType())[i] &&
                          !rule.factors[factors[0]].masked;
        if (shards == 1 && !hasPadding)
          continue;
        decisions.push_back({op, factors[0], shards, placement->pads[i]});
        return success();
      }
    }
    return success();
  }

  /// What propagation said; none if it said nothing.
  static std::optional<Placement> placementOf(Operation *op, Value value) {
    ShardingAttr sharding = shardingOf(value);
    MeshAttr mesh = sharding ? lookupMesh(op, sharding.getMesh()) : MeshAttr();
    if (!mesh)
      return std::nullopt;
    return toPlacement(sharding, mesh, shapeOf(value.getType()));
  }

  /// The axes that each factor could have in this op. A sequence that is both
  /// queries and keys has its axes once: the keys are then brought together,
  /// and nothing has to be written out.
  static SmallVector<Axes> axesOfFactors(Operation *op,
                                         const ShardingRule &rule) {
    SmallVector<Axes> axes(rule.factors.size());
    auto read = [&](Value value, const TensorFactors &dims) {
      std::optional<Placement> placement = placementOf(op, value);
      if (!placement)
        return;
      for (auto [dimAxes, factors] : llvm::zip(placement->dims, dims)) {
        SmallVector<Axes> spread = spreadOver(dimAxes, factors, rule);
        for (auto [factor, part] : llvm::zip(factors, spread))
          if (sizeOf(part) > sizeOf(axes[factor]))
            axes[factor] = part;
      }
    };
    for (auto [value, dims] : llvm::zip(op->getOperands(), rule.operands))
      read(value, dims);
    for (auto [value, dims] : llvm::zip(op->getResults(), rule.results))
      read(value, dims);
    dropRepeatedAxes(axes);
    return axes;
  }
};

} // namespace
