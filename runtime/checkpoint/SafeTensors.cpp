//===- SafeTensors.cpp - the safetensors reader ---------------------------===//
//
// Part of tp-mlir, under the Apache License v2.0.
//
//===----------------------------------------------------------------------===//
//
// u64 length of the header, the header (JSON: name to dtype, shape and
// data_offsets, and strings under "__metadata__"), the tensors' data.
//
//===----------------------------------------------------------------------===//

#include "checkpoint/Builder.h"
#include "checkpoint/JsonEvents.h"
#include "checkpoint/Support.h"

using namespace tprt;
using namespace tprt::checkpoint;

/// The reference implementation's limit.
static constexpr uint64_t maxHeaderBytes = 100'000'000;

static std::optional<StoredType> typeByName(std::string_view name) {
  std::optional<StoredType> type = storedTypeByName(name);
  // GGUF's blocks have names, but not in this format.
  if (type && storedTypeInfo(*type).kind == StoredKind::Quantised)
    return std::nullopt;
  return type;
}

namespace {
class HeaderEvents final : public JsonEvents {
public:
  HeaderEvents(SafeTensorsHeader &out, size_t fileIndex, uint64_t dataStart,
               uint64_t dataBytes)
      : out(out), fileIndex(fileIndex), dataStart(dataStart),
        dataBytes(dataBytes) {}

  tprt_status code = TPRT_IO;

  bool key(int depth, const std::string &name) override;
  bool begin(int depth, bool isObject) override;
  bool end(int depth) override;
  bool string(int depth, const std::string &value) override;
  bool integer(int depth, uint64_t value) override;
  bool other(int depth, const char *kind) override;

private:
  enum class Field { None, Type, Shape, Offsets, Ignored };

  bool unexpected(const char *kind);
  bool setType(const std::string &name);
  bool finishTensor();
  bool tensorFail(const std::string &message) {
    return fail("tensor " + quoted(tensor.name) + " " + message);
  }

  SafeTensorsHeader &out;
  size_t fileIndex;
  uint64_t dataStart, dataBytes;

  // The entry that is being read.
  bool inMetadata = false;
  std::string metadataKey;
  TensorInfo tensor;
  Field field = Field::None;
  bool hasType = false, hasShape = false, hasOffsets = false;
  std::vector<uint64_t> offsets;
};
} // namespace

bool HeaderEvents::unexpected(const char *kind) {
  if (inMetadata)
    return fail("__metadata__ contains " + std::string(kind) +
                ", expected strings");
  switch (field) {
  case Field::Ignored:
    return true;
  case Field::Type:
    return tensorFail("has " + std::string(kind) +
                      " as its dtype, expected a string");
  case Field::Shape:
    return tensorFail("has " + std::string(kind) +
                      " in its shape, expected an array of sizes");
  case Field::Offsets:
    return tensorFail("has " + std::string(kind) +
                      " in its data_offsets, expected [begin, end]");
  case Field::None:
    break;
  }
  return tensorFail("is " + std::string(kind) + ", expected an object");
}

bool HeaderEvents::key(int depth, const std::string &name) {
  if (depth == 1) {
    inMetadata = name == "__metadata__";
    tensor = TensorInfo();
    tensor.name = name;
    tensor.file = fileIndex;
    field = Field::None;
    hasType = hasShape = hasOffsets = false;
    offsets.clear();
    Status status = checkTensorName(name);
    return status.ok() || fail(status.message);
  }
  if (depth != 2)
    return true; // inside a field that is ignored
  if (inMetadata) {
    metadataKey = name;
    return true;
  }
  field = Field::Ignored;
  bool *seen = nullptr;
  if (name == "dtype")
    field = Field::Type, seen = &hasType;
  else if (name == "shape")
    field = Field::Shape, seen = &hasShape;
  else if (name == "data_offsets")
    field = Field::Offsets, seen = &hasOffsets;
  if (seen && *seen)
    return tensorFail("has " + quoted(name) + " twice");
  if (seen)
    *seen = true;
  return true;
}

bool HeaderEvents::begin(int depth, bool isObject) {
  if (depth == 1)
    return true;
  if (depth == 2)
    return isObject || unexpected("an array");
  bool isList = field == Field::Shape || field == Field::Offsets;
  if (depth == 3 && isList && !isObject)
    return true;
  return unexpected(isObject ? "an object" : "an array");
}

