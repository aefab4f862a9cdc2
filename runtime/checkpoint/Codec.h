//===- Codec.h - stored elements to program elements ------------*- C++ -*-===//
//
// Part of tp-mlir, under the Apache License v2.0.
//
//===----------------------------------------------------------------------===//
//
// Elements pass through one of three carriers: double for F64, int64_t for the
// integer types, float for everything else. A decoder fills a small buffer of
// carriers from the file, a store writes it to the destination.
//
//===----------------------------------------------------------------------===//

#ifndef TPRT_CHECKPOINT_CODEC_H
#define TPRT_CHECKPOINT_CODEC_H

#include "checkpoint/Checkpoint.h"

namespace tprt::checkpoint {

/// out[i] = the element `first` + i * `step` of the tensor at `data`, for i <
/// count. Quantised tensors are counted in elements too; a run with step 1 may
/// begin and end inside a block.
template <typename Carrier>
using Decoder = void (*)(const uint8_t *data, int64_t first, int64_t step,
                         int64_t count, Carrier *out);

template <typename Carrier> Decoder<Carrier> findDecoder(StoredType type);

/// Writes values[i] to the element i * `step` at `out`, for i < count. Returns
/// the index of the first value that does not fit, or `count`.
template <typename Carrier>
using Store = int64_t (*)(const Carrier *values, int64_t count, int64_t step,
                          uint8_t *out);

/// Null if the carrier does not convert to the dtype.
template <typename Carrier> Store<Carrier> findStore(tprt_dtype dtype);

/// Decoders of the block-quantised types.
Decoder<float> findBlockDecoder(StoredType type);

/// Whether stored and program element have the same representation.
bool sameRepresentation(StoredType type, tprt_dtype dtype);

} // namespace tprt::checkpoint

#endif // TPRT_CHECKPOINT_CODEC_H
