//===- ReshardTest.cpp - reshards do what they say, at the least cost -----===//
//
// Part of tp-mlir, under the Apache License v2.0.
//
//===----------------------------------------------------------------------===//
//
// For every pair of placements of small tensors on small meshes: the planned
// steps, run on data, give the placement asked for with the right values; and
// no other steps over the axes of the two send fewer bytes, or as many in fewer
// collectives. What is the least is found by a search written here, over all
// states and all moves. (Over further axes, on which the value is replicated,
// there may be less to send: each replica could do a share of the work.)
//
//===----------------------------------------------------------------------===//

#include "Simulator.h"
#include "gtest/gtest.h"
#include <map>
#include <set>

using namespace mlir;
using namespace mlir::tp;
using namespace mlir::tp::test;

namespace {

/// Where axes are: lists of axis numbers for each dim, and a set of partial
/// ones.
struct State {
  std::vector<std::vector<int>> dims;
  std::set<int> partial;

  bool operator<(const State &other) const {
    return std::tie(dims, partial) < std::tie(other.dims, other.partial);
  }
};

struct Cost {
  double bytes = 0;
  int collectives = 0;

  bool operator<(const Cost &other) const {
    // Sums of fractions: compared up to rounding.
    if (std::abs(bytes - other.bytes) > 1e-6)
      return bytes < other.bytes;
    return collectives < other.collectives;
  }
};

/// A mesh, the axes (or parts of axes) to place by, and a tensor.
struct Setting {
  Mesh mesh;
  std::vector<Axis> axes;
  std::vector<int64_t> trueShape, padded;
  ReduceKind kind = ReduceKind::Sum;
  /// Of all pairs, one in `stride` is tried.
  int stride = 1;
};

/// All states and the cheapest ways between them.
class Reference {
public:
  explicit Reference(const Setting &setting) : setting(setting) {
    State empty;
    empty.dims.resize(setting.padded.size());
    enumerate(empty, 0);
  }

  std::vector<State> states;

  /// The axes that a state uses.
  static std::set<int> usedBy(const State &state) {
    std::set<int> used = state.partial;
    for (const std::vector<int> &dim : state.dims)
      used.insert(dim.begin(), dim.end());
    return used;
  }

  /// The least cost from `start` to every state that can be reached by moves
  /// over the axes `allowed`.
  std::map<State, Cost> distances(const State &start,
                                  const std::set<int> &allowed) const {
    std::map<State, Cost> best{{start, {}}};
    std::set<std::pair<Cost, State>> open{{Cost(), start}};
    while (!open.empty()) {
      auto [cost, state] = *open.begin();
      open.erase(open.begin());
      forEachMove(
          state, allowed, [&, cost = cost](const State &next, double bytes) {
            Cost sum{cost.bytes + bytes, cost.collectives + (bytes > 0)};
            auto [it, inserted] = best.try_emplace(next, sum);
            if (!inserted) {
              if (!(sum < it->second))
                return;
              open.erase({it->second, next});
              it->second = sum;
            }
            open.insert({sum, next});
          });
    }
    return best;
  }

  Placement placementOf(const State &state) const {
    Placement placement;
    placement.partialKind = setting.kind;
    for (size_t i = 0; i < state.dims.size(); ++i) {
      Axes axes;
      for (int axis : state.dims[i])
        axes.push_back(setting.axes[axis]);
      placement.dims.push_back(normalised(axes));
      placement.pads.push_back(setting.padded[i]);
    }
    for (int axis : state.partial)
      placement.partial.push_back(setting.axes[axis]);
    llvm::sort(placement.partial);
    placement.partial = normalised(placement.partial);
    return placement;
  }

private:
  double product(llvm::ArrayRef<int> axes) const {
    double n = 1;
    for (int axis : axes)
      n *= double(setting.axes[axis].size);
    return n;
  }

  bool fits(const State &state) const {
    for (size_t i = 0; i < state.dims.size(); ++i)
      if (setting.padded[i] % int64_t(product(state.dims[i])))
        return false;
    return true;
  }

