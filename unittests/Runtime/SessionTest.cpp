//===- SessionTest.cpp - programs on global buffers ----------------------===//
//
// Part of tp-mlir, under the Apache License v2.0.
//
//===----------------------------------------------------------------------===//

#include "Support.h"

#include "host/Parameters.h"

#include <cmath>
#include <cstdio>
#include <fstream>
#include <numeric>
#include <sys/resource.h>

using namespace tprt;
using namespace tprt::test;

namespace {

Json twoByTwo() {
  return {{{"name", "dp"}, {"size", 2}}, {{"name", "tp"}, {"size", 2}}};
}

std::vector<float> iota(size_t count) {
  std::vector<float> result(count);
  std::iota(result.begin(), result.end(), 1.0f);
  return result;
}

const void *in(void *const *arguments, size_t i) { return arguments[i]; }

} // namespace

//===----------------------------------------------------------------------===//
// Inputs and outputs
//===----------------------------------------------------------------------===//

/// Inputs are cut with zero padding, outputs are put together without it, and
/// of replicas the lowest rank's counts.
TEST(Session, cutsAndAssembles) {
  Json sharded = {dim(3, 4, {axis("tp", 2)}), dim(5, 6, {axis("dp", 2)})};
  Json rows = {dim(3, 4, {axis("tp", 2)})};
  TestSession session(
      manifest(twoByTwo(), {{axis("dp", 2)}, {axis("tp", 2)}},
               {entry({argument("input", "x", "f32", sharded)},
                      {result("y", "f32", sharded), result("who", "i32", rows)},
                      256)}),
      {[](tprt_rank *rank, void *arena, void *const *arguments,
          void *const *results) {
        const int64_t dp = tprt_coordinate(rank, 0),
                      tp = tprt_coordinate(rank, 1);
        auto *x = static_cast<const float *>(in(arguments, 0));
        auto *y = static_cast<float *>(results[0]);
        for (int64_t i = 0; i < 2; ++i)
          for (int64_t j = 0; j < 3; ++j) {
            bool padding = tp * 2 + i >= 3 || dp * 3 + j >= 5;
            EXPECT_EQ(x[i * 3 + j] == 0, padding);
            y[i * 3 + j] = padding ? -99 : 2 * x[i * 3 + j];
          }
        for (int64_t i = 0; i < 2; ++i)
          static_cast<int32_t *>(results[1])[i] = int32_t(dp * 100 + tp);
        for (void *pointer : {arena, arguments[0], results[0], results[1]})
          EXPECT_EQ(reinterpret_cast<uintptr_t>(pointer) % 64, 0u);
        std::memset(arena, 1, 256);
      }});
  ASSERT_EQ(session.created, TPRT_OK) << session.message();
  ASSERT_EQ(session.load(), TPRT_OK) << session.message();
  std::vector<float> x = iota(15), y(15);
  std::vector<int32_t> who(3);
  ASSERT_EQ(session.run("entry0", {buffer("x", TPRT_F32, {3, 5}, x)},
                        {buffer("who", TPRT_I32, {3}, who),
                         buffer("y", TPRT_F32, {3, 5}, y)}),
            TPRT_OK)
      << session.message();
  for (size_t i = 0; i < 15; ++i)
    EXPECT_EQ(y[i], 2 * x[i]);
  EXPECT_EQ(who, (std::vector<int32_t>{0, 0, 1}));
  // A subset of the outputs may be asked for.
  EXPECT_EQ(session.run("entry0", {buffer("x", TPRT_F32, {3, 5}, x)}), TPRT_OK);
}

