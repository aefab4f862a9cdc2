//===- GatherScatter.cpp - gathers, scatters and cache updates ------------===//
//
// Part of tp-mlir, under the Apache License v2.0.
//
//===----------------------------------------------------------------------===//

#include "Writer.h"

using namespace mlir;
using namespace mlir::nn;
using namespace mlir::tp;

//===----------------------------------------------------------------------===//
// Take
//===----------------------------------------------------------------------===//

LogicalResult TakeOp::verify() {
  RankedTensorType input = getInput().getType();
  int64_t dim = getDim();
  if (dim < 0 || dim >= input.getRank())
    return emitOpError("has no dim ") << dim;
  SmallVector<int64_t> shape(input.getShape());
  shape.erase(shape.begin() + dim);
  auto wanted = RankedTensorType::get(shape, input.getElementType());
  if (getType() != wanted)
    return emitOpError("result must be ") << wanted;
  return success();
}

ShardingRule TakeOp::getShardingRule() {
  ShardingRule rule;
  rule.operands.resize(2);
  rule.results.resize(1);
  for (auto [i, size] : llvm::enumerate(getInput().getType().getShape())) {
    unsigned factor = rule.addFactor(size);
    rule.operands[0].push_back({factor});
    if (i == getDim())
      rule.factors[factor].kind = FactorKind::Replicate;
    else
      rule.results[0].push_back({factor});
  }
  rule.each = {0};
  return rule;
}

//===----------------------------------------------------------------------===//
// Embedding and its gradient
//===----------------------------------------------------------------------===//

/// `rows` is [ids..., width]; `table` is [vocabulary, width].
static LogicalResult verifyEmbedding(Operation *op, RankedTensorType ids,
                                     RankedTensorType table,
                                     RankedTensorType rows, bool local,
                                     std::optional<uint64_t> vocabulary) {
  if (table.getRank() != 2)
    return op->emitOpError("needs a table of rank 2, got ") << table;
  SmallVector<int64_t> shape(ids.getShape());
  shape.push_back(table.getDimSize(1));
  auto wanted = RankedTensorType::get(shape, table.getElementType());
  if (rows != wanted)
    return op->emitOpError("needs rows of type ") << wanted << ", got " << rows;
  if (local && !vocabulary)
    return op->emitOpError("with 'from' needs 'of', the size of the whole "
                           "vocabulary");
  if (vocabulary && int64_t(*vocabulary) <= 0)
    return op->emitOpError("needs a positive vocabulary");
  return success();
}

LogicalResult EmbeddingOp::verify() {
  return verifyEmbedding(*this, getIds().getType(), getTable().getType(),
                         getType(), bool(getStart()), getVocabulary());
}

ShardingRule EmbeddingOp::getShardingRule() {
  return ruleOf(*this, "([...],[v,w])->([...,w]); sum{v}; indexed{v}; "
                       "masked{v}; each{1}; checked{0}");
}

/// The vocabulary of an embedding that is not sharded yet.
static IntegerAttr vocabularyOf(Builder builder, IntegerAttr attribute,
                                RankedTensorType table) {
  return attribute ? attribute : builder.getI64IntegerAttr(table.getDimSize(0));
}

Operation *EmbeddingOp::buildLocal(OpBuilder &builder, ValueRange operands,
                                   TypeRange types,
                                   function_ref<Value(unsigned)> start) {
  unsigned factor = getShardingRule().operands[1][0].front();
  return EmbeddingOp::create(
      builder, getLoc(), types.front(), operands[0], operands[1],
      start ? start(factor) : Value(),
      vocabularyOf(builder, getVocabularyAttr(), getTable().getType()));
}

Value EmbeddingOp::getShardStart(unsigned factor) {
  return factor == getShardingRule().operands[1][0].front() ? getStart()
                                                            : Value();
}

std::optional<int64_t> EmbeddingOp::getMaskedExtent(unsigned) {
  return getVocabulary();
}

SmallVector<Value> EmbeddingOp::buildDerivative(OpBuilder &builder,
                                                ValueRange gradients) {
  Value table = EmbeddingGradientOp::create(
      builder, getLoc(), getTable().getType(), getIds(), gradients[0], Value(),
      getVocabularyAttr());
  return {Value(), table};
}

LogicalResult EmbeddingGradientOp::verify() {
  return verifyEmbedding(*this, getIds().getType(), getType(),
                         getGradient().getType(), bool(getStart()),
                         getVocabulary());
}

ShardingRule EmbeddingGradientOp::getShardingRule() {
  return ruleOf(*this, "([...],[...,w])->([v,w]); sum{...}; indexed{v}; "
                       "masked{v}; each{1}; checked{0}");
}

