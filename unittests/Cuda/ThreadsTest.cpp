//===- ThreadsTest.cpp - the threads of a simulated block -----------------===//
//
// Part of tp-mlir, under the Apache License v2.0.
//
//===----------------------------------------------------------------------===//
//
// Whether the simulation would see what is wrong in a kernel, and what is right
// gives right numbers.
//
//===----------------------------------------------------------------------===//

#include "tprt/cuda/Reduce.h"

#include <algorithm>
#include <array>
#include <gtest/gtest.h>
#include <numeric>
#include <thread>

namespace {

constexpr unsigned kWarp = SimulatedBlock::kWarp;

void runBlock(unsigned threads, const std::function<void()> &body) {
  blockDim = {threads, 1, 1};
  simulatedBlock.run(body);
}

void waitOften(unsigned times) {
  for (unsigned i = 0; i < times; ++i)
    __syncthreads();
}
void shuffleOften(unsigned times) {
  for (unsigned i = 0; i < times; ++i)
    __shfl_xor_sync(~0u, 0, 1);
}

/// Sums of a block of `threads` as each thread gets them, in three rounds,
/// with or without the barriers before and after the sum.
std::vector<int> sumOften(unsigned threads, bool waitsBefore, bool waitsAfter) {
  std::vector<int> parts(threads, 0), sums;
  runBlock(threads, [&] {
    for (int round = 1; round <= 3; ++round) {
      parts[threadIdx.x] = round * int(threadIdx.x + 1);
      if (waitsBefore)
        __syncthreads();
      const int sum = std::accumulate(parts.begin(), parts.end(), 0);
      sums.push_back(sum / round * round == sum ? sum / round : -1);
      if (waitsAfter)
        __syncthreads();
    }
  });
  return sums;
}

/// Which of two threads is first at the same place, after so many barriers.
template <typename Before>
bool isFirst(unsigned thread, unsigned other, const Before &before) {
  unsigned first = ~0u;
  runBlock(128, [&] {
    before();
    if (first == ~0u && (threadIdx.x == thread || threadIdx.x == other))
      first = threadIdx.x;
  });
  return first == thread;
}

const std::pair<unsigned, unsigned> kPairs[] = {{0, 1},   {0, 31},  {5, 9},
                                                {31, 32}, {0, 127}, {126, 127}};

} // namespace

//===----------------------------------------------------------------------===//
// Barriers
//===----------------------------------------------------------------------===//

TEST(CudaThreads, eachRunsOnce) {
  for (unsigned threads = kWarp; threads <= 1024; threads += kWarp) {
    std::vector<int> runs(threads, 0);
    runBlock(threads, [&] { ++runs[threadIdx.x]; });
    EXPECT_EQ(runs, std::vector<int>(threads, 1));
  }
}

TEST(CudaThreads, eachIsItselfAfterABarrier) {
  for (unsigned threads = kWarp; threads <= 1024; threads += kWarp) {
    std::vector<int> runs(threads, 0);
    runBlock(threads, [&] {
      std::array<unsigned, 256> own; // on a stack that nobody else has
      own.fill(threadIdx.x);
      for (unsigned i = 0; i < 4; ++i) {
        __syncthreads();
        for (unsigned value : own)
          runs[threadIdx.x] += value == threadIdx.x;
      }
    });
    EXPECT_EQ(runs, std::vector<int>(threads, 4 * 256));
  }
}

TEST(CudaThreads, nobodyPassesABarrierAlone) {
  for (unsigned threads : {32u, 64u, 480u, 1024u}) {
    std::vector<unsigned> arrived(10, 0);
    runBlock(threads, [&] {
      for (unsigned &count : arrived) {
        ++count;
        __syncthreads();
        EXPECT_EQ(count, threads);
      }
    });
  }
}

TEST(CudaThreads, sumsWithBarriers) {
  for (unsigned threads = kWarp; threads <= 1024; threads += kWarp)
    EXPECT_EQ(sumOften(threads, true, true),
              std::vector<int>(3 * threads, int(threads * (threads + 1) / 2)));
}

/// Who sums before others have written, or writes before others have summed.
TEST(CudaThreads, sumsWithoutABarrier) {
  for (unsigned threads : {32u, 64u, 1024u})
    for (bool waitsBefore : {false, true}) {
      const std::vector<int> sums =
          sumOften(threads, waitsBefore, !waitsBefore);
      const auto wrong = std::count_if(sums.begin(), sums.end(), [&](int sum) {
        return sum != int(threads * (threads + 1) / 2);
      });
      EXPECT_GT(wrong, 0);
    }
}

/// A missing barrier between two threads is seen if the one that must wait is
/// ahead: first to last to begin with, then last to first; in three places in a
/// row there are both, whatever there are barriers for.
TEST(CudaThreads, eitherMayBeAhead) {
  for (auto [low, high] : kPairs) {
    std::vector<bool> isLow;
    for (unsigned barriers = 0; barriers < 12; ++barriers)
      isLow.push_back(isFirst(low, high, [=] { waitOften(barriers); }));
    EXPECT_TRUE(isLow[0]);
    EXPECT_FALSE(isLow[1]);
    for (size_t i = 0; i + 2 < isLow.size(); ++i)
      EXPECT_FALSE(isLow[i] == isLow[i + 1] && isLow[i] == isLow[i + 2])
          << low << " and " << high << " after " << i << " barriers";
  }
}

