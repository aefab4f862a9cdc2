//===- DiffTest.cpp - what differs between two reports --------------------===//
//
// Part of tp-mlir, under the Apache License v2.0.
//
//===----------------------------------------------------------------------===//

#include "tp/Report/Diff.h"
#include "gtest/gtest.h"

using namespace mlir;
using namespace mlir::tp;
namespace json = llvm::json;

namespace {

json::Object collective(StringRef module, StringRef kind, int64_t count,
                        int64_t bytes) {
  return json::Object{{"phase", "forward"},
                      {"module", module},
                      {"kind", kind},
                      {"count", count},
                      {"bytes_sent", bytes}};
}

json::Object report(json::Array collectives, int64_t peak) {
  return json::Object{{"schema", 1},
                      {"collectives", std::move(collectives)},
                      {"memory", json::Object{{"peak", peak}}}};
}

TEST(Diff, Same) {
  json::Object one =
      report(json::Array{collective("layers.0.o", "all_reduce", 1, 8)}, 5);
  ReportDiff diff = diffReports(one, one);
  EXPECT_FALSE(diff.sendsMore);
  EXPECT_FALSE(diff.holdsMore);
  EXPECT_TRUE(diff.collectives.empty());
  EXPECT_TRUE(diff.placements.empty());
}

TEST(Diff, LayersAreOneRow) {
  // Where they stand does not matter, nor to which layer they belong.
  json::Object before =
      report(json::Array{collective("layers.0.o", "all_reduce", 1, 8),
                         collective("layers.1.o", "all_reduce", 1, 8)},
             5);
  json::Object after =
      report(json::Array{collective("layers.1.o", "all_reduce", 2, 9)}, 4);
  ReportDiff diff = diffReports(before, after);
  ASSERT_EQ(diff.collectives.size(), 1u);
  EXPECT_EQ(diff.collectives[0].module, "layers.*.o");
  EXPECT_EQ(diff.collectives[0].countBefore, 2);
  EXPECT_EQ(diff.collectives[0].bytesBefore, 16);
  EXPECT_EQ(diff.collectives[0].bytesAfter, 18);
  EXPECT_TRUE(diff.sendsMore);
  EXPECT_FALSE(diff.holdsMore);
}

TEST(Diff, AppearsAndVanishes) {
  json::Object before =
      report(json::Array{collective("a", "all_reduce", 1, 8)}, 5);
  json::Object after =
      report(json::Array{collective("a", "reduce_scatter", 1, 4)}, 6);
  ReportDiff diff = diffReports(before, after);
  ASSERT_EQ(diff.collectives.size(), 2u);
  EXPECT_EQ(diff.collectives[0].countAfter, 0);
  EXPECT_EQ(diff.collectives[1].countBefore, 0);
  EXPECT_FALSE(diff.sendsMore);
  EXPECT_TRUE(diff.holdsMore);
}

TEST(Diff, OldAndBrokenReports) {
  // What an older report does not have is not compared; nor does it matter if
  // something is of another type than it should be.
  json::Object old = report(json::Array(), 5);
  json::Object odd{{"schema", 1},
                   {"collectives", json::Array{1, "x", nullptr}},
                   {"memory", json::Array{}},
                   {"tensors", "none"},
                   {"mesh", 4},
                   {"time", json::Array{json::Object{{"phase", 3}}}}};
  ReportDiff diff = diffReports(old, odd);
  EXPECT_FALSE(diff.sendsMore);
  EXPECT_FALSE(diff.holdsMore);
  EXPECT_TRUE(diff.collectives.empty());
}

} // namespace
