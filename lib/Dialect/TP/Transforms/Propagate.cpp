//===- Propagate.cpp - carries shardings through every op -----------------===//
//
// Part of tp-mlir, under the Apache License v2.0.
//
//===----------------------------------------------------------------------===//

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Interfaces/SideEffectInterfaces.h"
#include "tp/Dialect/TP/IR/TP.h"
#include "tp/Dialect/TP/Transforms/DimClasses.h"
#include "tp/Dialect/TP/Transforms/FactorAxes.h"
#include "tp/Dialect/TP/Transforms/FactorChoice.h"
#include "tp/Dialect/TP/Transforms/Passes.h"
#include "tp/Dialect/TP/Transforms/SharedStorage.h"
#include "tp/Interfaces/ShardingDialectInterface.h"
#include "llvm/ADT/SmallBitVector.h"
#include <map>

using namespace mlir;
using namespace mlir::tp;

namespace mlir::tp {
#define GEN_PASS_DEF_TPPROPAGATE
#include "tp/Dialect/TP/Transforms/Passes.h.inc"
} // namespace mlir::tp

namespace {

/// What is known of one tensor.
struct State {
  Value value;
  SmallVector<Axes, 4> dims;
  /// What was asked for, if it was: never given up.
  SmallVector<Axes, 4> asked;
  Axes partial;
  /// Of a value that was asked for, the dims that may take further axes.
  SmallVector<bool, 4> open;
  SmallVector<unsigned, 4> nodes; ///< that read it
  bool isFixed() const { return !open.empty(); }
};

/// An op and its rule; or, without an op, two tensors that lie alike: a result
/// and the argument that was donated to it.
struct Node {
  Operation *op;
  ShardingRule rule;
  SmallVector<unsigned, 4> operands, results; ///< states; ~0u for no tensor
  double work = 1; ///< elements of its iteration space
  bool isQueued = false;
};

/// An op's proposal of what a dim of a tensor could be.
struct Proposal {
  unsigned state, dim;
  Axes axes;
  double work;

  /// First the op with more work, then more devices; the rest only makes the
  /// order total. Where the op stands plays no part.
  bool operator<(const Proposal &other) const {
    if (state != other.state)
      return state < other.state;
    if (work != other.work)
      return work > other.work;
    if (sizeOf(axes) != sizeOf(other.axes))
      return sizeOf(axes) > sizeOf(other.axes);
    if (dim != other.dim)
      return dim < other.dim;
    return std::lexicographical_compare(axes.begin(), axes.end(),
                                        other.axes.begin(), other.axes.end());
  }
};

/// A proposal of the user's: binding for what was asked of the value itself.
struct Request {
  Proposal proposal;
  bool isBinding;
};

/// Requests are let in one after the other, each class of them carried to a
/// fixed point before the next: by the user's priority, then as here.
enum class Strength {
  /// Data-parallel axes of activations, and other axes of parameters.
  Strong,
  /// Other axes of activations: they fill what the parameters left open.
  Weak,
  /// Data-parallel axes of parameters: storage, gathered before use.
  Storage
};

class Propagator {
public:
  Propagator(func::FuncOp function, FlatSymbolRefAttr meshName, MeshAttr mesh)
      : function(function), meshName(meshName), mesh(mesh),
        chooser(function, meshName, mesh) {}

  LogicalResult run() {
    collectNodes();
    collectRequests();
    bool isContinued = false;
    for (const State &state : states)
      isContinued |= continueFrom(state.value);
    for (auto &phase : phases) {
      for (const Request &request : phase.second)
        admit(request);
      if (!isContinued)
        settle();
    }
    settle();
    return write();
  }

private:
  //===--------------------------------------------------------------------===//
  // The graph
  //===--------------------------------------------------------------------===//