TEST(Session, wrongBuffers) {
  TestSession session(
      manifest(twoByTwo(), Json::array(),
               {entry({argument("input", "x", "f32", dims({2})),
                       argument("input", "z", "i32", dims({}))},
                      {result("y", "f32", dims({2}))})}),
      {[](tprt_rank *, void *, void *const *, void *const *) {}});
  std::vector<float> x(9), y(9);
  std::vector<int32_t> z(1);
  auto run = [&](std::vector<tprt_buffer> inputs,
                 std::vector<tprt_buffer> outputs = {},
                 const char *name = "entry0") {
    EXPECT_EQ(session.run(name, inputs, outputs), TPRT_INVALID);
    return session.message();
  };
  auto goodX = buffer("x", TPRT_F32, {2}, x);
  auto goodZ = buffer("z", TPRT_I32, {}, z);
  EXPECT_EQ(run({goodX, goodZ}), "the session is not loaded");
  ASSERT_EQ(session.load(), TPRT_OK);
  ASSERT_EQ(session.run("entry0", {goodX, goodZ}), TPRT_OK);
  EXPECT_EQ(run({goodX}), "entry 'entry0': input 'z' is missing; it is i32 []");
  EXPECT_EQ(run({goodX, goodZ, goodX}),
            "entry 'entry0': input 'x' is given twice");
  EXPECT_EQ(run({buffer("w", TPRT_F32, {2}, x)}),
            "entry 'entry0': there is no input 'w'; there are 'x', 'z'");
  EXPECT_EQ(run({buffer("x", TPRT_F32, {3}, x)}),
            "entry 'entry0': input 'x' has shape [3]; the program has [2]");
  EXPECT_EQ(run({buffer("x", TPRT_F32, {2, 1}, x)}),
            "entry 'entry0': input 'x' has shape [2, 1]; the program has [2]");
  EXPECT_EQ(run({buffer("x", TPRT_F64, {2}, x)}),
            "entry 'entry0': input 'x' has dtype f64; the program has f32");
  tprt_buffer null = goodX;
  null.data = nullptr;
  EXPECT_EQ(run({null}), "entry 'entry0': input 'x' has no data");
  null.rank = 99;
  EXPECT_EQ(run({null}),
            "entry 'entry0': input 'x' has 99 dims; the most is 8");
  null.name = nullptr;
  EXPECT_EQ(run({null}),
            "entry 'entry0': there is no input '(null)'; there are 'x', 'z'");
  EXPECT_EQ(run({goodX, goodZ}, {buffer("x", TPRT_F32, {2}, y)}),
            "entry 'entry0': there is no output 'x'; there are 'y'");
  EXPECT_EQ(run({goodX, goodZ}, {buffer("y", TPRT_F32, {4}, y)}),
            "entry 'entry0': output 'y' has shape [4]; the program has [2]");
  EXPECT_EQ(run({}, {}, "prefill"),
            "there is no entry 'prefill'; there are 'entry0'");
}

TEST(Session, otherBackends) {
  tprt_error error;
  tprt_session *session = nullptr;
  Json program = manifest(Json::array(), Json::array(), {entry()});
  auto lookup = [](const char *, void *) -> tprt_entry { return nullptr; };
  program["backend"] = "tpu";
  EXPECT_EQ(tprt_session_create(program.dump().c_str(), lookup, nullptr,
                                nullptr, &session, &error),
            TPRT_UNSUPPORTED);
  EXPECT_STREQ(error.message, "the program is for the backend 'tpu'; there are "
                              "'cpu' and 'cuda'");
  setenv("TPRT_PLUGIN_PATH", "/nonexistent:/none", 1);
  program["backend"] = "cuda";
  EXPECT_EQ(tprt_session_create(program.dump().c_str(), lookup, nullptr,
                                nullptr, &session, &error),
            TPRT_UNSUPPORTED);
  unsetenv("TPRT_PLUGIN_PATH");
  EXPECT_EQ(std::string(error.message).substr(0, 61),
            "there is no /none/libtprt-cuda.so: a CUDA program needs CUDA:");
  program["backend"] = 3;
  EXPECT_EQ(tprt_session_create(program.dump().c_str(), lookup, nullptr,
                                nullptr, &session, &error),
            TPRT_INVALID);
  EXPECT_EQ(session, nullptr);
}

