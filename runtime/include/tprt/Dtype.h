//===- Dtype.h - sizes and names of element types ---------------*- C++ -*-===//
//
// Part of tp-mlir, under the Apache License v2.0.
//
//===----------------------------------------------------------------------===//
//
// For C++ on both sides of the interface: the one table of element types. A
// dtype comes as an integer where it was read from a program.
//
//===----------------------------------------------------------------------===//

#ifndef TPRT_DTYPE_H
#define TPRT_DTYPE_H

#include "tprt/tprt.h"

namespace tprt {

struct DtypeInfo {
  const char *name; ///< as manifests have it
  int64_t bytes;    ///< of one element
};

inline constexpr DtypeInfo kDtypes[] = {
    {"f32", 4}, {"f64", 8}, {"bf16", 2}, {"f16", 2},
    {"i32", 4}, {"i64", 8}, {"i8", 1},
};

inline bool isDtype(int64_t dtype) {
  return dtype >= TPRT_F32 && dtype <= TPRT_I8;
}

inline const char *dtypeName(int64_t dtype) {
  return isDtype(dtype) ? kDtypes[dtype].name : "an unknown dtype";
}

/// Bytes of one element; 0 if there is no such dtype.
inline int64_t elementBytes(int64_t dtype) {
  return isDtype(dtype) ? kDtypes[dtype].bytes : 0;
}

} // namespace tprt

#endif // TPRT_DTYPE_H
