//===- Ranks.cpp - timing what ranks do together --------------------------===//
//
// Part of tp-mlir, under the Apache License v2.0.
//
//===----------------------------------------------------------------------===//

#include "Ranks.h"
#include "tp/Support/Tool.h"
#include "llvm/ADT/STLExtras.h"
#include <array>
#include <ctime>
#include <string>

using namespace mlir;
using namespace mlir::tp;
using namespace mlir::tp::bench;

static constexpr int kRows = 9;

/// An entry of the runtime has no context, so there is one place for what it
/// does.
static std::function<void(tprt_rank *)> currentBody;

static void runBody(tprt_rank *rank, void *, void *const *, void *const *) {
  currentBody(rank);
}

static tprt_entry findBody(const char *, void *) { return runBody; }

/// A program with one axis and one entry, which takes nothing.
static std::string manifestOf(int64_t ranks) {
  std::string size = std::to_string(ranks);
  auto collective = [](int64_t id, const char *kind) {
    return "{\"id\":" + std::to_string(id) + ",\"kind\":\"" + kind +
           "\",\"name\":\"" + kind + "\"}";
  };
  return R"({"version":1,"mesh":{"axes":[{"name":"x","size":)" + size +
         R"(}]},"groups":[[{"axis":"x","pre":1,"size":)" + size +
         R"(}]],"entries":[{"name":"measure","symbol":"measure",)" +
         R"("arena_bytes":0,"arguments":[],"results":[],"collectives":[)" +
         collective(Ranks::Barrier, "all_reduce") + "," +
         collective(Ranks::AllReduce, "all_reduce") + "," +
         collective(Ranks::AllGather, "all_gather") + "]}]}";
}

Ranks::Ranks(int64_t count, bool onProcessor)
    : number(count), onProcessor(onProcessor) {
  tprt_error error = {};
  tprt_options options = {};
  options.timeout_seconds = 600;
  std::string manifest = manifestOf(count);
  if (tprt_session_create(manifest.c_str(), findBody, nullptr, &options,
                          &session, &error) == TPRT_OK &&
      tprt_session_load(session, nullptr, 0, &error) == TPRT_OK)
    return;
  printError(error.message);
  tprt_session_destroy(session);
  session = nullptr;
}

Ranks::~Ranks() { tprt_session_destroy(session); }

/// Nobody goes on before all have come.
static void meet(tprt_rank *rank) {
  tprt_collective_desc desc = {};
  desc.kind = TPRT_ALL_REDUCE;
  desc.id = Ranks::Barrier;
  desc.group = Ranks::group;
  desc.num_buffers = 1;
  desc.buffers[0] = {TPRT_F32, 1, {1}, 0, 0};
  float value = 0;
  const void *inputs[] = {&value};
  void *outputs[] = {&value};
  tprt_collective(rank, &desc, inputs, outputs);
}

static double secondsNow(bool onProcessor) {
  timespec time = {};
  clock_gettime(onProcessor ? CLOCK_THREAD_CPUTIME_ID : CLOCK_MONOTONIC, &time);
  return double(time.tv_sec) + double(time.tv_nsec) * 1e-9;
}

std::optional<Ranks::Seconds> Ranks::measure(int64_t repetitions,
                                             const MakeWork &make) {
  std::vector<std::array<double, kRows>> seconds(number);
  currentBody = [&](tprt_rank *rank) {
    const int64_t self = tprt_coordinate(rank, group);
    Work work = make(self);
    for (int row = -1; row < kRows; ++row) {
      const int64_t times = row < 0 ? 2 : repetitions;
      meet(rank);
      const double begin = secondsNow(onProcessor);
      for (int64_t i = 0; i < times; ++i)
        work(rank);
      const double taken = secondsNow(onProcessor) - begin;
      if (row >= 0)
        seconds[self][row] = taken / double(times);
    }
    meet(rank);
  };
  tprt_error error = {};
  tprt_status status =
      tprt_session_run(session, "measure", nullptr, 0, nullptr, 0, &error);
  currentBody = nullptr;
  if (status != TPRT_OK) {
    printError(error.message);
    return std::nullopt;
  }
  std::array<double, kRows> slowest = {};
  for (const auto &rank : seconds)
    for (int row = 0; row < kRows; ++row)
      slowest[row] = std::max(slowest[row], rank[row]);
  llvm::sort(slowest);
  return Seconds{slowest.front(), slowest[kRows / 2]};
}
