//===- JitKernelTest.cpp - kernels against naive loops --------------------===//
//
// Part of tp-mlir, under the Apache License v2.0.
//
//===----------------------------------------------------------------------===//

#include "Harness.h"
#include "gtest/gtest.h"
#include <cmath>

using namespace tptest;

namespace {

/// Textual replacement, to try one program on several sizes.
std::string with(std::string text, const std::string &key,
                 const std::string &value) {
  for (size_t at = 0; (at = text.find(key, at)) != std::string::npos;
       at += value.size())
    text.replace(at, key.size(), value);
  return text;
}

float bf16(uint16_t bits) {
  uint32_t wide = uint32_t(bits) << 16;
  float value;
  std::memcpy(&value, &wide, 4);
  return value;
}

uint16_t toBf16(float value) {
  uint32_t bits;
  std::memcpy(&bits, &value, 4);
  return uint16_t((bits + 0x7fff + ((bits >> 16) & 1)) >> 16);
}

TEST(JitKernel, SiluTimesPlusResidual) {
  const char *text = R"mlir(
    func.func @f(%g: tensor<SHAPExf32> {nn.input = "g"}, %u: tensor<SHAPExf32> {nn.input = "u"},
                 %r: tensor<SHAPExf32> {nn.input = "r"}) -> (tensor<SHAPExf32> {nn.output = "y"}) {
      %one = arith.constant dense<1.0> : tensor<SHAPExf32>
      %0 = arith.negf %g : tensor<SHAPExf32>
      %1 = math.exp %0 : tensor<SHAPExf32>
      %2 = arith.addf %1, %one : tensor<SHAPExf32>
      %3 = arith.divf %g, %2 : tensor<SHAPExf32>
      %4 = arith.mulf %3, %u : tensor<SHAPExf32>
      %5 = arith.addf %4, %r : tensor<SHAPExf32>
      return %5 : tensor<SHAPExf32>
    })mlir";
  for (std::vector<int64_t> shape : std::vector<std::vector<int64_t>>{
           {1}, {15}, {16}, {17}, {33}, {3, 5}, {2, 3, 67}, {1, 1, 1}}) {
    std::string dims;
    for (int64_t extent : shape)
      dims += (dims.empty() ? "" : "x") + std::to_string(extent);
    Program program(with(text, "SHAPE", dims));
    Tensor g = random("g", shape, -20, 20), u = random("u", shape),
           r = random("r", shape);
    Tensor y = zeros("y", shape);
    ASSERT_TRUE(program.run("f", {g, u, r}, {&y}));
    for (int64_t i = 0; i < y.size(); ++i) {
      double x = g.at(i), wanted = x / (1 + std::exp(-x)) * u.at(i) + r.at(i);
      EXPECT_NEAR(y.at(i), wanted, 1e-6 * (1 + std::fabs(wanted)))
          << dims << " " << i;
    }
  }
}

TEST(JitKernel, RmsNorm) {
  const char *text = R"mlir(
    func.func @f(%x: tensor<2x3xWIDTHxf32> {nn.input = "x"}, %w: tensor<WIDTHxf32> {nn.input = "w"})
        -> (tensor<2x3xWIDTHxf32> {nn.output = "y"}) {
      %0 = nn.rms_norm %x, %w epsilon 1.0e-5 : (tensor<2x3xWIDTHxf32>, tensor<WIDTHxf32>) -> tensor<2x3xWIDTHxf32>
      return %0 : tensor<2x3xWIDTHxf32>
    })mlir";
  for (int64_t width : {1, 7, 16, 32, 67, 576}) {
    Program program(with(text, "WIDTH", std::to_string(width)));
    Tensor x = random("x", {2, 3, width}), w = random("w", {width});
    Tensor y = zeros("y", {2, 3, width});
    ASSERT_TRUE(program.run("f", {x, w}, {&y}));
    for (int64_t row = 0; row < 6; ++row) {
      double sum = 0;
      for (int64_t i = 0; i < width; ++i)
        sum += double(x.at(row * width + i)) * x.at(row * width + i);
      double scale = 1 / std::sqrt(sum / width + 1e-5);
      for (int64_t i = 0; i < width; ++i)
        EXPECT_NEAR(y.at(row * width + i),
                    x.at(row * width + i) * scale * w.at(i), 2e-6);
    }
  }
}

