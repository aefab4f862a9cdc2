//===- KeepWhole.cpp - activations that stay whole between modules --------===//
//
// Part of tp-mlir, under the Apache License v2.0.
//
//===----------------------------------------------------------------------===//

#include "Placing.h"
#include "tp/Dialect/TP/Transforms/FactorChoice.h"
#include <set>

using namespace mlir;
using namespace mlir::tp;

namespace {

class WholeKeeper {
public:
  WholeKeeper(func::FuncOp function, const PlacingContext &context,
              const DimClasses &classes,
              llvm::DenseMap<unsigned, PlacedParameter> &placed)
      : function(function), context(context), classes(classes), placed(placed) {
  }

  llvm::DenseSet<unsigned> run() {
    for (Operation &op : function.getBody().front())
      if (auto boundary = dyn_cast<nn::BoundaryOp>(op))
        readBoundary(boundary);
      else if (auto ruled = dyn_cast<ShardingRuleOpInterface>(op))
        read(ruled);
    findCostly();
    for (const Use &use : uses)
      if (whole.count({use.axis.name, use.dimClass}))
        owners[{use.axis.name, use.dimClass}].insert(use.module);
    for (const Use &use : uses)
      if (isKept(use))
        keep(use);
    return kept;
  }

private:
  /// A dim of activations along one mesh axis.
  using Key = std::pair<StringRef, unsigned>;

  /// An op that reads a parameter which is sharded over an axis.
  struct Use {
    Operation *op;
    unsigned argument, operand, dim; ///< of the parameter
    Axis axis;
    unsigned dimClass;
    StringRef module;
    bool isContracted, isLookup;
  };

  nn::ParameterAttr parameterOf(Value value) {
    auto argument = dyn_cast<BlockArgument>(value);
    return argument && argument.getOwner() == &function.getBody().front()
               ? function.getArgAttrOfType<nn::ParameterAttr>(
                     argument.getArgNumber(), nn::kParameterName)
               : nn::ParameterAttr();
  }

  /// What the plan itself makes of activations at a module's boundary.
  void readBoundary(nn::BoundaryOp op) {
    for (const Request &request : readRequests(op->getAttr(kRequestName))) {
      if (request.isReplicated())
        continue;
      for (unsigned i = 0; i < unsigned(op.getType().getRank()); ++i)
        if ((op.getOriginDims() ? (*op.getOriginDims())[i] : i) == request.dim)
          asked[{request.axis, classes.classOf(op.getResult(), i)}].insert(
              op.getModule());
    }
  }

  void read(ShardingRuleOpInterface op) {
    std::optional<ShardingRule> rule;
    for (OpOperand &operand : op->getOpOperands()) {
      nn::ParameterAttr parameter = parameterOf(operand.get());
      if (!parameter)
        continue;
      if (!rule)
        rule = op.getShardingRule();
      auto it = placed.find(cast<BlockArgument>(operand.get()).getArgNumber());
      bool isSharded = it != placed.end() &&
                       (!it->second.users.empty() ||
                        llvm::any_of(it->second.use, [](const Axes &axes) {
                          return !axes.empty();
                        }));
      if (!isSharded)
        noteCost(*rule, operand);
      else
        noteUses(*rule, operand, it->first, it->second);
    }
  }

  static bool isContracted(const ShardingRule &rule,
                           const DimFactors &factors) {
    return factors.size() == 1 && !rule.factors[factors[0]].indexed &&
           rule.factors[factors[0]].kind == FactorKind::Reduce;
  }

  /// What a sharded dim of activations would cost where a whole parameter is
  /// contracted along it: the reduction of the result.
  void noteCost(const ShardingRule &rule, OpOperand &operand) {
    const TensorFactors &dims = rule.operands[operand.getOperandNumber()];
    for (auto [dim, factors] : llvm::enumerate(dims))
      if (isContracted(rule, factors))
        for (Value result : operand.getOwner()->getResults())
          cost[classes.classOf(operand.get(), dim)] += 2 * bytesOf(result);
  }