  /// Puts axis number `axis` and all that follow everywhere they can be.
  void enumerate(const State &state, int axis) {
    if (axis == int(setting.axes.size())) {
      if (fits(state))
        states.push_back(state);
      return;
    }
    enumerate(state, axis + 1);
    State next = state;
    next.partial.insert(axis);
    enumerate(next, axis + 1);
    for (size_t dim = 0; dim < state.dims.size(); ++dim)
      for (size_t i = 0; i <= state.dims[dim].size(); ++i) {
        next = state;
        next.dims[dim].insert(next.dims[dim].begin() + i, axis);
        enumerate(next, axis + 1);
      }
  }

  /// Calls `visit` with every non-empty list of distinct items, in every order.
  static void
  forEachList(const std::vector<int> &items, std::vector<int> &list,
              llvm::function_ref<void(const std::vector<int> &)> visit) {
    if (!list.empty())
      visit(list);
    for (int item : items) {
      if (llvm::is_contained(list, item))
        continue;
      list.push_back(item);
      forEachList(items, list, visit);
      list.pop_back();
    }
  }

  void
  forEachMove(const State &state, const std::set<int> &allowed,
              llvm::function_ref<void(const State &, double)> visit) const {
    auto visitIfFits = [&](const State &next, double bytes) {
      if (fits(next))
        visit(next, bytes);
    };
    double bytes = 4;
    for (int64_t size : setting.padded)
      bytes *= double(size);
    for (const std::vector<int> &dim : state.dims)
      bytes /= product(dim);
    std::set<int> used = usedBy(state);
    std::vector<int> unused,
        partial(state.partial.begin(), state.partial.end());
    for (int axis : allowed)
      if (!used.count(axis))
        unused.push_back(axis);

    // Free moves, one axis at a time.
    for (int axis : unused) {
      State next = state;
      next.partial.insert(axis);
      if (setting.kind == ReduceKind::Sum)
        visitIfFits(next, 0);
      for (size_t dim = 0; dim < state.dims.size(); ++dim) {
        next = state;
        next.dims[dim].push_back(axis);
        visitIfFits(next, 0);
      }
    }
    // Reductions, and reductions that scatter, of any part of what is partial.
    std::vector<int> list;
    forEachList(partial, list, [&](const std::vector<int> &axes) {
      double n = product(axes);
      State reduced = state;
      for (int axis : axes)
        reduced.partial.erase(axis);
      visitIfFits(reduced, 2 * (n - 1) / n * bytes);
      for (size_t dim = 0; dim < state.dims.size(); ++dim) {
        State next = reduced;
        next.dims[dim].insert(next.dims[dim].end(), axes.begin(), axes.end());
        visitIfFits(next, (n - 1) / n * bytes);
      }
    });
    // The most minor axes of a dim, gathered or moved to another.
    for (size_t dim = 0; dim < state.dims.size(); ++dim)
      for (size_t count = 1; count <= state.dims[dim].size(); ++count) {
        State gathered = state;
        std::vector<int> axes(state.dims[dim].end() - count,
                              state.dims[dim].end());
        gathered.dims[dim].resize(state.dims[dim].size() - count);
        double n = product(axes);
        visitIfFits(gathered, (n - 1) * bytes);
        for (size_t other = 0; other < state.dims.size(); ++other) {
          if (other == dim)
            continue;
          State next = gathered;
          next.dims[other].insert(next.dims[other].end(), axes.begin(),
                                  axes.end());
          visitIfFits(next, (n - 1) / n * bytes);
        }
      }
  }

