//===- ProgramFile.cpp - tp-run on what tp-compile has made ---------------===//
//
// Part of tp-mlir, under the Apache License v2.0.
//
//===----------------------------------------------------------------------===//
//
// The runtime does all of this by itself: nothing here asks the compiler.
//
//===----------------------------------------------------------------------===//

#include "Program.h"
#include "tp/Support/Json.h"
#include "llvm/BinaryFormat/Magic.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/JSON.h"
#include "llvm/Support/MemoryBuffer.h"
#include "llvm/Support/Path.h"
#include "llvm/Support/xxhash.h"

using namespace mlir;
using namespace mlir::tp;

bool tp::isProgramFile(StringRef path) {
  if (llvm::sys::fs::is_directory(path))
    return false;
  llvm::file_magic magic;
  return llvm::sys::path::extension(path) == ".so" ||
         (!llvm::identify_magic(path, magic) &&
          magic == llvm::file_magic::elf_shared_object);
}

/// Names and sizes; none for one device.
static std::vector<MeshAxis> axesOf(const llvm::json::Object *root) {
  std::vector<MeshAxis> axes;
  const llvm::json::Object *object = root ? root->getObject("mesh") : nullptr;
  if (const auto *array = object ? object->getArray("axes") : nullptr)
    for (const llvm::json::Value &value : *array)
      if (const llvm::json::Object *axis = value.getAsObject())
        axes.push_back({axis->getString("name").value_or("").str(),
                        axis->getInteger("size").value_or(0)});
  return axes;
}

/// The backend, the mesh and the plan went into the program. Gives the mesh.
static bool checkOptions(const ProgramOptions &options, StringRef manifest,
                         std::vector<MeshAxis> &axes) {
  llvm::Expected<llvm::json::Value> json = parseJson(manifest);
  if (!json) {
    // The session says what is wrong with it.
    llvm::consumeError(json.takeError());
    return true;
  }
  const llvm::json::Object *root = json->getAsObject();
  StringRef backend =
      root ? root->getString("backend").value_or("cpu") : StringRef("cpu");
  if (options.backend != "auto" && options.backend != backend) {
    printError(
        "\"" + options.model + "\" was compiled for the backend " + backend +
        ", not for " + options.backend +
        ": compile it again with tp-compile --backend=" + options.backend);
    return false;
  }
  axes = axesOf(root);
  std::string mesh = textOf(axes);
  StringRef wanted = options.mesh;
  if (!wanted.empty() && wanted != mesh) {
    printError("\"" + options.model + "\" was compiled for " +
               (mesh.empty() ? "one device" : "the mesh " + mesh) +
               ", not for " + wanted +
               ": compile it again with tp-compile --mesh=" + wanted);
    return false;
  }
  if (options.dequantise && !options.randomWeights) {
    printError("--dequantise has no effect on \"" + options.model +
               "\", which was compiled already; give it to tp-import");
    return false;
  }
  if (options.plan != "auto") {
    printError("--plan has no effect on \"" + options.model +
               "\", which was compiled with one; give it to tp-compile");
    return false;
  }
  return true;
}

void Program::describeEntries() {
  using Describe = decltype(&tprt_session_inputs);
  auto slots = [&](Describe describe, const char *entry) {
    std::vector<tprt_buffer> buffers(describe(session, entry, nullptr, 0));
    describe(session, entry, buffers.data(), buffers.size());
    std::vector<Slot> result;
    for (const tprt_buffer &buffer : buffers)
      result.push_back(
          {buffer.name, buffer.dtype,
           SmallVector<int64_t>(buffer.shape, buffer.shape + buffer.rank)});
    return result;
  };
  for (size_t i = 0; const char *name = tprt_session_entry(session, i); ++i)
    entryPoints[name] = {slots(tprt_session_inputs, name),
                         slots(tprt_session_outputs, name)};
}

/// What the manifest does not tell of a program: its code.
static uint64_t fingerprintOf(StringRef path) {
  auto file = llvm::MemoryBuffer::getFile(path);
  return file ? llvm::xxh3_64bits((*file)->getBuffer()) : 0;
}

std::unique_ptr<Program> Program::open(const ProgramOptions &options) {
  auto program = std::make_unique<Program>();
  program->isFirst = tprt_world_rank(options.world) == 0;
  tprt_error error = {};
  if (tprt_program_open(options.model.c_str(), &program->file, &error) !=
      TPRT_OK) {
    printError(error.message);
    return nullptr;
  }
  const char *manifest = tprt_program_manifest(program->file);
  std::vector<MeshAxis> axes;
  if (!checkOptions(options, manifest, axes) ||
      !program->start(manifest, tprt_program_lookup, program->file,
                      options.world ? fingerprintOf(options.model) : 0,
                      options))
    return nullptr;
  // The session has read the mesh: it is a good one.
  if (!axes.empty() && program->isFirst)
    printStart(axes, options.world, /*isCached=*/false);
  program->describeEntries();
  StringRef device = tprt_session_description(program->session);
  if (device != "CPU" && program->isFirst)
    llvm::errs() << "remark: on " << device << "\n";
  std::string weights = options.weights;
  if (weights.empty() && !options.randomWeights) {
    char *path = nullptr;
    if (tprt_program_weights(program->file, &path, &error) != TPRT_OK) {
      printError(error.message + Twine("; --weights=PATH names another place"));
      return nullptr;
    }
    weights = path ? path : "";
    tprt_free(path);
  }
  if (!program->load(weights, manifest, options))
    return nullptr;
  return program;
}

//===----------------------------------------------------------------------===//
// Programs of the cache
//===----------------------------------------------------------------------===//

/// Where the weights are that go with a model whose program has this manifest.
static FailureOr<std::string> findWeights(const llvm::json::Object *root,
                                          const ProgramOptions &options) {
  const llvm::json::Object *checkpoint =
      root ? root->getObject("checkpoint") : nullptr;
  StringRef name =
      checkpoint ? checkpoint->getString("path").value_or("") : StringRef();
  if (!options.weights.empty() || name.empty())
    return options.weights;
  if (!isModuleFile(options.model))
    return options.model;
  StringRef checksum = checkpoint->getString("checksum").value_or("");
  return findCheckpoint(name, options.checksWeights ? checksum : StringRef(),
                        options.model);
}

std::unique_ptr<Program> Program::openCached(CachedProgram cached,
                                             const ProgramOptions &options,
                                             bool &isUsable) {
  auto program = std::make_unique<Program>();
  program->isFirst = tprt_world_rank(options.world) == 0;
  std::string said = std::move(cached.said);
  const uint64_t fingerprint = cached.fingerprint;
  isUsable = program->map(std::move(cached));
  if (!isUsable)
    return nullptr;
  const char *manifest = tprt_program_manifest(program->file);
  llvm::Expected<llvm::json::Value> json = parseJson(manifest);
  if (!json) {
    llvm::consumeError(json.takeError());
    isUsable = false;
    return nullptr;
  }
  printLines(said);
  printPlan(options);
  if (program->isFirst)
    printStart(axesOf(json->getAsObject()), options.world, /*isCached=*/true);
  FailureOr<std::string> weights = findWeights(json->getAsObject(), options);
  if (failed(weights) || !program->start(manifest, tprt_program_lookup,
                                         program->file, fingerprint, options))
    return nullptr;
  program->describeEntries();
  if (!program->load(*weights, manifest, options))
    return nullptr;
  return program;
}
