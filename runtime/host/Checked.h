//===- Checked.h - arithmetic that notices overflow ----------------------===//
//
// Part of tp-mlir, under the Apache License v2.0.
//
//===----------------------------------------------------------------------===//

#ifndef TPRT_HOST_CHECKED_H
#define TPRT_HOST_CHECKED_H

#include "Error.h"

#include <cstdint>

namespace tprt {

/// a * b; an Error that says what overflowed if it does not fit.
inline int64_t multiply(int64_t a, int64_t b, const char *what) {
  int64_t result;
  if (__builtin_mul_overflow(a, b, &result))
    raise(TPRT_INVALID, what, " overflows: ", a, " * ", b);
  return result;
}

inline int64_t add(int64_t a, int64_t b, const char *what) {
  int64_t result;
  if (__builtin_add_overflow(a, b, &result))
    raise(TPRT_INVALID, what, " overflows: ", a, " + ", b);
  return result;
}

} // namespace tprt

#endif // TPRT_HOST_CHECKED_H
