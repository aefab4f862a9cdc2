//===- Routers.cpp - what picks, for every device -------------------------===//
//
// Part of tp-mlir, under the Apache License v2.0.
//
//===----------------------------------------------------------------------===//

#include "AutomaticPlan.h"
#include "tp/Dialect/NN/IR/NN.h"

using namespace mlir;
using namespace mlir::tp;

namespace {

class RouterFinder {
public:
  RouterFinder(func::FuncOp function, const DimClasses &classes)
      : function(function), classes(classes), total(contractionWork(function)) {
  }

  Routers run() {
    Routers routers;
    llvm::DenseSet<Operation *> reaching; // Something is computed with them.
    for (Operation &op : llvm::reverse(function.getBody().front())) {
      bool reaches = llvm::any_of(op.getUsers(), [&](Operation *user) {
        return reaching.contains(user) || contractionWork(user) > 0;
      });
      if (!reaches)
        continue;
      reaching.insert(&op);
      if (auto ruled = dyn_cast<ShardingRuleOpInterface>(op))
        visit(ruled, routers);
    }
    return routers;
  }

private:
  /// An op that takes the whole of a dim of which its results have nothing
  /// left.
  void visit(ShardingRuleOpInterface op, Routers &routers) {
    ShardingRule rule = op.getShardingRule();
    for (auto [number, factor] : llvm::enumerate(rule.factors)) {
      if (factor.kind != FactorKind::Decompose || hasDim(rule.results, number))
        continue;
      for (auto [value, dims] : llvm::zip(op->getOperands(), rule.operands))
        if (auto dim = dimOf(dims, number))
          trace(value, *dim, routers);
    }
  }

  static std::optional<unsigned> dimOf(const TensorFactors &dims,
                                       unsigned factor) {
    for (auto [i, factors] : llvm::enumerate(dims))
      if (factors.size() == 1 && factors.front() == factor)
        return i;
    return std::nullopt;
  }

  static bool hasDim(ArrayRef<TensorFactors> tensors, unsigned factor) {
    return llvm::any_of(tensors, [&](const TensorFactors &dims) {
      return dimOf(dims, factor).has_value();
    });
  }

  /// Back along the dim to what computed it: the router, if that is little.
  void trace(Value value, unsigned dim, Routers &routers) {
    unsigned dimClass = classes.classOf(value, dim);
    llvm::DenseSet<Value> seen;
    SmallVector<Value> open{value};
    llvm::DenseSet<unsigned> parameters;
    double work = 0;
    while (!open.empty()) {
      Value next = open.pop_back_val();
      if (!isa<RankedTensorType>(next.getType()) || !hasClass(next, dimClass) ||
          !seen.insert(next).second)
        continue;
      if (seen.size() > kMostTraced)
        return;
      if (auto argument = dyn_cast<BlockArgument>(next);
          argument &&
          function.getArgAttr(argument.getArgNumber(), nn::kParameterName))
        parameters.insert(argument.getArgNumber());
      Operation *producer = next.getDefiningOp();
      if (!producer)
        continue;
      work += contractionWork(producer);
      llvm::append_range(open, producer->getOperands());
    }
    if (parameters.empty() || work * kRouterPart > total)
      return;
    routers.parameters.insert(parameters.begin(), parameters.end());
    routers.picked.push_back({value, dim});
  }

  bool hasClass(Value value, unsigned dimClass) {
    for (unsigned i = 0; i < shapeOf(value.getType()).size(); ++i)
      if (classes.classOf(value, i) == dimClass)
        return true;
    return false;
  }

  /// A router is a few ops.
  static constexpr unsigned kMostTraced = 64;
  /// It has at most this part of all work.
  static constexpr double kRouterPart = 16;

  func::FuncOp function;
  const DimClasses &classes;
  double total;
};

} // namespace

Routers tp::findRouters(func::FuncOp function, const DimClasses &classes) {
  return RouterFinder(function, classes).run();
}
