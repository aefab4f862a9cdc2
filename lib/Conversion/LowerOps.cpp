//===- LowerOps.cpp - compute ops as runtime calls ------------------------===//
//
// Part of tp-mlir, under the Apache License v2.0.
//
//===----------------------------------------------------------------------===//

#include "LowerToRuntime.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "tp/Dialect/NN/IR/NN.h"

using namespace mlir;
using namespace mlir::tp;

/// The shard's start, or 0 where the op sees the whole.
static Value startOrZero(Value start, OpBuilder &builder, Location loc) {
  return start ? start : Value(arith::ConstantIndexOp::create(builder, loc, 0));
}

namespace {

struct LowerContract : RuntimePattern<nn::ContractOp> {
  using RuntimePattern::RuntimePattern;
  LogicalResult
  matchAndRewrite(nn::ContractOp op, OpAdaptor adaptor,
                  ConversionPatternRewriter &rewriter) const override {
    auto out = getResultBuffers(op, adaptor.getOperands(), rewriter);
    if (failed(out))
      return failure();
    rt::ContractOp::create(rewriter, op.getLoc(), adaptor.getLhs(),
                           adaptor.getRhs(), /*bias=*/Value(), out->front(),
                           op.getEquation());
    rewriter.replaceOp(op, *out);
    return success();
  }
};

struct LowerAttention : RuntimePattern<nn::AttentionOp> {
  using RuntimePattern::RuntimePattern;
  LogicalResult
  matchAndRewrite(nn::AttentionOp op, OpAdaptor adaptor,
                  ConversionPatternRewriter &rewriter) const override {
    auto out = getResultBuffers(op, adaptor.getOperands(), rewriter);
    if (failed(out))
      return failure();
    rt::AttentionOp::create(
        rewriter, op.getLoc(), adaptor.getQuery(), adaptor.getKey(),
        adaptor.getValue(), adaptor.getOffset(),
        startOrZero(adaptor.getStart(), rewriter, op.getLoc()), out->front(),
        op.getScaleAttr(), op.getCausalAttr(), op.getWindowAttr(),
        op.getSoftCapAttr(), op.getKeysAttr());
    rewriter.replaceOp(op, *out);
    return success();
  }
};

struct LowerRotary : RuntimePattern<nn::RotaryOp> {
  using RuntimePattern::RuntimePattern;
  LogicalResult
  matchAndRewrite(nn::RotaryOp op, OpAdaptor adaptor,
                  ConversionPatternRewriter &rewriter) const override {
    auto out = getResultBuffers(op, adaptor.getOperands(), rewriter);
    if (failed(out))
      return failure();
    rt::RotaryOp::create(rewriter, op.getLoc(), adaptor.getInput(),
                         adaptor.getCosine(), adaptor.getSine(), out->front(),
                         op.getInterleavedAttr());
    rewriter.replaceOp(op, *out);
    return success();
  }
};

struct LowerEmbedding : RuntimePattern<nn::EmbeddingOp> {
  using RuntimePattern::RuntimePattern;
  LogicalResult
  matchAndRewrite(nn::EmbeddingOp op, OpAdaptor adaptor,
                  ConversionPatternRewriter &rewriter) const override {
    auto out = getResultBuffers(op, adaptor.getOperands(), rewriter);
    if (failed(out))
      return failure();
    int64_t vocabulary =
        op.getVocabulary().value_or(op.getTable().getType().getDimSize(0));
    rt::EmbeddingOp::create(
        rewriter, op.getLoc(), adaptor.getIds(), adaptor.getTable(),
        startOrZero(adaptor.getStart(), rewriter, op.getLoc()), out->front(),
        vocabulary);
    rewriter.replaceOp(op, *out);
    return success();
  }
};

struct LowerEmbeddingGradient : RuntimePattern<nn::EmbeddingGradientOp> {
  using RuntimePattern::RuntimePattern;
  LogicalResult
  matchAndRewrite(nn::EmbeddingGradientOp op, OpAdaptor adaptor,
                  ConversionPatternRewriter &rewriter) const override {
    auto out = getResultBuffers(op, adaptor.getOperands(), rewriter);
    if (failed(out))
      return failure();
    int64_t vocabulary =
        op.getVocabulary().value_or(op.getType().getDimSize(0));
    rt::EmbeddingGradientOp::create(
        rewriter, op.getLoc(), adaptor.getIds(), adaptor.getGradient(),
        startOrZero(adaptor.getStart(), rewriter, op.getLoc()), out->front(),
        vocabulary);
    rewriter.replaceOp(op, *out);
    return success();
  }
};

struct LowerTopK : RuntimePattern<nn::TopKOp> {
  using RuntimePattern::RuntimePattern;
  LogicalResult
  matchAndRewrite(nn::TopKOp op, OpAdaptor adaptor,
                  ConversionPatternRewriter &rewriter) const override {
    auto out = getResultBuffers(op, adaptor.getOperands(), rewriter);
    if (failed(out))
      return failure();
    int64_t last = op.getValues().getType().getShape().back();
    // The op counts the segments of all devices; its answers, this device's.
    int64_t segments =
        op.getTopValues().getType().getShape().back() / int64_t(op.getK());
    // Ids that are given come from elsewhere: without a size any of them
    // counts.
    int64_t size = op.getSize().value_or(
        op.getIds() ? int64_t(std::numeric_limits<int32_t>::max()) : last);
    rt::TopKOp::create(rewriter, op.getLoc(), adaptor.getValues(),
                       adaptor.getIds(),
                       startOrZero(adaptor.getStart(), rewriter, op.getLoc()),
                       (*out)[0], (*out)[1], op.getK(), segments, size);
    rewriter.replaceOp(op, *out);
    return success();
  }
};

struct LowerTake : RuntimePattern<nn::TakeOp> {
  using RuntimePattern::RuntimePattern;
  LogicalResult
  matchAndRewrite(nn::TakeOp op, OpAdaptor adaptor,
                  ConversionPatternRewriter &rewriter) const override {
    auto out = getResultBuffers(op, adaptor.getOperands(), rewriter);
    if (failed(out))
      return failure();
    rt::TakeOp::create(rewriter, op.getLoc(), adaptor.getInput(),
                       adaptor.getIndex(), out->front(), op.getDim());
    rewriter.replaceOp(op, *out);
    return success();
  }
};

struct LowerCacheUpdate : RuntimePattern<nn::CacheUpdateOp> {
  using RuntimePattern::RuntimePattern;
  LogicalResult
  matchAndRewrite(nn::CacheUpdateOp op, OpAdaptor adaptor,
                  ConversionPatternRewriter &rewriter) const override {
    auto out = getResultBuffers(op, adaptor.getOperands(), rewriter);
    if (failed(out))
      return failure();
    int64_t capacity = op.getCapacity().value_or(op.getType().getDimSize(1));
    rt::CacheUpdateOp::create(
        rewriter, op.getLoc(), out->front(), adaptor.getUpdate(),
        adaptor.getPosition(), adaptor.getLength(),
        startOrZero(adaptor.getStart(), rewriter, op.getLoc()), capacity);
    rewriter.replaceOp(op, *out);
    return success();
  }
};

struct LowerFused : RuntimePattern<rt::FusedOp> {
  using RuntimePattern::RuntimePattern;
  LogicalResult
  matchAndRewrite(rt::FusedOp op, OpAdaptor adaptor,
                  ConversionPatternRewriter &rewriter) const override {
    auto out = getResultBuffers(op, adaptor.getOperands(), rewriter);
    FlatSymbolRefAttr kernel = lowering.kernelOf.lookup(op);
    if (failed(out) || !kernel)
      return failure();
    rt::LaunchOp::create(rewriter, op.getLoc(), kernel, adaptor.getInputs(),
                         *out);
    rewriter.replaceOp(op, *out);
    return success();
  }
};

} // namespace

void tp::populateOpLowerings(RewritePatternSet &patterns,
                             const TypeConverter &converter,
                             RuntimeLowering &lowering) {
  patterns.add<LowerContract, LowerAttention, LowerRotary, LowerEmbedding,
               LowerEmbeddingGradient, LowerTopK, LowerTake, LowerCacheUpdate,
               LowerFused>(converter, patterns.getContext(), lowering);
}
