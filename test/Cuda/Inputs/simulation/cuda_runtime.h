//===- cuda_runtime.h - a GPU, simulated
//-----------------------------------===//
//
// Part of tp-mlir, under the Apache License v2.0.
//
//===----------------------------------------------------------------------===//
//
// Stands in for CUDA's header, so that programs and the plugin that runs them
// can be compiled for a CPU and held against the CPU backend. A launch runs its
// blocks one after the other, each with all of its threads (Threads.h).
//
// Streams are as lazy as CUDA allows: what is queued runs when somebody asks
// for the end of its stream, after what its stream waits for and after nothing
// else. So a wait that is missing shows. Only the plugin makes streams and
// events, whose state is with them: what a program is compiled with and what
// the plugin is compiled with share nothing else.
//
// SIMULATED_GPUS says how many there are, one if it says nothing;
// SIMULATED_FAILURE lets a launch fail.
//
//===----------------------------------------------------------------------===//

#ifndef SIMULATION_CUDA_RUNTIME_H
#define SIMULATION_CUDA_RUNTIME_H

#include "Threads.h"

#include <atomic>
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <deque>
#include <functional>
#include <map>
#include <mutex>
#include <vector>

#define CUDART_VERSION 13000

#define __device__
#define __host__
#define __global__
#define __forceinline__ inline
#define __launch_bounds__(...)
#define __shared__ static thread_local

/// All streams of a process.
inline std::recursive_mutex simulatedMutex;

/// What streams queue while they are captured, in the order in which they do.
struct SimulatedGraph {
  std::vector<std::function<void()>> operations;
  /// Of each stream, how many are its own, and how many of them the stream that
  /// began waits for.
  std::map<struct SimulatedStream *, std::pair<int64_t, int64_t>> streams;
  struct SimulatedStream *origin = nullptr;
};

struct SimulatedStream {
  std::recursive_mutex &mutex = simulatedMutex; // of the library that made it
  int device = 0;
  std::deque<std::function<void()>> queue;
  int64_t queued = 0, done = 0;
  int64_t cost = 0; ///< of the products that were queued, in milliseconds
  bool asked = false;
  bool hangs = false;              ///< what is first has no end
  SimulatedGraph *graph = nullptr; ///< that captures it

  void push(std::function<void()> operation) {
    std::lock_guard<std::recursive_mutex> lock(mutex);
    if (graph) {
      graph->operations.push_back(std::move(operation));
      ++graph->streams[this].first;
      return;
    }
    queue.push_back(std::move(operation));
    ++queued;
  }
  /// Runs what was queued first, so much of it.
  void run(int64_t wanted) {
    std::lock_guard<std::recursive_mutex> lock(mutex);
    while (done < wanted && !hangs) {
      std::function<void()> operation = std::move(queue.front());
      queue.pop_front();
      operation();
      done += !hangs;
    }
  }
  void runAll() { run(queued); }
};
typedef SimulatedStream *cudaStream_t;

template <typename Kernel> struct Launch {
  Kernel *kernel;
  unsigned blocks, threads;
  cudaStream_t stream;
  template <typename... Arguments> void operator()(Arguments... arguments) {
    auto run = [kernel = kernel, blocks = blocks, threads = threads,
                arguments...] {
      gridDim = {blocks, 1, 1};
      blockDim = {threads, 1, 1};
      const std::function<void()> body = [&] { kernel(arguments...); };
      for (unsigned block = 0; block < blocks; ++block) {
        blockIdx = {block, 0, 0};
        simulatedBlock.run(body);
      }
    };
    stream->push(run);
  }
};
template <typename Kernel>
Launch<Kernel> simulateLaunch(Kernel *kernel, int64_t blocks, int64_t threads,
                              cudaStream_t stream) {
  return {kernel, unsigned(blocks), unsigned(threads), stream};
}
#define TPRT_LAUNCH(kernel, blocks, threads, stream)                           \
  simulateLaunch(kernel, blocks, threads, stream)

inline int atomicCAS(int *address, int compare, int value) {
  int old = *address;
  if (old == compare)
    *address = value;
  return old;
}
inline float rsqrt(float x) { return 1 / std::sqrt(x); }
inline double rsqrt(double x) { return 1 / std::sqrt(x); }