TEST(CudaThreads, eitherMayBeAheadInAWarp) {
  for (auto [low, high] : kPairs) {
    if (low / kWarp != high / kWarp)
      continue;
    std::vector<bool> isLow;
    for (unsigned shuffles = 0; shuffles < 12; ++shuffles)
      isLow.push_back(isFirst(low, high, [=] { shuffleOften(shuffles); }));
    for (size_t i = 0; i + 2 < isLow.size(); ++i)
      EXPECT_FALSE(isLow[i] == isLow[i + 1] && isLow[i] == isLow[i + 2])
          << low << " and " << high << " after " << i << " shuffles";
  }
}

/// The same of a reader and a writer, either of which may be early.
TEST(CudaThreads, earlyReadersAndWriters) {
  for (auto [low, high] : kPairs)
    for (bool isLowReader : {false, true})
      for (bool mustWriteFirst : {false, true}) {
        int wrong = 0;
        for (unsigned barriers : {0, 1, 2}) {
          const unsigned reader = isLowReader ? low : high;
          const unsigned writer = isLowReader ? high : low;
          int value = 1, read = 0;
          runBlock(128, [&] {
            waitOften(barriers);
            if (threadIdx.x == writer)
              value = 2;
            if (threadIdx.x == reader)
              read = value;
          });
          wrong += read != (mustWriteFirst ? 2 : 1);
        }
        EXPECT_GT(wrong, 0) << low << " and " << high;
        EXPECT_LT(wrong, 3) << low << " and " << high;
      }
}

/// A shuffle is no barrier: one warp may be behind it when another one has not
/// come to it.
TEST(CudaThreads, earlyReadersAndWritersBehindAShuffle) {
  for (auto [low, high] : {std::pair(0u, 32u), {31u, 127u}, {64u, 97u}})
    for (bool isLowReader : {false, true})
      for (bool mustWriteFirst : {false, true}) {
        int wrong = 0;
        for (unsigned barriers : {0, 1, 2, 3}) {
          const unsigned reader = isLowReader ? low : high;
          const unsigned writer = isLowReader ? high : low;
          int value = 1, read = 0;
          runBlock(128, [&] {
            waitOften(barriers);
            if (mustWriteFirst && threadIdx.x == writer)
              value = 2;
            if (!mustWriteFirst && threadIdx.x == reader)
              read = value;
            shuffleOften(1);
            if (mustWriteFirst && threadIdx.x == reader)
              read = value;
            if (!mustWriteFirst && threadIdx.x == writer)
              value = 2;
          });
          wrong += read != (mustWriteFirst ? 2 : 1);
        }
        EXPECT_GT(wrong, 0) << "reader first in the block: " << isLowReader
                            << ", must read first: " << !mustWriteFirst;
      }
}

/// A tree over memory, in which threads drop out but for the barriers.
TEST(CudaThreads, trees) {
  for (bool waits : {true, false}) {
    int wrong = 0;
    for (unsigned barriers : {0, 1, 2}) {
      std::vector<int> parts(256, 1);
      runBlock(256, [&] {
        waitOften(barriers);
        for (unsigned distance = 128; distance > 0; distance /= 2) {
          if (threadIdx.x < distance)
            parts[threadIdx.x] += parts[threadIdx.x + distance];
          if (waits)
            __syncthreads();
        }
      });
      wrong += parts[0] != 256;
    }
    EXPECT_EQ(wrong == 0, waits);
  }
}

//===----------------------------------------------------------------------===//
// Shuffles
//===----------------------------------------------------------------------===//

TEST(CudaThreads, shuffles) {
  for (unsigned threads : {32u, 96u, 1024u})
    runBlock(threads, [&] {
      const unsigned first = threadIdx.x / kWarp * kWarp;
      for (int distance = 0; distance < 32; ++distance)
        EXPECT_EQ(__shfl_xor_sync(~0u, threadIdx.x, distance),
                  first + (threadIdx.x % kWarp ^ unsigned(distance)));
      for (int lane = 0; lane < 32; ++lane)
        EXPECT_EQ(__shfl_sync(~0u, threadIdx.x, lane), first + unsigned(lane));
      // A lane of one's own.
      const int lane = int(threadIdx.x * 7 % kWarp);
      EXPECT_EQ(__shfl_sync(~0u, threadIdx.x, lane), first + unsigned(lane));
    });
}

