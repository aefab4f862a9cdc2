//===- CumulativeSum.cpp - sums of all elements up to each ----------------===//
//
// Part of tp-mlir, under the Apache License v2.0.
//
//===----------------------------------------------------------------------===//

#include "Writer.h"

using namespace mlir;
using namespace mlir::nn;
using namespace mlir::tp;

LogicalResult CumulativeSumOp::verify() {
  int64_t dim = getDim();
  if (dim < 0 || dim >= getType().getRank())
    return emitOpError("has no dim ") << dim;
  return success();
}

ShardingRule CumulativeSumOp::getShardingRule() {
  ShardingRule rule = ShardingRule::elementwise(*this);
  rule.factors[getDim()].kind = FactorKind::Replicate;
  rule.joint = {0};
  return rule;
}

/// After the step of 2^k, each element is the sum of up to 2^(k+1) before it.
SmallVector<Value> CumulativeSumOp::decompose(OpBuilder &builder, unsigned,
                                              int64_t, int64_t) {
  Writer write(builder, getLoc());
  Type element = getType().getElementType();
  int64_t dim = getDim(), extent = getType().getDimSize(dim);
  Value x = write.convert(getInput(), accumulatorOf(element));
  if (getExclusive())
    x = write.shift(x, dim, 1);
  for (int64_t step = 1; step < extent; step *= 2)
    x = write.add(x, write.shift(x, dim, step));
  return {write.convert(x, element)};
}

/// An element is in its own sum and in all after it: all less those before.
SmallVector<Value> CumulativeSumOp::buildDerivative(OpBuilder &builder,
                                                    ValueRange gradients) {
  Writer write(builder, getLoc());
  Type element = getType().getElementType();
  int64_t dim = getDim();
  Value g = write.convert(gradients[0], accumulatorOf(element));
  auto type = cast<RankedTensorType>(g.getType());
  Value all =
      write.broadcast(write.sum(g, {dim}), type, dimsWithout(type, {dim}));
  Value before = CumulativeSumOp::create(builder, getLoc(), type, g, dim,
                                         /*exclusive=*/!getExclusive());
  return {write.convert(write.sub(all, before), element)};
}