typedef enum {
  cudaSuccess = 0,
  cudaErrorInvalidValue = 1,
  cudaErrorMemoryAllocation = 2,
  cudaErrorInsufficientDriver = 35,
  cudaErrorNoDevice = 100,
  cudaErrorInvalidDevice = 101,
  cudaErrorNotReady = 600
} cudaError_t;
enum {
  cudaStreamNonBlocking,
  cudaEventDisableTiming,
  cudaHostAllocDefault,
  cudaHostAllocMapped
};
typedef enum {
  cudaMemcpyHostToDevice,
  cudaMemcpyDeviceToHost,
  cudaMemcpyDeviceToDevice
} cudaMemcpyKind;
inline const char *cudaGetErrorString(cudaError_t error) {
  return error == cudaErrorInvalidDevice ? "simulated: the wrong device"
         : error == cudaErrorNoDevice    ? "no CUDA-capable device is detected"
                                         : "simulated";
}
/// SIMULATED_FAILURE=n: the n-th launch of a program fails.
inline cudaError_t cudaGetLastError() {
  static std::atomic<int> launches{0};
  const char *text = std::getenv("SIMULATED_FAILURE");
  return text && ++launches == std::atoi(text) ? cudaErrorInvalidValue
                                               : cudaSuccess;
}

//===----------------------------------------------------------------------===//
// Devices
//===----------------------------------------------------------------------===//

struct cudaDeviceProp {
  char name[256];
};
inline thread_local int simulatedDevice = 0;

inline cudaError_t cudaGetDeviceCount(int *count) {
  const char *text = std::getenv("SIMULATED_GPUS");
  *count = text ? std::atoi(text) : 1;
  return *count ? cudaSuccess : cudaErrorNoDevice;
}
inline cudaError_t cudaSetDevice(int device) {
  int count;
  cudaGetDeviceCount(&count);
  if (device < 0 || device >= count)
    return cudaErrorInvalidDevice;
  simulatedDevice = device;
  return cudaSuccess;
}
inline cudaError_t cudaDriverGetVersion(int *version) {
  *version = CUDART_VERSION;
  return cudaSuccess;
}
inline cudaError_t cudaRuntimeGetVersion(int *version) {
  return cudaDriverGetVersion(version);
}
inline cudaError_t cudaGetDeviceProperties(cudaDeviceProp *properties, int) {
  std::snprintf(properties->name, sizeof properties->name, "simulated GPU");
  return cudaSuccess;
}

//===----------------------------------------------------------------------===//
// Streams and events
//===----------------------------------------------------------------------===//

struct SimulatedEvent {
  cudaStream_t stream = nullptr;
  int64_t position = 0;
  SimulatedGraph *graph = nullptr;
  int64_t cost = 0;
};
typedef SimulatedEvent *cudaEvent_t;

inline cudaError_t cudaStreamCreateWithFlags(cudaStream_t *stream, unsigned) {
  *stream = new SimulatedStream;
  (*stream)->device = simulatedDevice;
  return cudaSuccess;
}
inline cudaError_t cudaEventCreateWithFlags(cudaEvent_t *event, unsigned) {
  *event = new SimulatedEvent;
  return cudaSuccess;
}
inline cudaError_t cudaEventCreate(cudaEvent_t *event) {
  return cudaEventCreateWithFlags(event, 0);
}
/// Products take what the simulated cuBLASLt says; all else more than any of
/// them if SIMULATED_FASTEST says which is the fastest, or less.
inline cudaError_t cudaEventElapsedTime(float *milliseconds, cudaEvent_t begin,
                                        cudaEvent_t end) {
  const int64_t cost = end->cost - begin->cost;
  const float others = std::getenv("SIMULATED_FASTEST") ? 1000 : 1;
  *milliseconds = cost > 0 ? float(cost) : others;
  return cudaSuccess;
}
inline cudaError_t cudaStreamSynchronize(cudaStream_t stream) {
  stream->runAll();
  return cudaSuccess;
}
/// Not at the first question: whoever asks must ask again.
inline cudaError_t cudaStreamQuery(cudaStream_t stream) {
  stream->asked = !stream->asked;
  if (stream->asked)
    return cudaErrorNotReady;
  stream->runAll();
  return stream->hangs ? cudaErrorNotReady : cudaSuccess;
}
inline cudaError_t cudaEventRecord(cudaEvent_t event, cudaStream_t stream) {
  std::lock_guard<std::recursive_mutex> lock(stream->mutex);
  if (stream->graph)
    *event = {stream, stream->graph->streams[stream].first, stream->graph, 0};
  else
    *event = {stream, stream->queued, nullptr, stream->cost};
  return cudaSuccess;
}
inline cudaError_t cudaEventSynchronize(cudaEvent_t event) {
  if (event->stream)
    event->stream->run(event->position);
  return cudaSuccess;
}
/// Does not let anything run.
inline cudaError_t cudaEventQuery(cudaEvent_t event) {
  if (!event->stream)
    return cudaSuccess;
  std::lock_guard<std::recursive_mutex> lock(event->stream->mutex);
  return event->stream->done < event->position ? cudaErrorNotReady
                                               : cudaSuccess;
}
inline cudaError_t cudaStreamWaitEvent(cudaStream_t stream, cudaEvent_t event) {
  std::lock_guard<std::recursive_mutex> lock(stream->mutex);
  if (SimulatedGraph *graph = event->graph) {
    stream->graph = graph;
    if (stream == graph->origin)
      graph->streams[event->stream].second = event->position;
  } else if (SimulatedEvent now = *event; now.stream)
    stream->push([now, stream] {
      now.stream->run(now.position);
      stream->hangs |= now.stream->done < now.position;
    });
  return cudaSuccess;
}
/// The plugin asks for this when nothing is queued any more.
inline cudaError_t cudaDeviceSynchronize() { return cudaSuccess; }
inline cudaError_t cudaStreamDestroy(cudaStream_t stream) {
  delete stream;
  return cudaSuccess;
}
inline cudaError_t cudaEventDestroy(cudaEvent_t event) {
  delete event;
  return cudaSuccess;
}

