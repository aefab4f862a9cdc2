//===- Partition.cpp - from global tensors to what one device holds -------===//
//
// Part of tp-mlir, under the Apache License v2.0.
//
//===----------------------------------------------------------------------===//

#include "CollectiveSteps.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/IR/IRMapping.h"
#include "tp/Dialect/TP/IR/TP.h"
#include "tp/Dialect/TP/Transforms/FactorAxes.h"
#include "tp/Dialect/TP/Transforms/Passes.h"
#include "tp/Dialect/TP/Transforms/Reshard.h"
#include "tp/Interfaces/ShardingDialectInterface.h"
#include "llvm/ADT/SmallBitVector.h"
#include <map>

using namespace mlir;
using namespace mlir::tp;

namespace mlir::tp {
#define GEN_PASS_DEF_TPPARTITION
#include "tp/Dialect/TP/Transforms/Passes.h.inc"
} // namespace mlir::tp

namespace {

class Partitioner {
public:
  Partitioner(func::FuncOp function, FlatSymbolRefAttr meshName, MeshAttr mesh)
      : function(function), meshName(meshName), mesh(mesh), builder(function),
        planner(mesh) {}

  LogicalResult run() {
    Block &block = function.getBody().front();
    SmallVector<Operation *> ops;
    for (Operation &op : block)
      ops.push_back(&op);
    // Local arguments come after the global ones until no op reads these.
    SmallVector<BlockArgument> globals(block.getArguments());
    for (BlockArgument argument : globals)
      if (failed(localiseArgument(argument)))
        return failure();
    for (Operation *op : ops)
      if (failed(op->hasTrait<OpTrait::IsTerminator>() ? finish(op)
                                                       : visit(op)))
        return failure();
    for (Operation *op : llvm::reverse(ops))
      if (!op->hasTrait<OpTrait::IsTerminator>())
        op->erase();
    block.eraseArguments(0, globals.size());
    SmallVector<Type> results(block.getTerminator()->getOperandTypes());
    function.setFunctionType(
        builder.getFunctionType(block.getArgumentTypes(), results));
    return success();
  }

private:
  //===--------------------------------------------------------------------===//
  // Types
  //===--------------------------------------------------------------------===//

  /// The placement of a global value as the caches say.
  FailureOr<Placement> placementOf(Value value) {
    ShardingAttr sharding = shardingOf(value);
    if (!sharding)
      return emitError(value.getLoc())
             << "a value has no sharding; run tp-propagate and "
                "tp-insert-reshards first";
    return toPlacement(sharding, mesh, shapeOf(value.getType()));
  }

  FailureOr<Type> localType(Value value) {
    auto tensor = dyn_cast<RankedTensorType>(value.getType());
    if (!tensor)
      return value.getType();
    FailureOr<Placement> placement = placementOf(value);
    if (failed(placement))
      return failure();
    for (auto [pad, axes] : llvm::zip(placement->pads, placement->dims))
      if (pad % sizeOf(axes))
        return emitError(value.getLoc())
               << "extent " << pad << " is not a multiple of " << sizeOf(axes)
               << ", the size of its axes; run tp-propagate to choose padding";
    return Type(tensor.clone(placement->localShape()));
  }

  LogicalResult localiseArgument(BlockArgument argument) {
    unsigned number = argument.getArgNumber();
    FailureOr<Type> local = localType(argument);
    if (failed(local))
      return failure();
    if (isa<RankedTensorType>(argument.getType()))
      function.setArgAttr(number, kGlobalName,
                          TypeAttr::get(argument.getType()));
    locals.map(argument,
               argument.getOwner()->addArgument(*local, argument.getLoc()));
    return success();
  }

  //===--------------------------------------------------------------------===//
  // Ops
  //===--------------------------------------------------------------------===//

