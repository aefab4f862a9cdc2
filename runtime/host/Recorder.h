//===- Recorder.h - the last collectives of a rank ------------------------===//
//
// Part of tp-mlir, under the Apache License v2.0.
//
//===----------------------------------------------------------------------===//
//
// The flight recorder of a rank that is a process: what it does now, for the
// other processes when they ask, and a ring of what it did last, for the file
// that is written when a run fails.
//
//===----------------------------------------------------------------------===//

#ifndef TPRT_HOST_RECORDER_H
#define TPRT_HOST_RECORDER_H

#include "Manifest.h"
#include "RunState.h"

#include <mutex>
#include <ostream>
#include <string>
#include <vector>

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
  /// How many collectives it remembers.
  static constexpr size_t capacity = 256;

  Recorder() : start(Clock::now()) { ring.reserve(capacity); }

  /// What the host does from here on.
  void enterHost(const char *what);

  /// The host waits for the other processes; ends with enterHost.
  void enterMeeting(const char *what);

  /// Compiled code runs from here on.
  void enterEntry(const Entry &entry, int64_t execution);

  void begin(const CollectiveInfo &collective, int64_t bytes);
  void end();

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
    bool done;
    double began, ended; ///< seconds since the start
  };
  double now() const {
    return std::chrono::duration<double>(Clock::now() - start).count();
  }

  mutable std::mutex mutex;
  const Clock::time_point start;
  Progress::Phase phase = Progress::Host;
  std::string what = "starting";
  std::string entry;
  int64_t execution = 0;
  int64_t completed = 0;
  std::vector<Record> ring; ///< collective n is at n % capacity
  size_t begun = 0;
};

} // namespace tprt

#endif // TPRT_HOST_RECORDER_H
