//===- Contraction.cpp - contraction and reduction ------------------------===//
//
// Part of tp-mlir, under the Apache License v2.0.
//
//===----------------------------------------------------------------------===//

#include "tp/Dialect/NN/IR/NN.h"
#include "llvm/ADT/StringMap.h"

using namespace mlir;
using namespace mlir::nn;
using namespace mlir::tp;

//===----------------------------------------------------------------------===//
// Contract
//===----------------------------------------------------------------------===//

FailureOr<Equation> nn::parseEquation(StringRef text) {
  auto isLetter = [](char c) { return llvm::isAlpha(c); };
  Equation equation;
  equation.lhs = text.take_while(isLetter);
  text = text.drop_front(equation.lhs.size());
  if (!text.consume_front(","))
    return failure();
  equation.rhs = text.take_while(isLetter);
  text = text.drop_front(equation.rhs.size());
  if (!text.consume_front("->"))
    return failure();
  equation.result = text;
  if (!llvm::all_of(text, isLetter))
    return failure();
  return equation;
}

static LogicalResult checkLetters(ContractOp op, StringRef letters,
                                  RankedTensorType type, StringRef what,
                                  llvm::SmallDenseMap<char, int64_t> &sizes,
                                  llvm::SmallDenseMap<char, int> &counts) {
  if (int64_t(letters.size()) != type.getRank())
    return op.emitOpError()
           << what << " has " << type.getRank()
           << " dims, the equation names \"" << letters << "\"";
  for (auto [i, letter] : llvm::enumerate(letters)) {
    if (letters.find(letter, i + 1) != StringRef::npos)
      return op.emitOpError()
             << "dim '" << letter << "' occurs twice in " << what;
    auto [it, inserted] = sizes.try_emplace(letter, type.getDimSize(i));
    if (!inserted && it->second != type.getDimSize(i))
      return op.emitOpError() << "dim '" << letter << "' is " << it->second
                              << " and " << type.getDimSize(i);
    ++counts[letter];
  }
  return success();
}

LogicalResult ContractOp::verify() {
  FailureOr<Equation> equation = parseEquation(getEquation());
  if (failed(equation))
    return emitOpError("equation must look like \"bsk,nk->bsn\", got \"")
           << getEquation() << "\"";
  llvm::SmallDenseMap<char, int64_t> sizes;
  llvm::SmallDenseMap<char, int> counts;
  RankedTensorType lhs = getLhs().getType(), rhs = getRhs().getType(),
                   result = getType();
  if (failed(checkLetters(*this, equation->lhs, lhs, "lhs", sizes, counts)) ||
      failed(checkLetters(*this, equation->rhs, rhs, "rhs", sizes, counts)) ||
      failed(checkLetters(*this, equation->result, result, "result", sizes,
                          counts)))
    return failure();
  for (char letter : (equation->lhs + equation->rhs + equation->result).str())
    if (counts[letter] < 2)
      return emitOpError("dim '") << letter << "' occurs in one tensor only";
  if (lhs.getElementType() != rhs.getElementType() ||
      lhs.getElementType() != result.getElementType())
    return emitOpError("needs one element type for all tensors");
  return success();
}

ShardingRule ContractOp::getShardingRule() {
  ShardingRule rule;
  FailureOr<Equation> equation = parseEquation(getEquation());
  if (failed(equation))
    return rule; // Not verified.
  llvm::SmallDenseMap<char, unsigned> factors;
  auto dimsOf = [&](StringRef letters, ArrayRef<int64_t> shape) {
    TensorFactors dims;
    for (auto [letter, size] : llvm::zip(letters, shape)) {
      auto it = factors.find(letter);
      if (it == factors.end())
        it = factors.try_emplace(letter, rule.addFactor(size)).first;
      dims.push_back({it->second});
    }
    return dims;
  };
  rule.operands = {dimsOf(equation->lhs, getLhs().getType().getShape()),
                   dimsOf(equation->rhs, getRhs().getType().getShape())};
  rule.results = {dimsOf(equation->result, getType().getShape())};
  for (auto [letter, factor] : factors)
    if (!equation->result.contains(letter))
      rule.factors[factor].kind = FactorKind::Reduce;
  rule.each = {0, 1};
  return rule;
}