  LogicalResult visit(Operation *op) {
    builder.setInsertionPoint(op);
    if (auto reshard = dyn_cast<ReshardOp>(op))
      return visitReshard(reshard);
    if (isa<ConstraintOp>(op)) { // Has been met: the reshards are explicit.
      locals.map(op->getResult(0), locals.lookup(op->getOperand(0)));
      copyUniform(op);
      return success();
    }
    auto ruled = cast<ShardingRuleOpInterface>(op);
    ShardingRule rule = ruled.getShardingRule();
    llvm::SmallBitVector uniformFactors = markUniform(op, rule);
    SmallVector<Value> operands;
    for (unsigned i = 0; i < op->getNumOperands(); ++i) {
      FailureOr<Value> local = maskFor(op, i, rule, uniformFactors);
      if (failed(local))
        return failure();
      operands.push_back(*local);
    }
    SmallVector<Type> types, made;
    for (OpResult result : op->getResults()) {
      FailureOr<Type> type = localType(result);
      FailureOr<Type> own = typeMadeBy(op, result, rule);
      if (failed(type) || failed(own))
        return failure();
      types.push_back(*type);
      made.push_back(*own);
    }
    auto start = [&](unsigned factor) { return startOf(op, factor, rule); };
    Operation *local = ruled.buildLocal(builder, operands, made, start);
    for (auto [global, value, type] :
         llvm::zip(op->getResults(), local->getResults(), types))
      locals.map(global, resizeTo(value, type));
    return success();
  }

  //===--------------------------------------------------------------------===//
  // Ops that want other padding
  //===--------------------------------------------------------------------===//

  /// The padded extents with which the op takes or makes a value: those that it
  /// declares, if it does; no padding where it cannot handle any. Only whole
  /// dims may differ from `placement`.
  FailureOr<SmallVector<int64_t, 4>> padsWanted(Operation *op, Value value,
                                                const Placement &placement,
                                                ShardingAttr declared,
                                                const TensorFactors &dims,
                                                const ShardingRule &rule) {
    ArrayRef<int64_t> shape = shapeOf(value.getType());
    SmallVector<int64_t, 4> pads = placement.pads;
    if (declared)
      pads = toPlacement(declared, mesh, shape).pads;
    for (auto [dim, factors] : llvm::enumerate(dims)) {
      if (!declared && !canPad(factors, rule))
        pads[dim] = shape[dim];
      if (pads[dim] != placement.pads[dim] && !placement.dims[dim].empty())
        return op->emitError("dim ")
               << dim << " of size " << shape[dim] << " is padded to "
               << placement.pads[dim] << ", which '" << op->getName()
               << "' cannot handle; choose sizes that divide";
    }
    return pads;
  }

  /// The local type of a result, as the op makes it.
  FailureOr<Type> typeMadeBy(Operation *op, OpResult result,
                             const ShardingRule &rule) {
    auto tensor = dyn_cast<RankedTensorType>(result.getType());
    if (!tensor)
      return result.getType();
    FailureOr<Placement> placement = placementOf(result);
    if (failed(placement))
      return failure();
    unsigned i = result.getResultNumber();
    auto declaring = dyn_cast<DeclaredPlacementOpInterface>(op);
    FailureOr<SmallVector<int64_t, 4>> pads =
        padsWanted(op, result, *placement,
                   declaring ? declaring.getDeclaredResult(i) : ShardingAttr(),
                   rule.results[i], rule);
    if (failed(pads))
      return failure();
    placement->pads = *pads;
    return Type(tensor.clone(placement->localShape()));
  }

  /// Once for all that need it, behind the value.
  Value resize(Value value, int64_t dim, int64_t extent) {
    auto type = cast<RankedTensorType>(value.getType());
    if (type.getDimSize(dim) == extent)
      return value;
    Value &made = resized[{value, {dim, extent}}];
    if (made)
      return made;
    SmallVector<int64_t> shape(type.getShape());
    shape[dim] = extent;
    OpBuilder::InsertionGuard guard(builder);
    builder.setInsertionPointAfterValue(value);
    return made = ResizeOp::create(builder, value.getLoc(), type.clone(shape),
                                   value, builder.getI64IntegerAttr(dim));
  }

  Value resizeTo(Value value, Type type) {
    for (auto [dim, extent] : llvm::enumerate(shapeOf(type)))
      value = resize(value, dim, extent);
    return value;
  }

  //===--------------------------------------------------------------------===//
  // Uniform dims
  //===--------------------------------------------------------------------===//

