//===- Timeline.h - when the ops of a rank ran ----------------------------===//
//
// Part of tp-mlir, under the Apache License v2.0.
//
//===----------------------------------------------------------------------===//
//
// A program with marks says at each op that it has come so far (tprt_mark). A
// rank keeps the times, without a lock, since only its own thread comes there;
// a session makes a Chrome trace of them, docs/report.md.
//
//===----------------------------------------------------------------------===//

#ifndef TPRT_HOST_TIMELINE_H
#define TPRT_HOST_TIMELINE_H

#include "Manifest.h"
#include "RunState.h"

#include <deque>
#include <string>
#include <vector>

namespace tprt {

/// Nanoseconds of this process's clock.
inline int64_t nanosecondsNow() {
  return std::chrono::duration_cast<std::chrono::nanoseconds>(
             Clock::now().time_since_epoch())
      .count();
}

/// What one rank did in the runs of entries that ended well.
class Timeline {
public:
  struct Mark {
    int64_t time, number; ///< in nanoseconds; of its entry's marks
  };
  struct Run {
    int64_t entry, execution; ///< both count from 0
    int64_t begin, end;       ///< in nanoseconds
    int64_t firstMark;        ///< up to the next run's
  };

  /// Marks that a rank keeps at most: 16 MiB. A run that would exceed them and
  /// all after it are left out, on all ranks alike: all run the same entries.
  static constexpr size_t mostMarks = size_t(1) << 20;

  /// A run that was begun and not kept before is forgotten.
  void begin(size_t entry, int64_t execution, size_t numMarks);
  void mark(int64_t number) {
    if (recording)
      marks.push_back({nanosecondsNow(), number});
  }
  void end();
  /// The run has ended well on all ranks.
  void keep();

  const std::vector<Run> &runs() const { return kept; }
  /// Those of run number `run`, in the order of time.
  std::vector<Mark> marksOf(size_t run) const;
  int64_t leftOut() const { return numLeftOut; }

  /// As bytes for another process of the same job, and back.
  std::string pack() const;
  static Timeline unpack(const std::string &bytes, size_t &place);

private:
  std::vector<Run> kept;
  Run current = {};
  std::deque<Mark> marks; // never moves what it has
  size_t keptMarks = 0;
  int64_t numLeftOut = 0;
  bool recording = false;
};

/// How far rank 0's clock is ahead of this process's, found out twice.
struct ClockMap {
  struct Reading {
    int64_t at = 0;        ///< of this clock
    int64_t ahead = 0;     ///< nanoseconds
    int64_t roundTrip = 0; ///< in which it was found out
  };
  Reading first, last;

  /// A time of this process's clock by that of rank 0.
  int64_t map(int64_t time) const;
};

/// All that a trace needs of one rank.
struct RankTimeline {
  Timeline timeline;
  /// Bytes that the rank sends in one execution of each entry's collectives.
  std::vector<std::vector<int64_t>> bytesSent;
  ClockMap clock;
};

/// The Chrome trace of all ranks, in the form of docs/report.md. An Error if
/// compiled code has made a mark that the manifest does not have.
std::string printTimeline(const Manifest &manifest,
                          const std::vector<RankTimeline> &ranks);

} // namespace tprt

#endif // TPRT_HOST_TIMELINE_H
