//===- GgufTest.cpp - the GGUF reader -------------------------------------===//
//
// Part of tp-mlir, under the Apache License v2.0.
//
//===----------------------------------------------------------------------===//

#include "Fixtures.h"

using namespace tprt;
using namespace tprt::test;

static void refused(const Bytes &file, tprt_status code,
                    const std::vector<std::string> &parts) {
  expectRefused(Checkpoint::Format::GGUF, file, code, parts);
}

/// A small right file: two key-values and two tensors.
static GgufWriter sample() {
  GgufWriter writer;
  writer.stringValue("general.architecture", "llama");
  writer.keyValue("llama.block_count", 4, raw<uint32_t>(2));
  writer.tensor("a.weight", 0, {2, 3}, rawList<float>({1, 2, 3, 4, 5, 6}));
  writer.tensor("b.weight", 8, {2, 32}, Bytes(68, '\0'));
  return writer;
}

TEST(Gguf, ListsTensors) {
  Bytes file = sample().file();
  auto checkpoint = openGguf(file);
  EXPECT_EQ(checkpoint->format(), Checkpoint::Format::GGUF);
  ASSERT_EQ(checkpoint->tensors().size(), 2u);
  const TensorInfo &a = checkpoint->tensors()[0];
  EXPECT_EQ(a.name, "a.weight");
  EXPECT_EQ(a.type, StoredType::F32);
  EXPECT_EQ(a.shape, (std::vector<int64_t>{2, 3}));
  EXPECT_EQ(a.bytes, 24u);
  EXPECT_EQ(a.offset % 32, 0u);
  EXPECT_EQ(checkpoint->find("b.weight"), &checkpoint->tensors()[1]);
  EXPECT_EQ(checkpoint->find("c.weight"), nullptr);
  EXPECT_EQ(readAll(*checkpoint, "a.weight"),
            (std::vector<float>{1, 2, 3, 4, 5, 6}));
  EXPECT_EQ(checkpoint->configText(), "");
}

TEST(Gguf, EmptyScalarAndZeroSizedTensors) {
  GgufWriter writer;
  writer.tensor("scalar", 0, {}, raw(2.5f));
  writer.tensor("none", 2, {4, 0}, "");
  Bytes file = writer.file();
  auto checkpoint = openGguf(file);
  EXPECT_EQ(readAll(*checkpoint, "scalar"), std::vector<float>{2.5f});
  EXPECT_EQ(readAll(*checkpoint, "none"), std::vector<float>{});
  Bytes nothing = GgufWriter().header();
  EXPECT_TRUE(openGguf(nothing)->tensors().empty());
}

TEST(Gguf, HonoursAlignment) {
  GgufWriter writer;
  writer.alignment = 4096;
  writer.keyValue("general.alignment", 4, raw<uint32_t>(4096));
  writer.tensor("a", 0, {1}, raw(7.f));
  writer.tensor("b", 0, {1}, raw(8.f));
  Bytes file = writer.file();
  auto checkpoint = openGguf(file);
  EXPECT_EQ(checkpoint->find("b")->offset, 8192u);
  EXPECT_EQ(readAll(*checkpoint, "b"), std::vector<float>{8.f});
}

TEST(Gguf, EveryTruncationIsAnError) {
  GgufWriter writer = sample();
  writer.arrayValue("tokens", 8, 2, ggufString("one") + ggufString("two"));
  writer.arrayValue("scores", 6, 2, rawList<float>({1, 2}));
  Bytes file = writer.file();
  for (size_t size = 0; size < file.size(); ++size) {
    SCOPED_TRACE(size);
    refused(file.substr(0, size), TPRT_IO, {});
  }
}

TEST(Gguf, Magic) {
  GgufWriter writer = sample();
  writer.magic = "GGML";
  refused(writer.file(), TPRT_IO, {"'GGML'", "expected 'GGUF'"});
  refused("", TPRT_IO, {"expected 'GGUF'"});
  refused("version https://git-lfs.github.com/spec/v1\n", TPRT_IO,
          {"Git LFS pointer"});
}

