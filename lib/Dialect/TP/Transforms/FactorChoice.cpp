//===- FactorChoice.cpp - how an op is sharded ----------------------------===//
//
// Part of tp-mlir, under the Apache License v2.0.
//
//===----------------------------------------------------------------------===//

#include "tp/Dialect/TP/Transforms/FactorChoice.h"
#include "tp/Dialect/TP/Transforms/DimClasses.h"
#include "tp/Dialect/TP/Transforms/FactorAxes.h"
#include "tp/Interfaces/ShardingDialectInterface.h"

using namespace mlir;
using namespace mlir::tp;

double tp::bytesOf(Value value) {
  auto type = cast<RankedTensorType>(value.getType());
  double bits =
      type.getElementType().isIntOrFloat() ? type.getElementTypeBitWidth() : 64;
  return bits / 8 * double(type.getNumElements());
}

/// Where no argument says that it is a parameter: all are but those whose first
/// dim is that of the first result, a batch or sequence.
static void guessParameters(func::FuncOp function, DenseSet<Value> &stored) {
  Operation *terminator = function.getBody().front().getTerminator();
  auto hasDims = [](Value value) { return !shapeOf(value.getType()).empty(); };
  if (terminator->getNumOperands() == 0 || !hasDims(terminator->getOperand(0)))
    return;
  DimClasses classes(function);
  unsigned leading = classes.classOf(terminator->getOperand(0), 0);
  for (BlockArgument argument : function.getArguments())
    if (hasDims(argument) && classes.classOf(argument, 0) != leading)
      stored.insert(argument);
}

FactorChooser::FactorChooser(func::FuncOp function, FlatSymbolRefAttr meshName,
                             MeshAttr mesh) {
  for (BlockArgument argument : function.getArguments())
    if (isParameter(function, argument.getArgNumber()))
      stored.insert(argument);
  if (stored.empty())
    guessParameters(function, stored);
  auto isConstant = [](Value value) {
    Operation *producer = value.getDefiningOp();
    return producer && producer->hasTrait<OpTrait::ConstantLike>();
  };
  for (Operation &op : function.getBody().front())
    if (llvm::any_of(op.getOperands(),
                     [&](Value value) { return isStored(value); }) &&
        llvm::all_of(op.getOperands(), [&](Value value) {
          return isStored(value) || isConstant(value);
        }))
      stored.insert(op.result_begin(), op.result_end());
  auto meshOp =
      SymbolTable::lookupNearestSymbolFrom<MeshOp>(function, meshName);
  for (MeshAxisAttr axis : mesh.getAxes())
    if (meshOp && meshOp.isDataParallel(axis.getName()))
      dataAxes.insert(axis.getName());
}

namespace {

/// Axes that some tensors of an op have on a factor.
struct Claim {
  unsigned factor;
  Axes axes;
  bool isDataOfStored = true; ///< stored values have it, over data axes, alone
  double storedBytes = 0;     ///< of parameters, that need not be gathered
  bool isDecomposed = false;  ///< the op would have to be written out
  double devices = 1;         ///< that share the work, less those of padding
  size_t resultDim = 0;       ///< where a data axis would stand
  double bytes = 0;           ///< sent if refused, less those if granted

  bool isPreferredTo(const Claim &other) const {
    if (isDataOfStored != other.isDataOfStored)
      return other.isDataOfStored;
    if (storedBytes != other.storedBytes)
      return storedBytes > other.storedBytes;
    if (isDecomposed != other.isDecomposed)
      return other.isDecomposed;
    if (devices != other.devices)
      return devices > other.devices;
    if (resultDim != other.resultDim)
      return resultDim < other.resultDim;
    if (bytes != other.bytes)
      return bytes > other.bytes;
    if (factor != other.factor)
      return factor < other.factor;
    return std::lexicographical_compare(axes.begin(), axes.end(),
                                        other.axes.begin(), other.axes.end());
  }
};

/// Collects the claims of one op.
class Claims {
public:
  Claims(const FactorChooser &chooser, Operation *op, const ShardingRule &rule,
         bool mayDecompose)
      : chooser(chooser), op(op), rule(rule), mayDecompose(mayDecompose) {}

