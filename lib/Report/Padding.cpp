//===- Padding.cpp - what of a program is padding -------------------------===//
//
// Part of tp-mlir, under the Apache License v2.0.
//
//===----------------------------------------------------------------------===//

#include "LocalProgram.h"
#include "tp/Conversion/MemoryPlan.h"
#include "tp/Dialect/NN/IR/NN.h"
#include <map>
#include <numeric>

using namespace mlir;
using namespace mlir::tp;

static int64_t clamp(uint64_t number) {
  return int64_t(std::min<uint64_t>(number, INT64_MAX));
}

void ReportAmount::operator+=(const ReportAmount &other) {
  total = clamp(uint64_t(total) + uint64_t(other.total));
  padding = clamp(uint64_t(padding) + uint64_t(other.padding));
}

void ReportAmounts::operator+=(const ReportAmounts &other) {
  parameterElements += other.parameterElements;
  parameterBytes += other.parameterBytes;
  stateElements += other.stateElements;
  stateBytes += other.stateBytes;
  activationElements += other.activationElements;
  activationBytes += other.activationBytes;
  multiplyAdds += other.multiplyAdds;
}

void ReportAmounts::forEach(llvm::function_ref<void(ReportAmount &)> visit) {
  for (ReportAmount *amount :
       {&parameterElements, &parameterBytes, &stateElements, &stateBytes,
        &activationElements, &activationBytes, &multiplyAdds})
    visit(*amount);
}

int64_t tp::contractionsOf(Operation *op, const ShardingRule &rule) {
  SmallVector<int64_t> operandsWith(rule.factors.size());
  int64_t operands = 0;
  for (auto [value, dims] : llvm::zip(op->getOperands(), rule.operands)) {
    if (!isa<RankedTensorType>(value.getType()) ||
        !isa<FloatType>(getElementTypeOrSelf(value)))
      continue;
    ++operands;
    for (const DimFactors &dim : dims)
      for (unsigned factor : dim)
        ++operandsWith[factor];
  }
  for (const TensorFactors &dims : rule.results)
    for (const DimFactors &dim : dims)
      for (unsigned factor : dim)
        operandsWith[factor] = 0;
  for (auto [factor, count] : llvm::zip(rule.factors, operandsWith))
    if (factor.kind != FactorKind::Reduce &&
        factor.kind != FactorKind::Decompose)
      count = 0;
  bool contracts =
      llvm::any_of(operandsWith, [](int64_t count) { return count > 1; });
  return contracts ? operands - 1 : 0;
}

namespace {

/// A dim or factor of a tensor or op, on all devices together.
struct Extent {
  int64_t size = 0, padded = 0;
  Axes axes;

  bool isPadded() const { return padded > size; }
};

/// Of `total` on each of `devices`, the part that is padding along these dims:
/// on all devices together, which is a whole number.
ReportAmount amountOf(int64_t total, ArrayRef<Extent> dims, int64_t devices) {
  int64_t all = saturatingProduct(total, devices);
  unsigned __int128 kept = all, whole = 1;
  for (const Extent &dim : dims)
    if (dim.isPadded()) {
      kept *= dim.size;
      whole *= dim.padded;
    }
  return {total, whole ? all - int64_t(kept / whole) : 0};
}

class PaddingCounter : public OpObserver {
public:
  PaddingCounter(LocalProgram &program, Report &report)
      : function(program.function), mesh(program.mesh), report(report),
        prover(program.prover), names(program.names), devices(program.devices) {
    report.phases.push_back({});
    report.phases.back().phase = program.phase();
    firstRow = report.padding.size();
  }

  void enter() override {
    for (BlockArgument argument : function.getArguments()) {
      std::string owner = names.of(argument).str();
      if (owner.empty() && kindOf(argument) == Kind::State) {
        StringRef name = names.argumentName(argument);
        owner = name.contains('.') ? name.rsplit('.').first.str() : name.str();
      }
      countTensor(argument, owner, kindOf(argument));
    }
  }

  void visit(Operation *op) override {
    std::string module = names.of(op).str();
    for (Value result : op->getResults())
      countTensor(result, module, Kind::Activation);
    if (isa<ShardingRuleOpInterface>(op) && !isa<PlacementOpInterface>(op))
      countWork(op, module);
  }

  void finish() override {
    auto average = [&](ReportAmount &amount) { amount.padding /= devices; };
    report.phases.back().amounts.forEach(average);
    for (size_t i = firstRow; i < report.padding.size(); ++i)
      report.padding[i].amounts.forEach(average);
  }

private:
  //===--------------------------------------------------------------------===//
  // Amounts
  //===--------------------------------------------------------------------===//

