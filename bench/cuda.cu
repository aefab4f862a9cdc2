//===- cuda.cu - kernels of programs against what a GPU can do ------------===//
//
// Part of tp-mlir, under the Apache License v2.0.
//
//===----------------------------------------------------------------------===//
//
// Times the functions that CUDA programs call, and as ceilings, in the same
// run, a copy of as many bytes and a square product by cuBLASLt. Prints the
// rows of bench/cuda.md:
//
//   nvcc -std=c++17 -O3 -arch=sm_90 -Iruntime -Iruntime/include bench/cuda.cu \
//     runtime/cuda/Products.cpp -lcublasLt -o bench-cuda && ./bench-cuda
//
//===----------------------------------------------------------------------===//

#include "cuda/Products.h"
#include "tprt/cuda.h"

#include <algorithm>
#include <functional>
#include <vector>

using namespace tprt_cuda;

namespace {

/// A rank that runs nothing but what is measured.
struct Bench {
  Rank rank;
  cudaEvent_t begin = nullptr, end = nullptr;
  Fault *fault = nullptr;

  Bench() {
    TPRT_CHECK(cudaStreamCreateWithFlags(&rank.compute, cudaStreamNonBlocking));
    TPRT_CHECK(cudaEventCreate(&begin));
    TPRT_CHECK(cudaEventCreate(&end));
    TPRT_CHECK(cudaMallocManaged(&fault, sizeof(Fault)));
    *fault = Fault();
    rank.fault = fault;
  }

