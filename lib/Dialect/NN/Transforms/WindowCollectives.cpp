//===- WindowCollectives.cpp - collectives and their neighbours in parts --===//
//
// Part of tp-mlir, under the Apache License v2.0.
//
//===----------------------------------------------------------------------===//
//
// On the global graph, where it is plain arithmetic: a factor that an op passes
// is cut in parts, the op computes each of them, and the parts are put together
// again. The reshard before or after the op moves in between, to the parts. A
// dim that the reshard shards becomes two, of which the major one is sharded
// and the minor one is cut, so that a part is a part of every device's block.
//
//===----------------------------------------------------------------------===//

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "tp/Dialect/NN/IR/NN.h"
#include "tp/Dialect/NN/Transforms/Passes.h"
#include "tp/Dialect/TP/Transforms/FactorAxes.h"
#include "tp/Dialect/TP/Transforms/MachineModel.h"

using namespace mlir;
using namespace mlir::nn;
using namespace mlir::tp;

namespace mlir::nn {
#define GEN_PASS_DEF_NNWINDOWCOLLECTIVES
#include "tp/Dialect/NN/Transforms/Passes.h.inc"
} // namespace mlir::nn

namespace {

/// A reshard that is one gather or one reduction.
struct Change {
  bool gathers = false;
  bool scatters = false;
  /// The dim that is gathered or scattered; none if only reduced.
  std::optional<unsigned> dim;
  Axes group;
};

/// An op that computes in parts.
struct Work {
  Operation *op;
  unsigned factor;
};

/// A reshard and the op before it, or those after it, cut along one factor.
struct Window {
  ReshardOp reshard;
  Change change;
  unsigned dim = 0;   ///< of the reshard's tensor
  int64_t extent = 0; ///< of that dim
  int64_t shards = 1; ///< of the major one of the two dims that it becomes
  SmallVector<Work> works = {};

  int64_t minorExtent() const { return extent / shards; }
};

class Windower {
public:
  Windower(func::FuncOp function, const MachineModel &model, int64_t mostChunks)
      : function(function), meshName(findMesh(function)),
        mesh(lookupMesh(function, meshName)), model(model),
        mostChunks(mostChunks), builder(function) {}

  void run() {
    SmallVector<ReshardOp> reshards(
        function.getBody().front().getOps<ReshardOp>());
    for (ReshardOp reshard : reshards) {
      std::optional<Window> window = findWindow(reshard);
      if (!window)
        continue;
      if (int64_t chunks = chooseChunks(*window); chunks > 1)
        build(*window, chunks);
    }
  }

private:
  //===--------------------------------------------------------------------===//
  // What can be cut
  //===--------------------------------------------------------------------===//

  std::optional<Placement> placementOf(Value value) const {
    auto type = dyn_cast<RankedTensorType>(value.getType());
    ShardingAttr sharding = type ? shardingOf(value) : ShardingAttr();
    if (!sharding)
      return std::nullopt;
    return toPlacement(sharding, mesh, type.getShape());
  }

  /// The axes that `longer` has more, if it begins with `shorter`.
  static std::optional<Axes> suffixOf(const Axes &longer, const Axes &shorter) {
    if (longer.size() < shorter.size() ||
        !std::equal(shorter.begin(), shorter.end(), longer.begin()))
      return std::nullopt;
    return Axes(longer.begin() + shorter.size(), longer.end());
  }

  static std::optional<Change> classify(const Placement &from,
                                        const Placement &to) {
    Change change;
    for (unsigned d = 0; d < from.dims.size(); ++d) {
      if (from.dims[d] == to.dims[d])
        continue;
      if (change.dim)
        return std::nullopt;
      change.dim = d;
    }
    if (from.partial == to.partial) {
      if (!change.dim)
        return std::nullopt;
      auto gathered = suffixOf(from.dims[*change.dim], to.dims[*change.dim]);
      if (!gathered)
        return std::nullopt;
      change.gathers = true;
      change.group = *gathered;
      return change;
    }
    if (from.partial.empty() || !to.partial.empty())
      return std::nullopt;
    change.group = from.partial;
    if (change.dim) {
      auto scattered = suffixOf(to.dims[*change.dim], from.dims[*change.dim]);
      if (!scattered || sizeOf(*scattered) != sizeOf(change.group))
        return std::nullopt;
      llvm::sort(*scattered);
      if (normalised(*scattered) != from.partial)
        return std::nullopt;
      change.scatters = true;
    }
    return change;
  }

