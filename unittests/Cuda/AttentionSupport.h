//===- AttentionSupport.h - attention from its definition -----------------===//
//
// Part of tp-mlir, under the Apache License v2.0.
//
//===----------------------------------------------------------------------===//

#ifndef TPRT_UNITTESTS_CUDA_ATTENTIONSUPPORT_H
#define TPRT_UNITTESTS_CUDA_ATTENTIONSUPPORT_H

#include "Support.h"

#include <string>

namespace tprt_cuda::test {

/// Sizes of a call; all but the first few have a value that means nothing.
struct AttentionCase {
  int64_t queries, keys, kvHeads, groups, headDim;
  bool causal = true;
  int64_t batch = 1;
  int64_t unused = 0; ///< rows of keys and values after those that count
  int64_t window = 0;
  double scale = 0; ///< 0: 1 / sqrt(headDim), rounded
  double softCap = 0;
};

constexpr double inverseRoot(int64_t number) {
  double root = double(number);
  for (int i = 0; i < 40; ++i)
    root = (root + double(number) / root) / 2;
  return 1 / root;
}

template <typename T>
constexpr tprt_attention_desc withType(const AttentionCase &c) {
  return {TypeInfo<T>::dtype,
          c.batch,
          c.queries,
          c.keys,
          c.keys + c.unused,
          c.kvHeads,
          c.groups,
          c.headDim,
          c.causal,
          c.window,
          bitsOf(c.scale == 0 ? inverseRoot(c.headDim) : c.scale),
          bitsOf(c.softCap)};
}

/// What an element must be, and by how much it may differ: arithmetic in
/// numbers that round by `unit`, and a last rounding by `lastUnit`.
struct Expected {
  double value, bound;
};
std::vector<Expected> attentionOf(const tprt_attention_desc &desc,
                                  const std::vector<double> &q,
                                  const std::vector<double> &k,
                                  const std::vector<double> &v, int64_t first,
                                  double unit, double lastUnit);

/// "" or the first element that is something else.
std::string differenceOf(const tprt_attention_desc &desc,
                         const std::vector<double> &values,
                         const std::vector<Expected> &expected);

/// The tensors of a call, random, with a NaN in all rows of keys and values
/// that do not count.
template <typename T> class AttentionRun {
public:
  template <typename Call>
  explicit AttentionRun(Call /*call*/)
      : AttentionRun(Call::desc, Call::shift, &attention<Call, T>) {}

  int64_t queryElements() const {
    return desc.batch * desc.queries * desc.kv_heads * desc.groups *
           desc.head_dim;
  }
  /// Of an element of a key, or of a value.
  int64_t indexOf(int64_t batch, int64_t key, int64_t head,
                  int64_t element) const {
    return ((batch * desc.capacity + key) * desc.kv_heads + head) *
               desc.head_dim +
           element;
  }

  tprt_status queue(Rank *rank, const int32_t *offset, int64_t start,
                    T *out) const {
    return function(rank, q.data(), k.data(), v.data(), offset, start, out);
  }

  /// The result where the first query stands at `first`, of which `start` is
  /// not in the offset; without an offset if `start` is all of it. Memory that
  /// it gets is full of `byte`.
  std::vector<unsigned char> run(int64_t first, int64_t start,
                                 int byte = 0xff) const {
    TestRank rank;
    Bytes workspace(size_t(workspaceBytesOf(desc)), 0);
    Buffer<T> out(queryElements(), shift);
    workspace.fill(byte);
    out.bytes.fill(byte);
    rank.get()->workspace = workspace.data();
    const auto offset = int32_t(first - start);
    rank.finishWell(
        queue(rank.get(), offset == 0 ? nullptr : &offset, start, out.data()));
    EXPECT_TRUE(out.bytes.isUntouchedOutside(byte));
    EXPECT_TRUE(workspace.isUntouchedOutside(byte));
    return out.bytes.contents();
  }

  std::vector<Expected> expected(int64_t first) const {
    return attentionOf(desc, q.doubles(), k.doubles(), v.doubles(), first,
                       kUnit<Wide<T>>, kUnit<T>);
  }

  /// Holds the result against the definition.
  void check(int64_t first) const { checkBits(first, run(first, first)); }
  void checkBits(int64_t first, const std::vector<unsigned char> &bits) const {
    Buffer<T> out(queryElements());
    std::memcpy(static_cast<void *>(out.data()), bits.data(), bits.size());
    EXPECT_EQ(differenceOf(desc, out.doubles(), expected(first)), "")
        << "the first query stands at " << first;
  }

  /// With the first query at positions of interest: the last query sees all
  /// keys and no more, the first one about half of them, queries stand beyond
  /// the keys.
  void checkPositions() const {
    for (int64_t first :
         {desc.keys - desc.queries, desc.keys / 2, desc.keys + 2})
      check(first);
  }

  const tprt_attention_desc desc;
  Buffer<T> q, k, v;

private:
  using Function = tprt_status (*)(Rank *, const T *, const T *, const T *,
                                   const int32_t *, int64_t, T *);

  AttentionRun(const tprt_attention_desc &desc, int64_t shift,
               Function function)
      : desc(desc), q(queryElements(), shift), k(keyElements(), shift),
        v(keyElements(), shift), shift(shift), function(function) {
    std::mt19937 random(1);
    q.randomise(random);
    const int64_t row = desc.kv_heads * desc.head_dim;
    for (Buffer<T> *buffer : {&k, &v}) {
      buffer->randomise(random);
      for (int64_t i = 0; i < buffer->count; ++i)
        if (i / row % desc.capacity >= desc.keys)
          buffer->set(i, NAN);
    }
  }

  int64_t keyElements() const {
    return desc.batch * desc.capacity * desc.kv_heads * desc.head_dim;
  }

  const int64_t shift;
  const Function function;
};
template <typename Call>
AttentionRun(Call) -> AttentionRun<typename Call::Type>;

} // namespace tprt_cuda::test

#endif // TPRT_UNITTESTS_CUDA_ATTENTIONSUPPORT_H
