//===- Memory.cpp - reserving memory -------------------------------------===//
//
// Part of tp-mlir, under the Apache License v2.0.
//
//===----------------------------------------------------------------------===//

#include "Memory.h"

#include <fstream>
#include <limits>
#include <new>
#include <string>
#include <sys/mman.h>
#include <utility>

using namespace tprt;

Reservation::Reservation(int64_t bytes) : size(size_t(bytes)) {
  if (bytes == 0)
    return;
  void *result = mmap(nullptr, size, PROT_READ | PROT_WRITE,
                      MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (result == MAP_FAILED)
    throw std::bad_alloc();
  memory = static_cast<char *>(result);
#ifdef MADV_HUGEPAGE
  madvise(memory, size, MADV_HUGEPAGE); // only a wish
#endif
}

Reservation::~Reservation() {
  if (memory)
    munmap(memory, size);
}

Reservation::Reservation(Reservation &&other) noexcept
    : memory(std::exchange(other.memory, nullptr)),
      size(std::exchange(other.size, 0)) {}

Reservation &Reservation::operator=(Reservation &&other) noexcept {
  std::swap(memory, other.memory);
  std::swap(size, other.size);
  return *this;
}

int64_t tprt::availableMemory() {
  int64_t result = std::numeric_limits<int64_t>::max();
  std::ifstream info("/proc/meminfo");
  std::string key;
  int64_t kilobytes;
  std::string unit;
  while (info >> key >> kilobytes && std::getline(info, unit))
    if (key == "MemAvailable:")
      result = kilobytes * 1024;
  // A container may be allowed less than the machine has.
  std::ifstream limit("/sys/fs/cgroup/memory.max");
  int64_t bytes;
  if (limit >> bytes && bytes < result)
    result = bytes;
  return result;
}