TEST(JitKernel, SoftmaxHasThreeStages) {
  Program program(R"mlir(
    func.func @f(%x: tensor<5x37xf32> {nn.input = "x"})
        -> (tensor<5x37xf32> {nn.output = "y"}, tensor<5xf32> {nn.output = "m"}) {
      %0 = nn.reduce %x "max" dims [1] : (tensor<5x37xf32>) -> tensor<5xf32>
      %1 = nn.broadcast %0 dims [0] : (tensor<5xf32>) -> tensor<5x37xf32>
      %2 = arith.subf %x, %1 : tensor<5x37xf32>
      %3 = math.exp %2 : tensor<5x37xf32>
      %4 = nn.reduce %3 "sum" dims [1] : (tensor<5x37xf32>) -> tensor<5xf32>
      %5 = nn.broadcast %4 dims [0] : (tensor<5xf32>) -> tensor<5x37xf32>
      %6 = arith.divf %3, %5 : tensor<5x37xf32>
      return %6, %0 : tensor<5x37xf32>, tensor<5xf32>
    })mlir");
  Tensor x = random("x", {5, 37}, -30, 30), y = zeros("y", {5, 37}),
         m = zeros("m", {5});
  ASSERT_TRUE(program.run("f", {x}, {&y, &m}));
  for (int row = 0; row < 5; ++row) {
    double most = -1e9, sum = 0;
    for (int i = 0; i < 37; ++i)
      most = std::max<double>(most, x.at(row * 37 + i));
    for (int i = 0; i < 37; ++i)
      sum += std::exp(x.at(row * 37 + i) - most);
    EXPECT_EQ(m.at(row), float(most));
    for (int i = 0; i < 37; ++i)
      EXPECT_NEAR(y.at(row * 37 + i), std::exp(x.at(row * 37 + i) - most) / sum,
                  1e-6);
  }
}

TEST(JitKernel, BroadcastsOfEveryKind) {
  Program program(R"mlir(
    func.func @f(%x: tensor<4x5x19xf32> {nn.input = "x"}, %a: tensor<19xf32> {nn.input = "a"},
                 %b: tensor<5xf32> {nn.input = "b"}, %c: tensor<4x19xf32> {nn.input = "c"},
                 %d: tensor<4x5xf32> {nn.input = "d"}, %e: tensor<f32> {nn.input = "e"})
        -> (tensor<4x5x19xf32> {nn.output = "y"}) {
      %0 = nn.broadcast %a dims [2] : (tensor<19xf32>) -> tensor<4x5x19xf32>
      %1 = nn.broadcast %b dims [1] : (tensor<5xf32>) -> tensor<4x5x19xf32>
      %2 = nn.broadcast %c dims [0, 2] : (tensor<4x19xf32>) -> tensor<4x5x19xf32>
      %3 = nn.broadcast %d dims [0, 1] : (tensor<4x5xf32>) -> tensor<4x5x19xf32>
      %4 = nn.broadcast %e dims [] : (tensor<f32>) -> tensor<4x5x19xf32>
      %5 = arith.addf %x, %0 : tensor<4x5x19xf32>
      %6 = arith.mulf %5, %1 : tensor<4x5x19xf32>
      %7 = arith.addf %6, %2 : tensor<4x5x19xf32>
      %8 = arith.mulf %7, %3 : tensor<4x5x19xf32>
      %9 = arith.addf %8, %4 : tensor<4x5x19xf32>
      return %9 : tensor<4x5x19xf32>
    })mlir");
  Tensor x = random("x", {4, 5, 19}), a = random("a", {19}),
         b = random("b", {5}), c = random("c", {4, 19}),
         d = random("d", {4, 5}), e = random("e", {});
  Tensor y = zeros("y", {4, 5, 19});
  ASSERT_TRUE(program.run("f", {x, a, b, c, d, e}, {&y}));
  for (int i = 0; i < 4; ++i)
    for (int j = 0; j < 5; ++j)
      for (int k = 0; k < 19; ++k) {
        int at = (i * 5 + j) * 19 + k;
        double wanted =
            (((double(x.at(at)) + a.at(k)) * b.at(j)) + c.at(i * 19 + k)) *
                d.at(i * 5 + j) +
            e.at(0);
        EXPECT_NEAR(y.at(at), wanted, 1e-5);
      }
}

