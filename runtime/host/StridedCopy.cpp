//===- StridedCopy.cpp - copies between any two layouts ------------------===//
//
// Part of tp-mlir, under the Apache License v2.0.
//
//===----------------------------------------------------------------------===//

#include "StridedCopy.h"

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <utility>

using namespace tprt;

namespace {

/// The dims after simplification, outermost first in the target, and with the
/// strides in bytes.
struct Plan {
  CopyDim dims[maxCopyDims + 1];
  int64_t count = 0;

  void add(const CopyDim &dim) { dims[count++] = dim; }
  void remove(int64_t index) {
    std::copy(dims + index + 1, dims + count, dims + index);
    --count;
  }
};

} // namespace

/// Sorts the dims as the target has them and merges those that are one run in
/// both layouts.
static void simplify(Plan &plan) {
  for (int64_t i = 1; i < plan.count; ++i)
    for (int64_t j = i; j > 0; --j) {
      if (std::abs(plan.dims[j - 1].targetStride) >=
          std::abs(plan.dims[j].targetStride))
        break;
      std::swap(plan.dims[j - 1], plan.dims[j]);
    }
  for (int64_t i = plan.count - 1; i > 0; --i) {
    CopyDim &inner = plan.dims[i];
    CopyDim &outer = plan.dims[i - 1];
    if (outer.sourceStride != inner.sourceStride * inner.extent ||
        outer.targetStride != inner.targetStride * inner.extent)
      continue;
    outer = {outer.extent * inner.extent, inner.sourceStride,
             inner.targetStride};
    plan.remove(i);
  }
}

/// Calls body(source, target) for every index of the first `count` dims.
template <typename Body>
static void forEachOuter(const CopyDim *dims, int64_t count, const char *source,
                         char *target, const Body &body) {
  int64_t index[maxCopyDims + 1] = {};
  while (true) {
    body(source, target);
    int64_t d = count - 1;
    for (; d >= 0; --d) {
      source += dims[d].sourceStride;
      target += dims[d].targetStride;
      if (++index[d] < dims[d].extent)
        break;
      source -= dims[d].sourceStride * dims[d].extent;
      target -= dims[d].targetStride * dims[d].extent;
      index[d] = 0;
    }
    if (d < 0)
      return;
  }
}

template <typename T>
static void copyLine(const CopyDim &dim, const char *source, char *target) {
  for (int64_t i = 0; i < dim.extent; ++i)
    std::memcpy(target + i * dim.targetStride, source + i * dim.sourceStride,
                sizeof(T));
}

/// A transposition in tiles, so that a cache line that was fetched is used up.
template <typename T>
static void copyPlane(const CopyDim &outer, const CopyDim &inner,
                      const char *source, char *target) {
  constexpr int64_t tile = 64 / sizeof(T) < 16 ? 16 : 64 / sizeof(T);
  for (int64_t i = 0; i < outer.extent; i += tile)
    for (int64_t j = 0; j < inner.extent; j += tile) {
      CopyDim line = inner;
      line.extent = std::min(tile, inner.extent - j);
      for (int64_t k = i; k < std::min(i + tile, outer.extent); ++k)
        copyLine<T>(line,
                    source + k * outer.sourceStride + j * inner.sourceStride,
                    target + k * outer.targetStride + j * inner.targetStride);
    }
}

template <typename T>
static void copyElements(Plan &plan, const char *source, char *target) {
  // Next to the dim that is fast in the target goes the one that is fast in the
  // source; the order of the others does not matter much.
  const int64_t last = plan.count - 1;
  if (last > 0) {
    CopyDim *fastest = std::min_element(
        plan.dims, plan.dims + last, [](const CopyDim &a, const CopyDim &b) {
          return std::abs(a.sourceStride) < std::abs(b.sourceStride);
        });
    std::swap(*fastest, plan.dims[last - 1]);
  }
  const CopyDim &inner = plan.dims[last];
  if (last == 0)
    return copyLine<T>(inner, source, target);
  const CopyDim &outer = plan.dims[last - 1];
  forEachOuter(plan.dims, last - 1, source, target,
               [&](const char *from, char *to) {
                 copyPlane<T>(outer, inner, from, to);
               });
}

void tprt::stridedCopy(int64_t elementBytes, const CopyDim *dims,
                       int64_t numDims, const void *source,
                       void *target) noexcept {
  Plan plan;
  for (int64_t i = 0; i < numDims; ++i) {
    if (dims[i].extent == 0)
      return;
    if (dims[i].extent != 1)
      plan.add({dims[i].extent, dims[i].sourceStride * elementBytes,
                dims[i].targetStride * elementBytes});
  }
  // The bytes of an element are a dim too; with luck it merges with others.
  plan.add({elementBytes, 1, 1});
  simplify(plan);
  const char *from = static_cast<const char *>(source);
  char *to = static_cast<char *>(target);
  const CopyDim run = plan.dims[plan.count - 1];
  --plan.count;
  bool scalar = run.extent == elementBytes && plan.count > 0;
  if (scalar && elementBytes == 4)
    return copyElements<uint32_t>(plan, from, to);
  if (scalar && elementBytes == 2)
    return copyElements<uint16_t>(plan, from, to);
  if (scalar && elementBytes == 8)
    return copyElements<uint64_t>(plan, from, to);
  if (scalar && elementBytes == 1)
    return copyElements<uint8_t>(plan, from, to);
  forEachOuter(plan.dims, plan.count, from, to,
               [&](const char *f, char *t) { std::memcpy(t, f, run.extent); });
}
