//===- ScheduleCollectives.cpp - computes while collectives run -----------===//
//
// Part of tp-mlir, under the Apache License v2.0.
//
//===----------------------------------------------------------------------===//
//
// List scheduling of one block on two resources, the device and its links, by
// dependences alone. Collectives use the links one after the other, in the
// order of the program, which is the same on every rank. A wait is no op of its
// own: it stands before the first op that needs what it waits for.
//
//===----------------------------------------------------------------------===//

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "tp/Dialect/TP/Transforms/MachineModel.h"
#include "tp/Dialect/TP/Transforms/Passes.h"
#include <set>

using namespace mlir;
using namespace mlir::tp;

namespace mlir::tp {
#define GEN_PASS_DEF_TPSCHEDULECOLLECTIVES
#include "tp/Dialect/TP/Transforms/Passes.h.inc"
} // namespace mlir::tp

namespace {

/// An op that is not a wait.
struct Node {
  Operation *op = nullptr;
  double time = 0;
  /// From the beginning of this op to the end of the program, at best.
  double tail = 0;
  int64_t resultBytes = 0;
  bool usesLinks = false, isStarted = false;
  SmallVector<unsigned, 4> needs, users;
};

/// What the machine is doing, in the order in which ops are issued.
class Machine {
public:
  explicit Machine(ArrayRef<Node> nodes)
      : nodes(nodes), done(nodes.size()), uses(nodes.size()),
        isAwaited(nodes.size()) {
    for (auto [number, node] : llvm::enumerate(nodes))
      uses[number] = int64_t(node.users.size());
  }

  /// When the device could begin with this op.
  double readyTime(unsigned number) const {
    double ready = now;
    for (unsigned need : nodes[number].needs)
      ready = std::max(ready, done[need]);
    return ready;
  }

  double time() const { return now; }

  void issue(unsigned number) {
    const Node &node = nodes[number];
    for (unsigned need : node.needs)
      await(need);
    double begin = readyTime(number);
    if (node.usesLinks) {
      linksFree = std::max(begin, linksFree) + node.time;
      done[number] = linksFree;
      now = node.isStarted ? begin : linksFree;
    } else {
      now = done[number] = begin + node.time;
    }
    live += node.resultBytes;
    peak = std::max(peak, live);
    if (node.isStarted)
      pending += node.resultBytes;
    else
      release(number);
  }

  /// Bytes of tensors that are still needed, and of those under way.
  int64_t live = 0, peak = 0, pending = 0;

  double end() const { return std::max(now, linksFree); }

private:
  /// What a collective reads is needed until it is done.
  void await(unsigned number) {
    if (!nodes[number].isStarted || isAwaited[number])
      return;
    isAwaited[number] = true;
    pending -= nodes[number].resultBytes;
    release(number);
  }

  /// The op needs its operands no longer.
  void release(unsigned number) {
    for (unsigned need : nodes[number].needs)
      if (--uses[need] == 0)
        live -= nodes[need].resultBytes;
    if (nodes[number].users.empty())
      live -= nodes[number].resultBytes;
  }

  ArrayRef<Node> nodes;
  std::vector<double> done;
  std::vector<int64_t> uses;
  std::vector<bool> isAwaited;
  double now = 0, linksFree = 0;
};

class Scheduler {
public:
  Scheduler(Block &block, const MachineModel &model, int64_t extraBytes)
      : block(block), model(model), extraBytes(extraBytes) {}

  void run() {
    if (!read())
      return;
    // What the program takes as it is, in which nothing may get worse.
    Machine given(nodes);
    for (unsigned i = 0; i < nodes.size(); ++i)
      given.issue(i);
    peak = given.peak;
    Machine machine(nodes);
    std::vector<unsigned> order = schedule(machine);
    // Less than a hundredth is more than the model can tell.
    bool pays = machine.end() < 0.99 * given.end() &&
                machine.peak <= given.peak + extraBytes;
    if (!pays) {
      order.clear();
      for (unsigned i = 0; i < nodes.size(); ++i)
        order.push_back(i);
    }
    write(order);
    joinHalves();
  }

private:
  //===--------------------------------------------------------------------===//
  // The graph
  //===--------------------------------------------------------------------===//

