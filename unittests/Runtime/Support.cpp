//===- Support.cpp - programs for the runtime's tests --------------------===//
//
// Part of tp-mlir, under the Apache License v2.0.
//
//===----------------------------------------------------------------------===//

#include "Support.h"

using namespace tprt;
using namespace tprt::test;

//===----------------------------------------------------------------------===//
// Manifests
//===----------------------------------------------------------------------===//

Json test::axis(const std::string &name, int64_t size, int64_t pre) {
  return {{"axis", name}, {"pre", pre}, {"size", size}};
}

Json test::dim(int64_t size, int64_t padded, Json axes) {
  return {{"size", size},
          {"padded", padded < 0 ? size : padded},
          {"axes", std::move(axes)}};
}

Json test::dims(std::vector<int64_t> sizes) {
  Json result = Json::array();
  for (int64_t size : sizes)
    result.push_back(dim(size));
  return result;
}

Json test::argument(const char *kind, const char *name, const char *dtype,
                    Json dims) {
  return {{"kind", kind},
          {"name", name},
          {"dtype", dtype},
          {"dims", std::move(dims)}};
}

Json test::result(const char *name, const char *dtype, Json dims) {
  return argument("output", name, dtype, std::move(dims));
}

Json test::stateResult(const char *name, const char *dtype, Json dims,
                       int argument) {
  Json made = test::argument("state", name, dtype, std::move(dims));
  made["argument"] = argument;
  return made;
}

Json test::entry(Json arguments, Json results, int64_t arenaBytes,
                 const char *name) {
  Json collectives = Json::array();
  for (const char *kind :
       {"all_reduce", "all_gather", "reduce_scatter", "all_to_all", "permute"})
    collectives.push_back({{"id", collectives.size()},
                           {"kind", kind},
                           {"name", std::string("the ") + kind}});
  return {{"name", name},
          {"symbol", name},
          {"arena_bytes", arenaBytes},
          {"arguments", std::move(arguments)},
          {"results", std::move(results)},
          {"collectives", std::move(collectives)}};
}

Json test::manifest(Json axes, Json groups, std::vector<Json> entries) {
  return {{"version", 1},
          {"mesh", {{"axes", std::move(axes)}}},
          {"groups", std::move(groups)},
          {"entries", std::move(entries)}};
}

//===----------------------------------------------------------------------===//
// Sessions
//===----------------------------------------------------------------------===//

// The C ABI's entry points have no context, so there is one place for bodies.
static std::vector<Body> currentBodies;

template <size_t I>
static void callBody(tprt_rank *rank, void *arena, void *const *arguments,
                     void *const *results) {
  Body body = currentBodies[I]; // outlives the session if the rank does
  body(rank, arena, arguments, results);
}

static tprt_entry lookup(const char *symbol, void *) {
  static const tprt_entry entries[] = {callBody<0>, callBody<1>, callBody<2>};
  for (size_t i = 0; i < currentBodies.size(); ++i)
    if (symbol == "entry" + std::to_string(i))
      return entries[i];
  return nullptr;
}

TestSession::TestSession(const Json &manifest, std::vector<Body> bodies,
                         double timeout) {
  currentBodies = std::move(bodies);
  tprt_options options = {};
  options.timeout_seconds = timeout;
  created = tprt_session_create(manifest.dump().c_str(), lookup, nullptr,
                                &options, &session, &error);
}

TestSession::~TestSession() { destroy(); }

void TestSession::destroy() {
  tprt_session_destroy(session);
  session = nullptr;
}

tprt_status TestSession::load(uint64_t seed, const char *path) {
  return tprt_session_load(session, path, seed, &error);
}

tprt_status TestSession::run(const char *entry, std::vector<tprt_buffer> inputs,
                             std::vector<tprt_buffer> outputs) {
  return tprt_session_run(session, entry, inputs.data(), inputs.size(),
                          outputs.data(), outputs.size(), &error);
}

Json TestSession::counters() {
  char *text = nullptr;
  EXPECT_EQ(tprt_session_counters(session, &text, &error), TPRT_OK);
  Json result = Json::parse(text);
  tprt_free(text);
  return result;
}

std::string test::runOnRanks(int64_t ranks,
                             std::function<void(tprt_rank *, int64_t)> body,
                             double timeout) {
  Json axes = {{{"name", "x"}, {"size", ranks}}};
  Json groups = {{axis("x", ranks)}};
  TestSession session(
      manifest(axes, groups, {entry()}),
      {[&](tprt_rank *rank, void *, void *const *, void *const *) {
        body(rank, tprt_coordinate(rank, 0));
      }},
      timeout);
  if (session.created != TPRT_OK || session.load() != TPRT_OK)
    return "could not start: " + session.message();
  return session.run() == TPRT_OK ? "" : session.message();
}

std::string test::runOnOne(std::function<void(tprt_rank *)> body) {
  return runOnRanks(1, [&](tprt_rank *rank, int64_t) { body(rank); });
}

//===----------------------------------------------------------------------===//
// Numbers
//===----------------------------------------------------------------------===//

double Tensor::get(int64_t index) const {
  double result = 0;
  dispatchAny(dtype, "a test", [&](auto tag) {
    using T = typename decltype(tag)::Type;
    T value;
    std::memcpy(&value, bytes.data() + index * int64_t(sizeof(T)), sizeof(T));
    result = double(widen<T>(value));
  });
  return result;
}

void Tensor::set(int64_t index, double value) {
  dispatchAny(dtype, "a test", [&](auto tag) {
    using T = typename decltype(tag)::Type;
    T element = fromDouble<T>(value);
    std::memcpy(bytes.data() + index * int64_t(sizeof(T)), &element, sizeof(T));
  });
}

void Tensor::randomise(std::mt19937 &random) {
  std::uniform_real_distribution<double> real(-1, 1);
  std::uniform_int_distribution<int> integer(-9, 9);
  for (int64_t i = 0; i < count; ++i)
    set(i, isFloat(dtype) ? real(random) : integer(random));
}

double test::tolerance(tprt_dtype dtype) {
  switch (dtype) {
  case TPRT_F32:
    return 2e-6;
  case TPRT_F64:
    return 1e-14;
  case TPRT_BF16:
    return 1.0 / 256;
  case TPRT_F16:
    return 1.0 / 2048;
  default:
    return 0;
  }
}
