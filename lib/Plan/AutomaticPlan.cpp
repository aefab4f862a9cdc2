//===- AutomaticPlan.cpp - which dims share out an axis -------------------===//
//
// Part of tp-mlir, under the Apache License v2.0.
//
//===----------------------------------------------------------------------===//

#include "AutomaticPlan.h"
#include "tp/Dialect/NN/IR/NN.h"
#include "tp/Dialect/TP/Transforms/FactorAxes.h"
#include <map>
#include <queue>

using namespace mlir;
using namespace mlir::tp;

//===----------------------------------------------------------------------===//
// Sharing out
//===----------------------------------------------------------------------===//

int64_t DimGroup::extent() const {
  int64_t product = 1;
  for (int64_t size : sizes)
    product *= size;
  return product;
}

int64_t DimGroup::block() const {
  int64_t product = 1;
  for (auto [size, share] : llvm::zip(sizes, shares))
    product *= llvm::divideCeil(size, share);
  return product;
}

static SmallVector<int64_t> divisorsOf(int64_t number) {
  SmallVector<int64_t> divisors;
  for (int64_t i = 1; i * i <= number; ++i)
    if (number % i == 0) {
      divisors.push_back(i);
      if (i * i != number)
        divisors.push_back(number / i);
    }
  llvm::sort(divisors);
  return divisors;
}

void tp::shareOut(DimGroup &group, int64_t devices,
                  ArrayRef<SmallVector<unsigned, 3>> narrower) {
  // Preference: block, narrower blocks, devices, most major shares.
  using Score = std::tuple<int64_t, int64_t, int64_t, SmallVector<int64_t, 3>>;
  std::optional<Score> best;
  SmallVector<int64_t, 3> shares(group.sizes.size(), 1);
  SmallVector<int64_t> divisors = divisorsOf(devices);

  auto consider = [&] {
    DimGroup candidate = group;
    candidate.shares = shares;
    int64_t others = 0, used = 1;
    for (const SmallVector<unsigned, 3> &classes : narrower) {
      int64_t block = 1;
      for (auto [i, dimClass] : llvm::enumerate(group.classes))
        if (llvm::is_contained(classes, dimClass))
          block *= llvm::divideCeil(group.sizes[i], shares[i]);
      others += block;
    }
    SmallVector<int64_t, 3> minorFirst;
    for (int64_t share : shares)
      minorFirst.push_back(-share);
    for (int64_t share : shares)
      used *= share;
    Score score{candidate.block(), others, used, minorFirst};
    if (!best || score < *best) {
      best = score;
      group.shares = shares;
    }
  };
  // At most three dims share an axis, so this is a few hundred candidates.
  auto enumerate = [&](auto &self, size_t position, int64_t left) -> void {
    if (position == shares.size())
      return consider();
    for (int64_t divisor : divisors) {
      if (left % divisor)
        continue;
      shares[position] = divisor;
      self(self, position + 1, left / divisor);
      // More shares than elements only add idle devices, except for the next
      // divisor up, which may be the only one that reaches a block of 1.
      if (divisor >= group.sizes[position])
        break;
    }
    shares[position] = 1;
  };
  enumerate(enumerate, 0, devices);
}

//===----------------------------------------------------------------------===//
// Groups
//===----------------------------------------------------------------------===//

void tp::forEachWholeDim(func::FuncOp function,
                         function_ref<void(Value, unsigned)> visit) {
  for (Operation &op : function.getBody().front()) {
    auto ruled = dyn_cast<ShardingRuleOpInterface>(op);
    if (!ruled)
      continue;
    ShardingRule rule = ruled.getShardingRule();
    auto isWhole = [&](unsigned factor) {
      return rule.factors[factor].kind == FactorKind::Replicate;
    };
    for (auto [value, dims] : llvm::zip(op.getOperands(), rule.operands))
      for (auto [i, factors] : llvm::enumerate(dims))
        if (llvm::any_of(factors, isWhole))
          visit(value, i);
  }
}