  /// Makes a node of every op; false if there is one that has regions.
  bool read() {
    DenseMap<Operation *, unsigned> numbers;
    std::optional<unsigned> lastOrdered;
    for (Operation &op : block) {
      if (op.getNumRegions())
        return false;
      if (isa<WaitOp>(op)) {
        numbers[&op] = numbers.lookup(op.getOperand(0).getDefiningOp());
        continue;
      }
      if (op.hasTrait<OpTrait::IsTerminator>())
        break;
      unsigned number = nodes.size();
      numbers[&op] = number;
      Node &node = nodes.emplace_back();
      node.op = &op;
      node.time = model.timeOf(&op);
      node.usesLinks = isa<CollectiveOpInterface>(op);
      node.isStarted = node.usesLinks && isStart(&op);
      for (Type type : op.getResultTypes())
        node.resultBytes += bytesOf(type);
      for (Value operand : op.getOperands())
        if (Operation *producer = operand.getDefiningOp())
          addNeed(number, numbers.lookup(producer));
      // Ranks must agree on the order of collectives, and effects keep theirs.
      if (node.usesLinks || !isMemoryEffectFree(&op)) {
        if (lastOrdered)
          ordered[*lastOrdered] = number;
        lastOrdered = number;
        if (ordered.empty())
          firstOrdered = number;
        ordered.try_emplace(number, std::nullopt);
      }
    }
    for (Value value : block.getTerminator()->getOperands())
      if (Operation *producer = value.getDefiningOp())
        nodes[numbers.lookup(producer)].users.push_back(nodes.size());
    findTails();
    return true;
  }

  void addNeed(unsigned number, unsigned need) {
    Node &node = nodes[number];
    if (llvm::is_contained(node.needs, need))
      return;
    node.needs.push_back(need);
    nodes[need].users.push_back(number);
  }

  void findTails() {
    for (unsigned i = nodes.size(); i-- > 0;) {
      Node &node = nodes[i];
      double after = 0;
      for (unsigned user : node.users)
        if (user < nodes.size()) // The terminator takes no time.
          after = std::max(after, nodes[user].tail);
      if (auto it = ordered.find(i); it != ordered.end() && it->second)
        after = std::max(after, nodes[*it->second].tail);
      node.tail = node.time + after;
    }
  }

  //===--------------------------------------------------------------------===//
  // The order
  //===--------------------------------------------------------------------===//

  /// The ops that could be next, by the length of what depends on them and by
  /// the order of the program.
  struct Ready {
    std::set<std::pair<double, unsigned>> byTail;
    std::set<unsigned> byNumber;

    void insert(unsigned number, double tail) {
      byTail.insert({-tail, number});
      byNumber.insert(number);
    }
    void erase(unsigned number, double tail) {
      byTail.erase({-tail, number});
      byNumber.erase(number);
    }
  };

  std::vector<unsigned> schedule(Machine &machine) {
    std::vector<unsigned> order;
    std::vector<size_t> missing;
    for (const Node &node : nodes)
      missing.push_back(node.needs.size());
    nextOrdered = firstOrdered;
    Ready ready;
    auto offer = [&](unsigned number) {
      if (missing[number] == 0 &&
          (!ordered.count(number) || nextOrdered == number))
        ready.insert(number, nodes[number].tail);
    };
    for (unsigned i = 0; i < nodes.size(); ++i)
      offer(i);
    while (!ready.byNumber.empty()) {
      unsigned number = choose(ready, machine);
      ready.erase(number, nodes[number].tail);
      machine.issue(number);
      order.push_back(number);
      if (auto it = ordered.find(number); it != ordered.end()) {
        nextOrdered = it->second;
        if (nextOrdered && missing[*nextOrdered] == 0)
          offer(*nextOrdered);
      }
      for (unsigned user : nodes[number].users)
        if (user < nodes.size() && --missing[user] == 0)
          offer(user);
    }
    return order;
  }