TEST(Gguf, Version) {
  for (uint32_t version : {0u, 1u, 2u, 4u, 0xffffffffu}) {
    GgufWriter writer = sample();
    writer.version = version;
    refused(writer.file(), TPRT_UNSUPPORTED,
            {"version " + std::to_string(version), "expected version 3"});
  }
  GgufWriter writer = sample();
  writer.version = 0x03000000;
  refused(writer.file(), TPRT_UNSUPPORTED, {"big-endian"});
}

TEST(Gguf, CountsBeyondTheFile) {
  for (uint64_t count : {uint64_t(1000), uint64_t(1) << 40, ~uint64_t(9)}) {
    GgufWriter writer = sample();
    writer.extraTensors = count;
    refused(writer.file(), TPRT_IO, {"tensors, more than fit"});
    writer = sample();
    writer.extraKeyValues = count;
    refused(writer.file(), TPRT_IO, {"key-values, more than fit"});
    writer = sample();
    writer.arrayValue("x", 10, count, "");
    refused(writer.file(), TPRT_IO, {"array elements, more than fit"});
    writer = sample();
    writer.arrayValue("x", 8, count, "");
    refused(writer.file(), TPRT_IO, {"array elements, more than fit"});
  }
}

TEST(Gguf, StringLengths) {
  for (uint64_t length : {uint64_t(1) << 20, ~uint64_t(0), ~uint64_t(0) - 7}) {
    GgufWriter writer;
    writer.keyValue("x", 8, raw(length));
    refused(writer.file(), TPRT_IO, {"truncated: a string value"});
    writer = GgufWriter();
    writer.arrayValue("x", 8, 1, raw(length));
    refused(writer.file(), TPRT_IO, {"truncated: a string of an array"});
    writer = GgufWriter();
    writer.keyValues = raw(length) + Bytes(40, 'x');
    writer.keyValueCount = 1;
    refused(writer.file(), TPRT_IO, {"truncated: a key"});
    writer = GgufWriter();
    writer.infos = raw(length) + Bytes(40, 'x');
    writer.tensorCount = 1;
    refused(writer.file(), TPRT_IO, {"truncated: a tensor's name"});
  }
}

TEST(Gguf, ValueTypes) {
  GgufWriter writer;
  writer.keyValue("some.key", 13, Bytes(16, '\0'));
  refused(writer.file(), TPRT_IO, {"'some.key'", "type 13", "0 to 12"});
  writer = GgufWriter();
  writer.arrayValue("some.key", 9, 1, Bytes(16, '\0'));
  refused(writer.file(), TPRT_UNSUPPORTED, {"'some.key'", "array of arrays"});
  writer = GgufWriter();
  writer.arrayValue("some.key", 99, 1, Bytes(16, '\0'));
  refused(writer.file(), TPRT_UNSUPPORTED, {"'some.key'", "type 99"});
}

TEST(Gguf, DuplicateKey) {
  GgufWriter writer = sample();
  writer.stringValue("general.architecture", "qwen2");
  refused(writer.file(), TPRT_IO, {"key 'general.architecture' occurs twice"});
}

TEST(Gguf, BadAlignment) {
  for (uint32_t value : {0u, 3u, 48u, 0x80000000u, 0xffffffffu}) {
    GgufWriter writer = sample();
    writer.keyValue("general.alignment", 4, raw(value));
    refused(
        writer.file(), TPRT_IO,
        {"general.alignment is " + std::to_string(value), "a power of two"});
  }
  GgufWriter writer = sample();
  writer.keyValue("general.alignment", 5, raw<int32_t>(-32));
  refused(writer.file(), TPRT_IO, {"-32", "a power of two"});
  writer = sample();
  writer.stringValue("general.alignment", "32");
  refused(writer.file(), TPRT_IO, {"not an integer"});
}

