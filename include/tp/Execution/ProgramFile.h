//===- ProgramFile.h - programs compiled ahead of time ----------*- C++ -*-===//
//
// Part of tp-mlir, under the Apache License v2.0.
//
//===----------------------------------------------------------------------===//

#ifndef TP_EXECUTION_PROGRAMFILE_H
#define TP_EXECUTION_PROGRAMFILE_H

#include "tp/Conversion/Passes.h"
#include <string>

namespace mlir::tp {

struct ProgramFileOptions {
  /// The CPU to compile for and changes to what it has, by clang's names:
  /// "native" or "x86-64-v3", and "+avx2,-fma".
  std::string cpu = "native", features;
  /// How hard kernels are optimised, 0 to 3. Entries only call and never are.
  unsigned optimisation = 3;
  /// A C compiler to link with, a name or a path; empty looks for one.
  std::string linker;
  /// Whether the program can give a timeline of its runs.
  Marks marks = Marks::None;
};

/// Compiles a local program, or one at the runtime level, to a shared object
/// that tprt_program_open takes: the machine code that a JitProgram would have,
/// its manifest, and a table of both (tprt_program_table). The file needs the
/// runtime library and the C library, no more. Equal modules and options give
/// equal bytes. `manifest`, if not null, is given a copy. Fails with
/// diagnostics on the ops at fault or on the module: no such CPU, no linker, a
/// file that cannot be written.
LogicalResult writeProgramFile(ModuleOp module, StringRef path,
                               const ProgramFileOptions &options = {},
                               std::string *manifest = nullptr);

struct CudaProgramOptions {
  std::string chip = "sm_90"; ///< sm_80, sm_90, sm_90a or sm_100
  /// An nvcc, a name or a path; empty looks for one.
  std::string nvcc;
};

/// What went into a program.
struct CudaProgramText {
  std::string manifest, source;
};

/// The same for GPUs: what --tp-emit-cuda prints of the module, compiled by
/// nvcc. The file needs nothing but the C++ library and, at run time, the
/// runtime's plugin for CUDA. Fails with diagnostics on the ops at fault or on
/// the module: no such chip, no nvcc, or what nvcc says first.
LogicalResult writeCudaProgramFile(ModuleOp module, StringRef path,
                                   const CudaProgramOptions &options = {},
                                   CudaProgramText *written = nullptr);

} // namespace mlir::tp

#endif // TP_EXECUTION_PROGRAMFILE_H
