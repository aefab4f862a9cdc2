//===- ManifestTest.cpp - malformed manifests ----------------------------===//
//
// Part of tp-mlir, under the Apache License v2.0.
//
//===----------------------------------------------------------------------===//

#include "Support.h"

#include "host/Manifest.h"

using namespace tprt;
using namespace tprt::test;

namespace {

/// A manifest with one of everything.
Json good() {
  Json weight = argument("parameter", "weight", "f32",
                         {dim(3, 4, {axis("tp", 2)}), dim(8)});
  weight["origin"] = {
      {"tensor", "stored"},
      {"shape", {24, 8}},
      {"offset", {0, 0}},
      {"dims", {{{"dim", 0}, {"stride", 8}}, {{"dim", 1}, {"stride", 1}}}}};
  weight["initialisation"] = "normal";
  Json cache = argument("state", "cache", "bf16", dims({2, 5}));
  return manifest(
      {{{"name", "dp"}, {"size", 2}}, {{"name", "tp"}, {"size", 4}}},
      {{axis("dp", 2)}, {axis("tp", 2), axis("tp", 2, 2)}},
      {entry({weight, argument("input", "x", "i32", dims({2})), cache},
             {result("y", "f32", dims({})),
              stateResult("cache", "bf16", dims({2, 5}), 2)},
             64)});
}

std::string messageOf(const std::string &text) {
  try {
    parseManifest(text.c_str());
    return "";
  } catch (const Error &error) {
    EXPECT_EQ(error.status(), TPRT_INVALID);
    return error.what();
  }
}

/// The error after the value at a JSON pointer has been replaced.
std::string with(const char *pointer, Json value) {
  Json json = good();
  json[Json::json_pointer(pointer)] = std::move(value);
  return messageOf(json.dump());
}

/// The error after the value at a JSON pointer has been removed.
std::string without(const char *pointer) {
  Json json = good();
  Json::json_pointer path(pointer);
  json[path.parent_pointer()].erase(path.back());
  return messageOf(json.dump());
}

const char *const weight = "/entries/0/arguments/0";
std::string at(const char *rest) { return std::string(weight) + rest; }

} // namespace

TEST(Manifest, good) {
  Manifest manifest = parseManifest(good().dump().c_str());
  EXPECT_EQ(manifest.mesh.numRanks(), 8);
  EXPECT_EQ(manifest.groups.size(), 2u);
  const Entry &entry = manifest.entries[0];
  EXPECT_EQ(entry.name, "entry0");
  EXPECT_EQ(entry.arenaBytes, 64);
  EXPECT_EQ(entry.arguments[0].dims[0].local(), 2);
  EXPECT_EQ(entry.arguments[0].origin.terms[0].stride, 8);
  EXPECT_EQ(entry.arguments[0].localBytes(), 2 * 8 * 4);
  EXPECT_EQ(entry.arguments[0].globalBytes(), 3 * 8 * 4);
  EXPECT_EQ(entry.results[1].argument, 2);
  EXPECT_EQ(entry.collectives[3].kind, TPRT_ALL_TO_ALL);
  EXPECT_EQ(entry.arguments[0].describe(), "f32 [3 padded to 4 over 2, 8]");
}

TEST(Manifest, notAManifest) {
  EXPECT_NE(messageOf("{").find("manifest: not JSON: "), std::string::npos);
  EXPECT_EQ(messageOf("[1]"), "manifest: expected an object, not [1]");
  EXPECT_EQ(messageOf("{}"), "manifest: 'version' is missing");
  EXPECT_EQ(messageOf(std::string(100000, '[')).substr(0, 20),
            "manifest: not JSON: ");
  EXPECT_EQ(with("/version", 2),
            "manifest: made for version 2 of the runtime interface; this "
            "library has version 1");
  EXPECT_EQ(with("/version", "1"),
            "manifest: 'version': expected an integer, not \"1\"");
}

TEST(Manifest, mesh) {
  EXPECT_EQ(without("/mesh/axes"), "manifest: 'mesh': 'axes' is missing");
  EXPECT_EQ(with("/mesh/axes", 3),
            "manifest: 'mesh': 'axes': expected an array, not 3");
  EXPECT_EQ(with("/mesh/axes/0/size", 0),
            "manifest: 'mesh': axis 0: 'size': 0 is less than 1");
  EXPECT_EQ(with("/mesh/axes/0/size", 1.5),
            "manifest: 'mesh': axis 0: 'size': expected an integer, not 1.5");
  EXPECT_EQ(with("/mesh/axes/0/size", 0xffffffffffffffffu),
            "manifest: 'mesh': axis 0: 'size': 18446744073709551615 does not "
            "fit in 64 bits");
  EXPECT_EQ(with("/mesh/axes/1/name", "dp"),
            "manifest: 'mesh': axis 1: a second axis 'dp'");
  EXPECT_EQ(with("/mesh/axes/0/size", int64_t(1) << 62),
            "manifest: 'mesh': axis 1: the number of ranks overflows");
}