  std::optional<Window> findWindow(ReshardOp reshard) {
    if (!reshard.getFromAttr())
      return std::nullopt;
    ArrayRef<int64_t> shape = reshard.getType().getShape();
    Placement from = toPlacement(reshard.getFromAttr(), mesh, shape);
    Placement to = toPlacement(reshard.getTo(), mesh, shape);
    auto change = classify(from, to);
    if (!change)
      return std::nullopt;
    Window window{reshard, *change};
    // A reduction that keeps its dims may be cut along any of them.
    for (unsigned d = 0; d < shape.size(); ++d) {
      if (change->dim && *change->dim != d)
        continue;
      window.dim = d;
      window.extent = shape[d];
      window.shards = sizeOf(change->gathers ? from.dims[d] : to.dims[d]);
      bool isEven = from.pads[d] == shape[d] && shape[d] > 0 &&
                    shape[d] % window.shards == 0 && window.minorExtent() > 1;
      if (isEven && findWorks(window))
        return window;
    }
    return std::nullopt;
  }

  bool findWorks(Window &window) {
    window.works.clear();
    ReshardOp reshard = window.reshard;
    if (!window.change.gathers) {
      auto producer = dyn_cast<OpResult>(reshard.getInput());
      return producer && producer.hasOneUse() &&
             producer.getOwner()->getNumResults() == 1 &&
             addWork(window, producer.getOwner(),
                     [&](const ShardingRule &rule) -> const TensorFactors & {
                       return rule.results[0];
                     });
    }
    for (OpOperand &use : reshard.getResult().getUses()) {
      Operation *user = use.getOwner();
      if (llvm::any_of(window.works,
                       [&](const Work &work) { return work.op == user; }) ||
          !addWork(window, user,
                   [&](const ShardingRule &rule) -> const TensorFactors & {
                     return rule.operands[use.getOperandNumber()];
                   }))
        return false;
    }
    return !window.works.empty();
  }

  /// Takes `op` if it can compute the factor of the window's dim in parts.
  bool
  addWork(Window &window, Operation *op,
          function_ref<const TensorFactors &(const ShardingRule &)> tensorOf) {
    auto ruled = dyn_cast<ShardingRuleOpInterface>(op);
    if (!ruled)
      return false;
    ShardingRule rule = ruled.getShardingRule();
    const DimFactors &dim = tensorOf(rule)[window.dim];
    if (dim.size() != 1)
      return false;
    unsigned number = dim.front();
    const Factor &factor = rule.factors[number];
    if (factor.kind != FactorKind::Pass || factor.indexed || factor.masked)
      return false;
    bool isRead = false;
    for (auto [value, dims] : llvm::zip(op->getOperands(), rule.operands)) {
      std::optional<unsigned> position;
      if (!canCut(window, value, dims, number, position))
        return false;
      isRead |= position.has_value();
    }
    for (auto [value, dims] : llvm::zip(op->getResults(), rule.results)) {
      std::optional<unsigned> position;
      if (!canCut(window, value, dims, number, position) || !position ||
          !canJoin(window, value))
        return false;
    }
    if (!isRead || !splits(ruled, number, factor.size))
      return false;
    window.works.push_back({op, number});
    return true;
  }

  /// Whether a tensor has the factor in one plain dim, to `position`, or not at
  /// all; its axes shard the major one of the two dims.
  bool canCut(const Window &window, Value value, const TensorFactors &dims,
              unsigned factor, std::optional<unsigned> &position) {
    if (!isa<RankedTensorType>(value.getType()))
      return false;
    std::optional<Placement> placement = placementOf(value);
    if (!placement)
      return false;
    for (auto [d, factors] : llvm::enumerate(dims)) {
      // A reshape does not keep track of dims of one element.
      if (shapeOf(value.getType())[d] == 1 && placement->pads[d] != 1)
        return false;
      if (!llvm::is_contained(factors, factor))
        continue;
      if (position || factors.size() != 1 ||
          placement->pads[d] != window.extent ||
          window.shards % sizeOf(placement->dims[d]))
        return false;
      position = d;
    }
    return true;
  }

