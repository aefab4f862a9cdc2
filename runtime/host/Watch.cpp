//===- Watch.cpp - why a run of several processes fails, and its end ------===//
//
// Part of tp-mlir, under the Apache License v2.0.
//
//===----------------------------------------------------------------------===//
//
// The thread beside the ranks'. It answers questions while this process
// computes, limits what may block, and after an alarm hears the others' alarms
// for a moment, comes to the verdict and writes the flight recorder. If the
// process has not ended by itself soon after, the watch ends it.
//
//===----------------------------------------------------------------------===//

#include "World.h"

#include <algorithm>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <nlohmann/json.hpp>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

using namespace tprt;

/// How long the others' alarms are waited for: on a busy machine a process may
/// not run for seconds. After SIGTERM a launcher gives no more than a second.
static double hearingOf(double timeoutSeconds) {
  return std::max(1.0, timeoutSeconds / 6);
}
static constexpr double hearingAfterSignal = 0.3;

/// How long one is waited for that was told while it computed.
static constexpr double computing = 1;

/// How long it may at least take until all processes have been started.
static constexpr double joining = 30;

/// How long the process may take to end by itself after the verdict.
static constexpr double ending = 2, endingAfterSignal = 0.2;

static Clock::duration seconds(double count) {
  return std::chrono::duration_cast<Clock::duration>(
      std::chrono::duration<double>(count));
}

//===----------------------------------------------------------------------===//
// The signal
//===----------------------------------------------------------------------===//

static volatile std::sig_atomic_t terminated = 0;

static struct sigaction before = {}; ///< the host's own action

static void noteSignal(int) { terminated = 1; }

/// A launcher ends what is left of a job with SIGTERM, a moment before it ends
/// it for good: long enough to say why. Then it is the host's turn.
static void watchSignal() {
  struct sigaction old = {};
  if (sigaction(SIGTERM, nullptr, &old) != 0 || old.sa_handler == SIG_IGN ||
      old.sa_handler == noteSignal)
    return;
  before = old;
  struct sigaction action = {};
  action.sa_handler = noteSignal;
  sigaction(SIGTERM, &action, nullptr);
}

/// What would have happened without the watch.
static void passSignalOn() {
  sigaction(SIGTERM, &before, nullptr);
  ::raise(SIGTERM);
}

/// A launcher that ends a job may drop what it has not yet read of it.
static void drainErrors() {
  std::fflush(stderr);
  int unread = 1;
  for (int i = 0; i < 50 && unread > 0; ++i) {
    if (ioctl(STDERR_FILENO, FIONREAD, &unread) != 0)
      return;
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  }
  // What it has read it has still to pass on.
  std::this_thread::sleep_for(std::chrono::milliseconds(50));
}

//===----------------------------------------------------------------------===//
// The thread
//===----------------------------------------------------------------------===//

void World::watch() {
  if (launch.size > 1)
    watchSignal();
  std::unique_lock<std::mutex> lock(mutex);
  while (!stopping) {
    lock.unlock();
    watchBlocking();
    std::string trouble;
    {
      std::unique_lock<std::mutex> transfer(io, std::try_to_lock);
      try {
        if (transfer && listening)
          pollControl();
      } catch (const Error &error) {
        trouble = error.what();
      }
    }
    if (!trouble.empty())
      alarm(Notice::HostError, TPRT_FAILED, trouble);
    if (terminated && joined && !failed())
      alarm(Notice::Signal, TPRT_FAILED, "SIGTERM");
    watchFailure();
    lock.lock();
    changed.wait_for(lock, std::chrono::milliseconds(10),
                     [this] { return stopping; });
  }
}

void World::watchBlocking() {
  // Time in which this process was stopped does not count.
  const auto now = Clock::now();
  if (now - watchedAt > seconds(timeoutSeconds / 8))
    blockedSince += (now - watchedAt).count();
  watchedAt = now;
  const char *what = blockedIn;
  if (!what)
    return;
  auto since = Clock::time_point(Clock::duration(blockedSince.load()));
  double limit = joined ? timeoutSeconds : std::max(timeoutSeconds, joining);
  // One tells, after which the launcher takes a moment to end the others; the
  // next does if that one cannot.
  double patience = limit + 3 * double(std::min<int64_t>(launch.rank, 10));
  if (now < since + seconds(patience))
    return;
  std::string message = join("rank ", launch.rank, ": waited ", limit,
                             " s for the other processes while ", what);
  std::fprintf(stderr, "error: %s\n", message.c_str());
  drainErrors();
  transport.abandon(1);
}

//===----------------------------------------------------------------------===//
// Alarms
//===----------------------------------------------------------------------===//

/// To all, with `io` held.
void World::tellOwn() {
  alarms[size_t(rank())] = own;
  for (int64_t to = 0; to < size(); ++to)
    if (to != rank())
      post(Notice::Alarm, to);
}

