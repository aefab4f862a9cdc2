//===- Forward.cpp - tp-run forward ---------------------------------------===//
//
// Part of tp-mlir, under the Apache License v2.0.
//
//===----------------------------------------------------------------------===//

#include "Commands.h"
#include "Npy.h"
#include "llvm/ADT/StringExtras.h"

using namespace mlir;
using namespace mlir::tp;

FailureOr<Programs> tp::createPrograms(const RunOptions &run,
                                       MLIRContext *context) {
  Programs programs;
  // Not after all that is to be timed.
  if (!run.profile.empty() && run.isFirst() && !canWriteOutput(run.profile))
    return failure();
  if (isProgramFile(run.program.model)) {
    if (run.check || !run.report.empty()) {
      printError(StringRef(run.check ? "--check" : "--report") +
                 " needs the module, not what tp-compile made of it");
      return failure();
    }
    programs.main = Program::open(run.program);
    if (!programs.main)
      return failure();
    return programs;
  }
  // What a report and a check need is in the module alone, and a timeline
  // needs a program with marks.
  std::unique_ptr<CacheSlot> slot;
  if (!run.check && run.report.empty() && run.profile.empty()) {
    auto opened = CacheSlot::open(run.cache, run.cacheLimit, run.program);
    if (failed(opened))
      return failure();
    slot = std::move(*opened);
  }
  if (slot) {
    // As long as processes are patient with one that is busy.
    if (auto cached = slot->findOrLock(10 * run.program.timeout)) {
      bool isUsable = true;
      programs.main =
          Program::openCached(std::move(*cached), run.program, isUsable);
      if (programs.main)
        return programs;
      if (isUsable)
        return failure();
    }
    slot->record(context);
  }
  FailureOr<Source> source = readSource(run.program, context);
  if (failed(source))
    return failure();
  if (source->isLocal && !run.program.mesh.empty()) {
    printError("the module is sharded already; --mesh says what it is to be");
    return failure();
  }
  if (run.check && source->isLocal) {
    printError("--check needs the module before it was sharded");
    return failure();
  }
  if (run.check && run.isFirst()) {
    OwningOpRef<ModuleOp> copy(source->module->clone());
    if (failed(unshardSource(*copy)))
      return failure();
    ProgramOptions whole = run.program;
    whole.plan = "auto";
    whole.world = nullptr; // in this process
    whole.hasTimeline = false;
    programs.unsharded = Program::create(std::move(copy), *source, "", whole);
    if (!programs.unsharded)
      return failure();
  }
  programs.main = Program::create(std::move(source->module), *source,
                                  run.program.mesh, run.program, slot.get());
  if (!programs.main)
    return failure();
  return programs;
}

bool tp::writeReport(const RunOptions &run, Program &program) {
  if (run.report.empty())
    return true;
  FailureOr<Report> report = program.report();
  if (failed(report))
    return false;
  if (!run.isFirst())
    return true;
  return writeOutput(run.report,
                     [&](raw_ostream &os) { printJson(*report, os); });
}

bool tp::writeProfile(const RunOptions &run, Program &program) {
  if (run.profile.empty())
    return true;
  FailureOr<std::string> trace = program.timeline();
  if (failed(trace))
    return false;
  if (!run.isFirst())
    return true;
  return writeOutput(run.profile, [&](raw_ostream &os) { os << *trace; });
}

/// Converts ids to the type that the program takes; values must fit.
static bool convert(Array &array, const Slot &slot) {
  if (array.dtype == slot.dtype)
    return true;
  Array result;
  result.reset(slot.dtype, array.shape);
  for (int64_t i = 0; i < array.size(); ++i) {
    double value = array.at(i);
    char *target = result.data.data() + i * tprt::elementBytes(slot.dtype);
    if (slot.dtype == TPRT_I32 && array.dtype == TPRT_I64) {
      if (!(value >= std::numeric_limits<int32_t>::min() &&
            value <= std::numeric_limits<int32_t>::max())) {
        printError("input \"" + slot.name + "\": element " + Twine(i) +
                   " does not fit 32 bits");
        return false;
      }
      *reinterpret_cast<int32_t *>(target) = int32_t(value);
    } else if (slot.dtype == TPRT_F32 && array.dtype == TPRT_F64) {
      *reinterpret_cast<float *>(target) = float(value);
    } else if (slot.dtype == TPRT_F64 && array.dtype == TPRT_F32) {
      *reinterpret_cast<double *>(target) = value;
    } else {
      printError("input \"" + slot.name +
                 "\" has elements of another type than the program takes");
      return false;
    }
  }
  array = std::move(result);
  return true;
}

static std::string namesOf(const std::vector<Slot> &slots) {
  return llvm::join(
      llvm::map_range(slots, [](const Slot &s) { return s.name; }), ", ");
}

static const Slot *find(const std::vector<Slot> &slots, StringRef name) {
  for (const Slot &slot : slots)
    if (slot.name == name)
      return &slot;
  return nullptr;
}

/// All inputs are given, and by names that exist.
static bool matchInputs(const Entry &entry, Arrays &inputs) {
  for (auto &[name, array] : inputs) {
    const Slot *slot = find(entry.inputs, name);
    if (!slot) {
      printError("there is no input \"" + name + "\"; there are " +
                 namesOf(entry.inputs));
      return false;
    }
    if (!convert(array, *slot))
      return false;
  }
  for (const Slot &slot : entry.inputs)
    if (!inputs.count(slot.name)) {
      printError("input \"" + slot.name + "\" is missing: --input " +
                 slot.name + "=FILE.npy");
      return false;
    }
  return true;
}

int tp::runForward(RunOptions run, const ForwardOptions &options,
                   MLIRContext *context) {
  Arrays inputs;
  for (const NamedFile &file : options.inputs) {
    std::string message;
    if (!readNpy(file.path, inputs[file.name], message)) {
      printError(message);
      return 1;
    }
  }
  // A checkpoint is compiled for the batch and sequence that it is given.
  ImportOptions &import = run.program.import;
  import.entry = "forward";
  auto ids = inputs.find("input_ids");
  if (ids != inputs.end() && ids->second.shape.size() == 2 &&
      import.sequence == 0) {
    import.batch = ids->second.shape[0];
    import.sequence = ids->second.shape[1];
  }
  FailureOr<Programs> programs = createPrograms(run, context);
  if (failed(programs))
    return 1;
  auto entry = programs->main->entries().find(options.entry);
  if (entry == programs->main->entries().end()) {
    printError("the module has no function \"" + options.entry +
               "\"; import it with --entry=forward");
    return 1;
  }
  if (!matchInputs(entry->second, inputs))
    return 1;
  for (const NamedFile &file : options.outputs)
    if (!find(entry->second.outputs, file.name)) {
      printError("there is no output \"" + file.name + "\"; there are " +
                 namesOf(entry->second.outputs));
      return 1;
    }
  Arrays outputs;
  if (!programs->main->run(options.entry, inputs, outputs))
    return 1;
  bool good = true;
  if (programs->unsharded) {
    Arrays reference;
    if (!programs->unsharded->run(options.entry, inputs, reference))
      return 1;
    good = compare(outputs, reference);
  }
  for (const NamedFile &file : options.outputs)
    if (run.isFirst() && !writeNpy(file.path, outputs[file.name]))
      return 1;
  if (!writeReport(run, *programs->main) || !writeProfile(run, *programs->main))
    return 1;
  if (!good)
    printError("the sharded program differs from the unsharded one");
  return good ? 0 : 1;
}