  /// Whether parts of a result can be put together: behind a gather they are
  /// still partial, and only sums may be joined.
  bool canJoin(const Window &window, Value result) {
    if (!window.change.gathers)
      return true;
    std::optional<Placement> placement = placementOf(result);
    return placement && (placement->partial.empty() ||
                         placement->partialKind == ReduceKind::Sum);
  }

  bool splits(ShardingRuleOpInterface op, unsigned factor, int64_t size) {
    // A declared placement is of the whole dim.
    if (isa<DeclaredPlacementOpInterface>(*op))
      return false;
    builder.setInsertionPoint(op);
    Operation *probe =
        op.splitFactor(builder, factor, {size}, op->getOperands());
    if (probe)
      probe->erase();
    return probe != nullptr;
  }

  //===--------------------------------------------------------------------===//
  // Whether it pays
  //===--------------------------------------------------------------------===//

  double localBytes(Value value) const {
    double bytes = double(bytesOf(value.getType()));
    if (std::optional<Placement> placement = placementOf(value))
      for (const Axes &axes : placement->dims)
        bytes /= double(sizeOf(axes));
    return bytes;
  }

  /// How many devices share each factor of an op.
  SmallVector<int64_t> sharesOf(Operation *op) const {
    ShardingRule rule = cast<ShardingRuleOpInterface>(op).getShardingRule();
    SmallVector<int64_t> sizes(rule.factors.size(), 1);
    auto visit = [&](ValueRange values, ArrayRef<TensorFactors> tensors) {
      for (auto [value, dims] : llvm::zip(values, tensors)) {
        std::optional<Placement> placement = placementOf(value);
        if (!placement)
          continue;
        for (auto [factors, axes] : llvm::zip(dims, placement->dims))
          if (!factors.empty())
            sizes[factors.front()] =
                std::max(sizes[factors.front()], sizeOf(axes));
      }
    };
    visit(op->getOperands(), rule.operands);
    visit(op->getResults(), rule.results);
    return sizes;
  }

  /// One part of `chunks` of an op. What does not have the factor, such as a
  /// weight, is read again for each.
  double workTime(const Work &work, int64_t chunks) const {
    ShardingRule rule =
        cast<ShardingRuleOpInterface>(work.op).getShardingRule();
    double bytes = 0;
    auto visit = [&](ValueRange values, ArrayRef<TensorFactors> tensors) {
      for (auto [value, dims] : llvm::zip(values, tensors)) {
        bool isCut = llvm::any_of(dims, [&](const DimFactors &factors) {
          return llvm::is_contained(factors, work.factor);
        });
        bytes += localBytes(value) / double(isCut ? chunks : 1);
      }
    };
    visit(work.op->getOperands(), rule.operands);
    visit(work.op->getResults(), rule.results);
    double points = countPoints(work.op, sharesOf(work.op));
    return model.computeTime(points / double(chunks), bytes);
  }

  double sendTime(const Window &window, int64_t chunks) const {
    ReshardOp reshard = window.reshard;
    double n = double(sizeOf(window.change.group));
    double whole = std::max(localBytes(reshard.getInput()),
                            localBytes(reshard.getResult()));
    bool reduces = !window.change.gathers && !window.change.scatters;
    double sent = (reduces ? 2 : 1) * whole * (n - 1) / n;
    return model.collectiveTime(sent / double(chunks), reduces);
  }

  /// Cutting and putting together move what they touch twice.
  double copyTime(const Window &window) const {
    ReshardOp reshard = window.reshard;
    double bytes = window.change.gathers ? localBytes(reshard.getInput())
                                         : localBytes(reshard.getResult());
    for (const Work &work : window.works) {
      ShardingRule rule =
          cast<ShardingRuleOpInterface>(work.op).getShardingRule();
      for (auto [value, dims] :
           llvm::zip(work.op->getOperands(), rule.operands))
        if (value != reshard.getResult() &&
            llvm::any_of(dims, [&](const DimFactors &factors) {
              return llvm::is_contained(factors, work.factor);
            }))
          bytes += localBytes(value);
      if (window.change.gathers)
        for (Value result : work.op->getResults())
          bytes += localBytes(result);
    }
    return model.computeTime(0, 2 * bytes);
  }