  const Setting &setting;
};

std::string show(const Placement &placement) {
  std::string text;
  llvm::raw_string_ostream os(text);
  auto list = [&](ArrayRef<Axis> axes) {
    os << "{";
    for (const Axis &axis : axes)
      os << axis.name << ":(" << axis.pre << ")" << axis.size << " ";
    os << "}";
  };
  for (const Axes &axes : placement.dims)
    list(axes);
  os << " partial ";
  list(placement.partial);
  return text;
}

/// The bytes that a path sends, from the extents that devices have.
Cost costOfSteps(const Placement &from, ArrayRef<ReshardStep> path) {
  Cost cost;
  Placement current = from;
  for (const ReshardStep &step : path) {
    double bytes = 4, n = 1;
    for (size_t i = 0; i < current.pads.size(); ++i) {
      bytes *= double(current.pads[i]);
      for (const Axis &axis : current.dims[i])
        bytes /= double(axis.size);
    }
    for (const Axis &axis : step.axes)
      n *= double(axis.size);
    double sent = 0;
    if (step.move == Move::AllGather)
      sent = (n - 1) * bytes;
    else if (step.move == Move::AllReduce)
      sent = 2 * (n - 1) / n * bytes;
    else if (step.move == Move::ReduceScatter || step.move == Move::AllToAll)
      sent = (n - 1) / n * bytes;
    cost.bytes += sent;
    cost.collectives += sent > 0;
    current = step.result;
  }
  return cost;
}

/// Plans, runs and checks one reshard.
void checkPath(const Setting &setting, const Placement &from,
               const Placement &to, const std::vector<ReshardStep> &path) {
  std::string what = show(from) + " to " + show(to);
  Simulator simulator(setting.mesh, setting.trueShape);
  simulator.place(from);
  ASSERT_EQ(simulator.check(from), "") << "the test itself: " << what;
  for (const ReshardStep &step : path) {
    simulator.run(step, setting.kind);
    ASSERT_EQ(simulator.check(step.result), "")
        << what << ", after step to " << show(step.result);
  }
  ASSERT_EQ(simulator.check(to), "") << what;
}

/// Every pair of states of a setting.
void checkAll(const Setting &setting) {
  Reference reference(setting);
  int number = 0;
  for (const State &fromState : reference.states) {
    std::map<std::set<int>, std::map<State, Cost>> distances;
    Placement from = reference.placementOf(fromState);
    for (const State &toState : reference.states) {
      if (number++ % setting.stride)
        continue;
      Placement to = reference.placementOf(toState);
      std::string what = show(from) + " to " + show(to);
      FailureOr<std::vector<ReshardStep>> path = planReshard(from, to, 4);
      std::set<int> axes = Reference::usedBy(fromState);
      axes.merge(Reference::usedBy(toState));
      auto [it, inserted] = distances.try_emplace(axes);
      if (inserted)
        it->second = reference.distances(fromState, axes);
      auto least = it->second.find(toState);
      ASSERT_EQ(succeeded(path), least != it->second.end()) << what;
      if (failed(path))
        continue;
      checkPath(setting, from, to, *path);
      if (::testing::Test::HasFatalFailure())
        return;
      Cost cost = costOfSteps(from, *path);
      EXPECT_NEAR(cost.bytes, least->second.bytes, 1e-6) << what;
      EXPECT_EQ(cost.collectives, least->second.collectives) << what;
      EXPECT_NEAR(costOf(from, *path, 4), cost.bytes, 1e-6) << what;
    }
  }
  EXPECT_GT(reference.states.size(), 1u);
}

const Mesh kTwoByTwo{{{"a", 2}, {"b", 2}}};
const Mesh kTwoByThree{{{"a", 2}, {"b", 3}}};
const Mesh kFour{{{"a", 4}}};
const Mesh kSix{{{"a", 6}}};
const Mesh kThreeAxes{{{"a", 2}, {"b", 2}, {"c", 3}}};

const Axis a2{"a", 1, 2}, b2{"b", 1, 2}, b3{"b", 1, 3}, c3{"c", 1, 3};
const Axis a4{"a", 1, 4}, a4Major{"a", 1, 2}, a4Minor{"a", 2, 2};
const Axis a6{"a", 1, 6}, a6Two{"a", 1, 2}, a6ThenThree{"a", 2, 3};
const Axis a6Three{"a", 1, 3}, a6ThenTwo{"a", 3, 2};

TEST(ReshardTest, TwoByTwo) { checkAll({kTwoByTwo, {a2, b2}, {4, 8}, {4, 8}}); }
TEST(ReshardTest, TwoByTwoUneven) {
  checkAll({kTwoByTwo, {a2, b2}, {3, 7}, {4, 8}});
}
TEST(ReshardTest, TwoByTwoMinorFirst) {
  checkAll({kTwoByTwo, {b2, a2}, {3, 5}, {4, 8}});
}
// Dims that take one axis, or none.
TEST(ReshardTest, TwoByTwoNarrow) {
  checkAll({kTwoByTwo, {a2, b2}, {2, 3}, {2, 3}});
}
TEST(ReshardTest, TwoByTwoVector) { checkAll({kTwoByTwo, {a2, b2}, {7}, {8}}); }
TEST(ReshardTest, TwoByTwoCube) {
  checkAll({kTwoByTwo, {a2, b2}, {3, 4, 2}, {4, 4, 2}, ReduceKind::Sum, 3});
}
TEST(ReshardTest, TwoByTwoScalar) { checkAll({kTwoByTwo, {a2, b2}, {}, {}}); }
TEST(ReshardTest, TwoByThree) {
  checkAll({kTwoByThree, {a2, b3}, {5, 11}, {6, 12}});
}
TEST(ReshardTest, TwoByThreeNarrow) {
  checkAll({kTwoByThree, {a2, b3}, {4, 9}, {4, 9}});
}
TEST(ReshardTest, FourWhole) { checkAll({kFour, {a4}, {3, 7}, {4, 8}}); }
TEST(ReshardTest, FourInParts) {
  checkAll({kFour, {a4Major, a4Minor}, {3, 7}, {4, 8}});
}
TEST(ReshardTest, SixWhole) { checkAll({kSix, {a6}, {5, 11}, {6, 12}}); }
TEST(ReshardTest, SixAsTwoByThree) {
  checkAll({kSix, {a6Two, a6ThenThree}, {5, 11}, {6, 12}});
}
TEST(ReshardTest, SixAsThreeByTwo) {
  checkAll({kSix, {a6Three, a6ThenTwo}, {5, 11}, {6, 12}});
}
TEST(ReshardTest, ThreeAxes) {
  checkAll({kThreeAxes, {a2, b2, c3}, {11, 9}, {12, 12}, ReduceKind::Sum, 17});
}
TEST(ReshardTest, ThreeAxesNarrow) {
  checkAll({kThreeAxes, {a2, b2, c3}, {4, 6}, {4, 6}, ReduceKind::Sum, 5});
}
TEST(ReshardTest, ThreeAxesVector) {
  checkAll({kThreeAxes, {a2, b2, c3}, {10}, {12}});
}

// A maximum can lose partial axes, and gain none.
TEST(ReshardTest, Max) {
  checkAll({kTwoByThree, {a2, b3}, {5, 11}, {6, 12}, ReduceKind::Max});
}

// One axis cut as 2 x 3 here and as 3 x 2 there: the parts have nothing in
// common, and the values must be right all the same.
TEST(ReshardTest, SixCutTwoWays) {
  Setting two{kSix, {a6Two, a6ThenThree}, {5, 11}, {6, 12}};
  Setting three{kSix, {a6Three, a6ThenTwo}, {5, 11}, {6, 12}};
  Reference froms(two), tos(three);
  for (const State &fromState : froms.states)
    for (const State &toState : tos.states) {
      Placement from = froms.placementOf(fromState);
      Placement to = tos.placementOf(toState);
      for (auto [a, b] : {std::pair(from, to), std::pair(to, from)}) {
        FailureOr<std::vector<ReshardStep>> path = planReshard(a, b, 4);
        ASSERT_TRUE(succeeded(path)) << show(a) << " to " << show(b);
        checkPath(two, a, b, *path);
        if (HasFatalFailure())
          return;
      }
    }
}

TEST(ReshardTest, Refusals) {
  Placement four = Placement::replicated({4});
  Placement eight = Placement::replicated({8});
  EXPECT_TRUE(failed(planReshard(four, eight, 4))) << "other extents";
  Placement matrix = Placement::replicated({4, 4});
  EXPECT_TRUE(failed(planReshard(four, matrix, 4))) << "another rank";
  Placement sum = four, max = four;
  sum.partial = max.partial = {a2};
  max.partialKind = ReduceKind::Max;
  EXPECT_TRUE(failed(planReshard(sum, max, 4))) << "another kind";
  EXPECT_TRUE(failed(planReshard(four, max, 4))) << "a maximum of one";
  Placement third = four;
  third.dims[0] = {c3};
  EXPECT_TRUE(failed(planReshard(four, third, 4))) << "does not divide";
}

TEST(ReshardTest, NothingToDo) {
  Placement placement = Placement::replicated({4, 0});
  placement.dims[0] = {a2};
  FailureOr<std::vector<ReshardStep>> path =
      planReshard(placement, placement, 4);
  ASSERT_TRUE(succeeded(path));
  EXPECT_TRUE(path->empty());
}

} // namespace
