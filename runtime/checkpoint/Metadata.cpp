//===- Metadata.cpp - lookups in what a file says about itself ------------===//
//
// Part of tp-mlir, under the Apache License v2.0.
//
//===----------------------------------------------------------------------===//

#include "checkpoint/GgufFormat.h"
#include "checkpoint/Support.h"

using namespace tprt;
using namespace tprt::checkpoint;

bool Metadata::contains(std::string_view key) const {
  return values.find(key) != values.end();
}

const Metadata::Value *Metadata::find(std::string_view key) const {
  auto it = values.find(key);
  return it == values.end() ? nullptr : &it->second;
}

static std::string describe(const Metadata::Value &value) {
  if (const auto *array = std::get_if<Metadata::Array>(&value))
    return std::string("an array of ") + ggufValueName(array->type);
  if (const auto *text = std::get_if<std::string>(&value))
    return "the string " + quoted(*text);
  if (const auto *number = std::get_if<double>(&value))
    return "the float " + std::to_string(*number);
  if (const auto *number = std::get_if<int64_t>(&value))
    return "the integer " + std::to_string(*number);
  if (const auto *number = std::get_if<uint64_t>(&value))
    return "the integer " + std::to_string(*number);
  return std::get<bool>(value) ? "true" : "false";
}

Status Metadata::mismatch(std::string_view key, const char *wanted) const {
  const Value *value = find(key);
  return Status::error(TPRT_INVALID,
                       fileName + ": key " + quoted(key) + " is " +
                           (value ? describe(*value) : "missing") +
                           ", expected " + wanted);
}

static bool toInt(const Metadata::Value &value, int64_t &out) {
  if (const auto *number = std::get_if<int64_t>(&value)) {
    out = *number;
    return true;
  }
  const auto *number = std::get_if<uint64_t>(&value);
  if (!number || *number > INT64_MAX)
    return false;
  out = static_cast<int64_t>(*number);
  return true;
}

static bool toFloat(const Metadata::Value &value, double &out) {
  if (const auto *number = std::get_if<double>(&value))
    out = *number;
  else if (const auto *number = std::get_if<int64_t>(&value))
    out = static_cast<double>(*number);
  else if (const auto *number = std::get_if<uint64_t>(&value))
    out = static_cast<double>(*number);
  else
    return false;
  return true;
}

Status Metadata::getInt(std::string_view key, int64_t &out) const {
  const Value *value = find(key);
  return value && toInt(*value, out) ? Status()
                                     : mismatch(key, "a 64-bit integer");
}

Status Metadata::getFloat(std::string_view key, double &out) const {
  const Value *value = find(key);
  return value && toFloat(*value, out) ? Status() : mismatch(key, "a number");
}

Status Metadata::getBool(std::string_view key, bool &out) const {
  const Value *value = find(key);
  const auto *found = value ? std::get_if<bool>(value) : nullptr;
  if (!found)
    return mismatch(key, "a bool");
  out = *found;
  return {};
}

Status Metadata::getString(std::string_view key, std::string &out) const {
  const Value *value = find(key);
  const auto *found = value ? std::get_if<std::string>(value) : nullptr;
  if (!found)
    return mismatch(key, "a string");
  out = *found;
  return {};
}

const Metadata::Array *Metadata::findArray(std::string_view key,
                                           const char *wanted,
                                           Status &status) const {
  const Value *value = find(key);
  const auto *array = value ? std::get_if<Array>(value) : nullptr;
  if (!array)
    status = mismatch(key, wanted);
  return array;
}

Status Metadata::getInts(std::string_view key,
                         std::vector<int64_t> &out) const {
  static constexpr char wanted[] = "an array of 64-bit integers";
  Status status;
  const Array *array = findArray(key, wanted, status);
  if (!array)
    return status;
  std::vector<int64_t> result(ggufValueBytes(array->type) ? array->count : 0);
  if (result.size() != array->count)
    return mismatch(key, wanted);
  for (uint64_t i = 0; i < array->count; ++i)
    if (!toInt(ggufElement(*array, i), result[i]))
      return mismatch(key, wanted);
  out = std::move(result);
  return {};
}

Status Metadata::getFloats(std::string_view key,
                           std::vector<double> &out) const {
  static constexpr char wanted[] = "an array of numbers";
  Status status;
  const Array *array = findArray(key, wanted, status);
  if (!array)
    return status;
  std::vector<double> result(ggufValueBytes(array->type) ? array->count : 0);
  if (result.size() != array->count)
    return mismatch(key, wanted);
  for (uint64_t i = 0; i < array->count; ++i)
    if (!toFloat(ggufElement(*array, i), result[i]))
      return mismatch(key, wanted);
  out = std::move(result);
  return {};
}

Status Metadata::getBools(std::string_view key, std::vector<bool> &out) const {
  Status status;
  const Array *array = findArray(key, "an array of bools", status);
  if (!array)
    return status;
  if (array->type != GgufBool)
    return mismatch(key, "an array of bools");
  out.assign(array->count, false);
  for (uint64_t i = 0; i < array->count; ++i)
    out[i] = array->data[i] != 0;
  return {};
}

Status Metadata::getStrings(std::string_view key,
                            std::vector<std::string> &out) const {
  Status status;
  const Array *array = findArray(key, "an array of strings", status);
  if (!array)
    return status;
  if (array->type != GgufString)
    return mismatch(key, "an array of strings");
  // The reader has checked every length against the end of the file.
  out.clear();
  out.reserve(array->count);
  const uint8_t *p = array->data;
  for (uint64_t i = 0; i < array->count; ++i) {
    auto length = load<uint64_t>(p);
    out.emplace_back(reinterpret_cast<const char *>(p) + 8, length);
    p += 8 + length;
  }
  return {};
}
