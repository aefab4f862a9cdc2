//===- Barrier.cpp - where threads wait for one another ------------------===//
//
// Part of tp-mlir, under the Apache License v2.0.
//
//===----------------------------------------------------------------------===//

#include "Barrier.h"

#include <thread>

using namespace tprt;

static void pauseCore() {
#if defined(__x86_64__) || defined(__i386__)
  __builtin_ia32_pause();
#elif defined(__aarch64__)
  asm volatile("yield");
#endif
}

Barrier::Barrier(size_t members, int spins)
    : members(uint32_t(members)), spins(spins), waiting(members) {
  for (std::atomic<bool> &flag : waiting)
    flag.store(false, std::memory_order_relaxed);
}

bool Barrier::arrive(size_t member, uint32_t &generation) {
  waiting[member].store(true, std::memory_order_relaxed);
  uint64_t seen = state.load(std::memory_order_relaxed);
  while (true) {
    generation = uint32_t(seen >> 32);
    bool last = uint32_t(seen) + 1 == members;
    uint64_t next = last ? uint64_t(generation + 1) << 32 : seen + 1;
    // Sequentially consistent, like `sleepers`: either the last member sees a
    // sleeper, or the sleeper sees the new generation before it sleeps.
    if (!state.compare_exchange_weak(seen, next))
      continue;
    if (last && sleepers.load() > 0)
      wake();
    return last;
  }
}

/// True as soon as the generation is over; false if it is time to sleep.
bool Barrier::spin(uint32_t generation, const RunState *run) const {
  for (int i = 0; i < spins + spins / 2; ++i) {
    if (currentGeneration() != generation)
      return true;
    if (run && run->failed())
      return false;
    if (i < spins)
      pauseCore();
    else
      std::this_thread::yield();
  }
  return false;
}

Barrier::Outcome Barrier::sleep(uint32_t generation, const RunState *run,
                                Clock::time_point deadline) {
  std::unique_lock<std::mutex> lock(mutex);
  sleepers.fetch_add(1);
  Outcome outcome = Passed;
  while (uint32_t(state.load() >> 32) == generation) {
    if (run && run->failed())
      outcome = Failed;
    else if (run && Clock::now() >= deadline)
      outcome = TimedOut;
    if (outcome != Passed) {
      if (!withdraw(generation))
        outcome = Passed; // the last member came just now
      break;
    }
    if (run)
      condition.wait_until(lock, deadline);
    else
      condition.wait(lock);
  }
  sleepers.fetch_sub(1);
  return outcome;
}

/// Takes an arrival back; false if the generation is already over.
bool Barrier::withdraw(uint32_t generation) {
  uint64_t seen = state.load(std::memory_order_acquire);
  while (uint32_t(seen >> 32) == generation)
    if (state.compare_exchange_weak(seen, seen - 1))
      return true;
  return false;
}

Barrier::Outcome Barrier::wait(size_t member, const RunState &run,
                               Clock::time_point deadline) {
  uint32_t generation;
  Outcome outcome = Passed;
  if (!arrive(member, generation) && !spin(generation, &run))
    outcome = sleep(generation, &run, deadline);
  if (outcome != TimedOut) // a member that timed out asks who is missing
    waiting[member].store(false, std::memory_order_relaxed);
  return outcome;
}

void Barrier::meet(size_t member) {
  uint32_t generation;
  if (!arrive(member, generation) && !spin(generation, nullptr))
    sleep(generation, nullptr, {});
  waiting[member].store(false, std::memory_order_relaxed);
}

void Barrier::wake() {
  {
    std::lock_guard<std::mutex> lock(mutex);
  } // whoever looked, now sleeps
  condition.notify_all();
}

void Barrier::reset() {
  state.store(0);
  for (std::atomic<bool> &flag : waiting)
    flag.store(false, std::memory_order_relaxed);
}

std::vector<size_t> Barrier::missing() const {
  std::vector<size_t> result;
  for (size_t i = 0; i < waiting.size(); ++i)
    if (!waiting[i].load(std::memory_order_relaxed))
      result.push_back(i);
  return result;
}
