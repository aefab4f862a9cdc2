//===- Device.cpp - ranks on this machine's CPUs --------------------------===//
//
// Part of tp-mlir, under the Apache License v2.0.
//
//===----------------------------------------------------------------------===//

#include "Device.h"

#include "Memory.h"
#include "World.h"

#include <cstring>
#include <limits>

using namespace tprt;

namespace {

/// The host's own memory and code.
class CpuDevice : public Device {
public:
  explicit CpuDevice(const DeviceSetup &setup)
      : ranks(*setup.ranks), world(setup.world) {
    for (const Entry &entry : setup.manifest->entries) {
      code.push_back(setup.lookup(entry.symbol.c_str(), setup.context));
      if (!code.back())
        raise(TPRT_INVALID, "entry '", entry.name, "': there is no symbol '",
              entry.symbol, "'");
    }
  }

  std::string describe() const override { return "CPU"; }
  bool usesGroups() const override { return true; }

  int64_t available(size_t, int64_t &sharers) override {
    // Processes on one machine share its memory.
    sharers = world ? world->localSize() : int64_t(ranks.size());
    return availableMemory();
  }
  char *reserve(size_t, int64_t bytes) override {
    reservations.emplace_back(bytes);
    return reservations.back().data();
  }

  int64_t mostStaged() const override {
    return std::numeric_limits<int64_t>::max();
  }
  void *stage(size_t, char *target, int64_t) override { return target; }
  void put(size_t, char *, int64_t) override {}
  const char *get(size_t, const char *source, int64_t) override {
    return source;
  }
  void fill(size_t, char *target, int byte, int64_t bytes) override {
    std::memset(target, byte, size_t(bytes));
  }

  void run(size_t slot, size_t entry, void *arena, void *const *arguments,
           void *const *results) override {
    code[entry](ranks[slot].get(), arena, arguments, results);
  }

  std::vector<char> makeId(bool) override { return {}; }
  void connect(size_t, const std::vector<char> &) override {}
  void reset() override {}

private:
  const std::vector<std::unique_ptr<tprt_rank>> &ranks;
  const World *world;
  std::vector<tprt_entry> code; ///< of each entry
  std::vector<Reservation> reservations;
};

} // namespace

std::unique_ptr<Device> tprt::makeDevice(const DeviceSetup &setup) {
  if (!setup.lookup)
    raise(TPRT_INVALID, "no lookup function");
  if (setup.manifest->backend == "cpu")
    return std::make_unique<CpuDevice>(setup);
  return makePluginDevice(setup);
}
