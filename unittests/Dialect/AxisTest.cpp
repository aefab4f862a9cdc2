//===- AxisTest.cpp - the algebra of axes and placements ------------------===//
//
// Part of tp-mlir, under the Apache License v2.0.
//
//===----------------------------------------------------------------------===//

#include "Simulator.h"
#include "mlir/AsmParser/AsmParser.h"
#include "gtest/gtest.h"
#include <set>

using namespace mlir;
using namespace mlir::tp;
using namespace mlir::tp::test;

namespace {

using List = std::vector<Axis>;

/// All parts of one axis of size n: of at least 2 devices, as in IR, where only
/// a whole axis may be of 1.
List partsOf(StringRef name, int64_t n) {
  List parts;
  if (n == 1)
    parts.push_back({name, 1, 1});
  for (int64_t pre = 1; pre <= n; ++pre)
    for (int64_t size = 2; n % pre == 0 && size <= n / pre; ++size)
      if ((n / pre) % size == 0)
        parts.push_back({name, pre, size});
  return parts;
}

/// Whether two parts are digits of one numbering of the axis.
bool fit(const Axis &a, const Axis &b) {
  auto divides = [](int64_t x, int64_t y) { return x % y == 0 || y % x == 0; };
  return divides(a.pre, b.pre) && divides(a.pre * a.size, b.pre) &&
         divides(a.pre, b.pre * b.size) &&
         divides(a.pre * a.size, b.pre * b.size);
}

/// How many pairs of coordinates the devices of an axis have.
size_t countPairs(const Mesh &mesh, const Axis &a, const Axis &b) {
  std::set<std::pair<int64_t, int64_t>> pairs;
  for (int64_t device = 0; device < mesh.numDevices(); ++device)
    pairs.insert({mesh.part(device, a), mesh.part(device, b)});
  return pairs.size();
}

TEST(AxisTest, Size) {
  EXPECT_EQ(sizeOf({}), 1);
  EXPECT_EQ(sizeOf({{"a", 1, 2}, {"b", 4, 3}}), 6);
}

// Parts that do not overlap are independent coordinates, and of parts that fit
// one numbering, those that overlap are not.
TEST(AxisTest, Overlap) {
  for (int64_t n : {1, 2, 4, 6, 8, 12}) {
    Mesh mesh{{{"a", n}}};
    for (const Axis &a : partsOf("a", n))
      for (const Axis &b : partsOf("a", n)) {
        bool independent = countPairs(mesh, a, b) == size_t(a.size * b.size);
        EXPECT_EQ(a.overlaps(b), b.overlaps(a));
        if (!a.overlaps(b) && fit(a, b))
          EXPECT_TRUE(independent) << n << ": (" << a.pre << ")" << a.size
                                   << " (" << b.pre << ")" << b.size;
        if (a.overlaps(b) && fit(a, b))
          EXPECT_FALSE(independent) << n << ": (" << a.pre << ")" << a.size
                                    << " (" << b.pre << ")" << b.size;
      }
  }
  Axis a{"a", 1, 4}, b{"b", 1, 4};
  EXPECT_FALSE(a.overlaps(b)) << "other axes";
  EXPECT_TRUE(overlap(List{b, {"a", 2, 2}}, a));
  EXPECT_FALSE(overlap(List{b}, a));
  EXPECT_FALSE(overlap({}, a));
}

TEST(AxisTest, NormalisedJoinsNeighbours) {
  EXPECT_EQ(normalised(List{{"a", 1, 2}, {"a", 2, 4}}), Axes({{"a", 1, 8}}));
  EXPECT_EQ(normalised(List{{"a", 2, 2}, {"a", 4, 2}, {"b", 1, 2}}),
            Axes({{"a", 2, 4}, {"b", 1, 2}}));
  // The wrong way round, not consecutive, of other axes.
  List reversed{{"a", 2, 4}, {"a", 1, 2}}, gap{{"a", 1, 2}, {"a", 4, 2}},
      other{{"a", 1, 2}, {"b", 2, 2}};
  for (const List &list : {reversed, gap, other})
    EXPECT_EQ(normalised(list), Axes(list.begin(), list.end()));
  // Axes of size 1 are nothing, also between others.
  EXPECT_EQ(normalised(List{{"b", 1, 1}}), Axes());
  EXPECT_EQ(normalised(List{{"a", 1, 2}, {"b", 1, 1}, {"a", 2, 2}}),
            Axes({{"a", 1, 4}}));
}

// Whatever it joins, the devices' blocks stay where they are; once more changes
// nothing.
TEST(AxisTest, NormalisedKeepsBlocks) {
  Mesh mesh{{{"a", 12}, {"b", 2}}};
  List parts = partsOf("a", 12);
  parts.push_back({"b", 1, 2});
  for (const Axis &x : parts)
    for (const Axis &y : parts)
      for (const Axis &z : parts) {
        List list{x, y, z};
        if (x.overlaps(y) || x.overlaps(z) || y.overlaps(z))
          continue;
        Axes joined = normalised(list);
        EXPECT_EQ(normalised(joined), joined);
        EXPECT_EQ(sizeOf(joined), sizeOf(list));
        for (int64_t device = 0; device < mesh.numDevices(); ++device)
          ASSERT_EQ(mesh.index(device, list), mesh.index(device, joined));
      }
}

// A prefix shards into blocks that the whole list cuts further.
TEST(AxisTest, Prefix) {
  Mesh mesh{{{"a", 12}, {"b", 2}}};
  List parts = partsOf("a", 12);
  parts.push_back({"b", 1, 2});
  int64_t prefixes = 0;
  for (const Axis &p : parts)
    for (const Axis &x : parts)
      for (const Axis &y : parts) {
        if (x.overlaps(y) || !fit(x, y) || !fit(p, x) || !fit(p, y))
          continue;
        List prefix{p}, list{x, y};
        bool nested = sizeOf(list) % sizeOf(prefix) == 0;
        for (int64_t device = 0; nested && device < mesh.numDevices(); ++device)
          nested = mesh.index(device, list) / (sizeOf(list) / sizeOf(prefix)) ==
                   mesh.index(device, prefix);
        ASSERT_EQ(isPrefix(prefix, list), nested)
            << "(" << p.pre << ")" << p.size << " of (" << x.pre << ")"
            << x.size << " " << y.name.str() << "(" << y.pre << ")" << y.size;
        prefixes += nested;
      }
  EXPECT_GT(prefixes, 10);
  EXPECT_TRUE(isPrefix({}, {}));
  EXPECT_TRUE(isPrefix({}, List{{"a", 1, 2}}));
  EXPECT_FALSE(isPrefix(List{{"a", 1, 2}}, {}));
}

//===----------------------------------------------------------------------===//
// Placements and attributes
//===----------------------------------------------------------------------===//

class PlacementTest : public ::testing::Test {
protected:
  PlacementTest() {
    context.loadDialect<TPDialect>();
    mesh = cast<MeshAttr>(
        parseAttribute(R"(#tp.mesh<["dp"=2, "tp"=8]>)", &context));
    name = FlatSymbolRefAttr::get(&context, "mesh");
  }