DimGroups::DimGroups(func::FuncOp function, const DimClasses &classes,
                     int64_t devices, const llvm::DenseSet<unsigned> &without)
    : owner(classes.size(), ~0u) {
  // Never shared out.
  llvm::SmallBitVector whole(classes.size());
  forEachWholeDim(function, [&](Value value, unsigned dim) {
    whole.set(classes.classOf(value, dim));
  });
  std::vector<DimGroup> found;
  std::map<SmallVector<unsigned, 3>, size_t> seen;
  for (BlockArgument argument : function.getArguments()) {
    auto parameter = function.getArgAttrOfType<nn::ParameterAttr>(
        argument.getArgNumber(), nn::kParameterName);
    if (!parameter || without.contains(argument.getArgNumber()))
      continue;
    std::map<int64_t, DimGroup> byStoredDim;
    for (auto [i, stored] : llvm::enumerate(parameter.getDims().asArrayRef())) {
      unsigned dimClass = classes.classOf(argument, i);
      int64_t size = shapeOf(argument.getType())[i];
      if (size == 1 || whole.test(dimClass))
        continue;
      DimGroup &group = byStoredDim[stored];
      // At most three parts: the most major ones.
      if (group.classes.size() < 3) {
        group.classes.push_back(dimClass);
        group.sizes.push_back(size);
      }
    }
    for (auto &entry : byStoredDim)
      if (seen.try_emplace(entry.second.classes, found.size()).second)
        found.push_back(entry.second);
  }
  // The widest group owns its classes; narrower ones within it follow.
  SmallVector<size_t> order(found.size());
  for (size_t i = 0; i < order.size(); ++i)
    order[i] = i;
  llvm::sort(order, [&](size_t a, size_t b) {
    size_t sizeA = found[a].classes.size(), sizeB = found[b].classes.size();
    return sizeA != sizeB ? sizeA > sizeB : a < b;
  });
  std::map<unsigned, SmallVector<SmallVector<unsigned, 3>>> narrower;
  for (size_t i : order) {
    DimGroup &group = found[i];
    bool taken = llvm::any_of(group.classes,
                              [&](unsigned c) { return owner[c] != ~0u; });
    if (taken) {
      for (unsigned c : group.classes)
        if (owner[c] != ~0u) {
          narrower[owner[c]].push_back(group.classes);
          break;
        }
      continue;
    }
    for (unsigned c : group.classes)
      owner[c] = all.size();
    all.push_back(group);
  }
  for (auto [i, group] : llvm::enumerate(all))
    shareOut(group, devices, narrower[i]);
}

const DimGroup *DimGroups::groupOf(unsigned dimClass) const {
  return owner[dimClass] == ~0u ? nullptr : &all[owner[dimClass]];
}

//===----------------------------------------------------------------------===//
// Choosing
//===----------------------------------------------------------------------===//

namespace {

/// What the choice needs to know of one op.
struct OpFacts {
  double work = 0; ///< multiply-adds, of a contraction
  double left = 0; ///< work that no chosen group has shared out
  double resultBytes = 0;
  SmallVector<std::pair<unsigned, const Factor *>> factors; ///< by class
};

double workOf(const ShardingRule &rule) {
  bool contracts = rule.each.size() > 1 &&
                   llvm::any_of(rule.factors, [](const Factor &factor) {
                     return factor.kind == FactorKind::Reduce;
                   });
  return contracts ? iterationsOf(rule) : 0;
}

class Chooser {
public:
  Chooser(func::FuncOp function, const DimClasses &classes,
          const DimGroups &groups)
      : function(function), classes(classes), groups(groups),
        opsOf(groups.groups().size()), chosen(groups.groups().size(), false) {
    collect();
  }

