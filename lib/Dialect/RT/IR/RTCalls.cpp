//===- RTCalls.cpp - checks of the runtime calls --------------------------===//
//
// Part of tp-mlir, under the Apache License v2.0.
//
//===----------------------------------------------------------------------===//
//
// A call that passes its verifier gives the runtime a descriptor that describes
// the buffers: sizes agree, ranks are within the interface's limits and element
// types are known to it.
//
//===----------------------------------------------------------------------===//

#include "tp/Dialect/NN/IR/NN.h"
#include "tp/Dialect/RT/IR/RT.h"

using namespace mlir;
using namespace mlir::rt;

/// Blocks run along the last dim, and interleaved lines are the last dims of a
/// multiple of eight.
static LogicalResult verifyStored(Operation *op, MemRefType type,
                                  StoredType stored) {
  const int64_t block = *getBlockElements(stored.getName());
  if (type.getRank() == 0 || type.getShape().back() % block)
    return op->emitOpError("the last dim of ")
           << type << " is not whole blocks of " << block;
  if (stored.getLine() != 0 &&
      !isInGroupsOfLines(type.getShape(), stored.getLine()))
    return op->emitOpError("the last dims of ")
           << type << " are not lines of " << stored.getLine()
           << ", or the others not a multiple of " << kInterleavedLines;
  return success();
}

/// Every buffer has at most the interface's rank and is dense; only the given
/// operands may be as a file stores them.
static LogicalResult verifyBuffers(Operation *op,
                                   ValueRange storedOperands = {}) {
  for (Value operand : op->getOperands()) {
    auto type = dyn_cast<MemRefType>(operand.getType());
    if (!type)
      continue;
    if (type.getRank() > kMaxRank)
      return op->emitOpError("the runtime takes at most ")
             << kMaxRank << " dims, got " << type;
    if (!type.getLayout().isIdentity())
      return op->emitOpError("needs dense buffers, got ") << type;
    auto stored = dyn_cast<StoredType>(type.getElementType());
    if (stored && !llvm::is_contained(storedOperands, operand))
      return op->emitOpError("does not read weights as they are stored, ")
             << type;
    if (stored && failed(verifyStored(op, type, stored)))
      return failure();
  }
  return success();
}

/// The given buffers have one element type, which the runtime knows.
static LogicalResult verifyElements(Operation *op, ValueRange buffers,
                                    ValueRange storedOperands = {}) {
  Type element = cast<MemRefType>(buffers.front().getType()).getElementType();
  if (!getDTypeCode(element))
    return op->emitOpError("the runtime has no element type ") << element;
  for (Value buffer : buffers)
    if (cast<MemRefType>(buffer.getType()).getElementType() != element)
      return op->emitOpError("needs buffers of one element type, got ")
             << buffer.getType() << " and " << buffers.front().getType();
  return verifyBuffers(op, storedOperands);
}

static bool isStored(Value buffer) {
  return getStoredCode(cast<MemRefType>(buffer.getType())) != 0;
}

/// The same of `weights`, which may be as a file stores them, and `others`, of
/// f32 then.
static LogicalResult verifyWeights(Operation *op, ValueRange weights,
                                   ValueRange others) {
  SmallVector<Value> buffers(others), stored;
  for (Value weight : weights)
    (isStored(weight) ? stored : buffers).push_back(weight);
  if (stored.size() > 1)
    return op->emitOpError("reads one weight as it is stored, not two");
  Type element = cast<MemRefType>(buffers.front().getType()).getElementType();
  if (!stored.empty() && !element.isF32())
    return op->emitOpError("reads weights as they are stored with f32, not ")
           << element;
  return verifyElements(op, buffers, stored);
}

static LogicalResult verifyType(Operation *op, Value buffer,
                                ArrayRef<int64_t> shape, StringRef what) {
  auto type = cast<MemRefType>(buffer.getType());
  if (type.getShape() != shape)
    return op->emitOpError()
           << what << " must be "
           << MemRefType::get(shape, type.getElementType()) << ", got " << type;
  return success();
}

static LogicalResult verifyScalar(Operation *op, Value buffer) {
  if (buffer && cast<MemRefType>(buffer.getType()).getNumElements() != 1)
    return op->emitOpError("needs a single number, got ") << buffer.getType();
  return success();
}

