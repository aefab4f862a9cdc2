//===- ReshardTest.cpp - reshards do what they say, at the least cost -----===//
//
// Part of tp-mlir, under the Apache License v2.0.
//
//===----------------------------------------------------------------------===//
//
// For pairs of placements on small meshes: the planned steps are moves of the
// table that end where they should; run on data, each gives the placement that
// it says; and no other path sends fewer bytes, or as many in fewer
// collectives. What is the least is found by the search in ReshardReference.
//
// The reference cuts every axis into parts of prime size, in every way. On
// 8 x 6 x 4 that makes a million placements; by default it is taken for the
// least tensor alone, and of the others one pair in a dozen is only run.
//
// By default each distinct step of all the paths is run on data, and one path
// in a hundred as a whole; one pair in three is taken on the slowest mesh, and
// not every kind with every other. With TP_LONG set in the environment nothing
// is left out, every path is run as a whole, and samples are larger.
//
//===----------------------------------------------------------------------===//

#include "ReshardCheck.h"
#include "gtest/gtest.h"
#include <ctime>
#include <random>

using namespace mlir;
using namespace mlir::tp;
using namespace mlir::tp::test;

namespace {

bool isLong() { return std::getenv("TP_LONG") != nullptr; }

constexpr ReduceKind kKinds[] = {ReduceKind::Sum, ReduceKind::Max,
                                 ReduceKind::Min, ReduceKind::Product,
                                 ReduceKind::And, ReduceKind::Or};

Placement ofKind(Placement placement, ReduceKind kind) {
  placement.partialKind = kind;
  return placement;
}

/// Two states of a reference, and kinds for what is partial.
struct Pair {
  const Reference &reference;
  const Reference::Least &least; // from `from`
  size_t from, to;
  ReduceKind fromKind = ReduceKind::Sum, toKind = ReduceKind::Sum;

  Placement source() const {
    return ofKind(reference.placement(from), fromKind);
  }
  Placement target() const { return ofKind(reference.placement(to), toKind); }
  bool changesKind() const {
    return fromKind != toKind && !reference.placement(from).partial.empty() &&
           !reference.placement(to).partial.empty();
  }
  const Cost &cost() const {
    return (changesKind() ? least.otherKind : least.sameKind)[to];
  }
};

/// Plans, checks and counts pairs on one mesh.
class Pairs {
public:
  /// `isExact`: the reference knows every path that the planner may find.
  Pairs(const Mesh &mesh, bool isExact)
      : mesh(mesh), isExact(isExact), planner(mesh.wholeAxes()), data(mesh) {}

  void check(const Pair &pair) {
    Placement from = pair.source(), to = pair.target();
    std::clock_t start = std::clock();
    FailureOr<ReshardPath> path = planner.plan(from, to);
    planning += std::clock() - start;
    ++numPairs;
    if (failed(path))
      return report(pair, {}, "no path");
    Walk steps = walk(mesh, from, to, *path);
    if (!steps.wrong.empty())
      return report(pair, *path, steps.wrong);
    checkCost(pair, *path, steps.cost);
    bool runsWhole = isLong() || numPairs % 100 == 0;
    std::string wrong =
        runsWhole ? data.run(from, *path) : data.runNewSteps(from, *path);
    if (!wrong.empty())
      report(pair, *path, wrong);
  }

  /// To be called at the end.
  void finish() const {
    EXPECT_EQ(numBad, 0) << "of " << numPairs << " pairs";
    EXPECT_GT(numPairs, 0);
    auto milliseconds = planning * 1000 / CLOCKS_PER_SEC;
    ::testing::Test::RecordProperty("pairs", int(numPairs));
    ::testing::Test::RecordProperty("steps", int(data.numSteps()));
    ::testing::Test::RecordProperty("planningMilliseconds", int(milliseconds));
  }

private:
  void checkCost(const Pair &pair, const ReshardPath &path, const Cost &cost) {
    if (isExact ? !(cost == pair.cost()) : pair.cost() < cost)
      report(pair, path,
             "costs " + show(cost) + " where " + show(pair.cost()) +
                 " is the least:" + cheapest(pair) + "\nplanned:");
    Placement from = pair.source();
    double whole = 4;
    for (int64_t pad : from.pads)
      whole *= double(pad);
    double devices = double(mesh.numDevices());
    double bytes = double(cost.bytes) * whole / (devices * devices);
    if (std::abs(costOf(from, path, 4) - bytes) > 1e-9 * bytes)
      report(pair, path, "another cost: " + show(cost));
  }

