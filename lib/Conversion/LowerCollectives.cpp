//===- LowerCollectives.cpp - placement ops as runtime calls --------------===//
//
// Part of tp-mlir, under the Apache License v2.0.
//
//===----------------------------------------------------------------------===//

#include "LowerToRuntime.h"
#include "mlir/Dialect/Arith/IR/Arith.h"

using namespace mlir;
using namespace mlir::tp;

int64_t RuntimeLowering::getGroup(Operation *op, FlatSymbolRefAttr meshName,
                                  ArrayAttr axes) {
  MeshAttr mesh = lookupMesh(op, meshName);
  ArrayAttr group =
      toAttribute(normalised(toAxes(axes, mesh)), mesh, op->getContext());
  const auto *it = llvm::find(groups, group);
  if (it == groups.end()) {
    groups.push_back(group);
    return groups.size() - 1;
  }
  return it - groups.begin();
}

void RuntimeLowering::writeGroups(ModuleOp module) const {
  if (!groups.empty())
    module->setAttr(rt::kGroupsName,
                    ArrayAttr::get(module.getContext(), groups));
}

namespace {

/// Booleans are bytes in memory, 0 and 1. Their sum would be more; `and` is the
/// least of them and `or` the greatest, which every library can reduce by.
FailureOr<ReduceKind> reductionInMemory(Operation *op, ReduceKind kind) {
  auto isBoolean = [](Value input) {
    return getElementTypeOrSelf(input.getType()).isInteger(1);
  };
  if (kind != ReduceKind::And && kind != ReduceKind::Or) {
    for (Value input : llvm::make_filter_range(op->getOperands(), isBoolean))
      return op->emitOpError("cannot reduce ")
             << input.getType() << " by " << stringifyReduceKind(kind)
             << ", only by and, or; use a wider type before the reduction";
    return kind;
  }
  if (!llvm::all_of(op->getOperands(), isBoolean))
    return kind;
  return kind == ReduceKind::And ? ReduceKind::Min : ReduceKind::Max;
}

template <typename Op> class LowerCollective : public RuntimePattern<Op> {
public:
  using RuntimePattern<Op>::RuntimePattern;

  LogicalResult
  matchAndRewrite(Op op, typename Op::Adaptor adaptor,
                  ConversionPatternRewriter &rewriter) const override {
    FailureOr<ReduceKind> reduction = ReduceKind::Sum;
    if constexpr (std::is_same_v<Op, AllReduceOp> ||
                  std::is_same_v<Op, ReduceScatterOp>)
      if (failed(reduction = reductionInMemory(op, op.getKind())))
        return failure();
    if (op.getInputs().size() > rt::kMaxCollectiveBuffers)
      return op.emitOpError("has ")
             << op.getInputs().size() << " inputs, the runtime sends at most "
             << rt::kMaxCollectiveBuffers << " at once";
    auto out = getResultBuffers(op, adaptor.getOperands(), rewriter);
    if (failed(out))
      return failure();
    int64_t group = this->lowering.getGroup(op, op.getMeshAttr(), op.getAxes());
    StringAttr module = op.getModuleAttr();
    auto collective = rt::CollectiveOp::create(
        rewriter, op.getLoc(), kind(), *reduction, adaptor.getInputs(), *out,
        group, this->lowering.collectiveIds.lookup(op),
        module ? module : rewriter.getStringAttr(""), IntegerAttr(),
        DenseI64ArrayAttr(), DenseI64ArrayAttr(), isStart(op));
    complete(op, collective);
    rewriter.replaceOp(op, *out);
    return success();
  }

private:
  static rt::CollectiveKind kind();
  void complete(Op op, rt::CollectiveOp collective) const;
};

template <> rt::CollectiveKind LowerCollective<AllReduceOp>::kind() {
  return rt::CollectiveKind::AllReduce;
}
template <>
void LowerCollective<AllReduceOp>::complete(AllReduceOp,
                                            rt::CollectiveOp) const {}

template <> rt::CollectiveKind LowerCollective<AllGatherOp>::kind() {
  return rt::CollectiveKind::AllGather;
}
template <>
void LowerCollective<AllGatherOp>::complete(AllGatherOp op,
                                            rt::CollectiveOp collective) const {
  collective.setDimsAttr(op.getDimsAttr());
}

template <> rt::CollectiveKind LowerCollective<ReduceScatterOp>::kind() {
  return rt::CollectiveKind::ReduceScatter;
}
template <>
void LowerCollective<ReduceScatterOp>::complete(
    ReduceScatterOp op, rt::CollectiveOp collective) const {
  collective.setDimsAttr(op.getDimsAttr());
}

template <> rt::CollectiveKind LowerCollective<AllToAllOp>::kind() {
  return rt::CollectiveKind::AllToAll;
}
template <>
void LowerCollective<AllToAllOp>::complete(AllToAllOp op,
                                           rt::CollectiveOp collective) const {
  collective.setDimsAttr(op.getDimsAttr());
  collective.setSplitDimsAttr(op.getSplitDimsAttr());
}

template <> rt::CollectiveKind LowerCollective<PermuteOp>::kind() {
  return rt::CollectiveKind::Permute;
}
template <>
void LowerCollective<PermuteOp>::complete(PermuteOp op,
                                          rt::CollectiveOp collective) const {
  collective.setSourceGroup(
      lowering.getGroup(op, op.getMeshAttr(), op.getToAxes()));
}

struct LowerWait : RuntimePattern<WaitOp> {
  using RuntimePattern::RuntimePattern;
  LogicalResult
  matchAndRewrite(WaitOp op, OpAdaptor adaptor,
                  ConversionPatternRewriter &rewriter) const override {
    rt::WaitOp::create(rewriter, op.getLoc(), adaptor.getPending(),
                       this->lowering.collectiveIds.lookup(op));
    rewriter.replaceOp(op, adaptor.getPending());
    return success();
  }
};

/// This device's block is a box that begins at its coordinate.
struct LowerShardSlice : RuntimePattern<SliceOp> {
  using RuntimePattern::RuntimePattern;
  LogicalResult
  matchAndRewrite(SliceOp op, OpAdaptor adaptor,
                  ConversionPatternRewriter &rewriter) const override {
    auto out = getResultBuffers(op, adaptor.getOperands(), rewriter);
    if (failed(out))
      return failure();
    Location loc = op.getLoc();
    auto type = cast<MemRefType>(adaptor.getInput().getType());
    auto outType = cast<MemRefType>(out->front().getType());
    SmallVector<int64_t> strides = getDenseStrides(type.getShape());
    int64_t dim = op.getDim(), span = 1;
    for (auto [extent, stride] : llvm::zip(outType.getShape(), strides))
      span += (extent - 1) * stride;
    int64_t group = lowering.getGroup(op, op.getMeshAttr(), op.getAxes());
    Value start =
        rt::CoordinateOp::create(rewriter, loc, rewriter.getIndexType(), group);
    Value block = arith::ConstantIndexOp::create(
        rewriter, loc, outType.getDimSize(dim) * strides[dim]);
    start = arith::MulIOp::create(rewriter, loc, start, block);
    auto partType =
        MemRefType::get({std::max<int64_t>(span, 0)}, type.getElementType());
    Value part =
        rt::ViewOp::create(rewriter, loc, partType, adaptor.getInput(), start);
    rt::CopyOp::create(rewriter, loc, part, out->front(), outType.getShape(), 0,
                       strides, 0, getDenseStrides(outType.getShape()));
    rewriter.replaceOp(op, *out);
    return success();
  }
};

/// What both have is copied; added padding stays as it is.
struct LowerResize : RuntimePattern<ResizeOp> {
  using RuntimePattern::RuntimePattern;
  LogicalResult
  matchAndRewrite(ResizeOp op, OpAdaptor adaptor,
                  ConversionPatternRewriter &rewriter) const override {
    auto out = getResultBuffers(op, adaptor.getOperands(), rewriter);
    if (failed(out))
      return failure();
    ArrayRef<int64_t> from = shapeOf(op.getInput().getType()),
                      to = op.getType().getShape();
    SmallVector<int64_t> common;
    for (auto [a, b] : llvm::zip(from, to))
      common.push_back(std::min(a, b));
    rt::CopyOp::create(rewriter, op.getLoc(), adaptor.getInput(), out->front(),
                       common, 0, getDenseStrides(from), 0,
                       getDenseStrides(to));
    rewriter.replaceOp(op, *out);
    return success();
  }
};

struct LowerShardStart : RuntimePattern<ShardStartOp> {
  using RuntimePattern::RuntimePattern;
  LogicalResult
  matchAndRewrite(ShardStartOp op, OpAdaptor,
                  ConversionPatternRewriter &rewriter) const override {
    int64_t group = lowering.getGroup(op, op.getMeshAttr(), op.getAxes());
    Value coordinate = rt::CoordinateOp::create(rewriter, op.getLoc(),
                                                rewriter.getIndexType(), group);
    Value block =
        arith::ConstantIndexOp::create(rewriter, op.getLoc(), op.getBlock());
    rewriter.replaceOpWithNewOp<arith::MulIOp>(op, coordinate, block);
    return success();
  }
};

struct LowerMask : RuntimePattern<MaskOp> {
  using RuntimePattern::RuntimePattern;
  LogicalResult
  matchAndRewrite(MaskOp op, OpAdaptor adaptor,
                  ConversionPatternRewriter &rewriter) const override {
    auto out = getResultBuffers(op, adaptor.getOperands(), rewriter);
    if (failed(out))
      return failure();
    rt::MaskOp::create(rewriter, op.getLoc(), out->front(), adaptor.getStart(),
                       op.getDimAttr(), op.getSizeAttr(), op.getFillAttr());
    rewriter.replaceOp(op, *out);
    return success();
  }
};

struct LowerMakePartial : RuntimePattern<MakePartialOp> {
  using RuntimePattern::RuntimePattern;
  LogicalResult
  matchAndRewrite(MakePartialOp op, OpAdaptor adaptor,
                  ConversionPatternRewriter &rewriter) const override {
    FailureOr<ReduceKind> reduction = reductionInMemory(op, op.getKind());
    if (failed(reduction))
      return failure();
    auto out = getResultBuffers(op, adaptor.getOperands(), rewriter);
    if (failed(out))
      return failure();
    rt::MakePartialOp::create(
        rewriter, op.getLoc(), out->front(), *reduction,
        lowering.getGroup(op, op.getMeshAttr(), op.getAxes()));
    rewriter.replaceOp(op, *out);
    return success();
  }
};

} // namespace

void tp::populateCollectiveLowerings(RewritePatternSet &patterns,
                                     const TypeConverter &converter,
                                     RuntimeLowering &lowering) {
  patterns.add<LowerCollective<AllReduceOp>, LowerCollective<AllGatherOp>,
               LowerCollective<ReduceScatterOp>, LowerCollective<AllToAllOp>,
               LowerCollective<PermuteOp>, LowerWait, LowerShardSlice,
               LowerResize, LowerShardStart, LowerMask, LowerMakePartial>(
      converter, patterns.getContext(), lowering);
}
