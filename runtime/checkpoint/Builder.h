//===- Builder.h - puts a Checkpoint together -------------------*- C++ -*-===//
//
// Part of tp-mlir, under the Apache License v2.0.
//
//===----------------------------------------------------------------------===//

#ifndef TPRT_CHECKPOINT_BUILDER_H
#define TPRT_CHECKPOINT_BUILDER_H

#include "checkpoint/MappedFile.h"

namespace tprt::checkpoint {

/// What the readers of the formats fill in. What holds for all formats is
/// checked here.
class Builder {
public:
  explicit Builder(Checkpoint::Format format);
  ~Builder();

  /// Takes a file over; returns its index.
  size_t addFile(std::unique_ptr<MappedFile> file);
  const MappedFile &file(size_t index) const;
  void setHeaderBytes(size_t file, uint64_t bytes);

  void addTensor(TensorInfo tensor);
  Status addValue(size_t file, std::string_view key, Metadata::Value value);
  const Metadata &metadata() const;
  void setConfig(std::string_view text);

  /// Checks that names are distinct and that no two tensors overlap.
  Status finish(std::unique_ptr<Checkpoint> &out);

private:
  Status indexNames();
  Status checkOverlaps() const;

  std::unique_ptr<Checkpoint> result;
};

/// Checks a tensor's name; the error lacks the file's name.
Status checkTensorName(std::string_view name);

// The formats.
Status readGguf(Builder &builder, size_t file);
Status readSafeTensors(Builder &builder, size_t file);
Status readHuggingFace(Builder &builder, const std::string &directory);

/// The tensors of a safetensors file and its "__metadata__", with the length of
/// what precedes the data.
struct SafeTensorsHeader {
  std::vector<TensorInfo> tensors;
  std::vector<std::pair<std::string, std::string>> metadata;
  uint64_t bytes = 0;
};
Status readSafeTensorsHeader(const MappedFile &file, size_t index,
                             SafeTensorsHeader &out);

/// A hint for files that stand in for the real one: empty, or ", the file is a
/// Git LFS pointer ...".
std::string pointerHint(const MappedFile &file);

} // namespace tprt::checkpoint

#endif // TPRT_CHECKPOINT_BUILDER_H
