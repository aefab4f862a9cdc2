//===- CollectiveShape.cpp - the geometry of collectives -----------------===//
//
// Part of tp-mlir, under the Apache License v2.0.
//
//===----------------------------------------------------------------------===//

#include "CollectiveShape.h"

#include "Checked.h"
#include "Manifest.h"
#include "Numeric.h"
#include "Reduce.h"
#include "StridedCopy.h"

#include <algorithm>
#include <cstddef>
#include <cstring>

using namespace tprt;

/// Whether the kind acts on one dim of a tensor.
static bool hasDim(int64_t kind) {
  return kind == TPRT_ALL_GATHER || kind == TPRT_REDUCE_SCATTER ||
         kind == TPRT_ALL_TO_ALL;
}

CollectiveShape::CollectiveShape(const tprt_collective_buffer &buffer)
    : elementBytes(tprt::elementBytes(buffer.dtype)), elements(1), outer(1),
      extent(1), inner(1) {
  for (int64_t d = 0; d < buffer.rank; ++d) {
    elements *= buffer.shape[d];
    (d < buffer.dim    ? outer
     : d == buffer.dim ? extent
                       : inner) *= buffer.shape[d];
  }
}

static void checkBuffer(const tprt_collective_desc &desc,
                        const tprt_collective_buffer &buffer,
                        int64_t groupSize) {
  if (buffer.rank < 0 || buffer.rank > TPRT_MAX_RANK)
    raise(TPRT_INVALID, "a tensor of ", buffer.rank, " dims");
  int64_t bytes = checkedElementBytes(buffer.dtype);
  for (int64_t d = 0; d < buffer.rank; ++d) {
    if (buffer.shape[d] < 0)
      raise(TPRT_INVALID, "a negative size, ", buffer.shape[d]);
    bytes = multiply(bytes, buffer.shape[d], "the size");
  }
  multiply(multiply(bytes, groupSize, "the size"), 2, "the size");
  if (!hasDim(desc.kind))
    return;
  int64_t split = desc.kind == TPRT_ALL_TO_ALL ? buffer.split_dim : buffer.dim;
  for (int64_t d : {buffer.dim, split})
    if (d < 0 || d >= buffer.rank)
      raise(TPRT_INVALID, "there is no dim ", d, " in a tensor of ",
            buffer.rank, " dims");
  if (desc.kind != TPRT_ALL_GATHER && buffer.shape[split] % groupSize != 0)
    raise(TPRT_INVALID, "dim ", split, " of size ", buffer.shape[split],
          " does not divide by the group's size, ", groupSize);
}

void tprt::checkReduction(int64_t reduction, int64_t dtype) {
  if (reduction < TPRT_SUM || reduction > TPRT_OR)
    raise(TPRT_INVALID, "there is no reduction ", reduction);
  bool isBitwise = reduction == TPRT_AND || reduction == TPRT_OR;
  if (isBitwise && isFloat(dtype))
    raise(TPRT_INVALID, "a bitwise reduction of ", dtypeName(dtype),
          "; it takes i8, i32 and i64");
}

void tprt::checkCollective(const tprt_collective_desc &desc,
                           int64_t groupSize) {
  if (desc.kind < TPRT_ALL_REDUCE || desc.kind > TPRT_PERMUTE)
    raise(TPRT_INVALID, "there is no collective kind ", desc.kind);
  checkReduction(desc.reduction);
  if (desc.num_buffers < 1 || desc.num_buffers > maxCollectiveBuffers)
    raise(TPRT_INVALID, desc.num_buffers, " tensors; 1 to ",
          maxCollectiveBuffers, " can travel as one");
  if (groupSize > maxGroupSize)
    raise(TPRT_UNSUPPORTED, "a group of ", groupSize, " ranks");
  for (int64_t b = 0; b < desc.num_buffers; ++b) {
    checkBuffer(desc, desc.buffers[b], groupSize);
    if (desc.kind == TPRT_ALL_REDUCE || desc.kind == TPRT_REDUCE_SCATTER)
      checkReduction(desc.reduction, desc.buffers[b].dtype);
  }
}

int64_t tprt::inputBytes(const tprt_collective_desc &desc) {
  int64_t bytes = 0;
  for (int64_t b = 0; b < desc.num_buffers; ++b)
    bytes = add(bytes, CollectiveShape(desc.buffers[b]).bytes(), "the size");
  return bytes;
}

int64_t tprt::ringBytes(const tprt_collective_desc &desc, int64_t groupSize) {
  const int64_t n = groupSize;
  if (n <= 1)
    return 0;
  const unsigned __int128 bytes = inputBytes(desc);
  switch (desc.kind) {
  case TPRT_ALL_REDUCE:
    return int64_t((2 * bytes * (n - 1) + n - 1) / n);
  case TPRT_ALL_GATHER: // (n - 1) / n of the full tensor, n times the input
    return int64_t(bytes * (n - 1));
  case TPRT_REDUCE_SCATTER:
  case TPRT_ALL_TO_ALL:
    return int64_t((bytes * (n - 1) + n - 1) / n);
  default: // permute: everything goes to one other
    return int64_t(bytes);
  }
}

int64_t tprt::descriptorBytes(const tprt_collective_desc &desc) {
  return int64_t(offsetof(tprt_collective_desc, buffers)) +
         desc.num_buffers * int64_t(sizeof(tprt_collective_buffer));
}

static bool sameBuffer(const tprt_collective_buffer &a,
                       const tprt_collective_buffer &b) {
  return a.dtype == b.dtype && a.rank == b.rank && a.dim == b.dim &&
         a.split_dim == b.split_dim &&
         std::memcmp(a.shape, b.shape, size_t(a.rank) * sizeof *a.shape) == 0;
}

