//===- TargetCpu.cpp - the CPU that a program is compiled for -------------===//
//
// Part of tp-mlir, under the Apache License v2.0.
//
//===----------------------------------------------------------------------===//

#include "TargetCpu.h"
#include "tprt/InstructionSets.h"
#include "llvm/ADT/STLExtras.h"
#include "llvm/ADT/SmallVector.h"
#include "llvm/ADT/StringMap.h"
#include "llvm/ADT/Twine.h"
#include "llvm/TargetParser/Host.h"
#include "llvm/TargetParser/Triple.h"
#include "llvm/TargetParser/X86TargetParser.h"

using namespace llvm;
using namespace mlir::tp;

/// What the runtime can look for, in the order of its list.
static constexpr StringLiteral kChecked[] = {
#define TPRT_NAME(name) name,
    TPRT_X86_INSTRUCTION_SETS(TPRT_NAME)
#undef TPRT_NAME
};

static Error makeError(const Twine &message) {
  return createStringError(inconvertibleErrorCode(), message);
}

/// The name that is the least typing away.
static StringRef nearest(StringRef name, ArrayRef<StringRef> names) {
  return *llvm::min_element(names, [&](StringRef a, StringRef b) {
    return name.edit_distance(a) < name.edit_distance(b);
  });
}

/// What a CPU has, by name and whether it has it.
static Expected<StringMap<bool>> featuresOf(StringRef cpu) {
  StringMap<bool> features;
  if (cpu == "native") {
    for (const auto &feature : sys::getHostCPUFeatures())
      features[feature.getKey()] = feature.getValue();
    return features;
  }
  SmallVector<StringRef> names;
  X86::fillValidCPUArchList(names, /*Only64Bit=*/true);
  if (!llvm::is_contained(names, cpu))
    return makeError("there is no CPU \"" + cpu + "\"; did you mean \"" +
                     nearest(cpu, names) + "\"?");
  SmallVector<StringRef> implied;
  X86::getFeaturesForCPU(cpu, implied);
  for (StringRef name : implied)
    features[name] = true;
  return features;
}

/// "+avx2,-fma" on top.
static Error change(StringMap<bool> &features, StringRef changes) {
  SmallVector<StringRef> words;
  changes.split(words, ',', /*MaxSplit=*/-1, /*KeepEmpty=*/false);
  SmallVector<StringRef> names(std::begin(kChecked), std::end(kChecked));
  for (StringRef word : words) {
    StringRef name = word.drop_front();
    if (word.front() != '+' && word.front() != '-')
      return makeError("\"" + word + "\" must be +" + word + " or -" + word);
    if (!llvm::is_contained(names, name))
      return makeError("there is no instruction set \"" + name +
                       "\"; did you mean \"" + nearest(name, names) + "\"?");
    bool enabled = word.front() == '+';
    features[name] = enabled;
    X86::updateImpliedFeatures(name, enabled, features);
  }
  return Error::success();
}

Expected<TargetCpu> mlir::tp::resolveCpu(StringRef cpu, StringRef features) {
  if (!Triple(sys::getDefaultTargetTriple()).isX86()) {
    if (cpu == "native" && features.empty())
      return TargetCpu{"generic", "generic", "", ""};
    return makeError("on this architecture programs are compiled for its "
                     "baseline: leave the CPU and its features out");
  }
  Expected<StringMap<bool>> has = featuresOf(cpu);
  if (!has)
    return has.takeError();
  if (Error error = change(*has, features))
    return std::move(error);

  TargetCpu target;
  // The baseline and what can be looked for: what else the CPU has is not used.
  target.baseline = "x86-64";
  target.tune = cpu == "native" ? sys::getHostCPUName().str() : cpu.str();
  for (StringRef name : kChecked)
    if (has->lookup(name)) {
      target.features += ("+" + name + ",").str();
      target.instructionSets += (name + ",").str();
    }
  for (std::string *list : {&target.features, &target.instructionSets})
    if (!list->empty())
      list->pop_back();
  return target;
}
