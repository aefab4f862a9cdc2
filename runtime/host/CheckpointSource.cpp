//===- CheckpointSource.cpp - parameters from a checkpoint ---------------===//
//
// Part of tp-mlir, under the Apache License v2.0.
//
//===----------------------------------------------------------------------===//

#include "Parameters.h"

#include "Error.h"
#include "Interleaved.h"
#include "checkpoint/Checkpoint.h"
#include "tprt/Dtype.h"

using namespace tprt;

namespace {

class CheckpointSource : public ParameterSource {
public:
  explicit CheckpointSource(const std::string &path) : path(path) {
    check(Checkpoint::open(path, checkpoint));
  }

  void check(const Argument &argument) const override {
    const Origin &origin = argument.origin;
    const TensorInfo &tensor = find(argument);
    if (tensor.shape != origin.shape)
      raise(TPRT_INVALID, "tensor '", origin.tensor, "' of ", path,
            " has shape ", joinSizes(tensor.shape),
            "; the program was made for ", joinSizes(origin.shape));
    if (isStored(argument.stored) &&
        storedByName(storedTypeInfo(tensor.type).name) !=
            storedTypeOf(argument.stored))
      raise(TPRT_INVALID, "tensor '", origin.tensor, "' of ", path, " is ",
            storedTypeInfo(tensor.type).name, "; the program keeps it as ",
            storedInfo(argument.stored).name,
            ", as it was stored; import with --dequantise to take others");
  }

  std::string identity() const override { return checkpoint->checksum(); }

  void fill(const Argument &argument, const Block &block,
            void *target) const override {
    const Origin &origin = argument.origin;
    std::vector<ViewDim> view;
    for (size_t k = 0; k < block.size(); ++k)
      view.push_back({int(origin.terms[k].dim), origin.terms[k].stride,
                      block[k].size, block[k].start, block[k].extent});
    const TensorInfo &tensor = find(argument);
    check(isStored(argument.stored)
              ? checkpoint->readStored(tensor, view, origin.offset, target)
              : checkpoint->read(tensor, view, origin.offset, argument.dtype,
                                 target));
    if (const int64_t line = interleavedLine(argument.stored))
      interleaveLines(argument.stored, target,
                      elementsOf(block) / (interleavedLines * line), line);
  }

private:
  static void check(const Status &status) {
    if (!status.ok())
      raise(status.code, status.message);
  }

  const TensorInfo &find(const Argument &argument) const {
    const TensorInfo *tensor = checkpoint->find(argument.origin.tensor);
    if (!tensor)
      raise(TPRT_INVALID, path, " has no tensor '", argument.origin.tensor,
            "' among its ", checkpoint->tensors().size());
    return *tensor;
  }

  const std::string path;
  std::unique_ptr<Checkpoint> checkpoint;
};

} // namespace

std::unique_ptr<ParameterSource>
tprt::makeCheckpointSource(const std::string &path) {
  return std::make_unique<CheckpointSource>(path);
}
