//===- RunState.cpp - whether the run still goes well on all ranks -------===//
//
// Part of tp-mlir, under the Apache License v2.0.
//
//===----------------------------------------------------------------------===//

#include "RunState.h"

using namespace tprt;

void RunState::fail(tprt_status status, const std::string &message) noexcept {
  {
    std::lock_guard<std::mutex> lock(mutex);
    if (failure.load(std::memory_order_relaxed))
      return;
    firstStatus = status;
    try {
      firstMessage = message;
    } catch (...) {
      firstMessage.clear(); // out of memory; the status says so
    }
    failure.store(true, std::memory_order_release);
  }
  if (wake)
    wake();
}

Error RunState::error() const {
  std::lock_guard<std::mutex> lock(mutex);
  return Error(firstStatus, firstMessage);
}

void RunState::reset() {
  std::lock_guard<std::mutex> lock(mutex);
  firstStatus = TPRT_OK;
  firstMessage.clear();
  failure.store(false, std::memory_order_release);
}
