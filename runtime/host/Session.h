//===- Session.h - a program on all ranks of its mesh --------------------===//
//
// Part of tp-mlir, under the Apache License v2.0.
//
//===----------------------------------------------------------------------===//

#ifndef TPRT_HOST_SESSION_H
#define TPRT_HOST_SESSION_H

#include "Device.h"
#include "Layout.h"
#include "Parameters.h"
#include "Rank.h"
#include "Workers.h"
#include "World.h"

#include <cstdlib>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

namespace tprt {

/// Errors are exceptions here; SessionApi.cpp turns them into statuses.
class Session : public std::enable_shared_from_this<Session> {
public:
  /// With a world, this process is one rank of its mesh; otherwise all ranks
  /// are threads of this process.
  Session(const char *manifest, tprt_lookup lookup, void *context,
          double timeoutSeconds, std::shared_ptr<World> world,
          uint64_t fingerprint, const char *collectives);

  /// Starts the threads and connects the ranks; apart from the constructor
  /// because threads share the session.
  void start();

  void load(const char *path, uint64_t seed);
  void run(const char *entry, const tprt_buffer *inputs, size_t numInputs,
           tprt_buffer *outputs, size_t numOutputs);
  void reset();
  std::string counters();
  /// An Error if the program has no marks.
  void startTimeline();
  /// Empty on all processes but the first.
  std::string timeline(int64_t &runsLeftOut);
  const std::string &description();

  /// What an entry takes or gives, without data; see tprt_session_inputs.
  const char *entryName(size_t index) const;
  std::vector<tprt_buffer> describeInputs(const char *entry) const;
  std::vector<tprt_buffer> describeOutputs(const char *entry) const;

  /// Ends the threads.
  void stop();

  World *processes() const { return world.get(); }

  /// After stop(), for a session that stays where it is until the process ends.
  void forgetWorld() { world.reset(); }

private:
  /// A buffer of the host that goes to or comes from all ranks.
  struct Binding {
    const ValueType *type;
    int64_t offset; ///< in each rank's block
    void *data;
  };

  void connect();
  void makeThreadGroups();
  void makeProcessGroups();
  void reserve();
  size_t findEntry(const char *name) const;
  std::vector<Binding> bindInputs(size_t entry, const tprt_buffer *inputs,
                                  size_t count) const;
  std::vector<Binding> bindOutputs(size_t entry, const tprt_buffer *outputs,
                                   size_t count) const;
  /// Of each entry's collectives, the largest rank's.
  using Counters = std::vector<std::vector<CollectiveCounter>>;
  Counters countersHere() const;

  // `slot` is a rank's place among those of this process.
  void sendInputs(const std::vector<Binding> &inputs);
  void fetchOutputs(const std::vector<Binding> &outputs);
  void runEntry(size_t entry, size_t slot);
  void zeroState(size_t slot);
  void fillParameters(const ParameterSource &source, size_t slot);

  // SessionProcesses.cpp: nothing to do if all ranks are here.
  void compareProgram(const char *manifest, uint64_t fingerprint);
  void compareSources(const ParameterSource &source);
  void compareParameters();
  uint64_t hashHere(int64_t offset, int64_t bytes);
  void compareRun(size_t entry, const std::vector<Binding> &inputs,
                  const std::vector<Binding> &outputs);
  void collectOutputs(const std::vector<Binding> &outputs);
  Counters collectCounters();

  // SessionTimeline.cpp
  ClockMap::Reading readClock();
  std::vector<std::vector<int64_t>> bytesSentBy(size_t slot) const;
  std::vector<RankTimeline> collectTimelines();

  /// Waits until no rank works any more for a run that was given up.
  void awaitIdle();

  /// Runs a job on all ranks; throws the error of the first rank that fails.
  void onAllRanks(Workers::Job job);
  char *block(size_t slot) const { return blocks[slot]; }
  Block blockOf(size_t slot, const std::vector<Dim> &dims) const {
    return manifest.mesh.block(ranks[slot]->index, dims);
  }

  std::shared_ptr<World> world; ///< null: ranks are threads
  const Manifest manifest;
  const Layout layout;
  const double timeout;
  /// See tprt_session_create.
  const bool poisonsArena = std::getenv("TPRT_POISON") != nullptr;
  RunState state;
  std::vector<std::unique_ptr<tprt_rank>> ranks; ///< of this process
  std::unique_ptr<Device> device;
  std::string deviceText;          ///< what the device says of itself
  std::vector<char *> blocks;      ///< one a rank, once loaded
  std::vector<int64_t> executions; ///< of each entry
  ClockMap::Reading clockAtStart;  ///< of processes with a timeline
  bool loaded = false;
  std::unique_ptr<Workers> workers;
  std::mutex mutex; ///< one call of the session API at a time
};

} // namespace tprt

#endif // TPRT_HOST_SESSION_H
