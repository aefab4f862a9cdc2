//===- Gguf.cpp - the GGUF reader -----------------------------------------===//
//
// Part of tp-mlir, under the Apache License v2.0.
//
//===----------------------------------------------------------------------===//
//
// GGUF version 3: "GGUF", u32 version, u64 tensor count, u64 key-value count,
// the key-values, the tensors' descriptions, padding to `general.alignment`,
// the tensors' data. Nothing is allocated on the word of a count: every entry
// is read, and found to be there, before the next.
//
//===----------------------------------------------------------------------===//

#include "checkpoint/Builder.h"
#include "checkpoint/GgufFormat.h"
#include "checkpoint/Support.h"

#include <algorithm>

using namespace tprt;
using namespace tprt::checkpoint;

//===----------------------------------------------------------------------===//
// Values and types
//===----------------------------------------------------------------------===//

const char *checkpoint::ggufValueName(uint32_t type) {
  static const char *const names[] = {"u8",  "i8",  "u16",  "i16",    "u32",
                                      "i32", "f32", "bool", "string", "array",
                                      "u64", "i64", "f64"};
  return type <= GgufF64 ? names[type] : "unknown";
}

uint64_t checkpoint::ggufValueBytes(uint32_t type) {
  static const uint8_t bytes[] = {1, 1, 2, 2, 4, 4, 4, 1, 0, 0, 8, 8, 8};
  return type <= GgufF64 ? bytes[type] : 0;
}

Metadata::Value checkpoint::ggufValue(uint32_t type, const uint8_t *data) {
  switch (type) {
  case GgufU8:
    return uint64_t(load<uint8_t>(data));
  case GgufI8:
    return int64_t(load<int8_t>(data));
  case GgufU16:
    return uint64_t(load<uint16_t>(data));
  case GgufI16:
    return int64_t(load<int16_t>(data));
  case GgufU32:
    return uint64_t(load<uint32_t>(data));
  case GgufI32:
    return int64_t(load<int32_t>(data));
  case GgufF32:
    return double(load<float>(data));
  case GgufU64:
    return load<uint64_t>(data);
  case GgufI64:
    return load<int64_t>(data);
  case GgufF64:
    return load<double>(data);
  default:
    return *data != 0;
  }
}

namespace {
/// A number that GGUF gives to a tensor type; `type` if it can be read.
struct GgufTensorType {
  uint32_t number;
  const char *name;
  std::optional<StoredType> type;
};
} // namespace

static const GgufTensorType tensorTypes[] = {{0, "F32", StoredType::F32},
                                             {1, "F16", StoredType::F16},
                                             {30, "BF16", StoredType::BF16},
                                             {2, "Q4_0", StoredType::Q4_0},
                                             {3, "Q4_1", StoredType::Q4_1},
                                             {6, "Q5_0", StoredType::Q5_0},
                                             {7, "Q5_1", StoredType::Q5_1},
                                             {8, "Q8_0", StoredType::Q8_0},
                                             {12, "Q4_K", StoredType::Q4_K},
                                             {13, "Q5_K", StoredType::Q5_K},
                                             {14, "Q6_K", StoredType::Q6_K},
                                             {28, "F64", StoredType::F64},
                                             {24, "I8", StoredType::I8},
                                             {25, "I16", StoredType::I16},
                                             {26, "I32", StoredType::I32},
                                             {27, "I64", StoredType::I64},
                                             {9, "Q8_1", {}},
                                             {10, "Q2_K", {}},
                                             {11, "Q3_K", {}},
                                             {15, "Q8_K", {}},
                                             {16, "IQ2_XXS", {}},
                                             {17, "IQ2_XS", {}},
                                             {18, "IQ3_XXS", {}},
                                             {19, "IQ1_S", {}},
                                             {20, "IQ4_NL", {}},
                                             {21, "IQ3_S", {}},
                                             {22, "IQ2_S", {}},
                                             {23, "IQ4_XS", {}},
                                             {29, "IQ1_M", {}},
                                             {34, "TQ1_0", {}},
                                             {35, "TQ2_0", {}},
                                             {39, "MXFP4", {}}};

