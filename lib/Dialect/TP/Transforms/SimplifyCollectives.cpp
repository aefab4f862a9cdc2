//===- SimplifyCollectives.cpp - fewer and smaller collectives ------------===//
//
// Part of tp-mlir, under the Apache License v2.0.
//
//===----------------------------------------------------------------------===//
//
// No table of special cases: what a few successive ops do together is one
// change of placement, for which the reshard search knows the cheapest path.
// They are replaced where that costs less than those of them that nothing else
// uses.
//
//===----------------------------------------------------------------------===//

#include "CollectiveSteps.h"
#include "CollectiveWindow.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "tp/Dialect/TP/Transforms/FactorAxes.h"
#include "tp/Dialect/TP/Transforms/Passes.h"

using namespace mlir;
using namespace mlir::tp;

namespace mlir::tp {
#define GEN_PASS_DEF_TPSIMPLIFYCOLLECTIVES
#include "tp/Dialect/TP/Transforms/Passes.h.inc"
} // namespace mlir::tp

namespace {

/// The most ops that are looked at together. Two reshards in succession, of
/// which each is rarely more than three moves.
constexpr size_t kLongestWindow = 8;

class Simplifier {
public:
  Simplifier(func::FuncOp function, FlatSymbolRefAttr meshName, MeshAttr mesh)
      : block(function.getBody().front()), meshName(meshName), mesh(mesh),
        builder(function) {}

  LogicalResult run() {
    // Every round but the last leaves fewer or cheaper ops.
    do {
      shareEqual();
      dropUnused();
    } while (replaceWindows());
    return success();
  }

private:
  static bool isStepOp(Operation *op) {
    return isa<PlacementOpInterface>(op) && !isa<WaitOp, ResizeOp>(op) &&
           !isStart(op);
  }

  //===--------------------------------------------------------------------===//
  // Equal ones
  //===--------------------------------------------------------------------===//

  /// What tells the results of placement ops apart: not why they are there.
  static Attribute keyOf(Operation *op, unsigned index) {
    SmallVector<Attribute> key{commonKindOf(op)};
    for (StringRef name : tensorListNames())
      if (auto list = op->getAttrOfType<DenseI64ArrayAttr>(name))
        key.push_back(
            IntegerAttr::get(IndexType::get(op->getContext()), list[index]));
    return ArrayAttr::get(op->getContext(), key);
  }

  /// The first of equal ops on equal operands serves for all.
  void shareEqual() {
    DenseMap<std::pair<Value, Attribute>, OpResult> firsts;
    for (Operation &op : block) {
      if (!isStepOp(&op))
        continue;
      for (OpResult result : op.getResults()) {
        unsigned index = result.getResultNumber();
        auto [it, inserted] = firsts.try_emplace(
            {op.getOperand(index), keyOf(&op, index)}, result);
        if (inserted)
          continue;
        addProvenance(it->second.getOwner(), &op);
        result.replaceAllUsesWith(it->second);
      }
    }
  }

  static void addProvenance(Operation *to, Operation *from) {
    Provenance provenance;
    provenance.add(to);
    provenance.add(from);
    to->setLoc(provenance.location(to->getContext()));
    if (!isa<CollectiveOpInterface>(to))
      return;
    NamedAttrList attributes(to->getAttrDictionary());
    provenance.writeTo(attributes);
    to->setAttrs(attributes.getDictionary(to->getContext()));
  }

  //===--------------------------------------------------------------------===//
  // Unused ones
  //===--------------------------------------------------------------------===//

  void dropUnused() {
    for (Operation &op : llvm::make_early_inc_range(llvm::reverse(block))) {
      if (!isStepOp(&op))
        continue;
      if (op.use_empty()) {
        op.erase();
        continue;
      }
      if (llvm::none_of(op.getResults(),
                        [](Value result) { return result.use_empty(); }))
        continue;
      builder.setInsertionPoint(&op);
      Operation *rest =
          packCollectives(builder, &op, [](Operation *part, unsigned index) {
            return !part->getResult(index).use_empty();
          });
      unsigned next = 0;
      for (Value result : op.getResults())
        if (!result.use_empty())
          result.replaceAllUsesWith(rest->getResult(next++));
      op.erase();
    }
  }

  //===--------------------------------------------------------------------===//
  // Successive ones
  //===--------------------------------------------------------------------===//

  /// Placement ops from one value to another, in order, each on the result of
  /// the one before.
  using Chain = SmallVector<OpResult, kLongestWindow>;

  static Value inputOf(OpResult result) {
    return result.getOwner()->getOperand(result.getResultNumber());
  }

  bool replaceWindows() {
    bool changed = false;
    // A chain is erased from its end, which is the op that is visited.
    for (Operation &op : llvm::make_early_inc_range(block)) {
      if (!isStepOp(&op))
        continue;
      // After a change the op may be gone; others of its results can wait.
      bool isReplaced = false;
      for (unsigned i = 0; !isReplaced && i < op.getNumResults(); ++i)
        isReplaced = !op.getResult(i).use_empty() && replaceAt(op.getResult(i));
      changed |= isReplaced;
    }
    return changed;
  }