  unsigned choose(const Ready &ready, const Machine &machine) const {
    unsigned oldest = *ready.byNumber.begin();
    // A start costs the device nothing: as soon as it can be, if the tensors
    // under way are not too many.
    if (nextOrdered && ready.byNumber.count(*nextOrdered)) {
      const Node &next = nodes[*nextOrdered];
      bool fits = machine.pending + next.resultBytes <= extraBytes;
      if (next.isStarted && (fits || *nextOrdered == oldest) &&
          !stalls(*nextOrdered, machine))
        return *nextOrdered;
    }
    // What most depends on, of what need not wait. Few are looked at: further
    // down the list, waiting a little is as good.
    constexpr unsigned kMostLookedAt = 16;
    unsigned looked = 0;
    std::optional<unsigned> soonest;
    for (auto [tail, number] : ready.byTail) {
      if (++looked > kMostLookedAt)
        break;
      const Node &node = nodes[number];
      bool fits = node.isStarted
                      ? machine.pending + node.resultBytes <= extraBytes
                      : machine.live + node.resultBytes <= peak;
      if (!fits && number != oldest)
        continue;
      if (!stalls(number, machine))
        return number;
      if (!soonest || machine.readyTime(number) < machine.readyTime(*soonest))
        soonest = number;
    }
    if (!stalls(oldest, machine))
      return oldest;
    return soonest.value_or(oldest);
  }

  /// Whether the device would have to wait for a collective first.
  bool stalls(unsigned number, const Machine &machine) const {
    return machine.readyTime(number) > machine.time();
  }

  //===--------------------------------------------------------------------===//
  // The program
  //===--------------------------------------------------------------------===//

  void write(ArrayRef<unsigned> order) {
    Operation *terminator = block.getTerminator();
    SmallVector<Operation *> waits(block.getOps<WaitOp>().begin(),
                                   block.getOps<WaitOp>().end());
    DenseSet<Operation *> placed;
    auto placeWaits = [&](Operation *op) {
      for (Value operand : op->getOperands())
        if (auto wait = operand.getDefiningOp<WaitOp>())
          if (placed.insert(wait).second)
            wait->moveBefore(terminator);
    };
    for (unsigned number : order) {
      Operation *op = nodes[number].op;
      placeWaits(op);
      op->moveBefore(terminator);
    }
    // Of what nothing but the end needs, in the order that they had.
    for (Operation *wait : waits)
      if (!placed.contains(wait))
        wait->moveBefore(terminator);
  }

  /// Halves with nothing in between are whole again.
  void joinHalves() {
    for (Operation &op : llvm::make_early_inc_range(block)) {
      if (!isa<CollectiveOpInterface>(op) || !isStart(&op))
        continue;
      Operation *after = op.getNextNode();
      SmallVector<WaitOp> waits;
      while (auto wait = dyn_cast<WaitOp>(after)) {
        if (wait.getPending().getDefiningOp() != &op)
          break;
        waits.push_back(wait);
        after = after->getNextNode();
      }
      if (waits.size() == op.getNumResults())
        toJoin.push_back({&op, waits});
    }
    for (auto &[op, waits] : toJoin)
      for (WaitOp wait : waits) {
        Value pending = wait.getPending();
        pending.setType(wait.getType());
        wait.getResult().replaceAllUsesWith(pending);
        wait.erase();
      }
  }

  Block &block;
  const MachineModel &model;
  int64_t extraBytes;
  /// The most bytes that the given order needs at once.
  int64_t peak = 0;
  std::vector<Node> nodes;
  /// Of ops whose order is kept, the next one.
  DenseMap<unsigned, std::optional<unsigned>> ordered;
  std::optional<unsigned> firstOrdered, nextOrdered;
  SmallVector<std::pair<Operation *, SmallVector<WaitOp>>> toJoin;
};

struct ScheduleCollectives
    : tp::impl::TPScheduleCollectivesBase<ScheduleCollectives> {
  using TPScheduleCollectivesBase::TPScheduleCollectivesBase;

  void runOnOperation() override {
    func::FuncOp function = getOperation();
    FailureOr<MachineModel> model = MachineModel::parse(machine, function);
    if (failed(model))
      return signalPassFailure();
    if (!function.isExternal() && function.getBody().hasOneBlock())
      Scheduler(function.getBody().front(), *model, extraMebibytes << 20).run();
  }
};

} // namespace
