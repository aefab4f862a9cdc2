//===- ProcessTest.cpp - ranks that are processes -------------------------===//
//
// Part of tp-mlir, under the Apache License v2.0.
//
//===----------------------------------------------------------------------===//

#include "FakeTransport.h"

#include "host/Agreement.h"
#include "host/CollectiveShape.h"
#include "host/Rank.h"

#include <chrono>
#include <thread>

using namespace tprt;
using namespace tprt::test;

namespace {

/// A collective of tensors of one shape, with its data on all ranks.
struct Case {
  tprt_collective_desc desc = {};
  int64_t ranks;
  std::vector<std::vector<Tensor>> inputs;

  Case(tprt_collective_kind kind, int64_t ranks, tprt_dtype dtype,
       std::vector<int64_t> shape, int64_t dim, int64_t split,
       int64_t numBuffers)
      : ranks(ranks), inputs(size_t(ranks)) {
    desc.kind = desc.id = kind;
    desc.num_buffers = numBuffers;
    std::mt19937 random(unsigned(kind + ranks));
    for (int64_t b = 0; b < numBuffers; ++b) {
      desc.buffers[b] = {dtype, int64_t(shape.size()), {}, dim, split};
      std::copy(shape.begin(), shape.end(), desc.buffers[b].shape);
      for (auto &tensors : inputs) {
        tensors.emplace_back(dtype, CollectiveShape(desc.buffers[b]).elements);
        tensors.back().randomise(random);
      }
    }
  }

  std::vector<std::vector<Tensor>> outputs() const {
    const int64_t count = inputs[0][0].count;
    const int64_t out = desc.kind == TPRT_ALL_GATHER       ? count * ranks
                        : desc.kind == TPRT_REDUCE_SCATTER ? count / ranks
                                                           : count;
    return std::vector<std::vector<Tensor>>(
        size_t(ranks), std::vector<Tensor>(size_t(desc.num_buffers),
                                           Tensor(inputs[0][0].dtype, out)));
  }

  /// Thrice: a later one must not see an earlier one's messages.
  void run(tprt_rank *rank, int64_t index,
           std::vector<std::vector<Tensor>> &outputs) const {
    std::vector<const void *> from;
    std::vector<void *> to;
    for (size_t b = 0; b < size_t(desc.num_buffers); ++b) {
      from.push_back(inputs[size_t(index)][b].data());
      to.push_back(outputs[size_t(index)][b].data());
    }
    for (int i = 0; i < 3; ++i)
      tprt_collective(rank, &desc, from.data(), to.data());
  }
};

void expectGood(const std::vector<Outcome> &outcomes) {
  for (const Outcome &outcome : outcomes)
    EXPECT_EQ(outcome.message, "");
}

/// One process tells, with what all come to.
std::string expectFailure(const std::vector<Outcome> &outcomes,
                          int64_t spokesman = 0) {
  for (size_t rank = 0; rank < outcomes.size(); ++rank) {
    EXPECT_NE(outcomes[rank].status, TPRT_OK) << "rank " << rank;
    EXPECT_EQ(outcomes[rank].status == TPRT_ELSEWHERE,
              int64_t(rank) != spokesman)
        << "rank " << rank;
    EXPECT_EQ(outcomes[rank].message, outcomes[size_t(spokesman)].message);
  }
  return outcomes[size_t(spokesman)].message;
}

void expectPart(const std::string &text, const std::string &part) {
  EXPECT_NE(text.find(part), std::string::npos) << text << "\nhas no " << part;
}

Json manifestOf(int64_t ranks) {
  return manifest({{{"name", "x"}, {"size", ranks}}}, {{axis("x", ranks)}},
                  {entry()});
}

tprt_collective_desc allReduce() {
  tprt_collective_desc desc = {};
  desc.num_buffers = 1;
  desc.buffers[0] = {TPRT_F32, 1, {4}, 0, 0};
  return desc;
}

void reduceOnce(tprt_rank *rank) {
  float data[4] = {1, 2, 3, 4};
  const void *inputs[] = {data};
  void *outputs[] = {data};
  tprt_collective_desc desc = allReduce();
  tprt_collective(rank, &desc, inputs, outputs);
}

} // namespace