TEST(Session, wrongCreation) {
  tprt_error error;
  tprt_session *session = nullptr;
  tprt_options options = {};
  options.timeout_seconds = -1;
  EXPECT_EQ(
      tprt_session_create("{}", nullptr, nullptr, nullptr, &session, &error),
      TPRT_INVALID);
  EXPECT_STREQ(error.message, "manifest: 'version' is missing");
  EXPECT_EQ(tprt_session_create(nullptr, nullptr, nullptr, nullptr, &session,
                                nullptr),
            TPRT_INVALID);
  std::string good = manifest(Json::array(), Json::array(), {entry()}).dump();
  EXPECT_EQ(tprt_session_create(good.c_str(), nullptr, nullptr, nullptr,
                                &session, &error),
            TPRT_INVALID);
  EXPECT_STREQ(error.message, "no lookup function");
  EXPECT_EQ(tprt_session_create(good.c_str(), nullptr, nullptr, &options,
                                &session, &error),
            TPRT_INVALID);
  EXPECT_STREQ(error.message, "timeout_seconds is -1");
  EXPECT_EQ(session, nullptr);
  EXPECT_EQ(tprt_session_reset(nullptr, &error), TPRT_INVALID);
  tprt_session_destroy(nullptr);
  TestSession none(manifest(Json::array(), Json::array(), {entry()}), {});
  EXPECT_EQ(none.created, TPRT_INVALID);
  EXPECT_EQ(none.message(), "entry 'entry0': there is no symbol 'entry0'");
  TestSession many(
      manifest({{{"name", "x"}, {"size", 100000}}}, Json::array(), {entry()}),
      {});
  EXPECT_EQ(many.created, TPRT_UNSUPPORTED);
}

//===----------------------------------------------------------------------===//
// Parameters and state
//===----------------------------------------------------------------------===//

namespace {

/// A parameter of 2 heads of 3 rows and 4 columns from a stored [8, 4]: rows 1
/// to 6. The heads are padded to `heads` and lie on tp.
Json headsParameter(const char *dtype = "f32", int64_t heads = 2,
                    Json axes = Json::array()) {
  Json weight = argument("parameter", "w", dtype,
                         {dim(2, heads, std::move(axes)), dim(3), dim(4)});
  weight["origin"] = {{"tensor", "stored"},
                      {"shape", {8, 4}},
                      {"offset", {1, 0}},
                      {"dims",
                       {{{"dim", 0}, {"stride", 3}},
                        {{"dim", 0}, {"stride", 1}},
                        {{"dim", 1}, {"stride", 1}}}}};
  return weight;
}

Body copyArgument(size_t bytes) {
  return [bytes](tprt_rank *, void *, void *const *arguments,
                 void *const *results) {
    std::memcpy(results[0], arguments[0], bytes);
  };
}

/// The global value of the parameter after loading.
std::vector<float> loadHeads(Json axes, Json weight, size_t localBytes,
                             const char *path = nullptr, uint64_t seed = 5) {
  Json sharding = weight["dims"];
  TestSession session(
      manifest(std::move(axes), Json::array(),
               {entry({weight}, {result("y", "f32", sharding)})}),
      {copyArgument(localBytes)});
  EXPECT_EQ(session.load(seed, path), TPRT_OK) << session.message();
  std::vector<float> y(24);
  EXPECT_EQ(session.run("entry0", {}, {buffer("y", TPRT_F32, {2, 3, 4}, y)}),
            TPRT_OK)
      << session.message();
  return y;
}

} // namespace

TEST(Parameters, randomOnEveryMeshTheSame) {
  std::vector<float> whole = loadHeads(Json::array(), headsParameter(), 96);
  for (size_t i = 0; i < 24; ++i) // stored index: one row further
    EXPECT_EQ(whole[i],
              float(0.02 * randomNormal(5, "stored", int64_t(i) + 4)));
  std::vector<float> sharded = loadHeads(
      twoByTwo(), headsParameter("f32", 4, {axis("dp", 2), axis("tp", 2)}), 48);
  EXPECT_EQ(sharded, whole);
  EXPECT_NE(loadHeads(Json::array(), headsParameter(), 96, nullptr, 6), whole);
}

TEST(Parameters, randomNumbersAreNormal) {
  const int64_t count = 100000;
  double sum = 0, squares = 0, fourth = 0, neighbours = 0, last = 0;
  for (int64_t i = 0; i < count; ++i) {
    double x = randomNormal(3, "x", i);
    sum += x;
    squares += x * x;
    fourth += x * x * x * x;
    neighbours += x * last;
    last = x;
  }
  EXPECT_NEAR(sum / count, 0, 0.01);
  EXPECT_NEAR(squares / count, 1, 0.02);
  EXPECT_NEAR(fourth / count, 2.9, 0.1); // 3 for a perfect one
  EXPECT_NEAR(neighbours / count, 0, 0.01);
  EXPECT_NE(randomNormal(3, "x", 0), randomNormal(3, "y", 0));
}

