//===- Simd.h - vectors and instruction sets -----------------------------===//
//
// Part of tp-mlir, under the Apache License v2.0.
//
//===----------------------------------------------------------------------===//
//
// Hot loops are written once, as always-inline templates over a vector type of
// fixed width, and compiled for several instruction sets: each set has a thin
// function with a target attribute into which the template is inlined. The one
// to call is chosen at run time, so that the library itself stays portable.
//
//===----------------------------------------------------------------------===//

#ifndef TPRT_HOST_SIMD_H
#define TPRT_HOST_SIMD_H

#include "Numeric.h"

#include <cstdint>
#include <utility>

namespace tprt {

enum class InstructionSet { Baseline, Avx2, Avx512 };

/// The best set that this processor has and this library was compiled for.
InstructionSet instructionSet();

#if defined(__x86_64__) && (defined(__clang__) || defined(__GNUC__))
#define TPRT_X86 1
#define TPRT_TARGET_AVX2 __attribute__((target("avx2,fma,f16c")))
#define TPRT_TARGET_AVX512                                                     \
  __attribute__((target("avx2,fma,f16c,avx512f,avx512bw,avx512dq,avx512vl")))
#endif

/// Calls Kernel<Set>(arguments...) for the set of this processor. `Kernel` is a
/// class with static functions baseline, avx2 and avx512 made by
/// TPRT_MULTIVERSION.
#ifdef TPRT_X86
#define TPRT_MULTIVERSION(Body)                                                \
  template <typename... Ts> static void baseline(Ts... a) { Body(a...); }      \
  template <typename... Ts> TPRT_TARGET_AVX2 static void avx2(Ts... a) {       \
    Body(a...);                                                                \
  }                                                                            \
  template <typename... Ts> TPRT_TARGET_AVX512 static void avx512(Ts... a) {   \
    Body(a...);                                                                \
  }
#else
#define TPRT_MULTIVERSION(Body)                                                \
  template <typename... Ts> static void baseline(Ts... a) { Body(a...); }
#endif

template <typename Kernel, typename... Ts> void runMultiversion(Ts... a) {
#ifdef TPRT_X86
  switch (instructionSet()) {
  case InstructionSet::Avx512:
    return Kernel::avx512(a...);
  case InstructionSet::Avx2:
    return Kernel::avx2(a...);
  case InstructionSet::Baseline:
    break;
  }
#endif
  Kernel::baseline(a...);
}

/// Sixteen floats or eight doubles: one AVX-512 register, or a few smaller
/// ones.
typedef float FloatVector __attribute__((vector_size(64), aligned(4)));
typedef int32_t IntVector __attribute__((vector_size(64), aligned(4)));
typedef double DoubleVector __attribute__((vector_size(64), aligned(8)));

template <typename T> struct VectorOf;
template <> struct VectorOf<float> {
  using Type = FloatVector;
};
template <> struct VectorOf<double> {
  using Type = DoubleVector;
};
template <> struct VectorOf<int32_t> {
  using Type = IntVector;
};
template <typename T> using Vector = typename VectorOf<T>::Type;
template <typename T> constexpr int64_t lanes = 64 / sizeof(T);

template <typename T> TPRT_INLINE Vector<T> loadVector(const T *from) {
  Vector<T> vector;
  __builtin_memcpy(&vector, from, sizeof vector);
  return vector;
}

template <typename T> TPRT_INLINE void storeVector(T *to, Vector<T> vector) {
  __builtin_memcpy(to, &vector, sizeof vector);
}

template <typename T> TPRT_INLINE Vector<T> splat(T value) {
  return Vector<T>{} + value;
}

/// Lanes are added pairwise in a fixed order.
template <typename T> TPRT_INLINE T sumLanes(Vector<T> vector) {
  T lane[lanes<T>];
  __builtin_memcpy(lane, &vector, sizeof vector);
  for (int64_t half = lanes<T> / 2; half > 0; half /= 2)
    for (int64_t i = 0; i < half; ++i)
      lane[i] += lane[i + half];
  return lane[0];
}

/// Asks for memory that is read soon.
TPRT_INLINE void prefetch(const void *from, int64_t bytes) {
  for (int64_t at = 0; at < bytes; at += 64) // a line of the cache
    __builtin_prefetch(static_cast<const char *>(from) + at);
}

/// Of the neighbouring groups of `Group` lanes of x, then of y, the halves of
/// each added to one another: half as many lanes for each, x's before y's.
template <typename V, int Group, int... I>
TPRT_INLINE V foldLanes(V x, V y, std::integer_sequence<int, I...>) {
  constexpr int half = Group / 2;
  return __builtin_shufflevector(x, y, (I / half * Group + I % half)...) +
         __builtin_shufflevector(x, y, (I / half * Group + I % half + half)...);
}

/// results[i] = sumLanes(sums[i]), the same bits.
template <typename T>
TPRT_INLINE void sumLanesOfFour(const Vector<T> *sums, T *results) {
  constexpr int all = int(lanes<T>);
  constexpr std::make_integer_sequence<int, all> indices;
  Vector<T> low = foldLanes<Vector<T>, all>(sums[0], sums[1], indices);
  Vector<T> high = foldLanes<Vector<T>, all>(sums[2], sums[3], indices);
  Vector<T> x = foldLanes<Vector<T>, all / 2>(low, high, indices);
  x = foldLanes<Vector<T>, all / 4>(x, x, indices);
  if constexpr (all > 8)
    x = foldLanes<Vector<T>, all / 8>(x, x, indices);
  __builtin_memcpy(results, &x, 4 * sizeof(T));
}

/// exp(x) for x <= 0 or so: within 2 ulp; 0 below -87.3 and for -infinity; NaN
/// stays NaN.
TPRT_INLINE FloatVector expVector(FloatVector x) {
  const FloatVector smallest = splat<float>(-87.33654f);
  const FloatVector largest = splat<float>(88.37626f);
  IntVector underflows = x < smallest;
  FloatVector clamped = underflows ? smallest : x;
  clamped = clamped > largest ? largest : clamped;
  // Adding 1.5 * 2^23 rounds to an integer, which then sits in the low bits.
  const FloatVector magic = splat<float>(12582912.0f);
  FloatVector shifted = clamped * 1.44269504088896341f + magic;
  FloatVector n = shifted - magic;
  FloatVector r = clamped - n * 0.693359375f;
  r = r + n * 2.12194440e-4f;
  FloatVector p = splat<float>(1.9875691500e-4f);
  p = p * r + 1.3981999507e-3f;
  p = p * r + 8.3334519073e-3f;
  p = p * r + 4.1665795894e-2f;
  p = p * r + 1.6666665459e-1f;
  p = p * r + 5.0000001201e-1f;
  p = p * r * r + r + 1.0f;
  IntVector exponent;
  __builtin_memcpy(&exponent, &shifted, sizeof exponent);
  IntVector power = (exponent - 0x4b400000 + 127) << 23;
  FloatVector scale;
  __builtin_memcpy(&scale, &power, sizeof scale);
  FloatVector result = underflows ? FloatVector{} : p * scale;
  return x != x ? x : result;
}

/// tanh(x), within a few ulp.
TPRT_INLINE FloatVector tanhVector(FloatVector x) {
  FloatVector magnitude = x < 0.0f ? -x : x;
  // Near zero a polynomial: the formula below would cancel.
  FloatVector z = x * x;
  FloatVector p = splat<float>(-5.70498872745e-3f);
  p = p * z + 2.06390887954e-2f;
  p = p * z - 5.37397155531e-2f;
  p = p * z + 1.33314422036e-1f;
  p = p * z - 3.33332819422e-1f;
  FloatVector small = p * z * x + x;
  FloatVector decay = expVector(magnitude * -2.0f);
  FloatVector large = (1.0f - decay) / (1.0f + decay);
  large = x < 0.0f ? -large : large;
  return magnitude < 0.625f ? small : large;
}

} // namespace tprt

#endif // TPRT_HOST_SIMD_H
