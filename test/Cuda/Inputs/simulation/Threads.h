//===- Threads.h - the threads of a block, simulated ----------------------===//
//
// Part of tp-mlir, under the Apache License v2.0.
//
//===----------------------------------------------------------------------===//
//
// A block's threads run one at a time, on one thread of the CPU. One that waits
// for others (__syncthreads, a shuffle) leaves its stack as it is, and another
// one goes on: first those that may, then one that has not begun. Between
// barriers threads run first to last or last to first, and soon the other way; a
// warp that may go on after a shuffle does so before all others. So a barrier
// that is missing shows as a wrong number whichever of two threads is ahead. What a GPU
// leaves undefined ends the process: threads that end, or wait for something
// else, while others wait for them.
//
// A kernel without barriers runs all of its threads on the caller's own stack.
//
//===----------------------------------------------------------------------===//

#ifndef SIMULATION_THREADS_H
#define SIMULATION_THREADS_H

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <deque>
#include <functional>
#include <memory>
#include <ucontext.h>
#include <vector>

struct Dim3 {
  unsigned x = 0, y = 0, z = 0;
};
inline thread_local Dim3 threadIdx, blockIdx, blockDim, gridDim;

class SimulatedBlock {
public:
  static constexpr unsigned kWarp = 32;

  /// Calls `body` as each of blockDim.x threads.
  void run(const std::function<void()> &body) {
    threads = blockDim.x;
    if (threads == 0 || threads > 1024 || threads % kWarp)
      fail("a block has whole warps, and at most 1024 threads");
    this->body = &body;
    begun = ended = 0;
    all = {threads, 0, {}};
    warps.assign(threads / kWarp, {kWarp, 0, {}});
    shown.resize(threads);
    stack = nullptr;
    work();
    while (ended < threads)
      goOn();
  }

  void syncThreads() { wait(all); }

  /// What all threads of the warp show, each of which calls this: `get` gives
  /// that of a lane until the next but one time.
  template <typename T> auto exchange(const T &value) {
    static_assert(sizeof(T) <= sizeof(Shown::turns[0]));
    const unsigned first = threadIdx.x / kWarp * kWarp;
    Barrier &warp = warps[first / kWarp];
    // Who comes here again may do so before others have read, but not twice.
    const unsigned turn = warp.passed % 2;
    std::memcpy(shown[threadIdx.x].turns[turn], &value, sizeof value);
    wait(warp);
    return [this, first, turn](unsigned lane) {
      T result;
      std::memcpy(&result, shown[first + lane].turns[turn], sizeof result);
      return result;
    };
  }

private:
  static constexpr size_t kStackBytes = 64 << 10;
  /// What a thread shows the others of its warp, this time and the next.
  struct Shown {
    alignas(16) unsigned char turns[2][32];
  };

  /// A stack on which threads run, and the one that is on it.
  struct Stack {
    ucontext_t context;
    std::unique_ptr<unsigned char[]> memory;
    unsigned thread = 0;
  };
  struct Barrier {
    unsigned wanted = 0, passed = 0;
    std::vector<Stack *> waiting;
  };

  [[noreturn]] static void fail(const char *what) {
    std::fprintf(stderr, "simulated: %s\n", what);
    std::abort();
  }

  /// Threads that have not begun, until one waits.
  void work() {
    while (begun < threads) {
      threadIdx.x = current().thread = begun++;
      (*body)();
      ++ended;
    }
  }

  Stack &current() { return stack ? *stack : own; }

  void wait(Barrier &barrier) {
    barrier.waiting.push_back(&current());
    if (barrier.waiting.size() == barrier.wanted) {
      std::vector<Stack *> &come = barrier.waiting;
      if (++barrier.passed % 2)
        ready.insert(ready.begin(), come.rbegin(), come.rend());
      else
        ready.insert(ready.begin(), come.begin(), come.end());
      come.clear();
    }
    goOn();
  }

