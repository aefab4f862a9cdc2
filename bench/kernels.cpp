//===- kernels.cpp - how long each kernel of a process takes --------------===//
//
// Part of tp-mlir, under the Apache License v2.0.
//
//===----------------------------------------------------------------------===//
//
// A library that CUDA's driver loads into a process that it runs:
//
//   CUDA_INJECTION64_PATH=libkernel-times.so TPRT_KERNEL_TIMES=FILE PROGRAM...
//
// When the process ends, FILE has a line for each kernel, in the order in which
// they were first launched: launches, nanoseconds of the fastest and of all,
// and the name. The times are the GPU's own, by CUPTI, of CUDA's toolkit. What
// is wrong goes to the standard error, and does not concern the process.
//
//===----------------------------------------------------------------------===//

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cupti.h>
#include <map>
#include <mutex>
#include <string>
#include <vector>

#include <algorithm>

namespace {

struct Times {
  uint64_t launches = 0, least = UINT64_MAX, all = 0;
};

/// CUPTI calls back from threads of its own, and until the very end.
struct Table {
  std::mutex mutex;
  std::map<std::string, Times> kernels;
  std::vector<std::string> order;

  void add(const char *name, uint64_t taken) {
    std::lock_guard<std::mutex> lock(mutex);
    Times &times = kernels[name];
    if (times.launches++ == 0)
      order.push_back(name);
    times.least = std::min(times.least, taken);
    times.all += taken;
  }
};

} // namespace

static Table &table() {
  static Table *const table = new Table; // for the last to come
  return *table;
}

static bool check(CUptiResult status, const char *call) {
  if (status == CUPTI_SUCCESS)
    return true;
  const char *reason = nullptr;
  cuptiGetResultString(status, &reason);
  std::fprintf(stderr, "kernel times: %s: %s\n", call, reason ? reason : "?");
  return false;
}
#define TPRT_CHECK_CUPTI(call) check((call), #call)

static constexpr size_t kBufferBytes = 8 << 20;

static void CUPTIAPI giveBuffer(uint8_t **buffer, size_t *bytes,
                                size_t *mostRecords) {
  *buffer = static_cast<uint8_t *>(std::aligned_alloc(64, kBufferBytes));
  *bytes = *buffer ? kBufferBytes : 0;
  *mostRecords = 0;
}

static void CUPTIAPI readBuffer(CUcontext, uint32_t, uint8_t *buffer, size_t,
                                size_t valid) {
  CUpti_Activity *record = nullptr;
  while (valid > 0 &&
         cuptiActivityGetNextRecord(buffer, valid, &record) == CUPTI_SUCCESS) {
    if (record->kind != CUPTI_ACTIVITY_KIND_CONCURRENT_KERNEL)
      continue;
    // The kind of the record that these headers have, the newest one.
    const auto *kernel =
        reinterpret_cast<const CUpti_ActivityKernel10 *>(record);
    if (kernel->name && kernel->end > kernel->start)
      table().add(kernel->name, kernel->end - kernel->start);
  }
  std::free(buffer);
}

static void writeTable() {
  TPRT_CHECK_CUPTI(cuptiActivityFlushAll(1));
  const char *path = std::getenv("TPRT_KERNEL_TIMES");
  FILE *file = path ? std::fopen(path, "w") : nullptr;
  if (!file) {
    std::fprintf(stderr, "kernel times: cannot write TPRT_KERNEL_TIMES\n");
    return;
  }
  std::lock_guard<std::mutex> lock(table().mutex);
  for (const std::string &name : table().order) {
    const Times &times = table().kernels[name];
    std::fprintf(file, "%llu %llu %llu %s\n",
                 static_cast<unsigned long long>(times.launches),
                 static_cast<unsigned long long>(times.least),
                 static_cast<unsigned long long>(times.all), name.c_str());
  }
  if (std::fclose(file) != 0)
    std::fprintf(stderr, "kernel times: cannot write TPRT_KERNEL_TIMES\n");
}

/// What the driver calls when it is initialised.
extern "C" __attribute__((visibility("default"))) int InitializeInjection() {
  if (TPRT_CHECK_CUPTI(
          cuptiActivityRegisterCallbacks(giveBuffer, readBuffer)) &&
      TPRT_CHECK_CUPTI(
          cuptiActivityEnable(CUPTI_ACTIVITY_KIND_CONCURRENT_KERNEL)))
    std::atexit(writeTable);
  return 1;
}
