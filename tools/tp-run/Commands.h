//===- Commands.h - what tp-run can be asked to do --------------*- C++ -*-===//
//
// Part of tp-mlir, under the Apache License v2.0.
//
//===----------------------------------------------------------------------===//

#ifndef TP_TOOLS_TP_RUN_COMMANDS_H
#define TP_TOOLS_TP_RUN_COMMANDS_H

#include "Program.h"

namespace mlir::tp {

/// A name and a file: "logits=logits.npy".
struct NamedFile {
  std::string name, path;
};

struct ForwardOptions {
  std::string entry = "forward"; ///< the function to run
  std::vector<NamedFile> inputs, outputs;
};

struct SamplingOptions {
  double temperature = 0; ///< 0 is greedy
  int64_t topK = 0;       ///< 0: as many candidates as the model answers
  double topP = 1;
  uint64_t seed = 0;
};

struct GenerateOptions {
  std::vector<int64_t> prompt, endOfSequence;
  int64_t tokens = 128;
  SamplingOptions sampling;
};

struct RunOptions {
  ProgramOptions program;
  bool check = false;
  std::string report;         ///< a file for the runtime's own report
  std::string profile;        ///< a file for the timeline of the run
  std::string cache = "auto"; ///< a directory, "auto" or "off"
  uint64_t cacheLimit = ProgramCache::defaultLimit; ///< in bytes

  /// Of several processes the first reads outputs and tells the user.
  bool isFirst() const { return tprt_world_rank(program.world) == 0; }
};

/// Runs an entry point on files. Returns the exit status.
int runForward(RunOptions run, const ForwardOptions &options,
               MLIRContext *context);

/// Runs @prefill and @decode on a prompt; ids go to standard output. Returns
/// the exit status.
int runGenerate(RunOptions run, const GenerateOptions &options,
                MLIRContext *context);

/// Makes the program, and with --check the unsharded one beside it.
struct Programs {
  std::unique_ptr<Program> main, unsharded;
};
FailureOr<Programs> createPrograms(const RunOptions &run, MLIRContext *context);

/// Writes --report if it was asked for. False after printing what is wrong.
bool writeReport(const RunOptions &run, Program &program);

/// Writes --profile if it was asked for. False after printing what is wrong.
bool writeProfile(const RunOptions &run, Program &program);

/// Draws the next id from the best candidates, in descending order of value.
class Sampler {
public:
  explicit Sampler(const SamplingOptions &options)
      : options(options), state(options.seed) {}
  int32_t draw(ArrayRef<double> values, ArrayRef<int32_t> ids);

private:
  double uniform();
  SamplingOptions options;
  uint64_t state;
};

} // namespace mlir::tp

#endif // TP_TOOLS_TP_RUN_COMMANDS_H
