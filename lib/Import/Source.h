//===- Source.h - what is imported ------------------------------*- C++ -*-===//
//
// Part of tp-mlir, under the Apache License v2.0.
//
//===----------------------------------------------------------------------===//

#ifndef TP_LIB_IMPORT_SOURCE_H
#define TP_LIB_IMPORT_SOURCE_H

#include "KeyReader.h"

#include "checkpoint/Checkpoint.h"
#include "tp/Dialect/NN/IR/NN.h"

namespace mlir::tp::importer {

/// An open checkpoint and its configuration.
class Source {
public:
  /// Reports what is wrong.
  static FailureOr<std::unique_ptr<Source>> open(StringRef path,
                                                 MLIRContext *context);

  MLIRContext *getContext() const { return context; }
  const tprt::Checkpoint &getCheckpoint() const { return *checkpoint; }
  bool isGguf() const {
    return checkpoint->format() == tprt::Checkpoint::Format::GGUF;
  }
  /// A directory with nothing but a config.json can be imported, too.
  bool hasTensors() const { return !checkpoint->tensors().empty(); }

  /// The configuration: the one of config.json, or GGUF's key-values.
  KeyReader readConfig() const { return {context, configFile, config}; }

  // Diagnostics that begin with the name of the file or directory.
  InFlightDiagnostic emitError() const;
  InFlightDiagnostic emitWarning() const;
  InFlightDiagnostic emitRemark() const;

private:
  MLIRContext *context = nullptr;
  std::string path, configFile;
  std::unique_ptr<tprt::Checkpoint> checkpoint;
  llvm::json::Object config;
};

/// The parameters of a model and the tensors that they come from.
class Weights {
public:
  /// `storedName` gives a published parameter name as the file spells it.
  Weights(const Source &source,
          std::function<std::string(StringRef)> storedName)
      : source(source), storedName(std::move(storedName)) {}

  bool contains(StringRef name) const;

  /// The parameter that is the whole of a tensor, which must be there and have
  /// this shape, unless there are no tensors at all.
  FailureOr<nn::ParameterAttr> take(StringRef name, ArrayRef<int64_t> shape,
                                    StringRef initialisation,
                                    ArrayRef<StringRef> aliases = {});

  /// The elements of a one-dimensional tensor that the importer itself needs,
  /// by its name in the file.
  FailureOr<SmallVector<double>> readVector(StringRef stored, int64_t size);

  /// Deals with the tensors that nobody took. They are listed in a warning, but
  /// one for which `wouldMatter` holds belongs to what was built, and leaving
  /// it out would change the results: an error.
  LogicalResult finish(function_ref<bool(StringRef stored)> wouldMatter) const;

private:
  FailureOr<const tprt::TensorInfo *> findTensor(StringRef stored,
                                                 ArrayRef<int64_t> shape);

  const Source &source;
  std::function<std::string(StringRef)> storedName;
  llvm::StringSet<> taken;
};

} // namespace mlir::tp::importer

#endif // TP_LIB_IMPORT_SOURCE_H
