//===- Cudnn.h - attention by cuDNN's graph API ---------------------------===//
//
// Part of tp-mlir, under the Apache License v2.0.
//
//===----------------------------------------------------------------------===//
//
// cuDNN is opened at run time: the plugin is not linked to it and does without.
//
//===----------------------------------------------------------------------===//

#ifndef TPRT_CUDA_CUDNN_H
#define TPRT_CUDA_CUDNN_H

#include "Support.h"

#include <memory>
#include <string>

namespace tprt_cuda {

/// softmax(cap(scale * Q K^T) + mask) V with f32 inside. Heads of Q are those
/// of K and V, each as often as there are more, one after the other.
struct SdpaShape {
  tprt_dtype type; ///< of all four, TPRT_BF16 or TPRT_F16
  int64_t batch, heads, kvHeads, queries, keys, headDim;
  /// In elements, of (sequence, head, position, element). O lies as Q does and
  /// V as K does.
  int64_t queryStrides[4], keyStrides[4];
  double scale;
  double softCap; ///< if c > 0, cap(x) is c tanh(x / c)
  /// Query i sees keys up to i, or up to i plus what there are more keys than
  /// queries.
  enum Mask { Everything, TopLeft, BottomRight } mask;
  int64_t window; ///< so many of the last that it sees, or 0
  /// There are fewer queries and keys in truth, which the GPU knows. What comes
  /// out for the queries beyond means nothing.
  bool hasLengths;
};

/// A shape, ready to be queued.
class SdpaPlan {
public:
  virtual ~SdpaPlan() = default;

  /// Bytes on the GPU that every call needs.
  virtual int64_t workspaceBytes() const = 0;

  struct Buffers {
    const void *q, *k, *v;
    const int32_t *queryLengths, *keyLengths; ///< of each sequence, or null
    void *out, *workspace;
  };
  /// On the stream that it was planned for. False, and why, if it was not
  /// queued.
  virtual bool queue(const Buffers &buffers, std::string &why) = 0;
};

/// One rank's.
class Cudnn {
public:
  virtual ~Cudnn() = default;

  /// Null, and why, if it cannot be had.
  static std::unique_ptr<Cudnn> open(std::string &why);

  /// "9.19.0".
  virtual std::string version() const = 0;

  /// For the current GPU. Null, and why, if cuDNN has nothing for the shape.
  virtual std::unique_ptr<SdpaPlan>
  plan(const SdpaShape &shape, cudaStream_t stream, std::string &why) = 0;

  /// Whether it takes the shape on the GPU that is described, in cuDNN's JSON;
  /// needs no GPU. If not, why.
  virtual bool takes(const SdpaShape &shape, const std::string &device,
                     std::string &why) = 0;
};

} // namespace tprt_cuda

#endif // TPRT_CUDA_CUDNN_H