/// Small ones travel with the first message, large ones in pieces.
TEST(Process, sameBitsAsThreads) {
  for (tprt_collective_kind kind :
       {TPRT_ALL_REDUCE, TPRT_ALL_GATHER, TPRT_REDUCE_SCATTER, TPRT_ALL_TO_ALL,
        TPRT_PERMUTE})
    for (int64_t ranks : {2, 3, 4})
      for (int64_t inner : {5, 3000})
        for (int64_t numBuffers : {1, 2})
          for (tprt_dtype dtype : {TPRT_F32, TPRT_BF16}) {
            Case test(kind, ranks, dtype, {2, 12, inner}, inner > 5 ? 1 : 0, 1,
                      numBuffers);
            if (kind == TPRT_REDUCE_SCATTER)
              for (int64_t b = 0; b < numBuffers; ++b)
                test.desc.buffers[b].dim = 1;
            auto threads = test.outputs(), processes = test.outputs();
            EXPECT_EQ(runOnRanks(ranks,
                                 [&](tprt_rank *rank, int64_t index) {
                                   test.run(rank, index, threads);
                                 }),
                      "");
            expectGood(
                runOnProcesses(ranks, [&](tprt_rank *rank, int64_t index) {
                  test.run(rank, index, processes);
                }));
            EXPECT_TRUE(threads == processes)
                << "kind " << kind << ", " << ranks << " ranks, inner " << inner
                << ", " << numBuffers << " buffers";
          }
}

TEST(Process, inPlace) {
  for (int64_t count : {10, 30000}) {
    std::vector<std::vector<float>> data(3, std::vector<float>(size_t(count)));
    for (size_t r = 0; r < 3; ++r)
      for (size_t i = 0; i < size_t(count); ++i)
        data[r][i] = float(r * 10000 + i);
    expectGood(runOnProcesses(3, [&](tprt_rank *rank, int64_t index) {
      tprt_collective_desc desc = allReduce();
      desc.buffers[0].shape[0] = count;
      const void *inputs[] = {data[size_t(index)].data()};
      void *outputs[] = {data[size_t(index)].data()};
      tprt_collective(rank, &desc, inputs, outputs);
    }));
    for (size_t r = 0; r < 3; ++r)
      for (size_t i = 0; i < size_t(count); ++i)
        ASSERT_EQ(data[r][i], float(30000 + 3 * i));
  }
}

/// Two sub-axes of one axis and a whole one: members and order as with threads.
TEST(Process, groups) {
  Json axes = {{{"name", "a"}, {"size", 2}}, {{"name", "b"}, {"size", 4}}};
  Json groups = {{axis("b", 2, 2)},
                 {axis("b", 2, 1)},
                 {axis("b", 2, 2), axis("a", 2)},
                 {axis("a", 2), axis("b", 4)}};
  auto body = [](tprt_rank *rank, std::vector<float> &seen) {
    for (int64_t group = 0; group < 4; ++group) {
      float mine = float(rank->index), all[8] = {};
      tprt_collective_desc desc = {};
      desc.kind = desc.id = TPRT_ALL_GATHER;
      desc.group = group;
      desc.num_buffers = 1;
      desc.buffers[0] = {TPRT_F32, 1, {1}, 0, 0};
      const void *inputs[] = {&mine};
      void *outputs[] = {all};
      tprt_collective(rank, &desc, inputs, outputs);
      seen.insert(seen.end(), all, all + 8);
    }
  };
  std::vector<std::vector<float>> threads(8), processes(8);
  Json program = manifest(axes, groups, {entry()});
  TestSession session(
      program, {[&](tprt_rank *rank, void *, void *const *, void *const *) {
        body(rank, threads[size_t(rank->index)]);
      }});
  ASSERT_EQ(session.load(), TPRT_OK) << session.message();
  ASSERT_EQ(session.run(), TPRT_OK) << session.message();
  expectGood(runOnProcesses(
      8, [&](int64_t) { return program; },
      [&](tprt_rank *rank) { body(rank, processes[size_t(rank->index)]); },
      20));
  EXPECT_EQ(threads, processes);
}

