//===- KernelTest.cpp - the small kernels --------------------------------===//
//
// Part of tp-mlir, under the Apache License v2.0.
//
//===----------------------------------------------------------------------===//

#include "Support.h"

#include <cmath>
#include <limits>
#include <numeric>

using namespace tprt;
using namespace tprt::test;

//===----------------------------------------------------------------------===//
// Rotary embedding
//===----------------------------------------------------------------------===//

static void checkRotary(tprt_rank *rank, const tprt_rotary_desc &desc,
                        bool inPlace) {
  std::mt19937 random(21);
  auto dtype = tprt_dtype(desc.dtype);
  const int64_t half = desc.rotary_dim / 2, width = desc.head_dim;
  const int64_t count = desc.batch * desc.sequence * desc.heads * width;
  Tensor x(dtype, count), cosine(dtype, desc.sequence * half),
      sine(dtype, desc.sequence * half), out(dtype, count);
  for (Tensor *tensor : {&x, &cosine, &sine})
    tensor->randomise(random);
  const Tensor before = x;
  Tensor &target = inPlace ? x : out;
  tprt_rotary(rank, &desc, x.data(), cosine.data(), sine.data(), target.data());
  for (int64_t i = 0; i < count; ++i) {
    const int64_t d = i % width, s = i / width / desc.heads % desc.sequence;
    if (d >= 2 * half) {
      ASSERT_EQ(target.get(i), before.get(i));
      continue;
    }
    int64_t pair = desc.interleaved ? d / 2 : d % half;
    bool second = desc.interleaved ? d % 2 : d >= half;
    int64_t first = i - d + (desc.interleaved ? 2 * pair : pair);
    double a = before.get(first),
           b = before.get(first + (desc.interleaved ? 1 : half));
    double c = cosine.get(s * half + pair), e = sine.get(s * half + pair);
    double expected = second ? b * c + a * e : a * c - b * e;
    ASSERT_NEAR(target.get(i), expected,
                tolerance(dtype) * (std::abs(expected) + 0.1));
  }
}

TEST(Rotary, allForms) {
  std::string error = runOnOne([](tprt_rank *rank) {
    for (tprt_dtype dtype : floatTypes)
      for (int64_t interleaved : {0, 1})
        for (bool inPlace : {false, true})
          for (auto [headDim, rotaryDim] :
               {std::pair<int64_t, int64_t>{64, 64}, {10, 4}, {6, 0}, {2, 2}})
            checkRotary(rank, {dtype, 2, 3, 5, headDim, rotaryDim, interleaved},
                        inPlace);
  });
  EXPECT_EQ(error, "");
}

TEST(Rotary, errors) {
  float x = 0;
  tprt_rotary_desc desc = {TPRT_F32, 1, 1, 1, 4, 6, 0};
  EXPECT_EQ(runOnOne([&](tprt_rank *rank) {
              tprt_rotary(rank, &desc, &x, &x, &x, &x);
            }),
            "entry 'entry0': rank 0: rotary: rotary_dim 6 must be even and at "
            "most head_dim, 4");
}

//===----------------------------------------------------------------------===//
// Embedding
//===----------------------------------------------------------------------===//

TEST(Embedding, looksUpItsShard) {
  std::string error = runOnOne([](tprt_rank *rank) {
    std::mt19937 random(22);
    for (tprt_dtype dtype : allTypes) {
      std::vector<int32_t> ids = {0, 5, 9, 4, 5, 3};
      Tensor table(dtype, 4 * 7), out(dtype, 6 * 7);
      table.randomise(random);
      out.randomise(random);
      tprt_embedding_desc desc = {dtype, 6, 4, 7, 10, 0};
      tprt_embedding(rank, &desc, ids.data(), table.data(), 3, out.data());
      for (int64_t i = 0; i < 6 * 7; ++i) {
        int64_t row = ids[size_t(i / 7)] - 3;
        bool held = row >= 0 && row < 4;
        ASSERT_EQ(out.get(i), held ? table.get(row * 7 + i % 7) : 0);
      }
    }
  });
  EXPECT_EQ(error, "");
}

