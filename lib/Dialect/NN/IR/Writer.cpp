//===- Writer.cpp - writes composites out as simple ops -------------------===//
//
// Part of tp-mlir, under the Apache License v2.0.
//
//===----------------------------------------------------------------------===//

#include "Writer.h"

using namespace mlir;
using namespace mlir::nn;

SmallVector<int64_t> nn::dimsWithout(RankedTensorType type,
                                     ArrayRef<int64_t> dims) {
  SmallVector<int64_t> rest;
  for (int64_t i = 0; i < type.getRank(); ++i)
    if (!llvm::is_contained(dims, i))
      rest.push_back(i);
  return rest;
}

Value Writer::splat(RankedTensorType type, double value) {
  auto element = builder.getFloatAttr(type.getElementType(), value);
  return arith::ConstantOp::create(builder, loc,
                                   SplatElementsAttr::get(type, element));
}

Value Writer::splatInteger(Value like, int64_t value) {
  auto type = cast<RankedTensorType>(like.getType());
  auto element = builder.getIntegerAttr(type.getElementType(), value);
  return arith::ConstantOp::create(builder, loc,
                                   SplatElementsAttr::get(type, element));
}

Value Writer::iota(Value like, int64_t dim) {
  auto type = cast<RankedTensorType>(like.getType());
  return IotaOp::create(builder, loc, type.clone(builder.getI32Type()), Value(),
                        dim);
}

Value Writer::broadcast(Value value, RankedTensorType type,
                        ArrayRef<int64_t> dims) {
  auto element = cast<RankedTensorType>(value.getType()).getElementType();
  return BroadcastOp::create(builder, loc, type.clone(element), value, dims);
}

Value Writer::contract(Value lhs, Value rhs, StringRef text) {
  auto type = cast<RankedTensorType>(lhs.getType());
  // The equations are the program's own.
  Equation equation = parseEquation(text).value_or(Equation());
  SmallVector<int64_t> shape;
  for (char letter : equation.result) {
    size_t dim = equation.lhs.find(letter);
    shape.push_back(dim != StringRef::npos
                        ? type.getDimSize(dim)
                        : cast<RankedTensorType>(rhs.getType())
                              .getDimSize(equation.rhs.find(letter)));
  }
  return ContractOp::create(builder, loc, type.clone(shape), lhs, rhs, text);
}

Value Writer::convert(Value value, Type element) {
  auto type = cast<RankedTensorType>(value.getType());
  unsigned from = type.getElementTypeBitWidth();
  unsigned to = element.getIntOrFloatBitWidth();
  if (from < to)
    return arith::ExtFOp::create(builder, loc, type.clone(element), value);
  if (from > to)
    return arith::TruncFOp::create(builder, loc, type.clone(element), value);
  return value;
}

Value Writer::reduce(Value value, StringRef kind, ArrayRef<int64_t> dims) {
  auto type = cast<RankedTensorType>(value.getType());
  SmallVector<int64_t> shape;
  for (int64_t dim : dimsWithout(type, dims))
    shape.push_back(type.getDimSize(dim));
  return ReduceOp::create(builder, loc, type.clone(shape), value, kind, dims);
}

Value Writer::shiftByMaximum(Value value, int64_t dim) {
  auto type = cast<RankedTensorType>(value.getType());
  return sub(value,
             broadcast(max(value, {dim}), type, dimsWithout(type, {dim})));
}

Value Writer::reshape(Value value, ArrayRef<int64_t> shape) {
  auto type = cast<RankedTensorType>(value.getType());
  if (type.getShape() == shape)
    return value;
  return ReshapeOp::create(builder, loc, type.clone(shape), value);
}

Value Writer::shift(Value value, int64_t dim, int64_t step) {
  auto type = cast<RankedTensorType>(value.getType());
  if (step >= type.getDimSize(dim))
    return splat(value, 0);
  SmallVector<int64_t> shape(type.getShape()), zeros(shape.size(), 0),
      ones(shape.size(), 1), low(zeros);
  shape[dim] -= step;
  low[dim] = step;
  Value kept =
      SliceOp::create(builder, loc, type.clone(shape), value, zeros, ones);
  return PadOp::create(builder, loc, type, kept, low, zeros, APFloat(0.0));
}

Value Writer::softmax(Value value, int64_t dim) {
  return SoftmaxOp::create(builder, loc, value.getType(), value, dim);
}
