//===- Normalise.cpp - moves shape ops into the parameters ----------------===//
//
// Part of tp-mlir, under the Apache License v2.0.
//
//===----------------------------------------------------------------------===//

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "tp/Dialect/NN/IR/NN.h"
#include "tp/Dialect/NN/Transforms/Passes.h"

using namespace mlir;
using namespace mlir::nn;
using namespace mlir::tp;

namespace mlir::nn {
#define GEN_PASS_DEF_NNNORMALISE
#include "tp/Dialect/NN/Transforms/Passes.h.inc"
} // namespace mlir::nn

namespace {

/// The dims of `value` with dim `dim` replaced by `sizes`.
RankedTensorType splitType(Value value, int64_t dim, ArrayRef<int64_t> sizes) {
  auto type = cast<RankedTensorType>(value.getType());
  SmallVector<int64_t> shape(type.getShape());
  shape.erase(shape.begin() + dim);
  shape.insert(shape.begin() + dim, sizes.begin(), sizes.end());
  return type.clone(shape);
}

/// One dim of the reshape's input that becomes several of its result, or the
/// other way round. `dim` is the position of the single dim.
struct Cut {
  int64_t dim;
  SmallVector<int64_t> sizes;
};

/// The cuts by which `one` (the factors of a tensor) has compound dims.
SmallVector<Cut> cutsOf(const ShardingRule &rule, const TensorFactors &one) {
  SmallVector<Cut> cuts;
  for (auto [dim, factors] : llvm::enumerate(one)) {
    if (factors.size() < 2)
      continue;
    Cut cut{int64_t(dim), {}};
    for (unsigned factor : factors)
      cut.sizes.push_back(rule.factors[factor].size);
    cuts.push_back(cut);
  }
  return cuts;
}

/// Whether every dim of `one` is a single factor (or one element) and none is
/// whole on every device: the other side then has the compound dims, if any.
bool isPlain(const ShardingRule &rule, const TensorFactors &one) {
  return llvm::all_of(one, [&](const DimFactors &factors) {
    return factors.empty() ||
           (factors.size() == 1 &&
            rule.factors[factors[0]].kind == FactorKind::Pass);
  });
}

class Normaliser {
public:
  explicit Normaliser(func::FuncOp function) : function(function) {}

  void run() {
    // Every step removes a reshape or moves it towards a parameter or a result,
    // so that each is looked at a bounded number of times.
    function.walk([&](ReshapeOp op) { worklist.push_back(op); });
    while (!worklist.empty()) {
      Operation *op = worklist.pop_back_val();
      if (!erased.contains(op))
        visit(cast<ReshapeOp>(op));
    }
    updateFunctionType();
  }

private:
  void visit(ReshapeOp op) {
    if (op->use_empty())
      return erase(op);
    if (op.getInput().getType() == op.getType())
      return replace(op, op.getInput());
    if (auto inner = op.getInput().getDefiningOp<ReshapeOp>()) {
      op.getInputMutable().assign(inner.getInput());
      worklist.push_back(op);
      if (inner->use_empty())
        erase(inner);
      return;
    }
    ShardingRule rule = op.getShardingRule();
    if (isPlain(rule, rule.results[0]))
      return hoist(op, cutsOf(rule, rule.operands[0]));
    if (isPlain(rule, rule.operands[0]))
      return sink(op, cutsOf(rule, rule.results[0]));
  }

  /// A reshape that splits dims: asks its producer for them. From the last dim
  /// on, so that positions stay valid.
  void hoist(ReshapeOp op, ArrayRef<Cut> cuts) {
    Value value = op.getInput();
    if (cuts.empty())
      return; // Only dims of one element come or go.
    for (const Cut &cut : llvm::reverse(cuts))
      if (!canSplit(value, cut.dim))
        return;
    for (const Cut &cut : llvm::reverse(cuts))
      value = split(value, cut.dim, cut.sizes);
    // Dims of one element are not part of a cut.
    if (value.getType() != op.getType()) {
      OpBuilder builder(op);
      value = ReshapeOp::create(builder, op.getLoc(), op.getType(), value);
    }
    replace(op, value);
  }

