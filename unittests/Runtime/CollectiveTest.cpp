//===- CollectiveTest.cpp - collectives between threads ------------------===//
//
// Part of tp-mlir, under the Apache License v2.0.
//
//===----------------------------------------------------------------------===//

#include "Support.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <mutex>

using namespace tprt;
using namespace tprt::test;

namespace {

/// The same collective on all ranks, with one tensor or several.
struct Collective {
  tprt_collective_desc desc = {};
  std::vector<std::vector<Tensor>> inputs, outputs; ///< [rank][buffer]

  Collective(tprt_collective_kind kind, int64_t reduction = TPRT_SUM) {
    desc.kind = kind;
    desc.id = kind;
    desc.reduction = reduction;
  }

  void add(int64_t ranks, tprt_dtype dtype, std::vector<int64_t> shape,
           int64_t dim = 0, int64_t split = 0) {
    tprt_collective_buffer &buffer = desc.buffers[desc.num_buffers++];
    buffer = {dtype, int64_t(shape.size()), {}, dim, split};
    std::copy(shape.begin(), shape.end(), buffer.shape);
    int64_t count = 1;
    for (int64_t size : shape)
      count *= size;
    int64_t outCount = desc.kind == TPRT_ALL_GATHER       ? count * ranks
                       : desc.kind == TPRT_REDUCE_SCATTER ? count / ranks
                                                          : count;
    std::mt19937 random(unsigned(count + ranks));
    inputs.resize(size_t(ranks));
    outputs.resize(size_t(ranks));
    for (int64_t r = 0; r < ranks; ++r) {
      inputs[size_t(r)].emplace_back(dtype, count);
      inputs[size_t(r)].back().randomise(random);
      outputs[size_t(r)].emplace_back(dtype, outCount);
    }
  }

  void run(tprt_rank *rank, int64_t index, bool inPlace = false) {
    std::vector<const void *> from;
    std::vector<void *> to;
    auto &source = inPlace ? outputs : inputs;
    for (size_t b = 0; b < size_t(desc.num_buffers); ++b) {
      if (inPlace)
        outputs[size_t(index)][b] = inputs[size_t(index)][b];
      from.push_back(source[size_t(index)][b].data());
      to.push_back(outputs[size_t(index)][b].data());
    }
    tprt_collective(rank, &desc, from.data(), to.data());
  }
};

double reduce(int64_t reduction, double a, double b) {
  switch (reduction) {
  case TPRT_SUM:
    return a + b;
  case TPRT_PRODUCT:
    return a * b;
  case TPRT_MAX:
    return std::max(a, b);
  case TPRT_AND:
    return double(int64_t(a) & int64_t(b));
  case TPRT_OR:
    return double(int64_t(a) | int64_t(b));
  default:
    return std::min(a, b);
  }
}

/// The reduction of one element over all ranks.
double reduced(const Collective &collective, size_t buffer, int64_t at) {
  double result = collective.inputs[0][buffer].get(at);
  for (size_t r = 1; r < collective.inputs.size(); ++r)
    result = reduce(collective.desc.reduction, result,
                    collective.inputs[r][buffer].get(at));
  return result;
}

void expectNear(const Tensor &tensor, int64_t at, double expected) {
  ASSERT_NEAR(tensor.get(at), expected,
              tolerance(tensor.dtype) * (std::abs(expected) + 1))
      << dtypeName(tensor.dtype) << " at " << at;
}

void checkAllReduce(Collective &collective) {
  for (size_t b = 0; b < size_t(collective.desc.num_buffers); ++b) {
    for (auto &outputs : collective.outputs)
      ASSERT_TRUE(outputs[b] == collective.outputs[0][b]) << "other bits";
    for (int64_t i = 0; i < collective.inputs[0][b].count; ++i)
      expectNear(collective.outputs[0][b], i, reduced(collective, b, i));
  }
}

} // namespace

