//===- Layout.cpp - layout ops and module boundaries ----------------------===//
//
// Part of tp-mlir, under the Apache License v2.0.
//
//===----------------------------------------------------------------------===//

#include "tp/Dialect/NN/IR/NN.h"

using namespace mlir;
using namespace mlir::nn;
using namespace mlir::tp;

static LogicalResult verifyType(Operation *op, ArrayRef<int64_t> shape) {
  auto input = cast<RankedTensorType>(op->getOperand(0).getType());
  auto wanted = RankedTensorType::get(shape, input.getElementType());
  if (op->getResult(0).getType() != wanted)
    return op->emitOpError("result must be ") << wanted;
  return success();
}

/// Gives every dim of the input a factor of its own; results are left to fill.
static void addFactors(ShardingRule &rule, ArrayRef<int64_t> input) {
  rule.operands.resize(1);
  rule.results.resize(1);
  for (int64_t size : input)
    rule.operands[0].push_back({rule.addFactor(size)});
}

//===----------------------------------------------------------------------===//
// Reshape
//===----------------------------------------------------------------------===//

LogicalResult ReshapeOp::verify() {
  RankedTensorType input = getInput().getType(), result = getType();
  if (input.getNumElements() != result.getNumElements() ||
      input.getElementType() != result.getElementType())
    return emitOpError("cannot make ") << result << " of " << input;
  if (!getGlobalInput() && !getGlobalResult())
    return success();
  auto elements = [](ArrayRef<int64_t> shape) {
    int64_t product = 1;
    for (int64_t size : shape)
      if (size < 0 || llvm::MulOverflow(product, size, product))
        return int64_t(-1);
    return product;
  };
  if (!getGlobalInput() || !getGlobalResult() ||
      int64_t(getGlobalInput()->size()) != input.getRank() ||
      int64_t(getGlobalResult()->size()) != result.getRank() ||
      elements(*getGlobalInput()) < 0 ||
      elements(*getGlobalInput()) != elements(*getGlobalResult()))
    return emitOpError(
        "needs both global shapes, of the ranks of the tensors and "
        "of equally many elements");
  return success();
}

/// Cuts both shapes into the smallest runs of equal product. In a run with one
/// dim (of more than one element) on a side, that dim is the compound of the
/// others; in other runs dims are whole on every device. Dims of one element
/// belong to nothing.
ShardingRule ReshapeOp::getShardingRule() {
  ShardingRule rule;
  ArrayRef<int64_t> in =
      getGlobalInput().value_or(getInput().getType().getShape());
  ArrayRef<int64_t> out = getGlobalResult().value_or(getType().getShape());
  TensorFactors inDims(in.size()), outDims(out.size());
  rule.joint = {0};
  // The next dim with more than one element.
  auto skip = [](ArrayRef<int64_t> shape, size_t i) {
    while (i < shape.size() && shape[i] == 1)
      ++i;
    return i;
  };
  size_t i = skip(in, 0), j = skip(out, 0);
  while (i < in.size() && j < out.size()) {
    SmallVector<size_t, 4> inRun{i}, outRun{j};
    int64_t a = in[i], b = out[j];
    i = skip(in, i + 1), j = skip(out, j + 1);
    while (a != b && (a < b ? i < in.size() : j < out.size())) {
      if (a < b) {
        a *= in[i];
        inRun.push_back(i);
        i = skip(in, i + 1);
      } else {
        b *= out[j];
        outRun.push_back(j);
        j = skip(out, j + 1);
      }
    }
    FactorKind kind = inRun.size() == 1 || outRun.size() == 1
                          ? FactorKind::Pass
                          : FactorKind::Replicate;
    bool isSplit = inRun.size() == 1;
    DimFactors parts;
    for (size_t dim : isSplit ? outRun : inRun) {
      parts.push_back(rule.addFactor(isSplit ? out[dim] : in[dim], kind));
      (isSplit ? outDims : inDims)[dim] = {parts.back()};
    }
    if (kind == FactorKind::Pass)
      (isSplit ? inDims[inRun[0]] : outDims[outRun[0]]) = parts;
    else
      for (size_t dim : outRun)
        outDims[dim] = {rule.addFactor(out[dim], kind)};
  }
  rule.operands.push_back(inDims);
  rule.results.push_back(outDims);
  return rule;
}

Operation *ReshapeOp::buildLocal(OpBuilder &builder, ValueRange operands,
                                 TypeRange types,
                                 function_ref<Value(unsigned)>) {
  ArrayRef<int64_t> in =
      getGlobalInput().value_or(getInput().getType().getShape());
  ArrayRef<int64_t> out = getGlobalResult().value_or(getType().getShape());
  return ReshapeOp::create(builder, getLoc(), types.front(), operands[0],
                           builder.getDenseI64ArrayAttr(in),
                           builder.getDenseI64ArrayAttr(out));
}

//===----------------------------------------------------------------------===//
// Transpose and broadcast
//===----------------------------------------------------------------------===//

