//===- RTDescriptors.cpp - the calls' words as tprt.h lays them out -------===//
//
// Part of tp-mlir, under the Apache License v2.0.
//
//===----------------------------------------------------------------------===//
//
// Descriptors are arrays of 64-bit words in the order of the fields of tprt.h.
// That header is the contract; it is not included, since the compiler does not
// depend on the runtime.
//
//===----------------------------------------------------------------------===//

#include "tp/Dialect/NN/IR/NN.h"
#include "tp/Dialect/RT/IR/RT.h"

using namespace mlir;
using namespace mlir::rt;

using Words = SmallVector<int64_t>;

static MemRefType typeOf(Value buffer) {
  return cast<MemRefType>(buffer.getType());
}

static int64_t codeOf(Value buffer) {
  return getDTypeCode(typeOf(buffer).getElementType()).value_or(-1);
}

static int64_t storedOf(Value buffer) { return getStoredCode(typeOf(buffer)); }

static int64_t product(ArrayRef<int64_t> sizes) {
  return llvm::product_of(sizes);
}

static int64_t bitsOf(const APFloat &value) {
  return llvm::bit_cast<int64_t>(value.convertToDouble());
}

/// The three extents that `dim` cuts a shape into: before, itself, after.
static Words around(ArrayRef<int64_t> shape, int64_t dim) {
  return {product(shape.take_front(dim)), shape[dim],
          product(shape.drop_front(dim + 1))};
}

//===----------------------------------------------------------------------===//
// Contract
//===----------------------------------------------------------------------===//

StringRef rt::ContractOp::getCallee() { return "tprt_contract"; }

/// Elements from one index of `letter` to the next; 0 if the tensor lacks it.
static int64_t strideOf(StringRef letters, char letter, MemRefType type) {
  size_t dim = letters.find(letter);
  return dim == StringRef::npos ? 0
                                : product(type.getShape().drop_front(dim + 1));
}

Words rt::ContractOp::getDescriptor() {
  nn::Equation equation = *nn::parseEquation(getEquation());
  auto lhs = typeOf(getLhs()), rhs = typeOf(getRhs()), out = typeOf(getOut());
  Words words{codeOf(getOut()), 0};
  auto add = [&](char letter, int64_t extent) {
    bool inLhs = equation.lhs.contains(letter),
         inRhs = equation.rhs.contains(letter);
    bool inOut = equation.result.contains(letter);
    int64_t kind = !inOut ? 3 : inLhs && inRhs ? 0 : inLhs ? 1 : 2;
    llvm::append_range(words,
                       Words{kind, extent, strideOf(equation.lhs, letter, lhs),
                             strideOf(equation.rhs, letter, rhs),
                             strideOf(equation.result, letter, out)});
    ++words[1];
  };
  // The result's dims in its order, then the contracted ones in the left's.
  for (auto [letter, extent] : llvm::zip(equation.result, out.getShape()))
    add(letter, extent);
  for (auto [letter, extent] : llvm::zip(equation.lhs, lhs.getShape()))
    if (!equation.result.contains(letter))
      add(letter, extent);
  words.resize(2 + 2 * kMaxRank * 5, 0);
  llvm::append_range(words, Words{storedOf(getLhs()), storedOf(getRhs())});
  return words;
}

//===----------------------------------------------------------------------===//
// Attention and rotary embedding
//===----------------------------------------------------------------------===//

StringRef rt::AttentionOp::getCallee() { return "tprt_attention"; }

Words rt::AttentionOp::getDescriptor() {
  ArrayRef<int64_t> q = typeOf(getQuery()).getShape();
  int64_t capacity = typeOf(getKey()).getDimSize(1);
  return {codeOf(getQuery()),
          q[0],
          q[1],
          int64_t(getKeys().value_or(capacity)),
          capacity,
          q[2],
          q[3],
          q[4],
          getCausal(),
          int64_t(getWindow().value_or(0)),
          bitsOf(getScale()),
          getSoftCap() ? bitsOf(*getSoftCap()) : 0};
}

SmallVector<Value> rt::AttentionOp::getCallOperands() {
  return {getQuery(), getKey(), getValue(), getOffset(), getStart(), getOut()};
}

StringRef rt::RotaryOp::getCallee() { return "tprt_rotary"; }

Words rt::RotaryOp::getDescriptor() {
  ArrayRef<int64_t> x = typeOf(getInput()).getShape();
  return {codeOf(getInput()),
          x[0],
          x[1],
          product(x.drop_front(2).drop_back()),
          x.back(),
          2 * typeOf(getCosine()).getDimSize(1),
          getInterleaved()};
}