TEST(Collective, allReduce) {
  for (int64_t ranks : {1, 2, 3, 5, 8})
    for (tprt_dtype dtype : allTypes)
      for (int64_t reduction : {TPRT_SUM, TPRT_MAX, TPRT_MIN, TPRT_PRODUCT})
        for (int64_t size : {1, 7, 1031}) {
          Collective collective(TPRT_ALL_REDUCE, reduction);
          collective.add(ranks, dtype, {size});
          EXPECT_EQ(runOnRanks(ranks,
                               [&](tprt_rank *rank, int64_t index) {
                                 collective.run(rank, index);
                               }),
                    "");
          checkAllReduce(collective);
          if (HasFatalFailure())
            return;
        }
}

/// Tensors of such sizes are reduced in parts, and read where they are.
TEST(Collective, largeAllReduceInPlaceAndNot) {
  for (int64_t ranks : {2, 3, 8})
    for (bool inPlace : {false, true}) {
      Collective collective(TPRT_ALL_REDUCE);
      collective.add(ranks, TPRT_BF16, {313, 227});
      collective.add(ranks, TPRT_F32, {5});
      collective.add(ranks, TPRT_F64, {0});
      collective.add(ranks, TPRT_F32, {60001});
      EXPECT_EQ(runOnRanks(ranks,
                           [&](tprt_rank *rank, int64_t index) {
                             collective.run(rank, index, inPlace);
                           }),
                "");
      checkAllReduce(collective);
    }
}

TEST(Collective, allGather) {
  for (int64_t ranks : {1, 2, 3, 8})
    for (int64_t size : {3, 9001}) {
      Collective collective(TPRT_ALL_GATHER);
      for (int64_t dim : {0, 1, 2})
        collective.add(ranks, allTypes[dim + ranks % 3], {2, size, 3}, dim);
      EXPECT_EQ(runOnRanks(ranks,
                           [&](tprt_rank *rank, int64_t index) {
                             collective.run(rank, index);
                           }),
                "");
      for (size_t b = 0; b < 3; ++b)
        for (auto &outputs : collective.outputs) {
          int64_t shape[] = {2, size, 3};
          int64_t inner = 1;
          for (size_t d = b + 1; d < 3; ++d)
            inner *= shape[d];
          const int64_t extent = shape[b];
          for (int64_t i = 0; i < outputs[b].count; ++i) {
            int64_t at = i / inner % (extent * ranks);
            int64_t from =
                (i / inner / (extent * ranks) * extent + at % extent) * inner +
                i % inner;
            ASSERT_EQ(outputs[b].get(i),
                      collective.inputs[size_t(at / extent)][b].get(from));
          }
        }
    }
}

TEST(Collective, reduceScatter) {
  for (int64_t ranks : {1, 2, 3, 8})
    for (int64_t size : {2, 2500}) {
      Collective collective(TPRT_REDUCE_SCATTER);
      collective.add(ranks, TPRT_F32, {3, size * ranks, 5}, 1);
      collective.add(ranks, TPRT_BF16, {ranks, 3}, 0);
      collective.add(ranks, TPRT_I32, {4, ranks}, 1);
      EXPECT_EQ(runOnRanks(ranks,
                           [&](tprt_rank *rank, int64_t index) {
                             collective.run(rank, index);
                           }),
                "");
      const int64_t inner[] = {5, 3, 1}, extent[] = {size, 1, 1};
      for (int64_t r = 0; r < ranks; ++r)
        for (size_t b = 0; b < 3; ++b) {
          Tensor &output = collective.outputs[size_t(r)][b];
          const int64_t run = inner[b] * extent[b];
          for (int64_t i = 0; i < output.count; ++i)
            expectNear(
                output, i,
                reduced(collective, b, (i / run * ranks + r) * run + i % run));
        }
    }
}

