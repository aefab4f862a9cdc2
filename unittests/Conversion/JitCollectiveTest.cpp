//===- JitCollectiveTest.cpp - programs on several ranks ------------------===//
//
// Part of tp-mlir, under the Apache License v2.0.
//
//===----------------------------------------------------------------------===//

#include "Harness.h"
#include "gtest/gtest.h"

using namespace tptest;

namespace {

/// A colwise and a rowwise product with one all-reduce, on n ranks.
std::string twoProducts(int64_t n) {
  std::string local = std::to_string(12 / n), size = std::to_string(n);
  return R"mlir(
    tp.mesh @mesh = <["tp"=)mlir" +
         size + R"mlir(]>
    func.func @f(
        %x: tensor<5x7xf32> {nn.input = "x", tp.sharding = #tp.sharding<@mesh, [{}, {}]>},
        %a: tensor<)mlir" +
         local + R"mlir(x7xf32> {nn.input = "a", tp.global = tensor<12x7xf32>,
            tp.sharding = #tp.sharding<@mesh, [{"tp"}, {}]>},
        %b: tensor<7x)mlir" +
         local + R"mlir(xf32> {nn.input = "b", tp.global = tensor<7x12xf32>,
            tp.sharding = #tp.sharding<@mesh, [{}, {"tp"}]>})
        -> (tensor<5x7xf32> {nn.output = "y", tp.sharding = #tp.sharding<@mesh, [{}, {}]>}) {
      %0 = nn.contract %x, %a "mk,nk->mn" : (tensor<5x7xf32>, tensor<)mlir" +
         local + R"mlir(x7xf32>) -> tensor<5x)mlir" + local + R"mlir(xf32>
      %1 = nn.contract %0, %b "mk,nk->mn" : (tensor<5x)mlir" +
         local + R"mlir(xf32>, tensor<7x)mlir" + local +
         R"mlir(xf32>) -> tensor<5x7xf32>
      %2 = tp.all_reduce %1 sum over [#tp.axis<"tp">] of @mesh module "mlp"
          : (tensor<5x7xf32>) -> tensor<5x7xf32>
      %3 = arith.addf %2, %x : tensor<5x7xf32>
      return %3 : tensor<5x7xf32>
    })mlir";
}

TEST(JitCollective, TensorParallelProducts) {
  for (int64_t n : {1, 2, 3}) {
    Program program(twoProducts(n));
    Tensor x = random("x", {5, 7}), a = random("a", {12, 7}),
           b = random("b", {7, 12});
    Tensor y = zeros("y", {5, 7});
    ASSERT_TRUE(program.run("f", {x, a, b}, {&y}));
    for (int i = 0; i < 5; ++i)
      for (int j = 0; j < 7; ++j) {
        double sum = x.at(i * 7 + j);
        for (int k = 0; k < 12; ++k)
          for (int l = 0; l < 7; ++l)
            sum += double(x.at(i * 7 + l)) * a.at(k * 7 + l) * b.at(j * 12 + k);
        EXPECT_NEAR(y.at(i * 7 + j), sum, 1e-4);
      }
  }
}

TEST(JitCollective, ManifestNamesCollectives) {
  Program program(twoProducts(3));
  const std::string &manifest = program.manifest();
  EXPECT_NE(manifest.find(R"({"id":0,"kind":"all_reduce","name":"mlp"})"),
            std::string::npos)
      << manifest;
  EXPECT_NE(manifest.find(R"("groups":[[{"axis":"tp","pre":1,"size":3}]])"),
            std::string::npos)
      << manifest;
}

/// Every op that changes how a value lies, and back: the identity in the end.
TEST(JitCollective, RoundTripOfPlacements) {
  Program program(R"mlir(
    tp.mesh @mesh = <["dp"=1, "tp"=3]>
    func.func @f(%x: tensor<6x3xf32> {nn.input = "x", tp.sharding = #tp.sharding<@mesh, [{}, {}]>})
        -> (tensor<6x3xf32> {nn.output = "y", tp.sharding = #tp.sharding<@mesh, [{}, {}]>},
            tensor<2x3xf32> {nn.output = "z", tp.sharding = #tp.sharding<@mesh, [{"tp"}, {}]>,
                             tp.global = tensor<6x3xf32>}) {
      %0 = tp.slice %x dim 1 over [#tp.axis<"tp">] of @mesh : (tensor<6x3xf32>) -> tensor<6x1xf32>
      %1 = tp.all_to_all %0 gather [1] split [0] over [#tp.axis<"tp">] of @mesh
          : (tensor<6x1xf32>) -> tensor<2x3xf32>
      %2 = tp.all_gather %1 dims [0] over [#tp.axis<"tp">] of @mesh
          : (tensor<2x3xf32>) -> tensor<6x3xf32>
      %3 = tp.make_partial %2 over [#tp.axis<"tp">] of @mesh : tensor<6x3xf32>
      %4 = tp.reduce_scatter %3 sum dims [0] over [#tp.axis<"tp">] of @mesh
          : (tensor<6x3xf32>) -> tensor<2x3xf32>
      %5 = tp.all_gather %4 dims [0] over [#tp.axis<"tp">] of @mesh
          : (tensor<2x3xf32>) -> tensor<6x3xf32>
      return %5, %4 : tensor<6x3xf32>, tensor<2x3xf32>
    })mlir");
  Tensor x = random("x", {6, 3}), y = zeros("y", {6, 3}),
         z = zeros("z", {6, 3});
  ASSERT_TRUE(program.run("f", {x}, {&y, &z}));
  for (int i = 0; i < 18; ++i) {
    EXPECT_EQ(y.at(i), x.at(i));
    EXPECT_EQ(z.at(i), x.at(i));
  }
}

/// Blocks change places: rows by a and columns by b, the other way round.
TEST(JitCollective, Permute) {
  Program program(R"mlir(
    tp.mesh @mesh = <["a"=2, "b"=2, "c"=2]>
    func.func @f(%x: tensor<2x3xf32> {nn.input = "x", tp.global = tensor<4x6xf32>,
                     tp.sharding = #tp.sharding<@mesh, [{"a"}, {"b"}]>})
        -> (tensor<2x3xf32> {nn.output = "y", tp.global = tensor<4x6xf32>,
                     tp.sharding = #tp.sharding<@mesh, [{"b"}, {"a"}]>},
            tensor<4x3xf32> {nn.output = "z", tp.global = tensor<4x6xf32>,
                     tp.sharding = #tp.sharding<@mesh, [{}, {"c"}]>}) {
      %0 = tp.permute %x from [#tp.axis<"a">, #tp.axis<"b">] to [#tp.axis<"b">, #tp.axis<"a">]
          of @mesh : (tensor<2x3xf32>) -> tensor<2x3xf32>
      %1 = tp.permute %x from [#tp.axis<"b">, #tp.axis<"c">] to [#tp.axis<"c">, #tp.axis<"b">]
          of @mesh : (tensor<2x3xf32>) -> tensor<2x3xf32>
      %2 = tp.all_gather %1 dims [0] over [#tp.axis<"a">] of @mesh
          : (tensor<2x3xf32>) -> tensor<4x3xf32>
      %3 = tp.make_partial %2 as product over [#tp.axis<"a">] of @mesh : tensor<4x3xf32>
      %4 = tp.all_reduce %3 product over [#tp.axis<"a">] of @mesh
          : (tensor<4x3xf32>) -> tensor<4x3xf32>
      return %0, %4 : tensor<2x3xf32>, tensor<4x3xf32>
    })mlir");
  Tensor x = random("x", {4, 6}), y = zeros("y", {4, 6}),
         z = zeros("z", {4, 6});
  ASSERT_TRUE(program.run("f", {x}, {&y, &z}));
  for (int i = 0; i < 24; ++i) {
    EXPECT_EQ(y.at(i), x.at(i));
    EXPECT_EQ(z.at(i), x.at(i));
  }
}

/// A dim of 4 true elements padded to 6: what is beyond is masked before the
/// sum.
TEST(JitCollective, PaddingIsMasked) {
  Program program(R"mlir(
    tp.mesh @mesh = <["tp"=3]>
    func.func @f(%x: tensor<2x5xf32> {nn.input = "x", tp.global = tensor<4x5xf32>,
                     tp.sharding = #tp.sharding<@mesh, [{"tp"} pad 6, {}]>})
        -> (tensor<5xf32> {nn.output = "y", tp.sharding = #tp.sharding<@mesh, [{}]>}) {
      %start = tp.shard_start [#tp.axis<"tp">] of @mesh block 2
      %one = arith.constant dense<1.0> : tensor<2x5xf32>
      %0 = arith.addf %x, %one : tensor<2x5xf32>
      %1 = tp.mask %0 dim 0 from %start size 4 fill 0.0 : tensor<2x5xf32>
      %2 = nn.reduce %1 "sum" dims [0] : (tensor<2x5xf32>) -> tensor<5xf32>
      %3 = tp.all_reduce %2 sum over [#tp.axis<"tp">] of @mesh : (tensor<5xf32>) -> tensor<5xf32>
      return %3 : tensor<5xf32>
    })mlir");
  Tensor x = random("x", {4, 5}), y = zeros("y", {5});
  ASSERT_TRUE(program.run("f", {x}, {&y}));
  for (int j = 0; j < 5; ++j)
    EXPECT_NEAR(y.at(j),
                4 + x.at(j) + x.at(5 + j) + x.at(10 + j) + x.at(15 + j), 1e-5);
}

/// Indices that begin at the shard's start, inside a kernel.
TEST(JitCollective, IotaOfAShard) {
  Program program(R"mlir(
    tp.mesh @mesh = <["dp"=2, "tp"=2]>
    func.func @f(%x: tensor<5xi32> {nn.input = "x", tp.global = tensor<20xi32>,
                     tp.sharding = #tp.sharding<@mesh, [{"tp", "dp"}]>})
        -> (tensor<5xi32> {nn.output = "y", tp.global = tensor<20xi32>,
                     tp.sharding = #tp.sharding<@mesh, [{"tp", "dp"}]>}) {
      %start = tp.shard_start [#tp.axis<"tp">, #tp.axis<"dp">] of @mesh block 5
      %0 = nn.iota from %start dim 0 : tensor<5xi32>
      %1 = arith.addi %0, %x : tensor<5xi32>
      return %1 : tensor<5xi32>
    })mlir");
  Tensor x = zeros("x", {20}, TPRT_I32), y = zeros("y", {20}, TPRT_I32);
  ASSERT_TRUE(program.run("f", {x}, {&y}));
  for (int i = 0; i < 20; ++i)
    EXPECT_EQ(y.data<int32_t>()[i], i);
}

} // namespace
