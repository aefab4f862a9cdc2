//===- Propagate.cpp - carries shardings through every op -----------------===//
//
// Part of tp-mlir, under the Apache License v2.0.
//
//===----------------------------------------------------------------------===//

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "tp/Dialect/TP/IR/TP.h"
#include "tp/Dialect/TP/Transforms/DimClasses.h"
#include "tp/Dialect/TP/Transforms/FactorAxes.h"
#include "tp/Dialect/TP/Transforms/Passes.h"

using namespace mlir;
using namespace mlir::tp;

namespace mlir::tp {
#define GEN_PASS_DEF_TPPROPAGATE
#include "tp/Dialect/TP/Transforms/Passes.h.inc"
} // namespace mlir::tp

FlatSymbolRefAttr tp::findMesh(Operation *op) {
  auto module = op->getParentOfType<ModuleOp>();
  if (auto self = dyn_cast<ModuleOp>(op))
    module = self;
  if (!module)
    return {};
  for (MeshOp mesh : module.getOps<MeshOp>())
    return FlatSymbolRefAttr::get(mesh.getSymNameAttr());
  return {};
}

SmallVector<Axes> tp::spreadOver(ArrayRef<Axis> axes, const DimFactors &factors,
                                 const ShardingRule &rule, bool cut) {
  SmallVector<Axes> spread(factors.size());
  if (factors.size() == 1) {
    spread[0].assign(axes.begin(), axes.end());
    return spread;
  }
  // A compound dim: each factor takes axes while they divide it; the next
  // factor begins only where the one before is used up.
  size_t position = 0;
  int64_t left = factors.empty() ? 1 : rule.factors[factors[0]].size;
  for (Axis axis : axes) {
    while (true) {
      while (position < factors.size() && left == 1)
        left = ++position < factors.size()
                   ? rule.factors[factors[position]].size
                   : 0;
      if (position >= factors.size())
        return spread;
      if (left % axis.size == 0)
        break;
      if (!cut || axis.size % left)
        return spread;
      spread[position].push_back({axis.name, axis.pre, left});
      axis = {axis.name, axis.pre * left, axis.size / left};
      left = 1;
    }
    spread[position].push_back(axis);
    left /= axis.size;
  }
  return spread;
}

Axes tp::gatherFrom(const DimFactors &factors, const ShardingRule &rule,
                    ArrayRef<Axes> factorAxes) {
  Axes axes;
  for (unsigned factor : factors) {
    axes.append(factorAxes[factor].begin(), factorAxes[factor].end());
    // A minor factor may only be sharded below a major one that is used up.
    if (factors.size() > 1 &&
        sizeOf(factorAxes[factor]) != rule.factors[factor].size)
      break;
  }
  return normalised(axes);
}

namespace {

/// What is known of one value.
struct State {
  SmallVector<Axes, 4> dims;
  bool fixed = false;
  /// Of a fixed value, the dims that may take further axes all the same.
  SmallVector<bool, 4> open;
};

class Propagator {
public:
  Propagator(func::FuncOp function, FlatSymbolRefAttr meshName, MeshAttr mesh)
      : function(function), meshName(meshName), mesh(mesh) {}

  LogicalResult run() {
    start();
    SmallVector<Operation *> ops;
    for (Operation &op : function.getBody().front())
      if (isa<ShardingRuleOpInterface>(op))
        ops.push_back(&op);
    // Axes are only added, so this ends; a sweep each way settles chains of any
    // length.
    bool changed = true;
    while (changed) {
      changed = false;
      for (Operation *op : ops)
        changed |= update(op);
      for (Operation *op : llvm::reverse(ops))
        changed |= update(op);
    }
    return write();
  }

private:
  void start() {
    forEachTensor(function, [&](Value value) {
      states[value].dims.resize(shapeOf(value.getType()).size());
    });
    for (BlockArgument argument : function.getArguments())
      fix(argument, function.getArgAttrOfType<ShardingAttr>(
                        argument.getArgNumber(), kShardingName));
    for (ConstraintOp op : function.getOps<ConstraintOp>())
      fix(op.getResult(), op.getSharding());
    for (ReshardOp op : function.getOps<ReshardOp>())
      fix(op.getResult(), op.getTo());
  }

