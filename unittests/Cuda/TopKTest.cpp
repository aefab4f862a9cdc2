//===- TopKTest.cpp - the k largest on a GPU, against a sort --------------===//
//
// Part of tp-mlir, under the Apache License v2.0.
//
//===----------------------------------------------------------------------===//

#include "Support.h"

#include <algorithm>
#include <climits>
#include <functional>
#include <numeric>

using namespace tprt_cuda;
using namespace tprt_cuda::test;

namespace {

/// Outer, segments, extent, k, size.
constexpr tprt_top_k_desc kCases[] = {
    {0, 1, 1, 1000, 1, 1000}, {0, 3, 1, 40, 5, 40},      {0, 2, 3, 33, 4, 90},
    {0, 1, 1, 5, 8, 5},       {0, 1, 1, 3000, 12, 2990}, {0, 1, 2, 1, 2, 2},
    {0, 1, 1, 64, 3, 0},      {0, 1, 2, 0, 2, 10}};
constexpr tprt_top_k_desc kMany[] = {{0, 1, 1, 1100, 50, 1100},
                                     {0, 1, 1, 30, 40, 25}};
constexpr tprt_top_k_desc kFew[] = {{0, 2, 1, 50, 7, 50},
                                    {0, 1, 2, 1030, 6, 2060}};

struct Element {
  double value;
  int32_t id;

  bool operator<(const Element &other) const {
    if (std::isnan(value) != std::isnan(other.value))
      return std::isnan(value);
    if (!std::isnan(value) && value != other.value)
      return value > other.value;
    return id < other.id;
  }
};

/// A call's descriptor and function, and values.
template <typename T> class TopKRun {
public:
  template <typename Call>
  explicit TopKRun(Call /*call*/)
      : TopKRun(Call::desc, Call::shift, &top_k<Call, T>) {}

  void fill(const std::function<double(int64_t)> &valueOf) {
    for (int64_t i = 0; i < values.count; ++i)
      values.set(i, valueOf(i));
  }

  /// Of the elements of each row, in another order; every seventh is none.
  std::vector<int32_t> makeIds() const {
    const int64_t row = desc.segments * desc.extent;
    std::mt19937 random(2);
    std::vector<int32_t> ids(size_t(desc.outer * row));
    for (int64_t outer = 0; outer < desc.outer; ++outer) {
      const auto begin = ids.begin() + outer * row;
      std::iota(begin, begin + row, 0);
      std::shuffle(begin, begin + row, random);
      for (int64_t j = 3; j < row; j += 7)
        begin[j] = int32_t(j % 2 ? -j : INT_MAX - j);
    }
    return ids;
  }

  void check(int64_t start) const { check({}, start); }
  void checkWithIds() const { check(makeIds(), 0); }

  const tprt_top_k_desc desc;
  Buffer<T> values;

private:
  using Function = tprt_status (*)(Rank *, const T *, const int32_t *, int64_t,
                                   T *, int32_t *);
  TopKRun(const tprt_top_k_desc &desc, int64_t shift, Function function)
      : desc(desc), values(desc.outer * desc.segments * desc.extent, shift),
        shift(shift), function(function) {
    std::mt19937 random(1);
    values.randomise(random);
  }

  /// Holds the result against a sort; `ids` are those of the elements if there
  /// are any.
  void check(const std::vector<int32_t> &ids, int64_t start) const;

  const int64_t shift;
  const Function function;
};
template <typename Call> TopKRun(Call) -> TopKRun<typename Call::Type>;

template <typename T>
void TopKRun<T>::check(const std::vector<int32_t> &ids, int64_t start) const {
  const int64_t segments = desc.outer * desc.segments;
  Buffer<T> out(segments * desc.k, shift);
  Buffer<int32_t> outIds(segments * desc.k);
  TestRank rank;
  rank.finishWell(function(rank.get(), values.data(),
                           ids.empty() ? nullptr : ids.data(), start,
                           out.data(), outIds.data()));
  EXPECT_TRUE(out.bytes.isUntouchedOutside());
  EXPECT_TRUE(outIds.bytes.isUntouchedOutside());
  for (int64_t segment = 0; segment < segments; ++segment) {
    std::vector<Element> elements;
    for (int64_t j = 0; j < desc.extent; ++j) {
      const int64_t at = segment * desc.extent + j;
      const int64_t id = ids.empty()
                             ? start + at % (desc.segments * desc.extent)
                             : ids[size_t(at)];
      if (id >= 0 && id < desc.size)
        elements.push_back({values.get(at), int32_t(id)});
    }
    std::sort(elements.begin(), elements.end());
    elements.resize(size_t(desc.k), {-INFINITY, INT_MAX});
    for (int64_t place = 0; place < desc.k; ++place) {
      const Element &wanted = elements[size_t(place)];
      const int64_t at = segment * desc.k + place;
      ASSERT_EQ(outIds.data()[at], wanted.id)
          << "segment " << segment << ", place " << place << ", start "
          << start;
      if (std::isnan(wanted.value))
        ASSERT_TRUE(std::isnan(out.get(at)));
      else
        ASSERT_EQ(out.get(at), wanted.value);
      // Zeros are equal, and keep their sign.
      if (wanted.value == 0)
        ASSERT_EQ(std::signbit(out.get(at)), std::signbit(wanted.value));
    }
  }
}

} // namespace

TEST(CudaTopK, values) {
  const auto check = [](auto call) {
    const TopKRun run(call);
    run.check(0);
    run.checkWithIds();
  };
  forEachCall<float, kCases>(check);
  forEachCall<__nv_bfloat16, kCases>(check); // has equals
}

TEST(CudaTopK, manyPlaces) {
  forEachCall<double, kMany>([](auto call) { TopKRun(call).check(0); });
  forEachCall<__half, kMany>([](auto call) { TopKRun(call).checkWithIds(); });
}

/// A shard of the ids, of which some or all lie outside.
TEST(CudaTopK, starts) {
  forEachCall<float, kFew>([](auto call) {
    const TopKRun run(call);
    for (int64_t start : {int64_t(3), run.desc.size - 2, run.desc.size,
                          int64_t(-10), int64_t(1) << 33, -(int64_t(1) << 32)})
      run.check(start);
  });
}

/// The lowest id is first, whichever thread has it.
TEST(CudaTopK, equals) {
  forEachCall<float, kFew>([](auto call) {
    TopKRun run(call);
    run.fill([](int64_t i) { return double(i % 2); });
    run.check(0);
    run.checkWithIds();
    run.fill([](int64_t i) { return i % 3 ? -0.0 : 0.0; });
    run.checkWithIds();
    run.fill([](int64_t) { return -INFINITY; });
    run.checkWithIds();
  });
}

/// It is the largest of all; infinities are numbers.
TEST(CudaTopK, notANumber) {
  const auto check = [](auto call) {
    TopKRun run(call);
    for (int64_t i : {3, 41, 48})
      run.values.set(i, NAN);
    run.values.set(5, -NAN);
    run.values.set(7, INFINITY);
    run.values.set(8, -INFINITY);
    run.check(0);
    run.checkWithIds();
    run.fill([](int64_t) { return NAN; });
    run.check(1);
  };
  forEachCall<float, kFew>(check);
  forEachCall<__half, kFew>(check);
}

TEST(CudaTopK, misaligned) {
  const auto check = [](auto call) { TopKRun(call).checkWithIds(); };
  forEachCall<float, kFew, 4>(check);
  forEachCall<__half, kFew, 2>(check);
}