  void collectNodes() {
    forEachTensor(function, [&](Value value) {
      numbers[value] = states.size();
      states.emplace_back();
      states.back().value = value;
      states.back().dims.resize(shapeOf(value.getType()).size());
    });
    auto number = [&](Value value) {
      auto it = numbers.find(value);
      return it == numbers.end() ? ~0u : it->second;
    };
    auto addNode = [&](Node node) {
      for (unsigned state : llvm::concat<unsigned>(node.operands, node.results))
        if (state != ~0u && (states[state].nodes.empty() ||
                             states[state].nodes.back() != nodes.size()))
          states[state].nodes.push_back(nodes.size());
      nodes.push_back(std::move(node));
    };
    for (Operation &op : function.getBody().front()) {
      auto ruled = dyn_cast<ShardingRuleOpInterface>(op);
      if (!ruled)
        continue;
      Node node{&op, ruled.getShardingRule(), {}, {}};
      llvm::append_range(node.operands,
                         llvm::map_range(op.getOperands(), number));
      llvm::append_range(node.results,
                         llvm::map_range(op.getResults(), number));
      node.work = iterationsOf(node.rule);
      addNode(std::move(node));
    }
    Operation *terminator = function.getBody().front().getTerminator();
    for (auto [value, argument] :
         llvm::zip(terminator->getOperands(), findDonors(function)))
      if (argument)
        addNode({nullptr,
                 {},
                 {number(function.getArgument(*argument))},
                 {number(value)}});
  }

  //===--------------------------------------------------------------------===//
  // Requests
  //===--------------------------------------------------------------------===//

  void collectRequests() {
    for (BlockArgument argument : function.getArguments())
      fix(argument,
          function.getArgAttrOfType<ShardingAttr>(argument.getArgNumber(),
                                                  kShardingName),
          chooser.isStored(argument));
    for (Operation &op : function.getBody().front()) {
      auto declared = dyn_cast<DeclaredPlacementOpInterface>(op);
      if (!declared)
        continue;
      for (Value result : op.getResults())
        fix(result, declared.getDeclaredResult(
                        cast<OpResult>(result).getResultNumber()));
      for (OpOperand &operand : op.getOpOperands())
        wish(operand.get(),
             declared.getDeclaredOperand(operand.getOperandNumber()));
    }
    // Results are resharded to what was asked for, at the end: until then they
    // should lie so, but need not.
    Operation *terminator = function.getBody().front().getTerminator();
    for (auto [i, value] : llvm::enumerate(terminator->getOperands()))
      if (i < function.getNumResults())
        wish(value,
             function.getResultAttrOfType<ShardingAttr>(i, kShardingName));
  }

  /// `value` will be resharded to `sharding`: it may as well lie so.
  void wish(Value value, ShardingAttr sharding) {
    if (sharding && isa<RankedTensorType>(value.getType()))
      request(value, sharding, /*isStored=*/false, /*isBinding=*/false);
  }

  /// Where propagation ran before, it goes on from what it found, all at once:
  /// an argument does not tell any more what was asked of it first. Returns
  /// whether it did.
  bool continueFrom(Value value) {
    auto result = dyn_cast<OpResult>(value);
    ShardingAttr sharding = result ? shardingOf(result) : ShardingAttr();
    if (!sharding)
      return false;
    for (auto [i, dim] : llvm::enumerate(sharding.getDims()))
      if (Axes axes = axesOf(dim); !axes.empty())
        extend({numbers.lookup(value), unsigned(i), axes, 0});
    return true;
  }

  void fix(Value value, ShardingAttr sharding, bool isStored = false) {
    if (!sharding || !isa<RankedTensorType>(value.getType()))
      return;
    State &state = states[numbers.lookup(value)];
    for (auto [i, dim] : llvm::enumerate(sharding.getDims())) {
      state.open.push_back(dim.getOpen());
      state.asked.push_back(axesOf(dim));
      if (dim.getPad())
        askedPads.push_back({value, unsigned(i), dim.getPad()});
    }
    for (AxisRefAttr axis : sharding.getPartialAxes())
      state.partial.push_back(toAxis(axis, mesh));
    request(value, sharding, isStored, /*isBinding=*/true);
  }

  Axes axesOf(DimShardingAttr dim) const {
    Axes axes;
    for (AxisRefAttr axis : dim.getAxes())
      axes.push_back(toAxis(axis, mesh));
    return axes;
  }