//===----------------------------------------------------------------------===//
// Graphs
//===----------------------------------------------------------------------===//

typedef SimulatedGraph *cudaGraph_t;
typedef SimulatedGraph *cudaGraphExec_t;
enum { cudaStreamCaptureModeThreadLocal };

inline cudaError_t cudaStreamBeginCapture(cudaStream_t stream, int) {
  stream->graph = new SimulatedGraph;
  stream->graph->origin = stream;
  return cudaSuccess;
}
/// All streams must have come back to the first one.
inline cudaError_t cudaStreamEndCapture(cudaStream_t stream,
                                        cudaGraph_t *graph) {
  *graph = stream->graph;
  bool joined = true;
  stream->graph = nullptr;
  for (auto &[other, counts] : (*graph)->streams) {
    joined &= other == stream || counts.first == counts.second;
    other->graph = nullptr;
  }
  return joined ? cudaSuccess : cudaErrorInvalidValue;
}
inline cudaError_t cudaGraphInstantiateWithFlags(cudaGraphExec_t *launch,
                                                 cudaGraph_t graph, int) {
  *launch = new SimulatedGraph(*graph);
  return cudaSuccess;
}
inline cudaError_t cudaGraphLaunch(cudaGraphExec_t launch,
                                   cudaStream_t stream) {
  std::fprintf(stderr, "simulated: a graph of %zu operations\n",
               launch->operations.size());
  stream->push([launch] {
    for (const auto &operation : launch->operations)
      operation();
  });
  return cudaSuccess;
}
inline cudaError_t cudaGraphDestroy(cudaGraph_t graph) {
  delete graph;
  return cudaSuccess;
}
inline cudaError_t cudaGraphExecDestroy(cudaGraphExec_t launch) {
  delete launch;
  return cudaSuccess;
}

//===----------------------------------------------------------------------===//
// Memory
//===----------------------------------------------------------------------===//

/// Full of NaN.
template <typename T> cudaError_t cudaMalloc(T **pointer, size_t bytes) {
  *pointer = static_cast<T *>(std::malloc(bytes));
  if (!*pointer)
    return cudaErrorMemoryAllocation;
  std::memset(static_cast<void *>(*pointer), 0xff, bytes);
  return cudaSuccess;
}
/// SIMULATED_HOST_LOG=1 tells of it.
inline cudaError_t cudaHostAlloc(void **pointer, size_t bytes, unsigned) {
  if (std::getenv("SIMULATED_HOST_LOG"))
    std::fprintf(stderr, "simulated: %zu bytes pinned\n", bytes);
  return cudaMalloc(pointer, bytes);
}
template <typename T> cudaError_t cudaMallocManaged(T **pointer, size_t bytes) {
  return cudaMalloc(pointer, bytes);
}
inline cudaError_t cudaMemset(void *to, int byte, size_t bytes) {
  std::memset(to, byte, bytes);
  return cudaSuccess;
}
inline cudaError_t cudaFree(void *pointer) {
  std::free(pointer);
  return cudaSuccess;
}
inline cudaError_t cudaFreeHost(void *pointer) { return cudaFree(pointer); }
inline cudaError_t cudaMemGetInfo(size_t *free, size_t *total) {
  *free = *total = size_t(1) << 31;
  return cudaSuccess;
}
inline cudaError_t cudaMemcpyAsync(void *to, const void *from, size_t bytes,
                                   cudaMemcpyKind, cudaStream_t stream) {
  if (stream->device != simulatedDevice)
    return cudaErrorInvalidDevice;
  stream->push([=] { std::memcpy(to, from, bytes); });
  return cudaSuccess;
}
inline cudaError_t cudaMemsetAsync(void *to, int byte, size_t bytes,
                                   cudaStream_t stream) {
  if (stream->device != simulatedDevice)
    return cudaErrorInvalidDevice;
  stream->push([=] { std::memset(to, byte, bytes); });
  return cudaSuccess;
}

#endif // SIMULATION_CUDA_RUNTIME_H
