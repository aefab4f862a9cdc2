//===- MappedFile.cpp - a file mapped for reading -------------------------===//
//
// Part of tp-mlir, under the Apache License v2.0.
//
//===----------------------------------------------------------------------===//

#include "checkpoint/MappedFile.h"

#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

using namespace tprt;
using namespace tprt::checkpoint;

static Status systemError(const std::string &path, const char *action) {
  int code = errno;
  return Status::error(code == ENOMEM ? TPRT_OUT_OF_MEMORY : TPRT_IO,
                       path + ": cannot " + action + ": " +
                           std::strerror(code));
}

namespace {
/// Closes a descriptor on every way out.
struct Descriptor {
  int fd;
  ~Descriptor() {
    if (fd >= 0)
      ::close(fd);
  }
};
} // namespace

Status MappedFile::open(const std::string &path,
                        std::unique_ptr<MappedFile> &out) {
  // Without O_NONBLOCK, opening a pipe would wait for a writer for ever.
  Descriptor file{::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK)};
  if (file.fd < 0)
    return systemError(path, "open the file");
  struct stat info;
  if (::fstat(file.fd, &info) != 0)
    return systemError(path, "examine the file");
  if (!S_ISREG(info.st_mode))
    return Status::error(TPRT_IO, path + ": is not a regular file");
  if (info.st_size == 0)
    return Status::error(TPRT_IO, path + ": the file is empty");

  std::unique_ptr<MappedFile> result(new MappedFile);
  result->fileName = path;
  result->length = static_cast<size_t>(info.st_size);
  void *address =
      ::mmap(nullptr, result->length, PROT_READ, MAP_SHARED, file.fd, 0);
  if (address == MAP_FAILED)
    return systemError(path, "map the file");
  result->bytes = static_cast<const uint8_t *>(address);
  result->mapped = true;
  out = std::move(result);
  return {};
}

std::unique_ptr<MappedFile> MappedFile::borrow(const void *data, size_t bytes,
                                               const std::string &name) {
  std::unique_ptr<MappedFile> result(new MappedFile);
  result->fileName = name;
  result->bytes = static_cast<const uint8_t *>(data);
  result->length = bytes;
  return result;
}

MappedFile::~MappedFile() {
  if (mapped)
    ::munmap(const_cast<uint8_t *>(bytes), length);
}

void MappedFile::drop(uint64_t begin, uint64_t end) const {
  if (!mapped || begin >= end || end > length)
    return;
  // The mapping starts on a page, so that offsets round like addresses. Advice
  // only: a failure changes nothing.
  auto page = static_cast<uint64_t>(::sysconf(_SC_PAGESIZE));
  begin = begin / page * page;
  ::madvise(const_cast<uint8_t *>(bytes) + begin, end - begin, MADV_DONTNEED);
}

Status MappedFile::error(tprt_status code, const std::string &message) const {
  return Status::error(code, fileName + ": " + message);
}

Status MappedFile::damaged(const std::string &message) const {
  return error(TPRT_IO, message);
}
