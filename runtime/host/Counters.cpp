//===- Counters.cpp - the runtime's counters -----------------------------===//
//
// Part of tp-mlir, under the Apache License v2.0.
//
//===----------------------------------------------------------------------===//

#include "Session.h"

#include <algorithm>
#include <nlohmann/json.hpp>

using namespace tprt;

void CollectiveCounter::include(const CollectiveCounter &other) {
  executions = std::max(executions, other.executions);
  bytesSent = std::max(bytesSent, other.bytesSent);
}

Session::Counters Session::countersHere() const {
  Counters largest;
  for (const Entry &entry : manifest.entries)
    largest.emplace_back(entry.collectives.size());
  for (const auto &rank : ranks)
    for (size_t e = 0; e < largest.size(); ++e)
      for (size_t c = 0; c < largest[e].size(); ++c)
        largest[e][c].include(rank->entries[e].collectives[c]);
  return largest;
}

std::string Session::counters() {
  std::lock_guard<std::mutex> lock(mutex);
  awaitIdle();
  const auto counters = world ? collectCounters() : countersHere();
  using Json = nlohmann::ordered_json;
  Json entries = Json::array();
  for (size_t e = 0; e < manifest.entries.size(); ++e) {
    const Entry &entry = manifest.entries[e];
    Json collectives = Json::array();
    for (size_t c = 0; c < entry.collectives.size(); ++c) {
      const CollectiveCounter &largest = counters[e][c];
      collectives.push_back({{"id", entry.collectives[c].id},
                             {"executions", largest.executions},
                             {"bytes_sent", largest.bytesSent}});
    }
    entries.push_back({{"name", entry.name},
                       {"executions", executions[e]},
                       {"collectives", std::move(collectives)}});
  }
  Json memory = {{"parameters", layout.parameterRegion.bytes},
                 {"state", layout.stateRegion.bytes},
                 {"arena", layout.arenaRegion.bytes},
                 {"inputs_outputs", layout.transferRegion.bytes}};
  return Json{{"entries", std::move(entries)}, {"memory", std::move(memory)}}
      .dump();
}
