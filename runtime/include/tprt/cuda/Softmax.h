//===- Softmax.h - weights relative to a running maximum ------------------===//
//
// Part of tp-mlir, under the Apache License v2.0.
//
//===----------------------------------------------------------------------===//

#ifndef TPRT_CUDA_SOFTMAX_H
#define TPRT_CUDA_SOFTMAX_H

#include "tprt/cuda/Vector.h"

namespace tprt_cuda {

/// exp(x - maximum), 0 for what is not there; NaN stays NaN.
template <typename W> TPRT_DEVICE W weightOf(W x, W maximum) {
  return x == W(-INFINITY) ? W(0) : ::exp(x - maximum);
}
/// NaN is passed over: it comes out of weightOf.
template <typename W> TPRT_DEVICE W largerOf(W a, W b) { return b > a ? b : a; }

} // namespace tprt_cuda

#endif // TPRT_CUDA_SOFTMAX_H
