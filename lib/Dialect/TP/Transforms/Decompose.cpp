//===- Decompose.cpp - writes out composites whose reduction is sharded ---===//
//
// Part of tp-mlir, under the Apache License v2.0.
//
//===----------------------------------------------------------------------===//

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "tp/Dialect/TP/IR/TP.h"
#include "tp/Dialect/TP/Transforms/FactorAxes.h"
#include "tp/Dialect/TP/Transforms/FactorChoice.h"
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
    FlatSymbolRefAttr meshName = findMesh(getOperation());
    if (!meshName || getOperation().isExternal() || isEmbedded(getOperation()))
      return;
    chooser.emplace(getOperation(), meshName,
                    lookupMesh(getOperation(), meshName));
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
  LogicalResult decide(Operation *op, SmallVectorImpl<Decision> &decisions) {
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

  /// The axes that each factor would have in this op. A sequence that is both
  /// queries and keys has its axes once: the keys are then brought together,
  /// and nothing has to be written out.
  SmallVector<Axes> axesOfFactors(Operation *op, const ShardingRule &rule) {
    DenseMap<Value, SmallVector<Axes, 4>> dims;
    auto read = [&](Value value) {
      if (std::optional<Placement> placement = placementOf(op, value))
        dims[value] = placement->dims;
    };
    llvm::for_each(op->getOperands(), read);
    llvm::for_each(op->getResults(), read);
    return chooser->choose(
        op, rule,
        [&](Value value) -> ArrayRef<Axes> {
          auto it = dims.find(value);
          return it == dims.end() ? ArrayRef<Axes>() : it->second;
        },
        /*mayDecompose=*/true);
  }

  std::optional<FactorChooser> chooser;
};

} // namespace
