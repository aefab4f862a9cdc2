//===- Fixtures.cpp - checkpoints made by the tests -----------------------===//
//
// Part of tp-mlir, under the Apache License v2.0.
//
//===----------------------------------------------------------------------===//

#include "Fixtures.h"

#include <cstdlib>
#include <filesystem>
#include <fstream>

using namespace tprt;
using namespace tprt::test;

Bytes test::ggufString(const std::string &text) {
  return raw<uint64_t>(text.size()) + text;
}

void GgufWriter::keyValue(const std::string &key, uint32_t type,
                          const Bytes &value) {
  keyValues += ggufString(key) + raw(type) + value;
  ++keyValueCount;
}

void GgufWriter::stringValue(const std::string &key, const std::string &value) {
  keyValue(key, 8, ggufString(value));
}

void GgufWriter::arrayValue(const std::string &key, uint32_t type,
                            uint64_t count, const Bytes &elements) {
  keyValue(key, 9, raw(type) + raw(count) + elements);
}

void GgufWriter::tensorAt(const std::string &name, uint32_t type,
                          const std::vector<uint64_t> &shape, uint64_t offset) {
  infos += ggufString(name) + raw<uint32_t>(shape.size());
  for (size_t i = shape.size(); i-- > 0;)
    infos += raw(shape[i]);
  infos += raw(type) + raw(offset);
  ++tensorCount;
}

void GgufWriter::tensor(const std::string &name, uint32_t type,
                        const std::vector<uint64_t> &shape,
                        const Bytes &content) {
  data.resize((data.size() + alignment - 1) / alignment * alignment);
  tensorAt(name, type, shape, data.size());
  data += content;
}

Bytes GgufWriter::header() const {
  return magic + raw(version) + raw(tensorCount + extraTensors) +
         raw(keyValueCount + extraKeyValues) + keyValues + infos;
}

Bytes GgufWriter::file() const {
  Bytes result = header();
  result.resize((result.size() + alignment - 1) / alignment * alignment);
  return result + data;
}

Bytes test::safeTensors(const std::string &header, const Bytes &data) {
  return raw<uint64_t>(header.size()) + header + data;
}

static std::unique_ptr<Checkpoint> openAs(Checkpoint::Format format,
                                          const Bytes &file) {
  std::unique_ptr<Checkpoint> result;
  Status status = Checkpoint::openBuffer(format, file.data(), file.size(),
                                         "test.file", result);
  EXPECT_TRUE(status.ok()) << status.message;
  return result;
}

std::unique_ptr<Checkpoint> test::openGguf(const Bytes &file) {
  return openAs(Checkpoint::Format::GGUF, file);
}

std::unique_ptr<Checkpoint> test::openSafeTensors(const Bytes &file) {
  return openAs(Checkpoint::Format::SafeTensors, file);
}

void test::expectRefused(Checkpoint::Format format, const Bytes &file,
                         tprt_status code,
                         const std::vector<std::string> &parts) {
  // A copy of the exact size, so that a sanitizer sees a read beyond it.
  std::vector<char> copy(file.begin(), file.end());
  std::unique_ptr<Checkpoint> result;
  Status status = Checkpoint::openBuffer(format, copy.data(), copy.size(),
                                         "test.file", result);
  EXPECT_EQ(status.code, code) << status.message;
  EXPECT_EQ(result, nullptr);
  EXPECT_EQ(status.message.rfind("test.file: ", 0), 0u) << status.message;
  for (const std::string &part : parts)
    EXPECT_NE(status.message.find(part), std::string::npos)
        << "expected '" << part << "' in: " << status.message;
}

std::vector<ViewDim> test::wholeView(const TensorInfo &tensor) {
  std::vector<ViewDim> result;
  for (size_t d = 0; d < tensor.shape.size(); ++d)
    result.push_back(
        {static_cast<int>(d), 1, tensor.shape[d], 0, tensor.shape[d]});
  return result;
}

std::vector<float> test::readAll(const Checkpoint &checkpoint,
                                 const std::string &name) {
  const TensorInfo *info = checkpoint.find(name);
  if (!info) {
    ADD_FAILURE() << "no tensor " << name;
    return {};
  }
  int64_t count = 1;
  for (int64_t dim : info->shape)
    count *= dim;
  std::vector<float> result(count);
  Status status = checkpoint.read(*info, wholeView(*info),
                                  std::vector<int64_t>(info->shape.size(), 0),
                                  TPRT_F32, result.data());
  EXPECT_TRUE(status.ok()) << status.message;
  return result;
}

TemporaryDirectory::TemporaryDirectory() {
  std::string pattern =
      (std::filesystem::temp_directory_path() / "checkpoint-XXXXXX").string();
  if (!mkdtemp(pattern.data()))
    ADD_FAILURE() << "cannot make " << pattern;
  root = pattern;
}

TemporaryDirectory::~TemporaryDirectory() {
  std::error_code ignored;
  std::filesystem::remove_all(root, ignored);
}

std::string TemporaryDirectory::path(const std::string &name) const {
  return name.empty() ? root : root + "/" + name;
}

std::string TemporaryDirectory::write(const std::string &name,
                                      const Bytes &content) const {
  std::filesystem::create_directories(
      std::filesystem::path(path(name)).parent_path());
  std::ofstream(path(name), std::ios::binary) << content;
  return path(name);
}
