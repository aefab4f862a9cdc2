//===- Memory.h - reserving memory ---------------------------------------===//
//
// Part of tp-mlir, under the Apache License v2.0.
//
//===----------------------------------------------------------------------===//

#ifndef TPRT_HOST_MEMORY_H
#define TPRT_HOST_MEMORY_H

#include <cstddef>
#include <cstdint>

namespace tprt {

/// A block of zeroed memory straight from the system.
class Reservation {
public:
  Reservation() = default;

  /// std::bad_alloc if the system refuses.
  explicit Reservation(int64_t bytes);
  ~Reservation();
  Reservation(Reservation &&other) noexcept;
  Reservation &operator=(Reservation &&other) noexcept;

  char *data() const { return memory; }

private:
  char *memory = nullptr;
  size_t size = 0;
};

/// Bytes that could be used without swapping; the largest number if unknown.
int64_t availableMemory();

} // namespace tprt

#endif // TPRT_HOST_MEMORY_H
