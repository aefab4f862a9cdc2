//===- StoredType.cpp - stored types, sizes and messages ------------------===//
//
// Part of tp-mlir, under the Apache License v2.0.
//
//===----------------------------------------------------------------------===//

#include "checkpoint/Support.h"

using namespace tprt;

static constexpr StoredTypeInfo typeTable[] = {
    {"F32", StoredKind::Float, 1, 4},
    {"F16", StoredKind::Float, 1, 2},
    {"BF16", StoredKind::Float, 1, 2},
    {"F64", StoredKind::Float, 1, 8},
    {"I8", StoredKind::Integer, 1, 1},
    {"I16", StoredKind::Integer, 1, 2},
    {"I32", StoredKind::Integer, 1, 4},
    {"I64", StoredKind::Integer, 1, 8},
    {"U8", StoredKind::Integer, 1, 1},
    {"U16", StoredKind::Integer, 1, 2},
    {"U32", StoredKind::Integer, 1, 4},
    {"BOOL", StoredKind::Integer, 1, 1},
    {"Q4_0", StoredKind::Quantised, 32, 18},
    {"Q4_1", StoredKind::Quantised, 32, 20},
    {"Q5_0", StoredKind::Quantised, 32, 22},
    {"Q5_1", StoredKind::Quantised, 32, 24},
    {"Q8_0", StoredKind::Quantised, 32, 34},
    {"Q4_K", StoredKind::Quantised, 256, 144},
    {"Q5_K", StoredKind::Quantised, 256, 176},
    {"Q6_K", StoredKind::Quantised, 256, 210}};
static_assert(sizeof(typeTable) / sizeof(typeTable[0]) ==
                  static_cast<size_t>(StoredType::Q6_K) + 1,
              "one row for each StoredType, in its order");

const StoredTypeInfo &tprt::storedTypeInfo(StoredType type) {
  return typeTable[static_cast<size_t>(type)];
}

std::optional<StoredType> tprt::storedTypeByName(std::string_view name) {
  for (size_t i = 0; i < sizeof(typeTable) / sizeof(typeTable[0]); ++i)
    if (name == typeTable[i].name)
      return static_cast<StoredType>(i);
  return std::nullopt;
}

std::string checkpoint::printable(std::string_view text, size_t limit) {
  static const char digits[] = "0123456789abcdef";
  std::string result;
  for (char c : text.substr(0, limit)) {
    auto byte = static_cast<unsigned char>(c);
    if (byte >= 0x20 && byte < 0x7f) {
      result += c;
      continue;
    }
    result += "\\x";
    result += digits[byte >> 4];
    result += digits[byte & 15];
  }
  if (text.size() > limit)
    result += "...";
  return result;
}

std::string checkpoint::quoted(std::string_view text) {
  return "'" + printable(text, 120) + "'";
}

std::string checkpoint::shapeText(const std::vector<int64_t> &shape) {
  std::string result = "[";
  for (size_t i = 0; i < shape.size(); ++i)
    result += (i ? ", " : "") + std::to_string(shape[i]);
  return result + "]";
}

/// Length of the UTF-8 sequence at the start of `text`; 0 if there is none.
/// Overlong forms, surrogates and values beyond U+10FFFF are refused.
static size_t utf8Length(std::string_view text) {
  auto byte = [&](size_t i) -> unsigned {
    return i < text.size() ? static_cast<unsigned char>(text[i]) : 0;
  };
  unsigned first = byte(0);
  if (first < 0x80)
    return 1;
  size_t length = first >= 0xf0 ? 4 : first >= 0xe0 ? 3 : 2;
  if (first < 0xc2 || first > 0xf4)
    return 0;
  for (size_t i = 1; i < length; ++i)
    if ((byte(i) & 0xc0) != 0x80)
      return 0;
  unsigned second = byte(1);
  if ((first == 0xe0 && second < 0xa0) || (first == 0xed && second > 0x9f) ||
      (first == 0xf0 && second < 0x90) || (first == 0xf4 && second > 0x8f))
    return 0;
  return length;
}

bool checkpoint::isUtf8(std::string_view text) {
  while (!text.empty()) {
    size_t length = utf8Length(text);
    if (length == 0)
      return false;
    text.remove_prefix(length);
  }
  return true;
}

Status checkpoint::tensorBytes(StoredType type,
                               const std::vector<int64_t> &shape,
                               uint64_t &bytes) {
  const StoredTypeInfo &info = storedTypeInfo(type);
  if (shape.size() > TPRT_MAX_RANK)
    return Status::error(TPRT_UNSUPPORTED, "has " +
                                               std::to_string(shape.size()) +
                                               " dims, expected at most " +
                                               std::to_string(TPRT_MAX_RANK));
  int64_t fast = shape.empty() ? 1 : shape.back();
  if (fast % info.blockElements != 0)
    return Status::error(
        TPRT_IO, std::string("is ") + info.name + " with a fast dim of " +
                     std::to_string(fast) + ", expected a multiple of " +
                     std::to_string(info.blockElements));
  // A zero must not hide dims whose product overflows: indices and strides are
  // computed from them.
  int64_t elements = 1, nonzero = 1;
  bool overflow = false;
  for (int64_t dim : shape) {
    overflow |=
        dim < 0 || __builtin_mul_overflow(nonzero, dim ? dim : 1, &nonzero);
    elements = dim == 0 || elements == 0 ? 0 : nonzero;
  }
  int64_t total = 0;
  overflow |= __builtin_mul_overflow(nonzero, info.blockBytes, &total);
  if (overflow)
    return Status::error(TPRT_IO, "has a shape, " + shapeText(shape) +
                                      ", whose size overflows");
  bytes =
      static_cast<uint64_t>(elements / info.blockElements * info.blockBytes);
  return {};
}
