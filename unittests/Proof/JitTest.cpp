//===- JitTest.cpp - the same programs as machine code --------------------===//
//
// Part of tp-mlir, under the Apache License v2.0.
//
//===----------------------------------------------------------------------===//
//
// A sample of what ProductTest and FuzzTest interpret, compiled and run on one
// thread for each rank.
//
//===----------------------------------------------------------------------===//

#include "../Conversion/Harness.h"
#include "OpCases.h"
#include "Placements.h"
#include "RandomProgram.h"
#include "mlir/Parser/Parser.h"
#include "gtest/gtest.h"
#include <cmath>

using namespace mlir;
using namespace mlir::tp;
using namespace mlir::tp::proof;

namespace {

//===----------------------------------------------------------------------===//
// The interface with the host
//===----------------------------------------------------------------------===//

/// The host has no bits: they come as i32 and go as f32.
void widenBits(func::FuncOp function) {
  Block &block = function.getBody().front();
  OpBuilder builder(&block, block.begin());
  Location loc = function.getLoc();
  for (BlockArgument argument : block.getArguments()) {
    auto type = cast<RankedTensorType>(argument.getType());
    if (!type.getElementType().isInteger(1))
      continue;
    RankedTensorType wide = type.clone(builder.getI32Type());
    argument.setType(wide);
    auto zero = arith::ConstantOp::create(
        builder, loc,
        SplatElementsAttr::get(wide, builder.getI32IntegerAttr(0)));
    auto bits = arith::CmpIOp::create(builder, loc, arith::CmpIPredicate::ne,
                                      argument, zero);
    argument.replaceAllUsesExcept(bits, bits);
  }
  Operation *terminator = block.getTerminator();
  builder.setInsertionPoint(terminator);
  for (OpOperand &result : terminator->getOpOperands()) {
    auto type = cast<RankedTensorType>(result.get().getType());
    if (!type.getElementType().isInteger(1))
      continue;
    RankedTensorType wide = type.clone(builder.getF32Type());
    auto number = [&](float value) -> Value {
      return arith::ConstantOp::create(
          builder, loc,
          SplatElementsAttr::get(wide, builder.getF32FloatAttr(value)));
    };
    result.set(arith::SelectOp::create(builder, loc, result.get(), number(1),
                                       number(0)));
  }
  function.setFunctionType(builder.getFunctionType(
      block.getArgumentTypes(), terminator->getOperandTypes()));
}

/// Every argument an input and every result an output.
void nameInterface(func::FuncOp function) {
  Builder builder(function.getContext());
  for (unsigned i = 0; i < function.getNumArguments(); ++i)
    function.setArgAttr(i, "nn.input", builder.getStringAttr("i" + Twine(i)));
  for (unsigned i = 0; i < function.getNumResults(); ++i)
    function.setResultAttr(i, "nn.output",
                           builder.getStringAttr("o" + Twine(i)));
}

tprt_dtype dtypeOf(Type type) {
  Type element = getElementTypeOrSelf(type);
  return element.isF64()             ? TPRT_F64
         : element.isBF16()          ? TPRT_BF16
         : element.isF16()           ? TPRT_F16
         : element.isInteger(64)     ? TPRT_I64
         : isa<IntegerType>(element) ? TPRT_I32
                                     : TPRT_F32;
}

void store(tptest::Tensor &to, size_t i, double x) {
  auto number = float(x);
  uint32_t bits;
  std::memcpy(&bits, &number, sizeof bits);
  switch (to.dtype) {
  case TPRT_I32:
    to.data<int32_t>()[i] = int32_t(x);
    return;
  case TPRT_I64:
    to.data<int64_t>()[i] = int64_t(x);
    return;
  case TPRT_BF16: // Small whole numbers are exact.
    to.data<uint16_t>()[i] = uint16_t(bits >> 16);
    return;
  default:
    to.data<float>()[i] = number;
  }
}

double load(tptest::Tensor &from, size_t i) {
  uint32_t bits;
  float number;
  switch (from.dtype) {
  case TPRT_I32:
    return from.data<int32_t>()[i];
  case TPRT_I64:
    return double(from.data<int64_t>()[i]);
  case TPRT_BF16:
    bits = uint32_t(from.data<uint16_t>()[i]) << 16;
    std::memcpy(&number, &bits, sizeof number);
    return number;
  default:
    return from.data<float>()[i];
  }
}

/// The runtime has no collectives of bits yet: see DISABLED_CollectivesOfBits.
bool sendsBits(func::FuncOp local) {
  bool found = false;
  local.walk([&](CollectiveOpInterface op) {
    for (Type type : op->getOperandTypes())
      found |= getElementTypeOrSelf(type).isInteger(1);
  });
  return found;
}

/// For each result of the function, whether a bf16 is on the way to it: the
/// interpreter does not round.
std::vector<bool> findRounded(func::FuncOp function) {
  DenseSet<Value> rounded;
  auto isNarrow = [](Value value) {
    return getElementTypeOrSelf(value).isBF16();
  };
  for (Operation &op : function.getBody().front())
    for (Value result : op.getResults())
      if (isNarrow(result) || llvm::any_of(op.getOperands(), [&](Value value) {
            return isNarrow(value) || rounded.contains(value);
          }))
        rounded.insert(result);
  std::vector<bool> results;
  for (Value value : function.getBody().front().getTerminator()->getOperands())
    results.push_back(isNarrow(value) || rounded.contains(value));
  return results;
}

//===----------------------------------------------------------------------===//
// Batches
//===----------------------------------------------------------------------===//

/// Programs on one mesh, compiled together.
class Batch {
public:
  explicit Batch(Passes &passes, bool bitsAreSent = false)
      : passes(passes), bitsAreSent(bitsAreSent) {}