/// "Q4_K (12), expected one of F32, ..."
static std::string unsupportedType(uint32_t number) {
  std::string name = "unknown", supported;
  for (const GgufTensorType &entry : tensorTypes) {
    if (entry.number == number)
      name = entry.name;
    if (entry.type)
      supported += (supported.empty() ? "" : ", ") + std::string(entry.name);
  }
  return name + " (" + std::to_string(number) + "), expected one of " +
         supported;
}

//===----------------------------------------------------------------------===//
// Cursor
//===----------------------------------------------------------------------===//

namespace {
/// A position in the file that never passes its end.
class Cursor {
public:
  explicit Cursor(const MappedFile &file) : file(file) {}

  uint64_t position() const { return offset; }
  uint64_t remaining() const { return file.size() - offset; }

  Status skip(uint64_t bytes, const char *what, const uint8_t *&out) {
    if (bytes > remaining())
      return file.damaged("truncated: " + std::string(what) + " at byte " +
                          std::to_string(offset) + " needs " +
                          std::to_string(bytes) + " bytes, the file has " +
                          std::to_string(remaining()) + " left");
    out = file.data() + offset;
    offset += bytes;
    return {};
  }

  template <typename T> Status read(const char *what, T &out) {
    const uint8_t *data = nullptr;
    Status status = skip(sizeof(T), what, data);
    if (status.ok())
      out = load<T>(data);
    return status;
  }

  Status readString(const char *what, std::string_view &out) {
    uint64_t length = 0;
    if (Status status = read(what, length); !status.ok())
      return status;
    const uint8_t *data = nullptr;
    Status status = skip(length, what, data);
    if (status.ok())
      out = {reinterpret_cast<const char *>(data), length};
    return status;
  }

private:
  const MappedFile &file;
  uint64_t offset = 0;
};

//===----------------------------------------------------------------------===//
// Reader
//===----------------------------------------------------------------------===//

class GgufReader {
public:
  GgufReader(Builder &builder, size_t index)
      : builder(builder), index(index), file(builder.file(index)),
        cursor(file) {}

  Status run();

private:
  Status readHeader();
  Status checkVersion(uint32_t version) const;
  Status checkCount(const char *what, uint64_t count, uint64_t least) const;
  Status readKeyValue();
  Status readArray(std::string_view key, Metadata::Array &array);
  Status checkKeyValues();
  Status readTensor(TensorInfo &info);
  Status readShape(TensorInfo &info);
  Status readType(TensorInfo &info);
  Status placeTensor(TensorInfo &info, uint64_t dataStart) const;
  Status tensorError(const TensorInfo &info, tprt_status code,
                     const std::string &message) const;

  Builder &builder;
  size_t index;
  const MappedFile &file;
  Cursor cursor;
  uint64_t tensorCount = 0, keyValueCount = 0;
  uint64_t alignment = 32;
};
} // namespace

Status GgufReader::checkVersion(uint32_t version) const {
  if (version == 3)
    return {};
  std::string text = std::to_string(version);
  if (version == 0x03000000)
    text = "3 for big-endian machines";
  return file.error(TPRT_UNSUPPORTED,
                    "GGUF version " + text + ", expected version 3");
}

/// A count is impossible if that many entries of the least size do not fit.
Status GgufReader::checkCount(const char *what, uint64_t count,
                              uint64_t least) const {
  if (count <= cursor.remaining() / least)
    return {};
  return file.damaged("claims " + std::to_string(count) + " " + what +
                      ", more than fit in the file's " +
                      std::to_string(file.size()) + " bytes");
}

