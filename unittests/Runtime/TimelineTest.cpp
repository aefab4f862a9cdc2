//===- TimelineTest.cpp - when the ops of a rank ran ----------------------===//
//
// Part of tp-mlir, under the Apache License v2.0.
//
//===----------------------------------------------------------------------===//

#include "FakeTransport.h"

#include "host/Rank.h"
#include "host/Timeline.h"

#include <chrono>
#include <map>
#include <thread>

using namespace tprt;
using namespace tprt::test;

namespace {

/// Two entries of which the first computes and reduces, marks and all.
Json markedManifest(int64_t ranks) {
  Json step = entry();
  step["marks"] = {
      {{"op", "nn.contract"}, {"module", "mlp \"a\""}},
      {{"op", "tp.all_reduce"}, {"module", "mlp"}, {"collective", 0}},
      {{"op", "arith.addf"}, {"module", ""}, {"kernel", "kernel_0"}}};
  Json empty = entry(Json::array(), Json::array(), 0, "entry1");
  empty["marks"] = Json::array();
  return manifest({{{"name", "x"}, {"size", ranks}}}, {{axis("x", ranks)}},
                  {step, empty});
}

void step(tprt_rank *rank, void *, void *const *, void *const *) {
  tprt_mark(rank, 0);
  tprt_mark(rank, 1);
  float data[4] = {1, 2, 3, 4};
  const void *inputs[] = {data};
  void *outputs[] = {data};
  tprt_collective_desc desc = {};
  desc.num_buffers = 1;
  desc.buffers[0] = {TPRT_F32, 1, {4}, 0, 0};
  tprt_collective(rank, &desc, inputs, outputs);
  tprt_mark(rank, 2);
}

void nothing(tprt_rank *, void *, void *const *, void *const *) {}
void wrong(tprt_rank *rank, void *, void *const *, void *const *) {
  tprt_mark(rank, 3);
}
void failing(tprt_rank *rank, void *, void *const *, void *const *) {
  tprt_mark(rank, 0);
  rank->fail(TPRT_INVALID, "", "as the test asks");
}

tprt_entry lookup(const char *symbol, void *context) {
  if (std::string(symbol) == "entry1")
    return nothing;
  return context ? reinterpret_cast<tprt_entry>(context) : step;
}

/// A session of marked programs, loaded.
struct Marked {
  explicit Marked(const Json &manifest, bool hasTimeline = true,
                  tprt_entry first = nullptr, tprt_world *world = nullptr) {
    tprt_options options = {};
    options.timeout_seconds = 20;
    options.world = world;
    status = tprt_session_create(manifest.dump().c_str(), lookup,
                                 reinterpret_cast<void *>(first), &options,
                                 &session, &error);
    if (status == TPRT_OK && hasTimeline)
      status = tprt_session_start_timeline(session, &error);
    if (status == TPRT_OK)
      status = tprt_session_load(session, nullptr, 1, &error);
  }
  ~Marked() { tprt_session_destroy(session); }
  Marked(const Marked &) = delete;

  tprt_status run(const char *entry) {
    return status =
               tprt_session_run(session, entry, nullptr, 0, nullptr, 0, &error);
  }
  /// Empty if there is none.
  std::string trace() {
    char *text = nullptr;
    status = tprt_session_timeline(session, &text, &leftOut, &error);
    std::string result = text ? text : "";
    tprt_free(text);
    return result;
  }