  SmallVector<bool> run() {
    std::vector<unsigned> all(opsOf.size());
    for (unsigned group = 0; group < all.size(); ++group)
      all[group] = group;
    shareWork(all);
    improve();
    shareStorage();
    return chosen;
  }

private:
  void collect() {
    for (Operation &op : function.getBody().front())
      if (auto ruled = dyn_cast<ShardingRuleOpInterface>(op))
        rules.push_back({&op, ruled.getShardingRule()});
    for (auto &entry : rules) {
      Operation *op = entry.first;
      const ShardingRule &rule = entry.second;
      OpFacts facts;
      facts.work = facts.left = workOf(rule);
      for (Value result : op->getResults())
        if (auto type = dyn_cast<RankedTensorType>(result.getType());
            type && type.getElementType().isIntOrFloat())
          facts.resultBytes +=
              double(type.getNumElements()) * type.getElementTypeBitWidth() / 8;
      llvm::SmallBitVector done(rule.factors.size());
      auto add = [&](Value value, const TensorFactors &dims) {
        for (auto [i, list] : llvm::enumerate(dims))
          if (list.size() == 1 && !done.test(list.front())) {
            done.set(list.front());
            facts.factors.push_back(
                {classes.classOf(value, i), &rule.factors[list.front()]});
          }
      };
      for (auto [value, dims] : llvm::zip(op->getOperands(), rule.operands))
        add(value, dims);
      for (auto [value, dims] : llvm::zip(op->getResults(), rule.results))
        add(value, dims);
      SmallVector<unsigned> touched;
      for (auto &[dimClass, factor] : facts.factors) {
        unsigned group = groups.numberOf(dimClass);
        if (group != ~0u && !llvm::is_contained(touched, group)) {
          touched.push_back(group);
          opsOf[group].push_back(ops.size());
        }
      }
      workLeft += facts.work;
      ops.push_back(std::move(facts));
    }
  }

  int64_t shareOf(unsigned group, unsigned dimClass) {
    const DimGroup &dims = groups.groups()[group];
    for (auto [c, share] : llvm::zip(dims.classes, dims.shares))
      if (c == dimClass)
        return share;
    return 1;
  }

  /// Bytes that sharing out `group` sends, about: reductions of what becomes
  /// partial.
  double costOf(unsigned group) {
    double bytes = 0;
    for (unsigned number : opsOf[group])
      for (auto &[dimClass, factor] : ops[number].factors) {
        if (shareOf(group, dimClass) == 1)
          continue;
        if (factor->kind == FactorKind::Reduce)
          bytes += 2 * ops[number].resultBytes;
        if (factor->kind == FactorKind::Decompose)
          bytes += 2 * ops[number].resultBytes / double(factor->size);
      }
    return bytes;
  }

  double workShared(unsigned group) {
    double work = 0;
    for (unsigned number : opsOf[group])
      work += ops[number].left * (1 - 1 / speedup(group, ops[number]));
    return work;
  }

  double speedup(unsigned group, const OpFacts &op) {
    double factor = 1;
    for (auto &[dimClass, f] : op.factors) {
      int64_t share = shareOf(group, dimClass);
      if (share > 1)
        factor *= double(f->size) / double(llvm::divideCeil(f->size, share));
    }
    return factor;
  }

  /// An axis may shard one dim of an op: visits the chosen groups that `group`
  /// meets in some op and would undo there, until told to stop.
  void forEachConflict(unsigned group, function_ref<bool(unsigned)> visit) {
    for (unsigned number : opsOf[group])
      for (auto &[dimClass, factor] : ops[number].factors) {
        unsigned other = groups.numberOf(dimClass);
        if (other != ~0u && other != group && chosen[other] &&
            shareOf(other, dimClass) > 1 && !visit(other))
          return;
      }
  }

  std::vector<unsigned> conflictsOf(unsigned group) {
    std::vector<unsigned> found;
    forEachConflict(group, [&](unsigned other) {
      found.push_back(other);
      return true;
    });
    llvm::sort(found);
    found.erase(llvm::unique(found), found.end());
    return found;
  }

  bool conflicts(unsigned group) {
    bool isAny = false;
    forEachConflict(group, [&](unsigned) {
      isAny = true;
      return false;
    });
    return isAny;
  }

  void set(unsigned group, bool isChosen) {
    chosen[group] = isChosen;
    for (unsigned number : opsOf[group]) {
      double factor = speedup(group, ops[number]), &left = ops[number].left;
      workLeft -= left;
      left = isChosen ? left / factor : left * factor;
      workLeft += left;
    }
    bytesSent += (isChosen ? 1 : -1) * costOf(group);
  }

  /// Groups that the ops of `group` have dims of.
  void addNeighbours(unsigned group, std::vector<unsigned> &found) {
    for (unsigned number : opsOf[group])
      for (auto &[dimClass, factor] : ops[number].factors)
        if (unsigned other = groups.numberOf(dimClass); other != ~0u)
          found.push_back(other);
  }

