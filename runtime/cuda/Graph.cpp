//===- Graph.cpp - an entry as one launch ---------------------------------===//
//
// Part of tp-mlir, under the Apache License v2.0.
//
//===----------------------------------------------------------------------===//

#include "Graph.h"

using namespace tprt_cuda;

EntryGraph::~EntryGraph() {
  if (launch)
    cudaGraphExecDestroy(launch);
}

/// False if CUDA, or a library, cannot; nothing is queued in any case.
bool EntryGraph::tryCapture(Rank &rank,
                            const std::function<tprt_status()> &queue) {
  if (cudaStreamBeginCapture(rank.compute, cudaStreamCaptureModeThreadLocal) !=
      cudaSuccess)
    return false;
  capturing = true;
  bool good = queue() == TPRT_OK;
  capturing = false;
  cudaGraph_t graph = nullptr;
  good &= cudaStreamEndCapture(rank.compute, &graph) == cudaSuccess;
  good =
      good && cudaGraphInstantiateWithFlags(&launch, graph, 0) == cudaSuccess;
  if (graph)
    cudaGraphDestroy(graph);
  return good;
}

tprt_status EntryGraph::run(Rank &rank, std::vector<const void *> buffers,
                            const std::function<tprt_status()> &queue,
                            const Tell &tell) {
  if (state == New) {
    wanted = std::move(buffers);
    state = Warm;
    return queue();
  }
  if (state == Impossible || buffers != wanted)
    return queue();
  if (state == Warm) {
    state = tryCapture(rank, queue) ? Captured : Impossible;
    if (state == Impossible) {
      cudaGetLastError(); // what it was does not concern the run
      rank.status = TPRT_OK;
      rank.message[0] = '\0';
      return queue();
    }
  }
  for (const auto &[id, bytes] : collectives)
    tell(id, bytes);
  TPRT_CUDA(&rank, cudaGraphLaunch(launch, rank.compute));
  return TPRT_OK;
}
