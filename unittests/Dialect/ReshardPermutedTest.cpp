//===- ReshardPermutedTest.cpp - what a permutation does to a placement ---===//
//
// Part of tp-mlir, under the Apache License v2.0.
//
//===----------------------------------------------------------------------===//

#include "ReshardCheck.h"
#include "gtest/gtest.h"
#include <optional>
#include <random>

using namespace mlir;
using namespace mlir::tp;
using namespace mlir::tp::test;

namespace {

using List = std::vector<Axis>;

const Axis x2{"x", 1, 2}, y2{"y", 1, 2}, x3{"x", 1, 3}, x4{"x", 1, 4},
    y4{"y", 1, 4}, x6{"x", 1, 6};

/// The placement of a tensor of rank 2 after a permutation, or "none".
std::string after(List rows, List columns, List partial, const List &from,
                  const List &to) {
  Placement placement = Placement::replicated({96, 96});
  placement.dims[0].assign(rows.begin(), rows.end());
  placement.dims[1].assign(columns.begin(), columns.end());
  placement.partial.assign(partial.begin(), partial.end());
  FailureOr<Placement> result = permuted(placement, from, to);
  return failed(result) ? "none" : show(*result);
}

std::string shown(List rows, List columns, List partial = {}) {
  Placement placement = Placement::replicated({96, 96});
  placement.dims[0].assign(rows.begin(), rows.end());
  placement.dims[1].assign(columns.begin(), columns.end());
  placement.partial.assign(partial.begin(), partial.end());
  return show(placement);
}

TEST(ReshardPermutedTest, Table) {
  EXPECT_EQ(after({x2}, {y2}, {}, {x2, y2}, {y2, x2}), shown({y2}, {x2}));
  EXPECT_EQ(after({x2, y2}, {}, {}, {x2, y2}, {y2, x2}), shown({y2, x2}, {}));
  EXPECT_EQ(after({x2}, {}, {}, {x2, y2}, {y2, x2}), shown({y2}, {}));
  EXPECT_EQ(after({x3, y2}, {}, {}, {x3, y2}, {y2, x3}), shown({y2, x3}, {}));
}

TEST(ReshardPermutedTest, Parts) {
  Axis major{"x", 1, 2}, minor{"x", 2, 2}, minor4{"x", 4, 2};
  // An axis turned in itself, and joined again.
  EXPECT_EQ(after({x4}, {}, {}, {major, minor}, {minor, major}),
            shown({minor, major}, {}));
  EXPECT_EQ(after({minor, major}, {}, {}, {major, minor}, {minor, major}),
            shown({x4}, {}));
  // The lists are cut as the placement asks.
  EXPECT_EQ(after({major}, {}, {}, {x4, y4}, {y4, x4}),
            shown({{"y", 1, 2}}, {}));
  EXPECT_EQ(after({minor}, {}, {}, {x4, y4}, {y4, x4}),
            shown({{"y", 2, 2}}, {}));
  // One axis in place of two.
  EXPECT_EQ(after({{"x", 1, 4}}, {y2}, {}, {{"x", 1, 4}, minor4},
                  {minor4, {"x", 1, 4}}),
            shown({minor4, {"x", 1, 2}}, {y2}));
  // 2 x 3 becomes 3 x 2.
  EXPECT_EQ(
      after({{"x", 1, 2}}, {{"x", 2, 3}}, {}, {x6}, {{"x", 3, 2}, {"x", 1, 3}}),
      shown({{"x", 3, 2}}, {{"x", 1, 3}}));
}

// How a list is written does not matter.
TEST(ReshardPermutedTest, JoinedLists) {
  Axis two{"x", 1, 2}, three{"x", 1, 3}, ofThree{"x", 3, 2};
  EXPECT_EQ(after({ofThree}, {}, {}, {ofThree, three}, {x6}), shown({two}, {}));
  EXPECT_EQ(after({ofThree}, {}, {}, {ofThree, three}, {three, ofThree}),
            shown({two}, {}));
  EXPECT_EQ(after({two}, {}, {}, {three, ofThree}, {ofThree, three}),
            shown({ofThree}, {}));
}

TEST(ReshardPermutedTest, Partial) {
  EXPECT_EQ(after({x2}, {}, {y2}, {x2, y2}, {y2, x2}), shown({y2}, {}, {x2}));
  // Partial axes have no order.
  EXPECT_EQ(after({}, {}, {x2, y2}, {x2, y2}, {y2, x2}),
            shown({}, {}, {x2, y2}));
  EXPECT_EQ(after({}, {}, {x3, y2}, {x3, y2}, {y2, x3}),
            shown({}, {}, {x3, y2}));
}

TEST(ReshardPermutedTest, OthersStay) {
  Axis z{"z", 1, 4};
  EXPECT_EQ(after({z}, {x2, z}, {}, {x2, y2}, {y2, x2}), shown({z}, {y2, z}));
  EXPECT_EQ(after({}, {z}, {}, {x2, y2}, {y2, x2}), shown({}, {z}));
  EXPECT_EQ(after({x2}, {y2}, {}, {}, {}), shown({x2}, {y2}));
}

TEST(ReshardPermutedTest, Refusals) {
  // The first of 3 of what is numbered 2 x 3.
  EXPECT_EQ(after({x3}, {}, {}, {x3, y2}, {y2, x3}), "none");
  EXPECT_EQ(after({}, {}, {x3}, {x3, y2}, {y2, x3}), "none");
  // 3 x 2 in the lists, 2 x 3 in the placement.
  List lists{{"x", 1, 3}, {"x", 3, 2}}, turned{{"x", 3, 2}, {"x", 1, 3}};
  EXPECT_EQ(after({{"x", 1, 2}}, {}, {}, turned, lists), "none");
  // The same where the parts have no device coordinate in common: of 6 devices,
  // the even ones, and the first 3.
  EXPECT_EQ(
      after({{"x", 3, 2}, y2}, {}, {}, {y2, {"x", 1, 2}}, {{"x", 1, 2}, y2}),
      "none");
}

//===----------------------------------------------------------------------===//
// Against data
//===----------------------------------------------------------------------===//

/// Draws lists of axes.
class Lists {
public:
  explicit Lists(const Mesh &mesh) : mesh(mesh) {}

