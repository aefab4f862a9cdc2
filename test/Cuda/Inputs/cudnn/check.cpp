//===- check.cpp - which attention cuDNN takes ----------------------------===//
//
// Part of tp-mlir, under the Apache License v2.0.
//
//===----------------------------------------------------------------------===//
//
//   cudnn-check DEVICE.json
//
// asks the true cuDNN, without a GPU, what of some calls of programs it takes
// on the GPU that is described. Linked with --wrap, so that the front end finds
// a GPU of the same generation when it asks CUDA for one. Exits with 77 without
// cuDNN.
//
//===----------------------------------------------------------------------===//

#include "cuda/Attentions.h"

#include <fstream>
#include <regex>
#include <sstream>

using namespace tprt_cuda;

static int generation = 0; ///< 9 for sm_90

extern "C" cudaError_t __wrap_cudaGetDevice(int *device) {
  *device = 0;
  return cudaSuccess;
}

extern "C" cudaError_t
__wrap_cudaGetDeviceProperties(cudaDeviceProp *properties, int) {
  *properties = {};
  properties->major = generation;
  return cudaSuccess;
}

static int64_t bitsOf(double value) {
  int64_t bits;
  std::memcpy(&bits, &value, sizeof bits);
  return bits;
}

int main(int argc, char **argv) {
  if (argc != 2)
    return std::fprintf(stderr, "usage: cudnn-check DEVICE.json\n"), 2;
  std::ifstream file(argv[1]);
  std::stringstream text;
  text << file.rdbuf();
  const std::string device = text.str();
  std::smatch found;
  if (!std::regex_search(device, found, std::regex("\"deviceVer\": *(\\d+)")))
    return std::fprintf(stderr, "error: no \"deviceVer\" there\n"), 1;
  generation = std::stoi(found[1]) / 100;

  std::string why;
  const std::unique_ptr<Cudnn> cudnn = Cudnn::open(why);
  if (!cudnn)
    return std::printf("%s\n", why.c_str()), 77;
  std::printf("cuDNN %s\n", cudnn->version().c_str());
  const int32_t offset = 0;
  auto ask = [&](const char *name, int64_t dtype, int64_t batch,
                 int64_t queries, int64_t keys, int64_t capacity,
                 int64_t kvHeads, int64_t groups, int64_t dim, bool causal,
                 int64_t window, double cap, bool hasOffset) {
    const Attention call = {{dtype, batch, queries, keys, capacity, kvHeads,
                             groups, dim, causal, window, bitsOf(0.088),
                             bitsOf(cap)},
                            nullptr,
                            nullptr,
                            nullptr,
                            hasOffset ? &offset : nullptr,
                            0,
                            nullptr};
    const std::optional<SdpaShape> shape = sdpaShapeOf(call);
    std::string reason = "not asked for";
    const bool takes = shape && cudnn->takes(*shape, device, reason);
    std::printf("%s: %s\n", name,
                takes ? "taken" : reason.substr(0, reason.find('\n')).c_str());
  };
  // Llama-3-8B at tp=1 and tp=8, SmolLM2-135M, Gemma 2, and what else there may
  // be.
  ask("prefill", TPRT_BF16, 1, 2048, 2048, 2048, 8, 4, 128, true, 0, 0, false);
  ask("chunk", TPRT_BF16, 1, 512, 2048, 2048, 8, 4, 128, true, 0, 0, true);
  ask("chunk of a rank", TPRT_BF16, 1, 512, 2048, 2048, 1, 4, 128, true, 0, 0,
      true);
  ask("batch", TPRT_BF16, 32, 16, 2048, 2048, 8, 4, 128, true, 0, 0, true);
  ask("heads of 64", TPRT_F16, 1, 17, 60, 64, 3, 3, 64, true, 0, 0, true);
  ask("window", TPRT_BF16, 1, 512, 2048, 2048, 8, 4, 128, true, 256, 0, true);
  ask("everything", TPRT_BF16, 2, 512, 512, 512, 8, 1, 64, false, 0, 0, false);
  ask("heads of 36", TPRT_BF16, 1, 512, 512, 512, 8, 1, 36, true, 0, 0, true);
  ask("soft cap", TPRT_BF16, 1, 512, 512, 512, 8, 1, 64, true, 0, 30, true);
  ask("soft cap, everything", TPRT_F16, 1, 512, 512, 512, 8, 1, 64, false, 0,
      30, false);
  ask("soft cap from the first key", TPRT_BF16, 1, 2048, 2048, 2048, 4, 2, 128,
      true, 0, 50, false);
  ask("soft cap and window", TPRT_BF16, 1, 512, 8192, 8192, 16, 2, 128, true,
      4096, 50, true);
  ask("heads of 256, soft cap", TPRT_BF16, 1, 512, 8192, 8192, 4, 2, 256, true,
      0, 50, true);
  ask("f32", TPRT_F32, 1, 512, 512, 512, 8, 1, 64, true, 0, 0, true);
  ask("window, not causal", TPRT_F16, 1, 512, 512, 512, 8, 1, 64, false, 9, 0,
      true);
  return 0;
}