bool tprt::sameCollective(const tprt_collective_desc &a,
                          const tprt_collective_desc &b) {
  if (a.kind != b.kind || a.id != b.id || a.group != b.group ||
      a.source_group != b.source_group || a.reduction != b.reduction ||
      a.num_buffers != b.num_buffers)
    return false;
  for (int64_t i = 0; i < a.num_buffers; ++i)
    if (!sameBuffer(a.buffers[i], b.buffers[i]))
      return false;
  return true;
}

std::string tprt::describeCollective(const tprt_collective_desc &desc) {
  std::string text = join(collectiveKindName(desc.kind), " ", desc.id, " of ");
  for (int64_t b = 0; b < desc.num_buffers; ++b) {
    const tprt_collective_buffer &buffer = desc.buffers[b];
    text += join(b ? ", " : "", dtypeName(buffer.dtype), " ",
                 joinSizes(std::vector<int64_t>(buffer.shape,
                                                buffer.shape + buffer.rank)));
  }
  return text;
}

ReducedPart::ReducedPart(const tprt_collective_buffer &buffer, int64_t member,
                         int64_t members) {
  CollectiveShape shape(buffer);
  // Multiples of a cache line, so that no line is written by two members.
  int64_t each = (shape.elements / members + 64) / 64 * 64;
  int64_t begin = std::min(shape.elements, each * member);
  elements = std::min(shape.elements - begin, each);
  offset = begin * shape.elementBytes;
  bytes = elements * shape.elementBytes;
}

void tprt::cutPiece(const tprt_collective_buffer &buffer, int64_t dim,
                    int64_t index, int64_t groupSize, const void *input,
                    void *piece) noexcept {
  tprt_collective_buffer along = buffer;
  along.dim = dim;
  CollectiveShape shape(along);
  const int64_t run =
      shape.extent / groupSize * shape.inner * shape.elementBytes;
  for (int64_t o = 0; o < shape.outer; ++o)
    std::memcpy(static_cast<char *>(piece) + o * run,
                static_cast<const char *>(input) +
                    (o * groupSize + index) * run,
                size_t(run));
}

static void gather(const tprt_collective_buffer &buffer, int64_t groupSize,
                   const void *const *inputs, void *output) {
  CollectiveShape shape(buffer);
  int64_t run = shape.extent * shape.inner * shape.elementBytes;
  for (int64_t i = 0; i < groupSize; ++i) {
    const char *from = static_cast<const char *>(inputs[i]);
    char *to = static_cast<char *>(output) + i * run;
    for (int64_t o = 0; o < shape.outer; ++o)
      std::memcpy(to + o * groupSize * run, from + o * run, size_t(run));
  }
}

static void reduceScatter(const tprt_collective_desc &desc,
                          const tprt_collective_buffer &buffer, int64_t index,
                          int64_t groupSize, const void *const *inputs,
                          void *output) {
  CollectiveShape shape(buffer);
  int64_t run = shape.extent / groupSize * shape.inner;
  int64_t runBytes = run * shape.elementBytes;
  const void *sources[maxGroupSize];
  for (int64_t o = 0; o < shape.outer; ++o) {
    char *to = static_cast<char *>(output) + o * runBytes;
    int64_t from = (o * groupSize + index) * runBytes;
    for (int64_t i = 0; i < groupSize; ++i)
      sources[i] = static_cast<const char *>(inputs[i]) + from;
    reduceInOrder(buffer.dtype, desc.reduction, sources, groupSize, run, to);
  }
}

static void allToAll(const tprt_collective_buffer &buffer, int64_t index,
                     int64_t groupSize, const void *const *inputs,
                     void *output) {
  const int64_t rank = buffer.rank, split = buffer.split_dim;
  CopyDim dims[TPRT_MAX_RANK];
  int64_t source = 1, target = 1;
  for (int64_t d = rank - 1; d >= 0; --d) {
    int64_t extent = buffer.shape[d] / (d == split ? groupSize : 1);
    dims[d] = {extent, source, target};
    source *= buffer.shape[d];
    target *= extent * (d == buffer.dim ? groupSize : 1);
  }
  const int64_t bytes = elementBytes(buffer.dtype);
  int64_t from = index * dims[split].extent * dims[split].sourceStride * bytes;
  const CopyDim &grown = dims[buffer.dim];
  for (int64_t i = 0; i < groupSize; ++i)
    stridedCopy(bytes, dims, rank, static_cast<const char *>(inputs[i]) + from,
                static_cast<char *>(output) +
                    i * grown.extent * grown.targetStride * bytes);
}

void tprt::combine(const tprt_collective_desc &desc, int64_t b, int64_t index,
                   int64_t source, int64_t groupSize, const void *const *inputs,
                   void *output) noexcept {
  const tprt_collective_buffer &buffer = desc.buffers[b];
  switch (desc.kind) {
  case TPRT_ALL_GATHER:
    return gather(buffer, groupSize, inputs, output);
  case TPRT_REDUCE_SCATTER:
    return reduceScatter(desc, buffer, index, groupSize, inputs, output);
  case TPRT_ALL_TO_ALL:
    return allToAll(buffer, index, groupSize, inputs, output);
  case TPRT_PERMUTE:
    if (size_t bytes = size_t(CollectiveShape(buffer).bytes()))
      std::memcpy(output, inputs[source], bytes);
    return;
  default: // checkCollective() lets no other pass.
    return;
  }
}