TEST(JitKernel, IndicesConstantsBooleansAndIntegers) {
  Program program(R"mlir(
    func.func @f(%x: tensor<3x4xi32> {nn.input = "x"}, %p: tensor<i32> {nn.input = "p"})
        -> (tensor<3x4xi32> {nn.output = "y"}, tensor<3x4xf64> {nn.output = "z"}) {
      %0 = nn.iota dim 1 : tensor<3x4xi32>
      %1 = nn.iota dim 0 : tensor<3x4xi32>
      %2 = nn.broadcast %p dims [] : (tensor<i32>) -> tensor<3x4xi32>
      %t = arith.constant dense<[[1,2,3,4],[5,6,7,8],[9,10,11,12]]> : tensor<3x4xi32>
      %3 = arith.cmpi sgt, %x, %t : tensor<3x4xi32>
      %4 = arith.addi %0, %2 : tensor<3x4xi32>
      %5 = arith.select %3, %4, %1 : tensor<3x4xi1>, tensor<3x4xi32>
      %6 = arith.sitofp %5 : tensor<3x4xi32> to tensor<3x4xf64>
      %7 = math.exp %6 : tensor<3x4xf64>
      return %5, %7 : tensor<3x4xi32>, tensor<3x4xf64>
    })mlir");
  Tensor x = make<int32_t>("x", {3, 4}, TPRT_I32,
                           {9, 0, 9, 0, 9, 0, 9, 0, 9, 0, 99, 0});
  Tensor p = make<int32_t>("p", {}, TPRT_I32, {-2});
  Tensor y = zeros("y", {3, 4}, TPRT_I32), z = zeros("z", {3, 4}, TPRT_F64);
  ASSERT_TRUE(program.run("f", {x, p}, {&y, &z}));
  for (int i = 0; i < 3; ++i)
    for (int j = 0; j < 4; ++j) {
      int at = i * 4 + j, wanted = x.data<int32_t>()[at] > at + 1 ? j - 2 : i;
      EXPECT_EQ(y.data<int32_t>()[at], wanted);
      EXPECT_NEAR(z.data<double>()[at], std::exp(wanted),
                  1e-14 * std::exp(wanted));
    }
}

/// A boolean that leaves one kernel for another is a byte in memory.
TEST(JitKernel, BooleansInMemory) {
  Program program(R"mlir(
    func.func @f(%x: tensor<2x21xf32> {nn.input = "x"}) -> (tensor<21x2xf32> {nn.output = "y"}) {
      %zero = arith.constant dense<0.0> : tensor<2x21xf32>
      %0 = arith.cmpf ogt, %x, %zero : tensor<2x21xf32>
      %1 = nn.transpose %0 [1, 0] : (tensor<2x21xi1>) -> tensor<21x2xi1>
      %2 = arith.uitofp %1 : tensor<21x2xi1> to tensor<21x2xf32>
      return %2 : tensor<21x2xf32>
    })mlir");
  Tensor x = random("x", {2, 21}), y = zeros("y", {21, 2});
  ASSERT_TRUE(program.run("f", {x}, {&y}));
  for (int i = 0; i < 42; ++i)
    EXPECT_EQ(y.at(i), x.at(i % 2 * 21 + i / 2) > 0 ? 1.0f : 0.0f);
}