  void fix(Value value, ShardingAttr sharding) {
    if (!sharding || !isa<RankedTensorType>(value.getType()))
      return;
    State &state = states[value];
    state.fixed = true;
    for (auto [i, dim] : llvm::enumerate(sharding.getDims())) {
      for (AxisRefAttr axis : dim.getAxes())
        state.dims[i].push_back(toAxis(axis, mesh));
      state.open.push_back(dim.getOpen());
      if (dim.getPad())
        asked.push_back({value, unsigned(i), dim.getPad()});
    }
  }

  /// One op: tensors to factors and back. Returns whether anything was learnt.
  bool update(Operation *op) {
    ShardingRule rule = cast<ShardingRuleOpInterface>(op).getShardingRule();
    SmallVector<Axes> factors(rule.factors.size());
    auto read = [&](Value value, const TensorFactors &dims) {
      for (auto [axes, dimFactors] : llvm::zip(states[value].dims, dims)) {
        SmallVector<Axes> spread = spreadOver(axes, dimFactors, rule);
        for (auto [factor, part] : llvm::zip(dimFactors, spread))
          if (rule.factors[factor].kind != FactorKind::Replicate &&
              sizeOf(part) > sizeOf(factors[factor]))
            factors[factor] = part;
      }
    };
    for (auto [value, dims] : llvm::zip(op->getOperands(), rule.operands))
      read(value, dims);
    for (auto [value, dims] : llvm::zip(op->getResults(), rule.results))
      read(value, dims);
    dropRepeatedAxes(factors);

    bool changed = false;
    auto extend = [&](Value value, const TensorFactors &dims) {
      for (auto [i, dimFactors] : llvm::enumerate(dims))
        changed |= extendDim(value, i, gatherFrom(dimFactors, rule, factors));
    };
    for (auto [value, dims] : llvm::zip(op->getOperands(), rule.operands))
      extend(value, dims);
    for (auto [value, dims] : llvm::zip(op->getResults(), rule.results))
      extend(value, dims);
    return changed;
  }

  /// Gives a dim further axes if it may have them.
  bool extendDim(Value value, unsigned dim, const Axes &axes) {
    State &state = states[value];
    if (axes.empty() || axes == state.dims[dim] ||
        (state.fixed && !state.open[dim]) || !isPrefix(state.dims[dim], axes))
      return false;
    for (auto [i, other] : llvm::enumerate(state.dims))
      if (i != dim && overlap(other, axes))
        return false;
    state.dims[dim] = axes;
    return true;
  }

  /// One padded extent for each class: the least multiple of every product of
  /// axes placed on it that holds the true size.
  LogicalResult choosePads() {
    DimClasses classes(function);
    pads.assign(classes.size(), 0);
    SmallVector<int64_t> multiple(classes.size(), 1), size(classes.size(), 0);
    // 0: there is none in 64 bits.
    auto refine = [&](unsigned number, int64_t factor) {
      int64_t &old = multiple[number];
      if (old && llvm::MulOverflow(old / std::gcd(old, factor), factor, old))
        old = 0;
    };
    forEachTensor(function, [&](Value value) {
      ArrayRef<int64_t> shape = shapeOf(value.getType());
      for (auto [i, axes] : llvm::enumerate(states[value].dims)) {
        unsigned number = classes.classOf(value, i);
        refine(number, sizeOf(axes));
        size[number] = shape[i];
      }
    });
    for (auto [value, dim, pad] : asked)
      refine(classes.classOf(value, dim), pad);
    auto refineDim = [&](Value value, unsigned dim, int64_t factor) {
      refine(classes.classOf(value, dim), factor);
    };
    refineByResults(refineDim);
    for (ReshardOp op : function.getOps<ReshardOp>())
      refineBy(op.getInput(), op.getFromAttr(), refineDim);
    for (unsigned i = 0; i < classes.size(); ++i)
      if (!multiple[i] ||
          llvm::MulOverflow(int64_t(llvm::divideCeil(size[i], multiple[i])),
                            multiple[i], pads[i]))
        return function.emitError("a dim of size ")
               << size[i] << " has no padded extent that suits all that was "
               << "asked for";
    forEachTensor(function, [&](Value value) {
      Placement placement;
      for (auto [i, axes] : llvm::enumerate(states[value].dims)) {
        placement.dims.push_back(axes);
        placement.pads.push_back(pads[classes.classOf(value, i)]);
      }
      placements[value] = placement;
    });
    // What is known of arguments is not changed: they may be partial.
    for (BlockArgument argument : function.getArguments())
      if (auto sharding = function.getArgAttrOfType<ShardingAttr>(
              argument.getArgNumber(), kShardingName);
          sharding && isa<RankedTensorType>(argument.getType())) {
        Placement &placement = placements[argument];
        placement.partialKind = sharding.getPartialKind();
        for (AxisRefAttr axis : sharding.getPartialAxes())
          placement.partial.push_back(toAxis(axis, mesh));
      }
    return success();
  }

