//===- MovesTest.cpp - copies and rotary embedding on a GPU ---------------===//
//
// Part of tp-mlir, under the Apache License v2.0.
//
//===----------------------------------------------------------------------===//

#include "Support.h"

#include <algorithm>

using namespace tprt_cuda;
using namespace tprt_cuda::test;

namespace {

/// Dims, offsets, extents, strides of the source and of the target.
constexpr tprt_copy_desc kCopies[] = {
    // One element.
    {0, 0, 0, 0, {}, {}, {}},
    {0, 0, 3, 5, {}, {}, {}},
    // One dim: whole loads, other numbers, steps, the same one again,
    // backwards.
    {0, 1, 0, 0, {64}, {1}, {1}},
    {0, 1, 0, 0, {1000}, {1}, {1}},
    {0, 1, 0, 0, {7}, {1}, {1}},
    {0, 1, 4, 8, {20}, {1}, {1}},
    {0, 1, 1, 0, {16}, {1}, {1}},
    {0, 1, 0, 2, {16}, {1}, {1}},
    {0, 1, 0, 0, {16}, {2}, {1}},
    {0, 1, 0, 0, {16}, {1}, {2}},
    {0, 1, 2, 0, {16}, {0}, {1}},
    {0, 1, 15, 0, {16}, {-1}, {1}},
    // Transposes.
    {0, 2, 0, 0, {5, 7}, {7, 1}, {1, 5}},
    {0, 2, 0, 0, {16, 32}, {1, 16}, {32, 1}},
    {0, 3, 0, 0, {18, 4, 16}, {64, 16, 1}, {16, 288, 1}},
    {0, 3, 0, 0, {6, 3, 5}, {15, 5, 1}, {1, 30, 6}},
    // Slices, concatenations and padding.
    {0, 2, 16, 0, {4, 16}, {48, 1}, {16, 1}},
    {0, 2, 4, 0, {4, 8}, {20, 1}, {8, 1}},
    {0, 2, 3, 0, {4, 8}, {20, 1}, {8, 1}},
    {0, 2, 0, 8, {3, 8}, {8, 1}, {24, 1}},
    {0, 2, 0, 0, {5, 16}, {16, 1}, {17, 1}},
    {0, 2, 0, 0, {5, 16}, {18, 1}, {16, 1}},
    {0, 2, 1, 6, {9, 3}, {5, 1}, {4, 1}},
    // A dim of one element has any stride.
    {0, 3, 0, 0, {1, 4, 8}, {3, 8, 1}, {5, 8, 1}},
    {0, 2, 0, 0, {8, 1}, {1, 1}, {1, 1}},
    // Spread over rows.
    {0, 2, 0, 0, {9, 16}, {0, 1}, {16, 1}},
    // All dims that there may be.
    {0,
     8,
     1,
     2,
     {2, 1, 3, 2, 2, 1, 2, 3},
     {72, 72, 24, 12, 6, 6, 3, 1},
     {1, 5, 2, 6, 12, 9, 24, 48}},
    {0,
     8,
     0,
     16,
     {2, 2, 1, 2, 1, 2, 2, 16},
     {16, 32, 7, 64, 1, 128, 256, 1},
     {256, 128, 1, 64, 5, 32, 16, 1}},
    // More than a block.
    {0, 2, 0, 0, {300, 67}, {67, 1}, {1, 300}}};

/// Nothing is copied, wherever the 0 is.
constexpr tprt_copy_desc kEmptyCopies[] = {
    {0, 1, 0, 0, {0}, {1}, {1}},
    {0, 3, 0, 0, {0, 4, 8}, {32, 8, 1}, {32, 8, 1}},
    {0, 3, 0, 0, {4, 0, 8}, {0, 8, 1}, {0, 8, 1}},
    {0, 3, 0, 0, {4, 8, 0}, {0, 0, 1}, {0, 0, 1}}};

/// Elements that a side needs.
int64_t spanOf(const tprt_copy_desc &desc, int64_t offset,
               const int64_t (&strides)[TPRT_MAX_RANK]) {
  for (int64_t dim = 0; dim < desc.num_dims; ++dim)
    offset += std::max<int64_t>(0, desc.extent[dim] - 1) *
              std::max<int64_t>(0, strides[dim]);
  return offset + 1;
}

template <typename T>
void copyFrom(const tprt_copy_desc &desc, int64_t dim, const T *x, T *out) {
  if (dim == desc.num_dims) {
    *out = *x;
    return;
  }
  for (int64_t i = 0; i < desc.extent[dim]; ++i)
    copyFrom(desc, dim + 1, x + i * desc.src_stride[dim],
             out + i * desc.dst_stride[dim]);
}

/// What lies between the elements stays.
template <typename T>
void checkCopy(const tprt_copy_desc &desc, int64_t shift,
               tprt_status (*copy)(Rank *, const T *, T *)) {
  std::mt19937 random(1);
  Buffer<T> x(spanOf(desc, desc.src_offset, desc.src_stride), shift),
      out(spanOf(desc, desc.dst_offset, desc.dst_stride), shift);
  x.randomise(random);
  Buffer<T> expected(out);
  copyFrom<T>(desc, 0, x.data() + desc.src_offset,
              expected.data() + desc.dst_offset);
  TestRank rank;
  rank.finishWell(copy(rank.get(), x.data(), out.data()));
  EXPECT_EQ(out.bytes, expected.bytes);
}

const auto checkCopies = [](auto call) {
  using Call = decltype(call);
  using T = typename Call::Type;
  checkCopy<T>(call.desc, call.shift, copy<Call, T>);
};

// Sequences, positions, heads, elements of a head, those that are turned,
// whether pairs are neighbours.

constexpr tprt_rotary_desc kRotaries[] = {
    {0, 1, 3, 4, 128, 128, 0}, {0, 2, 3, 2, 64, 32, 0}, {0, 2, 5, 3, 12, 8, 0},
    {0, 1, 40, 2, 80, 20, 0},  {0, 1, 4, 1, 7, 6, 0},   {0, 3, 2, 2, 7, 4, 0},
    {0, 1, 4, 2, 2, 2, 0},     {0, 1, 300, 1, 3, 2, 0}, {0, 2, 2, 2, 8, 0, 0}};
constexpr tprt_rotary_desc kPairs[] = {
    {0, 1, 3, 4, 128, 128, 1}, {0, 2, 3, 2, 64, 32, 1}, {0, 2, 5, 3, 12, 8, 1},
    {0, 1, 40, 2, 80, 20, 1},  {0, 1, 4, 1, 7, 6, 1},   {0, 3, 2, 2, 7, 4, 1},
    {0, 1, 4, 2, 2, 2, 1},     {0, 1, 300, 1, 3, 2, 1}, {0, 2, 2, 2, 8, 0, 1},
    {0, 2, 3, 3, 6, 4, 1},     {0, 1, 3, 5, 20, 16, 1}, {0, 1, 3, 3, 10, 8, 1}};

template <typename T>
void checkRotary(const tprt_rotary_desc &desc, int64_t shift,
                 tprt_status (*rotary)(Rank *, const T *, const T *, const T *,
                                       T *)) {
  const int64_t half = desc.rotary_dim / 2;
  const int64_t rows = desc.batch * desc.sequence * desc.heads;
  Buffer<T> x(rows * desc.head_dim, shift), cosine(desc.sequence * half, shift),
      sine(desc.sequence * half, shift), out(rows * desc.head_dim, shift);
  std::mt19937 random(1);
  for (Buffer<T> *buffer : {&x, &cosine, &sine})
    buffer->randomise(random);
  TestRank rank;
  rank.finishWell(
      rotary(rank.get(), x.data(), cosine.data(), sine.data(), out.data()));
  EXPECT_TRUE(out.bytes.isUntouchedOutside());
  for (int64_t at = 0; at < out.count; ++at) {
    const int64_t i = at % desc.head_dim, begin = at - i;
    const int64_t position = at / desc.head_dim / desc.heads % desc.sequence;
    if (i >= desc.rotary_dim) {
      ASSERT_EQ(out.get(at), x.get(at)) << "element " << at;
      continue;
    }
    const int64_t pair = desc.interleaved ? i / 2 : i % half;
    const bool isSecond = desc.interleaved ? i % 2 != 0 : i >= half;
    const double a = x.get(begin + (desc.interleaved ? 2 * pair : pair));
    const double b =
        x.get(begin + (desc.interleaved ? 2 * pair + 1 : pair + half));
    const double c = cosine.get(position * half + pair);
    const double s = sine.get(position * half + pair);
    const double expected = isSecond ? b * c + a * s : a * c - b * s;
    ASSERT_NEAR(out.get(at), expected,
                std::fabs(expected) * kUnit<T> + 4 * kUnit<Wide<T>>)
        << "element " << at;
  }
}

const auto checkRotaries = [](auto call) {
  using Call = decltype(call);
  using T = typename Call::Type;
  checkRotary<T>(call.desc, call.shift, rotary<Call, T>);
};

} // namespace

