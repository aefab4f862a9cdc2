//===- Traffic.cpp - what an op moves to and from memory ------------------===//
//
// Part of tp-mlir, under the Apache License v2.0.
//
//===----------------------------------------------------------------------===//
//
// A local op reads its operands and writes its results, except for what its
// lowering spares it. That is asked of the interfaces by which it is lowered:
// views cost nothing, state is updated where it is, a kernel keeps what its ops
// hand on to one another. How the memory plan and the kernels turn out in the
// end is not looked at.
//
//===----------------------------------------------------------------------===//

#include "LocalProgram.h"
#include "mlir/IR/Matchers.h"
#include "tp/Conversion/LoweringInterfaces.h"

using namespace mlir;
using namespace mlir::tp;

/// Whether all users can be in the kernel of the op that makes `value`, so that
/// it is never stored.
static bool staysInKernel(Value value) {
  Operation *op = value.getDefiningOp();
  if (!op || value.use_empty())
    return false;
  KernelRole role = getKernelRole(op);
  bool handsOn = role == KernelRole::Pointwise || role == KernelRole::Leaf ||
                 role == KernelRole::Composite;
  return handsOn && llvm::all_of(value.getUsers(), [](Operation *user) {
           return getKernelRole(user) != KernelRole::None;
         });
}

/// Whether elements of an operand are looked up: there is a dim that no other
/// tensor has and along which the op goes by index.
static bool isLookedUpIn(const ShardingRule &rule, unsigned operand) {
  auto has = [](const TensorFactors &dims, unsigned factor) {
    return llvm::any_of(dims, [&](const DimFactors &factors) {
      return llvm::is_contained(factors, factor);
    });
  };
  for (auto [number, factor] : llvm::enumerate(rule.factors)) {
    unsigned f = number;
    auto hasIt = [&](const TensorFactors &dims) { return has(dims, f); };
    if (factor.indexed && factor.kind == FactorKind::Reduce &&
        has(rule.operands[operand], f) &&
        llvm::count_if(rule.operands, hasIt) == 1 &&
        llvm::none_of(rule.results, hasIt))
      return true;
  }
  return false;
}

std::optional<Traffic> tp::trafficOf(Operation *op) {
  auto buffers = dyn_cast<BufferOpInterface>(op);
  auto isView = [&](OpResult result) {
    return buffers && buffers.getViewedOperand(result.getResultNumber());
  };
  if (matchPattern(op, m_Constant()) ||
      (op->getNumResults() && llvm::all_of(op->getResults(), isView)))
    return std::nullopt;
  Traffic traffic;
  llvm::SmallDenseSet<unsigned> spared; // operands that are not read
  bool updates = false;
  for (OpResult result : op->getResults()) {
    unsigned number = result.getResultNumber();
    if (isView(result)) {
      spared.insert(*buffers.getViewedOperand(number));
    } else if (buffers && buffers.mustUpdateInPlace(number)) {
      updates = true;
      // Nothing else is read: part of it is written, at most all.
      if (op->getNumOperands() == 1 ||
          llvm::all_of(op->getOperands().drop_front(), [](Value operand) {
            return !isa<TensorType>(operand.getType());
          }))
        traffic.push_back({result, 1});
      for (unsigned operand : buffers.getInPlaceOperands(number))
        spared.insert(operand);
    } else if (!staysInKernel(result)) {
      traffic.push_back({result, 1});
    }
  }
  const bool inKernel = getKernelRole(op) != KernelRole::None;
  auto ruled = dyn_cast<ShardingRuleOpInterface>(op);
  ShardingRule rule = ruled ? ruled.getShardingRule() : ShardingRule();
  llvm::SmallDenseSet<Value> seen;
  for (OpOperand &operand : op->getOpOperands()) {
    unsigned number = operand.getOperandNumber();
    Value value = operand.get();
    if (spared.contains(number) || (inKernel && staysInKernel(value)) ||
        !seen.insert(value).second)
      continue;
    if (number < rule.operands.size() && isLookedUpIn(rule, number)) {
      for (Value result : op->getResults())
        traffic.push_back({result, 1});
      continue;
    }
    // An update writes what it has read into the state.
    traffic.push_back({value, updates ? 2.0 : 1.0});
  }
  return traffic;
}
