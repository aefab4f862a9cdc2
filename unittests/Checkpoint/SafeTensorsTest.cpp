//===- SafeTensorsTest.cpp - the safetensors reader -----------------------===//
//
// Part of tp-mlir, under the Apache License v2.0.
//
//===----------------------------------------------------------------------===//

#include "Fixtures.h"

using namespace tprt;
using namespace tprt::test;

static void refused(const Bytes &file, tprt_status code,
                    const std::vector<std::string> &parts) {
  expectRefused(Checkpoint::Format::SafeTensors, file, code, parts);
}

/// The description of one tensor.
static std::string entry(const std::string &name, const std::string &dtype,
                         const std::string &shape, const std::string &offsets) {
  return "\"" + name + "\":{\"dtype\":\"" + dtype + "\",\"shape\":" + shape +
         ",\"data_offsets\":" + offsets + "}";
}

/// A file with one tensor "t" described by `fields`, and 8 bytes of data.
static Bytes withFields(const std::string &fields) {
  return safeTensors("{\"t\":{" + fields + "}}", Bytes(8, '\0'));
}

TEST(SafeTensors, ListsTensors) {
  std::string header = "{\"__metadata__\":{\"format\":\"pt\"}," +
                       entry("b", "F32", "[2,1]", "[4,12]") + "," +
                       entry("a", "BF16", "[2]", "[0,4]") + "," +
                       entry("s", "F64", "[]", "[12,20]") + "," +
                       entry("e", "I64", "[0,7]", "[20,20]") + "}  ";
  Bytes file = safeTensors(header, rawList<uint16_t>({0x3f80, 0x4000}) +
                                       rawList<float>({3, 4}) + raw(0.25));
  auto checkpoint = openSafeTensors(file);
  ASSERT_EQ(checkpoint->tensors().size(), 4u);
  EXPECT_EQ(checkpoint->tensors()[0].name, "b");
  EXPECT_EQ(checkpoint->tensors()[0].shape, (std::vector<int64_t>{2, 1}));
  EXPECT_EQ(readAll(*checkpoint, "a"), (std::vector<float>{1, 2}));
  EXPECT_EQ(readAll(*checkpoint, "b"), (std::vector<float>{3, 4}));
  EXPECT_EQ(readAll(*checkpoint, "s"), std::vector<float>{0.25f});
  std::string format;
  EXPECT_TRUE(checkpoint->metadata().getString("format", format).ok());
  EXPECT_EQ(format, "pt");
}

TEST(SafeTensors, OpensFiles) {
  TemporaryDirectory directory;
  Bytes content =
      safeTensors("{" + entry("t", "F32", "[1]", "[0,4]") + "}", raw(6.f));
  for (const char *name : {"model.safetensors", "blob"}) {
    std::unique_ptr<Checkpoint> checkpoint;
    Status status =
        Checkpoint::open(directory.write(name, content), checkpoint);
    ASSERT_TRUE(status.ok()) << status.message;
    EXPECT_EQ(checkpoint->format(), Checkpoint::Format::SafeTensors);
    EXPECT_EQ(readAll(*checkpoint, "t"), std::vector<float>{6});
  }
}

TEST(SafeTensors, NoBufferForADirectory) {
  expectRefused(Checkpoint::Format::HuggingFace, "", TPRT_INVALID,
                {"directory"});
}

TEST(SafeTensors, IgnoresUnknownFields) {
  Bytes file = withFields("\"dtype\":\"F32\",\"extra\":{\"a\":[1,[2],{}]},"
                          "\"more\":null,\"shape\":[2],\"note\":\"x\","
                          "\"data_offsets\":[0,8],\"last\":[-1,1.5,true]");
  EXPECT_EQ(openSafeTensors(file)->tensors().size(), 1u);
}

TEST(SafeTensors, EveryTruncationIsAnError) {
  Bytes file = safeTensors("{" + entry("t", "F32", "[2]", "[0,8]") + "}",
                           Bytes(8, '\0'));
  for (size_t size = 0; size < file.size(); ++size) {
    SCOPED_TRACE(size);
    refused(file.substr(0, size), TPRT_IO, {});
  }
}

TEST(SafeTensors, HeaderLength) {
  refused("", TPRT_IO, {"first 8 bytes"});
  for (uint64_t length : {uint64_t(3), uint64_t(1) << 40, ~uint64_t(0)})
    refused(raw(length) + "{}", TPRT_IO,
            {std::to_string(length), "the file has 2"});
  refused("version https://git-lfs.github.com/spec/v1\n", TPRT_IO,
          {"Git LFS pointer"});
}

