//===- ConvertTest.cpp - number formats -----------------------------------===//
//
// Part of tp-mlir, under the Apache License v2.0.
//
//===----------------------------------------------------------------------===//

#include "checkpoint/Convert.h"
#include "Fixtures.h"

#include <cmath>
#include <limits>

using namespace tprt;
using namespace tprt::checkpoint;
using namespace tprt::test;

/// The value of a small float format, from its definition.
static double definition(uint32_t bits, int exponentBits, int fractionBits) {
  int bias = (1 << (exponentBits - 1)) - 1;
  int top = (1 << exponentBits) - 1;
  int exponent = (bits >> fractionBits) & top;
  double fraction = bits & ((1u << fractionBits) - 1);
  double sign = (bits >> (exponentBits + fractionBits)) & 1 ? -1 : 1;
  if (exponent == top)
    return fraction ? std::nan("") : sign * INFINITY;
  if (exponent == 0)
    return sign * std::ldexp(fraction, 1 - bias - fractionBits);
  return sign * std::ldexp(fraction + std::ldexp(1, fractionBits),
                           exponent - bias - fractionBits);
}

TEST(Convert, AllF16) {
  for (uint32_t bits = 0; bits < 65536; ++bits) {
    double expected = definition(bits, 5, 10);
    float actual = fromF16(bits);
    if (std::isnan(expected)) {
      EXPECT_TRUE(std::isnan(actual));
      EXPECT_TRUE(std::isnan(fromF16(toF16(actual))));
      EXPECT_EQ(toF16(actual) >> 15, bits >> 15);
      continue;
    }
    ASSERT_EQ(actual, expected) << bits;
    ASSERT_EQ(std::signbit(actual), bits >> 15 != 0) << bits;
    ASSERT_EQ(toF16(actual), bits);
  }
}

TEST(Convert, AllBf16) {
  for (uint32_t bits = 0; bits < 65536; ++bits) {
    double expected = definition(bits, 8, 7);
    float actual = fromBf16(bits);
    if (std::isnan(expected)) {
      EXPECT_TRUE(std::isnan(actual));
      EXPECT_TRUE(std::isnan(fromBf16(toBf16(actual))));
      EXPECT_EQ(toBf16(actual) >> 15, bits >> 15);
      continue;
    }
    ASSERT_EQ(actual, expected) << bits;
    ASSERT_EQ(toBf16(actual), bits);
  }
}

/// Between each value and the next: below the middle, at it, above it. Past the
/// largest value the next would be the power of two that infinity stands for.
template <typename Round>
static void checkRounding(int exponentBits, int fractionBits, Round round) {
  uint32_t infinity = ((1u << exponentBits) - 1) << fractionBits;
  int bias = (1 << (exponentBits - 1)) - 1;
  for (uint32_t bits = 0; bits < infinity; ++bits) {
    double a = definition(bits, exponentBits, fractionBits);
    double b = bits + 1 == infinity
                   ? std::ldexp(1, bias + 1)
                   : definition(bits + 1, exponentBits, fractionBits);
    double middle = (a + b) / 2;
    uint32_t even = bits & 1 ? bits + 1 : bits;
    round(middle, even);
    round(std::nextafter(middle, 0), bits);
    round(std::nextafter(middle, INFINITY), bits + 1);
  }
}

TEST(Convert, RoundsF16) {
  checkRounding(5, 10, [](double value, uint32_t expected) {
    ASSERT_EQ(toF16(toOddFloat(value)), expected) << value;
    ASSERT_EQ(toF16(toOddFloat(-value)), expected | 0x8000) << value;
    if (static_cast<float>(value) == value) {
      ASSERT_EQ(toF16(static_cast<float>(value)), expected) << value;
    }
  });
}

TEST(Convert, RoundsBf16) {
  checkRounding(8, 7, [](double value, uint32_t expected) {
    ASSERT_EQ(toBf16(toOddFloat(value)), expected) << value;
    ASSERT_EQ(toBf16(toOddFloat(-value)), expected | 0x8000) << value;
    if (static_cast<float>(value) == value) {
      ASSERT_EQ(toBf16(static_cast<float>(value)), expected) << value;
    }
  });
}

