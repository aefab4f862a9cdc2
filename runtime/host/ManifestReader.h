//===- ManifestReader.h - JSON values with their place -------------------===//
//
// Part of tp-mlir, under the Apache License v2.0.
//
//===----------------------------------------------------------------------===//
//
// A view of a JSON value that knows where in the manifest it stands, so that
// every message names the place: "entry 'forward': argument 2 ('x'): dim 0:
// ...".
//
//===----------------------------------------------------------------------===//

#ifndef TPRT_HOST_MANIFESTREADER_H
#define TPRT_HOST_MANIFESTREADER_H

#include "Error.h"

#include <cstdint>
#include <limits>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

namespace tprt {

class ManifestReader {
public:
  using Json = nlohmann::json;

  ManifestReader(const Json &value, std::string place)
      : json(&value), where(std::move(place)) {}

  template <typename... Parts> [[noreturn]] void fail(const Parts &...parts) {
    raise(TPRT_INVALID, "manifest: ", where, where.empty() ? "" : ": ",
          parts...);
  }

  /// The same value, with a better name for its place.
  ManifestReader named(std::string place) const {
    return ManifestReader(*json, std::move(place));
  }
  const std::string &place() const { return where; }

  bool has(const char *key) {
    wantObject();
    return json->contains(key);
  }

  ManifestReader at(const char *key) {
    if (!has(key))
      fail("'", key, "' is missing");
    return ManifestReader((*json)[key], inside(std::string("'") + key + "'"));
  }

  /// The elements of this array; the place of each ends in "what i".
  std::vector<ManifestReader> elements(const char *what) {
    if (!value().is_array())
      fail("expected an array, not ", describe());
    std::vector<ManifestReader> result;
    for (size_t i = 0; i < value().size(); ++i)
      result.emplace_back(value()[i], inside(join(what, " ", i)));
    return result;
  }

  /// The elements of the array under `key`.
  std::vector<ManifestReader> list(const char *key, const char *what) {
    ManifestReader array = at(key);
    if (!array.value().is_array())
      array.fail("expected an array, not ", array.describe());
    return ManifestReader(array.value(), where).elements(what);
  }

  std::string string() {
    if (!json->is_string())
      fail("expected a string, not ", describe());
    return json->get<std::string>();
  }

  int64_t integer(int64_t least) {
    if (!json->is_number_integer())
      fail("expected an integer, not ", describe());
    if (json->is_number_unsigned() &&
        json->get<uint64_t>() > uint64_t(std::numeric_limits<int64_t>::max()))
      fail(describe(), " does not fit in 64 bits");
    int64_t value = json->get<int64_t>();
    if (value < least)
      fail(value, " is less than ", least);
    return value;
  }

  std::string stringAt(const char *key) { return at(key).string(); }
  int64_t integerAt(const char *key, int64_t least) {
    return at(key).integer(least);
  }

  void wantObject() {
    if (!json->is_object())
      fail("expected an object, not ", describe());
  }

private:
  const Json &value() const { return *json; }

  std::string inside(const std::string &part) const {
    return where.empty() ? part : where + ": " + part;
  }

  std::string describe() const {
    std::string text =
        json->dump(-1, ' ', false, Json::error_handler_t::replace);
    if (text.size() > 40)
      text = text.substr(0, 37) + "...";
    return text;
  }

  const Json *json; ///< a pointer, so that readers can be assigned
  std::string where;
};

} // namespace tprt

#endif // TPRT_HOST_MANIFESTREADER_H
