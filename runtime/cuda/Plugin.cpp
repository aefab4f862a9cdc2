//===- Plugin.cpp - CUDA programs for the runtime -------------------------===//
//
// Part of tp-mlir, under the Apache License v2.0.
//
//===----------------------------------------------------------------------===//
//
// The runtime opens this plugin for a program whose manifest says "cuda", see
// tprt/device.h. Here is decided which GPU a rank has and how ranks
// communicate.
//
//===----------------------------------------------------------------------===//

#include "Slot.h"
#include "tprt/device.h"

#include <cstdlib>

using namespace tprt_cuda;

struct tprt_device {
  std::string description;
  bool connects = false;
  int64_t sharers = 1; ///< ranks of this machine on one GPU
  std::vector<std::unique_ptr<Slot>> slots;
};

//===----------------------------------------------------------------------===//
// GPUs and ranks
//===----------------------------------------------------------------------===//

static int countGpus() {
  int count = 0;
  const cudaError_t status = cudaGetDeviceCount(&count);
  if (status == cudaErrorInsufficientDriver)
    raise(TPRT_UNSUPPORTED,
          "no GPU: there is no NVIDIA driver, or one that is older than CUDA ",
          CUDART_VERSION / 1000, ".", CUDART_VERSION % 1000 / 10);
  if (status != cudaSuccess)
    raise(TPRT_UNSUPPORTED, "no GPU: ", cudaGetErrorString(status));
  if (count == 0)
    raise(TPRT_UNSUPPORTED, "no GPU: CUDA finds no device");
  return count;
}

namespace {

/// How the ranks of a program are placed.
struct Placement {
  enum { Alone, Loopback, Nccl } kind;
  int64_t gpus; ///< that the ranks of this machine go round
  std::string why;
};

} // namespace

/// Ranks of one process share a GPU unless there is one for each of them.
static Placement place(const tprt_device_setup &setup, int gpus) {
  const std::string wanted = setup.collectives ? setup.collectives : "auto";
  const bool isProcess = setup.count < setup.ranks;
  if (wanted != "auto" && wanted != "nccl" && wanted != "loopback")
    raise(TPRT_INVALID,
          "collectives on GPUs are \"auto\", \"nccl\" or "
          "\"loopback\", not \"",
          wanted, "\"");
  if (wanted == "loopback" && isProcess)
    raise(TPRT_INVALID, "loopback collectives are for ranks of one process: "
                        "start it without mpirun, or with --ranks=threads");
  if (wanted == "nccl" && !isProcess && setup.ranks > gpus)
    raise(TPRT_INVALID, "NCCL wants a GPU for each of ", setup.ranks,
          " ranks of this process; there ", gpus == 1 ? "is " : "are ", gpus);
  if (setup.ranks == 1 && wanted != "nccl")
    return {Placement::Alone, 1, ""};
  if (wanted == "nccl" || isProcess) {
    requireNccl();
    return {Placement::Nccl, gpus, ""};
  }
  if (wanted == "loopback" || setup.ranks > gpus)
    return {Placement::Loopback, 1, ""};
  try {
    requireNccl();
    return {Placement::Nccl, gpus, ""};
  } catch (const tprt::Error &error) {
    return {Placement::Loopback, 1, error.what()};
  }
}

static std::string describe(const tprt_device_setup &setup,
                            const Placement &placement, int gpu,
                            int64_t sharers) {
  cudaDeviceProp properties = {};
  TPRT_CHECK(cudaGetDeviceProperties(&properties, gpu));
  std::string text = properties.name;
  if (placement.kind == Placement::Alone)
    return text;
  if (sharers > 1)
    text += join(", ", sharers, " ranks share it");
  else
    text += ", one a rank";
  text +=
      placement.kind == Placement::Nccl ? ": NCCL" : ": loopback collectives";
  if (!placement.why.empty())
    text += " (" + placement.why + ")";
  return text;
}

/// Whether the environment asks for it.
static bool wants(const char *name) {
  const char *wish = std::getenv(name);
  return wish && std::strcmp(wish, "0") != 0;
}

static std::unique_ptr<tprt_device> open(const tprt_device_setup &setup) {
  const auto *program = static_cast<const Program *>(setup.table);
  if (!program || program->version != kVersion)
    raise(TPRT_UNSUPPORTED,
          "the program was compiled for another version of the CUDA plugin: "
          "compile it again");
  if (program->ranks != setup.ranks)
    raise(TPRT_INVALID, "the program is for ", program->ranks,
          " ranks, and its manifest for ", setup.ranks);
  const int gpus = countGpus();
  const Placement placement = place(setup, gpus);
  const Watch watch(setup.timeout_seconds, setup.failed, setup.context);
  auto device = std::make_unique<tprt_device>();
  const int64_t here =
      setup.count < setup.ranks ? setup.local_size : setup.count;
  device->sharers = (here + placement.gpus - 1) / placement.gpus;
  device->connects = placement.kind == Placement::Nccl;
  std::shared_ptr<Loopback> loopback;
  if (placement.kind == Placement::Loopback) {
    TPRT_CHECK(cudaSetDevice(0)); // where its events are
    loopback = makeLoopback(*program, watch);
  }
  Slot::Wishes wishes;
  wishes.graphs = wants("TPRT_CUDA_GRAPHS");
  if (wants("TPRT_MEASURE_PRODUCTS"))
    wishes.products = std::strcmp(std::getenv("TPRT_MEASURE_PRODUCTS"), "own")
                          ? Slot::Wishes::Fastest
                          : Slot::Wishes::Own;
  for (int64_t slot = 0; slot < setup.count; ++slot) {
    const int64_t rank = setup.first + slot;
    const int gpu = int((setup.local_rank + slot) % placement.gpus);
    std::unique_ptr<Exchange> exchange;
    if (loopback)
      exchange = makeLoopbackExchange(loopback, *program, rank);
    else if (device->connects)
      exchange = makeNcclExchange(*program, rank, watch);
    Slot::Count count = [setup, slot](int64_t id, int64_t bytes) {
      setup.collective(setup.context, slot, id, bytes);
    };
    Slot::Progress progress = [setup, slot](int64_t begun, int64_t ended) {
      setup.progress(setup.context, slot, begun, ended);
    };
    Slot::Wishes mine = wishes;
    mine.graphs &= !exchange || exchange->canBeCaptured();
    device->slots.push_back(
        std::make_unique<Slot>(*program, rank, gpu, watch, std::move(count),
                               std::move(progress), std::move(exchange), mine));
    if (slot == 0)
      device->description = describe(setup, placement, gpu, device->sharers);
  }
  return device;
}

