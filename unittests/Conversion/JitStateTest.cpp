//===- JitStateTest.cpp - state that is donated ---------------------------===//
//
// Part of tp-mlir, under the Apache License v2.0.
//
//===----------------------------------------------------------------------===//

#include "Harness.h"
#include "gtest/gtest.h"

using namespace tptest;

namespace {

TEST(JitState, CacheGrowsInPlace) {
  Program program(R"mlir(
    func.func @f(%c: tensor<1x8x2x3xf32> {nn.state = "c"}, %u: tensor<1x2x2x3xf32> {nn.input = "u"},
                 %p: tensor<i32> {nn.input = "p"}, %n: tensor<i32> {nn.input = "n"})
        -> (tensor<1x8x2x3xf32> {nn.state = "c"}, tensor<1x8x2x3xf32> {nn.output = "y"}) {
      %0 = nn.cache_update %c, %u at %p length %n
          : (tensor<1x8x2x3xf32>, tensor<1x2x2x3xf32>, tensor<i32>, tensor<i32>) -> tensor<1x8x2x3xf32>
      %1 = arith.addf %0, %0 : tensor<1x8x2x3xf32>
      return %0, %1 : tensor<1x8x2x3xf32>, tensor<1x8x2x3xf32>
    })mlir");
  EXPECT_EQ(program.diagnostics(), "");
  std::vector<float> wanted(48);
  for (int step = 0; step < 3; ++step) {
    Tensor u = random("u", {1, 2, 2, 3}), y = zeros("y", {1, 8, 2, 3});
    ASSERT_TRUE(program.run("f",
                            {u, make<int32_t>("p", {}, TPRT_I32, {2 * step}),
                             make<int32_t>("n", {}, TPRT_I32, {1 + step % 2})},
                            {&y}));
    for (int i = 0; i < 6 * (1 + step % 2); ++i)
      wanted[12 * step + i] = u.at(i);
    for (int i = 0; i < 48; ++i)
      EXPECT_EQ(y.at(i), 2 * wanted[i]);
  }
  Tensor u = random("u", {1, 2, 2, 3}), y = zeros("y", {1, 8, 2, 3});
  EXPECT_NE(program.fail("f",
                         {u, make<int32_t>("p", {}, TPRT_I32, {7}),
                          make<int32_t>("n", {}, TPRT_I32, {2})},
                         {&y}),
            "");
}

/// Two states that change places, one that is read after its update, one that
/// is computed from scratch and one that stays: all must be right in every run.
TEST(JitState, CopiesWhereItMust) {
  Program program(R"mlir(
    func.func @f(%a: tensor<5xf32> {nn.state = "a"}, %b: tensor<5xf32> {nn.state = "b"},
                 %s: tensor<5xf32> {nn.state = "s"}, %k: tensor<5xf32> {nn.state = "k"},
                 %x: tensor<5xf32> {nn.input = "x"})
        -> (tensor<5xf32> {nn.state = "a"}, tensor<5xf32> {nn.state = "b"},
            tensor<5xf32> {nn.state = "s"}, tensor<5xf32> {nn.state = "k"},
            tensor<5xf32> {nn.output = "old_a"}, tensor<5xf32> {nn.output = "y"},
            tensor<5xf32> {nn.output = "old_s"}) {
      %0 = arith.addf %b, %x : tensor<5xf32>
      %1 = nn.transpose %x [0] : (tensor<5xf32>) -> tensor<5xf32>
      %2 = arith.addf %a, %b : tensor<5xf32>
      return %0, %a, %1, %k, %a, %2, %s : tensor<5xf32>, tensor<5xf32>, tensor<5xf32>,
          tensor<5xf32>, tensor<5xf32>, tensor<5xf32>, tensor<5xf32>
    })mlir");
  EXPECT_NE(program.diagnostics().find("\"b\" is copied"), std::string::npos);
  std::vector<float> a(5), b(5), s(5);
  for (int step = 0; step < 4; ++step) {
    Tensor x = make<float>("x", {5}, TPRT_F32, {1.f + step, 2, 3, 4, 5});
    Tensor oldA = zeros("old_a", {5}), y = zeros("y", {5}),
           oldS = zeros("old_s", {5});
    ASSERT_TRUE(program.run("f", {x}, {&oldA, &y, &oldS}));
    for (int i = 0; i < 5; ++i) {
      EXPECT_EQ(oldA.at(i), a[i]);
      EXPECT_EQ(oldS.at(i), s[i]);
      EXPECT_EQ(y.at(i), a[i] + b[i]);
      float nextA = b[i] + x.at(i);
      b[i] = a[i];
      a[i] = nextA;
      s[i] = x.at(i);
    }
  }
}

TEST(JitState, SwapWithoutAnyOp) {
  Program program(R"mlir(
    func.func @set(%a: tensor<3xf32> {nn.state = "a"}, %x: tensor<3xf32> {nn.input = "x"})
        -> (tensor<3xf32> {nn.state = "a"}) {
      return %x : tensor<3xf32>
    }
    func.func @swap(%a: tensor<3xf32> {nn.state = "a"}, %b: tensor<3xf32> {nn.state = "b"})
        -> (tensor<3xf32> {nn.state = "a"}, tensor<3xf32> {nn.state = "b"},
            tensor<3xf32> {nn.output = "a0"}, tensor<3xf32> {nn.output = "b0"}) {
      return %b, %a, %a, %b : tensor<3xf32>, tensor<3xf32>, tensor<3xf32>, tensor<3xf32>
    })mlir");
  Tensor x = random("x", {3}), a = zeros("a0", {3}), b = zeros("b0", {3});
  ASSERT_TRUE(program.run("set", {x}, {}));
  for (int step = 0; step < 4; ++step) {
    ASSERT_TRUE(program.run("swap", {}, {&a, &b}));
    for (int i = 0; i < 3; ++i) {
      EXPECT_EQ(a.at(i), step % 2 ? 0 : x.at(i));
      EXPECT_EQ(b.at(i), step % 2 ? x.at(i) : 0);
    }
  }
}

} // namespace
