//===- KernelsCopy.cpp - copies ------------------------------------------===//
//
// Part of tp-mlir, under the Apache License v2.0.
//
//===----------------------------------------------------------------------===//

#include "Error.h"
#include "Rank.h"
#include "StridedCopy.h"

using namespace tprt;

static_assert(TPRT_MAX_RANK <= maxCopyDims, "every copy of the ABI fits");

extern "C" void tprt_copy(tprt_rank *rank, const tprt_copy_desc *desc,
                          const void *x, void *out) {
  guarded(rank, "copy", [&] {
    if (desc->num_dims < 0 || desc->num_dims > TPRT_MAX_RANK)
      raise(TPRT_INVALID, desc->num_dims, " dims; the most is ", TPRT_MAX_RANK);
    if (desc->element_bytes < 1)
      raise(TPRT_INVALID, "elements of ", desc->element_bytes, " bytes");
    CopyDim dims[TPRT_MAX_RANK];
    for (int64_t d = 0; d < desc->num_dims; ++d) {
      dims[d] = {desc->extent[d], desc->src_stride[d], desc->dst_stride[d]};
      if (dims[d].extent < 0)
        raise(TPRT_INVALID, "a negative size, ", dims[d].extent);
      if (dims[d].extent > 1 && dims[d].targetStride == 0)
        raise(TPRT_INVALID, "dim ", d, " would write one element ",
              dims[d].extent, " times");
    }
    stridedCopy(
        desc->element_bytes, dims, desc->num_dims,
        static_cast<const char *>(x) + desc->src_offset * desc->element_bytes,
        static_cast<char *>(out) + desc->dst_offset * desc->element_bytes);
  });
}
