//===- Attentions.cu - attention by a library, where it takes it ----------===//
//
// Part of tp-mlir, under the Apache License v2.0.
//
//===----------------------------------------------------------------------===//
//
// Query i of a call stands at a position that only the GPU may know, and sees
// the keys up to it. cuDNN counts from the end: with as many keys as the last
// query sees, the last query and the last key are one.
//
//===----------------------------------------------------------------------===//

#include "Attentions.h"

#include <cstdlib>

namespace tprt_cuda {

namespace {

/// `lengths` has the numbers of queries of all sequences, then those of keys.
/// Queries that stand beyond the keys are the program's.
__global__ void lengthsKernel(const int32_t *offset, int64_t start,
                              int64_t batch, int64_t queries, int64_t keys,
                              int32_t *lengths) {
  const int64_t position = (offset ? *offset : 0) + start;
  int64_t inside = keys - position;
  inside = inside < 0 ? 0 : inside < queries ? inside : queries;
  const int64_t end = position + inside < keys ? position + inside : keys;
  for (int64_t i = threadIdx.x; i < batch; i += blockDim.x) {
    lengths[i] = int32_t(inside);
    lengths[batch + i] = int32_t(end);
  }
}

} // namespace

static double numberOf(int64_t bits) {
  double value;
  std::memcpy(&value, &bits, sizeof value);
  return value;
}

std::optional<SdpaShape> sdpaShapeOf(const Attention &what) {
  const tprt_attention_desc &desc = what.desc;
  if ((desc.dtype != TPRT_BF16 && desc.dtype != TPRT_F16) ||
      (desc.window > 0 && !desc.causal))
    return std::nullopt;
  const int64_t heads = desc.kv_heads * desc.groups, dim = desc.head_dim;
  SdpaShape shape = {
      tprt_dtype(desc.dtype),
      desc.batch,
      heads,
      desc.kv_heads,
      desc.queries,
      desc.keys,
      dim,
      {desc.queries * heads * dim, dim, heads * dim, 1},
      {desc.capacity * desc.kv_heads * dim, dim, desc.kv_heads * dim, 1},
      numberOf(desc.scale_bits),
      numberOf(desc.soft_cap_bits),
      SdpaShape::Everything,
      desc.window > 0 ? desc.window : 0,
      false};
  if (!desc.causal)
    return shape;
  if (!what.offset && what.start == 0) {
    shape.mask = SdpaShape::TopLeft;
    return shape;
  }
  shape.mask = SdpaShape::BottomRight;
  shape.hasLengths = what.offset || what.start + desc.queries != desc.keys;
  return shape;
}

Attentions::Attentions() {
  const char *wish = std::getenv("TPRT_CUDNN");
  if (wish && std::strcmp(wish, "0") == 0)
    why = "TPRT_CUDNN=0";
  else
    cudnn = Cudnn::open(why);
}

Attentions::~Attentions() {
  for (auto &[key, planned] : plans)
    for (void *memory :
         {planned.workspace, static_cast<void *>(planned.lengths)})
      if (memory)
        cudaFree(memory);
}

std::string Attentions::describe() const {
  if (!cudnn)
    return "attention by the program's kernels (" + why + ")";
  const int64_t count = refused;
  return "attention by cuDNN " + cudnn->version() +
         (count > 0
              ? join(", but for ", count, count == 1 ? " shape" : " shapes")
              : "");
}

/// Without a plan if anything is in the way, memory too.
Attentions::Planned Attentions::make(const Rank &rank, const SdpaShape &shape) {
  std::string reason;
  Planned planned;
  auto plan = cudnn->plan(shape, rank.compute, reason);
  auto get = [](auto **memory, int64_t bytes) {
    return bytes == 0 || cudaMalloc(memory, size_t(bytes)) == cudaSuccess;
  };
  if (plan && get(&planned.workspace, plan->workspaceBytes()) &&
      get(&planned.lengths,
          shape.hasLengths ? 2 * shape.batch * int64_t(sizeof(int32_t)) : 0))
    planned.plan = std::move(plan);
  else
    ++refused;
  cudaGetLastError(); // what it was does not concern the run
  return planned;
}

tprt_status Attentions::queue(Rank *rank, const Attention &what,
                              bool *isQueued) {
  *isQueued = false;
  const std::optional<SdpaShape> shape =
      cudnn ? sdpaShapeOf(what) : std::nullopt;
  if (!shape)
    return TPRT_OK;
  const tprt_attention_desc &desc = what.desc;
  const std::vector<int64_t> key = {
      desc.dtype,       desc.batch,      desc.queries,       desc.keys,
      desc.capacity,    desc.kv_heads,   desc.groups,        desc.head_dim,
      desc.window,      desc.scale_bits, desc.soft_cap_bits, shape->mask,
      shape->hasLengths};
  auto found = plans.find(key);
  if (found == plans.end())
    found = plans.emplace(key, make(*rank, *shape)).first;
  Planned &planned = found->second;
  if (!planned.plan)
    return TPRT_OK;
  const int32_t *lengths = planned.lengths;
  if (shape->hasLengths) {
    TPRT_LAUNCH(lengthsKernel, 1, 32, rank->compute)
    (what.offset, what.start, desc.batch, desc.queries, desc.keys,
     planned.lengths);
    TPRT_LAUNCHED(rank);
  }
  std::string reason;
  *isQueued = planned.plan->queue({what.q, what.k, what.v, lengths,
                                   lengths ? lengths + desc.batch : nullptr,
                                   what.out, planned.workspace},
                                  reason);
  if (!*isQueued) {
    cudaGetLastError(); // as in make
    planned.plan.reset();
    ++refused;
  }
  return TPRT_OK;
}

} // namespace tprt_cuda
