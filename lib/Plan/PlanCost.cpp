//===- PlanCost.cpp - what a sharded program sends and computes -----------===//
//
// Part of tp-mlir, under the Apache License v2.0.
//
//===----------------------------------------------------------------------===//

#include "PlanCost.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "tp/Dialect/NN/IR/NN.h"
#include "tp/Dialect/TP/IR/TP.h"
#include "tp/Plan/Style.h"
#include "llvm/ADT/SmallBitVector.h"
#include "llvm/Support/Format.h"

using namespace mlir;
using namespace mlir::tp;

static std::string bytesText(int64_t bytes) {
  constexpr StringRef units[] = {"B", "KiB", "MiB", "GiB", "TiB"};
  double amount = double(bytes);
  unsigned unit = 0;
  while (amount >= 1024 && unit + 1 < std::size(units)) {
    amount /= 1024;
    ++unit;
  }
  std::string text;
  llvm::raw_string_ostream(text)
      << llvm::format(unit ? "%.1f " : "%.0f ", amount) << units[unit];
  return text;
}

std::string PlanCost::describe() const {
  int64_t total = 0;
  std::string kinds;
  for (const auto &[kind, count] : collectives) {
    total += count;
    kinds += (kinds.empty() ? "" : ", ") + std::to_string(count) + " " + kind;
  }
  std::string text = bytesText(bytes) + " in " + std::to_string(total) +
                     (total == 1 ? " collective" : " collectives");
  return kinds.empty() ? text : text + " (" + kinds + ")";
}

Attribute PlanCost::toAttribute(MLIRContext *context) const {
  Builder builder(context);
  SmallVector<NamedAttribute> counts, placements;
  for (const auto &[kind, count] : collectives)
    counts.push_back(
        builder.getNamedAttr(kind, builder.getI64IntegerAttr(count)));
  for (const auto &[name, placement] : parameters)
    placements.push_back(
        builder.getNamedAttr(name, builder.getStringAttr(placement)));
  return builder.getDictionaryAttr(
      {builder.getNamedAttr("bytes", builder.getI64IntegerAttr(bytes)),
       builder.getNamedAttr("work", builder.getF64FloatAttr(work)),
       builder.getNamedAttr("collectives", builder.getDictionaryAttr(counts)),
       builder.getNamedAttr("parameters",
                            builder.getDictionaryAttr(placements))});
}

std::optional<PlanCost> PlanCost::read(Attribute attribute) {
  auto fields = dyn_cast_or_null<DictionaryAttr>(attribute);
  if (!fields)
    return std::nullopt;
  auto bytes = fields.getAs<IntegerAttr>("bytes");
  auto work = fields.getAs<FloatAttr>("work");
  auto counts = fields.getAs<DictionaryAttr>("collectives");
  auto placements = fields.getAs<DictionaryAttr>("parameters");
  if (!bytes || !work || !counts || !placements)
    return std::nullopt;
  PlanCost cost;
  cost.bytes = bytes.getInt();
  cost.work = work.getValueAsDouble();
  for (NamedAttribute entry : counts)
    if (auto count = dyn_cast<IntegerAttr>(entry.getValue()))
      cost.collectives[entry.getName().str()] = count.getInt();
  for (NamedAttribute entry : placements)
    if (auto placement = dyn_cast<StringAttr>(entry.getValue()))
      cost.parameters[entry.getName().str()] = placement.getValue().str();
  return cost;
}

/// "tp: Shard(0)"; empty if the parameter is whole.
static std::string placementOf(func::FuncOp function, unsigned number,
                               nn::ParameterAttr parameter) {
  auto sharding =
      function.getArgAttrOfType<ShardingAttr>(number, kShardingName);
  std::string text;
  if (!sharding)
    return text;
  for (auto [dim, stored] :
       llvm::zip(sharding.getDims(), parameter.getDims().asArrayRef()))
    for (AxisRefAttr axis : dim.getAxes()) {
      std::string one =
          axis.getName().str() + ": " + Layout::shard(stored).str();
      if (!StringRef(text).contains(one))
        text += (text.empty() ? "" : ", ") + one;
    }
  return text;
}

/// Multiply-adds of what contracts, alone or inside a composite: every element
/// of the results meets every element of the dims that they do not have. A
/// lookup reads one of them, and what is no more than its tensors is no work.
static double workOf(Operation *op, const ShardingRule &rule) {
  llvm::SmallBitVector inResult(rule.factors.size());
  for (const TensorFactors &dims : rule.results)
    for (const DimFactors &factors : dims)
      for (unsigned factor : factors)
        inResult.set(factor);
  double work = 1, largest = 0;
  bool contracts = false;
  for (auto [i, factor] : llvm::enumerate(rule.factors)) {
    bool isLookup = factor.kind == FactorKind::Reduce && factor.indexed;
    bool isReduced = (factor.kind == FactorKind::Reduce && !isLookup) ||
                     factor.kind == FactorKind::Decompose;
    if (isLookup)
      return 0;
    if (!inResult.test(i) && !isReduced)
      continue;
    contracts |= !inResult.test(i);
    work *= double(factor.size);
  }
  auto measure = [&](Value value) {
    double size = 1;
    for (int64_t extent : shapeOf(value.getType()))
      size *= double(extent);
    largest = std::max(largest, size);
  };
  llvm::for_each(op->getOperands(), measure);
  llvm::for_each(op->getResults(), measure);
  return contracts && work > largest ? work : 0;
}

PlanCost tp::costOf(ModuleOp module) {
  PlanCost cost;
  for (auto function : module.getOps<func::FuncOp>()) {
    if (function.isExternal())
      continue;
    function.walk([&](CollectiveOpInterface op) {
      cost.bytes += op.getBytesSent();
      ++cost.collectives[op->getName().stripDialect().str()];
    });
    function.walk([&](ShardingRuleOpInterface op) {
      cost.work += workOf(op, op.getShardingRule());
    });
    for (unsigned i = 0; i < function.getNumArguments(); ++i) {
      auto parameter =
          function.getArgAttrOfType<nn::ParameterAttr>(i, nn::kParameterName);
      if (!parameter)
        continue;
      std::string placement = placementOf(function, i, parameter);
      if (!placement.empty())
        cost.parameters[parameter.getName().getValue().str()] = placement;
    }
  }
  return cost;
}
