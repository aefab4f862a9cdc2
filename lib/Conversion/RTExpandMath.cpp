//===- RTExpandMath.cpp - chooses how kernels compute functions -----------===//
//
// Part of tp-mlir, under the Apache License v2.0.
//
//===----------------------------------------------------------------------===//

#include "mlir/Conversion/MathToLibm/MathToLibm.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Arith/Transforms/Passes.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/Math/Transforms/Passes.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"
#include "mlir/IR/BuiltinDialect.h"
#include "mlir/Transforms/DialectConversion.h"
#include "mlir/Transforms/GreedyPatternRewriteDriver.h"
#include "tp/Conversion/Passes.h"
#include "tp/Dialect/RT/IR/RT.h"

namespace mlir::tp {
#define GEN_PASS_DEF_RTEXPANDMATH
#include "tp/Conversion/Passes.h.inc"
} // namespace mlir::tp

using namespace mlir;
using namespace mlir::tp;

/// Functions of bf16 and f16, and arithmetic in bf16, go through f32.
static LogicalResult widen(func::FuncOp kernel) {
  MLIRContext *context = kernel.getContext();
  Type bf16 = BFloat16Type::get(context), f32 = Float32Type::get(context);
  {
    TypeConverter converter;
    SetVector<Type> supported;
    supported.insert(f32);
    supported.insert(Float64Type::get(context));
    math::populateExtendToSupportedTypesTypeConverter(converter, supported,
                                                      f32);
    ConversionTarget target(*context);
    math::populateExtendToSupportedTypesConversionTarget(target, converter);
    RewritePatternSet patterns(context);
    math::populateExtendToSupportedTypesPatterns(patterns, converter);
    if (failed(applyPartialConversion(kernel, target, std::move(patterns))))
      return failure();
  }
  TypeConverter converter;
  arith::populateEmulateUnsupportedFloatsConversions(converter, {bf16}, f32);
  ConversionTarget target(*context);
  arith::populateEmulateUnsupportedFloatsLegality(target, converter);
  RewritePatternSet patterns(context);
  arith::populateEmulateUnsupportedFloatsPatterns(patterns, converter);
  return applyPartialConversion(kernel, target, std::move(patterns));
}

/// Polynomials for what is smooth and needs no range reduction beyond f32's.
static bool hasPolynomial(StringRef name) {
  return name == math::ExpOp::getOperationName() ||
         name == math::TanhOp::getOperationName() ||
         name == math::ErfOp::getOperationName() ||
         name == math::LogOp::getOperationName();
}

static LogicalResult expand(func::FuncOp kernel) {
  RewritePatternSet patterns(kernel.getContext());
  populateMathPolynomialApproximationPatterns(patterns, hasPolynomial);
  math::populateExpansionPatterns(patterns, {"fpowi", "ipowi", "clampf"});
  arith::populateExpandBFloat16Patterns(patterns);
  arith::populateCeilFloorDivExpandOpsPatterns(patterns);
  return applyPatternsGreedily(kernel, std::move(patterns));
}

/// `op`'s operands a and b without what traps: b = 0, which padding may hold,
/// and b = -1, by which the least number cannot be divided.
template <typename Op> static void guard(Op op) {
  Type type = op.getType();
  auto element = dyn_cast<IntegerType>(getElementTypeOrSelf(type));
  if (!element)
    return; // Index arithmetic is the compiler's own.
  OpBuilder builder(op);
  Location loc = op.getLoc();
  Value a = op.getLhs(), b = op.getRhs();
  auto number = [&](int64_t value) -> Value {
    Attribute attribute = builder.getIntegerAttr(element, value);
    if (auto shaped = dyn_cast<ShapedType>(type))
      attribute = SplatElementsAttr::get(shaped, attribute);
    return arith::ConstantOp::create(builder, loc, cast<TypedAttr>(attribute));
  };
  auto equals = [&](Value other) -> Value {
    return arith::CmpIOp::create(builder, loc, arith::CmpIPredicate::eq, b,
                                 other);
  };
  Value isMinusOne = equals(number(-1));
  Value traps =
      arith::OrIOp::create(builder, loc, equals(number(0)), isMinusOne);
  Value divisor = arith::SelectOp::create(builder, loc, traps, number(1), b);
  Value result = Op::create(builder, loc, a, divisor);
  // A remainder by 1 or -1 is 0.
  if constexpr (std::is_same_v<Op, arith::DivSIOp>) {
    Value negated = arith::SubIOp::create(builder, loc, number(0), a);
    result = arith::SelectOp::create(builder, loc, isMinusOne, negated, result);
  }
  op.replaceAllUsesWith(result);
  op.erase();
}

/// Integer division traps; what it gives of padding does not matter.
static void guardDivisions(func::FuncOp kernel) {
  SmallVector<Operation *> divisions;
  kernel.walk([&](Operation *op) {
    if (isa<arith::DivSIOp, arith::RemSIOp>(op))
      divisions.push_back(op);
  });
  for (Operation *op : divisions) {
    if (auto division = dyn_cast<arith::DivSIOp>(op))
      guard(division);
    else
      guard(cast<arith::RemSIOp>(op));
  }
}

/// What remains is an instruction or a call of the C library.
static LogicalResult callLibrary(ModuleOp module) {
  RewritePatternSet patterns(module.getContext());
  populateMathToLibmConversionPatterns(patterns);
  ConversionTarget target(*module.getContext());
  target.addIllegalDialect<math::MathDialect>();
  target.addLegalDialect<arith::ArithDialect, func::FuncDialect,
                         vector::VectorDialect, BuiltinDialect,
                         LLVM::LLVMDialect>();
  target.addLegalOp<
      math::AbsFOp, math::AbsIOp, math::CopySignOp, math::FloorOp, math::CeilOp,
      math::TruncOp, math::RoundEvenOp, math::SqrtOp, math::RsqrtOp,
      math::FmaOp, math::CountLeadingZerosOp, math::CountTrailingZerosOp,
      math::CtPopOp, math::IsNaNOp, math::IsInfOp, math::IsFiniteOp>();
  return applyPartialConversion(module, target, std::move(patterns));
}

namespace {

struct RTExpandMathPass : public tp::impl::RTExpandMathBase<RTExpandMathPass> {
  using RTExpandMathBase::RTExpandMathBase;
  void runOnOperation() override {
    for (auto kernel : getOperation().getOps<func::FuncOp>()) {
      if (!kernel->hasAttr(rt::kKernelName))
        continue;
      if (failed(widen(kernel)) || (!keepFunctions && failed(expand(kernel))))
        return signalPassFailure();
      guardDivisions(kernel);
    }
    if (!keepFunctions && failed(callLibrary(getOperation())))
      return signalPassFailure();
  }
};

} // namespace
