//===- Session.cpp - a program on all ranks of its mesh ------------------===//
//
// Part of tp-mlir, under the Apache License v2.0.
//
//===----------------------------------------------------------------------===//

#include "Session.h"

#include "Checked.h"
#include "CollectiveShape.h"
#include "Numeric.h"
#include "ProcessCommunicator.h"
#include "ThreadCommunicator.h"
#include "Transfer.h"

#include <algorithm>
#include <cstring>
#include <map>
#include <thread>

using namespace tprt;

//===----------------------------------------------------------------------===//
// Making a session
//===----------------------------------------------------------------------===//

Session::Session(const char *manifestText, tprt_lookup lookup, void *context,
                 double timeoutSeconds, std::shared_ptr<World> processes,
                 uint64_t fingerprint, const char *collectives)
    : world(std::move(processes)), manifest(parseManifest(manifestText)),
      layout(manifest), timeout(timeoutSeconds),
      executions(manifest.entries.size()) {
  const int64_t numRanks = manifest.mesh.numRanks();
  if (world && world->size() != numRanks)
    raise(TPRT_INVALID, "the program's mesh has ", numRanks,
          numRanks == 1 ? " rank" : " ranks", ", but there are ", world->size(),
          " processes: launch ", numRanks, ", or give it a mesh of ",
          world->size());
  if (!world && numRanks > maxGroupSize)
    raise(TPRT_UNSUPPORTED, "a mesh of ", numRanks,
          " ranks; threads of one process can be up to ", maxGroupSize);
  const int64_t first = world ? world->rank() : 0;
  const int64_t numHere = world ? 1 : numRanks;
  for (int64_t rank = first; rank < first + numHere; ++rank)
    ranks.push_back(std::make_unique<tprt_rank>(rank, state, manifest));
  device = makeDevice({&manifest, lookup, context, world.get(), &ranks, &state,
                       collectives ? collectives : "auto", timeout});
  if (world) {
    compareProgram(manifestText, fingerprint);
    ranks.front()->recorder = &world->recorder;
  }
  if (!device->usesGroups())
    return;
  if (world)
    makeProcessGroups();
  else
    makeThreadGroups();
}

const std::string &Session::description() {
  deviceText = device->describe();
  return deviceText;
}

/// One shared group for each set of ranks that agree outside the group's axes.
void Session::makeThreadGroups() {
  // Spinning only helps while the others are running at the same time, and
  // harms if one waits for this core: some tens of microseconds at the most.
  const size_t cores = std::thread::hardware_concurrency();
  const int spins = ranks.size() <= cores ? 1000 : 50;
  for (const std::vector<AxisPart> &parts : manifest.groups) {
    std::map<int64_t, std::shared_ptr<ThreadGroup>> groups; // by first member
    for (auto &rank : ranks) {
      std::vector<int64_t> members = manifest.mesh.members(rank->index, parts);
      std::shared_ptr<ThreadGroup> &group = groups[members.front()];
      if (!group)
        group = std::make_shared<ThreadGroup>(std::move(members), spins);
      int64_t index = manifest.mesh.coordinate(rank->index, parts);
      rank->groups.push_back(
          std::make_unique<ThreadCommunicator>(group, index, state, timeout));
    }
  }
}

/// One sub-communicator for each group, split in the manifest's order.
void Session::makeProcessGroups() {
  tprt_rank &rank = *ranks.front();
  for (const std::vector<AxisPart> &parts : manifest.groups) {
    std::vector<int64_t> members = manifest.mesh.members(rank.index, parts);
    int64_t index = manifest.mesh.coordinate(rank.index, parts);
    // The lowest rank is a colour that no other group has.
    int64_t color = *std::min_element(members.begin(), members.end());
    if (int64_t(members.size()) > maxGroupSize)
      raise(TPRT_UNSUPPORTED, "a group of ", members.size(), " ranks");
    tprt_channel *channel = world->split(color, index);
    rank.groups.push_back(std::make_unique<ProcessCommunicator>(
        *world, channel, std::move(members), index));
  }
}

void Session::start() {
  workers = std::make_unique<Workers>(ranks.size());
  state.onFailure([this] {
    for (auto &rank : ranks)
      for (auto &group : rank->groups)
        group->wake();
    workers->notify();
  });
  if (world)
    world->attach(&state);
  connect();
}

/// Gives every rank what one of them made, and lets them meet.
void Session::connect() {
  std::vector<char> id = device->makeId(!world || world->rank() == 0);
  if (id.empty())
    return;
  if (world)
    world->broadcast(id.data(), int64_t(id.size()), "connecting");
  onAllRanks([this, id](size_t slot) { device->connect(slot, id); });
}

void Session::stop() {
  if (world)
    world->attach(nullptr);
  if (workers)
    workers->stop(timeout);
}

//===----------------------------------------------------------------------===//
// Running jobs
//===----------------------------------------------------------------------===//

void Session::awaitIdle() {
  // A run that was given up has failed, so that `timeout` applies.
  if (!workers->wait(state, timeout))
    raise(TPRT_FAILED, "ranks ", joinSizes(workers->busy()),
          " have not returned from a run that failed");
}

void Session::onAllRanks(Workers::Job job) {
  state.reset();
  device->reset();
  for (auto &rank : ranks) {
    rank->current = nullptr;
    rank->lastCollective = nullptr;
    for (auto &group : rank->groups)
      group->reset();
  }
  // Ranks that do not come back keep the session alive.
  auto self = shared_from_this();
  workers->start([self, job = std::move(job)](size_t index) {
    tprt_rank *rank = self->ranks[index].get();
    guarded(rank, "", [&] { job(index); });
  });
  bool idle = workers->wait(state, timeout);
  if (world)
    world->recorder.enterHost("the host's work");
  if (!state.failed())
    return;
  Error error = state.error();
  if (world)
    world->alarm(Notice::Error, error.status(), error.what());
  if (idle)
    raise(error.status(), error.what());
  raise(error.status(), error.what(), "; ranks ", joinSizes(workers->busy()),
        " have not returned ", timeout, " s later");
}