LogicalResult rt::ContractOp::verify() {
  if (failed(verifyWeights(*this, {getLhs(), getRhs()}, getOut())))
    return failure();
  FailureOr<nn::Equation> equation = nn::parseEquation(getEquation());
  if (failed(equation))
    return emitOpError("equation must look like \"bsk,nk->bsn\"");
  llvm::SmallDenseMap<char, int64_t> sizes, counts;
  auto check = [&](StringRef letters, Value buffer) -> LogicalResult {
    auto type = cast<MemRefType>(buffer.getType());
    if (int64_t(letters.size()) != type.getRank())
      return emitOpError("\"")
             << letters << "\" does not name the dims of " << type;
    for (auto [i, letter] : llvm::enumerate(letters)) {
      if (letters.find(letter, i + 1) != StringRef::npos)
        return emitOpError("dim '") << letter << "' occurs twice in a tensor";
      auto it = sizes.try_emplace(letter, type.getDimSize(i)).first;
      if (it->second != type.getDimSize(i))
        return emitOpError("dim '") << letter << "' is " << it->second
                                    << " and " << type.getDimSize(i);
      ++counts[letter];
    }
    return success();
  };
  if (failed(check(equation->lhs, getLhs())) ||
      failed(check(equation->rhs, getRhs())) ||
      failed(check(equation->result, getOut())))
    return failure();
  for (StringRef letters : {equation->lhs, equation->rhs, equation->result})
    for (char letter : letters)
      if (counts[letter] < 2)
        return emitOpError("dim '") << letter << "' occurs in one tensor only";
  if (!getBias())
    return success();
  std::string reason = whyNotBias(getBias());
  return reason.empty() ? LogicalResult(success()) : emitOpError(reason);
}

std::string rt::ContractOp::whyNotBias(Value bias) {
  auto type = cast<MemRefType>(bias.getType());
  auto out = cast<MemRefType>(getOut().getType());
  Type element = out.getElementType();
  if (type.getElementType() != element ||
      !(element.isF32() || element.isBF16() || element.isF16()))
    return "adds a bias of its own type, f32, bf16 or f16";
  if (type.getRank() > out.getRank() || type.getNumElements() == 1)
    return "has a bias of one element, or of more dims than the result";
  nn::Equation equation = *nn::parseEquation(getEquation());
  StringRef letters = equation.result.take_back(type.getRank());
  if (type.getShape() != out.getShape().take_back(type.getRank()) ||
      !type.getLayout().isIdentity())
    return "has a bias that is not as the result's last dims";
  // What is left of the right operand are dims that the left one has as well,
  // in the order in which it has them.
  auto [before, after] = equation.rhs.split(letters);
  StringRef contracted = before.empty() ? after : before;
  if (!equation.rhs.contains(letters) || !(before.empty() || after.empty()) ||
      !equation.lhs.contains(contracted) ||
      llvm::any_of(contracted,
                   [&](char c) { return equation.result.contains(c); }) ||
      llvm::any_of(letters, [&](char c) { return equation.lhs.contains(c); }))
    return "has a bias that is not as the right operand's own dims";
  return "";
}

LogicalResult rt::AttentionOp::verify() {
  if (failed(verifyElements(*this,
                            {getQuery(), getKey(), getValue(), getOut()})) ||
      failed(verifyScalar(*this, getOffset())))
    return failure();
  auto q = getQuery().getType(), k = getKey().getType();
  if (q.getRank() != 5 || k.getRank() != 4 ||
      q.getDimSize(0) != k.getDimSize(0) ||
      q.getDimSize(2) != k.getDimSize(2) || q.getDimSize(4) != k.getDimSize(3))
    return emitOpError(
               "needs a query [batch, queries, kv_heads, groups, head_dim] "
               "and keys [batch, keys, kv_heads, head_dim], got ")
           << q << " and " << k;
  if (failed(verifyType(*this, getValue(), k.getShape(), "value")))
    return failure();
  int64_t keys = getKeys().value_or(k.getDimSize(1));
  if (keys < 0 || keys > k.getDimSize(1))
    return emitOpError("has ") << k.getDimSize(1) << " keys, not " << keys;
  return verifyType(*this, getOut(), q.getShape(), "out");
}

