//===- RuleTest.cpp - the notation of sharding rules ----------------------===//
//
// Part of tp-mlir, under the Apache License v2.0.
//
//===----------------------------------------------------------------------===//

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Parser/Parser.h"
#include "tp/Dialect/NN/IR/NN.h"
#include "tp/Dialect/TP/IR/TP.h"
#include "gtest/gtest.h"

using namespace mlir;
using namespace mlir::tp;

namespace {

class RuleTest : public ::testing::Test {
protected:
  RuleTest() {
    DialectRegistry registry;
    registry.insert<arith::ArithDialect, func::FuncDialect, nn::NNDialect,
                    TPDialect>();
    registerShardingModels(registry);
    context.appendDialectRegistry(registry);
    context.allowUnregisteredDialects();
  }

  /// The op with these operand and result types; its arguments are the
  /// function's.
  Operation *make(StringRef operands, StringRef results) {
    std::string text = "func.func @f(";
    size_t count = operands.empty() ? 0 : operands.count(';') + 1;
    std::string names, types;
    SmallVector<StringRef> parts;
    operands.split(parts, ';');
    for (size_t i = 0; i < count; ++i) {
      std::string name = "%" + std::to_string(i);
      text += (i ? ", " : "") + name + ": " + parts[i].str();
      names += (i ? ", " : "") + name;
      types += (i ? ", " : "") + parts[i].str();
    }
    text += ") { %r:" + std::to_string(results.count(';') + 1) +
            " = \"my.op\"(" + names + ") : (" + types + ") -> (";
    for (char c : results)
      text += c == ';' ? ',' : c;
    return parse(text + ") return }");
  }

  /// The first op of the function in `text`.
  Operation *parse(StringRef text) {
    module = parseSourceString<ModuleOp>(text, &context);
    EXPECT_TRUE(bool(module)) << text.str();
    return &(*module->getOps<func::FuncOp>().begin()).getBody().front().front();
  }

