//===- PluginDevice.cpp - ranks on what a plugin drives -------------------===//
//
// Part of tp-mlir, under the Apache License v2.0.
//
//===----------------------------------------------------------------------===//

#include "Device.h"
#include "Plugin.h"
#include "World.h"
#include "tprt/device.h"

#include <algorithm>
#include <cstring>

using namespace tprt;

namespace {

class PluginDevice : public Device {
public:
  explicit PluginDevice(const DeviceSetup &setup);
  ~PluginDevice() override { plugin.close(device); }

  std::string describe() const override {
    char text[256] = "";
    plugin.describe(device, text, sizeof text);
    return text;
  }
  bool usesGroups() const override { return false; }

  int64_t available(size_t slot, int64_t &sharers) override {
    int64_t bytes = 0;
    call(plugin.available, slot, &bytes, &sharers);
    return bytes;
  }
  char *reserve(size_t slot, int64_t bytes) override {
    void *block = nullptr;
    call(plugin.reserve, slot, bytes, &block);
    return static_cast<char *>(block);
  }

  int64_t mostStaged() const override { return plugin.staging_bytes; }
  void *stage(size_t slot, char *, int64_t) override {
    void *memory = nullptr;
    call(plugin.stage, slot, &memory);
    return memory;
  }
  void put(size_t slot, char *target, int64_t bytes) override {
    call(plugin.put, slot, target, bytes);
  }
  const char *get(size_t slot, const char *source, int64_t bytes) override {
    call(plugin.read, slot, mirror(slot, bytes), source, bytes);
    return mirror(slot, bytes);
  }
  void fill(size_t slot, char *target, int byte, int64_t bytes) override {
    call(plugin.fill, slot, target, byte, bytes);
  }

  void run(size_t slot, size_t entry, void *arena, void *const *arguments,
           void *const *results) override {
    queues[slot] = Queue();
    try {
      call(plugin.run, slot, int64_t(entry), arena, arguments, results);
    } catch (const Error &error) {
      raise(error.status(), error.what(), queues[slot].describe());
    }
  }

  std::vector<char> makeId(bool makesIt) override {
    if (!plugin.wants_id(device))
      return {};
    std::vector<char> id(TPRT_DEVICE_ID_BYTES);
    tprt_error error = {};
    if (makesIt)
      check(plugin.make_id(device, id.data(), &error), error);
    return id;
  }
  void connect(size_t slot, const std::vector<char> &id) override {
    call(plugin.connect, slot, id.empty() ? nullptr : id.data());
  }
  void reset() override {
    tprt_error error = {};
    check(plugin.reset(device, &error), error);
  }

private:
  /// The collectives of a run, and how far the device has come with them.
  struct Queue {
    std::vector<const CollectiveInfo *> collectives;
    size_t begun = 0, ended = 0;
    bool isKnown = false;

    /// "; it is in all_reduce 'x', 3 of 9 collectives are done"; empty if there
    /// is nothing to say.
    std::string describe() const;
  };
  void queue(size_t slot, int64_t id, int64_t bytes);
  void advance(size_t slot, size_t begun, size_t ended);

  static void check(tprt_status status, const tprt_error &error) {
    if (status != TPRT_OK)
      raise(status, error.message);
  }

  template <typename Function, typename... Arguments>
  void call(Function function, size_t slot, Arguments... arguments) {
    tprt_error error = {};
    check(function(device, int64_t(slot), arguments..., &error), error);
  }

  /// Memory of the host's for what is read of a slot.
  char *mirror(size_t slot, int64_t bytes) {
    std::vector<char> &memory = mirrors[slot];
    if (memory.size() < size_t(bytes))
      memory.resize(size_t(bytes));
    return memory.data();
  }

  const tprt_device_plugin &plugin;
  tprt_device *device = nullptr;
  RunState &state;
  const std::vector<std::unique_ptr<tprt_rank>> &ranks;
  std::vector<std::vector<char>> mirrors; ///< one a slot
  std::vector<Queue> queues;              ///< one a slot
};

} // namespace

/// What the program has for the plugin.
static const void *findTable(const DeviceSetup &setup) {
  auto table = reinterpret_cast<tprt_device_table>(reinterpret_cast<void (*)()>(
      setup.lookup(TPRT_DEVICE_TABLE, setup.context)));
  if (!table)
    raise(TPRT_INVALID, "the program is for the backend '",
          setup.manifest->backend, "', but there is no symbol '",
          TPRT_DEVICE_TABLE, "'");
  return table();
}

PluginDevice::PluginDevice(const DeviceSetup &from)
    : plugin(openDevice(from.manifest->backend)), state(*from.state),
      ranks(*from.ranks), mirrors(from.ranks->size()),
      queues(from.ranks->size()) {
  tprt_device_setup setup = {};
  setup.table = findTable(from);
  setup.ranks = from.manifest->mesh.numRanks();
  setup.first = ranks.front()->index;
  setup.count = int64_t(ranks.size());
  setup.local_rank = from.world ? from.world->localRank() : 0;
  setup.local_size = from.world ? from.world->localSize() : 1;
  setup.collectives = from.collectives.c_str();
  setup.timeout_seconds = from.timeout;
  setup.context = this;
  setup.failed = [](void *context) -> int64_t {
    return static_cast<PluginDevice *>(context)->state.failed();
  };
  setup.collective = [](void *context, int64_t slot, int64_t id,
                        int64_t bytes) {
    static_cast<PluginDevice *>(context)->queue(size_t(slot), id, bytes);
  };
  setup.progress = [](void *context, int64_t slot, int64_t begun,
                      int64_t ended) {
    static_cast<PluginDevice *>(context)->advance(size_t(slot), size_t(begun),
                                                  size_t(ended));
  };
  tprt_error error = {};
  check(plugin.open(&setup, &device, &error), error);
}

//===----------------------------------------------------------------------===//
// Collectives
//===----------------------------------------------------------------------===//

void PluginDevice::queue(size_t slot, int64_t id, int64_t bytes) {
  tprt_rank &rank = *ranks[slot];
  const CollectiveInfo *info = rank.current ? rank.current->find(id) : nullptr;
  if (!info)
    return; // the program and its manifest come from one module
  rank.current->count(id, bytes);
  queues[slot].collectives.push_back(info);
  if (rank.recorder)
    rank.recorder->enqueue(*info, bytes);
}

/// What has ended has begun; in the recorder each begins before it ends.
void PluginDevice::advance(size_t slot, size_t begun, size_t ended) {
  Queue &queue = queues[slot];
  tprt_rank &rank = *ranks[slot];
  queue.isKnown = true;
  ended = std::min(ended, queue.collectives.size());
  begun = std::min(std::max(begun, ended), queue.collectives.size());
  while (queue.begun < begun || queue.ended < ended) {
    const bool begins = queue.begun == queue.ended || queue.ended == ended;
    size_t &next = begins ? queue.begun : queue.ended;
    if (rank.recorder)
      begins ? rank.recorder->start() : rank.recorder->end();
    if (!begins)
      rank.lastCollective = queue.collectives[next];
    ++next;
  }
}

std::string PluginDevice::Queue::describe() const {
  if (!isKnown || ended == collectives.size())
    return "";
  const CollectiveInfo &next = *collectives[ended];
  return join("; it ", begun > ended ? "is in " : "has not come to ",
              collectiveKindName(next.kind), " '", next.name, "', ", ended,
              " of ", collectives.size(), " collectives are done");
}

std::unique_ptr<Device> tprt::makePluginDevice(const DeviceSetup &setup) {
  return std::make_unique<PluginDevice>(setup);
}
