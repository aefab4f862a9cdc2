//===- Npy.cpp - NumPy's array files --------------------------------------===//
//
// Part of tp-mlir, under the Apache License v2.0.
//
//===----------------------------------------------------------------------===//

#include "Npy.h"
#include "tp/Support/Tool.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/Support/MathExtras.h"
#include "llvm/Support/MemoryBuffer.h"
#include "llvm/Support/raw_ostream.h"
#include <cstring>

using namespace mlir;
using namespace mlir::tp;

template <typename T> static T load(const std::vector<char> &data, int64_t i) {
  T value;
  std::memcpy(&value, data.data() + i * sizeof(T), sizeof(T));
  return value;
}

double Array::at(int64_t i) const {
  switch (dtype) {
  case TPRT_F64:
    return load<double>(data, i);
  case TPRT_I64:
    return double(load<int64_t>(data, i));
  case TPRT_I32:
    return load<int32_t>(data, i);
  case TPRT_I8:
    return load<int8_t>(data, i);
  case TPRT_BF16: {
    uint32_t bits = uint32_t(load<uint16_t>(data, i)) << 16;
    float value;
    std::memcpy(&value, &bits, sizeof(value));
    return value;
  }
  case TPRT_F16:
  case TPRT_F32:
    break;
  }
  return load<float>(data, i);
}

void Array::reset(tprt_dtype type, ArrayRef<int64_t> extents) {
  dtype = type;
  shape.assign(extents.begin(), extents.end());
  data.assign(size() * tprt::elementBytes(type), 0);
}

//===----------------------------------------------------------------------===//
// Reading
//===----------------------------------------------------------------------===//

/// The value of 'key' in the header's dictionary, up to the next field.
static StringRef field(StringRef header, StringRef key) {
  size_t position = header.find(key);
  if (position == StringRef::npos)
    return {};
  StringRef rest = header.drop_front(position + key.size()).ltrim();
  if (!rest.consume_front(":"))
    return {};
  rest = rest.ltrim();
  if (rest.starts_with("("))
    return rest.take_front(rest.find(')') + 1);
  return rest.take_until([](char c) { return c == ',' || c == '}'; }).rtrim();
}

static bool parseShape(StringRef text, SmallVectorImpl<int64_t> &shape) {
  if (!text.consume_front("(") || !text.consume_back(")"))
    return false;
  int64_t elements = 1;
  while (!(text = text.ltrim()).empty()) {
    int64_t extent;
    if (text.consumeInteger(10, extent) || extent < 0 ||
        llvm::MulOverflow(elements, extent, elements) ||
        elements > (int64_t(1) << 40))
      return false;
    shape.push_back(extent);
    text = text.ltrim();
    if (!text.empty() && !text.consume_front(","))
      return false;
  }
  return shape.size() <= TPRT_MAX_RANK;
}

bool tp::readNpy(StringRef path, Array &array, std::string &message) {
  auto refuse = [&](const Twine &why) {
    message = ("\"" + path + "\": " + why).str();
    return false;
  };
  auto buffer = llvm::MemoryBuffer::getFile(path, /*IsText=*/false,
                                            /*RequiresNullTerminator=*/false);
  if (!buffer)
    return refuse(buffer.getError().message());
  StringRef bytes = (*buffer)->getBuffer();
  if (!bytes.consume_front("\x93NUMPY") || bytes.size() < 4)
    return refuse("not a NumPy array file");
  unsigned major = uint8_t(bytes[0]);
  bytes = bytes.drop_front(2);
  size_t lengthBytes = major == 1 ? 2 : 4, length = 0;
  if (bytes.size() < lengthBytes)
    return refuse("truncated");
  for (size_t i = 0; i < lengthBytes; ++i)
    length |= size_t(uint8_t(bytes[i])) << (8 * i);
  bytes = bytes.drop_front(lengthBytes);
  if (length > bytes.size())
    return refuse("truncated");
  StringRef header = bytes.take_front(length);
  bytes = bytes.drop_front(length);

  StringRef type = field(header, "'descr'").trim("'\"");
  if (type == "<f4")
    array.dtype = TPRT_F32;
  else if (type == "<f8")
    array.dtype = TPRT_F64;
  else if (type == "<i4")
    array.dtype = TPRT_I32;
  else if (type == "<i8")
    array.dtype = TPRT_I64;
  else if (type == "|i1" || type == "|b1")
    array.dtype = TPRT_I8;
  else
    return refuse("elements of type '" + type +
                  "'; there are <f4, <f8, <i4, <i8, |i1 and |b1");
  if (field(header, "'fortran_order'") != "False")
    return refuse("in Fortran order; save it in C order");
  array.shape.clear();
  if (!parseShape(field(header, "'shape'"), array.shape))
    return refuse("a shape that cannot be read");
  size_t wanted =
      size_t(array.size()) * size_t(tprt::elementBytes(array.dtype));
  if (bytes.size() != wanted)
    return refuse("has " + Twine(bytes.size()) + " bytes of data, needs " +
                  Twine(wanted));
  array.data.assign(bytes.begin(), bytes.end());
  if (type == "|b1")
    for (char &byte : array.data)
      byte = byte != 0;
  return true;
}

//===----------------------------------------------------------------------===//
// Writing
//===----------------------------------------------------------------------===//

bool tp::writeNpy(StringRef path, const Array &array) {
  std::string shape = "(";
  for (int64_t extent : array.shape)
    shape += std::to_string(extent) + ",";
  shape += ")";
  bool widen = array.dtype == TPRT_BF16;
  const char *type = array.dtype == TPRT_F64   ? "<f8"
                     : array.dtype == TPRT_I32 ? "<i4"
                     : array.dtype == TPRT_I64 ? "<i8"
                     : array.dtype == TPRT_F16 ? "<f2"
                     : array.dtype == TPRT_I8  ? "|i1"
                                               : "<f4";
  std::string header = std::string("{'descr': '") + type +
                       "', 'fortran_order': False, 'shape': " + shape + ", }";
  // The data begins at a multiple of 64; the header ends with a newline.
  header.append(63 - (10 + header.size()) % 64, ' ');
  header += '\n';

  return writeOutput(path, [&](raw_ostream &os) {
    os << StringRef("\x93NUMPY\x01\x00", 8) << char(header.size() & 255)
       << char(header.size() >> 8) << header;
    if (!widen) {
      os.write(array.data.data(), array.data.size());
      return;
    }
    for (int64_t i = 0; i < array.size(); ++i) {
      float value = float(array.at(i));
      os.write(reinterpret_cast<const char *>(&value), sizeof(value));
    }
  });
}
