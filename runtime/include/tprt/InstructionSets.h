//===- InstructionSets.h - what compiled code may need of a CPU -----------===//
//
// Part of tp-mlir, under the Apache License v2.0.
//
//===----------------------------------------------------------------------===//
//
// For C++ on both sides of the interface: the instruction sets, by LLVM's
// names, that a program compiled ahead of time may use beyond the baseline of
// its architecture. The compiler uses no other, so that the runtime can look
// for every one before it runs a program. GCC and Clang know these names.
//
//===----------------------------------------------------------------------===//

#ifndef TPRT_INSTRUCTIONSETS_H
#define TPRT_INSTRUCTIONSETS_H

#define TPRT_X86_INSTRUCTION_SETS(X)                                           \
  X("sse3")                                                                    \
  X("ssse3")                                                                   \
  X("sse4.1")                                                                  \
  X("sse4.2")                                                                  \
  X("sse4a")                                                                   \
  X("popcnt")                                                                  \
  X("avx")                                                                     \
  X("avx2")                                                                    \
  X("fma")                                                                     \
  X("fma4")                                                                    \
  X("xop")                                                                     \
  X("tbm")                                                                     \
  X("f16c")                                                                    \
  X("bmi")                                                                     \
  X("bmi2")                                                                    \
  X("lzcnt")                                                                   \
  X("movbe")                                                                   \
  X("adx")                                                                     \
  X("aes")                                                                     \
  X("vaes")                                                                    \
  X("pclmul")                                                                  \
  X("vpclmulqdq")                                                              \
  X("gfni")                                                                    \
  X("sha")                                                                     \
  X("avx512f")                                                                 \
  X("avx512bw")                                                                \
  X("avx512cd")                                                                \
  X("avx512dq")                                                                \
  X("avx512vl")                                                                \
  X("avx512ifma")                                                              \
  X("avx512vbmi")                                                              \
  X("avx512vbmi2")                                                             \
  X("avx512vnni")                                                              \
  X("avx512bitalg")                                                            \
  X("avx512vpopcntdq")                                                         \
  X("avx512bf16")                                                              \
  X("avx512fp16")                                                              \
  X("avxvnni")

#endif // TPRT_INSTRUCTIONSETS_H
