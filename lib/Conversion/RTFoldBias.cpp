//===- RTFoldBias.cpp - lets a contraction add its bias -------------------===//
//
// Part of tp-mlir, under the Apache License v2.0.
//
//===----------------------------------------------------------------------===//

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "tp/Conversion/Passes.h"
#include "tp/Dialect/NN/IR/NN.h"
#include "tp/Dialect/RT/IR/RT.h"

namespace mlir::tp {
#define GEN_PASS_DEF_RTFOLDBIAS
#include "tp/Conversion/Passes.h.inc"
} // namespace mlir::tp

using namespace mlir;
using namespace mlir::tp;

namespace {

/// Which of a kernel's two inputs is added to which, in all of its rows.
struct BiasKernel {
  unsigned sum, bias;
};

} // namespace

/// Whether the broadcast repeats its operand for each index of leading dims.
static bool repeatsRows(nn::BroadcastOp broadcast) {
  int64_t rank = broadcast.getResult().getType().getRank();
  ArrayRef<int64_t> dims = broadcast.getDims();
  for (auto [i, dim] : llvm::enumerate(dims))
    if (dim != rank - int64_t(dims.size()) + int64_t(i))
      return false;
  return true;
}

/// A kernel of one broadcast and one addition.
static std::optional<BiasKernel> matchKernel(func::FuncOp kernel) {
  if (!kernel || kernel.isDeclaration() || !kernel.getBody().hasOneBlock() ||
      kernel.getNumArguments() != 2 ||
      !llvm::hasNItems(kernel.getBody().front(), 3))
    return std::nullopt;
  Operation *end = kernel.getBody().front().getTerminator();
  if (end->getNumOperands() != 1)
    return std::nullopt;
  auto add = end->getOperand(0).getDefiningOp<arith::AddFOp>();
  if (!add)
    return std::nullopt;
  for (auto [sum, other] : {std::pair(add.getLhs(), add.getRhs()),
                            std::pair(add.getRhs(), add.getLhs())}) {
    auto broadcast = other.getDefiningOp<nn::BroadcastOp>();
    auto value = dyn_cast<BlockArgument>(sum);
    auto bias = broadcast ? dyn_cast<BlockArgument>(broadcast.getOperand())
                          : BlockArgument();
    if (value && bias && value != bias && repeatsRows(broadcast))
      return BiasKernel{value.getArgNumber(), bias.getArgNumber()};
  }
  return std::nullopt;
}

/// The contraction that `launch` comes right after and whose result it changes
/// in place; null if there is none. Addresses in between do nothing.
static rt::ContractOp findProduct(rt::LaunchOp launch, Value sum) {
  if (launch.getOutputs().size() != 1 || launch.getOutputs().front() != sum)
    return nullptr;
  Operation *before = launch->getPrevNode();
  while (before && isMemoryEffectFree(before))
    before = before->getPrevNode();
  auto contract = dyn_cast_or_null<rt::ContractOp>(before);
  return contract && contract.getOut() == sum && !contract.getBias()
             ? contract
             : rt::ContractOp();
}

static bool fold(rt::LaunchOp launch, const BiasKernel &kernel) {
  if (launch.getInputs().size() != 2)
    return false;
  Value bias = launch.getInputs()[kernel.bias];
  rt::ContractOp contract = findProduct(launch, launch.getInputs()[kernel.sum]);
  // The library wants a bias to be aligned; a view may begin anywhere.
  if (!contract || !isa<MemRefType>(bias.getType()) ||
      bias.getDefiningOp<rt::ViewOp>() || !contract.whyNotBias(bias).empty())
    return false;
  // Where both are at hand.
  contract->moveBefore(launch);
  contract.getBiasMutable().assign(bias);
  launch.erase();
  return true;
}

namespace {

struct RTFoldBiasPass : public tp::impl::RTFoldBiasBase<RTFoldBiasPass> {
  void runOnOperation() override {
    SymbolTable symbols(getOperation());
    llvm::MapVector<StringRef, SmallVector<rt::LaunchOp>> launches;
    getOperation().walk([&](rt::LaunchOp launch) {
      launches[launch.getKernel()].push_back(launch);
    });
    for (auto &[name, all] : launches) {
      auto kernel = symbols.lookup<func::FuncOp>(name);
      std::optional<BiasKernel> match = matchKernel(kernel);
      if (!match)
        continue;
      llvm::erase_if(all,
                     [&](rt::LaunchOp each) { return fold(each, *match); });
      if (all.empty())
        kernel.erase();
    }
  }
};

} // namespace
