//===- Convert.cpp - bulk conversion of 16-bit floats --------------------===//
//
// Part of tp-mlir, under the Apache License v2.0.
//
//===----------------------------------------------------------------------===//

#include "Convert.h"

#include "Simd.h"

#ifdef TPRT_X86
#include <immintrin.h>
#endif

using namespace tprt;

InstructionSet tprt::instructionSet() {
#ifdef TPRT_X86
  static const InstructionSet set = [] {
    if (!__builtin_cpu_supports("avx2") || !__builtin_cpu_supports("fma") ||
        !__builtin_cpu_supports("f16c"))
      return InstructionSet::Baseline;
    if (__builtin_cpu_supports("avx512f") &&
        __builtin_cpu_supports("avx512bw") &&
        __builtin_cpu_supports("avx512dq") &&
        __builtin_cpu_supports("avx512vl"))
      return InstructionSet::Avx512;
    return InstructionSet::Avx2;
  }();
  return set;
#else
  return InstructionSet::Baseline;
#endif
}

namespace {

template <typename T>
TPRT_INLINE void widenLoop(const T *from, float *to, int64_t count) {
  for (int64_t i = 0; i < count; ++i)
    to[i] = widen<T>(from[i]);
}

template <typename T>
TPRT_INLINE void narrowLoop(const float *from, T *to, int64_t count) {
  for (int64_t i = 0; i < count; ++i)
    to[i] = narrow<T>(from[i]);
}

struct WidenKernel {
  TPRT_MULTIVERSION(widenLoop)
};
struct NarrowKernel {
  TPRT_MULTIVERSION(narrowLoop)
};

#ifdef TPRT_X86
// The processor has instructions for f16; the loops above are for the others.
TPRT_TARGET_AVX2 void widenF16(const F16 *from, float *to, int64_t count) {
  int64_t i = 0;
  for (; i + 8 <= count; i += 8)
    _mm256_storeu_ps(to + i, _mm256_cvtph_ps(_mm_loadu_si128(
                                 reinterpret_cast<const __m128i *>(from + i))));
  for (; i < count; ++i)
    to[i] = f16ToF32(from[i].bits);
}

TPRT_TARGET_AVX2 void narrowF16(const float *from, F16 *to, int64_t count) {
  int64_t i = 0;
  for (; i + 8 <= count; i += 8)
    _mm_storeu_si128(
        reinterpret_cast<__m128i *>(to + i),
        _mm256_cvtps_ph(_mm256_loadu_ps(from + i), _MM_FROUND_TO_NEAREST_INT));
  for (; i < count; ++i)
    to[i].bits = f32ToF16(from[i]);
}
#endif

} // namespace

void tprt::widenMany(const Bf16 *from, float *to, int64_t count) {
  runMultiversion<WidenKernel>(from, to, count);
}

void tprt::narrowMany(const float *from, Bf16 *to, int64_t count) {
  runMultiversion<NarrowKernel>(from, to, count);
}

void tprt::widenMany(const F16 *from, float *to, int64_t count) {
#ifdef TPRT_X86
  if (instructionSet() != InstructionSet::Baseline)
    return widenF16(from, to, count);
#endif
  runMultiversion<WidenKernel>(from, to, count);
}

void tprt::narrowMany(const float *from, F16 *to, int64_t count) {
#ifdef TPRT_X86
  if (instructionSet() != InstructionSet::Baseline)
    return narrowF16(from, to, count);
#endif
  runMultiversion<NarrowKernel>(from, to, count);
}
