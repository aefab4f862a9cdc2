//===- MappedFile.h - a file mapped for reading -----------------*- C++ -*-===//
//
// Part of tp-mlir, under the Apache License v2.0.
//
//===----------------------------------------------------------------------===//

#ifndef TPRT_CHECKPOINT_MAPPEDFILE_H
#define TPRT_CHECKPOINT_MAPPEDFILE_H

#include "checkpoint/Checkpoint.h"

namespace tprt::checkpoint {

/// A whole file, mapped read-only, or a borrowed buffer that stands for one.
class MappedFile {
public:
  static Status open(const std::string &path, std::unique_ptr<MappedFile> &out);
  static std::unique_ptr<MappedFile> borrow(const void *data, size_t bytes,
                                            const std::string &name);
  ~MappedFile();
  MappedFile(const MappedFile &) = delete;
  MappedFile &operator=(const MappedFile &) = delete;

  const uint8_t *data() const { return bytes; }
  uint64_t size() const { return length; }
  std::string_view text() const {
    return {reinterpret_cast<const char *>(bytes), length};
  }
  const std::string &name() const { return fileName; }

  /// Gives the pages of [begin, end) back to the system; they come back from
  /// the file, most often from its cache, when they are read again. Keeps the
  /// peak memory of a rank near the size of its own shard.
  void drop(uint64_t begin, uint64_t end) const;

  /// A failure to do with this file: "name: message".
  Status error(tprt_status code, const std::string &message) const;
  /// TPRT_IO: the file is damaged.
  Status damaged(const std::string &message) const;

private:
  MappedFile() = default;

  std::string fileName;
  const uint8_t *bytes = nullptr;
  size_t length = 0;
  bool mapped = false;
};

} // namespace tprt::checkpoint

#endif // TPRT_CHECKPOINT_MAPPEDFILE_H
