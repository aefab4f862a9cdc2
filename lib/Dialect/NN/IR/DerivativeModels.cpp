//===- DerivativeModels.cpp - derivatives of upstream ops -----------------===//
//
// Part of tp-mlir, under the Apache License v2.0.
//
//===----------------------------------------------------------------------===//

#include "Writer.h"

using namespace mlir;
using namespace mlir::nn;
using namespace mlir::tp;

namespace {

/// The operands' gradients from the op, its result's gradient and something to
/// write with.
using Derivative = SmallVector<Value> (*)(Operation *op, Value gradient,
                                          Writer &write);

template <typename Op, Derivative derivative>
struct Model : DerivativeOpInterface::ExternalModel<Model<Op, derivative>, Op> {
  SmallVector<Value> buildDerivative(Operation *op, OpBuilder &builder,
                                     ValueRange gradients) const {
    Writer write(builder, op->getLoc());
    return derivative(op, gradients[0], write);
  }
};

template <typename Op, Derivative derivative>
void attach(MLIRContext *context) {
  Op::template attachInterface<Model<Op, derivative>>(*context);
}

Value negative(Value value, Writer &write) {
  return write.sub(write.splat(value, 0), value);
}

SmallVector<Value> addition(Operation *, Value g, Writer &) { return {g, g}; }

SmallVector<Value> subtraction(Operation *, Value g, Writer &write) {
  return {g, negative(g, write)};
}

SmallVector<Value> multiplication(Operation *op, Value g, Writer &write) {
  return {write.mul(g, op->getOperand(1)), write.mul(g, op->getOperand(0))};
}

SmallVector<Value> division(Operation *op, Value g, Writer &write) {
  Value share = write.div(g, op->getOperand(1));
  return {share, negative(write.mul(share, op->getResult(0)), write)};
}

SmallVector<Value> negation(Operation *, Value g, Writer &write) {
  return {negative(g, write)};
}

SmallVector<Value> exponential(Operation *op, Value g, Writer &write) {
  return {write.mul(g, op->getResult(0))};
}

SmallVector<Value> logarithm(Operation *op, Value g, Writer &write) {
  return {write.div(g, op->getOperand(0))};
}

/// 1 - y^2.
SmallVector<Value> hyperbolicTangent(Operation *op, Value g, Writer &write) {
  Value y = op->getResult(0);
  return {write.mul(g, write.sub(write.splat(y, 1), write.mul(y, y)))};
}

/// 1 / (2 y).
SmallVector<Value> squareRoot(Operation *op, Value g, Writer &write) {
  Value y = op->getResult(0);
  return {write.div(write.mul(g, write.splat(y, 0.5)), y)};
}

/// -y^3 / 2.
SmallVector<Value> reciprocalRoot(Operation *op, Value g, Writer &write) {
  Value y = op->getResult(0);
  Value cube = write.mul(y, write.mul(y, y));
  return {write.mul(g, write.mul(write.splat(y, -0.5), cube))};
}

/// Between floating-point types, up to rounding.
SmallVector<Value> conversion(Operation *op, Value g, Writer &write) {
  return {write.convert(g, getElementTypeOrSelf(op->getOperand(0)))};
}

/// To what was chosen.
SmallVector<Value> selection(Operation *op, Value g, Writer &write) {
  Value zero = write.splat(g, 0), condition = op->getOperand(0);
  return {Value(), write.select(condition, g, zero),
          write.select(condition, zero, g)};
}

} // namespace

void nn::registerDerivativeModels(DialectRegistry &registry) {
  registry.addExtension(+[](MLIRContext *context, arith::ArithDialect *) {
    attach<arith::AddFOp, addition>(context);
    attach<arith::SubFOp, subtraction>(context);
    attach<arith::MulFOp, multiplication>(context);
    attach<arith::DivFOp, division>(context);
    attach<arith::NegFOp, negation>(context);
    attach<arith::ExtFOp, conversion>(context);
    attach<arith::TruncFOp, conversion>(context);
    attach<arith::SelectOp, selection>(context);
  });
  registry.addExtension(+[](MLIRContext *context, math::MathDialect *) {
    attach<math::ExpOp, exponential>(context);
    attach<math::LogOp, logarithm>(context);
    attach<math::TanhOp, hyperbolicTangent>(context);
    attach<math::SqrtOp, squareRoot>(context);
    attach<math::RsqrtOp, reciprocalRoot>(context);
  });
}