  std::vector<Claim> run(function_ref<ArrayRef<Axes>(Value)> axesOf) {
    for (auto [value, dims] : llvm::zip(op->getOperands(), rule.operands))
      if (isa<RankedTensorType>(value.getType()))
        read(value, dims, axesOf(value), /*isResult=*/false);
    for (auto [value, dims] : llvm::zip(op->getResults(), rule.results))
      if (isa<RankedTensorType>(value.getType()))
        read(value, dims, axesOf(value), /*isResult=*/true);
    for (Claim &claim : claims)
      weigh(claim);
    llvm::sort(claims, [](const Claim &a, const Claim &b) {
      return a.isPreferredTo(b);
    });
    return std::move(claims);
  }

private:
  void read(Value value, const TensorFactors &dims, ArrayRef<Axes> axes,
            bool isResult) {
    for (auto [dimAxes, factors] : llvm::zip(axes, dims)) {
      if (dimAxes.empty())
        continue;
      SmallVector<Axes> spread = spreadOver(dimAxes, factors, rule);
      for (auto [factor, part] : llvm::zip(factors, spread))
        if (!part.empty() && mayShard(rule.factors[factor]))
          support(claimOf(factor, part), value, isResult);
    }
  }

  bool mayShard(const Factor &factor) const {
    return factor.kind != FactorKind::Replicate &&
           (mayDecompose || factor.kind != FactorKind::Decompose);
  }

  Claim &claimOf(unsigned factor, const Axes &axes) {
    for (Claim &claim : claims)
      if (claim.factor == factor && claim.axes == axes)
        return claim;
    claims.push_back({factor, axes});
    return claims.back();
  }

  bool isData(const Axes &axes) const {
    return llvm::any_of(axes,
                        [&](Axis axis) { return chooser.isData(axis.name); });
  }

  /// What it would cost `value` if the claim were refused: a gather, or, if the
  /// result is wanted so, about what an all-to-all of it sends.
  void support(Claim &claim, Value value, bool isResult) {
    double bytes = bytesOf(value), size = double(sizeOf(claim.axes));
    bool isStored = chooser.isStored(value);
    claim.isDataOfStored &= isStored && isData(claim.axes);
    if (isStored && !isResult && !isData(claim.axes))
      claim.storedBytes += bytes * (1 - 1 / size);
    claim.bytes += bytes * (1 - 1 / size) / (isResult ? size : 1);
  }

  /// Padding included, and the reduction that follows.
  void weigh(Claim &claim) {
    const Factor &factor = rule.factors[claim.factor];
    int64_t size = sizeOf(claim.axes);
    claim.isDecomposed = factor.kind == FactorKind::Decompose;
    claim.devices =
        double(factor.size) / double(llvm::divideCeil(factor.size, size));
    if (isData(claim.axes))
      claim.resultDim = firstResultDim(claim.factor);
    if (factor.kind == FactorKind::Pass)
      return;
    for (Value result : op->getResults())
      if (isa<RankedTensorType>(result.getType()))
        claim.bytes -= 2 * bytesOf(result) * (1 - 1 / double(size));
  }

  size_t firstResultDim(unsigned factor) const {
    size_t first = ~size_t(0);
    for (const TensorFactors &dims : rule.results)
      for (auto [i, factors] : llvm::enumerate(dims))
        if (llvm::is_contained(factors, factor))
          first = std::min(first, i);
    return first;
  }

  const FactorChooser &chooser;
  Operation *op;
  const ShardingRule &rule;
  bool mayDecompose;
  std::vector<Claim> claims;
};

} // namespace

SmallVector<Axes>
FactorChooser::choose(Operation *op, const ShardingRule &rule,
                      function_ref<ArrayRef<Axes>(Value)> axesOf,
                      bool mayDecompose) const {
  SmallVector<Axes> factors(rule.factors.size());
  Axes taken;
  for (Claim &claim : Claims(*this, op, rule, mayDecompose).run(axesOf)) {
    Axes &own = factors[claim.factor];
    if (!isPrefix(own, claim.axes))
      continue;
    Axes others;
    for (Axis axis : taken)
      if (!overlap(axis, own))
        others.push_back(axis);
    Axes part = claim.axes;
    while (!part.empty() && overlap(part, others))
      part.pop_back();
    if (sizeOf(part) <= sizeOf(own))
      continue;
    own = part;
    taken = others;
    taken.append(part);
  }
  return factors;
}