TEST(SafeTensors, NotAnObject) {
  for (const char *header :
       {"", "[]", "1", "null", "\"x\"", "-1", "1.5", "true", "{", "{\"a\":}",
        "{}x", "{\"a\":1e999}", "{\"\xff\":{}}", "{\"a\" {}}"})
    refused(safeTensors(header, ""), TPRT_IO, {"not a JSON object"});
}

TEST(SafeTensors, Nesting) {
  for (int depth : {65, 1000000}) {
    std::string deep(depth, '[');
    refused(safeTensors("{\"t\":{\"x\":" + deep, ""), TPRT_IO, {"deep"});
    std::string objects;
    for (int i = 0; i < depth; ++i)
      objects += "{\"x\":";
    refused(safeTensors(objects, ""), TPRT_IO, {});
  }
}

TEST(SafeTensors, WrongEntries) {
  for (const char *value : {"1", "null", "\"x\"", "[]", "-1", "true"})
    refused(safeTensors("{\"t\":" + std::string(value) + "}", ""), TPRT_IO,
            {"tensor 't'", "expected an object"});
  for (const char *value : {"1", "null", "{}", "[\"x\"]"})
    refused(safeTensors("{\"__metadata__\":{\"k\":" + std::string(value) + "}}",
                        ""),
            TPRT_IO, {"__metadata__", "expected strings"});
  refused(safeTensors("{\"\":{}}", ""), TPRT_IO, {"empty name"});
  refused(safeTensors("{\"a\\u0000b\":{}}", ""), TPRT_IO, {"UTF-8"});
}

TEST(SafeTensors, WrongFields) {
  refused(withFields(""), TPRT_IO, {"'t'", "no dtype"});
  refused(withFields("\"dtype\":\"F32\""), TPRT_IO, {"'t'", "no shape"});
  refused(withFields("\"dtype\":\"F32\",\"shape\":[2]"), TPRT_IO,
          {"'t'", "no data_offsets"});
  for (const char *value : {"1", "null", "[]", "{}", "true"})
    refused(withFields("\"dtype\":" + std::string(value)), TPRT_IO,
            {"'t'", "dtype", "expected a string"});
  for (const char *value :
       {"1", "null", "\"x\"", "{}", "[-1]", "[1.5]", "[\"2\"]", "[[2]]",
        "[true]", "[99999999999999999999999]"})
    refused(withFields("\"shape\":" + std::string(value)), TPRT_IO,
            {"'t'", "shape", "array of sizes"});
  for (const char *value : {"1", "null", "\"x\"", "{}", "[-1,0]", "[[0,8]]"})
    refused(withFields("\"data_offsets\":" + std::string(value)), TPRT_IO,
            {"'t'", "data_offsets", "[begin, end]"});
  refused(withFields("\"dtype\":\"F32\",\"dtype\":\"F32\""), TPRT_IO,
          {"'t'", "'dtype' twice"});
}

TEST(SafeTensors, Dtypes) {
  for (const char *dtype : {"F8_E4M3", "U64", "Q4_0", "f32", ""})
    refused(safeTensors("{" + entry("t", dtype, "[2]", "[0,8]") + "}",
                        Bytes(8, '\0')),
            TPRT_UNSUPPORTED,
            {"tensor 't'", "'" + std::string(dtype) + "'", "BF16"});
}

TEST(SafeTensors, Offsets) {
  auto refuse = [](const std::string &shape, const std::string &offsets,
                   const std::vector<std::string> &parts) {
    refused(safeTensors("{" + entry("t", "F32", shape, offsets) + "}",
                        Bytes(8, '\0')),
            TPRT_IO, parts);
  };
  refuse("[2]", "[0,9]", {"'t'", "[0, 9]", "8 bytes of data"});
  refuse("[2]", "[8,16]", {"'t'", "8 bytes of data"});
  refuse("[2]", "[8,0]", {"'t'", "[8, 0]", "8 bytes of data"});
  refuse("[2]", "[0,18446744073709551615]", {"'t'", "8 bytes of data"});
  refuse("[2]", "[0,7]", {"'t'", "[0, 7]", "expected 8 bytes for F32 [2]"});
  refuse("[3]", "[0,8]", {"'t'", "expected 12 bytes for F32 [3]"});
  refuse("[2]", "[0]", {"'t'", "1 data_offsets"});
  refuse("[2]", "[0,4,8]", {"'t'", "3 data_offsets"});
  refuse("[4294967296,4294967296]", "[0,8]", {"'t'", "overflows"});
  refuse("[9223372036854775808]", "[0,8]", {"'t'", "9223372036854775808"});
}

