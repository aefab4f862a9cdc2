//===- Times.cpp - how long a program takes, and on fewer devices ---------===//
//
// Part of tp-mlir, under the Apache License v2.0.
//
//===----------------------------------------------------------------------===//
//
// Plays a function op by op on a device and its links, as tp-schedule does: a
// collective that is only started runs beside what follows it, until it is
// waited for. The same is played with the work that a device would have if an
// axis of the mesh had one device, and if all had.
//
//===----------------------------------------------------------------------===//

#include "LocalProgram.h"
#include "tp/Conversion/MemoryPlan.h"
#include <map>

using namespace mlir;
using namespace mlir::tp;

namespace {

/// One device and its links, on which ops begin in the program's order.
class Clock {
public:
  /// A local op, or a collective that nothing runs beside.
  void compute(double time) { now += time; }
  void communicate(double time) {
    now = linksFree = std::max(now, linksFree) + time;
  }
  /// Gives the time at which it begins and at which it is done.
  std::pair<double, double> start(Operation *op, double time) {
    double begin = std::max(now, linksFree);
    linksFree = begin + time;
    done[op] = linksFree;
    return {begin, linksFree};
  }
  /// Gives how long the device stood still.
  double wait(Operation *op) {
    double before = now;
    now = std::max(now, done.lookup(op));
    return now - before;
  }
  double time() const { return now; }
  double end() const { return std::max(now, linksFree); }

private:
  double now = 0, linksFree = 0;
  DenseMap<Operation *, double> done;
};

class TimeObserver : public OpObserver {
public:
  TimeObserver(LocalProgram &program, Report &report, bool withEvents)
      : program(program), report(report), withEvents(withEvents),
        clocks(report.axes.size() + 2) {}

  void visit(Operation *op) override {
    if (isa<CollectiveOpInterface>(op))
      visitCollective(op);
    else if (auto wait = dyn_cast<WaitOp>(op))
      visitWait(wait);
    else
      visitLocal(op);
  }

  void finish() override {
    ReportPhase &phase = report.phases.back();
    phase.time.total = clocks[0].end();
    phase.oneDevice = clocks.back().end();
    for (size_t i = 0; i < report.axes.size(); ++i)
      phase.withoutAxis.push_back(clocks[i + 1].end());
    // Collectives stand in the report in the program's order.
    size_t number = report.collectives.size() - hidden.size();
    for (double each : hidden) {
      report.collectives[number++].hidden = each;
      phase.time.hidden += each;
    }
  }

private:
  bool isWithout(size_t clock, const Axis &axis) const {
    if (clock == 0)
      return false;
    return clock > report.axes.size() ||
           report.axes[clock - 1].first == axis.name;
  }

  //===--------------------------------------------------------------------===//
  // Less devices, more work
  //===--------------------------------------------------------------------===//

  /// How much more of a dim one device has on the mesh of `clock`: padding that
  /// is not needed there is left out.
  double growth(size_t clock, const DimFact &dim, int64_t block) const {
    int64_t left = 1, all = 1;
    for (const Axis &axis : dim.axes) {
      all *= axis.size;
      if (!isWithout(clock, axis))
        left *= axis.size;
    }
    if (all == left || !block)
      return 1;
    int64_t padded = saturatingProduct(block, all);
    int64_t size = dim.isFree() || !dim.size ? padded : dim.size;
    return double(llvm::divideCeil(std::min(size, padded), left)) /
           double(block);
  }

  double bytesOn(size_t clock, Value value) {
    RankedTensorType type = tensorOf(value.getType());
    if (!type)
      return 0;
    double bytes = double(heldBytesOf(value));
    const ValueFact &fact = program.prover.factOf(value);
    for (auto [dim, block] : llvm::zip(fact.dims, type.getShape()))
      if (!dim.axes.empty())
        bytes *= growth(clock, dim, block);
    return bytes;
  }

  /// Whether countPoints counts a factor.
  static bool isCounted(const ShardingRule &rule, unsigned factor) {
    auto has = [&](const TensorFactors &dims) {
      return llvm::any_of(dims, [&](const DimFactors &factors) {
        return llvm::is_contained(factors, factor);
      });
    };
    return llvm::any_of(rule.results, has) ||
           llvm::count_if(rule.operands, has) > 1;
  }

  /// Growth of the points of an op, for each clock.
  std::vector<double> pointGrowth(Operation *op) {
    std::vector<double> result(clocks.size(), 1);
    ArrayRef<FactorFact> facts = program.prover.factorsOfLast();
    auto ruled = dyn_cast<ShardingRuleOpInterface>(op);
    bool isShared = llvm::any_of(facts, [](const FactorFact &fact) {
      return fact.known && !fact.dim.axes.empty();
    });
    if (!ruled || isa<PlacementOpInterface>(op) || !isShared)
      return result;
    ShardingRule rule = ruled.getShardingRule();
    for (auto [i, fact] : llvm::enumerate(facts))
      if (fact.known && !fact.dim.axes.empty() && isCounted(rule, i))
        for (size_t clock = 1; clock < clocks.size(); ++clock)
          result[clock] *= growth(clock, fact.dim, fact.block);
    return result;
  }

  /// How many times longer than at the memory's rate a contraction reads a
  /// value that stays as its file has it.
  double slownessOf(Value value, const MachineModel &model) const {
    const double rate =
        program.machine.storedGigabytes.lookup(heldBlocksOf(value));
    return rate == 0 ? 1 : model.memory / rate;
  }

