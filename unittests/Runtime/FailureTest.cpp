//===- FailureTest.cpp - ranks that fail, throw or do not come -----------===//
//
// Part of tp-mlir, under the Apache License v2.0.
//
//===----------------------------------------------------------------------===//

#include "Support.h"

#include <atomic>
#include <chrono>
#include <stdexcept>
#include <thread>

using namespace tprt;
using namespace tprt::test;

namespace {

void allReduce(tprt_rank *rank, int64_t size = 4) {
  std::vector<float> x(static_cast<size_t>(size), 1);
  tprt_collective_desc desc = {TPRT_ALL_REDUCE,
                               TPRT_ALL_REDUCE,
                               TPRT_SUM,
                               0,
                               0,
                               1,
                               {{TPRT_F32, 1, {size}, 0, 0}}};
  const void *from[] = {x.data()};
  void *to[] = {x.data()};
  tprt_collective(rank, &desc, from, to);
}

void failingTake(tprt_rank *rank) {
  tprt_take_desc desc = {TPRT_F32, 1, 1, 1};
  float x = 0;
  int32_t index = 5;
  tprt_take(rank, &desc, &x, &index, &x);
}

double secondsOf(const std::function<void()> &body) {
  auto begin = std::chrono::steady_clock::now();
  body();
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - begin)
      .count();
}

void sleepFor(double seconds) {
  std::this_thread::sleep_for(std::chrono::duration<double>(seconds));
}

Json onRanks(int64_t ranks) {
  return manifest({{{"name", "x"}, {"size", ranks}}}, {{axis("x", ranks)}},
                  {entry()});
}

} // namespace

/// The others leave their collective at once, long before the timeout.
TEST(Failure, aKernelFailsOnOneRank) {
  for (int64_t size : {4, 100000})
    for (int64_t ranks : {2, 8}) {
      std::string error;
      double seconds = secondsOf([&] {
        error = runOnRanks(
            ranks,
            [&](tprt_rank *rank, int64_t index) {
              allReduce(rank, size);
              if (index == 1)
                failingTake(rank);
              for (int i = 0; i < 50; ++i)
                allReduce(rank, size);
            },
            60);
      });
      EXPECT_EQ(error, "entry 'entry0': rank 1: take: index 5 is outside [0, "
                       "1) (after all_reduce 'the all_reduce')");
      EXPECT_LT(seconds, 30);
    }
}

TEST(Failure, anEntryThrows) {
  EXPECT_EQ(runOnRanks(3,
                       [&](tprt_rank *rank, int64_t index) {
                         if (index == 2)
                           throw std::runtime_error("boom");
                         allReduce(rank);
                       }),
            "entry 'entry0': rank 2: boom");
  EXPECT_EQ(runOnRanks(3,
                       [&](tprt_rank *rank, int64_t index) {
                         if (index == 2)
                           throw 5;
                         allReduce(rank);
                       }),
            "entry 'entry0': rank 2: unknown exception");
}

TEST(Failure, outOfMemory) {
  TestSession session(
      onRanks(2), {[](tprt_rank *rank, void *, void *const *, void *const *) {
        if (tprt_coordinate(rank, 0) == 1)
          throw std::bad_alloc();
        allReduce(rank);
      }});
  ASSERT_EQ(session.load(), TPRT_OK);
  EXPECT_EQ(session.run(), TPRT_OUT_OF_MEMORY);
  EXPECT_EQ(session.message(), "entry 'entry0': rank 1: out of memory");
}

/// After a failure every call returns at once and does nothing.
TEST(Failure, isSticky) {
  float x = 7, out = 3;
  tprt_copy_desc desc = {};
  desc.element_bytes = 4;
  EXPECT_NE(runOnOne([&](tprt_rank *rank) {
              failingTake(rank);
              tprt_copy(rank, &desc, &x, &out);
            }),
            "");
  EXPECT_EQ(out, 3);
}

TEST(Failure, aRankThatReturnsEarlyTimesTheOthersOut) {
  std::string error;
  double seconds = secondsOf([&] {
    error = runOnRanks(
        4,
        [&](tprt_rank *rank, int64_t index) {
          if (index != 2)
            allReduce(rank);
        },
        1);
  });
  EXPECT_NE(error.find("all_reduce 'the all_reduce': waited 1 s for ranks [2]"),
            std::string::npos)
      << error;
  EXPECT_GE(seconds, 0.9);
  EXPECT_LT(seconds, 20);
}