TEST(SafeTensors, TooManyDims) {
  refused(
      safeTensors("{" + entry("t", "F32", "[1,1,1,1,1,1,1,1,1]", "[0,4]") + "}",
                  Bytes(4, '\0')),
      TPRT_UNSUPPORTED, {"'t'", "9 dims"});
}

TEST(SafeTensors, DuplicatesAndOverlaps) {
  Bytes data(8, '\0');
  refused(safeTensors("{" + entry("t", "F32", "[1]", "[0,4]") + "," +
                          entry("t", "F32", "[1]", "[4,8]") + "}",
                      data),
          TPRT_IO, {"tensor 't' occurs twice"});
  refused(safeTensors("{" + entry("t", "F32", "[2]", "[0,8]") + "," +
                          entry("u", "F32", "[1]", "[4,8]") + "}",
                      data),
          TPRT_IO, {"'t' and 'u' overlap"});
  refused(safeTensors("{" + entry("t", "U8", "[1]", "[3,4]") + "," +
                          entry("u", "F32", "[1]", "[0,4]") + "}",
                      data),
          TPRT_IO, {"'u' and 't' overlap"}); // by a byte
  refused(safeTensors("{\"__metadata__\":{\"k\":\"1\",\"k\":\"2\"}}", ""),
          TPRT_IO, {"key 'k' occurs twice"});
}

TEST(SafeTensors, Integers) {
  struct Case {
    const char *dtype;
    Bytes data;
    std::vector<int64_t> expected;
  };
  std::vector<Case> cases = {
      {"I8", rawList<int8_t>({-128, 127}), {-128, 127}},
      {"U8", rawList<uint8_t>({0, 255}), {0, 255}},
      {"BOOL", rawList<uint8_t>({0, 1, 7}), {0, 1, 1}},
      {"I16", rawList<int16_t>({-32768, 5}), {-32768, 5}},
      {"U16", rawList<uint16_t>({65535, 5}), {65535, 5}},
      {"I32", rawList<int32_t>({INT32_MIN, 5}), {INT32_MIN, 5}},
      {"I64", rawList<int64_t>({-7, INT32_MAX}), {-7, INT32_MAX}}};
  for (const Case &c : cases) {
    SCOPED_TRACE(c.dtype);
    std::string count = std::to_string(c.expected.size());
    Bytes file =
        safeTensors("{" +
                        entry("t", c.dtype, "[" + count + "]",
                              "[0," + std::to_string(c.data.size()) + "]") +
                        "}",
                    c.data);
    auto checkpoint = openSafeTensors(file);
    const TensorInfo &info = checkpoint->tensors()[0];
    std::vector<int64_t> wide(c.expected.size());
    std::vector<int32_t> narrow(c.expected.size());
    EXPECT_TRUE(
        checkpoint->read(info, wholeView(info), {0}, TPRT_I64, wide.data())
            .ok());
    EXPECT_EQ(wide, c.expected);
    EXPECT_TRUE(
        checkpoint->read(info, wholeView(info), {0}, TPRT_I32, narrow.data())
            .ok());
    EXPECT_EQ(std::vector<int64_t>(narrow.begin(), narrow.end()), c.expected);
  }
}

TEST(SafeTensors, IntegersThatDoNotFit) {
  for (const char *dtype : {"U32", "I64"}) {
    bool wide = dtype[0] == 'I';
    Bytes data = wide ? rawList<int64_t>({0, INT64_MIN})
                      : rawList<uint32_t>({0, 0xffffffff});
    Bytes file = safeTensors(
        "{" + entry("t", dtype, "[2]", wide ? "[0,16]" : "[0,8]") + "}", data);
    auto checkpoint = openSafeTensors(file);
    const TensorInfo &info = checkpoint->tensors()[0];
    int32_t out[2];
    Status status = checkpoint->read(info, wholeView(info), {0}, TPRT_I32, out);
    EXPECT_EQ(status.code, TPRT_INVALID);
    EXPECT_NE(status.message.find("element 1 does not fit in i32"),
              std::string::npos)
        << status.message;
  }
}
