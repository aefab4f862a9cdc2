//===- Builder.cpp - puts a Checkpoint together ---------------------------===//
//
// Part of tp-mlir, under the Apache License v2.0.
//
//===----------------------------------------------------------------------===//

#include "checkpoint/Builder.h"
#include "checkpoint/Support.h"

#include <algorithm>
#include <tuple>

using namespace tprt;
using namespace tprt::checkpoint;

Builder::Builder(Checkpoint::Format format) : result(new Checkpoint) {
  result->fileFormat = format;
}

Builder::~Builder() = default;

size_t Builder::addFile(std::unique_ptr<MappedFile> file) {
  // Messages of the metadata name the first file, which holds it.
  if (result->files.empty())
    result->keyValues.fileName = file->name();
  result->files.push_back(std::move(file));
  result->headerBytes.push_back(0);
  return result->files.size() - 1;
}

const MappedFile &Builder::file(size_t index) const {
  return *result->files[index];
}

void Builder::setHeaderBytes(size_t file, uint64_t bytes) {
  result->headerBytes[file] = bytes;
}

void Builder::addTensor(TensorInfo tensor) {
  result->infos.push_back(std::move(tensor));
}

Status Builder::addValue(size_t file, std::string_view key,
                         Metadata::Value value) {
  auto &values = result->keyValues.values;
  if (!values.emplace(std::string(key), std::move(value)).second)
    return this->file(file).damaged("key " + quoted(key) + " occurs twice");
  return {};
}

const Metadata &Builder::metadata() const { return result->keyValues; }

void Builder::setConfig(std::string_view text) { result->config = text; }

Status Builder::indexNames() {
  result->byName.reserve(result->infos.size());
  for (size_t i = 0; i < result->infos.size(); ++i) {
    const TensorInfo &info = result->infos[i];
    if (!result->byName.emplace(info.name, i).second)
      return file(info.file).damaged("tensor " + quoted(info.name) +
                                     " occurs twice");
  }
  return {};
}

Status Builder::checkOverlaps() const {
  std::vector<const TensorInfo *> order;
  for (const TensorInfo &info : result->infos)
    if (info.bytes != 0)
      order.push_back(&info);
  auto before = [](const TensorInfo *a, const TensorInfo *b) {
    return std::tie(a->file, a->offset, a) < std::tie(b->file, b->offset, b);
  };
  std::sort(order.begin(), order.end(), before);
  for (size_t i = 1; i < order.size(); ++i) {
    const TensorInfo &a = *order[i - 1], &b = *order[i];
    if (a.file == b.file && b.offset - a.offset < a.bytes)
      return file(a.file).damaged("tensors " + quoted(a.name) + " and " +
                                  quoted(b.name) + " overlap");
  }
  return {};
}

Status Builder::finish(std::unique_ptr<Checkpoint> &out) {
  if (Status status = indexNames(); !status.ok())
    return status;
  if (Status status = checkOverlaps(); !status.ok())
    return status;
  for (size_t i = 0; i < result->files.size(); ++i)
    file(i).drop(0, result->headerBytes[i]);
  out = std::move(result);
  return {};
}

Status checkpoint::checkTensorName(std::string_view name) {
  // Names reappear in IR, manifests and messages.
  if (name.empty())
    return Status::error(TPRT_IO, "a tensor has an empty name");
  if (!isUtf8(name) || name.find('\0') != std::string_view::npos)
    return Status::error(TPRT_IO, "tensor name " + quoted(name) +
                                      " is not valid UTF-8 text");
  return {};
}

std::string checkpoint::pointerHint(const MappedFile &file) {
  static constexpr std::string_view pointer = "version https://git-lfs";
  if (file.text().substr(0, pointer.size()) != pointer)
    return "";
  return "; the file is a Git LFS pointer, fetch the real one with 'git lfs "
         "pull'";
}