  /// Takes a module of one global function; false if it is refused.
  bool add(ModuleOp module, Tensors arguments, Tensors expected);
  void run();
  size_t size() const { return entries.size(); }

private:
  struct Entry {
    std::string name, text;
    Tensors arguments, expected;
    std::vector<tprt_dtype> inputs, outputs;
    std::vector<bool> isRounded; ///< of outputs: what comes of bf16
  };

  void runEntry(tptest::Program &program, Entry &entry);

  Passes &passes;
  bool bitsAreSent;
  std::vector<Entry> entries;
  std::string text;
};

bool Batch::add(ModuleOp module, Tensors arguments, Tensors expected) {
  func::FuncOp function = functionOf(module);
  Entry entry;
  entry.name = "f" + std::to_string(entries.size());
  function.setName(entry.name);
  widenBits(function);
  nameInterface(function);
  entry.text = toText(module);
  for (Type type : function.getArgumentTypes())
    entry.inputs.push_back(dtypeOf(type));
  for (Type type : function.getResultTypes())
    entry.outputs.push_back(dtypeOf(type));
  entry.isRounded = findRounded(function);
  std::string messages;
  if (failed(passes.shard(module, messages)) ||
      (!bitsAreSent && sendsBits(functionOf(module))))
    return false;
  llvm::raw_string_ostream os(text);
  if (entries.empty()) {
    (*module.getOps<MeshOp>().begin()).print(os);
    os << "\n";
  }
  functionOf(module).print(os);
  os << "\n";
  entry.arguments = std::move(arguments);
  entry.expected = std::move(expected);
  entries.push_back(std::move(entry));
  return true;
}

void Batch::runEntry(tptest::Program &program, Entry &entry) {
  std::vector<tptest::Tensor> inputs, outputs;
  for (auto [i, tensor] : llvm::enumerate(entry.arguments)) {
    inputs.push_back(
        tptest::zeros("i" + std::to_string(i), tensor.shape, entry.inputs[i]));
    for (auto [j, x] : llvm::enumerate(tensor.data))
      store(inputs.back(), j, x);
  }
  for (auto [i, tensor] : llvm::enumerate(entry.expected))
    outputs.push_back(
        tptest::zeros("o" + std::to_string(i), tensor.shape, entry.outputs[i]));
  std::vector<tptest::Tensor *> pointers;
  for (tptest::Tensor &output : outputs)
    pointers.push_back(&output);
  ASSERT_TRUE(program.run(entry.name, inputs, pointers)) << entry.text;
  for (auto [i, tensor] : llvm::enumerate(entry.expected))
    for (auto [j, x] : llvm::enumerate(tensor.data)) {
      double found = load(outputs[i], j);
      double tolerance = entry.isRounded[i] ? 2e-2 : 1e-3;
      ASSERT_LE(std::abs(found - x), tolerance * (1 + std::abs(x)))
          << found << " instead of " << x << " as element " << j
          << " of result " << i << "\n"
          << entry.text;
    }
}

void Batch::run() {
  if (entries.empty())
    return;
  JitOptions options;
  options.optimisation = 0;
  tptest::Program program(text, options);
  for (Entry &entry : entries)
    runEntry(program, entry);
}

//===----------------------------------------------------------------------===//
// Tests
//===----------------------------------------------------------------------===//

bool hasPartial(func::FuncOp function) {
  auto isPartial = [](Attribute attribute) {
    auto sharding = dyn_cast_or_null<ShardingAttr>(attribute);
    return sharding && !sharding.getPartialAxes().empty();
  };
  for (unsigned i = 0; i < function.getNumArguments(); ++i)
    if (isPartial(function.getArgAttr(i, kShardingName)))
      return true;
  for (unsigned i = 0; i < function.getNumResults(); ++i)
    if (isPartial(function.getResultAttr(i, kShardingName)))
      return true;
  return false;
}

/// The op with its arguments placed in one of the ways there are.
void place(func::FuncOp function, MeshCase &mesh, unsigned number) {
  Operation *op = &function.getBody().front().front();
  MeshAttr meshAttr =
      lookupMesh(op, FlatSymbolRefAttr::get(function.getContext(), "mesh"));
  ShardingRule rule = cast<ShardingRuleOpInterface>(op).getShardingRule();
  std::vector<FactorPlacement> all;
  for (FactorPlacement &placement :
       enumeratePlacements(op, rule, mesh.axes, Allowed::Anything))
    if (llvm::all_of(placement.partial,
                     [](const Axes &axes) { return axes.empty(); }))
      all.push_back(std::move(placement));
  const FactorPlacement &chosen = all[number % all.size()];
  for (auto [i, dims] : llvm::enumerate(rule.operands)) {
    ArrayRef<int64_t> shape = shapeOf(op->getOperand(i).getType());
    function.setArgAttr(
        i, kShardingName,
        toSharding(*placeTensor(dims, shape, rule, chosen),
                   FlatSymbolRefAttr::get(function.getContext(), "mesh"),
                   meshAttr, shape, function.getContext()));
  }
}

TEST(Jit, EachOp) {
  auto context = makeContext();
  Passes passes(*context);
  unsigned number = 0;
  std::mt19937 generator(1);
  std::vector<MeshCase> meshes = makeMeshCases();
  for (int round = 0; round < 12; ++round) {
    MeshCase &mesh = meshes[round % meshes.size()];
    Batch batch(passes);
    for (const OpCase &opCase : makeOpCases()) {
      auto module = parseSourceString<ModuleOp>(
          "tp.mesh @mesh = <[" + mesh.mesh + "]>\n" + opCase.function,
          context.get());
      ASSERT_TRUE(bool(module));
      func::FuncOp function = functionOf(*module);
      Tensors arguments;
      for (Type type : function.getArgumentTypes())
        arguments.push_back(
            randomTensor(type, opCase.low, opCase.high, generator));
      std::string error;
      FailureOr<Tensors> expected = evaluateGlobal(function, arguments, error);
      ASSERT_TRUE(succeeded(expected)) << error;
      place(function, mesh, number += 7);
      batch.add(*module, arguments, *expected);
    }
    EXPECT_GT(batch.size() * 4, makeOpCases().size() * 3);
    batch.run();
  }
}

/// Runs the only function of a module, sharded, against the interpreter.
void runOne(StringRef text, bool bitsAreSent = false) {
  auto context = makeContext();
  Passes passes(*context);
  auto module = parseSourceString<ModuleOp>(text, context.get());
  ASSERT_TRUE(bool(module));
  std::mt19937 generator(1);
  Tensors arguments;
  for (Type type : functionOf(*module).getArgumentTypes())
    arguments.push_back(randomTensor(type, 0, 3, generator));
  std::string error;
  FailureOr<Tensors> expected =
      evaluateGlobal(functionOf(*module), arguments, error);
  ASSERT_TRUE(succeeded(expected)) << error;
  Batch batch(passes, bitsAreSent);
  ASSERT_TRUE(batch.add(*module, arguments, *expected));
  batch.run();
}

// Padding of ids is no id, and nobody's mistake.
TEST(Jit, PaddedIds) {
  runOne(R"(
      tp.mesh @mesh = <["x"=2]>
      func.func @f(%x: tensor<5x4xf32>) -> tensor<5x4xf32> {
        %0 = nn.iota dim 0 : tensor<5xi32>
        %1 = tp.constraint %0 to <@mesh, [{"x"}]> : tensor<5xi32>
        %2 = nn.embedding %1, %x : (tensor<5xi32>, tensor<5x4xf32>) -> tensor<5x4xf32>
        return %2 : tensor<5x4xf32>
      })");
}

// Padding of a divisor is zero.
TEST(Jit, PaddedDivisors) {
  runOne(R"(
      tp.mesh @mesh = <["x"=2]>
      func.func @f(%x: tensor<5xi32>, %y: tensor<5xi32>) -> (tensor<5xi32>, tensor<5xi32>) {
        %c = arith.constant dense<1> : tensor<5xi32>
        %0 = tp.constraint %y to <@mesh, [{"x"}]> : tensor<5xi32>
        %1 = arith.maxsi %0, %c : tensor<5xi32>
        %2 = arith.divsi %x, %1 : tensor<5xi32>
        %3 = nn.iota dim 0 : tensor<5xi32>
        %4 = arith.subi %3, %1 : tensor<5xi32>
        %5 = arith.maxsi %x, %c : tensor<5xi32>
        %6 = arith.remsi %4, %5 : tensor<5xi32>
        return %2, %6 : tensor<5xi32>, tensor<5xi32>
      })");
}

// "'rt.collective' op cannot send 'memref<4xi8>' ..."
TEST(Jit, DISABLED_CollectivesOfBits) {
  runOne(R"(
      tp.mesh @mesh = <["x"=2]>
      func.func @f(%x: tensor<4xi1> {tp.sharding = #tp.sharding<@mesh, [{"x"}]>}) -> tensor<4xi1> {
        %0 = tp.constraint %x to <@mesh, [{}]> : tensor<4xi1>
        return %0 : tensor<4xi1>
      })",
         /*bitsAreSent=*/true);
}

void runRandomPrograms(int count, unsigned seed, Passes::Extra extra) {
  auto context = makeContext();
  Passes passes(*context, extra);
  for (int run = 0; run < count && !testing::Test::HasFailure(); ++seed) {
    Recipe recipe = Recipe::random(seed);
    Program program = ProgramBuilder(*context, recipe).run();
    func::FuncOp function = functionOf(*program.module);
    if (hasPartial(function))
      continue;
    // Parameters and state are the session's, not the caller's.
    for (unsigned i = 0; i < function.getNumArguments(); ++i)
      for (StringRef name : {"nn.parameter", "nn.state"})
        function.removeArgAttr(i, name);
    for (unsigned i = 0; i < function.getNumResults(); ++i)
      function.removeResultAttr(i, StringAttr::get(context.get(), "nn.state"));
    Batch batch(passes);
    if (!batch.add(*program.module, program.arguments, program.expected))
      continue;
    batch.run();
    ++run;
  }
}

TEST(Jit, RandomPrograms) { runRandomPrograms(150, 5000, Passes::Extra::None); }

TEST(Jit, RandomProgramsThatOverlap) {
  runRandomPrograms(75, 6000, Passes::Extra::Overlap);
}

} // namespace
