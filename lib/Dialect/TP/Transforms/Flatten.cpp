//===- Flatten.cpp - calls and loops, written out -------------------------===//
//
// Part of tp-mlir, under the Apache License v2.0.
//
//===----------------------------------------------------------------------===//

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Utils/StaticValueUtils.h"
#include "mlir/IR/IRMapping.h"
#include "mlir/Interfaces/SideEffectInterfaces.h"
#include "tp/Dialect/TP/IR/TP.h"
#include "tp/Dialect/TP/Transforms/Passes.h"
#include "llvm/ADT/SetVector.h"

using namespace mlir;
using namespace mlir::tp;

namespace mlir::tp {
#define GEN_PASS_DEF_TPFLATTEN
#include "tp/Dialect/TP/Transforms/Passes.h.inc"
} // namespace mlir::tp

namespace {

/// Beyond this a program is not a graph any more.
constexpr int64_t kMostOps = 1 << 20;

/// Clones a body of calls and loops into a flat list of ops.
class Writer {
public:
  Writer(func::FuncOp function, bool locally)
      : locally(locally), builder(function) {
    active.insert(function);
  }

  /// Writes out what stands in `op`'s place; `op` then has no users.
  LogicalResult expand(Operation *op) {
    builder.setInsertionPoint(op);
    IRMapping mapping;
    for (Value operand : op->getOperands())
      mapping.map(operand, operand);
    if (failed(write(op, mapping)))
      return failure();
    for (Value result : op->getResults())
      result.replaceAllUsesWith(mapping.lookupOrDefault(result));
    return success();
  }

  static bool isWrittenOut(Operation *op, bool locally) {
    return locally ? isa<tp::CallOp>(op) : isa<func::CallOp, scf::ForOp>(op);
  }

private:
  LogicalResult write(Operation *op, IRMapping &mapping) {
    if (isWrittenOut(op, locally)) {
      if (auto loop = dyn_cast<scf::ForOp>(op))
        return writeLoop(loop, mapping);
      return writeCall(op, mapping);
    }
    if (++count > kMostOps)
      return op->emitError("calls and loops written out are more than ")
             << kMostOps << " ops";
    Operation *copy = builder.clone(*op, mapping);
    if (!calls.empty())
      copy->setLoc(CallSiteLoc::get(op->getLoc(), calls.back()));
    return success();
  }

  /// The ops of a block, without its terminator.
  LogicalResult writeBody(Block &block, IRMapping &mapping) {
    for (Operation &op : block.without_terminator())
      if (failed(write(&op, mapping)))
        return failure();
    return success();
  }

  //===--------------------------------------------------------------------===//
  // Calls
  //===--------------------------------------------------------------------===//

  LogicalResult writeCall(Operation *op, IRMapping &mapping) {
    auto symbol = op->getAttrOfType<FlatSymbolRefAttr>("callee");
    auto callee =
        SymbolTable::lookupNearestSymbolFrom<func::FuncOp>(op, symbol);
    if (!callee || callee.isExternal())
      return op->emitError("calls ")
             << symbol << ", of which there is no body to write out";
    if (!callee.getBody().hasOneBlock())
      return op->emitError("calls ")
             << symbol << ", which has more than one block";
    if (!locally && isEmbedded(callee))
      return op->emitError("calls ")
             << symbol << ", which is a local function; use tp.call";
    if (!active.insert(callee)) {
      InFlightDiagnostic error = op->emitError("calls ");
      error << symbol << ", which it is part of; a recursive program cannot be "
            << "sharded";
      return error;
    }
    calls.push_back(calls.empty()
                        ? op->getLoc()
                        : CallSiteLoc::get(op->getLoc(), calls.back()));
    Block &body = callee.getBody().front();
    IRMapping inner;
    for (auto [i, argument] : llvm::enumerate(body.getArguments()))
      inner.map(
          argument,
          constrained(mapping.lookupOrDefault(op->getOperand(i)),
                      callee.getArgAttrOfType<ShardingAttr>(i, kShardingName)));
    if (failed(writeBody(body, inner)))
      return failure();
    for (auto [i, value] : llvm::enumerate(body.getTerminator()->getOperands()))
      mapping.map(op->getResult(i),
                  constrained(inner.lookupOrDefault(value),
                              callee.getResultAttrOfType<ShardingAttr>(
                                  i, kShardingName)));
    calls.pop_back();
    active.remove(callee);
    return success();
  }

