//===- Attentions.h - attention by a library, where it takes it -----------===//
//
// Part of tp-mlir, under the Apache License v2.0.
//
//===----------------------------------------------------------------------===//

#ifndef TPRT_CUDA_ATTENTIONS_H
#define TPRT_CUDA_ATTENTIONS_H

#include "Cudnn.h"

#include <atomic>
#include <map>
#include <optional>
#include <vector>

namespace tprt_cuda {

/// What cuDNN is asked for, or nothing if the call has what it has not: other
/// types, a window without causality.
std::optional<SdpaShape> sdpaShapeOf(const Attention &what);

/// The attention of a program on one rank: a plan for each shape, made at its
/// first call and kept.
class Attentions {
public:
  /// With TPRT_CUDNN=0 in the environment there is no cuDNN.
  Attentions();
  Attentions(const Attentions &) = delete;
  ~Attentions();

  /// See Host::attend. What cuDNN does not take, or has failed at, is the
  /// program's from then on.
  tprt_status queue(Rank *rank, const Attention &what, bool *isQueued);

  /// "attention by cuDNN 9.19.0", or why it is not.
  std::string describe() const;

private:
  struct Planned {
    std::unique_ptr<SdpaPlan> plan; ///< none: cuDNN does not take it
    void *workspace = nullptr;
    int32_t *lengths = nullptr; ///< of queries, then of keys
  };
  Planned make(const Rank &rank, const SdpaShape &shape);

  std::string why; ///< there is no cuDNN
  std::unique_ptr<Cudnn> cudnn;
  /// By all numbers of the shape.
  std::map<std::vector<int64_t>, Planned> plans;
  std::atomic<int64_t> refused{0};
};

} // namespace tprt_cuda

#endif // TPRT_CUDA_ATTENTIONS_H
