//===- Reduce.cpp - reductions in rank order -----------------------------===//
//
// Part of tp-mlir, under the Apache License v2.0.
//
//===----------------------------------------------------------------------===//

#include "Reduce.h"

#include "Simd.h"

#include <type_traits>

using namespace tprt;

namespace {

/// Integers wrap around, as in compiled code.
template <typename T, bool IsInteger = std::is_integral<T>::value>
struct Arithmetic {
  using Type = T;
};
template <typename T> struct Arithmetic<T, true> {
  using Type = std::make_unsigned_t<T>;
};

struct Sum {
  template <typename T> static TPRT_INLINE T apply(T a, T b) {
    using U = typename Arithmetic<T>::Type;
    return T(U(a) + U(b));
  }
};
struct Product {
  template <typename T> static TPRT_INLINE T apply(T a, T b) {
    using U = typename Arithmetic<T>::Type;
    return T(U(a) * U(b));
  }
};
struct And {
  template <typename T> static TPRT_INLINE T apply(T a, T b) {
    if constexpr (std::is_integral_v<T>)
      return a & b;
    return a; // checkCollective has refused it.
  }
};
struct Or {
  template <typename T> static TPRT_INLINE T apply(T a, T b) {
    if constexpr (std::is_integral_v<T>)
      return a | b;
    return a;
  }
};
// A NaN stays: it is neither above nor below anything.
struct Max {
  template <typename T> static TPRT_INLINE T apply(T a, T b) {
    return ((a >= b) | isNan(a)) ? a : b;
  }
};
struct Min {
  template <typename T> static TPRT_INLINE T apply(T a, T b) {
    return ((a <= b) | isNan(a)) ? a : b;
  }
};

template <typename T, typename Op>
TPRT_INLINE void reduceLoop(const void *const *sources, int64_t numSources,
                            int64_t count, void *target) {
  constexpr int64_t block = 512;
  using A = Accumulator<T>;
  A sum[block];
  for (int64_t begin = 0; begin < count; begin += block) {
    int64_t size = count - begin < block ? count - begin : block;
    const T *first = static_cast<const T *>(sources[0]) + begin;
    for (int64_t i = 0; i < size; ++i)
      sum[i] = widen<T>(first[i]);
    for (int64_t r = 1; r < numSources; ++r) {
      const T *source = static_cast<const T *>(sources[r]) + begin;
      for (int64_t i = 0; i < size; ++i)
        sum[i] = Op::apply(sum[i], A(widen<T>(source[i])));
    }
    T *out = static_cast<T *>(target) + begin;
    for (int64_t i = 0; i < size; ++i)
      out[i] = narrow<T>(sum[i]);
  }
}

template <typename T, typename Op> struct ReduceKernel {
  TPRT_MULTIVERSION((reduceLoop<T, Op>))
};

} // namespace

template <typename T>
static void reduceType(int64_t reduction, const void *const *sources,
                       int64_t numSources, int64_t count, void *target) {
  switch (reduction) {
  case TPRT_SUM:
    return runMultiversion<ReduceKernel<T, Sum>>(sources, numSources, count,
                                                 target);
  case TPRT_MAX:
    return runMultiversion<ReduceKernel<T, Max>>(sources, numSources, count,
                                                 target);
  case TPRT_MIN:
    return runMultiversion<ReduceKernel<T, Min>>(sources, numSources, count,
                                                 target);
  case TPRT_PRODUCT:
    return runMultiversion<ReduceKernel<T, Product>>(sources, numSources, count,
                                                     target);
  case TPRT_AND:
    return runMultiversion<ReduceKernel<T, And>>(sources, numSources, count,
                                                 target);
  case TPRT_OR:
    return runMultiversion<ReduceKernel<T, Or>>(sources, numSources, count,
                                                target);
  default:
    return;
  }
}

void tprt::reduceInOrder(int64_t dtype, int64_t reduction,
                         const void *const *sources, int64_t numSources,
                         int64_t count, void *target) noexcept {
  withElement(dtype, [&](auto tag) {
    reduceType<typename decltype(tag)::Type>(reduction, sources, numSources,
                                             count, target);
  });
}
