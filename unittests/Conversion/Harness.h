//===- Harness.h - compiles and runs small programs -------------*- C++ -*-===//
//
// Part of tp-mlir, under the Apache License v2.0.
//
//===----------------------------------------------------------------------===//

#ifndef TP_UNITTESTS_CONVERSION_HARNESS_H
#define TP_UNITTESTS_CONVERSION_HARNESS_H

#include "mlir/IR/BuiltinOps.h"
#include "mlir/IR/MLIRContext.h"
#include "mlir/IR/OwningOpRef.h"
#include "tp/Execution/JitProgram.h"
#include "tprt/tprt.h"
#include <cstring>
#include <memory>
#include <string>
#include <vector>

namespace tptest {

/// A named tensor of the host.
struct Tensor {
  std::string name;
  tprt_dtype dtype = TPRT_F32;
  std::vector<int64_t> shape;
  std::vector<char> bytes;

  int64_t size() const;
  template <typename T> T *data() {
    return reinterpret_cast<T *>(bytes.data());
  }
  float at(size_t i) { return data<float>()[i]; }
};

/// A tensor of zeros; of f32 unless said.
Tensor zeros(std::string name, std::vector<int64_t> shape,
             tprt_dtype dtype = TPRT_F32);

/// A tensor with these elements.
template <typename T>
Tensor make(std::string name, std::vector<int64_t> shape, tprt_dtype dtype,
            const std::vector<T> &values) {
  Tensor tensor = zeros(std::move(name), std::move(shape), dtype);
  std::memcpy(tensor.bytes.data(), values.data(), tensor.bytes.size());
  return tensor;
}

/// An f32 tensor of reproducible numbers in [low, high).
Tensor random(std::string name, std::vector<int64_t> shape, float low = -2,
              float high = 2);

/// A local program, compiled for this machine and loaded on all of its ranks.
/// What goes wrong is a test failure with the diagnostics.
class Program {
public:
  explicit Program(const std::string &text,
                   const mlir::tp::JitOptions &options = {});
  ~Program();

  /// Runs an entry; false after reporting a failure. `outputs` are filled.
  bool run(const std::string &entry, std::vector<Tensor> inputs,
           std::vector<Tensor *> outputs);
  /// Runs an entry that has to fail; gives the message.
  std::string fail(const std::string &entry, std::vector<Tensor> inputs,
                   std::vector<Tensor *> outputs);
  const std::string &manifest() const { return program->manifest(); }
  const std::string &diagnostics() const { return messages; }

private:
  tprt_status tryRun(const std::string &entry, std::vector<Tensor> &inputs,
                     std::vector<Tensor *> &outputs, tprt_error &error);

  mlir::MLIRContext context;
  mlir::OwningOpRef<mlir::ModuleOp> module;
  std::unique_ptr<mlir::tp::JitProgram> program;
  tprt_session *session = nullptr;
  std::string messages;
};

} // namespace tptest

#endif // TP_UNITTESTS_CONVERSION_HARNESS_H