  /// Microseconds of one of many in a row, the best of five rows.
  double time(const std::function<tprt_status()> &queue) {
    constexpr int many = 20;
    double best = 1e30;
    for (int row = 0; row < 6; ++row) {
      TPRT_CHECK(cudaEventRecord(begin, rank.compute));
      for (int i = 0; i < many; ++i)
        if (queue() != TPRT_OK)
          raise(rank.status, rank.message);
      TPRT_CHECK(cudaEventRecord(end, rank.compute));
      TPRT_CHECK(cudaEventSynchronize(end));
      float milliseconds = 0;
      TPRT_CHECK(cudaEventElapsedTime(&milliseconds, begin, end));
      if (row > 0) // the first one warms up
        best = std::min(best, double(milliseconds) * 1000 / many);
    }
    return best;
  }
};

/// Zeros on the GPU.
template <typename T> T *make(int64_t count) {
  void *memory = nullptr;
  TPRT_CHECK(cudaMalloc(&memory, size_t(count) * sizeof(T)));
  TPRT_CHECK(cudaMemset(memory, 0, size_t(count) * sizeof(T)));
  TPRT_CHECK(cudaDeviceSynchronize());
  return static_cast<T *>(memory);
}

typedef __nv_bfloat16 Element;

int64_t bitsOf(double value) {
  int64_t bits;
  std::memcpy(&bits, &value, sizeof bits);
  return bits;
}

/// A row of the table: `bytes` are moved and `flops` done at least.
void print(const char *name, double microseconds, double bytes, double flops,
           double copyBytesPerSecond, double productFlops) {
  const double floor =
      std::max(bytes / copyBytesPerSecond, flops / productFlops) * 1e6;
  std::printf("| %s | %.1f | %.0f | %.1f | %.0f %% |\n", name, microseconds,
              bytes / microseconds * 1e-3, flops / microseconds * 1e-6,
              floor / microseconds * 100);
}

/// cuBLASLt as programs call it.
double timeProduct(Bench &bench, int64_t rows, int64_t columns, int64_t inner) {
  const MatmulShape shape = {TPRT_BF16, true,  false, rows, columns,
                             inner,     inner, inner, rows, 1,
                             0,         0,     0,     64};
  Program program = {};
  program.numMatmuls = 1;
  program.matmuls = &shape;
  Products products;
  products.open(program);
  Element *a = make<Element>(rows * inner), *b = make<Element>(columns * inner),
          *c = make<Element>(rows * columns);
  const double time = bench.time(
      [&] { return products.queue(&bench.rank, 0, a, b, false, c); });
  for (Element *buffer : {a, b, c})
    cudaFree(buffer);
  return time;
}

void run() {
  Bench bench;
  cudaDeviceProp properties = {};
  TPRT_CHECK(cudaGetDeviceProperties(&properties, 0));
  const int64_t copied = int64_t(1) << 28;
  char *from = make<char>(copied), *to = make<char>(copied);
  const double copyTime = bench.time([&]() -> tprt_status {
    TPRT_CUDA(&bench.rank,
              cudaMemcpyAsync(to, from, size_t(copied),
                              cudaMemcpyDeviceToDevice, bench.rank.compute));
    return TPRT_OK;
  });
  const double copyRate = 2 * double(copied) / copyTime * 1e6;
  const int64_t side = 8192;
  const double productTime = timeProduct(bench, side, side, side);
  const double productRate = 2.0 * side * side * side / productTime * 1e6;
  std::printf("%s: a copy moves %.0f GB/s, a product of %lld does %.0f TFLOP/s "
              "(bf16)\n\n| what | us | GB/s | TFLOP/s | of the ceiling |\n"
              "|---|---|---|---|---|\n",
              properties.name, copyRate * 1e-9, static_cast<long long>(side),
              productRate * 1e-12);
  auto row = [&](const char *name, double time, double bytes, double flops) {
    print(name, time, bytes, flops, copyRate, productRate);
  };

  // What a decode step and a prefill of Llama-3-8B at tp=1 are made of.
  for (int64_t tokens : {int64_t(1), int64_t(2048)}) {
    const std::string suffix = ", " + std::to_string(tokens) + " tokens";
    const int64_t width = 4096, hidden = 14336;
    row(("product 4096 x 14336" + suffix).c_str(),
        timeProduct(bench, hidden, tokens, width),
        2.0 * double(width * hidden + tokens * (width + hidden)),
        2.0 * double(tokens * width * hidden));
    Element *x = reinterpret_cast<Element *>(from),
            *out = reinterpret_cast<Element *>(to);
    const tprt_rotary_desc rotary = {TPRT_BF16, 1, tokens, 32, 128, 128, 0};
    Element *cosine = make<Element>(tokens * 64),
            *sine = make<Element>(tokens * 64);
    row(("rotary, 32 heads of 128" + suffix).c_str(), bench.time([&] {
      return tprt_cuda::rotary(&bench.rank, rotary, x, cosine, sine, out);
    }),
        2.0 * 2.0 * double(tokens * width), 0);
    const tprt_copy_desc transpose = {
        2, 3, 0, 0, {tokens, 32, 128}, {4096, 128, 1}, {128, tokens * 128, 1}};
    row(("copy, heads first" + suffix).c_str(), bench.time([&] {
      return tprt_cuda::copy(&bench.rank, transpose, x, out);
    }),
        2.0 * 2.0 * double(tokens * width), 0);
    const int64_t keys = tokens == 1 ? 8192 : tokens;
    Element *k = make<Element>(keys * 8 * 128),
            *v = make<Element>(keys * 8 * 128);
    const tprt_attention_desc attention = {
        TPRT_BF16, 1, tokens, keys, keys, 8, 4, 128, 1, 0, bitsOf(0.088), 0};
    const double pairs = tokens == 1 ? double(keys) : double(keys) * keys / 2;
    const std::string name =
        "attention, 32 heads on 8, " + std::to_string(keys) + " keys" + suffix;
    row(name.c_str(), bench.time([&] {
      return tprt_cuda::attention(&bench.rank, attention, x, k, v,
                                  static_cast<const int32_t *>(nullptr),
                                  keys - tokens, out);
    }),
        2.0 * double(2 * keys * 8 * 128 + 2 * tokens * width),
        4.0 * pairs * 32 * 128);
    for (Element *buffer : {cosine, sine, k, v})
      cudaFree(buffer);
  }
}

} // namespace

int main() {
  int count = 0;
  if (cudaGetDeviceCount(&count) != cudaSuccess || count == 0)
    return std::printf("no GPU: nothing to measure\n"), 0;
  try {
    run();
  } catch (const std::exception &error) {
    return std::printf("error: %s\n", error.what()), 1;
  }
  return 0;
}
