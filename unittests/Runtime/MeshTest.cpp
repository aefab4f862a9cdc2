//===- MeshTest.cpp - ranks, groups and blocks ---------------------------===//
//
// Part of tp-mlir, under the Apache License v2.0.
//
//===----------------------------------------------------------------------===//

#include "Support.h"

#include "host/Mesh.h"
#include "host/Transfer.h"

#include <numeric>

using namespace tprt;
using namespace tprt::test;

static Mesh mesh() { return Mesh({{"dp", 2}, {"tp", 12}}); }

TEST(Mesh, ranksAreRowMajor) {
  EXPECT_EQ(mesh().numRanks(), 24);
  EXPECT_EQ(mesh().coordinate(17, AxisPart{0, 1, 2}), 1);
  EXPECT_EQ(mesh().coordinate(17, AxisPart{1, 1, 12}), 5);
}

TEST(Mesh, subAxes) {
  // tp = 12 as 2 * 3 * 2: coordinate 7 is (1, 0, 1).
  EXPECT_EQ(mesh().coordinate(7, AxisPart{1, 1, 2}), 1);
  EXPECT_EQ(mesh().coordinate(7, AxisPart{1, 2, 3}), 0);
  EXPECT_EQ(mesh().coordinate(7, AxisPart{1, 6, 2}), 1);
  EXPECT_EQ(mesh().members(7, {{1, 2, 3}}), (std::vector<int64_t>{7, 9, 11}));
  EXPECT_EQ(mesh().members(19, {{1, 1, 2}}), (std::vector<int64_t>{13, 19}));
}

TEST(Mesh, membersAreInTheGroupsOrder) {
  std::vector<AxisPart> parts = {{1, 6, 2}, {0, 1, 2}};
  EXPECT_EQ(mesh().members(14, parts), (std::vector<int64_t>{2, 14, 3, 15}));
  std::vector<int64_t> members = mesh().members(14, parts);
  for (size_t i = 0; i < members.size(); ++i)
    EXPECT_EQ(mesh().coordinate(members[i], parts), int64_t(i));
}

TEST(Mesh, withoutAxes) {
  EXPECT_EQ(Mesh(std::vector<Axis>()).numRanks(), 1);
  EXPECT_EQ(Mesh(std::vector<Axis>()).members(0, {}), std::vector<int64_t>{0});
}

/// Cutting a tensor into blocks and putting these together again is the
/// identity, whatever the padding.
TEST(Transfer, roundTrip) {
  ValueType type;
  type.dtype = TPRT_I32;
  type.dims = {{5, 6, {{0, 1, 2}}, 2}, {3, 3, {}, 1}, {7, 16, {{1, 3, 4}}, 4}};
  std::vector<int32_t> global(5 * 3 * 7), again(global.size(), -1);
  std::iota(global.begin(), global.end(), 1);
  std::vector<int64_t> owners = blockOwners(mesh(), type.dims);
  EXPECT_EQ(owners, (std::vector<int64_t>{0, 1, 2, 3, 12, 13, 14, 15}));
  for (int64_t rank : owners) {
    std::vector<int32_t> local(3 * 3 * 4, -1);
    Block block = mesh().block(rank, type.dims);
    cutBlock(type, block, global.data(), local.data());
    int64_t row = rank / 12 * 3, column = rank % 12 % 4 * 4;
    for (int64_t i = 0; i < 36; ++i) {
      int64_t r = row + i / 12, c = column + i % 4, m = i / 4 % 3;
      EXPECT_EQ(local[size_t(i)],
                r < 5 && c < 7 ? global[size_t((r * 3 + m) * 7 + c)] : 0);
    }
    putBlock(type, block, local.data(), again.data());
  }
  EXPECT_EQ(again, global);
}

/// Pieces follow one another, fit, and together are the block.
TEST(Block, pieces) {
  const Block block = {{5, 2, 4}, {70, 0, 70}, {3, 0, 3}};
  for (int64_t most : {1, 4, 11, 12, 100, 840, 1000, 3359, 3360, 5000}) {
    int64_t next = 0;
    forEachPiece(
        block, 4, most, [&](const Block &piece, int64_t before, int64_t bytes) {
          EXPECT_EQ(before, next);
          EXPECT_EQ(bytes, elementsOf(piece) * 4);
          EXPECT_TRUE(bytes <= std::max<int64_t>(most, 4));
          const int64_t offset =
              ((piece[0].start - 2) * 70 + piece[1].start) * 3 + piece[2].start;
          EXPECT_EQ(before, offset * 4);
          for (size_t d = 0; d < block.size(); ++d)
            EXPECT_EQ(piece[d].size, block[d].size);
          next += bytes;
        });
    EXPECT_EQ(next, elementsOf(block) * 4);
  }
  // Rows in blocks of 32 where there are as many.
  std::vector<int64_t> extents;
  forEachPiece({{70, 0, 70}, {3, 0, 3}}, 4, 600,
               [&](const Block &piece, int64_t, int64_t) {
                 extents.push_back(piece[0].extent);
               });
  EXPECT_EQ(extents, (std::vector<int64_t>{32, 32, 6}));
  int pieces = 0;
  forEachPiece({}, 8, 1, [&](const Block &, int64_t, int64_t bytes) {
    EXPECT_EQ(bytes, 8);
    ++pieces;
  });
  EXPECT_EQ(pieces, 1);
}
