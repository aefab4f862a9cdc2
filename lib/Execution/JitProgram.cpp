//===- JitProgram.cpp - a program compiled in this process ----------------===//
//
// Part of tp-mlir, under the Apache License v2.0.
//
//===----------------------------------------------------------------------===//

#include "tp/Execution/JitProgram.h"
#include "ProgramCode.h"
#include "RuntimeSymbols.h"
#include "llvm/ExecutionEngine/Orc/AbsoluteSymbols.h"
#include "llvm/ExecutionEngine/Orc/ExecutionUtils.h"
#include "llvm/ExecutionEngine/Orc/JITTargetMachineBuilder.h"
#include "llvm/ExecutionEngine/Orc/LLJIT.h"
#include "llvm/IR/LLVMContext.h"
#include "llvm/IR/Module.h"
#include "llvm/Target/TargetMachine.h"

using namespace mlir;
using namespace mlir::tp;
namespace orc = llvm::orc;

JitProgram::JitProgram() = default;
JitProgram::~JitProgram() = default;

//===----------------------------------------------------------------------===//
// Code
//===----------------------------------------------------------------------===//

namespace {

/// What compiles one half: a JIT, and the names that it defines.
struct Half {
  std::unique_ptr<orc::LLJIT> jit;
  llvm::StringMap<void *> symbols;
};

} // namespace

/// Names that compiled code may refer to: those given, the runtime's, and the C
/// library's, which are the process's own.
static llvm::Error defineSymbols(orc::LLJIT &jit,
                                 const llvm::StringMap<void *> &given) {
  orc::SymbolMap symbols;
  auto add = [&](StringRef name, void *address) {
    symbols.try_emplace(
        jit.mangleAndIntern(name),
        orc::ExecutorSymbolDef(orc::ExecutorAddr::fromPtr(address),
                               llvm::JITSymbolFlags::Exported));
  };
  for (const auto &entry : given)
    add(entry.getKey(), entry.getValue());
  for (auto [name, address] : getRuntimeSymbols())
    add(name, address);
  orc::JITDylib &library = jit.getMainJITDylib();
  if (llvm::Error error =
          library.define(orc::absoluteSymbols(std::move(symbols))))
    return error;
  auto process = orc::DynamicLibrarySearchGenerator::GetForCurrentProcess(
      jit.getDataLayout().getGlobalPrefix());
  if (!process)
    return process.takeError();
  library.addGenerator(std::move(*process));
  return llvm::Error::success();
}

/// Machine code of one half, all of it: looking a name up compiles it here and
/// not in the first run.
static llvm::Expected<Half> compileHalf(Code code, unsigned optimisation,
                                        const llvm::StringMap<void *> &given) {
  auto builder = orc::JITTargetMachineBuilder::detectHost();
  if (!builder)
    return builder.takeError();
  builder->setCodeGenOptLevel(optimisation ? llvm::CodeGenOptLevel::Default
                                           : llvm::CodeGenOptLevel::None);
  auto machine = builder->createTargetMachine();
  if (!machine)
    return machine.takeError();
  if (llvm::Error error = prepareForMachine(code, **machine, optimisation))
    return std::move(error);
  SmallVector<std::string> names;
  for (llvm::Function &function : *code.module)
    if (!function.isDeclaration() && !function.hasLocalLinkage())
      names.push_back(function.getName().str());
  auto jit = orc::LLJITBuilder()
                 .setJITTargetMachineBuilder(std::move(*builder))
                 .create();
  if (!jit)
    return jit.takeError();
  if (llvm::Error error = defineSymbols(**jit, given))
    return std::move(error);
  if (llvm::Error error = (*jit)->addIRModule(orc::ThreadSafeModule(
          std::move(code.module), std::move(code.context))))
    return std::move(error);
  Half half;
  for (const std::string &name : names) {
    auto address = (*jit)->lookup(name);
    if (!address)
      return address.takeError();
    half.symbols[name] = address->toPtr<void *>();
  }
  half.jit = std::move(*jit);
  return half;
}

//===----------------------------------------------------------------------===//
// Programs
//===----------------------------------------------------------------------===//

FailureOr<std::unique_ptr<JitProgram>>
JitProgram::compile(ModuleOp module, const JitOptions &options) {
  initialiseNativeTarget();
  FailureOr<ProgramCode> code = makeProgramCode(module, options.marks);
  if (failed(code))
    return failure();
  std::unique_ptr<JitProgram> program(new JitProgram);
  program->manifestText = std::move(code->manifest);
  auto kernels = compileHalf(std::move(code->kernelCode), options.optimisation,
                             options.symbols);
  if (!kernels)
    return reportError(module, kernels.takeError()), failure();
  llvm::StringMap<void *> known = options.symbols;
  for (const auto &kernel : kernels->symbols)
    known[kernel.getKey()] = kernel.getValue();
  auto entries = compileHalf(std::move(code->entryCode), 0, known);
  if (!entries)
    return reportError(module, entries.takeError()), failure();
  program->kernelJit = std::move(kernels->jit);
  program->entryJit = std::move(entries->jit);
  program->entries = std::move(entries->symbols);
  return program;
}

void *JitProgram::lookup(StringRef symbol) const {
  return entries.lookup(symbol);
}