  static std::string show(const Cost &cost) {
    return std::to_string(cost.bytes) + " in " +
           std::to_string(cost.collectives);
  }

  /// A path that the reference found.
  static std::string cheapest(const Pair &pair) {
    std::string text;
    for (size_t state :
         pair.reference.pathTo(pair.to, pair.changesKind(), pair.least))
      text += "\n  " + test::show(pair.reference.placement(state));
    return text;
  }

  void report(const Pair &pair, const ReshardPath &path,
              const std::string &wrong) {
    if (++numBad <= 5)
      ADD_FAILURE() << test::show(pair.source()) << " to "
                    << test::show(pair.target()) << ": " << wrong
                    << test::show(path);
  }

  const Mesh &mesh;
  bool isExact;
  ReshardPlanner planner;
  DataCheck data;
  std::clock_t planning = 0;
  int64_t numPairs = 0, numBad = 0;
};

//===----------------------------------------------------------------------===//
// Whole axes and sums
//===----------------------------------------------------------------------===//

struct Setting {
  const char *name;
  const Mesh *mesh;
  std::vector<int64_t> pads;
  /// Of all pairs, one in `stride` is taken by default.
  size_t stride = 1;
  /// Whether the reference takes minutes.
  bool isForLong = false;
};

std::ostream &operator<<(std::ostream &os, const Setting &setting) {
  return os << setting.name;
}

std::string nameOf(const ::testing::TestParamInfo<Setting> &info) {
  return info.param.name;
}

const Mesh k2x2x2{{{"a", 2}, {"b", 2}, {"c", 2}}};
const Mesh k2x3x2{{{"a", 2}, {"b", 3}, {"c", 2}}};
const Mesh k2x3x4{{{"a", 2}, {"b", 3}, {"c", 4}}};
const Mesh k2x3x5{{{"a", 2}, {"b", 3}, {"c", 5}}};
const Mesh k2x2x3{{{"a", 2}, {"b", 2}, {"c", 3}}};
const Mesh k8x6x4{{{"a", 8}, {"b", 6}, {"c", 4}}};

/// Where the reference would take too long by default, it knows whole axes
/// alone and the planner may do better.
class WholeAxes : public ::testing::TestWithParam<Setting> {};

TEST_P(WholeAxes, EveryPair) {
  const Mesh &mesh = *GetParam().mesh;
  bool isExact = isLong() || !GetParam().isForLong;
  Reference reference(mesh, GetParam().pads,
                      isExact ? everyCutting(mesh)
                              : std::vector<Cutting>{uncut(mesh)});
  Pairs pairs(mesh, isExact);
  std::vector<size_t> states = reference.wholeStates();
  size_t number = 0, stride = isLong() ? 1 : GetParam().stride;
  for (size_t from : states) {
    Reference::Least least = reference.from(from);
    for (size_t to : states)
      if (number++ % stride == 0)
        pairs.check({reference, least, from, to});
  }
  pairs.finish();
}

INSTANTIATE_TEST_SUITE_P(ReshardTest, WholeAxes,
                         ::testing::ValuesIn(std::vector<Setting>{
                             {"Mesh2x2x2", &k2x2x2, {8, 8, 8}},
                             {"Mesh2x2x2Narrow", &k2x2x2, {4, 2, 3}},
                             {"Mesh2x3x2", &k2x3x2, {12, 12, 12}},
                             {"Mesh2x3x2Narrow", &k2x3x2, {6, 4, 3}},
                             {"Mesh2x3x4", &k2x3x4, {24, 24, 24}, 3},
                             {"Mesh2x3x4Narrow", &k2x3x4, {12, 8, 2}},
                             {"Mesh2x3x4Narrower", &k2x3x4, {6, 4, 1}},
                             {"Mesh2x3x5", &k2x3x5, {30, 30, 30}},
                             {"Mesh2x3x5Narrow", &k2x3x5, {10, 6, 15}},
                             {"Mesh2x2x3", &k2x2x3, {12, 12, 12}},
                             {"Mesh2x2x3Narrow", &k2x2x3, {6, 4, 3}},
                             {"Mesh8x6x4", &k8x6x4, {192, 192, 192}, 13, true},
                             {"Mesh8x6x4Narrow", &k8x6x4, {48, 24, 4}, 7, true},
                             {"Mesh8x6x4Narrower", &k8x6x4, {8, 12, 2}}}),
                         nameOf);

//===----------------------------------------------------------------------===//
// Parts of axes and every kind
//===----------------------------------------------------------------------===//

const Mesh k4{{{"a", 4}}};
const Mesh k6{{{"a", 6}}};
const Mesh k2x2{{{"a", 2}, {"b", 2}}};
const Mesh k2x4{{{"a", 2}, {"b", 4}}};

/// Between all placements over any parts of the axes; an axis of 6 may be cut
/// as 2 x 3 at one end and as 3 x 2 at the other.
class Parts : public ::testing::TestWithParam<Setting> {
protected:
  /// Checks a pair of states: for every kind, or by default for one and one
  /// change of kinds, in turn.
  void checkKinds(Pair pair, Pairs &pairs) {
    bool hasFrom = !pair.reference.placement(pair.from).partial.empty();
    bool hasTo = !pair.reference.placement(pair.to).partial.empty();
    size_t kind = turn % 6, other = (kind + 1 + turn / 6 % 5) % 6;
    ++turn;
    for (size_t i = 0; i < (hasFrom ? 6 : 1); ++i)
      for (size_t j = 0; j < (hasTo ? 6 : 1); ++j) {
        bool isTurn = (!hasFrom || i == kind) &&
                      (!hasTo || j == kind || (hasFrom && j == other));
        pair.fromKind = kKinds[i];
        pair.toKind = kKinds[j];
        if (isLong() || isTurn)
          pairs.check(pair);
      }
  }

private:
  size_t turn = 0;
};

TEST_P(Parts, EveryPair) {
  const Mesh &mesh = *GetParam().mesh;
  Reference reference(mesh, GetParam().pads, everyCutting(mesh));
  Pairs pairs(mesh, /*isExact=*/true);
  for (size_t from = 0; from < reference.size(); ++from) {
    Reference::Least least = reference.from(from);
    for (size_t to = 0; to < reference.size(); ++to)
      checkKinds({reference, least, from, to}, pairs);
  }
  pairs.finish();
}

INSTANTIATE_TEST_SUITE_P(ReshardTest, Parts,
                         ::testing::ValuesIn(std::vector<Setting>{
                             {"Mesh4", &k4, {4, 4}},
                             {"Mesh4Narrow", &k4, {2, 4}},
                             {"Mesh6", &k6, {6, 6}},
                             {"Mesh6Narrow", &k6, {6, 2}},
                             {"Mesh6Narrower", &k6, {3, 2}},
                             {"Mesh2x2", &k2x2, {4, 4}},
                             {"Mesh2x2Narrow", &k2x2, {2, 3}},
                             {"Mesh2x2Scalar", &k2x2, {}},
                             {"Mesh2x2Vector", &k2x2, {4}},
                             {"Mesh2x4", &k2x4, {8, 8}},
                             {"Mesh2x4Narrow", &k2x4, {4, 2}},
                             {"Mesh2x4Narrower", &k2x4, {6, 4}},
                             {"Mesh2x4Vector", &k2x4, {8}}}),
                         nameOf);

//===----------------------------------------------------------------------===//
// Samples
//===----------------------------------------------------------------------===//

/// Pairs drawn from all parts and all kinds.
class Sample : public ::testing::TestWithParam<Setting> {
protected:
  size_t below(size_t n) { return generator() % n; }