LogicalResult TransposeOp::verify() {
  ArrayRef<int64_t> in = getInput().getType().getShape();
  SmallVector<int64_t> shape;
  llvm::SmallBitVector seen(in.size());
  for (int64_t dim : getPermutation()) {
    if (dim < 0 || dim >= int64_t(in.size()) || seen.test(dim))
      return emitOpError("permutation must name every dim once");
    seen.set(dim);
    shape.push_back(in[dim]);
  }
  if (!seen.all())
    return emitOpError("permutation must name every dim once");
  return verifyType(*this, shape);
}

ShardingRule TransposeOp::getShardingRule() {
  ShardingRule rule;
  addFactors(rule, getInput().getType().getShape());
  for (int64_t dim : getPermutation())
    rule.results[0].push_back(rule.operands[0][dim]);
  rule.joint = {0};
  return rule;
}

LogicalResult BroadcastOp::verify() {
  RankedTensorType input = getInput().getType(), result = getType();
  if (int64_t(getDims().size()) != input.getRank())
    return emitOpError("needs one dim for each of the input's ")
           << input.getRank();
  int64_t previous = -1;
  for (auto [dim, size] : llvm::zip(getDims(), input.getShape())) {
    if (dim <= previous || dim >= result.getRank())
      return emitOpError("dims must rise and be dims of the result");
    if (result.getDimSize(dim) != size)
      return emitOpError("dim ") << dim << " of the result must be " << size;
    previous = dim;
  }
  if (input.getElementType() != result.getElementType())
    return emitOpError("keeps the element type");
  return success();
}

ShardingRule BroadcastOp::getShardingRule() {
  ShardingRule rule;
  rule.operands.resize(1);
  rule.results.resize(1);
  for (int64_t size : getType().getShape())
    rule.results[0].push_back({rule.addFactor(size)});
  for (int64_t dim : getDims())
    rule.operands[0].push_back(rule.results[0][dim]);
  rule.joint = {0};
  return rule;
}

Operation *BroadcastOp::splitFactor(OpBuilder &builder, unsigned factor,
                                    ArrayRef<int64_t> sizes,
                                    ValueRange operands) {
  // Factors are numbered by result dim.
  SmallVector<int64_t> dims;
  int64_t extra = int64_t(sizes.size()) - 1;
  for (int64_t dim : getDims()) {
    int64_t first = dim > int64_t(factor) ? dim + extra : dim;
    for (int64_t i = 0; i <= (dim == int64_t(factor) ? extra : 0); ++i)
      dims.push_back(first + i);
  }
  return BroadcastOp::create(
      builder, getLoc(),
      splitResultTypes(*this, getShardingRule(), factor, sizes).front(),
      operands[0], dims);
}

//===----------------------------------------------------------------------===//
// Slice, concat, pad
//===----------------------------------------------------------------------===//

LogicalResult SliceOp::verify() {
  RankedTensorType input = getInput().getType(), result = getType();
  int64_t rank = input.getRank();
  if (result.getRank() != rank || int64_t(getOffsets().size()) != rank ||
      int64_t(getStrides().size()) != rank ||
      result.getElementType() != input.getElementType())
    return emitOpError("needs an offset, a stride and a result dim for each of "
                       "the input's ")
           << rank << " dims";
  for (int64_t i = 0; i < rank; ++i) {
    int64_t offset = getOffsets()[i], stride = getStrides()[i];
    int64_t size = result.getDimSize(i);
    __int128 last = offset + __int128(size - 1) * stride;
    if (offset < 0 || stride < 1 || (size && last >= input.getDimSize(i)))
      return emitOpError("dim ")
             << i << " of size " << input.getDimSize(i) << " has no box of "
             << size << " from " << offset << " with stride " << stride;
  }
  return success();
}

ShardingRule SliceOp::getShardingRule() {
  ShardingRule rule;
  addFactors(rule, getInput().getType().getShape());
  for (auto [i, size] : llvm::enumerate(getType().getShape())) {
    unsigned factor = rule.operands[0][i].front();
    // Of one element, any stride keeps all; it may still be padded.
    if (size != rule.factors[factor].size || getStrides()[i] != 1) {
      rule.factors[factor].kind = FactorKind::Replicate;
      factor = rule.addFactor(size, FactorKind::Replicate);
    }
    rule.results[0].push_back({factor});
  }
  rule.joint = {0};
  return rule;
}

LogicalResult ConcatOp::verify() {
  if (getInputs().empty())
    return emitOpError("needs an input");
  auto first = cast<RankedTensorType>(getInputs().front().getType());
  int64_t dim = getDim();
  if (dim < 0 || dim >= first.getRank())
    return emitOpError("has no dim ") << dim;
  SmallVector<int64_t> shape(first.getShape());
  shape[dim] = 0;
  for (Value value : getInputs()) {
    auto type = cast<RankedTensorType>(value.getType());
    if (type.getRank() != first.getRank() ||
        type.getElementType() != first.getElementType())
      return emitOpError("inputs differ in rank or element type");
    for (int64_t i = 0; i < type.getRank(); ++i)
      if (i != dim && type.getDimSize(i) != first.getDimSize(i))
        return emitOpError("inputs differ in dim ") << i;
    shape[dim] += type.getDimSize(dim);
  }
  return verifyType(*this, shape);
}