void World::alarm(Notice::Cause cause, tprt_status status,
                  const std::string &message) {
  std::lock_guard<std::mutex> lock(io);
  // An error of one's own is told even if the run has failed elsewhere: it may
  // be the same, and then it is nobody's in particular.
  const bool isError = (cause == Notice::Error || cause == Notice::HostError) &&
                       status != TPRT_ELSEWHERE;
  const bool isNews = isError && own.cause == Notice::Told && !isSettled;
  if (failed() && !isNews)
    return;
  own = describeSelf(Notice::Alarm);
  own.cause = cause;
  own.status = status;
  message.copy(own.message, sizeof own.message - 1);
  if (!failed())
    alarmedAt = Clock::now();
  tellOwn();
  alarmed.store(true, std::memory_order_release);
  if (attached)
    attached->fail(status, message);
}

/// Whether nobody has more to say: one that was told may find an error of its
/// own. Compiled code does so soon or not at all.
bool World::heardAll() const {
  const bool isEarly = Clock::now() < alarmedAt + seconds(computing);
  for (const std::optional<Notice> &alarm : alarms)
    if (!alarm || (alarm->cause == Notice::Told && !alarm->isLast &&
                   (isEarly || alarm->progress.phase == Progress::Host ||
                    alarm->progress.phase == Progress::Meeting)))
      return false;
  return true;
}

/// The host has come to its end without an error of its own.
void World::tellLast() {
  std::lock_guard<std::mutex> lock(io);
  if (own.cause != Notice::Told || own.isLast || isSettled)
    return;
  own.isLast = 1;
  tellOwn();
}

void World::watchFailure() {
  bool isTold = false;
  if (!failed()) {
    std::unique_lock<std::mutex> lock(io, std::try_to_lock);
    if (lock)
      for (const std::optional<Notice> &alarm : alarms)
        isTold |= alarm.has_value();
  }
  if (isTold)
    alarm(Notice::Told, TPRT_ELSEWHERE, "the run failed elsewhere");
  if (!failed())
    return;
  std::unique_lock<std::mutex> lock(mutex);
  const bool isOver = outcome != nullptr;
  lock.unlock();
  if (!isOver)
    return settle();
  if (Clock::now() <
      settledAt + seconds(terminated ? endingAfterSignal : ending))
    return;
  lock.lock();
  bool isMine = outcome->spokesman == rank() && !told;
  std::string message = outcome->message;
  lock.unlock();
  if (isMine)
    std::fprintf(stderr, "error: %s\n", message.c_str());
  endProcess();
}

void World::settle() {
  Verdict verdict;
  {
    std::lock_guard<std::mutex> lock(io);
    // One that was stopped finds here what the others did without it.
    while (pollControl()) {
    }
    double patience =
        terminated ? hearingAfterSignal : hearingOf(timeoutSeconds);
    if (!settledBy && !heardAll() &&
        Clock::now() < alarmedAt + seconds(patience))
      return;
    std::vector<const Notice *> heard;
    for (const std::optional<Notice> &alarm : alarms)
      heard.push_back(alarm ? &*alarm : nullptr);
    verdict = conclude(heard, timeoutSeconds);
    isSettled = true;
    if (settledBy)
      verdict.spokesman = *settledBy;
    for (int64_t to = 0; to < size(); ++to)
      if (!alarms[size_t(to)])
        post(Notice::Settled, to);
  }
  std::string file = writeRecorder();
  if (!file.empty())
    verdict.message += "; the last collectives are in " + file;
  std::lock_guard<std::mutex> lock(mutex);
  settledAt = Clock::now();
  outcome = std::make_unique<const Verdict>(std::move(verdict));
  changed.notify_all();
}

const Verdict &World::verdict() {
  tellLast();
  std::unique_lock<std::mutex> lock(mutex);
  changed.wait(lock, [this] { return outcome != nullptr; });
  told = true;
  return *outcome;
}

void World::endProcess() {
  {
    std::lock_guard<std::mutex> lock(mutex);
    if (ended)
      return;
    ended = true;
    changed.notify_all();
  }
  drainErrors();
  if (terminated)
    passSignalOn();
  // Not while another thread is in the transport, unless it stays there.
  std::unique_lock<std::mutex> lock(io, std::defer_lock);
  for (int i = 0; i < 20 && !lock.try_lock(); ++i)
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  transport.abandon(1);
}

//===----------------------------------------------------------------------===//
// The flight recorder
//===----------------------------------------------------------------------===//

/// Writes this rank's file into the folder of this run; gives the folder, or
/// nothing if there was nothing to write or it could not be written.
std::string World::writeRecorder() const {
  if (recorder.empty())
    return "";
  const char *place = std::getenv("TPRT_FLIGHT_DIR");
  const char *temporary = std::getenv("TMPDIR");
  std::string folder = join(place       ? place
                            : temporary ? temporary
                                        : "/tmp",
                            "/", job);
  mkdir(folder.c_str(), 0700); // The other ranks of this machine do it too.
  std::string path = join(folder, "/rank-", rank(), ".jsonl");
  std::ofstream file(path + ".tmp");
  nlohmann::ordered_json head = {{"rank", rank()},
                                 {"ranks", size()},
                                 {"transport", endpoint.description},
                                 {"now", recorder.progress().describe()},
                                 {"message", own.message}};
  file << head.dump(-1, ' ', true,
                    nlohmann::ordered_json::error_handler_t::replace)
       << '\n';
  recorder.write(file);
  file.close();
  if (!file || std::rename((path + ".tmp").c_str(), path.c_str()) != 0)
    return "";
  return folder;
}