  void noteUses(const ShardingRule &rule, OpOperand &operand, unsigned argument,
                const PlacedParameter &entry) {
    Operation *op = operand.getOwner();
    Value parameter = operand.get();
    StringRef module = readerOf(operand);
    if (module.empty())
      module = parameterOf(parameter).getName().getValue().rsplit('.').first;
    auto user = entry.users.find(module);
    const DimAxes &axes = user == entry.users.end() ? entry.use : user->second;
    const TensorFactors &dims = rule.operands[operand.getOperandNumber()];
    for (auto [dim, own] : llvm::enumerate(axes))
      for (const Axis &axis : own) {
        uses.push_back({op, argument, operand.getOperandNumber(), unsigned(dim),
                        axis, classes.classOf(parameter, dim), module,
                        isContracted(rule, dims[dim]), isLookup(operand)});
        if (uses.back().isContracted)
          for (auto [result, lies] : llvm::zip(op->getResults(), rule.results))
            for (unsigned i = 0; i < lies.size(); ++i)
              gathered[{axis.name, classes.classOf(result, i)}] +=
                  bytesOf(result);
        // What is contracted along a dim and shards another over the axis,
        // needs the former whole: an op has an axis once.
        for (auto [other, factors] : llvm::enumerate(dims))
          if (isContracted(rule, factors) &&
              llvm::none_of(axes[other], [&](const Axis &of) {
                return of.name == axis.name;
              }))
            whole.insert({axis.name, classes.classOf(parameter, other)});
      }
  }

  /// Beside a table along its width and a head along its inputs, the plan may
  /// leave the layers between alone: carried on, every one of them would reduce
  /// what it computes. Kept whole, a table's result is gathered, and what other
  /// ops leave partial is reduced for all instead of scattered.
  void findCostly() {
    // A gradient uses a parameter again, the other way round.
    std::set<Key> others;
    std::set<std::pair<unsigned, unsigned>> seen;
    for (const Use &use : uses) {
      Key key{use.axis.name, use.dimClass};
      if (use.isLookup)
        gathered[key] += bytesOf(use.op->getResult(0));
      else if (!use.isContracted && !seen.count({use.argument, use.dim}))
        others.insert(key);
      seen.insert({use.argument, use.dim});
    }
    for (const Use &use : uses) {
      Key key{use.axis.name, use.dimClass};
      if (!others.count(key) && cost.lookup(use.dimClass) > gathered[key])
        whole.insert(key);
    }
  }

  /// Not where the plan asks other modules for that sharding: then it is meant
  /// to be carried on.
  bool isKept(const Use &use) {
    auto it = owners.find({use.axis.name, use.dimClass});
    if (it == owners.end())
      return false;
    const std::set<StringRef> &modules = asked[{use.axis.name, use.dimClass}];
    return llvm::all_of(
        modules, [&](StringRef module) { return it->second.count(module); });
  }

  void keep(const Use &use) {
    ShardingRule rule = cast<ShardingRuleOpInterface>(use.op).getShardingRule();
    const DimFactors &factors = rule.operands[use.operand][use.dim];
    if (factors.size() != 1)
      return;
    bool isAsked = asked[{use.axis.name, use.dimClass}].count(use.module) != 0;
    if (isResharded(use) || (!isAsked && reshardTied(use, rule)))
      return;
    kept.insert(use.argument);
    for (OpOperand &operand : use.op->getOpOperands())
      if (!parameterOf(operand.get()))
        if (auto dim = dimOf(rule.operands[operand.getOperandNumber()],
                             factors.front()))
          keepInput(use, operand, *dim);
    for (OpResult result : use.op->getResults())
      if (auto dim =
              dimOf(rule.results[result.getResultNumber()], factors.front()))
        keepOutput(use, result, *dim);
  }

  static std::optional<unsigned> dimOf(const TensorFactors &dims,
                                       unsigned factor) {
    for (auto [i, factors] : llvm::enumerate(dims))
      if (factors.size() == 1 && factors.front() == factor)
        return i;
    return std::nullopt;
  }

  /// Not used as it is stored, since an earlier use of the same module.
  bool isResharded(const Use &use) {
    const PlacedParameter &entry = placed.find(use.argument)->second;
    auto user = entry.users.find(use.module);
    return user != entry.users.end() && user->second[use.dim].empty();
  }

