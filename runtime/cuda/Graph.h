//===- Graph.h - an entry as one launch -----------------------------------===//
//
// Part of tp-mlir, under the Apache License v2.0.
//
//===----------------------------------------------------------------------===//
//
// An entry queues the same work each time that it runs on the same buffers, so
// that CUDA can keep it and queue it in one call. The first run of an entry is
// as it is; the second one is captured. It is not captured again for other
// buffers, and what cannot be captured runs as it is for good.
//
//===----------------------------------------------------------------------===//

#ifndef TPRT_CUDA_GRAPH_H
#define TPRT_CUDA_GRAPH_H

#include "Support.h"

#include <functional>
#include <utility>
#include <vector>

namespace tprt_cuda {

class EntryGraph {
public:
  /// A collective, in which so many bytes are sent.
  using Tell = std::function<void(int64_t id, int64_t bytes)>;

  EntryGraph() = default;
  EntryGraph(const EntryGraph &) = delete;
  ~EntryGraph();

  /// Queues an entry on these buffers: `queue` does it call by call. Each
  /// launch of what was captured tells of its collectives.
  tprt_status run(Rank &rank, std::vector<const void *> buffers,
                  const std::function<tprt_status()> &queue, const Tell &tell);

  /// Whether `queue` is being captured; its collectives are noted then.
  bool isCapturing() const { return capturing; }
  void note(int64_t id, int64_t bytes) { collectives.emplace_back(id, bytes); }

private:
  bool tryCapture(Rank &rank, const std::function<tprt_status()> &queue);

  enum State { New, Warm, Captured, Impossible } state = New;
  std::vector<const void *> wanted; ///< the buffers that it is for
  std::vector<std::pair<int64_t, int64_t>> collectives;
  bool capturing = false;
  cudaGraphExec_t launch = nullptr;
};

} // namespace tprt_cuda

#endif // TPRT_CUDA_GRAPH_H
