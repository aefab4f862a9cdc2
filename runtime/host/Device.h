//===- Device.h - where ranks have their memory and run -------------------===//
//
// Part of tp-mlir, under the Apache License v2.0.
//
//===----------------------------------------------------------------------===//
//
// The seam between a session and what runs its program. A session decides what
// lies where and which bytes go there; a device has the memory and runs
// entries. CPUs share their memory with the host, so that nothing is copied
// there.
//
//===----------------------------------------------------------------------===//

#ifndef TPRT_HOST_DEVICE_H
#define TPRT_HOST_DEVICE_H

#include "Manifest.h"
#include "Rank.h"

#include <functional>
#include <memory>
#include <string>
#include <vector>

namespace tprt {

class World;

/// A slot is a rank's place among those of this process. Errors name no rank.
class Device {
public:
  virtual ~Device() = default;

  virtual std::string describe() const = 0;

  /// Whether ranks communicate through tprt_rank::groups.
  virtual bool usesGroups() const = 0;

  /// Bytes that are free for a slot, and how many ranks share them.
  virtual int64_t available(size_t slot, int64_t &sharers) = 0;
  /// A slot's one block of zeros.
  virtual char *reserve(size_t slot, int64_t bytes) = 0;

  /// How much stage takes.
  virtual int64_t mostStaged() const = 0;
  /// Where the host writes what is to lie at `target`; valid until put, which
  /// brings it there before whatever the slot does next.
  virtual void *stage(size_t slot, char *target, int64_t bytes) = 0;
  virtual void put(size_t slot, char *target, int64_t bytes) = 0;
  /// What lies at `source`, for the host to read until the slot's next call.
  virtual const char *get(size_t slot, const char *source, int64_t bytes) = 0;
  virtual void fill(size_t slot, char *target, int byte, int64_t bytes) = 0;

  /// On the rank's thread.
  virtual void run(size_t slot, size_t entry, void *arena,
                   void *const *arguments, void *const *results) = 0;

  /// What the ranks exchange before they connect: made by one of them. Empty if
  /// there is nothing to connect.
  virtual std::vector<char> makeId(bool makesIt) = 0;
  /// On every rank's thread.
  virtual void connect(size_t slot, const std::vector<char> &id) = 0;

  /// Before a run, with all ranks idle.
  virtual void reset() = 0;
};

/// What a device is told of its session, which outlives it.
struct DeviceSetup {
  const Manifest *manifest;
  tprt_lookup lookup;
  void *context;
  const World *world; ///< null: ranks are threads
  const std::vector<std::unique_ptr<tprt_rank>> *ranks;
  RunState *state;
  std::string collectives;
  double timeout;
};

/// The device of the manifest's backend. An Error of one line if it is not
/// there, or if the program lacks an entry.
std::unique_ptr<Device> makeDevice(const DeviceSetup &setup);

/// Through a plugin.
std::unique_ptr<Device> makePluginDevice(const DeviceSetup &setup);

} // namespace tprt

#endif // TPRT_HOST_DEVICE_H
