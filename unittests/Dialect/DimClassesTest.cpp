//===- DimClassesTest.cpp - dims that must agree in extent ----------------===//
//
// Part of tp-mlir, under the Apache License v2.0.
//
//===----------------------------------------------------------------------===//

#include "tp/Dialect/TP/Transforms/DimClasses.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Parser/Parser.h"
#include "tp/Dialect/NN/IR/NN.h"
#include "tp/Dialect/TP/IR/TP.h"
#include "gtest/gtest.h"

using namespace mlir;
using namespace mlir::tp;

namespace {

class DimClassesTest : public ::testing::Test {
protected:
  DimClassesTest() {
    DialectRegistry registry;
    registry.insert<arith::ArithDialect, func::FuncDialect, nn::NNDialect,
                    TPDialect>();
    registerShardingModels(registry);
    context.appendDialectRegistry(registry);
  }

  func::FuncOp parse(StringRef text) {
    module = parseSourceString<ModuleOp>(text, &context);
    EXPECT_TRUE(bool(module));
    return *module->getOps<func::FuncOp>().begin();
  }

  /// The classes of all dims, tensor by tensor.
  std::vector<std::vector<unsigned>> classesOf(func::FuncOp function) {
    DimClasses classes(function);
    std::vector<std::vector<unsigned>> all;
    forEachTensor(function, [&](Value value) {
      std::vector<unsigned> &dims = all.emplace_back();
      for (unsigned i = 0; i < shapeOf(value.getType()).size(); ++i) {
        dims.push_back(classes.classOf(value, i));
        EXPECT_LT(dims.back(), classes.size());
      }
    });
    return all;
  }

  MLIRContext context;
  OwningOpRef<ModuleOp> module;
};

using Classes = std::vector<std::vector<unsigned>>;

TEST_F(DimClassesTest, Contraction) {
  func::FuncOp function = parse(R"(
    func.func @f(%x: tensor<2x8x64xf32>, %w: tensor<32x64xf32>) {
      %0 = nn.contract %x, %w "bsk,nk->bsn"
          : (tensor<2x8x64xf32>, tensor<32x64xf32>) -> tensor<2x8x32xf32>
      return
    })");
  EXPECT_EQ(classesOf(function), (Classes{{0, 1, 2}, {3, 2}, {0, 1, 3}}));
}

// Through a chain, and back to a tensor that was used before.
TEST_F(DimClassesTest, Chain) {
  func::FuncOp function = parse(R"(
    func.func @f(%x: tensor<8x8xf32>, %y: tensor<8x8xf32>, %z: tensor<8x8xf32>) {
      %0 = nn.transpose %x [1, 0] : (tensor<8x8xf32>) -> tensor<8x8xf32>
      %1 = arith.addf %0, %y : tensor<8x8xf32>
      %2 = arith.addf %1, %x : tensor<8x8xf32>
      return
    })");
  // x = x transposed, in extent: all dims but z's are one class.
  EXPECT_EQ(classesOf(function),
            (Classes{{0, 0}, {0, 0}, {1, 2}, {0, 0}, {0, 0}, {0, 0}}));
}

// A compound dim is padded on its own: it has no factor by itself.
TEST_F(DimClassesTest, Compound) {
  func::FuncOp function = parse(R"(
    func.func @f(%x: tensor<8x24xf32>) {
      %0 = nn.reshape %x : (tensor<8x24xf32>) -> tensor<8x4x6xf32>
      %1 = nn.reshape %0 : (tensor<8x4x6xf32>) -> tensor<8x24xf32>
      return
    })");
  EXPECT_EQ(classesOf(function), (Classes{{0, 1}, {0, 2, 3}, {0, 4}}));
}

// Dims that are cut or joined are others afterwards.
TEST_F(DimClassesTest, Cut) {
  func::FuncOp function = parse(R"(
    func.func @f(%x: tensor<8x24xf32>) {
      %0 = nn.slice %x offsets [0, 4] strides [1, 1] : (tensor<8x24xf32>) -> tensor<8x10xf32>
      %1 = nn.concat %0, %0 dim 1 : (tensor<8x10xf32>, tensor<8x10xf32>) -> tensor<8x20xf32>
      return
    })");
  EXPECT_EQ(classesOf(function), (Classes{{0, 1}, {0, 2}, {0, 3}}));
}

// Values that are no tensors, tensors without dims, no values.
TEST_F(DimClassesTest, Nothing) {
  EXPECT_EQ(classesOf(parse("func.func @f(%i: index, %x: tensor<f32>) {"
                            "  %0 = arith.negf %x : tensor<f32> return }")),
            (Classes{{}, {}}));
  func::FuncOp empty = parse("func.func @f() { return }");
  EXPECT_EQ(DimClasses(empty).size(), 0u);
}

// All dims of a class have one true size.
TEST_F(DimClassesTest, Sizes) {
  func::FuncOp function = parse(R"(
    func.func @f(%ids: tensor<1x8xi32>, %t: tensor<512x48xf32>, %g: tensor<48xf32>,
                 %w: tensor<4x2x6x48xf32>, %k: tensor<1x16x4x6xf32>, %o: tensor<48x4x2x6xf32>) {
      %0 = nn.embedding %ids, %t : (tensor<1x8xi32>, tensor<512x48xf32>) -> tensor<1x8x48xf32>
      %1 = nn.rms_norm %0, %g epsilon 1.0e-5 : (tensor<1x8x48xf32>, tensor<48xf32>) -> tensor<1x8x48xf32>
      %2 = nn.contract %1, %w "bsk,hgdk->bshgd" : (tensor<1x8x48xf32>, tensor<4x2x6x48xf32>) -> tensor<1x8x4x2x6xf32>
      %3 = nn.attention %2, %k, %k scale 0.5 : (tensor<1x8x4x2x6xf32>, tensor<1x16x4x6xf32>, tensor<1x16x4x6xf32>) -> tensor<1x8x4x2x6xf32>
      %4 = nn.contract %3, %o "bshgd,nhgd->bsn" : (tensor<1x8x4x2x6xf32>, tensor<48x4x2x6xf32>) -> tensor<1x8x48xf32>
      %5 = arith.addf %4, %0 : tensor<1x8x48xf32>
      %6 = nn.contract %5, %t "bsk,vk->bsv" : (tensor<1x8x48xf32>, tensor<512x48xf32>) -> tensor<1x8x512xf32>
      return
    })");
  DimClasses classes(function);
  DenseMap<unsigned, int64_t> sizes;
  forEachTensor(function, [&](Value value) {
    for (auto [i, size] : llvm::enumerate(shapeOf(value.getType()))) {
      auto [it, inserted] = sizes.try_emplace(classes.classOf(value, i), size);
      EXPECT_EQ(it->second, size);
    }
  });
  // Batch, sequence, vocabulary, width, heads, groups, head dim, keys.
  EXPECT_EQ(classes.size(), 8u);
}

} // namespace
