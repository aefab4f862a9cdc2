//===- RunState.h - whether the run still goes well on all ranks ---------===//
//
// Part of tp-mlir, under the Apache License v2.0.
//
//===----------------------------------------------------------------------===//

#ifndef TPRT_HOST_RUNSTATE_H
#define TPRT_HOST_RUNSTATE_H

#include "Error.h"

#include <atomic>
#include <chrono>
#include <functional>
#include <mutex>
#include <string>

namespace tprt {

using Clock = std::chrono::steady_clock;

/// Shared by the ranks of a session. The first failure is kept; after it every
/// call of the program API returns at once, until the next run begins.
class RunState {
public:
  bool failed() const { return failure.load(std::memory_order_acquire); }

  /// Keeps the error if it is the first, then wakes whoever waits.
  void fail(tprt_status status, const std::string &message) noexcept;

  /// The first error. Only after failed().
  Error error() const;

  /// Before a run, with all ranks idle.
  void reset();

  /// Called after each failure: wakes ranks that wait for one another.
  void onFailure(std::function<void()> callback) { wake = std::move(callback); }

private:
  mutable std::mutex mutex;
  std::atomic<bool> failure{false};
  tprt_status firstStatus = TPRT_OK;
  std::string firstMessage;
  std::function<void()> wake;
};

} // namespace tprt

#endif // TPRT_HOST_RUNSTATE_H