TEST(Parameters, initialisations) {
  Json ones = argument("parameter", "w", "bf16", {dim(3, 4)});
  ones["initialisation"] = "ones";
  TestSession session(
      manifest(Json::array(), Json::array(), {entry({ones})}),
      {[](tprt_rank *, void *, void *const *arguments, void *const *) {
        auto *w = static_cast<const uint16_t *>(in(arguments, 0));
        EXPECT_EQ(bf16ToF32(w[0]), 1);
        EXPECT_EQ(bf16ToF32(w[2]), 1);
        EXPECT_EQ(w[3], 0) << "padding is zero";
      }});
  ASSERT_EQ(session.load(), TPRT_OK);
  EXPECT_EQ(session.run(), TPRT_OK) << session.message();
  TestSession integers(
      manifest(Json::array(), Json::array(),
               {entry({argument("parameter", "w", "i32", dims({2}))})}),
      {copyArgument(0)});
  EXPECT_EQ(integers.load(), TPRT_UNSUPPORTED);
  EXPECT_EQ(integers.message(), "parameter 'w': random values of dtype i32");
}

namespace {
/// A safetensors file with one f32 tensor "stored" that counts from 1.
struct CheckpointFile {
  std::string path = testing::TempDir() + "tprt_session_test.safetensors";

  explicit CheckpointFile(std::vector<int64_t> shape) {
    int64_t count = 1;
    for (int64_t size : shape)
      count *= size;
    std::string header = Json({{"stored",
                                {{"dtype", "F32"},
                                 {"shape", shape},
                                 {"data_offsets", {0, count * 4}}}}})
                             .dump();
    std::vector<float> data = iota(size_t(count));
    uint64_t length = header.size();
    std::ofstream file(path, std::ios::binary);
    file.write(reinterpret_cast<char *>(&length), 8);
    file << header;
    file.write(reinterpret_cast<char *>(data.data()), count * 4);
  }
  ~CheckpointFile() { std::remove(path.c_str()); }
};
} // namespace

TEST(Parameters, fromACheckpoint) {
  CheckpointFile file({8, 4});
  std::vector<float> expected(24);
  std::iota(expected.begin(), expected.end(), 5.0f);
  EXPECT_EQ(loadHeads(Json::array(), headsParameter(), 96, file.path.c_str()),
            expected);
  EXPECT_EQ(loadHeads(twoByTwo(),
                      headsParameter("f32", 4, {axis("dp", 2), axis("tp", 2)}),
                      48, file.path.c_str()),
            expected);
}

TEST(Parameters, checkpointErrors) {
  auto load = [](const Json &weight, const char *path, tprt_status expected) {
    TestSession session(manifest(twoByTwo(), Json::array(), {entry({weight})}),
                        {copyArgument(0)});
    EXPECT_EQ(session.load(0, path), expected) << session.message();
    EXPECT_EQ(session.run(), TPRT_INVALID);
    return session.message();
  };
  CheckpointFile file({4, 8});
  TestSession session(
      manifest(twoByTwo(), Json::array(), {entry({headsParameter()})}),
      {copyArgument(0)});
  EXPECT_EQ(session.load(0, file.path.c_str()), TPRT_INVALID);
  EXPECT_EQ(session.message(), "parameter 'w': tensor 'stored' of " +
                                   file.path +
                                   " has shape [4, 8]; the program was made "
                                   "for [8, 4]");
  EXPECT_EQ(load(headsParameter(), "/nowhere", TPRT_IO),
            "the session is not loaded");
  Json other = headsParameter();
  other["origin"]["tensor"] = "missing";
  EXPECT_EQ(load(other, file.path.c_str(), TPRT_INVALID),
            "the session is not loaded");
}