LogicalResult rt::RotaryOp::verify() {
  if (failed(verifyElements(*this, getOperands())))
    return failure();
  auto input = getInput().getType(), table = getCosine().getType();
  if (input.getRank() < 3 || table.getRank() != 2 ||
      input.getDimSize(1) != table.getDimSize(0) ||
      2 * table.getDimSize(1) > input.getShape().back())
    return emitOpError(
               "needs an input [batch, sequence, ..., head_dim] for tables "
               "[sequence, at most head_dim / 2], got ")
           << input << " and " << table;
  if (failed(verifyType(*this, getSine(), table.getShape(), "sine")))
    return failure();
  return verifyType(*this, getOut(), input.getShape(), "out");
}

/// `rows` is [ids..., width] of a table [rows, width].
static LogicalResult verifyRows(Operation *op, MemRefType ids, MemRefType table,
                                Value rows, int64_t vocabulary) {
  if (table.getRank() != 2)
    return op->emitOpError("needs a table of rank 2, got ") << table;
  if (vocabulary <= 0)
    return op->emitOpError("needs a positive vocabulary");
  SmallVector<int64_t> shape(ids.getShape());
  shape.push_back(table.getDimSize(1));
  return verifyType(op, rows, shape, "rows");
}

LogicalResult rt::EmbeddingOp::verify() {
  if (failed(verifyWeights(*this, getTable(), getOut())))
    return failure();
  return verifyRows(*this, getIds().getType(), getTable().getType(), getOut(),
                    getVocabulary());
}

LogicalResult rt::EmbeddingGradientOp::verify() {
  if (failed(verifyElements(*this, {getGradient(), getOut()})))
    return failure();
  return verifyRows(*this, getIds().getType(), getOut().getType(),
                    getGradient(), getVocabulary());
}

LogicalResult rt::TopKOp::verify() {
  if (failed(verifyElements(*this, {getValues(), getOutValues()})))
    return failure();
  auto values = getValues().getType();
  int64_t k = getK(), segments = getSegments();
  if (values.getRank() < 1 || k < 1 || segments < 1 ||
      values.getShape().back() % segments)
    return emitOpError(
               "needs k of at least 1 and a last dim that is a multiple of "
               "its segments, got ")
           << values << " in " << segments;
  SmallVector<int64_t> shape(values.getShape());
  if (getIds() && failed(verifyType(*this, getIds(), shape, "ids")))
    return failure();
  shape.back() = segments * k;
  if (failed(verifyType(*this, getOutValues(), shape, "values")))
    return failure();
  return verifyType(*this, getOutIds(), shape, "ids");
}

LogicalResult rt::CacheUpdateOp::verify() {
  if (failed(verifyElements(*this, {getCache(), getUpdate()})) ||
      failed(verifyScalar(*this, getPosition())) ||
      failed(verifyScalar(*this, getLength())))
    return failure();
  auto cache = getCache().getType();
  if (cache.getRank() < 2 || getUpdate().getType().getRank() < 2)
    return emitOpError("needs a cache [batch, capacity, ...], got ") << cache;
  SmallVector<int64_t> shape(cache.getShape());
  shape[1] = getUpdate().getType().getDimSize(1);
  if (shape[1] > int64_t(getCapacity()))
    return emitOpError("an update of ")
           << shape[1] << " rows does not fit a cache of "
           << int64_t(getCapacity());
  return verifyType(*this, getUpdate(), shape, "update");
}

LogicalResult rt::TakeOp::verify() {
  if (failed(verifyElements(*this, {getInput(), getOut()})) ||
      failed(verifyScalar(*this, getIndex())))
    return failure();
  auto input = getInput().getType();
  int64_t dim = getDim();
  if (dim < 0 || dim >= input.getRank())
    return emitOpError("has no dim ") << dim;
  SmallVector<int64_t> shape(input.getShape());
  shape.erase(shape.begin() + dim);
  return verifyType(*this, getOut(), shape, "out");
}