  tprt_session *session = nullptr;
  tprt_status status;
  tprt_error error = {};
  int64_t leftOut = -1;
};

/// Names in the order of time, by process and thread.
using Tracks = std::map<std::pair<int64_t, int64_t>, std::vector<Json>>;
Tracks tracksOf(const std::string &trace) {
  Tracks tracks;
  const Json whole = Json::parse(trace);
  for (const Json &event : whole["traceEvents"])
    if (event["ph"] == "X")
      tracks[{event["pid"], event["tid"]}].push_back(event);
  return tracks;
}

std::vector<std::string> namesOf(const std::vector<Json> &events) {
  std::vector<std::string> names;
  for (const Json &event : events)
    names.push_back(event["name"]);
  return names;
}

/// Three runs on so many ranks: two of the first entry, one of the second.
void expectThreeRuns(const std::string &trace, int64_t ranks) {
  Tracks tracks = tracksOf(trace);
  ASSERT_EQ(tracks.size(), size_t(2 * ranks)) << trace;
  const std::vector<std::string> each = {"entry0", "nn.contract",
                                         "tp.all_reduce", "arith.addf"};
  std::vector<std::string> all = each;
  all.push_back("entry1");
  all.insert(all.end(), each.begin(), each.end());
  for (int64_t rank = 0; rank < ranks; ++rank) {
    const auto &computing = tracks[{1000 + rank, 0}];
    ASSERT_EQ(namesOf(computing), all);
    EXPECT_EQ(computing[0]["args"], Json({{"step", 0}}));
    EXPECT_EQ(computing[4]["args"], Json({{"step", 0}}));
    EXPECT_EQ(computing[5]["args"], Json({{"step", 1}}));
    EXPECT_EQ(computing[1]["args"], Json({{"module", "mlp \"a\""}}));
    EXPECT_EQ(computing[2]["cat"], "wait");
    EXPECT_EQ(computing[3]["args"],
              Json({{"module", ""}, {"kernel", "kernel_0"}}));
    const auto &communicating = tracks[{1000 + rank, 1}];
    ASSERT_EQ(namesOf(communicating),
              (std::vector<std::string>{"tp.all_reduce", "tp.all_reduce"}));
    // Of 16 bytes, a ring sends 2 (n - 1) / n.
    const int64_t bytes = (2 * (ranks - 1) * 16 + ranks - 1) / ranks;
    EXPECT_EQ(communicating[0]["args"],
              Json({{"module", "mlp"}, {"bytes_sent", bytes}}));
    EXPECT_EQ(communicating[0]["ts"], computing[2]["ts"]);
    for (size_t first : {0, 5})
      for (size_t i = first + 1; i < first + 4; ++i) {
        auto begin = [&](size_t e) { return computing[e]["ts"].get<double>(); };
        auto end = [&](size_t e) {
          return begin(e) + computing[e]["dur"].get<double>();
        };
        EXPECT_GE(begin(i) + 1e-6, i == first + 1 ? begin(first) : end(i - 1));
        EXPECT_LE(end(i), end(first) + 0.0015);
      }
  }
}

} // namespace

TEST(Timeline, threads) {
  Marked session(markedManifest(3));
  for (const char *entry : {"entry0", "entry1", "entry0"})
    ASSERT_EQ(session.run(entry), TPRT_OK) << session.error.message;
  const std::string trace = session.trace();
  ASSERT_EQ(session.status, TPRT_OK) << session.error.message;
  EXPECT_EQ(session.leftOut, 0);
  expectThreeRuns(trace, 3);
  // One that is asked for again is the same.
  EXPECT_EQ(session.trace(), trace);
}

TEST(Timeline, processes) {
  std::string trace;
  auto outcomes = runProcesses(3, [&](Process &process) {
    Marked session(markedManifest(3), true, nullptr, process.world);
    auto require = [&] {
      if (session.status != TPRT_OK)
        throw Error(session.status, session.error.message);
    };
    require();
    for (const char *entry : {"entry0", "entry1", "entry0"}) {
      session.run(entry);
      require();
    }
    std::string mine = session.trace();
    require();
    if (process.rank == 0)
      trace = std::move(mine);
    else
      EXPECT_EQ(mine, "");
  });
  for (const Outcome &outcome : outcomes)
    EXPECT_EQ(outcome.message, "");
  expectThreeRuns(trace, 3);
}

/// Marks are only a call where nobody keeps them.
TEST(Timeline, notAskedFor) {
  Marked session(markedManifest(2), false);
  ASSERT_EQ(session.run("entry0"), TPRT_OK);
  session.trace();
  EXPECT_EQ(session.status, TPRT_INVALID);
  EXPECT_STREQ(session.error.message, "the session has no timeline");
  EXPECT_EQ(
      tprt_session_timeline(session.session, nullptr, nullptr, &session.error),
      TPRT_INVALID);
  EXPECT_STREQ(session.error.message, "nowhere to put the timeline");
}