  enum class Kind { Parameter, State, Activation };

  Kind kindOf(BlockArgument argument) {
    unsigned number = argument.getArgNumber();
    if (function.getArgAttr(number, nn::kParameterName))
      return Kind::Parameter;
    return function.getArgAttr(number, nn::kStateName) ? Kind::State
                                                       : Kind::Activation;
  }

  /// Adds to the phase, and to the row of each padded dim.
  void add(StringRef module, ArrayRef<Extent> dims,
           function_ref<ReportAmounts(ArrayRef<Extent>)> amounts) {
    report.phases.back().amounts += amounts(dims);
    for (const Extent &dim : dims)
      if (dim.isPadded())
        rowOf(module, dim).amounts += amounts(dim);
  }

  void countTensor(Value value, StringRef module, Kind kind) {
    auto type = dyn_cast<RankedTensorType>(value.getType());
    if (!type || !type.getElementType().isIntOrFloat())
      return;
    SmallVector<Extent> dims;
    for (auto [dim, local] :
         llvm::zip(prover.factOf(value).dims, type.getShape())) {
      Extent extent{dim.size, local * sizeOf(dim.axes), dim.axes};
      if (dim.isFree()) // Nothing is too much of it.
        extent.size = extent.padded;
      dims.push_back(extent);
    }
    // Of blocks, some elements together have a whole number of bytes.
    int64_t bytes = heldBytesOf(value), held = type.getNumElements();
    int64_t common = std::max<int64_t>(std::gcd(bytes, held), 1);
    auto toBytes = [&](int64_t elements) -> int64_t {
      return held
                 ? llvm::divideCeil(saturatingProduct(elements, bytes / common),
                                    held / common)
                 : 0;
    };
    add(module, dims, [&](ArrayRef<Extent> list) {
      ReportAmount elements = amountOf(type.getNumElements(), list, devices);
      ReportAmount inBytes{toBytes(elements.total), toBytes(elements.padding)};
      ReportAmounts amounts;
      switch (kind) {
      case Kind::Parameter:
        amounts.parameterElements = elements;
        amounts.parameterBytes = inBytes;
        break;
      case Kind::State:
        amounts.stateElements = elements;
        amounts.stateBytes = inBytes;
        break;
      case Kind::Activation:
        amounts.activationElements = elements;
        amounts.activationBytes = inBytes;
        break;
      }
      return amounts;
    });
  }

  void countWork(Operation *op, StringRef module) {
    ShardingRule rule = cast<ShardingRuleOpInterface>(op).getShardingRule();
    int64_t total = contractionsOf(op, rule);
    if (!total)
      return;
    SmallVector<Extent> dims;
    for (const FactorFact &known : prover.factorsOfLast()) {
      if (!known.known)
        continue;
      total = saturatingProduct(total, known.block);
      Extent extent{known.dim.size, known.block * sizeOf(known.dim.axes),
                    known.dim.axes};
      if (known.dim.isFree())
        extent.size = extent.padded;
      dims.push_back(extent);
    }
    add(module, dims, [&](ArrayRef<Extent> list) {
      ReportAmounts amounts;
      amounts.multiplyAdds = amountOf(total, list, devices);
      return amounts;
    });
  }

  ReportPadding &rowOf(StringRef module, const Extent &dim) {
    ReportPadding row{
        function.getName().str(), module.str(), dim.size, dim.padded, {}, {}};
    std::string key = row.module + " " + std::to_string(dim.size) + " " +
                      std::to_string(dim.padded);
    for (const Axis &axis : dim.axes) {
      row.axes.push_back(textOf(axis, mesh));
      key += " " + row.axes.back();
    }
    auto [it, inserted] = rows.try_emplace(key, report.padding.size());
    if (inserted)
      report.padding.push_back(std::move(row));
    return report.padding[it->second];
  }

  func::FuncOp function;
  MeshAttr mesh;
  Report &report;
  PlacementProver &prover;
  const ModuleNames &names;
  int64_t devices;
  size_t firstRow = 0; ///< of this function, in the report
  std::map<std::string, size_t> rows;
};

} // namespace

std::unique_ptr<OpObserver> tp::makePaddingCounter(LocalProgram &program,
                                                   Report &report) {
  return std::make_unique<PaddingCounter>(program, report);
}
