//===- World.h - this process among those it was launched with ------------===//
//
// Part of tp-mlir, under the Apache License v2.0.
//
//===----------------------------------------------------------------------===//
//
// Everything that processes do with one another goes through here. No wait is
// without an end: each looks at the messages, at whether the run has failed
// elsewhere and at its deadline. A thread beside the ranks', the watch, answers
// the other processes while this one computes, and decides with them why a run
// failed (Watch.cpp): all hear the same alarms and come to the same verdict,
// which one of them tells the user; then the job ends, on every process.
//
//===----------------------------------------------------------------------===//

#ifndef TPRT_HOST_WORLD_H
#define TPRT_HOST_WORLD_H

#include "Launch.h"
#include "Recorder.h"
#include "Verdict.h"
#include "tprt/transport.h"

#include <atomic>
#include <condition_variable>
#include <functional>
#include <list>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

namespace tprt {

class World;

/// Messages that begin together and are waited for together. Channel members
/// are named by their place in the channel, messages by the rank that they
/// come from or go to.
class Transfers {
public:
  explicit Transfers(World &world) : world(world) {}
  ~Transfers();
  Transfers(const Transfers &) = delete;

  /// Memory that lives as long as a message may need it.
  char *keep(size_t bytes);

  /// Bytes beyond the largest message go in several. A piece that is received
  /// may be smaller than `bytes` only if `bytes` fits one message.
  void send(tprt_channel *channel, int64_t member, int64_t rank, int64_t tag,
            const void *data, int64_t bytes);
  void receive(tprt_channel *channel, int64_t member, int64_t rank, int64_t tag,
               void *data, int64_t bytes);

  /// Strict: a rank that does not come in time fails the run. Patient: not as
  /// long as it answers and is busy, up to ten times as long.
  enum Patience { Strict, Patient };

  /// Until all are done; an Error if they are not in time, or if the run has
  /// failed elsewhere.
  void wait(Patience patience);

private:
  /// Begins a message in pieces that the transport takes; `begin` takes where
  /// one starts and its size.
  template <typename Begin>
  void inPieces(int64_t rank, bool isReceive, int64_t bytes, Begin &&begin);

  friend class World;
  struct Limits;
  bool testAll();
  void bePatient(Limits &limits);

  struct Open {
    tprt_request *request;
    int64_t rank;
    bool isReceive;
  };
  World &world;
  std::vector<Open> open;
  int64_t bytesBegun = 0;
  std::list<std::vector<char>> kept;
};

class World {
public:
  /// Joins the other processes; introduce() comes next. An Error if their
  /// number is not the launch's.
  World(const tprt_transport &transport, const Launch &launch, double timeout);
  ~World();
  World(const World &) = delete;

  /// The first words with the others.
  void introduce();

  int64_t rank() const { return endpoint.rank; }
  int64_t size() const { return endpoint.size; }
  int64_t localRank() const { return launch.localRank; }
  int64_t localSize() const { return launch.localSize; }
  double timeout() const { return timeoutSeconds; }
  const char *description() const { return endpoint.description; }
  tprt_channel *everybody() const { return endpoint.world; }

  /// Every process, in the same order: those of one colour, ordered by key.
  tprt_channel *split(int64_t color, int64_t key);

  Recorder recorder;

  //===--------------------------------------------------------------------===//
  // Exchanges of the host: every process calls them, in the same order
  //===--------------------------------------------------------------------===//

  /// Everybody's text on rank 0, nothing elsewhere. `what` is for messages.
  std::vector<std::string> gather(const std::string &mine, const char *what);

  /// From rank 0 to all.
  void broadcast(void *data, int64_t bytes, const char *what);

  /// Rank 0 judges everybody's text; if its answer is not empty that is an
  /// Error everywhere.
  using Judge = std::function<std::string(const std::vector<std::string> &)>;
  void check(const std::string &mine, const Judge &judge, const char *what);

  //===--------------------------------------------------------------------===//
  // The end
  //===--------------------------------------------------------------------===//

  bool failed() const { return alarmed.load(std::memory_order_acquire); }

  /// Fails this state when the run fails elsewhere. Null: none any more.
  void attach(RunState *state);

  /// Alarms everybody, unless that has happened.
  void alarm(Notice::Cause cause, tprt_status status,
             const std::string &message);

  /// After an alarm: the verdict, once it is there. The process ends two
  /// seconds later, if it does not do so by itself.
  const Verdict &verdict();
  bool isSpokesman() { return verdict().spokesman == rank(); }

  /// With 0, waits until all have come so far and leaves; otherwise ends the
  /// job everywhere, as soon as the spokesman has spoken.
  void close(int code);

private:
  friend class Transfers;

  /// A call of the transport that may block, which the watch limits.
  class Blocking;

  void start();
  void checkSize() const;
  void call(tprt_status status, const tprt_error &error) const;
  /// Whether anything was heard.
  bool pollControl();
  void handle(const Notice &notice);
  void listen();
  void post(Notice::Kind kind, int64_t rank);
  Notice describeSelf(Notice::Kind kind) const;
  void askAbout(const std::vector<Transfers::Open> &open);
  bool areBusy(const std::vector<Transfers::Open> &open);
  [[noreturn]] void giveUp(const std::vector<Transfers::Open> &open);
  void leave();

  // Watch.cpp
  void watch();
  void watchBlocking();
  void watchFailure();
  bool heardAll() const;
  void tellOwn();
  void tellLast();
  void settle();
  std::string writeRecorder() const;
  void endProcess();

  const tprt_transport &transport;
  const Launch launch;
  const double timeoutSeconds;
  tprt_endpoint endpoint = {};
  std::string job; ///< a name for this run, the same on all processes

  /// Held around every call of the transport, and what follows.
  mutable std::mutex io;
  struct Posted {
    Notice notice;
    tprt_request *request = nullptr;
  };
  std::list<Posted> posted;
  Notice incoming;
  tprt_request *listening = nullptr;
  bool isLeaving = false;
  struct Heard {
    Clock::time_point at = {};
    int64_t distance = 0;
  };
  std::vector<Heard> heardOf; ///< the last Status of each rank
  int64_t distance = 0;       ///< see Notice; the number of ranks is too far
  std::vector<std::optional<Notice>> alarms;
  Notice own;                             ///< what this rank's alarm says
  std::optional<int64_t> settledBy;       ///< the others, without this rank
  bool isSettled = false;                 ///< what is heard now changes nothing
  std::list<std::vector<char>> abandoned; ///< memory of messages given up
  RunState *attached = nullptr;

  std::atomic<bool> joined{false}; ///< the others can be told
  std::atomic<bool> alarmed{false};
  std::atomic<const char *> blockedIn{nullptr};
  std::atomic<int64_t> blockedSince{0};       ///< of Clock, in its own unit
  Clock::time_point watchedAt = Clock::now(); ///< the watch's last look
  Clock::time_point alarmedAt, settledAt;

  mutable std::mutex mutex; ///< of what follows
  std::condition_variable changed;
  std::unique_ptr<const Verdict> outcome;
  bool told = false; ///< the verdict was fetched
  bool ended = false;
  bool stopping = false;
  std::thread watcher;
};

} // namespace tprt

#endif // TPRT_HOST_WORLD_H