  /// Enters the axes of every dim where their turn is: a minor one waits for
  /// those before it, unless they only store.
  void request(Value value, ShardingAttr sharding, bool isStored,
               bool isBinding) {
    for (auto [i, dim] : llvm::enumerate(sharding.getDims())) {
      Axes all = axesOf(dim), before;
      for (Strength now :
           {Strength::Strong, Strength::Weak, Strength::Storage}) {
        Axes axes;
        for (const Axis &axis : all) {
          Strength strength = strengthOf(axis, isStored);
          if (strength <= now)
            axes.push_back(axis);
          else if (strength != Strength::Storage)
            break;
        }
        axes = normalised(axes);
        if (axes != before)
          phases[{std::max<int64_t>(dim.getPriority(), 0), now}].push_back(
              {{numbers.lookup(value), unsigned(i), axes, 0}, isBinding});
        before = axes;
      }
    }
  }

  Strength strengthOf(const Axis &axis, bool isStored) const {
    if (chooser.isData(axis.name))
      return isStored ? Strength::Storage : Strength::Strong;
    return isStored ? Strength::Strong : Strength::Weak;
  }

  void admit(const Request &request) {
    if (!request.isBinding)
      return extend(request.proposal);
    State &state = states[request.proposal.state];
    Axes &axes = state.dims[request.proposal.dim];
    if (isPrefix(request.proposal.axes, axes))
      return;
    axes = request.proposal.axes;
    enqueue(state);
  }

  //===--------------------------------------------------------------------===//
  // To a fixed point
  //===--------------------------------------------------------------------===//

  /// In rounds: all ops next to what changed look at the same state, and the
  /// best of their proposals are taken. So what reaches a tensor first depends
  /// on the distance in the graph, not on the order of ops. Axes are only
  /// added, so this ends; every change costs the ops next to it one look.
  void settle() {
    while (!queue.empty()) {
      std::vector<unsigned> round;
      round.swap(queue);
      std::vector<Proposal> proposals;
      for (unsigned number : round) {
        nodes[number].isQueued = false;
        propose(nodes[number], proposals);
      }
      llvm::sort(proposals);
      for (const Proposal &proposal : proposals)
        extend(proposal);
    }
  }

  void enqueue(const State &state) {
    for (unsigned number : state.nodes)
      if (!std::exchange(nodes[number].isQueued, true))
        queue.push_back(number);
  }

  /// What one op would have its tensors be.
  void propose(const Node &node, std::vector<Proposal> &proposals) {
    if (!node.op) {
      unsigned a = node.operands.front(), b = node.results.front();
      for (auto [from, to] : {std::pair(a, b), std::pair(b, a)})
        for (auto [i, axes] : llvm::enumerate(states[from].dims))
          if (!axes.empty())
            proposals.push_back({to, unsigned(i), axes, node.work});
      return;
    }
    SmallVector<Axes> factors = chooser.choose(
        node.op, node.rule,
        [&](Value value) -> ArrayRef<Axes> { return dimsOf(value); },
        /*mayDecompose=*/true);
    auto visit = [&](ArrayRef<unsigned> tensors, ArrayRef<TensorFactors> all) {
      for (auto [state, dims] : llvm::zip(tensors, all))
        for (auto [i, dimFactors] : llvm::enumerate(dims)) {
          Axes axes = gatherFrom(dimFactors, node.rule, factors);
          if (!axes.empty() && axes != states[state].dims[i])
            proposals.push_back({state, unsigned(i), axes, node.work});
        }
    };
    visit(node.operands, node.rule.operands);
    visit(node.results, node.rule.results);
  }

  /// Gives a dim further axes if it may have them.
  void extend(const Proposal &proposal) {
    State &state = states[proposal.state];
    const Axes &axes = proposal.axes;
    if (axes == state.dims[proposal.dim] ||
        !isPrefix(state.dims[proposal.dim], axes))
      return;
    if (state.isFixed() && (!state.open[proposal.dim] ||
                            !isPrefix(state.asked[proposal.dim], axes)))
      return;
    if (overlap(state.partial, axes))
      return;
    for (const auto *dims : {&state.dims, &state.asked})
      for (auto [i, other] : llvm::enumerate(*dims))
        if (i != proposal.dim && overlap(other, axes))
          return;
    state.dims[proposal.dim] = axes;
    enqueue(state);
  }