bool HeaderEvents::end(int depth) {
  if (depth != 2)
    return true;
  return inMetadata || finishTensor();
}

bool HeaderEvents::string(int depth, const std::string &value) {
  if (inMetadata && depth == 2) {
    out.metadata.emplace_back(metadataKey, value);
    return true;
  }
  if (depth == 2 && field == Field::Type)
    return setType(value);
  return unexpected("a string");
}

bool HeaderEvents::integer(int depth, uint64_t value) {
  if (depth == 3 && field == Field::Offsets) {
    offsets.push_back(value);
    return true;
  }
  if (depth != 3 || field != Field::Shape)
    return unexpected("a number");
  if (value > INT64_MAX)
    return tensorFail("has a dim of " + std::to_string(value) +
                      ", more than the file can hold");
  tensor.shape.push_back(static_cast<int64_t>(value));
  return true;
}

bool HeaderEvents::other(int, const char *kind) { return unexpected(kind); }

bool HeaderEvents::setType(const std::string &name) {
  if (std::optional<StoredType> type = typeByName(name)) {
    tensor.type = *type;
    return true;
  }
  code = TPRT_UNSUPPORTED;
  return tensorFail("has dtype " + quoted(name) +
                    ", expected one of F64, F32, F16, BF16, I64, I32, I16, "
                    "I8, U32, U16, U8, BOOL");
}

bool HeaderEvents::finishTensor() {
  if (!hasType || !hasShape || !hasOffsets)
    return tensorFail(std::string("has no ") + (!hasType    ? "dtype"
                                                : !hasShape ? "shape"
                                                            : "data_offsets"));
  Status status = tensorBytes(tensor.type, tensor.shape, tensor.bytes);
  if (!status.ok()) {
    code = status.code;
    return tensorFail(status.message);
  }
  if (offsets.size() != 2)
    return tensorFail("has " + std::to_string(offsets.size()) +
                      " data_offsets, expected [begin, end]");
  std::string range = "has data_offsets [" + std::to_string(offsets[0]) + ", " +
                      std::to_string(offsets[1]) + "], ";
  if (offsets[0] > offsets[1] || offsets[1] > dataBytes)
    return tensorFail(range + "expected a range within the file's " +
                      std::to_string(dataBytes) + " bytes of data");
  if (offsets[1] - offsets[0] != tensor.bytes)
    return tensorFail(range + "expected " + std::to_string(tensor.bytes) +
                      " bytes for " + storedTypeInfo(tensor.type).name + " " +
                      shapeText(tensor.shape));
  tensor.offset = dataStart + offsets[0];
  out.tensors.push_back(std::move(tensor));
  return true;
}

Status checkpoint::readSafeTensorsHeader(const MappedFile &file, size_t index,
                                         SafeTensorsHeader &out) {
  std::string hint = pointerHint(file);
  if (file.size() < 8 || !hint.empty())
    return file.damaged("is not a safetensors file: expected the header's "
                        "length in the first 8 bytes" +
                        hint);
  auto length = load<uint64_t>(file.data());
  if (length > file.size() - 8 || length > maxHeaderBytes)
    return file.damaged(
        "truncated or not a safetensors file: the header claims " +
        std::to_string(length) + " bytes, the file has " +
        std::to_string(file.size() - 8) + " after the length and at most " +
        std::to_string(maxHeaderBytes) + " are expected");
  out.bytes = 8 + length;
  HeaderEvents events(out, index, out.bytes, file.size() - out.bytes);
  Status status = parseJson(file, file.text().substr(8, length), events);
  if (!status.ok() && events.code != TPRT_IO)
    status.code = events.code;
  return status;
}

Status checkpoint::readSafeTensors(Builder &builder, size_t file) {
  SafeTensorsHeader header;
  Status status = readSafeTensorsHeader(builder.file(file), file, header);
  if (!status.ok())
    return status;
  builder.setHeaderBytes(file, header.bytes);
  for (auto &[key, value] : header.metadata)
    if (status = builder.addValue(file, key, std::move(value)); !status.ok())
      return status;
  for (TensorInfo &tensor : header.tensors)
    builder.addTensor(std::move(tensor));
  return {};
}