  MLIRContext context;
  OwningOpRef<ModuleOp> module;
};

SmallVector<int64_t> sizesOf(const ShardingRule &rule) {
  SmallVector<int64_t> sizes;
  for (const Factor &factor : rule.factors)
    sizes.push_back(factor.size);
  return sizes;
}

TEST_F(RuleTest, Factors) {
  Operation *op =
      make("tensor<2x8x64xf32>;tensor<32x64xf32>", "tensor<2x8x32xf32>");
  std::optional<ShardingRule> rule =
      ShardingRule::parse(op, "([b,s,k],[n,k])->([b,s,n]); sum{k}; each{0,1}");
  ASSERT_TRUE(rule.has_value());
  EXPECT_EQ(sizesOf(*rule), (SmallVector<int64_t>{2, 8, 64, 32}));
  EXPECT_EQ(rule->operands[0], TensorFactors({{0}, {1}, {2}}));
  EXPECT_EQ(rule->operands[1], TensorFactors({{3}, {2}}));
  EXPECT_EQ(rule->results[0], TensorFactors({{0}, {1}, {3}}));
  EXPECT_EQ(rule->factors[2].kind, FactorKind::Reduce);
  EXPECT_EQ(rule->factors[2].reduction, ReduceKind::Sum);
  EXPECT_EQ(rule->factors[3].kind, FactorKind::Pass);
  EXPECT_EQ(rule->each, (SmallVector<unsigned>{0, 1}));
  EXPECT_TRUE(rule->joint.empty());
}

TEST_F(RuleTest, Clauses) {
  Operation *op = make("tensor<2x3x4x5x6xf32>", "tensor<2xf32>");
  std::optional<ShardingRule> rule = ShardingRule::parse(
      op, " ( [a , b, c, d, e] ) -> ( [a] ) ; max{b} ; replicate{c}; "
          "decompose{d};indexed{a,e}; masked{a}; joint{0}; checked{0}");
  ASSERT_TRUE(rule.has_value());
  EXPECT_TRUE(rule->factors[0].indexed && rule->factors[0].masked);
  EXPECT_EQ(rule->factors[1].kind, FactorKind::Reduce);
  EXPECT_EQ(rule->factors[1].reduction, ReduceKind::Max);
  EXPECT_EQ(rule->factors[2].kind, FactorKind::Replicate);
  EXPECT_EQ(rule->factors[3].kind, FactorKind::Decompose);
  EXPECT_TRUE(rule->factors[4].indexed && !rule->factors[4].masked);
  EXPECT_EQ(rule->joint, (SmallVector<unsigned>{0}));
  EXPECT_EQ(rule->checked, (SmallVector<unsigned>{0}));
}

// "..." stands for the dims that are left over, the same in every tensor.
TEST_F(RuleTest, Ellipsis) {
  Operation *op =
      make("tensor<2x3xi32>;tensor<512x64xf32>", "tensor<2x3x64xf32>");
  std::optional<ShardingRule> rule = ShardingRule::parse(
      op, "([...],[v,w])->([...,w]); sum{v}; replicate{...}");
  ASSERT_TRUE(rule.has_value());
  EXPECT_EQ(rule->operands[0], TensorFactors({{0}, {1}}));
  EXPECT_EQ(rule->results[0], TensorFactors({{0}, {1}, {3}}));
  EXPECT_EQ(rule->factors[0].kind, FactorKind::Replicate);
  EXPECT_EQ(rule->factors[1].kind, FactorKind::Replicate);
  EXPECT_EQ(rule->factors[3].kind, FactorKind::Pass);
  // It may stand for nothing.
  op = make("tensor<i32>;tensor<512x64xf32>", "tensor<64xf32>");
  rule = ShardingRule::parse(op, "([...],[v,w])->([...,w]); replicate{...}");
  ASSERT_TRUE(rule.has_value());
  EXPECT_EQ(rule->results[0], TensorFactors({{1}}));
}

// Operands of each and joint are counted among tensors and named among all.
TEST_F(RuleTest, ScalarsAreSkipped) {
  Operation *op =
      make("index;tensor<4xf32>;f32;tensor<4xf32>", "tensor<4xf32>;index");
  std::optional<ShardingRule> rule =
      ShardingRule::parse(op, "([a],[a])->([a]); each{0}; joint{1}");
  ASSERT_TRUE(rule.has_value());
  EXPECT_EQ(rule->operands.size(), 4u);
  EXPECT_TRUE(rule->operands[0].empty() && rule->operands[2].empty());
  EXPECT_EQ(rule->operands[3], TensorFactors({{0}}));
  EXPECT_EQ(rule->results.size(), 2u);
  EXPECT_EQ(rule->each, (SmallVector<unsigned>{1}));
  EXPECT_EQ(rule->joint, (SmallVector<unsigned>{3}));
}

// Trailing operands may be absent, with the factors that only they have.
TEST_F(RuleTest, OptionalOperands) {
  Operation *op = make("tensor<4xf32>", "tensor<4xf32>");
  std::optional<ShardingRule> rule = ShardingRule::parse(
      op, "([a],[a,b],[])->([a]); replicate{b}; joint{0,1}");
  ASSERT_TRUE(rule.has_value());
  EXPECT_EQ(sizesOf(*rule), (SmallVector<int64_t>{4}));
  EXPECT_EQ(rule->joint, (SmallVector<unsigned>{0}));
}

TEST_F(RuleTest, NoOperands) {
  Operation *op = make("", "tensor<4xf32>");
  std::optional<ShardingRule> rule =
      ShardingRule::parse(op, "()->([a]); indexed{a}");
  ASSERT_TRUE(rule.has_value());
  EXPECT_TRUE(rule->operands.empty() && rule->factors[0].indexed);
}

TEST_F(RuleTest, Mistakes) {
  Operation *op = make("tensor<4x5xf32>", "tensor<4xf32>");
  ASSERT_TRUE(ShardingRule::parse(op, "([a,b])->([a]); sum{b}").has_value());
  for (StringRef notation : {"",
                             "([a,b])",
                             "([a,b])->",
                             "[a,b]->[a]",
                             "([a,b]->([a])",
                             "([a,b])->([a]",
                             "([a,b)->([a])",
                             "([a])->([a])",
                             "([a,b,c])->([a])",
                             "([a,b])->([a,b])",
                             "([a,b,c,...])->([a])",
                             "([a,b])->([a]);",
                             "([a,b])->([a]); sum",
                             "([a,b])->([a]); sum{b",
                             "([a,b])->([a]); sum{}x",
                             "([a,b])->([a]); mean{b}",
                             "([a,b])->([a]); {b}",
                             "([a,b])->([a]); each{b}",
                             "([a,b])->([a]); each{-1}",
                             "([a,b])->([a]) sum{b}",
                             "([a,!])->([a])"})
    EXPECT_FALSE(ShardingRule::parse(op, notation).has_value())
        << notation.str();
}

TEST_F(RuleTest, Elementwise) {
  // A condition that is one bit for all is left out.
  Operation *op = parse("func.func @f(%c: i1, %x: tensor<2x3xf32>) {"
                        "  %0 = arith.select %c, %x, %x : tensor<2x3xf32>"
                        "  return }");
  ShardingRule rule = ShardingRule::elementwise(op);
  EXPECT_EQ(sizesOf(rule), (SmallVector<int64_t>{2, 3}));
  EXPECT_TRUE(rule.operands[0].empty());
  EXPECT_EQ(rule.operands[1], TensorFactors({{0}, {1}}));
  EXPECT_EQ(rule.operands[2], rule.operands[1]);
  EXPECT_EQ(rule.results[0], rule.operands[1]);
}

TEST_F(RuleTest, SplitResultTypes) {
  Operation *op =
      make("tensor<4x6xf32>", "tensor<4x6xf32>;index;tensor<6xi32>");
  std::optional<ShardingRule> rule =
      ShardingRule::parse(op, "([a,b])->([a,b],[b])");
  ASSERT_TRUE(rule.has_value());
  SmallVector<Type> types = splitResultTypes(op, *rule, 1, {2, 3});
  Type f32 = Float32Type::get(&context), i32 = IntegerType::get(&context, 32);
  EXPECT_EQ(types[0], RankedTensorType::get({4, 2, 3}, f32));
  EXPECT_EQ(types[1], IndexType::get(&context));
  EXPECT_EQ(types[2], RankedTensorType::get({2, 3}, i32));
}

// The smallest runs of equal product correspond.
TEST_F(RuleTest, Reshape) {
  auto ruleOf = [&](StringRef from, StringRef to) {
    return cast<ShardingRuleOpInterface>(
               parse(("func.func @f(%x: tensor<" + from +
                      "xf32>) {"
                      "  %0 = nn.reshape %x : (tensor<" +
                      from + "xf32>) -> tensor<" + to + "xf32> return }")
                         .str()))
        .getShardingRule();
  };
  ShardingRule split = ruleOf("8x24", "8x4x6");
  EXPECT_EQ(sizesOf(split), (SmallVector<int64_t>{8, 4, 6}));
  EXPECT_EQ(split.operands[0], TensorFactors({{0}, {1, 2}}));
  EXPECT_EQ(split.results[0], TensorFactors({{0}, {1}, {2}}));
  ShardingRule merge = ruleOf("2x3x4x5", "6x20");
  EXPECT_EQ(merge.operands[0], TensorFactors({{0}, {1}, {2}, {3}}));
  EXPECT_EQ(merge.results[0], TensorFactors({{0, 1}, {2, 3}}));
  // Dims of one element belong to nothing.
  ShardingRule ones = ruleOf("1x8x1", "8x1x1x1");
  EXPECT_EQ(ones.operands[0], TensorFactors({{}, {0}, {}}));
  EXPECT_EQ(ones.results[0], TensorFactors({{0}, {}, {}, {}}));
  // Several to several: whole on every device.
  ShardingRule irregular = ruleOf("4x6", "8x3");
  ASSERT_EQ(irregular.factors.size(), 4u);
  for (const Factor &factor : irregular.factors)
    EXPECT_EQ(factor.kind, FactorKind::Replicate);
  // No elements at all.
  ruleOf("0x4", "0");
  ruleOf("4x0", "0x7x3");
}

} // namespace
