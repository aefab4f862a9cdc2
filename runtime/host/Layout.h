//===- Layout.h - where a rank's buffers lie -----------------------------===//
//
// Part of tp-mlir, under the Apache License v2.0.
//
//===----------------------------------------------------------------------===//

#ifndef TPRT_HOST_LAYOUT_H
#define TPRT_HOST_LAYOUT_H

#include "Manifest.h"

#include <string>
#include <unordered_map>
#include <vector>

namespace tprt {

/// Part of a rank's block.
struct Region {
  int64_t offset = 0;
  int64_t bytes = 0;
};

/// The block that each rank reserves: parameters, state, the arena, and the
/// inputs and outputs of the entry that runs. The same on every rank. Every
/// buffer starts at a multiple of 64 bytes.
class Layout {
public:
  explicit Layout(const Manifest &manifest);

  Region parameterRegion, stateRegion, arenaRegion, transferRegion;
  int64_t totalBytes = 0;

  /// Each parameter once, with its place.
  struct Parameter {
    const Argument *argument;
    int64_t offset;
  };
  std::vector<Parameter> parameters;

  /// Offsets of the buffers of each entry.
  struct EntryBuffers {
    std::vector<int64_t> arguments, results;
  };
  std::vector<EntryBuffers> entries;

private:
  void placeShared(const Manifest &manifest, Argument::Kind kind,
                   Region &region);
  void placeTransfers(const Entry &entry);
  int64_t place(Region &region, const ValueType &type);
  void begin(Region &region, const Region &previous);

  std::unordered_map<std::string, int64_t> shared; ///< offsets by name
};

} // namespace tprt

#endif // TPRT_HOST_LAYOUT_H
