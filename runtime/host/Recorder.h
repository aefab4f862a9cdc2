//===- Recorder.h - the last collectives of a rank ------------------------===//
//
// Part of tp-mlir, under the Apache License v2.0.
//
//===----------------------------------------------------------------------===//
//
// The flight recorder of a rank that is a process: what it does now, for the
// other processes when they ask, and what it did last, for the file
// that is written when a run fails.
//
//===----------------------------------------------------------------------===//

#ifndef TPRT_HOST_RECORDER_H
#define TPRT_HOST_RECORDER_H

#include "Manifest.h"
#include "RunState.h"

#include <deque>
#include <mutex>
#include <ostream>
#include <string>
#include <utility>

namespace tprt {

/// Where a rank is. Plain, because it travels to the other processes.
struct Progress {
  enum Phase : int64_t {
    Host,    ///< outside of compiled code: loading, reading, writing
    Meeting, ///< waits for the others outside of compiled code
    Computing,
    Exchanging ///< in a collective
  };
  int64_t phase = Host;
  int64_t step = 0;      ///< collectives completed since the start
  char what[192] = {};   ///< the collective, or what the host does
  char before[192] = {}; ///< the collective completed last
  char entry[64] = {};

  /// "in all_reduce 'x' of entry 'decode', step 12".
  std::string describe() const;
};

class Recorder {
public:
  /// How many collectives that are done it remembers.
  static constexpr size_t capacity = 256;

  Recorder() : birth(Clock::now()) {}

  /// What the host does from here on.
  void enterHost(const char *what);

  /// The host waits for the other processes; ends with enterHost.
  void enterMeeting(const char *what);

  /// Compiled code runs from here on.
  void enterEntry(const Entry &entry, int64_t execution);

  void begin(const CollectiveInfo &collective, int64_t bytes);
  void end();

  /// On a device a collective is queued long before it begins; they begin and
  /// end in this order.
  void enqueue(const CollectiveInfo &collective, int64_t bytes);
  void start();

  Progress progress() const;
  bool empty() const;

  /// A line of JSON for each collective, the oldest first.
  void write(std::ostream &os) const;

private:
  struct Record {
    int64_t step;
    std::string entry;
    int64_t execution;
    int64_t id;
    const char *kind;
    std::string name;
    int64_t bytes;
    enum { Queued, Waiting, Done } state;
    double began, ended; ///< seconds since the start
  };
  /// Of collective n, counted from 0; null: forgotten, or not known yet.
  const Record *find(int64_t n) const;
  Record *find(int64_t n) {
    return const_cast<Record *>(std::as_const(*this).find(n));
  }
  void push(const CollectiveInfo &collective, int64_t bytes);
  void startNext();
  double now() const {
    return std::chrono::duration<double>(Clock::now() - birth).count();
  }

  mutable std::mutex mutex;
  const Clock::time_point birth;
  Progress::Phase phase = Progress::Host;
  std::string what = "starting";
  std::string entry;
  int64_t execution = 0;
  int64_t queued = 0, started = 0, completed = 0;
  std::deque<Record> records; ///< the last ones, and all that are not done
};

} // namespace tprt

#endif // TPRT_HOST_RECORDER_H
