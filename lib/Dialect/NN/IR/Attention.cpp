//===- Attention.cpp - grouped-query attention ----------------------------===//
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
// Verifier
//===----------------------------------------------------------------------===//

static LogicalResult verifyShapes(AttentionOp op) {
  RankedTensorType q = op.getQuery().getType(), k = op.getKey().getType();
  if (q != op.getType())
    return op.emitOpError("result must be of the query's type ") << q;
  if (k != op.getValue().getType())
    return op.emitOpError("needs a key and a value of one type");
  if (q.getRank() != 5 || k.getRank() != 4 ||
      q.getElementType() != k.getElementType() ||
      q.getDimSize(0) != k.getDimSize(0) ||
      q.getDimSize(2) != k.getDimSize(2) || q.getDimSize(4) != k.getDimSize(3))
    return op.emitOpError(
               "needs a query [batch, sequence, kv_heads, groups, "
               "head_dim] and keys [batch, keys, kv_heads, head_dim], "
               "got ")
           << q << " and " << k;
  int64_t rows = k.getDimSize(1);
  int64_t keys = op.getKeys().value_or(rows);
  if (keys < 0 || keys > rows)
    return op.emitOpError("has ") << rows << " keys, not " << keys;
  return success();
}

LogicalResult AttentionOp::verify() {
  if (failed(verifyShapes(*this)))
    return failure();
  if (getWindow() && int64_t(*getWindow()) <= 0)
    return emitOpError("needs a positive window");
  if (!getScale().isFinite())
    return emitOpError("needs a finite scale");
  if (getSoftCap() && (!getSoftCap()->isFinite() ||
                       getSoftCap()->isNegative() || getSoftCap()->isZero()))
    return emitOpError("needs a positive soft cap");
  return success();
}

//===----------------------------------------------------------------------===//
// Sharding
//===----------------------------------------------------------------------===//

ShardingRule AttentionOp::getShardingRule() {
  return ruleOf(*this, "([b,s,h,g,d],[b,t,h,d],[b,t,h,d],[])->([b,s,h,g,d]); "
                       "indexed{s}; decompose{t}; masked{t}; replicate{d}; "
                       "each{2}");
}

/// The number of the factor of the queries' dim.
static unsigned sequenceFactor(AttentionOp op) {
  return op.getShardingRule().operands[0][1].front();
}

Operation *AttentionOp::buildLocal(OpBuilder &builder, ValueRange operands,
                                   TypeRange types,
                                   function_ref<Value(unsigned)> start) {
  IntegerAttr keys = getKeysAttr();
  int64_t rows = shapeOf(getKey().getType())[1];
  // Keys that were added as padding are not looked at.
  if (!keys && shapeOf(operands[1].getType())[1] != rows)
    keys = builder.getI64IntegerAttr(rows);
  return AttentionOp::create(
      builder, getLoc(), types.front(), operands[0], operands[1], operands[2],
      getOffset() ? operands[3] : Value(),
      start ? start(sequenceFactor(*this)) : Value(), getScaleAttr(),
      getCausalAttr(), getWindowAttr(), getSoftCapAttr(), keys);
}

Value AttentionOp::getShardStart(unsigned factor) {
  return factor == sequenceFactor(*this) ? getStart() : Value();
}

std::optional<int64_t> AttentionOp::getMaskedExtent(unsigned) {
  return getKeys();
}

//===----------------------------------------------------------------------===//
// Decomposition
//===----------------------------------------------------------------------===//

/// The position of each query, in the shape of the scores.
static Value positionsOf(Writer &write, AttentionOp op, Value scores) {
  constexpr int64_t queryDim = 1;
  Value position = write.iota(scores, queryDim);
  if (!op.getOffset())
    return position;
  auto type = cast<RankedTensorType>(scores.getType());
  return write.addInteger(position, write.broadcast(op.getOffset(), type, {}));
}

/// The scores [b, s, h, g, t], minus infinity where a query does not see a key.
static Value hideKeys(Writer &write, AttentionOp op, Value scores) {
  constexpr int64_t keyDim = 4;
  // A window wider than any position hides nothing.
  bool hasWindow = op.getWindow() && llvm::isInt<32>(int64_t(*op.getWindow()));
  if (!op.getKeys() && !op.getCausal() && !hasWindow)
    return scores;
  Value key = write.iota(scores, keyDim);
  auto hideUnless = [&](arith::CmpIPredicate predicate, Value bound) {
    double none = -std::numeric_limits<double>::infinity();
    scores = write.select(write.compare(predicate, key, bound), scores,
                          write.splat(scores, none));
  };
  if (op.getKeys())
    hideUnless(arith::CmpIPredicate::slt,
               write.splatInteger(key, *op.getKeys()));
  if (!op.getCausal() && !hasWindow)
    return scores;
  Value position = positionsOf(write, op, scores);
  if (op.getCausal())
    hideUnless(arith::CmpIPredicate::sle, position);
  if (hasWindow)
    hideUnless(
        arith::CmpIPredicate::sgt,
        write.subInteger(position, write.splatInteger(key, *op.getWindow())));
  return scores;
}

/// scale * Q K^T, capped, in the accumulator's type.
static Value scoresOf(Writer &write, AttentionOp op, Type accumulator) {
  Value query = write.convert(op.getQuery(), accumulator);
  query = write.mul(query, write.splat(query, op.getScale().convertToDouble()));
  Value key = write.convert(op.getKey(), accumulator);
  Value scores = write.contract(query, key, "bshgd,bthd->bshgt");
  if (!op.getSoftCap())
    return scores;
  Value cap = write.splat(scores, op.getSoftCap()->convertToDouble());
  return write.mul(cap, write.tanh(write.div(scores, cap)));
}

/// With m the maximum of the scores: sum(exp(score - m) * value) over
/// sum(exp(score - m)). Where keys are sharded, m and both sums are reduced;
/// the first sum may travel on as it is, for all that follows is linear in it.
SmallVector<Value> AttentionOp::decompose(OpBuilder &builder, unsigned, int64_t,
                                          int64_t) {
  Writer write(builder, getLoc());
  Type element = getType().getElementType();
  Type accumulator = accumulatorOf(element);
  Value scores = hideKeys(write, *this, scoresOf(write, *this, accumulator));
  auto type = cast<RankedTensorType>(scores.getType());
  Value maximum = write.max(scores, {4});
  // A query that sees no key gives zeros, not the quotient of zeros.
  double none = -std::numeric_limits<double>::infinity();
  Value sawNone = write.compare(arith::CmpFPredicate::OEQ, maximum,
                                write.splat(maximum, none));
  Value shift = write.select(sawNone, write.splat(maximum, 0), maximum);
  Value weights =
      write.exp(write.sub(scores, write.broadcast(shift, type, {0, 1, 2, 3})));
  Value sum = write.sum(weights, {4});
  Value values = write.convert(getValue(), accumulator);
  Value weighted = write.contract(weights, values, "bshgt,bthd->bshgd");
  Value divisor = write.select(sawNone, write.splat(sum, 1), sum);
  auto wide = cast<RankedTensorType>(weighted.getType());
  Value result =
      write.div(weighted, write.broadcast(divisor, wide, {0, 1, 2, 3}));
  return {write.convert(result, element)};
}
