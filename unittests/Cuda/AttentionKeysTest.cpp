//===- AttentionKeysTest.cpp - attention on a GPU: who sees which keys ----===//
//
// Part of tp-mlir, under the Apache License v2.0.
//
//===----------------------------------------------------------------------===//

#include "AttentionSupport.h"

using namespace tprt_cuda;
using namespace tprt_cuda::test;

namespace {

// Queries, keys, heads of keys, groups, elements of a head; whether causal,
// sequences, rows that do not count, window, scale, soft cap.

/// Keys that many blocks share, down to one block that has them all because
/// they are few or because there are many queries.
constexpr AttentionCase kParts[] = {
    {1, 3000, 1, 1, 8},  {1, 300, 1, 11, 16, true, 1, 72},
    {1, 700, 1, 4, 64},  {3, 70, 1, 9, 24, true, 2},
    {1, 1, 1, 3, 8},     {1, 32, 1, 1, 8},
    {1, 65, 2, 1, 4},    {1, 33, 1, 1, 8, true, 1, 31},
    {18, 300, 1, 1, 40}, {18, 34, 3, 1, 8, true, 4, 1}};
constexpr AttentionCase kNarrowParts[] = {{1, 3000, 1, 1, 8},
                                          {1, 300, 1, 4, 64}};
constexpr AttentionCase kMostParts[] = {{1, 3000, 1, 11, 16, true, 1, 72}};

constexpr AttentionCase kMasks[] = {{3, 70, 1, 2, 8, true, 1, 0, 16},
                                    {18, 100, 1, 1, 8, true, 1, 0, 1},
                                    {3, 70, 1, 1, 4, true, 1, 0, 1000},
                                    {1, 300, 1, 3, 16, true, 1, 4, 100},
                                    {3, 70, 2, 3, 12, false},
                                    {5, 33, 1, 9, 8, false, 1, 2},
                                    {3, 70, 1, 1, 8, false, 2, 4, 20},
                                    {1, 300, 1, 2, 16, false, 1, 0, 150},
                                    {3, 70, 1, 2, 8, true, 1, 0, 0, 4, 3},
                                    {3, 70, 1, 2, 8, false, 1, 0, 30, -2, 30}};
constexpr AttentionCase kWindows[] = {{1, 700, 1, 2, 16, true, 1, 4, 100},
                                      {3, 40, 1, 1, 8, false, 2, 4, 20},
                                      {3, 40, 1, 1, 8, true, 2}};

constexpr AttentionCase kNoKeys[] = {{1, 0, 1, 1, 8, true, 1, 4},
                                     {3, 0, 2, 9, 8, false, 2, 4}};

/// A few that are alike in nothing.
constexpr AttentionCase kFew[] = {{1, 100, 2, 4, 64, true, 1, 20},
                                  {3, 70, 1, 9, 12, true, 1, 0, 30},
                                  {5, 40, 2, 1, 8, false, 2}};

} // namespace

TEST(CudaAttentionKeys, parts) {
  forEachCall<float, kParts>(
      [](auto call) { AttentionRun(call).checkPositions(); });
}

TEST(CudaAttentionKeys, partsOfNarrowTypes) {
  forEachCall<__nv_bfloat16, kNarrowParts>(
      [](auto call) { AttentionRun(call).checkPositions(); });
}

TEST(CudaAttentionKeys, mostParts) {
  forEachCall<double, kMostParts>(
      [](auto call) { AttentionRun(call).check(2990); });
}

/// Also with queries that see no key: before the first one, or with a window
/// that ends before them.
TEST(CudaAttentionKeys, masks) {
  forEachCall<float, kMasks>([](auto call) {
    AttentionRun run(call);
    const tprt_attention_desc &desc = run.desc;
    for (int64_t first :
         {desc.keys - desc.queries, desc.keys / 2, desc.keys + 2,
          desc.keys + desc.window - 2, desc.keys + desc.window + 5, int64_t(-2),
          int64_t(-100)})
      run.check(first);
  });
}

/// Positions are of 64 bits.
TEST(CudaAttentionKeys, farAway) {
  forEachCall<double, kWindows>([](auto call) {
    const AttentionRun run(call);
    run.check((int64_t(1) << 40) + 3);
    run.check(-(int64_t(1) << 40) + 3);
  });
}

TEST(CudaAttentionKeys, none) {
  forEachCall<float, kNoKeys>([](auto call) {
    const AttentionRun run(call);
    run.check(0);
    run.check(7);
  });
}

/// Whatever was in the workspace and in the result, and whoever says where the
/// queries stand.
TEST(CudaAttentionKeys, sameBits) {
  const auto check = [](auto call) {
    AttentionRun run(call);
    const tprt_attention_desc &desc = run.desc;
    const int64_t first = desc.keys - 5;
    const std::vector<unsigned char> bits = run.run(first, first);
    run.checkBits(first, bits);
    EXPECT_EQ(run.run(first, first, 0x3c), bits);
    for (int64_t start : {int64_t(0), int64_t(3), first + 4})
      EXPECT_EQ(run.run(first, start, 0), bits);
  };
  forEachCall<float, kFew>(check);
  forEachCall<__half, kFew>(check);
}

/// One value alone is not zero, and all keys weigh the same: no key is left
/// out, comes twice or goes to another head.
TEST(CudaAttentionKeys, oneAtATime) {
  forEachCall<double, kFew>([](auto call) {
    AttentionRun run(call);
    const tprt_attention_desc &desc = run.desc;
    for (auto *buffer : {&run.q, &run.v})
      for (int64_t i = 0; i < buffer->count; ++i)
        buffer->set(i, 0);
    for (int64_t key : {int64_t(0), desc.keys / 2, desc.keys - 1}) {
      const int64_t at = run.indexOf(desc.batch - 1, key, desc.kv_heads - 1,
                                     desc.head_dim - 1);
      run.v.set(at, 1);
      run.check(desc.keys - 2);
      run.v.set(at, 0);
    }
  });
}
