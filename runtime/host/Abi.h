//===- Abi.h - the C ABI, with its functions exported --------------------===//
//
// Part of tp-mlir, under the Apache License v2.0.
//
//===----------------------------------------------------------------------===//
//
// The library is built with hidden visibility; what tprt.h declares is all that
// it shows. Sources of the library include this instead of tprt.h.
//
//===----------------------------------------------------------------------===//

#ifndef TPRT_HOST_ABI_H
#define TPRT_HOST_ABI_H

#pragma GCC visibility push(default)
#include "tprt/tprt.h"
#pragma GCC visibility pop

#endif // TPRT_HOST_ABI_H
