//===- AttentionTest.cpp - attention against a score matrix --------------===//
//
// Part of tp-mlir, under the Apache License v2.0.
//
//===----------------------------------------------------------------------===//

#include "Support.h"

#include <cmath>
#include <limits>

using namespace tprt;
using namespace tprt::test;

namespace {

struct Case {
  int64_t batch, queries, keys, kvHeads, groups, headDim;
  int32_t offset = 0;
  bool causal = true;
  int64_t window = 0;
  double softCap = 0;
  int64_t start = 0;  ///< of the queries
  int64_t unused = 0; ///< rows of keys and values after those that count
};

tprt_attention_desc describe(const Case &c, tprt_dtype dtype) {
  return {dtype,
          c.batch,
          c.queries,
          c.keys,
          c.keys + c.unused,
          c.kvHeads,
          c.groups,
          c.headDim,
          c.causal,
          c.window,
          bitsOf(1 / std::sqrt(double(c.headDim))),
          bitsOf(c.softCap)};
}

bool sees(const Case &c, int64_t query, int64_t key) {
  int64_t position = c.offset + c.start + query;
  return (!c.causal || key <= position) &&
         (c.window <= 0 || key > position - c.window);
}

/// One query of one head, in double precision.
std::vector<double> naiveRow(const Case &c, const Tensor &q, const Tensor &k,
                             const Tensor &v, int64_t b, int64_t i, int64_t h,
                             int64_t g) {
  const int64_t d = c.headDim;
  const int64_t atQuery =
      (((b * c.queries + i) * c.kvHeads + h) * c.groups + g) * d;
  std::vector<double> out(static_cast<size_t>(d)), weights;
  double sum = 0;
  for (int64_t j = 0; j < c.keys; ++j) {
    double score = 0;
    for (int64_t x = 0; x < d; ++x)
      score += q.get(atQuery + x) *
               k.get(((b * (c.keys + c.unused) + j) * c.kvHeads + h) * d + x);
    score /= std::sqrt(double(d));
    if (c.softCap > 0)
      score = c.softCap * std::tanh(score / c.softCap);
    double weight = sees(c, i, j) ? std::exp(score) : 0;
    sum += weight;
    for (int64_t x = 0; x < d; ++x)
      out[size_t(x)] +=
          weight *
          v.get(((b * (c.keys + c.unused) + j) * c.kvHeads + h) * d + x);
  }
  for (double &x : out)
    x = sum == 0 ? 0 : x / sum;
  return out;
}

void check(tprt_rank *rank, const Case &c, tprt_dtype dtype,
           double magnitude = 1) {
  std::mt19937 random(unsigned(c.keys * 31 + c.queries));
  const int64_t queryCount =
      c.batch * c.queries * c.kvHeads * c.groups * c.headDim;
  const int64_t keyCount =
      c.batch * (c.keys + c.unused) * c.kvHeads * c.headDim;
  Tensor q(dtype, queryCount), k(dtype, keyCount), v(dtype, keyCount),
      out(dtype, queryCount);
  for (Tensor *tensor : {&q, &k, &v})
    tensor->randomise(random);
  for (int64_t i = 0; i < q.count; ++i)
    q.set(i, q.get(i) * magnitude);
  tprt_attention_desc desc = describe(c, dtype);
  tprt_attention(rank, &desc, q.data(), k.data(), v.data(), &c.offset, c.start,
                 out.data());
  // Inputs are rounded before, so only arithmetic and the last rounding count.
  const double bound =
      tolerance(dtype) + (dtype == TPRT_F64 ? 1e-13 : 3e-6 * magnitude);
  int64_t at = 0;
  for (int64_t b = 0; b < c.batch; ++b)
    for (int64_t i = 0; i < c.queries; ++i)
      for (int64_t h = 0; h < c.kvHeads; ++h)
        for (int64_t g = 0; g < c.groups; ++g)
          for (double expected : naiveRow(c, q, k, v, b, i, h, g))
            ASSERT_NEAR(out.get(at++), expected, bound)
                << "batch " << b << " query " << i << " head " << h;
}

void checkAll(const std::vector<Case> &cases, double magnitude = 1) {
  std::string error = runOnOne([&](tprt_rank *rank) {
    for (size_t i = 0; i < cases.size(); ++i)
      for (tprt_dtype dtype : floatTypes) {
        SCOPED_TRACE(testing::Message()
                     << "case " << i << ", " << dtypeName(dtype));
        check(rank, cases[i], dtype, magnitude);
      }
  });
  EXPECT_EQ(error, "");
}

} // namespace

TEST(Attention, prefill) {
  checkAll({{2, 7, 7, 2, 3, 16},
            {1, 70, 70, 1, 1, 64},
            {1, 33, 200, 2, 2, 24, 167},
            {1, 5, 130, 1, 9, 80, 100},
            {1, 150, 600, 1, 3, 16, 420}});
}

TEST(Attention, decode) {
  checkAll({{2, 1, 300, 3, 1, 64, 299},
            {1, 1, 700, 1, 2, 16, 650},
            {1, 1, 257, 1, 4, 100, 140},
            {3, 1, 5, 2, 8, 3, 2},
            {1, 1, 1, 1, 1, 1, 0}});
}

/// Rows of a head in every number, up to where matrix products take over, over
/// heads side by side and widths with and without a rest.
TEST(Attention, fewRows) {
  std::vector<Case> cases;
  for (int64_t groups : {1, 2, 3, 4, 6, 16})
    for (int64_t queries : {1, 2, 5})
      for (int64_t kvHeads : {1, 3})
        cases.push_back({1, queries, 261, kvHeads, groups,
                         8 + 17 * kvHeads + queries, 256, true,
                         queries == 2 ? 7 : 0, 0, 0, 3});
  checkAll(cases);
}