TEST(Collective, allToAll) {
  for (int64_t ranks : {1, 2, 3, 8})
    for (int64_t size : {1, 300}) {
      Collective collective(TPRT_ALL_TO_ALL);
      // Heads become whole, the sequence is split, and the reverse.
      collective.add(ranks, TPRT_F32, {2, 3 * ranks, 5 * ranks, size}, 1, 2);
      collective.add(ranks, TPRT_BF16, {2, 3 * ranks, 5 * ranks, 1}, 2, 1);
      collective.add(ranks, TPRT_I64, {2, 3 * ranks, 1, 1}, 1, 1);
      collective.add(ranks, TPRT_I8, {3 * ranks, 7, 1, 1}, 0, 0);
      EXPECT_EQ(runOnRanks(ranks,
                           [&](tprt_rank *rank, int64_t index) {
                             collective.run(rank, index);
                           }),
                "");
      for (int64_t r = 0; r < ranks; ++r)
        for (size_t b = 0; b < 3; ++b) {
          const tprt_collective_buffer &buffer = collective.desc.buffers[b];
          Tensor &output = collective.outputs[size_t(r)][b];
          int64_t shape[4];
          std::copy_n(buffer.shape, 4, shape);
          shape[buffer.split_dim] /= ranks;
          const int64_t chunk = shape[buffer.dim];
          shape[buffer.dim] *= ranks;
          for (int64_t i = 0; i < output.count; ++i) {
            int64_t index[4], rest = i, from = 0;
            for (int d = 3; d >= 0; rest /= shape[d], --d)
              index[d] = rest % shape[d];
            int64_t sender = index[buffer.dim] / chunk;
            index[buffer.dim] %= chunk;
            index[buffer.split_dim] +=
                r * (buffer.shape[buffer.split_dim] / ranks);
            for (int d = 0; d < 4; ++d)
              from = from * buffer.shape[d] + index[d];
            ASSERT_EQ(output.get(i),
                      collective.inputs[size_t(sender)][b].get(from));
          }
        }
    }
}

/// Ranks (a, b) that take from the rank whose index in order a, b is their own
/// in order b, a.
TEST(Collective, permute) {
  const Json axes = {{{"name", "a"}, {"size", 2}},
                     {{"name", "b"}, {"size", 3}}};
  const Json groups = {{axis("a", 2), axis("b", 3)},
                       {axis("b", 3), axis("a", 2)},
                       {axis("a", 2)}};
  for (int64_t size : {9, 70001}) {
    Collective collective(TPRT_PERMUTE);
    collective.desc.source_group = 1;
    collective.add(6, TPRT_F16, {size});
    TestSession session(
        manifest(axes, groups, {entry()}),
        {[&](tprt_rank *rank, void *, void *const *, void *const *) {
          collective.run(rank, tprt_coordinate(rank, 0));
        }});
    ASSERT_EQ(session.load(), TPRT_OK) << session.message();
    ASSERT_EQ(session.run(), TPRT_OK) << session.message();
    for (size_t a = 0; a < 2; ++a)
      for (size_t b = 0; b < 3; ++b)
        EXPECT_TRUE(collective.outputs[a * 3 + b][0] ==
                    collective.inputs[b * 2 + a][0]);
    collective.desc.source_group = 2;
    EXPECT_NE(session.run(), TPRT_OK);
    EXPECT_NE(session.message().find("from a group of 2 ranks within one of 6"),
              std::string::npos)
        << session.message();
  }
}

TEST(Collective, bitwise) {
  for (int64_t reduction : {TPRT_AND, TPRT_OR}) {
    for (tprt_dtype dtype : {TPRT_I8, TPRT_I32, TPRT_I64})
      for (int64_t size : {3, 40001}) {
        Collective collective(TPRT_ALL_REDUCE, reduction);
        collective.add(3, dtype, {size});
        EXPECT_EQ(
            runOnRanks(3, [&](tprt_rank *rank,
                              int64_t index) { collective.run(rank, index); }),
            "");
        checkAllReduce(collective);
      }
    Collective collective(TPRT_ALL_REDUCE, reduction);
    collective.add(2, TPRT_F32, {1});
    EXPECT_NE(runOnRanks(2, [&](tprt_rank *rank,
                                int64_t index) { collective.run(rank, index); })
                  .find("a bitwise reduction of f32; it takes i8, i32 and i64"),
              std::string::npos);
  }
}

TEST(Collective, notANumberWins) {
  for (int64_t reduction : {TPRT_MAX, TPRT_MIN}) {
    for (size_t where : {0u, 2u}) {
      Collective collective(TPRT_ALL_REDUCE, reduction);
      collective.add(3, TPRT_F32, {1});
      collective.inputs[where][0].set(0, std::nan(""));
      runOnRanks(3, [&](tprt_rank *rank, int64_t index) {
        collective.run(rank, index);
      });
      EXPECT_TRUE(std::isnan(collective.outputs[1][0].get(0)));
    }
  }
}