  /// What costs least for its own work may be in the way of what costs least
  /// for all: of two linears, one after the other, the outputs of the second
  /// cost nothing, but then the first has to be reduced, at its full width.
  /// Tries each group in the place of those that it conflicts with.
  void improve() {
    constexpr unsigned mostRounds = 4;
    bool isBetter = true;
    for (unsigned round = 0; isBetter && round < mostRounds; ++round) {
      isBetter = false;
      for (unsigned group = 0; group < opsOf.size(); ++group)
        if (!chosen[group])
          isBetter |= exchange(group);
    }
  }

  bool exchange(unsigned group) {
    const std::vector<unsigned> removed = conflictsOf(group);
    if (removed.empty())
      return false;
    const double oldWork = workLeft, oldBytes = bytesSent;
    std::vector<unsigned> near;
    for (unsigned other : removed) {
      addNeighbours(other, near);
      set(other, false);
    }
    set(group, true);
    llvm::sort(near);
    near.erase(llvm::unique(near), near.end());
    llvm::erase_if(near, [&](unsigned other) { return chosen[other]; });
    shareWork(near);
    // Better in one, and no worse in the other.
    constexpr double rounding = 1e-9;
    bool isBetter = workLeft < oldWork * (1 + rounding) &&
                    bytesSent < oldBytes * (1 + rounding) &&
                    (workLeft < oldWork * (1 - rounding) ||
                     bytesSent < oldBytes * (1 - rounding));
    if (isBetter)
      return true;
    for (unsigned other : near)
      if (chosen[other])
        set(other, false);
    set(group, false);
    for (unsigned other : removed)
      set(other, true);
    return false;
  }

  void shareWork(ArrayRef<unsigned> candidates) {
    // Cheapest bytes for the work first. What was computed earlier may have
    // become worse, never better, so look again before taking it.
    using Entry = std::pair<double, unsigned>;
    std::priority_queue<Entry, std::vector<Entry>, std::greater<Entry>> queue;
    auto push = [&](unsigned group) {
      double work = workShared(group);
      if (work > 0)
        queue.push({costOf(group) / work, group});
    };
    for (unsigned group : candidates)
      push(group);
    while (!queue.empty()) {
      auto [ratio, group] = queue.top();
      queue.pop();
      double work = workShared(group);
      if (work <= 0 || conflicts(group))
        continue;
      double now = costOf(group) / work;
      if (now > ratio * (1 + 1e-9))
        queue.push({now, group});
      else
        set(group, true);
    }
  }

  void shareStorage() {
    for (BlockArgument argument : function.getArguments()) {
      if (!function.getArgAttr(argument.getArgNumber(), nn::kParameterName) ||
          shapeOf(argument.getType()).size() < 2)
        continue;
      std::optional<std::pair<double, unsigned>> best;
      bool isShared = false;
      for (unsigned i = 0; i < shapeOf(argument.getType()).size(); ++i) {
        unsigned dimClass = classes.classOf(argument, i);
        unsigned group = groups.numberOf(dimClass);
        if (group == ~0u || shareOf(group, dimClass) == 1)
          continue;
        isShared |= chosen[group];
        if (chosen[group] || conflicts(group))
          continue;
        auto candidate = std::make_pair(costOf(group), group);
        if (!best || candidate < *best)
          best = candidate;
      }
      if (!isShared && best)
        set(best->second, true);
    }
  }

  func::FuncOp function;
  const DimClasses &classes;
  const DimGroups &groups;
  std::vector<std::pair<Operation *, ShardingRule>> rules;
  std::vector<OpFacts> ops;
  std::vector<SmallVector<unsigned>> opsOf;
  SmallVector<bool> chosen;
  double workLeft = 0, bytesSent = 0; ///< by what is chosen
};

} // namespace

SmallVector<bool> tp::chooseGroups(func::FuncOp function,
                                   const DimClasses &classes,
                                   const DimGroups &groups) {
  return Chooser(function, classes, groups).run();
}

double tp::contractionWork(func::FuncOp function) {
  double work = 0;
  for (Operation &op : function.getBody().front())
    work += contractionWork(&op);
  return work;
}

double tp::contractionWork(Operation *op) {
  auto ruled = dyn_cast<ShardingRuleOpInterface>(op);
  return ruled ? workOf(ruled.getShardingRule()) : 0;
}
