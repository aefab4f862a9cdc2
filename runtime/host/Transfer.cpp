//===- Transfer.cpp - between the host's global buffers and the ranks' blocks
//-===//
//
// Part of tp-mlir, under the Apache License v2.0.
//
//===----------------------------------------------------------------------===//

#include "Transfer.h"

#include "Numeric.h"
#include "StridedCopy.h"

#include <cstring>
#include <set>

using namespace tprt;

namespace {

/// The true part of a block, as a copy from the global to the local layout.
struct BlockCopy {
  CopyDim dims[TPRT_MAX_RANK] = {};
  int64_t count;
  int64_t globalOffset = 0; ///< in elements
  bool empty = false;
  bool padded = false;

  explicit BlockCopy(const Block &block) : count(int64_t(block.size())) {
    int64_t global = 1, local = 1;
    for (int64_t d = count - 1; d >= 0; --d) {
      const BlockDim &dim = block[size_t(d)];
      dims[d] = {dim.valid(), global, local};
      empty |= dim.valid() == 0;
      padded |= dim.valid() != dim.extent;
      if (!empty)
        globalOffset += dim.start * global;
      global *= dim.size;
      local *= dim.extent;
    }
  }
};

} // namespace

void tprt::cutBlock(const ValueType &type, const Block &block,
                    const void *global, void *local) {
  BlockCopy copy(block);
  const int64_t bytes = elementBytes(type.dtype);
  if (copy.padded)
    std::memset(local, 0, size_t(type.localBytes()));
  if (!copy.empty)
    stridedCopy(bytes, copy.dims, copy.count,
                static_cast<const char *>(global) + copy.globalOffset * bytes,
                local);
}

void tprt::putBlock(const ValueType &type, const Block &block,
                    const void *local, void *global) {
  BlockCopy copy(block);
  const int64_t bytes = elementBytes(type.dtype);
  if (copy.empty)
    return;
  for (CopyDim &dim : copy.dims)
    std::swap(dim.sourceStride, dim.targetStride);
  stridedCopy(bytes, copy.dims, copy.count, local,
              static_cast<char *>(global) + copy.globalOffset * bytes);
}

std::vector<int64_t> tprt::blockOwners(const Mesh &mesh,
                                       const std::vector<Dim> &dims) {
  std::vector<int64_t> owners;
  std::set<std::vector<int64_t>> seen;
  for (int64_t rank = 0; rank < mesh.numRanks(); ++rank) {
    std::vector<int64_t> coordinates;
    for (const Dim &dim : dims)
      coordinates.push_back(mesh.coordinate(rank, dim.axes));
    if (seen.insert(std::move(coordinates)).second)
      owners.push_back(rank);
  }
  return owners;
}
