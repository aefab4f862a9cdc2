//===- Cache.cpp - a run's place in the program cache ---------------------===//
//
// Part of tp-mlir, under the Apache License v2.0.
//
//===----------------------------------------------------------------------===//

#include "Cache.h"
#include "checkpoint/Checkpoint.h"
#include "tp/Support/Tool.h"

using namespace mlir;
using namespace mlir::tp;

/// Adds what import and sharding read of a model; false if it cannot be read.
/// Paths count too: messages name them, and what is said is kept as it was.
static bool addModel(const ModelOptions &model, CacheKey &key) {
  key.add(model.model);
  if (isModuleFile(model.model)) {
    if (!key.addFile(model.model))
      return false;
  } else {
    std::unique_ptr<tprt::Checkpoint> checkpoint;
    if (!tprt::Checkpoint::open(model.model, checkpoint).ok())
      return false;
    // Of config.json, every file's header and some of every tensor.
    key.add(checkpoint->checksum());
    const ImportOptions &import = model.import;
    key.add(import.entry);
    key.add(import.batch);
    key.add(import.sequence);
    key.add(import.maxSequence);
    key.add(import.dtype);
    key.add(import.topK);
  }
  key.add(int64_t(model.dequantise));
  key.add(model.mesh);
  key.add(model.plan);
  return model.plan == "auto" || model.plan == "none" ||
         key.addFile(model.plan);
}

FailureOr<std::unique_ptr<CacheSlot>>
CacheSlot::open(StringRef directory, uint64_t limit,
                const ModelOptions &model) {
  std::unique_ptr<CacheSlot> none;
  if (directory == "off")
    return none;
  const bool isOwn = directory == "auto";
  std::string place =
      isOwn ? ProgramCache::defaultDirectory() : directory.str();
  if (place.empty() && isOwn)
    return none;
  llvm::Expected<ProgramCache> cache = ProgramCache::open(place, limit);
  if (!cache && isOwn) {
    llvm::consumeError(cache.takeError());
    return none;
  }
  if (!cache) {
    printError("--cache: " + llvm::toString(cache.takeError()));
    return failure();
  }
  CacheKey key = CacheKey::ofThisProcess();
  if (!addModel(model, key))
    return none;
  return std::unique_ptr<CacheSlot>(new CacheSlot(std::move(*cache), key));
}

std::optional<CachedProgram> CacheSlot::findOrLock(double seconds) {
  if (std::optional<CachedProgram> found = cache.find(key))
    return found;
  locked = cache.lock(key, seconds);
  std::optional<CachedProgram> made = cache.find(key);
  // Ranks wait for one another when they start: none may keep the next out.
  if (made)
    locked = FileHandle();
  return made;
}

void CacheSlot::record(MLIRContext *context) {
  recorder = std::make_unique<ScopedDiagnosticHandler>(
      context, [this](Diagnostic &diagnostic) {
        llvm::raw_string_ostream os(said);
        formatDiagnostic(diagnostic, os);
        return failure(); // It is printed as well, by another.
      });
}

FailureOr<CachedProgram> CacheSlot::compile(ModuleOp module,
                                            uint64_t fingerprint) {
  std::string lines;
  FailureOr<CachedProgram> program = failure();
  {
    ScopedDiagnosticHandler keep(module.getContext(),
                                 [&](Diagnostic &diagnostic) {
                                   llvm::raw_string_ostream os(lines);
                                   formatDiagnostic(diagnostic, os);
                                 });
    program = compileProgram(module);
  }
  if (succeeded(program)) {
    printLines(lines);
    program->said = said + lines;
    program->fingerprint = fingerprint;
    // A full disk costs the next start its time, and this one nothing.
    llvm::consumeError(cache.store(key, *program));
  }
  locked = FileHandle();
  return program;
}
