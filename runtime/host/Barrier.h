//===- Barrier.h - where threads wait for one another --------------------===//
//
// Part of tp-mlir, under the Apache License v2.0.
//
//===----------------------------------------------------------------------===//

#ifndef TPRT_HOST_BARRIER_H
#define TPRT_HOST_BARRIER_H

#include "RunState.h"

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <mutex>
#include <vector>

namespace tprt {

/// A reusable barrier for a fixed number of threads. A thread that stops
/// waiting because of a failure or its deadline takes its arrival back, so that
/// either all members pass or none does. Waiting spins for a moment, yields for
/// longer and then sleeps: others may want the core, of this program or not.
class Barrier {
public:
  enum Outcome { Passed, Failed, TimedOut };

  /// `spins`: how often to look before yielding, and twice how often then.
  Barrier(size_t members, int spins);

  /// Gives up when the run fails or at the deadline.
  Outcome wait(size_t member, const RunState &run, Clock::time_point deadline);

  /// Does not give up. Only where every member is certain to come.
  void meet(size_t member);

  /// Wakes sleepers so that they look at the state of the run again.
  void wake();

  /// Back to the initial state, with nobody waiting.
  void reset();

  /// The members that are not waiting; to be asked by one that is.
  std::vector<size_t> missing() const;

private:
  /// Arrives; true if this was the last member, who has then let all pass.
  bool arrive(size_t member, uint32_t &generation);
  bool spin(uint32_t generation, const RunState *run) const;
  Outcome sleep(uint32_t generation, const RunState *run,
                Clock::time_point deadline);
  bool withdraw(uint32_t generation);

  uint32_t currentGeneration() const {
    return uint32_t(state.load(std::memory_order_acquire) >> 32);
  }

  const uint32_t members;
  const int spins;
  /// Generation in the high half, number of arrivals in the low half.
  std::atomic<uint64_t> state{0};
  std::atomic<uint32_t> sleepers{0};
  std::vector<std::atomic<bool>> waiting; ///< for messages
  std::mutex mutex;
  std::condition_variable condition;
};

} // namespace tprt

#endif // TPRT_HOST_BARRIER_H