  //===--------------------------------------------------------------------===//
  // Padding
  //===--------------------------------------------------------------------===//

  /// One padded extent for each class: the least multiple of every product of
  /// axes placed on it that holds the true size.
  LogicalResult choosePads() {
    DimClasses classes(function);
    pads.assign(classes.size(), 0);
    SmallVector<int64_t> multiple(classes.size(), 1), size(classes.size(), 0);
    // 0: there is none in 64 bits.
    auto refine = [&](unsigned number, int64_t factor) {
      int64_t &old = multiple[number];
      if (old && llvm::MulOverflow(old / std::gcd(old, factor), factor, old))
        old = 0;
    };
    forEachTensor(function, [&](Value value) {
      ArrayRef<int64_t> shape = shapeOf(value.getType());
      for (auto [i, axes] : llvm::enumerate(dimsOf(value))) {
        unsigned number = classes.classOf(value, i);
        refine(number, sizeOf(axes));
        size[number] = shape[i];
      }
    });
    for (auto [value, dim, pad] : askedPads)
      refine(classes.classOf(value, dim), pad);
    auto refineDim = [&](Value value, unsigned dim, int64_t factor) {
      refine(classes.classOf(value, dim), factor);
    };
    refineByResults(refineDim);
    for (Operation &op : function.getBody().front())
      if (auto declared = dyn_cast<DeclaredPlacementOpInterface>(op))
        for (OpOperand &operand : op.getOpOperands())
          refineBy(operand.get(),
                   declared.getDeclaredOperand(operand.getOperandNumber()),
                   refineDim, /*canResize=*/true);
    for (unsigned i = 0; i < classes.size(); ++i)
      if (!multiple[i] ||
          llvm::MulOverflow(int64_t(llvm::divideCeil(size[i], multiple[i])),
                            multiple[i], pads[i]))
        return function.emitError("a dim of size ")
               << size[i] << " has no padded extent that suits all that was "
               << "asked for";
    forEachTensor(function, [&](Value value) {
      Placement placement;
      for (auto [i, axes] : llvm::enumerate(dimsOf(value))) {
        placement.dims.push_back(axes);
        placement.pads.push_back(pads[classes.classOf(value, i)]);
      }
      placements[value] = placement;
    });
    // What is known of arguments is not changed: they may be partial.
    for (BlockArgument argument : function.getArguments())
      if (auto sharding = function.getArgAttrOfType<ShardingAttr>(
              argument.getArgNumber(), kShardingName);
          sharding && isa<RankedTensorType>(argument.getType())) {
        Placement &placement = placements[argument];
        placement.partialKind = sharding.getPartialKind();
        for (AxisRefAttr axis : sharding.getPartialAxes())
          placement.partial.push_back(toAxis(axis, mesh));
      }
    return success();
  }

  /// Results are sharded as asked at the end; their dims must have room for it.
  void refineByResults(function_ref<void(Value, unsigned, int64_t)> refine) {
    Operation *terminator = function.getBody().front().getTerminator();
    for (auto [i, value] : llvm::enumerate(terminator->getOperands())) {
      auto sharding =
          i < function.getNumResults()
              ? function.getResultAttrOfType<ShardingAttr>(i, kShardingName)
              : ShardingAttr();
      refineBy(value, sharding, refine);
    }
  }

  /// A value that will lie so must have room for it; `sharding` may be null.
  /// Where whole dims can be resized, their padding does not matter.
  void refineBy(Value value, ShardingAttr sharding,
                function_ref<void(Value, unsigned, int64_t)> refine,
                bool canResize = false) {
    if (!sharding || !isa<RankedTensorType>(value.getType()))
      return;
    Placement placement = toPlacement(sharding, mesh, shapeOf(value.getType()));
    for (auto [dim, axes] : llvm::enumerate(placement.dims)) {
      refine(value, dim, sizeOf(axes));
      if (sharding.getDims()[dim].getPad() && !(canResize && axes.empty()))
        refine(value, dim, placement.pads[dim]);
    }
  }

  ShardingAttr attributeOf(Value value) {
    return toSharding(placements[value], meshName, mesh,
                      shapeOf(value.getType()), function.getContext());
  }