TEST(JitKernel, ScalarsOnly) {
  Program program(R"mlir(
    func.func @f(%p: tensor<i32> {nn.input = "p"}) -> (tensor<i32> {nn.output = "q"}, tensor<f32> {nn.output = "s"}) {
      %one = arith.constant dense<1> : tensor<i32>
      %0 = arith.addi %p, %one : tensor<i32>
      %1 = arith.sitofp %0 : tensor<i32> to tensor<f32>
      %2 = math.sqrt %1 : tensor<f32>
      return %0, %2 : tensor<i32>, tensor<f32>
    })mlir");
  Tensor q = zeros("q", {}, TPRT_I32), s = zeros("s", {});
  ASSERT_TRUE(
      program.run("f", {make<int32_t>("p", {}, TPRT_I32, {8})}, {&q, &s}));
  EXPECT_EQ(q.data<int32_t>()[0], 9);
  EXPECT_EQ(s.at(0), 3.0f);
}

TEST(JitKernel, ReductionsOfEveryKind) {
  Program program(R"mlir(
    func.func @f(%x: tensor<3x4x21xf32> {nn.input = "x"})
        -> (tensor<3xf32> {nn.output = "sum"}, tensor<4x21xf32> {nn.output = "lead"},
            tensor<f32> {nn.output = "min"}, tensor<3x21xf32> {nn.output = "product"}) {
      %0 = nn.reduce %x "sum" dims [1, 2] : (tensor<3x4x21xf32>) -> tensor<3xf32>
      %1 = nn.reduce %x "sum" dims [0] : (tensor<3x4x21xf32>) -> tensor<4x21xf32>
      %2 = nn.reduce %x "min" dims [0, 1, 2] : (tensor<3x4x21xf32>) -> tensor<f32>
      %3 = nn.reduce %x "product" dims [1] : (tensor<3x4x21xf32>) -> tensor<3x21xf32>
      return %0, %1, %2, %3 : tensor<3xf32>, tensor<4x21xf32>, tensor<f32>, tensor<3x21xf32>
    })mlir");
  Tensor x = random("x", {3, 4, 21}), sum = zeros("sum", {3}),
         lead = zeros("lead", {4, 21}), min = zeros("min", {}),
         product = zeros("product", {3, 21});
  ASSERT_TRUE(program.run("f", {x}, {&sum, &lead, &min, &product}));
  std::vector<double> s(3), l(84), p(63, 1);
  float least = 1e9;
  for (int i = 0; i < 252; ++i) {
    s[i / 84] += x.at(i);
    l[i % 84] += x.at(i);
    p[i / 84 * 21 + i % 21] *= x.at(i);
    least = std::min(least, x.at(i));
  }
  for (int i = 0; i < 3; ++i)
    EXPECT_NEAR(sum.at(i), s[i], 1e-4);
  for (int i = 0; i < 84; ++i)
    EXPECT_NEAR(lead.at(i), l[i], 1e-5);
  for (int i = 0; i < 63; ++i)
    EXPECT_NEAR(product.at(i), p[i], 1e-5);
  EXPECT_EQ(min.at(0), least);
}

