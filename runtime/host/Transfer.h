//===- Transfer.h - between the host's global buffers and the ranks' blocks
//-===//
//
// Part of tp-mlir, under the Apache License v2.0.
//
//===----------------------------------------------------------------------===//

#ifndef TPRT_HOST_TRANSFER_H
#define TPRT_HOST_TRANSFER_H

#include "Manifest.h"

#include <vector>

namespace tprt {

/// Cuts a rank's block out of a global buffer of true sizes; padding is zero.
void cutBlock(const ValueType &type, const Block &block, const void *global,
              void *local);

/// Puts a rank's block into a global buffer of true sizes, without its padding.
void putBlock(const ValueType &type, const Block &block, const void *local,
              void *global);

/// One rank for each block of a tensor: the lowest of those that hold it.
std::vector<int64_t> blockOwners(const Mesh &mesh,
                                 const std::vector<Dim> &dims);

} // namespace tprt

#endif // TPRT_HOST_TRANSFER_H
