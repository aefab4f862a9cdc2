//===- Communicator.h - how the members of a group exchange data ---------===//
//
// Part of tp-mlir, under the Apache License v2.0.
//
//===----------------------------------------------------------------------===//
//
// The seam between collectives and what carries them: threads in one process
// here, MPI or NCCL elsewhere. A communicator is one rank's end of one group.
//
//===----------------------------------------------------------------------===//

#ifndef TPRT_HOST_COMMUNICATOR_H
#define TPRT_HOST_COMMUNICATOR_H

#include "Abi.h"

#include <cstdint>

namespace tprt {

class Communicator {
public:
  virtual ~Communicator() = default;

  virtual int64_t index() const = 0; ///< of this rank within the group
  virtual int64_t size() const = 0;

  /// Runs a collective whose descriptor was checked. An Error if it fails on
  /// this rank; a return without effect if the run has failed elsewhere.
  /// `source` is the index of the member that a permute takes from.
  virtual void run(const tprt_collective_desc &desc, int64_t source,
                   const void *const *inputs, void *const *outputs) = 0;

  /// Before a run, with all ranks idle: forgets what a failed run left behind.
  virtual void reset() = 0;

  /// From any thread: makes a rank that waits look at the state of the run.
  virtual void wake() = 0;
};

} // namespace tprt

#endif // TPRT_HOST_COMMUNICATOR_H