ShardingRule ConcatOp::getShardingRule() {
  ShardingRule rule;
  rule.results.resize(1);
  for (int64_t size : getType().getShape())
    rule.results[0].push_back({rule.addFactor(size)});
  int64_t dim = getDim();
  rule.factors[dim].kind = FactorKind::Replicate;
  for (auto [i, value] : llvm::enumerate(getInputs())) {
    TensorFactors dims = rule.results[0];
    int64_t size = cast<RankedTensorType>(value.getType()).getDimSize(dim);
    dims[dim] = {rule.addFactor(size, FactorKind::Replicate)};
    rule.operands.push_back(dims);
    rule.joint.push_back(i);
  }
  return rule;
}

LogicalResult PadOp::verify() {
  ArrayRef<int64_t> in = getInput().getType().getShape();
  if (getLow().size() != in.size() || getHigh().size() != in.size())
    return emitOpError("needs a low and a high for each of the input's ")
           << in.size() << " dims";
  SmallVector<int64_t> shape;
  for (auto [size, low, high] : llvm::zip(in, getLow(), getHigh())) {
    if (low < 0 || high < 0 || low > (int64_t(1) << 40) ||
        high > (int64_t(1) << 40))
      return emitOpError("low and high must not be negative or beyond 2^40");
    shape.push_back(size + low + high);
  }
  return verifyType(*this, shape);
}

ShardingRule PadOp::getShardingRule() {
  ShardingRule rule;
  addFactors(rule, getInput().getType().getShape());
  for (auto [i, size] : llvm::enumerate(getType().getShape())) {
    unsigned factor = rule.operands[0][i].front();
    if (size != rule.factors[factor].size) {
      rule.factors[factor].kind = FactorKind::Replicate;
      factor = rule.addFactor(size, FactorKind::Replicate);
    }
    rule.results[0].push_back({factor});
  }
  if (getValue().isZero())
    rule.joint = {0};
  return rule;
}

//===----------------------------------------------------------------------===//
// Iota
//===----------------------------------------------------------------------===//

LogicalResult IotaOp::verify() {
  if (int64_t(getDim()) < 0 || int64_t(getDim()) >= getType().getRank())
    return emitOpError("has no dim ") << getDim();
  return success();
}

ShardingRule IotaOp::getShardingRule() {
  ShardingRule rule;
  rule.operands.resize(getOperation()->getNumOperands());
  rule.results.resize(1);
  for (int64_t size : getType().getShape())
    rule.results[0].push_back({rule.addFactor(size)});
  rule.factors[getDim()].indexed = true;
  return rule;
}

Operation *IotaOp::buildLocal(OpBuilder &builder, ValueRange, TypeRange types,
                              function_ref<Value(unsigned)> start) {
  return IotaOp::create(builder, getLoc(), types.front(),
                        start ? start(getDim()) : Value(), getDim());
}

Value IotaOp::getShardStart(unsigned factor) {
  return factor == getDim() ? getStart() : Value();
}

//===----------------------------------------------------------------------===//
// Boundary
//===----------------------------------------------------------------------===//

LogicalResult BoundaryOp::verify() {
  if (getDirection() != "input" && getDirection() != "output")
    return emitOpError("direction is \"input\" or \"output\", got \"")
           << getDirection() << "\"";
  if (getModule().empty())
    return emitOpError("needs the name of a module");
  int64_t rank = getInput().getType().getRank();
  if (std::optional<ArrayRef<int64_t>> dims = getOriginDims())
    if (int64_t(dims->size()) != rank || !llvm::is_sorted(*dims) ||
        (rank && dims->front() < 0))
      return emitOpError("needs an original dim for each of ")
             << rank << " dims, in order";
  return success();
}

ShardingRule BoundaryOp::getShardingRule() {
  ShardingRule rule = ShardingRule::elementwise(*this);
  rule.joint = {0};
  return rule;
}

SmallVector<Value> BoundaryOp::buildDerivative(OpBuilder &,
                                               ValueRange gradients) {
  return {gradients[0]};
}

Operation *BoundaryOp::splitFactor(OpBuilder &builder, unsigned factor,
                                   ArrayRef<int64_t> sizes,
                                   ValueRange operands) {
  SmallVector<int64_t> dims;
  int64_t rank = getInput().getType().getRank();
  for (int64_t i = 0; i < rank; ++i) {
    int64_t origin = getOriginDims() ? (*getOriginDims())[i] : i;
    dims.append(i == int64_t(factor) ? sizes.size() : 1, origin);
  }
  auto parts = BoundaryOp::create(
      builder, getLoc(),
      splitResultTypes(*this, getShardingRule(), factor, sizes).front(),
      operands[0], getDirectionAttr(), getNameAttr(), getModuleAttr(),
      DenseI64ArrayAttr::get(getContext(), dims));
  // A plan's request rides along.
  parts->setDiscardableAttrs((*this)->getDiscardableAttrDictionary());
  return parts;
}
