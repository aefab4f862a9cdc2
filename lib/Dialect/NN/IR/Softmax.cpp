//===- Softmax.cpp - softmax and cross-entropy ----------------------------===//
//
// Part of tp-mlir, under the Apache License v2.0.
//
//===----------------------------------------------------------------------===//

#include "Writer.h"
#include <limits>

using namespace mlir;
using namespace mlir::nn;
using namespace mlir::tp;

//===----------------------------------------------------------------------===//
// Softmax
//===----------------------------------------------------------------------===//

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

/// x less its maximum over `dim`, so that no exponential overflows.
static Value shiftByMaximum(Writer &write, Value x, int64_t dim) {
  auto type = cast<RankedTensorType>(x.getType());
  Value maximum = write.max(x, {dim});
  return write.sub(x, write.broadcast(maximum, type, dimsWithout(type, {dim})));
}

SmallVector<Value> SoftmaxOp::decompose(OpBuilder &builder, unsigned, int64_t,
                                        int64_t) {
  Writer write(builder, getLoc());
  Type element = getType().getElementType();
  int64_t dim = getDim();
  Value x = write.convert(getInput(), accumulatorOf(element));
  auto type = cast<RankedTensorType>(x.getType());
  Value exponential = write.exp(shiftByMaximum(write, x, dim));
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

//===----------------------------------------------------------------------===//
// Cross-entropy
//===----------------------------------------------------------------------===//

LogicalResult CrossEntropyOp::verify() {
  RankedTensorType logits = getLogits().getType();
  if (logits.getRank() < 1 || logits.getShape().back() < 1)
    return emitOpError("needs logits [..., classes], got ") << logits;
  ArrayRef<int64_t> positions = logits.getShape().drop_back();
  if (getTargets().getType().getShape() != positions)
    return emitOpError("needs a target for each row of ")
           << logits << ", got " << getTargets().getType();
  auto wanted =
      RankedTensorType::get(positions, accumulatorOf(logits.getElementType()));
  if (getType() != wanted)
    return emitOpError("result must be ") << wanted;
  if (getIgnoreIndex() && !llvm::isInt<32>(int64_t(*getIgnoreIndex())))
    return emitOpError("needs an ignore_index of 32 bits");
  if (getLabelSmoothing()) {
    // Not a number is refused, too.
    double smoothing = getLabelSmoothing()->convertToDouble();
    if (!(smoothing >= 0 && smoothing <= 1))
      return emitOpError("needs a label_smoothing from 0 to 1");
  }
  return success();
}

ShardingRule CrossEntropyOp::getShardingRule() {
  return ruleOf(*this, "([...,v],[...])->([...]); decompose{v}");
}

/// Which class of each row is its target, in the shape of `like`.
static Value isTarget(Writer &write, CrossEntropyOp op, Value like) {
  auto type = cast<RankedTensorType>(like.getType());
  return write.compare(
      arith::CmpIPredicate::eq, write.iota(like, type.getRank() - 1),
      write.broadcast(op.getTargets(), type, leadingDims(type)));
}

static double smoothingOf(CrossEntropyOp op) {
  return op.getLabelSmoothing() ? op.getLabelSmoothing()->convertToDouble() : 0;
}

/// The share of each class in its row's loss, in the type of `like`.
static Value classWeights(Writer &write, CrossEntropyOp op, Value like) {
  double smoothing = smoothingOf(op);
  double other = smoothing / double(shapeOf(like.getType()).back());
  return write.select(isTarget(write, op, like),
                      write.splat(like, 1 - smoothing + other),
                      write.splat(like, other));
}

/// `x` times the classes' weights. Without smoothing a logit that has no weight
/// adds nothing, even if it is infinite.
static Value weigh(Writer &write, CrossEntropyOp op, Value x) {
  if (smoothingOf(op) == 0)
    return write.select(isTarget(write, op, x), x, write.splat(x, 0));
  return write.mul(x, classWeights(write, op, x));
}

/// `value` where the target is a class, 0 where it is to be ignored, not a
/// number elsewhere: a target out of range must not pass for a loss.
static Value keepClasses(Writer &write, CrossEntropyOp op, Value value) {
  Value targets = op.getTargets();
  int64_t classes = op.getLogits().getType().getShape().back();
  // Of fewer than 2^31 classes; unsigned, so that negative ones are too large.
  Value isClass = write.compare(
      arith::CmpIPredicate::ult, targets,
      write.splatInteger(targets, std::min<int64_t>(classes, INT32_MAX)));
  double notANumber = std::numeric_limits<double>::quiet_NaN();
  value = write.select(isClass, value, write.splat(value, notANumber));
  if (!op.getIgnoreIndex())
    return value;
  Value isIgnored =
      write.compare(arith::CmpIPredicate::eq, targets,
                    write.splatInteger(targets, *op.getIgnoreIndex()));
  return write.select(isIgnored, write.splat(value, 0), value);
}

/// log(sum(exp(x - m))) - sum(weight * (x - m)), m the maximum: where classes
/// are sharded, a maximum and two sums travel, one number a row each. Both sums
/// are written before either is used, so that they can travel together.
SmallVector<Value> CrossEntropyOp::decompose(OpBuilder &builder, unsigned,
                                             int64_t, int64_t) {
  Writer write(builder, getLoc());
  RankedTensorType logits = getLogits().getType();
  int64_t last = logits.getRank() - 1;
  Value x = write.convert(getLogits(), accumulatorOf(logits.getElementType()));
  Value shifted = shiftByMaximum(write, x, last);
  Value sum = write.sum(write.exp(shifted), {last});
  Value expected = write.sum(weigh(write, *this, shifted), {last});
  Value loss = write.sub(write.log(sum), expected);
  return {keepClasses(write, *this, loss)};
}

/// dx = g * (softmax(x) - weight), with g of the rows that count.
SmallVector<Value> CrossEntropyOp::buildDerivative(OpBuilder &builder,
                                                   ValueRange gradients) {
  Writer write(builder, getLoc());
  RankedTensorType logits = getLogits().getType();
  Type element = logits.getElementType();
  Value x = write.convert(getLogits(), accumulatorOf(element));
  auto type = cast<RankedTensorType>(x.getType());
  Value probability =
      SoftmaxOp::create(builder, getLoc(), type, x, type.getRank() - 1);
  Value g = keepClasses(write, *this, gradients[0]);
  Value dx = write.mul(write.broadcast(g, type, leadingDims(type)),
                       write.sub(probability, classWeights(write, *this, x)));
  return {write.convert(dx, element), Value()};
}