TEST(Gguf, SplitFile) {
  GgufWriter writer = sample();
  writer.keyValue("split.count", 2, raw<uint16_t>(3));
  refused(writer.file(), TPRT_UNSUPPORTED, {"one of 3 parts"});
  writer = sample();
  writer.keyValue("split.count", 2, raw<uint16_t>(1));
  Bytes file = writer.file();
  EXPECT_NE(openGguf(file), nullptr);
}

TEST(Gguf, DuplicateTensor) {
  GgufWriter writer = sample();
  writer.tensor("a.weight", 0, {1}, raw(1.f));
  refused(writer.file(), TPRT_IO, {"tensor 'a.weight' occurs twice"});
}

TEST(Gguf, OverlappingTensors) {
  GgufWriter writer = sample();
  writer.tensorAt("c.weight", 0, {1}, 64);
  refused(writer.file(), TPRT_IO, {"'b.weight' and 'c.weight' overlap"});
  writer = sample();
  writer.tensorAt("c.weight", 0, {1}, 0);
  refused(writer.file(), TPRT_IO, {"'a.weight' and 'c.weight' overlap"});
}

TEST(Gguf, TensorNames) {
  GgufWriter writer;
  writer.tensor("", 0, {1}, raw(1.f));
  refused(writer.file(), TPRT_IO, {"empty name"});
  for (const char *name : {"\xff", "a\xc0\x80", "\xed\xa0\x80", "\xe2\x82",
                           "\xf5\x80\x80\x80", "\xf0\x80\x80\x80"}) {
    writer = GgufWriter();
    writer.tensor(name, 0, {1}, raw(1.f));
    refused(writer.file(), TPRT_IO, {"\\x", "not valid UTF-8"});
  }
  writer = GgufWriter();
  writer.tensor("caf\xc3\xa9 \xe2\x82\xac \xf0\x9f\x98\x80", 0, {1}, raw(1.f));
  Bytes file = writer.file();
  EXPECT_EQ(openGguf(file)->tensors().size(), 1u);
  // A long name does not make a long message.
  writer = GgufWriter();
  writer.tensor(Bytes(100000, 'n'), 77, {1}, raw(1.f));
  std::unique_ptr<Checkpoint> none;
  file = writer.file();
  Status status = Checkpoint::openBuffer(Checkpoint::Format::GGUF, file.data(),
                                         file.size(), "f", none);
  EXPECT_LT(status.message.size(), 400u);
}

TEST(Gguf, TensorTypes) {
  auto refuse = [](uint32_t type, const std::string &text) {
    GgufWriter writer;
    writer.tensor("t", type, {32}, Bytes(256, '\0'));
    refused(writer.file(), TPRT_UNSUPPORTED,
            {"tensor 't'", text,
             "F32, F16, BF16, Q4_0, Q4_1, Q5_0, Q5_1, Q8_0, "
             "Q4_K, Q5_K, Q6_K, F64"});
  };
  refuse(10, "Q2_K (10)");
  refuse(15, "Q8_K (15)");
  refuse(4, "unknown (4)");
  refuse(0xffffffff, "unknown (4294967295)");
}

TEST(Gguf, Shapes) {
  GgufWriter writer;
  writer.tensor("t", 0, std::vector<uint64_t>(9, 1), raw(1.f));
  refused(writer.file(), TPRT_UNSUPPORTED, {"'t'", "9 dims", "at most 8"});
  writer = GgufWriter();
  writer.infos = ggufString("t") + raw<uint32_t>(0xffffffff) + Bytes(64, '\1');
  writer.tensorCount = 1;
  refused(writer.file(), TPRT_UNSUPPORTED, {"'t'", "4294967295 dims"});
  for (uint32_t type : {2u, 3u, 6u, 7u, 8u}) {
    writer = GgufWriter();
    writer.tensor("t", type, {32, 48}, Bytes(4096, '\0'));
    refused(writer.file(), TPRT_IO,
            {"'t'", "fast dim of 48", "multiple of 32"});
  }
  for (uint32_t type : {12u, 13u, 14u}) {
    writer = GgufWriter();
    writer.tensor("t", type, {2, 288}, Bytes(4096, '\0'));
    refused(writer.file(), TPRT_IO,
            {"'t'", "fast dim of 288", "multiple of 256"});
  }
}

