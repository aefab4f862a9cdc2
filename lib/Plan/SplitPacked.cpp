//===- SplitPacked.cpp - packed weights as one parameter a matrix ---------===//
//
// Part of tp-mlir, under the Apache License v2.0.
//
//===----------------------------------------------------------------------===//

#include "SplitPacked.h"
#include "tp/Dialect/NN/IR/NN.h"
#include "tp/Interfaces/ShardingRule.h"
#include "llvm/ADT/SetVector.h"
#include <map>
#include <set>

using namespace mlir;
using namespace mlir::tp;

namespace {

class Splitter {
public:
  Splitter(func::FuncOp function, unsigned argument, int64_t dim,
           llvm::BitVector &replaced)
      : function(function), weight(function.getArgument(argument)), dim(dim),
        replaced(replaced) {}

  bool run() {
    // The stored dim as a dim of the argument; where it is several, it has been
    // taken apart already.
    auto parameter = function.getArgAttrOfType<nn::ParameterAttr>(
        weight.getArgNumber(), nn::kParameterName);
    ArrayRef<int64_t> stored = parameter.getDims().asArrayRef();
    if (llvm::count(stored, dim) != 1)
      return true;
    dim = llvm::find(stored, dim) - stored.begin();
    bool isSliced = findSlices(weight, dim, /*depth=*/0);
    if (ranges.empty())
      return true;
    int64_t end = 0;
    for (const auto &[offset, size] : ranges) {
      if (offset != end)
        return false;
      end += size;
    }
    if (!isSliced || end != shapeOf(weight.getType())[dim])
      return false;
    // Uses have an order of their own.
    llvm::sort(slices, [](Slice a, Slice b) {
      return a.range != b.range ? a.range < b.range
                                : a.op->isBeforeInBlock(b.op);
    });
    for (auto &[slice, range, along] : slices) {
      OpBuilder builder(slice);
      slice.getResult().replaceAllUsesWith(
          sliced(builder, slice.getInput(), along, range, /*depth=*/0));
    }
    eraseUnused();
    return true;
  }

private:
  using Range = std::pair<int64_t, int64_t>; ///< offset and size
  struct Slice {
    nn::SliceOp op;
    Range range;
    int64_t along;
  };
  /// Nothing longer stands between a weight and its slices.
  static constexpr unsigned kMaxDepth = 32;

  /// The factor of `dims[along]` if it can be cut anywhere.
  static std::optional<unsigned>
  factorOf(const ShardingRule &rule, const TensorFactors &dims, int64_t along) {
    if (along >= int64_t(dims.size()) || dims[along].size() != 1)
      return std::nullopt;
    unsigned factor = dims[along].front();
    bool isPlain = rule.factors[factor].kind == FactorKind::Pass &&
                   !rule.factors[factor].indexed;
    return isPlain ? std::optional<unsigned>(factor) : std::nullopt;
  }

  /// The dim of a tensor that is `factor`; none if it has none.
  static std::optional<int64_t> dimOf(const TensorFactors &dims,
                                      unsigned factor) {
    for (auto [i, factors] : llvm::enumerate(dims))
      if (factors.size() == 1 && factors.front() == factor)
        return i;
    return std::nullopt;
  }

  /// Whether all that comes of `value` are slices along `along`; collects them.
  bool findSlices(Value value, int64_t along, unsigned depth) {
    if (depth > kMaxDepth)
      return false;
    bool isSliced = !value.use_empty();
    for (OpOperand &use : value.getUses()) {
      Operation *op = use.getOwner();
      if (auto slice = dyn_cast<nn::SliceOp>(op)) {
        isSliced &= addSlice(slice, along);
        continue;
      }
      auto ruled = dyn_cast<ShardingRuleOpInterface>(op);
      if (!ruled || op->getNumResults() != 1)
        return false;
      ShardingRule rule = ruled.getShardingRule();
      auto factor =
          factorOf(rule, rule.operands[use.getOperandNumber()], along);
      auto next = factor ? dimOf(rule.results[0], *factor) : std::nullopt;
      if (!next)
        return false;
      // An op that uses the value twice is looked at once.
      if (visited.insert(op))
        isSliced &= findSlices(op->getResult(0), *next, depth + 1);
    }
    return isSliced;
  }

  bool addSlice(nn::SliceOp slice, int64_t along) {
    ArrayRef<int64_t> from = slice.getInput().getType().getShape();
    ArrayRef<int64_t> to = slice.getType().getShape();
    for (auto [i, offset] : llvm::enumerate(slice.getOffsets())) {
      bool isWhole = offset == 0 && from[i] == to[i];
      if (slice.getStrides()[i] != 1 || (int64_t(i) != along && !isWhole))
        return false;
    }
    Range range = {slice.getOffsets()[along], to[along]};
    ranges.insert(range);
    slices.push_back({slice, range, along});
    return true;
  }

