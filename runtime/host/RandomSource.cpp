//===- RandomSource.cpp - random parameters ------------------------------===//
//
// Part of tp-mlir, under the Apache License v2.0.
//
//===----------------------------------------------------------------------===//

#include "Numeric.h"
#include "Parameters.h"

#include <algorithm>
#include <system_error>
#include <thread>

using namespace tprt;

static constexpr double deviation = 0.02;

//===----------------------------------------------------------------------===//
// Numbers
//===----------------------------------------------------------------------===//

/// The finaliser of splitmix64: every bit of the input reaches every bit of the
/// result.
static uint64_t scramble(uint64_t x) {
  x ^= x >> 30;
  x *= 0xbf58476d1ce4e5b9u;
  x ^= x >> 27;
  x *= 0x94d049bb133111ebu;
  return x ^ (x >> 31);
}

/// What all elements of a stored tensor share.
static uint64_t streamKey(uint64_t seed, const std::string &tensor) {
  uint64_t hash = 0xcbf29ce484222325u;
  for (unsigned char c : tensor)
    hash = (hash ^ c) * 0x100000001b3u;
  return scramble(scramble(seed + 0x9e3779b97f4a7c15u) ^ hash);
}

/// The sum of twelve uniform numbers has variance 1 and is nearly normal;
/// unlike logarithms and cosines it is exact, so that it is the same
/// everywhere.
static double normalAt(uint64_t key, uint64_t index) {
  int64_t sum = 0;
  for (uint64_t i = 0; i < 3; ++i) {
    uint64_t bits = scramble(key + (3 * index + i + 1) * 0x9e3779b97f4a7c15u);
    for (int shift = 0; shift < 64; shift += 16)
      sum += int64_t((bits >> shift) & 0xffff);
  }
  return double(2 * sum - 12 * 65535) / (2 * 65536.0);
}

double tprt::randomNormal(uint64_t seed, const std::string &tensor,
                          int64_t index) {
  return normalAt(streamKey(seed, tensor), uint64_t(index));
}

//===----------------------------------------------------------------------===//
// Blocks
//===----------------------------------------------------------------------===//

namespace {

/// A walk over one block that knows each element's index in the stored tensor.
struct Walk {
  const Block &block;
  std::vector<int64_t> strides; ///< of the block's dims in the stored tensor
  int64_t first;                ///< index of the block's first element
  size_t outer = 0; ///< the first dim of more than one element, if any

  Walk(const Argument &argument, const Block &block)
      : block(block), strides(block.size()), first(0) {
    const Origin &origin = argument.origin;
    std::vector<int64_t> stored(origin.shape.size());
    int64_t stride = 1;
    for (size_t d = stored.size(); d-- > 0; stride *= origin.shape[d]) {
      stored[d] = stride;
      first += origin.offset[d] * stride;
    }
    for (size_t k = 0; k < block.size(); ++k) {
      if (block[k].size == 1)
        continue; // the stride means nothing and may be anything
      strides[k] = origin.terms[k].stride * stored[origin.terms[k].dim];
      first += block[k].start * strides[k];
    }
    while (outer + 1 < block.size() && block[outer].valid() == 1)
      ++outer;
  }

  /// Of the outer dim.
  int64_t size() const { return block.empty() ? 1 : block[outer].valid(); }

  /// Calls body(position in the block, index in the stored tensor) for every
  /// element of [begin, end) of the outer dim that is not padding.
  template <typename Body>
  void forEach(int64_t begin, int64_t end, const Body &body) const {
    visit(0, 0, first, begin, end, body);
  }

private:
  template <typename Body>
  void visit(size_t dim, int64_t position, int64_t index, int64_t begin,
             int64_t end, const Body &body) const {
    if (dim == block.size())
      return body(position, index);
    const int64_t from = dim == outer ? begin : 0;
    const int64_t to = dim == outer ? end : block[dim].valid();
    for (int64_t i = from; i < to; ++i)
      visit(dim + 1, position * block[dim].extent + i, index + i * strides[dim],
            begin, end, body);
  }
};

/// Calls body(begin, end) for parts of [0, size), on threads if there are many
/// elements: a model of billions takes minutes on one. No part may throw.
template <typename Body>
void inParts(int64_t size, int64_t elements, const Body &body) {
  constexpr int64_t kLeast = 1 << 16, kMost = 16;
  const int64_t parts = std::clamp<int64_t>(
      std::min({size, elements / kLeast, kMost,
                int64_t(std::thread::hardware_concurrency())}),
      1, size);
  std::vector<std::thread> threads;
  threads.reserve(size_t(parts));
  int64_t done = 0; // by threads
  for (int64_t part = 0; part + 1 < parts; ++part) {
    const int64_t end = size * (part + 1) / parts;
    try {
      threads.emplace_back([&body, done, end] { body(done, end); });
    } catch (const std::system_error &) {
      break; // there are no more threads: what is left is done here
    }
    done = end;
  }
  body(done, size);
  for (std::thread &thread : threads)
    thread.join();
}

class RandomSource : public ParameterSource {
public:
  explicit RandomSource(uint64_t seed) : seed(seed) {}

  void check(const Argument &argument) const override {
    if (argument.initialisation == Initialisation::Normal &&
        !isFloat(argument.dtype))
      raise(TPRT_UNSUPPORTED, "random values of dtype ",
            dtypeName(argument.dtype));
    if (isStored(argument.stored) && storedInfo(argument.stored).elements > 1)
      raise(TPRT_UNSUPPORTED,
            "random values of a weight that the program keeps as ",
            storedInfo(argument.stored).name,
            ", as it was stored; import the model with --dequantise");
  }

  std::string identity() const override { return join("random ", seed); }

  void fill(const Argument &argument, const Block &block,
            void *target) const override {
    const tprt_dtype dtype = argument.stored == TPRT_STORED_BF16 ? TPRT_BF16
                             : argument.stored == TPRT_STORED_F16
                                 ? TPRT_F16
                                 : argument.dtype;
    std::memset(target, 0, size_t(elementsOf(block) * elementBytes(dtype)));
    for (const BlockDim &dim : block)
      if (dim.valid() == 0)
        return; // nothing but padding
    Walk walk(argument, block);
    const uint64_t key = streamKey(seed, argument.origin.tensor);
    const bool ones = argument.initialisation == Initialisation::Ones;
    dispatchAny(dtype, "random values", [&](auto tag) {
      using T = typename decltype(tag)::Type;
      T *to = static_cast<T *>(target);
      inParts(walk.size(), elementsOf(block), [&](int64_t begin, int64_t end) {
        walk.forEach(begin, end, [&](int64_t position, int64_t index) {
          const double value =
              ones ? 1.0 : deviation * normalAt(key, uint64_t(index));
          to[position] = fromDouble<T>(value);
        });
      });
    });
  }

private:
  const uint64_t seed;
};

} // namespace

std::unique_ptr<ParameterSource> tprt::makeRandomSource(uint64_t seed) {
  return std::make_unique<RandomSource>(seed);
}
