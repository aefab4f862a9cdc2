//===- Error.h - errors inside the runtime -------------------------------===//
//
// Part of tp-mlir, under the Apache License v2.0.
//
//===----------------------------------------------------------------------===//
//
// Inside the library an error is an exception; the C ABI catches it and turns
// it into a status and a message (SessionApi.cpp, Rank.h).
//
//===----------------------------------------------------------------------===//

#ifndef TPRT_HOST_ERROR_H
#define TPRT_HOST_ERROR_H

#include "Abi.h"

#include <sstream>
#include <stdexcept>
#include <string>

namespace tprt {

class Error : public std::runtime_error {
public:
  Error(tprt_status status, const std::string &message)
      : std::runtime_error(message), code(status) {}

  tprt_status status() const { return code; }

private:
  tprt_status code;
};

/// Joins anything printable into a string.
template <typename... Parts> std::string join(const Parts &...parts) {
  std::ostringstream stream;
  (stream << ... << parts);
  return stream.str();
}

template <typename... Parts>
[[noreturn]] void raise(tprt_status status, const Parts &...parts) {
  throw Error(status, join(parts...));
}

/// "[2, 3, 4]".
template <typename Sizes> std::string joinSizes(const Sizes &sizes) {
  std::ostringstream stream;
  stream << '[';
  const char *separator = "";
  for (const auto &size : sizes) {
    stream << separator << size;
    separator = ", ";
  }
  stream << ']';
  return stream.str();
}

} // namespace tprt

#endif // TPRT_HOST_ERROR_H
