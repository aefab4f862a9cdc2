//===- AttentionTest.cpp - attention on a GPU, over types and widths ------===//
//
// Part of tp-mlir, under the Apache License v2.0.
//
//===----------------------------------------------------------------------===//

#include "AttentionSupport.h"

using namespace tprt_cuda;
using namespace tprt_cuda::test;

namespace {

// Queries, keys, heads of keys, groups, elements of a head; whether causal,
// sequences, rows that do not count.

/// Heads of any number of elements, with groups that a block has at once and
/// those (over 8) that are divided.
constexpr AttentionCase kWidths[] = {{3, 70, 2, 3, 1, true, 2, 5},
                                     {1, 130, 1, 9, 7},
                                     {3, 45, 1, 8, 8, true, 1, 3},
                                     {1, 97, 3, 4, 12, true, 2},
                                     {18, 40, 1, 3, 40},
                                     {1, 150, 2, 8, 64},
                                     {3, 50, 1, 11, 80, true, 1, 9},
                                     {1, 64, 1, 4, 96, true, 2},
                                     {1, 300, 1, 4, 128},
                                     {3, 33, 1, 1, 256, true, 1, 7}};

/// Sizes of which full loads are a divisor, and others.
constexpr AttentionCase kMisaligned[] = {
    {1, 65, 1, 3, 7}, {3, 45, 1, 2, 8, true, 1, 3}, {1, 100, 2, 3, 64}};

template <typename T> class CudaAttentionOf : public testing::Test {};
using Types = testing::Types<float, double, __nv_bfloat16, __half>;
TYPED_TEST_SUITE(CudaAttentionOf, Types);

/// The last query sees all keys and no more.
template <typename Call> void checkLast(Call call) {
  const AttentionRun run(call);
  run.check(run.desc.keys - run.desc.queries);
}

} // namespace

TYPED_TEST(CudaAttentionOf, heads) {
  forEachCall<TypeParam, kWidths>([](auto call) { checkLast(call); });
}

/// Buffers that lie at multiples of less than a full load.
TEST(CudaAttention, misaligned) {
  const auto check = [](auto call) { checkLast(call); };
  forEachCall<float, kMisaligned, 4>(check);
  forEachCall<float, kMisaligned, 8>(check);
  forEachCall<double, kMisaligned, 8>(check);
  forEachCall<__nv_bfloat16, kMisaligned, 2>(check);
  forEachCall<__half, kMisaligned, 4>(check);
  forEachCall<__half, kMisaligned, 8>(check);
}
