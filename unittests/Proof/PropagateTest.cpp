//===- PropagateTest.cpp - what propagation does not depend on ------------===//
//
// Part of tp-mlir, under the Apache License v2.0.
//
//===----------------------------------------------------------------------===//
//
// On random programs: the same ops in another order get the same shardings, a
// second run changes nothing, and what was asked for is what a value has.
//
//===----------------------------------------------------------------------===//

#include "RandomProgram.h"
#include "tp/Dialect/TP/Transforms/Passes.h"
#include "gtest/gtest.h"
#include <set>

using namespace mlir;
using namespace mlir::tp;
using namespace mlir::tp::proof;

namespace {

constexpr StringLiteral kNumber = "test.number";

/// The ops of a block in another order that keeps definitions before uses.
void shuffle(Block &block, std::mt19937 &generator) {
  SmallVector<Operation *> left, ready;
  for (Operation &op : block.without_terminator())
    left.push_back(&op);
  DenseSet<Operation *> placed;
  auto isReady = [&](Operation *op) {
    return llvm::all_of(op->getOperands(), [&](Value value) {
      return !value.getDefiningOp() || placed.contains(value.getDefiningOp());
    });
  };
  while (!left.empty()) {
    ready.clear();
    llvm::copy_if(left, std::back_inserter(ready), isReady);
    Operation *next = ready[generator() % ready.size()];
    next->moveBefore(block.getTerminator());
    placed.insert(next);
    llvm::erase(left, next);
  }
}

/// The shardings of arguments and, by number, of ops.
std::string shardings(func::FuncOp function) {
  std::string text;
  llvm::raw_string_ostream os(text);
  for (unsigned i = 0; i < function.getNumArguments(); ++i)
    os << "argument " << i << ": " << function.getArgAttr(i, kShardingName)
       << "\n";
  // A constant's copies have its number.
  std::map<int64_t, std::multiset<std::string>> ops;
  function.walk([&](Operation *op) {
    auto number = op->getAttrOfType<IntegerAttr>(kNumber);
    if (!number)
      return;
    std::string line;
    llvm::raw_string_ostream(line)
        << op->getName() << " " << number.getInt() << ": "
        << op->getAttr(kShardingsName) << "\n";
    ops[number.getInt()].insert(line);
  });
  for (auto &[number, lines] : ops)
    for (const std::string &line : lines)
      os << line;
  return text;
}

class PropagateTest : public testing::Test {
protected:
  PropagateTest() : context(makeContext()), passes(context.get()) {
    passes.addPass(createTPPropagate());
  }

  /// A random program whose ops are numbered.
  OwningOpRef<ModuleOp> program(unsigned seed) {
    Recipe recipe = Recipe::random(seed);
    OwningOpRef<ModuleOp> module =
        std::move(ProgramBuilder(*context, recipe).run().module);
    Builder builder(context.get());
    int64_t number = 0;
    functionOf(*module).walk([&](Operation *op) {
      if (!isa<func::FuncOp>(op))
        op->setAttr(kNumber, builder.getI64IntegerAttr(number++));
    });
    return module;
  }

  std::unique_ptr<MLIRContext> context;
  PassManager passes;
};

TEST_F(PropagateTest, OrderOfOpsPlaysNoPart) {
  std::mt19937 generator(1);
  unsigned moved = 0;
  for (unsigned seed = 0; seed < 1000; ++seed) {
    OwningOpRef<ModuleOp> first = program(seed), second = first->clone();
    shuffle(functionOf(*second).getBody().front(), generator);
    moved += toText(*first) != toText(*second);
    bool isRefused = failed(passes.run(*first));
    ASSERT_EQ(isRefused, failed(passes.run(*second)));
    if (!isRefused)
      ASSERT_EQ(shardings(functionOf(*first)), shardings(functionOf(*second)))
          << "seed " << seed << "\n"
          << toText(*first) << toText(*second);
  }
  EXPECT_GT(moved, 300u);
}

TEST_F(PropagateTest, SecondRunChangesNothing) {
  for (unsigned seed = 0; seed < 1000; ++seed) {
    OwningOpRef<ModuleOp> module = program(seed);
    if (failed(passes.run(*module)))
      continue;
    std::string once = toText(*module);
    ASSERT_TRUE(succeeded(passes.run(*module)));
    ASSERT_EQ(once, toText(*module)) << "seed " << seed;
  }
}

/// The axes of every dim that an attribute asks for, without padding and but
/// for the dims that were left open.
std::string axesOf(ShardingAttr sharding, ShardingAttr asked) {
  std::string text;
  llvm::raw_string_ostream os(text);
  unsigned number = 0;
  for (DimShardingAttr dim : sharding.getDims()) {
    if (asked.getDims()[number++].getOpen())
      continue;
    llvm::interleaveComma(dim.getAxes(), os << "[");
    os << "]";
  }
  return text;
}

TEST_F(PropagateTest, WhatIsAskedForIsKept) {
  unsigned asked = 0;
  for (unsigned seed = 0; seed < 1000; ++seed) {
    OwningOpRef<ModuleOp> module = program(seed);
    func::FuncOp function = functionOf(*module);
    std::vector<std::pair<unsigned, ShardingAttr>> before;
    for (unsigned i = 0; i < function.getNumArguments(); ++i)
      if (auto sharding =
              function.getArgAttrOfType<ShardingAttr>(i, kShardingName))
        before.push_back({i, sharding});
    if (failed(passes.run(*module)))
      continue;
    asked += before.size();
    for (auto &[i, sharding] : before)
      ASSERT_EQ(
          axesOf(sharding, sharding),
          axesOf(function.getArgAttrOfType<ShardingAttr>(i, kShardingName),
                 sharding))
          << "seed " << seed;
    for (ConstraintOp op : function.getOps<ConstraintOp>()) {
      ++asked;
      auto shardings = op->getAttrOfType<ArrayAttr>(kShardingsName);
      ASSERT_EQ(axesOf(op.getSharding(), op.getSharding()),
                axesOf(cast<ShardingAttr>(shardings[0]), op.getSharding()))
          << "seed " << seed;
    }
  }
  EXPECT_GT(asked, 1000u);
}

} // namespace
