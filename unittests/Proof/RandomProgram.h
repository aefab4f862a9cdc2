//===- RandomProgram.h - legal programs made of choices ---------*- C++ -*-===//
//
// Part of tp-mlir, under the Apache License v2.0.
//
//===----------------------------------------------------------------------===//
//
// A program is a function of a recipe: lists of numbers, each a choice among
// alternatives of which 0 is the simplest. Any recipe gives a legal program, so
// that a failing one is shrunk by shrinking its numbers.
//
//===----------------------------------------------------------------------===//

#ifndef TP_UNITTESTS_PROOF_RANDOMPROGRAM_H
#define TP_UNITTESTS_PROOF_RANDOMPROGRAM_H

#include "Support.h"

namespace mlir::tp::proof {

using Choices = std::vector<uint32_t>;

struct Recipe {
  Choices mesh;             ///< axes, and the sizes that dims are taken from
  std::vector<Choices> ops; ///< one list for each op
  Choices placements;       ///< of arguments and results

  static Recipe random(unsigned seed);
};

/// A global program with placements, on whole numbers, and what it gives.
struct Program {
  OwningOpRef<ModuleOp> module;
  Tensors arguments, expected;
};

/// Where makers of ops take choices and operands from.
class ProgramBuilder {
public:
  ProgramBuilder(MLIRContext &context, Recipe &recipe);
  Program run();

  /// A choice among 0 .. count - 1.
  unsigned below(unsigned count);
  /// True with probability 1/count; false is simpler.
  bool oneIn(unsigned count) { return below(count) == count - 1; }
  /// A size of the few that the program uses.
  int64_t size();
  SmallVector<int64_t> shape(unsigned leastRank, unsigned mostRank);

  /// A value of this element type and rank; recent ones are likelier. With
  /// `exact`, one that every way to compute it gives the same bits.
  Value any(Type element, unsigned leastRank = 0, unsigned mostRank = 4,
            bool exact = false);
  /// A value of this type with elements from `low` to `high`.
  Value operand(Type type, int low = -4, int high = 4);
  /// A new argument.
  Value fresh(Type type, int low = -4, int high = 4);
  RankedTensorType tensor(ArrayRef<int64_t> shape, Type element = {});

  /// Takes an op that was created last into the program, unless its results are
  /// too large to compare; then it is erased. `inexact`: decompositions may
  /// round otherwise.
  bool keep(Operation *op, bool inexact = false);
  bool isExact(Value value) const { return !inexact.count(value); }

  Placement placement(RankedTensorType type, bool mayBePartial);
  ShardingAttr attribute(const Placement &placement, RankedTensorType type);

  OpBuilder builder;
  Location loc;
  Type f32, i32;

private:
  void makeMesh(Recipe &recipe);
  void placeArguments();
  void finish();

  Recipe &recipe;
  Choices *choices = nullptr; ///< being read
  size_t next = 0;
  OwningOpRef<ModuleOp> module;
  func::FuncOp function;
  MeshAttr mesh;
  FlatSymbolRefAttr meshName;
  SmallVector<int64_t> sizes;
  std::vector<Value> pool;
  DenseMap<Value, Tensor> tensors;
  DenseSet<Value> inexact;
  std::mt19937 numbers{1};
  Tensors expected;
};

/// Adds one op of this kind, and what it needs, to the program.
using Maker = void (*)(ProgramBuilder &program, StringRef op);

/// By the op's name; at least one for each op that has a sharding rule.
ArrayRef<std::pair<StringRef, Maker>> makers();

/// Modules that once went wrong; their arguments may be any bits.
ArrayRef<StringRef> finds();

} // namespace mlir::tp::proof

#endif // TP_UNITTESTS_PROOF_RANDOMPROGRAM_H
