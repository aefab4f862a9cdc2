//===- Verdict.h - why a run of several processes failed ------------------===//
//
// Part of tp-mlir, under the Apache License v2.0.
//
//===----------------------------------------------------------------------===//

#ifndef TPRT_HOST_VERDICT_H
#define TPRT_HOST_VERDICT_H

#include "Recorder.h"

#include <string>
#include <vector>

namespace tprt {

/// What a process tells another of itself.
struct Notice {
  enum Kind : int64_t {
    Question, ///< asks for a Status
    Status,
    Alarm,   ///< the run has failed; everybody answers with one of his own
    Settled, ///< to those who said nothing: the verdict is there without them
    Leave    ///< to oneself: nobody listens any more
  };
  enum Cause : int64_t {
    Told,      ///< by another's alarm
    Waited,    ///< somebody did not come in time
    Signal,    ///< the launcher ends this process
    HostError, ///< an error of the host's, on this rank
    Error      ///< an error whose message names the rank
  };
  int64_t kind = Status;
  int64_t rank = 0;
  int64_t cause = Told;
  int64_t status = TPRT_FAILED;
  int64_t isLast = 0; ///< of an alarm: this rank will find no other error
  /// Of a Status: how many waits lead from here to a rank that is busy.
  int64_t distance = 0;
  Progress progress;
  char message[640] = {};
};

struct Verdict {
  tprt_status status = TPRT_FAILED;
  std::string message;
  int64_t spokesman = 0; ///< the rank that tells the user
};

/// From the alarms of the ranks (null: none came from that rank) to one message
/// that is the same on every rank that heard the same. An error wins over ranks
/// that are silent, and these over ranks that are late.
Verdict conclude(const std::vector<const Notice *> &alarms, double timeout);

} // namespace tprt

#endif // TPRT_HOST_VERDICT_H
