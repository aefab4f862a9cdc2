//===- Transfer.cpp - between the host's global buffers and the ranks' blocks
//-===//
//
// Part of tp-mlir, under the Apache License v2.0.
//
//===----------------------------------------------------------------------===//

#include "Transfer.h"

#include "Numeric.h"
#include "StridedCopy.h"

#include <algorithm>
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
    std::memset(local, 0, size_t(elementsOf(block) * bytes));
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

namespace {

/// The pieces of one block.
struct Pieces {
  const int64_t elementBytes, mostBytes;
  const PieceBody &body;

  void visit(Block &piece, size_t dim, int64_t before) const {
    const int64_t bytes = elementsOf(piece) * elementBytes;
    if (bytes <= mostBytes || dim == piece.size())
      return body(piece, before, bytes);
    const BlockDim whole = piece[dim];
    const int64_t row = bytes / whole.extent;
    int64_t rows = mostBytes / row;
    if (rows > wholeBlocks) // which quantised types have
      rows -= rows % wholeBlocks;
    rows = rows < 1 ? 1 : rows;
    for (int64_t i = 0; i < whole.extent; i += rows) {
      const int64_t extent = std::min(rows, whole.extent - i);
      piece[dim] = {whole.size, whole.start + i, extent};
      visit(piece, dim + 1, before + i * row);
    }
    piece[dim] = whole;
  }

  static constexpr int64_t wholeBlocks = 32;
};

} // namespace

void tprt::forEachPiece(const Block &block, int64_t elementBytes,
                        int64_t mostBytes, const PieceBody &body) {
  Block piece = block;
  Pieces{elementBytes, mostBytes, body}.visit(piece, 0, 0);
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