TEST(CudaMoves, copy) {
  forEachCall<float, kCopies>(checkCopies);
  forEachCall<int64_t, kCopies>(checkCopies);
  forEachCall<__nv_bfloat16, kCopies>(checkCopies);
  forEachCall<int8_t, kCopies>(checkCopies);
}

TEST(CudaMoves, misalignedCopy) {
  forEachCall<float, kCopies, 4>(checkCopies);
  forEachCall<__half, kCopies, 8>(checkCopies);
  forEachCall<int8_t, kCopies, 1>(checkCopies);
}

TEST(CudaMoves, copyOfNothing) {
  forEachCall<float, kEmptyCopies>(checkCopies);
  forEachCall<int8_t, kEmptyCopies>(checkCopies);
}

TEST(CudaMoves, rotary) {
  forEachCall<float, kRotaries>(checkRotaries);
  forEachCall<double, kRotaries>(checkRotaries);
  forEachCall<__nv_bfloat16, kRotaries>(checkRotaries);
}

TEST(CudaMoves, rotaryOfPairs) {
  forEachCall<float, kPairs>(checkRotaries);
  forEachCall<double, kPairs>(checkRotaries);
  forEachCall<__nv_bfloat16, kPairs>(checkRotaries);
}

TEST(CudaMoves, misalignedRotary) {
  forEachCall<float, kRotaries, 4>(checkRotaries);
  forEachCall<__half, kRotaries, 8>(checkRotaries);
}

TEST(CudaMoves, misalignedRotaryOfPairs) {
  forEachCall<float, kPairs, 4>(checkRotaries);
  forEachCall<__half, kPairs, 8>(checkRotaries);
}
