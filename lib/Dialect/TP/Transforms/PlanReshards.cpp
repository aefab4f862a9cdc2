//===- PlanReshards.cpp - reshards by themselves, as collectives ----------===//
//
// Part of tp-mlir, under the Apache License v2.0.
//
//===----------------------------------------------------------------------===//

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Pass/PassManager.h"
#include "tp/Dialect/TP/IR/TP.h"
#include "tp/Dialect/TP/Transforms/FactorAxes.h"
#include "tp/Dialect/TP/Transforms/Passes.h"
#include <numeric>

using namespace mlir;
using namespace mlir::tp;

namespace mlir::tp {
#define GEN_PASS_DEF_TPPLANRESHARDS
#include "tp/Dialect/TP/Transforms/Passes.h.inc"
} // namespace mlir::tp

namespace {

/// Gives every value of a function of reshards its placement. An argument and
/// all that is made of it are one tensor, so they share their padded extents.
class Placer {
public:
  Placer(func::FuncOp function, FlatSymbolRefAttr meshName, MeshAttr mesh)
      : function(function), meshName(meshName), mesh(mesh) {}

  LogicalResult run() {
    for (BlockArgument argument : function.getArguments())
      if (failed(start(argument)))
        return failure();
    for (Operation &op : function.getBody().front()) {
      LogicalResult followed = op.hasTrait<OpTrait::IsTerminator>()
                                   ? followReturn(&op)
                                   : followReshard(&op);
      if (failed(followed))
        return failure();
    }
    if (failed(checkPads()))
      return failure();
    write();
    return success();
  }

private:
  struct Tensor {
    ArrayRef<int64_t> shape;
    /// What the extents must divide by, and what they are padded to if that is
    /// said anywhere.
    SmallVector<int64_t, 4> multiples, pads;
  };

  LogicalResult start(BlockArgument argument) {
    unsigned number = argument.getArgNumber();
    auto type = dyn_cast<RankedTensorType>(argument.getType());
    if (!type || !type.hasStaticShape())
      return function.emitError("argument ")
             << number << " must be a tensor of static shape, got "
             << argument.getType();
    size_t rank = type.getRank();
    tensorOf[argument] = tensors.size();
    tensors.push_back({type.getShape(), SmallVector<int64_t, 4>(rank, 1),
                       SmallVector<int64_t, 4>(rank, 0)});
    auto sharding =
        function.getArgAttrOfType<ShardingAttr>(number, kShardingName);
    if (!sharding)
      sharding = ShardingAttr::getReplicated(meshName, rank);
    return place(argument, sharding, [&] {
      return function.emitError("argument ") << number << ": ";
    });
  }

  LogicalResult followReshard(Operation *op) {
    auto reshard = dyn_cast<ReshardOp>(op);
    if (!reshard)
      return op->emitError("'")
             << op->getName()
             << "' is no tp.reshard; for whole programs there is tp-shard";
    Value input = reshard.getInput();
    tensorOf[reshard] = tensorOf[input];
    if (ShardingAttr from = reshard.getFromAttr())
      if (placed(from, input) != placed(shardings[input], input))
        return reshard.emitError("the operand is ")
               << shardings[input] << ", not " << from;
    return place(reshard, reshard.getTo(), [&] { return reshard.emitError(); });
  }

  LogicalResult followReturn(Operation *op) {
    for (auto [i, value] : llvm::enumerate(op->getOperands()))
      if (auto asked =
              function.getResultAttrOfType<ShardingAttr>(i, kShardingName))
        if (placed(asked, value) != placed(shardings[value], value))
          return op->emitError("result ")
                 << i << " is " << shardings[value] << ", not " << asked;
    return success();
  }

  Placement placed(ShardingAttr sharding, Value value) {
    ArrayRef<int64_t> shape = tensors[tensorOf[value]].shape;
    Placement placement = toPlacement(sharding, mesh, shape);
    for (auto [pad, size] : llvm::zip(placement.pads, shape))
      pad = size; // Compared where it is known.
    return placement;
  }

  LogicalResult place(Value value, ShardingAttr sharding,
                      function_ref<InFlightDiagnostic()> emitError) {
    shardings[value] = sharding;
    order.push_back(value);
    Tensor &tensor = tensors[tensorOf[value]];
    for (auto [d, dim] : llvm::enumerate(sharding.getDims())) {
      int64_t product = 1;
      for (AxisRefAttr axis : dim.getAxes())
        product *= toAxis(axis, mesh).size;
      tensor.multiples[d] = std::lcm(tensor.multiples[d], product);
      int64_t pad = dim.getPad();
      if (!pad)
        continue;
      if (tensor.pads[d] && tensor.pads[d] != pad)
        return emitError() << "dim " << d << " is padded to " << pad
                           << " here and to " << tensor.pads[d]
                           << " before; a tensor is padded once";
      tensor.pads[d] = pad;
    }
    return success();
  }

  LogicalResult checkPads() {
    for (Value value : order) {
      const Tensor &tensor = tensors[tensorOf[value]];
      for (size_t d = 0; d < tensor.shape.size(); ++d)
        if (tensor.pads[d] % tensor.multiples[d])
          return emitError(order.back().getLoc())
                 << "dim " << d << " of padded extent " << tensor.pads[d]
                 << " is not a multiple of " << tensor.multiples[d]
                 << ", the size of the axes that it has";
    }
    return success();
  }

  /// The sharding with the padding of its tensor.
  ShardingAttr padded(Value value) {
    const Tensor &tensor = tensors[tensorOf[value]];
    Placement placement = toPlacement(shardings[value], mesh, tensor.shape);
    for (size_t d = 0; d < tensor.shape.size(); ++d)
      placement.pads[d] =
          tensor.pads[d]
              ? tensor.pads[d]
              : int64_t(llvm::alignTo(tensor.shape[d], tensor.multiples[d]));
    return toSharding(placement, meshName, mesh, tensor.shape,
                      function.getContext());
  }

  void write() {
    OpBuilder builder(function);
    for (Value value : order) {
      if (auto argument = dyn_cast<BlockArgument>(value)) {
        function.setArgAttr(argument.getArgNumber(), kShardingName,
                            padded(value));
        continue;
      }
      auto reshard = cast<ReshardOp>(value.getDefiningOp());
      reshard.setFromAttr(padded(reshard.getInput()));
      reshard.setToAttr(padded(value));
      reshard->setAttr(kShardingsName, builder.getArrayAttr(padded(value)));
    }
    Operation *terminator = function.getBody().front().getTerminator();
    for (auto [i, value] : llvm::enumerate(terminator->getOperands()))
      function.setResultAttr(i, kShardingName, padded(value));
  }

  func::FuncOp function;
  FlatSymbolRefAttr meshName;
  MeshAttr mesh;
  std::vector<Tensor> tensors;
  DenseMap<Value, size_t> tensorOf;
  DenseMap<Value, ShardingAttr> shardings;
  SmallVector<Value> order;
};

struct PlanReshards : tp::impl::TPPlanReshardsBase<PlanReshards> {
  void runOnOperation() override {
    OpPassManager passes(func::FuncOp::getOperationName());
    passes.addPass(createTPPartition());
    passes.addPass(createTPVerifyPlacements());
    if (failed(runOnMesh<Placer>(getOperation())) ||
        failed(runPipeline(passes, getOperation())))
      signalPassFailure();
  }
};

} // namespace