  /// Draws `targets` pairs from each of `sources` placements.
  void draw(const Reference &reference, Pairs &pairs, int64_t sources,
            int64_t targets) {
    for (int64_t source = 0; source < sources; ++source) {
      size_t from = below(reference.size());
      Reference::Least least = reference.from(from);
      ReduceKind kind = kKinds[below(6)];
      for (int64_t target = 0; target < targets; ++target)
        pairs.check({reference, least, from, below(reference.size()), kind,
                     kKinds[below(6)]});
    }
  }

  std::mt19937_64 generator{1};
};

const Mesh k2x6{{{"a", 2}, {"b", 6}}};
const Mesh k6x4{{{"a", 6}, {"b", 4}}};
const Mesh k12{{{"a", 12}}};
const Mesh k30{{{"a", 30}}};
const Mesh k12x2{{{"a", 12}, {"b", 2}}};
const Mesh k6x6{{{"a", 6}, {"b", 6}}};
const Mesh k8x4{{{"a", 8}, {"b", 4}}};
const Mesh k4x4x4{{{"a", 4}, {"b", 4}, {"c", 4}}};

class EveryCut : public Sample {};

TEST_P(EveryCut, Sample) {
  const Mesh &mesh = *GetParam().mesh;
  Reference reference(mesh, GetParam().pads, everyCutting(mesh));
  Pairs pairs(mesh, /*isExact=*/true);
  draw(reference, pairs, isLong() ? 1000 : 10, 100);
  pairs.finish();
}

INSTANTIATE_TEST_SUITE_P(ReshardTest, EveryCut,
                         ::testing::ValuesIn(std::vector<Setting>{
                             {"Mesh2x2x2", &k2x2x2, {8, 8, 8}},
                             {"Mesh2x2x2Narrow", &k2x2x2, {4, 2, 3}},
                             {"Mesh2x3x2", &k2x3x2, {12, 12, 12}},
                             {"Mesh2x3x2Narrow", &k2x3x2, {6, 4, 3}},
                             {"Mesh2x3x4", &k2x3x4, {24, 24, 24}},
                             {"Mesh2x3x4Narrow", &k2x3x4, {12, 8, 2}},
                             {"Mesh2x3x5", &k2x3x5, {30, 30, 30}},
                             {"Mesh2x3x5Narrow", &k2x3x5, {10, 6, 15}},
                             {"Mesh2x2x3", &k2x2x3, {12, 12, 12}},
                             {"Mesh2x2x3Narrow", &k2x2x3, {6, 4, 3}},
                             {"Mesh2x6", &k2x6, {12, 12}},
                             {"Mesh2x6Narrow", &k2x6, {12, 2}},
                             {"Mesh6x4", &k6x4, {24, 24}},
                             {"Mesh6x4Narrow", &k6x4, {6, 8}},
                             {"Mesh12", &k12, {12, 12}},
                             {"Mesh30", &k30, {30, 30}},
                             {"Mesh12x2", &k12x2, {24, 24}},
                             {"Mesh6x6", &k6x6, {36, 36}},
                             {"Mesh8x4", &k8x4, {32, 32}},
                             {"Mesh4x4x4Narrow", &k4x4x4, {16, 8}}}),
                         nameOf);

/// The same on a mesh with a million placements, where the reference takes
/// seconds for a source; by default of the least tensor alone.
class ManyCuts : public Sample {};

TEST_P(ManyCuts, Sample) {
  const Mesh &mesh = *GetParam().mesh;
  if (GetParam().isForLong && !isLong())
    GTEST_SKIP() << "TP_LONG is not set";
  Reference reference(mesh, GetParam().pads, everyCutting(mesh));
  Pairs pairs(mesh, /*isExact=*/true);
  draw(reference, pairs, isLong() ? 100 : 5, isLong() ? 1000 : 50);
  pairs.finish();
}

INSTANTIATE_TEST_SUITE_P(
    ReshardTest, ManyCuts,
    ::testing::ValuesIn(std::vector<Setting>{
        {"Mesh8x6x4", &k8x6x4, {192, 192, 192}, 1, true},
        {"Mesh8x6x4Narrow", &k8x6x4, {48, 16, 12}, 1, true},
        {"Mesh8x6x4Narrower", &k8x6x4, {8, 12, 2}}}),
    nameOf);

//===----------------------------------------------------------------------===//
// Examples
//===----------------------------------------------------------------------===//

const Axis a2{"a", 1, 2}, b2{"b", 1, 2}, b4{"b", 1, 4}, c3{"c", 1, 3};

/// The steps of the path, or "none" if there is no path.
std::string planned(const Mesh &mesh, const Placement &from,
                    const Placement &to) {
  FailureOr<ReshardPath> path = ReshardPlanner(mesh.wholeAxes()).plan(from, to);
  return failed(path) ? "none" : show(*path);
}

TEST(ReshardTest, Refusals) {
  Placement four = Placement::replicated({4});
  Placement eight = Placement::replicated({8});
  EXPECT_EQ(planned(k2x2x3, four, eight), "none") << "other extents";
  Placement matrix = Placement::replicated({4, 4});
  EXPECT_EQ(planned(k2x2x3, four, matrix), "none") << "another rank";
  Placement third = four;
  third.dims[0] = {c3};
  EXPECT_EQ(planned(k2x2x3, four, third), "none") << "does not divide";
  EXPECT_EQ(planned(k2x2x3, third, four), "none") << "did not divide";
}

TEST(ReshardTest, NothingToDo) {
  Placement placement = Placement::replicated({4, 0});
  placement.dims[0] = {a2};
  EXPECT_EQ(planned(k2x2, placement, placement), "");
  // The kind of what is not partial does not matter.
  EXPECT_EQ(planned(k2x2, placement, ofKind(placement, ReduceKind::Max)), "");
}

// Replicas share the work of a reduction.
TEST(ReshardTest, UnusedAxesHelp) {
  const Mesh mesh{{{"a", 2}, {"b", 4}}};
  Placement to = Placement::replicated({8}), from = to;
  from.partial = {b4};
  FailureOr<ReshardPath> path = ReshardPlanner(mesh.wholeAxes()).plan(from, to);
  ASSERT_TRUE(succeeded(path));
  EXPECT_EQ(costOf(from, *path, 4), 1.25 * 8 * 4) << show(*path);
}

// A part of an axis that neither end cuts moves alone: of 8 x 6 x 4 turned
// round, 8/3 of the block are sent; with whole axes it would be 3.3.
TEST(ReshardTest, CutsOfTheirOwnHelp) {
  const Axis a{"a", 1, 8}, b{"b", 1, 6}, c{"c", 1, 4};
  Placement from = Placement::replicated({192, 192, 192}), to = from;
  from.dims = {{a}, {b}, {c}};
  to.dims = {{c}, {a}, {b}};
  FailureOr<ReshardPath> path =
      ReshardPlanner(k8x6x4.wholeAxes()).plan(from, to);
  ASSERT_TRUE(succeeded(path));
  EXPECT_EQ(walk(k8x6x4, from, to, *path).wrong, "") << show(*path);
  EXPECT_NEAR(costOf(from, *path, 3), 8 * (24 * 32 * 48), 1e-3) << show(*path);
}

//===----------------------------------------------------------------------===//
// Where the search is given up
//===----------------------------------------------------------------------===//

/// Plans there and back on a mesh that is too large, and returns the number of
/// steps of both.
size_t stepsOnLarge(const Mesh &mesh, const Placement &from,
                    const Placement &to) {
  ReshardPlanner planner(mesh.wholeAxes());
  size_t steps = 0;
  for (bool isBack : {false, true}) {
    const Placement &start = isBack ? to : from, &goal = isBack ? from : to;
    FailureOr<ReshardPath> path = planner.plan(start, goal);
    if (failed(path)) {
      ADD_FAILURE() << "no path";
      continue;
    }
    EXPECT_EQ(walk(mesh, start, goal, *path).wrong, "") << show(*path);
    steps += path->size();
  }
  return steps;
}

// All that remains is to reduce, gather and slice.
TEST(ReshardTest, TooManyDevices) {
  const Mesh mesh{{{"a", int64_t(1) << 15}, {"b", int64_t(1) << 15}}};
  const Axis a{"a", 1, 1 << 15}, b{"b", 1, 1 << 15};
  Placement from = Placement::replicated({1 << 15, 1 << 15}), to = from;
  from.dims[0] = {a};
  from.partial = {b};
  to.dims = {{b}, {a}};
  EXPECT_EQ(stepsOnLarge(mesh, from, to), 8u);
}

// The axes are cut as the two ends cut them.
TEST(ReshardTest, TooManyParts) {
  const Mesh mesh{{{"a", 720}, {"b", 720}}};
  const Axis a{"a", 1, 720}, b{"b", 1, 720};
  Placement from = Placement::replicated({720, 720}), to = from;
  from.dims = {{a}, {b}};
  to.dims = {{b}, {a}};
  EXPECT_EQ(stepsOnLarge(mesh, from, to), 2u);
}

// On 2^18 devices, what is found is right.
TEST(ReshardTest, TooManyPlacements) {
  const Mesh mesh{{{"a", 64}, {"b", 64}, {"c", 64}}};
  std::mt19937_64 generator(1);
  auto draw = [&] {
    Placement placement = Placement::replicated({1 << 18, 1 << 18, 1 << 18});
    Axes parts;
    for (const Axis &axis : mesh.wholeAxes())
      for (int64_t pre = 1; pre < axis.size; pre *= 2)
        parts.push_back({axis.name, pre, 2});
    std::shuffle(parts.begin(), parts.end(), generator);
    for (const Axis &part : parts) {
      size_t place = generator() % 5;
      if (place < 3)
        placement.dims[place].push_back(part);
      else if (place == 3)
        placement.partial.push_back(part);
    }
    llvm::sort(placement.partial);
    for (Axes &axes : placement.dims)
      axes = normalised(axes);
    placement.partial = normalised(placement.partial);
    return placement;
  };
  EXPECT_GT(stepsOnLarge(mesh, draw(), draw()), 0u);
}

//===----------------------------------------------------------------------===//
// Paths that are known
//===----------------------------------------------------------------------===//

// A transposed matrix moves once.
TEST(ReshardTest, PermuteExchangesAxes) {
  Placement from = Placement::replicated({4, 4}), to = from;
  from.dims = {{a2}, {b2}};
  to.dims = {{b2}, {a2}};
  FailureOr<ReshardPath> path = ReshardPlanner(k2x2.wholeAxes()).plan(from, to);
  ASSERT_TRUE(succeeded(path));
  ASSERT_EQ(path->size(), 1u) << show(*path);
  EXPECT_EQ(path->front().move, Move::Permute);
  EXPECT_EQ(costOf(from, *path, 4), 4 * 4);
}

//===----------------------------------------------------------------------===//
// Memory
//===----------------------------------------------------------------------===//

/// A path without the extents of its placements.
std::string withoutPads(ReshardPath path) {
  for (ReshardStep &step : path)
    for (int64_t &pad : step.result.pads)
      pad = 0;
  return show(path);
}

Placement withPads(Placement placement, ArrayRef<int64_t> pads) {
  placement.pads.assign(pads.begin(), pads.end());
  return placement;
}

// Once more, from another planner, and with other extents that divide by the
// same, in whatever order it is asked: the same path.
TEST(ReshardTest, SamePathAgain) {
  const std::vector<int64_t> pads{12, 8, 2}, others{36, 40, 14};
  Reference reference(k2x3x4, pads, everyCutting(k2x3x4));
  ReshardPlanner planner(k2x3x4.wholeAxes()), other(k2x3x4.wholeAxes());
  std::mt19937_64 generator(1);
  auto draw = [&] {
    return ofKind(reference.placement(generator() % reference.size()),
                  kKinds[generator() % 6]);
  };
  for (int i = 0; i < 500; ++i) {
    Placement from = draw(), to = draw();
    FailureOr<ReshardPath> large =
        other.plan(withPads(from, others), withPads(to, others));
    FailureOr<ReshardPath> first = planner.plan(from, to);
    FailureOr<ReshardPath> again = planner.plan(from, to);
    FailureOr<ReshardPath> elsewhere = other.plan(from, to);
    FailureOr<ReshardPath> largeAgain =
        planner.plan(withPads(from, others), withPads(to, others));
    ASSERT_TRUE(succeeded(large) && succeeded(first) && succeeded(again) &&
                succeeded(elsewhere) && succeeded(largeAgain));
    std::string what = show(from) + " to " + show(to);
    EXPECT_EQ(show(*again), show(*first)) << what;
    EXPECT_EQ(show(*elsewhere), show(*first)) << what;
    EXPECT_EQ(show(*largeAgain), show(*large)) << what;
    EXPECT_EQ(withoutPads(*large), withoutPads(*first)) << what;
    EXPECT_EQ(walk(k2x3x4, withPads(from, others), withPads(to, others), *large)
                  .wrong,
              "")
        << what;
  }
}

// A remembered path is not given where extents divide by less.
TEST(ReshardTest, OtherDivisibilityIsAnotherQuestion) {
  Reference wide(k2x3x4, {24, 24, 24}, everyCutting(k2x3x4));
  const std::vector<int64_t> pads{12, 8, 2};
  Reference narrow(k2x3x4, pads, everyCutting(k2x3x4));
  ReshardPlanner planner(k2x3x4.wholeAxes());
  std::mt19937_64 generator(1);
  for (int i = 0; i < 500; ++i) {
    size_t state = generator() % narrow.size();
    size_t target = generator() % narrow.size();
    const Placement &from = narrow.placement(state);
    const Placement &to = narrow.placement(target);
    Reference::Least least = narrow.from(state);
    ASSERT_TRUE(succeeded(planner.plan(withPads(from, {24, 24, 24}),
                                       withPads(to, {24, 24, 24}))));
    FailureOr<ReshardPath> path = planner.plan(from, to);
    ASSERT_TRUE(succeeded(path));
    Walk steps = walk(k2x3x4, from, to, *path);
    EXPECT_EQ(steps.wrong, "") << show(from) << " to " << show(to);
    EXPECT_TRUE(steps.cost == least.sameKind[target])
        << show(from) << " to " << show(to);
  }
}

} // namespace
