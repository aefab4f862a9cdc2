//===- Transfer.h - between the host's global buffers and the ranks' blocks
//-===//
//
// Part of tp-mlir, under the Apache License v2.0.
//
//===----------------------------------------------------------------------===//

#ifndef TPRT_HOST_TRANSFER_H
#define TPRT_HOST_TRANSFER_H

#include "Manifest.h"

#include <functional>
#include <vector>

namespace tprt {

/// Cuts a rank's block out of a global buffer of true sizes; padding is zero.
void cutBlock(const ValueType &type, const Block &block, const void *global,
              void *local);

/// Puts a rank's block into a global buffer of true sizes, without its padding.
void putBlock(const ValueType &type, const Block &block, const void *local,
              void *global);

/// Cuts a block into pieces that follow one another in it, each of at most so
/// many bytes and no less than an element. `body` takes a piece, the bytes in
/// front of it and its own.
using PieceBody =
    std::function<void(const Block &piece, int64_t before, int64_t bytes)>;
void forEachPiece(const Block &block, int64_t elementBytes, int64_t mostBytes,
                  const PieceBody &body);

/// One rank for each block of a tensor: the lowest of those that hold it.
std::vector<int64_t> blockOwners(const Mesh &mesh,
                                 const std::vector<Dim> &dims);

} // namespace tprt

#endif // TPRT_HOST_TRANSFER_H