TEST(Manifest, groups) {
  EXPECT_EQ(with("/groups/0/0/axis", "pp"),
            "manifest: group 0: axis 0: the mesh has no axis 'pp'");
  EXPECT_EQ(with("/groups/1/1/pre", 3),
            "manifest: group 1: axis 1: pre 3 * size 2 does not divide axis "
            "'tp' of size 4");
  EXPECT_EQ(with("/groups/1/1/pre", 1),
            "manifest: group 1: axis 1: axis 'tp' occurs twice");
  EXPECT_EQ(with("/groups/1", {axis("dp", 2)}),
            "manifest: group 1: repeats group 0");
  EXPECT_EQ(with("/groups/1", {axis("tp", 4), axis("tp", 2, 2)}),
            "manifest: group 1: axis 1: axis 'tp' occurs twice");
  EXPECT_EQ(with("/groups/1", "tp"),
            "manifest: group 1: expected an array, not \"tp\"");
}

TEST(Manifest, dims) {
  const std::string place = "manifest: entry 'entry0': argument 0 ('weight'): ";
  EXPECT_EQ(with(at("/dims/0/size").c_str(), -1),
            place + "dim 0: 'size': -1 is less than 0");
  EXPECT_EQ(with(at("/dims/0/padded").c_str(), 2),
            place + "dim 0: padded 2 is less than size 3");
  EXPECT_EQ(with(at("/dims/0/padded").c_str(), 5),
            place + "dim 0: padded 5 is not a multiple of 2, the product of "
                    "its axes");
  EXPECT_EQ(with(at("/dims/1/axes").c_str(), {axis("tp", 4)}),
            place + "dim 1: axis 0: axis 'tp' occurs twice");
  EXPECT_EQ(with(at("/dims/1/padded").c_str(), int64_t(1) << 60),
            place + "the size overflows");
  EXPECT_EQ(with(at("/dims").c_str(), dims({1, 1, 1, 1, 1, 1, 1, 1, 1})),
            place + "9 dims; the most is 8");
  EXPECT_EQ(with(at("/dtype").c_str(), "f8"),
            place + "'dtype': there is no dtype 'f8'");
}

TEST(Manifest, origins) {
  const std::string place =
      "manifest: entry 'entry0': argument 0 ('weight'): 'origin': ";
  EXPECT_EQ(with(at("/origin/offset").c_str(), {0}),
            place + "1 offsets for 2 stored dims");
  EXPECT_EQ(with(at("/origin/offset/0").c_str(), 8),
            place + "reads index 24 of stored dim 0 of size 24");
  EXPECT_EQ(with(at("/origin/offset/0").c_str(), -1),
            place + "offset 0: -1 is less than 0");
  EXPECT_EQ(with(at("/origin/dims/0/dim").c_str(), 2),
            place + "dim 0: there is no stored dim 2");
  EXPECT_EQ(with(at("/origin/dims/0/stride").c_str(), 0),
            place + "dim 0: stride 0 would read one element several times");
  EXPECT_EQ(with(at("/origin/dims/0/stride").c_str(), int64_t(1) << 62),
            place + "dim 0: the index overflows");
  EXPECT_EQ(with(at("/origin/shape/0").c_str(), int64_t(1) << 62),
            place + "shape 1: the size overflows");
  EXPECT_EQ(with(at("/origin/dims").c_str(), Json::array()),
            place + "0 dims for a parameter of 2");
  EXPECT_EQ(with(at("/initialisation").c_str(), "zeros"),
            "manifest: entry 'entry0': argument 0 ('weight'): there is no "
            "initialisation 'zeros'; there are normal and ones");
  EXPECT_EQ(without(at("/origin").c_str()), "");
}

