//===- Fixtures.h - checkpoints made by the tests ---------------*- C++ -*-===//
//
// Part of tp-mlir, under the Apache License v2.0.
//
//===----------------------------------------------------------------------===//

#ifndef TPRT_UNITTESTS_CHECKPOINT_FIXTURES_H
#define TPRT_UNITTESTS_CHECKPOINT_FIXTURES_H

#include "checkpoint/Checkpoint.h"

#include "gtest/gtest.h"

#include <cstring>

namespace tprt::test {

using Bytes = std::string;

/// The representation of a value.
template <typename T> Bytes raw(T value) {
  return Bytes(reinterpret_cast<const char *>(&value), sizeof(T));
}

/// The representations of several values, one after the other.
template <typename T> Bytes rawList(const std::vector<T> &values) {
  Bytes result;
  for (T value : values)
    result += raw(value);
  return result;
}

/// A GGUF string.
Bytes ggufString(const std::string &text);

/// Writes GGUF files, right ones and, through its public fields, wrong ones.
struct GgufWriter {
  std::string magic = "GGUF";
  uint32_t version = 3;
  uint64_t alignment = 32;
  uint64_t extraTensors = 0, extraKeyValues = 0; ///< claimed, but not there
  Bytes keyValues, infos, data;
  uint64_t keyValueCount = 0, tensorCount = 0;

  void keyValue(const std::string &key, uint32_t type, const Bytes &value);
  void stringValue(const std::string &key, const std::string &value);
  void arrayValue(const std::string &key, uint32_t type, uint64_t count,
                  const Bytes &elements);
  /// The shape is slowest dim first, as in TensorInfo. The data is placed at
  /// the next aligned offset.
  void tensor(const std::string &name, uint32_t type,
              const std::vector<uint64_t> &shape, const Bytes &content);
  /// The same at an offset of the caller's choice, without data.
  void tensorAt(const std::string &name, uint32_t type,
                const std::vector<uint64_t> &shape, uint64_t offset);
  Bytes header() const;
  Bytes file() const; ///< header, padding, data
};

/// A safetensors file.
Bytes safeTensors(const std::string &header, const Bytes &data);

/// Opens a file in memory; expects success.
std::unique_ptr<Checkpoint> openGguf(const Bytes &file);
std::unique_ptr<Checkpoint> openSafeTensors(const Bytes &file);

/// Expects that opening fails with this code and a message that contains the
/// file's name and all of `parts`.
void expectRefused(Checkpoint::Format format, const Bytes &file,
                   tprt_status code, const std::vector<std::string> &parts);

/// The view that reads a whole tensor, dim by dim.
std::vector<ViewDim> wholeView(const TensorInfo &tensor);

/// Reads a whole tensor as f32; expects success.
std::vector<float> readAll(const Checkpoint &checkpoint,
                           const std::string &name);

/// A directory for one test, removed with its content.
class TemporaryDirectory {
public:
  TemporaryDirectory();
  ~TemporaryDirectory();
  std::string path(const std::string &name = "") const;
  std::string write(const std::string &name, const Bytes &content) const;

private:
  std::string root;
};

} // namespace tprt::test

#endif // TPRT_UNITTESTS_CHECKPOINT_FIXTURES_H
