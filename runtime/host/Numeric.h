//===- Numeric.h - element types -----------------------------------------===//
//
// Part of tp-mlir, under the Apache License v2.0.
//
//===----------------------------------------------------------------------===//
//
// The element types of tensors, with conversions that round to nearest, ties to
// even, and keep NaN a NaN.
//
//===----------------------------------------------------------------------===//

#ifndef TPRT_HOST_NUMERIC_H
#define TPRT_HOST_NUMERIC_H

#include "Error.h"
#include "tprt/Dtype.h"

#include <cstdint>
#include <cstring>
#include <type_traits>

namespace tprt {

#define TPRT_INLINE inline __attribute__((always_inline))

template <typename To, typename From> TPRT_INLINE To bitCast(From from) {
  static_assert(sizeof(To) == sizeof(From), "bits must fit");
  To to;
  std::memcpy(&to, &from, sizeof to);
  return to;
}

TPRT_INLINE float bf16ToF32(uint16_t bits) {
  return bitCast<float>(uint32_t(bits) << 16);
}

TPRT_INLINE uint16_t f32ToBf16(float value) {
  uint32_t bits = bitCast<uint32_t>(value);
  uint32_t rounded = (bits + 0x7fffu + ((bits >> 16) & 1u)) >> 16;
  // The carry above could turn a NaN into an infinity or a zero.
  uint32_t quiet = (bits >> 16) | 0x40u;
  return uint16_t((bits & 0x7fffffffu) > 0x7f800000u ? quiet : rounded);
}

TPRT_INLINE float f16ToF32(uint16_t bits) {
  uint32_t magnitude = uint32_t(bits & 0x7fffu) << 13;
  // The multiplication moves the exponent and normalises subnormals, exactly.
  float scaled = bitCast<float>(magnitude) * 0x1p112f;
  uint32_t result = bitCast<uint32_t>(scaled);
  uint32_t special = magnitude | 0x7f800000u;
  special |= (bits & 0x3ffu) ? 0x400000u : 0u; // a quiet NaN, as hardware gives
  result = (bits & 0x7c00u) == 0x7c00u ? special : result;
  return bitCast<float>(result | (uint32_t(bits & 0x8000u) << 16));
}

TPRT_INLINE uint16_t f32ToF16(float value) {
  uint32_t bits = bitCast<uint32_t>(value);
  uint32_t sign = (bits >> 16) & 0x8000u;
  uint32_t magnitude = bits & 0x7fffffffu;
  // Normal results: rebias the exponent, round on the 13 bits that go.
  uint32_t normal =
      (magnitude - (112u << 23) + 0xfffu + ((magnitude >> 13) & 1u)) >> 13;
  // Subnormal results: adding 0.5 aligns the mantissa and rounds it.
  uint32_t subnormal =
      bitCast<uint32_t>(bitCast<float>(magnitude) + 0.5f) - 0x3f000000u;
  uint32_t result = magnitude < (113u << 23) ? subnormal : normal;
  result = magnitude >= 0x477ff000u ? 0x7c00u : result; // overflows to infinity
  uint32_t quiet = 0x7e00u | ((magnitude >> 13) & 0x3ffu);
  result = magnitude > 0x7f800000u ? quiet : result;
  return uint16_t(sign | result);
}

/// Storage-only 16-bit floats; arithmetic goes through f32.
struct Bf16 {
  uint16_t bits;
};
struct F16 {
  uint16_t bits;
};

/// The type in which values of an element type are computed and accumulated.
template <typename T> struct AccumulatorOf {
  using Type = T;
};
template <> struct AccumulatorOf<Bf16> {
  using Type = float;
};
template <> struct AccumulatorOf<F16> {
  using Type = float;
};
template <typename T> using Accumulator = typename AccumulatorOf<T>::Type;

/// Widens an element to its accumulator type.
template <typename T> TPRT_INLINE Accumulator<T> widen(T value) {
  return value;
}
template <> TPRT_INLINE float widen<Bf16>(Bf16 value) {
  return bf16ToF32(value.bits);
}
template <> TPRT_INLINE float widen<F16>(F16 value) {
  return f16ToF32(value.bits);
}

/// Rounds an accumulator to an element.
template <typename T> TPRT_INLINE T narrow(Accumulator<T> value) {
  return value;
}
template <> TPRT_INLINE Bf16 narrow<Bf16>(float value) {
  return Bf16{f32ToBf16(value)};
}
template <> TPRT_INLINE F16 narrow<F16>(float value) {
  return F16{f32ToF16(value)};
}

/// An element from a double, rounded once for f32 and f64.
template <typename T> TPRT_INLINE T fromDouble(double value) {
  return narrow<T>(static_cast<Accumulator<T>>(value));
}

inline bool isFloat(int64_t dtype) {
  return dtype >= TPRT_F32 && dtype <= TPRT_F16;
}

/// elementBytes() of a dtype that nobody has looked at yet.
inline int64_t checkedElementBytes(int64_t dtype) {
  if (!isDtype(dtype))
    raise(TPRT_INVALID, "there is no dtype ", dtype);
  return elementBytes(dtype);
}

/// Whether the value is a NaN; an integer never is.
template <typename T> TPRT_INLINE bool isNan(T value) {
  if constexpr (std::is_floating_point_v<T>)
    return __builtin_isnan(value);
  return false;
}

template <typename T> struct TypeTag {
  using Type = T;
};

/// Calls `function(TypeTag<T>())` with the element type of a float dtype;
/// returns whether it is one.
template <typename Function>
bool withFloat(int64_t dtype, Function &&function) {
  switch (dtype) {
  case TPRT_F32:
    function(TypeTag<float>());
    return true;
  case TPRT_F64:
    function(TypeTag<double>());
    return true;
  case TPRT_BF16:
    function(TypeTag<Bf16>());
    return true;
  case TPRT_F16:
    function(TypeTag<F16>());
    return true;
  default:
    return false;
  }
}

/// The same for every dtype.
template <typename Function>
bool withElement(int64_t dtype, Function &&function) {
  switch (dtype) {
  case TPRT_I32:
    function(TypeTag<int32_t>());
    return true;
  case TPRT_I64:
    function(TypeTag<int64_t>());
    return true;
  case TPRT_I8:
    function(TypeTag<int8_t>());
    return true;
  default:
    return withFloat(dtype, function);
  }
}

/// withFloat() for a dtype that nobody has looked at yet.
template <typename Function>
void dispatchFloat(int64_t dtype, const char *what, Function &&function) {
  if (!withFloat(dtype, function))
    raise(TPRT_UNSUPPORTED, what, " on ", dtypeName(dtype),
          "; it takes f32, f64, bf16 and f16");
}

template <typename Function>
void dispatchAny(int64_t dtype, const char *what, Function &&function) {
  if (!withElement(dtype, function))
    raise(TPRT_UNSUPPORTED, what, " on ", dtypeName(dtype));
}

} // namespace tprt

#endif // TPRT_HOST_NUMERIC_H
