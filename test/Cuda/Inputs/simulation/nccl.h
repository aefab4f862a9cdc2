//===- nccl.h - collectives on a simulated GPU ----------------------------===//
//
// Part of tp-mlir, under the Apache License v2.0.
//
//===----------------------------------------------------------------------===//
//
// They are those of the CPU runtime, on whose ranks the simulation runs.
//
//===----------------------------------------------------------------------===//

#ifndef SIMULATION_NCCL_H
#define SIMULATION_NCCL_H

#include "cuda_runtime.h"
#include "tprt/tprt.h"

typedef enum { ncclSuccess } ncclResult_t;
typedef enum {
  ncclFloat32,
  ncclFloat64,
  ncclBfloat16,
  ncclFloat16,
  ncclInt32,
  ncclInt64
} ncclDataType_t;
typedef enum { ncclSum, ncclMax, ncclMin, ncclProd } ncclRedOp_t;
struct ncclUniqueId {};

struct SimulatedCommunicator {
  tprt_rank *rank;
  int64_t group, size;
  int64_t *next; ///< the id of the next collective: they are numbered in order
};
typedef SimulatedCommunicator *ncclComm_t;

inline const char *ncclGetErrorString(ncclResult_t) { return "simulated"; }
inline ncclResult_t ncclCommInitRank(ncclComm_t *, int, ncclUniqueId, int) {
  return ncclSuccess;
}
inline ncclResult_t ncclCommSplit(ncclComm_t, int, int, ncclComm_t *, void *) {
  return ncclSuccess;
}
inline ncclResult_t ncclCommDestroy(ncclComm_t) { return ncclSuccess; }

/// The calls of a group travel as one, as the program has it.
struct SimulatedGroup {
  bool open = false;
  ncclComm_t communicator = nullptr;
  tprt_collective_desc desc = {};
  const void *sends[4];
  void *receives[4];

  void run() {
    if (desc.num_buffers > 0) {
      desc.id = (*communicator->next)++;
      tprt_collective(communicator->rank, &desc, sends, receives);
    }
    desc = {};
  }
};
inline thread_local SimulatedGroup simulatedGroup;

inline ncclResult_t ncclGroupStart() {
  simulatedGroup.open = true;
  return ncclSuccess;
}
inline ncclResult_t ncclGroupEnd() {
  simulatedGroup.open = false;
  simulatedGroup.run();
  return ncclSuccess;
}

inline ncclResult_t simulateCollective(tprt_collective_kind kind,
                                       const void *send, void *receive,
                                       int64_t count, ncclDataType_t type,
                                       ncclRedOp_t operation,
                                       ncclComm_t communicator) {
  const int64_t reductions[] = {TPRT_SUM, TPRT_MAX, TPRT_MIN, TPRT_PRODUCT};
  SimulatedGroup &group = simulatedGroup;
  group.communicator = communicator;
  group.desc.kind = kind;
  group.desc.reduction = reductions[operation];
  group.desc.group = communicator->group;
  const int64_t i = group.desc.num_buffers++;
  // The types of tprt.h are in the same order.
  group.desc.buffers[i] = {int64_t(type), 1, {count}, 0, 0};
  group.sends[i] = send;
  group.receives[i] = receive;
  if (!group.open)
    group.run();
  return ncclSuccess;
}
inline ncclResult_t ncclAllReduce(const void *send, void *receive, size_t count,
                                  ncclDataType_t type, ncclRedOp_t operation,
                                  ncclComm_t communicator, cudaStream_t) {
  return simulateCollective(TPRT_ALL_REDUCE, send, receive, int64_t(count),
                            type, operation, communicator);
}
inline ncclResult_t ncclAllGather(const void *send, void *receive, size_t count,
                                  ncclDataType_t type, ncclComm_t communicator,
                                  cudaStream_t) {
  return simulateCollective(TPRT_ALL_GATHER, send, receive, int64_t(count),
                            type, ncclSum, communicator);
}
inline ncclResult_t ncclReduceScatter(const void *send, void *receive,
                                      size_t count, ncclDataType_t type,
                                      ncclRedOp_t operation,
                                      ncclComm_t communicator, cudaStream_t) {
  return simulateCollective(TPRT_REDUCE_SCATTER, send, receive,
                            int64_t(count) * communicator->size, type,
                            operation, communicator);
}

#endif // SIMULATION_NCCL_H
