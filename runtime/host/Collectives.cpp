//===- Collectives.cpp - collectives of the C ABI ------------------------===//
//
// Part of tp-mlir, under the Apache License v2.0.
//
//===----------------------------------------------------------------------===//

#include "CollectiveShape.h"
#include "Rank.h"

#include <algorithm>
#include <cstring>

using namespace tprt;

/// The manifest's entry for a collective, with this execution counted.
static const CollectiveInfo &
count(tprt_rank *rank, const tprt_collective_desc &desc, int64_t groupSize) {
  EntryCounters &entry = *rank->current;
  auto found = entry.byId.find(desc.id);
  if (found == entry.byId.end())
    raise(TPRT_INVALID, collectiveKindName(desc.kind), " ", desc.id,
          " is not in the manifest");
  const CollectiveInfo &info = entry.entry->collectives[found->second];
  if (info.kind != desc.kind)
    raise(TPRT_INVALID, "collective ", desc.id, " ('", info.name, "') is ",
          collectiveKindName(desc.kind), ", but ",
          collectiveKindName(info.kind), " in the manifest");
  CollectiveCounter &counter = entry.collectives[found->second];
  ++counter.executions;
  counter.bytesSent = std::max(counter.bytesSent, ringBytes(desc, groupSize));
  return info;
}

/// Alone in a group, whatever the collective, the output is the input.
static void copyThrough(const tprt_collective_desc &desc,
                        const void *const *inputs, void *const *outputs) {
  for (int64_t b = 0; b < desc.num_buffers; ++b)
    if (size_t bytes = size_t(CollectiveShape(desc.buffers[b]).bytes()))
      std::memmove(outputs[b], inputs[b], bytes);
}

static void runCollective(tprt_rank *rank, const tprt_collective_desc &desc,
                          const void *const *inputs, void *const *outputs) {
  Communicator &group = rank->group(desc.group);
  checkCollective(desc, group.size());
  const CollectiveInfo &info = count(rank, desc, group.size());
  try {
    if (group.size() == 1)
      copyThrough(desc, inputs, outputs);
    else
      group.run(desc, inputs, outputs);
  } catch (const Error &error) {
    raise(error.status(), collectiveKindName(info.kind), " '", info.name,
          "': ", error.what());
  }
  rank->lastCollective = &info;
}

extern "C" void tprt_collective(tprt_rank *rank,
                                const tprt_collective_desc *desc,
                                const void *const *inputs,
                                void *const *outputs) {
  guarded(rank, "", [&] { runCollective(rank, *desc, inputs, outputs); });
}

extern "C" void tprt_make_partial(tprt_rank *rank,
                                  const tprt_make_partial_desc *desc, void *x) {
  guarded(rank, "make_partial", [&] {
    if (desc->bytes < 0)
      raise(TPRT_INVALID, "a negative size, ", desc->bytes);
    if (rank->group(desc->group).index() != 0)
      std::memset(x, 0, size_t(desc->bytes));
  });
}

extern "C" int64_t tprt_coordinate(tprt_rank *rank, int64_t group) {
  int64_t result = 0;
  guarded(rank, "coordinate", [&] { result = rank->group(group).index(); });
  return result;
}
