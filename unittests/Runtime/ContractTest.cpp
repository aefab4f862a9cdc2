//===- ContractTest.cpp - contractions against a naive loop --------------===//
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

namespace {

/// A contraction with dense operands whose dims lie in memory in any order.
struct Problem {
  tprt_contract_desc desc = {};
  int64_t sizes[3] = {1, 1, 1};

  Problem(tprt_dtype dtype) { desc.dtype = dtype; }

  void add(int64_t kind, int64_t extent) {
    desc.dims[desc.num_dims++] = {kind, extent, 0, 0, 0};
  }

  static int64_t &stride(tprt_contract_dim &dim, int operand) {
    return operand == 0   ? dim.stride_a
           : operand == 1 ? dim.stride_b
                          : dim.stride_c;
  }

  /// Which operands a dim of that kind is in.
  static bool occurs(int64_t kind, int operand) {
    static const bool table[4][3] = {{true, true, true},
                                     {true, false, true},
                                     {false, true, true},
                                     {true, true, false}};
    return table[kind][operand];
  }

  /// Gives each operand strides for its dims in that order, the last one fast.
  void layOut(int operand, const std::vector<int64_t> &order, int64_t gap = 0) {
    int64_t next = 1;
    for (size_t i = order.size(); i-- > 0;) {
      tprt_contract_dim &dim = desc.dims[order[i]];
      if (!occurs(dim.kind, operand))
        continue;
      stride(dim, operand) = next;
      next *= dim.extent + gap;
    }
    sizes[operand] = std::max<int64_t>(next, 1);
  }
};

void naive(const Problem &problem, int64_t dim, int64_t a, int64_t b, int64_t c,
           const Tensor &left, const Tensor &right, std::vector<double> &sums,
           std::vector<double> &magnitudes) {
  if (dim == problem.desc.num_dims) {
    double product = left.get(a) * right.get(b);
    sums[size_t(c)] += product;
    magnitudes[size_t(c)] += std::abs(product);
    return;
  }
  const tprt_contract_dim &of = problem.desc.dims[dim];
  for (int64_t i = 0; i < of.extent; ++i)
    naive(problem, dim + 1, a + i * of.stride_a, b + i * of.stride_b,
          c + i * of.stride_c, left, right, sums, magnitudes);
}

void check(tprt_rank *rank, const Problem &problem, std::mt19937 &random) {
  auto dtype = tprt_dtype(problem.desc.dtype);
  Tensor a(dtype, problem.sizes[0]), b(dtype, problem.sizes[1]),
      c(dtype, problem.sizes[2]);
  a.randomise(random);
  b.randomise(random);
  for (int64_t i = 0; i < c.count; ++i) // what was there must not matter
    c.set(i, std::numeric_limits<double>::quiet_NaN());
  std::vector<double> sums(size_t(c.count)), magnitudes(size_t(c.count));
  naive(problem, 0, 0, 0, 0, a, b, sums, magnitudes);
  tprt_contract(rank, &problem.desc, a.data(), b.data(), c.data());
  std::vector<bool> written(size_t(c.count));
  std::function<void(int64_t, int64_t)> mark = [&](int64_t dim, int64_t at) {
    if (dim == problem.desc.num_dims) {
      written[size_t(at)] = true;
      return;
    }
    const tprt_contract_dim &of = problem.desc.dims[dim];
    if (of.kind == 3)
      return mark(dim + 1, at);
    for (int64_t i = 0; i < of.extent; ++i)
      mark(dim + 1, at + i * of.stride_c);
  };
  mark(0, 0);
  for (int64_t i = 0; i < c.count; ++i) {
    if (!written[size_t(i)]) {
      ASSERT_TRUE(std::isnan(c.get(i))) << "a gap was written";
      continue;
    }
    double bound = tolerance(dtype) * std::abs(sums[size_t(i)]) +
                   tolerance(dtype == TPRT_F64 ? TPRT_F64 : TPRT_F32) *
                       magnitudes[size_t(i)] +
                   (dtype == TPRT_F16 ? 1e-7 : 0);
    ASSERT_NEAR(c.get(i), sums[size_t(i)], bound) << "at " << i;
  }
}

/// Any number of dims of each kind in any order in each operand.
Problem randomProblem(std::mt19937 &random, bool large) {
  auto pick = [&](int64_t low, int64_t high) {
    return std::uniform_int_distribution<int64_t>(low, high)(random);
  };
  Problem problem(floatTypes[pick(0, 3)]);
  const int64_t numDims = pick(0, large ? 4 : 6);
  for (int64_t d = 0; d < numDims; ++d)
    problem.add(pick(0, 3), pick(1, 40) == 1 ? 0
                            : large          ? pick(1, 30)
                                             : pick(1, 5));
  std::vector<int64_t> order(static_cast<size_t>(numDims));
  std::iota(order.begin(), order.end(), 0);
  for (int operand = 0; operand < 3; ++operand) {
    if (pick(0, 2) > 0)
      std::shuffle(order.begin(), order.end(), random);
    problem.layOut(operand, order, pick(0, 4) / 4);
  }
  return problem;
}

} // namespace

TEST(Contract, randomSmall) {
  std::string error = runOnOne([](tprt_rank *rank) {
    std::mt19937 random(3);
    for (int trial = 0; trial < 3000 && !testing::Test::HasFailure(); ++trial)
      check(rank, randomProblem(random, false), random);
  });
  EXPECT_EQ(error, "");
}

