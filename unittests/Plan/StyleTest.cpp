//===- StyleTest.cpp - what a plan may ask of a module --------------------===//
//
// Part of tp-mlir, under the Apache License v2.0.
//
//===----------------------------------------------------------------------===//

#include "Support.h"
#include "gtest/gtest.h"

using namespace mlir;
using namespace mlir::tp;
using namespace mlir::tp::test;

namespace {

std::string describe(StringRef text) {
  Reader reader;
  FailureOr<Style> style = reader.style(text);
  return succeeded(style) ? style->describe() : "error: " + reader.message;
}

TEST(Style, OlderAndNewerNames) {
  EXPECT_EQ(describe("colwise_rep"), describe("colwise_gather_output"));
  EXPECT_EQ(describe("rowwise_rep"), describe("rowwise_split_input"));
  EXPECT_EQ(describe("colwise"), describe("ColwiseParallel()"));
  EXPECT_EQ(describe("rowwise"), describe("RowwiseParallel"));
  EXPECT_EQ(describe("\"sequence_parallel\""), describe("SequenceParallel()"));
  EXPECT_EQ(describe("None"), "nothing");
}

TEST(Style, Defaults) {
  // None is the default; an only layout need not be in a tuple.
  EXPECT_EQ(describe("ColwiseParallel(input_layouts=None)"),
            describe("ColwiseParallel()"));
  EXPECT_EQ(describe("ColwiseParallel(Shard(1), Replicate())"),
            describe("ColwiseParallel(output_layouts=(Replicate(),), "
                     "input_layouts=[Shard(dim=1)])"));
  EXPECT_EQ(describe("SequenceParallel(sequence_dim=0)"),
            "weight Replicate(), bias Replicate(), embedding Replicate(), "
            "input Shard(0), output Shard(0)");
  EXPECT_EQ(describe("PrepareModuleOutput(output_layouts=Partial(), "
                     "desired_output_layouts=Shard(1))"),
            "output Partial() to Shard(1)");
}

TEST(Style, Plugins) {
  Style style;
  style.name = "test_style_of_a_plugin";
  style.summary = "a plugin's";
  style.weight = Layout::shard(0);
  EXPECT_TRUE(registerStyle(style));
  EXPECT_EQ(describe("test_style_of_a_plugin"), "weight Shard(0)");
  EXPECT_EQ(StyleSet::registered().find(style.name)->origin, "a plugin");
  // A name that is taken must be taken over explicitly.
  style.weight = Layout::shard(1);
  EXPECT_FALSE(registerStyle(style));
  EXPECT_EQ(describe("test_style_of_a_plugin"), "weight Shard(0)");
  EXPECT_TRUE(registerStyle(style, /*override=*/true));
  EXPECT_EQ(describe("test_style_of_a_plugin"), "weight Shard(1)");
  style.name.clear();
  EXPECT_FALSE(registerStyle(style));
}

} // namespace