/// Many in a row, small and large in turn, with buffers used again at once.
TEST(Collective, manyInARow) {
  std::string error = runOnRanks(6, [](tprt_rank *rank, int64_t index) {
    for (int64_t round = 0; round < 200; ++round) {
      const int64_t size = round % 7 == 3 ? 30000 : 16;
      std::vector<int64_t> x(size_t(size), index + round), sums(x.size());
      tprt_collective_desc desc = {TPRT_ALL_REDUCE,
                                   TPRT_ALL_REDUCE,
                                   TPRT_SUM,
                                   0,
                                   0,
                                   1,
                                   {{TPRT_I64, 1, {size}, 0, 0}}};
      const void *from[] = {x.data()};
      void *to[] = {round % 2 ? x.data() : sums.data()};
      tprt_collective(rank, &desc, from, to);
      ASSERT_EQ((round % 2 ? x : sums)[size_t(size) - 1], 15 + 6 * round);
      std::fill(x.begin(), x.end(), -1); // nobody may still be reading this
    }
  });
  EXPECT_EQ(error, "");
}

/// Data and tensor parallel groups, a sub-axis, and both axes in another order.
TEST(Collective, groupsAndSubAxes) {
  Json axes = {{{"name", "dp"}, {"size", 2}}, {{"name", "tp"}, {"size", 4}}};
  Json groups = {{axis("dp", 2)},
                 {axis("tp", 4)},
                 {axis("tp", 2, 1)},
                 {axis("tp", 2, 2)},
                 {axis("tp", 4), axis("dp", 2)}};
  const int64_t sizes[] = {2, 4, 2, 2, 8};
  std::mutex mutex;
  std::vector<std::vector<int64_t>> sets[5];
  TestSession session(
      manifest(axes, groups, {entry()}),
      {[&](tprt_rank *rank, void *, void *const *, void *const *) {
        // The number of the rank itself, from its coordinates.
        int64_t self = tprt_coordinate(rank, 0) * 4 + tprt_coordinate(rank, 1);
        for (int64_t g = 0; g < 5; ++g) {
          std::vector<int64_t> members(static_cast<size_t>(sizes[g]));
          tprt_collective_desc desc = {
              TPRT_ALL_GATHER,           TPRT_ALL_GATHER, TPRT_SUM, g, 0, 1,
              {{TPRT_I64, 1, {1}, 0, 0}}};
          const void *from[] = {&self};
          void *to[] = {members.data()};
          tprt_collective(rank, &desc, from, to);
          EXPECT_EQ(members[size_t(tprt_coordinate(rank, g))], self);
          std::lock_guard<std::mutex> lock(mutex);
          if (tprt_coordinate(rank, g) == 0)
            sets[g].push_back(members);
        }
      }});
  ASSERT_EQ(session.created, TPRT_OK) << session.message();
  ASSERT_EQ(session.load(), TPRT_OK);
  ASSERT_EQ(session.run(), TPRT_OK) << session.message();
  for (auto &set : sets)
    std::sort(set.begin(), set.end());
  using Sets = std::vector<std::vector<int64_t>>;
  EXPECT_EQ(sets[0], (Sets{{0, 4}, {1, 5}, {2, 6}, {3, 7}}));
  EXPECT_EQ(sets[1], (Sets{{0, 1, 2, 3}, {4, 5, 6, 7}}));
  EXPECT_EQ(sets[2], (Sets{{0, 2}, {1, 3}, {4, 6}, {5, 7}}));
  EXPECT_EQ(sets[3], (Sets{{0, 1}, {2, 3}, {4, 5}, {6, 7}}));
  EXPECT_EQ(sets[4], (Sets{{0, 4, 1, 5, 2, 6, 3, 7}}));
}

