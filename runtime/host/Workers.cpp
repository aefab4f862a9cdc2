//===- Workers.cpp - the threads of the ranks ----------------------------===//
//
// Part of tp-mlir, under the Apache License v2.0.
//
//===----------------------------------------------------------------------===//

#include "Workers.h"

#include <system_error>

using namespace tprt;

static Clock::duration seconds(double count) {
  return std::chrono::duration_cast<Clock::duration>(
      std::chrono::duration<double>(count));
}

Workers::Workers(size_t count) : shared(std::make_shared<Shared>()) {
  shared->busy.assign(count, false);
  try {
    for (size_t rank = 0; rank < count; ++rank)
      threads.emplace_back(work, shared, rank);
  } catch (const std::system_error &error) {
    size_t started = threads.size();
    stop(60);
    raise(TPRT_OUT_OF_MEMORY, "could not start ", count, " rank threads, only ",
          started, ": ", error.what());
  }
}

void Workers::work(std::shared_ptr<Shared> shared, size_t rank) {
  size_t done = 0;
  std::unique_lock<std::mutex> lock(shared->mutex);
  while (true) {
    shared->wakeWorkers.wait(
        lock, [&] { return shared->stopping || shared->generation != done; });
    if (shared->generation == done)
      return;
    done = shared->generation;
    std::shared_ptr<const Job> job = shared->job;
    lock.unlock();
    (*job)(rank);
    job.reset(); // may be the last to refer to the session: not under the lock
    lock.lock();
    shared->busy[rank] = false;
    if (--shared->numBusy == 0)
      shared->wakeHost.notify_all();
  }
}

void Workers::start(Job job) {
  auto next = std::make_shared<const Job>(std::move(job));
  std::lock_guard<std::mutex> lock(shared->mutex);
  shared->job.swap(next);
  shared->numBusy = shared->busy.size();
  shared->busy.assign(shared->numBusy, true);
  ++shared->generation;
  shared->wakeWorkers.notify_all();
}

bool Workers::wait(const RunState &run, double grace) {
  std::shared_ptr<const Job> done; // destroyed after the lock is gone
  std::unique_lock<std::mutex> lock(shared->mutex);
  shared->wakeHost.wait(lock,
                        [&] { return shared->numBusy == 0 || run.failed(); });
  auto deadline = Clock::now() + seconds(grace);
  bool idle = shared->wakeHost.wait_until(lock, deadline,
                                          [&] { return shared->numBusy == 0; });
  done.swap(shared->job);
  return idle;
}

std::vector<size_t> Workers::busy() const {
  std::lock_guard<std::mutex> lock(shared->mutex);
  std::vector<size_t> result;
  for (size_t rank = 0; rank < shared->busy.size(); ++rank)
    if (shared->busy[rank])
      result.push_back(rank);
  return result;
}

void Workers::notify() {
  std::lock_guard<std::mutex> lock(shared->mutex);
  shared->wakeHost.notify_all();
}

void Workers::stop(double grace) {
  std::vector<bool> busy;
  {
    std::unique_lock<std::mutex> lock(shared->mutex);
    shared->stopping = true;
    shared->wakeWorkers.notify_all();
    shared->wakeHost.wait_until(lock, Clock::now() + seconds(grace),
                                [&] { return shared->numBusy == 0; });
    busy = shared->busy;
  }
  for (size_t rank = 0; rank < threads.size(); ++rank)
    if (busy[rank])
      threads[rank].detach();
    else
      threads[rank].join();
  threads.clear();
}
