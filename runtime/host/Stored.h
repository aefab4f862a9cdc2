//===- Stored.h - weights as files store them ----------------------------===//
//
// Part of tp-mlir, under the Apache License v2.0.
//
//===----------------------------------------------------------------------===//
//
// A tensor in a stored type is one sequence of blocks along its last dim, which
// is a multiple of a block; for the 16-bit floats it may end anywhere. It reads
// as f32.
//
//===----------------------------------------------------------------------===//

#ifndef TPRT_HOST_STORED_H
#define TPRT_HOST_STORED_H

#include "tprt/Dtype.h"

namespace tprt {

/// out[i] = element first + i, for i < count; of lines that are interleaved
/// too (Interleaved.h).
void widenStored(int64_t stored, const void *tensor, int64_t first,
                 int64_t count, float *out);

/// Lines of a tensor: `count` of them, each `inner` elements from element
/// `first` + i * `stride` on. All three are multiples of a block.
struct StoredLines {
  const void *tensor;
  int64_t first, stride, count, inner;
};

/// From one row to the next in StoredRows.
constexpr int64_t paddedInner(int64_t inner) { return (inner + 31) / 32 * 32; }

/// Dense rows of paddedInner(inner) elements, zero beyond `inner`.
struct StoredRows {
  const float *rows;
  int64_t count;
};

/// sums[l * rows.count + r] = the product of line l and row r. Lines lie as
/// they are stored.
void multiplyStored(int64_t stored, const StoredLines &lines,
                    const StoredRows &rows, float *sums);

} // namespace tprt

#endif // TPRT_HOST_STORED_H
