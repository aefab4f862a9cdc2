//===- SessionTimeline.cpp - the timeline of a session's runs -------------===//
//
// Part of tp-mlir, under the Apache License v2.0.
//
//===----------------------------------------------------------------------===//

#include "Session.h"
#include "Timeline.h"

#include <cstring>

using namespace tprt;

static constexpr int64_t clockTag = 5;

/// Asks for the time of rank 0, or gives it; `rank` is the one that asks.
static int64_t exchangeTime(World &world, int64_t rank) {
  auto *everybody = world.everybody();
  int64_t time = 0;
  Transfers question(world);
  char *asked = question.keep(sizeof time), *told = question.keep(sizeof time);
  std::memset(asked, 0, sizeof time);
  if (world.rank() != 0) {
    question.send(everybody, 0, 0, clockTag, asked, sizeof time);
    question.receive(everybody, 0, 0, clockTag, told, sizeof time);
    question.wait(Transfers::Patient);
    std::memcpy(&time, told, sizeof time);
    return time;
  }
  question.receive(everybody, rank, rank, clockTag, asked, sizeof time);
  question.wait(Transfers::Patient);
  time = nanosecondsNow();
  Transfers answer(world);
  char *said = answer.keep(sizeof time);
  std::memcpy(said, &time, sizeof time);
  answer.send(everybody, rank, rank, clockTag, said, sizeof time);
  answer.wait(Transfers::Patient);
  return time;
}

/// By the quickest of several answers, which came half-way. Clocks that may be
/// one and the same are: processes of one machine share it.
ClockMap::Reading Session::readClock() {
  constexpr int rounds = 16;
  ClockMap::Reading best;
  world->recorder.enterMeeting("comparing clocks");
  for (int64_t rank = 1; rank < world->size(); ++rank)
    for (int round = 0; round < rounds; ++round) {
      if (world->rank() != 0 && world->rank() != rank)
        break;
      const int64_t before = nanosecondsNow();
      const int64_t there = exchangeTime(*world, rank);
      const int64_t after = nanosecondsNow();
      const int64_t half = (after - before) / 2;
      if (world->rank() == 0 || (round && after - before >= best.roundTrip))
        continue;
      best = {before + half, there - (before + half), after - before};
      if (best.ahead >= -half && best.ahead <= half)
        best.ahead = 0;
    }
  world->recorder.enterHost("the host's work");
  return best;
}

void Session::startTimeline() {
  std::lock_guard<std::mutex> lock(mutex);
  awaitIdle();
  if (manifest.backend != "cpu")
    raise(TPRT_UNSUPPORTED,
          "only programs for CPUs have a timeline of their runs; this one is "
          "for the backend '",
          manifest.backend, "'");
  for (const Entry &entry : manifest.entries)
    if (!entry.isMarked)
      raise(TPRT_INVALID, "a timeline needs a program with marks, and entry '",
            entry.name, "' has none: compile it with tp-compile --profile");
  if (ranks.front()->timeline)
    raise(TPRT_INVALID, "the session has a timeline already");
  if (world) {
    // All of them come here, or hear that one did not.
    world->check("", [](auto &) { return std::string(); }, "a timeline");
    clockAtStart = readClock();
  }
  for (auto &rank : ranks)
    rank->timeline = std::make_unique<Timeline>();
}

std::vector<std::vector<int64_t>> Session::bytesSentBy(size_t slot) const {
  std::vector<std::vector<int64_t>> bytes;
  for (const EntryCounters &entry : ranks[slot]->entries) {
    bytes.emplace_back();
    for (const CollectiveCounter &counter : entry.collectives)
      bytes.back().push_back(counter.bytesSent);
  }
  return bytes;
}

/// Every process's on rank 0, nothing elsewhere.
std::vector<RankTimeline> Session::collectTimelines() {
  ClockMap clock{clockAtStart, readClock()};
  std::string mine(reinterpret_cast<const char *>(&clock), sizeof clock);
  for (const auto &entry : bytesSentBy(0))
    mine.append(reinterpret_cast<const char *>(entry.data()),
                entry.size() * sizeof(int64_t));
  mine += ranks.front()->timeline->pack();
  std::vector<RankTimeline> result;
  for (const std::string &text : world->gather(mine, "timelines")) {
    RankTimeline rank;
    rank.bytesSent = bytesSentBy(0); // for the sizes
    std::memcpy(&rank.clock, text.data(), sizeof clock);
    size_t place = sizeof clock;
    for (auto &entry : rank.bytesSent)
      if (const size_t bytes = entry.size() * sizeof(int64_t)) {
        std::memcpy(entry.data(), text.data() + place, bytes);
        place += bytes;
      }
    rank.timeline = Timeline::unpack(text, place);
    result.push_back(std::move(rank));
  }
  return result;
}

std::string Session::timeline(int64_t &runsLeftOut) {
  std::lock_guard<std::mutex> lock(mutex);
  awaitIdle();
  if (!ranks.front()->timeline)
    raise(TPRT_INVALID, "the session has no timeline");
  runsLeftOut = ranks.front()->timeline->leftOut();
  std::vector<RankTimeline> all;
  if (world)
    all = collectTimelines();
  else
    for (size_t slot = 0; slot < ranks.size(); ++slot)
      all.push_back({*ranks[slot]->timeline, bytesSentBy(slot), ClockMap()});
  return all.empty() ? std::string() : printTimeline(manifest, all);
}

extern "C" void tprt_mark(tprt_rank *rank, int64_t number) {
  if (rank->timeline)
    guarded(rank, "mark", [&] { rank->timeline->mark(number); });
}
