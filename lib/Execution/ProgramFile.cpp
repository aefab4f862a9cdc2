//===- ProgramFile.cpp - programs compiled ahead of time ------------------===//
//
// Part of tp-mlir, under the Apache License v2.0.
//
//===----------------------------------------------------------------------===//

#include "tp/Execution/ProgramFile.h"
#include "OutputFile.h"
#include "ProgramCode.h"
#include "TargetCpu.h"
#include "tprt/tprt.h"
#include "llvm/IR/Constants.h"
#include "llvm/IR/LegacyPassManager.h"
#include "llvm/IR/Module.h"
#include "llvm/MC/MCSubtargetInfo.h"
#include "llvm/MC/TargetRegistry.h"
#include "llvm/Support/Path.h"
#include "llvm/Support/Program.h"
#include "llvm/Support/raw_ostream.h"
#include "llvm/Target/TargetMachine.h"
#include "llvm/Target/TargetOptions.h"
#include "llvm/TargetParser/Host.h"
#include <dlfcn.h>

using namespace mlir;
using namespace mlir::tp;

//===----------------------------------------------------------------------===//
// Objects
//===----------------------------------------------------------------------===//

static llvm::Expected<std::unique_ptr<llvm::TargetMachine>>
createMachine(const TargetCpu &cpu, unsigned optimisation) {
  llvm::Triple triple(llvm::sys::getDefaultTargetTriple());
  std::string message;
  const llvm::Target *target =
      llvm::TargetRegistry::lookupTarget(triple, message);
  if (!target)
    return makeError(message);
  std::unique_ptr<llvm::TargetMachine> machine(target->createTargetMachine(
      triple, cpu.baseline, cpu.features, llvm::TargetOptions(),
      llvm::Reloc::PIC_, std::nullopt,
      optimisation ? llvm::CodeGenOptLevel::Default
                   : llvm::CodeGenOptLevel::None));
  if (!machine)
    return makeError("LLVM has no code generator for " + triple.str());
  // LLVM knows every name, and none takes another one away.
  SmallVector<StringRef> wanted;
  StringRef(cpu.instructionSets).split(wanted, ',', -1, /*KeepEmpty=*/false);
  for (StringRef name : wanted)
    if (!machine->getMCSubtargetInfo()->checkFeatures(("+" + name).str()))
      return makeError("instruction set \"" + name +
                       "\" does not go with the other features");
  return machine;
}

/// Nothing but the table is seen from outside, so that two programs in one
/// process do not meet.
static void prepareFunctions(llvm::Module &module, const TargetCpu &cpu) {
  for (llvm::Function &function : module) {
    if (function.isDeclaration())
      continue;
    function.addFnAttr("tune-cpu", cpu.tune);
    if (!function.hasLocalLinkage())
      function.setVisibility(llvm::GlobalValue::HiddenVisibility);
  }
}

/// The tprt_program_table of the program, in the module of its entries.
static void addTable(llvm::Module &module, const ProgramCode &program,
                     const TargetCpu &cpu) {
  llvm::LLVMContext &context = module.getContext();
  auto *i64 = llvm::Type::getInt64Ty(context);
  auto *pointer = llvm::PointerType::getUnqual(context);
  auto addData = [&](llvm::Constant *value) {
    return new llvm::GlobalVariable(module, value->getType(),
                                    /*isConstant=*/true,
                                    llvm::GlobalValue::PrivateLinkage, value);
  };
  auto addText = [&](StringRef text) {
    return addData(llvm::ConstantDataArray::getString(context, text));
  };
  auto *entryType = llvm::StructType::get(context, {pointer, pointer});
  SmallVector<llvm::Constant *> entries;
  for (const std::string &symbol : program.entries)
    entries.push_back(llvm::ConstantStruct::get(
        entryType, {addText(symbol), module.getFunction(symbol)}));
  auto *list = addData(llvm::ConstantArray::get(
      llvm::ArrayType::get(entryType, entries.size()), entries));
  auto *table = llvm::ConstantStruct::getAnon(
      context, {llvm::ConstantInt::get(i64, TPRT_VERSION),
                addText(cpu.instructionSets), addText(program.manifest),
                llvm::ConstantInt::get(i64, entries.size()), list});
  auto *global = cast<llvm::GlobalVariable>(
      module.getOrInsertGlobal(TPRT_PROGRAM_SYMBOL, table->getType()));
  global->setConstant(true);
  global->setInitializer(table);
}

