//===- Join.h - every process meets every other ---------------------------===//
//
// Part of tp-mlir, under the Apache License v2.0.
//
//===----------------------------------------------------------------------===//
//
// Rank 0 listens where everybody can find it: at MASTER_ADDR, on the port
// TPRT_PORT or, without that, the first free one of the four after MASTER_PORT
// (MASTER_PORT itself is the launcher's). The others try these in turn, each
// with an address at which it listens itself; who belongs to the job answers
// at once, and rank 0 in the end tells all where everybody is. Then each calls
// those of lower rank.
//
//===----------------------------------------------------------------------===//

#ifndef TPRT_TCP_JOIN_H
#define TPRT_TCP_JOIN_H

#include <cstdint>
#include <stdexcept>
#include <string>
#include <vector>

namespace tprt {

/// One line for the user.
struct TcpError : std::runtime_error {
  using std::runtime_error::runtime_error;
};

/// A file descriptor that is closed at the end.
class Socket {
public:
  explicit Socket(int fd = -1) : fd(fd) {}
  ~Socket() { reset(); }
  Socket(Socket &&other) noexcept : fd(other.release()) {}
  Socket &operator=(Socket &&other) noexcept {
    if (this != &other) {
      reset();
      fd = other.release();
    }
    return *this;
  }

  int get() const { return fd; }
  bool isOpen() const { return fd >= 0; }
  int release() {
    int old = fd;
    fd = -1;
    return old;
  }
  void reset();

private:
  int fd;
};

/// What the environment says of this process.
struct Membership {
  int64_t rank = 0, size = 1;
  std::string address;        ///< of rank 0
  std::vector<int64_t> ports; ///< where rank 0 may be; never empty
  uint64_t job = 0;           ///< the same for all of one launch
};

/// Reads RANK, WORLD_SIZE (or, where these are not there, what srun sets),
/// MASTER_ADDR, MASTER_PORT, TPRT_PORT and what torchrun says of the run and of
/// how often it was restarted, or Slurm of the job and its step. TcpError names
/// what is missing or no number.
Membership readMembership();

/// A connected socket for each rank but this one; blocks until all have come.
/// Who does not belong to the job is turned away. TcpError if rank 0 cannot
/// listen.
std::vector<Socket> joinOthers(const Membership &self);

} // namespace tprt

#endif // TPRT_TCP_JOIN_H
