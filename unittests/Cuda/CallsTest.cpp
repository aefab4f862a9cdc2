//===- CallsTest.cpp - the program API's small functions on a GPU ---------===//
//
// Part of tp-mlir, under the Apache License v2.0.
//
//===----------------------------------------------------------------------===//

#include "Support.h"

#include <algorithm>
#include <climits>

using namespace tprt_cuda;
using namespace tprt_cuda::test;

namespace {

// Types are those of the buffers. Widths are multiples of 16, 8 and 4, odd, 1.

/// Ids, rows, width, vocabulary.
constexpr tprt_embedding_desc kEmbeddings[] = {
    {0, 5, 10, 64, 30, 0}, {0, 300, 7, 8, 20, 0},  {0, 13, 9, 12, 9, 0},
    {0, 70, 1, 7, 3, 0},   {0, 1, 40, 300, 50, 0}, {0, 9, 4, 1, 4, 0},
    {0, 0, 4, 8, 4, 0}};

/// Sequences, extent, width.
constexpr tprt_take_desc kTakes[] = {{0, 1, 5, 64},  {0, 3, 4, 12},
                                     {0, 70, 3, 8},  {0, 2, 7, 7},
                                     {0, 300, 2, 1}, {0, 1, 1, 1000}};

/// Sequences, rows of the shard, rows of the update, width, capacity.
constexpr tprt_cache_update_desc kCacheUpdates[] = {
    {0, 1, 20, 1, 64, 20}, {0, 3, 6, 4, 8, 18}, {0, 2, 5, 7, 12, 17},
    {0, 2, 9, 3, 7, 9},    {0, 1, 4, 5, 1, 12}, {0, 1, 300, 40, 16, 300}};

/// Outer, extent, inner, size, what fills.
constexpr tprt_mask_desc kMasks[] = {
    {0, 3, 8, 16, 20, bitsOf(-INFINITY)}, {0, 1, 300, 1, 100, bitsOf(0)},
    {0, 5, 7, 3, 6, bitsOf(-3)},          {0, 2, 4, 5, 0, bitsOf(1)},
    {0, 1, 1, 1, 100, bitsOf(NAN)},       {0, 0, 4, 4, 2, bitsOf(1)}};
constexpr tprt_mask_desc kIntegerMasks[] = {{0, 3, 8, 16, 20, bitsOf(-128)},
                                            {0, 1, 300, 1, 100, bitsOf(1)},
                                            {0, 5, 7, 3, 6, bitsOf(0)}};

/// Group, reduction, elements.
constexpr tprt_make_partial_desc kPartials[] = {
    {0, TPRT_SUM, 0, 300},   {1, TPRT_SUM, 0, 7}, {2, TPRT_PRODUCT, 0, 1000},
    {1, TPRT_PRODUCT, 0, 1}, {1, TPRT_MAX, 0, 9}, {1, TPRT_MIN, 0, 9},
    {2, TPRT_SUM, 0, 0}};
constexpr tprt_make_partial_desc kIntegerPartials[] = {{1, TPRT_SUM, 0, 300},
                                                       {2, TPRT_PRODUCT, 0, 40},
                                                       {1, TPRT_AND, 0, 9},
                                                       {1, TPRT_OR, 0, 9},
                                                       {0, TPRT_PRODUCT, 0, 9}};

/// Aligned buffers, and some that are not.
template <const auto &descs, typename Check>
void forFloats(const Check &check) {
  forEachCall<float, descs>(check);
  forEachCall<float, descs, 8>(check);
  forEachCall<double, descs, 8>(check);
  forEachCall<__nv_bfloat16, descs>(check);
  forEachCall<__half, descs, 2>(check);
}
template <const auto &descs, typename Check>
void forIntegers(const Check &check) {
  forEachCall<int32_t, descs, 4>(check);
  forEachCall<int64_t, descs>(check);
  forEachCall<int8_t, descs>(check);
}

/// Random ids of a vocabulary, most of them several times.
std::vector<int32_t> makeIds(const tprt_embedding_desc &desc) {
  std::mt19937 random(1);
  std::vector<int32_t> ids;
  for (int64_t i = 0; i < desc.num_ids; ++i)
    ids.push_back(int32_t(random() % uint64_t(desc.vocabulary)));
  return ids;
}

template <typename T> Buffer<T> makeRandom(int64_t count, int64_t shift) {
  std::mt19937 random(1);
  Buffer<T> buffer(count, shift);
  buffer.randomise(random);
  return buffer;
}

} // namespace