TEST(Parameters, storedErrors) {
  Json weight = headsParameter();
  weight["stored"] = "BF16";
  CheckpointFile file({8, 4});
  TestSession session(manifest(Json::array(), Json::array(), {entry({weight})}),
                      {copyArgument(0)});
  EXPECT_EQ(session.load(0, file.path.c_str()), TPRT_INVALID);
  EXPECT_EQ(
      session.message(),
      "parameter 'w': tensor 'stored' of " + file.path +
          " is F32; the program keeps it as BF16, as it was stored; import "
          "with --dequantise to take others");
  session.destroy();
  Json quantised = argument("parameter", "v", "f32", dims({2, 32}));
  quantised["stored"] = "Q8_0";
  TestSession random(
      manifest(Json::array(), Json::array(), {entry({quantised})}),
      {copyArgument(0)});
  EXPECT_EQ(random.load(), TPRT_UNSUPPORTED);
  EXPECT_EQ(random.message(),
            "parameter 'v': random values of a weight that the program keeps "
            "as Q8_0, as it was stored; import the model with --dequantise");
}

/// The same random values, rounded to what is kept.
TEST(Parameters, randomStored) {
  Json weight = argument("parameter", "w", "f32", {dim(3, 4)});
  weight["stored"] = "BF16";
  TestSession session(
      manifest(Json::array(), Json::array(), {entry({weight})}),
      {[](tprt_rank *, void *, void *const *arguments, void *const *) {
        auto *w = static_cast<const uint16_t *>(in(arguments, 0));
        for (int64_t i = 0; i < 3; ++i)
          EXPECT_EQ(w[i], f32ToBf16(float(0.02 * randomNormal(5, "w", i))));
        EXPECT_EQ(w[3], 0) << "padding is zero";
      }});
  ASSERT_EQ(session.load(5), TPRT_OK) << session.message();
  EXPECT_EQ(session.run(), TPRT_OK) << session.message();
}

/// So many that several threads make them; rows end in padding.
TEST(Parameters, randomOfManyElements) {
  const int64_t rows = 601, columns = 1000, extent = 1024;
  const Json weight =
      argument("parameter", "w", "f32",
               {dim(1, 1), dim(rows, rows), dim(columns, extent)});
  TestSession session(
      manifest(Json::array(), Json::array(), {entry({weight})}),
      {[=](tprt_rank *, void *, void *const *arguments, void *const *) {
        auto *w = static_cast<const float *>(in(arguments, 0));
        int64_t wrong = 0;
        for (int64_t row = 0; row < rows; ++row)
          for (int64_t i = 0; i < extent; ++i)
            wrong +=
                w[row * extent + i] !=
                (i < columns
                     ? float(0.02 * randomNormal(5, "w", row * columns + i))
                     : 0);
        EXPECT_EQ(wrong, 0);
      }});
  ASSERT_EQ(session.load(5), TPRT_OK) << session.message();
  EXPECT_EQ(session.run(), TPRT_OK) << session.message();
}

/// Prefill and decode share weights and a cache; each has its own arena plan.
TEST(Session, entriesShareParametersAndState) {
  Json sharding = {dim(4, 4, {axis("tp", 2)})};
  Json weight = argument("parameter", "w", "f32", sharding);
  weight["initialisation"] = "ones";
  Json count = argument("state", "count", "f32", sharding);
  auto resultCount = stateResult("count", "f32", sharding, 1);
  Json first = entry({weight, count}, {resultCount}, 100);
  Json second =
      entry({argument("input", "x", "f32", dims({1})), count, weight},
            {result("y", "f32", sharding), resultCount}, 5000, "entry1");
  TestSession session(
      manifest(twoByTwo(), Json::array(), {first, second}),
      {[](tprt_rank *, void *, void *const *arguments, void *const *results) {
         auto *w = static_cast<const float *>(in(arguments, 0));
         auto *state = static_cast<float *>(arguments[1]);
         EXPECT_EQ(arguments[1], results[0]);
         for (int i = 0; i < 2; ++i)
           state[i] += w[i];
       },
       [](tprt_rank *, void *arena, void *const *arguments,
          void *const *results) {
         std::memset(arena, -1, 5000);
         auto *x = static_cast<const float *>(in(arguments, 0));
         auto *state = static_cast<float *>(arguments[1]);
         auto *w = static_cast<float *>(arguments[2]);
         EXPECT_EQ(arguments[1], results[1]);
         for (int i = 0; i < 2; ++i) {
           state[i] += x[0] * w[i];
           static_cast<float *>(results[0])[i] = state[i];
         }
       }});
  ASSERT_EQ(session.created, TPRT_OK) << session.message();
  ASSERT_EQ(session.load(), TPRT_OK);
  std::vector<float> x = {10}, y(4);
  auto runSecond = [&] {
    return session.run("entry1", {buffer("x", TPRT_F32, {1}, x)},
                       {buffer("y", TPRT_F32, {4}, y)});
  };
  ASSERT_EQ(session.run("entry0"), TPRT_OK) << session.message();
  ASSERT_EQ(session.run("entry0"), TPRT_OK) << session.message();
  ASSERT_EQ(runSecond(), TPRT_OK) << session.message();
  EXPECT_EQ(y, std::vector<float>(4, 12));
  ASSERT_EQ(tprt_session_reset(session.session, &session.error), TPRT_OK);
  ASSERT_EQ(runSecond(), TPRT_OK) << session.message();
  EXPECT_EQ(y, std::vector<float>(4, 10));
  ASSERT_EQ(session.load(), TPRT_OK); // a second time: state is zeroed
  ASSERT_EQ(runSecond(), TPRT_OK) << session.message();
  EXPECT_EQ(y, std::vector<float>(4, 10));
  Json counters = session.counters();
  EXPECT_EQ(counters["entries"][0]["executions"], 2);
  EXPECT_EQ(counters["entries"][1]["executions"], 3);
  EXPECT_EQ(counters["memory"]["parameters"], 64);
  EXPECT_EQ(counters["memory"]["state"], 64);
  EXPECT_EQ(counters["memory"]["arena"], 5056);
  EXPECT_EQ(counters["memory"]["inputs_outputs"], 128);
}