  /// Results are sharded as asked at the end; their dims must have room for it.
  void refineByResults(function_ref<void(Value, unsigned, int64_t)> refine) {
    Operation *terminator = function.getBody().front().getTerminator();
    for (auto [i, value] : llvm::enumerate(terminator->getOperands())) {
      auto sharding =
          i < function.getNumResults()
              ? function.getResultAttrOfType<ShardingAttr>(i, kShardingName)
              : ShardingAttr();
      refineBy(value, sharding, refine);
    }
  }

  /// A value that will lie so must have room for it; `sharding` may be null.
  void refineBy(Value value, ShardingAttr sharding,
                function_ref<void(Value, unsigned, int64_t)> refine) {
    if (!sharding || !isa<RankedTensorType>(value.getType()))
      return;
    Placement placement = toPlacement(sharding, mesh, shapeOf(value.getType()));
    for (auto [dim, axes] : llvm::enumerate(placement.dims)) {
      refine(value, dim, sizeOf(axes));
      if (sharding.getDims()[dim].getPad())
        refine(value, dim, placement.pads[dim]);
    }
  }

  ShardingAttr attributeOf(Value value) {
    return toSharding(placements[value], meshName, mesh,
                      shapeOf(value.getType()), function.getContext());
  }

  LogicalResult write() {
    if (failed(choosePads()))
      return failure();
    for (BlockArgument argument : function.getArguments())
      if (isa<RankedTensorType>(argument.getType()))
        function.setArgAttr(argument.getArgNumber(), kShardingName,
                            attributeOf(argument));
    auto empty = ShardingAttr::getReplicated(meshName, 0);
    for (Operation &op : function.getBody().front()) {
      if (op.getNumResults() == 0)
        continue;
      SmallVector<Attribute> shardings;
      for (Value result : op.getResults())
        shardings.push_back(isa<RankedTensorType>(result.getType())
                                ? attributeOf(result)
                                : empty);
      op.setAttr(kShardingsName, ArrayAttr::get(op.getContext(), shardings));
    }
    return success();
  }

  func::FuncOp function;
  FlatSymbolRefAttr meshName;
  MeshAttr mesh;
  DenseMap<Value, State> states;
  DenseMap<Value, Placement> placements;
  SmallVector<int64_t> pads;
  /// Padded extents that were asked for.
  SmallVector<std::tuple<Value, unsigned, int64_t>> asked;
};

struct Propagate : tp::impl::TPPropagateBase<Propagate> {
  void runOnOperation() override {
    if (failed(runOnMesh<Propagator>(getOperation())))
      signalPassFailure();
  }
};

} // namespace

void tp::dropRepeatedAxes(SmallVectorImpl<Axes> &factors) {
  for (size_t i = 0; i < factors.size(); ++i)
    for (size_t j = 0; j < i; ++j)
      if (overlap(factors[i], factors[j])) {
        bool dropEarlier = sizeOf(factors[i]) > sizeOf(factors[j]);
        factors[dropEarlier ? j : i].clear();
      }
}

