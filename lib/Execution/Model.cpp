//===- Model.cpp - a model, read and sharded ------------------------------===//
//
// Part of tp-mlir, under the Apache License v2.0.
//
//===----------------------------------------------------------------------===//

#include "tp/Execution/Model.h"
#include "checkpoint/Checkpoint.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Parser/Parser.h"
#include "mlir/Pass/PassManager.h"
#include "mlir/Support/FileUtilities.h"
#include "tp/Dialect/NN/IR/NN.h"
#include "tp/Dialect/TP/IR/TP.h"
#include "tp/Dialect/TP/Transforms/Passes.h"
#include "tp/Plan/Passes.h"
#include "tp/Support/Tool.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/Path.h"
#include "llvm/Support/SourceMgr.h"

using namespace mlir;
using namespace mlir::tp;

bool tp::isModuleFile(StringRef path) {
  if (llvm::sys::fs::is_directory(path))
    return false;
  StringRef extension = llvm::sys::path::extension(path);
  return extension == ".mlir" || extension == ".mlirbc";
}

static bool isLocalModule(ModuleOp module) {
  bool found = false;
  for (auto function : module.getOps<func::FuncOp>())
    for (unsigned i = 0; i < function.getNumArguments(); ++i)
      found |= function.getArgAttr(i, kGlobalName) != nullptr;
  return found;
}

FailureOr<std::string> tp::findCheckpoint(StringRef name, StringRef checksum,
                                          StringRef modulePath) {
  SmallString<256> path(name);
  if (llvm::sys::path::is_relative(path)) {
    path = llvm::sys::path::parent_path(modulePath);
    llvm::sys::path::append(path, name);
  }
  std::string found(path);
  if (checksum.empty())
    return found;
  std::unique_ptr<tprt::Checkpoint> checkpoint;
  tprt::Status status = tprt::Checkpoint::open(found, checkpoint);
  if (!status.ok()) {
    printError(status.message + "; --weights=PATH names another place");
    return failure();
  }
  if (checkpoint->checksum() != checksum) {
    printError("\"" + found +
               "\" has changed since the module was imported: import it again, "
               "or name the weights with --weights=PATH");
    return failure();
  }
  return found;
}

/// The checkpoint that the source's module names, if it does.
static LogicalResult setCheckpoint(Source &source, StringRef modulePath) {
  auto textOf = [&](StringRef attribute) {
    auto text = source.module.get()->getAttrOfType<StringAttr>(attribute);
    return text ? text.getValue() : StringRef();
  };
  if (textOf(nn::kCheckpointName).empty())
    return success();
  FailureOr<std::string> found = findCheckpoint(
      textOf(nn::kCheckpointName), textOf(nn::kChecksumName), modulePath);
  if (succeeded(found))
    source.checkpoint = std::move(*found);
  return found;
}

FailureOr<Source> tp::readSource(const ModelOptions &options,
                                 MLIRContext *context) {
  Source source;
  if (!isModuleFile(options.model)) {
    progress("reading " + options.model);
    FailureOr<OwningOpRef<ModuleOp>> module =
        importModel(options.model, options.import, context);
    if (failed(module))
      return failure();
    source.module = std::move(*module);
    auto name =
        source.module.get()->getAttrOfType<StringAttr>(nn::kCheckpointName);
    // A configuration without tensors has no weights to load.
    if (name && !name.getValue().empty())
      source.checkpoint = options.model;
  } else {
    std::string message;
    auto buffer = openInputFile(options.model, &message);
    if (!buffer) {
      printError(message);
      return failure();
    }
    llvm::SourceMgr sources;
    sources.AddNewSourceBuffer(std::move(buffer), llvm::SMLoc());
    SourceMgrDiagnosticHandler handler(sources, context);
    source.module = parseSourceFile<ModuleOp>(sources, context);
    if (!source.module)
      return failure();
    if (options.checksWeights && failed(setCheckpoint(source, options.model)))
      return failure();
  }
  if (options.dequantise)
    nn::forgetStored(*source.module);
  source.isLocal = isLocalModule(*source.module);
  return source;
}

/// Global to local, over `mesh`.
static LogicalResult shard(ModuleOp module, StringRef mesh, StringRef plan) {
  PassManager manager(module.getContext());
  ShardOptions options;
  options.mesh = mesh.str();
  options.plan = plan.str();
  buildShardPipeline(manager, options);
  return manager.run(module);
}

LogicalResult tp::unshardSource(ModuleOp module) {
  PassManager manager(module.getContext());
  manager.addPass(createTPStripPlacements());
  return manager.run(module);
}

LogicalResult tp::shardSource(ModuleOp module, const Source &source,
                              StringRef mesh, StringRef plan) {
  // The program's own marks of a mesh win over the command line's; a plan file
  // may bring one.
  bool hasMesh = !module.getOps<MeshOp>().empty();
  bool hasFile = plan != "auto" && plan != "none";
  if (source.isLocal || (!hasMesh && !hasFile && mesh.empty()))
    return success();
  progress("sharding");
  return shard(module, mesh, plan);
}
