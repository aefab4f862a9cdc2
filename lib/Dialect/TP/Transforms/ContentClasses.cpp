//===- ContentClasses.cpp - values that are computed alike ----------------===//
//
// Part of tp-mlir, under the Apache License v2.0.
//
//===----------------------------------------------------------------------===//

#include "ContentClasses.h"

using namespace mlir;
using namespace mlir::tp;

llvm::SmallBitVector
tp::freeFactorsOf(Operation *op, const ShardingRule &rule,
                  llvm::function_ref<bool(Value, unsigned)> isFreeDim) {
  llvm::SmallBitVector isFree(rule.factors.size());
  for (auto [number, factor] : llvm::enumerate(rule.factors))
    isFree[number] = factor.kind == FactorKind::Pass && !factor.masked;
  // A compound dim has the product of its factors, none of which is free.
  for (const auto *tensors : {&rule.operands, &rule.results})
    for (const TensorFactors &dims : *tensors)
      for (const DimFactors &dim : dims)
        if (dim.size() > 1)
          for (unsigned factor : dim)
            isFree.reset(factor);
  for (auto [value, dims] : llvm::zip(op->getOperands(), rule.operands))
    for (auto [d, dimFactors] : llvm::enumerate(dims))
      if (dimFactors.size() == 1 && !isFreeDim(value, d))
        isFree.reset(dimFactors.front());
  return isFree;
}

bool tp::followsPadding(const ShardingRule &rule, unsigned factor) {
  for (const TensorFactors &dims : rule.operands)
    for (const DimFactors &dim : dims)
      if (dim.size() > 1 && rule.factors[dim.front()].masked &&
          llvm::is_contained(llvm::drop_begin(dim), factor))
        return true;
  return false;
}

//===----------------------------------------------------------------------===//
// Keys
//===----------------------------------------------------------------------===//

ContentClasses::Key ContentClasses::keyOf(OperationName name,
                                          ArrayRef<unsigned> operands) {
  return {name, SmallVector<uintptr_t, 8>(operands)};
}

/// What the op would be if all that is free were of extent 1: so it is the same
/// for all that differ there only.
static Operation *buildLeast(OpBuilder &builder, const OpForm &form) {
  auto ruled = cast<ShardingRuleOpInterface>(form.op);
  ShardingRule rule = ruled.getShardingRule();
  SmallVector<Type> types;
  for (auto [type, dims] : llvm::zip(form.op->getResultTypes(), rule.results)) {
    types.push_back(type);
    auto tensor = dyn_cast<RankedTensorType>(type);
    if (!tensor)
      continue;
    SmallVector<int64_t> shape(tensor.getShape());
    for (auto [size, dimFactors] : llvm::zip(shape, dims))
      if (dimFactors.size() == 1 && form.isFree.test(dimFactors.front()))
        size = 1;
    types.back() = tensor.clone(ArrayRef<int64_t>(shape));
  }
  return ruled.buildLocal(
      builder, form.op->getOperands(), types,
      [&](unsigned factor) { return ruled.getShardStart(factor); });
}

ContentClasses::Key ContentClasses::exactKeyOf(const OpForm &form,
                                               ArrayRef<unsigned> operands) {
  Operation *op = form.op;
  Key key = keyOf(op->getName(), operands);
  auto add = [&](const void *pointer) {
    key.second.push_back(uintptr_t(pointer));
  };
  for (auto [number, size] : llvm::enumerate(form.sizes))
    key.second.push_back(form.isFree.test(number) ? ~uintptr_t(0)
                                                  : uintptr_t(size));
  Operation *least = nullptr;
  OpBuilder builder(op);
  if (form.isFree.any())
    least = buildLeast(builder, form);
  Operation *shown = least ? least : op;
  add(shown->getPropertiesAsAttribute().getAsOpaquePointer());
  for (Type type : shown->getResultTypes())
    add(type.getAsOpaquePointer());
  if (op->getNumRegions()) // Like no other.
    add(op);
  if (least)
    least->erase();
  return key;
}

//===----------------------------------------------------------------------===//
// The index
//===----------------------------------------------------------------------===//

ContentClasses::ContentClasses(func::FuncOp program) {
  for (BlockArgument argument : program.getArguments())
    addValue(argument);
  for (Operation &op : llvm::make_early_inc_range(program.getBody().front()))
    add(&op);
}

void ContentClasses::addValue(Value value, unsigned number) {
  classes[value] = number;
  for (auto [d, size] : llvm::enumerate(shapeOf(value.getType())))
    extents.insert({number, unsigned(d), size});
}

void ContentClasses::addValue(Value value) {
  firsts.push_back(value);
  addValue(value, firsts.size() - 1);
}

void ContentClasses::add(Operation *op) {
  if (isa<ReshardOp, ConstraintOp>(op)) {
    addValue(op->getResult(0), classOf(op->getOperand(0)));
    llvm::SmallBitVector isFree = freeDims.lookup(op->getOperand(0));
    freeDims[op->getResult(0)] = isFree;
    return;
  }
  SmallVector<unsigned> operands;
  for (Value operand : op->getOperands())
    operands.push_back(classOf(operand));
  OpForm form{op, {}, {}};
  if (auto ruled = dyn_cast<ShardingRuleOpInterface>(op)) {
    ShardingRule rule = ruled.getShardingRule();
    form.isFree = freeFactorsOf(op, rule, [&](Value value, unsigned dim) {
      auto it = freeDims.find(value);
      return it != freeDims.end() && dim < it->second.size() &&
             it->second.test(dim);
    });
    for (auto [number, factor] : llvm::enumerate(rule.factors)) {
      std::optional<int64_t> size;
      if (factor.masked)
        size = ruled.getMaskedExtent(number);
      form.sizes.push_back(
          followsPadding(rule, number) ? 0 : size.value_or(factor.size));
    }
    for (auto [value, dims] : llvm::zip(op->getResults(), rule.results)) {
      llvm::SmallBitVector isFree(dims.size());
      for (auto [d, dimFactors] : llvm::enumerate(dims))
        isFree[d] =
            dimFactors.size() == 1 && form.isFree.test(dimFactors.front());
      freeDims[value] = isFree;
    }
  }
  SmallVector<OpForm, 1> &alike = forms[keyOf(op->getName(), operands)];
  auto [it, inserted] =
      exact.try_emplace(exactKeyOf(form, operands), alike.size());
  if (inserted) {
    alike.push_back(form);
    for (Value result : op->getResults())
      addValue(result);
    return;
  }
  for (auto [result, first] :
       llvm::zip(op->getResults(), alike[it->second].op->getResults()))
    addValue(result, classOf(first));
}

ArrayRef<OpForm> ContentClasses::formsOn(OperationName name,
                                         ArrayRef<unsigned> operands) const {
  auto it = forms.find(keyOf(name, operands));
  return it == forms.end() ? ArrayRef<OpForm>() : it->second;
}

const OpForm *ContentClasses::find(const OpForm &form,
                                   ArrayRef<unsigned> operands) const {
  auto it = exact.find(exactKeyOf(form, operands));
  if (it == exact.end())
    return nullptr;
  return &formsOn(form.op->getName(), operands)[it->second];
}
