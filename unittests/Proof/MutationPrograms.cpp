//===- MutationPrograms.cpp - sharded models to put mistakes into ---------===//
//
// Part of tp-mlir, under the Apache License v2.0.
//
//===----------------------------------------------------------------------===//

#include "Mutation.h"
#include "RandomProgram.h"
#include "mlir/Parser/Parser.h"
#include "tp/Dialect/NN/Transforms/Passes.h"
#include "tp/Dialect/TP/Transforms/Passes.h"
#include "tp/Import/Import.h"
#include "tp/Plan/Passes.h"
#include "llvm/Support/FileSystem.h"
#include "gtest/gtest.h"
#include <fstream>

using namespace mlir;
using namespace mlir::tp;
using namespace mlir::tp::proof;

namespace {

/// Query heads that no device count divides, grouped over fewer key heads, a
/// vocabulary and a hidden layer that need padding, biases on rows and columns.
constexpr StringLiteral kConfiguration = R"({
  "architectures": ["LlamaForCausalLM"], "torch_dtype": "float32",
  "hidden_size": 4, "intermediate_size": 5, "num_hidden_layers": 1,
  "num_attention_heads": 6, "num_key_value_heads": 3, "head_dim": 2,
  "vocab_size": 7, "attention_bias": true, "mlp_bias": true,
  "tie_word_embeddings": false, "rms_norm_eps": 0.1})";

