//===- fuzz-safetensors.cpp - fuzzing the safetensors reader --------------===//
//
// Part of tp-mlir, under the Apache License v2.0.
//
//===----------------------------------------------------------------------===//

#include "FuzzCheckpoint.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  tprt::fuzz::exercise(tprt::Checkpoint::Format::SafeTensors, data, size);
  return 0;
}
