//===- JsonEvents.cpp - JSON as a stream of events ------------------------===//
//
// Part of tp-mlir, under the Apache License v2.0.
//
//===----------------------------------------------------------------------===//

#include "checkpoint/JsonEvents.h"
#include "checkpoint/Support.h"

#include <nlohmann/json.hpp>

using namespace tprt;
using namespace tprt::checkpoint;
using nlohmann::json;

bool JsonEvents::key(int, const std::string &) { return true; }
bool JsonEvents::begin(int, bool) { return true; }
bool JsonEvents::end(int) { return true; }
bool JsonEvents::string(int, const std::string &) { return true; }
bool JsonEvents::integer(int, uint64_t) { return true; }
bool JsonEvents::other(int, const char *) { return true; }

/// Far more than a configuration needs, far less than what makes recursion over
/// a document dangerous later on.
static constexpr int maxDepth = 64;

namespace {
/// Turns the parser's events into ours.
class Adapter final : public json::json_sax_t {
public:
  explicit Adapter(JsonEvents &events) : events(events) {}

  /// What the parser or this class objects to; empty if the handler did.
  std::string complaint;

  bool null() override { return scalar("null"); }
  bool boolean(bool) override { return scalar("a bool"); }
  bool number_integer(number_integer_t) override {
    return scalar("a negative number");
  }
  bool number_unsigned(number_unsigned_t value) override {
    return top() && events.integer(depth, value);
  }
  bool number_float(number_float_t, const string_t &) override {
    return scalar("a fraction or a number beyond 64 bits");
  }
  bool string(string_t &value) override {
    return top() && events.string(depth, value);
  }
  bool binary(binary_t &) override { return scalar("binary"); }
  bool start_object(size_t) override { return open(true); }
  bool start_array(size_t) override { return open(false); }
  bool key(string_t &name) override { return events.key(depth, name); }
  bool end_object() override { return events.end(depth--); }
  bool end_array() override { return events.end(depth--); }

  bool parse_error(size_t position, const std::string &,
                   const nlohmann::detail::exception &error) override {
    // "[json.exception.parse_error.101] parse error at ...: details"
    std::string_view what = error.what();
    if (size_t end = what.find("] "); end != std::string_view::npos)
      what.remove_prefix(end + 2);
    complaint =
        printable(what, 240) + " (byte " + std::to_string(position) + ")";
    return false;
  }

private:
  bool top() {
    if (depth == 0)
      complaint = "expected an object";
    return depth != 0;
  }
  bool scalar(const char *kind) { return top() && events.other(depth, kind); }
  bool open(bool isObject) {
    if (depth == 0 && !isObject)
      return top();
    if (depth == maxDepth) {
      complaint = "nested more than " + std::to_string(maxDepth) + " deep";
      return false;
    }
    return events.begin(++depth, isObject);
  }

  JsonEvents &events;
  int depth = 0;
};
} // namespace

Status checkpoint::parseJson(const MappedFile &file, std::string_view text,
                             JsonEvents &events) {
  Adapter adapter(events);
  if (json::sax_parse(text.begin(), text.end(), &adapter))
    return {};
  if (!adapter.complaint.empty())
    return file.damaged("is not a JSON object: " + adapter.complaint);
  return file.damaged(events.failure());
}
