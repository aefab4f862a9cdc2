//===- Composites.cpp - norms, rotary embedding, top-k --------------------===//
//
// Part of tp-mlir, under the Apache License v2.0.
//
//===----------------------------------------------------------------------===//

#include "Writer.h"

using namespace mlir;
using namespace mlir::nn;
using namespace mlir::tp;

#define GET_OP_CLASSES
#include "tp/Dialect/NN/IR/NNOps.cpp.inc"

//===----------------------------------------------------------------------===//
// RMS norm
//===----------------------------------------------------------------------===//

LogicalResult RMSNormOp::verify() {
  RankedTensorType input = getInput().getType(), weight = getWeight().getType();
  if (input != getType())
    return emitOpError("result must be of the input's type ") << input;
  if (weight.getRank() < 1 || weight.getRank() > input.getRank() ||
      weight.getShape() != input.getShape().take_back(weight.getRank()) ||
      weight.getElementType() != input.getElementType())
    return emitOpError("needs a weight with the input's last dims, got ")
           << weight << " for " << input;
  if (getEpsilon().isNegative() || !getEpsilon().isFinite())
    return emitOpError("needs an epsilon that is not negative");
  return success();
}

ShardingRule RMSNormOp::getShardingRule() {
  ShardingRule rule;
  TensorFactors dims;
  int64_t rows = getType().getRank() - getWeight().getType().getRank();
  for (auto [i, size] : llvm::enumerate(getType().getShape()))
    dims.push_back({rule.addFactor(
        size, int64_t(i) < rows ? FactorKind::Pass : FactorKind::Decompose)});
  rule.operands = {dims, TensorFactors(llvm::drop_begin(dims, rows))};
  rule.results = {dims};
  return rule;
}

/// Splits a row's dim, or one that is normed, with the weight.
Operation *RMSNormOp::splitFactor(OpBuilder &builder, unsigned factor,
                                  ArrayRef<int64_t> sizes,
                                  ValueRange operands) {
  return cloneWith(builder, *this, operands,
                   splitResultTypes(*this, getShardingRule(), factor, sizes));
}

namespace {

/// The dims of rows and those that are normed.
struct NormDims {
  explicit NormDims(RMSNormOp op) {
    int64_t rank = op.getType().getRank();
    int64_t first = rank - op.getWeight().getType().getRank();
    llvm::append_range(rows, llvm::seq<int64_t>(0, first));
    llvm::append_range(normed, llvm::seq<int64_t>(first, rank));
    width =
        double(std::max<int64_t>(op.getWeight().getType().getNumElements(), 1));
  }

  SmallVector<int64_t> rows, normed;
  double width; ///< elements of a row
};

} // namespace

/// 1 / sqrt(mean(x^2) + epsilon), repeated along the normed dims; x in the
/// accumulator's type.
static Value inverseRootMeanSquare(Writer &write, const NormDims &dims, Value x,
                                   double epsilon) {
  auto type = cast<RankedTensorType>(x.getType());
  Value sum = write.sum(write.mul(x, x), dims.normed);
  Value mean = write.mul(sum, write.splat(sum, 1.0 / dims.width));
  Value inverse = write.rsqrt(write.add(mean, write.splat(mean, epsilon)));
  return write.broadcast(inverse, type, dims.rows);
}

SmallVector<Value> RMSNormOp::decompose(OpBuilder &builder, unsigned, int64_t,
                                        int64_t) {
  Writer write(builder, getLoc());
  NormDims dims(*this);
  RankedTensorType type = getType();
  Value x = write.convert(getInput(), accumulatorOf(type.getElementType()));
  Value normalised = write.mul(
      x, inverseRootMeanSquare(write, dims, x, getEpsilon().convertToDouble()));
  // Hugging Face rounds to the model's type before the weight is applied.
  Value rounded = write.convert(normalised, type.getElementType());
  return {write.mul(rounded, write.broadcast(getWeight(), type, dims.normed))};
}