//===----------------------------------------------------------------------===//
// Embedding
//===----------------------------------------------------------------------===//

namespace {

/// Either direction: ids, a table or a gradient, and the other one.
template <typename T>
using Embed = tprt_status (*)(Rank *, const int32_t *, const T *, int64_t, T *);

/// On all shards of a table, and one that begins beyond it.
template <typename T>
void checkEmbedding(const tprt_embedding_desc &desc, int64_t shift,
                    Embed<T> embed) {
  const Buffer<T> table = makeRandom<T>(desc.rows * desc.width, shift);
  const std::vector<int32_t> ids = makeIds(desc);
  for (int64_t start = 0; start <= desc.vocabulary; start += desc.rows) {
    Buffer<T> out(desc.num_ids * desc.width, shift), expected(out);
    for (int64_t i = 0; i < out.count; ++i) {
      const int64_t row = ids[size_t(i / desc.width)] - start;
      expected.set(i, row >= 0 && row < desc.rows
                          ? table.get(row * desc.width + i % desc.width)
                          : 0);
    }
    TestRank rank;
    rank.finishWell(
        embed(rank.get(), ids.data(), table.data(), start, out.data()));
    EXPECT_EQ(out.bytes, expected.bytes) << "start " << start;
  }
}

/// Whoever has the row, the sum of its gradients is rounded once.
template <typename T>
void checkGradient(const tprt_embedding_desc &desc, int64_t shift,
                   Embed<T> embed) {
  const Buffer<T> gradient = makeRandom<T>(desc.num_ids * desc.width, shift);
  const std::vector<int32_t> ids = makeIds(desc);
  for (int64_t start = 0; start <= desc.vocabulary; start += desc.rows) {
    Buffer<T> table(desc.rows * desc.width, shift);
    TestRank rank;
    rank.finishWell(
        embed(rank.get(), ids.data(), gradient.data(), start, table.data()));
    EXPECT_TRUE(table.bytes.isUntouchedOutside());
    for (int64_t at = 0; at < table.count; ++at) {
      double sum = 0, magnitude = 0;
      for (int64_t i = 0; i < desc.num_ids; ++i)
        if (ids[size_t(i)] == start + at / desc.width) {
          const double term = gradient.get(i * desc.width + at % desc.width);
          sum += term;
          magnitude += std::fabs(term);
        }
      ASSERT_NEAR(table.get(at), sum,
                  std::fabs(sum) * kUnit<T> +
                      magnitude * double(desc.num_ids) * kUnit<Wide<T>>)
          << "start " << start << ", element " << at;
    }
  }
}

/// Any shard says so, also of an id that it would not have.
template <typename T>
void checkWrongIds(const tprt_embedding_desc &desc, int64_t shift,
                   Embed<T> embed) {
  const int64_t most = std::max(desc.num_ids, desc.rows) * desc.width;
  const Buffer<T> from = makeRandom<T>(most, shift);
  std::vector<int32_t> ids = makeIds(desc);
  if (ids.empty())
    return;
  for (int32_t id : {-1, int32_t(desc.vocabulary), INT32_MIN, INT32_MAX})
    for (int64_t start : {int64_t(0), desc.rows}) {
      ids.back() = id;
      Buffer<T> to(most, shift);
      TestRank rank;
      rank.finish(embed(rank.get(), ids.data(), from.data(), start, to.data()));
      EXPECT_EQ(rank.fault.what, Fault::Token);
      EXPECT_EQ(rank.fault.values[0], id);
      EXPECT_EQ(rank.fault.values[1], desc.vocabulary);
      EXPECT_TRUE(to.bytes.isUntouchedOutside());
    }
}

} // namespace

TEST(CudaCalls, embedding) {
  const auto check = [](auto call) {
    using Call = decltype(call);
    using T = typename Call::Type;
    checkEmbedding<T>(call.desc, call.shift, embedding<Call, T>);
    checkWrongIds<T>(call.desc, call.shift, embedding<Call, T>);
  };
  forFloats<kEmbeddings>(check);
  forIntegers<kEmbeddings>(check);
}

TEST(CudaCalls, embeddingGradient) {
  forFloats<kEmbeddings>([](auto call) {
    using Call = decltype(call);
    using T = typename Call::Type;
    checkGradient<T>(call.desc, call.shift, embedding_gradient<Call, T>);
    checkWrongIds<T>(call.desc, call.shift, embedding_gradient<Call, T>);
  });
}