  /// Leaves this stack for another one; returns when somebody comes back.
  void goOn() {
    Stack *from = &current(), *to = nullptr;
    if (!ready.empty()) {
      to = ready.front();
      ready.pop_front();
    } else if (begun < threads) {
      to = fresh();
    } else if (ended == threads) {
      to = &own;
    } else {
      fail("threads wait for threads that have ended or wait elsewhere");
    }
    if (to != from) {
      stack = to == &own ? nullptr : to;
      swapcontext(&from->context, &to->context);
    }
    threadIdx.x = from->thread;
  }

  /// A stack on which nothing runs.
  Stack *fresh() {
    if (idle.empty()) {
      stacks.push_back(std::make_unique<Stack>());
      stacks.back()->memory.reset(new unsigned char[kStackBytes]);
      idle.push_back(stacks.back().get());
    }
    Stack *result = idle.back();
    idle.pop_back();
    getcontext(&result->context);
    result->context.uc_stack.ss_sp = result->memory.get();
    result->context.uc_stack.ss_size = kStackBytes;
    const auto address = reinterpret_cast<uintptr_t>(this);
    makecontext(&result->context, reinterpret_cast<void (*)()>(&enter), 2,
                unsigned(address >> 32), unsigned(address));
    return result;
  }

  static void enter(unsigned high, unsigned low) {
    auto *block = reinterpret_cast<SimulatedBlock *>(uintptr_t(high) << 32 |
                                                     uintptr_t(low));
    block->work();
    block->idle.push_back(&block->current());
    block->goOn(); // for good
  }

  const std::function<void()> *body = nullptr;
  unsigned threads = 0, begun = 0, ended = 0;
  Barrier all;
  std::vector<Barrier> warps;
  std::vector<Shown> shown;
  Stack own;              ///< the caller's
  Stack *stack = nullptr; ///< another one, if one is in use
  std::deque<Stack *> ready;
  std::vector<Stack *> idle;
  std::vector<std::unique_ptr<Stack>> stacks;
};
inline thread_local SimulatedBlock simulatedBlock;

inline void __syncthreads() { simulatedBlock.syncThreads(); }
template <typename T> T __shfl_sync(unsigned, T value, int lane) {
  return simulatedBlock.exchange(value)(unsigned(lane));
}
template <typename T> T __shfl_xor_sync(unsigned, T value, int distance) {
  return simulatedBlock.exchange(value)((threadIdx.x % SimulatedBlock::kWarp) ^
                                        unsigned(distance));
}

/// mma.m16n8k16, as the PTX manual lays out its operands: result += a x b.
struct SimulatedTile {
  uint32_t a[4], b[2];
};
template <typename T, typename Widen>
void simulateTile(float (&result)[4], const SimulatedTile &mine, Widen widen) {
  const auto of = simulatedBlock.exchange(mine);
  auto element = [&](uint32_t bits, unsigned k) {
    const uint16_t half = uint16_t(bits >> 16 * (k % 2));
    T value;
    std::memcpy(static_cast<void *>(&value), &half, sizeof value);
    return widen(value);
  };
  const unsigned lane = threadIdx.x % SimulatedBlock::kWarp;
  for (unsigned i = 0; i < 4; ++i) {
    const unsigned row = lane / 4, column = lane % 4 * 2 + i % 2;
    for (unsigned k = 0; k < 16; ++k) {
      const unsigned pair = k % 8 / 2;
      result[i] += element(of(4 * row + pair).a[i / 2 + k / 8 * 2], k) *
                   element(of(4 * column + pair).b[k / 8], k);
    }
  }
}
#define TPRT_MULTIPLY_TILE(T, type)                                            \
  inline void multiplyTile(T, float (&result)[4], const uint32_t (&a)[4],      \
                           const uint32_t (&b)[2]) {                           \
    simulateTile<T>(result, {{a[0], a[1], a[2], a[3]}, {b[0], b[1]}},          \
                    [](T value) { return widen(value); });                     \
  }

#endif // SIMULATION_THREADS_H
