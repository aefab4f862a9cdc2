//===- JitOpTest.cpp - each runtime call from its op ----------------------===//
//
// Part of tp-mlir, under the Apache License v2.0.
//
//===----------------------------------------------------------------------===//

#include "Harness.h"
#include "gtest/gtest.h"
#include <cmath>

using namespace tptest;

namespace {

TEST(JitOp, ContractWithBatchDims) {
  Program program(R"mlir(
    func.func @f(%x: tensor<2x3x5xf32> {nn.input = "x"}, %w: tensor<4x2x5xf32> {nn.input = "w"})
        -> (tensor<3x2x4xf32> {nn.output = "y"}) {
      %0 = nn.contract %x, %w "bmk,nbk->mbn" : (tensor<2x3x5xf32>, tensor<4x2x5xf32>) -> tensor<3x2x4xf32>
      return %0 : tensor<3x2x4xf32>
    })mlir");
  Tensor x = random("x", {2, 3, 5}), w = random("w", {4, 2, 5}),
         y = zeros("y", {3, 2, 4});
  ASSERT_TRUE(program.run("f", {x, w}, {&y}));
  for (int m = 0; m < 3; ++m)
    for (int b = 0; b < 2; ++b)
      for (int n = 0; n < 4; ++n) {
        double sum = 0;
        for (int k = 0; k < 5; ++k)
          sum += double(x.at((b * 3 + m) * 5 + k)) * w.at((n * 2 + b) * 5 + k);
        EXPECT_NEAR(y.at((m * 2 + b) * 4 + n), sum, 1e-5);
      }
}

TEST(JitOp, Layout) {
  Program program(R"mlir(
    func.func @f(%x: tensor<3x4xf32> {nn.input = "x"}, %i: tensor<i32> {nn.input = "i"})
        -> (tensor<4x3xf32> {nn.output = "t"}, tensor<2x2xf32> {nn.output = "s"},
            tensor<3x6xf32> {nn.output = "c"}, tensor<4x7xf32> {nn.output = "p"},
            tensor<3xf32> {nn.output = "k"}, tensor<2x6xf32> {nn.output = "r"}) {
      %t = nn.transpose %x [1, 0] : (tensor<3x4xf32>) -> tensor<4x3xf32>
      %s = nn.slice %x offsets [0, 1] strides [2, 2] : (tensor<3x4xf32>) -> tensor<2x2xf32>
      %a = nn.slice %x offsets [0, 2] strides [1, 1] : (tensor<3x4xf32>) -> tensor<3x2xf32>
      %c = nn.concat %a, %x dim 1 : (tensor<3x2xf32>, tensor<3x4xf32>) -> tensor<3x6xf32>
      %p = nn.pad %x low [1, 2] high [0, 1] value 7.0 : (tensor<3x4xf32>) -> tensor<4x7xf32>
      %k = nn.take %x, %i dim 1 : (tensor<3x4xf32>, tensor<i32>) -> tensor<3xf32>
      %r = nn.reshape %x : (tensor<3x4xf32>) -> tensor<2x6xf32>
      return %t, %s, %c, %p, %k, %r : tensor<4x3xf32>, tensor<2x2xf32>, tensor<3x6xf32>,
          tensor<4x7xf32>, tensor<3xf32>, tensor<2x6xf32>
    })mlir");
  Tensor x = random("x", {3, 4}), t = zeros("t", {4, 3}),
         s = zeros("s", {2, 2}), c = zeros("c", {3, 6}), p = zeros("p", {4, 7}),
         k = zeros("k", {3}), r = zeros("r", {2, 6});
  ASSERT_TRUE(program.run("f", {x, make<int32_t>("i", {}, TPRT_I32, {2})},
                          {&t, &s, &c, &p, &k, &r}));
  for (int i = 0; i < 3; ++i) {
    EXPECT_EQ(k.at(i), x.at(i * 4 + 2));
    for (int j = 0; j < 6; ++j)
      EXPECT_EQ(c.at(i * 6 + j), x.at(i * 4 + (j < 2 ? j + 2 : j - 2)));
  }
  for (int i = 0; i < 12; ++i) {
    EXPECT_EQ(t.at(i), x.at(i % 3 * 4 + i / 3));
    EXPECT_EQ(r.at(i), x.at(i));
  }
  for (int i = 0; i < 4; ++i)
    EXPECT_EQ(s.at(i), x.at(i / 2 * 8 + 1 + i % 2 * 2));
  for (int i = 0; i < 28; ++i) {
    int row = i / 7 - 1, column = i % 7 - 2;
    bool inside = row >= 0 && column >= 0 && column < 4;
    EXPECT_EQ(p.at(i), inside ? x.at(row * 4 + column) : 7);
  }
  Tensor unused = zeros("k", {3});
  EXPECT_NE(
      program.fail("f", {x, make<int32_t>("i", {}, TPRT_I32, {4})}, {&unused}),
      "");
}

TEST(JitOp, EmbeddingTopKAndRotary) {
  Program program(R"mlir(
    func.func @f(%ids: tensor<1x3xi32> {nn.input = "ids"}, %w: tensor<9x4xf32> {nn.input = "w"},
                 %cos: tensor<3x2xf32> {nn.input = "cos"}, %sin: tensor<3x2xf32> {nn.input = "sin"})
        -> (tensor<1x3x1x4xf32> {nn.output = "y"}, tensor<1x3x2xf32> {nn.output = "v"},
            tensor<1x3x2xi32> {nn.output = "j"}, tensor<9x4xf32> {nn.output = "g"}) {
      %0 = nn.embedding %ids, %w : (tensor<1x3xi32>, tensor<9x4xf32>) -> tensor<1x3x4xf32>
      %1 = nn.reshape %0 : (tensor<1x3x4xf32>) -> tensor<1x3x1x4xf32>
      %2 = nn.rotary %1, %cos, %sin : (tensor<1x3x1x4xf32>, tensor<3x2xf32>, tensor<3x2xf32>) -> tensor<1x3x1x4xf32>
      %v, %j = nn.top_k %0 k 2 : (tensor<1x3x4xf32>) -> (tensor<1x3x2xf32>, tensor<1x3x2xi32>)
      %g = nn.embedding_gradient %ids, %0 : (tensor<1x3xi32>, tensor<1x3x4xf32>) -> tensor<9x4xf32>
      return %2, %v, %j, %g : tensor<1x3x1x4xf32>, tensor<1x3x2xf32>, tensor<1x3x2xi32>, tensor<9x4xf32>
    })mlir");
  int32_t ids[] = {7, 0, 7};
  Tensor w = random("w", {9, 4}), cos = random("cos", {3, 2}),
         sin = random("sin", {3, 2});
  Tensor y = zeros("y", {1, 3, 1, 4}), v = zeros("v", {1, 3, 2}),
         j = zeros("j", {1, 3, 2}, TPRT_I32), g = zeros("g", {9, 4});
  ASSERT_TRUE(program.run(
      "f", {make<int32_t>("ids", {1, 3}, TPRT_I32, {7, 0, 7}), w, cos, sin},
      {&y, &v, &j, &g}));
  for (int s = 0; s < 3; ++s) {
    const float *row = w.data<float>() + ids[s] * 4;
    for (int i = 0; i < 2; ++i) {
      float c = cos.at(s * 2 + i), n = sin.at(s * 2 + i);
      EXPECT_NEAR(y.at(s * 4 + i), row[i] * c - row[i + 2] * n, 1e-6);
      EXPECT_NEAR(y.at(s * 4 + i + 2), row[i + 2] * c + row[i] * n, 1e-6);
    }
    int best = int(std::max_element(row, row + 4) - row);
    EXPECT_EQ(j.data<int32_t>()[s * 2], best);
    EXPECT_EQ(v.at(s * 2), row[best]);
  }
  for (int i = 0; i < 36; ++i)
    EXPECT_EQ(g.at(i), i / 4 == 7 ? 2 * w.at(i) : i / 4 == 0 ? w.at(i) : 0);
}

TEST(JitOp, AttentionOverACache) {
  Program program(R"mlir(
    func.func @f(%q: tensor<1x2x1x2x4xf32> {nn.input = "q"}, %k: tensor<1x6x1x4xf32> {nn.input = "k"},
                 %v: tensor<1x6x1x4xf32> {nn.input = "v"}, %p: tensor<i32> {nn.input = "p"})
        -> (tensor<1x2x1x2x4xf32> {nn.output = "y"}) {
      %0 = nn.attention %q, %k, %v at %p scale 0.5 causal : (tensor<1x2x1x2x4xf32>,
          tensor<1x6x1x4xf32>, tensor<1x6x1x4xf32>, tensor<i32>) -> tensor<1x2x1x2x4xf32>
      return %0 : tensor<1x2x1x2x4xf32>
    })mlir");
  Tensor q = random("q", {1, 2, 1, 2, 4}), k = random("k", {1, 6, 1, 4}),
         v = random("v", {1, 6, 1, 4}), y = zeros("y", {1, 2, 1, 2, 4});
  ASSERT_TRUE(
      program.run("f", {q, k, v, make<int32_t>("p", {}, TPRT_I32, {3})}, {&y}));
  for (int s = 0; s < 2; ++s)
    for (int g = 0; g < 2; ++g) {
      double sum = 0, out[4] = {};
      for (int t = 0; t <= 3 + s; ++t) {
        double score = 0;
        for (int d = 0; d < 4; ++d)
          score += double(q.at((s * 2 + g) * 4 + d)) * k.at(t * 4 + d);
        double weight = std::exp(score * 0.5);
        sum += weight;
        for (int d = 0; d < 4; ++d)
          out[d] += weight * v.at(t * 4 + d);
      }
      for (int d = 0; d < 4; ++d)
        EXPECT_NEAR(y.at((s * 2 + g) * 4 + d), out[d] / sum, 1e-5);
    }
}

/// Rows of each batch's own table; an id of the next batch's first row is no
/// row of this one.
TEST(JitOp, BatchedGatherAndScatterAdd) {
  Program program(R"mlir(
    func.func @f(%i: tensor<2x3xi32> {nn.input = "i"}, %x: tensor<2x4x5xf32> {nn.input = "x"})
        -> (tensor<2x3x5xf32> {nn.output = "g"}, tensor<2x4x5xf32> {nn.output = "s"}, tensor<2x4x5xf32> {nn.output = "c"}) {
      %g = nn.gather %i, %x : (tensor<2x3xi32>, tensor<2x4x5xf32>) -> tensor<2x3x5xf32>
      %s = nn.scatter_add %i, %g : (tensor<2x3xi32>, tensor<2x3x5xf32>) -> tensor<2x4x5xf32>
      %c = nn.cumulative_sum %x dim 1 exclusive : tensor<2x4x5xf32>
      return %g, %s, %c : tensor<2x3x5xf32>, tensor<2x4x5xf32>, tensor<2x4x5xf32>
    })mlir");
  Tensor x = random("x", {2, 4, 5}), g = zeros("g", {2, 3, 5}),
         s = zeros("s", {2, 4, 5}), c = zeros("c", {2, 4, 5});
  std::vector<int32_t> ids{3, 0, 3, 1, 2, 1};
  ASSERT_TRUE(
      program.run("f", {make("i", {2, 3}, TPRT_I32, ids), x}, {&g, &s, &c}));
  for (int b = 0; b < 2; ++b)
    for (int d = 0; d < 5; ++d) {
      float sums[4] = {}, before = 0;
      for (int n = 0; n < 3; ++n) {
        int row = ids[b * 3 + n];
        float wanted = x.at((b * 4 + row) * 5 + d);
        EXPECT_EQ(g.at((b * 3 + n) * 5 + d), wanted);
        sums[row] += wanted;
      }
      for (int v = 0; v < 4; ++v) {
        EXPECT_EQ(s.at((b * 4 + v) * 5 + d), sums[v]);
        EXPECT_NEAR(c.at((b * 4 + v) * 5 + d), before, 1e-6);
        before += x.at((b * 4 + v) * 5 + d);
      }
    }
  for (int32_t wrong : {-1, 4}) {
    ids[0] = wrong;
    EXPECT_NE(
        program.fail("f", {make("i", {2, 3}, TPRT_I32, ids), x}, {&g, &s, &c}),
        "");
  }
}

} // namespace
