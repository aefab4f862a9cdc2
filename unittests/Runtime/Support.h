//===- Support.h - programs for the runtime's tests ----------------------===//
//
// Part of tp-mlir, under the Apache License v2.0.
//
//===----------------------------------------------------------------------===//

#ifndef TPRT_UNITTESTS_SUPPORT_H
#define TPRT_UNITTESTS_SUPPORT_H

#include "host/Numeric.h"
#include "tprt/tprt.h"

#include <functional>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>
#include <random>
#include <string>
#include <vector>

namespace tprt::test {

using Json = nlohmann::json;

/// What an entry point of a test does on each rank.
using Body = std::function<void(tprt_rank *rank, void *arena,
                                void *const *arguments, void *const *results)>;

//===----------------------------------------------------------------------===//
// Manifests
//===----------------------------------------------------------------------===//

Json axis(const std::string &name, int64_t size, int64_t pre = 1);
Json dim(int64_t size, int64_t padded = -1, Json axes = Json::array());
Json dims(std::vector<int64_t> sizes);
Json argument(const char *kind, const char *name, const char *dtype, Json dims);
Json result(const char *name, const char *dtype, Json dims);
Json stateResult(const char *name, const char *dtype, Json dims, int argument);

/// One entry named and called "entry0", with a collective of every kind whose
/// id is the kind's number and whose name is "the " + the kind.
Json entry(Json arguments = Json::array(), Json results = Json::array(),
           int64_t arenaBytes = 0, const char *name = "entry0");
Json manifest(Json axes, Json groups, std::vector<Json> entries);

//===----------------------------------------------------------------------===//
// Sessions
//===----------------------------------------------------------------------===//

/// A session whose entry point number i is `bodies[i]`, called "entry" + i.
/// Only one at a time may exist.
class TestSession {
public:
  TestSession(const Json &manifest, std::vector<Body> bodies,
              double timeout = 20);
  ~TestSession();
  TestSession(const TestSession &) = delete;

  tprt_status load(uint64_t seed = 1, const char *path = nullptr);
  tprt_status run(const char *entry = "entry0",
                  std::vector<tprt_buffer> inputs = {},
                  std::vector<tprt_buffer> outputs = {});
  Json counters();
  void destroy();
  std::string message() const { return error.message; }

  tprt_session *session = nullptr;
  tprt_status created;
  tprt_error error = {};
};

/// A buffer of the host; the shape is given.
template <typename T>
tprt_buffer buffer(const char *name, tprt_dtype dtype,
                   std::vector<int64_t> shape, std::vector<T> &data) {
  tprt_buffer result = {name, dtype, int64_t(shape.size()), {}, data.data()};
  std::copy(shape.begin(), shape.end(), result.shape);
  return result;
}

/// Runs `body` on n ranks of a mesh with one axis "x", which is group 0; the
/// second argument of the body is the rank's index. Gives the run's error.
std::string runOnRanks(int64_t ranks,
                       std::function<void(tprt_rank *, int64_t)> body,
                       double timeout = 20);

/// The same with one rank.
std::string runOnOne(std::function<void(tprt_rank *)> body);

//===----------------------------------------------------------------------===//
// Numbers
//===----------------------------------------------------------------------===//

/// A dense tensor of any dtype, with doubles in front.
class Tensor {
public:
  Tensor(tprt_dtype dtype, int64_t count)
      : dtype(dtype), bytes(size_t(count * elementBytes(dtype)), 0),
        count(count) {}

  void *data() { return bytes.data(); }
  const void *data() const { return bytes.data(); }
  double get(int64_t index) const;
  void set(int64_t index, double value);
  bool operator==(const Tensor &other) const { return bytes == other.bytes; }

  /// Uniform in [-1, 1], or small integers for an integer dtype.
  void randomise(std::mt19937 &random);

  tprt_dtype dtype;
  std::vector<char> bytes;
  int64_t count;
};

/// A bound for rounding once to this dtype after accumulating, relative to the
/// sum of magnitudes.
double tolerance(tprt_dtype dtype);

inline int64_t bitsOf(double value) { return bitCast<int64_t>(value); }

const tprt_dtype floatTypes[] = {TPRT_F32, TPRT_F64, TPRT_BF16, TPRT_F16};
const tprt_dtype allTypes[] = {TPRT_F32, TPRT_F64, TPRT_BF16,
                               TPRT_F16, TPRT_I32, TPRT_I64};

} // namespace tprt::test

#endif // TPRT_UNITTESTS_SUPPORT_H
