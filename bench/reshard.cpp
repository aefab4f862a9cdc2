//===- reshard.cpp - how long it takes to plan a reshard ------------------===//
//
// Part of tp-mlir, under the Apache License v2.0.
//
//===----------------------------------------------------------------------===//
//
// The reshards that sharded Transformers have, planned for the first time
// ("cold") and again ("known"); and, cold, the hardest that the tests have.
//
//===----------------------------------------------------------------------===//

#include "tp/Dialect/TP/Transforms/Reshard.h"
#include <benchmark/benchmark.h>

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

} // namespace

int main(int argc, char **argv) {
  std::vector<Case> all = cases();
  for (const Case &which : all)
    for (bool known : {false, true})
      benchmark::RegisterBenchmark(
          (std::string(which.name) + (known ? ", known" : ", cold")).c_str(),
          plan, which, known);
  benchmark::Initialize(&argc, argv);
  benchmark::RunSpecifiedBenchmarks();
}