Operation *
EmbeddingGradientOp::buildLocal(OpBuilder &builder, ValueRange operands,
                                TypeRange types,
                                function_ref<Value(unsigned)> start) {
  unsigned factor = getShardingRule().results[0][0].front();
  return EmbeddingGradientOp::create(
      builder, getLoc(), types.front(), operands[0], operands[1],
      start ? start(factor) : Value(),
      vocabularyOf(builder, getVocabularyAttr(), getType()));
}

Value EmbeddingGradientOp::getShardStart(unsigned factor) {
  return factor == getShardingRule().results[0][0].front() ? getStart()
                                                           : Value();
}

std::optional<int64_t> EmbeddingGradientOp::getMaskedExtent(unsigned) {
  return getVocabulary();
}

//===----------------------------------------------------------------------===//
// Gather and scatter-add
//===----------------------------------------------------------------------===//

/// `tables` is [batch..., rows, width]; `rows` is [batch..., ..., width].
static LogicalResult verifyGather(Operation *op, RankedTensorType ids,
                                  RankedTensorType tables,
                                  RankedTensorType rows) {
  int64_t batch = tables.getRank() - 2;
  if (batch < 0)
    return op->emitOpError("needs tables [batch..., rows, width], got ")
           << tables;
  if (ids.getRank() < batch ||
      ids.getShape().take_front(batch) != tables.getShape().take_front(batch))
    return op->emitOpError("needs ids that begin with the batch of ")
           << tables << ", got " << ids;
  // Written out, rows are numbered through all tables, in 32 bits.
  int64_t count = 1;
  for (int64_t size : tables.getShape().drop_back())
    if (llvm::MulOverflow(count, size, count) || count > INT32_MAX)
      return op->emitOpError("needs fewer than 2^31 rows in all tables, got ")
             << tables;
  SmallVector<int64_t> shape(ids.getShape());
  shape.push_back(tables.getShape().back());
  auto wanted = RankedTensorType::get(shape, tables.getElementType());
  if (rows != wanted)
    return op->emitOpError("needs rows of type ") << wanted << ", got " << rows;
  return success();
}

/// The factors of ids, tables and rows; those of the dims that only ids and
/// rows have are of kind `rest`.
static ShardingRule gatherRule(RankedTensorType ids, RankedTensorType tables,
                               FactorKind rest) {
  ShardingRule rule;
  TensorFactors idDims, tableDims;
  for (auto [i, size] : llvm::enumerate(ids.getShape())) {
    bool isBatch = int64_t(i) < tables.getRank() - 2;
    idDims.push_back({rule.addFactor(size, isBatch ? FactorKind::Pass : rest)});
    if (isBatch)
      tableDims.push_back(idDims.back());
  }
  ArrayRef<int64_t> last = tables.getShape().take_back(2);
  tableDims.push_back({rule.addFactor(last[0], FactorKind::Replicate)});
  DimFactors width = {rule.addFactor(last[1])};
  tableDims.push_back(width);
  TensorFactors rowDims = idDims;
  rowDims.push_back(width);
  rule.operands = {idDims, tableDims};
  rule.results = {rowDims};
  rule.each = {1};
  rule.checked = {0};
  return rule;
}

/// The ids of the rows when the tables of all batches are one, as
/// [batch, the rest]; -1 for an id that is no row of its table.
static Value idsOfOneTable(Writer &write, Value ids, RankedTensorType tables) {
  int64_t rows = tables.getShape().take_back(2).front(), batches = 1;
  for (int64_t size : tables.getShape().drop_back(2))
    batches *= size;
  auto type = cast<RankedTensorType>(ids.getType());
  int64_t rest = batches ? type.getNumElements() / batches : 0;
  ids = write.reshape(ids, {batches, rest});
  Value isRow = write.compare(arith::CmpIPredicate::ult, ids,
                              write.splatInteger(ids, rows));
  Value first =
      write.mulInteger(write.iota(ids, 0), write.splatInteger(ids, rows));
  return write.select(isRow, write.addInteger(ids, first),
                      write.splatInteger(ids, -1));
}

LogicalResult GatherOp::verify() {
  return verifyGather(*this, getIds().getType(), getTable().getType(),
                      getType());
}

ShardingRule GatherOp::getShardingRule() {
  return gatherRule(getIds().getType(), getTable().getType(), FactorKind::Pass);
}