//===----------------------------------------------------------------------===//
// Loading
//===----------------------------------------------------------------------===//

void Session::reserve() {
  if (!blocks.empty())
    return;
  const int64_t each = layout.totalBytes;
  int64_t numHere = 1;
  const int64_t available = device->available(0, numHere);
  auto sizes = [&] {
    return join(numHere, numHere == 1 ? " rank needs " : " ranks need ", each,
                " bytes each (parameters ", layout.parameterRegion.bytes,
                ", state ", layout.stateRegion.bytes, ", arena ",
                layout.arenaRegion.bytes, ", inputs and outputs ",
                layout.transferRegion.bytes, ")");
  };
  int64_t total;
  if (__builtin_mul_overflow(each, numHere, &total) || total > available)
    raise(TPRT_OUT_OF_MEMORY, "out of memory: ", sizes(), "; ", available,
          " are available");
  std::vector<char *> reserved;
  try {
    for (size_t slot = 0; slot < ranks.size(); ++slot)
      reserved.push_back(device->reserve(slot, each));
  } catch (const std::bad_alloc &) {
    raise(TPRT_OUT_OF_MEMORY, sizes(), "; the system refused after ",
          reserved.size(), " ranks");
  }
  blocks = std::move(reserved);
}

void Session::fillParameters(const ParameterSource &source, size_t slot) {
  for (const Layout::Parameter &parameter : layout.parameters) {
    if (state.failed())
      return;
    const Argument &argument = *parameter.argument;
    try {
      forEachPiece(blockOf(slot, argument.dims), elementBytes(argument.dtype),
                   device->mostStaged(),
                   [&](const Block &piece, int64_t before, int64_t bytes) {
                     char *target = block(slot) + parameter.offset + before;
                     source.fill(argument, piece,
                                 device->stage(slot, target, bytes));
                     device->put(slot, target, bytes);
                   });
    } catch (const Error &error) {
      raise(error.status(), "parameter '", argument.name, "': ", error.what());
    }
  }
  zeroState(slot);
}

void Session::zeroState(size_t slot) {
  if (layout.stateRegion.bytes > 0)
    device->fill(slot, block(slot) + layout.stateRegion.offset, 0,
                 layout.stateRegion.bytes);
}

void Session::load(const char *path, uint64_t seed) {
  std::lock_guard<std::mutex> lock(mutex);
  awaitIdle();
  std::shared_ptr<const ParameterSource> source =
      path ? makeCheckpointSource(path) : makeRandomSource(seed);
  for (const Layout::Parameter &parameter : layout.parameters) {
    try {
      source->check(*parameter.argument);
    } catch (const Error &error) {
      raise(error.status(), "parameter '", parameter.argument->name,
            "': ", error.what());
    }
  }
  if (world)
    compareSources(*source);
  reserve();
  loaded = false;
  onAllRanks([this, source](size_t slot) { fillParameters(*source, slot); });
  if (world)
    compareParameters();
  loaded = true;
}

void Session::reset() {
  std::lock_guard<std::mutex> lock(mutex);
  awaitIdle();
  if (!loaded)
    raise(TPRT_INVALID, "the session is not loaded");
  onAllRanks([this](size_t slot) { zeroState(slot); });
}

//===----------------------------------------------------------------------===//
// Running entries
//===----------------------------------------------------------------------===//

/// On the rank's thread.
void Session::runEntry(size_t entry, size_t slot) {
  const Layout::EntryBuffers &buffers = layout.entries[entry];
  std::vector<void *> arguments, results;
  for (int64_t offset : buffers.arguments)
    arguments.push_back(block(slot) + offset);
  for (int64_t offset : buffers.results)
    results.push_back(block(slot) + offset);
  ranks[slot]->current = &ranks[slot]->entries[entry];
  if (poisonsArena && layout.arenaRegion.bytes > 0)
    device->fill(slot, block(slot) + layout.arenaRegion.offset, 0xff,
                 layout.arenaRegion.bytes);
  Timeline *timeline = ranks[slot]->timeline.get();
  if (timeline)
    timeline->begin(entry, executions[entry],
                    manifest.entries[entry].marks.size());
  device->run(slot, entry, block(slot) + layout.arenaRegion.offset,
              arguments.data(), results.data());
  if (timeline)
    timeline->end();
}

void Session::run(const char *name, const tprt_buffer *inputs, size_t numInputs,
                  tprt_buffer *outputs, size_t numOutputs) {
  std::lock_guard<std::mutex> lock(mutex);
  const size_t entry = findEntry(name);
  std::vector<Binding> sent = bindInputs(entry, inputs, numInputs);
  std::vector<Binding> fetched = bindOutputs(entry, outputs, numOutputs);
  awaitIdle();
  if (!loaded)
    raise(TPRT_INVALID, "the session is not loaded");
  if (world)
    compareRun(entry, sent, fetched);
  sendInputs(sent);
  if (world)
    world->recorder.enterEntry(manifest.entries[entry], executions[entry]);
  onAllRanks([this, entry](size_t slot) { runEntry(entry, slot); });
  if (world)
    collectOutputs(fetched);
  else
    fetchOutputs(fetched);
  for (auto &rank : ranks)
    if (rank->timeline)
      rank->timeline->keep();
  ++executions[entry];
}
