//===- Convert.h - bulk conversion of 16-bit floats ----------------------===//
//
// Part of tp-mlir, under the Apache License v2.0.
//
//===----------------------------------------------------------------------===//

#ifndef TPRT_HOST_CONVERT_H
#define TPRT_HOST_CONVERT_H

#include "Numeric.h"

#include <cstdint>
#include <cstring>

namespace tprt {

void widenMany(const Bf16 *from, float *to, int64_t count);
void widenMany(const F16 *from, float *to, int64_t count);
void narrowMany(const float *from, Bf16 *to, int64_t count);
void narrowMany(const float *from, F16 *to, int64_t count);

inline void widenMany(const float *from, float *to, int64_t count) {
  std::memcpy(to, from, size_t(count) * sizeof *to);
}
inline void widenMany(const double *from, double *to, int64_t count) {
  std::memcpy(to, from, size_t(count) * sizeof *to);
}
inline void narrowMany(const float *from, float *to, int64_t count) {
  std::memcpy(to, from, size_t(count) * sizeof *to);
}
inline void narrowMany(const double *from, double *to, int64_t count) {
  std::memcpy(to, from, size_t(count) * sizeof *to);
}

} // namespace tprt

#endif // TPRT_HOST_CONVERT_H
