//===- FuzzCheckpoint.h - what is done with a fuzzed checkpoint -*- C++ -*-===//
//
// Part of tp-mlir, under the Apache License v2.0.
//
//===----------------------------------------------------------------------===//

#ifndef TP_TEST_FUZZ_FUZZCHECKPOINT_H
#define TP_TEST_FUZZ_FUZZCHECKPOINT_H

#include "checkpoint/Checkpoint.h"

namespace tprt::fuzz {

/// Opens the input; if that succeeds, asks for everything that a checkpoint can
/// be asked for: its key-values as every type, its checksum, and of each tensor
/// some views, sensible and wild, in every dtype. The views follow from the
/// input alone. Aborts if a failure has no message.
void exercise(Checkpoint::Format format, const uint8_t *data, size_t size);

} // namespace tprt::fuzz

#endif // TP_TEST_FUZZ_FUZZCHECKPOINT_H
