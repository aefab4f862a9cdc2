//===- MetadataTest.cpp - key-values --------------------------------------===//
//
// Part of tp-mlir, under the Apache License v2.0.
//
//===----------------------------------------------------------------------===//

#include "Fixtures.h"

using namespace tprt;
using namespace tprt::test;

static Bytes everyType() {
  GgufWriter writer;
  writer.keyValue("u8", 0, raw<uint8_t>(200));
  writer.keyValue("i8", 1, raw<int8_t>(-2));
  writer.keyValue("u16", 2, raw<uint16_t>(60000));
  writer.keyValue("i16", 3, raw<int16_t>(-3));
  writer.keyValue("u32", 4, raw<uint32_t>(4000000000));
  writer.keyValue("i32", 5, raw<int32_t>(-5));
  writer.keyValue("f32", 6, raw(1.5f));
  writer.keyValue("bool", 7, raw<uint8_t>(1));
  writer.stringValue("string", "text");
  writer.keyValue("u64", 10, raw(~uint64_t(0)));
  writer.keyValue("i64", 11, raw(INT64_MIN));
  writer.keyValue("f64", 12, raw(0.1));
  writer.arrayValue("ints", 5, 3, rawList<int32_t>({1, -2, 3}));
  writer.arrayValue("huge", 10, 1, raw(~uint64_t(0)));
  writer.arrayValue("floats", 6, 2, rawList<float>({0.5f, -1}));
  writer.arrayValue("bools", 7, 2, Bytes("\0\1", 2));
  writer.arrayValue("strings", 8, 3,
                    ggufString("a") + ggufString("") + ggufString("bc"));
  writer.arrayValue("empty", 4, 0, "");
  return writer.file();
}

TEST(Metadata, Scalars) {
  Bytes file = everyType();
  auto checkpoint = openGguf(file);
  const Metadata &metadata = checkpoint->metadata();
  EXPECT_EQ(metadata.entries().size(), 18u);
  std::vector<std::pair<const char *, int64_t>> ints = {
      {"u8", 200},         {"i8", -2},  {"u16", 60000},    {"i16", -3},
      {"u32", 4000000000}, {"i32", -5}, {"i64", INT64_MIN}};
  for (auto [key, expected] : ints) {
    int64_t value = 0;
    EXPECT_TRUE(metadata.getInt(key, value).ok());
    EXPECT_EQ(value, expected);
  }
  double number = 0;
  EXPECT_TRUE(metadata.getFloat("f32", number).ok());
  EXPECT_EQ(number, 1.5);
  EXPECT_TRUE(metadata.getFloat("f64", number).ok());
  EXPECT_EQ(number, 0.1);
  EXPECT_TRUE(metadata.getFloat("i8", number).ok());
  EXPECT_EQ(number, -2);
  EXPECT_TRUE(metadata.getFloat("u64", number).ok());
  EXPECT_EQ(number, 0x1p64);
  bool flag = false;
  EXPECT_TRUE(metadata.getBool("bool", flag).ok());
  EXPECT_TRUE(flag);
  std::string text;
  EXPECT_TRUE(metadata.getString("string", text).ok());
  EXPECT_EQ(text, "text");
}

TEST(Metadata, Arrays) {
  Bytes file = everyType();
  auto checkpoint = openGguf(file);
  const Metadata &metadata = checkpoint->metadata();
  std::vector<int64_t> ints;
  EXPECT_TRUE(metadata.getInts("ints", ints).ok());
  EXPECT_EQ(ints, (std::vector<int64_t>{1, -2, 3}));
  EXPECT_TRUE(metadata.getInts("empty", ints).ok());
  EXPECT_TRUE(ints.empty());
  std::vector<double> floats;
  EXPECT_TRUE(metadata.getFloats("floats", floats).ok());
  EXPECT_EQ(floats, (std::vector<double>{0.5, -1}));
  std::vector<bool> bools;
  EXPECT_TRUE(metadata.getBools("bools", bools).ok());
  EXPECT_EQ(bools, (std::vector<bool>{false, true}));
  std::vector<std::string> strings;
  EXPECT_TRUE(metadata.getStrings("strings", strings).ok());
  EXPECT_EQ(strings, (std::vector<std::string>{"a", "", "bc"}));
}

TEST(Metadata, MismatchesNameKeyAndTypes) {
  Bytes file = everyType();
  auto checkpoint = openGguf(file);
  const Metadata &metadata = checkpoint->metadata();
  auto expect = [](const Status &status,
                   const std::vector<std::string> &parts) {
    EXPECT_EQ(status.code, TPRT_INVALID);
    EXPECT_EQ(status.message.rfind("test.file: key ", 0), 0u);
    for (const std::string &part : parts)
      EXPECT_NE(status.message.find(part), std::string::npos) << status.message;
  };
  int64_t number = 0;
  double real = 0;
  bool flag = false;
  std::string text;
  expect(metadata.getInt("absent", number), {"'absent'", "missing"});
  expect(metadata.getInt("u64", number), {"18446744073709551615", "64-bit"});
  expect(metadata.getInt("f32", number), {"1.5", "integer"});
  expect(metadata.getInt("bool", number), {"is true", "integer"});
  expect(metadata.getString("i8", text), {"-2", "string"});
  expect(metadata.getFloat("string", real), {"'text'", "number"});
  expect(metadata.getBool("u8", flag), {"200", "bool"});
  expect(metadata.getString("ints", text), {"array of i32", "string"});
  std::vector<int64_t> ints;
  std::vector<double> floats;
  std::vector<bool> bools;
  std::vector<std::string> strings;
  expect(metadata.getInts("floats", ints), {"array of f32", "integers"});
  expect(metadata.getInts("strings", ints), {"array of string", "integers"});
  expect(metadata.getInts("huge", ints), {"integers"});
  expect(metadata.getInts("u8", ints), {"200", "array"});
  expect(metadata.getFloats("strings", floats), {"numbers"});
  expect(metadata.getFloats("absent", floats), {"missing"});
  expect(metadata.getBools("absent", bools), {"missing"});
  expect(metadata.getStrings("absent", strings), {"missing"});
  expect(metadata.getFloats("bools", floats), {"numbers"});
  expect(metadata.getBools("ints", bools), {"bools"});
  expect(metadata.getStrings("ints", strings), {"array of i32", "strings"});
}