  /// The number of parts for which the model predicts the least time: 1 if none
  /// is clearly better than leaving things as they are.
  int64_t chooseChunks(const Window &window) const {
    auto time = [&](int64_t chunks) {
      double send = sendTime(window, chunks), work = 0;
      for (const Work &one : window.works)
        work += workTime(one, chunks);
      return send + work + double(chunks - 1) * std::max(send, work);
    };
    int64_t best = 1;
    double least = 0.99 * time(1), copies = copyTime(window);
    for (int64_t chunks = 2; chunks <= mostChunks; ++chunks) {
      if (window.minorExtent() % chunks)
        continue;
      double together = time(chunks) + copies;
      if (together >= least)
        continue;
      best = chunks;
      least = together;
    }
    return best;
  }

  //===--------------------------------------------------------------------===//
  // Doing it
  //===--------------------------------------------------------------------===//

  ShardingAttr sharding(const Placement &placement, Type type) {
    return toSharding(placement, meshName, mesh, shapeOf(type),
                      builder.getContext());
  }

  template <typename Op> Op place(Op op, ArrayRef<Placement> placements) {
    SmallVector<Attribute> shardings;
    for (auto [result, placement] : llvm::zip(op->getResults(), placements))
      shardings.push_back(sharding(placement, result.getType()));
    op->setAttr(kShardingsName, builder.getArrayAttr(shardings));
    return op;
  }

  /// The position of the dim that is cut, of two that were one.
  static unsigned minorOf(const Window &window, unsigned dim) {
    return window.shards > 1 ? dim + 1 : dim;
  }

  /// Of a tensor whose dim is two, of which the minor one has this extent.
  static Placement splitPlacement(const Window &window, Placement placement,
                                  unsigned dim, int64_t minorExtent) {
    if (window.shards > 1) {
      placement.dims.insert(placement.dims.begin() + dim + 1, Axes());
      placement.pads[dim] = window.shards;
      placement.pads.insert(placement.pads.begin() + dim + 1, minorExtent);
    } else {
      placement.pads[dim] = minorExtent;
    }
    return placement;
  }

  static RankedTensorType splitType(const Window &window, Type whole,
                                    unsigned dim, int64_t minorExtent) {
    auto type = cast<RankedTensorType>(whole);
    SmallVector<int64_t> shape(type.getShape());
    if (window.shards > 1) {
      shape[dim] = window.shards;
      shape.insert(shape.begin() + dim + 1, minorExtent);
    } else {
      shape[dim] = minorExtent;
    }
    return type.clone(shape);
  }

  /// All parts of a tensor along one of its dims.
  SmallVector<Value> cut(const Window &window, Value value, unsigned dim,
                         int64_t chunks, Location loc) {
    Placement placement = *placementOf(value);
    Type whole = value.getType();
    int64_t extent = window.minorExtent();
    if (window.shards > 1)
      value =
          place(ReshapeOp::create(builder, loc,
                                  splitType(window, whole, dim, extent), value),
                splitPlacement(window, placement, dim, extent));
    RankedTensorType part = splitType(window, whole, dim, extent / chunks);
    Placement partPlacement =
        splitPlacement(window, placement, dim, extent / chunks);
    SmallVector<Value> parts;
    for (int64_t i = 0; i < chunks; ++i) {
      SmallVector<int64_t> offsets(part.getRank(), 0);
      SmallVector<int64_t> strides(part.getRank(), 1);
      offsets[minorOf(window, dim)] = i * (extent / chunks);
      parts.push_back(
          place(nn::SliceOp::create(builder, loc, part, value,
                                    builder.getDenseI64ArrayAttr(offsets),
                                    builder.getDenseI64ArrayAttr(strides)),
                partPlacement));
    }
    return parts;
  }

  Value moved(const Window &window, Value part) {
    ReshardOp reshard = window.reshard;
    int64_t minor = shapeOf(part.getType())[minorOf(window, window.dim)];
    auto half = [&](ShardingAttr whole) {
      return splitPlacement(
          window, toPlacement(whole, mesh, reshard.getType().getShape()),
          window.dim, minor);
    };
    Placement to = half(reshard.getTo());
    return place(
        ReshardOp::create(builder, reshard.getLoc(), part.getType(), part,
                          sharding(half(reshard.getFromAttr()), part.getType()),
                          sharding(to, part.getType()), reshard.getReasonAttr(),
                          reshard.getModuleAttr()),
        to);
  }

