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

#include <string_view>

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

/// A stored type: `elements` in `bytes`, one after the other along the last dim
/// of a tensor.
struct StoredInfo {
  const char *name; ///< as files spell it
  int64_t elements, bytes;
};

inline constexpr StoredInfo kStored[] = {
    {"", 1, 0},         {"F16", 1, 2},      {"BF16", 1, 2},
    {"Q4_0", 32, 18},   {"Q4_1", 32, 20},   {"Q5_0", 32, 22},
    {"Q5_1", 32, 24},   {"Q8_0", 32, 34},   {"Q4_K", 256, 144},
    {"Q5_K", 256, 176}, {"Q6_K", 256, 210},
};

/// Lines that are interleaved (tprt_stored).
inline constexpr int64_t interleavedLines = 8;

inline int64_t storedTypeOf(int64_t stored) { return stored & 255; }

/// Elements of the lines that lie in groups of eight; 0 if lines lie as they
/// are stored.
inline int64_t interleavedLine(int64_t stored) { return stored >> 8; }

inline int64_t interleavedStored(int64_t type, int64_t line) {
  return type | line << 8;
}

/// Whether blocks of the type may be interleaved.
inline bool mayInterleave(int64_t type) {
  return type >= TPRT_STORED_Q4_0 && type <= TPRT_STORED_Q6_K;
}

/// Lines of whole blocks, whose size has its place in tprt_stored.
inline bool mayInterleave(int64_t type, int64_t line) {
  return mayInterleave(type) && line > 0 && line < int64_t(1) << 48 &&
         line % kStored[type].elements == 0;
}

/// Whether the last of `rank` dims make up a line, and the others a multiple of
/// eight lines.
inline bool isInGroupsOfLines(const int64_t *shape, size_t rank, int64_t line) {
  int64_t elements = 1;
  for (; rank > 0 && elements < line; --rank)
    if (__builtin_mul_overflow(elements, shape[rank - 1], &elements))
      return false;
  int64_t lines = 1; // modulo eight, so that nothing overflows
  for (; rank > 0; --rank)
    lines = lines * (shape[rank - 1] % interleavedLines) % interleavedLines;
  return elements == line && lines == 0;
}

/// A stored type, and if it says so with lines that may be interleaved.
inline bool isStored(int64_t stored) {
  const int64_t type = storedTypeOf(stored), line = interleavedLine(stored);
  return stored > TPRT_STORED_AS_DTYPE && type > TPRT_STORED_AS_DTYPE &&
         type <= TPRT_STORED_Q6_K && (line == 0 || mayInterleave(type, line));
}

/// Of what isStored().
inline const StoredInfo &storedInfo(int64_t stored) {
  return kStored[storedTypeOf(stored)];
}

/// Of so many elements in whole blocks.
inline int64_t storedBytes(int64_t stored, int64_t elements) {
  const StoredInfo &info = storedInfo(stored);
  return elements / info.elements * info.bytes;
}

/// TPRT_STORED_AS_DTYPE for a name that is none of these.
inline int64_t storedByName(std::string_view name) {
  for (int64_t i = TPRT_STORED_F16; i <= TPRT_STORED_Q6_K; ++i)
    if (name == kStored[i].name)
      return i;
  return TPRT_STORED_AS_DTYPE;
}

} // namespace tprt

#endif // TPRT_DTYPE_H
