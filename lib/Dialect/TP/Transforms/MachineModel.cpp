//===- MachineModel.cpp - how long things take, roughly -------------------===//
//
// Part of tp-mlir, under the Apache License v2.0.
//
//===----------------------------------------------------------------------===//

#include "tp/Dialect/TP/Transforms/MachineModel.h"
#include <cmath>

using namespace mlir;
using namespace mlir::tp;

FailureOr<MachineModel> MachineModel::parse(StringRef text, Operation *op) {
  auto emitError = [&] { return op->emitError("in the option 'machine': "); };
  MachineModel model;
  const std::pair<StringRef, double *> names[] = {
      {"reduce-latency", &model.reduceLatency},
      {"latency", &model.latency},
      {"link", &model.link},
      {"memory", &model.memory},
      {"compute", &model.compute}};
  SmallVector<StringRef> entries;
  text.split(entries, ',', -1, /*KeepEmpty=*/false);
  for (StringRef entry : entries) {
    auto [name, value] = entry.split('=');
    const auto *it = llvm::find_if(names, [&, name = name](const auto &known) {
      return known.first == name.trim();
    });
    if (it == std::end(names)) {
      InFlightDiagnostic error = emitError() << "a machine has no '"
                                             << name.trim() << "'; it has";
      for (const auto &known : names)
        error << (&known == names ? " " : ", ") << known.first;
      return error;
    }
    double number = 0;
    bool isWrong = value.trim().getAsDouble(number) || !std::isfinite(number) ||
                   number < 0 || (number == 0 && !name.contains("latency"));
    if (isWrong)
      return emitError() << "the machine's '" << name.trim()
                         << "' must be a positive number, got '" << value.trim()
                         << "'";
    *it->second = number;
  }
  return model;
}

double tp::countPoints(Operation *op, ArrayRef<int64_t> shares) {
  auto ruled = dyn_cast<ShardingRuleOpInterface>(op);
  if (!ruled)
    return 0;
  ShardingRule rule = ruled.getShardingRule();
  SmallVector<int> operandsWith(rule.factors.size());
  SmallVector<bool> isInResult(rule.factors.size());
  for (const TensorFactors &dims : rule.operands)
    for (const DimFactors &factors : dims)
      for (unsigned factor : factors)
        ++operandsWith[factor];
  for (const TensorFactors &dims : rule.results)
    for (const DimFactors &factors : dims)
      for (unsigned factor : factors)
        isInResult[factor] = true;
  double points = 1;
  for (auto [number, factor] : llvm::enumerate(rule.factors))
    if (isInResult[number] || operandsWith[number] > 1)
      points *=
          double(factor.size) / double(shares.empty() ? 1 : shares[number]);
  return points;
}

double MachineModel::collectiveTime(double bytes, bool reduces) const {
  return (reduces ? reduceLatency : latency) + bytes / (link * 1e3);
}

double MachineModel::computeTime(double points, double bytes) const {
  return std::max(2 * points / (compute * 1e6), bytes / (memory * 1e3));
}

double MachineModel::timeOf(Operation *op) const {
  if (auto collective = dyn_cast<CollectiveOpInterface>(op))
    return collectiveTime(double(collective.getBytesSent()),
                          isa<AllReduceOp>(op));
  double bytes = 0;
  for (TypeRange types :
       {TypeRange(op->getOperandTypes()), TypeRange(op->getResultTypes())})
    for (Type type : types)
      bytes += double(bytesOf(type));
  return computeTime(countPoints(op), bytes);
}
