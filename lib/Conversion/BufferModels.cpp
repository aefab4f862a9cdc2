//===- BufferModels.cpp - which buffers ops may share ---------------------===//
//
// Part of tp-mlir, under the Apache License v2.0.
//
//===----------------------------------------------------------------------===//

#include "Models.h"
#include "tp/Conversion/LoweringInterfaces.h"
#include "tp/Dialect/NN/IR/NN.h"
#include "tp/Dialect/RT/IR/RT.h"

using namespace mlir;
using namespace mlir::tp;

namespace {

/// Writes its results and shares nothing.
template <typename Op>
struct PlainModel : BufferOpInterface::ExternalModel<PlainModel<Op>, Op> {};

/// Reads a weight in whichever form: as lines, where nothing but its last dims
/// is contracted.
struct ContractModel
    : BufferOpInterface::ExternalModel<ContractModel, nn::ContractOp> {
  std::optional<unsigned> getStoredLineDims(Operation *op,
                                            unsigned operand) const {
    auto equation = nn::parseEquation(cast<nn::ContractOp>(op).getEquation());
    if (failed(equation))
      return std::nullopt;
    StringRef dims = operand == 0 ? equation->lhs : equation->rhs;
    const size_t last = dims.find_last_of(equation->result) + 1; // npos: 0
    const bool isLine = llvm::all_of(dims.take_front(last), [&](char dim) {
      return equation->result.contains(dim);
    });
    return isLine ? dims.size() - last : 0;
  }
};

/// Looks rows up, which may lie in any form.
struct EmbeddingModel
    : BufferOpInterface::ExternalModel<EmbeddingModel, nn::EmbeddingOp> {
  std::optional<unsigned> getStoredLineDims(Operation *, unsigned) const {
    return 0;
  }
};

/// Its result is its operand with other dims.
template <typename Op>
struct ViewModel : BufferOpInterface::ExternalModel<ViewModel<Op>, Op> {
  std::optional<unsigned> getViewedOperand(Operation *, unsigned) const {
    return 0;
  }
};

/// A reduction of no dims is its operand; any other becomes a kernel.
struct ReduceModel
    : BufferOpInterface::ExternalModel<ReduceModel, nn::ReduceOp> {
  std::optional<unsigned> getViewedOperand(Operation *op, unsigned) const {
    return cast<nn::ReduceOp>(op).getDims().empty() ? std::optional<unsigned>(0)
                                                    : std::nullopt;
  }
};

/// Updates its first operand.
template <typename Op>
struct UpdateModel : BufferOpInterface::ExternalModel<UpdateModel<Op>, Op> {
  SmallVector<unsigned> getInPlaceOperands(Operation *, unsigned) const {
    return {0};
  }
  bool mustUpdateInPlace(Operation *, unsigned) const { return true; }
};

struct AllReduceModel
    : BufferOpInterface::ExternalModel<AllReduceModel, AllReduceOp> {
  SmallVector<unsigned> getInPlaceOperands(Operation *, unsigned result) const {
    return {result};
  }
};

/// A kernel reads each element of an operand that runs through the whole
/// iteration space before it writes it.
struct FusedModel : BufferOpInterface::ExternalModel<FusedModel, rt::FusedOp> {
  SmallVector<unsigned> getInPlaceOperands(Operation *op,
                                           unsigned result) const;
};

/// Whether `argument` is only read at the element that is being computed: no
/// broadcast and no other dims in between.
bool isReadPointwise(Value argument, ArrayRef<int64_t> space) {
  if (shapeOf(argument.getType()) != space)
    return false;
  return llvm::all_of(argument.getUsers(), [&](Operation *user) {
    return user->hasTrait<OpTrait::IsTerminator>() ||
           getKernelRole(user) == KernelRole::Pointwise ||
           getKernelRole(user) == KernelRole::Reduction;
  });
}

/// The widest shape in the region.
ArrayRef<int64_t> getIterationSpace(rt::FusedOp op) {
  ArrayRef<int64_t> space;
  for (Operation &inner : op.getBlock())
    for (ValueRange values :
         {ValueRange(inner.getOperands()), ValueRange(inner.getResults())})
      for (Value value : values)
        if (shapeOf(value.getType()).size() >= space.size())
          space = shapeOf(value.getType());
  return space;
}

SmallVector<unsigned> FusedModel::getInPlaceOperands(Operation *op,
                                                     unsigned result) const {
  auto fused = cast<rt::FusedOp>(op);
  SmallVector<unsigned> operands;
  ArrayRef<int64_t> space = getIterationSpace(fused);
  // What a reduction leaves is written after its inputs are read, but a row of
  // them may be read again: only results of the full shape take a buffer over.
  if (shapeOf(op->getResult(result).getType()) != space)
    return operands;
  for (auto [i, argument] : llvm::enumerate(fused.getBlock().getArguments()))
    if (argument.getType() == op->getResult(result).getType() &&
        isReadPointwise(argument, space))
      operands.push_back(i);
  return operands;
}

template <typename... Ops> void attachPlain(MLIRContext *context) {
  (Ops::template attachInterface<PlainModel<Ops>>(*context), ...);
}

} // namespace

namespace mlir::tp {
void registerBufferModels(DialectRegistry &registry) {
  registry.addExtension(+[](MLIRContext *context, nn::NNDialect *) {
    nn::ContractOp::attachInterface<ContractModel>(*context);
    nn::EmbeddingOp::attachInterface<EmbeddingModel>(*context);
    attachPlain<nn::AttentionOp, nn::RotaryOp, nn::EmbeddingGradientOp,
                nn::TopKOp, nn::TakeOp, nn::TransposeOp, nn::SliceOp,
                nn::ConcatOp, nn::PadOp>(context);
    nn::ReshapeOp::attachInterface<ViewModel<nn::ReshapeOp>>(*context);
    nn::BoundaryOp::attachInterface<ViewModel<nn::BoundaryOp>>(*context);
    nn::ReduceOp::attachInterface<ReduceModel>(*context);
    nn::CacheUpdateOp::attachInterface<UpdateModel<nn::CacheUpdateOp>>(
        *context);
  });
  registry.addExtension(+[](MLIRContext *context, TPDialect *) {
    attachPlain<AllGatherOp, ReduceScatterOp, AllToAllOp, PermuteOp, SliceOp,
                ResizeOp>(context);
    WaitOp::attachInterface<ViewModel<WaitOp>>(*context);
    MaskOp::attachInterface<UpdateModel<MaskOp>>(*context);
    MakePartialOp::attachInterface<UpdateModel<MakePartialOp>>(*context);
    AllReduceOp::attachInterface<AllReduceModel>(*context);
  });
  registry.addExtension(+[](MLIRContext *context, rt::RTDialect *) {
    attachPlain<rt::CloneOp>(context);
    rt::FusedOp::attachInterface<FusedModel>(*context);
  });
}

void registerLoweringModels(DialectRegistry &registry) {
  registerKernelModels(registry);
  registerBufferModels(registry);
}
} // namespace mlir::tp
