//===- Parameters.h - filling parameters ---------------------------------===//
//
// Part of tp-mlir, under the Apache License v2.0.
//
//===----------------------------------------------------------------------===//

#ifndef TPRT_HOST_PARAMETERS_H
#define TPRT_HOST_PARAMETERS_H

#include "Layout.h"

#include <cstdint>
#include <memory>
#include <string>

namespace tprt {

class Checkpoint;

/// Where the values of parameters come from. Used by all ranks at once.
class ParameterSource {
public:
  virtual ~ParameterSource() = default;

  /// An Error if this source cannot give that parameter.
  virtual void check(const Argument &argument) const = 0;

  /// What tells this source from others; cheap.
  virtual std::string identity() const = 0;

  /// Fills a block of a parameter, or a piece of one, padding with zeros.
  virtual void fill(const Argument &argument, const Block &block,
                    void *target) const = 0;
};

/// Random values that depend only on the seed, the stored tensor's name and an
/// element's index in the stored tensor.
std::unique_ptr<ParameterSource> makeRandomSource(uint64_t seed);

/// The tensors of a GGUF file, a safetensors file or a Hugging Face directory.
std::unique_ptr<ParameterSource> makeCheckpointSource(const std::string &path);

/// Normally distributed with mean 0 and deviation 1; exactly the same number on
/// every machine.
double randomNormal(uint64_t seed, const std::string &tensor, int64_t index);

} // namespace tprt

#endif // TPRT_HOST_PARAMETERS_H
