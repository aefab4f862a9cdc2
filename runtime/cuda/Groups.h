//===- Groups.h - who is in a group of ranks ------------------------------===//
//
// Part of tp-mlir, under the Apache License v2.0.
//
//===----------------------------------------------------------------------===//

#ifndef TPRT_CUDA_GROUPS_H
#define TPRT_CUDA_GROUPS_H

#include "tprt/cuda/Rank.h"

namespace tprt_cuda {

/// How many ranks a group has; it is the same for all of its kind.
int64_t sizeOf(const Group &group);

/// A rank's index within its group.
int64_t coordinateOf(const Group &group, int64_t rank);

/// The rank of a member of the group that `rank` is in. The first member names
/// the group among those with the same parts.
int64_t memberOf(const Group &group, int64_t rank, int64_t index);

/// What a rank sends in a collective by the ring algorithms' formulas.
int64_t bytesSent(const Collective &what, int64_t groupSize);

int64_t bytesOf(tprt_dtype type);

} // namespace tprt_cuda

#endif // TPRT_CUDA_GROUPS_H
