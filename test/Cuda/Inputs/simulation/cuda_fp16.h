//===- cuda_fp16.h - f16 on a simulated GPU -------------------------------===//
//
// Part of tp-mlir, under the Apache License v2.0.
//
//===----------------------------------------------------------------------===//

#ifndef SIMULATION_CUDA_FP16_H
#define SIMULATION_CUDA_FP16_H

/// Not _Float16 by itself, which is an arithmetic type and converts.
struct __half {
  _Float16 value;
};

inline float __half2float(__half value) { return float(value.value); }
inline __half __float2half_rn(float value) { return {_Float16(value)}; }
inline __half operator+(__half a, __half b) {
  return {_Float16(a.value + b.value)};
}
inline __half operator-(__half a, __half b) {
  return {_Float16(a.value - b.value)};
}
inline __half operator*(__half a, __half b) {
  return {_Float16(a.value * b.value)};
}
inline __half operator/(__half a, __half b) {
  return {_Float16(a.value / b.value)};
}
inline __half operator-(__half a) { return {_Float16(-a.value)}; }

#endif // SIMULATION_CUDA_FP16_H
