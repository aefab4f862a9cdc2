//===- Replay.cpp - runs a fuzz target on stored inputs -------------------===//
//
// Part of tp-mlir, under the Apache License v2.0.
//
//===----------------------------------------------------------------------===//
//
// The arguments are files and directories of files. In place of libFuzzer's
// main, so that every compiler and every build can replay the corpus.
//
//===----------------------------------------------------------------------===//

#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <vector>

extern "C" int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static bool replay(const std::filesystem::path &path) {
  std::ifstream stream(path, std::ios::binary);
  // Of the exact size, so that a sanitizer sees a read beyond it.
  std::vector<uint8_t> input{std::istreambuf_iterator<char>(stream), {}};
  if (!stream) {
    std::fprintf(stderr, "%s: cannot read\n", path.c_str());
    return false;
  }
  std::printf("%s\n", path.c_str());
  std::fflush(stdout);
  LLVMFuzzerTestOneInput(input.data(), input.size());
  return true;
}

/// The files that an argument stands for, in a fixed order.
static std::vector<std::filesystem::path> filesOf(const char *argument) {
  if (!std::filesystem::is_directory(argument))
    return {argument};
  std::vector<std::filesystem::path> result;
  for (const auto &entry : std::filesystem::directory_iterator(argument))
    result.push_back(entry.path());
  std::sort(result.begin(), result.end());
  return result;
}

int main(int argc, char **argv) {
  size_t count = 0;
  for (int i = 1; i < argc; ++i)
    for (const std::filesystem::path &path : filesOf(argv[i])) {
      if (!replay(path))
        return 1;
      ++count;
    }
  std::printf("%zu inputs\n", count);
  // Nothing replayed is a mistake in the call.
  return count == 0;
}
