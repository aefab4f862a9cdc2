//===- JitShardTest.cpp - composites whose reduction is sharded -----------===//
//
// Part of tp-mlir, under the Apache License v2.0.
//
//===----------------------------------------------------------------------===//
//
// Global programs, sharded here, compiled and run on 1 to 4 ranks, compared
// with a computation in double precision. Extents do not divide, some ranks
// hold nothing but padding, and what the padding holds is not a number: inputs
// come as quotients, and padding as 0 / 0.
//
//===----------------------------------------------------------------------===//

#include "Harness.h"
#include "mlir/IR/Diagnostics.h"
#include "mlir/Parser/Parser.h"
#include "mlir/Pass/PassManager.h"
#include "tp/Conversion/Passes.h"
#include "tp/Dialect/NN/IR/NN.h"
#include "tp/Dialect/NN/Transforms/Passes.h"
#include "tp/Dialect/TP/IR/TP.h"
#include "tp/Dialect/TP/Transforms/Passes.h"
#include "gtest/gtest.h"
#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

using namespace tptest;

namespace {

constexpr float kInfinity = std::numeric_limits<float>::infinity();

/// The local program of a global one, proven; with the gradients of its
/// functions beside them if `differentiate`.
std::string shard(const std::string &text, bool differentiate = false) {
  mlir::DialectRegistry registry;
  mlir::tp::registerLowering(registry);
  mlir::tp::registerShardingModels(registry);
  mlir::nn::registerDerivativeModels(registry);
  mlir::MLIRContext context(registry);
  context.loadAllAvailableDialects();
  std::string messages, result;
  mlir::ScopedDiagnosticHandler handler(&context,
                                        [&](mlir::Diagnostic &diagnostic) {
                                          messages += diagnostic.str() + "\n";
                                          return mlir::success();
                                        });
  auto module = mlir::parseSourceString<mlir::ModuleOp>(text, &context);
  mlir::PassManager manager(&context);
  if (differentiate)
    manager.addPass(mlir::nn::createNNDifferentiate());
  manager.addPass(mlir::tp::createTPPropagate());
  manager.addNestedPass<mlir::func::FuncOp>(mlir::tp::createTPDecompose());
  manager.addPass(mlir::tp::createTPPropagate());
  mlir::OpPassManager &functions = manager.nest<mlir::func::FuncOp>();
  functions.addPass(mlir::tp::createTPInsertReshards());
  functions.addPass(mlir::tp::createTPPartition());
  functions.addPass(mlir::tp::createTPMergeCollectives());
  functions.addPass(mlir::tp::createTPVerifyPlacements());
  if (!module || failed(manager.run(*module)))
    ADD_FAILURE() << messages << text;
  else
    llvm::raw_string_ostream(result) << *module;
  return result;
}

/// `text` with every $KEY replaced by its value.
std::string fill(std::string text,
                 const std::vector<std::pair<std::string, std::string>> &with) {
  for (const auto &[key, value] : with)
    for (size_t at; (at = text.find("$" + key)) != std::string::npos;)
      text.replace(at, key.size() + 1, value);
  return text;
}

size_t count(const std::string &text, const std::string &what) {
  size_t number = 0;
  for (size_t at = 0; (at = text.find(what, at)) != std::string::npos; ++at)
    ++number;
  return number;
}

/// A shape or index list: "2x3x7".
std::string join(const std::vector<int64_t> &sizes) {
  std::string text;
  for (int64_t size : sizes)
    text += (text.empty() ? "" : "x") + std::to_string(size);
  return text;
}

/// A sharding of `rank` dims, with "tp" on `dim`.
std::string shardingOf(size_t rank, size_t dim) {
  std::string text = "#tp.sharding<@mesh, [";
  for (size_t i = 0; i < rank; ++i)
    text += std::string(i ? ", " : "") + (i == dim ? "{\"tp\"}" : "{}");
  return text + "]>";
}

Tensor ones(const std::string &name, std::vector<int64_t> shape) {
  Tensor tensor = zeros(name, std::move(shape));
  std::fill_n(tensor.data<float>(), tensor.size(), 1.0f);
  return tensor;
}

/// What the tests below rely on: without a mask it would show.
TEST(JitShard, PaddingOfAQuotientIsNotANumber) {
  Program program(R"mlir(
    tp.mesh @mesh = <["tp"=3]>
    func.func @f(%a: tensor<2xf32> {nn.input = "a", tp.global = tensor<4xf32>,
                     tp.sharding = #tp.sharding<@mesh, [{"tp"} pad 6]>})
        -> (tensor<f32> {nn.output = "y", tp.sharding = #tp.sharding<@mesh, []>}) {
      %0 = arith.divf %a, %a : tensor<2xf32>
      %1 = nn.reduce %0 "sum" dims [0] : (tensor<2xf32>) -> tensor<f32>
      %2 = tp.all_reduce %1 sum over [#tp.axis<"tp">] of @mesh : (tensor<f32>) -> tensor<f32>
      return %2 : tensor<f32>
    })mlir");
  Tensor y = zeros("y", {});
  ASSERT_TRUE(program.run("f", {ones("a", {4})}, {&y}));
  EXPECT_TRUE(std::isnan(y.at(0)));
}

//===----------------------------------------------------------------------===//
// Norms, contractions and reductions
//===----------------------------------------------------------------------===//

const char *const kReductions = R"mlir(
  tp.mesh @mesh = <["tp"=$RANKS]>
  func.func @f(%a: tensor<2x$Vxf32> {nn.input = "a", tp.sharding = #tp.sharding<@mesh, [{}, {"tp"}]>},
               %b: tensor<2x$Vxf32> {nn.input = "b", tp.sharding = #tp.sharding<@mesh, [{}, {"tp"}]>},
               %g: tensor<$Vxf32> {nn.input = "g"})
      -> (tensor<2x$Vxf32> {nn.output = "norm"}, tensor<2x2xf32> {nn.output = "product"},
          tensor<2xf32> {nn.output = "max"}, tensor<2xf32> {nn.output = "min"}, tensor<2xf32> {nn.output = "sum"}) {
    %x = arith.divf %a, %b : tensor<2x$Vxf32>
    %0 = nn.rms_norm %x, %g epsilon 0.5 : (tensor<2x$Vxf32>, tensor<$Vxf32>) -> tensor<2x$Vxf32>
    %1 = nn.contract %x, %x "ik,jk->ij" : (tensor<2x$Vxf32>, tensor<2x$Vxf32>) -> tensor<2x2xf32>
    %2 = nn.reduce %x "max" dims [1] : (tensor<2x$Vxf32>) -> tensor<2xf32>
    %3 = nn.reduce %x "min" dims [1] : (tensor<2x$Vxf32>) -> tensor<2xf32>
    %4 = nn.reduce %x "sum" dims [1] : (tensor<2x$Vxf32>) -> tensor<2xf32>
    return %0, %1, %2, %3, %4 : tensor<2x$Vxf32>, tensor<2x2xf32>, tensor<2xf32>, tensor<2xf32>, tensor<2xf32>
  })mlir";

void checkReductions(int64_t ranks, int64_t extent) {
  Program program(shard(fill(kReductions, {{"RANKS", std::to_string(ranks)},
                                           {"V", std::to_string(extent)}})));
  Tensor a = random("a", {2, extent}), g = random("g", {extent}),
         norm = zeros("norm", {2, extent}), product = zeros("product", {2, 2}),
         max = zeros("max", {2}), min = zeros("min", {2}),
         sum = zeros("sum", {2});
  ASSERT_TRUE(program.run("f", {a, ones("b", {2, extent}), g},
                          {&norm, &product, &max, &min, &sum}));
  for (size_t row = 0; row < 2; ++row) {
    const float *x = a.data<float>() + int64_t(row) * extent;
    double squares = std::inner_product(x, x + extent, x, 0.0);
    EXPECT_EQ(max.at(row), *std::max_element(x, x + extent));
    EXPECT_EQ(min.at(row), *std::min_element(x, x + extent));
    EXPECT_NEAR(sum.at(row), std::accumulate(x, x + extent, 0.0), 1e-4);
    EXPECT_NEAR(product.at(row * 3), squares, 1e-4);
    for (int64_t i = 0; i < extent; ++i)
      EXPECT_NEAR(norm.at(row * size_t(extent) + size_t(i)),
                  x[i] / std::sqrt(squares / double(extent) + 0.5) *
                      g.at(size_t(i)),
                  1e-5);
  }
}

TEST(JitShard, Reductions) {
  for (int64_t ranks : {1, 2, 3, 4})
    for (int64_t extent : {2, 5, 37})
      checkReductions(ranks, extent);
}

//===----------------------------------------------------------------------===//
// Softmax
//===----------------------------------------------------------------------===//

const char *const kSoftmax = R"mlir(
  tp.mesh @mesh = <["tp"=$RANKS]>
  func.func @f(%a: tensor<$SHAPExf32> {nn.input = "a", tp.sharding = $SHARDING},
               %b: tensor<$SHAPExf32> {nn.input = "b", tp.sharding = $SHARDING})
      -> (tensor<$SHAPExf32> {nn.output = "y"}) {
    %x = arith.divf %a, %b : tensor<$SHAPExf32>
    %y = nn.softmax %x dim $DIM : tensor<$SHAPExf32>
    return %y : tensor<$SHAPExf32>
  })mlir";

std::vector<double> softmax(Tensor &x, size_t dim) {
  std::vector<double> y(size_t(x.size()));
  int64_t inner = 1, extent = x.shape[dim];
  for (size_t i = dim + 1; i < x.shape.size(); ++i)
    inner *= x.shape[i];
  for (int64_t row = 0; row < x.size() / extent; ++row) {
    int64_t first = row / inner * inner * extent + row % inner;
    double sum = 0, largest = -std::numeric_limits<double>::infinity();
    for (int64_t i = 0; i < extent; ++i)
      largest = std::max(largest, double(x.at(size_t(first + i * inner))));
    for (int64_t i = 0; i < extent; ++i)
      sum += std::exp(x.at(size_t(first + i * inner)) - largest);
    for (int64_t i = 0; i < extent; ++i)
      y[size_t(first + i * inner)] =
          std::exp(x.at(size_t(first + i * inner)) - largest) / sum;
  }
  return y;
}

void checkSoftmax(int64_t ranks, const std::vector<int64_t> &shape, size_t dim,
                  size_t sharded) {
  std::string text =
      shard(fill(kSoftmax, {{"RANKS", std::to_string(ranks)},
                            {"SHAPE", join(shape)},
                            {"SHARDING", shardingOf(shape.size(), sharded)},
                            {"DIM", std::to_string(dim)}}));
  SCOPED_TRACE(text);
  EXPECT_EQ(count(text, "tp.all_gather"), 0u);
  EXPECT_EQ(count(text, "tp.all_reduce"),
            dim == sharded && ranks > 1 ? 2u : 0u);
  Program program(text);
  // What would overflow without its maximum taken away.
  Tensor a = random("a", shape, -300, 300), b = ones("b", shape);
  Tensor y = zeros("y", shape);
  a.data<float>()[0] = -kInfinity;
  ASSERT_TRUE(program.run("f", {a, b}, {&y}));
  std::vector<double> expected = softmax(a, dim);
  for (size_t i = 0; i < expected.size(); ++i)
    EXPECT_NEAR(y.at(i), expected[i], 1e-5) << i;
}

TEST(JitShard, Softmax) {
  for (int64_t ranks : {1, 2, 3, 4})
    for (int64_t extent : {2, 5, 37}) {
      checkSoftmax(ranks, {3, extent}, 1, 1);
      checkSoftmax(ranks, {extent, 3}, 0, 0);
      checkSoftmax(ranks, {2, extent, 3}, 1, 1);
      checkSoftmax(ranks, {2, 3, extent}, 1, 2);
    }
}

/// In bf16 a sum of 4096 ones would end at 256.
TEST(JitShard, SoftmaxAccumulatesWide) {
  struct Type {
    std::string name, from, to;
  };
  for (const Type &type :
       {Type{"bf16", "truncf", "extf"}, Type{"f16", "truncf", "extf"},
        Type{"f64", "extf", "truncf"}})
    for (int64_t ranks : {1, 3}) {
      std::string text = shard(fill(R"mlir(
        tp.mesh @mesh = <["tp"=$RANKS]>
        func.func @f(%a: tensor<4096xf32> {nn.input = "a", tp.sharding = #tp.sharding<@mesh, [{"tp"}]>})
            -> (tensor<4096xf32> {nn.output = "y"}) {
          %x = arith.$FROM %a : tensor<4096xf32> to tensor<4096x$TYPE>
          %p = nn.softmax %x dim 0 : tensor<4096x$TYPE>
          %y = arith.$TO %p : tensor<4096x$TYPE> to tensor<4096xf32>
          return %y : tensor<4096xf32>
        })mlir",
                                    {{"RANKS", std::to_string(ranks)},
                                     {"FROM", type.from},
                                     {"TO", type.to},
                                     {"TYPE", type.name}}));
      Program program(text);
      Tensor a = ones("a", {4096}), y = zeros("y", {4096});
      ASSERT_TRUE(program.run("f", {a}, {&y}));
      for (int i = 0; i < 4096; ++i)
        ASSERT_EQ(y.at(size_t(i)), 1.0f / 4096);
    }
}

TEST(JitShard, SoftmaxGradient) {
  for (int64_t ranks : {1, 4}) {
    std::vector<int64_t> shape{3, 5};
    std::string text = shard(fill(R"mlir(
      tp.mesh @mesh = <["tp"=$RANKS]>
      func.func @f(%x: tensor<3x5xf32> {nn.input = "x", tp.sharding = #tp.sharding<@mesh, [{}, {"tp"}]>})
          -> (tensor<3x5xf32> {nn.output = "y"}) {
        %y = nn.softmax %x dim 1 : tensor<3x5xf32>
        return %y : tensor<3x5xf32>
      })mlir",
                                  {{"RANKS", std::to_string(ranks)}}),
                             /*differentiate=*/true);
    Program program(text);
    Tensor x = random("x", shape), g = random("y.gradient", shape),
           dx = zeros("x.gradient", shape);
    ASSERT_TRUE(program.run("f_gradient", {x, g}, {&dx}));
    std::vector<double> y = softmax(x, 1);
    for (size_t i = 0; i < 3; ++i) {
      double dot = 0;
      for (size_t j = 0; j < 5; ++j)
        dot += y[i * 5 + j] * g.at(i * 5 + j);
      for (size_t j = 0; j < 5; ++j)
        EXPECT_NEAR(dx.at(i * 5 + j), y[i * 5 + j] * (g.at(i * 5 + j) - dot),
                    1e-6);
    }
  }
}

//===----------------------------------------------------------------------===//
// Cross-entropy
//===----------------------------------------------------------------------===//

const char *const kCrossEntropy = R"mlir(
  tp.mesh @mesh = <["dp"=$DP, "tp"=$RANKS]>
  func.func @f(%a: tensor<2x3x$Vxf32> {nn.input = "a", tp.sharding = #tp.sharding<@mesh, [{}, {"dp"}, {"tp"}]>},
               %b: tensor<2x3x$Vxf32> {nn.input = "b", tp.sharding = #tp.sharding<@mesh, [{}, {"dp"}, {"tp"}]>},
               %t: tensor<2x3xi32> {nn.input = "t"})
      -> (tensor<2x3xf32> {nn.output = "y"}) {
    %x = $QUOTIENT
    %y = nn.cross_entropy %x, %t $OPTIONS : (tensor<2x3x$Vxf32>, tensor<2x3xi32>) -> tensor<2x3xf32>
    return %y : tensor<2x3xf32>
  })mlir";

/// Rows, 3 of them, over `dp` ranks and classes over `ranks`.
std::string crossEntropy(int64_t dp, int64_t ranks, int64_t classes,
                         const std::string &options,
                         bool differentiate = false) {
  // A quotient has no derivative.
  return shard(fill(kCrossEntropy,
                    {{"QUOTIENT",
                      differentiate ? "arith.mulf %a, %b : tensor<2x3x$Vxf32>"
                                    : "arith.divf %a, %b : tensor<2x3x$Vxf32>"},
                     {"DP", std::to_string(dp)},
                     {"RANKS", std::to_string(ranks)},
                     {"V", std::to_string(classes)},
                     {"OPTIONS", options}}),
               differentiate);
}

/// The loss of one row; its gradient goes to `gradient`.
double lossOf(const float *x, int64_t classes, int32_t target, double smoothing,
              double *gradient) {
  double sum = 0, largest = *std::max_element(x, x + classes);
  for (int64_t i = 0; i < classes; ++i)
    sum += std::exp(x[i] - largest);
  double loss = 0;
  for (int64_t i = 0; i < classes; ++i) {
    double weight =
        (i == target ? 1 - smoothing : 0) + smoothing / double(classes);
    double logarithm = x[i] - largest - std::log(sum);
    loss -= weight > 0 ? weight * logarithm : 0;
    gradient[i] = std::exp(logarithm) - weight;
  }
  return loss;
}

void checkCrossEntropy(int64_t dp, int64_t ranks, int64_t classes,
                       double smoothing) {
  std::string options = "ignore_index -100";
  if (smoothing > 0)
    options += " label_smoothing " + std::to_string(smoothing);
  std::string text = crossEntropy(dp, ranks, classes, options);
  SCOPED_TRACE(text);
  // A maximum, and the two sums in one message: no logit is gathered.
  EXPECT_EQ(count(text, "tp.all_gather"), 0u);
  EXPECT_EQ(count(text, "tp.all_reduce"), ranks > 1 ? 2u : 0u);
  Program program(text);
  Tensor a = random("a", {2, 3, classes}, -300, 300),
         b = ones("b", {2, 3, classes}), y = zeros("y", {2, 3});
  int32_t last = int32_t(classes - 1);
  std::vector<int32_t> targets{0, last, -100, last / 2, -1, last + 1};
  // A logit that is ruled out.
  if (smoothing == 0)
    a.data<float>()[classes - 1] = -kInfinity;
  Tensor t = make<int32_t>("t", {2, 3}, TPRT_I32, targets);
  ASSERT_TRUE(program.run("f", {a, b, t}, {&y}));
  std::vector<double> unused(static_cast<size_t>(classes));
  for (size_t i : {0, 1, 3}) {
    double expected = lossOf(a.data<float>() + int64_t(i) * classes, classes,
                             targets[i], smoothing, unused.data());
    EXPECT_NEAR(y.at(i), expected, 1e-4 * (1 + expected)) << i;
  }
  EXPECT_EQ(y.at(2), 0);
  EXPECT_TRUE(std::isnan(y.at(4)));
  EXPECT_TRUE(std::isnan(y.at(5)));
}

TEST(JitShard, CrossEntropy) {
  for (int64_t ranks : {1, 2, 3, 4})
    for (int64_t classes : {2, 5, 101})
      for (auto [dp, smoothing] : {std::pair(1, 0.0), {2, 0.25}})
        checkCrossEntropy(dp, ranks, classes, smoothing);
}

TEST(JitShard, CrossEntropyGradient) {
  for (auto [dp, ranks] : {std::pair(1, 1), {1, 3}, {2, 2}})
    for (double smoothing : {0.0, 0.25}) {
      const int64_t classes = 7;
      std::string options = "ignore_index -100";
      if (smoothing > 0)
        options += " label_smoothing " + std::to_string(smoothing);
      std::string text = crossEntropy(dp, ranks, classes, options, true);
      SCOPED_TRACE(text);
      Program program(text);
      Tensor a = random("a", {2, 3, classes}), b = ones("b", {2, 3, classes}),
             g = random("y.gradient", {2, 3}),
             da = zeros("a.gradient", {2, 3, classes});
      std::vector<int32_t> targets{0, 6, -100, 3, 4, 2};
      Tensor t = make<int32_t>("t", {2, 3}, TPRT_I32, targets);
      ASSERT_TRUE(program.run("f_gradient", {a, b, t, g}, {&da}));
      for (size_t i = 0; i < 6; ++i) {
        double expected[classes];
        lossOf(a.data<float>() + int64_t(i) * classes, classes, targets[i],
               smoothing, expected);
        for (size_t j = 0; j < size_t(classes); ++j)
          EXPECT_NEAR(da.at(i * size_t(classes) + j),
                      targets[i] == -100 ? 0 : g.at(i) * expected[j], 1e-6);
      }
    }
}

//===----------------------------------------------------------------------===//
// Arg-max and top-k
//===----------------------------------------------------------------------===//

/// Padding is larger than everything, being not a number, and is not chosen.
TEST(JitShard, TopK) {
  for (int64_t ranks : {1, 2, 3, 4})
    for (int64_t extent : {3, 5, 37})
      for (int64_t k : {1, 3}) {
        std::string text = shard(fill(R"mlir(
          tp.mesh @mesh = <["tp"=$RANKS]>
          func.func @f(%a: tensor<2x$Vxf32> {nn.input = "a", tp.sharding = #tp.sharding<@mesh, [{}, {"tp"}]>},
                       %b: tensor<2x$Vxf32> {nn.input = "b", tp.sharding = #tp.sharding<@mesh, [{}, {"tp"}]>})
              -> (tensor<2x$Kxf32> {nn.output = "y"}, tensor<2x$Kxi32> {nn.output = "i"}) {
            %x = arith.divf %a, %b : tensor<2x$Vxf32>
            %y, %i = nn.top_k %x k $K : (tensor<2x$Vxf32>) -> (tensor<2x$Kxf32>, tensor<2x$Kxi32>)
            return %y, %i : tensor<2x$Kxf32>, tensor<2x$Kxi32>
          })mlir",
                                      {{"RANKS", std::to_string(ranks)},
                                       {"V", std::to_string(extent)},
                                       {"K", std::to_string(k)}}));
        SCOPED_TRACE(text);
        Program program(text);
        Tensor a = random("a", {2, extent}), y = zeros("y", {2, k}),
               i = zeros("i", {2, k}, TPRT_I32);
        ASSERT_TRUE(program.run("f", {a, ones("b", {2, extent})}, {&y, &i}));
        for (int64_t row = 0; row < 2; ++row) {
          std::vector<int32_t> order(static_cast<size_t>(extent));
          std::iota(order.begin(), order.end(), 0);
          const float *x = a.data<float>() + row * extent;
          std::sort(order.begin(), order.end(), [&](int32_t l, int32_t r) {
            return std::make_pair(-x[l], l) < std::make_pair(-x[r], r);
          });
          for (int64_t j = 0; j < k; ++j) {
            EXPECT_EQ(i.data<int32_t>()[row * k + j], order[size_t(j)]);
            EXPECT_EQ(y.at(size_t(row * k + j)), x[order[size_t(j)]]);
          }
        }
      }
}

//===----------------------------------------------------------------------===//
// Attention
//===----------------------------------------------------------------------===//

/// Keys and values are quotients, so that their padding is not a number.
const char *const kAttention = R"mlir(
  tp.mesh @mesh = <["x"=$X, "y"=$Y]>
  func.func @f(%q: tensor<2x$Sx2x3x4xf32> {nn.input = "q", tp.sharding = #tp.sharding<@mesh, [{}, {$QUERIES}, {}, {}, {}]>},
               %k: tensor<2x$Tx2x4xf32> {nn.input = "k", tp.sharding = #tp.sharding<@mesh, [{}, {$KEYS}, {}, {}]>},
               %v: tensor<2x$Tx2x4xf32> {nn.input = "v", tp.sharding = #tp.sharding<@mesh, [{}, {$KEYS}, {}, {}]>},
               %one: tensor<2x$Tx2x4xf32> {nn.input = "one", tp.sharding = #tp.sharding<@mesh, [{}, {$KEYS}, {}, {}]>},
               %p: tensor<i32> {nn.input = "p"})
      -> (tensor<2x$Sx2x3x4xf32> {nn.output = "y"}) {
    %key = arith.divf %k, %one : tensor<2x$Tx2x4xf32>
    %value = arith.divf %v, %one : tensor<2x$Tx2x4xf32>
    %y = nn.attention %q, %key, %value at %p scale 0.5 $OPTIONS : (tensor<2x$Sx2x3x4xf32>,
        tensor<2x$Tx2x4xf32>, tensor<2x$Tx2x4xf32>, tensor<i32>) -> tensor<2x$Sx2x3x4xf32>
    return %y : tensor<2x$Sx2x3x4xf32>
  })mlir";

struct AttentionCase {
  int64_t x, y; ///< the mesh
  std::string queries, keys;
  int64_t numQueries, numKeys;
  int32_t position;
  bool causal;
  int64_t window = 0;
  double softCap = 0;
};

std::string shardAttention(const AttentionCase &c) {
  std::string options = c.causal ? "causal" : "";
  if (c.window)
    options += " window " + std::to_string(c.window);
  if (c.softCap > 0)
    options += " soft_cap " + std::to_string(c.softCap);
  return shard(fill(kAttention, {{"X", std::to_string(c.x)},
                                 {"Y", std::to_string(c.y)},
                                 {"QUERIES", c.queries},
                                 {"KEYS", c.keys},
                                 {"S", std::to_string(c.numQueries)},
                                 {"T", std::to_string(c.numKeys)},
                                 {"OPTIONS", options}}));
}

/// What the query at `position` makes of the keys of one head: q has 4
/// elements, k and v begin at the head's and have 8 from key to key.
std::vector<double> attend(const AttentionCase &c, int64_t position,
                           const float *q, const float *k, const float *v) {
  std::vector<double> result(4);
  double sum = 0;
  for (int64_t t = 0; t < c.numKeys; ++t) {
    if ((c.causal && t > position) || (c.window && t <= position - c.window))
      continue;
    double score = 0;
    for (int64_t d = 0; d < 4; ++d)
      score += 0.5 * double(q[d]) * k[t * 8 + d];
    if (c.softCap > 0)
      score = c.softCap * std::tanh(score / c.softCap);
    sum += std::exp(score);
    for (int64_t d = 0; d < 4; ++d)
      result[size_t(d)] += std::exp(score) * v[t * 8 + d];
  }
  for (double &element : result)
    element = sum > 0 ? element / sum : 0;
  return result;
}

void checkAttention(const AttentionCase &c) {
  std::string text = shardAttention(c);
  SCOPED_TRACE(text);
  Program program(text);
  Tensor q = random("q", {2, c.numQueries, 2, 3, 4}),
         k = random("k", {2, c.numKeys, 2, 4}),
         v = random("v", {2, c.numKeys, 2, 4}),
         one = ones("one", {2, c.numKeys, 2, 4}),
         y = zeros("y", {2, c.numQueries, 2, 3, 4});
  Tensor p = make<int32_t>("p", {}, TPRT_I32, {c.position});
  ASSERT_TRUE(program.run("f", {q, k, v, one, p}, {&y}));
  for (int64_t row = 0; row < y.size() / 4; ++row) {
    int64_t head = row / 3 % 2, query = row / 6 % c.numQueries,
            batch = row / 6 / c.numQueries;
    int64_t at = batch * c.numKeys * 8 + head * 4;
    std::vector<double> expected =
        attend(c, c.position + query, q.data<float>() + row * 4,
               k.data<float>() + at, v.data<float>() + at);
    for (int64_t d = 0; d < 4; ++d)
      EXPECT_NEAR(y.at(size_t(row * 4 + d)), expected[size_t(d)], 1e-5)
          << "query " << query;
  }
}

/// Every option, on a mesh of x by y.
void checkAttentions(int64_t x, int64_t y, const std::string &queries,
                     const std::string &keys) {
  for (int64_t numKeys : {3, 7}) {
    checkAttention({x, y, queries, keys, 5, numKeys, 0, false});
    checkAttention({x, y, queries, keys, 5, numKeys, 0, true});
    checkAttention({x, y, queries, keys, 5, numKeys, 2, true, 2});
    checkAttention({x, y, queries, keys, 1, numKeys, 1, true, 0, 1.5});
    checkAttention({x, y, queries, keys, 3, numKeys, -2, true, 4});
  }
}

/// The queries of a shard stand where the shard begins.
TEST(JitShard, AttentionOfShardedQueries) {
  for (int64_t ranks : {1, 2, 3, 4})
    checkAttentions(ranks, 1, "\"x\"", "");
}

TEST(JitShard, AttentionOverShardedKeys) {
  for (int64_t ranks : {2, 3, 4})
    checkAttentions(ranks, 1, "", "\"x\"");
}

TEST(JitShard, AttentionOfShardedQueriesOverShardedKeys) {
  checkAttentions(2, 2, "\"x\"", "\"y\"");
  checkAttentions(2, 2, "\"x\"", "\"x\", \"y\"");
  // One axis for both: the keys are brought together, padding included.
  checkAttentions(3, 1, "\"x\"", "\"x\"");
}

/// What is sent: a maximum and a sum for each query, and the weighted values;
/// keys and values stay where they are.
TEST(JitShard, ShardedKeysAreNotGathered) {
  std::string text = shardAttention({4, 1, "", "\"x\"", 5, 7, 0, true});
  EXPECT_EQ(count(text, "tp.all_gather"), 0u) << text;
  EXPECT_EQ(count(text, "tp.all_reduce"), 3u) << text;
  text = shardAttention({4, 1, "\"x\"", "", 5, 7, 0, true});
  EXPECT_EQ(count(text, "tp.all"), 0u) << text;
  // The kernel, and not what it is written out to.
  text = shardAttention({4, 1, "\"x\"", "\"x\"", 5, 7, 0, true});
  EXPECT_EQ(count(text, "nn.attention"), 1u) << text;
}

//===----------------------------------------------------------------------===//
// A cache whose rows are sharded
//===----------------------------------------------------------------------===//

const char *const kCache = R"mlir(
  tp.mesh @mesh = <["tp"=$RANKS]>
  func.func @f(%cache: tensor<1x7x2x4xf32> {nn.state = "cache", tp.sharding = #tp.sharding<@mesh, [{}, {"tp"}, {}, {}]>},
               %q: tensor<1x2x2x3x4xf32> {nn.input = "q"}, %u: tensor<1x2x2x4xf32> {nn.input = "u"},
               %p: tensor<i32> {nn.input = "p"}, %n: tensor<i32> {nn.input = "n"})
      -> (tensor<1x7x2x4xf32> {nn.state = "cache"}, tensor<1x2x2x3x4xf32> {nn.output = "y"}) {
    %new = nn.cache_update %cache, %u at %p length %n
        : (tensor<1x7x2x4xf32>, tensor<1x2x2x4xf32>, tensor<i32>, tensor<i32>) -> tensor<1x7x2x4xf32>
    %y = nn.attention %q, %new, %new at %p scale 0.5 causal : (tensor<1x2x2x3x4xf32>,
        tensor<1x7x2x4xf32>, tensor<1x7x2x4xf32>, tensor<i32>) -> tensor<1x2x2x3x4xf32>
    return %new, %y : tensor<1x7x2x4xf32>, tensor<1x2x2x3x4xf32>
  })mlir";

/// Each rank writes the rows that are its own and attends to them: decoding
/// step by step, two rows at a time, some of which are in other shards.
TEST(JitShard, CacheWithShardedRows) {
  for (int64_t ranks : {1, 2, 3, 4}) {
    std::string text = shard(fill(kCache, {{"RANKS", std::to_string(ranks)}}));
    SCOPED_TRACE(text);
    EXPECT_EQ(count(text, "tp.all_gather"), 0u);
    Program program(text);
    const AttentionCase c{ranks, 1, "", "", 2, 7, 0, true};
    std::vector<float> cache(7 * 8);
    for (int32_t position : {0, 1, 3, 5}) {
      Tensor u = random("u", {1, 2, 2, 4}), q = random("q", {1, 2, 2, 3, 4}),
             y = zeros("y", {1, 2, 2, 3, 4});
      u.data<float>()[0] = float(position);
      std::copy_n(u.data<float>(), 16, cache.begin() + position * 8);
      ASSERT_TRUE(
          program.run("f",
                      {q, u, make<int32_t>("p", {}, TPRT_I32, {position}),
                       make<int32_t>("n", {}, TPRT_I32, {2})},
                      {&y}));
      for (int64_t row = 0; row < 12; ++row) {
        const float *head = cache.data() + row / 3 % 2 * 4;
        std::vector<double> expected = attend(
            c, position + row / 6, q.data<float>() + row * 4, head, head);
        for (int64_t d = 0; d < 4; ++d)
          EXPECT_NEAR(y.at(size_t(row * 4 + d)), expected[size_t(d)], 1e-5);
      }
    }
    Tensor u = random("u", {1, 2, 2, 4}), q = random("q", {1, 2, 2, 3, 4}),
           y = zeros("y", {1, 2, 2, 3, 4});
    std::string message =
        program.fail("f",
                     {q, u, make<int32_t>("p", {}, TPRT_I32, {6}),
                      make<int32_t>("n", {}, TPRT_I32, {2})},
                     {&y});
    EXPECT_NE(message.find("exceeds the cache's capacity of 7"),
              std::string::npos)
        << message;
  }
}

} // namespace