//===----------------------------------------------------------------------===//
// The C interface
//===----------------------------------------------------------------------===//

/// Runs the body of a function; no exception leaves it.
template <typename Body>
static tprt_status guarded(tprt_error *error, Body &&body) noexcept {
  auto tell = [&](tprt_status status, const char *message) {
    std::snprintf(error->message, sizeof error->message, "%s", message);
    return status;
  };
  try {
    body();
    return TPRT_OK;
  } catch (const tprt::Error &failure) {
    return tell(failure.status(), failure.what());
  } catch (const std::bad_alloc &) {
    return tell(TPRT_OUT_OF_MEMORY, "out of memory");
  } catch (const std::exception &exception) {
    return tell(TPRT_FAILED, exception.what());
  }
}

template <typename Body>
static tprt_status onSlot(tprt_device *device, int64_t slot, tprt_error *error,
                          Body &&body) noexcept {
  return guarded(error, [&] { body(*device->slots[size_t(slot)]); });
}

static tprt_status openDevice(const tprt_device_setup *setup,
                              tprt_device **device, tprt_error *error) {
  return guarded(error, [&] { *device = open(*setup).release(); });
}

static void closeDevice(tprt_device *device) { delete device; }

static void describeDevice(const tprt_device *device, char *text, size_t size) {
  std::string all = device->description;
  if (!device->slots.empty())
    all += "; " + device->slots[0]->describeAttention();
  std::snprintf(text, size, "%s", all.c_str());
}

static int64_t wantsId(const tprt_device *device) { return device->connects; }

static tprt_status makeId(tprt_device *, void *id, tprt_error *error) {
  return guarded(error, [&] { makeNcclId(id); });
}

static tprt_status connectSlot(tprt_device *device, int64_t slot,
                               const void *id, tprt_error *error) {
  return onSlot(device, slot, error, [&](Slot &on) { on.connect(id); });
}

static tprt_status availableBytes(tprt_device *device, int64_t slot,
                                  int64_t *bytes, int64_t *sharers,
                                  tprt_error *error) {
  return onSlot(device, slot, error, [&](Slot &on) {
    *bytes = on.freeBytes();
    *sharers = device->sharers;
  });
}

static tprt_status reserveBlock(tprt_device *device, int64_t slot,
                                int64_t bytes, void **block,
                                tprt_error *error) {
  return onSlot(device, slot, error,
                [&](Slot &on) { *block = on.reserve(bytes); });
}

static tprt_status stageBytes(tprt_device *device, int64_t slot, void **memory,
                              tprt_error *error) {
  return onSlot(device, slot, error, [&](Slot &on) { *memory = on.stage(); });
}

static tprt_status putBytes(tprt_device *device, int64_t slot, void *target,
                            int64_t bytes, tprt_error *error) {
  return onSlot(device, slot, error, [&](Slot &on) { on.put(target, bytes); });
}

static tprt_status readBytes(tprt_device *device, int64_t slot, void *target,
                             const void *source, int64_t bytes,
                             tprt_error *error) {
  return onSlot(device, slot, error,
                [&](Slot &on) { on.read(target, source, bytes); });
}

static tprt_status fillBytes(tprt_device *device, int64_t slot, void *target,
                             int64_t byte, int64_t bytes, tprt_error *error) {
  return onSlot(device, slot, error,
                [&](Slot &on) { on.fill(target, byte, bytes); });
}

static tprt_status runEntry(tprt_device *device, int64_t slot, int64_t entry,
                            void *arena, void *const *arguments,
                            void *const *results, tprt_error *error) {
  return onSlot(device, slot, error,
                [&](Slot &on) { on.run(entry, arena, arguments, results); });
}

static tprt_status resetDevice(tprt_device *device, tprt_error *error) {
  return guarded(error, [&] {
    for (auto &slot : device->slots)
      slot->reset();
  });
}

static const tprt_device_plugin plugin = {
    TPRT_DEVICE_VERSION,
    "cuda",
    openDevice,
    closeDevice,
    describeDevice,
    wantsId,
    makeId,
    connectSlot,
    availableBytes,
    reserveBlock,
    Slot::kStagingBytes,
    stageBytes,
    putBytes,
    readBytes,
    fillBytes,
    runEntry,
    resetDevice,
};

extern "C" __attribute__((visibility("default"))) const tprt_device_plugin *
tprt_device_get(int64_t version) {
  return version == TPRT_DEVICE_VERSION ? &plugin : nullptr;
}
