//===- tp-compile.cpp - modules to programs, ahead of time ----------------===//
//
// Part of tp-mlir, under the Apache License v2.0.
//
//===----------------------------------------------------------------------===//

#include "tp/Cuda/Cuda.h"
#include "tp/Dialect/NN/IR/NN.h"
#include "tp/Execution/Model.h"
#include "tp/Execution/ProgramFile.h"
#include "tp/InitAll.h"
#include "tp/Support/Tool.h"
#include "llvm/Support/CommandLine.h"
#include "llvm/Support/InitLLVM.h"
#include "llvm/Support/Path.h"

using namespace mlir;
namespace cl = llvm::cl;

static cl::OptionCategory category("tp-compile options");

static cl::opt<std::string> modulePath(cl::Positional, cl::Required,
                                       cl::desc("<module>"), cl::cat(category));
static cl::opt<std::string> outputPath("o", cl::value_desc("program.so"),
                                       cl::desc("Where to write the program"),
                                       cl::cat(category));
static cl::opt<std::string> mesh("mesh", cl::value_desc("tp=3"),
                                 cl::desc("Mesh axes and sizes; a module that "
                                          "is sharded already has them"),
                                 cl::cat(category));
static cl::opt<std::string> plan("plan", cl::init("auto"),
                                 cl::value_desc("auto|none|FILE"),
                                 cl::desc("Parallel plan"), cl::cat(category));
static cl::opt<std::string> backend("backend", cl::init("cpu"),
                                    cl::value_desc("cpu|cuda"),
                                    cl::desc("What the program runs on"),
                                    cl::cat(category));
static cl::opt<std::string>
    chip("arch", cl::init("sm_90"), cl::value_desc("sm_90"),
         cl::desc("GPU to compile for, with --backend=cuda: sm_80, sm_90, "
                  "sm_90a or sm_100"),
         cl::cat(category));
static cl::opt<std::string>
    nvcc("nvcc", cl::value_desc("PATH"),
         cl::desc("nvcc to compile with, with --backend=cuda; by default the "
                  "one on the path or in /usr/local/cuda"),
         cl::cat(category));
static cl::opt<std::string>
    cpu("cpu", cl::init("native"), cl::value_desc("name"),
        cl::desc("CPU to compile for, as clang's -march has it; the default is "
                 "this one"),
        cl::cat(category));
static cl::opt<std::string>
    features("features", cl::value_desc("+avx2,-fma"),
             cl::desc("Instruction sets to use besides, or not to use"),
             cl::cat(category));
static cl::opt<std::string>
    linker("linker", cl::value_desc("PATH"),
           cl::desc("C compiler to link with; by default the first of cc, gcc "
                    "and clang"),
           cl::cat(category));
static cl::opt<bool>
    profile("profile",
            cl::desc("Mark each op, so that tp-run --profile can say when it "
                     "ran"),
            cl::cat(category));
static cl::opt<std::string>
    manifestPath("manifest", cl::value_desc("FILE"),
                 cl::desc("Write a copy of the program's manifest (JSON)"),
                 cl::cat(category));

static cl::opt<std::string>
    sourcePath("source", cl::value_desc("FILE"),
               cl::desc("Write a copy of the CUDA source that was compiled, "
                        "with --backend=cuda"),
               cl::cat(category));

static bool checkOptions() {
  if (outputPath.empty()) {
    tp::printError("-o FILE must say where to write the program");
    return false;
  }
  if (backend != "cpu" && backend != "cuda") {
    tp::printError("--backend=" + backend +
                   " is unknown: there are cpu and cuda");
    return false;
  }
  const bool forCuda = backend == "cuda";
  auto isFor = [&](const cl::Option &option, bool good) {
    if (option.getNumOccurrences() && !good)
      tp::printError("--" + option.ArgStr +
                     " has no effect with --backend=" + backend);
    return good || !option.getNumOccurrences();
  };
  if (!isFor(chip, forCuda) || !isFor(nvcc, forCuda) ||
      !isFor(sourcePath, forCuda) || !isFor(cpu, !forCuda) ||
      !isFor(features, !forCuda) || !isFor(linker, !forCuda) ||
      !isFor(profile, !forCuda))
    return false;
  if (!tp::isModuleFile(modulePath)) {
    tp::printError("\"" + modulePath +
                   "\" is not a module (.mlir, .mlirbc): make one with "
                   "tp-import");
    return false;
  }
  return true;
}

/// The program names the checkpoint from its own place, not the module's.
static void moveCheckpoint(ModuleOp module) {
  auto name = module->getAttrOfType<StringAttr>(nn::kCheckpointName);
  if (!name || name.getValue().empty() ||
      llvm::sys::path::is_absolute(name.getValue()))
    return;
  SmallString<256> path(llvm::sys::path::parent_path(modulePath));
  llvm::sys::path::append(path, name.getValue());
  module->setAttr(nn::kCheckpointName,
                  Builder(module).getStringAttr(tp::getRelativePath(
                      path, llvm::sys::path::parent_path(outputPath))));
}

static LogicalResult compile(MLIRContext *context) {
  tp::ModelOptions options;
  options.model = modulePath;
  options.checksWeights = false; // They are needed when the program is loaded.
  FailureOr<tp::Source> source = tp::readSource(options, context);
  if (failed(source))
    return failure();
  if (source->isLocal && !mesh.empty()) {
    tp::printError(
        "the module is sharded already; --mesh says what it is to be");
    return failure();
  }
  ModuleOp module = *source->module;
  if (failed(tp::shardSource(module, *source, mesh, plan)))
    return failure();
  moveCheckpoint(module);
  tp::progress("compiling");
  tp::CudaProgramText written;
  if (failed(backend == "cuda"
                 ? tp::writeCudaProgramFile(module, outputPath, {chip, nvcc},
                                            &written)
                 : tp::writeProgramFile(
                       module, outputPath,
                       {cpu, features, /*optimisation=*/3, linker,
                        profile ? tp::Marks::EveryOp : tp::Marks::None},
                       &written.manifest)))
    return failure();
  tp::progressDone();
  auto write = [](StringRef path, StringRef text) {
    return path.empty() ||
           tp::writeOutput(path, [&](raw_ostream &os) { os << text; });
  };
  return success(write(manifestPath, written.manifest + "\n") &&
                 write(sourcePath, written.source));
}

int main(int argc, char **argv) {
  llvm::InitLLVM init(argc, argv);
  cl::HideUnrelatedOptions(category);
  if (!tp::parseCommandLine(
          argc, argv,
          "Compiles a module to a program: a shared object that tp-run and, "
          "through the runtime library alone, any other program can load\n") ||
      !checkOptions())
    return EXIT_FAILURE;
  DialectRegistry registry;
  tp::registerAllDialects(registry);
  tp::registerSourceModels(registry);
  MLIRContext context(registry);
  context.getDiagEngine().registerHandler(tp::printDiagnostic);
  return succeeded(compile(&context)) ? EXIT_SUCCESS : EXIT_FAILURE;
}
