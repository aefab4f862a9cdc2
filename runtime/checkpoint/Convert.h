//===- Convert.h - one number format to another -----------------*- C++ -*-===//
//
// Part of tp-mlir, under the Apache License v2.0.
//
//===----------------------------------------------------------------------===//
//
// Branch-free where it matters, so that loops over these vectorise; no use of
// half-precision instructions that a machine may lack. All narrowing rounds to
// nearest, ties to even; infinities and the sign of a NaN are kept.
//
//===----------------------------------------------------------------------===//

#ifndef TPRT_CHECKPOINT_CONVERT_H
#define TPRT_CHECKPOINT_CONVERT_H

#include <cmath>
#include <cstdint>
#include <cstring>

namespace tprt::checkpoint {

inline uint32_t bitsOf(float value) {
  uint32_t bits;
  std::memcpy(&bits, &value, sizeof(bits));
  return bits;
}

inline float floatOf(uint32_t bits) {
  float value;
  std::memcpy(&value, &bits, sizeof(value));
  return value;
}

inline float fromBf16(uint16_t value) {
  return floatOf(static_cast<uint32_t>(value) << 16);
}

inline float fromF16(uint16_t value) {
  uint32_t magnitude = static_cast<uint32_t>(value & 0x7fff) << 13;
  uint32_t exponent = magnitude & 0x0f800000;
  // Exponents are biased by 127 here and by 15 there.
  uint32_t normal = magnitude + (112u << 23);
  uint32_t special = normal + (112u << 23);
  // A subnormal is a fraction without its leading one: give it one, take it
  // away again.
  uint32_t subnormal =
      bitsOf(floatOf(magnitude + (113u << 23)) - floatOf(113u << 23));
  uint32_t bits = exponent == 0            ? subnormal
                  : exponent == 0x0f800000 ? special
                                           : normal;
  return floatOf(bits | static_cast<uint32_t>(value & 0x8000) << 16);
}

inline uint16_t toBf16(float value) {
  uint32_t bits = bitsOf(value);
  uint32_t rounded = (bits + 0x7fff + ((bits >> 16) & 1)) >> 16;
  uint32_t quiet = (bits >> 16) | 0x40;
  return static_cast<uint16_t>((bits & 0x7fffffff) > 0x7f800000 ? quiet
                                                                : rounded);
}

inline uint16_t toF16(float value) {
  uint32_t bits = bitsOf(value), sign = (bits >> 16) & 0x8000;
  bits &= 0x7fffffff;
  // Adding one half moves the bits of a subnormal result to the end of the
  // fraction, and the addition rounds them.
  uint32_t subnormal = bitsOf(floatOf(bits) + 0.5f) - bitsOf(0.5f);
  uint32_t normal = (bits - (112u << 23) + 0xfff + ((bits >> 13) & 1)) >> 13;
  uint32_t special = bits > 0x7f800000 ? 0x7e00 : 0x7c00;
  uint32_t result = bits >= (143u << 23)  ? special
                    : bits < (113u << 23) ? subnormal
                                          : normal;
  return static_cast<uint16_t>(sign | result);
}

/// Rounds to f32 so that a second rounding, to bf16 or f16, gives what a single
/// one would have given: an inexact result has an odd last bit.
inline float toOddFloat(double value) {
  float nearest = static_cast<float>(value);
  double back = nearest;
  uint32_t bits = bitsOf(nearest);
  if (back == value || std::isnan(value) || (bits & 1))
    return nearest;
  return floatOf(std::fabs(back) > std::fabs(value) ? bits - 1 : bits + 1);
}

} // namespace tprt::checkpoint

#endif // TPRT_CHECKPOINT_CONVERT_H
