//===- Rank.cpp - one rank of a session ----------------------------------===//
//
// Part of tp-mlir, under the Apache License v2.0.
//
//===----------------------------------------------------------------------===//

#include "Rank.h"

#include <algorithm>

using namespace tprt;

void *Scratch::bytes(size_t slot, size_t size) {
  if (slot >= pieces.size())
    pieces.resize(slot + 1);
  Piece &piece = pieces[slot];
  if (!piece.memory || piece.size < size) {
    size_t rounded = (size + size / 4 + 64) / 64 * 64;
    piece.memory.reset(); // first, so that both need not fit
    piece.size = 0;
    piece.memory.reset(std::aligned_alloc(64, rounded));
    if (!piece.memory)
      throw std::bad_alloc();
    piece.size = rounded;
  }
  return piece.memory.get();
}

EntryCounters::EntryCounters(const Entry &entry)
    : entry(&entry), collectives(entry.collectives.size()) {
  for (size_t i = 0; i < entry.collectives.size(); ++i)
    byId[entry.collectives[i].id] = i;
}

const CollectiveInfo *EntryCounters::find(int64_t id) const {
  auto found = byId.find(id);
  return found == byId.end() ? nullptr : &entry->collectives[found->second];
}

void EntryCounters::count(int64_t id, int64_t bytesSent) {
  CollectiveCounter &counter = collectives[byId.at(id)];
  ++counter.executions;
  counter.bytesSent = std::max(counter.bytesSent, bytesSent);
}

tprt_rank::tprt_rank(int64_t index, RunState &run, const Manifest &manifest)
    : index(index), run(run) {
  for (const Entry &entry : manifest.entries)
    entries.emplace_back(entry);
}

void tprt_rank::fail(tprt_status status, const char *what,
                     const char *message) noexcept {
  try {
    std::string text;
    if (current)
      text = "entry '" + current->entry->name + "': ";
    text += join("rank ", index, ": ");
    if (*what)
      text += std::string(what) + ": ";
    text += message;
    // Says how far the program had come on this rank.
    if (lastCollective)
      text += join(" (after ", collectiveKindName(lastCollective->kind), " '",
                   lastCollective->name, "')");
    run.fail(status, text);
  } catch (...) {
    run.fail(status, "");
  }
}

Communicator &tprt_rank::group(int64_t group) const {
  if (group < 0 || size_t(group) >= groups.size())
    raise(TPRT_INVALID, "there is no group ", group, " among ", groups.size());
  return *groups[size_t(group)];
}