  size_t below(size_t n) { return generator() % n; }

  /// Some axes, and the same again in another order and cut in another way.
  std::pair<Axes, Axes> draw() {
    Axes from = cut(mesh.wholeAxes());
    llvm::erase_if(from, [&](const Axis &) { return below(4) == 0; });
    Axes parts = from;
    llvm::sort(parts);
    Axes to = cut(normalised(parts));
    std::shuffle(from.begin(), from.end(), generator);
    std::shuffle(to.begin(), to.end(), generator);
    return {from, to};
  }

private:
  /// Cuts axes here and there.
  Axes cut(ArrayRef<Axis> axes) {
    Axes parts;
    for (Axis rest : axes) {
      while (rest.size > 1) {
        int64_t size = 2 + int64_t(below(rest.size - 1));
        if (rest.size % size)
          continue;
        parts.push_back({rest.name, rest.pre, size});
        rest.pre *= size;
        rest.size /= size;
      }
    }
    return parts;
  }

  const Mesh &mesh;
  std::mt19937_64 generator{1};
};

/// Whether the axes of the placement and of a list are cut in ways that nest:
/// not as 2 x 3 here and as 3 x 2 there.
bool nest(const Placement &placement, ArrayRef<Axis> list) {
  for (const Axis &a : placement.usedAxes())
    for (const Axis &b : list)
      for (int64_t x : {a.pre, a.pre * a.size})
        for (int64_t y : {b.pre, b.pre * b.size})
          if (a.name == b.name && x % y && y % x)
            return false;
  return true;
}

/// What a permutation makes of a placement, by trying everything on data. What
/// is partial has no order, but as the blocks of one more dim it has: if it
/// becomes the axes of that dim in one order, it is partial over these.
class Tried {
public:
  explicit Tried(const Mesh &mesh)
      : mesh(mesh), pads(3, mesh.numDevices()),
        reference(mesh, pads, everyCutting(mesh)) {}

  /// The first result that is found, or none.
  std::optional<Placement> permuted(const Placement &before,
                                    const std::pair<Axes, Axes> &lists) const {
    for (size_t state = 0; state < reference.size(); ++state) {
      const Placement &ordered = reference.placement(state);
      Axes partial = ordered.dims[2];
      llvm::sort(partial);
      if (!ordered.partial.empty() || ordered.dims[0] != before.dims[0] ||
          ordered.dims[1] != before.dims[1] ||
          normalised(partial) != before.partial)
        continue;
      Simulator simulator(mesh, pads);
      simulator.place(ordered);
      simulator.permute(lists.first, lists.second);
      for (size_t other = 0; other < reference.size(); ++other)
        if (reference.placement(other).partial.empty() &&
            simulator.check(reference.placement(other)).empty())
          return reference.placement(other);
    }
    return std::nullopt;
  }

private:
  const Mesh &mesh;
  std::vector<int64_t> pads;
  Reference reference;
};

/// Whether `placement` is what the devices hold after a permutation.
bool isRight(const Mesh &mesh, const Placement &before,
             const std::pair<Axes, Axes> &lists, const Placement &placement) {
  Simulator simulator(mesh, before.pads);
  simulator.place(before);
  simulator.permute(lists.first, lists.second);
  return simulator.check(placement).empty();
}

/// Where a permutation has a result, it is right on data; where it has none,
/// nothing is, or the cuts do not nest.
void checkDrawn(const Mesh &mesh, int count) {
  std::vector<int64_t> pads(2, mesh.numDevices());
  Reference reference(mesh, pads, everyCutting(mesh));
  Tried tried(mesh);
  Lists lists(mesh);
  int refused = 0;
  for (int i = 0; i < count; ++i) {
    const Placement &before =
        reference.placement(lists.below(reference.size()));
    std::pair<Axes, Axes> pair = lists.draw();
    FailureOr<Placement> result = permuted(before, pair.first, pair.second);
    std::string what = show(before) + " permuted from " + show(pair.first) +
                       " to " + show(pair.second);
    if (succeeded(result)) {
      EXPECT_EQ(illegal(mesh, *result), "") << what;
      EXPECT_TRUE(isRight(mesh, before, pair, *result))
          << what << " is not " << show(*result);
      continue;
    }
    ++refused;
    if (!nest(before, normalised(pair.first)))
      continue;
    std::optional<Placement> other = tried.permuted(before, pair);
    EXPECT_FALSE(other) << what << " is " << show(*other)
                        << ", the last dim being what is partial";
  }
  EXPECT_LT(refused, count);
}

TEST(ReshardPermutedTest, Four) { checkDrawn({{{"a", 4}}}, 500); }
TEST(ReshardPermutedTest, Six) { checkDrawn({{{"a", 6}}}, 500); }
TEST(ReshardPermutedTest, Twelve) { checkDrawn({{{"a", 12}}}, 200); }
TEST(ReshardPermutedTest, TwoByThree) {
  checkDrawn({{{"a", 2}, {"b", 3}}}, 500);
}
TEST(ReshardPermutedTest, TwoByFour) {
  checkDrawn({{{"a", 2}, {"b", 4}}}, 500);
}
TEST(ReshardPermutedTest, TwoBySix) { checkDrawn({{{"a", 2}, {"b", 6}}}, 200); }

} // namespace