/// With r = 1/rms(x), n the width and u = g * w:
///   dx = r * (u - x * r^2 * sum(u * x) / n),  dw = sum over rows of g * x * r.
SmallVector<Value> RMSNormOp::buildDerivative(OpBuilder &builder,
                                              ValueRange gradients) {
  Writer write(builder, getLoc());
  NormDims dims(*this);
  RankedTensorType type = getType();
  Type accumulator = accumulatorOf(type.getElementType());
  Value x = write.convert(getInput(), accumulator);
  Value g = write.convert(gradients[0], accumulator);
  auto wide = cast<RankedTensorType>(x.getType());
  Value w = write.broadcast(write.convert(getWeight(), accumulator), wide,
                            dims.normed);
  Value r =
      inverseRootMeanSquare(write, dims, x, getEpsilon().convertToDouble());
  Value u = write.mul(g, w);
  Value dot = write.sum(write.mul(u, x), dims.normed);
  Value mean = write.mul(dot, write.splat(dot, 1.0 / dims.width));
  Value correction = write.mul(write.mul(x, write.mul(r, r)),
                               write.broadcast(mean, wide, dims.rows));
  Value dx = write.mul(r, write.sub(u, correction));
  Value dw = write.sum(write.mul(g, write.mul(x, r)), dims.rows);
  return {write.convert(dx, type.getElementType()),
          write.convert(dw, type.getElementType())};
}

//===----------------------------------------------------------------------===//
// Rotary embedding
//===----------------------------------------------------------------------===//

LogicalResult RotaryOp::verify() {
  RankedTensorType input = getInput().getType(), table = getCosine().getType();
  if (input != getType())
    return emitOpError("result must be of the input's type ") << input;
  if (table != getSine().getType() || table.getRank() != 2 ||
      table.getElementType() != input.getElementType())
    return emitOpError("needs a cosine and a sine of one type, of rank 2 and "
                       "the input's element type");
  if (input.getRank() < 3 || input.getDimSize(1) != table.getDimSize(0) ||
      2 * table.getDimSize(1) > input.getShape().back())
    return emitOpError("needs an input [batch, sequence, ..., head_dim] for "
                       "tables [sequence, at most head_dim / 2], got ")
           << input << " and " << table;
  return success();
}

ShardingRule RotaryOp::getShardingRule() {
  return ruleOf(*this, "([b,s,...,d],[s,r],[s,r])->([b,s,...,d]); "
                       "replicate{d,r}; each{0}");
}

/// The input's gradient is turned back. The cosine's is the scalar product of
/// each pair with its gradient, the sine's that with the pair turned by 90
/// degrees, over all that the angle turned.
SmallVector<Value> RotaryOp::buildDerivative(OpBuilder &builder,
                                             ValueRange gradients) {
  Writer write(builder, getLoc());
  Value sine = getSine();
  Value back = RotaryOp::create(
      builder, getLoc(), getType(), gradients[0], getCosine(),
      arith::NegFOp::create(builder, getLoc(), sine), getInterleaved());
  RankedTensorType type = getType();
  int64_t last = type.getRank() - 1;
  int64_t half = cast<RankedTensorType>(sine.getType()).getShape().back();
  SmallVector<int64_t> shape(type.getShape()), others;
  shape[last] = half;
  for (int64_t dim = 0; dim < last; ++dim)
    if (dim != 1)
      others.push_back(dim);
  auto part = [&](Value value, int64_t second) -> Value {
    SmallVector<int64_t> offsets(type.getRank(), 0), strides(type.getRank(), 1);
    offsets[last] = getInterleaved() ? second : second * half;
    strides[last] = getInterleaved() ? 2 : 1;
    return SliceOp::create(builder, getLoc(), type.clone(shape), value, offsets,
                           strides);
  };
  Value a = part(getInput(), 0), b = part(getInput(), 1);
  Value ga = part(gradients[0], 0), gb = part(gradients[0], 1);
  Value along = write.add(write.mul(ga, a), write.mul(gb, b));
  Value across = write.sub(write.mul(gb, a), write.mul(ga, b));
  return {back, write.sum(along, others), write.sum(across, others)};
}

//===----------------------------------------------------------------------===//
// Top-k
//===----------------------------------------------------------------------===//

LogicalResult TopKOp::verify() {
  RankedTensorType values = getValues().getType();
  int64_t k = getK(), segments = getSegments();
  if (values.getRank() < 1)
    return emitOpError("needs a dim to choose from");
  if (k < 1 || segments < 1 || segments > (int64_t(1) << 40))
    return emitOpError("needs k and segments of at least 1");
  int64_t extent = values.getShape().back();
  // A segment of a shard may hold fewer than k true elements; the whole may
  // not.
  if (segments == 1 && !getStart() && k > extent)
    return emitOpError("k = ")
           << k << " is more than the " << extent << " elements there are";
  if (getIds() && getIds().getType().getShape() != values.getShape())
    return emitOpError("needs ids of the values' shape");
  SmallVector<int64_t> shape(values.getShape());
  // A device has a whole share of the segments.
  int64_t answers = getTopValues().getType().getRank()
                        ? getTopValues().getType().getShape().back()
                        : 0;
  if (answers < k || answers % k || segments % (answers / k))
    return emitOpError(
        "the last dim of the results must be k times a divisor of "
        "the number of segments");
  shape.back() = answers;
  if (getTopValues().getType() != values.clone(shape) ||
      getTopIds().getType().getShape() != ArrayRef<int64_t>(shape))
    return emitOpError("results must have shape ") << values.clone(shape);
  return success();
}