SmallVector<Value> GatherOp::decompose(OpBuilder &builder, unsigned, int64_t,
                                       int64_t) {
  Writer write(builder, getLoc());
  RankedTensorType tables = getTable().getType();
  Value ids = idsOfOneTable(write, getIds(), tables);
  SmallVector<int64_t> shape(shapeOf(ids.getType()));
  int64_t width = tables.getShape().back();
  int64_t rows = shape.front() * tables.getShape().take_back(2).front();
  Value table = write.reshape(getTable(), {rows, width});
  shape.push_back(width);
  Value found = EmbeddingOp::create(builder, getLoc(), tables.clone(shape), ids,
                                    table, Value(), IntegerAttr());
  return {write.reshape(found, getType().getShape())};
}

SmallVector<Value> GatherOp::buildDerivative(OpBuilder &builder,
                                             ValueRange gradients) {
  return {Value(), ScatterAddOp::create(builder, getLoc(), getTable().getType(),
                                        getIds(), gradients[0])};
}

LogicalResult ScatterAddOp::verify() {
  return verifyGather(*this, getIds().getType(), getType(),
                      getRows().getType());
}

ShardingRule ScatterAddOp::getShardingRule() {
  ShardingRule rule =
      gatherRule(getIds().getType(), getType(), FactorKind::Reduce);
  std::swap(rule.operands[1], rule.results[0]);
  return rule;
}

SmallVector<Value> ScatterAddOp::decompose(OpBuilder &builder, unsigned,
                                           int64_t, int64_t) {
  Writer write(builder, getLoc());
  Value ids = idsOfOneTable(write, getIds(), getType());
  SmallVector<int64_t> shape(shapeOf(ids.getType()));
  int64_t width = getType().getShape().back();
  int64_t rows = shape.front() * getType().getShape().take_back(2).front();
  shape.push_back(width);
  Value table = EmbeddingGradientOp::create(
      builder, getLoc(), getType().clone({rows, width}), ids,
      write.reshape(getRows(), shape), Value(), IntegerAttr());
  return {write.reshape(table, getType().getShape())};
}

SmallVector<Value> ScatterAddOp::buildDerivative(OpBuilder &builder,
                                                 ValueRange gradients) {
  return {Value(), GatherOp::create(builder, getLoc(), getRows().getType(),
                                    getIds(), gradients[0])};
}

//===----------------------------------------------------------------------===//
// Cache update
//===----------------------------------------------------------------------===//

LogicalResult CacheUpdateOp::verify() {
  RankedTensorType cache = getCache().getType(), update = getUpdate().getType();
  if (cache != getType())
    return emitOpError("result must be of the cache's type ") << cache;
  if (cache.getRank() < 2 || cache.getRank() != update.getRank() ||
      cache.getElementType() != update.getElementType())
    return emitOpError("needs a cache and an update of one rank, at least 2, "
                       "and one element type");
  for (int64_t i = 0; i < cache.getRank(); ++i)
    if (i != 1 && cache.getDimSize(i) != update.getDimSize(i))
      return emitOpError("cache and update differ in dim ") << i;
  if (getStart() && !getCapacity())
    return emitOpError("with 'from' needs 'of', the rows of the whole cache");
  int64_t capacity = getCapacity().value_or(cache.getDimSize(1));
  if (update.getDimSize(1) > capacity)
    return emitOpError("update of ")
           << update.getDimSize(1) << " rows is longer than the cache of "
           << capacity;
  return success();
}

ShardingRule CacheUpdateOp::getShardingRule() {
  return ruleOf(*this, "([b,m,...],[b,s,...],[],[])->([b,m,...]); "
                       "indexed{m}; masked{m}; replicate{s}; joint{0,1}");
}

/// The number of the factor of the cache's rows.
static unsigned rowFactor(CacheUpdateOp op) {
  return op.getShardingRule().operands[0][1].front();
}

Operation *CacheUpdateOp::buildLocal(OpBuilder &builder, ValueRange operands,
                                     TypeRange types,
                                     function_ref<Value(unsigned)> start) {
  IntegerAttr capacity = getCapacityAttr();
  int64_t rows = shapeOf(getType())[1];
  Value first = start ? start(rowFactor(*this)) : Value();
  // A shard of a padded cache can have as many rows as the cache.
  if (!capacity && (first || shapeOf(types.front())[1] != rows))
    capacity = builder.getI64IntegerAttr(rows);
  return CacheUpdateOp::create(builder, getLoc(), types.front(), operands[0],
                               operands[1], operands[2], operands[3], first,
                               capacity);
}

Value CacheUpdateOp::getShardStart(unsigned factor) {
  return factor == rowFactor(*this) ? getStart() : Value();
}

std::optional<int64_t> CacheUpdateOp::getMaskedExtent(unsigned) {
  return getCapacity();
}
