//===- Vector.h - the elements that a thread works on ---------------------===//
//
// Part of tp-mlir, under the Apache License v2.0.
//
//===----------------------------------------------------------------------===//

#ifndef TPRT_CUDA_VECTOR_H
#define TPRT_CUDA_VECTOR_H

#include <cstdint>
#include <cuda_bf16.h>
#include <cuda_fp16.h>
#include <cuda_runtime.h>
#include <math.h>

#define TPRT_DEVICE __device__ __forceinline__
/// Worked out by the compiler, for the host and for kernels.
#define TPRT_CONSTEXPR __host__ __device__ constexpr

namespace tprt_cuda {

/// N neighbouring elements, at most 16 bytes in memory; N is a power of two.
/// All operators work lane by lane.
template <typename T, int N> struct alignas(sizeof(T) * N) Vector {
  T lanes[N];
  TPRT_DEVICE T &operator[](int i) { return lanes[i]; }
  TPRT_DEVICE const T &operator[](int i) const { return lanes[i]; }
};

/// The same value in every lane.
template <int N, typename T> TPRT_DEVICE Vector<T, N> splat(T value) {
  Vector<T, N> result;
#pragma unroll
  for (int i = 0; i < N; ++i)
    result[i] = value;
  return result;
}

/// One load or store; `address` is a multiple of the vector's size.
template <int N, typename T> TPRT_DEVICE Vector<T, N> load(const T *address) {
  return *static_cast<const Vector<T, N> *>(
      __builtin_assume_aligned(address, sizeof(Vector<T, N>)));
}
template <typename T, int N>
TPRT_DEVICE void store(T *address, Vector<T, N> value) {
  *static_cast<Vector<T, N> *>(
      __builtin_assume_aligned(address, sizeof(Vector<T, N>))) = value;
}

TPRT_CONSTEXPR int64_t ceilDivide(int64_t a, int64_t b) {
  return (a + b - 1) / b;
}

/// The most elements of a load where all of `multiples` are multiples of it,
/// and buffers begin at multiples of `alignment` bytes.
template <typename T, typename... Extents>
TPRT_CONSTEXPR int lanesOf(int64_t alignment, Extents... multiples) {
  int lanes = 16 / int(sizeof(T));
  while (lanes > 1 && (alignment % (lanes * int64_t(sizeof(T))) != 0 ||
                       ((multiples % lanes != 0) || ...)))
    lanes /= 2;
  return lanes;
}

//===----------------------------------------------------------------------===//
// Operators
//===----------------------------------------------------------------------===//

#define TPRT_BINARY(op, Result)                                                \
  template <typename T, int N>                                                 \
  TPRT_DEVICE Vector<Result, N> operator op(Vector<T, N> a, Vector<T, N> b) {  \
    Vector<Result, N> result;                                                  \
    _Pragma("unroll") for (int i = 0; i < N; ++i) result[i] = a[i] op b[i];    \
    return result;                                                             \
  }
TPRT_BINARY(+, T)
TPRT_BINARY(-, T)
TPRT_BINARY(*, T)
TPRT_BINARY(/, T)
TPRT_BINARY(%, T)
TPRT_BINARY(&, T)
TPRT_BINARY(|, T)
TPRT_BINARY(^, T)
TPRT_BINARY(<<, T)
TPRT_BINARY(>>, T)
TPRT_BINARY(==, bool)
TPRT_BINARY(!=, bool)
TPRT_BINARY(<, bool)
TPRT_BINARY(<=, bool)
TPRT_BINARY(>, bool)
TPRT_BINARY(>=, bool)
#undef TPRT_BINARY

#define TPRT_UNARY(op)                                                         \
  template <typename T, int N>                                                 \
  TPRT_DEVICE Vector<T, N> operator op(Vector<T, N> a) {                       \
    _Pragma("unroll") for (int i = 0; i < N; ++i) a[i] = op a[i];              \
    return a;                                                                  \
  }
TPRT_UNARY(-)
TPRT_UNARY(!)
#undef TPRT_UNARY

template <typename T> TPRT_DEVICE T select(bool condition, T a, T b) {
  return condition ? a : b;
}
template <typename T, int N>
TPRT_DEVICE Vector<T, N> select(Vector<bool, N> condition, Vector<T, N> a,
                                Vector<T, N> b) {
#pragma unroll
  for (int i = 0; i < N; ++i)
    a[i] = condition[i] ? a[i] : b[i];
  return a;
}

//===----------------------------------------------------------------------===//
// Types
//===----------------------------------------------------------------------===//

/// What arithmetic on a stored type is done in.
template <typename T> struct WideOf {
  using type = T;
};
template <> struct WideOf<__nv_bfloat16> {
  using type = float;
};
template <> struct WideOf<__half> {
  using type = float;
};
template <typename T> using Wide = typename WideOf<T>::type;

template <typename T> TPRT_DEVICE Wide<T> widen(T value) { return value; }
TPRT_DEVICE float widen(__nv_bfloat16 value) { return __bfloat162float(value); }
TPRT_DEVICE float widen(__half value) { return __half2float(value); }

template <typename To> struct Narrow {
  template <typename From> static TPRT_DEVICE To from(From value) {
    return static_cast<To>(value);
  }
};
template <> struct Narrow<__nv_bfloat16> {
  template <typename From> static TPRT_DEVICE __nv_bfloat16 from(From value) {
    return __float2bfloat16_rn(static_cast<float>(value));
  }
};
template <> struct Narrow<__half> {
  template <typename From> static TPRT_DEVICE __half from(From value) {
    return __float2half_rn(static_cast<float>(value));
  }
};

/// The value in another type, rounded to nearest.
template <typename To, typename From> TPRT_DEVICE To cast(From value) {
  return Narrow<To>::from(widen(value));
}
template <typename To, typename From, int N>
TPRT_DEVICE Vector<To, N> cast(Vector<From, N> value) {
  Vector<To, N> result;
#pragma unroll
  for (int i = 0; i < N; ++i)
    result[i] = cast<To>(value[i]);
  return result;
}

//===----------------------------------------------------------------------===//
// Functions
//===----------------------------------------------------------------------===//

// By the names of the math dialect, for scalars and vectors.
#define TPRT_FUNCTION(name, expression)                                        \
  template <typename T> TPRT_DEVICE T name(T x) { return expression; }         \
  template <typename T, int N> TPRT_DEVICE Vector<T, N> name(Vector<T, N> x) { \
    _Pragma("unroll") for (int i = 0; i < N; ++i) x[i] =                       \
        tprt_cuda::name(x[i]);                                                 \
    return x;                                                                  \
  }
TPRT_FUNCTION(absf, ::fabs(x))
TPRT_FUNCTION(absi, x < 0 ? -x : x)
TPRT_FUNCTION(atan, ::atan(x))
TPRT_FUNCTION(ceil, ::ceil(x))
TPRT_FUNCTION(cos, ::cos(x))
TPRT_FUNCTION(erf, ::erf(x))
TPRT_FUNCTION(exp, ::exp(x))
TPRT_FUNCTION(exp2, ::exp2(x))
TPRT_FUNCTION(expm1, ::expm1(x))
TPRT_FUNCTION(floor, ::floor(x))
TPRT_FUNCTION(log, ::log(x))
TPRT_FUNCTION(log1p, ::log1p(x))
TPRT_FUNCTION(log2, ::log2(x))
TPRT_FUNCTION(roundeven, ::rint(x))
TPRT_FUNCTION(rsqrt, ::rsqrt(x))
TPRT_FUNCTION(sin, ::sin(x))
TPRT_FUNCTION(sqrt, ::sqrt(x))
TPRT_FUNCTION(tan, ::tan(x))
TPRT_FUNCTION(tanh, ::tanh(x))
TPRT_FUNCTION(trunc, ::trunc(x))
#undef TPRT_FUNCTION

#define TPRT_FUNCTION(name, expression)                                        \
  template <typename T> TPRT_DEVICE T name(T a, T b) { return expression; }    \
  template <typename T, int N>                                                 \
  TPRT_DEVICE Vector<T, N> name(Vector<T, N> a, Vector<T, N> b) {              \
    _Pragma("unroll") for (int i = 0; i < N; ++i) a[i] =                       \
        tprt_cuda::name(a[i], b[i]);                                           \
    return a;                                                                  \
  }
TPRT_FUNCTION(copysign, ::copysign(a, b))
TPRT_FUNCTION(powf, ::pow(a, b))
// NaN wins over everything.
TPRT_FUNCTION(maximumf, a > b || a != a ? a : b)
TPRT_FUNCTION(minimumf, a < b || a != a ? a : b)
// Everything wins over NaN.
TPRT_FUNCTION(maxnumf, a > b || b != b ? a : b)
TPRT_FUNCTION(minnumf, a < b || b != b ? a : b)
TPRT_FUNCTION(maxsi, a > b ? a : b)
TPRT_FUNCTION(minsi, a < b ? a : b)
#undef TPRT_FUNCTION

} // namespace tprt_cuda

#endif // TPRT_CUDA_VECTOR_H
