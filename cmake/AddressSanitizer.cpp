//===- AddressSanitizer.cpp - its options in every program ----------------===//
//
// Part of tp-mlir, under the Apache License v2.0.
//
//===----------------------------------------------------------------------===//

/// The sanitizer asks for this by its name. LLVM's allocators, inlined into our
/// instrumented code, poison memory that libLLVM and libMLIR, which are not
/// instrumented, do not unpoison. ASAN_OPTIONS of the environment come after.
extern "C" __attribute__((used, visibility("default"))) const char *
__asan_default_options() {
  return "allow_user_poisoning=0";
}
