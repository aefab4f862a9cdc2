//===- Groups.cpp - who is in a group of ranks ----------------------------===//
//
// Part of tp-mlir, under the Apache License v2.0.
//
//===----------------------------------------------------------------------===//

#include "Groups.h"

#include "tprt/Dtype.h"

using namespace tprt_cuda;

int64_t tprt_cuda::sizeOf(const Group &group) {
  int64_t size = 1;
  for (int64_t i = 0; i < group.count; ++i)
    size *= group.parts[i].size;
  return size;
}

int64_t tprt_cuda::coordinateOf(const Group &group, int64_t rank) {
  int64_t coordinate = 0;
  for (int64_t i = 0; i < group.count; ++i) {
    const Part &part = group.parts[i];
    coordinate = coordinate * part.size + rank / part.divisor % part.size;
  }
  return coordinate;
}

int64_t tprt_cuda::memberOf(const Group &group, int64_t rank, int64_t index) {
  for (int64_t i = group.count - 1; i >= 0; --i) {
    const Part &part = group.parts[i];
    const int64_t mine = rank / part.divisor % part.size;
    rank += (index % part.size - mine) * part.divisor;
    index /= part.size;
  }
  return rank;
}

int64_t tprt_cuda::bytesOf(tprt_dtype type) {
  return int64_t(tprt::elementBytes(type));
}

int64_t tprt_cuda::bytesSent(const Collective &what, int64_t n) {
  if (n <= 1)
    return 0;
  int64_t blocks = 0;
  for (int64_t i = 0; i < what.numBuffers; ++i)
    blocks += what.buffers[i].count * bytesOf(what.buffers[i].type);
  switch (what.kind) {
  case TPRT_ALL_REDUCE:
    return (2 * blocks * (n - 1) + n - 1) / n;
  case TPRT_PERMUTE:
    return blocks;
  default: // all but one of the blocks, each once
    return blocks * (n - 1);
  }
}