TEST(Convert, RoundsF32ToF16NextToTheMiddle) {
  float middle = 1 + std::ldexp(1.f, -11);
  EXPECT_EQ(toF16(middle), 0x3c00);
  EXPECT_EQ(toF16(std::nextafter(middle, 2.f)), 0x3c01);
  EXPECT_EQ(toF16(std::nextafter(65520.f, 0.f)), 0x7bff);
  EXPECT_EQ(toF16(65520.f), 0x7c00);
  EXPECT_EQ(toF16(std::ldexp(1.f, -25)), 0);
  EXPECT_EQ(toF16(std::nextafter(std::ldexp(1.f, -25), 1.f)), 1);
  EXPECT_EQ(toF16(std::numeric_limits<float>::denorm_min()), 0);
}

TEST(Convert, ExtremesOfF64) {
  EXPECT_EQ(toBf16(toOddFloat(1e300)), 0x7f80);
  EXPECT_EQ(toBf16(toOddFloat(-INFINITY)), 0xff80);
  EXPECT_EQ(toBf16(toOddFloat(1e-300)), 0);
  EXPECT_EQ(toF16(toOddFloat(-1e-300)), 0x8000);
  EXPECT_TRUE(std::isnan(fromBf16(toBf16(toOddFloat(std::nan(""))))));
}

//===----------------------------------------------------------------------===//
// Blocks, by hand
//===----------------------------------------------------------------------===//

/// Byte j holds (j, 15 - j): elements 0..15 count up, 16..31 count down.
static Bytes nibbles() {
  Bytes result;
  for (int j = 0; j < 16; ++j)
    result += static_cast<char>(j | (15 - j) << 4);
  return result;
}

TEST(Dequantise, Q4_0) {
  GgufWriter writer;
  writer.tensor("x", 2, {32}, raw<uint16_t>(0x3800) + nibbles()); // d = 0.5
  Bytes file = writer.file();
  auto checkpoint = openGguf(file);
  std::vector<float> values = readAll(*checkpoint, "x");
  for (int j = 0; j < 16; ++j) {
    EXPECT_EQ(values[j], (j - 8) * 0.5f);
    EXPECT_EQ(values[16 + j], (7 - j) * 0.5f);
  }
}

TEST(Dequantise, Q4_1) {
  GgufWriter writer;
  writer.tensor("x", 3, {32},
                raw<uint16_t>(0x4000) + raw<uint16_t>(0xbc00) + nibbles());
  Bytes file = writer.file();
  auto checkpoint = openGguf(file);
  std::vector<float> values = readAll(*checkpoint, "x");
  for (int j = 0; j < 16; ++j) { // d = 2, m = -1
    EXPECT_EQ(values[j], j * 2.f - 1);
    EXPECT_EQ(values[16 + j], (15 - j) * 2.f - 1);
  }
}

TEST(Dequantise, Q8_0) {
  Bytes block = raw<uint16_t>(0x3400); // d = 0.25
  for (int j = 0; j < 32; ++j)
    block += static_cast<char>(j == 31 ? -128 : 127 - j * 8);
  GgufWriter writer;
  writer.tensor("x", 8, {32}, block);
  Bytes file = writer.file();
  auto checkpoint = openGguf(file);
  std::vector<float> values = readAll(*checkpoint, "x");
  for (int j = 0; j < 31; ++j)
    EXPECT_EQ(values[j], (127 - j * 8) * 0.25f);
  EXPECT_EQ(values[31], -32.f);
}

TEST(Dequantise, Q5_0AndQ5_1) {
  // Only elements 3 and 20 have their fifth bit.
  Bytes levels = raw<uint32_t>(1 << 3 | 1 << 20) + nibbles();
  GgufWriter writer;
  writer.tensor("zero", 6, {32}, raw<uint16_t>(0x3800) + levels); // d = 0.5
  writer.tensor("least", 7, {32},
                raw<uint16_t>(0x4000) + raw<uint16_t>(0xbc00) + levels);
  Bytes file = writer.file();
  auto checkpoint = openGguf(file);
  std::vector<float> zero = readAll(*checkpoint, "zero");
  std::vector<float> least = readAll(*checkpoint, "least");
  for (int j = 0; j < 32; ++j) { // d = 2, m = -1
    int level = j < 16 ? j : 31 - j;
    if (j == 3 || j == 20)
      level += 16;
    EXPECT_EQ(zero[j], (level - 16) * 0.5f) << j;
    EXPECT_EQ(least[j], level * 2.f - 1) << j;
  }
}

