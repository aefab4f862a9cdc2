//===- MemorySummaryTest.cpp - memory known before running ----------------===//
//
// Part of tp-mlir, under the Apache License v2.0.
//
//===----------------------------------------------------------------------===//

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Parser/Parser.h"
#include "tp/Conversion/MemoryPlan.h"
#include "tp/Conversion/Passes.h"
#include "gtest/gtest.h"

using namespace mlir;
using namespace mlir::tp;

namespace {

const char *const kText = R"mlir(
  func.func @a(%c: tensor<16xf32> {nn.state = "c"}, %x: tensor<16x16xf32> {nn.input = "x"})
      -> (tensor<16xf32> {nn.state = "c"}, tensor<16x16xf32> {nn.output = "y"}) {
    %0 = nn.transpose %x [1, 0] : (tensor<16x16xf32>) -> tensor<16x16xf32>
    %1 = nn.transpose %0 [1, 0] : (tensor<16x16xf32>) -> tensor<16x16xf32>
    return %c, %1 : tensor<16xf32>, tensor<16x16xf32>
  }
  func.func @b(%c: tensor<16xf32> {nn.state = "c"}) -> (tensor<16xf32> {nn.state = "c"}) {
    return %c : tensor<16xf32>
  })mlir";

TEST(MemorySummary, SharedStateCountsOnce) {
  DialectRegistry registry;
  registerLowering(registry);
  MLIRContext context(registry);
  auto module = parseSourceString<ModuleOp>(kText, &context);
  ASSERT_TRUE(module);
  FailureOr<MemorySummary> one =
      summarise(module->lookupSymbol<func::FuncOp>("a"));
  ASSERT_TRUE(succeeded(one));
  EXPECT_EQ(one->state, 64);
  EXPECT_EQ(one->inputs, 1024);
  EXPECT_EQ(one->outputs, 1024);
  EXPECT_EQ(one->arena, 1024);
  EXPECT_EQ(one->peak(), 64 + 3 * 1024);
  FailureOr<MemorySummary> all = summarise(*module);
  ASSERT_TRUE(succeeded(all));
  EXPECT_EQ(all->state, 64);
  EXPECT_EQ(all->activationsPeak(), 3 * 1024);
  // The module itself is not changed.
  EXPECT_FALSE(module->lookupSymbol<func::FuncOp>("a")->hasAttr("rt.memory"));
}

} // namespace
