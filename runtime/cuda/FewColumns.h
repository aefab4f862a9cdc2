//===- FewColumns.h - products that are bound by one matrix ---------------===//
//
// Part of tp-mlir, under the Apache License v2.0.
//
//===----------------------------------------------------------------------===//

#ifndef TPRT_CUDA_FEWCOLUMNS_H
#define TPRT_CUDA_FEWCOLUMNS_H

#include "Support.h"

namespace tprt_cuda {

/// Whether a product is one of a matrix that lies row by row and few columns,
/// as those of a decode step are, in loads of 16 bytes.
bool isOfFewColumns(const MatmulShape &shape);

/// Queues it; see Host::multiply. In f32, added in an order that depends on the
/// shape alone.
cudaError_t queueFewColumns(const MatmulShape &shape, const void *a,
                            const void *b, bool adds, const void *bias, void *c,
                            cudaStream_t stream);

} // namespace tprt_cuda

#endif // TPRT_CUDA_FEWCOLUMNS_H