TEST(Process, ranksInDifferentCollectives) {
  std::string message =
      expectFailure(runOnProcesses(3, [](tprt_rank *rank, int64_t index) {
        tprt_collective_desc desc = allReduce();
        desc.buffers[0].shape[0] = index == 1 ? 3 : 4;
        float data[4] = {};
        const void *inputs[] = {data};
        void *outputs[] = {data};
        tprt_collective(rank, &desc, inputs, outputs);
      }));
  expectPart(message, "all_reduce 'the all_reduce': the ranks disagree: rank 0 "
                      "is in all_reduce 0 of f32 [4], rank 1 in all_reduce 0 "
                      "of f32 [3]");
}

/// A rank that computes for too long is told from one that does not answer.
TEST(Process, lateRank) {
  std::string message = expectFailure(runOnProcesses(
      3,
      [](tprt_rank *rank, int64_t index) {
        reduceOnce(rank);
        if (index == 1)
          std::this_thread::sleep_for(std::chrono::milliseconds(2500));
        reduceOnce(rank);
      },
      0.5));
  expectPart(message, "rank 1 has let the others wait for 0.5 s, computing in "
                      "entry 'entry0' after all_reduce 'the all_reduce', step "
                      "1; ranks 0, 2 are in all_reduce 'the all_reduce' of "
                      "entry 'entry0', step 2; the last step completed by all "
                      "is 1, all_reduce 'the all_reduce'");
}

TEST(Process, silentRank) {
  for (int64_t silent : {0, 2}) {
    std::vector<Outcome> outcomes = runOnProcesses(
        3,
        [=](tprt_rank *rank, int64_t index) {
          reduceOnce(rank);
          if (index == silent)
            cutOff(index);
          reduceOnce(rank);
        },
        0.5);
    const int64_t spokesman = silent == 0 ? 1 : 0;
    EXPECT_EQ(outcomes[size_t(spokesman)].status, TPRT_FAILED);
    EXPECT_EQ(outcomes[silent == 0 ? 2 : 1].status, TPRT_ELSEWHERE);
    // It hears that the others did without it, if it is still there.
    EXPECT_NE(outcomes[size_t(silent)].status, TPRT_FAILED);
    expectPart(outcomes[size_t(spokesman)].message,
               join("rank ", silent, " does not answer"));
  }
}

/// A rank that fails ends the wait of the others at once.
TEST(Process, failingRank) {
  auto began = std::chrono::steady_clock::now();
  std::string message = expectFailure(runOnProcesses(
      3,
      [](tprt_rank *rank, int64_t index) {
        reduceOnce(rank);
        if (index == 2)
          throw std::runtime_error("not enough of it");
        reduceOnce(rank);
      },
      60));
  EXPECT_LT(std::chrono::steady_clock::now() - began, std::chrono::seconds(20));
  expectPart(message, "the last collectives are in ");
}

TEST(Process, differentPrograms) {
  auto manifests = [](int64_t rank) {
    Json made = manifestOf(4);
    if (rank == 3)
      made["mesh"]["axes"] = {{{"name", "x"}, {"size", 2}},
                              {{"name", "y"}, {"size", 2}}};
    if (rank == 3)
      made["groups"] = {{axis("x", 2)}};
    return made;
  };
  std::string message =
      expectFailure(runOnProcesses(4, manifests, reduceOnce, 20));
  EXPECT_EQ(message,
            "the ranks differ: rank 3 has mesh x=2,y=2, rank 0 has mesh x=4");
  auto codes = [](int64_t rank) {
    Json made = manifestOf(2);
    made["entries"][0]["arena_bytes"] = 64 * rank;
    return made;
  };
  expectPart(expectFailure(runOnProcesses(2, codes, reduceOnce, 20)),
             "rank 1 has the program ");
}

