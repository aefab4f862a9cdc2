//===- Padding.cpp - what of a program is padding -------------------------===//
//
// Part of tp-mlir, under the Apache License v2.0.
//
//===----------------------------------------------------------------------===//

#include "tp/Dialect/NN/IR/NN.h"
#include "tp/Dialect/TP/Transforms/PlacementProver.h"
#include "tp/Report/Report.h"
#include <map>

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

namespace {

/// A dim or factor of a tensor or op, on all devices together.
struct Extent {
  int64_t size = 0, padded = 0;
  Axes axes;

  bool isPadded() const { return padded > size; }
};

int64_t product(int64_t a, int64_t b) {
  return clamp(llvm::SaturatingMultiply(uint64_t(a), uint64_t(b)));
}

/// Of `total` on each of `devices`, the part that is padding along these dims:
/// on all devices together, which is a whole number.
ReportAmount amountOf(int64_t total, ArrayRef<Extent> dims, int64_t devices) {
  int64_t all = product(total, devices);
  unsigned __int128 kept = all, whole = 1;
  for (const Extent &dim : dims)
    if (dim.isPadded()) {
      kept *= dim.size;
      whole *= dim.padded;
    }
  return {total, whole ? all - int64_t(kept / whole) : 0};
}

class PaddingCounter {
public:
  PaddingCounter(func::FuncOp function, FlatSymbolRefAttr meshName,
                 MeshAttr mesh, Report &report)
      : function(function), mesh(mesh), report(report),
        prover(function, meshName, mesh) {
    for (MeshAxisAttr axis : mesh.getAxes())
      devices = product(devices, axis.getSize());
    report.phases.push_back({function.getName().str(), {}});
    firstRow = report.padding.size();
  }

  LogicalResult run() {
    if (failed(checkVerifiable(function)) || failed(prover.enterArguments()))
      return failure();
    for (BlockArgument argument : function.getArguments()) {
      modules[argument] = ownerOf(argument, nn::kParameterName);
      std::string owner = modules[argument];
      if (owner.empty())
        owner = ownerOf(argument, nn::kStateName);
      countTensor(argument, owner, kindOf(argument));
    }
    for (Operation &op : function.getBody().front()) {
      if (failed(prover.visit(&op)))
        return failure();
      if (!op.hasTrait<OpTrait::IsTerminator>())
        count(&op);
    }
    auto average = [&](ReportAmount &amount) { amount.padding /= devices; };
    report.phases.back().amounts.forEach(average);
    for (size_t i = firstRow; i < report.padding.size(); ++i)
      report.padding[i].amounts.forEach(average);
    return success();
  }

private:
  //===--------------------------------------------------------------------===//
  // Modules
  //===--------------------------------------------------------------------===//

  /// Of a parameter or state: its name without the last word.
  std::string ownerOf(BlockArgument argument, StringRef attribute) {
    Attribute named = function.getArgAttr(argument.getArgNumber(), attribute);
    StringRef name;
    if (auto parameter = dyn_cast_or_null<nn::ParameterAttr>(named))
      name = parameter.getName().getValue();
    else if (auto state = dyn_cast_or_null<StringAttr>(named))
      name = state.getValue();
    return name.contains('.') ? name.rsplit('.').first.str() : name.str();
  }

  /// What the location says. A printed program has none: then the module of the
  /// parameter that the op reads, or what the modules of its operands share.
  std::string moduleOf(Operation *op) {
    if (auto collective = dyn_cast<CollectiveOpInterface>(op))
      if (StringAttr module = collective.getModuleName())
        return module.getValue().str();
    if (StringRef name = tp::moduleOf(op->getLoc()); !name.empty())
      return name.str();
    std::string shared;
    for (Value operand : op->getOperands()) {
      const std::string &module = modules[operand];
      if (isa<BlockArgument>(operand) && !module.empty())
        return module;
      if (!module.empty())
        shared = shared.empty() ? module : sharedPart(shared, module);
    }
    return shared;
  }

  /// "layers.0.attention.q" and "layers.0.attention.k" share
  /// "layers.0.attention".
  static std::string sharedPart(StringRef a, StringRef b) {
    while (a != b && !a.empty())
      if (a.size() >= b.size())
        a = a.contains('.') ? a.rsplit('.').first : StringRef();
      else
        b = b.contains('.') ? b.rsplit('.').first : StringRef();
    return a.str();
  }

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

  void count(Operation *op) {
    std::string module = moduleOf(op);
    for (Value result : op->getResults()) {
      modules[result] = module;
      countTensor(result, module, Kind::Activation);
    }
    if (isa<ShardingRuleOpInterface>(op) && !isa<PlacementOpInterface>(op))
      countWork(op, module);
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
    int64_t bytes = llvm::divideCeil(type.getElementTypeBitWidth(), 8u);
    add(module, dims, [&](ArrayRef<Extent> list) {
      ReportAmount elements = amountOf(type.getNumElements(), list, devices);
      ReportAmount inBytes{product(elements.total, bytes),
                           product(elements.padding, bytes)};
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

  /// How often an op multiplies and adds for each combination of its factors'
  /// positions: once for each float operand but the first, if it reduces some
  /// factor that two of them have. Other ops contract nothing.
  static int64_t contractionsOf(Operation *op, const ShardingRule &rule) {
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

  void countWork(Operation *op, StringRef module) {
    ShardingRule rule = cast<ShardingRuleOpInterface>(op).getShardingRule();
    int64_t total = contractionsOf(op, rule);
    if (!total)
      return;
    SmallVector<Extent> dims;
    for (const FactorFact &known : prover.factorsOfLast()) {
      if (!known.known)
        continue;
      total = product(total, known.block);
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
  PlacementProver prover;
  int64_t devices = 1;
  size_t firstRow = 0; ///< of this function, in the report
  DenseMap<Value, std::string> modules;
  std::map<std::string, size_t> rows;
};

} // namespace

LogicalResult tp::addPadding(func::FuncOp function, FlatSymbolRefAttr meshName,
                             MeshAttr mesh, Report &report) {
  return PaddingCounter(function, meshName, mesh, report).run();
}