  /// Replaces the longest chain that ends in `end` and costs too much.
  bool replaceAt(OpResult end) {
    Chain chain;
    Value value = end;
    while (chain.size() < kLongestWindow) {
      auto result = dyn_cast<OpResult>(value);
      if (!result || !isStepOp(result.getOwner()))
        break;
      chain.push_back(result);
      value = inputOf(result);
    }
    std::reverse(chain.begin(), chain.end());
    for (size_t first = 0; first < chain.size(); ++first)
      if (replace(ArrayRef(chain).drop_front(first)))
        return true;
    return false;
  }

  /// How many at the end of the chain go if its result is made otherwise.
  static size_t countFreed(ArrayRef<OpResult> chain) {
    size_t freed = 1;
    while (freed < chain.size() && chain[chain.size() - 1 - freed].hasOneUse())
      ++freed;
    return freed;
  }

  bool replace(ArrayRef<OpResult> chain) {
    ReshardPath steps;
    for (OpResult result : chain)
      if (auto step = stepOf(result.getOwner(), result.getResultNumber(), mesh))
        steps.push_back(*step);
    auto type = dyn_cast<RankedTensorType>(inputOf(chain.front()).getType());
    if (steps.size() != chain.size() || !type || !type.hasStaticShape() ||
        !type.getElementType().isIntOrIndexOrFloat())
      return false;
    if (std::optional<ReshardStep> one = composePermutes(steps))
      return rebuild(chain, chain.size(), *one);
    auto window = CollectiveWindow::read(steps, type.getShape(), mesh);
    if (!window)
      return false;
    FailureOr<ReshardPath> path =
        plannerOf(*window).plan(window->from, window->path.back().result);
    if (failed(path))
      return false;
    // The freed ones cost what they cost from where the others end.
    size_t kept = chain.size() - countFreed(chain);
    ArrayRef<ReshardStep> old(window->path);
    const Placement &middle = kept ? old[kept - 1].result : window->from;
    int64_t bytes = elementBytes(type.getElementType());
    if (!(costOfMoves(window->from, *path, bytes) <
          costOfMoves(middle, old.drop_front(kept), bytes)))
      return false;
    ReshardPath onMesh;
    for (const ReshardStep &step : *path)
      onMesh.push_back(window->toMesh(step));
    return rebuild(chain, chain.size() - kept, onMesh);
  }

  static int64_t elementBytes(Type type) {
    return type.isIntOrFloat()
               ? llvm::divideCeil(type.getIntOrFloatBitWidth(), 8)
               : 8;
  }

  /// Two permutations of which the one goes on where the other ends are one,
  /// wherever the axes lie. Its result is the input if they undo each other.
  static std::optional<ReshardStep>
  composePermutes(ArrayRef<ReshardStep> steps) {
    if (steps.size() != 2 || steps[0].move != Move::Permute ||
        steps[1].move != Move::Permute ||
        normalised(steps[0].toAxes) != normalised(steps[1].axes))
      return std::nullopt;
    ReshardStep both = steps[0];
    both.toAxes = steps[1].toAxes;
    return both;
  }

  bool rebuild(ArrayRef<OpResult> chain, size_t freed,
               const ReshardStep &permute) {
    // The first may be needed elsewhere; one permutation costs no more.
    if (normalised(permute.axes) == normalised(permute.toAxes))
      return rebuild(chain, freed, ReshardPath());
    ReshardPath path{permute};
    return countFreed(chain) == chain.size() && rebuild(chain, freed, path);
  }

  bool rebuild(ArrayRef<OpResult> chain, size_t freed,
               const ReshardPath &path) {
    Provenance provenance;
    for (OpResult result : chain.take_back(freed))
      provenance.add(result.getOwner());
    OpResult end = chain.back();
    builder.setInsertionPoint(end.getOwner());
    Value value = inputOf(chain.front());
    Location loc = provenance.location(builder.getContext());
    auto type = cast<RankedTensorType>(value.getType());
    for (const ReshardStep &step : path) {
      Type local = step.move == Move::Permute
                       ? Type(value.getType())
                       : Type(type.clone(step.result.localShape()));
      value = buildStep(builder, loc, value, step, local, meshName, mesh,
                        provenance.reason, provenance.module);
    }
    end.replaceAllUsesWith(value);
    for (OpResult result : llvm::reverse(chain)) {
      if (!result.getOwner()->use_empty())
        break;
      result.getOwner()->erase();
    }
    return true;
  }

  ReshardPlanner &plannerOf(const CollectiveWindow &window) {
    std::vector<Axis> key;
    for (const Axis &stretch : window.axes)
      key.push_back({stretch.name, 1, stretch.size});
    return planners.try_emplace(key, ArrayRef<Axis>(key)).first->second;
  }

  Block &block;
  FlatSymbolRefAttr meshName;
  MeshAttr mesh;
  OpBuilder builder;
  /// By the stretches of axes that they plan on: looked up only.
  std::map<std::vector<Axis>, ReshardPlanner> planners;
};

struct SimplifyCollectives
    : tp::impl::TPSimplifyCollectivesBase<SimplifyCollectives> {
  void runOnOperation() override {
    func::FuncOp function = getOperation();
    // A global program has no collectives.
    auto check = [](func::FuncOp function) {
      return checkMesh(function, findMesh(function));
    };
    if (!function.isExternal() && !function.getBody().hasOneBlock())
      return;
    if (failed(runOnMesh<Simplifier>(function, check)))
      signalPassFailure();
  }
};

} // namespace
