//===- Session.cpp - a program on all ranks of its mesh ------------------===//
//
// Part of tp-mlir, under the Apache License v2.0.
//
//===----------------------------------------------------------------------===//

#include "Session.h"

#include "Checked.h"
#include "CollectiveShape.h"
#include "ThreadCommunicator.h"

#include <cstring>
#include <map>
#include <thread>

using namespace tprt;

//===----------------------------------------------------------------------===//
// Making a session
//===----------------------------------------------------------------------===//

Session::Session(const char *text, tprt_lookup lookup, void *context,
                 double timeoutSeconds)
    : manifest(parseManifest(text)), layout(manifest), timeout(timeoutSeconds),
      executions(manifest.entries.size()) {
  if (!lookup)
    raise(TPRT_INVALID, "no lookup function");
  if (manifest.mesh.numRanks() > maxGroupSize)
    raise(TPRT_UNSUPPORTED, "a mesh of ", manifest.mesh.numRanks(),
          " ranks; threads of one process can be up to ", maxGroupSize);
  for (const Entry &entry : manifest.entries) {
    code.push_back(lookup(entry.symbol.c_str(), context));
    if (!code.back())
      raise(TPRT_INVALID, "entry '", entry.name, "': there is no symbol '",
            entry.symbol, "'");
  }
  for (int64_t rank = 0; rank < manifest.mesh.numRanks(); ++rank)
    ranks.push_back(std::make_unique<tprt_rank>(rank, state, manifest));
  makeGroups();
}

/// One shared group for each set of ranks that agree outside the group's axes.
void Session::makeGroups() {
  // Spinning only helps while the others are running at the same time.
  const size_t cores = std::thread::hardware_concurrency();
  const int spins = ranks.size() <= cores ? 4000 : 50;
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

void Session::start() {
  workers = std::make_unique<Workers>(ranks.size());
  state.onFailure([this] {
    for (auto &rank : ranks)
      for (auto &group : rank->groups)
        group->wake();
    workers->notify();
  });
}

void Session::stop() {
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
  if (!state.failed())
    return;
  Error error = state.error();
  if (idle)
    raise(error.status(), error.what());
  raise(error.status(), error.what(), "; ranks ", joinSizes(workers->busy()),
        " have not returned ", timeout, " s later");
}

//===----------------------------------------------------------------------===//
// Loading
//===----------------------------------------------------------------------===//

void Session::reserve() {
  if (!reservations.empty())
    return;
  const int64_t each = layout.totalBytes;
  auto sizes = [&] {
    return join(ranks.size(), " ranks need ", each, " bytes each (parameters ",
                layout.parameterRegion.bytes, ", state ",
                layout.stateRegion.bytes, ", arena ", layout.arenaRegion.bytes,
                ", inputs and outputs ", layout.transferRegion.bytes, ")");
  };
  int64_t total, available = availableMemory();
  if (__builtin_mul_overflow(each, int64_t(ranks.size()), &total) ||
      total > available)
    raise(TPRT_OUT_OF_MEMORY, "out of memory: ", sizes(), "; ", available,
          " are available");
  std::vector<Reservation> blocks;
  try {
    for (size_t rank = 0; rank < ranks.size(); ++rank)
      blocks.emplace_back(each);
  } catch (const std::bad_alloc &) {
    raise(TPRT_OUT_OF_MEMORY, sizes(), "; the system refused after ",
          blocks.size(), " ranks");
  }
  reservations = std::move(blocks);
}

void Session::fillParameters(const ParameterSource &source, size_t rank) {
  for (const Layout::Parameter &parameter : layout.parameters) {
    if (state.failed())
      return;
    const Argument &argument = *parameter.argument;
    try {
      source.fill(argument, manifest.mesh.block(int64_t(rank), argument.dims),
                  block(rank) + parameter.offset);
    } catch (const Error &error) {
      raise(error.status(), "parameter '", argument.name, "': ", error.what());
    }
  }
  zeroState(rank);
}

void Session::zeroState(size_t rank) {
  if (layout.stateRegion.bytes > 0)
    std::memset(block(rank) + layout.stateRegion.offset, 0,
                size_t(layout.stateRegion.bytes));
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
  reserve();
  loaded = false;
  onAllRanks([this, source](size_t rank) { fillParameters(*source, rank); });
  loaded = true;
}

void Session::reset() {
  std::lock_guard<std::mutex> lock(mutex);
  awaitIdle();
  if (!loaded)
    raise(TPRT_INVALID, "the session is not loaded");
  onAllRanks([this](size_t rank) { zeroState(rank); });
}

//===----------------------------------------------------------------------===//
// Running entries
//===----------------------------------------------------------------------===//

/// On the rank's thread.
void Session::runEntry(size_t entry, size_t rank) {
  const Layout::EntryBuffers &buffers = layout.entries[entry];
  std::vector<void *> arguments, results;
  for (int64_t offset : buffers.arguments)
    arguments.push_back(block(rank) + offset);
  for (int64_t offset : buffers.results)
    results.push_back(block(rank) + offset);
  ranks[rank]->current = &ranks[rank]->entries[entry];
  if (poisonsArena && layout.arenaRegion.bytes > 0)
    std::memset(block(rank) + layout.arenaRegion.offset, 0xff,
                size_t(layout.arenaRegion.bytes));
  code[entry](ranks[rank].get(), block(rank) + layout.arenaRegion.offset,
              arguments.data(), results.data());
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
  sendInputs(sent);
  onAllRanks([this, entry](size_t rank) { runEntry(entry, rank); });
  fetchOutputs(fetched);
  ++executions[entry];
}