  /// A reshape that merges dims: asks each user to work on the parts.
  void sink(ReshapeOp op, ArrayRef<Cut> cuts) {
    if (cuts.size() != 1)
      return;
    const Cut &cut = cuts.front();
    SmallVector<Operation *> users;
    for (Operation *user : op->getUsers())
      if (!llvm::is_contained(users, user))
        users.push_back(user);
    for (Operation *user : users) {
      std::optional<unsigned> factor = factorOfOperand(user, op, cut.dim);
      if (factor && canSplitFactor(user, *factor, op))
        splitUser(user, *factor, cut.sizes);
    }
    if (op->use_empty())
      erase(op);
  }

  /// The factor of dim `dim` wherever `user` uses `value`.
  static std::optional<unsigned> factorOfOperand(Operation *user, Value value,
                                                 int64_t dim) {
    auto ruled = dyn_cast<ShardingRuleOpInterface>(user);
    if (!ruled || isa<ReshapeOp>(user))
      return std::nullopt;
    ShardingRule rule = ruled.getShardingRule();
    for (auto [operand, dims] : llvm::zip(user->getOperands(), rule.operands))
      if (operand == value && dim < int64_t(dims.size()) &&
          dims[dim].size() == 1)
        return dims[dim].front();
    return std::nullopt;
  }

  //===--------------------------------------------------------------------===//
  // Whether
  //===--------------------------------------------------------------------===//

  bool canSplit(Value value, int64_t dim) {
    if (auto argument = dyn_cast<BlockArgument>(value))
      return argument.getOwner() == &function.getBody().front() &&
             function.getArgAttr(argument.getArgNumber(), kParameterName) &&
             !function.getArgAttr(argument.getArgNumber(), "tp.sharding");
    Operation *op = value.getDefiningOp();
    if (isa<ReshapeOp>(op))
      return true; // Composes.
    auto ruled = dyn_cast<ShardingRuleOpInterface>(op);
    if (!ruled)
      return false;
    ShardingRule rule = ruled.getShardingRule();
    const TensorFactors &dims =
        rule.results[cast<OpResult>(value).getResultNumber()];
    return dims[dim].size() == 1 && canSplitFactor(op, dims[dim].front(), {});
  }

  /// Whether `op` and every operand other than `except` can have factor split.
  bool canSplitFactor(Operation *op, unsigned factor, Value except) {
    auto ruled = cast<ShardingRuleOpInterface>(op);
    ShardingRule rule = ruled.getShardingRule();
    if (rule.factors[factor].kind == FactorKind::Replicate ||
        rule.factors[factor].kind == FactorKind::Decompose || !splits(ruled))
      return false;
    for (auto [operand, dims] : llvm::zip(op->getOperands(), rule.operands))
      for (auto [i, factors] : llvm::enumerate(dims))
        if (llvm::is_contained(factors, factor) && operand != except &&
            (factors.size() != 1 || !canSplit(operand, i)))
          return false;
    return true;
  }

  /// Whether the kind of op knows how to split a factor at all: asked once a
  /// name, on a scratch copy.
  bool splits(ShardingRuleOpInterface op) {
    auto [it, inserted] = splitting.try_emplace(op->getName().getStringRef());
    if (!inserted)
      return it->second;
    OpBuilder builder(op);
    ShardingRule rule = op.getShardingRule();
    for (unsigned factor = 0; factor < rule.factors.size(); ++factor) {
      int64_t size = rule.factors[factor].size;
      Operation *probe =
          op.splitFactor(builder, factor, {size}, op->getOperands());
      it->second |= probe != nullptr;
      if (probe)
        probe->erase();
    }
    return it->second;
  }

  //===--------------------------------------------------------------------===//
  // Doing it
  //===--------------------------------------------------------------------===//

  Value split(Value value, int64_t dim, ArrayRef<int64_t> sizes) {
    if (auto argument = dyn_cast<BlockArgument>(value))
      return splitParameter(argument, dim, sizes);
    Operation *op = value.getDefiningOp();
    if (auto reshape = dyn_cast<ReshapeOp>(op)) {
      RankedTensorType type = splitType(value, dim, sizes);
      if (type == reshape.getInput().getType())
        return reshape.getInput();
      OpBuilder builder(op);
      auto composed =
          ReshapeOp::create(builder, op->getLoc(), type, reshape.getInput());
      worklist.push_back(composed);
      return composed;
    }
    unsigned number = cast<OpResult>(value).getResultNumber();
    ShardingRule rule = cast<ShardingRuleOpInterface>(op).getShardingRule();
    return splitOp(op, rule.results[number][dim].front(), sizes)
        ->getResult(number);
  }

