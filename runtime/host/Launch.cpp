//===- Launch.cpp - who started this process, and how many others ---------===//
//
// Part of tp-mlir, under the Apache License v2.0.
//
//===----------------------------------------------------------------------===//

#include "Launch.h"

#include "Checked.h"

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <vector>

using namespace tprt;

//===----------------------------------------------------------------------===//
// The environment
//===----------------------------------------------------------------------===//

namespace {
/// The variables of one launcher; a null name is one that it does not set.
struct Variables {
  const char *launcher, *size, *rank, *localRank, *localSize;
};
} // namespace

static const Variables launchers[] = {
    {"mpirun", "OMPI_COMM_WORLD_SIZE", "OMPI_COMM_WORLD_RANK",
     "OMPI_COMM_WORLD_LOCAL_RANK", "OMPI_COMM_WORLD_LOCAL_SIZE"},
    {"torchrun", "WORLD_SIZE", "RANK", "LOCAL_RANK", "LOCAL_WORLD_SIZE"},
    // Set for the tasks of a step, and not in the batch script around it.
    {"srun", "SLURM_STEP_NUM_TASKS", "SLURM_PROCID", "SLURM_LOCALID", nullptr},
    {"mpiexec", "PMI_SIZE", "PMI_RANK", "MPI_LOCALRANKID", "MPI_LOCALNRANKS"},
};

/// Whether srun gave the processes what MPI meets by.
static bool hasProcessManager(const Environment &get) {
  return get("PMIX_RANK") || get("PMI_RANK") || get("PMI_FD");
}

static int64_t readNumber(const Environment &get, const char *name,
                          int64_t otherwise) {
  const char *text = name ? get(name) : nullptr;
  if (!text)
    return otherwise;
  char *end = nullptr;
  errno = 0;
  long long value = std::strtoll(text, &end, 10);
  if (end == text || *end || errno || value < 0)
    raise(TPRT_INVALID, "the environment's ", name, " is '", text,
          "', and not a number");
  return value;
}

Launch tprt::readLaunch(const Environment &get) {
  for (const Variables &variables : launchers) {
    if (!get(variables.size) || !get(variables.rank))
      continue;
    Launch launch;
    launch.launcher = variables.launcher;
    const bool isTorchrun = launch.launcher == "torchrun";
    const bool hasMaster = get("MASTER_ADDR") && get("MASTER_PORT");
    // RANK and WORLD_SIZE alone could be anybody's.
    if (isTorchrun && !hasMaster)
      continue;
    launch.size = readNumber(get, variables.size, 1);
    launch.rank = readNumber(get, variables.rank, 0);
    launch.localRank = readNumber(get, variables.localRank, 0);
    launch.localSize = readNumber(get, variables.localSize, launch.size);
    if (launch.rank >= launch.size)
      raise(TPRT_INVALID, "the environment's ", variables.rank, " is ",
            launch.rank, ", but ", variables.size, " is ", launch.size);
    launch.hasProcessManager =
        launch.launcher != "srun" || hasProcessManager(get);
    if (isTorchrun || (!launch.hasProcessManager && hasMaster)) {
      launch.masterAddress = get("MASTER_ADDR");
      launch.masterPort = readNumber(get, "MASTER_PORT", 0);
    }
    return launch;
  }
  return Launch();
}

Launch tprt::readLaunch() {
  return readLaunch([](const char *name) { return std::getenv(name); });
}

//===----------------------------------------------------------------------===//
// Meshes
//===----------------------------------------------------------------------===//

namespace {
struct AxisText {
  std::string name;
  int64_t size; ///< 0 for "*"
};
} // namespace

/// False if the text is not a list of NAME=SIZE or NAME=*.
static bool parseAxes(const std::string &mesh, std::vector<AxisText> &axes) {
  for (size_t begin = 0; begin <= mesh.size();) {
    size_t end = std::min(mesh.find(',', begin), mesh.size());
    std::string axis = mesh.substr(begin, end - begin);
    size_t equals = axis.find('=');
    if (equals == std::string::npos || equals == 0)
      return false;
    std::string size = axis.substr(equals + 1);
    bool isStar = size == "*";
    if (!isStar && (size.empty() || size.size() > 9 || size[0] == '0' ||
                    size.find_first_not_of("0123456789") != std::string::npos))
      return false;
    axes.push_back({axis.substr(0, equals),
                    isStar ? 0 : std::strtoll(size.c_str(), nullptr, 10)});
    begin = end + 1;
  }
  return true;
}

static std::string joinAxes(const std::vector<AxisText> &axes) {
  std::string text;
  for (const AxisText &axis : axes)
    text += join(text.empty() ? "" : ",", axis.name, "=",
                 axis.size ? std::to_string(axis.size) : "*");
  return text;
}

/// "1 or 2 or 4": what an axis may be if the product of the others is `rest`.
static std::string divisors(int64_t processes, int64_t rest) {
  std::string text;
  for (int64_t size = 1; size <= processes; ++size)
    if (rest <= processes && processes % (size * rest) == 0)
      text += join(text.empty() ? "" : " or ", size);
  return text;
}

std::string tprt::resolveMesh(const std::string &mesh, int64_t processes) {
  std::vector<AxisText> axes;
  if (mesh.empty() || !parseAxes(mesh, axes))
    return mesh;
  int64_t product = 1;
  AxisText *star = nullptr, *largest = nullptr;
  for (AxisText &axis : axes) {
    if (axis.size == 0 && star)
      raise(TPRT_INVALID, "mesh '", mesh, "': only one size can be '*'");
    if (axis.size == 0) {
      star = &axis;
      continue;
    }
    product = multiply(product, axis.size, "the number of ranks");
    if (!largest || axis.size > largest->size)
      largest = &axis;
  }
  if (star && processes % product == 0) {
    star->size = processes / product;
    return joinAxes(axes);
  }
  if (!star && product == processes)
    return mesh;
  const int64_t rest = largest ? product / largest->size : 1;
  if (star) {
    std::string sizes = divisors(processes, rest);
    raise(TPRT_INVALID, "mesh '", mesh, "': ", processes,
          " processes do not divide by ", product, "; what works is ", product,
          ", ", 2 * product, ", ", 3 * product, ", ... processes",
          sizes.empty() ? "" : join(", or ", largest->name, "=", sizes));
  }
  largest->size = 0;
  raise(TPRT_INVALID, "mesh '", mesh, "' has ", product, " ranks, but there ",
        processes == 1 ? "is 1 process" : join("are ", processes, " processes"),
        "; what works is ", product, " processes",
        processes % rest == 0 ? ", or the mesh " + joinAxes(axes) : "");
}
