//===- LowerLayout.cpp - layout ops as views and copies -------------------===//
//
// Part of tp-mlir, under the Apache License v2.0.
//
//===----------------------------------------------------------------------===//

#include "LowerToRuntime.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "tp/Dialect/NN/IR/NN.h"

using namespace mlir;
using namespace mlir::tp;

using Dims = SmallVector<int64_t>;

Dims tp::getDenseStrides(ArrayRef<int64_t> shape) {
  Dims strides(shape.size(), 1);
  for (int64_t i = int64_t(shape.size()) - 2; i >= 0; --i)
    strides[i] = strides[i + 1] * shape[i + 1];
  return strides;
}

void tp::copyDense(OpBuilder &builder, Location loc, Value from, Value to) {
  int64_t size = cast<MemRefType>(from.getType()).getNumElements();
  rt::CopyOp::create(builder, loc, from, to, Dims{size}, 0, Dims{1}, 0,
                     Dims{1});
}

static Dims denseStridesOf(Value value) {
  return getDenseStrides(cast<ShapedType>(value.getType()).getShape());
}

/// Sum of index * stride.
static int64_t offsetAt(ArrayRef<int64_t> indices, ArrayRef<int64_t> strides) {
  int64_t offset = 0;
  for (auto [index, stride] : llvm::zip(indices, strides))
    offset += index * stride;
  return offset;
}

namespace {

/// An op whose result is a view of its operand.
template <typename Op> struct LowerView : RuntimePattern<Op> {
  using RuntimePattern<Op>::RuntimePattern;
  LogicalResult
  matchAndRewrite(Op op, typename Op::Adaptor adaptor,
                  ConversionPatternRewriter &rewriter) const override {
    Type type = this->getTypeConverter()->convertType(op.getType());
    if (adaptor.getInput().getType() == type)
      rewriter.replaceOp(op, adaptor.getInput());
    else
      rewriter.replaceOpWithNewOp<rt::ViewOp>(op, type, adaptor.getInput(),
                                              Value());
    return success();
  }
};

struct LowerTranspose : RuntimePattern<nn::TransposeOp> {
  using RuntimePattern::RuntimePattern;
  LogicalResult
  matchAndRewrite(nn::TransposeOp op, OpAdaptor adaptor,
                  ConversionPatternRewriter &rewriter) const override {
    auto out = getResultBuffers(op, adaptor.getOperands(), rewriter);
    if (failed(out))
      return failure();
    Dims inputStrides = denseStridesOf(op.getInput()), strides;
    for (int64_t dim : op.getPermutation())
      strides.push_back(inputStrides[dim]);
    rt::CopyOp::create(rewriter, op.getLoc(), adaptor.getInput(), out->front(),
                       op.getType().getShape(), 0, strides, 0,
                       denseStridesOf(op.getResult()));
    rewriter.replaceOp(op, *out);
    return success();
  }
};

struct LowerSlice : RuntimePattern<nn::SliceOp> {
  using RuntimePattern::RuntimePattern;
  LogicalResult
  matchAndRewrite(nn::SliceOp op, OpAdaptor adaptor,
                  ConversionPatternRewriter &rewriter) const override {
    auto out = getResultBuffers(op, adaptor.getOperands(), rewriter);
    if (failed(out))
      return failure();
    Dims strides = denseStridesOf(op.getInput());
    int64_t offset = offsetAt(op.getOffsets(), strides);
    for (auto [stride, step] : llvm::zip(strides, op.getStrides()))
      stride *= step;
    rt::CopyOp::create(rewriter, op.getLoc(), adaptor.getInput(), out->front(),
                       op.getType().getShape(), offset, strides, 0,
                       denseStridesOf(op.getResult()));
    rewriter.replaceOp(op, *out);
    return success();
  }
};

struct LowerConcat : RuntimePattern<nn::ConcatOp> {
  using RuntimePattern::RuntimePattern;
  LogicalResult
  matchAndRewrite(nn::ConcatOp op, OpAdaptor adaptor,
                  ConversionPatternRewriter &rewriter) const override {
    auto out = getResultBuffers(op, adaptor.getOperands(), rewriter);
    if (failed(out))
      return failure();
    Dims strides = denseStridesOf(op.getResult());
    int64_t dim = op.getDim(), offset = 0;
    for (Value input : adaptor.getInputs()) {
      ArrayRef<int64_t> shape = cast<MemRefType>(input.getType()).getShape();
      rt::CopyOp::create(rewriter, op.getLoc(), input, out->front(), shape, 0,
                         getDenseStrides(shape), offset, strides);
      offset += shape[dim] * strides[dim];
    }
    rewriter.replaceOp(op, *out);
    return success();
  }
};

/// The result is filled by a kernel, then the input copied into it.
struct LowerPad : RuntimePattern<nn::PadOp> {
  using RuntimePattern::RuntimePattern;
  LogicalResult
  matchAndRewrite(nn::PadOp op, OpAdaptor adaptor,
                  ConversionPatternRewriter &rewriter) const override {
    auto isNegative = [](int64_t size) { return size < 0; };
    if (llvm::any_of(op.getLow(), isNegative) ||
        llvm::any_of(op.getHigh(), isNegative))
      return op.emitOpError("has no lowering for negative padding");
    auto out = getResultBuffers(op, adaptor.getOperands(), rewriter);
    FlatSymbolRefAttr kernel = lowering.kernelOf.lookup(op);
    if (failed(out) || !kernel)
      return failure();
    rt::LaunchOp::create(rewriter, op.getLoc(), kernel, ValueRange(), *out);
    Dims strides = denseStridesOf(op.getResult());
    rt::CopyOp::create(rewriter, op.getLoc(), adaptor.getInput(), out->front(),
                       op.getInput().getType().getShape(), 0,
                       denseStridesOf(op.getInput()),
                       offsetAt(op.getLow(), strides), strides);
    rewriter.replaceOp(op, *out);
    return success();
  }
};

struct LowerClone : RuntimePattern<rt::CloneOp> {
  using RuntimePattern::RuntimePattern;
  LogicalResult
  matchAndRewrite(rt::CloneOp op, OpAdaptor adaptor,
                  ConversionPatternRewriter &rewriter) const override {
    auto out = getResultBuffers(op, adaptor.getOperands(), rewriter);
    if (failed(out))
      return failure();
    copyDense(rewriter, op.getLoc(), adaptor.getInput(), out->front());
    rewriter.replaceOp(op, *out);
    return success();
  }
};

} // namespace

void tp::populateLayoutLowerings(RewritePatternSet &patterns,
                                 const TypeConverter &converter,
                                 RuntimeLowering &lowering) {
  patterns.add<LowerView<nn::ReshapeOp>, LowerView<nn::BoundaryOp>,
               LowerTranspose, LowerSlice, LowerConcat, LowerPad, LowerClone>(
      converter, patterns.getContext(), lowering);
}
