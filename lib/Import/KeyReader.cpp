//===- KeyReader.cpp - typed access to a configuration --------------------===//
//
// Part of tp-mlir, under the Apache License v2.0.
//
//===----------------------------------------------------------------------===//

#include "KeyReader.h"

#include "checkpoint/Checkpoint.h"

#include "llvm/ADT/StringExtras.h"

#include <cmath>

using namespace mlir;
using namespace mlir::tp;
using namespace mlir::tp::importer;
namespace json = llvm::json;

std::string importer::quote(StringRef text) {
  constexpr size_t limit = 200;
  std::string result;
  llvm::raw_string_ostream os(result);
  os << '"';
  llvm::printEscapedString(text.take_front(limit), os);
  os << (text.size() > limit ? "...\"" : "\"");
  return result;
}

static StringRef describe(const json::Value &value) {
  switch (value.kind()) {
  case json::Value::Null:
    return "null";
  case json::Value::Boolean:
    return "a truth value";
  case json::Value::Number:
    return "a number";
  case json::Value::String:
    return "a string";
  case json::Value::Array:
    return "a list";
  case json::Value::Object:
    return "an object";
  }
  return "something else";
}

static std::string spellRange(int64_t low, int64_t high) {
  std::string result = std::to_string(low);
  return low == high ? result : result + " to " + std::to_string(high);
}

std::string importer::spell(double value) {
  std::string result;
  llvm::raw_string_ostream os(result);
  if (value == std::floor(value) && std::fabs(value) < 1e15)
    os << static_cast<int64_t>(value);
  else
    os << llvm::format("%g", value);
  return result;
}

//===----------------------------------------------------------------------===//
// Errors
//===----------------------------------------------------------------------===//

void KeyReader::fail(StringRef key, const Twine &message) {
  if (failed())
    return;
  emitError(UnknownLoc::get(context))
      << file << ": key " << quote((path + key).str()) << " " << message;
  for (KeyReader *reader = this; reader; reader = reader->parent)
    reader->hasFailed = true;
}

void KeyReader::failType(StringRef key, StringRef wanted) {
  fail(key, "is " + describe(*object->get(key)) + ", expected " + wanted);
}

LogicalResult KeyReader::finish(function_ref<bool(StringRef)> isHarmless,
                                StringRef prefix) {
  // Objects are hash tables: the order of keys, and so of errors, is ours.
  SmallVector<StringRef> keys;
  for (const auto &[key, value] : *object)
    if (StringRef(key).starts_with(prefix) && value.kind() != json::Value::Null)
      keys.push_back(key);
  llvm::sort(keys);
  for (StringRef key : keys)
    if (!asked.contains(key) && !isHarmless(key))
      fail(key, "is not understood and may change the model's results; if it "
                "does not, remove it");
  return success(!failed());
}

//===----------------------------------------------------------------------===//
// Lookups
//===----------------------------------------------------------------------===//

bool KeyReader::has(StringRef key) const {
  const json::Value *value = object->get(key);
  return value && value->kind() != json::Value::Null;
}

const json::Value *KeyReader::find(StringRef key) {
  asked.insert(key);
  return has(key) ? object->get(key) : nullptr;
}

int64_t KeyReader::getInt(StringRef key, std::optional<int64_t> absent,
                          int64_t low, int64_t high) {
  const json::Value *value = find(key);
  if (!value) {
    if (!absent)
      fail(key, "is missing");
    return absent.value_or(low);
  }
  if (value->kind() != json::Value::Number) {
    failType(key, "an integer");
    return low;
  }
  std::optional<int64_t> integer = value->getAsInteger();
  double number = value->getAsNumber().value_or(0);
  if (!integer && number == std::floor(number))
    fail(key, "is out of range: " + spell(number) + ", expected " +
                  spellRange(low, high));
  else if (!integer)
    fail(key, "is " + spell(number) + ", expected an integer");
  else if (*integer < low || *integer > high)
    fail(key, "is " + Twine(*integer) + ", expected " + spellRange(low, high));
  else
    return *integer;
  return low;
}

double KeyReader::getFloat(StringRef key, std::optional<double> absent,
                           Bounds bounds) {
  const json::Value *value = find(key);
  if (!value) {
    if (!absent)
      fail(key, "is missing");
    return absent.value_or(1);
  }
  std::optional<double> number = value->getAsNumber();
  if (!number) {
    failType(key, "a number");
    return 1;
  }
  if (*number >= bounds.low && *number <= bounds.high)
    return *number;
  if (bounds.low == Bounds::positive().low)
    fail(key, "is " + spell(*number) + ", expected a positive number");
  else if (bounds.low == Bounds::finite().low)
    fail(key, "is " + spell(*number) + ", expected a finite number");
  else
    fail(key, "is " + spell(*number) + ", expected at least " +
                  spell(bounds.low) + " and at most " + spell(bounds.high));
  return 1;
}

bool KeyReader::getBool(StringRef key, bool absent) {
  const json::Value *value = find(key);
  if (!value)
    return absent;
  if (std::optional<bool> flag = value->getAsBoolean())
    return *flag;
  failType(key, "true or false");
  return absent;
}

std::string KeyReader::getString(StringRef key,
                                 std::optional<StringRef> absent) {
  const json::Value *value = find(key);
  if (!value) {
    if (!absent)
      fail(key, "is missing");
    return absent.value_or("").str();
  }
  if (std::optional<StringRef> text = value->getAsString())
    return text->str();
  failType(key, "a string");
  return "";
}

std::string KeyReader::getFirstString(StringRef key) {
  const json::Value *value = find(key);
  if (!value)
    return "";
  const json::Array *list = value->getAsArray();
  if (list && list->empty())
    return "";
  std::optional<StringRef> first;
  if (list)
    first = list->front().getAsString();
  if (!first)
    failType(key, "a list of strings");
  return first.value_or("").str();
}

KeyReader KeyReader::getObject(StringRef key) {
  static const json::Object empty;
  const json::Value *value = find(key);
  const json::Object *nested = value ? value->getAsObject() : &empty;
  if (!nested)
    failType(key, "an object");
  KeyReader reader(context, file, nested ? *nested : empty);
  reader.path = (path + key + ".").str();
  reader.parent = this;
  return reader;
}

//===----------------------------------------------------------------------===//
// GGUF
//===----------------------------------------------------------------------===//

json::Object importer::toObject(const tprt::Metadata &metadata) {
  json::Object object;
  auto convert = [](const auto &value) -> json::Value {
    using T = std::decay_t<decltype(value)>;
    if constexpr (std::is_same_v<T, tprt::Metadata::Array>)
      return json::Array();
    else if constexpr (std::is_same_v<T, std::string>)
      return json::fixUTF8(value);
    else
      return value;
  };
  for (const auto &[key, value] : metadata.entries())
    object[json::fixUTF8(key)] = std::visit(convert, value);
  return object;
}
