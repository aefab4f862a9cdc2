//===- BarrierTest.cpp - the barrier -------------------------------------===//
//
// Part of tp-mlir, under the Apache License v2.0.
//
//===----------------------------------------------------------------------===//

#include "host/Barrier.h"

#include <gtest/gtest.h>
#include <thread>

using namespace tprt;

namespace {

template <typename Body> void onThreads(size_t count, const Body &body) {
  std::vector<std::thread> threads;
  for (size_t i = 0; i < count; ++i)
    threads.emplace_back([&body, i] { body(i); });
  for (std::thread &thread : threads)
    thread.join();
}

Clock::time_point after(double seconds) {
  return Clock::now() + std::chrono::duration_cast<Clock::duration>(
                            std::chrono::duration<double>(seconds));
}

} // namespace

/// Plain memory that one side of the barrier writes and the other reads.
TEST(Barrier, ordersMemory) {
  for (int spins : {0, 2000}) {
    constexpr size_t count = 5;
    Barrier barrier(count, spins);
    RunState state;
    size_t values[2][count] = {};
    onThreads(count, [&](size_t me) {
      for (size_t round = 1; round < 500; ++round) {
        values[round % 2][me] = round;
        ASSERT_EQ(barrier.wait(me, state, after(20)), Barrier::Passed);
        for (size_t other = 0; other < count; ++other)
          ASSERT_EQ(values[round % 2][other], round);
      }
    });
  }
}

TEST(Barrier, timesOutAndNamesWhoIsMissing) {
  Barrier barrier(3, 10);
  RunState state;
  onThreads(2, [&](size_t me) {
    EXPECT_EQ(barrier.wait(me, state, after(me == 0 ? 1 : 20)),
              me == 0 ? Barrier::TimedOut : Barrier::Failed);
    if (me == 0) {
      EXPECT_EQ(barrier.missing(), std::vector<size_t>{2});
      state.fail(TPRT_FAILED, "timeout");
      barrier.wake();
    }
  });
  // After a reset it is as good as new.
  state.reset();
  barrier.reset();
  onThreads(3, [&](size_t me) {
    EXPECT_EQ(barrier.wait(me, state, after(20)), Barrier::Passed);
  });
}

/// Somebody fails while others arrive: all pass or none does.
TEST(Barrier, allOrNothing) {
  constexpr size_t count = 4;
  for (int trial = 0; trial < 300; ++trial) {
    Barrier barrier(count, trial % 3 * 20);
    RunState state;
    state.onFailure([&] { barrier.wake(); });
    Barrier::Outcome outcomes[count];
    onThreads(count + 1, [&](size_t me) {
      if (me == count) {
        state.fail(TPRT_FAILED, "x");
        return;
      }
      outcomes[me] = barrier.wait(me, state, after(20));
    });
    for (size_t i = 1; i < count; ++i)
      EXPECT_EQ(outcomes[i], outcomes[0]);
  }
}

TEST(RunState, keepsTheFirstError) {
  RunState state;
  int calls = 0;
  state.onFailure([&] { ++calls; });
  EXPECT_FALSE(state.failed());
  state.fail(TPRT_IO, "first");
  state.fail(TPRT_INVALID, "second");
  EXPECT_TRUE(state.failed());
  EXPECT_EQ(state.error().status(), TPRT_IO);
  EXPECT_STREQ(state.error().what(), "first");
  EXPECT_EQ(calls, 1);
  state.reset();
  EXPECT_FALSE(state.failed());
}
