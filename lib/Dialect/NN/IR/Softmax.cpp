//===- Softmax.cpp - softmax ----------------------------------------------===//
//
// Part of tp-mlir, under the Apache License v2.0.
//
//===----------------------------------------------------------------------===//

#include "Writer.h"

using namespace mlir;
using namespace mlir::nn;
using namespace mlir::tp;

LogicalResult SoftmaxOp::verify() {
  int64_t dim = getDim();
  if (dim < 0 || dim >= getType().getRank())
    return emitOpError("has no dim ") << dim;
  return success();
}

ShardingRule SoftmaxOp::getShardingRule() {
  ShardingRule rule = ShardingRule::elementwise(*this);
  rule.factors[getDim()].kind = FactorKind::Decompose;
  return rule;
}

SmallVector<Value> SoftmaxOp::decompose(OpBuilder &builder, unsigned, int64_t,
                                        int64_t) {
  Writer write(builder, getLoc());
  Type element = getType().getElementType();
  int64_t dim = getDim();
  Value x = write.convert(getInput(), accumulatorOf(element));
  auto type = cast<RankedTensorType>(x.getType());
  Value exponential = write.exp(write.shiftByMaximum(x, dim));
  Value sum = write.sum(exponential, {dim});
  Value probability = write.div(
      exponential, write.broadcast(sum, type, dimsWithout(type, {dim})));
  return {write.convert(probability, element)};
}

/// With y the result: dx = y * (g - sum(g * y)).
SmallVector<Value> SoftmaxOp::buildDerivative(OpBuilder &builder,
                                              ValueRange gradients) {
  Writer write(builder, getLoc());
  Type element = getType().getElementType();
  int64_t dim = getDim();
  Value y = write.convert(getResult(), accumulatorOf(element));
  Value g = write.convert(gradients[0], accumulatorOf(element));
  auto type = cast<RankedTensorType>(y.getType());
  Value dot = write.sum(write.mul(g, y), {dim});
  Value mean = write.broadcast(dot, type, dimsWithout(type, {dim}));
  return {write.convert(write.mul(y, write.sub(g, mean)), element)};
}