TEST(Manifest, stored) {
  auto parse = [](const char *stored, Json changes) {
    Json json = good();
    Json &argument = json[Json::json_pointer(weight)];
    argument["dims"] = {dim(4, 4, {axis("tp", 2)}), dim(2), dim(64)};
    argument["origin"] = {{"tensor", "stored"},
                          {"shape", {24, 128}},
                          {"offset", {0, 0}},
                          {"dims",
                           {{{"dim", 0}, {"stride", 6}},
                            {{"dim", 1}, {"stride", 64}},
                            {{"dim", 1}, {"stride", 1}}}}};
    argument["stored"] = stored;
    for (auto &[pointer, value] : changes.items())
      argument[Json::json_pointer(pointer)] = value;
    return json.dump();
  };
  Manifest manifest = parseManifest(parse("Q4_1", Json::object()).c_str());
  const Argument &argument = manifest.entries[0].arguments[0];
  EXPECT_EQ(argument.localBytes(), 2 * 2 * 64 / 32 * 20);
  EXPECT_EQ(argument.describe(), "f32 stored as Q4_1 [4 over 2, 2, 64]");
  const std::string place = "manifest: entry 'entry0': argument 0 ('weight'): ";
  EXPECT_EQ(messageOf(parse("Q9", Json::object())),
            place + "there is no stored type 'Q9'");
  EXPECT_EQ(messageOf(parse("Q4_1", {{"/dtype", "bf16"}})),
            place + "stored as Q4_1, which is for f32, not bf16");
  const std::string cut = "cuts blocks of Q4_1, which are 32 elements of the "
                          "stored tensor's fast dim";
  for (Json changes :
       {Json{{"/dims/2", dim(63, 64)}},
        Json{{"/dims/2", dim(64, 64, {axis("dp", 2)})},
             {"/origin/dims/2/stride", 2},
             {"/origin/dims/1/stride", 0},
             {"/dims/1", dim(1)}},
        Json{{"/origin/offset/1", 16}, {"/dims/1", dim(1)}},
        Json{{"/origin/dims/1/stride", 33}}, Json{{"/origin/shape/1", 129}},
        Json{{"/origin/dims/2/dim", 0},
             {"/origin/dims/2/stride", 0},
             {"/dims/2", dim(1)}}})
    EXPECT_EQ(messageOf(parse("Q4_1", changes)), place + cut) << changes;
  EXPECT_EQ(messageOf(parse("Q4_K", Json::object())),
            place + "cuts blocks of Q4_K, which are 256 elements of the stored "
                    "tensor's fast dim");
}

TEST(Manifest, interleaved) {
  // Each of two ranks has heads of 64 twice a line, and eight or four lines.
  auto parse = [](int64_t rows, const char *stored, int64_t line) {
    Json json = good();
    Json &argument = json[Json::json_pointer(weight)];
    argument["dims"] = {dim(rows, rows, {axis("tp", 2)}), dim(2), dim(64)};
    argument["origin"] = {{"tensor", "stored"},
                          {"shape", {rows, 128}},
                          {"offset", {0, 0}},
                          {"dims",
                           {{{"dim", 0}, {"stride", 1}},
                            {{"dim", 1}, {"stride", 64}},
                            {{"dim", 1}, {"stride", 1}}}}};
    argument["stored"] = stored;
    argument["interleaved"] = line;
    return json.dump();
  };
  Manifest manifest = parseManifest(parse(16, "Q4_1", 128).c_str());
  const Argument &argument = manifest.entries[0].arguments[0];
  EXPECT_EQ(argument.stored, interleavedStored(TPRT_STORED_Q4_1, 128));
  EXPECT_EQ(argument.localBytes(), 8 * 128 / 32 * 20);
  EXPECT_EQ(argument.describe(), "f32 stored as Q4_1 in interleaved lines of "
                                 "128 [16 over 2, 2, 64]");
  const std::string place = "manifest: entry 'entry0': argument 0 ('weight'): ";
  auto expectRefused = [&](int64_t rows, const char *stored, int64_t line) {
    EXPECT_EQ(messageOf(parse(rows, stored, line)),
              place + "interleaves lines of " + std::to_string(line) +
                  " elements of " + stored +
                  "; a rank's last dims are to make up a line, and the others "
                  "a multiple of 8 lines of a type that may be interleaved");
  };
  expectRefused(8, "Q4_1", 128);
  expectRefused(16, "F16", 128);
  expectRefused(16, "Q4_1", 96);
  expectRefused(16, "Q4_1", int64_t(1) << 60);
}

TEST(Manifest, argumentsAndResults) {
  EXPECT_EQ(with(at("/kind").c_str(), "weights"),
            "manifest: entry 'entry0': argument 0 ('weight'): there is no kind "
            "'weights'; there are parameter, input and state");
  EXPECT_EQ(with("/entries/0/arguments/1/name", "weight"),
            "manifest: entry 'entry0': argument 1: a second argument 'weight'");
  EXPECT_EQ(with("/entries/0/results/1/argument", 3),
            "manifest: entry 'entry0': result 1 ('cache'): there is no "
            "argument 3");
  EXPECT_EQ(with("/entries/0/results/1/argument", 1),
            "manifest: entry 'entry0': result 1 ('cache'): argument 1 ('x') is "
            "an input; a state result lives in state or a parameter");
  EXPECT_EQ(with("/entries/0/results/1/argument", 0),
            "manifest: entry 'entry0': result 1 ('cache'): argument 0 has "
            "another name, 'weight'");
  EXPECT_EQ(with("/entries/0/results/1/dtype", "f32"),
            "manifest: entry 'entry0': result 1 ('cache'): is f32 [2, 5], but "
            "argument 2 is bf16 [2, 5]");
  EXPECT_EQ(with("/entries/0/results/2",
                 stateResult("cache", "bf16", dims({2, 5}), 2)),
            "manifest: entry 'entry0': result 2 ('cache'): a second result in "
            "argument 2");
  EXPECT_EQ(with("/entries/0/results/2", result("y", "f32", dims({}))),
            "manifest: entry 'entry0': result 2: a second output 'y'");
  EXPECT_EQ(with("/entries/0/results/0/kind", "input"),
            "manifest: entry 'entry0': result 0 ('y'): there is no kind "
            "'input'; there are output and state");
}