/// A sequence-parallel block, with a loss on logits over a sharded vocabulary.
constexpr StringLiteral kLoss = R"(
  tp.mesh @mesh = <["dp"=2, "tp"=2]>
  func.func @loss(
      %ids: tensor<2x4xi32> {tp.sharding = #tp.sharding<@mesh, [{"dp"}, {}]>},
      %targets: tensor<2x4xi32> {tp.sharding = #tp.sharding<@mesh, [{"dp"}, {}]>},
      %table: tensor<7x4xf32> {tp.sharding = #tp.sharding<@mesh, [{"tp"}, {}]>},
      %gain: tensor<4xf32>,
      %up: tensor<5x4xf32> {tp.sharding = #tp.sharding<@mesh, [{"tp"}, {}]>},
      %down: tensor<4x5xf32> {tp.sharding = #tp.sharding<@mesh, [{}, {"tp"}]>},
      %bias: tensor<4xf32>,
      %head: tensor<7x4xf32> {tp.sharding = #tp.sharding<@mesh, [{"tp"}, {}]>})
      -> (tensor<2x4xf32>, tensor<2x4x4xf32>) {
    %0 = nn.embedding %ids, %table : (tensor<2x4xi32>, tensor<7x4xf32>) -> tensor<2x4x4xf32>
    %1 = tp.constraint %0 to <@mesh, [{"dp"}, {"tp"}, {}]> : tensor<2x4x4xf32>
    %2 = nn.rms_norm %1, %gain epsilon 0.1 : (tensor<2x4x4xf32>, tensor<4xf32>) -> tensor<2x4x4xf32>
    %3 = tp.constraint %2 to <@mesh, [{"dp"}, {}, {}]> : tensor<2x4x4xf32>
    %4 = nn.contract %3, %up "bsk,nk->bsn" : (tensor<2x4x4xf32>, tensor<5x4xf32>) -> tensor<2x4x5xf32>
    %5 = math.tanh %4 : tensor<2x4x5xf32>
    %6 = nn.contract %5, %down "bsk,nk->bsn" : (tensor<2x4x5xf32>, tensor<4x5xf32>) -> tensor<2x4x4xf32>
    %7 = nn.broadcast %bias dims [2] : (tensor<4xf32>) -> tensor<2x4x4xf32>
    %8 = arith.addf %6, %7 : tensor<2x4x4xf32>
    %9 = tp.constraint %8 to <@mesh, [{"dp"}, {"tp"}, {}]> : tensor<2x4x4xf32>
    %10 = arith.subf %1, %9 : tensor<2x4x4xf32>
    %11 = tp.constraint %10 to <@mesh, [{"dp"}, {}, {}]> : tensor<2x4x4xf32>
    %12 = nn.contract %11, %head "bsk,nk->bsn" : (tensor<2x4x4xf32>, tensor<7x4xf32>) -> tensor<2x4x7xf32>
    %13 = nn.cross_entropy %12, %targets : (tensor<2x4x7xf32>, tensor<2x4xi32>) -> tensor<2x4xf32>
    return %13, %10 : tensor<2x4xf32>, tensor<2x4x4xf32>
  })";

/// Tensors that change devices and dims: both halves of one axis, both axes of
/// a square mesh.
constexpr StringLiteral kExchanges = R"(
  tp.mesh @mesh = <["x"=2, "y"=2]>
  func.func @exchange(
      %a: tensor<4x4xf32> {tp.sharding = #tp.sharding<@mesh, [{"x"}, {"y"}]>},
      %b: tensor<4x4xf32> {tp.sharding = #tp.sharding<@mesh, [{"x", "y"}, {}]>},
      %c: tensor<3x4xf32> {tp.sharding = #tp.sharding<@mesh, [{}, {"x"}]>})
      -> (tensor<4x4xf32> {tp.sharding = #tp.sharding<@mesh, [{"y"}, {"x"}]>},
          tensor<4x4xf32> {tp.sharding = #tp.sharding<@mesh, [{}, {"x", "y"}]>},
          tensor<4x3xf32>, tensor<4xf32>, tensor<4x4xf32>) {
    %0 = tp.constraint %a to <@mesh, [{"y"}, {"x"}]> : tensor<4x4xf32>
    %1 = tp.constraint %b to <@mesh, [{"y", "x"}, {}]> : tensor<4x4xf32>
    %2 = tp.constraint %1 to <@mesh, [{}, {"x", "y"}]> : tensor<4x4xf32>
    %3 = arith.subf %0, %2 : tensor<4x4xf32>
    %4 = nn.contract %a, %c "mk,nk->mn" : (tensor<4x4xf32>, tensor<3x4xf32>) -> tensor<4x3xf32>
    %5 = nn.softmax %4 dim 1 : tensor<4x3xf32>
    %6 = nn.reduce %b "max" dims [0] : (tensor<4x4xf32>) -> tensor<4xf32>
    return %3, %2, %5, %6, %0 : tensor<4x4xf32>, tensor<4x4xf32>, tensor<4x3xf32>, tensor<4xf32>, tensor<4x4xf32>
  })";

/// Square, so that every dim can be cut like every other.
constexpr StringLiteral kSquares = R"(
  tp.mesh @mesh = <["x"=2, "y"=2]>
  func.func @squares(
      %a: tensor<4x4xf32> {tp.sharding = #tp.sharding<@mesh, [{}, {}], partial = sum{"x"}>},
      %c: tensor<4x4xf32>) -> (tensor<4x4xf32>, tensor<4x4xf32>) {
    %1 = tp.constraint %a to <@mesh, [{"x"}, {}]> : tensor<4x4xf32>
    %2 = nn.softmax %1 dim 1 : tensor<4x4xf32>
    %3 = tp.constraint %2 to <@mesh, [{}, {}]> : tensor<4x4xf32>
    %4 = tp.constraint %c to <@mesh, [{"x"}, {"y"}]> : tensor<4x4xf32>
    %5 = math.tanh %4 : tensor<4x4xf32>
    %6 = nn.transpose %5 [1, 0] : (tensor<4x4xf32>) -> tensor<4x4xf32>
    %7 = tp.constraint %6 to <@mesh, [{}, {}]> : tensor<4x4xf32>
    return %3, %7 : tensor<4x4xf32>, tensor<4x4xf32>
  })";

/// Content that no position tells apart, or that positions make, along dims
/// that need padding: only masks, starts and extents say how much of it there
/// is.
constexpr StringLiteral kSplats = R"(
  tp.mesh @mesh = <["x"=2]>
  func.func @splats(
      %ids: tensor<3xi32> {tp.sharding = #tp.sharding<@mesh, [{"x"} pad 4]>},
      %rows: tensor<1x2x1x2xf32>, %position: tensor<i32>)
      -> (tensor<2xf32>, tensor<f32>, tensor<5x2xf32>, tensor<3x2xf32>, tensor<1x4x1x1x2xf32>, tensor<2xf32>) {
    %c = arith.constant dense<2.0> : tensor<3x2xf32>
    %0 = tp.constraint %c to <@mesh, [{"x"}, {}]> : tensor<3x2xf32>
    %1 = nn.reduce %0 "sum" dims [0] : (tensor<3x2xf32>) -> tensor<2xf32>
    %2 = nn.iota dim 0 : tensor<3xi32>
    %3 = arith.sitofp %2 : tensor<3xi32> to tensor<3xf32>
    %4 = tp.constraint %3 to <@mesh, [{"x"}]> : tensor<3xf32>
    %5 = nn.reduce %4 "sum" dims [0] : (tensor<3xf32>) -> tensor<f32>
    %6 = nn.embedding_gradient %ids, %0 : (tensor<3xi32>, tensor<3x2xf32>) -> tensor<5x2xf32>
    %7 = nn.softmax %0 dim 0 : tensor<3x2xf32>
    %cache = arith.constant dense<0.5> : tensor<1x4x1x2xf32>
    %8 = tp.constraint %cache to <@mesh, [{}, {"x"}, {}, {}]> : tensor<1x4x1x2xf32>
    %9 = nn.cache_update %8, %rows at %position length %position : (tensor<1x4x1x2xf32>, tensor<1x2x1x2xf32>, tensor<i32>, tensor<i32>) -> tensor<1x4x1x2xf32>
    %q = arith.constant dense<1.0> : tensor<1x4x1x1x2xf32>
    %10 = tp.constraint %q to <@mesh, [{}, {"x"}, {}, {}, {}]> : tensor<1x4x1x1x2xf32>
    %11 = nn.attention %10, %9, %9 scale 0.5 causal : (tensor<1x4x1x1x2xf32>, tensor<1x4x1x2xf32>, tensor<1x4x1x2xf32>) -> tensor<1x4x1x1x2xf32>
    %d = arith.constant dense<2.0> : tensor<5x2xf32>
    %12 = nn.reduce %d "sum" dims [0] : (tensor<5x2xf32>) -> tensor<2xf32>
    return %1, %5, %6, %7, %11, %12 : tensor<2xf32>, tensor<f32>, tensor<5x2xf32>, tensor<3x2xf32>, tensor<1x4x1x1x2xf32>, tensor<2xf32>
  })";

/// Already sharded, as Megatron-LM does it.
constexpr StringLiteral kSequence = R"(
  tp.mesh @mesh = <["tp"=2]>
  func.func @sequence(
      %x: tensor<2x4xf32> {tp.global = tensor<4x4xf32>, tp.sharding = #tp.sharding<@mesh, [{"tp"}, {}]>},
      %gain: tensor<4xf32>,
      %up: tensor<3x4xf32> {tp.global = tensor<6x4xf32>, tp.sharding = #tp.sharding<@mesh, [{"tp"}, {}]>},
      %down: tensor<4x3xf32> {tp.global = tensor<4x6xf32>, tp.sharding = #tp.sharding<@mesh, [{}, {"tp"}]>},
      %bias: tensor<4xf32>) -> tensor<4x4xf32> {
    %0 = nn.rms_norm %x, %gain epsilon 0.1 : (tensor<2x4xf32>, tensor<4xf32>) -> tensor<2x4xf32>
    %1 = tp.all_gather %0 dims [0] over [#tp.axis<"tp">] of @mesh : (tensor<2x4xf32>) -> tensor<4x4xf32>
    %2 = nn.contract %1, %up "sk,nk->sn" : (tensor<4x4xf32>, tensor<3x4xf32>) -> tensor<4x3xf32>
    %3 = math.tanh %2 : tensor<4x3xf32>
    %4 = nn.contract %3, %down "sk,nk->sn" : (tensor<4x3xf32>, tensor<4x3xf32>) -> tensor<4x4xf32>
    %5 = nn.broadcast %bias dims [1] : (tensor<4xf32>) -> tensor<4x4xf32>
    %6 = tp.make_partial %5 over [#tp.axis<"tp">] of @mesh : tensor<4x4xf32>
    %7 = arith.addf %4, %6 : tensor<4x4xf32>
    %8 = tp.reduce_scatter %7 sum dims [0] over [#tp.axis<"tp">] of @mesh : (tensor<4x4xf32>) -> tensor<2x4xf32>
    %9 = nn.softmax %8 dim 1 : tensor<2x4xf32>
    %10 = tp.all_gather %9 dims [0] over [#tp.axis<"tp">] of @mesh : (tensor<2x4xf32>) -> tensor<4x4xf32>
    return %10 : tensor<4x4xf32>
  }
  tp.program {
    tp.mesh @mesh = <["tp"=2]>
    func.func @sequence(%x: tensor<4x4xf32>, %gain: tensor<4xf32>, %up: tensor<6x4xf32>, %down: tensor<4x6xf32>, %bias: tensor<4xf32>) -> tensor<4x4xf32> {
      %0 = nn.rms_norm %x, %gain epsilon 0.1 : (tensor<4x4xf32>, tensor<4xf32>) -> tensor<4x4xf32>
      %1 = nn.contract %0, %up "sk,nk->sn" : (tensor<4x4xf32>, tensor<6x4xf32>) -> tensor<4x6xf32>
      %2 = math.tanh %1 : tensor<4x6xf32>
      %3 = nn.contract %2, %down "sk,nk->sn" : (tensor<4x6xf32>, tensor<4x6xf32>) -> tensor<4x4xf32>
      %4 = nn.broadcast %bias dims [1] : (tensor<4xf32>) -> tensor<4x4xf32>
      %5 = arith.addf %3, %4 : tensor<4x4xf32>
      %6 = nn.softmax %5 dim 1 : tensor<4x4xf32>
      return %6 : tensor<4x4xf32>
    }
  })";

/// A model to be differentiated.
constexpr StringLiteral kTraining = R"(
  tp.mesh @mesh = <["dp"=2, "tp"=2]>
  func.func @training(
      %ids: tensor<2x3xi32> {tp.sharding = #tp.sharding<@mesh, [{"dp"}, {}]>},
      %targets: tensor<2x3xi32> {tp.sharding = #tp.sharding<@mesh, [{"dp"}, {}]>},
      %table: tensor<7x4xf32> {tp.sharding = #tp.sharding<@mesh, [{"tp"}, {}]>},
      %gain: tensor<4xf32>,
      %up: tensor<5x4xf32> {tp.sharding = #tp.sharding<@mesh, [{"tp"}, {}]>},
      %down: tensor<4x5xf32> {tp.sharding = #tp.sharding<@mesh, [{}, {"tp"}]>},
      %head: tensor<7x4xf32> {tp.sharding = #tp.sharding<@mesh, [{"tp"}, {}]>})
      -> tensor<2x3xf32> {
    %0 = nn.embedding %ids, %table : (tensor<2x3xi32>, tensor<7x4xf32>) -> tensor<2x3x4xf32>
    %1 = nn.rms_norm %0, %gain epsilon 0.1 : (tensor<2x3x4xf32>, tensor<4xf32>) -> tensor<2x3x4xf32>
    %2 = nn.contract %1, %up "bsk,nk->bsn" : (tensor<2x3x4xf32>, tensor<5x4xf32>) -> tensor<2x3x5xf32>
    %3 = arith.mulf %2, %2 : tensor<2x3x5xf32>
    %4 = nn.contract %3, %down "bsk,nk->bsn" : (tensor<2x3x5xf32>, tensor<4x5xf32>) -> tensor<2x3x4xf32>
    %5 = nn.contract %4, %head "bsk,nk->bsn" : (tensor<2x3x4xf32>, tensor<7x4xf32>) -> tensor<2x3x7xf32>
    %6 = nn.cross_entropy %5, %targets : (tensor<2x3x7xf32>, tensor<2x3xi32>) -> tensor<2x3xf32>
    return %6 : tensor<2x3xf32>
  })";

/// Everything of the pipeline but the verifier.
bool shard(ModuleOp module, StringRef mesh) {
  PassManager passes(module.getContext());
  if (!mesh.empty()) {
    passes.addPass(createPlanApply({mesh.str(), "auto"}));
    passes.addNestedPass<func::FuncOp>(nn::createNNNormalise());
    passes.addPass(createPlanPlaceParameters());
  }
  passes.addPass(createTPPropagate());
  passes.addNestedPass<func::FuncOp>(createTPDecompose());
  passes.addPass(createTPPropagate());
  passes.addNestedPass<func::FuncOp>(createTPInsertReshards());
  passes.addPass(createTPKeepProgram());
  passes.addNestedPass<func::FuncOp>(createTPPartition());
  passes.addNestedPass<func::FuncOp>(createTPMergeCollectives());
  return succeeded(passes.run(module));
}

class ProgramList {
public:
  explicit ProgramList(MLIRContext &context) : context(context) {}

  void addModel(StringRef entry, int64_t batch, StringRef mesh) {
    std::string directory = testing::TempDir() + "tp_mutation_model";
    (void)llvm::sys::fs::create_directories(directory);
    std::ofstream(directory + "/config.json") << kConfiguration.str();
    ImportOptions options;
    options.entry = entry.str();
    options.batch = batch;
    options.sequence = 3;
    options.maxSequence = 5;
    options.topK = 2;
    FailureOr<OwningOpRef<ModuleOp>> module =
        importModel(directory, options, &context);
    ASSERT_TRUE(succeeded(module));
    add((entry + " " + mesh).str(), std::move(*module), mesh);
  }

  void addText(StringRef name, StringRef text) {
    add(name.str(), parseSourceString<ModuleOp>(text, &context), "");
  }

  void addTraining(StringRef text) {
    auto module = parseSourceString<ModuleOp>(text, &context);
    PassManager passes(&context);
    passes.addPass(nn::createNNDifferentiate());
    ASSERT_TRUE(module && succeeded(passes.run(*module)));
    module->lookupSymbol("training")->erase();
    add("training", std::move(module), "");
  }

  void addRandom(unsigned seed) {
    Recipe recipe = Recipe::random(seed);
    Program program = ProgramBuilder(context, recipe).run();
    ASSERT_TRUE(shard(*program.module, "")) << "random program " << seed;
    std::string function = functionOf(*program.module).getSymName().str();
    programs.push_back(
        {"random " + std::to_string(seed), std::move(program.module), function,
         std::move(program.arguments), std::move(program.expected)});
  }

  std::vector<LocalProgram> programs;

private:
  void add(std::string name, OwningOpRef<ModuleOp> module, StringRef mesh) {
    ASSERT_TRUE(bool(module)) << name;
    if (module->getOps<ProgramOp>().empty())
      ASSERT_TRUE(shard(*module, mesh)) << name;
    ProgramOp kept = *module->getOps<ProgramOp>().begin();
    for (auto global : kept.getBody().getOps<func::FuncOp>()) {
      LocalProgram program{
          name, module->clone(), global.getSymName().str(), {}, {}};
      std::mt19937 generator(1);
      for (Type type : global.getArgumentTypes())
        program.arguments.push_back(argument(type, generator));
      std::string error;
      FailureOr<Tensors> expected =
          evaluateGlobal(global, program.arguments, error);
      ASSERT_TRUE(succeeded(expected)) << error;
      program.expected = *expected;
      programs.push_back(std::move(program));
    }
  }

  /// Numbers small enough that no softmax saturates; ids of the vocabulary; a
  /// position and a length that leave room in the cache.
  static Tensor argument(Type type, std::mt19937 &generator) {
    if (!isa<FloatType>(getElementTypeOrSelf(type)))
      return shapeOf(type).empty() ? Tensor({}, 1)
                                   : randomTensor(type, 0, 6, generator);
    Tensor tensor = randomTensor(type, -8, 8, generator);
    for (double &x : tensor.data)
      x = (x + 0.5) / 8;
    return tensor;
  }

  MLIRContext &context;
};

} // namespace

std::vector<LocalProgram> proof::makeLocalPrograms(MLIRContext &context) {
  ProgramList list(context);
  list.addModel("forward", 1, "tp=2");
  list.addModel("forward", 1, "tp=3");
  list.addModel("forward", 2, "dp=2,tp=2");
  list.addModel("generate", 1, "tp=4");
  list.addText("loss", kLoss);
  list.addText("exchanges", kExchanges);
  list.addText("squares", kSquares);
  list.addText("splats", kSplats);
  list.addText("sequence", kSequence);
  list.addTraining(kTraining);
  unsigned count = setting("TP_MUTATION_PROGRAMS", 12);
  unsigned seed = setting("TP_MUTATION_SEED", 1);
  for (unsigned i = 0; i < count; ++i)
    list.addRandom(seed + i);
  return std::move(list.programs);
}
