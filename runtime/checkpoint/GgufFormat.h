//===- GgufFormat.h - numbers of the GGUF format ----------------*- C++ -*-===//
//
// Part of tp-mlir, under the Apache License v2.0.
//
//===----------------------------------------------------------------------===//

#ifndef TPRT_CHECKPOINT_GGUFFORMAT_H
#define TPRT_CHECKPOINT_GGUFFORMAT_H

#include "checkpoint/Checkpoint.h"

namespace tprt::checkpoint {

enum GgufValueType : uint32_t {
  GgufU8 = 0,
  GgufI8 = 1,
  GgufU16 = 2,
  GgufI16 = 3,
  GgufU32 = 4,
  GgufI32 = 5,
  GgufF32 = 6,
  GgufBool = 7,
  GgufString = 8,
  GgufArray = 9,
  GgufU64 = 10,
  GgufI64 = 11,
  GgufF64 = 12
};

/// "u8", ... or "unknown".
const char *ggufValueName(uint32_t type);

/// Bytes of a value of fixed size; 0 for strings, arrays and unknown types.
uint64_t ggufValueBytes(uint32_t type);

/// A value of fixed size at an address.
Metadata::Value ggufValue(uint32_t type, const uint8_t *data);

/// An element of an array of values of fixed size.
inline Metadata::Value ggufElement(const Metadata::Array &array, uint64_t i) {
  return ggufValue(array.type, array.data + i * ggufValueBytes(array.type));
}

} // namespace tprt::checkpoint

#endif // TPRT_CHECKPOINT_GGUFFORMAT_H