Operation *ContractOp::splitFactor(OpBuilder &builder, unsigned factor,
                                   ArrayRef<int64_t> sizes,
                                   ValueRange operands) {
  FailureOr<Equation> equation = parseEquation(getEquation());
  ShardingRule rule = getShardingRule();
  if (failed(equation))
    return nullptr;
  // The letter of the factor, and unused letters for its parts.
  char letter = 0;
  for (auto [tensor, letters] : {std::pair(&rule.operands[0], equation->lhs),
                                 std::pair(&rule.operands[1], equation->rhs)})
    for (auto [dim, name] : llvm::zip(*tensor, letters))
      if (dim.front() == factor)
        letter = name;
  std::string parts;
  StringRef alphabet = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ";
  for (char candidate : alphabet)
    if (parts.size() < sizes.size() && !getEquation().contains(candidate))
      parts.push_back(candidate);
  if (!letter || parts.size() < sizes.size())
    return nullptr;
  std::string text;
  for (char c : getEquation())
    c == letter ? text.append(parts) : text.append(1, c);
  return ContractOp::create(
      builder, getLoc(), splitResultTypes(*this, rule, factor, sizes).front(),
      operands[0], operands[1], text);
}

SmallVector<Value> ContractOp::buildDerivative(OpBuilder &builder,
                                               ValueRange gradients) {
  FailureOr<Equation> equation = parseEquation(getEquation());
  if (failed(equation))
    return {};
  auto equationOf = [](StringRef a, StringRef b, StringRef result) {
    return (a + "," + b + "->" + result).str();
  };
  Value lhs = ContractOp::create(
      builder, getLoc(), getLhs().getType(), gradients[0], getRhs(),
      equationOf(equation->result, equation->rhs, equation->lhs));
  Value rhs = ContractOp::create(
      builder, getLoc(), getRhs().getType(), gradients[0], getLhs(),
      equationOf(equation->result, equation->lhs, equation->rhs));
  return {lhs, rhs};
}

//===----------------------------------------------------------------------===//
// Reduce
//===----------------------------------------------------------------------===//

/// Distinct dims of a tensor of rank `rank`.
static LogicalResult verifyDims(Operation *op, ArrayRef<int64_t> dims,
                                int64_t rank) {
  llvm::SmallBitVector seen(rank);
  for (int64_t dim : dims) {
    if (dim < 0 || dim >= rank)
      return op->emitOpError("has no dim ") << dim;
    if (seen.test(dim))
      return op->emitOpError("names dim ") << dim << " twice";
    seen.set(dim);
  }
  return success();
}

LogicalResult ReduceOp::verify() {
  RankedTensorType input = getInput().getType();
  std::optional<ReduceKind> kind = symbolizeReduceKind(getKind());
  if (!kind || *kind == ReduceKind::And || *kind == ReduceKind::Or)
    return emitOpError("kind is sum, max, min or product, got ") << getKind();
  if (failed(verifyDims(*this, getDims(), input.getRank())))
    return failure();
  SmallVector<int64_t> shape;
  for (auto [i, size] : llvm::enumerate(input.getShape()))
    if (!llvm::is_contained(getDims(), int64_t(i)))
      shape.push_back(size);
  auto wanted = RankedTensorType::get(shape, input.getElementType());
  if (wanted != getType())
    return emitOpError("result must be ") << wanted;
  return success();
}

ShardingRule ReduceOp::getShardingRule() {
  ShardingRule rule;
  rule.operands.resize(1);
  rule.results.resize(1);
  ReduceKind kind = symbolizeReduceKind(getKind()).value_or(ReduceKind::Sum);
  for (auto [i, size] : llvm::enumerate(getInput().getType().getShape())) {
    unsigned factor = rule.addFactor(size);
    rule.operands[0].push_back({factor});
    if (!llvm::is_contained(getDims(), int64_t(i))) {
      rule.results[0].push_back({factor});
      continue;
    }
    rule.factors[factor].kind = FactorKind::Reduce;
    rule.factors[factor].reduction = kind;
  }
  if (kind == ReduceKind::Sum)
    rule.joint = {0};
  return rule;
}

Operation *ReduceOp::splitFactor(OpBuilder &builder, unsigned factor,
                                 ArrayRef<int64_t> sizes, ValueRange operands) {
  SmallVector<int64_t> dims;
  int64_t extra = int64_t(sizes.size()) - 1;
  for (int64_t dim : getDims()) {
    int64_t first = dim > int64_t(factor) ? dim + extra : dim;
    for (int64_t i = 0; i <= (dim == int64_t(factor) ? extra : 0); ++i)
      dims.push_back(first + i);
  }
  return ReduceOp::create(
      builder, getLoc(),
      splitResultTypes(*this, getShardingRule(), factor, sizes).front(),
      operands[0], getKind(), dims);
}
