//===- Cache.h - a run's place in the program cache -------------*- C++ -*-===//
//
// Part of tp-mlir, under the Apache License v2.0.
//
//===----------------------------------------------------------------------===//

#ifndef TP_TOOLS_TP_RUN_CACHE_H
#define TP_TOOLS_TP_RUN_CACHE_H

#include "tp/Execution/Model.h"
#include "tp/Execution/ProgramCache.h"

namespace mlir::tp {

/// Where the program of a run is kept, and what is said while it is made.
class CacheSlot {
public:
  /// The slot of a model in the cache that `directory` names: a path, "auto"
  /// for the user's own, or "off". Null without a cache, also where there is
  /// none to be had under "auto" or the model cannot be read, which is for
  /// others to report. Fails after printing why a directory cannot be used.
  static FailureOr<std::unique_ptr<CacheSlot>>
  open(StringRef directory, uint64_t limit, const ModelOptions &model);

  /// The program, if it is there. Otherwise nobody else makes it, until this
  /// slot goes or it is stored; another that does so is waited for, but no
  /// longer than `seconds`.
  std::optional<CachedProgram> findOrLock(double seconds);

  /// Records what is printed through `context` from here on.
  void record(MLIRContext *context);

  /// Compiles the program and stores it if that can be done. Fails without a
  /// word if it cannot be compiled so.
  FailureOr<CachedProgram> compile(ModuleOp module, uint64_t fingerprint);

private:
  CacheSlot(ProgramCache cache, const CacheKey &key, const ModelOptions &model)
      : model(model), cache(std::move(cache)), key(key) {}

  /// What `key` was when the slot was opened, now; nothing if it has none.
  static std::optional<CacheKey> keyOf(const ModelOptions &model);

  const ModelOptions model;
  ProgramCache cache;
  CacheKey key;
  FileHandle locked;
  std::string said;
  std::unique_ptr<ScopedDiagnosticHandler> recorder;
};

} // namespace mlir::tp

#endif // TP_TOOLS_TP_RUN_CACHE_H