//===----------------------------------------------------------------------===//
// Gather and scatter
//===----------------------------------------------------------------------===//

StringRef rt::EmbeddingOp::getCallee() { return "tprt_embedding"; }

Words rt::EmbeddingOp::getDescriptor() {
  auto table = typeOf(getTable());
  return {codeOf(getOut()),         typeOf(getIds()).getNumElements(),
          table.getDimSize(0),      table.getDimSize(1),
          int64_t(getVocabulary()), storedOf(getTable())};
}

StringRef rt::EmbeddingGradientOp::getCallee() {
  return "tprt_embedding_gradient";
}

Words rt::EmbeddingGradientOp::getDescriptor() {
  auto table = typeOf(getOut());
  return {codeOf(getOut()),         typeOf(getIds()).getNumElements(),
          table.getDimSize(0),      table.getDimSize(1),
          int64_t(getVocabulary()), 0};
}

StringRef rt::TopKOp::getCallee() { return "tprt_top_k"; }

Words rt::TopKOp::getDescriptor() {
  ArrayRef<int64_t> shape = typeOf(getValues()).getShape();
  int64_t segments = getSegments();
  return {codeOf(getValues()),
          product(shape.drop_back()),
          segments,
          shape.back() / segments,
          int64_t(getK()),
          int64_t(getSize())};
}

SmallVector<Value> rt::TopKOp::getCallOperands() {
  return {getValues(), getIds(), getStart(), getOutValues(), getOutIds()};
}

StringRef rt::CacheUpdateOp::getCallee() { return "tprt_cache_update"; }

Words rt::CacheUpdateOp::getDescriptor() {
  Words cache = around(typeOf(getCache()).getShape(), 1);
  return {codeOf(getCache()), cache[0],
          cache[1],           typeOf(getUpdate()).getDimSize(1),
          cache[2],           int64_t(getCapacity())};
}

StringRef rt::TakeOp::getCallee() { return "tprt_take"; }

Words rt::TakeOp::getDescriptor() {
  Words words{codeOf(getInput())};
  llvm::append_range(words, around(typeOf(getInput()).getShape(), getDim()));
  return words;
}

//===----------------------------------------------------------------------===//
// Copies, masks and collectives
//===----------------------------------------------------------------------===//

StringRef CopyOp::getCallee() { return "tprt_copy"; }

Words CopyOp::getDescriptor() {
  Words words{getElementBytes(typeOf(getInput()).getElementType()),
              int64_t(getExtents().size()), int64_t(getInputOffset()),
              int64_t(getOutOffset())};
  for (ArrayRef<int64_t> part :
       {getExtents(), getInputStrides(), getOutStrides()}) {
    llvm::append_range(words, part);
    words.append(kMaxRank - part.size(), 0);
  }
  return words;
}

StringRef rt::MaskOp::getCallee() { return "tprt_mask"; }

Words rt::MaskOp::getDescriptor() {
  Words words{codeOf(getBuffer())};
  llvm::append_range(words, around(typeOf(getBuffer()).getShape(), getDim()));
  words.push_back(getSize());
  words.push_back(bitsOf(getFill()));
  return words;
}

StringRef rt::MakePartialOp::getCallee() { return "tprt_make_partial"; }

Words rt::MakePartialOp::getDescriptor() {
  return {int64_t(getGroup()), int64_t(getReduction()), codeOf(getBuffer()),
          typeOf(getBuffer()).getNumElements()};
}

StringRef CollectiveOp::getCallee() { return "tprt_collective"; }

Words CollectiveOp::getDescriptor() {
  Words words{int64_t(getKind()),
              int64_t(getId()),
              int64_t(getReduction()),
              int64_t(getGroup()),
              int64_t(getSourceGroup().value_or(0)),
              int64_t(getInputs().size())};
  for (auto [i, input] : llvm::enumerate(getInputs())) {
    MemRefType type = typeOf(input);
    llvm::append_range(words, Words{codeOf(input), type.getRank()});
    llvm::append_range(words, type.getShape());
    words.append(kMaxRank - type.getRank(), 0);
    words.push_back(getDims() ? (*getDims())[i] : 0);
    words.push_back(getSplitDims() ? (*getSplitDims())[i] : 0);
  }
  words.resize(6 + kMaxCollectiveBuffers * (4 + kMaxRank), 0);
  return words;
}
