//===- KernelModels.cpp - what ops are to kernels -------------------------===//
//
// Part of tp-mlir, under the Apache License v2.0.
//
//===----------------------------------------------------------------------===//

#include "Models.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/IR/Matchers.h"
#include "tp/Conversion/LoweringInterfaces.h"
#include "tp/Dialect/NN/IR/NN.h"

using namespace mlir;
using namespace mlir::tp;

#include "tp/Conversion/LoweringEnums.cpp.inc"
#include "tp/Conversion/LoweringInterfaces.cpp.inc"

//===----------------------------------------------------------------------===//
// Roles
//===----------------------------------------------------------------------===//

/// An element type that kernels have vectors of.
static bool isKernelElement(Type type) {
  return type.isF32() || type.isF64() || type.isBF16() || type.isF16() ||
         type.isIndex() || type.isSignlessInteger(1) ||
         type.isSignlessInteger(8) || type.isSignlessInteger(16) ||
         type.isSignlessInteger(32) || type.isSignlessInteger(64);
}

static bool isKernelTensor(Type type) {
  auto tensor = dyn_cast<RankedTensorType>(type);
  return tensor && tensor.hasStaticShape() && tensor.getNumElements() > 0 &&
         isKernelElement(tensor.getElementType());
}

/// All operands and the one result are tensors of one shape.
static bool isPointwise(Operation *op) {
  if (!op->hasTrait<OpTrait::Elementwise>() ||
      !op->hasTrait<OpTrait::Vectorizable>() || op->getNumResults() != 1 ||
      op->getNumOperands() == 0 || op->getNumRegions() != 0 ||
      !isMemoryEffectFree(op) || !isKernelTensor(op->getResult(0).getType()))
    return false;
  ArrayRef<int64_t> shape = shapeOf(op->getResult(0).getType());
  return llvm::all_of(op->getOperandTypes(), [&](Type type) {
    return isKernelTensor(type) && shapeOf(type) == shape;
  });
}

KernelRole tp::getKernelRole(Operation *op) {
  if (auto kernelOp = dyn_cast<KernelOpInterface>(op)) {
    for (Type type : op->getResultTypes())
      if (!isKernelTensor(type))
        return KernelRole::None;
    return kernelOp.getKernelRole();
  }
  if (matchPattern(op, m_Constant())) {
    Type type = op->getResult(0).getType();
    return !isa<ShapedType>(type) || isKernelTensor(type) ? KernelRole::Leaf
                                                          : KernelRole::None;
  }
  // Nothing runs it as it is.
  if (isa<DecomposeOpInterface>(op) && !isa<BufferOpInterface>(op))
    return KernelRole::Composite;
  return isPointwise(op) ? KernelRole::Pointwise : KernelRole::None;
}

SmallVector<int64_t> tp::getOperandDims(Operation *op, unsigned index) {
  if (auto kernelOp = dyn_cast<KernelOpInterface>(op))
    return kernelOp.getOperandDims(index);
  return llvm::to_vector(
      llvm::seq<int64_t>(0, shapeOf(op->getOperand(index).getType()).size()));
}

//===----------------------------------------------------------------------===//
// Models
//===----------------------------------------------------------------------===//

namespace {

struct BroadcastModel
    : KernelOpInterface::ExternalModel<BroadcastModel, nn::BroadcastOp> {
  KernelRole getKernelRole(Operation *) const { return KernelRole::Leaf; }
  SmallVector<int64_t> getOperandDims(Operation *op, unsigned) const {
    return llvm::to_vector(cast<nn::BroadcastOp>(op).getDims());
  }
  Value buildElement(Operation *, OpBuilder &, ValueRange operands, Type,
                     function_ref<Value(int64_t)>) const {
    return operands.front();
  }
};

struct IotaModel : KernelOpInterface::ExternalModel<IotaModel, nn::IotaOp> {
  KernelRole getKernelRole(Operation *) const { return KernelRole::Leaf; }
  bool readsIndex(Operation *op, int64_t dim) const {
    return int64_t(cast<nn::IotaOp>(op).getDim()) == dim;
  }
  Value buildElement(Operation *op, OpBuilder &builder, ValueRange operands,
                     Type type, function_ref<Value(int64_t)> indexOf) const {
    Value index = indexOf(cast<nn::IotaOp>(op).getDim());
    if (!operands.empty())
      index =
          arith::AddIOp::create(builder, op->getLoc(), index, operands.front());
    return arith::IndexCastOp::create(builder, op->getLoc(), type, index);
  }
};

struct ReduceModel
    : KernelOpInterface::ExternalModel<ReduceModel, nn::ReduceOp> {
  KernelRole getKernelRole(Operation *op) const {
    auto reduce = cast<nn::ReduceOp>(op);
    // Nothing to combine: left alone, and reported as without a lowering.
    if (reduce.getDims().empty() || !symbolizeReduceKind(reduce.getKind()) ||
        reduce.getInput().getType().getNumElements() == 0)
      return KernelRole::None;
    return KernelRole::Reduction;
  }
  ReduceKind getReduceKind(Operation *op) const {
    return *symbolizeReduceKind(cast<nn::ReduceOp>(op).getKind());
  }
  SmallVector<int64_t> getReducedDims(Operation *op) const {
    auto dims = llvm::to_vector(cast<nn::ReduceOp>(op).getDims());
    llvm::sort(dims);
    return dims;
  }
  Value buildTrailingReduction(Operation *op, OpBuilder &builder,
                               Value input) const {
    auto reduce = cast<nn::ReduceOp>(op);
    auto type = cast<RankedTensorType>(input.getType());
    auto dims = llvm::to_vector(llvm::seq<int64_t>(
        type.getRank() - int64_t(reduce.getDims().size()), type.getRank()));
    return nn::ReduceOp::create(builder, op->getLoc(), reduce.getType(), input,
                                reduce.getKind(), dims);
  }
};

} // namespace

namespace mlir::tp {
void registerKernelModels(DialectRegistry &registry) {
  registry.addExtension(+[](MLIRContext *context, nn::NNDialect *) {
    nn::BroadcastOp::attachInterface<BroadcastModel>(*context);
    nn::IotaOp::attachInterface<IotaModel>(*context);
    nn::ReduceOp::attachInterface<ReduceModel>(*context);
  });
}
} // namespace mlir::tp
