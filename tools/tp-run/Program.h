//===- Program.h - a model, compiled and loaded on its ranks ----*- C++ -*-===//
//
// Part of tp-mlir, under the Apache License v2.0.
//
//===----------------------------------------------------------------------===//

#ifndef TP_TOOLS_TP_RUN_PROGRAM_H
#define TP_TOOLS_TP_RUN_PROGRAM_H

#include "Array.h"
#include "Cache.h"
#include "tp/Execution/JitProgram.h"
#include "tp/Execution/Model.h"
#include "tp/Report/Report.h"
#include "tp/Support/Tool.h"
#include <map>
#include <memory>

namespace mlir::tp {

/// What the command line says of the model and where it runs.
struct ProgramOptions : ModelOptions {
  std::string weights;
  std::optional<uint64_t> randomWeights;
  double timeout = 60;
  std::string backend = "auto"; ///< or what the program must be for
  std::string collectives;      ///< see tprt_options
  tprt_world *world = nullptr;  ///< the processes that are its ranks
  bool hasTimeline = false;     ///< keep when each op ran
};

/// An input or output of an entry point, in global terms.
struct Slot {
  std::string name;
  tprt_dtype dtype;
  SmallVector<int64_t> shape;
};

struct Entry {
  std::vector<Slot> inputs, outputs;
};

using Arrays = std::map<std::string, Array>;

/// Whether `path` is a program that tp-compile has made.
bool isProgramFile(StringRef path);

class Program {
public:
  ~Program();

  /// Shards `source` over `mesh` (empty: as it is), compiles it and starts its
  /// ranks; weights are loaded. Null after printing what is wrong. With a slot
  /// the program is stored there.
  static std::unique_ptr<Program> create(OwningOpRef<ModuleOp> module,
                                         const Source &source, StringRef mesh,
                                         const ProgramOptions &options,
                                         CacheSlot *slot = nullptr);

  /// Opens a program that was compiled ahead of time, starts its ranks and
  /// loads weights; no compiler takes part. Null after printing what is wrong,
  /// such as options that only a model has.
  static std::unique_ptr<Program> open(const ProgramOptions &options);

  /// The same of a program that an earlier run has made of the same model.
  /// `isUsable` becomes false, and nothing is printed, if it cannot be loaded.
  static std::unique_ptr<Program> openCached(CachedProgram cached,
                                             const ProgramOptions &options,
                                             bool &isUsable);

  const std::map<std::string, Entry> &entries() const { return entryPoints; }

  /// How many tokens the caches hold; as many as there are if there are none.
  int64_t cacheRows() const;

  /// Runs an entry point. Inputs must have the right names, types and shapes;
  /// all outputs are returned, of several processes on the first. False after
  /// printing what is wrong.
  bool run(StringRef entry, const Arrays &inputs, Arrays &outputs);

  /// The report, with the runtime's own counters in it.
  FailureOr<Report> report();

  /// When each op ran, as a Chrome trace; on the first of several processes,
  /// with a remark if runs had to be left out. Fails after printing why.
  FailureOr<std::string> timeline();

private:
  bool map(CachedProgram cached);
  bool start(const char *manifest, tprt_lookup lookup, void *context,
             uint64_t fingerprint, const ProgramOptions &options);
  bool load(StringRef checkpoint, StringRef manifest,
            const ProgramOptions &options);
  void describeEntries();

  std::map<std::string, Entry> entryPoints;
  bool isFirst = true; ///< of the processes
  std::unique_ptr<JitProgram> code;
  tprt_program *file = nullptr;
  std::optional<Report> fromIR;
  tprt_session *session = nullptr;
};

/// The name and size of an axis of the mesh.
using MeshAxis = std::pair<std::string, int64_t>;

/// "dp=2,tp=4".
std::string textOf(ArrayRef<MeshAxis> axes);

/// One line of the plan, if --mesh asks for one, on standard error.
void printPlan(const ProgramOptions &options);

/// One line of versions, mesh and ranks, if there is a mesh, on standard error.
void printStart(ArrayRef<MeshAxis> axes, tprt_world *world, bool isCached);

/// Compares what two programs answered: a line a tensor on standard error, and
/// whether all are within the tolerance of their type.
bool compare(const Arrays &got, const Arrays &wanted);

/// A type's tolerance for max|a - b| / max|b|.
double toleranceOf(tprt_dtype dtype);

} // namespace mlir::tp

#endif // TP_TOOLS_TP_RUN_PROGRAM_H
