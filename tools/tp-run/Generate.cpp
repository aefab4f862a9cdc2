//===- Generate.cpp - tp-run generate -------------------------------------===//
//
// Part of tp-mlir, under the Apache License v2.0.
//
//===----------------------------------------------------------------------===//

#include "Commands.h"
#include <cstring>

using namespace mlir;
using namespace mlir::tp;

namespace {

/// What a step answers, best first.
struct Candidates {
  std::vector<double> values;
  std::vector<int32_t> ids;
};

/// Feeds tokens to @prefill and @decode, keeping the position.
class Feeder {
public:
  const int64_t capacity; ///< of the caches, in tokens

  Feeder(Programs &programs, bool isFirst)
      : capacity(programs.main->cacheRows()), programs(programs),
        isFirst(isFirst) {}

  /// Checks that the program is one that generates.
  bool check() {
    for (const char *name : {"prefill", "decode"})
      if (!programs.main->entries().count(name)) {
        printError(Twine("the module has no function \"") + name +
                   "\"; import it with --entry=generate");
        return false;
      }
    const Entry &prefill = programs.main->entries().at("prefill");
    for (const Slot &slot : prefill.inputs)
      if (slot.name == "input_ids" && slot.shape.size() == 2) {
        batch = slot.shape[0];
        chunk = slot.shape[1];
      }
    if (chunk < 1) {
      printError("\"prefill\" has no input \"input_ids\" [batch, sequence]");
      return false;
    }
    return true;
  }

  /// Whether the cache has room for so many tokens more.
  bool fits(size_t tokens) const {
    return position + int64_t(tokens) <= capacity;
  }

  /// The whole prompt, a chunk at a time. False after printing what is wrong.
  bool prefill(ArrayRef<int64_t> prompt, Candidates &next) {
    for (size_t done = 0; done < prompt.size(); done += chunk) {
      progress("prompt " + Twine(done) + "/" + Twine(prompt.size()));
      if (!step("prefill", chunk, prompt.drop_front(done).take_front(chunk),
                next))
        return false;
    }
    progressDone();
    return true;
  }

  bool decode(int32_t token, Candidates &next) {
    return step("decode", 1, {token}, next);
  }

  bool isWithinTolerance() const { return good; }

private:
  static Array scalar(int64_t value) {
    Array array;
    array.reset(TPRT_I32, {});
    int32_t narrow = int32_t(value);
    std::memcpy(array.data.data(), &narrow, sizeof(narrow));
    return array;
  }

  bool step(StringRef entry, int64_t width, ArrayRef<int64_t> tokens,
            Candidates &next) {
    Arrays inputs, outputs;
    Array &ids = inputs["input_ids"];
    ids.reset(TPRT_I32, {batch, width});
    for (int64_t row = 0; row < batch; ++row)
      for (size_t i = 0; i < tokens.size(); ++i) {
        int32_t token = int32_t(tokens[i]);
        std::memcpy(ids.data.data() + 4 * (row * width + i), &token, 4);
      }
    inputs["position"] = scalar(position);
    inputs["length"] = scalar(int64_t(tokens.size()));
    if (!programs.main->run(entry, inputs, outputs))
      return false;
    if (programs.unsharded && !checkStep(entry, inputs, outputs))
      return false;
    position += int64_t(tokens.size());
    if (!isFirst)
      return true;
    const Array &values = outputs["top_values"], &best = outputs["top_ids"];
    int64_t count = batch ? best.size() / batch : 0;
    next = Candidates();
    for (int64_t i = 0; i < count; ++i) {
      next.values.push_back(values.at(i));
      next.ids.push_back(int32_t(best.at(i)));
    }
    if (next.ids.empty()) {
      printError("a step answered no candidates");
      return false;
    }
    return true;
  }

  bool checkStep(StringRef entry, const Arrays &inputs, const Arrays &outputs) {
    Arrays reference;
    if (!programs.unsharded->run(entry, inputs, reference))
      return false;
    good &= compare(outputs, reference);
    return true;
  }

  Programs &programs;
  const bool isFirst; ///< of the processes: only it gets candidates
  int64_t batch = 1, chunk = 0, position = 0;
  bool good = true;
};

} // namespace

/// What the first process has drawn, to all.
static bool broadcastToken(tprt_world *world, int32_t &token) {
  tprt_error error = {};
  if (tprt_world_broadcast(world, &token, sizeof(token), &error) == TPRT_OK)
    return true;
  printError(error.message);
  return false;
}

int tp::runGenerate(RunOptions run, const GenerateOptions &options,
                    MLIRContext *context) {
  ImportOptions &import = run.program.import;
  import.entry = "generate";
  bool samples = options.sampling.temperature > 0;
  if (samples)
    import.topK = options.sampling.topK > 0 ? options.sampling.topK : 64;
  if (options.prompt.empty()) {
    printError("--prompt-ids needs at least one token");
    return 1;
  }
  for (int64_t token : options.prompt)
    if (token < 0 || token > std::numeric_limits<int32_t>::max()) {
      printError("--prompt-ids: token id " + Twine(token) +
                 " is in no vocabulary: ids are 0 and above, of 32 bits");
      return 1;
    }
  FailureOr<Programs> programs = createPrograms(run, context);
  if (failed(programs))
    return 1;
  Feeder feeder(*programs, run.isFirst());
  if (!feeder.check())
    return 1;
  const std::string cache = "the cache of " + std::to_string(feeder.capacity) +
                            "; import the model with a greater --max-seq";
  if (!feeder.fits(options.prompt.size())) {
    printError("the prompt of " + Twine(options.prompt.size()) +
               " tokens is longer than " + cache);
    return 1;
  }
  Candidates next;
  if (!feeder.prefill(options.prompt, next))
    return 1;
  if (samples && run.isFirst() &&
      options.sampling.topK > int64_t(next.ids.size())) {
    printError(
        "--top-k=" + Twine(options.sampling.topK) +
        ", but the module answers " + Twine(next.ids.size()) +
        (next.ids.size() == 1 ? " candidate" : " candidates") +
        " a step; import it with --top-k=" + Twine(options.sampling.topK));
    return 1;
  }
  Sampler sampler(options.sampling);
  for (int64_t i = 0; i < options.tokens; ++i) {
    int32_t token = 0;
    if (run.isFirst()) {
      token = sampler.draw(next.values, next.ids);
      llvm::outs() << (i ? " " : "") << token;
      llvm::outs().flush();
    }
    if (!broadcastToken(run.program.world, token))
      return 1;
    bool ends = llvm::is_contained(options.endOfSequence, int64_t(token));
    if (ends || i + 1 == options.tokens)
      break;
    const bool fits = feeder.fits(1);
    if (!fits || !feeder.decode(token, next)) {
      if (run.isFirst()) {
        llvm::outs() << "\n";
        llvm::outs().flush();
      }
      if (!fits)
        printError("after " + Twine(i + 1) +
                   " of --tokens=" + Twine(options.tokens) +
                   " the sequence is as long as " + cache);
      return 1;
    }
  }
  if (run.isFirst())
    llvm::outs() << "\n";
  llvm::outs().flush();
  if (llvm::outs().has_error()) {
    llvm::outs().clear_error();
    printError("cannot write to standard output");
    return 1;
  }
  if (!writeReport(run, *programs->main) || !writeProfile(run, *programs->main))
    return 1;
  if (!feeder.isWithinTolerance())
    printError("the sharded program differs from the unsharded one");
  return feeder.isWithinTolerance() ? 0 : 1;
}