/// f16 1 and 0.5, then group g with scale 8 * g + 1 and minimum 60 - g.
static Bytes groupScales() {
  Bytes packed(12, '\0');
  for (int g = 0; g < 8; ++g) {
    int scale = 8 * g + 1, minimum = 60 - g;
    if (g < 4) {
      packed[g] |= scale;
      packed[g + 4] |= minimum;
      continue;
    }
    packed[g + 4] = static_cast<char>(scale % 16 | minimum % 16 << 4);
    packed[g - 4] |= scale / 16 << 6;
    packed[g] |= minimum / 16 << 6;
  }
  return raw<uint16_t>(0x3c00) + raw<uint16_t>(0x3800) + packed;
}

TEST(Dequantise, Q4_KAndQ5_K) {
  // Levels (5 * g + j) % 16 and, where g + j is even, 16 more.
  Bytes low(128, '\0'), high(32, '\0');
  for (int g = 0; g < 8; ++g)
    for (int j = 0; j < 32; ++j) {
      low[g / 2 * 32 + j] |= (5 * g + j) % 16 << g % 2 * 4;
      high[j] |= (g + j) % 2 ? 0 : 1 << g;
    }
  GgufWriter writer;
  writer.tensor("four", 12, {256}, groupScales() + low);
  writer.tensor("five", 13, {256}, groupScales() + high + low);
  Bytes file = writer.file();
  auto checkpoint = openGguf(file);
  std::vector<float> four = readAll(*checkpoint, "four");
  std::vector<float> five = readAll(*checkpoint, "five");
  for (int g = 0; g < 8; ++g)
    for (int j = 0; j < 32; ++j) {
      int scale = 8 * g + 1, level = (5 * g + j) % 16;
      float minimum = (60 - g) * 0.5f;
      EXPECT_EQ(four[32 * g + j], level * scale - minimum) << g << " " << j;
      level += (g + j) % 2 ? 0 : 16;
      EXPECT_EQ(five[32 * g + j], level * scale - minimum) << g << " " << j;
    }
}

TEST(Dequantise, Q6_K) {
  // Levels (7 * g + 3 * j) % 64, scales 7 - k.
  Bytes low(128, '\0'), high(64, '\0'), scales;
  for (int g = 0; g < 8; ++g)
    for (int j = 0; j < 32; ++j) {
      int level = (7 * g + 3 * j) % 64;
      low[g / 4 * 64 + g % 2 * 32 + j] |= level % 16 << (g % 4 > 1 ? 4 : 0);
      high[g / 4 * 32 + j] |= level / 16 << g % 4 * 2;
    }
  for (int k = 0; k < 16; ++k)
    scales += static_cast<char>(7 - k);
  GgufWriter writer;
  writer.tensor("x", 14, {256}, low + high + scales + raw<uint16_t>(0x3800));
  Bytes file = writer.file();
  auto checkpoint = openGguf(file);
  std::vector<float> values = readAll(*checkpoint, "x");
  for (int i = 0; i < 256; ++i) { // d = 0.5
    int level = (7 * (i / 32) + 3 * (i % 32)) % 64;
    EXPECT_EQ(values[i], (level - 32) * (7 - i / 16) * 0.5f) << i;
  }
}

TEST(Dequantise, PlainGgufTypesInOneFile) {
  GgufWriter writer;
  writer.tensor("f32", 0, {3}, rawList<float>({1.5f, -2.f, 1e-40f}));
  writer.tensor("f16", 1, {3}, rawList<uint16_t>({0x3c00, 0xc000, 0x0001}));
  writer.tensor("bf16", 30, {3}, rawList<uint16_t>({0x3f80, 0xc000, 0x0001}));
  writer.tensor("f64", 28, {2}, rawList<double>({0.1, -1e300}));
  Bytes file = writer.file();
  auto checkpoint = openGguf(file);
  EXPECT_EQ(readAll(*checkpoint, "f32"),
            (std::vector<float>{1.5f, -2.f, 1e-40f}));
  EXPECT_EQ(readAll(*checkpoint, "f16"),
            (std::vector<float>{1.f, -2.f, std::ldexp(1.f, -24)}));
  EXPECT_EQ(readAll(*checkpoint, "bf16"),
            (std::vector<float>{1.f, -2.f, std::ldexp(1.f, -133)}));
  EXPECT_EQ(readAll(*checkpoint, "f64"), (std::vector<float>{0.1f, -INFINITY}));
}
