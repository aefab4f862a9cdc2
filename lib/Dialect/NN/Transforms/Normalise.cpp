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

/// A part of one dim.
struct Part {
  int64_t dim, offset, stride, size;
};

/// The part that a slice takes of one dim, all others being whole; none if it
/// cuts several, or nothing.
std::optional<Part> partOf(SliceOp op) {
  std::optional<Part> part;
  ArrayRef<int64_t> from = op.getInput().getType().getShape();
  for (auto [i, size] : llvm::enumerate(op.getType().getShape())) {
    int64_t offset = op.getOffsets()[i], stride = op.getStrides()[i];
    if (size == from[i] && offset == 0 && stride == 1)
      continue;
    if (part)
      return std::nullopt;
    part = Part{int64_t(i), offset, stride, size};
  }
  return part;
}

/// Between a fused weight and what its parts are used for stand a bias and a
/// boundary or two.
constexpr int kMostOpsToParameter = 16;

class Normaliser {
public:
  explicit Normaliser(func::FuncOp function) : function(function) {
    function.getAllArgAttrs(attributes);
    attributes.resize(function.getNumArguments());
  }

  void run() {
    // Every step removes a reshape or a slice or moves it towards a parameter
    // or a result, so that each is looked at a bounded number of times. Slices
    // wait for the reshapes that there are; the first slice comes first, so
    // that those of its parts find them.
    function.walk([&](SliceOp op) { worklist.push_back(op); });
    std::reverse(worklist.begin(), worklist.end());
    function.walk([&](ReshapeOp op) { worklist.push_back(op); });
    while (!worklist.empty()) {
      Operation *op = worklist.pop_back_val();
      if (erased.contains(op))
        continue;
      if (auto reshape = dyn_cast<ReshapeOp>(op))
        visit(reshape);
      else
        visit(cast<SliceOp>(op));
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
      if (erased.contains(user))
        continue; // Split with an earlier one, whose operand it made.
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

  DictionaryAttr &attributesOf(BlockArgument argument) {
    return attributes[argument.getArgNumber()];
  }

  /// A parameter that nobody has placed yet.
  bool isFreeParameter(BlockArgument argument) {
    if (argument.getOwner() != &function.getBody().front())
      return false;
    DictionaryAttr known = attributesOf(argument);
    return known && known.get(kParameterName) && !known.get("tp.sharding");
  }

  ParameterAttr parameterOf(BlockArgument argument) {
    return attributesOf(argument).getAs<ParameterAttr>(kParameterName);
  }

  void setParameter(BlockArgument argument, ParameterAttr parameter) {
    NamedAttrList list(attributesOf(argument));
    list.set(kParameterName, parameter);
    attributesOf(argument) = list.getDictionary(function.getContext());
  }

  bool canSplit(Value value, int64_t dim) {
    if (auto argument = dyn_cast<BlockArgument>(value))
      return isFreeParameter(argument);
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
    if (rule.factors[factor].kind == FactorKind::Replicate || !splits(ruled))
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
    ParameterAttr parameter = parameterOf(argument);
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
    setParameter(argument,
                 ParameterAttr::get(
                     context, parameter.getName(), parameter.getTensor(),
                     parameter.getShape(), parameter.getOffset(),
                     DenseI64ArrayAttr::get(context, dims),
                     DenseI64ArrayAttr::get(context, strides),
                     parameter.getInitialisation(), parameter.getAliases(),
                     parameter.getStored()));
    // Everyone else still sees the old shape; the caller takes the argument.
    OpBuilder builder = OpBuilder::atBlockBegin(argument.getOwner());
    auto merged = ReshapeOp::create(builder, argument.getLoc(), old, argument);
    argument.replaceAllUsesExcept(merged, merged);
    worklist.push_back(merged);
    return argument;
  }

  //===--------------------------------------------------------------------===//
  // Slices
  //===--------------------------------------------------------------------===//

  /// A value of which all that is used are slices of one dim is computed in
  /// these parts from the beginning, if that begins with parts of parameters.
  /// Of slices that overlap something would be computed twice.
  void visit(SliceOp op) {
    if (op->use_empty())
      return erase(op);
    Value value = op.getInput();
    std::optional<Part> first = partOf(op);
    if (!first)
      return;
    SmallVector<std::pair<SliceOp, Part>> slices;
    int64_t left = shapeOf(value.getType())[first->dim];
    for (Operation *user : llvm::make_early_inc_range(value.getUsers())) {
      auto slice = dyn_cast<SliceOp>(user);
      if (slice && slice->use_empty()) {
        erase(slice);
        continue;
      }
      std::optional<Part> part = slice ? partOf(slice) : std::nullopt;
      if (!part || part->dim != first->dim || part->size > left)
        return;
      left -= part->size;
      slices.push_back({slice, *part});
    }
    if (!canCut(value, first->dim, kMostOpsToParameter, /*isShared=*/true))
      return;
    llvm::sort(slices, [](const auto &a, const auto &b) {
      return a.second.offset < b.second.offset;
    });
    for (auto [slice, part] : slices) {
      Value cutOut = cut(value, part);
      slice.getResult().replaceAllUsesWith(cutOut);
      erase(slice);
      for (Operation *user : cutOut.getUsers())
        if (isa<ReshapeOp>(user))
          worklist.push_back(user);
    }
    eraseUnused(value);
  }

  /// Whether `value` can be computed of a part of `dim` alone, from parts of
  /// parameters that nobody else uses. Others may use `value` only if it
  /// `isShared`.
  bool canCut(Value value, int64_t dim, int depth, bool isShared = false) {
    if (!isShared && !value.hasOneUse())
      return false;
    if (auto argument = dyn_cast<BlockArgument>(value))
      return isFreeParameter(argument);
    Operation *op = value.getDefiningOp();
    auto ruled = dyn_cast<ShardingRuleOpInterface>(op);
    if (!ruled || op->getNumResults() != 1 || depth == 0)
      return false;
    ShardingRule rule = ruled.getShardingRule();
    const DimFactors &factors = rule.results[0][dim];
    if (factors.size() != 1)
      return false;
    const Factor &factor = rule.factors[factors[0]];
    if (factor.kind != FactorKind::Pass || factor.indexed || factor.masked)
      return false;
    for (auto [operand, dims] : llvm::zip(op->getOperands(), rule.operands))
      for (auto [i, operandFactors] : llvm::enumerate(dims))
        if (llvm::is_contained(operandFactors, factors[0]) &&
            (operandFactors.size() != 1 || !canCut(operand, i, depth - 1)))
          return false;
    return true;
  }

  /// `value` for a part of its dim: what one device would compute of it.
  Value cut(Value value, const Part &part) {
    if (auto argument = dyn_cast<BlockArgument>(value))
      return cutParameter(argument, part);
    auto op = cast<ShardingRuleOpInterface>(value.getDefiningOp());
    ShardingRule rule = op.getShardingRule();
    unsigned factor = rule.results[0][part.dim].front();
    SmallVector<Value> operands(op->getOperands());
    for (auto [operand, dims] : llvm::zip(operands, rule.operands))
      for (auto [i, factors] : llvm::enumerate(dims))
        if (llvm::is_contained(factors, factor)) {
          operand = cut(operand,
                        Part{int64_t(i), part.offset, part.stride, part.size});
          break; // A factor occurs once in a tensor.
        }
    OpBuilder builder(op);
    return op
        .buildLocal(builder, operands, splitType(value, part.dim, part.size),
                    /*start=*/nullptr)
        ->getResult(0);
  }

  /// Another argument, of the same stored tensor: its name says which part.
  Value cutParameter(BlockArgument argument, const Part &part) {
    ParameterAttr whole = parameterOf(argument);
    std::string suffix = "[";
    for (int64_t i = 0; i < part.dim; ++i)
      suffix += ":, ";
    suffix += std::to_string(part.offset) + ":" +
              std::to_string(part.offset + (part.size - 1) * part.stride + 1);
    if (part.stride != 1)
      suffix += ":" + std::to_string(part.stride);
    suffix += "]";
    MLIRContext *context = function.getContext();
    auto named = [&](StringAttr name) -> Attribute {
      return StringAttr::get(context, name.getValue() + suffix);
    };
    SmallVector<int64_t> offset(whole.getOffset().asArrayRef());
    SmallVector<int64_t> strides(whole.getStrides().asArrayRef());
    offset[whole.getDims()[part.dim]] += part.offset * strides[part.dim];
    strides[part.dim] *= part.stride;
    ArrayAttr aliases = whole.getAliases();
    if (aliases)
      aliases = ArrayAttr::get(
          context, llvm::map_to_vector(aliases, [&](Attribute alias) {
            return named(cast<StringAttr>(alias));
          }));
    BlockArgument added = argument.getOwner()->addArgument(
        splitType(argument, part.dim, part.size), argument.getLoc());
    attributes.push_back(attributesOf(argument));
    setParameter(added,
                 ParameterAttr::get(
                     context, cast<StringAttr>(named(whole.getName())),
                     whole.getTensor(), whole.getShape(),
                     DenseI64ArrayAttr::get(context, offset), whole.getDims(),
                     DenseI64ArrayAttr::get(context, strides),
                     whole.getInitialisation(), aliases, whole.getStored()));
    return added;
  }

  /// Erases what was cut: `value`, and what only it used.
  void eraseUnused(Value value) {
    if (!value.use_empty())
      return;
    if (auto argument = dyn_cast<BlockArgument>(value)) {
      if (isFreeParameter(argument))
        cutUp.push_back(argument);
      return;
    }
    Operation *op = value.getDefiningOp();
    SmallVector<Value> operands(op->getOperands());
    erase(op);
    for (Value operand : operands)
      eraseUnused(operand);
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
    Block &block = function.getBody().front();
    llvm::BitVector unused(block.getNumArguments());
    for (BlockArgument argument : cutUp)
      unused.set(argument.getArgNumber());
    SmallVector<DictionaryAttr> kept;
    for (auto [i, known] : llvm::enumerate(attributes))
      if (!unused.test(i))
        kept.push_back(known ? known
                             : DictionaryAttr::get(function.getContext()));
    block.eraseArguments(unused);
    function.setFunctionType(
        FunctionType::get(function.getContext(), block.getArgumentTypes(),
                          block.getTerminator()->getOperandTypes()));
    function.setAllArgAttrs(kept);
  }

  func::FuncOp function;
  /// Of the arguments, those that are new at the end.
  SmallVector<DictionaryAttr> attributes;
  /// Parameters that are used in parts only, which have arguments of their own.
  SmallVector<BlockArgument> cutUp;
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
