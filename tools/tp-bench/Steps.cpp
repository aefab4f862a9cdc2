//===- Steps.cpp - tp-bench steps -----------------------------------------===//
//
// Part of tp-mlir, under the Apache License v2.0.
//
//===----------------------------------------------------------------------===//

#include "Commands.h"
#include "tp/Support/Tool.h"
#include "tprt/Dtype.h"
#include "tprt/tprt.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/Support/Format.h"
#include <algorithm>
#include <chrono>
#include <cstring>

using namespace mlir;
using namespace mlir::tp;
using namespace mlir::tp::bench;

namespace {

struct Close {
  void operator()(tprt_program *program) const { tprt_program_close(program); }
  void operator()(tprt_session *session) const {
    tprt_session_destroy(session);
  }
};

/// The inputs or outputs of an entry, with their memory.
struct Buffers {
  using Describe = decltype(&tprt_session_inputs);

  Buffers(Describe describe, tprt_session *session, const char *entry)
      : buffers(describe(session, entry, nullptr, 0)), memory(buffers.size()) {
    describe(session, entry, buffers.data(), buffers.size());
    for (auto [buffer, bytes] : llvm::zip(buffers, memory)) {
      int64_t elements = 1;
      for (int64_t i = 0; i < buffer.rank; ++i)
        elements *= buffer.shape[i];
      bytes.resize(elements * tprt::elementBytes(buffer.dtype));
      buffer.data = bytes.data();
    }
  }

  std::vector<tprt_buffer> buffers;
  std::vector<std::vector<char>> memory;
};

} // namespace

/// Every element of the integer inputs of this name; false if there is none.
static bool fill(Buffers &inputs, StringRef name, int64_t value) {
  bool found = false;
  for (auto [buffer, bytes] : llvm::zip(inputs.buffers, inputs.memory)) {
    if (name != buffer.name)
      continue;
    found = true;
    const auto narrow = int32_t(value);
    if (buffer.dtype == TPRT_I32)
      for (size_t at = 0; at + 4 <= bytes.size(); at += 4)
        std::memcpy(&bytes[at], &narrow, 4);
    if (buffer.dtype == TPRT_I64)
      for (size_t at = 0; at + 8 <= bytes.size(); at += 8)
        std::memcpy(&bytes[at], &value, 8);
  }
  return found;
}

/// Seconds that all threads of this process have run.
static double processorSeconds() {
  timespec time = {};
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time);
  return double(time.tv_sec) + double(time.tv_nsec) * 1e-9;
}

namespace {

/// Of each run of an entry, in ascending order.
struct Seconds {
  std::vector<double> wall, processor;
};

} // namespace

static double median(const std::vector<double> &sorted) {
  return sorted[sorted.size() / 2];
}

/// Nothing after printing an error.
static std::optional<Seconds> timeEntry(tprt_session *session,
                                        const char *entry,
                                        const StepOptions &options) {
  Buffers inputs(tprt_session_inputs, session, entry);
  Buffers outputs(tprt_session_outputs, session, entry);
  for (auto &[name, value] : options.inputs)
    fill(inputs, name, value);
  Seconds seconds;
  for (int64_t i = -2; i < options.repetitions; ++i) {
    tprt_error error = {};
    const double processor = processorSeconds();
    const auto begin = std::chrono::steady_clock::now();
    if (tprt_session_run(session, entry, inputs.buffers.data(),
                         inputs.buffers.size(), outputs.buffers.data(),
                         outputs.buffers.size(), &error) != TPRT_OK) {
      printError(error.message);
      return std::nullopt;
    }
    std::chrono::duration<double> taken =
        std::chrono::steady_clock::now() - begin;
    if (i < 0)
      continue;
    seconds.wall.push_back(taken.count());
    seconds.processor.push_back(processorSeconds() - processor);
  }
  llvm::sort(seconds.wall);
  llvm::sort(seconds.processor);
  return seconds;
}

/// An input that no entry has is a slip of the pen.
static bool checkInputs(tprt_session *session, const StepOptions &options) {
  for (auto &[wanted, value] : options.inputs) {
    bool found = false;
    for (size_t i = 0; const char *entry = tprt_session_entry(session, i);
         ++i) {
      Buffers inputs(tprt_session_inputs, session, entry);
      found |= fill(inputs, wanted, value);
    }
    if (!found) {
      printError("no entry has an input \"" + wanted + "\"");
      return false;
    }
  }
  return true;
}

static bool checkEntry(tprt_session *session, const StepOptions &options) {
  SmallVector<StringRef> names;
  for (size_t i = 0; const char *entry = tprt_session_entry(session, i); ++i)
    names.push_back(entry);
  if (options.entry.empty() || llvm::is_contained(names, options.entry))
    return true;
  printError("no entry is called \"" + options.entry +
             "\"; there is: " + llvm::join(names, ", "));
  return false;
}

int bench::runSteps(const StepOptions &options) {
  tprt_error error = {};
  auto fail = [&] {
    printError(error.message);
    return 1;
  };
  tprt_program *opened = nullptr;
  if (tprt_program_open(options.program.c_str(), &opened, &error) != TPRT_OK)
    return fail();
  std::unique_ptr<tprt_program, Close> program(opened);
  char *weights = nullptr;
  if (tprt_program_weights(opened, &weights, &error) != TPRT_OK)
    return fail();
  tprt_options runtime = {};
  runtime.timeout_seconds = 600;
  tprt_session *created = nullptr;
  tprt_status status =
      tprt_session_create(tprt_program_manifest(opened), tprt_program_lookup,
                          opened, &runtime, &created, &error);
  std::unique_ptr<tprt_session, Close> session(created);
  if (status == TPRT_OK)
    status = tprt_session_load(created, weights, 1, &error);
  tprt_free(weights);
  if (status != TPRT_OK)
    return fail();
  if (!checkInputs(created, options) || !checkEntry(created, options))
    return 1;
  for (size_t i = 0; const char *entry = tprt_session_entry(created, i); ++i) {
    if (!options.entry.empty() && options.entry != entry)
      continue;
    std::optional<Seconds> seconds = timeEntry(created, entry, options);
    if (!seconds)
      return 1;
    llvm::outs() << entry
                 << llvm::format(": least %.3f ms, median %.3f ms, processors "
                                 "%.3f ms\n",
                                 seconds->wall.front() * 1e3,
                                 median(seconds->wall) * 1e3,
                                 median(seconds->processor) * 1e3);
  }
  return 0;
}
