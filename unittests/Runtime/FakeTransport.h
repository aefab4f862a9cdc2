//===- FakeTransport.h - processes that are threads, for tests ------------===//
//
// Part of tp-mlir, under the Apache License v2.0.
//
//===----------------------------------------------------------------------===//
//
// A transport whose processes are threads of the test, so that what is above it
// can be tested without a launcher, and with faults at will.
//
//===----------------------------------------------------------------------===//

#ifndef TPRT_UNITTESTS_FAKETRANSPORT_H
#define TPRT_UNITTESTS_FAKETRANSPORT_H

#include "Support.h"
#include "host/ApiGuard.h"
#include "tprt/transport.h"

namespace tprt::test {

/// What one process came to.
struct Outcome {
  tprt_status status = TPRT_OK;
  std::string message;
};

/// One process of a test.
struct Process {
  tprt_world *world = nullptr;
  int64_t rank = 0;
};

/// From now on nothing that this process sends arrives.
void cutOff(int64_t rank);

/// How many processes were told to abandon the job.
int64_t abandoned();

/// Runs a body in each of n processes that have met; an Error that it throws is
/// the outcome of its process.
std::vector<Outcome> runProcesses(int64_t count,
                                  std::function<void(Process &)> body,
                                  double timeout = 20);

/// A session on n processes, like runOnRanks; each runs the entry once.
std::vector<Outcome>
runOnProcesses(int64_t ranks, std::function<void(tprt_rank *, int64_t)> body,
               double timeout = 20);

/// The same on a mesh, with other manifests than `manifest` for some.
std::vector<Outcome> runOnProcesses(int64_t ranks,
                                    std::function<Json(int64_t)> manifest,
                                    std::function<void(tprt_rank *)> body,
                                    double timeout);

} // namespace tprt::test

#endif // TPRT_UNITTESTS_FAKETRANSPORT_H
