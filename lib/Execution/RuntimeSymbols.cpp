//===- RuntimeSymbols.cpp - the runtime's functions by name ---------------===//
//
// Part of tp-mlir, under the Apache License v2.0.
//
//===----------------------------------------------------------------------===//

#include "RuntimeSymbols.h"
#include "tprt/tprt.h"

llvm::ArrayRef<std::pair<const char *, void *>> mlir::tp::getRuntimeSymbols() {
  // By address, so that a program never depends on what the dynamic linker
  // happens to see.
  static const std::pair<const char *, void *> symbols[] = {
      {"tprt_contract", reinterpret_cast<void *>(&tprt_contract)},
      {"tprt_attention", reinterpret_cast<void *>(&tprt_attention)},
      {"tprt_rotary", reinterpret_cast<void *>(&tprt_rotary)},
      {"tprt_embedding", reinterpret_cast<void *>(&tprt_embedding)},
      {"tprt_embedding_gradient",
       reinterpret_cast<void *>(&tprt_embedding_gradient)},
      {"tprt_top_k", reinterpret_cast<void *>(&tprt_top_k)},
      {"tprt_cache_update", reinterpret_cast<void *>(&tprt_cache_update)},
      {"tprt_take", reinterpret_cast<void *>(&tprt_take)},
      {"tprt_copy", reinterpret_cast<void *>(&tprt_copy)},
      {"tprt_mask", reinterpret_cast<void *>(&tprt_mask)},
      {"tprt_make_partial", reinterpret_cast<void *>(&tprt_make_partial)},
      {"tprt_collective", reinterpret_cast<void *>(&tprt_collective)},
      {"tprt_coordinate", reinterpret_cast<void *>(&tprt_coordinate)},
      {"tprt_mark", reinterpret_cast<void *>(&tprt_mark)}};
  return symbols;
}
