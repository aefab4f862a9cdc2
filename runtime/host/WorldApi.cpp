//===- WorldApi.cpp - the processes half of the C ABI ---------------------===//
//
// Part of tp-mlir, under the Apache License v2.0.
//
//===----------------------------------------------------------------------===//

#include "ApiGuard.h"
#include "Plugin.h"
#include "World.h"

using namespace tprt;

static World &check(tprt_world *world) {
  if (!world)
    raise(TPRT_INVALID, "the world is null");
  return *world->world;
}

/// The name of the transport, or nothing for threads.
static std::string chooseTransport(const std::string &ranks,
                                   const Launch &launch) {
  if (ranks == "threads")
    return "";
  if (ranks != "auto" && ranks != "mpi" && ranks != "tcp")
    raise(TPRT_INVALID,
          "ranks are \"auto\", \"threads\", \"mpi\" or \"tcp\", "
          "not \"",
          ranks, "\"");
  if (ranks == "mpi" && launch.launcher == "torchrun" && launch.size > 1)
    raise(TPRT_UNSUPPORTED, "torchrun launched ", launch.size,
          " processes, and MPI needs a launcher of its own: use \"tcp\", "
          "'mpirun -n ",
          launch.size, "' or srun");
  if (ranks != "auto")
    return ranks;
  if (launch.size == 1)
    return "";
  if (!launch.masterAddress.empty())
    return "tcp";
  if (!launch.hasProcessManager)
    raise(TPRT_UNSUPPORTED, "srun launched ", launch.size,
          " processes without PMIx: launch with 'srun --mpi=pmix' or with "
          "mpirun, or set MASTER_ADDR and MASTER_PORT for TCP");
  return "mpi";
}

/// Before there is a world nobody can say who speaks for all. What is wrong
/// with the first process is likely wrong with all, and by the time that the
/// others would say so the launcher has ended them.
template <typename Body>
static tprt_status guardedLaunch(tprt_error *error, Body &&body) {
  Launch launch;
  tprt_status status = callGuarded(error, [&] {
    launch = readLaunch();
    body(launch);
  });
  if (status != TPRT_OK && launch.rank != 0)
    std::this_thread::sleep_for(std::chrono::seconds(5));
  return status;
}

tprt_status tprt_world_open(const char *ranks, const tprt_options *options,
                            tprt_world **world, tprt_error *error) {
  if (world)
    *world = nullptr;
  auto made = std::make_unique<tprt_world>();
  tprt_status status = guardedLaunch(error, [&](const Launch &launch) {
    if (!world)
      raise(TPRT_INVALID, "nowhere to put the world");
    std::string name = chooseTransport(ranks ? ranks : "auto", launch);
    if (!name.empty())
      made->world = std::make_shared<World>(openTransport(name), launch,
                                            readTimeout(options));
  });
  if (status != TPRT_OK || !made->world)
    return status;
  status = callGuarded(error, *made->world, [&] { made->world->introduce(); });
  // Ranks that have met stay together, so that they end together.
  *world = made.release();
  return status;
}

int64_t tprt_world_rank(const tprt_world *world) {
  return world ? world->world->rank() : 0;
}

int64_t tprt_world_size(const tprt_world *world) {
  return world ? world->world->size() : 1;
}

const char *tprt_world_description(const tprt_world *world) {
  return world ? world->world->description() : "threads";
}

tprt_status tprt_world_broadcast(tprt_world *world, void *data, size_t bytes,
                                 tprt_error *error) {
  if (!world)
    return TPRT_OK;
  return callGuarded(error, *world->world, [&] {
    check(world).broadcast(data, int64_t(bytes), "a value of the host");
  });
}

tprt_status tprt_world_fail(tprt_world *world, const char *message,
                            tprt_error *error) {
  if (!world)
    return callGuarded(error, [&] { raise(TPRT_FAILED, message); });
  return callGuarded(error, *world->world,
                     [&] { raise(TPRT_FAILED, message); });
}

tprt_status tprt_world_close(tprt_world *world, int code, tprt_error *error) {
  if (!world)
    return TPRT_OK;
  tprt_status status =
      callGuarded(error, *world->world, [&] { world->world->close(code); });
  if (status == TPRT_OK && code == 0)
    delete world;
  return status;
}

tprt_status tprt_resolve_mesh(const tprt_world *world, const char *mesh,
                              char *text, size_t size, tprt_error *error) {
  return callGuarded(error, [&] {
    if (!mesh || !text)
      raise(TPRT_INVALID, "the mesh is null");
    std::string result = mesh;
    if (world)
      result = resolveMesh(result, world->world->size());
    else if (result.find('*') != std::string::npos)
      raise(TPRT_INVALID, "mesh '", result,
            "': '*' is what the number of processes leaves; launch them, as "
            "with mpirun -n 4, or say a number");
    if (result.size() >= size)
      raise(TPRT_INVALID, "the mesh is too long");
    std::memcpy(text, result.c_str(), result.size() + 1);
  });
}