  /// The parts as one tensor again, in the place of `whole`.
  void join(const Window &window, Value whole, ArrayRef<Value> parts,
            unsigned dim) {
    Placement placement = *placementOf(whole);
    Location loc = whole.getLoc();
    int64_t extent = window.minorExtent();
    Value value =
        place(ConcatOp::create(builder, loc,
                               splitType(window, whole.getType(), dim, extent),
                               ValueRange(parts), minorOf(window, dim)),
              splitPlacement(window, placement, dim, extent));
    if (window.shards > 1)
      value = place(ReshapeOp::create(builder, loc, whole.getType(), value),
                    placement);
    whole.replaceAllUsesWith(value);
  }

  static unsigned dimOf(const TensorFactors &dims, unsigned factor) {
    for (auto [d, factors] : llvm::enumerate(dims))
      if (llvm::is_contained(factors, factor))
        return d;
    return dims.size();
  }

  void build(const Window &window, int64_t chunks) {
    ReshardOp reshard = window.reshard;
    SmallVector<Value> gathered;
    if (window.change.gathers) {
      builder.setInsertionPoint(reshard);
      for (Value part : cut(window, reshard.getInput(), window.dim, chunks,
                            reshard.getLoc()))
        gathered.push_back(moved(window, part));
    }
    for (const Work &work : window.works)
      buildWork(window, work, chunks, gathered);
    reshard.erase();
    if (!window.change.gathers)
      window.works.front().op->erase();
  }

  void buildWork(const Window &window, const Work &work, int64_t chunks,
                 ArrayRef<Value> gathered) {
    ReshardOp reshard = window.reshard;
    Operation *op = work.op;
    auto ruled = cast<ShardingRuleOpInterface>(op);
    ShardingRule rule = ruled.getShardingRule();
    builder.setInsertionPoint(op);
    SmallVector<SmallVector<Value>> operands(chunks);
    for (auto [value, dims] : llvm::zip(op->getOperands(), rule.operands)) {
      unsigned dim = dimOf(dims, work.factor);
      SmallVector<Value> parts(chunks, value);
      if (dim < dims.size())
        parts = value == reshard.getResult()
                    ? SmallVector<Value>(gathered)
                    : cut(window, value, dim, chunks, op->getLoc());
      for (auto [list, part] : llvm::zip(operands, parts))
        list.push_back(part);
    }
    int64_t part = window.minorExtent() / chunks;
    SmallVector<int64_t> sizes{part};
    if (window.shards > 1)
      sizes = {window.shards, part};
    std::vector<Placement> placements;
    for (auto [value, dims] : llvm::zip(op->getResults(), rule.results))
      placements.push_back(splitPlacement(window, *placementOf(value),
                                          dimOf(dims, work.factor), part));
    SmallVector<SmallVector<Value>> results(op->getNumResults());
    for (ValueRange list : operands) {
      Operation *one = place(
          ruled.splitFactor(builder, work.factor, sizes, list), placements);
      for (auto [all, result] : llvm::zip(results, one->getResults()))
        all.push_back(window.change.gathers ? Value(result)
                                            : moved(window, result));
    }
    if (!window.change.gathers)
      return join(window, reshard.getResult(), results.front(), window.dim);
    for (auto [value, parts, dims] :
         llvm::zip(op->getResults(), results, rule.results))
      join(window, value, parts, dimOf(dims, work.factor));
    op->erase();
  }

  func::FuncOp function;
  FlatSymbolRefAttr meshName;
  MeshAttr mesh;
  const MachineModel &model;
  int64_t mostChunks;
  OpBuilder builder;
};

struct WindowCollectives
    : nn::impl::NNWindowCollectivesBase<WindowCollectives> {
  using NNWindowCollectivesBase::NNWindowCollectivesBase;

  void runOnOperation() override {
    func::FuncOp function = getOperation();
    FailureOr<MachineModel> model = MachineModel::parse(machine, function);
    if (failed(model))
      return signalPassFailure();
    FlatSymbolRefAttr meshName = findMesh(function);
    if (!meshName || function.isExternal() || !function.getBody().hasOneBlock())
      return;
    if (failed(checkMesh(function, meshName)))
      return signalPassFailure();
    Windower(function, *model, chunks).run();
  }
};

} // namespace
