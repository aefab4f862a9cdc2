//===- reshard.cpp - how long it takes to plan a reshard ------------------===//
//
// Part of tp-mlir, under the Apache License v2.0.
//
//===----------------------------------------------------------------------===//
//
// The reshards that sharded Transformers have, planned for the first time
// ("cold") and again ("known"); and, cold, pairs drawn from all placements,
// which are harder than any that a program has.
//
//===----------------------------------------------------------------------===//

#include "tp/Dialect/TP/Transforms/Reshard.h"
#include <algorithm>
#include <benchmark/benchmark.h>
#include <ctime>
#include <random>

using namespace mlir;
using namespace mlir::tp;

namespace {

struct Case {
  const char *name;
  SmallVector<Axis> mesh;
  Placement from, to;
};

Placement place(ArrayRef<int64_t> shape,
                std::initializer_list<std::pair<int, Axes>> dims,
                Axes partial = {}) {
  Placement placement = Placement::replicated(shape);
  for (const auto &[dim, axes] : dims)
    placement.dims[dim] = axes;
  placement.partial = partial;
  return placement;
}

std::vector<Case> cases() {
  const Axis dp{"dp", 1, 2}, tp{"tp", 1, 8};
  const Axis x{"x", 1, 8}, y{"y", 1, 6}, z{"z", 1, 4};
  const SmallVector<int64_t> activation{2, 512, 4096};
  const SmallVector<int64_t> cube{192, 192, 192};
  return {
      {"reduce", {tp}, place(activation, {}, {tp}), place(activation, {})},
      {"reduce, batch over dp",
       {dp, tp},
       place(activation, {{0, {dp}}}, {tp}),
       place(activation, {{0, {dp}}})},
      {"scatter to sequence",
       {dp, tp},
       place(activation, {{0, {dp}}}, {tp}),
       place(activation, {{0, {dp}}, {1, {tp}}})},
      {"gather sequence",
       {dp, tp},
       place(activation, {{0, {dp}}, {1, {tp}}}),
       place(activation, {{0, {dp}}})},
      {"sequence to hidden",
       {dp, tp},
       place(activation, {{0, {dp}}, {1, {tp}}}),
       place(activation, {{0, {dp}}, {2, {tp}}})},
      {"three axes, turned round",
       {x, y, z},
       place(cube, {{0, {x}}, {1, {y}}, {2, {z}}}),
       place(cube, {{0, {z}}, {1, {x}}, {2, {y}}})},
      {"three axes, all partial to all on a dim",
       {x, y, z},
       place(cube, {}, {x, y, z}),
       place(cube, {{0, {z, y, x}}})},
  };
}

void plan(benchmark::State &state, const Case &which, bool known) {
  ReshardPlanner planner(which.mesh);
  for (auto _ : state) {
    if (!known)
      planner = ReshardPlanner(which.mesh);
    FailureOr<ReshardPath> path = planner.plan(which.from, which.to);
    if (failed(path) || path->empty())
      state.SkipWithError("no path");
    benchmark::DoNotOptimize(path);
  }
}

/// Draws placements: each axis is cut into parts of prime size, and each part
/// goes to the end of some dim, is partial or is not used.
class Placements {
public:
  explicit Placements(ArrayRef<Axis> mesh) : mesh(mesh) {}

  Placement draw(ArrayRef<int64_t> shape) {
    Placement placement = Placement::replicated(shape);
    Axes parts;
    for (Axis axis : mesh)
      for (int64_t prime = 2; axis.size > 1; ++prime)
        for (; axis.size % prime == 0; axis.size /= prime) {
          parts.push_back({axis.name, axis.pre, prime});
          axis.pre *= prime;
        }
    std::shuffle(parts.begin(), parts.end(), generator);
    for (const Axis &part : parts) {
      size_t place = generator() % (shape.size() + 2);
      if (place < shape.size())
        placement.dims[place].push_back(part);
      else if (place == shape.size())
        placement.partial.push_back(part);
    }
    return placement;
  }

private:
  ArrayRef<Axis> mesh;
  std::mt19937_64 generator{1};
};

/// The time of one plan of many, and the longest.
void planDrawn(benchmark::State &state, ArrayRef<Axis> mesh,
               ArrayRef<int64_t> shape) {
  Placements placements(mesh);
  double longest = 0;
  for (auto _ : state) {
    Placement from = placements.draw(shape), to = placements.draw(shape);
    std::clock_t start = std::clock();
    FailureOr<ReshardPath> path = ReshardPlanner(mesh).plan(from, to);
    longest = std::max(longest, double(std::clock() - start));
    if (failed(path))
      state.SkipWithError("no path");
    benchmark::DoNotOptimize(path);
  }
  state.counters["longest_ms"] = longest * 1000 / CLOCKS_PER_SEC;
}

} // namespace

int main(int argc, char **argv) {
  std::vector<Case> all = cases();
  for (const Case &which : all)
    for (bool known : {false, true})
      benchmark::RegisterBenchmark(
          (std::string(which.name) + (known ? ", known" : ", cold")).c_str(),
          plan, which, known);
  const SmallVector<Axis> cube{{"x", 1, 8}, {"y", 1, 6}, {"z", 1, 4}};
  const SmallVector<Axis> square{{"dp", 1, 2}, {"tp", 1, 8}};
  const SmallVector<Axis> large{{"dp", 1, 16}, {"tp", 1, 8}, {"pp", 1, 8}};
  const SmallVector<int64_t> shape{3 << 12, 3 << 10, 3 << 11};
  benchmark::RegisterBenchmark("drawn, dp=2 tp=8", planDrawn, square, shape)
      ->Iterations(300);
  benchmark::RegisterBenchmark("drawn, x=8 y=6 z=4", planDrawn, cube, shape)
      ->Iterations(300);
  benchmark::RegisterBenchmark("drawn, dp=16 tp=8 pp=8", planDrawn, large,
                               shape)
      ->Iterations(100);
  benchmark::Initialize(&argc, argv);
  benchmark::RunSpecifiedBenchmarks();
}