  LogicalResult write() {
    if (failed(choosePads()))
      return failure();
    for (BlockArgument argument : function.getArguments())
      if (isa<RankedTensorType>(argument.getType()))
        function.setArgAttr(argument.getArgNumber(), kShardingName,
                            attributeOf(argument));
    auto empty = ShardingAttr::getReplicated(meshName, 0);
    for (Operation &op : function.getBody().front()) {
      if (op.getNumResults() == 0)
        continue;
      SmallVector<Attribute> shardings;
      for (Value result : op.getResults())
        shardings.push_back(isa<RankedTensorType>(result.getType())
                                ? attributeOf(result)
                                : empty);
      op.setAttr(kShardingsName, ArrayAttr::get(op.getContext(), shardings));
    }
    return success();
  }

  ArrayRef<Axes> dimsOf(Value value) const {
    return states[numbers.lookup(value)].dims;
  }

  func::FuncOp function;
  FlatSymbolRefAttr meshName;
  MeshAttr mesh;
  FactorChooser chooser;
  std::vector<State> states;
  DenseMap<Value, unsigned> numbers; ///< of states
  std::vector<Node> nodes;
  std::vector<unsigned> queue;
  std::map<std::pair<int64_t, Strength>, std::vector<Request>> phases;
  DenseMap<Value, Placement> placements;
  SmallVector<int64_t> pads;
  /// Padded extents that were asked for.
  SmallVector<std::tuple<Value, unsigned, int64_t>> askedPads;
};

/// What is computed of nothing (constants, positions) is made anew for each of
/// its users, where it lies as that needs it: less than to send it around. What
/// turns out to lie alike is merged later.
void separateConstants(func::FuncOp function) {
  for (Operation &op : llvm::make_early_inc_range(function.getBody().front())) {
    if (op.getNumOperands() || op.getNumResults() != 1 ||
        !isa<ShardingRuleOpInterface>(op) || !isPure(&op))
      continue;
    for (OpOperand &use : llvm::make_early_inc_range(op.getUses()))
      if (!op.hasOneUse()) {
        OpBuilder builder(use.getOwner());
        use.set(builder.clone(op)->getResult(0));
      }
  }
}

/// The iterations of all ops.
double workOf(func::FuncOp function) {
  double work = 0;
  function.walk([&](ShardingRuleOpInterface op) {
    work += iterationsOf(op.getShardingRule());
  });
  return work;
}

struct Propagate : tp::impl::TPPropagateBase<Propagate> {
  void runOnOperation() override {
    FlatSymbolRefAttr meshName = findMesh(getOperation());
    if (!meshName)
      return;
    MeshAttr mesh = lookupMesh(getOperation(), meshName);
    // With their work: a training step decides for the forward pass that comes
    // with it, a prompt for the single step.
    SmallVector<std::tuple<double, size_t, func::FuncOp>> functions;
    for (auto function : getOperation().getOps<func::FuncOp>()) {
      if (function.isExternal() || isEmbedded(function))
        continue;
      if (failed(checkShardable(function)))
        return signalPassFailure();
      functions.push_back({-workOf(function), functions.size(), function});
    }
    llvm::sort(functions, [](const auto &a, const auto &b) {
      return std::tie(std::get<0>(a), std::get<1>(a)) <
             std::tie(std::get<0>(b), std::get<1>(b));
    });

    for (auto [work, position, function] : functions)
      separateConstants(function);
    SharedStorage storage;
    for (auto [work, position, function] : functions) {
      if (failed(storage.collectRequests(function)))
        return signalPassFailure();
      // Said once.
      if (!function.getBody().front().front().hasAttr(kShardingsName))
        storage.compareShapes(function);
    }
    // Again only where a later function needs more padding of an earlier one's
    // parameter. Padding grows by divisibility, so that this ends.
    llvm::SmallBitVector isDone(functions.size());
    for (bool isNews = true; std::exchange(isNews, false);)
      for (auto [work, position, function] : functions) {
        if (!storage.apply(function) && isDone[position])
          continue;
        if (failed(Propagator(function, meshName, mesh).run()))
          return signalPassFailure();
        storage.update(function);
        isDone.set(position);
        isNews = true;
      }
  }
};

} // namespace
