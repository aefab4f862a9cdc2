//===- FuzzCheckpoint.cpp - what is done with a fuzzed checkpoint ---------===//
//
// Part of tp-mlir, under the Apache License v2.0.
//
//===----------------------------------------------------------------------===//

#include "FuzzCheckpoint.h"

#include <algorithm>
#include <cstdlib>
#include <random>

using namespace tprt;

/// Bounds that keep one input fast; they hide no code.
static constexpr size_t maxTensors = 12;
static constexpr int64_t maxElements = 1 << 14;

static bool succeeded(const Status &status) {
  if (status.ok() != status.message.empty())
    std::abort();
  return status.ok();
}

namespace {
class Exercise {
public:
  Exercise(const Checkpoint &checkpoint, uint32_t seed)
      : checkpoint(checkpoint), random(seed) {}

  void readMetadata();
  void readTensor(const TensorInfo &info);

private:
  int64_t pick(int64_t low, int64_t high) {
    return std::uniform_int_distribution<int64_t>(low, high)(random);
  }
  int64_t wildNumber();
  void sensibleView(const TensorInfo &info);
  void wildView(const TensorInfo &info);
  void read(const TensorInfo &info);

  const Checkpoint &checkpoint;
  std::minstd_rand random;
  std::vector<ViewDim> dims;
  std::vector<int64_t> offset;
};
} // namespace

void Exercise::readMetadata() {
  const Metadata &metadata = checkpoint.metadata();
  for (const auto &[key, value] : metadata.entries()) {
    int64_t integer = 0;
    double number = 0;
    bool flag = false;
    std::string text;
    std::vector<int64_t> integers;
    std::vector<double> numbers;
    std::vector<bool> flags;
    std::vector<std::string> texts;
    succeeded(metadata.getInt(key, integer));
    succeeded(metadata.getFloat(key, number));
    succeeded(metadata.getBool(key, flag));
    succeeded(metadata.getString(key, text));
    succeeded(metadata.getInts(key, integers));
    succeeded(metadata.getFloats(key, numbers));
    succeeded(metadata.getBools(key, flags));
    succeeded(metadata.getStrings(key, texts));
  }
}

/// Parts of stored dims: split, sliced, padded, in any order. All in bounds.
void Exercise::sensibleView(const TensorInfo &info) {
  dims.clear();
  offset.clear();
  for (size_t d = 0; d < info.shape.size(); ++d) {
    int dim = static_cast<int>(d);
    int64_t size = info.shape[d], first = 0;
    if (size > 0 && pick(0, 3) == 0)
      first = pick(0, size - 1);
    offset.push_back(first);
    int64_t inner = pick(1, 64);
    if (pick(0, 1) && inner <= size - first) {
      dims.push_back({dim, inner, (size - first) / inner, 0, 0});
      dims.push_back({dim, 1, inner, 0, 0});
    } else {
      dims.push_back({dim, 1, size - first, 0, 0});
    }
  }
  int64_t room = maxElements;
  std::shuffle(dims.begin(), dims.end(), random);
  for (ViewDim &dim : dims) {
    dim.extent = std::min({dim.size + pick(0, 1), pick(1, 200), room});
    room /= std::max<int64_t>(1, dim.extent);
    dim.start = pick(0, std::max<int64_t>(0, dim.size - dim.extent));
  }
  std::shuffle(dims.begin(), dims.end(), random);
}

int64_t Exercise::wildNumber() {
  static const int64_t numbers[] = {0,  1,         2,         31,
                                    32, INT64_MAX, INT64_MIN, int64_t(1) << 62,
                                    -1, -2,        1 << 20,   33};
  return pick(0, 1) ? pick(-3, 70) : numbers[pick(0, 11)];
}

void Exercise::wildView(const TensorInfo &info) {
  dims.clear();
  offset.assign(info.shape.size() + (pick(0, 9) ? 0 : 1), 0);
  for (int64_t &value : offset)
    value = pick(0, 2) ? 0 : wildNumber();
  for (int64_t count = pick(0, 4); count > 0; --count)
    dims.push_back(
        {static_cast<int>(pick(-1, static_cast<int64_t>(info.shape.size()))),
         wildNumber(), wildNumber(), wildNumber(), wildNumber()});
}

void Exercise::read(const TensorInfo &info) {
  auto dtype = static_cast<tprt_dtype>(pick(0, 6));
  // A view that is refused touches nothing, one that is accepted fills this.
  // One too large to be given its memory, if it should be accepted, is skipped.
  int64_t count = 1;
  bool overflow = false, zero = false;
  for (const ViewDim &dim : dims) {
    zero |= dim.extent <= 0;
    overflow |=
        __builtin_mul_overflow(count, std::max<int64_t>(1, dim.extent), &count);
  }
  if (!overflow && count > maxElements)
    return;
  // Exactly the size that is needed, so that a write beyond it is seen.
  static const int64_t bytes[] = {4, 8, 2, 2, 4, 8, 0};
  std::vector<uint8_t> storage(zero || overflow ? 0 : count * bytes[dtype]);
  if (succeeded(checkpoint.read(info, dims, offset, dtype, storage.data())) &&
      overflow && !zero)
    std::abort();
}

void Exercise::readTensor(const TensorInfo &info) {
  for (int i = 0; i < 4; ++i) {
    sensibleView(info);
    read(info);
    wildView(info);
    read(info);
  }
}

void fuzz::exercise(Checkpoint::Format format, const uint8_t *data,
                    size_t size) {
  std::unique_ptr<Checkpoint> checkpoint;
  if (!succeeded(
          Checkpoint::openBuffer(format, data, size, "input", checkpoint)))
    return;
  uint32_t seed = 1;
  for (size_t i = 0; i < size; i += 1 + size / 256)
    seed = seed * 31 + data[i];
  Exercise exercise(*checkpoint, seed);
  exercise.readMetadata();
  checkpoint->checksum();
  size_t left = maxTensors;
  for (const TensorInfo &info : checkpoint->tensors())
    if (left-- > 0)
      exercise.readTensor(info);
    else
      break;
}
