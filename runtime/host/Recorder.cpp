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

const Recorder::Record *Recorder::find(int64_t n) const {
  const int64_t first = queued - int64_t(records.size());
  return n < first || n >= queued ? nullptr : &records[size_t(n - first)];
}

void Recorder::push(const CollectiveInfo &collective, int64_t bytes) {
  while (records.size() >= capacity && records.front().state == Record::Done)
    records.pop_front();
  records.push_back({++queued, entry, execution, collective.id,
                     collectiveKindName(collective.kind), collective.name,
                     bytes, Record::Queued, 0, 0});
}

void Recorder::startNext() {
  Record *record = find(started);
  if (!record)
    return;
  ++started;
  phase = Progress::Exchanging;
  record->state = Record::Waiting;
  record->began = now();
}

void Recorder::begin(const CollectiveInfo &collective, int64_t bytes) {
  std::lock_guard<std::mutex> lock(mutex);
  push(collective, bytes);
  startNext();
}

void Recorder::enqueue(const CollectiveInfo &collective, int64_t bytes) {
  std::lock_guard<std::mutex> lock(mutex);
  push(collective, bytes);
}

void Recorder::start() {
  std::lock_guard<std::mutex> lock(mutex);
  startNext();
}

void Recorder::end() {
  std::lock_guard<std::mutex> lock(mutex);
  Record *record = find(completed);
  if (!record || completed == started)
    return;
  ++completed;
  if (completed == started)
    phase = Progress::Computing;
  record->state = Record::Done;
  record->ended = now();
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
  if (phase != Progress::Exchanging && phase != Progress::Computing)
    assign(result.what, what);
  else if (const Record *record = find(completed);
           record && phase == Progress::Exchanging)
    assign(result.what, nameOf(*record));
  if (const Record *record = find(completed - 1))
    assign(result.before, nameOf(*record));
  return result;
}

bool Recorder::empty() const {
  std::lock_guard<std::mutex> lock(mutex);
  return records.empty();
}

void Recorder::write(std::ostream &os) const {
  std::lock_guard<std::mutex> lock(mutex);
  const char *const states[] = {"queued", "waiting", "done"};
  for (const Record &record : records) {
    nlohmann::ordered_json line = {
        {"step", record.step},           {"entry", record.entry},
        {"execution", record.execution}, {"id", record.id},
        {"kind", record.kind},           {"name", record.name},
        {"bytes", record.bytes},         {"state", states[record.state]}};
    if (record.state != Record::Queued)
      line["began"] = record.began;
    if (record.state == Record::Done)
      line["ended"] = record.ended;
    os << line.dump(-1, ' ', true,
                    nlohmann::ordered_json::error_handler_t::replace)
       << '\n';
  }
}
