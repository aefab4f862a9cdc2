//===- StoredTest.cpp - weights as they are stored -----------------------===//
//
// Part of tp-mlir, under the Apache License v2.0.
//
//===----------------------------------------------------------------------===//
//
// Against the checkpoint reader, which decodes the same blocks by other code,
// and against contractions of the widened weight.
//
//===----------------------------------------------------------------------===//

#include "host/Stored.h"
#include "Support.h"
#include "checkpoint/Codec.h"
#include "host/Interleaved.h"

#include <cmath>
#include <cstring>

using namespace tprt;
using namespace tprt::test;

namespace {

/// Sizes of a contraction and where its columns lie.
struct Shape {
  int64_t batch, rows, columns, inner;
  bool transposed; ///< the weight is [inner, columns]
};

void PrintTo(const Shape &shape, std::ostream *out) {
  *out << shape.batch << " x " << shape.rows << " x " << shape.columns << " x "
       << shape.inner << (shape.transposed ? " transposed" : "");
}

class Contraction {
public:
  Contraction(const Shape &shape) : shape(shape) {
    const auto [z, m, n, k, transposed] = shape;
    desc.dtype = TPRT_F32;
    desc.num_dims = 4;
    desc.dims[0] = {0, z, m * k, n * k, m * n};
    desc.dims[1] = {1, m, k, 0, n};
    desc.dims[2] = {2, n, 0, transposed ? 1 : k, 1};
    desc.dims[3] = {3, k, 1, transposed ? n : 1, 0};
  }

  std::vector<double> expected(const std::vector<float> &a,
                               const std::vector<float> &b) const {
    std::vector<double> c;
    for (int64_t z = 0; z < shape.batch; ++z)
      for (int64_t i = 0; i < shape.rows; ++i)
        for (int64_t j = 0; j < shape.columns; ++j) {
          double sum = 0;
          for (int64_t k = 0; k < shape.inner; ++k)
            sum +=
                double(a[size_t(z * desc.dims[0].stride_a +
                                i * desc.dims[1].stride_a + k)]) *
                b[size_t(z * desc.dims[0].stride_b + j * desc.dims[2].stride_b +
                         k * desc.dims[3].stride_b)];
          c.push_back(sum);
        }
    return c;
  }

  tprt_contract_desc asStored() const {
    tprt_contract_desc result = desc;
    result.stored_b = stored;
    return result;
  }

  /// The same with A and B exchanged.
  tprt_contract_desc mirrored() const {
    tprt_contract_desc result = asStored();
    for (int64_t i = 0; i < desc.num_dims; ++i) {
      tprt_contract_dim &dim = result.dims[i];
      std::swap(dim.stride_a, dim.stride_b);
      dim.kind = dim.kind == 1 ? 2 : dim.kind == 2 ? 1 : dim.kind;
    }
    std::swap(result.stored_a, result.stored_b);
    return result;
  }

  const Shape shape;
  tprt_contract_desc desc = {};
  int64_t stored = TPRT_STORED_AS_DTYPE; ///< of B
};

class StoredTest : public testing::TestWithParam<int64_t> {
protected:
  const int64_t stored = GetParam(), block = kStored[stored].elements;
  std::mt19937 random{7};

  /// Random blocks whose 16-bit scales are ordinary numbers.
  std::vector<uint8_t> makeTensor(int64_t elements) {
    std::vector<uint8_t> bytes(
        size_t(elements / block * kStored[stored].bytes));
    for (uint8_t &byte : bytes)
      byte = uint8_t(random());
    const size_t size = size_t(kStored[stored].bytes);
    for (size_t at = 0; at < bytes.size(); at += size)
      for (size_t half : scales())
        bytes[at + half + 1] = uint8_t((random() & 0x83) | 0x24);
    return bytes;
  }

  std::vector<float> decode(const std::vector<uint8_t> &tensor,
                            int64_t elements) {
    auto type = storedTypeByName(kStored[stored].name);
    EXPECT_TRUE(type.has_value());
    std::vector<float> values(static_cast<size_t>(elements));
    checkpoint::findDecoder<float> (*type)(tensor.data(), 0, 1, elements,
                                           values.data());
    return values;
  }

