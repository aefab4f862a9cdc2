//===- WordsTest.cpp - amounts with units, names with layers folded -------===//
//
// Part of tp-mlir, under the Apache License v2.0.
//
//===----------------------------------------------------------------------===//

#include "tp/Report/Report.h"
#include "gtest/gtest.h"

using namespace mlir;
using namespace mlir::tp;

namespace {

TEST(Words, Bytes) {
  EXPECT_EQ(formatBytes(0), "0 B");
  EXPECT_EQ(formatBytes(1023), "1023 B");
  EXPECT_EQ(formatBytes(1024), "1.0 KiB");
  EXPECT_EQ(formatBytes(102297), "99.9 KiB");
  EXPECT_EQ(formatBytes(102400), "100 KiB");
  // Not "1024 KiB".
  EXPECT_EQ(formatBytes(1048575), "1.0 MiB");
  EXPECT_EQ(formatBytes(INT64_MAX), "8192 PiB");
}

TEST(Words, Times) {
  EXPECT_EQ(formatTime(0), "0.0 us");
  EXPECT_EQ(formatTime(99.96), "100 us");
  EXPECT_EQ(formatTime(999.6), "1.0 ms");
  EXPECT_EQ(formatTime(99960), "100 ms");
  EXPECT_EQ(formatTime(999600), "1.00 s");
  EXPECT_EQ(formatTime(1e9), "1000 s");
}

TEST(Words, Counts) {
  EXPECT_EQ(formatCount(999), "999");
  EXPECT_EQ(formatCount(1000), "1.0k");
  EXPECT_EQ(formatCount(37'700'000), "37.7M");
}

TEST(Words, Layers) {
  EXPECT_EQ(foldLayers("model.layers.7.mlp"), "model.layers.*.mlp");
  EXPECT_EQ(foldLayers("h.0.experts.12"), "h.*.experts.*");
  EXPECT_EQ(foldLayers("layer7.mlp"), "layer7.mlp");
  EXPECT_EQ(foldLayers(""), "");
}

TEST(Words, Reasons) {
  ReportCollective collective;
  EXPECT_TRUE(collective.reasons().empty());
  collective.reason = "a; b; also: c; also: d";
  EXPECT_EQ(collective.reasons(), (std::vector<std::string>{"a; b", "c", "d"}));
}

} // namespace