TEST(CudaThreads, shufflesOfAnySize) {
  struct Large {
    int64_t first, second;
  };
  runBlock(64, [] {
    const auto thread = int64_t(threadIdx.x);
    EXPECT_EQ(__shfl_xor_sync(~0u, int8_t(thread), 1), int8_t(thread ^ 1));
    EXPECT_EQ(__shfl_xor_sync(~0u, double(thread), 2), double(thread ^ 2));
    const Large large = __shfl_xor_sync(~0u, Large{thread, -thread}, 16);
    EXPECT_EQ(large.first, thread ^ 16);
    EXPECT_EQ(large.second, -(thread ^ 16));
  });
}

/// Warps go their own ways, and each lane gets what others have this time.
TEST(CudaThreads, warpsShuffleAsOftenAsTheyLike) {
  runBlock(256, [] {
    const unsigned warp = threadIdx.x / kWarp;
    for (unsigned round = 0; round < 3; ++round) {
      for (unsigned i = 0; i < 5 * warp; ++i)
        EXPECT_EQ(__shfl_xor_sync(~0u, threadIdx.x * 100 + i, 31),
                  (threadIdx.x ^ 31) * 100 + i);
      __syncthreads();
    }
  });
}

//===----------------------------------------------------------------------===//
// Reductions
//===----------------------------------------------------------------------===//

TEST(CudaThreads, reductions) {
  using namespace tprt_cuda;
  for (unsigned threads : {32u, 64u, 128u, 544u, 1024u})
    runBlock(threads, [&] {
      const auto count = int64_t(blockDim.x), own = int64_t(threadIdx.x);
      const int64_t first = own / tprt_cuda::kWarp * tprt_cuda::kWarp;
      EXPECT_EQ(reduceWarp<Sum>(own), first * 32 + 31 * 16);
      EXPECT_EQ(reduceWarp<Maximum>(float(own)), float(first + 31));
      // One after the other, in the same memory.
      for (int64_t i = 0; i < 5; ++i)
        EXPECT_EQ(reduceBlock<Sum>(own * i), count * (count - 1) / 2 * i);
      EXPECT_EQ(reduceBlock<Minimum>(float(own) - 5), -5);
      EXPECT_EQ(reduceBlock<Maximum>(float(own)), float(count - 1));
      EXPECT_EQ(reduceBlock<Product>(own == 3 ? int64_t(-2) : int64_t(1)), -2);
      EXPECT_EQ(reduceBlock<And>(own == 7 ? 5 : 7), 5);
      EXPECT_EQ(reduceBlock<Or>(own + 1 == count ? 8 : 1), 9);
      EXPECT_TRUE(std::isnan(reduceBlock<Maximum>(own == 9 ? NAN : 1.0f)));
    });
}

/// Rounding depends on the order, which is the same for all.
TEST(CudaThreads, reductionsGiveTheSameBitsToAll) {
  for (unsigned threads : {32u, 1024u}) {
    std::vector<float> sums(threads);
    runBlock(threads, [&] {
      sums[threadIdx.x] = tprt_cuda::reduceBlock<tprt_cuda::Sum>(
          1 / float(threadIdx.x * threadIdx.x + 1));
    });
    EXPECT_EQ(sums, std::vector<float>(threads, sums[0]));
  }
}

//===----------------------------------------------------------------------===//
// Blocks
//===----------------------------------------------------------------------===//

/// Each thread of the CPU has a GPU's block of its own.
TEST(CudaThreads, blocksSideBySide) {
  std::vector<std::thread> threads;
  for (unsigned warps : {1, 3, 7, 32})
    threads.emplace_back([=] {
      const unsigned count = warps * kWarp;
      for (int i = 0; i < 10; ++i)
        EXPECT_EQ(sumOften(count, true, true),
                  std::vector<int>(3 * count, int(count * (count + 1) / 2)));
    });
  for (std::thread &thread : threads)
    thread.join();
}

TEST(CudaThreadsDeathTest, blocksThatAreNone) {
  for (unsigned threads : {0u, 1u, 31u, 33u, 1000u, 1056u})
    EXPECT_DEATH(runBlock(threads, [] {}),
                 "a block has whole warps, and at most 1024 threads");
}

TEST(CudaThreadsDeathTest, waitingForWhoHasEnded) {
  const char *message = "threads wait for threads that have ended";
  for (unsigned ended : {0u, 17u, 63u}) {
    EXPECT_DEATH(runBlock(64,
                          [=] {
                            if (threadIdx.x != ended)
                              __syncthreads();
                          }),
                 message);
    EXPECT_DEATH(runBlock(64,
                          [=] {
                            if (threadIdx.x != ended)
                              __shfl_xor_sync(~0u, 0, 1);
                          }),
                 message);
  }
  // Half of a block, in its last round.
  EXPECT_DEATH(runBlock(64, [] { waitOften(threadIdx.x / kWarp + 1); }),
               message);
}

TEST(CudaThreadsDeathTest, waitingElsewhere) {
  EXPECT_DEATH(runBlock(32,
                        [] {
                          if (threadIdx.x % 2)
                            __syncthreads();
                          else
                            __shfl_xor_sync(~0u, 0, 1);
                        }),
               "wait elsewhere");
}