//===----------------------------------------------------------------------===//
// Memory
//===----------------------------------------------------------------------===//

TEST(Session, moreMemoryThanThereIs) {
  for (int64_t bytes : {int64_t(1) << 45, (int64_t(1) << 62) + 64}) {
    TestSession session(manifest(twoByTwo(), Json::array(),
                                 {entry(Json::array(), Json::array(), bytes)}),
                        {copyArgument(0)});
    ASSERT_EQ(session.created, TPRT_OK);
    EXPECT_EQ(session.load(), TPRT_OUT_OF_MEMORY);
    EXPECT_NE(
        session.message().find("4 ranks need " + std::to_string(bytes) +
                               " bytes each (parameters 0, state 0, arena " +
                               std::to_string(bytes)),
        std::string::npos)
        << session.message();
    EXPECT_EQ(session.run(), TPRT_INVALID);
  }
  TestSession session(
      manifest(twoByTwo(), Json::array(),
               {entry({argument("state", "s", "f32", dims({int64_t(1) << 60}))},
                      Json::array(), int64_t(1) << 62)}),
      {copyArgument(0)});
  EXPECT_EQ(session.created, TPRT_OUT_OF_MEMORY);
  EXPECT_EQ(session.message(),
            "a rank needs more than 4611686018427387904 + 4611686018427387904 "
            "bytes, which overflows");
}

#if !defined(__SANITIZE_ADDRESS__) && !__has_feature(address_sanitizer) &&     \
    !__has_feature(thread_sanitizer)
TEST(Session, aLimitOnAddressSpace) {
  TestSession session(
      manifest(twoByTwo(), Json::array(),
               {entry(Json::array(), Json::array(), int64_t(1) << 30)}),
      {copyArgument(0)});
  ASSERT_EQ(session.created, TPRT_OK);
  rlimit before, tight;
  ASSERT_EQ(getrlimit(RLIMIT_AS, &before), 0);
  std::ifstream status("/proc/self/statm");
  int64_t pages = 0;
  status >> pages;
  tight = before;
  tight.rlim_cur = rlim_t(pages) * 4096 + (rlim_t(3) << 29);
  ASSERT_EQ(setrlimit(RLIMIT_AS, &tight), 0);
  tprt_status loaded = session.load();
  ASSERT_EQ(setrlimit(RLIMIT_AS, &before), 0);
  EXPECT_EQ(loaded, TPRT_OUT_OF_MEMORY);
  EXPECT_NE(session.message().find("the system refused after 1 ranks"),
            std::string::npos)
      << session.message();
  EXPECT_EQ(session.load(), TPRT_OK) << session.message();
}
#endif