  /// What was asked of an argument or result of a callee holds where it is
  /// written out.
  Value constrained(Value value, ShardingAttr sharding) {
    if (locally || !sharding || !isa<RankedTensorType>(value.getType()))
      return value;
    return ConstraintOp::create(builder, calls.back(), value, sharding);
  }

  //===--------------------------------------------------------------------===//
  // Loops
  //===--------------------------------------------------------------------===//

  LogicalResult writeLoop(scf::ForOp loop, IRMapping &mapping) {
    auto number = [&](Value value) {
      return getConstantIntValue(mapping.lookupOrDefault(value));
    };
    std::optional<int64_t> lower = number(loop.getLowerBound()),
                           upper = number(loop.getUpperBound()),
                           step = number(loop.getStep());
    int64_t span;
    if (!lower || !upper || !step || *step <= 0 || loop.getUnsignedCmp() ||
        llvm::SubOverflow(*upper, *lower, span))
      return loop.emitError("only a loop whose bounds and step are constants "
                            "can be written out, to be sharded");
    SmallVector<Value> carried;
    for (Value value : loop.getInitArgs())
      carried.push_back(mapping.lookupOrDefault(value));
    int64_t trips = span <= 0 ? 0 : (span - 1) / *step + 1;
    if (trips > kMostOps)
      return loop.emitError("of ") << trips << " iterations is too long to be "
                                   << "written out; at most " << kMostOps;
    for (int64_t trip = 0; trip < trips; ++trip) {
      IRMapping inner = mapping;
      if (Value index = loop.getInductionVar(); !index.use_empty())
        inner.map(index, arith::ConstantOp::create(
                             builder, loop.getLoc(),
                             builder.getIntegerAttr(index.getType(),
                                                    *lower + trip * *step)));
      for (auto [argument, value] :
           llvm::zip(loop.getRegionIterArgs(), carried))
        inner.map(argument, value);
      if (failed(writeBody(*loop.getBody(), inner)))
        return failure();
      for (auto [value, result] : llvm::zip(carried, loop.getYieldedValues()))
        value = inner.lookupOrDefault(result);
    }
    for (auto [result, value] : llvm::zip(loop.getResults(), carried))
      mapping.map(result, value);
    return success();
  }

  bool locally;
  OpBuilder builder;
  int64_t count = 0;
  llvm::SetVector<Operation *> active; ///< functions being written out
  SmallVector<Location> calls;
};

struct Flatten : tp::impl::TPFlattenBase<Flatten> {
  using Base::Base;

  void runOnOperation() override {
    SmallVector<func::FuncOp> functions;
    for (auto function : getOperation().getOps<func::FuncOp>())
      if (!function.isExternal() && function.getBody().hasOneBlock())
        functions.push_back(function);
    SmallVector<Operation *> done;
    for (func::FuncOp function : functions) {
      Writer writer(function, local);
      for (Operation &op : function.getBody().front()) {
        if (!Writer::isWrittenOut(&op, local))
          continue;
        if (failed(writer.expand(&op)))
          return signalPassFailure();
        done.push_back(&op);
      }
    }
    // Nothing reads them any more, from the last to the first; nor what only
    // counted iterations.
    for (Operation *op : llvm::reverse(done)) {
      SmallVector<Value> operands(op->getOperands());
      op->erase();
      for (Value value : operands)
        if (Operation *producer = value.getDefiningOp();
            producer && producer->hasTrait<OpTrait::ConstantLike>() &&
            isOpTriviallyDead(producer))
          producer->erase();
    }
    eraseUncalled(functions);
  }

private:
  /// Private functions that were only called from what is written out.
  void eraseUncalled(ArrayRef<func::FuncOp> functions) {
    SymbolTableCollection symbols;
    SymbolUserMap users(symbols, getOperation());
    for (func::FuncOp function : functions)
      if (function.isPrivate() && isEmbedded(function) == local &&
          users.useEmpty(function))
        function.erase();
  }
};

} // namespace
