//===- StridedCopy.h - copies between any two layouts --------------------===//
//
// Part of tp-mlir, under the Apache License v2.0.
//
//===----------------------------------------------------------------------===//

#ifndef TPRT_HOST_STRIDEDCOPY_H
#define TPRT_HOST_STRIDEDCOPY_H

#include <cstdint>

namespace tprt {

/// One dim of a copy; strides in elements.
struct CopyDim {
  int64_t extent, sourceStride, targetStride;
};

/// Most dims that stridedCopy takes.
constexpr int64_t maxCopyDims = 16;

/// target[sum i * targetStride] = source[sum i * sourceStride] for every index.
/// The targets must be distinct and must not overlap the sources. Allocates
/// nothing and throws nothing.
void stridedCopy(int64_t elementBytes, const CopyDim *dims, int64_t numDims,
                 const void *source, void *target) noexcept;

} // namespace tprt

#endif // TPRT_HOST_STRIDEDCOPY_H