TEST(Embedding, gradientIsTheTranspose) {
  std::string error = runOnOne([](tprt_rank *rank) {
    std::mt19937 random(23);
    for (tprt_dtype dtype : floatTypes) {
      const int64_t rows = 4, width = 5, count = 40, start = 2;
      std::vector<int32_t> ids(static_cast<size_t>(count));
      for (int32_t &id : ids)
        id = int32_t(random() % 8);
      Tensor gradient(dtype, count * width), out(dtype, rows * width);
      gradient.randomise(random);
      out.randomise(random);
      tprt_embedding_desc desc = {dtype, count, rows, width, 8, 0};
      tprt_embedding_gradient(rank, &desc, ids.data(), gradient.data(), start,
                              out.data());
      for (int64_t i = 0; i < rows * width; ++i) {
        double sum = 0;
        for (int64_t j = 0; j < count; ++j)
          if (ids[size_t(j)] == start + i / width)
            sum += gradient.get(j * width + i % width);
        ASSERT_NEAR(out.get(i), sum, tolerance(dtype) * (std::abs(sum) + 1));
      }
    }
  });
  EXPECT_EQ(error, "");
}

TEST(Embedding, idOutsideTheVocabulary) {
  std::vector<float> table(20), out(20);
  for (int32_t wrong : {10, -1}) {
    std::vector<int32_t> ids = {0, wrong};
    tprt_embedding_desc desc = {TPRT_F32, 2, 10, 2, 10, 0};
    std::string expected = "token id " + std::to_string(wrong) +
                           " at position 1 is outside the vocabulary of 10: "
                           "ids are 0 to 9";
    EXPECT_EQ(runOnOne([&](tprt_rank *rank) {
                tprt_embedding(rank, &desc, ids.data(), table.data(), 0,
                               out.data());
              }),
              "entry 'entry0': rank 0: embedding: " + expected);
    EXPECT_EQ(runOnOne([&](tprt_rank *rank) {
                tprt_embedding_gradient(rank, &desc, ids.data(), table.data(),
                                        0, out.data());
              }),
              "entry 'entry0': rank 0: embedding_gradient: " + expected);
  }
}

//===----------------------------------------------------------------------===//
// Cache update and take
//===----------------------------------------------------------------------===//

TEST(CacheUpdate, writesItsRowsOnly) {
  std::string error = runOnOne([](tprt_rank *rank) {
    for (tprt_dtype dtype : allTypes) {
      std::mt19937 random(24);
      Tensor cache(dtype, 2 * 9 * 3), update(dtype, 2 * 4 * 3);
      cache.randomise(random);
      update.randomise(random);
      const Tensor before = cache;
      int32_t position = 5, length = 3;
      tprt_cache_update_desc desc = {dtype, 2, 9, 4, 3, 9};
      tprt_cache_update(rank, &desc, cache.data(), update.data(), &position,
                        &length, 0);
      for (int64_t i = 0; i < cache.count; ++i) {
        int64_t outer = i / 27, row = i / 3 % 9 - 5;
        bool written = row >= 0 && row < 3;
        ASSERT_EQ(cache.get(i), written
                                    ? update.get((outer * 4 + row) * 3 + i % 3)
                                    : before.get(i));
      }
    }
  });
  EXPECT_EQ(error, "");
}

/// Shards of 3 rows of a cache of 11: the last one has none of those written.
TEST(CacheUpdate, writesItsShardOnly) {
  const std::vector<float> update{1, 2, 3, 4, 5, 6, 7};
  const std::vector<std::vector<float>> expected{
      {0, 0, 1}, {2, 3, 4}, {5, 6, 7}, {0, 0, 0}};
  for (int64_t shard = 0; shard < 4; ++shard) {
    std::vector<float> cache(3);
    EXPECT_EQ(runOnOne([&](tprt_rank *rank) {
                int32_t position = 2, length = 7;
                tprt_cache_update_desc desc = {TPRT_F32, 1, 3, 7, 1, 11};
                tprt_cache_update(rank, &desc, cache.data(), update.data(),
                                  &position, &length, shard * 3);
              }),
              "");
    EXPECT_EQ(cache, expected[size_t(shard)]);
  }
}

