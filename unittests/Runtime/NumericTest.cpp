//===- NumericTest.cpp - conversions and vector functions ----------------===//
//
// Part of tp-mlir, under the Apache License v2.0.
//
//===----------------------------------------------------------------------===//

#include "Support.h"

#include "host/Convert.h"
#include "host/Simd.h"

#include <cmath>
#include <limits>

using namespace tprt;
using namespace tprt::test;

TEST(Numeric, everyHalfSurvivesTheRoundTrip) {
  for (uint32_t bits = 0; bits < 65536; ++bits) {
    float half = f16ToF32(uint16_t(bits)), brain = bf16ToF32(uint16_t(bits));
    if (half != half)
      EXPECT_TRUE(f16ToF32(f32ToF16(half)) != f16ToF32(f32ToF16(half)));
    else
      EXPECT_EQ(f32ToF16(half), bits);
    if (brain != brain)
      EXPECT_TRUE(std::isnan(bf16ToF32(f32ToBf16(brain))));
    else
      EXPECT_EQ(f32ToBf16(brain), bits);
  }
}

TEST(Numeric, halfMatchesTheCompiler) {
  std::mt19937 random(1);
  for (int i = 0; i < 200000; ++i) {
    float value = bitCast<float>(uint32_t(random()));
    if (value == value) {
      EXPECT_EQ(f32ToF16(value), bitCast<uint16_t>(_Float16(value))) << value;
    }
  }
  for (uint32_t bits = 0; bits < 65536; ++bits) {
    float expected = float(bitCast<_Float16>(uint16_t(bits)));
    if (expected == expected) {
      EXPECT_EQ(f16ToF32(uint16_t(bits)), expected);
    }
  }
}

TEST(Numeric, roundsToNearestEven) {
  EXPECT_EQ(f32ToBf16(bitCast<float>(0x3f808000u)), 0x3f80); // a tie, to even
  EXPECT_EQ(f32ToBf16(bitCast<float>(0x3f818000u)), 0x3f82);
  EXPECT_EQ(f32ToBf16(bitCast<float>(0x3f808001u)), 0x3f81);
  EXPECT_EQ(f32ToBf16(std::numeric_limits<float>::max()), 0x7f80);
  EXPECT_EQ(f32ToF16(65519.0f), 0x7bff);
  EXPECT_EQ(f32ToF16(65520.0f), 0x7c00);
  EXPECT_EQ(f32ToF16(0x1p-25f), 0); // half of the smallest, a tie
  EXPECT_EQ(f32ToF16(0x1.8p-25f), 1);
  EXPECT_EQ(f32ToF16(-0x1p-24f), 0x8001);
}

TEST(Numeric, signallingNotANumberStaysOne) {
  EXPECT_TRUE(std::isnan(bf16ToF32(f32ToBf16(bitCast<float>(0x7f800001u)))));
  EXPECT_TRUE(std::isnan(f16ToF32(f32ToF16(bitCast<float>(0xff800001u)))));
}

template <typename T> static void checkBulk() {
  std::vector<T> narrow(1 << 16), again(1 << 16);
  for (uint32_t i = 0; i < 65536; ++i)
    narrow[i].bits = uint16_t(i);
  for (int64_t count : {1, 7, 8, 33, 65536}) {
    std::vector<float> wide(size_t(count) + 1, -5);
    widenMany(narrow.data(), wide.data(), count);
    for (int64_t i = 0; i < count; ++i)
      EXPECT_EQ(bitCast<uint32_t>(wide[i]), bitCast<uint32_t>(widen(narrow[i])))
          << i;
    EXPECT_EQ(wide[count], -5);
    narrowMany(wide.data(), again.data(), count);
    for (int64_t i = 0; i < count; ++i)
      EXPECT_EQ(again[i].bits, tprt::narrow<T>(wide[i]).bits) << i;
  }
}

TEST(Numeric, bulkConversionsAreTheSame) {
  checkBulk<Bf16>();
  checkBulk<F16>();
}

TEST(Numeric, exponential) {
  const float infinity = std::numeric_limits<float>::infinity();
  for (float x = -100; x <= 80; x += 0.0137f) {
    float value = expVector(splat(x))[3];
    double expected = std::exp(double(x));
    if (x < -87.3)
      EXPECT_LE(value, 1.3e-38f);
    else
      EXPECT_NEAR(value / expected, 1, 4e-7) << x;
  }
  EXPECT_EQ(expVector(splat(-infinity))[0], 0);
  EXPECT_EQ(expVector(splat(0.0f))[0], 1);
  EXPECT_TRUE(std::isnan(expVector(splat(std::nanf("")))[0]));
}

TEST(Numeric, hyperbolicTangent) {
  for (float x = -12; x <= 12; x += 0.0031f)
    EXPECT_NEAR(tanhVector(splat(x))[0], std::tanh(double(x)),
                4e-7 * std::abs(std::tanh(double(x))) + 1e-30)
        << x;
  EXPECT_EQ(tanhVector(splat(0.0f))[0], 0);
}

TEST(Numeric, sumsLanes) {
  FloatVector floats;
  for (int i = 0; i < 16; ++i)
    floats[i] = float(1 << i);
  EXPECT_EQ(sumLanes<float>(floats), 65535);
  EXPECT_EQ(sumLanes<double>(splat(1.5)), 12);
}