TEST(Manifest, entries) {
  EXPECT_EQ(without("/entries/0/symbol"),
            "manifest: entry 'entry0': 'symbol' is missing");
  EXPECT_EQ(with("/entries/0/arena_bytes", -1),
            "manifest: entry 'entry0': 'arena_bytes': -1 is less than 0");
  EXPECT_EQ(with("/entries/1", entry()),
            "manifest: entry 1: a second entry 'entry0'");
  EXPECT_EQ(with("/entries/0/collectives/1/id", 0),
            "manifest: entry 'entry0': collective 1: a second collective with "
            "id 0");
  EXPECT_EQ(with("/entries/0/collectives/1/kind", "broadcast"),
            "manifest: entry 'entry0': collective 1: 'kind': there is no "
            "collective 'broadcast'");
  EXPECT_EQ(without("/entries/0/collectives/1/name"),
            "manifest: entry 'entry0': collective 1: 'name' is missing");
}

TEST(Manifest, marks) {
  EXPECT_FALSE(parseManifest(good().dump().c_str()).entries[0].isMarked);
  Json json = good();
  json["entries"][0]["marks"] = {
      {{"op", "arith.addf"}, {"module", ""}, {"kernel", "kernel_0"}},
      {{"op", "tp.all_gather"}, {"module", "mlp"}, {"collective", 1}}};
  const Entry entry = parseManifest(json.dump().c_str()).entries[0];
  EXPECT_TRUE(entry.isMarked);
  ASSERT_EQ(entry.marks.size(), 2u);
  EXPECT_EQ(entry.marks[0].op, "arith.addf");
  EXPECT_EQ(entry.marks[0].kernel, "kernel_0");
  EXPECT_EQ(entry.marks[0].collective, -1);
  EXPECT_EQ(entry.marks[1].module, "mlp");
  EXPECT_EQ(entry.marks[1].collective, 1);
  EXPECT_EQ(with("/entries/0/marks", {{{"op", "nn.contract"}}}),
            "manifest: entry 'entry0': mark 0: 'module' is missing");
  EXPECT_EQ(
      with("/entries/0/marks",
           {{{"op", "tp.all_reduce"}, {"module", ""}, {"collective", 9}}}),
      "manifest: entry 'entry0': mark 0: there is no collective 9");
}

TEST(Manifest, sharedBuffersMustAgree) {
  Json other = entry({argument("state", "cache", "bf16", dims({2, 6}))},
                     Json::array(), 0, "entry1");
  EXPECT_EQ(with("/entries/1", other),
            "manifest: 'cache' is state bf16 [2, 6] in entry 'entry1', but "
            "state bf16 [2, 5] in entry 'entry0'");
  other = entry({argument("state", "weight", "f32", dims({2, 6}))},
                Json::array(), 0, "entry1");
  EXPECT_EQ(with("/entries/1", other),
            "manifest: 'weight' is state f32 [2, 6] in entry 'entry1', but "
            "parameter f32 [3 padded to 4 over 2, 8] in entry 'entry0'");
  other = good()["entries"][0];
  other["name"] = "entry1";
  EXPECT_EQ(with("/entries/1", other), "");
  other["arguments"][0]["origin"]["tensor"] = "another";
  EXPECT_EQ(with("/entries/1", other),
            "manifest: 'weight' comes from 'another' in entry 'entry1', but "
            "otherwise from 'stored' in entry 'entry0'");
}

/// Every single removal and every replacement by something silly is an error or
/// harmless, never a crash.
TEST(Manifest, survivesAnyDamage) {
  const Json base = good().flatten();
  const Json silly[] = {Json(), -1,      0,    int64_t(1) << 62,
                        1e300,  "\xff?", {{}}, {{"a", 1}},
                        true,   "tp"};
  for (auto &item : base.items())
    for (const Json &value : silly) {
      Json damaged = good();
      damaged[Json::json_pointer(item.key())] = value;
      messageOf(damaged.dump(-1, ' ', false, Json::error_handler_t::replace));
    }
  std::string text = good().dump();
  for (size_t i = 0; i < text.size(); i += 3)
    messageOf(text.substr(0, i));
}
