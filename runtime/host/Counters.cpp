//===- Counters.cpp - the runtime's counters -----------------------------===//
//
// Part of tp-mlir, under the Apache License v2.0.
//
//===----------------------------------------------------------------------===//

#include "Session.h"

#include <algorithm>
#include <nlohmann/json.hpp>

using namespace tprt;

std::string Session::counters() {
  std::lock_guard<std::mutex> lock(mutex);
  awaitIdle();
  using Json = nlohmann::ordered_json;
  Json entries = Json::array();
  for (size_t e = 0; e < manifest.entries.size(); ++e) {
    const Entry &entry = manifest.entries[e];
    Json collectives = Json::array();
    for (size_t c = 0; c < entry.collectives.size(); ++c) {
      CollectiveCounter largest;
      for (const auto &rank : ranks) {
        const CollectiveCounter &counter = rank->entries[e].collectives[c];
        largest.executions = std::max(largest.executions, counter.executions);
        largest.bytesSent = std::max(largest.bytesSent, counter.bytesSent);
      }
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