TEST(Process, meshOfAnotherSize) {
  std::string message = expectFailure(
      runOnProcesses(3, [](int64_t) { return manifestOf(2); }, reduceOnce, 20));
  EXPECT_EQ(message, "the program's mesh has 2 ranks, but there are 3 "
                     "processes: launch 2, or give it a mesh of 3");
}

//===----------------------------------------------------------------------===//
// Exchanges of the host
//===----------------------------------------------------------------------===//

TEST(Process, gatherAndBroadcast) {
  std::vector<std::string> seen;
  expectGood(runProcesses(4, [&](Process &process) {
    World &world = *process.world->world;
    // Longer than a first message, and than the largest.
    std::string mine(size_t(process.rank) * 50000, char('a' + process.rank));
    std::vector<std::string> all = world.gather(mine, "a test");
    if (process.rank == 0)
      seen = all;
    int64_t value = process.rank == 0 ? 42 : 0;
    world.broadcast(&value, sizeof value, "a test");
    EXPECT_EQ(value, 42);
  }));
  ASSERT_EQ(seen.size(), 4u);
  for (size_t rank = 0; rank < 4; ++rank)
    EXPECT_EQ(seen[rank], std::string(rank * 50000, char('a' + rank)));
}

TEST(Process, differentMeetings) {
  std::string message = expectFailure(runProcesses(3, [](Process &process) {
    process.world->world->gather("", process.rank == 2 ? "tea" : "coffee");
    int64_t value = 0;
    process.world->world->broadcast(&value, sizeof value, "lunch");
  }));
  expectPart(message, "rank 2 has come to tea, rank 0 to coffee");
}

/// Ranks that work for longer than the timeout are waited for while they say
/// so.
TEST(Process, patience) {
  expectGood(runProcesses(
      3,
      [](Process &process) {
        if (process.rank == 1)
          std::this_thread::sleep_for(std::chrono::milliseconds(3500));
        process.world->world->gather("", "a test");
        int64_t value = 0;
        process.world->world->broadcast(&value, sizeof value, "a test");
      },
      2));
}

/// Nobody is busy when all wait for one another, however patiently.
TEST(Process, circle) {
  auto began = std::chrono::steady_clock::now();
  std::string message = expectFailure(runProcesses(
      3,
      [](Process &process) {
        int64_t value = 0;
        if (process.rank == 0)
          process.world->world->gather("", "a gather");
        else
          process.world->world->broadcast(&value, sizeof value, "a broadcast");
      },
      0.5));
  EXPECT_LT(std::chrono::steady_clock::now() - began,
            std::chrono::milliseconds(4500));
  expectPart(message, "the ranks wait for one another since 0.5 s; rank 0 is "
                      "waiting for the others (a gather), step 0; ranks 1, 2 "
                      "are waiting for the others (a broadcast), step 0");
}

/// The same error everywhere is no rank's in particular.
TEST(Process, commonErrors) {
  EXPECT_EQ(expectFailure(runProcesses(
                3, [](Process &) { raise(TPRT_IO, "no such file"); })),
            "no such file");
  EXPECT_EQ(expectFailure(runProcesses(3,
                                       [](Process &process) {
                                         if (process.rank > 0)
                                           raise(TPRT_IO, "no such file");
                                         process.world->world->gather("", "x");
                                       })),
            "rank 1: no such file");
}

/// A host that does not end is ended.
TEST(Process, endsByItself) {
  runProcesses(
      2,
      [](Process &process) {
        if (process.rank == 0)
          raise(TPRT_IO, "no such file");
        for (int i = 0; i < 1000 && abandoned() < 2; ++i)
          std::this_thread::sleep_for(std::chrono::milliseconds(20));
        EXPECT_EQ(abandoned(), 2);
      },
      6);
}
