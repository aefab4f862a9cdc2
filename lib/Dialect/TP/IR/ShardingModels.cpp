//===- ShardingModels.cpp - sharding rules of upstream ops ----------------===//
//
// Part of tp-mlir, under the Apache License v2.0.
//
//===----------------------------------------------------------------------===//

//
// Elementwise arithmetic is `arith` and `math` on tensors. What each op is
// linear in is declared here, once.
//
//===----------------------------------------------------------------------===//

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "tp/Dialect/TP/IR/TP.h"

using namespace mlir;
using namespace mlir::tp;

namespace {

enum class Linear { No, Joint, EachOfBoth, EachOfFirst };

/// An elementwise op: all tensors have one shape.
template <typename Op, Linear linear>
struct ElementwiseModel
    : ShardingRuleOpInterface::ExternalModel<ElementwiseModel<Op, linear>, Op> {
  ShardingRule getShardingRule(Operation *op) const {
    ShardingRule rule = ShardingRule::elementwise(op);
    for (unsigned i = 0; i < op->getNumOperands(); ++i) {
      if (linear == Linear::Joint)
        rule.joint.push_back(i);
      if (linear == Linear::EachOfBoth || (linear == Linear::EachOfFirst && !i))
        rule.each.push_back(i);
    }
    return rule;
  }
  Operation *splitFactor(Operation *op, OpBuilder &builder, unsigned factor,
                         ArrayRef<int64_t> sizes, ValueRange operands) const {
    return cloneWith(builder, op, operands,
                     splitResultTypes(op, getShardingRule(op), factor, sizes));
  }
};

/// A splat may be cut anywhere; any other constant is whole on every device.
struct ConstantModel
    : ShardingRuleOpInterface::ExternalModel<ConstantModel, arith::ConstantOp> {
  ShardingRule getShardingRule(Operation *op) const {
    ShardingRule rule = ShardingRule::elementwise(op);
    if (!isa<SplatElementsAttr>(cast<arith::ConstantOp>(op).getValue()))
      for (Factor &factor : rule.factors)
        factor.kind = FactorKind::Replicate;
    return rule;
  }
  Operation *buildLocal(Operation *op, OpBuilder &builder, ValueRange,
                        TypeRange types, function_ref<Value(unsigned)>) const {
    Operation *local = builder.clone(*op);
    local->removeAttr(kShardingsName);
    retype(cast<arith::ConstantOp>(local), types.front());
    return local;
  }
  Operation *splitFactor(Operation *op, OpBuilder &builder, unsigned factor,
                         ArrayRef<int64_t> sizes, ValueRange) const {
    SmallVector<Type> types =
        splitResultTypes(op, getShardingRule(op), factor, sizes);
    Operation *split = builder.clone(*op);
    split->removeAttr(kShardingsName);
    retype(cast<arith::ConstantOp>(split), types.front());
    return split;
  }

private:
  static void retype(arith::ConstantOp op, Type type) {
    if (op.getType() == type)
      return;
    auto dense = cast<DenseElementsAttr>(op.getValue());
    auto shaped = cast<ShapedType>(type);
    op.setValueAttr(dense.isSplat() ? dense.resizeSplat(shaped)
                                    : dense.reshape(shaped));
    op.getResult().setType(type);
  }
};

template <Linear linear, typename... Ops> void attach(MLIRContext *context) {
  (Ops::template attachInterface<ElementwiseModel<Ops, linear>>(*context), ...);
}

} // namespace

void tp::registerShardingModels(DialectRegistry &registry) {
  registry.addExtension(+[](MLIRContext *context, arith::ArithDialect *) {
    arith::ConstantOp::attachInterface<ConstantModel>(*context);
    attach<Linear::Joint, arith::AddFOp, arith::SubFOp, arith::NegFOp,
           arith::ExtFOp, arith::TruncFOp, arith::AddIOp, arith::SubIOp>(
        context);
    attach<Linear::EachOfBoth, arith::MulFOp, arith::MulIOp>(context);
    attach<Linear::EachOfFirst, arith::DivFOp>(context);
    attach<Linear::No, arith::MaximumFOp, arith::MinimumFOp, arith::MaxNumFOp,
           arith::MinNumFOp, arith::CmpFOp, arith::CmpIOp, arith::SelectOp,
           arith::SIToFPOp, arith::FPToSIOp, arith::ExtSIOp, arith::TruncIOp,
           arith::MaxSIOp, arith::MinSIOp, arith::RemFOp, arith::DivSIOp,
           arith::RemSIOp, arith::AndIOp, arith::OrIOp, arith::XOrIOp,
           arith::ExtUIOp, arith::UIToFPOp>(context);
  });
  registry.addExtension(+[](MLIRContext *context, math::MathDialect *) {
    attach<Linear::No, math::ExpOp, math::LogOp, math::SqrtOp, math::RsqrtOp,
           math::TanhOp, math::SinOp, math::CosOp, math::PowFOp, math::AbsFOp,
           math::ErfOp, math::FloorOp, math::CeilOp>(context);
  });
}