  /// A dim along which the content is the same (a splat's, a broadcast's) is
  /// right under any sharding. The verifier sees no axes on it, so where an op
  /// makes something of them, a mask names them.
  bool isUniform(Value value, size_t dim) {
    auto it = uniforms.find(value);
    return it != uniforms.end() && it->second.test(dim);
  }

  void copyUniform(Operation *op) {
    auto it = uniforms.find(op->getOperand(0));
    if (it != uniforms.end()) {
      llvm::SmallBitVector copy = it->second;
      uniforms[op->getResult(0)] = copy;
    }
  }

  /// Which factors are uniform in all operands that have them; marks results.
  llvm::SmallBitVector markUniform(Operation *op, const ShardingRule &rule) {
    llvm::SmallBitVector uniform(rule.factors.size(), true);
    llvm::SmallBitVector seen(rule.factors.size());
    for (auto [value, dims] : llvm::zip(op->getOperands(), rule.operands))
      for (auto [d, factors] : llvm::enumerate(dims))
        for (unsigned factor : factors) {
          seen.set(factor);
          if (!isUniform(value, d))
            uniform.reset(factor);
        }
    for (auto [number, factor] : llvm::enumerate(rule.factors))
      if (!seen.test(number) &&
          (factor.kind != FactorKind::Pass || factor.indexed))
        uniform.reset(number);
    for (auto [value, dims] : llvm::zip(op->getResults(), rule.results)) {
      llvm::SmallBitVector marks(dims.size());
      for (auto [d, factors] : llvm::enumerate(dims))
        marks[d] = !factors.empty() && llvm::all_of(factors, [&](unsigned f) {
          return uniform.test(f);
        });
      if (marks.any())
        uniforms[value] = marks;
    }
    return uniform;
  }

  //===--------------------------------------------------------------------===//
  // Padding
  //===--------------------------------------------------------------------===//

  /// Local operand i, with padding masked along the dims that `op` reduces, or
  /// all of it if the op checks its elements.
  FailureOr<Value> maskFor(Operation *op, unsigned i, const ShardingRule &rule,
                           const llvm::SmallBitVector &uniformFactors) {
    Value value = op->getOperand(i);
    const TensorFactors &dims = rule.operands[i];
    bool isChecked = llvm::is_contained(rule.checked, i);
    Value local = locals.lookup(value);
    auto tensor = dyn_cast<RankedTensorType>(value.getType());
    if (!tensor)
      return local;
    FailureOr<Placement> placement = placementOf(value);
    if (failed(placement))
      return failure();
    ArrayRef<int64_t> shape = tensor.getShape();
    auto declaring = dyn_cast<DeclaredPlacementOpInterface>(op);
    FailureOr<SmallVector<int64_t, 4>> wanted =
        padsWanted(op, value, *placement,
                   declaring ? declaring.getDeclaredOperand(i) : ShardingAttr(),
                   dims, rule);
    if (failed(wanted))
      return failure();
    for (auto [dim, factors, pad] : llvm::enumerate(dims, *wanted)) {
      bool isPadded = placement->pads[dim] != shape[dim];
      if (pad != placement->pads[dim]) {
        local = resize(local, dim, pad);
        continue;
      }
      if (factors.size() != 1)
        continue;
      unsigned number = factors.front();
      const Factor &factor = rule.factors[number];
      bool isReduced = factor.kind == FactorKind::Reduce && !factor.masked;
      auto argument = dyn_cast<BlockArgument>(value);
      bool isZero = factor.reduction == ReduceKind::Sum && argument &&
                    isZeroPadded(function, argument.getArgNumber());
      bool isUnnamed =
          uniformFactors.test(number) && !placement->dims[dim].empty();
      if (((isReduced || isChecked) && isPadded && !isZero) ||
          (isUnnamed && (isReduced || isCompounded(number, rule))))
        local = mask(local, dim, shape[dim], placement->dims[dim],
                     placement->pads[dim],
                     isReduced ? neutralOf(factor.reduction) : 0);
    }
    return local;
  }

  Value mask(Value value, int64_t dim, int64_t size, const Axes &axes,
             int64_t pad, double fill) {
    auto key = std::make_tuple(value.getAsOpaquePointer(), dim, fill);
    auto [it, inserted] = masks.try_emplace(key);
    if (inserted)
      it->second = MaskOp::create(
          builder, value.getLoc(), value.getType(), value,
          shardStart(axes, pad / sizeOf(axes)), builder.getI64IntegerAttr(dim),
          builder.getI64IntegerAttr(size), builder.getF64FloatAttr(fill));
    return it->second;
  }

