//===- Launch.h - who started this process, and how many others -----------===//
//
// Part of tp-mlir, under the Apache License v2.0.
//
//===----------------------------------------------------------------------===//

#ifndef TPRT_HOST_LAUNCH_H
#define TPRT_HOST_LAUNCH_H

#include "Error.h"

#include <cstdint>
#include <functional>
#include <string>

namespace tprt {

/// What the environment says of the launch. One process that nobody launched is
/// rank 0 of 1.
struct Launch {
  std::string launcher; ///< "mpirun", "mpiexec", "srun", "torchrun" or empty
  int64_t rank = 0, size = 1;
  int64_t localRank = 0, localSize = 1; ///< on this machine

  /// Whether there is what MPI's processes meet by; srun gives it if asked.
  bool hasProcessManager = true;
  /// Where the processes meet over TCP, or empty: torchrun's, whose agent may
  /// listen there, so that it is not ours to bind; or what the user of srun
  /// said.
  std::string masterAddress;
  int64_t masterPort = 0;
};

/// The value of a variable of the environment, or null.
using Environment = std::function<const char *(const char *)>;

/// Reads the variables of Open MPI's mpirun, torchrun, srun and another MPI's
/// mpiexec; the first of these that is complete counts, since an mpirun or a
/// torchrun inside an allocation of Slurm sees both. What srun started without
/// PMIx or PMI meets over TCP if MASTER_ADDR and MASTER_PORT are there. An
/// Error names a variable that is not a number, or a rank outside the size.
Launch readLaunch(const Environment &get);
Launch readLaunch();

/// Fills in the one size "*" of a mesh, as in "dp=*,tp=2", for so many
/// processes, and checks that a mesh of plain sizes has as many ranks. What is
/// not a mesh comes back as it is: its parser knows better what to say. An
/// Error names the sizes that work.
std::string resolveMesh(const std::string &mesh, int64_t processes);

} // namespace tprt

#endif // TPRT_HOST_LAUNCH_H