/// In order of the ids: the same bits as a loop.
TEST(CudaCalls, embeddingGradientInOrder) {
  forEachCall<float, kEmbeddings>([](auto call) {
    constexpr tprt_embedding_desc desc = decltype(call)::desc;
    const auto gradient = makeRandom<float>(desc.num_ids * desc.width, 0);
    Buffer<float> table(desc.rows * desc.width);
    const std::vector<int32_t> ids(size_t(desc.num_ids), 0);
    TestRank rank;
    rank.finishWell(embedding_gradient<decltype(call)>(
        rank.get(), ids.data(), gradient.data(), 0, table.data()));
    for (int64_t column = 0; column < desc.width; ++column) {
      float sum = 0;
      for (int64_t i = 0; i < desc.num_ids; ++i)
        sum += gradient.data()[i * desc.width + column];
      EXPECT_EQ(table.data()[column], sum);
    }
  });
}

//===----------------------------------------------------------------------===//
// Take and cache update
//===----------------------------------------------------------------------===//

namespace {

template <typename T>
using Take = tprt_status (*)(Rank *, const T *, const int32_t *, T *);

template <typename T>
void checkTake(const tprt_take_desc &desc, int64_t shift, Take<T> take) {
  const auto x = makeRandom<T>(desc.outer * desc.extent * desc.inner, shift);
  for (int64_t at = -1; at <= desc.extent; ++at) {
    const bool isRight = at >= 0 && at < desc.extent;
    // Also what is wrong by far.
    const auto index = int32_t(at < 0 ? INT32_MIN - at - 1 : at);
    Buffer<T> out(desc.outer * desc.inner, shift), expected(out);
    for (int64_t i = 0; i < out.count && isRight; ++i)
      expected.set(i, x.get((i / desc.inner * desc.extent + at) * desc.inner +
                            i % desc.inner));
    TestRank rank;
    rank.finish(take(rank.get(), x.data(), &index, out.data()));
    EXPECT_EQ(out.bytes, expected.bytes) << "index " << index;
    EXPECT_EQ(rank.fault.what, isRight ? Fault::None : Fault::Index);
    if (isRight)
      continue;
    EXPECT_EQ(rank.fault.values[0], index);
    EXPECT_EQ(rank.fault.values[1], desc.extent);
  }
}

template <typename T>
using CacheUpdate = tprt_status (*)(Rank *, T *, const T *, const int32_t *,
                                    const int32_t *, int64_t);

/// One update of the shard that begins at `start`: rows of others, and all rows
/// if it is wrong, stay.
template <typename T>
void checkUpdate(const tprt_cache_update_desc &desc, int64_t shift,
                 CacheUpdate<T> cacheUpdate, int64_t position, int64_t length,
                 int64_t start) {
  const auto update =
      makeRandom<T>(desc.outer * desc.extent * desc.inner, shift);
  Buffer<T> cache(desc.outer * desc.rows * desc.inner, shift), expected(cache);
  const bool isRight = position >= 0 && length >= 0 && length <= desc.extent &&
                       position + length <= desc.capacity;
  for (int64_t at = 0; at < update.count; ++at) {
    const int64_t i = at / desc.inner % desc.extent;
    const int64_t outer = at / desc.inner / desc.extent;
    const int64_t row = position + i - start;
    if (isRight && i < length && row >= 0 && row < desc.rows)
      expected.set((outer * desc.rows + row) * desc.inner + at % desc.inner,
                   update.get(at));
  }
  const auto first = int32_t(position), count = int32_t(length);
  TestRank rank;
  rank.finish(cacheUpdate(rank.get(), cache.data(), update.data(), &first,
                          &count, start));
  EXPECT_EQ(cache.bytes, expected.bytes)
      << "position " << position << ", length " << length << ", start "
      << start;
  EXPECT_EQ(rank.fault.what, isRight ? Fault::None : Fault::Cache);
  if (isRight)
    return;
  EXPECT_EQ(rank.fault.values[0], position);
  EXPECT_EQ(rank.fault.values[1], length);
  EXPECT_EQ(rank.fault.values[2], desc.capacity);
}

template <typename T>
void checkCacheUpdate(const tprt_cache_update_desc &desc, int64_t shift,
                      CacheUpdate<T> cacheUpdate) {
  constexpr int64_t most = INT32_MAX;
  for (int64_t position :
       {int64_t(0), int64_t(1), desc.rows - 1, desc.capacity - desc.extent,
        desc.capacity, desc.capacity + 1, int64_t(-1), most, -most - 1})
    for (int64_t length : {int64_t(0), int64_t(1), desc.extent, desc.extent + 1,
                           int64_t(-1), most, -most - 1})
      for (int64_t start = 0; start < desc.capacity; start += desc.rows)
        checkUpdate<T>(desc, shift, cacheUpdate, position, length, start);
}

} // namespace

