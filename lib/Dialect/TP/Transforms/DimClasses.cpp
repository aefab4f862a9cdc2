//===- DimClasses.cpp - dims that must agree in extent --------------------===//
//
// Part of tp-mlir, under the Apache License v2.0.
//
//===----------------------------------------------------------------------===//

#include "tp/Dialect/TP/Transforms/DimClasses.h"
#include "tp/Dialect/TP/IR/TP.h"
#include "tp/Interfaces/ShardingDialectInterface.h"

using namespace mlir;
using namespace mlir::tp;

void tp::forEachTensor(func::FuncOp function, function_ref<void(Value)> visit) {
  for (BlockArgument argument : function.getArguments())
    if (isa<RankedTensorType>(argument.getType()))
      visit(argument);
  for (Operation &op : function.getBody().front())
    for (Value result : op.getResults())
      if (isa<RankedTensorType>(result.getType()))
        visit(result);
}

DimClasses::DimClasses(func::FuncOp function) {
  unsigned count = 0;
  forEachTensor(function, [&](Value value) {
    firsts[value] = count;
    count += shapeOf(value.getType()).size();
  });

  // Union-find with path halving; the smaller number is the root, so that roots
  // do not depend on the order of unions.
  SmallVector<unsigned> parent(count);
  for (unsigned i = 0; i < count; ++i)
    parent[i] = i;
  auto find = [&](unsigned i) {
    while (parent[i] != i)
      i = parent[i] = parent[parent[i]];
    return i;
  };
  auto unite = [&](unsigned a, unsigned b) {
    a = find(a), b = find(b);
    parent[std::max(a, b)] = std::min(a, b);
  };

  for (Operation &op : function.getBody().front()) {
    // A reshard keeps the padded extents.
    if (auto reshard = dyn_cast<ReshardOp>(op))
      for (int64_t d = 0; d < reshard.getType().getRank(); ++d)
        unite(first(reshard.getInput()) + d, first(reshard.getResult()) + d);
    auto ruled = dyn_cast<ShardingRuleOpInterface>(op);
    if (!ruled)
      continue;
    ShardingRule rule = ruled.getShardingRule();
    SmallVector<unsigned> seen(rule.factors.size(), ~0u);
    auto link = [&](Value value, const TensorFactors &dims) {
      for (auto [i, factors] : llvm::enumerate(dims)) {
        if (factors.size() != 1)
          continue;
        unsigned number = first(value) + i;
        unsigned &other = seen[factors.front()];
        if (other == ~0u)
          other = number;
        else
          unite(other, number);
      }
    };
    for (auto [value, dims] : llvm::zip(op.getOperands(), rule.operands))
      link(value, dims);
    for (auto [value, dims] : llvm::zip(op.getResults(), rule.results))
      link(value, dims);
  }

  // What was donated lies as it came.
  Operation *terminator = function.getBody().front().getTerminator();
  for (auto [value, argument] :
       llvm::zip(terminator->getOperands(), findDonors(function)))
    if (argument)
      for (size_t d = 0; d < shapeOf(value.getType()).size(); ++d)
        unite(first(value) + d, first(function.getArgument(*argument)) + d);

  // Consecutive numbers for the roots.
  SmallVector<unsigned> numbers(count, ~0u);
  classes.resize(count);
  for (unsigned i = 0; i < count; ++i) {
    unsigned root = find(i);
    if (numbers[root] == ~0u)
      numbers[root] = numClasses++;
    classes[i] = numbers[root];
  }
}

unsigned DimClasses::classOf(Value value, unsigned dim) const {
  return classes[first(value) + dim];
}
