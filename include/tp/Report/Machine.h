//===- Machine.h - the devices, hosts and links of a machine ----*- C++ -*-===//
//
// Part of tp-mlir, under the Apache License v2.0.
//
//===----------------------------------------------------------------------===//
//
// The planner's MachineModel, which knows one kind of link, once for each level
// of links: within a host, between hosts. docs/machines.md says what a machine
// file holds.
//
//===----------------------------------------------------------------------===//

#ifndef TP_REPORT_MACHINE_H
#define TP_REPORT_MACHINE_H

#include "tp/Dialect/TP/Transforms/MachineModel.h"
#include "llvm/ADT/StringMap.h"
#include <string>
#include <vector>

namespace mlir::tp {

/// What connects the devices of an aligned block of `devices` neighbours.
struct LinkLevel {
  std::string name;
  int64_t devices = 0;           ///< 0: any number
  double reduceLatency = 0;      ///< of an all-reduce, microseconds
  double latency = 0;            ///< of any other collective, microseconds
  double gigabytesPerSecond = 0; ///< sent by a device
};

struct Machine {
  std::string name;
  int64_t devicesPerHost = 0; ///< 0: not said
  int64_t deviceMemory = 0;   ///< bytes; 0: not said
  /// Traffic with memory of ops that contract nothing, GB/s; 0: as the model's.
  double copyGigabytes = 0;
  /// Contractions' traffic with weights that stay as they are stored, GB/s by
  /// the stored type's name; of other types as the model's.
  llvm::StringMap<double> storedGigabytes;
  /// Traffic with memory of ops that contract more than once, as attention
  /// does, GB/s; 0: as the model's.
  double attentionGigabytes = 0;
  MachineModel model;           ///< of a device and the first level of links
  std::vector<LinkLevel> links; ///< from the nearest on; at least one

  /// What MachineModel's defaults measure: one host of eight H200.
  static Machine standard();
  /// A machine file, or the text of the option 'machine' of passes, such as
  /// "link=100,compute=300". Errors are of `op`.
  static FailureOr<Machine> read(StringRef pathOrText, Operation *op);
  /// A machine file's content; `path` is for errors.
  static FailureOr<Machine> parse(StringRef json, StringRef path,
                                  Operation *op);

  /// The level of links that a group needs whose devices lie in an aligned
  /// block of `span` neighbours.
  const LinkLevel &linkFor(int64_t span) const;
  /// The planner's model with the links of that level.
  MachineModel modelFor(int64_t span) const;
};

/// The smallest number of neighbours of which aligned blocks hold whole groups
/// over `axes`, where devices are numbered along the mesh, minor axes fastest.
int64_t spanOf(ArrayRef<Axis> axes, MeshAttr mesh);

/// "80GB", "80 GiB" or "85899345920" in bytes; nothing if it is none of these.
std::optional<int64_t> parseBytes(StringRef text);

} // namespace mlir::tp

#endif // TP_REPORT_MACHINE_H
