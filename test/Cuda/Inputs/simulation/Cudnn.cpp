//===- Cudnn.cpp - attention by cuDNN, simulated --------------------------===//
//
// Part of tp-mlir, under the Apache License v2.0.
//
//===----------------------------------------------------------------------===//
//
// What cuDNN's documentation says that it computes, in the words of Cudnn.h.
// SIMULATED_CUDNN=1 says that there is one; it refuses heads of an odd number
// of elements, and with SIMULATED_CUDNN=2 fails at what it took.
// SIMULATED_CUDNN_LOG=1 tells of each plan that is made.
//
//===----------------------------------------------------------------------===//

#include "cuda/Cudnn.h"
#include "tprt/cuda/Vector.h"

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <vector>

using namespace tprt_cuda;

namespace {

int64_t indexOf(const int64_t (&strides)[4], int64_t sequence, int64_t head,
                int64_t position) {
  return sequence * strides[0] + head * strides[1] + position * strides[2];
}

template <typename T>
void attendOne(const SdpaShape &shape, const SdpaPlan::Buffers &buffers,
               int64_t sequence, int64_t head, int64_t query) {
  const T *q = static_cast<const T *>(buffers.q),
          *k = static_cast<const T *>(buffers.k),
          *v = static_cast<const T *>(buffers.v);
  const int64_t queries =
      shape.hasLengths ? buffers.queryLengths[sequence] : shape.queries;
  const int64_t keys =
      shape.hasLengths ? buffers.keyLengths[sequence] : shape.keys;
  const int64_t kvHead = head / (shape.heads / shape.kvHeads);
  const int64_t row = indexOf(shape.queryStrides, sequence, head, query);
  int64_t end = keys, begin = 0;
  if (shape.mask != SdpaShape::Everything) {
    const int64_t last =
        query + (shape.mask == SdpaShape::BottomRight ? keys - queries : 0);
    end = std::min(keys, last + 1);
    if (shape.window > 0)
      begin = std::max<int64_t>(0, last - shape.window + 1);
  }
  std::vector<float> scores, sums(size_t(shape.headDim), 0);
  float largest = -INFINITY, total = 0;
  for (int64_t key = begin; key < end; ++key) {
    const int64_t at = indexOf(shape.keyStrides, sequence, kvHead, key);
    float score = 0;
    for (int64_t i = 0; i < shape.headDim; ++i)
      score += widen(q[row + i]) * widen(k[at + i]);
    score *= float(shape.scale);
    const float cap = float(shape.softCap);
    scores.push_back(cap > 0 ? cap * std::tanh(score / cap) : score);
    largest = std::max(largest, scores.back());
  }
  for (int64_t key = begin; key < end; ++key) {
    const int64_t at = indexOf(shape.keyStrides, sequence, kvHead, key);
    const float weight = std::exp(scores[size_t(key - begin)] - largest);
    total += weight;
    for (int64_t i = 0; i < shape.headDim; ++i)
      sums[size_t(i)] += weight * widen(v[at + i]);
  }
  for (int64_t i = 0; i < shape.headDim; ++i)
    static_cast<T *>(buffers.out)[row + i] =
        cast<T>(query < queries ? sums[size_t(i)] / total : NAN);
}

template <typename T>
void attendAll(const SdpaShape &shape, const SdpaPlan::Buffers &buffers) {
  for (int64_t sequence = 0; sequence < shape.batch; ++sequence)
    for (int64_t head = 0; head < shape.heads; ++head)
      for (int64_t query = 0; query < shape.queries; ++query)
        attendOne<T>(shape, buffers, sequence, head, query);
}

class Plan final : public SdpaPlan {
public:
  Plan(const SdpaShape &shape, cudaStream_t stream)
      : shape(shape), stream(stream) {}

  int64_t workspaceBytes() const override { return 64; }

  bool queue(const Buffers &buffers, std::string &why) override {
    why = "simulated";
    if (std::strcmp(std::getenv("SIMULATED_CUDNN"), "2") == 0)
      return false;
    stream->push([shape = shape, buffers] {
      std::memset(buffers.workspace, 0, 64);
      if (shape.type == TPRT_BF16)
        attendAll<__nv_bfloat16>(shape, buffers);
      else
        attendAll<__half>(shape, buffers);
    });
    return true;
  }

private:
  SdpaShape shape;
  cudaStream_t stream;
};

void log(const SdpaShape &shape) {
  const char *masks[] = {"of everything", "from the top left",
                         "from the bottom right"};
  std::string text = join("attention of ", shape.queries, " queries, ",
                          shape.keys, " keys, ", masks[shape.mask]);
  if (shape.window > 0)
    text += join(", window ", shape.window);
  if (shape.softCap > 0)
    text += join(", soft cap ", shape.softCap);
  if (shape.hasLengths)
    text += ", with lengths";
  std::fprintf(stderr, "simulated: %s\n", text.c_str());
}

class Simulated final : public Cudnn {
public:
  std::string version() const override { return "simulated"; }
  std::unique_ptr<SdpaPlan> plan(const SdpaShape &shape, cudaStream_t stream,
                                 std::string &why) override {
    if (!takes(shape, "", why))
      return nullptr;
    if (std::getenv("SIMULATED_CUDNN_LOG"))
      log(shape);
    return std::make_unique<Plan>(shape, stream);
  }
  bool takes(const SdpaShape &shape, const std::string &,
             std::string &why) override {
    why = "an odd number of elements";
    return shape.headDim % 2 == 0;
  }
};

} // namespace

std::unique_ptr<Cudnn> Cudnn::open(std::string &why) {
  if (std::getenv("SIMULATED_CUDNN"))
    return std::make_unique<Simulated>();
  why = "no libcudnn.so.9";
  return nullptr;
}