Status GgufReader::readHeader() {
  if (file.text().substr(0, 4) != "GGUF")
    return file.damaged("is not a GGUF file: it starts with " +
                        quoted(file.text().substr(0, 4)) + ", expected 'GGUF'" +
                        pointerHint(file));
  uint32_t magic = 0, version = 0;
  Status status = cursor.read("the magic", magic);
  if (status.ok())
    status = cursor.read("the version", version);
  if (status.ok())
    status = checkVersion(version);
  if (status.ok())
    status = cursor.read("the tensor count", tensorCount);
  if (status.ok())
    status = cursor.read("the key-value count", keyValueCount);
  if (status.ok()) // key, type, a byte
    status = checkCount("key-values", keyValueCount, 8 + 4 + 1);
  if (status.ok()) // name, rank, type, offset
    status = checkCount("tensors", tensorCount, 8 + 4 + 4 + 8);
  return status;
}

Status GgufReader::readArray(std::string_view key, Metadata::Array &array) {
  Status status = cursor.read("an array's type", array.type);
  if (status.ok())
    status = cursor.read("an array's length", array.count);
  if (!status.ok())
    return status;
  uint64_t bytes = ggufValueBytes(array.type);
  if (bytes == 0 && array.type != GgufString)
    return file.error(TPRT_UNSUPPORTED,
                      "key " + quoted(key) + " is an array of " +
                          (array.type == GgufArray
                               ? "arrays"
                               : "type " + std::to_string(array.type)) +
                          ", expected scalars or strings");
  if (status = checkCount("array elements", array.count, bytes ? bytes : 8);
      !status.ok())
    return status;
  if (bytes)
    return cursor.skip(array.count * bytes, "an array", array.data);
  // Find the end now, so that the strings can be read later without checks.
  status = cursor.skip(0, "an array", array.data);
  std::string_view ignored;
  for (uint64_t i = 0; i < array.count && status.ok(); ++i)
    status = cursor.readString("a string of an array", ignored);
  return status;
}

Status GgufReader::readKeyValue() {
  std::string_view key;
  if (Status status = cursor.readString("a key", key); !status.ok())
    return status;
  uint32_t type = 0;
  if (Status status = cursor.read("a value's type", type); !status.ok())
    return status;
  Metadata::Value value;
  Status status;
  if (uint64_t bytes = ggufValueBytes(type)) {
    const uint8_t *data = nullptr;
    status = cursor.skip(bytes, "a value", data);
    if (status.ok())
      value = ggufValue(type, data);
  } else if (type == GgufString) {
    std::string_view text;
    status = cursor.readString("a string value", text);
    value = std::string(text);
  } else if (type == GgufArray) {
    Metadata::Array array;
    status = readArray(key, array);
    value = array;
  } else {
    return file.damaged("key " + quoted(key) + " has a value of type " +
                        std::to_string(type) + ", expected 0 to 12");
  }
  return status.ok() ? builder.addValue(index, key, std::move(value)) : status;
}

/// The keys that say how to read the rest.
Status GgufReader::checkKeyValues() {
  const Metadata &metadata = builder.metadata();
  if (metadata.contains("general.alignment")) {
    int64_t value = 0;
    if (Status status = metadata.getInt("general.alignment", value);
        !status.ok())
      return file.damaged("key 'general.alignment' is not an integer");
    if (value <= 0 || (value & (value - 1)) != 0 || value > (1 << 30))
      return file.damaged("general.alignment is " + std::to_string(value) +
                          ", expected a power of two");
    alignment = static_cast<uint64_t>(value);
  }
  int64_t parts = 1;
  if (metadata.contains("split.count") &&
      metadata.getInt("split.count", parts).ok() && parts > 1)
    return file.error(TPRT_UNSUPPORTED,
                      "is one of " + std::to_string(parts) +
                          " parts of a split GGUF, expected a single file: "
                          "merge them with 'llama-gguf-split --merge'");
  return {};
}

Status GgufReader::tensorError(const TensorInfo &info, tprt_status code,
                               const std::string &message) const {
  return file.error(code, "tensor " + quoted(info.name) + " " + message);
}