/// The formulas of ring algorithms, rounded up once for all tensors.
TEST(Collective, counters) {
  const int64_t n = 4;
  Collective collectives[] = {{TPRT_ALL_REDUCE},
                              {TPRT_ALL_GATHER},
                              {TPRT_REDUCE_SCATTER},
                              {TPRT_ALL_TO_ALL},
                              {TPRT_PERMUTE}};
  collectives[0].add(n, TPRT_BF16, {3});    // 6 bytes
  collectives[0].add(n, TPRT_F32, {5});     // 20 bytes
  collectives[1].add(n, TPRT_F32, {5});     // 80 bytes in full
  collectives[2].add(n, TPRT_BF16, {4, 3}); // 24 bytes
  collectives[3].add(n, TPRT_F16, {4, 5});  // 40 bytes
  collectives[4].add(n, TPRT_I64, {3});     // 24 bytes
  Json axes = {{{"name", "x"}, {"size", n}}, {{"name", "one"}, {"size", 1}}};
  Json groups = {{axis("x", n)}, {axis("one", 1)}};
  TestSession session(
      manifest(axes, groups,
               {entry(), entry(Json::array(), Json::array(), 0, "entry1")}),
      {[&](tprt_rank *rank, void *, void *const *, void *const *) {
         for (Collective &collective : collectives)
           collective.run(rank, tprt_coordinate(rank, 0));
       },
       [&](tprt_rank *rank, void *, void *const *, void *const *) {
         Collective collective(TPRT_ALL_REDUCE);
         collective.add(1, TPRT_F32, {5});
         collective.desc.group = 1;
         collective.run(rank, 0);
         EXPECT_TRUE(collective.outputs[0][0] == collective.inputs[0][0]);
       }});
  ASSERT_EQ(session.load(), TPRT_OK);
  for (int i = 0; i < 3; ++i)
    ASSERT_EQ(session.run(), TPRT_OK) << session.message();
  ASSERT_EQ(session.run("entry1"), TPRT_OK) << session.message();
  Json counters = session.counters()["entries"];
  EXPECT_EQ(counters[0]["name"], "entry0");
  EXPECT_EQ(counters[0]["executions"], 3);
  const int64_t bytes[] = {39, 60, 18, 30, 24};
  for (size_t i = 0; i < 5; ++i) {
    Json counter = counters[0]["collectives"][i];
    EXPECT_EQ(counter["id"], i);
    EXPECT_EQ(counter["executions"], 3);
    EXPECT_EQ(counter["bytes_sent"], bytes[i]) << i;
  }
  EXPECT_EQ(counters[1]["executions"], 1);
  EXPECT_EQ(counters[1]["collectives"][0]["bytes_sent"], 0);
  EXPECT_EQ(counters[1]["collectives"][1]["executions"], 0);
}

TEST(Collective, wrongDescriptors) {
  float x[8] = {};
  auto run = [&](tprt_collective_desc desc) {
    return runOnRanks(3, [&](tprt_rank *rank, int64_t) {
      const void *from[] = {x};
      std::vector<float> out(32);
      void *to[] = {out.data()};
      tprt_collective(rank, &desc, from, to);
    });
  };
  auto contains = [](const std::string &text, const char *part) {
    return text.find(part) != std::string::npos ? "" : text;
  };
  EXPECT_EQ(contains(run({0, 77, 0, 0, 0, 1, {{0, 1, {2}, 0, 0}}}),
                     "all_reduce 77 is not in the manifest"),
            "");
  EXPECT_EQ(contains(run({1, 0, 0, 0, 0, 1, {{0, 1, {2}, 0, 0}}}),
                     "collective 0 ('the all_reduce') is all_gather, but "
                     "all_reduce in the manifest"),
            "");
  EXPECT_EQ(contains(run({2, 2, 0, 0, 0, 1, {{0, 1, {2}, 0, 0}}}),
                     "dim 0 of size 2 does not divide by the group's size, 3"),
            "");
  EXPECT_EQ(contains(run({0, 0, 0, 5, 0, 1, {{0, 1, {2}, 0, 0}}}),
                     "there is no group 5 among 1"),
            "");
  EXPECT_EQ(contains(run({0, 0, 9, 0, 0, 1, {{0, 1, {2}, 0, 0}}}),
                     "there is no reduction 9"),
            "");
  EXPECT_EQ(
      contains(run({0, 0, 0, 0, 0, 5, {}}), "5 tensors; 1 to 4 can travel"),
      "");
  EXPECT_EQ(contains(run({1, 1, 0, 0, 0, 1, {{0, 1, {2}, 1, 0}}}),
                     "there is no dim 1 in a tensor of 1 dims"),
            "");
}
