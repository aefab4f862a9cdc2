//===- cuda.h - what emitted CUDA programs are compiled against -----------===//
//
// Part of tp-mlir, under the Apache License v2.0.
//
//===----------------------------------------------------------------------===//
//
// `tp-opt --tp-emit-cuda` writes a program as CUDA source that includes this
// header and nothing else of the project. It is all inline; a program links the
// CUDA runtime, and asks its host, the plugin in runtime/cuda, for products and
// collectives. Its parts:
//
//  * cuda/Vector.h: the elements that a thread works on at a time;
//  * cuda/Reduce.h: reductions over lanes and over a block;
//  * cuda/Rank.h: what a program and its host know of one another: the streams
//    of a rank, products and collectives, and how a call that fails ends a run;
//  * cuda/Kernels.h, cuda/Attention.h (with Softmax.h and AttentionTiles.h): the
//    functions of tprt.h's program API, with the same descriptors.
//
// Not yet measured: no part of this has run on a GPU. It is tested by compiling
// programs and plugin for a CPU (test/Cuda).
//
//===----------------------------------------------------------------------===//

#ifndef TPRT_CUDA_H
#define TPRT_CUDA_H

#include "tprt/cuda/Attention.h"
#include "tprt/cuda/Kernels.h"
#include "tprt/cuda/Rank.h"
#include "tprt/cuda/Reduce.h"
#include "tprt/cuda/Vector.h"

#endif // TPRT_CUDA_H