  ShardingAttr parse(StringRef text) {
    return cast<ShardingAttr>(
        parseAttribute(("#tp.sharding<@mesh, " + text + ">").str(), &context));
  }

  MLIRContext context;
  MeshAttr mesh;
  FlatSymbolRefAttr name;
};

TEST_F(PlacementTest, RoundTrip) {
  for (StringRef text :
       {R"([{}, {}])", R"([{"dp", "tp"}, {}])", R"([{"tp":(2)4}, {"tp":(1)2}])",
        R"([{} pad 16, {"tp"} pad 24])", R"([{"dp"}, {}], partial = max{"tp"})",
        R"([{}, {}], partial = sum{"dp", "tp":(1)2})"}) {
    ShardingAttr sharding = parse(text);
    Placement placement = toPlacement(sharding, mesh, {16, 20});
    EXPECT_EQ(toSharding(placement, name, mesh, {16, 20}, &context),
              text == R"([{} pad 16, {"tp"} pad 24])"
                  ? parse(R"([{}, {"tp"} pad 24])")
                  : sharding)
        << text.str();
    EXPECT_EQ(toPlacement(toSharding(placement, name, mesh, {16, 20}, &context),
                          mesh, {16, 20}),
              placement)
        << text.str();
  }
}

TEST_F(PlacementTest, EveryAxisIsExplicit) {
  Placement placement =
      toPlacement(parse(R"([{"tp":(2)2, "dp"}, {}], partial = min{"tp":(4)2})"),
                  mesh, {16, 20});
  EXPECT_EQ(placement.dims[0], Axes({{"tp", 2, 2}, {"dp", 1, 2}}));
  EXPECT_EQ(placement.dims[1], Axes());
  EXPECT_EQ(placement.pads, (SmallVector<int64_t, 4>{16, 20}));
  EXPECT_EQ(placement.partialKind, ReduceKind::Min);
  EXPECT_EQ(placement.partial, Axes({{"tp", 4, 2}}));
  EXPECT_EQ(placement.usedAxes(),
            Axes({{"tp", 2, 2}, {"dp", 1, 2}, {"tp", 4, 2}}));
  EXPECT_EQ(placement.localShape(), (SmallVector<int64_t>{4, 20}));
  EXPECT_EQ(describe(placement, mesh),
            "[dp: Shard(0), tp:(2)2: Shard(0), tp:(4)2: Partial(min)]");
}

// Parts that make up an axis are printed as the axis.
TEST_F(PlacementTest, WholeAxes) {
  EXPECT_EQ(
      toSharding(toPlacement(parse(R"([{"tp":(1)2, "tp":(2)4}])"), mesh, {16}),
                 name, mesh, {16}, &context),
      parse(R"([{"tp"}])"));
}

TEST_F(PlacementTest, Replicated) {
  Placement placement = Placement::replicated({3, 0});
  EXPECT_EQ(placement,
            toPlacement(ShardingAttr::getReplicated(name, 2), mesh, {3, 0}));
  EXPECT_TRUE(ShardingAttr::getReplicated(name, 2).isReplicated());
  EXPECT_FALSE(parse(R"([{"dp"}])").isReplicated());
  EXPECT_FALSE(parse(R"([{}], partial = sum{"dp"})").isReplicated());
  EXPECT_EQ(describe(placement, mesh), "[dp: Replicate, tp: Replicate]");
}

TEST_F(PlacementTest, Equality) {
  Placement a = Placement::replicated({4}), b = a;
  b.partialKind = ReduceKind::Max;
  EXPECT_EQ(a, b) << "the kind of nothing";
  a.partial = b.partial = {{"dp", 1, 2}};
  EXPECT_NE(a, b);
  b = a;
  b.pads[0] = 8;
  EXPECT_NE(a, b);
}

TEST_F(PlacementTest, Mesh) {
  EXPECT_EQ(mesh.getAxisSize("tp"), 8);
  EXPECT_EQ(mesh.getAxisSize("pp"), 0);
  EXPECT_EQ(mesh.getNumDevices(), 16);
}

} // namespace
