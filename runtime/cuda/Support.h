//===- Support.h - calls of CUDA's libraries ------------------------------===//
//
// Part of tp-mlir, under the Apache License v2.0.
//
//===----------------------------------------------------------------------===//

#ifndef TPRT_CUDA_SUPPORT_H
#define TPRT_CUDA_SUPPORT_H

#include "host/Error.h"
#include "tprt/cuda/Rank.h"

#include <chrono>
#include <functional>

namespace tprt_cuda {

using tprt::join;
using tprt::raise;
using Clock = std::chrono::steady_clock;

/// An Error if a call of CUDA has failed.
inline void check(cudaError_t status, const char *call) {
  if (status != cudaSuccess)
    raise(status == cudaErrorMemoryAllocation ? TPRT_OUT_OF_MEMORY
                                              : TPRT_FAILED,
          call, ": ", cudaGetErrorString(status));
}
#define TPRT_CHECK(call) tprt_cuda::check((call), #call)

/// Whether a run that others take part in still goes well, and until when.
class Watch {
public:
  Watch(double timeoutSeconds, int64_t (*failed)(void *), void *context)
      : timeoutSeconds(timeoutSeconds), hasFailed(failed), context(context) {}

  bool failed() const { return hasFailed(context) != 0; }
  double timeout() const { return timeoutSeconds; }
  Clock::time_point deadline() const {
    return Clock::now() + std::chrono::duration_cast<Clock::duration>(
                              std::chrono::duration<double>(timeoutSeconds));
  }

private:
  double timeoutSeconds;
  int64_t (*hasFailed)(void *);
  void *context;
};

/// Waits for the end of what a stream has queued, until the deadline. `poll` is
/// called meanwhile. An Error if the GPU or the run has failed, or it is late.
void awaitStream(cudaStream_t stream, const Watch &watch,
                 Clock::time_point deadline, const std::function<void()> &poll);

} // namespace tprt_cuda

#endif // TPRT_CUDA_SUPPORT_H