TEST(Failure, ranksThatDisagree) {
  std::string error = runOnRanks(2, [&](tprt_rank *rank, int64_t index) {
    allReduce(rank, index == 0 ? 4 : 5);
  });
  EXPECT_NE(error.find("all_reduce 'the all_reduce': the ranks disagree: rank "
                       "0 is in all_reduce 0 of f32 [4], rank 1 in all_reduce "
                       "0 of f32 [5]"),
            std::string::npos)
      << error;
}

/// Half of the ranks are in one group's collective, the others in another's.
TEST(Failure, endsWaitsInOtherGroups) {
  Json axes = {{{"name", "dp"}, {"size", 2}}, {{"name", "tp"}, {"size", 2}}};
  TestSession session(
      manifest(axes, {{axis("tp", 2)}, {axis("dp", 2)}}, {entry()}),
      {[](tprt_rank *rank, void *, void *const *, void *const *) {
        int64_t tp = tprt_coordinate(rank, 0), dp = tprt_coordinate(rank, 1);
        if (dp == 1 && tp == 1)
          failingTake(rank);
        allReduce(rank);
      }},
      60);
  ASSERT_EQ(session.load(), TPRT_OK);
  EXPECT_LT(secondsOf([&] { EXPECT_EQ(session.run(), TPRT_INVALID); }), 30);
  EXPECT_EQ(session.message(),
            "entry 'entry0': rank 3: take: index 5 is outside [0, 1)");
}

/// A failure leaves nothing behind that disturbs the next run.
TEST(Failure, theNextRunWorks) {
  std::atomic<int> failing{0};
  TestSession session(
      onRanks(5), {[&](tprt_rank *rank, void *, void *const *, void *const *) {
        const int64_t index = tprt_coordinate(rank, 0);
        for (int64_t i = 0; i < 7; ++i) {
          if (failing == 1 && index == i)
            failingTake(rank);
          if (failing == 2 && index == i)
            throw std::runtime_error("boom");
          allReduce(rank, i % 2 ? 30000 : 3);
        }
      }});
  ASSERT_EQ(session.load(), TPRT_OK);
  for (int round = 0; round < 60; ++round) {
    failing = round % 3;
    tprt_status expected = failing == 0   ? TPRT_OK
                           : failing == 1 ? TPRT_INVALID
                                          : TPRT_FAILED;
    ASSERT_EQ(session.run(), expected) << session.message();
  }
  EXPECT_EQ(session.counters()["entries"][0]["executions"], 20);
}

/// A rank that is stuck outside a collective cannot be ended, but the host gets
/// its thread of control back, and the session works again once the rank is
/// back.
TEST(Failure, aRankThatIsStuck) {
  std::atomic<bool> stuck{true};
  TestSession session(
      onRanks(2), {[&](tprt_rank *rank, void *, void *const *, void *const *) {
        if (tprt_coordinate(rank, 0) == 1)
          while (stuck)
            sleepFor(0.01);
        allReduce(rank);
      }},
      0.3);
  ASSERT_EQ(session.load(), TPRT_OK);
  EXPECT_EQ(session.run(), TPRT_FAILED);
  EXPECT_EQ(session.message(),
            "entry 'entry0': rank 0: all_reduce 'the all_reduce': waited 0.3 s "
            "for ranks [1]; ranks [1] have not returned 0.3 s later");
  EXPECT_EQ(session.run(), TPRT_FAILED);
  EXPECT_EQ(session.message(),
            "ranks [1] have not returned from a run that failed");
  stuck = false;
  for (int i = 0; i < 100 && session.run() != TPRT_OK; ++i)
    sleepFor(0.05);
  EXPECT_EQ(session.run(), TPRT_OK) << session.message();
}

TEST(Failure, destroyedWhileARankIsStuck) {
  static std::atomic<bool> stuck, returned; // outlive this function
  stuck = true;
  returned = false;
  {
    TestSession session(
        onRanks(2), {[](tprt_rank *rank, void *, void *const *, void *const *) {
          if (tprt_coordinate(rank, 0) == 0) {
            while (stuck)
              sleepFor(0.01);
            allReduce(rank);
            returned = true;
            return;
          }
          allReduce(rank);
        }},
        0.2);
    ASSERT_EQ(session.load(), TPRT_OK);
    EXPECT_EQ(session.run(), TPRT_FAILED);
    EXPECT_LT(secondsOf([&] { session.destroy(); }), 10);
  }
  stuck = false;
  while (!returned)
    sleepFor(0.01);
  sleepFor(0.2); // the rank's thread frees the session
}
