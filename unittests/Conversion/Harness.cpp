//===- Harness.cpp - compiles and runs small programs ---------------------===//
//
// Part of tp-mlir, under the Apache License v2.0.
//
//===----------------------------------------------------------------------===//

#include "Harness.h"
#include "mlir/IR/Diagnostics.h"
#include "mlir/Parser/Parser.h"
#include "tp/Conversion/Passes.h"
#include "gtest/gtest.h"
#include <random>

using namespace tptest;

static int64_t bytesOf(tprt_dtype dtype) {
  switch (dtype) {
  case TPRT_F64:
  case TPRT_I64:
    return 8;
  case TPRT_BF16:
  case TPRT_F16:
    return 2;
  default:
    return 4;
  }
}

int64_t Tensor::size() const {
  int64_t product = 1;
  for (int64_t extent : shape)
    product *= extent;
  return product;
}

Tensor tptest::zeros(std::string name, std::vector<int64_t> shape,
                     tprt_dtype dtype) {
  Tensor tensor{std::move(name), dtype, std::move(shape), {}};
  tensor.bytes.resize(tensor.size() * bytesOf(dtype));
  return tensor;
}

Tensor tptest::random(std::string name, std::vector<int64_t> shape, float low,
                      float high) {
  std::mt19937 generator(std::hash<std::string>()(name) % 1000);
  std::uniform_real_distribution<float> distribution(low, high);
  Tensor tensor = zeros(std::move(name), std::move(shape));
  for (int64_t i = 0; i < tensor.size(); ++i)
    tensor.data<float>()[i] = distribution(generator);
  return tensor;
}

Program::Program(const std::string &text, const mlir::tp::JitOptions &options) {
  mlir::DialectRegistry registry;
  mlir::tp::registerLowering(registry);
  context.appendDialectRegistry(registry);
  context.loadAllAvailableDialects();
  mlir::ScopedDiagnosticHandler handler(&context,
                                        [&](mlir::Diagnostic &diagnostic) {
                                          messages += diagnostic.str() + "\n";
                                          return mlir::success();
                                        });
  module = mlir::parseSourceString<mlir::ModuleOp>(text, &context);
  if (!module) {
    ADD_FAILURE() << "does not parse: " << messages;
    return;
  }
  auto compiled = mlir::tp::JitProgram::compile(*module, options);
  if (failed(compiled)) {
    ADD_FAILURE() << "does not compile: " << messages;
    return;
  }
  program = std::move(*compiled);
  tprt_error error;
  auto lookup = [](const char *symbol, void *context) {
    return reinterpret_cast<tprt_entry>(
        static_cast<mlir::tp::JitProgram *>(context)->lookup(symbol));
  };
  if (tprt_session_create(program->manifest().c_str(), lookup, program.get(),
                          nullptr, &session, &error) != TPRT_OK ||
      tprt_session_load(session, nullptr, 1, &error) != TPRT_OK)
    ADD_FAILURE() << error.message << "\n" << program->manifest();
}

Program::~Program() { tprt_session_destroy(session); }

static tprt_buffer bufferOf(Tensor &tensor) {
  tprt_buffer buffer{tensor.name.c_str(),
                     tensor.dtype,
                     int64_t(tensor.shape.size()),
                     {},
                     tensor.bytes.data()};
  std::copy(tensor.shape.begin(), tensor.shape.end(), buffer.shape);
  return buffer;
}

tprt_status Program::tryRun(const std::string &entry,
                            std::vector<Tensor> &inputs,
                            std::vector<Tensor *> &outputs, tprt_error &error) {
  std::vector<tprt_buffer> in, out;
  for (Tensor &tensor : inputs)
    in.push_back(bufferOf(tensor));
  for (Tensor *tensor : outputs)
    out.push_back(bufferOf(*tensor));
  return tprt_session_run(session, entry.c_str(), in.data(), in.size(),
                          out.data(), out.size(), &error);
}

bool Program::run(const std::string &entry, std::vector<Tensor> inputs,
                  std::vector<Tensor *> outputs) {
  if (!session)
    return false;
  tprt_error error;
  bool good = tryRun(entry, inputs, outputs, error) == TPRT_OK;
  EXPECT_TRUE(good) << error.message;
  return good;
}

std::string Program::fail(const std::string &entry, std::vector<Tensor> inputs,
                          std::vector<Tensor *> outputs) {
  if (!session)
    return "";
  tprt_error error{};
  EXPECT_NE(tryRun(entry, inputs, outputs, error), TPRT_OK);
  return error.message;
}
