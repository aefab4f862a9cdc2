//===- TopKTest.cpp - the largest values against a sort ------------------===//
//
// Part of tp-mlir, under the Apache License v2.0.
//
//===----------------------------------------------------------------------===//

#include "Support.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

using namespace tprt;
using namespace tprt::test;

namespace {

constexpr int32_t noId = std::numeric_limits<int32_t>::max();

struct Outcome {
  std::vector<double> values;
  std::vector<int32_t> ids;
};

Outcome naive(const tprt_top_k_desc &desc, const Tensor &values,
              const int32_t *ids, int64_t start) {
  Outcome outcome;
  auto above = [](double a, double b) {
    return std::isnan(a) ? !std::isnan(b) : a > b;
  };
  for (int64_t s = 0; s < desc.outer * desc.segments; ++s) {
    std::vector<std::pair<double, int32_t>> rows;
    for (int64_t j = s * desc.extent; j < (s + 1) * desc.extent; ++j) {
      int64_t id = ids ? ids[j] : start + j % (desc.segments * desc.extent);
      if (id >= 0 && id < desc.size)
        rows.push_back({values.get(j), int32_t(id)});
    }
    std::sort(rows.begin(), rows.end(), [&](auto &a, auto &b) {
      if (above(a.first, b.first) || above(b.first, a.first))
        return above(a.first, b.first);
      return a.second < b.second;
    });
    rows.resize(size_t(desc.k),
                {-std::numeric_limits<double>::infinity(), noId});
    for (auto &row : rows) {
      outcome.values.push_back(row.first);
      outcome.ids.push_back(row.second);
    }
  }
  return outcome;
}

void check(tprt_rank *rank, const tprt_top_k_desc &desc, const Tensor &values,
           const int32_t *ids, int64_t start) {
  const int64_t count = desc.outer * desc.segments * desc.k;
  Tensor outValues(tprt_dtype(desc.dtype), count);
  std::vector<int32_t> outIds(size_t(count), -7);
  tprt_top_k(rank, &desc, values.data(), ids, start, outValues.data(),
             outIds.data());
  Outcome expected = naive(desc, values, ids, start);
  ASSERT_EQ(outIds, expected.ids);
  for (int64_t i = 0; i < count; ++i) {
    double value = outValues.get(i), wanted = expected.values[size_t(i)];
    ASSERT_TRUE(value == wanted || (std::isnan(value) && std::isnan(wanted)))
        << value << " is not " << wanted;
  }
}

} // namespace

TEST(TopK, random) {
  std::string error = runOnOne([](tprt_rank *rank) {
    std::mt19937 random(11);
    auto pick = [&](int64_t low, int64_t high) {
      return std::uniform_int_distribution<int64_t>(low, high)(random);
    };
    for (int trial = 0; trial < 600; ++trial) {
      tprt_top_k_desc desc = {
          floatTypes[pick(0, 3)], pick(0, 3),  pick(1, 3),
          pick(0, 200),           pick(0, 40), pick(0, 300)};
      const int64_t count = desc.outer * desc.segments * desc.extent;
      Tensor values(tprt_dtype(desc.dtype), count);
      values.randomise(random);
      for (int64_t i = 0; i < count; ++i) // ties, zeros of both signs, NaN
        if (pick(0, 3) == 0)
          values.set(i, pick(0, 8) == 0   ? std::nan("")
                        : pick(0, 8) == 0 ? -0.0
                                          : double(pick(-1, 1)));
      std::vector<int32_t> ids(static_cast<size_t>(count));
      std::iota(ids.begin(), ids.end(), -5);
      std::shuffle(ids.begin(), ids.end(), random);
      check(rank, desc, values, pick(0, 1) ? ids.data() : nullptr,
            pick(-20, 20));
      if (testing::Test::HasFatalFailure())
        return;
    }
  });
  EXPECT_EQ(error, "");
}

TEST(TopK, largeVocabulary) {
  std::string error = runOnOne([](tprt_rank *rank) {
    std::mt19937 random(12);
    for (int64_t k : {1, 50, 4000}) {
      tprt_top_k_desc desc = {TPRT_F32, 1, 1, 50000, k, 49990};
      Tensor values(TPRT_F32, 50000);
      values.randomise(random);
      check(rank, desc, values, nullptr, 0);
      values.set(49980, std::nan("")); // late, after all that are usual
      values.set(49900, values.get(100));
      check(rank, desc, values, nullptr, 0);
      for (int64_t i = 0; i < values.count; ++i) // the worst order
        values.set(i, double(i / 3));
      check(rank, desc, values, nullptr, 0);
    }
  });
  EXPECT_EQ(error, "");
}

TEST(TopK, equalValuesGiveTheLowestId) {
  std::vector<float> values(100, 1.0f), outValues(3);
  std::vector<int32_t> ids(3);
  tprt_top_k_desc desc = {TPRT_F32, 1, 1, 100, 3, 1000};
  EXPECT_EQ(runOnOne([&](tprt_rank *rank) {
              tprt_top_k(rank, &desc, values.data(), nullptr, 300,
                         outValues.data(), ids.data());
            }),
            "");
  EXPECT_EQ(ids, (std::vector<int32_t>{300, 301, 302}));
}

TEST(TopK, errors) {
  float x = 0;
  int32_t id = 0;
  tprt_top_k_desc desc = {TPRT_F32, 1, 1, -1, 1, 1};
  EXPECT_EQ(runOnOne([&](tprt_rank *rank) {
              tprt_top_k(rank, &desc, &x, nullptr, 0, &x, &id);
            }),
            "entry 'entry0': rank 0: top_k: a negative size, -1");
}