TEST(CacheUpdate, errors) {
  std::vector<float> cache(8), update(4);
  tprt_cache_update_desc desc = {TPRT_F32, 1, 8, 4, 1, 8};
  auto run = [&](int32_t position, int32_t length) {
    return runOnOne([&](tprt_rank *rank) {
      tprt_cache_update(rank, &desc, cache.data(), update.data(), &position,
                        &length, 0);
    });
  };
  const std::string prefix = "entry 'entry0': rank 0: cache_update: ";
  EXPECT_EQ(run(4, 4), "");
  EXPECT_EQ(run(8, 0), "");
  EXPECT_EQ(run(6, 3), prefix + "position 6 + length 3 exceeds the cache's "
                                "capacity of 8");
  EXPECT_EQ(run(-1, 1), prefix + "position -1 is negative");
  EXPECT_EQ(run(0, 5),
            prefix + "length 5 is outside [0, 4], the update's extent");
  EXPECT_EQ(run(std::numeric_limits<int32_t>::max(), 4),
            prefix + "position 2147483647 + length 4 exceeds the cache's "
                     "capacity of 8");
}

TEST(Take, oneIndex) {
  std::vector<int64_t> x(2 * 4 * 3), out(6);
  std::iota(x.begin(), x.end(), 0);
  tprt_take_desc desc = {TPRT_I64, 2, 4, 3};
  auto run = [&](int32_t index) {
    return runOnOne([&](tprt_rank *rank) {
      tprt_take(rank, &desc, x.data(), &index, out.data());
    });
  };
  EXPECT_EQ(run(2), "");
  EXPECT_EQ(out, (std::vector<int64_t>{6, 7, 8, 18, 19, 20}));
  EXPECT_EQ(run(4), "entry 'entry0': rank 0: take: index 4 is outside [0, 4)");
  EXPECT_EQ(run(-1),
            "entry 'entry0': rank 0: take: index -1 is outside [0, 4)");
}

//===----------------------------------------------------------------------===//
// Mask and make_partial
//===----------------------------------------------------------------------===//

TEST(Mask, fillsPadding) {
  std::string error = runOnOne([](tprt_rank *rank) {
    for (tprt_dtype dtype : allTypes)
      for (int64_t start : {0, 3, 6, 40}) {
        std::mt19937 random(25);
        Tensor x(dtype, 2 * 4 * 3);
        x.randomise(random);
        const Tensor before = x;
        tprt_mask_desc desc = {dtype, 2, 4, 3, 5, bitsOf(-7)};
        tprt_mask(rank, &desc, x.data(), start);
        for (int64_t i = 0; i < x.count; ++i)
          ASSERT_EQ(x.get(i), start + i / 3 % 4 >= 5 ? -7 : before.get(i));
      }
  });
  EXPECT_EQ(error, "");
}

TEST(Mask, infinityOfAnInteger) {
  std::vector<int32_t> x = {1, 2};
  tprt_mask_desc desc = {
      TPRT_I32, 1, 2, 1, 1, bitsOf(-std::numeric_limits<double>::infinity())};
  EXPECT_EQ(
      runOnOne([&](tprt_rank *rank) { tprt_mask(rank, &desc, x.data(), 0); }),
      "");
  EXPECT_EQ(x, (std::vector<int32_t>{1, std::numeric_limits<int32_t>::min()}));
}

TEST(MakePartial, oneRankKeepsTheValue) {
  for (auto [reduction, expected] :
       {std::pair(TPRT_SUM, 0), std::pair(TPRT_PRODUCT, 1),
        std::pair(TPRT_MAX, 3), std::pair(TPRT_MIN, 3), std::pair(TPRT_AND, 3),
        std::pair(TPRT_OR, 3)})
    for (tprt_dtype dtype : {TPRT_I64, TPRT_BF16}) {
      bool isBitwise = reduction == TPRT_AND || reduction == TPRT_OR;
      if (isBitwise && dtype != TPRT_I64)
        continue;
      std::vector<Tensor> x(4, Tensor(dtype, 5));
      for (Tensor &tensor : x)
        for (int64_t i = 0; i < 5; ++i)
          tensor.set(i, 3);
      tprt_make_partial_desc desc = {0, reduction, dtype, 5};
      EXPECT_EQ(runOnRanks(4,
                           [&](tprt_rank *rank, int64_t index) {
                             tprt_make_partial(rank, &desc,
                                               x[size_t(index)].data());
                           }),
                "");
      for (int64_t i = 0; i < 5; ++i)
        for (size_t rank = 0; rank < 4; ++rank)
          EXPECT_EQ(x[rank].get(i), rank ? expected : 3);
    }
}