  /// Replaces `op` by its split self; other users see the parts merged again.
  Operation *splitOp(Operation *op, unsigned factor, ArrayRef<int64_t> sizes) {
    auto ruled = cast<ShardingRuleOpInterface>(op);
    ShardingRule rule = ruled.getShardingRule();
    SmallVector<Value> operands;
    for (auto [operand, dims] : llvm::zip(op->getOperands(), rule.operands)) {
      Value part = operand;
      for (auto [i, factors] : llvm::enumerate(dims))
        if (factors.size() == 1 && factors[0] == factor) {
          part = split(part, i, sizes);
          break; // A factor occurs once in a tensor.
        }
      operands.push_back(part);
    }
    OpBuilder builder(op);
    Operation *parts = ruled.splitFactor(builder, factor, sizes, operands);
    mergeFor(op, parts);
    return parts;
  }

  /// The users of `op`'s results get the parts of `parts`, merged.
  void mergeFor(Operation *op, Operation *parts) {
    OpBuilder builder(op);
    for (auto [old, part] : llvm::zip(op->getResults(), parts->getResults())) {
      if (old.use_empty())
        continue;
      if (old.getType() == part.getType()) {
        old.replaceAllUsesWith(part);
        continue;
      }
      auto merged =
          ReshapeOp::create(builder, op->getLoc(), old.getType(), part);
      old.replaceAllUsesWith(merged);
      worklist.push_back(merged);
    }
    erase(op);
  }

  void splitUser(Operation *user, unsigned factor, ArrayRef<int64_t> sizes) {
    splitOp(user, factor, sizes);
  }

  Value splitParameter(BlockArgument argument, int64_t dim,
                       ArrayRef<int64_t> sizes) {
    unsigned number = argument.getArgNumber();
    auto parameter =
        function.getArgAttrOfType<ParameterAttr>(number, kParameterName);
    SmallVector<int64_t> dims(parameter.getDims().asArrayRef());
    SmallVector<int64_t> strides(parameter.getStrides().asArrayRef());
    int64_t stride = strides[dim];
    SmallVector<int64_t> parts(sizes.size());
    for (int64_t i = int64_t(sizes.size()) - 1; i >= 0; --i) {
      parts[i] = stride;
      stride *= sizes[i];
    }
    dims.insert(dims.begin() + dim, sizes.size() - 1, dims[dim]);
    strides.erase(strides.begin() + dim);
    strides.insert(strides.begin() + dim, parts.begin(), parts.end());

    Type old = argument.getType();
    argument.setType(splitType(argument, dim, sizes));
    MLIRContext *context = function.getContext();
    function.setArgAttr(
        number, kParameterName,
        ParameterAttr::get(context, parameter.getName(), parameter.getTensor(),
                           parameter.getShape(), parameter.getOffset(),
                           DenseI64ArrayAttr::get(context, dims),
                           DenseI64ArrayAttr::get(context, strides),
                           parameter.getInitialisation(),
                           parameter.getAliases()));
    // Everyone else still sees the old shape; the caller takes the argument.
    OpBuilder builder = OpBuilder::atBlockBegin(argument.getOwner());
    auto merged = ReshapeOp::create(builder, argument.getLoc(), old, argument);
    argument.replaceAllUsesExcept(merged, merged);
    worklist.push_back(merged);
    return argument;
  }

  void replace(ReshapeOp op, Value value) {
    op.getResult().replaceAllUsesWith(value);
    erase(op);
  }

  void erase(Operation *op) {
    erased.insert(op);
    // Operations stay allocated until the end, so that the worklist may hold
    // pointers to them.
    op->dropAllReferences();
    op->remove();
    graveyard.push_back(op);
  }

  void updateFunctionType() {
    for (Operation *op : graveyard)
      op->destroy();
    SmallVector<Type> results;
    Operation *terminator = function.getBody().front().getTerminator();
    llvm::append_range(results, terminator->getOperandTypes());
    function.setFunctionType(FunctionType::get(
        function.getContext(), function.getBody().front().getArgumentTypes(),
        results));
  }

  func::FuncOp function;
  SmallVector<Operation *> worklist, graveyard;
  DenseSet<Operation *> erased;
  llvm::StringMap<bool> splitting;
};

struct Normalise : nn::impl::NNNormaliseBase<Normalise> {
  void runOnOperation() override {
    func::FuncOp function = getOperation();
    if (function.isExternal() || !function.getBody().hasOneBlock())
      return;
    Normaliser(function).run();
  }
};

} // namespace
