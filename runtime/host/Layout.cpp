//===- Layout.cpp - where a rank's buffers lie ---------------------------===//
//
// Part of tp-mlir, under the Apache License v2.0.
//
//===----------------------------------------------------------------------===//

#include "Layout.h"

#include "Error.h"

#include <algorithm>

using namespace tprt;

static constexpr int64_t alignment = 64;

static int64_t grow(int64_t bytes, int64_t more) {
  int64_t result;
  if (__builtin_add_overflow(bytes, more, &result))
    raise(TPRT_OUT_OF_MEMORY, "a rank needs more than ", bytes, " + ", more,
          " bytes, which overflows");
  return result;
}

static int64_t alignUp(int64_t bytes) {
  return grow(bytes, alignment - 1) & ~(alignment - 1);
}

/// Appends a buffer to a region and gives its offset in the block.
int64_t Layout::place(Region &region, const ValueType &type) {
  int64_t offset = grow(region.offset, region.bytes);
  int64_t bytes = alignUp(type.localBytes());
  region.bytes = grow(region.bytes, bytes);
  grow(region.offset, region.bytes);
  return offset;
}

void Layout::begin(Region &region, const Region &previous) {
  region.offset = grow(previous.offset, previous.bytes);
}

void Layout::placeShared(const Manifest &manifest, Argument::Kind kind,
                         Region &region) {
  for (const Entry &entry : manifest.entries)
    for (const Argument &argument : entry.arguments) {
      if (argument.kind != kind || shared.count(argument.name))
        continue;
      int64_t offset = place(region, argument);
      shared[argument.name] = offset;
      if (kind == Argument::Parameter)
        parameters.push_back({&argument, offset});
    }
}

/// One entry runs at a time, so all entries use the same place.
void Layout::placeTransfers(const Entry &entry) {
  Region region{transferRegion.offset, 0};
  EntryBuffers buffers;
  for (const Argument &argument : entry.arguments)
    buffers.arguments.push_back(argument.kind == Argument::Input
                                    ? place(region, argument)
                                    : shared.at(argument.name));
  for (const Result &result : entry.results)
    buffers.results.push_back(result.kind == Result::Output
                                  ? place(region, result)
                                  : buffers.arguments[result.argument]);
  transferRegion.bytes = std::max(transferRegion.bytes, region.bytes);
  entries.push_back(std::move(buffers));
}

Layout::Layout(const Manifest &manifest) {
  placeShared(manifest, Argument::Parameter, parameterRegion);
  begin(stateRegion, parameterRegion);
  placeShared(manifest, Argument::State, stateRegion);
  begin(arenaRegion, stateRegion);
  for (const Entry &entry : manifest.entries)
    arenaRegion.bytes = std::max(arenaRegion.bytes, alignUp(entry.arenaBytes));
  begin(transferRegion, arenaRegion);
  for (const Entry &entry : manifest.entries)
    placeTransfers(entry);
  totalBytes = grow(transferRegion.offset, transferRegion.bytes);
}
