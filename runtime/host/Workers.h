//===- Workers.h - the threads of the ranks ------------------------------===//
//
// Part of tp-mlir, under the Apache License v2.0.
//
//===----------------------------------------------------------------------===//

#ifndef TPRT_HOST_WORKERS_H
#define TPRT_HOST_WORKERS_H

#include "RunState.h"

#include <condition_variable>
#include <cstddef>
#include <functional>
#include <memory>
#include <mutex>
#include <thread>
#include <vector>

namespace tprt {

/// One persistent thread a rank. All get the same job; the host waits until all
/// have done it, or until the run has failed and somebody does not come back.
class Workers {
public:
  using Job = std::function<void(size_t rank)>;

  /// Error if the system gives no more threads.
  explicit Workers(size_t count);
  ~Workers() { stop(0); }

  /// Starts a job on every thread. Only when all are idle. Threads hold on to
  /// the job, and what it refers to, until they have done it.
  void start(Job job);

  /// Waits until all threads are idle. Once `run` has failed a thread has
  /// `grace` seconds to come back: false if one does not.
  bool wait(const RunState &run, double grace);

  /// The ranks that still work at their job.
  std::vector<size_t> busy() const;

  /// To be called when a run fails.
  void notify();

  /// Ends the threads. One that does not come back within `grace` seconds is
  /// left to itself, with what its job refers to.
  void stop(double grace);

private:
  /// Outlives this object if a thread is left to itself.
  struct Shared {
    mutable std::mutex mutex;
    std::condition_variable wakeWorkers, wakeHost;
    std::shared_ptr<const Job> job;
    size_t generation = 0;
    bool stopping = false;
    size_t numBusy = 0;
    std::vector<bool> busy;
  };
  static void work(std::shared_ptr<Shared> shared, size_t rank);

  std::shared_ptr<Shared> shared;
  std::vector<std::thread> threads;
};

} // namespace tprt

#endif // TPRT_HOST_WORKERS_H
