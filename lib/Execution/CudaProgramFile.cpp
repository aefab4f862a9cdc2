//===- CudaProgramFile.cpp - CUDA programs compiled ahead of time ---------===//
//
// Part of tp-mlir, under the Apache License v2.0.
//
//===----------------------------------------------------------------------===//
//
// nvcc compiles two files to one shared object: the program's source, to the
// letter what --tp-emit-cuda prints, and the table that the runtime looks for.
//
//===----------------------------------------------------------------------===//

#include "OutputFile.h"
#include "mlir/IR/OwningOpRef.h"
#include "tp/Conversion/Manifest.h"
#include "tp/Conversion/Passes.h"
#include "tp/Cuda/Cuda.h"
#include "tp/Dialect/NN/IR/NN.h"
#include "tp/Execution/ProgramFile.h"
#include "tprt/tprt.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/Path.h"
#include "llvm/Support/Program.h"
#include "llvm/Support/raw_ostream.h"
#include <cstdlib>
#include <dlfcn.h>

using namespace mlir;
using namespace mlir::tp;

/// What nvcc calls the chips that programs are compiled for.
static constexpr StringLiteral kChips[] = {"sm_80", "sm_90", "sm_90a",
                                           "sm_100"};

static llvm::Error checkChip(StringRef chip) {
  if (llvm::is_contained(kChips, chip))
    return llvm::Error::success();
  return makeError("there are no CUDA programs for \"" + chip +
                   "\": --arch is one of " +
                   llvm::join(std::begin(kChips), std::end(kChips), ", "));
}

static llvm::Expected<std::string> findNvcc(StringRef wanted) {
  if (!wanted.empty()) {
    if (auto found = llvm::sys::findProgramByName(wanted)) {
      SmallString<256> path(*found);
      if (std::error_code code = llvm::sys::fs::make_absolute(path))
        return makeError("cannot find \"" + wanted + "\": " + code.message());
      return std::string(path);
    }
    return makeError("there is no program \"" + wanted +
                     "\" to compile CUDA with");
  }
  if (auto found = llvm::sys::findProgramByName("nvcc"))
    return *found;
  // Its installer leaves it to people to put it on their path.
  SmallVector<std::string> folders;
  for (const char *variable : {"CUDA_HOME", "CUDA_PATH"})
    if (const char *value = std::getenv(variable))
      folders.push_back((Twine(value) + "/bin").str());
  folders.push_back("/usr/local/cuda/bin");
  for (StringRef folder : folders)
    if (auto found = llvm::sys::findProgramByName("nvcc", {folder}))
      return *found;
  return makeError("there is no nvcc to compile CUDA with: install the CUDA "
                   "toolkit (NVIDIA: cuda-toolkit; Debian: "
                   "nvidia-cuda-toolkit), or name one with --nvcc=PATH");
}

/// Where tprt/cuda.h is: beside the runtime library of this process if it is
/// installed, else in the sources that this was built from.
static std::string findHeaders() {
  Dl_info info = {};
  if (dladdr(reinterpret_cast<const void *>(&tprt_session_create), &info) &&
      info.dli_fname) {
    SmallString<256> path(info.dli_fname);
    llvm::sys::path::remove_filename(path);
    llvm::sys::path::append(path, "..", "include");
    if (llvm::sys::fs::exists(path + "/tprt/cuda.h"))
      return std::string(path);
  }
  return TP_RUNTIME_HEADERS;
}

/// The tprt_program_table of the program, in C++.
static std::string tableOf(StringRef manifest) {
  std::string text;
  llvm::raw_string_ostream os(text);
  os << "#include \"tprt/cuda/Rank.h\"\n#include \"tprt/device.h\"\n\n"
        "extern \"C\" {\n"
        "extern const tprt_cuda::Program tp_cuda_program;\n"
        "extern __attribute__((visibility(\"default\"))) const "
        "tprt_program_table tp_program;\n}\n\n"
        "static const void *table() { return &tp_cuda_program; }\n"
        "static const tprt_program_table::tprt_program_entry entries[] = {\n"
        "    {TPRT_DEVICE_TABLE, reinterpret_cast<tprt_entry>("
        "reinterpret_cast<void (*)()>(table))}};\n"
        "const tprt_program_table tp_program = {TPRT_VERSION, \"\",\n";
  SmallVector<StringRef> lines;
  manifest.split(lines, '\n');
  for (StringRef line : lines) {
    os << "    \"";
    // Octal: a digit that follows would belong to a hexadecimal number.
    os.write_escaped(line, /*UseHexEscapes=*/false) << "\\n\"\n";
  }
  os << "    , 1, entries};\n";
  return text;
}

static llvm::Error compile(StringRef source, StringRef manifest, StringRef path,
                           const CudaProgramOptions &options) {
  if (llvm::Error error = checkChip(options.chip))
    return error;
  auto nvcc = findNvcc(options.nvcc);
  if (!nvcc)
    return nvcc.takeError();
  TemporaryDirectory directory;
  if (llvm::Error error = directory.create())
    return error;
  const std::string shared = directory.file("program.so"),
                    chip = "-arch=" + options.chip,
                    headers = "-I" + findHeaders();
  if (llvm::Error error = writeText(directory.file("program.cu"), source))
    return error;
  if (llvm::Error error =
          writeText(directory.file("table.cu"), tableOf(manifest)))
    return error;
  // In the directory itself: nvcc makes names of the paths of its files. Two
  // programs in one process do not meet: all but the table is hidden.
  StringRef arguments[] = {*nvcc,
                           "-std=c++17",
                           "-O3",
                           chip,
                           "-shared",
                           "-Xcompiler=-fPIC,-fvisibility=hidden",
                           "-Xlinker=--exclude-libs=ALL,-z,now",
                           "-Xlinker=--as-needed,--build-id=none,-s",
                           headers,
                           "program.cu",
                           "table.cu",
                           "-o",
                           "program.so"};
  if (llvm::Error error =
          runCompiler(arguments, directory.file("log"),
                      "cannot compile the program", directory.file("")))
    return error;
  return publish(shared, path);
}

LogicalResult tp::writeCudaProgramFile(ModuleOp module, StringRef path,
                                       const CudaProgramOptions &options,
                                       CudaProgramText *written) {
  OwningOpRef<ModuleOp> copy(module.clone());
  // Kernels for GPUs read what they compute with.
  nn::forgetStored(*copy);
  if (failed(lowerToRuntimeLevel(*copy)))
    return failure();
  FailureOr<std::string> text = buildManifest(*copy, "cuda");
  if (failed(text))
    return failure();
  std::string source;
  llvm::raw_string_ostream os(source);
  if (failed(emitCuda(*copy, os)))
    return failure();
  if (llvm::Error error = compile(source, *text, path, options))
    return mlir::emitError(module.getLoc()) << llvm::toString(std::move(error));
  if (written) {
    written->manifest = std::move(*text);
    written->source = std::move(source);
  }
  return success();
}