Status GgufReader::readShape(TensorInfo &info) {
  uint32_t rank = 0;
  if (Status status = cursor.read("a tensor's rank", rank); !status.ok())
    return status;
  if (rank > TPRT_MAX_RANK)
    return tensorError(info, TPRT_UNSUPPORTED,
                       "has " + std::to_string(rank) +
                           " dims, expected at most " +
                           std::to_string(TPRT_MAX_RANK));
  for (uint32_t i = 0; i < rank; ++i) {
    uint64_t dim = 0;
    if (Status status = cursor.read("a tensor's dim", dim); !status.ok())
      return status;
    if (dim > INT64_MAX)
      return tensorError(info, TPRT_IO,
                         "has a dim of " + std::to_string(dim) +
                             ", more than the file can hold");
    info.shape.push_back(static_cast<int64_t>(dim));
  }
  // GGUF lists the fastest dim first.
  std::reverse(info.shape.begin(), info.shape.end());
  return {};
}

Status GgufReader::readType(TensorInfo &info) {
  uint32_t number = 0;
  if (Status status = cursor.read("a tensor's type", number); !status.ok())
    return status;
  for (const GgufTensorType &entry : tensorTypes)
    if (entry.number == number && entry.type) {
      info.type = *entry.type;
      return {};
    }
  return tensorError(info, TPRT_UNSUPPORTED,
                     "has type " + unsupportedType(number));
}

Status GgufReader::readTensor(TensorInfo &info) {
  std::string_view name;
  if (Status status = cursor.readString("a tensor's name", name); !status.ok())
    return status;
  if (Status status = checkTensorName(name); !status.ok())
    return file.damaged(status.message);
  info.name = name;
  info.file = index;
  if (Status status = readShape(info); !status.ok())
    return status;
  if (Status status = readType(info); !status.ok())
    return status;
  if (Status status = tensorBytes(info.type, info.shape, info.bytes);
      !status.ok())
    return tensorError(info, status.code, status.message);
  return cursor.read("a tensor's offset", info.offset);
}

/// Turns the offset from the start of the data into one from the start of the
/// file.
Status GgufReader::placeTensor(TensorInfo &info, uint64_t dataStart) const {
  if (info.offset % alignment != 0)
    return tensorError(info, TPRT_IO,
                       "has offset " + std::to_string(info.offset) +
                           ", expected a multiple of the alignment, " +
                           std::to_string(alignment));
  uint64_t available = file.size() > dataStart ? file.size() - dataStart : 0;
  if (info.offset > available || info.bytes > available - info.offset)
    return tensorError(
        info, TPRT_IO,
        std::string("is truncated: ") + storedTypeInfo(info.type).name + " " +
            shapeText(info.shape) + " needs " + std::to_string(info.bytes) +
            " bytes at offset " + std::to_string(info.offset) +
            ", the file has " + std::to_string(available) + " bytes of data");
  info.offset += dataStart;
  return {};
}

Status GgufReader::run() {
  if (Status status = readHeader(); !status.ok())
    return status;
  for (uint64_t i = 0; i < keyValueCount; ++i)
    if (Status status = readKeyValue(); !status.ok())
      return status;
  if (Status status = checkKeyValues(); !status.ok())
    return status;
  std::vector<TensorInfo> tensors;
  for (uint64_t i = 0; i < tensorCount; ++i)
    if (Status status = readTensor(tensors.emplace_back()); !status.ok())
      return status;
  builder.setHeaderBytes(index, cursor.position());
  uint64_t dataStart = (cursor.position() + alignment - 1) & ~(alignment - 1);
  for (TensorInfo &info : tensors) {
    if (Status status = placeTensor(info, dataStart); !status.ok())
      return status;
    builder.addTensor(std::move(info));
  }
  return {};
}

Status checkpoint::readGguf(Builder &builder, size_t file) {
  return GgufReader(builder, file).run();
}
