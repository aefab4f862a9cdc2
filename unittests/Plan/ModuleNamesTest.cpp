//===- ModuleNamesTest.cpp - which modules a plan's key names -------------===//
//
// Part of tp-mlir, under the Apache License v2.0.
//
//===----------------------------------------------------------------------===//

#include "tp/Plan/ModuleNames.h"
#include "gtest/gtest.h"

using namespace mlir;
using namespace mlir::tp;

namespace {

TEST(ModuleNames, Matches) {
  StringRef module = "model.layers.17.self_attn.q_proj";
  for (StringRef pattern :
       {"model.layers.17.self_attn.q_proj", "q_proj", "self_attn.q_proj",
        "layers.*.self_attn.q_proj", "layers.1?.self_attn.?_proj", "*.q_proj",
        "layers.[0-9]7.self_attn.[qkv]_proj", "layers.[!2]7.*.[!a-p]*",
        "*.*.*.*.*"})
    EXPECT_TRUE(matchesModule(pattern, module)) << pattern.str();
  for (StringRef pattern :
       {"", "proj", "layers.*.q_proj", "a.model.layers.17.self_attn.q_proj",
        "layers.1.self_attn.q_proj", "[kv]_proj", "[!q]_proj", "q_proj.",
        "layers.[2-9]7.self_attn.q_proj", "*.*.*.*.*.*", "[q_proj"})
    EXPECT_FALSE(matchesModule(pattern, module)) << pattern.str();
  EXPECT_TRUE(matchesModule("", ""));
  EXPECT_FALSE(matchesModule("*", ""));
  EXPECT_TRUE(matchesModule("[]", "[]"));
}

TEST(ModuleNames, Nearest) {
  StringRef modules[] = {"layers.0.feed_forward.w1", "layers.1.feed_forward.w1",
                         "output"};
  auto nearest = nearestModule("layers.*.feed_foward.w1", modules);
  ASSERT_TRUE(nearest.has_value());
  EXPECT_EQ(nearest->first, "layers.*.feed_forward.w1");
  EXPECT_EQ(nearest->second, 2u);
  EXPECT_EQ(nearestModule("ouput", modules)->first, "output");
  EXPECT_FALSE(nearestModule("embedding_of_all", modules).has_value());
}

} // namespace