/// The first and last element that a strided box touches are in the buffer.
static LogicalResult verifyBox(CopyOp op, MemRefType type, int64_t offset,
                               ArrayRef<int64_t> strides, StringRef what) {
  int64_t low = offset, high = offset;
  for (auto [extent, stride] : llvm::zip(op.getExtents(), strides)) {
    int64_t reach;
    if (llvm::MulOverflow(extent - 1, stride, reach))
      return op.emitOpError() << what << " strides overflow";
    (reach < 0 ? low : high) += reach;
  }
  if (low < 0 || high >= type.getNumElements())
    return op.emitOpError() << what << " box reaches from element " << low
                            << " to " << high << " of " << type;
  return success();
}

LogicalResult CopyOp::verify() {
  if (failed(verifyBuffers(*this)))
    return failure();
  auto input = getInput().getType(), out = getOut().getType();
  if (input.getElementType() != out.getElementType())
    return emitOpError("needs buffers of one element type");
  size_t rank = getExtents().size();
  if (rank > size_t(kMaxRank) || getInputStrides().size() != rank ||
      getOutStrides().size() != rank)
    return emitOpError("needs an extent and two strides for each of at most ")
           << kMaxRank << " dims";
  if (llvm::any_of(getExtents(), [](int64_t extent) { return extent < 0; }))
    return emitOpError("extents cannot be negative");
  if (llvm::is_contained(getExtents(), 0))
    return success();
  if (failed(verifyBox(*this, input, getInputOffset(), getInputStrides(),
                       "input")))
    return failure();
  return verifyBox(*this, out, getOutOffset(), getOutStrides(), "output");
}

LogicalResult rt::MaskOp::verify() {
  if (failed(verifyElements(*this, {getBuffer()})))
    return failure();
  if (int64_t(getDim()) < 0 ||
      int64_t(getDim()) >= getBuffer().getType().getRank())
    return emitOpError("has no dim ") << getDim();
  return success();
}

/// `group` is an index into the module's groups.
static LogicalResult verifyGroup(Operation *op, int64_t group) {
  auto module = op->getParentOfType<ModuleOp>();
  auto groups =
      module ? module->getAttrOfType<ArrayAttr>(kGroupsName) : ArrayAttr();
  if (group < 0 || !groups || group >= int64_t(groups.size()))
    return op->emitOpError("the module has no group ")
           << group << " in '" << kGroupsName << "'";
  return success();
}

LogicalResult rt::MakePartialOp::verify() {
  if (failed(verifyBuffers(*this)))
    return failure();
  return verifyGroup(*this, getGroup());
}

LogicalResult CoordinateOp::verify() { return verifyGroup(*this, getGroup()); }

LogicalResult CollectiveOp::verify() {
  if (getInputs().empty() || getInputs().size() > kMaxCollectiveBuffers)
    return emitOpError("takes 1 to ")
           << kMaxCollectiveBuffers << " buffers, got " << getInputs().size();
  if (failed(verifyBuffers(*this)) || failed(verifyGroup(*this, getGroup())))
    return failure();
  bool isPermute = getKind() == CollectiveKind::Permute;
  if (isPermute != getSourceGroup().has_value())
    return emitOpError(isPermute ? "needs a source group"
                                 : "has a source group, but is no permute");
  if (isPermute && failed(verifyGroup(*this, *getSourceGroup())))
    return failure();
  bool needsDims = getKind() != CollectiveKind::AllReduce && !isPermute;
  if (needsDims && (!getDims() || getDims()->size() != getInputs().size()))
    return emitOpError("needs a dim for each buffer");
  bool needsSplit = getKind() == CollectiveKind::AllToAll;
  if (needsSplit &&
      (!getSplitDims() || getSplitDims()->size() != getInputs().size()))
    return emitOpError("needs a dim to split for each buffer");
  for (auto [i, input, output] : llvm::enumerate(getInputs(), getOutputs())) {
    auto type = cast<MemRefType>(input.getType());
    auto outType = cast<MemRefType>(output.getType());
    if (!getDTypeCode(type.getElementType()) ||
        type.getElementType() != outType.getElementType() ||
        type.getRank() != outType.getRank())
      return emitOpError("cannot send ") << type << " to " << outType;
    for (auto dims : {getDims(), getSplitDims()})
      if (dims && ((*dims)[i] < 0 || (*dims)[i] >= type.getRank()))
        return emitOpError("buffer ") << i << " has no dim " << (*dims)[i];
  }
  return success();
}
