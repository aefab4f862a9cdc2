//===- FewColumns.cu - products that are bound by one matrix --------------===//
//
// Part of tp-mlir, under the Apache License v2.0.
//
//===----------------------------------------------------------------------===//
//
// With few columns the time of a product is that of reading A once. A warp has
// two rows of it, of which each lane loads 16 bytes at a time, several ahead;
// columns come out of caches. Where A has few rows, several warps of a block
// share the two, by turns of 32 loads, so that there are blocks for all
// multiprocessors:
//
//     4096 rows, 256 blocks:    warp 0: rows 0, 1    warp 1: rows 2, 3    ...
//     1024 rows, 256 blocks:    warps 0 to 3: rows 0, 1    4 to 7: rows 2, 3
//
//===----------------------------------------------------------------------===//

#include "FewColumns.h"

#include "tprt/cuda/Kernels.h"

namespace tprt_cuda {

namespace {

constexpr int kWarps = 8, kRows = 2;
constexpr int64_t kMostColumns = 8;
/// Warps share rows until there are so many blocks.
constexpr int64_t kWantedBlocks = 256;

template <typename T> constexpr int kLanes = 16 / int(sizeof(T));

/// What a warp adds up: its rows times all columns.
template <int columns> struct Sums {
  float values[kRows][columns] = {};

  TPRT_DEVICE void reduce() {
#pragma unroll
    for (auto &row : values)
#pragma unroll
      for (float &value : row)
        value = reduceWarp<Sum>(value);
  }
};

/// Elements k to k + 16 bytes of each row and column, as far as there are any.
template <typename T, int columns> struct Loaded {
  Vector<T, kLanes<T>> rows[kRows], others[columns];

  TPRT_DEVICE void load(const MatmulShape &shape, const T *a, const T *b,
                        int64_t row, int64_t k) {
    const auto zeros = splat<kLanes<T>>(cast<T>(0.0f));
#pragma unroll
    for (int i = 0; i < kRows; ++i)
      rows[i] =
          k < shape.inner && row + i < shape.rows
              ? tprt_cuda::load<kLanes<T>>(a + (row + i) * shape.leadingA + k)
              : zeros;
#pragma unroll
    for (int j = 0; j < columns; ++j)
      others[j] = k < shape.inner && j < shape.columns
                      ? tprt_cuda::load<kLanes<T>>(b + j * shape.leadingB + k)
                      : zeros;
  }

  TPRT_DEVICE void addTo(Sums<columns> &sums) const {
#pragma unroll
    for (int i = 0; i < kRows; ++i)
#pragma unroll
      for (int j = 0; j < columns; ++j)
#pragma unroll
        for (int lane = 0; lane < kLanes<T>; ++lane)
          sums.values[i][j] += widen(rows[i][lane]) * widen(others[j][lane]);
  }
};

/// `sharers` warps have the same rows; a product of a batch has `blocksOfRows`.
template <typename T, int columns>
__global__ void __launch_bounds__(kWarps *kWarp)
    fewColumnsKernel(MatmulShape shape, int sharers, int64_t blocksOfRows,
                     const T *a, const T *b, bool adds, const T *bias, T *c) {
  constexpr int ahead = columns <= 2 ? 4 : 2;
  __shared__ float shared[kWarps][kRows * columns];
  const int lane = threadIdx.x % kWarp, warp = threadIdx.x / kWarp;
  const int64_t batch = blockIdx.x / blocksOfRows;
  const int64_t row =
      (blockIdx.x % blocksOfRows * (kWarps / sharers) + warp / sharers) * kRows;
  a += batch * shape.strideA;
  b += batch * shape.strideB;
  c += batch * shape.strideC;

  Sums<columns> sums;
  const int64_t step = int64_t(sharers) * kWarp * kLanes<T>;
  for (int64_t k = int64_t(warp % sharers * kWarp + lane) * kLanes<T>;
       k < shape.inner; k += ahead * step) {
    Loaded<T, columns> loaded[ahead];
#pragma unroll
    for (int i = 0; i < ahead; ++i)
      loaded[i].load(shape, a, b, row, k + i * step);
#pragma unroll
    for (int i = 0; i < ahead; ++i)
      loaded[i].addTo(sums);
  }
  sums.reduce();

  if (lane == 0)
#pragma unroll
    for (int i = 0; i < kRows * columns; ++i)
      shared[warp][i] = sums.values[i / columns][i % columns];
  __syncthreads();
  // One thread for each sum, in the first of the warps that share the row.
  const int64_t mine = row + lane / columns, column = lane % columns;
  if (warp % sharers != 0 || lane >= kRows * columns || mine >= shape.rows ||
      column >= shape.columns)
    return;
  float sum = shared[warp][lane];
  for (int i = 1; i < sharers; ++i)
    sum += shared[warp + i][lane];
  T &target = c[column * shape.leadingC + mine];
  if (adds)
    sum += widen(target);
  if (bias)
    sum += widen(bias[mine]);
  target = cast<T>(sum);
}

template <typename T, int columns>
cudaError_t launch(const MatmulShape &shape, const void *a, const void *b,
                   bool adds, const void *bias, void *c, cudaStream_t stream) {
  int sharers = 1;
  auto blocks = [&] {
    return ceilDivide(shape.rows, kWarps / sharers * kRows);
  };
  while (sharers < kWarps && blocks() * shape.batch < kWantedBlocks)
    sharers *= 2;
  TPRT_LAUNCH((fewColumnsKernel<T, columns>), blocks() * shape.batch,
              kWarps * kWarp, stream)
  (shape, sharers, blocks(), static_cast<const T *>(a),
   static_cast<const T *>(b), adds, static_cast<const T *>(bias),
   static_cast<T *>(c));
  return cudaGetLastError();
}

template <typename T>
cudaError_t launchTyped(const MatmulShape &shape, const void *a, const void *b,
                        bool adds, const void *bias, void *c,
                        cudaStream_t stream) {
  auto *launched = shape.columns == 1   ? launch<T, 1>
                   : shape.columns == 2 ? launch<T, 2>
                   : shape.columns <= 4 ? launch<T, 4>
                                        : launch<T, 8>;
  return launched(shape, a, b, adds, bias, c, stream);
}

} // namespace

bool isOfFewColumns(const MatmulShape &shape) {
  if (shape.type != TPRT_F32 && shape.type != TPRT_BF16 &&
      shape.type != TPRT_F16)
    return false;
  const int64_t lanes = shape.type == TPRT_F32 ? 4 : 8;
  auto fits = [&](int64_t count) { return count % lanes == 0; };
  return shape.columns <= kMostColumns && shape.transposeA &&
         !shape.transposeB && shape.alignment % 16 == 0 && fits(shape.inner) &&
         fits(shape.leadingA) && fits(shape.leadingB) && fits(shape.strideA) &&
         fits(shape.strideB);
}

cudaError_t queueFewColumns(const MatmulShape &shape, const void *a,
                            const void *b, bool adds, const void *bias, void *c,
                            cudaStream_t stream) {
  auto *launched = shape.type == TPRT_F32    ? launchTyped<float>
                   : shape.type == TPRT_BF16 ? launchTyped<__nv_bfloat16>
                                             : launchTyped<__half>;
  return launched(shape, a, b, adds, bias, c, stream);
}

} // namespace tprt_cuda
