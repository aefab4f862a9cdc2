//===- DerivativeModels.cpp - derivatives of upstream ops -----------------===//
//
// Part of tp-mlir, under the Apache License v2.0.
//
//===----------------------------------------------------------------------===//

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "tp/Dialect/NN/IR/NN.h"

using namespace mlir;
using namespace mlir::tp;

namespace {

struct AddModel
    : DerivativeOpInterface::ExternalModel<AddModel, arith::AddFOp> {
  SmallVector<Value> buildDerivative(Operation *, OpBuilder &,
                                     ValueRange gradients) const {
    return {gradients[0], gradients[0]};
  }
};

struct SubModel
    : DerivativeOpInterface::ExternalModel<SubModel, arith::SubFOp> {
  SmallVector<Value> buildDerivative(Operation *op, OpBuilder &builder,
                                     ValueRange gradients) const {
    Value negative = arith::NegFOp::create(builder, op->getLoc(), gradients[0]);
    return {gradients[0], negative};
  }
};

struct MulModel
    : DerivativeOpInterface::ExternalModel<MulModel, arith::MulFOp> {
  SmallVector<Value> buildDerivative(Operation *op, OpBuilder &builder,
                                     ValueRange gradients) const {
    auto times = [&](Value other) -> Value {
      return arith::MulFOp::create(builder, op->getLoc(), gradients[0], other);
    };
    return {times(op->getOperand(1)), times(op->getOperand(0))};
  }
};

} // namespace

void nn::registerDerivativeModels(DialectRegistry &registry) {
  registry.addExtension(+[](MLIRContext *context, arith::ArithDialect *) {
    arith::AddFOp::attachInterface<AddModel>(*context);
    arith::SubFOp::attachInterface<SubModel>(*context);
    arith::MulFOp::attachInterface<MulModel>(*context);
  });
}
