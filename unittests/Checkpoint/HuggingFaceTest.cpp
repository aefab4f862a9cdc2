//===- HuggingFaceTest.cpp - the Hugging Face directory reader ------------===//
//
// Part of tp-mlir, under the Apache License v2.0.
//
//===----------------------------------------------------------------------===//

#include "Fixtures.h"

#include <filesystem>

using namespace tprt;
using namespace tprt::test;

/// A safetensors file with one-element tensors of these names, whose values
/// count up from `first`.
static Bytes shard(const std::vector<std::string> &names, float first) {
  std::string header;
  Bytes data;
  for (const std::string &name : names) {
    header += (header.empty() ? "{\"" : ",\"") + name +
              "\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[" +
              std::to_string(data.size()) + "," +
              std::to_string(data.size() + 4) + "]}";
    data += raw(first);
    first += 1;
  }
  return safeTensors(header + "}", data);
}

static Status openDirectory(const TemporaryDirectory &directory,
                            std::unique_ptr<Checkpoint> &out) {
  return Checkpoint::open(directory.path(), out);
}

static void refused(const TemporaryDirectory &directory,
                    const std::vector<std::string> &parts) {
  std::unique_ptr<Checkpoint> out;
  Status status = openDirectory(directory, out);
  EXPECT_EQ(status.code, TPRT_IO) << status.message;
  EXPECT_EQ(out, nullptr);
  for (const std::string &part : parts)
    EXPECT_NE(status.message.find(part), std::string::npos)
        << "expected '" << part << "' in: " << status.message;
}

static const char *const indexName = "model.safetensors.index.json";

TEST(HuggingFace, ConfigAlone) {
  TemporaryDirectory directory;
  const char *text = "{\"model_type\": \"llama\", \"n\": [2, -0.5, null]}\n";
  directory.write("config.json", text);
  std::unique_ptr<Checkpoint> checkpoint;
  Status status = openDirectory(directory, checkpoint);
  ASSERT_TRUE(status.ok()) << status.message;
  EXPECT_EQ(checkpoint->format(), Checkpoint::Format::HuggingFace);
  EXPECT_EQ(checkpoint->configText(), text);
  EXPECT_TRUE(checkpoint->tensors().empty());
  EXPECT_TRUE(checkpoint->metadata().entries().empty());
}

TEST(HuggingFace, SingleFileWins) {
  TemporaryDirectory directory;
  directory.write("config.json", "{}");
  directory.write("model.safetensors", shard({"x"}, 5));
  directory.write(indexName, "not even JSON");
  std::unique_ptr<Checkpoint> checkpoint;
  Status status = openDirectory(directory, checkpoint);
  ASSERT_TRUE(status.ok()) << status.message;
  EXPECT_EQ(readAll(*checkpoint, "x"), std::vector<float>{5});
}

TEST(HuggingFace, Shards) {
  TemporaryDirectory directory;
  directory.write("config.json", "{}");
  directory.write("b.safetensors", shard({"x", "y", "unused"}, 1));
  directory.write("sub/a.safetensors", shard({"z", "y"}, 10));
  directory.write(indexName,
                  "{\"metadata\":{\"total_size\":8,\"weight_map\":[1,{}]},"
                  "\"weight_map\":{\"x\":\"b.safetensors\","
                  "\"z\":\"sub/a.safetensors\",\"y\":\"b.safetensors\"},"
                  "\"more\":[null,-1,0.5,\"s\"]}");
  std::unique_ptr<Checkpoint> checkpoint;
  Status status = openDirectory(directory, checkpoint);
  ASSERT_TRUE(status.ok()) << status.message;
  ASSERT_EQ(checkpoint->tensors().size(), 3u);
  EXPECT_EQ(checkpoint->tensors()[0].file, 0u);
  EXPECT_EQ(checkpoint->tensors()[2].file, 1u);
  EXPECT_EQ(readAll(*checkpoint, "x"), std::vector<float>{1});
  EXPECT_EQ(readAll(*checkpoint, "y"), std::vector<float>{2});
  EXPECT_EQ(readAll(*checkpoint, "z"), std::vector<float>{10});
  EXPECT_EQ(checkpoint->find("unused"), nullptr);
}

TEST(HuggingFace, FollowsLinks) {
  TemporaryDirectory blobs, directory;
  blobs.write("1234", shard({"x"}, 3));
  blobs.write("5678", "{}");
  std::filesystem::create_symlink(blobs.path("5678"),
                                  directory.path("config.json"));
  std::filesystem::create_symlink(blobs.path("1234"),
                                  directory.path("model.safetensors"));
  std::unique_ptr<Checkpoint> checkpoint;
  Status status = openDirectory(directory, checkpoint);
  ASSERT_TRUE(status.ok()) << status.message;
  EXPECT_EQ(readAll(*checkpoint, "x"), std::vector<float>{3});
}

