//===- Checkpoint.cpp - opening and identifying checkpoints ---------------===//
//
// Part of tp-mlir, under the Apache License v2.0.
//
//===----------------------------------------------------------------------===//

#include "checkpoint/Checkpoint.h"
#include "checkpoint/Builder.h"
#include "checkpoint/Support.h"

#include <cinttypes>
#include <cstdio>
#include <new>
#include <sys/stat.h>

using namespace tprt;
using namespace tprt::checkpoint;

Checkpoint::Checkpoint() = default;
Checkpoint::~Checkpoint() = default;

static bool endsWith(std::string_view text, std::string_view suffix) {
  return text.size() >= suffix.size() &&
         text.substr(text.size() - suffix.size()) == suffix;
}

/// The content decides: files of the Hugging Face cache have no extension. The
/// extension only decides which reader explains what is wrong.
static Status detectFormat(const MappedFile &file, Checkpoint::Format &format) {
  std::string_view text = file.text();
  bool gguf = text.substr(0, 4) == "GGUF";
  bool safeTensors = text.size() > 8 && text[8] == '{';
  if (gguf || endsWith(file.name(), ".gguf"))
    format = Checkpoint::Format::GGUF;
  else if (safeTensors || endsWith(file.name(), ".safetensors"))
    format = Checkpoint::Format::SafeTensors;
  else
    return file.error(TPRT_UNSUPPORTED,
                      "is not a checkpoint: expected a GGUF file, a "
                      "safetensors file or a Hugging Face directory" +
                          pointerHint(file));
  return {};
}

static Status readFile(std::unique_ptr<MappedFile> file,
                       Checkpoint::Format format,
                       std::unique_ptr<Checkpoint> &out) {
  Builder builder(format);
  size_t index = builder.addFile(std::move(file));
  Status status = format == Checkpoint::Format::GGUF
                      ? readGguf(builder, index)
                      : readSafeTensors(builder, index);
  return status.ok() ? builder.finish(out) : status;
}

static Status readPath(const std::string &path,
                       std::unique_ptr<Checkpoint> &out) {
  struct stat info;
  if (::stat(path.c_str(), &info) == 0 && S_ISDIR(info.st_mode)) {
    Builder builder(Checkpoint::Format::HuggingFace);
    Status status = readHuggingFace(builder, path);
    return status.ok() ? builder.finish(out) : status;
  }
  std::unique_ptr<MappedFile> file;
  if (Status status = MappedFile::open(path, file); !status.ok())
    return status;
  auto format = Checkpoint::Format::GGUF;
  if (Status status = detectFormat(*file, format); !status.ok())
    return status;
  return readFile(std::move(file), format, out);
}

/// Everything that is allocated is bounded by the sizes of the files, but those
/// may exceed memory.
template <typename Function>
static Status guarded(const std::string &name, Function function) {
  try {
    return function();
  } catch (const std::bad_alloc &) {
    return Status::error(TPRT_OUT_OF_MEMORY,
                         name + ": not enough memory to read the headers");
  }
}

Status Checkpoint::open(const std::string &path,
                        std::unique_ptr<Checkpoint> &out) {
  out.reset();
  return guarded(path, [&] { return readPath(path, out); });
}

Status Checkpoint::openBuffer(Format format, const void *data, size_t bytes,
                              const std::string &name,
                              std::unique_ptr<Checkpoint> &out) {
  out.reset();
  if (format == Format::HuggingFace)
    return Status::error(TPRT_INVALID,
                         name + ": a Hugging Face directory is no buffer");
  return guarded(name, [&] {
    return readFile(MappedFile::borrow(data, bytes, name), format, out);
  });
}

const TensorInfo *Checkpoint::find(std::string_view name) const {
  auto it = byName.find(name);
  return it == byName.end() ? nullptr : &infos[it->second];
}

//===----------------------------------------------------------------------===//
// Checksum
//===----------------------------------------------------------------------===//

namespace {
class Fnv1a64 {
public:
  void add(const void *data, uint64_t bytes) {
    const auto *p = static_cast<const uint8_t *>(data);
    for (uint64_t i = 0; i < bytes; ++i)
      state = (state ^ p[i]) * 0x100000001b3u;
  }
  void add(uint64_t value) { add(&value, sizeof(value)); }
  uint64_t value() const { return state; }

private:
  uint64_t state = 0xcbf29ce484222325u;
};
} // namespace

static constexpr uint64_t sampleBytes = 512;

static void addSamples(Fnv1a64 &hash, const MappedFile &file,
                       const TensorInfo &tensor) {
  if (tensor.bytes == 0)
    return;
  const uint8_t *data = file.data() + tensor.offset;
  if (tensor.bytes <= 3 * sampleBytes)
    return hash.add(data, tensor.bytes);
  uint64_t last = tensor.bytes - sampleBytes;
  for (uint64_t begin : {uint64_t(0), last / 2, last})
    hash.add(data + begin, sampleBytes);
  // Three pages of each tensor add up.
  file.drop(tensor.offset, tensor.offset + tensor.bytes);
}

std::string Checkpoint::checksum() const {
  Fnv1a64 hash;
  hash.add(config.size());
  hash.add(config.data(), config.size());
  for (size_t i = 0; i < files.size(); ++i) {
    hash.add(files[i]->size());
    hash.add(files[i]->data(), headerBytes[i]);
    files[i]->drop(0, headerBytes[i]);
  }
  for (const TensorInfo &tensor : infos)
    addSamples(hash, *files[tensor.file], tensor);
  char text[32];
  std::snprintf(text, sizeof(text), "fnv1a64:%016" PRIx64, hash.value());
  return text;
}
