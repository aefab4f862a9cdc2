//===- Support.h - small shared helpers -------------------------*- C++ -*-===//
//
// Part of tp-mlir, under the Apache License v2.0.
//
//===----------------------------------------------------------------------===//

#ifndef TPRT_CHECKPOINT_SUPPORT_H
#define TPRT_CHECKPOINT_SUPPORT_H

#include "checkpoint/Checkpoint.h"

#include <cstring>

namespace tprt::checkpoint {

#if !defined(__BYTE_ORDER__) || __BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__
#error "checkpoint files are little-endian and are read in place"
#endif

/// Loads a value from any address: nothing in these files need be aligned.
template <typename T> T load(const void *address) {
  T value;
  std::memcpy(&value, address, sizeof(T));
  return value;
}

/// `text` in single quotes, fit for a message: one line, bounded, ASCII escapes
/// for what cannot be printed.
std::string quoted(std::string_view text);

/// `text` made fit for a message in the same way, without quotes.
std::string printable(std::string_view text, size_t limit);

/// "[2, 3]"
std::string shapeText(const std::vector<int64_t> &shape);

bool isUtf8(std::string_view text);

/// Bytes of a tensor of this type and shape. An error, without the file's name,
/// if the rank or the size is beyond what can be handled, or if the fast dim
/// does not consist of whole blocks.
Status tensorBytes(StoredType type, const std::vector<int64_t> &shape,
                   uint64_t &bytes);

} // namespace tprt::checkpoint

#endif // TPRT_CHECKPOINT_SUPPORT_H
