//===- Collectives.cpp - collectives of the C ABI ------------------------===//
//
// Part of tp-mlir, under the Apache License v2.0.
//
//===----------------------------------------------------------------------===//

#include "CollectiveShape.h"
#include "Numeric.h"
#include "Rank.h"

#include <algorithm>
#include <cstring>

using namespace tprt;

/// The manifest's entry for a collective, with this execution counted.
static const CollectiveInfo &
count(tprt_rank *rank, const tprt_collective_desc &desc, int64_t groupSize) {
  const CollectiveInfo *info = rank->current->find(desc.id);
  if (!info)
    raise(TPRT_INVALID, collectiveKindName(desc.kind), " ", desc.id,
          " is not in the manifest");
  if (info->kind != desc.kind)
    raise(TPRT_INVALID, "collective ", desc.id, " ('", info->name, "') is ",
          collectiveKindName(desc.kind), ", but ",
          collectiveKindName(info->kind), " in the manifest");
  rank->current->count(desc.id, ringBytes(desc, groupSize));
  return *info;
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
  int64_t source = group.index();
  if (desc.kind == TPRT_PERMUTE) {
    Communicator &other = rank->group(desc.source_group);
    if (other.size() != group.size())
      raise(TPRT_INVALID, "permute from a group of ", other.size(),
            " ranks within one of ", group.size());
    source = other.index();
  }
  const CollectiveInfo &info = count(rank, desc, group.size());
  if (rank->recorder)
    rank->recorder->begin(info, inputBytes(desc));
  try {
    if (group.size() == 1)
      copyThrough(desc, inputs, outputs);
    else
      group.run(desc, source, inputs, outputs);
  } catch (const Error &error) {
    raise(error.status(), collectiveKindName(info.kind), " '", info.name,
          "': ", error.what());
  }
  rank->lastCollective = &info;
  if (rank->recorder)
    rank->recorder->end();
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
    if (desc->elements < 0)
      raise(TPRT_INVALID, "a negative size, ", desc->elements);
    checkReduction(desc->reduction, desc->dtype);
    if (rank->group(desc->group).index() == 0)
      return;
    dispatchAny(desc->dtype, "make_partial", [&](auto tag) {
      using T = typename decltype(tag)::Type;
      T *element = static_cast<T *>(x);
      if (desc->reduction == TPRT_SUM)
        std::fill_n(element, desc->elements, narrow<T>(Accumulator<T>(0)));
      else if (desc->reduction == TPRT_PRODUCT)
        std::fill_n(element, desc->elements, narrow<T>(Accumulator<T>(1)));
    });
  });
}

extern "C" int64_t tprt_coordinate(tprt_rank *rank, int64_t group) {
  int64_t result = 0;
  guarded(rank, "coordinate", [&] { result = rank->group(group).index(); });
  return result;
}