  /// `value` without what is outside of the range.
  Value sliced(OpBuilder &builder, Value value, int64_t along, Range range,
               unsigned depth) {
    auto key = std::make_tuple(value.getAsOpaquePointer(), along, range);
    if (auto it = made.find(key); it != made.end())
      return it->second;
    Value result = slicedParameter(value, along, range);
    if (!result && depth <= kMaxDepth)
      result = slicedOp(builder, value, along, range, depth);
    if (!result) {
      auto type = cast<RankedTensorType>(value.getType());
      SmallVector<int64_t> shape(type.getShape()), offsets(shape.size(), 0);
      shape[along] = range.second;
      offsets[along] = range.first;
      result =
          nn::SliceOp::create(builder, value.getLoc(), type.clone(shape), value,
                              offsets, SmallVector<int64_t>(shape.size(), 1));
    }
    made[key] = result;
    return result;
  }

  Value slicedOp(OpBuilder &builder, Value value, int64_t along, Range range,
                 unsigned depth) {
    Operation *op = value.getDefiningOp();
    auto ruled = dyn_cast_or_null<ShardingRuleOpInterface>(op);
    if (!ruled || op->getNumResults() != 1 || op->getNumOperands() == 0)
      return {};
    ShardingRule rule = ruled.getShardingRule();
    std::optional<unsigned> factor = factorOf(rule, rule.results[0], along);
    if (!factor)
      return {};
    OpBuilder here(op);
    SmallVector<Value> operands;
    for (auto [operand, dims] : llvm::zip(op->getOperands(), rule.operands)) {
      std::optional<int64_t> other = dimOf(dims, *factor);
      operands.push_back(other ? sliced(here, operand, *other, range, depth + 1)
                               : operand);
    }
    auto type = cast<RankedTensorType>(value.getType());
    SmallVector<int64_t> shape(type.getShape());
    shape[along] = range.second;
    Type local = type.clone(shape);
    Operation *part = ruled.buildLocal(here, operands, local, [](unsigned) {
      return Value(); // No indexed factor is cut.
    });
    old.insert(op);
    return part->getResult(0);
  }

  /// A parameter for the range; null if `value` is none.
  Value slicedParameter(Value value, int64_t along, Range range) {
    auto argument = dyn_cast<BlockArgument>(value);
    if (!argument || argument.getOwner() != &function.getBody().front())
      return {};
    unsigned number = argument.getArgNumber();
    auto parameter = function.getArgAttrOfType<nn::ParameterAttr>(
        number, nn::kParameterName);
    if (!parameter)
      return {};
    MLIRContext *context = function.getContext();
    int64_t stored = parameter.getDims().asArrayRef()[along];
    SmallVector<int64_t> offset(parameter.getOffset().asArrayRef());
    offset[stored] += range.first * parameter.getStrides().asArrayRef()[along];
    auto type = cast<RankedTensorType>(value.getType());
    SmallVector<int64_t> shape(type.getShape());
    shape[along] = range.second;
    // A name of its own, since arguments of a program have one each.
    auto name = StringAttr::get(
        context, parameter.getName().getValue() + "[" + Twine(range.first) +
                     ":" + Twine(range.first + range.second) + "]");
    NamedAttrList attributes(function.getArgAttrDict(number));
    attributes.set(nn::kParameterName,
                   nn::ParameterAttr::get(
                       context, name, parameter.getTensor(),
                       parameter.getShape(),
                       DenseI64ArrayAttr::get(context, offset),
                       parameter.getDims(), parameter.getStrides(),
                       parameter.getInitialisation(), parameter.getAliases()));
    unsigned last = function.getNumArguments();
    (void)function.insertArgument(last, type.clone(shape),
                                  attributes.getDictionary(context),
                                  argument.getLoc());
    oldParameters.insert(number);
    return function.getArgument(last);
  }

  /// What the slices replaced.
  void eraseUnused() {
    for (auto &[slice, range, along] : slices)
      slice->erase();
    // An op is in the list after what it uses.
    for (Operation *op : llvm::reverse(old))
      if (op->use_empty())
        op->erase();
    for (unsigned number : oldParameters)
      if (function.getArgument(number).use_empty())
        replaced.set(number);
  }

  func::FuncOp function;
  BlockArgument weight;
  int64_t dim;
  llvm::BitVector &replaced;
  std::set<Range> ranges;
  std::vector<Slice> slices;
  llvm::SetVector<Operation *> visited, old;
  std::set<unsigned> oldParameters;
  std::map<std::tuple<void *, int64_t, Range>, Value> made; ///< looked up only
};

} // namespace

bool tp::splitPacked(func::FuncOp function, unsigned argument, int64_t dim,
                     llvm::BitVector &replaced) {
  return Splitter(function, argument, dim, replaced).run();
}