  /// Interleaves B's lines.
  void interleave(Contraction &of, std::vector<uint8_t> &b) {
    const auto [batch, rows, columns, inner, transposed] = of.shape;
    const int64_t line = transposed ? columns : inner;
    interleaveLines(stored, b.data(),
                    batch * columns * inner / line / interleavedLines, line);
    of.stored = interleavedStored(stored, line);
    EXPECT_TRUE(isStored(of.stored));
  }

  std::vector<float> run(const Contraction &of, const std::vector<float> &a,
                         const std::vector<uint8_t> &b, bool mirror) {
    const Shape &shape = of.shape;
    std::vector<float> c(size_t(shape.batch * shape.rows * shape.columns), NAN);
    tprt_contract_desc desc = mirror ? of.mirrored() : of.asStored();
    EXPECT_EQ(runOnOne([&](tprt_rank *rank) {
                if (mirror)
                  tprt_contract(rank, &desc, b.data(), a.data(), c.data());
                else
                  tprt_contract(rank, &desc, a.data(), b.data(), c.data());
              }),
              "");
    return c;
  }

  /// The same infinities and NaNs, and what is finite close to it.
  void expectNear(const Contraction &of, const std::vector<float> &a,
                  const std::vector<uint8_t> &b,
                  const std::vector<double> &expected) {
    double largest = 0;
    for (double x : expected)
      if (std::isfinite(x))
        largest = std::max(largest, std::abs(x));
    for (bool mirror : {false, true}) {
      std::vector<float> c = run(of, a, b, mirror);
      for (size_t i = 0; i < c.size(); ++i)
        if (std::isnan(expected[i]))
          ASSERT_TRUE(std::isnan(c[i])) << i;
        else if (std::isinf(expected[i]))
          ASSERT_EQ(c[i], expected[i]) << i;
        else
          ASSERT_NEAR(c[i], expected[i], 1e-5 * largest) << i;
    }
  }