TEST(Attention, notCausal) {
  checkAll({{1, 20, 150, 2, 1, 32, 0, false},
            {2, 3, 9, 1, 2, 5, 40, false},
            {1, 6, 300, 1, 1, 8, 280, false, 10},
            {1, 130, 520, 1, 2, 8, 0, false}});
}

TEST(Attention, window) {
  checkAll({{1, 40, 300, 1, 2, 16, 260, true, 17},
            {1, 1, 300, 2, 2, 16, 280, true, 150},
            {1, 150, 150, 1, 1, 8, 0, true, 1},
            {1, 300, 600, 1, 1, 8, 290, true, 280}});
}

/// A shard of the queries, and keys with padding after them.
TEST(Attention, shards) {
  checkAll({{2, 7, 20, 2, 3, 16, 3, true, 0, 0, 10},
            {1, 5, 130, 1, 1, 8, 0, true, 9, 0, 100, 7},
            {3, 1, 5, 2, 2, 3, 0, false, 0, 0, 0, 3}});
}

TEST(Attention, softCap) {
  checkAll({{1, 20, 60, 1, 2, 16, 40, true, 0, 3.0},
            {1, 1, 60, 1, 2, 16, 50, true, 0, 30.0}});
}

TEST(Attention, largeScores) {
  checkAll({{1, 9, 200, 1, 2, 32, 190},
            {1, 30, 140, 1, 1, 32, 110},
            {1, 20, 540, 1, 1, 32, 520}},
           60);
}

/// Before the first key, or with a window that ended before it.
TEST(Attention, queriesWithoutKeysGiveZeros) {
  checkAll({{1, 6, 4, 1, 1, 8, -3},
            {1, 3, 0, 1, 2, 4, 0},
            {1, 2, 10, 1, 1, 4, 30, true, 5},
            {1, 40, 130, 1, 1, 4, 120, true, 6}});
}

TEST(Attention, notANumberIsSeen) {
  std::vector<float> q(4, 1), k(12, 1), v(12, 1), out(4, 0);
  k[5] = std::nanf("");
  Case c{1, 1, 3, 1, 1, 4, 2};
  tprt_attention_desc desc = describe(c, TPRT_F32);
  EXPECT_EQ(runOnOne([&](tprt_rank *rank) {
              tprt_attention(rank, &desc, q.data(), k.data(), v.data(),
                             &c.offset, c.start, out.data());
            }),
            "");
  EXPECT_TRUE(std::isnan(out[0]));
}

/// A query depends on no value that it does not see, however many queries and
/// keys there are, and on each that it sees.
TEST(Attention, infinityStaysWhereItIsSeen) {
  constexpr int64_t count = 400, width = 4;
  for (int64_t window : {0, 5})
    for (int64_t queries : {int64_t(3), count}) {
      const int64_t before = count - queries, at = before + 1;
      std::vector<float> q(size_t(queries * width), 0), k(count * width, 1),
          v(count * width, 2), out(q.size(), 0);
      v[size_t(at * width)] = INFINITY;
      Case c{1, queries, count, 1, 1, width, int32_t(before), true, window};
      tprt_attention_desc desc = describe(c, TPRT_F32);
      EXPECT_EQ(runOnOne([&](tprt_rank *rank) {
                  tprt_attention(rank, &desc, q.data(), k.data(), v.data(),
                                 &c.offset, c.start, out.data());
                }),
                "");
      for (int64_t i = 0; i < queries; ++i) {
        const bool sees =
            before + i >= at && (!window || before + i < at + window);
        EXPECT_FLOAT_EQ(out[size_t(i * width)], sees ? INFINITY : 2.0f)
            << "query " << i << " of " << queries << ", window " << window;
        EXPECT_FLOAT_EQ(out[size_t(i * width + 1)], 2.0f);
      }
    }
}

/// What lies beyond the keys that any query sees is never touched.
TEST(Attention, ignoresTheRestOfTheCache) {
  std::vector<float> q(8, 1), k(512 * 4, 1), v(512 * 4, 2), out(8, 0);
  for (size_t i = 9 * 4; i < k.size(); ++i)
    k[i] = v[i] = std::nanf("");
  Case c{1, 2, 512, 1, 1, 4, 7};
  tprt_attention_desc desc = describe(c, TPRT_F32);
  EXPECT_EQ(runOnOne([&](tprt_rank *rank) {
              tprt_attention(rank, &desc, q.data(), k.data(), v.data(),
                             &c.offset, c.start, out.data());
            }),
            "");
  EXPECT_FLOAT_EQ(out[0], 2);
  EXPECT_FLOAT_EQ(out[7], 2);
}

TEST(Attention, errors) {
  float x = 0;
  Case c{1, -1, 1, 1, 1, 1};
  tprt_attention_desc desc = describe(c, TPRT_F32);
  auto run = [&] {
    return runOnOne([&](tprt_rank *rank) {
      tprt_attention(rank, &desc, &x, &x, &x, &c.offset, c.start, &x);
    });
  };
  EXPECT_EQ(run(), "entry 'entry0': rank 0: attention: a negative size, -1");
  desc.queries = 1;
  desc.keys = 2;
  EXPECT_EQ(run(), "entry 'entry0': rank 0: attention: 2 keys where there is "
                   "room for 1");
  desc.keys = 1;
  desc.dtype = TPRT_I64;
  EXPECT_EQ(run(), "entry 'entry0': rank 0: attention: attention on i64; it "
                   "takes f32, f64, bf16 and f16");
}
