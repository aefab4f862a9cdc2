//===- Writer.h - writes composites out as simple ops -----------*- C++ -*-===//
//
// Part of tp-mlir, under the Apache License v2.0.
//
//===----------------------------------------------------------------------===//

#ifndef TP_LIB_DIALECT_NN_IR_WRITER_H
#define TP_LIB_DIALECT_NN_IR_WRITER_H

#include "tp/Dialect/NN/IR/NN.h"

namespace mlir::nn {

/// The type that a norm or softmax over `element` is computed in: at least f32.
inline Type accumulatorOf(Type element) {
  return element.getIntOrFloatBitWidth() < 32
             ? Float32Type::get(element.getContext())
             : element;
}

/// All dims of `type` but those in `dims`.
SmallVector<int64_t> dimsWithout(RankedTensorType type, ArrayRef<int64_t> dims);

/// All dims of `type` but the last.
inline SmallVector<int64_t> leadingDims(RankedTensorType type) {
  return dimsWithout(type, {type.getRank() - 1});
}

/// Writes arithmetic on tensors at one location.
class Writer {
public:
  Writer(OpBuilder &builder, Location loc) : builder(builder), loc(loc) {}

  Value add(Value a, Value b) {
    return arith::AddFOp::create(builder, loc, a, b);
  }
  Value sub(Value a, Value b) {
    return arith::SubFOp::create(builder, loc, a, b);
  }
  Value mul(Value a, Value b) {
    return arith::MulFOp::create(builder, loc, a, b);
  }
  Value div(Value a, Value b) {
    return arith::DivFOp::create(builder, loc, a, b);
  }
  Value addInteger(Value a, Value b) {
    return arith::AddIOp::create(builder, loc, a, b);
  }
  Value mulInteger(Value a, Value b) {
    return arith::MulIOp::create(builder, loc, a, b);
  }
  Value subInteger(Value a, Value b) {
    return arith::SubIOp::create(builder, loc, a, b);
  }
  Value exp(Value a) { return math::ExpOp::create(builder, loc, a); }
  Value log(Value a) { return math::LogOp::create(builder, loc, a); }
  Value rsqrt(Value a) { return math::RsqrtOp::create(builder, loc, a); }
  Value tanh(Value a) { return math::TanhOp::create(builder, loc, a); }
  Value compare(arith::CmpFPredicate predicate, Value a, Value b) {
    return arith::CmpFOp::create(builder, loc, predicate, a, b);
  }
  Value compare(arith::CmpIPredicate predicate, Value a, Value b) {
    return arith::CmpIOp::create(builder, loc, predicate, a, b);
  }
  Value select(Value condition, Value a, Value b) {
    return arith::SelectOp::create(builder, loc, condition, a, b);
  }

  /// A tensor of `like`'s type full of `value`.
  Value splat(Value like, double value) {
    return splat(cast<RankedTensorType>(like.getType()), value);
  }
  Value splat(RankedTensorType type, double value);
  Value splatInteger(Value like, int64_t value);
  /// The index along `dim`, in the shape of `like`.
  Value iota(Value like, int64_t dim);
  /// Repeats `value` along the dims of `type` that `dims` does not name.
  Value broadcast(Value value, RankedTensorType type, ArrayRef<int64_t> dims);
  /// The sum or the maximum over `dims`.
  Value sum(Value value, ArrayRef<int64_t> dims) {
    return reduce(value, "sum", dims);
  }
  Value max(Value value, ArrayRef<int64_t> dims) {
    return reduce(value, "max", dims);
  }
  /// `value` less its maximum over `dim`, so that no exponential overflows.
  Value shiftByMaximum(Value value, int64_t dim);
  Value softmax(Value value, int64_t dim);
  /// `value` moved up by `step` along `dim`, zeros below; at most its extent.
  Value shift(Value value, int64_t dim, int64_t step);
  /// `value` with these dims.
  Value reshape(Value value, ArrayRef<int64_t> shape);
  /// The contraction by `equation`, whose dims have the operands' sizes.
  Value contract(Value lhs, Value rhs, StringRef equation);
  /// `value` with elements of the floating-point type `element`.
  Value convert(Value value, Type element);

private:
  Value reduce(Value value, StringRef kind, ArrayRef<int64_t> dims);

  OpBuilder &builder;
  Location loc;
};

} // namespace mlir::nn

#endif // TP_LIB_DIALECT_NN_IR_WRITER_H