  /// A tied parameter of which the plan does not say how the other module uses
  /// it: it is brought there as that module's outputs are shared out, if that
  /// sends less than reducing what it would leave partial.
  bool reshardTied(const Use &use, const ShardingRule &rule) {
    PlacedParameter &entry = placed.find(use.argument)->second;
    Value parameter = use.op->getOperand(use.operand);
    StringRef owner =
        parameterOf(parameter).getName().getValue().rsplit('.').first;
    if (use.module == owner || !use.isContracted ||
        entry.users.contains(use.module) || use.op->getNumResults() != 1 ||
        use.axis.pre != 1)
      return false;
    for (auto [dim, factors] : llvm::enumerate(rule.operands[use.operand])) {
      bool isShared = factors.size() == 1 && entry.use[dim].empty() &&
                      rule.factors[factors[0]].kind == FactorKind::Pass &&
                      dimOf(rule.results[0], factors[0]) &&
                      rule.factors[factors[0]].size >= use.axis.size;
      // An all-to-all of a shard, against an all-reduce.
      if (!isShared || bytesOf(parameter) / double(use.axis.size) >=
                           2 * bytesOf(use.op->getResult(0)))
        continue;
      DimAxes axes(entry.use.size());
      axes[dim].push_back(use.axis);
      entry.users[use.module] = axes;
      return true;
    }
    return false;
  }

  /// Whole before the boundaries that the module, and what it is in, has here.
  void keepInput(const Use &use, OpOperand &operand, unsigned dim) {
    OpOperand *first = &operand;
    while (auto boundary = first->get().getDefiningOp<nn::BoundaryOp>()) {
      StringRef module = boundary.getModule();
      bool isAround =
          boundary.getDirection() == "input" &&
          (module == use.module || (use.module.starts_with(module) &&
                                    use.module[module.size()] == '.'));
      if (!isAround)
        break;
      first = &boundary.getInputMutable();
    }
    if (!constrained.insert({first->get(), dim}).second)
      return;
    OpBuilder builder(first->getOwner());
    first->set(keepDimWhole(builder, first->get(), dim, context.meshName));
  }

  /// Whole after the boundary of the module's output, if that follows soon:
  /// what stands between, such as a bias, is sharded too.
  void keepOutput(const Use &use, Value result, unsigned dim) {
    constexpr unsigned most = 4;
    Value value = result;
    for (unsigned step = 0; step < most; ++step) {
      for (Operation *user : value.getUsers())
        if (auto boundary = dyn_cast<nn::BoundaryOp>(user);
            boundary && boundary.getModule() == use.module &&
            boundary.getDirection() == "output")
          for (unsigned i = 0; i < unsigned(boundary.getType().getRank()); ++i)
            if (classes.classOf(boundary.getResult(), i) == use.dimClass)
              return keepAfter(boundary.getResult(), i);
      if (!value.hasOneUse() || value.user_begin()->getNumResults() != 1)
        break;
      value = value.user_begin()->getResult(0);
    }
    keepAfter(result, dim);
  }

  void keepAfter(Value value, unsigned dim) {
    if (!constrained.insert({value, dim}).second)
      return;
    OpBuilder builder(function.getContext());
    builder.setInsertionPointAfterValue(value);
    Value result = keepDimWhole(builder, value, dim, context.meshName);
    value.replaceAllUsesExcept(result, result.getDefiningOp());
  }

  func::FuncOp function;
  const PlacingContext &context;
  const DimClasses &classes;
  llvm::DenseMap<unsigned, PlacedParameter> &placed;
  std::vector<Use> uses;
  std::set<Key> whole; ///< what some op needs whole
  /// Bytes, of a dim that is carried on and of one that is kept whole.
  llvm::DenseMap<unsigned, double> cost;
  std::map<Key, double> gathered;
  std::map<Key, std::set<StringRef>> owners, asked; ///< modules
  llvm::DenseSet<std::pair<Value, unsigned>> constrained;
  llvm::DenseSet<unsigned> kept;
};

} // namespace

Value tp::keepDimWhole(OpBuilder &builder, Value value, unsigned dim,
                       FlatSymbolRefAttr meshName) {
  MLIRContext *context = builder.getContext();
  SmallVector<DimShardingAttr> dims;
  for (unsigned i = 0; i < shapeOf(value.getType()).size(); ++i)
    dims.push_back(DimShardingAttr::get(context, {}, /*pad=*/0,
                                        /*open=*/i != dim, /*priority=*/-1));
  auto sharding =
      ShardingAttr::get(context, meshName, dims, ReduceKind::Sum, {});
  return ConstraintOp::create(builder, value.getLoc(), value, sharding,
                              builder.getUnitAttr());
}

llvm::DenseSet<unsigned>
tp::keepWhole(func::FuncOp function, const PlacingContext &context,
              const DimClasses &classes,
              llvm::DenseMap<unsigned, PlacedParameter> &placed) {
  return WholeKeeper(function, context, classes, placed).run();
}
