//===- MergeCollectives.cpp - packs small collectives ---------------------===//
//
// Part of tp-mlir, under the Apache License v2.0.
//
//===----------------------------------------------------------------------===//

#include "CollectiveSteps.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Interfaces/SideEffectInterfaces.h"
#include "tp/Dialect/TP/Transforms/Passes.h"

using namespace mlir;
using namespace mlir::tp;

namespace mlir::tp {
#define GEN_PASS_DEF_TPMERGECOLLECTIVES
#include "tp/Dialect/TP/Transforms/Passes.h.inc"
} // namespace mlir::tp

namespace {

/// The runtime packs at most this many tensors in one message.
constexpr size_t kMostInputs = 4;

/// At most this many ops are brought forward for one operand.
constexpr size_t kMostHoisted = 32;

/// From one op to the next in time: room for those that are brought between.
constexpr int64_t kStep = int64_t(1) << 24;

/// Collectives that could be one.
struct Run {
  SmallVector<Operation *, kMostInputs> ops;
  size_t inputs = 0;
  int64_t bytes = 0;
  /// The earliest use of a result: the message cannot be sent later.
  int64_t firstUse = std::numeric_limits<int64_t>::max();
  Operation *firstUser = nullptr;
  /// The latest definition of an operand: nor earlier.
  int64_t lastInput = -1;
};

struct MergeCollectives : tp::impl::TPMergeCollectivesBase<MergeCollectives> {
  using TPMergeCollectivesBase::TPMergeCollectivesBase;

  void runOnOperation() override {
    if (getOperation().isExternal() || isEmbedded(getOperation()))
      return;
    Block &block = getOperation().getBody().front();
    times.clear();
    for (Operation &op : block)
      times[&op] = int64_t(times.size()) * kStep;
    // The last run of each kind of collective; there are few kinds.
    std::vector<std::pair<DictionaryAttr, Run>> open;
    std::vector<Run> complete;
    for (auto op : block.getOps<CollectiveOpInterface>()) {
      if (isStart(op))
        continue; // On its way already.
      DictionaryAttr kind = commonKindOf(op);
      auto it = llvm::find_if(
          open, [&](const auto &entry) { return entry.first == kind; });
      if (it == open.end())
        it = open.insert(it, {kind, {}});
      hoistInputs(it->second, op);
      if (!joins(it->second, op))
        complete.push_back(std::exchange(it->second, {}));
      add(it->second, op);
    }
    for (auto &[kind, run] : open)
      complete.push_back(std::move(run));
    for (const Run &run : complete)
      if (run.ops.size() > 1)
        merge(run);
  }

  /// When a value is there; arguments are from the beginning.
  int64_t timeOf(Value value) const {
    Operation *op = value.getDefiningOp();
    return op ? times.lookup(op) : -1;
  }

  Operation *firstUserOf(Operation *op) const {
    Operation *first = nullptr;
    Block *block = op->getBlock();
    for (Operation *user : op->getUsers())
      if (Operation *inBlock = block->findAncestorOpInBlock(*user))
        if (!first || times.lookup(inBlock) < times.lookup(first))
          first = inBlock;
    return first;
  }

  int64_t lastInputOf(Operation *op) const {
    int64_t last = -1;
    for (Value operand : op->getOperands())
      last = std::max(last, timeOf(operand));
    return last;
  }

  void add(Run &run, CollectiveOpInterface op) const {
    run.ops.push_back(op);
    run.inputs += op->getNumOperands();
    run.bytes += op.getBytesSent();
    Operation *user = firstUserOf(op);
    if (user && times.lookup(user) < run.firstUse) {
      run.firstUse = times.lookup(user);
      run.firstUser = user;
    }
    run.lastInput = std::max(run.lastInput, lastInputOf(op));
  }

  /// Brings what `next` sends before the first use of the run's results, if
  /// that is a few ops which do not depend on them: so that two that are
  /// computed one after the other, each with its use, still make one message.
  void hoistInputs(const Run &run, CollectiveOpInterface next) {
    if (!run.firstUser || lastInputOf(next) < run.firstUse ||
        run.inputs + next->getNumOperands() > kMostInputs ||
        run.bytes + next.getBytesSent() > bytes)
      return;
    SmallVector<Operation *> late;
    llvm::SmallPtrSet<Operation *, 16> seen;
    SmallVector<Value> open(next->getOperands());
    while (!open.empty()) {
      Value value = open.pop_back_val();
      Operation *op = value.getDefiningOp();
      if (op && llvm::is_contained(run.ops, op))
        return;
      if (!op || timeOf(value) < run.firstUse || !seen.insert(op).second)
        continue;
      bool isFree = !isa<CollectiveOpInterface>(op) && !op->getNumRegions() &&
                    isMemoryEffectFree(op);
      if (!isFree || late.size() == kMostHoisted)
        return;
      late.push_back(op);
      llvm::append_range(open, op->getOperands());
    }
    // Between the op before and the first use, in their order.
    Operation *before = run.firstUser->getPrevNode();
    int64_t from = before ? times.lookup(before) : run.firstUse - kStep;
    int64_t step = (run.firstUse - from) / int64_t(late.size() + 1);
    if (step == 0)
      return;
    llvm::sort(late, [&](Operation *a, Operation *b) {
      return times.lookup(a) < times.lookup(b);
    });
    for (Operation *op : late) {
      op->moveBefore(run.firstUser);
      times[op] = from += step;
    }
  }

  /// There is a moment at which all operands are there and no result is needed
  /// yet. So none depends on another.
  bool joins(const Run &run, CollectiveOpInterface next) const {
    return run.ops.empty() ||
           (run.inputs + next->getNumOperands() <= kMostInputs &&
            run.bytes + next.getBytesSent() <= bytes &&
            std::max(run.lastInput, lastInputOf(next)) < run.firstUse &&
            llvm::none_of(next->getOperands(), [&](Value operand) {
              return llvm::is_contained(run.ops, operand.getDefiningOp());
            }));
  }

  /// One op in the place of the first, or as soon after it as all is there.
  static void merge(const Run &run) {
    Operation *place = run.ops.front(), *firstUse = nullptr;
    for (Operation *op : run.ops) {
      for (Value operand : op->getOperands())
        if (Operation *producer = operand.getDefiningOp())
          if (!producer->isBeforeInBlock(place))
            place = producer->getNextNode();
      for (Operation *user : op->getUsers())
        if (Operation *inBlock = op->getBlock()->findAncestorOpInBlock(*user))
          if (!firstUse || inBlock->isBeforeInBlock(firstUse))
            firstUse = inBlock;
    }
    // A message that was packed meanwhile may need one of these earlier.
    if (firstUse && firstUse != place && firstUse->isBeforeInBlock(place))
      return;
    OpBuilder builder(place);
    Operation *merged = packCollectives(builder, run.ops);
    size_t position = 0;
    for (Operation *op : run.ops) {
      for (Value result : op->getResults())
        result.replaceAllUsesWith(merged->getResult(position++));
      op->erase();
    }
  }

  DenseMap<Operation *, int64_t> times;
};

} // namespace