TEST(CudaCalls, take) {
  const auto check = [](auto call) {
    using Call = decltype(call);
    using T = typename Call::Type;
    checkTake<T>(call.desc, call.shift, take<Call, T>);
  };
  forFloats<kTakes>(check);
  forIntegers<kTakes>(check);
}

TEST(CudaCalls, cacheUpdate) {
  const auto check = [](auto call) {
    using Call = decltype(call);
    using T = typename Call::Type;
    checkCacheUpdate<T>(call.desc, call.shift, cache_update<Call, T>);
  };
  forFloats<kCacheUpdates>(check);
  forIntegers<kCacheUpdates>(check);
}

TEST(CudaCalls, firstFaultStays) {
  forEachCall<float, kTakes>([](auto call) {
    const Buffer<float> x(1);
    Buffer<float> out(1);
    TestRank rank;
    for (int32_t index : {-7, -8}) {
      rank.finish(
          take<decltype(call)>(rank.get(), x.data(), &index, out.data()));
      EXPECT_EQ(rank.fault.values[0], -7);
    }
  });
}

//===----------------------------------------------------------------------===//
// Mask and partial values
//===----------------------------------------------------------------------===//

namespace {

template <typename T>
void checkMask(const tprt_mask_desc &desc, int64_t shift,
               tprt_status (*mask)(Rank *, T *, int64_t)) {
  double fill;
  std::memcpy(&fill, &desc.fill_bits, sizeof fill);
  for (int64_t start : {int64_t(0), int64_t(1), desc.size - 1, desc.size,
                        desc.size + 50, int64_t(99)}) {
    auto x = makeRandom<T>(desc.outer * desc.extent * desc.inner, shift);
    Buffer<T> expected(x);
    for (int64_t i = 0; i < x.count; ++i)
      if (start + i / desc.inner % desc.extent >= desc.size)
        expected.set(i, fill);
    TestRank rank;
    rank.finishWell(mask(rank.get(), x.data(), start));
    for (int64_t i = 0; i < x.count && std::isnan(fill); ++i)
      if (std::isnan(expected.get(i)) && std::isnan(x.get(i)))
        x.set(i, fill); // whatever its bits
    EXPECT_EQ(x.bytes, expected.bytes) << "start " << start;
  }
}

template <typename T>
void checkPartial(const tprt_make_partial_desc &desc, int64_t shift,
                  tprt_status (*makePartial)(Rank *, T *)) {
  for (int64_t coordinate : {0, 1, 5}) {
    int64_t coordinates[] = {0, 0, 0};
    coordinates[desc.group] = coordinate;
    // Other groups do not count.
    coordinates[(desc.group + 1) % 3] = coordinate == 0;
    auto x = makeRandom<T>(desc.elements, shift);
    Buffer<T> expected(x);
    for (int64_t i = 0; i < x.count && coordinate != 0; ++i) {
      if (desc.reduction == TPRT_SUM)
        expected.set(i, 0);
      if (desc.reduction == TPRT_PRODUCT)
        expected.set(i, 1);
    }
    TestRank rank;
    rank.get()->coordinates = coordinates;
    rank.finishWell(makePartial(rank.get(), x.data()));
    EXPECT_EQ(x.bytes, expected.bytes) << "coordinate " << coordinate;
  }
}

} // namespace

TEST(CudaCalls, mask) {
  const auto check = [](auto call) {
    using Call = decltype(call);
    using T = typename Call::Type;
    checkMask<T>(call.desc, call.shift, mask<Call, T>);
  };
  forFloats<kMasks>(check);
  forIntegers<kIntegerMasks>(check);
}

TEST(CudaCalls, makePartial) {
  const auto check = [](auto call) {
    using Call = decltype(call);
    using T = typename Call::Type;
    checkPartial<T>(call.desc, call.shift, make_partial<Call, T>);
  };
  forFloats<kPartials>(check);
  forIntegers<kIntegerPartials>(check);
}