  /// Where a block has a 16-bit float.
  std::vector<size_t> scales() const {
    switch (stored) {
    case TPRT_STORED_Q6_K:
      return {208};
    case TPRT_STORED_Q4_0:
    case TPRT_STORED_Q5_0:
    case TPRT_STORED_Q8_0:
    case TPRT_STORED_F16:
    case TPRT_STORED_BF16:
      return {0};
    default:
      return {0, 2};
    }
  }
};

TEST_P(StoredTest, widensToTheSameBits) {
  const int64_t elements = 3 * 256;
  std::vector<uint8_t> tensor = makeTensor(elements);
  std::vector<float> expected = decode(tensor, elements);
  for (int64_t first : {0, 1, 31, 32, 40, 255, 256, 300})
    for (int64_t count : {0, 1, 5, 32, 33, 100, 256, 468}) {
      std::vector<float> values(size_t(count) + 1, -7.0f);
      widenStored(stored, tensor.data(), first, count, values.data());
      EXPECT_EQ(std::memcmp(values.data(), expected.data() + first,
                            size_t(count) * sizeof(float)),
                0)
          << first << " " << count;
      EXPECT_EQ(values.back(), -7.0f);
    }
}

TEST_P(StoredTest, tailsOfPlainTypesAreNotReadBeyond) {
  if (block > 1)
    GTEST_SKIP() << "blocks are whole";
  for (int64_t elements : {1, 31, 33, 70}) {
    std::vector<uint8_t> tensor = makeTensor(elements); // sanitizers watch it
    std::vector<float> expected = decode(tensor, elements);
    std::vector<float> values(expected.size());
    widenStored(stored, tensor.data(), 0, elements, values.data());
    EXPECT_EQ(values, expected);
  }
}

TEST_P(StoredTest, contracts) {
  // One row, few, many; columns that are no multiple of a tile; a long inner
  // dim; several batches.
  const Shape shapes[] = {{1, 1, 70, 256, false},  {1, 1, 72, 256, false},
                          {1, 5, 136, 768, false}, {2, 3, 24, 512, false},
                          {1, 40, 72, 256, false}, {1, 1, 256, 8, true},
                          {1, 1, 3, 768, false},   {1, 7, 70, 256, false},
                          {2, 4, 20, 512, false},  {1, 33, 140, 256, false},
                          {3, 9, 5, 2304, false},  {1, 9, 304, 2304, false},
                          {1, 1, 256, 7, true},    {1, 20, 512, 33, true}};
  for (const Shape &shape : shapes) {
    SCOPED_TRACE(testing::PrintToString(shape));
    Contraction of(shape);
    const int64_t size = shape.batch * shape.columns * shape.inner;
    std::vector<uint8_t> b = makeTensor(size);
    std::vector<float> wide = decode(b, size);
    std::vector<float> a(size_t(shape.batch * shape.rows * shape.inner));
    std::normal_distribution<float> normal;
    for (float &x : a)
      x = normal(random);
    of.stored = stored;
    expectNear(of, a, b, of.expected(a, wide));
    const int64_t line = shape.transposed ? shape.columns : shape.inner;
    if (mayInterleave(stored) && line % block == 0 &&
        size / line % interleavedLines == 0) {
      interleave(of, b);
      expectNear(of, a, b, of.expected(a, wide));
    }
  }
}

TEST_P(StoredTest, interleavedLinesWidenToTheSameBits) {
  if (!mayInterleave(stored))
    GTEST_SKIP() << "is not interleaved";
  const int64_t line = 3 * block, elements = 16 * line;
  std::vector<uint8_t> tensor = makeTensor(elements);
  std::vector<float> expected = decode(tensor, elements);
  interleaveLines(stored, tensor.data(), 2, line);
  const int64_t group = interleavedLines * line;
  for (int64_t first : {int64_t(0), int64_t(1), int64_t(31), line - 1, line,
                        2 * line + 8, group - 1, group, group + line + 40})
    for (int64_t count : {int64_t(0), int64_t(1), int64_t(5), int64_t(33), line,
                          3 * line + 12, 5 * line + 56}) {
      std::vector<float> values(size_t(count) + 1, -7.0f);
      widenStored(interleavedStored(stored, line), tensor.data(), first, count,
                  values.data());
      EXPECT_EQ(std::memcmp(values.data(), expected.data() + first,
                            size_t(count) * sizeof(float)),
                0)
          << first << " " << count;
      EXPECT_EQ(values.back(), -7.0f);
    }
}

/// What cannot be brought to fixed point is computed in floats.
TEST_P(StoredTest, interleavedLinesKeepInfinitiesAndExtremes) {
  if (!mayInterleave(stored))
    GTEST_SKIP() << "is not interleaved";
  const int64_t inner = 256, columns = 16;
  Contraction of({1, 2, columns, inner, false});
  std::vector<uint8_t> b = makeTensor(columns * inner);
  std::vector<float> wide = decode(b, columns * inner);
  interleave(of, b);
  const float infinity = INFINITY;
  for (float special : {infinity, -infinity, NAN, 1e33f, 1e-30f, 0.0f}) {
    SCOPED_TRACE(special);
    std::vector<float> a(size_t(2 * inner), special);
    for (int64_t i = 0; i < inner; ++i) // the first row, but for one element
      if (i != 70 && std::abs(special) != 1e-30f)
        a[size_t(i)] = 0.25f;
    expectNear(of, a, b, of.expected(a, wide));
  }
}

/// A scale that is infinite makes a NaN of a number that is zero.
TEST_P(StoredTest, interleavedLinesKeepInfiniteScales) {
  if (!mayInterleave(stored))
    GTEST_SKIP() << "is not interleaved";
  const int64_t inner = 256, columns = 16;
  Contraction of({1, 1, columns, inner, false});
  for (uint8_t high : {0x7c, 0xfc, 0x7e}) { // infinities, NaN
    std::vector<uint8_t> b = makeTensor(columns * inner);
    const size_t lineBytes = b.size() / columns, bytes = kStored[stored].bytes;
    for (size_t at : {size_t(0), 5 * lineBytes, b.size() - bytes})
      for (size_t half : scales()) {
        b[at + half] = 0;
        b[at + half + 1] = high;
      }
    std::vector<float> wide = decode(b, columns * inner);
    interleave(of, b);
    std::vector<float> a(size_t(inner), 0.5f);
    expectNear(of, a, b, of.expected(a, wide));
  }
}

/// Parts of very different size, and one element that is far larger than the
/// others of its part.
TEST_P(StoredTest, interleavedProductsAreAsGoodAsFloats) {
  if (!mayInterleave(stored))
    GTEST_SKIP() << "is not interleaved";
  const int64_t inner = 256, columns = 64;
  Contraction of({1, 1, columns, inner, false});
  std::vector<uint8_t> b = makeTensor(columns * inner);
  std::vector<float> wide = decode(b, columns * inner);
  std::normal_distribution<float> normal;
  std::vector<float> a;
  for (int64_t i = 0; i < inner; ++i)
    a.push_back(normal(random) * (i < 32 ? 1e-6f : i % 32 == 9 ? 64.0f : 1.0f));
  interleave(of, b);
  std::vector<float> c = run(of, a, b, false);
  std::vector<double> expected = of.expected(a, wide);
  for (int64_t j = 0; j < columns; ++j) {
    double magnitude = 0; // of what is added
    for (int64_t i = 0; i < inner; ++i)
      magnitude += std::abs(double(a[size_t(i)]) * wide[size_t(j * inner + i)]);
    EXPECT_NEAR(c[size_t(j)], expected[size_t(j)], magnitude * 0x1p-21);
  }
}

/// The largest numbers that there are with the largest digits: no sum of 16
/// bits overflows.
TEST_P(StoredTest, interleavedProductsHoldTheLargest) {
  if (!mayInterleave(stored))
    GTEST_SKIP() << "is not interleaved";
  const int64_t inner = 256, columns = 16;
  Contraction of({1, 4, columns, inner, false});
  std::vector<uint8_t> b = makeTensor(columns * inner);
  for (size_t at = 0; at < b.size(); at += size_t(kStored[stored].bytes)) {
    std::fill_n(b.data() + at, kStored[stored].bytes, uint8_t(0xff));
    for (size_t half : scales())
      b[at + half + 1] = 0x24;
  }
  std::vector<float> wide = decode(b, columns * inner);
  interleave(of, b);
  // Two digits of -128 each, or of 127, below an upper one of 100 or -100.
  std::vector<float> a;
  for (int32_t row : {100 * 65536 - 128 * 256 - 128, 100 * 65536 + 32639,
                      -100 * 65536 - 32896, -100 * 65536 + 32639})
    a.insert(a.end(), size_t(inner), float(row) * 0x1p-20f);
  expectNear(of, a, b, of.expected(a, wide));
}

TEST_P(StoredTest, embeds) {
  const int64_t rows = 5, width = 512;
  std::vector<uint8_t> table = makeTensor(rows * width);
  std::vector<float> wide = decode(table, rows * width), out(size_t(3 * width));
  tprt_embedding_desc desc = {TPRT_F32, 3, rows, width, 9, stored};
  const int32_t ids[] = {6, 2, 3}; // the shard has rows 2 to 6
  ASSERT_EQ(runOnOne([&](tprt_rank *rank) {
              tprt_embedding(rank, &desc, ids, table.data(), 2, out.data());
            }),
            "");
  for (int64_t i = 0; i < 3; ++i)
    EXPECT_EQ(std::memcmp(out.data() + i * width,
                          wide.data() + (ids[i] - 2) * width,
                          size_t(width) * sizeof(float)),
              0);
}

INSTANTIATE_TEST_SUITE_P(Types, StoredTest,
                         testing::Range(int64_t(1), int64_t(11)),
                         [](const auto &info) {
                           return std::string(kStored[info.param].name);
                         });

TEST(StoredErrorTest, onlyOneOperandAndF32) {
  for (tprt_dtype dtype : {TPRT_F32, TPRT_BF16}) {
    Contraction of({1, 1, 1, 32, false});
    of.desc.dtype = dtype;
    of.desc.stored_b = TPRT_STORED_Q4_0;
    of.desc.stored_a = dtype == TPRT_F32 ? TPRT_STORED_Q4_0 : 0;
    char memory[256] = {};
    std::string error = runOnOne([&](tprt_rank *rank) {
      tprt_contract(rank, &of.desc, memory, memory, memory);
    });
    EXPECT_NE(error.find("stored types"), std::string::npos) << error;
  }
}

TEST(StoredErrorTest, tablesAgree) {
  for (int64_t stored = 1; isStored(stored); ++stored) {
    auto type = storedTypeByName(kStored[stored].name);
    ASSERT_TRUE(type.has_value()) << kStored[stored].name;
    EXPECT_EQ(storedTypeInfo(*type).blockElements, kStored[stored].elements);
    EXPECT_EQ(storedTypeInfo(*type).blockBytes, kStored[stored].bytes);
    EXPECT_EQ(storedByName(kStored[stored].name), stored);
  }
  EXPECT_EQ(storedByName("F32"), TPRT_STORED_AS_DTYPE);
}

} // namespace