TEST(JitKernel, Bf16RoundsAsTheGraphSays) {
  Program program(R"mlir(
    func.func @f(%x: tensor<3x37xbf16> {nn.input = "x"}, %w: tensor<37xbf16> {nn.input = "w"})
        -> (tensor<3x37xbf16> {nn.output = "y"}, tensor<3x37xbf16> {nn.output = "z"}) {
      %0 = nn.rms_norm %x, %w epsilon 1.0e-5 : (tensor<3x37xbf16>, tensor<37xbf16>) -> tensor<3x37xbf16>
      %1 = arith.addf %x, %x : tensor<3x37xbf16>
      %2 = math.exp %1 : tensor<3x37xbf16>
      return %0, %2 : tensor<3x37xbf16>, tensor<3x37xbf16>
    })mlir");
  std::vector<uint16_t> xs, ws;
  Tensor source = random("x", {111}), weights = random("w", {37});
  for (int i = 0; i < 111; ++i)
    xs.push_back(toBf16(source.at(i)));
  for (int i = 0; i < 37; ++i)
    ws.push_back(toBf16(weights.at(i)));
  Tensor y = zeros("y", {3, 37}, TPRT_BF16), z = zeros("z", {3, 37}, TPRT_BF16);
  ASSERT_TRUE(program.run(
      "f", {make("x", {3, 37}, TPRT_BF16, xs), make("w", {37}, TPRT_BF16, ws)},
      {&y, &z}));
  for (int row = 0; row < 3; ++row) {
    double sum = 0;
    for (int i = 0; i < 37; ++i)
      sum += double(bf16(xs[row * 37 + i])) * bf16(xs[row * 37 + i]);
    float scale = 1 / std::sqrt(sum / 37 + 1e-5);
    for (int i = 0; i < 37; ++i) {
      float x = bf16(xs[row * 37 + i]);
      float rounded = bf16(toBf16(x * scale));
      float wanted = rounded * bf16(ws[i]);
      EXPECT_NEAR(bf16(y.data<uint16_t>()[row * 37 + i]), wanted,
                  std::fabs(wanted) / 100);
      float exponential = std::exp(bf16(toBf16(2 * x)));
      EXPECT_NEAR(bf16(z.data<uint16_t>()[row * 37 + i]), exponential,
                  exponential / 200);
    }
  }
}

/// Functions of f32 over wide ranges: the error is absolute below 1, else
/// relative.
TEST(JitKernel, FunctionsAreAccurate) {
  struct Case {
    const char *op;
    double (*function)(double);
    float low, high;
    double tolerance;
  };
  for (Case test : {Case{"math.exp", std::exp, -87, 88, 4e-7},
                    Case{"math.tanh", std::tanh, -12, 12, 4e-7},
                    Case{"math.log", std::log, 1e-6f, 1e6f, 4e-7},
                    Case{"math.erf", std::erf, -5, 5, 4e-7},
                    Case{"math.sin", std::sin, -100000, 100000, 1e-7},
                    Case{"math.cos", std::cos, -100000, 100000, 1e-7},
                    Case{"math.sqrt", std::sqrt, 0, 1e6f, 1e-7},
                    Case{"math.expm1", std::expm1, -3, 3, 2e-7}}) {
    Program program(with(R"mlir(
      func.func @f(%x: tensor<4099xf32> {nn.input = "x"}) -> (tensor<4099xf32> {nn.output = "y"}) {
        %0 = OP %x : tensor<4099xf32>
        return %0 : tensor<4099xf32>
      })mlir",
                         "OP", test.op));
    Tensor x = random("x", {4099}, test.low, test.high), y = zeros("y", {4099});
    x.data<float>()[0] = test.low;
    x.data<float>()[1] = test.high;
    ASSERT_TRUE(program.run("f", {x}, {&y}));
    double worst = 0;
    for (int i = 0; i < 4099; ++i) {
      double wanted = test.function(x.at(i));
      worst = std::max(worst, std::fabs(y.at(i) - wanted) /
                                  std::max(1.0, std::fabs(wanted)));
    }
    EXPECT_LE(worst, test.tolerance) << test.op;
  }
}

TEST(JitKernel, ExtremesOfExp) {
  Program program(R"mlir(
    func.func @f(%x: tensor<4xf32> {nn.input = "x"}) -> (tensor<4xf32> {nn.output = "y"}) {
      %0 = math.exp %x : tensor<4xf32>
      return %0 : tensor<4xf32>
    })mlir");
  float infinity = std::numeric_limits<float>::infinity();
  Tensor y = zeros("y", {4});
  ASSERT_TRUE(program.run(
      "f",
      {make<float>("x", {4}, TPRT_F32, {-infinity, -1000, 1000, infinity})},
      {&y}));
  EXPECT_EQ(y.at(0), 0);
  EXPECT_EQ(y.at(1), 0);
  EXPECT_EQ(y.at(2), infinity);
  EXPECT_EQ(y.at(3), infinity);
}

} // namespace