TEST(Gguf, ShapesThatOverflow) {
  uint64_t big = uint64_t(1) << 32;
  std::vector<std::vector<uint64_t>> shapes = {
      {big, big},          {big, big, 0},        {0, big, big},
      {uint64_t(1) << 62}, {big / 2, big, 1, 2}, {INT64_MAX, INT64_MAX, 4}};
  for (const auto &shape : shapes) {
    GgufWriter writer;
    writer.tensor("t", 0, shape, Bytes(64, '\0'));
    refused(writer.file(), TPRT_IO, {"'t'", "overflows"});
  }
  for (uint64_t dim : {uint64_t(1) << 63, ~uint64_t(0)}) {
    GgufWriter writer;
    writer.tensor("t", 0, {dim}, Bytes(64, '\0'));
    refused(writer.file(), TPRT_IO, {"'t'", std::to_string(dim)});
  }
}

TEST(Gguf, Offsets) {
  GgufWriter writer = sample();
  writer.tensorAt("c", 0, {1}, 129);
  refused(writer.file(), TPRT_IO, {"'c'", "129", "multiple of the alignment"});
  for (uint64_t offset :
       {uint64_t(128), uint64_t(160), uint64_t(1) << 40, ~uint64_t(31)}) {
    writer = sample();
    writer.tensorAt("c", 0, {8}, offset);
    refused(
        writer.file(), TPRT_IO,
        {"'c'", "truncated", "F32 [8] needs 32 bytes", std::to_string(offset)});
  }
}

TEST(Gguf, Checksum) {
  GgufWriter writer = sample();
  std::vector<float> values(100000, 1.f);
  writer.tensor("large", 0, {100000}, rawList(values));
  Bytes file = writer.file();
  std::string sum = openGguf(file)->checksum();
  EXPECT_EQ(sum.size(), 8u + 16u);
  EXPECT_EQ(sum.rfind("fnv1a64:", 0), 0u);
  EXPECT_EQ(openGguf(file)->checksum(), sum);

  auto changed = [&](size_t position) {
    Bytes other = file;
    other[position] ^= 1;
    return openGguf(other)->checksum() != sum;
  };
  EXPECT_TRUE(changed(file.size() - 1));      // the last block
  EXPECT_TRUE(changed(file.size() - 200000)); // the middle one
  EXPECT_TRUE(changed(file.size() - 400000)); // the first one
  EXPECT_TRUE(changed(file.find("llama")));   // the header
  EXPECT_NE(openGguf(file + "x")->checksum(), sum);
}

TEST(Gguf, OpensFiles) {
  TemporaryDirectory directory;
  Bytes content = sample().file();
  std::string path = directory.write("model.gguf", content);
  std::string bare = directory.write("blob", content);
  std::unique_ptr<Checkpoint> a, b;
  EXPECT_TRUE(Checkpoint::open(path, a).ok());
  EXPECT_TRUE(Checkpoint::open(bare, b).ok());
  ASSERT_TRUE(a && b);
  EXPECT_EQ(a->checksum(), b->checksum());
  EXPECT_EQ(readAll(*a, "a.weight"), readAll(*b, "a.weight"));
}

TEST(Gguf, PathsThatDoNotOpen) {
  TemporaryDirectory directory;
  auto fails = [](const std::string &path, tprt_status code,
                  const std::string &part) {
    std::unique_ptr<Checkpoint> none;
    Status status = Checkpoint::open(path, none);
    EXPECT_EQ(status.code, code);
    EXPECT_NE(status.message.find(path), std::string::npos);
    EXPECT_NE(status.message.find(part), std::string::npos) << status.message;
  };
  fails(directory.path("absent.gguf"), TPRT_IO, "No such file");
  fails(directory.write("empty.gguf", ""), TPRT_IO, "empty");
  fails(directory.write("notes.txt", "hello, world"), TPRT_UNSUPPORTED,
        "expected a GGUF file");
  fails("/dev/null", TPRT_IO, "not a regular file");
}