LogicalResult tp::checkMesh(func::FuncOp function, FlatSymbolRefAttr meshName) {
  WalkResult result = function.walk([&](Operation *op) {
    auto other = op->getAttrDictionary().walk([&](ShardingAttr sharding) {
      return sharding.getMesh() == meshName ? WalkResult::advance()
                                            : WalkResult::interrupt();
    });
    auto named = op->getAttrOfType<FlatSymbolRefAttr>("mesh");
    bool isOther = other.wasInterrupted() ||
                   (isa_and_nonnull<TPDialect>(op->getDialect()) && named &&
                    named != meshName);
    if (!isOther)
      return WalkResult::advance();
    op->emitError("speaks of another mesh than ")
        << meshName << ", the first of the module; a program is sharded over "
        << "one mesh";
    return WalkResult::interrupt();
  });
  return failure(result.wasInterrupted());
}

/// An op that is told where its shard begins, or how much of a dim is no
/// padding, is what partitioning makes of one; a global op sees all of all
/// dims.
static LogicalResult checkWhole(ShardingRuleOpInterface op) {
  ShardingRule rule = op.getShardingRule();
  auto name = op->getName();
  for (unsigned i = 0; i < rule.factors.size(); ++i)
    if (op.getShardStart(i))
      return op->emitError("'")
             << name << "' is told where a shard begins, as in the program of "
             << "one device; leave the start out in a global one";
  auto check = [&](Value value, const TensorFactors &dims) -> LogicalResult {
    for (auto [size, factors] : llvm::zip(shapeOf(value.getType()), dims)) {
      if (factors.empty() || !rule.factors[factors.front()].masked)
        continue;
      std::optional<int64_t> given = op.getMaskedExtent(factors.front());
      if (given && *given != size)
        return op->emitError("'")
               << name << "' is told to keep to " << *given
               << " elements of a dim of size " << size
               << ", as in the program of one device, where dims are padded; "
                  "in a global one, leave it out or slice the operand";
    }
    return success();
  };
  for (auto [value, dims] : llvm::zip(op->getOperands(), rule.operands))
    if (failed(check(value, dims)))
      return failure();
  for (auto [value, dims] : llvm::zip(op->getResults(), rule.results))
    if (failed(check(value, dims)))
      return failure();
  return success();
}

LogicalResult tp::checkShardable(func::FuncOp function) {
  if (!function.getBody().hasOneBlock())
    return function.emitError("a function to shard has one block");
  if (FlatSymbolRefAttr meshName = findMesh(function))
    if (failed(checkMesh(function, meshName)))
      return failure();
  auto isUnfit = [](Type type) {
    auto tensor = dyn_cast<ShapedType>(type);
    return tensor &&
           !(isa<RankedTensorType>(tensor) && tensor.hasStaticShape());
  };
  // Bytes are counted in 64 bits, of dims that may be padded.
  auto isTooLarge = [](Type type) {
    int64_t bytes = 64;
    return llvm::any_of(shapeOf(type), [&](int64_t size) {
      return llvm::MulOverflow(bytes, std::max<int64_t>(size, 1), bytes);
    });
  };
  for (BlockArgument argument : function.getArguments()) {
    if (isUnfit(argument.getType()))
      return function.emitError("argument ")
             << argument.getArgNumber() << ": only ranked tensors of static "
             << "shape can be sharded, got " << argument.getType();
    if (isTooLarge(argument.getType()))
      return function.emitError("argument ")
             << argument.getArgNumber()
             << ": more elements than can be counted in " << argument.getType();
  }
  for (Operation &op : function.getBody().front()) {
    if (op.hasTrait<OpTrait::IsTerminator>() || isa<ReshardOp>(op))
      continue;
    auto ruled = dyn_cast<ShardingRuleOpInterface>(op);
    if (!ruled)
      return op.emitError("'")
             << op.getName() << "' has no sharding rule, so it cannot be "
             << "sharded; it must implement ShardingRuleOpInterface";
    for (Value result : op.getResults()) {
      if (isUnfit(result.getType()))
        return op.emitError("only ranked tensors of static shape can be "
                            "sharded, got ")
               << result.getType();
      if (isTooLarge(result.getType()))
        return op.emitError("more elements than can be counted in ")
               << result.getType();
    }
    if (failed(checkWhole(ruled)))
      return failure();
  }
  return success();
}
