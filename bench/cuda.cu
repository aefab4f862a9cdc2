//===- cuda.cu - kernels of programs against what a GPU can do ------------===//
//
// Part of tp-mlir, under the Apache License v2.0.
//
//===----------------------------------------------------------------------===//
//
// Times the functions that CUDA programs call, and as ceilings, in the same
// run, a copy and a square product by cuBLASLt. bench/cuda.py runs it and
// writes what it prints to bench/cuda.md. With --tiny the sizes are such that a
// simulated GPU gets through. Exits with 77 if there is no GPU.
//
//===----------------------------------------------------------------------===//

#include "cuda/Attentions.h"
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

/// Numbers from 0.5 to 1 of either sign: a product of zeros takes less power,
/// and so less time, than one of anything else.
Element *makeNumbers(Bench &bench, int64_t count) {
  std::vector<uint16_t> bits(static_cast<size_t>(count));
  uint32_t state = 1;
  for (uint16_t &value : bits) {
    state = state * 1664525 + 1013904223;
    value = uint16_t(0x3f00 | (state >> 16 & 0x807f));
  }
  Element *memory = make<Element>(count);
  TPRT_CHECK(cudaMemcpyAsync(memory, bits.data(), bits.size() * 2,
                             cudaMemcpyHostToDevice, bench.rank.compute));
  TPRT_CHECK(cudaStreamSynchronize(bench.rank.compute));
  return memory;
}

/// What is timed.
struct Sizes {
  int64_t copied; ///< bytes
  int64_t side;   ///< of the square product
  int64_t heads, kvHeads, headDim, hidden;
  int64_t tokens, keys; ///< of a prefill, and that a decode step sees
  constexpr int64_t width() const { return heads * headDim; }
};
struct Llama3 { // 8B
  static constexpr Sizes sizes = {
      int64_t(1) << 28, 8192, 32, 8, 128, 14336, 2048, 8192};
};
struct Tiny {
  static constexpr Sizes sizes = {1 << 16, 32, 4, 2, 8, 64, 8, 16};
};

/// What programs have of the calls of a layer, see tprt/cuda/Kernels.h.
template <typename Model, int64_t tokens> struct Layer {
  static constexpr Sizes sizes = Model::sizes;
  static constexpr int64_t keys = tokens == 1 ? sizes.keys : tokens;

  struct Rotary {
    static constexpr tprt_rotary_desc desc = {
        TPRT_BF16, 1, tokens, sizes.heads, sizes.headDim, sizes.headDim, 0};
    static constexpr int64_t alignment = 64;
  };
  struct HeadsFirst {
    static constexpr tprt_copy_desc desc = {
        2,
        3,
        0,
        0,
        {tokens, sizes.heads, sizes.headDim},
        {sizes.width(), sizes.headDim, 1},
        {sizes.headDim, tokens * sizes.headDim, 1}};
    static constexpr int64_t alignment = 64;
  };
  struct Attention {
    static constexpr tprt_attention_desc desc = {
        TPRT_BF16,
        1,
        tokens,
        keys,
        keys,
        sizes.kvHeads,
        sizes.heads / sizes.kvHeads,
        sizes.headDim,
        1,
        0,
        0x3fb6a09e667f3bcd, // 1 / sqrt(128)
        0};
    static constexpr int64_t alignment = 64;
  };
};

/// A row of the table: `bytes` are moved and `flops` done at least.
void print(const char *name, double microseconds, double bytes, double flops,
           double copyBytesPerSecond, double productFlops) {
  const double floor =
      std::max(bytes / copyBytesPerSecond, flops / productFlops) * 1e6;
  std::printf("| %s | %.1f | %.0f | %.1f | %.0f %% |\n", name, microseconds,
              bytes / microseconds * 1e-3, flops / microseconds * 1e-6,
              floor / microseconds * 100);
}