  void visitLocal(Operation *op) {
    MachineModel model = program.machine.model;
    double points = countPoints(op);
    int64_t contractions = 0;
    if (auto ruled = dyn_cast<ShardingRuleOpInterface>(op))
      contractions = contractionsOf(op, ruled.getShardingRule());
    if (contractions)
      points *= double(contractions);
    const Machine &machine = program.machine;
    if (const double rate = contractions == 0  ? machine.copyGigabytes
                            : contractions > 1 ? machine.attentionGigabytes
                                               : 0)
      model.memory = rate;
    const std::optional<Traffic> traffic = trafficOf(op);
    if (!traffic)
      points = 0;
    std::vector<double> growths = pointGrowth(op);
    double begin = clocks[0].time();
    for (size_t clock = 0; clock < clocks.size(); ++clock) {
      double bytes = 0;
      for (auto [value, times] : traffic.value_or(Traffic()))
        bytes += times * bytesOn(clock, value) *
                 (contractions ? slownessOf(value, model) : 1);
      clocks[clock].compute(model.computeTime(points * growths[clock], bytes));
    }
    double time = clocks[0].time() - begin;
    report.phases.back().time.compute += time;
    ReportModule &module = moduleOf(op);
    module.compute += time;
    ++module.ops;
    module.multiplyAdds += multiplyAddsOf(op);
    addEvent(op, begin, clocks[0].time(), 0);
  }

  int64_t multiplyAddsOf(Operation *op) {
    auto ruled = dyn_cast<ShardingRuleOpInterface>(op);
    if (!ruled || isa<PlacementOpInterface>(op))
      return 0;
    int64_t total = contractionsOf(op, ruled.getShardingRule());
    if (total)
      for (const FactorFact &fact : program.prover.factorsOfLast())
        if (fact.known)
          total = saturatingProduct(total, fact.block);
    return total;
  }

  //===--------------------------------------------------------------------===//
  // Collectives
  //===--------------------------------------------------------------------===//

  /// On the mesh of a clock: of the whole tensor, the bigger of the two, a
  /// device sends (n - 1) / n, up to a constant that stays.
  double collectiveTime(Operation *op, size_t clock) {
    MachineModel model = program.modelFor(op);
    auto collective = cast<CollectiveOpInterface>(op);
    if (clock == 0)
      return model.timeOf(op);
    Axes axes = toAxes(collective.getGroupAxes(), program.mesh);
    double group = double(sizeOf(axes));
    Axes left;
    for (const Axis &axis : axes)
      if (!isWithout(clock, axis))
        left.push_back(axis);
    double rest = double(sizeOf(left));
    if (rest <= 1)
      return 0;
    Value operand = op->getOperand(0), result = op->getResult(0);
    Value whole = bytesOf(operand.getType()) >= bytesOf(result.getType())
                      ? operand
                      : result;
    double scale =
        bytesOn(clock, whole) / std::max(1.0, double(bytesOf(whole.getType())));
    scale *= (rest - 1) / rest / ((group - 1) / group);
    double bytes = double(collective.getBytesSent());
    MachineModel links = program.machine.modelFor(spanOf(left, program.mesh));
    bool reduces = isa<AllReduceOp>(op);
    return links.collectiveTime(bytes * scale, reduces);
  }

  void visitCollective(Operation *op) {
    if (isStart(op)) {
      numbers[op] = hidden.size();
      hidden.push_back(program.modelFor(op).timeOf(op));
    } else {
      hidden.push_back(0);
    }
    double begin = 0, end = 0;
    for (size_t clock = 0; clock < clocks.size(); ++clock) {
      double time = collectiveTime(op, clock);
      double before = clocks[clock].time();
      std::pair<double, double> span = {before, before};
      if (time == 0)
        clocks[clock].start(op, 0);
      else if (isStart(op))
        span = clocks[clock].start(op, time);
      else {
        clocks[clock].communicate(time);
        span.second = clocks[clock].time();
      }
      if (clock == 0)
        std::tie(begin, end) = span;
    }
    report.phases.back().time.communication += end - begin;
    addEvent(op, begin, end, cast<CollectiveOpInterface>(op).getBytesSent());
  }

  /// What the device stands still for is not hidden.
  void visitWait(WaitOp wait) {
    Operation *start = wait.getPending().getDefiningOp();
    for (size_t clock = 0; clock < clocks.size(); ++clock) {
      double stood = clocks[clock].wait(start);
      auto it = numbers.find(start);
      if (clock == 0 && it != numbers.end())
        hidden[it->second] = std::max(0.0, hidden[it->second] - stood);
    }
  }

  //===--------------------------------------------------------------------===//
  // Rows
  //===--------------------------------------------------------------------===//

  ReportModule &moduleOf(Operation *op) {
    std::string name = program.names.of(op).str();
    auto [it, inserted] =
        moduleNumbers.try_emplace(name, report.modules.size());
    if (inserted) {
      ReportModule row;
      row.phase = program.phase();
      row.module = name;
      report.modules.push_back(std::move(row));
    }
    return report.modules[it->second];
  }

  void addEvent(Operation *op, double begin, double end, int64_t bytesSent) {
    if (!withEvents || end <= begin)
      return;
    ReportEvent event;
    event.phase = program.phase();
    event.name = op->getName().getStringRef().str();
    event.module = program.names.of(op).str();
    event.isCollective = isa<CollectiveOpInterface>(op);
    event.begin = begin;
    event.end = end;
    event.bytesSent = bytesSent;
    report.events.push_back(std::move(event));
  }

  LocalProgram &program;
  Report &report;
  bool withEvents;
  /// As it is, without each axis, and without all.
  std::vector<Clock> clocks;
  std::vector<double> hidden; ///< of each collective
  DenseMap<Operation *, size_t> numbers;
  std::map<std::string, size_t> moduleNumbers;
};

} // namespace

std::unique_ptr<OpObserver> tp::makeTimer(LocalProgram &program, Report &report,
                                          bool withEvents) {
  return std::make_unique<TimeObserver>(program, report, withEvents);
}