TEST(Contract, randomLarge) {
  std::string error = runOnOne([](tprt_rank *rank) {
    std::mt19937 random(4);
    for (int trial = 0; trial < 150 && !testing::Test::HasFailure(); ++trial)
      check(rank, randomProblem(random, true), random);
  });
  EXPECT_EQ(error, "");
}

/// Matrix products around the sizes of tiles, in all layouts of the operands.
TEST(Contract, matrices) {
  std::string error = runOnOne([](tprt_rank *rank) {
    std::mt19937 random(5);
    const int64_t shapes[][3] = {{1, 70, 600},  {70, 1, 600}, {1, 1, 1500},
                                 {130, 260, 5}, {3, 65, 513}, {129, 3, 513},
                                 {8, 300, 40},  {1, 300, 1},  {5, 1, 1}};
    for (auto &shape : shapes)
      for (int layout = 0; layout < 8; ++layout)
        for (tprt_dtype dtype : floatTypes) {
          Problem problem(dtype);
          for (int kind = 1; kind < 4; ++kind)
            problem.add(kind, shape[kind - 1]);
          for (int operand = 0; operand < 3; ++operand)
            problem.layOut(operand,
                           layout >> operand & 1
                               ? std::vector<int64_t>{2, 1, 0}
                               : std::vector<int64_t>{0, 1, 2},
                           layout == 5);
          check(rank, problem, random);
        }
  });
  EXPECT_EQ(error, "");
}

/// The projections of attention: [b,s,k] x [h,d,k] -> [b,h,s,d].
TEST(Contract, projectionToHeads) {
  std::string error = runOnOne([](tprt_rank *rank) {
    std::mt19937 random(6);
    for (tprt_dtype dtype : floatTypes) {
      Problem problem(dtype);
      for (auto [kind, extent] :
           {std::pair<int, int>{1, 2}, {1, 9}, {2, 3}, {2, 16}, {3, 64}})
        problem.add(kind, extent);
      problem.layOut(0, {0, 1, 4});
      problem.layOut(1, {2, 3, 4});
      problem.layOut(2, {0, 2, 1, 3});
      check(rank, problem, random);
    }
  });
  EXPECT_EQ(error, "");
}

/// A decoder's step, with few rows on either side.
TEST(Contract, fewRows) {
  std::string error = runOnOne([](tprt_rank *rank) {
    std::mt19937 random(9);
    for (tprt_dtype dtype : floatTypes)
      for (int64_t rows : {1, 3, 4, 7, 9})
        for (int64_t few : {1, 2}) {
          Problem problem(dtype);
          for (auto [kind, extent] : {std::pair<int64_t, int64_t>{0, 3},
                                      {few, rows},
                                      {3 - few, 4},
                                      {3 - few, 10},
                                      {3, 1100}})
            problem.add(kind, extent);
          problem.layOut(0, {1, 0, 2, 3, 4});
          problem.layOut(1, {0, 2, 1, 3, 4}, 1);
          problem.layOut(2, {0, 3, 1, 2, 4});
          check(rank, problem, random);
        }
  });
  EXPECT_EQ(error, "");
}

TEST(Contract, broadcastOperand) {
  std::string error = runOnOne([](tprt_rank *rank) {
    std::mt19937 random(8);
    for (int64_t extent : {4, 40}) {
      Problem problem(TPRT_F32);
      for (int kind = 1; kind < 4; ++kind)
        problem.add(kind, extent);
      for (int operand = 0; operand < 3; ++operand)
        problem.layOut(operand, {0, 1, 2});
      problem.desc.dims[0].stride_a = 0; // every row of A is the first
      check(rank, problem, random);
    }
  });
  EXPECT_EQ(error, "");
}

/// A bf16 sum of many small numbers would stall if it were rounded on the way.
TEST(Contract, accumulatesInSinglePrecision) {
  const int64_t k = 4096;
  Tensor a(TPRT_BF16, k), b(TPRT_BF16, k), c(TPRT_BF16, 1);
  for (int64_t i = 0; i < k; ++i) {
    a.set(i, 1);
    b.set(i, 1);
  }
  tprt_contract_desc desc = {TPRT_BF16, 1, {{3, k, 1, 1, 0}}, 0, 0};
  EXPECT_EQ(runOnOne([&](tprt_rank *rank) {
              tprt_contract(rank, &desc, a.data(), b.data(), c.data());
            }),
            "");
  EXPECT_EQ(c.get(0), 4096);
}

TEST(Contract, errors) {
  float x = 0;
  auto run = [&](tprt_contract_desc desc) {
    return runOnOne(
        [&](tprt_rank *rank) { tprt_contract(rank, &desc, &x, &x, &x); });
  };
  EXPECT_EQ(run({TPRT_I32, 0, {}, 0, 0}),
            "entry 'entry0': rank 0: contract: a contraction on i32; it takes "
            "f32, f64, bf16 and f16");
  EXPECT_EQ(run({TPRT_F32, 1, {{4, 1, 0, 0, 0}}, 0, 0}),
            "entry 'entry0': rank 0: contract: dim 0 has kind 4 and extent 1");
  EXPECT_EQ(run({TPRT_F32, 99, {}, 0, 0}),
            "entry 'entry0': rank 0: contract: 99 dims; the most is 16");
}
