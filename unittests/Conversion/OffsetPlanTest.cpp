//===- OffsetPlanTest.cpp - the arena's planner ---------------------------===//
//
// Part of tp-mlir, under the Apache License v2.0.
//
//===----------------------------------------------------------------------===//

#include "tp/Conversion/MemoryPlan.h"
#include "gtest/gtest.h"
#include <random>

using namespace mlir;
using namespace mlir::tp;

namespace {

/// Aligned, within the arena, and apart from every buffer that is live with it.
void expectValid(ArrayRef<LiveBuffer> buffers, const OffsetPlan &plan) {
  ASSERT_EQ(plan.offsets.size(), buffers.size());
  for (size_t i = 0; i < buffers.size(); ++i) {
    EXPECT_EQ(plan.offsets[i] % kBufferAlignment, 0);
    EXPECT_LE(plan.offsets[i] + buffers[i].bytes, plan.bytes);
    for (size_t j = 0; j < i; ++j) {
      bool together = buffers[i].first <= buffers[j].last &&
                      buffers[j].first <= buffers[i].last;
      bool apart = plan.offsets[i] + buffers[i].bytes <= plan.offsets[j] ||
                   plan.offsets[j] + buffers[j].bytes <= plan.offsets[i];
      EXPECT_TRUE(!together || apart || !buffers[i].bytes || !buffers[j].bytes);
    }
  }
}

TEST(OffsetPlan, EmptyTakesNothing) {
  EXPECT_EQ(planOffsets({}).bytes, 0);
  EXPECT_EQ(planOffsets({{0, 1, 2}, {0, 1, 5}}).bytes, 0);
}

TEST(OffsetPlan, ChainNeedsTwoBuffers) {
  SmallVector<LiveBuffer> chain;
  for (int64_t i = 0; i < 100; ++i)
    chain.push_back({1000, i, i + 1});
  OffsetPlan plan = planOffsets(chain);
  expectValid(chain, plan);
  EXPECT_EQ(plan.bytes, 2 * 1024);
}

TEST(OffsetPlan, BuffersThatMeetDoNotShare) {
  SmallVector<LiveBuffer> buffers{{64, 0, 3}, {64, 3, 5}, {64, 4, 6}};
  OffsetPlan plan = planOffsets(buffers);
  expectValid(buffers, plan);
  EXPECT_EQ(plan.bytes, 128);
}

TEST(OffsetPlan, RandomPlansAreValidAndTight) {
  std::mt19937 generator(7);
  double used = 0, bound = 0;
  for (int round = 0; round < 300; ++round) {
    SmallVector<LiveBuffer> buffers;
    int64_t count = generator() % 60, time = 1 + generator() % 50;
    for (int64_t i = 0; i < count; ++i) {
      int64_t first = generator() % time;
      int64_t length = generator() % 4 ? generator() % 4 : generator() % time;
      buffers.push_back({int64_t(generator() % 5000), first, first + length});
    }
    OffsetPlan plan = planOffsets(buffers);
    expectValid(buffers, plan);
    EXPECT_GE(plan.bytes, getLiveBytes(buffers));
    used += double(plan.bytes);
    bound += double(getLiveBytes(buffers));
  }
  EXPECT_LE(used, 1.001 * bound);
}

/// The activations of a small Llama block: neither the largest first nor the
/// earliest first reaches the bound.
TEST(OffsetPlan, OtherOrdersAreTried) {
  SmallVector<LiveBuffer> buffers{{1536, 2, 8},   {1536, 4, 14}, {512, 6, 16},
                                  {512, 8, 18},   {128, 10, 16}, {128, 12, 16},
                                  {1536, 14, 18}, {512, 16, 18}, {1536, 18, 20},
                                  {1536, 22, 26}, {640, 24, 30}, {640, 26, 28},
                                  {1536, 30, 32}};
  OffsetPlan plan = planOffsets(buffers);
  expectValid(buffers, plan);
  EXPECT_EQ(plan.bytes, getLiveBytes(buffers));
  EXPECT_EQ(plan.offsets, planOffsets(buffers).offsets);
}

/// A long program with many long-lived buffers, as training has them.
TEST(OffsetPlan, ManyBuffersTakeLittleTime) {
  SmallVector<LiveBuffer> buffers;
  constexpr int64_t kCount = 50000;
  for (int64_t i = 0; i < kCount; ++i)
    buffers.push_back({64 * (1 + i % 7), i, i % 2 ? 2 * kCount - i : i + 3});
  OffsetPlan plan = planOffsets(buffers);
  EXPECT_LE(plan.bytes, getLiveBytes(buffers) * 11 / 10);
}

} // namespace
