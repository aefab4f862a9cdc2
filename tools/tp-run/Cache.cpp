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

/// Import makes constants of some vectors, such as the factors of rotary
/// embeddings, and the checksum takes samples only.
static bool addVectors(const tprt::Checkpoint &checkpoint, CacheKey &key) {
  constexpr int64_t most = 1 << 20;
  for (const tprt::TensorInfo &tensor : checkpoint.tensors()) {
    const bool isFloat =
        tprt::storedTypeInfo(tensor.type).kind != tprt::StoredKind::Integer;
    if (tensor.shape.size() != 1 || tensor.shape[0] > most || !isFloat)
      continue;
    std::vector<double> values(size_t(tensor.shape[0]));
    if (!checkpoint
             .read(tensor, {{0, 1, tensor.shape[0], 0, tensor.shape[0]}}, {0},
                   TPRT_F64, values.data())
             .ok())
      return false;
    key.add(StringRef(reinterpret_cast<const char *>(values.data()),
                      values.size() * sizeof(double)));
  }
  return true;
}

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
    if (!addVectors(*checkpoint, key))
      return false;
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
  std::optional<CacheKey> key = keyOf(model);
  if (!key)
    return none;
  return std::unique_ptr<CacheSlot>(
      new CacheSlot(std::move(*cache), *key, model));
}

std::optional<CacheKey> CacheSlot::keyOf(const ModelOptions &model) {
  std::optional<CacheKey> key = CacheKey::ofThisProcess();
  if (!key || !addModel(model, *key))
    return std::nullopt;
  return key;
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
    // What was compiled was read after the key was made: files may have
    // changed.
    std::optional<CacheKey> now = keyOf(model);
    // A full disk costs the next start its time, and this one nothing.
    if (now && now->digest() == key.digest())
      llvm::consumeError(cache.store(key, *program));
  }
  locked = FileHandle();
  return program;
}