TEST(Timeline, programWithoutMarks) {
  Json json = markedManifest(2);
  json["entries"][1].erase("marks");
  Marked unmarked(json);
  EXPECT_EQ(unmarked.status, TPRT_INVALID);
  EXPECT_STREQ(unmarked.error.message,
               "a timeline needs a program with marks, and entry 'entry1' has "
               "none: compile it with tp-compile --profile");
}

TEST(Timeline, markThatTheManifestDoesNotHave) {
  Marked session(markedManifest(1), true, wrong);
  ASSERT_EQ(session.run("entry0"), TPRT_OK);
  session.trace();
  EXPECT_EQ(session.status, TPRT_INVALID);
  EXPECT_STREQ(session.error.message,
               "entry 'entry0': mark 3 is not in the manifest");
}

TEST(Timeline, startedOnce) {
  Marked session(markedManifest(1));
  EXPECT_EQ(tprt_session_start_timeline(session.session, &session.error),
            TPRT_INVALID);
  EXPECT_STREQ(session.error.message, "the session has a timeline already");
  EXPECT_EQ(tprt_session_start_timeline(nullptr, &session.error), TPRT_INVALID);
}

/// A run that fails is not in the trace, and those before it are.
TEST(Timeline, failedRun) {
  Marked session(markedManifest(2), true, failing);
  ASSERT_EQ(session.run("entry1"), TPRT_OK);
  EXPECT_EQ(session.run("entry0"), TPRT_INVALID);
  Tracks tracks = tracksOf(session.trace());
  EXPECT_EQ(namesOf(tracks[{1000, 0}]), (std::vector<std::string>{"entry1"}));
  EXPECT_EQ(namesOf(tracks[{1001, 0}]), (std::vector<std::string>{"entry1"}));
}

TEST(Timeline, noRun) {
  Marked session(markedManifest(2));
  EXPECT_TRUE(tracksOf(session.trace()).empty());
  EXPECT_EQ(session.status, TPRT_OK);
}

TEST(Timeline, processesThatDiffer) {
  auto outcomes = runProcesses(2, [&](Process &process) {
    Marked session(markedManifest(2), process.rank == 1, nullptr,
                   process.world);
    if (session.status != TPRT_OK)
      throw Error(session.status, session.error.message);
  });
  for (const Outcome &outcome : outcomes)
    EXPECT_EQ(outcome.message, "rank 0: the ranks differ: rank 1 has come to a "
                               "timeline, rank 0 to comparing weights");
}

/// What does not fit is left out whole, and all that follows.
TEST(Timeline, full) {
  Timeline timeline;
  const size_t large = Timeline::mostMarks - 10;
  auto run = [&](size_t entry, int64_t execution, size_t marks) {
    timeline.begin(entry, execution, marks);
    for (size_t i = 0; i < marks; ++i)
      timeline.mark(int64_t(i));
    timeline.end();
    timeline.keep();
  };
  run(0, 0, large);
  run(1, 0, 10);
  run(0, 1, large);
  run(2, 0, 0);
  ASSERT_EQ(timeline.runs().size(), 2u);
  EXPECT_EQ(timeline.leftOut(), 2);
  EXPECT_EQ(timeline.marksOf(0).size(), large);
  EXPECT_EQ(timeline.marksOf(1).size(), 10u);
  EXPECT_EQ(timeline.marksOf(1)[9].number, 9);
  size_t place = 3;
  const Timeline copy = Timeline::unpack("abc" + timeline.pack(), place);
  EXPECT_EQ(copy.pack(), timeline.pack());
  place = 0;
  EXPECT_THROW(Timeline::unpack(timeline.pack().substr(0, 100), place), Error);
}

/// By rank 0's clock: between two readings, as much of their difference as has
/// passed; if they cannot both be right, the quicker one.
TEST(Timeline, clocks) {
  EXPECT_EQ(ClockMap().map(77), 77);
  ClockMap drifts{{1000000, 500, 10}, {3000000, 700, 10}};
  EXPECT_EQ(drifts.map(1000000), 1000500);
  EXPECT_EQ(drifts.map(2000000), 2000600);
  EXPECT_EQ(drifts.map(3000000), 3000700);
  ClockMap noisy{{1000, 500, 10}, {2000, 900, 5}};
  EXPECT_EQ(noisy.map(1500), 2400);
  noisy.last.roundTrip = 20;
  EXPECT_EQ(noisy.map(1500), 2000);
}