TEST(HuggingFace, DanglingLink) {
  TemporaryDirectory directory;
  directory.write("config.json", "{}");
  std::filesystem::create_symlink("nowhere",
                                  directory.path("model.safetensors"));
  refused(directory, {"model.safetensors: cannot open"});
}

TEST(HuggingFace, ChecksumSeesConfigAndShards) {
  TemporaryDirectory a, b, c;
  for (const TemporaryDirectory *directory : {&a, &b, &c}) {
    directory->write("config.json", directory == &b ? "{ }" : "{}");
    directory->write("model.safetensors",
                     shard({"x"}, directory == &c ? 2 : 1));
  }
  auto sum = [](const TemporaryDirectory &directory) {
    std::unique_ptr<Checkpoint> checkpoint;
    EXPECT_TRUE(openDirectory(directory, checkpoint).ok());
    return checkpoint->checksum();
  };
  EXPECT_EQ(sum(a), sum(a));
  EXPECT_NE(sum(a), sum(b));
  EXPECT_NE(sum(a), sum(c));
}

TEST(HuggingFace, BadConfig) {
  TemporaryDirectory directory;
  refused(directory, {directory.path(), "no config.json"});
  for (const char *text :
       {"[]", "{", "7", "\"x\"", "{} {}", "{\"a\":\"\xff\"}"}) {
    directory.write("config.json", text);
    refused(directory, {"config.json", "not a JSON object"});
  }
  directory.write("config.json", "");
  refused(directory, {"config.json", "empty"});
  directory.write("config.json", "{\"a\":" + std::string(100000, '['));
  refused(directory, {"config.json", "deep"});
  directory.write("config.json", std::string((16 << 20) + 1, ' '));
  refused(directory, {"config.json", "at most 16777216"});
  directory.write("config.json",
                  "version https://git-lfs.github.com/spec/v1\n");
  refused(directory, {"config.json", "Git LFS pointer"});
}

TEST(HuggingFace, ConfigIsADirectory) {
  TemporaryDirectory directory;
  directory.write("config.json/x", "{}");
  refused(directory, {"config.json", "not a regular file"});
}

TEST(HuggingFace, BadIndex) {
  TemporaryDirectory directory;
  directory.write("config.json", "{}");
  directory.write("a.safetensors", shard({"x"}, 1));
  auto refuse = [&](const std::string &index,
                    const std::vector<std::string> &parts) {
    directory.write(indexName, index);
    refused(directory, parts);
  };
  refuse("[]", {indexName, "not a JSON object"});
  refuse("{}", {indexName, "no 'weight_map'"});
  for (const char *map : {"1", "null", "\"x\"", "[]", "-1", "{\"x\":1}",
                          "{\"x\":null}", "{\"x\":{}}", "{\"x\":[\"a\"]}"})
    refuse("{\"weight_map\":" + std::string(map) + "}",
           {indexName, "'weight_map' is malformed"});
  refuse("{\"weight_map\":{\"x\":\"a.safetensors\",\"x\":\"a.safetensors\"}}",
         {"tensor 'x' occurs twice"});
  refuse("{\"weight_map\":{},\"weight_map\":{}}", {"'weight_map' twice"});
  refuse(
      "{\"weight_map\":{\"x\":\"b.safetensors\"}}",
      {indexName, "tensor 'x' is in file 'b.safetensors'", "does not exist"});
  refuse("{\"weight_map\":{\"x\":\"a.safetensors\",\"y\":\"a.safetensors\"}}",
         {"a.safetensors", "tensor 'y' is missing"});
}

TEST(HuggingFace, DuplicateAcrossShards) {
  TemporaryDirectory directory;
  directory.write("config.json", "{}");
  directory.write("a.safetensors", shard({"x"}, 1));
  directory.write("b.safetensors", shard({"x"}, 2));
  directory.write(indexName, "{\"weight_map\":{\"x\":\"a.safetensors\","
                             "\"x\":\"b.safetensors\"}}");
  refused(directory, {"tensor 'x' occurs twice"});
}

TEST(HuggingFace, PathsThatEscape) {
  TemporaryDirectory directory;
  directory.write("config.json", "{}");
  for (const char *name :
       {"../a", "/etc/passwd", "a/../../b", "..", "a/..", "", "a\\u0000b"}) {
    directory.write(indexName,
                    "{\"weight_map\":{\"x\":\"" + std::string(name) + "\"}}");
    refused(directory, {"tensor 'x'", "inside the directory"});
  }
}

TEST(HuggingFace, BadShard) {
  TemporaryDirectory directory;
  directory.write("config.json", "{}");
  directory.write("a.safetensors", "garbage and more of it");
  directory.write(indexName, "{\"weight_map\":{\"x\":\"a.safetensors\"}}");
  refused(directory, {"a.safetensors: ", "not a safetensors file"});
}