/// Machine code of one half, in a file.
static llvm::Error emitObject(Code &code, const TargetCpu &cpu,
                              unsigned optimisation, StringRef path) {
  auto machine = createMachine(cpu, optimisation);
  if (!machine)
    return machine.takeError();
  if (llvm::Error error = prepareForMachine(code, **machine, optimisation))
    return error;
  std::error_code errorCode;
  llvm::raw_fd_ostream file(path, errorCode);
  if (errorCode)
    return makeError("cannot write \"" + path + "\": " + errorCode.message());
  llvm::legacy::PassManager manager;
  if ((*machine)->addPassesToEmitFile(manager, file, nullptr,
                                      llvm::CodeGenFileType::ObjectFile))
    return makeError("LLVM cannot write object files for this machine");
  manager.run(*code.module);
  file.close();
  if (file.has_error()) {
    errorCode = file.error();
    file.clear_error();
    return makeError("cannot write \"" + path + "\": " + errorCode.message());
  }
  return llvm::Error::success();
}

//===----------------------------------------------------------------------===//
// Linking
//===----------------------------------------------------------------------===//

static llvm::Expected<std::string> findLinker(StringRef wanted) {
  if (!wanted.empty()) {
    auto found = llvm::sys::findProgramByName(wanted);
    if (found)
      return *found;
    return makeError("there is no program \"" + wanted + "\" to link with");
  }
  for (StringRef name : {"cc", "gcc", "clang", "clang-22"})
    if (auto found = llvm::sys::findProgramByName(name))
      return *found;
  return makeError("there is no C compiler to link with: install gcc or clang, "
                   "or name one with --linker=PATH");
}

/// The runtime library of this process, which programs will need by its name.
static llvm::Expected<std::string> findRuntime() {
  Dl_info info = {};
  if (!dladdr(reinterpret_cast<const void *>(&tprt_session_create), &info) ||
      !info.dli_fname)
    return makeError("cannot find the runtime library of this program");
  return std::string(info.dli_fname);
}

/// Links `objects` to a shared object at `path`; `log` is a file for messages.
static llvm::Error link(ArrayRef<std::string> objects, StringRef linker,
                        StringRef path, StringRef log) {
  auto runtime = findRuntime();
  if (!runtime)
    return runtime.takeError();
  // No start files: a program has nothing to run when it is loaded. No build
  // id: it would hash the paths of the objects.
  SmallVector<StringRef> arguments{linker, "-shared", "-nostartfiles", "-o",
                                   path};
  llvm::append_range(arguments, objects);
  arguments.append({StringRef(*runtime), "-Wl,--as-needed", "-lm",
                    "-Wl,-z,defs", "-Wl,-z,now", "-Wl,-z,noexecstack",
                    "-Wl,--build-id=none"});
  return runCompiler(arguments, log, "cannot link the program");
}

static llvm::Error write(ProgramCode &program, StringRef path, StringRef linker,
                         const ProgramFileOptions &options) {
  auto cpu = resolveCpu(options.cpu, options.features);
  if (!cpu)
    return cpu.takeError();
  TemporaryDirectory directory;
  if (llvm::Error error = directory.create())
    return error;
  std::string kernels = directory.file("kernels.o");
  std::string entries = directory.file("entries.o");
  std::string shared = directory.file("program.so");
  prepareFunctions(*program.kernelCode.module, *cpu);
  prepareFunctions(*program.entryCode.module, *cpu);
  addTable(*program.entryCode.module, program, *cpu);
  if (llvm::Error error =
          emitObject(program.kernelCode, *cpu, options.optimisation, kernels))
    return error;
  if (llvm::Error error = emitObject(program.entryCode, *cpu, 0, entries))
    return error;
  if (llvm::Error error =
          link({kernels, entries}, linker, shared, directory.file("log")))
    return error;
  return publish(shared, path);
}

LogicalResult tp::writeProgramFile(ModuleOp module, StringRef path,
                                   const ProgramFileOptions &options,
                                   std::string *manifest) {
  initialiseNativeTarget();
  auto fail = [&](llvm::Error error) {
    return mlir::emitError(module.getLoc()) << llvm::toString(std::move(error));
  };
  // Before the work that would be for nothing.
  auto linker = findLinker(options.linker);
  if (!linker)
    return fail(linker.takeError());
  FailureOr<ProgramCode> program = makeProgramCode(module, options.marks);
  if (failed(program))
    return failure();
  if (llvm::Error error = write(*program, path, *linker, options))
    return fail(std::move(error));
  if (manifest)
    *manifest = std::move(program->manifest);
  return success();
}
