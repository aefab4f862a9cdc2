//===- cuda_runtime.h - a GPU of one thread, simulated --------------------===//
//
// Part of tp-mlir, under the Apache License v2.0.
//
//===----------------------------------------------------------------------===//
//
// Stands in for CUDA's header, so that emitted source can be compiled for a CPU
// and its arithmetic and addressing held against the CPU backend. A launch runs
// its blocks one after the other, with one thread each: kernels are written for
// any number of threads. Streams have no effect, since everything is done at
// once. Every rank is a thread of the process, hence thread_local.
//
//===----------------------------------------------------------------------===//

#ifndef SIMULATION_CUDA_RUNTIME_H
#define SIMULATION_CUDA_RUNTIME_H

#include <cmath>
#include <cstdint>
#include <cstdlib>

#define __device__
#define __host__
#define __global__
#define __forceinline__ inline
#define __shared__ static thread_local
#define TPRT_WARP 1

struct Dim3 {
  unsigned x = 0, y = 0, z = 0;
};
inline thread_local Dim3 threadIdx, blockIdx, blockDim, gridDim;

template <typename Kernel> struct Launch {
  Kernel *kernel;
  unsigned blocks;
  template <typename... Arguments> void operator()(Arguments... arguments) {
    gridDim = {blocks, 1, 1};
    blockDim = {1, 1, 1};
    for (unsigned block = 0; block < blocks; ++block) {
      blockIdx = {block, 0, 0};
      kernel(arguments...);
    }
  }
};
template <typename Kernel>
Launch<Kernel> launch(Kernel *kernel, int64_t blocks) {
  return {kernel, unsigned(blocks)};
}
#define TPRT_LAUNCH(kernel, blocks, threads, stream) launch(kernel, blocks)

inline void __syncthreads() {}
template <typename T> T __shfl_xor_sync(unsigned, T value, int) {
  return value;
}
inline int atomicCAS(int *address, int compare, int value) {
  int old = *address;
  if (old == compare)
    *address = value;
  return old;
}
inline float rsqrt(float x) { return 1 / std::sqrt(x); }
inline double rsqrt(double x) { return 1 / std::sqrt(x); }

typedef enum { cudaSuccess = 0, cudaErrorMemoryAllocation = 2 } cudaError_t;
typedef struct SimulatedStream *cudaStream_t;
typedef struct SimulatedEvent *cudaEvent_t;
enum { cudaStreamNonBlocking, cudaEventDisableTiming, cudaHostAllocMapped };
inline const char *cudaGetErrorString(cudaError_t) { return "simulated"; }
inline cudaError_t cudaGetLastError() { return cudaSuccess; }
inline cudaError_t cudaGetDeviceCount(int *count) {
  *count = 1;
  return cudaSuccess;
}
inline cudaError_t cudaStreamCreateWithFlags(cudaStream_t *stream, unsigned) {
  *stream = nullptr;
  return cudaSuccess;
}
inline cudaError_t cudaEventCreateWithFlags(cudaEvent_t *event, unsigned) {
  *event = nullptr;
  return cudaSuccess;
}
inline cudaError_t cudaStreamSynchronize(cudaStream_t) { return cudaSuccess; }
inline cudaError_t cudaStreamWaitEvent(cudaStream_t, cudaEvent_t) {
  return cudaSuccess;
}
inline cudaError_t cudaEventRecord(cudaEvent_t, cudaStream_t) {
  return cudaSuccess;
}
inline cudaError_t cudaStreamDestroy(cudaStream_t) { return cudaSuccess; }
inline cudaError_t cudaEventDestroy(cudaEvent_t) { return cudaSuccess; }
template <typename T> cudaError_t cudaMalloc(T **pointer, size_t bytes) {
  *pointer = static_cast<T *>(std::malloc(bytes));
  return *pointer ? cudaSuccess : cudaErrorMemoryAllocation;
}
inline cudaError_t cudaHostAlloc(void **pointer, size_t bytes, unsigned) {
  return cudaMalloc(pointer, bytes);
}
inline cudaError_t cudaFree(void *pointer) {
  std::free(pointer);
  return cudaSuccess;
}
inline cudaError_t cudaFreeHost(void *pointer) { return cudaFree(pointer); }

#endif // SIMULATION_CUDA_RUNTIME_H
