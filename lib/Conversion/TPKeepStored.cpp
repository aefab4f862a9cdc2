//===- TPKeepStored.cpp - weights stay as they are stored -----------------===//
//
// Part of tp-mlir, under the Apache License v2.0.
//
//===----------------------------------------------------------------------===//

#include "PlannedMemory.h"
#include "tp/Conversion/LoweringInterfaces.h"
#include "tp/Conversion/Passes.h"
#include "tp/Dialect/NN/IR/NN.h"
#include "tp/Dialect/RT/IR/RT.h"
#include "llvm/ADT/MapVector.h"
#include "llvm/ADT/SetVector.h"

namespace mlir::tp {
#define GEN_PASS_DEF_TPKEEPSTORED
#include "tp/Conversion/Passes.h.inc"
} // namespace mlir::tp

using namespace mlir;
using namespace mlir::tp;

/// Whether blocks of `block` elements are whole in every rank's part: they run
/// along the fast dim of the stored tensor and along the last dim of the
/// parameter, and no other dim steps into one.
///
///   stored [576, 576]        parameter             blocks of 32
///   q_proj, rows to heads    3 x 3 x 64 x 576      whole
///   o_proj, columns to heads 576 x 3 x 3 x 64      whole: heads step by 64
///   o_proj, heads of 80      576 x 7 x 80          cut: 80 is no multiple
static bool hasWholeBlocks(nn::ParameterAttr parameter, RankedTensorType global,
                           RankedTensorType local, int64_t block) {
  ArrayRef<int64_t> dims = parameter.getDims().asArrayRef();
  ArrayRef<int64_t> strides = parameter.getStrides().asArrayRef();
  if (block == 1)
    return true;
  if (dims.empty() || global.getRank() != local.getRank() ||
      size_t(local.getRank()) != dims.size())
    return false;
  const int64_t fast = parameter.getShape().size() - 1;
  auto isWhole = [&](int64_t size) { return size % block == 0; };
  if (dims.back() != fast || strides.back() != 1 ||
      !isWhole(parameter.getShape().asArrayRef().back()) ||
      !isWhole(parameter.getOffset().asArrayRef().back()) ||
      !isWhole(global.getShape().back()) || !isWhole(local.getShape().back()))
    return false;
  for (auto [dim, stride] : llvm::zip(dims.drop_back(), strides.drop_back()))
    if (dim == fast && !isWhole(stride))
      return false;
  return true;
}

namespace {

struct TPKeepStoredPass : public tp::impl::TPKeepStoredBase<TPKeepStoredPass> {
  void runOnOperation() override {
    for (auto function : getOperation().getOps<func::FuncOp>())
      if (!function.isDeclaration() && !function->hasAttr(rt::kKernelName))
        for (BlockArgument argument : function.getArguments())
          collect(function, argument);
    for (auto &entry : uses)
      if (llvm::all_of(entry.second, [&](BlockArgument argument) {
            return mayStay(entry.first, argument);
          }))
        keep(entry.first, entry.second);
  }

private:
  void collect(func::FuncOp function, BlockArgument argument) {
    // What was said before, by whomever.
    function.removeArgAttr(argument.getArgNumber(), rt::kStoredName);
    auto parameter = getArgumentSlot(function, argument.getArgNumber())
                         .getAs<nn::ParameterAttr>(nn::kParameterName);
    if (parameter && parameter.getStored() &&
        rt::getBlockElements(parameter.getStored()))
      uses[parameter].push_back(argument);
  }

  bool mayStay(nn::ParameterAttr parameter, BlockArgument argument) {
    auto local = dyn_cast<RankedTensorType>(argument.getType());
    if (!local || !local.getElementType().isF32())
      return false;
    auto function = cast<func::FuncOp>(argument.getOwner()->getParentOp());
    auto attribute = getArgumentSlot(function, argument.getArgNumber())
                         .getAs<TypeAttr>(kGlobalName);
    auto global =
        attribute ? dyn_cast<RankedTensorType>(attribute.getValue()) : local;
    if (!global ||
        !hasWholeBlocks(parameter, global, local,
                        *rt::getBlockElements(parameter.getStored())))
      return false;
    return llvm::all_of(argument.getUses(), [&](OpOperand &use) {
      return lineDimsOf(use) &&
             llvm::none_of(
                 use.getOwner()->getOpOperands(), [&](OpOperand &other) {
                   return &other != &use && (kept.contains(other.get()) ||
                                             other.get() == argument);
                 });
    });
  }

  static std::optional<unsigned> lineDimsOf(OpOperand &use) {
    auto op = dyn_cast<BufferOpInterface>(use.getOwner());
    return op ? op.getStoredLineDims(use.getOperandNumber()) : std::nullopt;
  }

  /// The elements of lines that are interleaved: what all who read lines read,
  /// if the runtime can; else 0.
  static int64_t lineOf(StringRef stored, ArrayRef<BlockArgument> arguments) {
    llvm::SmallSetVector<int64_t, 2> lines;
    for (BlockArgument argument : arguments) {
      ArrayRef<int64_t> shape =
          cast<RankedTensorType>(argument.getType()).getShape();
      for (OpOperand &use : argument.getUses())
        if (unsigned dims = *lineDimsOf(use)) {
          uint64_t line = 1; // one that is too long is no line
          for (int64_t size : shape.take_back(dims))
            line = llvm::SaturatingMultiply(line, uint64_t(size));
          lines.insert(rt::isInGroupsOfLines(shape, line) ? line : 0);
        }
    }
    return lines.size() == 1 && rt::mayInterleave(stored, lines.front())
               ? lines.front()
               : 0;
  }

  void keep(nn::ParameterAttr parameter, ArrayRef<BlockArgument> arguments) {
    StringAttr stored = parameter.getStored();
    auto type = TypeAttr::get(rt::StoredType::get(
        &getContext(), stored.getValue(), lineOf(stored, arguments)));
    for (BlockArgument argument : arguments) {
      kept.insert(argument);
      auto function = cast<func::FuncOp>(argument.getOwner()->getParentOp());
      function.setArgAttr(argument.getArgNumber(), rt::kStoredName, type);
    }
  }

  /// One buffer, in whichever functions; the whole attribute counts.
  llvm::MapVector<nn::ParameterAttr, SmallVector<BlockArgument>> uses;
  DenseSet<Value> kept;
};

} // namespace
