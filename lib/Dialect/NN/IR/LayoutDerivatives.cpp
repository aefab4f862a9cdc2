//===- LayoutDerivatives.cpp - derivatives of layout ops ------------------===//
//
// Part of tp-mlir, under the Apache License v2.0.
//
//===----------------------------------------------------------------------===//
//
// All but the reduction are linear: each gradient goes back to where its
// element came from, and what was read several times adds up.
//
//===----------------------------------------------------------------------===//

#include "Writer.h"

using namespace mlir;
using namespace mlir::nn;

static RankedTensorType typeOf(Value value) {
  return cast<RankedTensorType>(value.getType());
}

/// `value` with `low` zeros before it along each dim, in a tensor of `shape`.
static Value padTo(OpBuilder &builder, Location loc, Value value,
                   ArrayRef<int64_t> low, ArrayRef<int64_t> shape) {
  RankedTensorType type = typeOf(value);
  SmallVector<int64_t> high;
  for (auto [size, before, whole] : llvm::zip(type.getShape(), low, shape))
    high.push_back(whole - before - size);
  if (type.getShape() == shape)
    return value;
  return PadOp::create(builder, loc, type.clone(shape), value, low, high,
                       APFloat(0.0));
}

static Value sliceOf(OpBuilder &builder, Location loc, Value value,
                     ArrayRef<int64_t> offsets, ArrayRef<int64_t> shape) {
  RankedTensorType type = typeOf(value);
  if (type.getShape() == shape)
    return value;
  SmallVector<int64_t> strides(type.getRank(), 1);
  return SliceOp::create(builder, loc, type.clone(shape), value, offsets,
                         strides);
}

SmallVector<Value> ReshapeOp::buildDerivative(OpBuilder &builder,
                                              ValueRange gradients) {
  Writer write(builder, getLoc());
  return {write.reshape(gradients[0], getInput().getType().getShape())};
}

SmallVector<Value> TransposeOp::buildDerivative(OpBuilder &builder,
                                                ValueRange gradients) {
  SmallVector<int64_t> inverse(getPermutation().size());
  for (auto [i, dim] : llvm::enumerate(getPermutation()))
    inverse[dim] = i;
  return {TransposeOp::create(builder, getLoc(), getInput().getType(),
                              gradients[0], inverse)};
}

SmallVector<Value> BroadcastOp::buildDerivative(OpBuilder &builder,
                                                ValueRange gradients) {
  SmallVector<int64_t> repeated = dimsWithout(getType(), getDims());
  if (repeated.empty())
    return {gradients[0]};
  return {Writer(builder, getLoc()).sum(gradients[0], repeated)};
}

/// Along a dim with a stride, zeros come between: n elements become n x stride
/// with all but the first zero, in one dim again.
SmallVector<Value> SliceOp::buildDerivative(OpBuilder &builder,
                                            ValueRange gradients) {
  Writer write(builder, getLoc());
  ArrayRef<int64_t> whole = getInput().getType().getShape();
  Value gradient = gradients[0];
  for (auto [dim, stride] : llvm::enumerate(getStrides())) {
    SmallVector<int64_t> shape(typeOf(gradient).getShape());
    if (stride == 1 || shape[dim] <= 1)
      continue;
    SmallVector<int64_t> apart(shape), spread(shape);
    apart.insert(apart.begin() + dim + 1, 1);
    gradient = write.reshape(gradient, apart);
    SmallVector<int64_t> low(apart.size(), 0);
    apart[dim + 1] = stride;
    gradient = padTo(builder, getLoc(), gradient, low, apart);
    spread[dim] *= stride;
    gradient = write.reshape(gradient, spread);
    // The last may have no room for all the zeros behind it.
    spread[dim] = std::min(spread[dim], whole[dim] - getOffsets()[dim]);
    low.pop_back();
    gradient = sliceOf(builder, getLoc(), gradient, low, spread);
  }
  return {padTo(builder, getLoc(), gradient, getOffsets(), whole)};
}

SmallVector<Value> ConcatOp::buildDerivative(OpBuilder &builder,
                                             ValueRange gradients) {
  SmallVector<Value> parts;
  SmallVector<int64_t> offsets(getType().getRank(), 0);
  for (Value input : getInputs()) {
    ArrayRef<int64_t> shape = typeOf(input).getShape();
    parts.push_back(sliceOf(builder, getLoc(), gradients[0], offsets, shape));
    offsets[getDim()] += shape[getDim()];
  }
  return parts;
}

SmallVector<Value> PadOp::buildDerivative(OpBuilder &builder,
                                          ValueRange gradients) {
  return {sliceOf(builder, getLoc(), gradients[0], getLow(),
                  getInput().getType().getShape())};
}

/// A sum passes its gradient to all. A maximum or minimum passes it to those
/// that are it, in equal parts, as PyTorch's amax does. A product has none
/// here.
SmallVector<Value> ReduceOp::buildDerivative(OpBuilder &builder,
                                             ValueRange gradients) {
  RankedTensorType type = getInput().getType();
  SmallVector<int64_t> kept = dimsWithout(type, getDims());
  Writer write(builder, getLoc());
  Value gradient = write.broadcast(gradients[0], type, kept);
  if (getKind() == "sum")
    return {gradient};
  if (getKind() != "max" && getKind() != "min")
    return {};
  Value chosen = write.compare(arith::CmpFPredicate::OEQ, getInput(),
                               write.broadcast(getResult(), type, kept));
  Value zero = write.splat(type, 0), one = write.splat(type, 1);
  Value count = write.sum(write.select(chosen, one, zero), getDims());
  Value share = write.div(gradient, write.broadcast(count, type, kept));
  return {write.select(chosen, share, zero)};
}