  /// Where this device's shard of an indexed factor begins; null if it is
  /// whole.
  Value startOf(Operation *op, unsigned factor, const ShardingRule &rule) {
    auto find = [&](ValueRange values,
                    ArrayRef<TensorFactors> tensors) -> Value {
      for (auto [value, dims] : llvm::zip(values, tensors))
        for (auto [i, factors] : llvm::enumerate(dims)) {
          if (factors.empty() || factors.front() != factor)
            continue;
          FailureOr<Placement> placement = placementOf(value);
          if (succeeded(placement) && !placement->dims[i].empty())
            return shardStart(placement->dims[i],
                              placement->pads[i] / sizeOf(placement->dims[i]));
          return {};
        }
      return {};
    };
    if (Value start = find(op->getOperands(), rule.operands))
      return start;
    return find(op->getResults(), rule.results);
  }

  /// One op for each list of axes and block, at the top of the function.
  Value shardStart(const Axes &axes, int64_t block) {
    Value &start = starts[{std::vector<Axis>(axes.begin(), axes.end()), block}];
    if (!start) {
      OpBuilder::InsertionGuard guard(builder);
      builder.setInsertionPointToStart(&function.getBody().front());
      start = ShardStartOp::create(
          builder, function.getLoc(), builder.getIndexType(), meshName,
          toAttribute(axes, mesh, function.getContext()),
          builder.getI64IntegerAttr(block));
    }
    return start;
  }

  //===--------------------------------------------------------------------===//
  // Reshards
  //===--------------------------------------------------------------------===//

  LogicalResult visitReshard(ReshardOp op) {
    RankedTensorType type = op.getType();
    if (!op.getFromAttr())
      return op.emitOpError("does not say from what; run tp-insert-reshards");
    Placement from = toPlacement(op.getFromAttr(), mesh, type.getShape());
    Placement to = toPlacement(op.getTo(), mesh, type.getShape());
    FailureOr<ReshardPath> path = planner.plan(from, to);
    if (failed(path))
      return op.emitOpError("there is no way from ")
             << describe(from, mesh) << " to " << describe(to, mesh);
    Value value = locals.lookup(op.getInput());
    for (const ReshardStep &step : *path)
      value = buildStep(builder, op.getLoc(), value, step,
                        type.clone(step.result.localShape()), meshName, mesh,
                        op.getReasonAttr(), op.getModuleAttr());
    locals.map(op.getResult(), value);
    copyUniform(op);
    return success();
  }

  LogicalResult finish(Operation *terminator) {
    for (auto [i, operand] : llvm::enumerate(terminator->getOpOperands())) {
      Value global = operand.get();
      if (isa<RankedTensorType>(global.getType())) {
        ShardingAttr sharding = shardingOf(global);
        if (!sharding)
          return terminator->emitError("result ")
                 << i << " has no sharding; run tp-insert-reshards first";
        function.setResultAttr(i, kShardingName, sharding);
        function.setResultAttr(i, kGlobalName, TypeAttr::get(global.getType()));
      }
      operand.set(locals.lookup(global));
    }
    return success();
  }

  func::FuncOp function;
  FlatSymbolRefAttr meshName;
  MeshAttr mesh;
  OpBuilder builder;
  ReshardPlanner planner;
  IRMapping locals;
  DenseMap<std::pair<Value, std::pair<int64_t, int64_t>>, Value> resized;
  /// Of global values, the dims that are uniform.
  DenseMap<Value, llvm::SmallBitVector> uniforms;
  // Looked up, never iterated over.
  std::map<std::tuple<const void *, int64_t, double>, Value> masks;
  std::map<std::pair<std::vector<Axis>, int64_t>, Value> starts;
};

struct Partition : tp::impl::TPPartitionBase<Partition> {
  void runOnOperation() override {
    if (failed(runOnGlobal<Partitioner>(getOperation())))
      signalPassFailure();
  }
};

} // namespace
