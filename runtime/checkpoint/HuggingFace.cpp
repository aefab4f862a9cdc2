//===- HuggingFace.cpp - the Hugging Face directory reader ----------------===//
//
// Part of tp-mlir, under the Apache License v2.0.
//
//===----------------------------------------------------------------------===//
//
// config.json, and the weights in model.safetensors or in the shards that
// model.safetensors.index.json assigns tensors to. Where both exist the single
// file wins, as in the transformers library.
//
//===----------------------------------------------------------------------===//

#include "checkpoint/Builder.h"
#include "checkpoint/JsonEvents.h"
#include "checkpoint/Support.h"

#include <map>
#include <sys/stat.h>

using namespace tprt;
using namespace tprt::checkpoint;

/// Larger than any configuration or index; bounds what is kept in memory.
static constexpr uint64_t maxConfigBytes = 16 << 20;
static constexpr uint64_t maxIndexBytes = 100 << 20;

/// Whether the name is there at all: a dangling link is, and its failure to
/// open is worth a message.
static bool exists(const std::string &path) {
  struct stat info;
  return ::lstat(path.c_str(), &info) == 0;
}

/// Opens a file that holds nothing but JSON.
static Status openJson(const std::string &path, uint64_t limit,
                       JsonEvents &events, std::unique_ptr<MappedFile> &out) {
  if (Status status = MappedFile::open(path, out); !status.ok())
    return status;
  if (out->size() > limit)
    return out->damaged("has " + std::to_string(out->size()) +
                        " bytes, expected at most " + std::to_string(limit));
  Status status = parseJson(*out, out->text(), events);
  if (!status.ok())
    status.message += pointerHint(*out);
  return status;
}

//===----------------------------------------------------------------------===//
// The index
//===----------------------------------------------------------------------===//

namespace {
/// The tensors of each shard, by file name.
using Shards = std::map<std::string, std::map<std::string, bool>>;

class IndexEvents final : public JsonEvents {
public:
  Shards shards;
  bool hasMap = false;

  bool key(int depth, const std::string &name) override {
    if (depth == 1) {
      inMap = name == "weight_map";
      if (inMap && hasMap)
        return fail("has 'weight_map' twice");
      hasMap |= inMap;
    } else if (inMap) {
      tensor = name;
    }
    return true;
  }
  bool begin(int depth, bool isObject) override {
    if (!inMap || depth < 2 || (depth == 2 && isObject))
      return true;
    return malformed();
  }
  bool string(int depth, const std::string &value) override;
  bool integer(int, uint64_t) override { return !inMap || malformed(); }
  bool other(int, const char *) override { return !inMap || malformed(); }

private:
  bool malformed() {
    return fail("'weight_map' is malformed, expected an object from tensor "
                "names to file names");
  }

  bool inMap = false;
  std::string tensor;
};
} // namespace

/// Whether a file name stays below the directory that it is relative to. Links
/// are followed: the Hugging Face cache is made of them.
static bool staysInside(std::string_view name) {
  if (name.empty() || name.front() == '/' ||
      name.find('\0') != std::string_view::npos)
    return false;
  while (!name.empty()) {
    size_t slash = name.find('/');
    if (name.substr(0, slash) == "..")
      return false;
    name.remove_prefix(slash == std::string_view::npos ? name.size()
                                                       : slash + 1);
  }
  return true;
}

bool IndexEvents::string(int depth, const std::string &value) {
  if (!inMap)
    return true;
  if (depth != 2)
    return malformed();
  if (!staysInside(value))
    return fail("tensor " + quoted(tensor) + " is in file " + quoted(value) +
                ", expected a file inside the directory");
  if (!shards[value].emplace(tensor, false).second)
    return fail("tensor " + quoted(tensor) + " occurs twice");
  return true;
}

//===----------------------------------------------------------------------===//
// The directory
//===----------------------------------------------------------------------===//

/// Adds those tensors of a shard that the index assigns to it.
static Status addShard(Builder &builder, const std::string &path,
                       std::map<std::string, bool> &wanted) {
  std::unique_ptr<MappedFile> mapped;
  if (Status status = MappedFile::open(path, mapped); !status.ok())
    return status;
  size_t index = builder.addFile(std::move(mapped));
  const MappedFile &file = builder.file(index);
  SafeTensorsHeader header;
  if (Status status = readSafeTensorsHeader(file, index, header); !status.ok())
    return status;
  builder.setHeaderBytes(index, header.bytes);
  for (TensorInfo &tensor : header.tensors)
    if (auto it = wanted.find(tensor.name); it != wanted.end()) {
      it->second = true;
      builder.addTensor(std::move(tensor));
    }
  for (const auto &[name, found] : wanted)
    if (!found)
      return file.damaged("tensor " + quoted(name) +
                          " is missing, the index says that it is here");
  return {};
}

static Status addShards(Builder &builder, const std::string &directory,
                        const std::string &indexPath) {
  IndexEvents events;
  std::unique_ptr<MappedFile> file;
  if (Status status = openJson(indexPath, maxIndexBytes, events, file);
      !status.ok())
    return status;
  if (!events.hasMap)
    return file->damaged("has no 'weight_map'");
  const std::string folder = directory + "/";
  for (auto &[name, tensors] : events.shards) {
    std::string path = folder + name;
    if (!exists(path))
      return file->damaged("tensor " + quoted(tensors.begin()->first) +
                           " is in file " + quoted(name) +
                           ", which does not exist");
    if (Status status = addShard(builder, path, tensors); !status.ok())
      return status;
  }
  return {};
}

Status checkpoint::readHuggingFace(Builder &builder,
                                   const std::string &directory) {
  std::string configPath = directory + "/config.json";
  if (!exists(configPath))
    return Status::error(TPRT_IO, directory +
                                      ": has no config.json, expected a "
                                      "Hugging Face model directory");
  JsonEvents anything;
  std::unique_ptr<MappedFile> config;
  if (Status status = openJson(configPath, maxConfigBytes, anything, config);
      !status.ok())
    return status;
  builder.setConfig(config->text());

  std::string single = directory + "/model.safetensors";
  std::string index = directory + "/model.safetensors.index.json";
  if (exists(single)) {
    std::unique_ptr<MappedFile> file;
    if (Status status = MappedFile::open(single, file); !status.ok())
      return status;
    SafeTensorsHeader header;
    size_t number = builder.addFile(std::move(file));
    if (Status status =
            readSafeTensorsHeader(builder.file(number), number, header);
        !status.ok())
      return status;
    // Without the file there are no weights; with it there must be some.
    if (header.tensors.empty())
      return Status::error(TPRT_IO, single + ": has no tensors");
    builder.setHeaderBytes(number, header.bytes);
    for (TensorInfo &tensor : header.tensors)
      builder.addTensor(std::move(tensor));
    return {};
  }
  return exists(index) ? addShards(builder, directory, index) : Status();
}