/// The last dim of the values is segments x width and of the results segments x
/// k; the segments may be shared out, the widths not.
ShardingRule TopKOp::getShardingRule() {
  ShardingRule rule;
  rule.operands.resize(getOperation()->getNumOperands());
  rule.results.resize(2);
  ArrayRef<int64_t> shape = getValues().getType().getShape();
  TensorFactors dims;
  for (int64_t size : shape.drop_back())
    dims.push_back({rule.addFactor(size)});
  TensorFactors resultDims = dims;
  if (getSegments() == 1 && !getStart()) {
    // Candidates that come with ids are few: they are brought together. Told
    // of its size, the op keeps to it, but needs all of it.
    bool isWhole = getIds() || getSizeAttr();
    unsigned width = rule.addFactor(
        shape.back(), isWhole ? FactorKind::Replicate : FactorKind::Decompose);
    rule.factors[width].indexed = true;
    rule.factors[width].masked = getSizeAttr() && !getIds();
    dims.push_back({width});
    resultDims.push_back({rule.addFactor(getK(), FactorKind::Replicate)});
  } else {
    int64_t segments = getSegments();
    unsigned segment = rule.addFactor(segments);
    rule.factors[segment].indexed = true;
    rule.factors[segment].masked = true;
    // A device has its share of the segments, each of the whole width.
    int64_t present = getTopValues().getType().getShape().back() / getK();
    int64_t width = llvm::divideCeil(shape.back(), present);
    dims.push_back({segment, rule.addFactor(width, FactorKind::Replicate)});
    resultDims.push_back(
        {segment, rule.addFactor(getK(), FactorKind::Replicate)});
  }
  rule.operands[0] = dims;
  if (getIds())
    rule.operands[1] = dims;
  rule.results = {resultDims, resultDims};
  return rule;
}

/// The k best of each shard, then the k best of those: only pairs travel.
SmallVector<Value> TopKOp::decompose(OpBuilder &builder, unsigned,
                                     int64_t shards, int64_t) {
  if (shards == 1) { // Only padded.
    auto whole = TopKOp::create(builder, getLoc(), getTopValues().getType(),
                                getTopIds().getType(), getValues(), getIds(),
                                Value(), getK(), 1, getSizeOrWidth(builder));
    return {whole.getTopValues(), whole.getTopIds()};
  }
  SmallVector<int64_t> shape(getValues().getType().getShape());
  shape.back() = shards * int64_t(getK());
  auto candidates =
      TopKOp::create(builder, getLoc(), getValues().getType().clone(shape),
                     getTopIds().getType().clone(shape), getValues(), getIds(),
                     Value(), getK(), shards, IntegerAttr());
  auto best = TopKOp::create(builder, getLoc(), getTopValues().getType(),
                             getTopIds().getType(), candidates.getTopValues(),
                             candidates.getTopIds(), Value(), getK(), 1,
                             getSizeOrWidth(builder));
  return {best.getTopValues(), best.getTopIds()};
}

IntegerAttr TopKOp::getSizeOrWidth(OpBuilder &builder) {
  if (getSizeAttr())
    return getSizeAttr();
  return builder.getI64IntegerAttr(getValues().getType().getShape().back());
}

Operation *TopKOp::buildLocal(OpBuilder &builder, ValueRange operands,
                              TypeRange types,
                              function_ref<Value(unsigned)> start) {
  unsigned factor = getShardingRule().operands[0].back().front();
  return TopKOp::create(builder, getLoc(), types[0], types[1], operands[0],
                        getIds() ? operands[1] : Value(),
                        start ? start(factor) : Value(), getK(), getSegments(),
                        getSizeOrWidth(builder));
}

Value TopKOp::getShardStart(unsigned factor) {
  return getShardingRule().operands[0].back().front() == factor ? getStart()
                                                                : Value();
}

std::optional<int64_t> TopKOp::getMaskedExtent(unsigned) { return getSize(); }