/// Microseconds of cuBLASLt's first algorithm, which programs call, and of the
/// fastest that there is to choose from.
struct ProductTimes {
  double first, best;
  int64_t candidates;
  bool isOwn; ///< the fastest is ours
};

ProductTimes timeProduct(Bench &bench, int64_t rows, int64_t columns,
                         int64_t inner) {
  const MatmulShape shape = {TPRT_BF16, true,  false, rows, columns,
                             inner,     inner, inner, rows, 1,
                             0,         0,     0,     64,   false};
  Program program = {};
  program.numMatmuls = 1;
  program.matmuls = &shape;
  Products products;
  products.open(program);
  Element *a = makeNumbers(bench, rows * inner),
          *b = makeNumbers(bench, columns * inner),
          *c = make<Element>(rows * columns);
  ProductTimes times = {0, 1e30, products.candidates(0), false};
  for (int64_t candidate = 0; candidate < times.candidates; ++candidate) {
    products.choose(0, candidate);
    const double time = bench.time([&] {
      return products.queue(&bench.rank, 0, a, b, false, nullptr, c);
    });
    times.first = candidate == 0 ? time : times.first;
    if (time < times.best) {
      times.best = time;
      times.isOwn = candidate > 0 && candidate == products.findOwn(0);
    }
  }
  for (Element *buffer : {a, b, c})
    cudaFree(buffer);
  return times;
}

using Row = std::function<void(const std::string &name, double microseconds,
                               double bytes, double flops)>;

/// What a layer is made of at tp=1. Both buffers hold `copied` bytes.
template <typename Model, int64_t tokens>
void timeLayer(Bench &bench, Element *x, Element *out, const Row &row) {
  using Calls = Layer<Model, tokens>;
  constexpr Sizes sizes = Model::sizes;
  const std::string suffix =
      ", " + std::to_string(tokens) + (tokens == 1 ? " token" : " tokens");
  const int64_t width = sizes.width(), hidden = sizes.hidden;
  const int64_t heads = sizes.heads, dim = sizes.headDim;
  const ProductTimes product = timeProduct(bench, hidden, tokens, width);
  const double productBytes =
      2.0 * double(width * hidden + tokens * (width + hidden));
  const double productFlops = 2.0 * double(tokens * width * hidden);
  row("product " + std::to_string(width) + " x " + std::to_string(hidden) +
          suffix,
      product.first, productBytes, productFlops);
  row("the same: the fastest of " + std::to_string(product.candidates) +
          " algorithms" + (product.isOwn ? ", ours" : ""),
      product.best, productBytes, productFlops);

  Element *cosine = make<Element>(tokens * dim / 2),
          *sine = make<Element>(tokens * dim / 2);
  row("rotary, " + std::to_string(heads) + " heads of " + std::to_string(dim) +
          suffix,
      bench.time([&] {
        return tprt_cuda::rotary<typename Calls::Rotary>(
            &bench.rank, static_cast<const Element *>(x),
            static_cast<const Element *>(cosine),
            static_cast<const Element *>(sine), out);
      }),
      2.0 * 2.0 * double(tokens * width), 0);

  row("copy, heads first" + suffix, bench.time([&] {
    return tprt_cuda::copy<typename Calls::HeadsFirst>(
        &bench.rank, static_cast<const Element *>(x), out);
  }),
      2.0 * 2.0 * double(tokens * width), 0);

  constexpr int64_t keys = Calls::keys;
  Element *k = makeNumbers(bench, keys * sizes.kvHeads * dim),
          *v = makeNumbers(bench, keys * sizes.kvHeads * dim);
  using Call = typename Calls::Attention;
  void *workspace = make<char>(workspaceBytesOf(Call::desc));
  bench.rank.workspace = workspace;
  const double pairs = tokens == 1 ? double(keys) : double(keys) * keys / 2;
  const std::string name = "attention, " + std::to_string(heads) +
                           " heads on " + std::to_string(sizes.kvHeads) + ", " +
                           std::to_string(keys) + " keys" + suffix;
  const double bytes =
      2.0 * double(2 * keys * sizes.kvHeads * dim + 2 * tokens * width);
  const double flops = 4.0 * pairs * double(width);
  row(name, bench.time([&] {
    return tprt_cuda::attention<Call>(
        &bench.rank, static_cast<const Element *>(x),
        static_cast<const Element *>(k), static_cast<const Element *>(v),
        static_cast<const int32_t *>(nullptr), keys - tokens, out);
  }),
      bytes, flops);
  Attentions library;
  const Attention call = {Call::desc, x, k, v, nullptr, keys - tokens, out};
  bool isQueued = false;
  if (library.queue(&bench.rank, call, &isQueued) != TPRT_OK)
    raise(bench.rank.status, bench.rank.message);
  if (isQueued)
    row("the same: " + library.describe(),
        bench.time([&] { return library.queue(&bench.rank, call, &isQueued); }),
        bytes, flops);
  TPRT_CHECK(cudaStreamSynchronize(bench.rank.compute));
  for (Element *buffer : {cosine, sine, k, v})
    cudaFree(buffer);
  cudaFree(workspace);
}

