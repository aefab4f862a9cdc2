//===- Rotary.cpp - rotary embedding -------------------------------------===//
//
// Part of tp-mlir, under the Apache License v2.0.
//
//===----------------------------------------------------------------------===//

#include "Rank.h"
#include "Simd.h"

using namespace tprt;

namespace {

/// One pair: (a, b) -> (a cos - b sin, b cos + a sin). Reads before it writes,
/// so that `out` may be `x`.
template <typename T>
TPRT_INLINE void rotatePair(const T *x, T *out, int64_t first, int64_t second,
                            T cosine, T sine) {
  auto a = widen<T>(x[first]), b = widen<T>(x[second]);
  auto c = widen<T>(cosine), s = widen<T>(sine);
  out[first] = narrow<T>(a * c - b * s);
  out[second] = narrow<T>(b * c + a * s);
}

template <typename T>
TPRT_INLINE void rotaryLoop(const tprt_rotary_desc *desc, const T *x,
                            const T *cosine, const T *sine, T *out) {
  const int64_t half = desc->rotary_dim / 2, width = desc->head_dim;
  const int64_t rows = desc->batch * desc->sequence;
  for (int64_t row = 0; row < rows; ++row) {
    const T *c = cosine + row % desc->sequence * half;
    const T *s = sine + row % desc->sequence * half;
    for (int64_t head = 0; head < desc->heads; ++head) {
      if (desc->interleaved)
        for (int64_t i = 0; i < half; ++i)
          rotatePair(x, out, 2 * i, 2 * i + 1, c[i], s[i]);
      else
        for (int64_t i = 0; i < half; ++i)
          rotatePair(x, out, i, i + half, c[i], s[i]);
      for (int64_t i = 2 * half; i < width; ++i)
        out[i] = x[i];
      x += width;
      out += width;
    }
  }
}

template <typename T> struct RotaryKernel {
  TPRT_MULTIVERSION(rotaryLoop<T>)
};

void checkRotary(const tprt_rotary_desc &desc) {
  for (int64_t size :
       {desc.batch, desc.sequence, desc.heads, desc.head_dim, desc.rotary_dim})
    if (size < 0)
      raise(TPRT_INVALID, "a negative size, ", size);
  if (desc.rotary_dim > desc.head_dim || desc.rotary_dim % 2 != 0)
    raise(TPRT_INVALID, "rotary_dim ", desc.rotary_dim,
          " must be even and at most head_dim, ", desc.head_dim);
}

} // namespace

extern "C" void tprt_rotary(tprt_rank *rank, const tprt_rotary_desc *desc,
                            const void *x, const void *cosine, const void *sine,
                            void *out) {
  guarded(rank, "rotary", [&] {
    checkRotary(*desc);
    dispatchFloat(desc->dtype, "rotary embedding", [&](auto tag) {
      using T = typename decltype(tag)::Type;
      runMultiversion<RotaryKernel<T>>(
          desc, static_cast<const T *>(x), static_cast<const T *>(cosine),
          static_cast<const T *>(sine), static_cast<T *>(out));
    });
  });
}
