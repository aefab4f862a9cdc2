//===- Recorder.cpp - the last collectives of a rank ----------------------===//
//
// Part of tp-mlir, under the Apache License v2.0.
//
//===----------------------------------------------------------------------===//

#include "Recorder.h"

#include <algorithm>
#include <cstring>
#include <nlohmann/json.hpp>

using namespace tprt;

template <size_t size>
static void assign(char (&target)[size], const std::string &text) {
  size_t count = std::min(text.size(), size - 1);
  std::memcpy(target, text.data(), count);
  target[count] = '\0';
}

std::string Progress::describe() const {
  std::string where = *entry ? join(" of entry '", entry, "'") : "";
  switch (phase) {
  case Exchanging:
    return join("in ", what, where, ", step ", step + 1);
  case Computing:
    return join("computing", *entry ? join(" in entry '", entry, "'") : "",
                *before ? join(" after ", before) : "", ", step ", step);
  case Meeting:
    return join("waiting for the others (", what, "), step ", step);
  default:
    return join("busy with ", what, ", step ", step);
  }
}

void Recorder::enterHost(const char *name) {
  std::lock_guard<std::mutex> lock(mutex);
  phase = Progress::Host;
  what = name;
  entry.clear();
}

void Recorder::enterMeeting(const char *name) {
  std::lock_guard<std::mutex> lock(mutex);
  phase = Progress::Meeting;
  what = name;
}

void Recorder::enterEntry(const Entry &runs, int64_t number) {
  std::lock_guard<std::mutex> lock(mutex);
  phase = Progress::Computing;
  entry = runs.name;
  execution = number;
}

void Recorder::begin(const CollectiveInfo &collective, int64_t bytes) {
  std::lock_guard<std::mutex> lock(mutex);
  phase = Progress::Exchanging;
  if (ring.size() < capacity)
    ring.emplace_back();
  Record &record = ring[begun++ % capacity];
  record.step = completed + 1;
  record.entry = entry;
  record.execution = execution;
  record.id = collective.id;
  record.kind = collectiveKindName(collective.kind);
  record.name = collective.name;
  record.bytes = bytes;
  record.done = false;
  record.began = now();
  record.ended = 0;
}

void Recorder::end() {
  std::lock_guard<std::mutex> lock(mutex);
  phase = Progress::Computing;
  ++completed;
  Record &record = ring[(begun - 1) % capacity];
  record.done = true;
  record.ended = now();
}

Progress Recorder::progress() const {
  std::lock_guard<std::mutex> lock(mutex);
  Progress result;
  result.phase = phase;
  result.step = completed;
  assign(result.entry, entry);
  auto nameOf = [](const Record &record) {
    return join(record.kind, " '", record.name, "'");
  };
  if (phase == Progress::Exchanging)
    assign(result.what, nameOf(ring[(begun - 1) % capacity]));
  else if (phase != Progress::Computing)
    assign(result.what, what);
  const size_t last = begun - (begun && !ring[(begun - 1) % capacity].done);
  if (last > 0)
    assign(result.before, nameOf(ring[(last - 1) % capacity]));
  return result;
}

bool Recorder::empty() const {
  std::lock_guard<std::mutex> lock(mutex);
  return ring.empty();
}

void Recorder::write(std::ostream &os) const {
  std::lock_guard<std::mutex> lock(mutex);
  for (size_t n = begun - ring.size(); n < begun; ++n) {
    const Record &record = ring[n % capacity];
    nlohmann::ordered_json line = {{"step", record.step},
                                   {"entry", record.entry},
                                   {"execution", record.execution},
                                   {"id", record.id},
                                   {"kind", record.kind},
                                   {"name", record.name},
                                   {"bytes", record.bytes},
                                   {"state", record.done ? "done" : "waiting"},
                                   {"began", record.began}};
    if (record.done)
      line["ended"] = record.ended;
    os << line.dump(-1, ' ', true,
                    nlohmann::ordered_json::error_handler_t::replace)
       << '\n';
  }
}