template <typename Model> void run() {
  constexpr Sizes sizes = Model::sizes;
  Bench bench;
  cudaDeviceProp properties = {};
  TPRT_CHECK(cudaGetDeviceProperties(&properties, 0));
  const int64_t copied = sizes.copied;
  char *from = make<char>(copied), *to = make<char>(copied);
  const double copyTime = bench.time([&]() -> tprt_status {
    TPRT_CUDA(&bench.rank,
              cudaMemcpyAsync(to, from, size_t(copied),
                              cudaMemcpyDeviceToDevice, bench.rank.compute));
    return TPRT_OK;
  });
  const double copyRate = 2 * double(copied) / copyTime * 1e6;
  const int64_t side = sizes.side;
  const double productTime = timeProduct(bench, side, side, side).best;
  const double productRate = 2.0 * side * side * side / productTime * 1e6;
  int driver = 0, runtime = 0;
  TPRT_CHECK(cudaDriverGetVersion(&driver));
  TPRT_CHECK(cudaRuntimeGetVersion(&runtime));
  std::printf("%s, CUDA %d.%d, driver for CUDA %d.%d: a copy of %lld bytes "
              "moves %.1f GB/s, a product of %lld does %.2f TFLOP/s "
              "(bf16)\n\n| what | us | GB/s | TFLOP/s | of the ceiling |\n"
              "|---|---|---|---|---|\n",
              properties.name, runtime / 1000, runtime % 1000 / 10,
              driver / 1000, driver % 1000 / 10, static_cast<long long>(copied),
              copyRate * 1e-9, static_cast<long long>(side),
              productRate * 1e-12);
  auto row = [&](const std::string &name, double time, double bytes,
                 double flops) {
    print(name.c_str(), time, bytes, flops, copyRate, productRate);
  };
  auto *x = reinterpret_cast<Element *>(from),
       *out = reinterpret_cast<Element *>(to);
  timeLayer<Model, 1>(bench, x, out, row);
  timeLayer<Model, sizes.tokens>(bench, x, out, row);
}

} // namespace

int main(int argc, char **argv) {
  const bool isTiny = argc == 2 && std::strcmp(argv[1], "--tiny") == 0;
  if (argc > 1 && !isTiny)
    return std::fprintf(stderr, "usage: bench-cuda [--tiny]\n"), 2;
  int count = 0;
  if (cudaGetDeviceCount(&count) != cudaSuccess || count == 0)
    return std::printf("no GPU: nothing to measure\n"), 77;
  try {
    isTiny ? run<Tiny>() : run<Llama3>();
  } catch (const std::exception &error) {
    return std::printf("error: %s\n", error.what()), 1;
  }
  return 0;
}
