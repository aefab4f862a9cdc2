//===- VerdictTest.cpp - why a run of several processes failed ------------===//
//
// Part of tp-mlir, under the Apache License v2.0.
//
//===----------------------------------------------------------------------===//

#include "host/Verdict.h"
#include "host/Agreement.h"

#include <cstring>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>
#include <sstream>

using namespace tprt;

namespace {

/// What the ranks tell; those that are not made do not.
struct Alarms {
  std::vector<Notice> notices;
  std::vector<bool> given;

  explicit Alarms(size_t ranks) : notices(ranks), given(ranks) {}

  Notice &add(size_t rank, Notice::Cause cause, Progress::Phase phase,
              int64_t step, const char *message = "") {
    Notice &notice = notices[rank];
    notice.rank = int64_t(rank);
    notice.cause = cause;
    notice.progress.phase = phase;
    notice.progress.step = step;
    std::strcpy(notice.progress.what, "all_reduce 'b'");
    std::strcpy(notice.progress.before, "all_reduce 'a'");
    std::strcpy(notice.message, message);
    given[rank] = true;
    return notice;
  }

  Verdict conclude() const {
    std::vector<const Notice *> heard;
    for (size_t rank = 0; rank < notices.size(); ++rank)
      heard.push_back(given[rank] ? &notices[rank] : nullptr);
    return tprt::conclude(heard, 5);
  }
};

} // namespace

TEST(Verdict, errorsWin) {
  Alarms alarms(4);
  alarms.add(1, Notice::Waited, Progress::Exchanging, 7, "waited");
  alarms.add(2, Notice::Error, Progress::Host, 6, "rank 2: bad").status =
      TPRT_IO;
  alarms.add(3, Notice::Error, Progress::Host, 6, "rank 3: bad too");
  Verdict verdict = alarms.conclude();
  EXPECT_EQ(verdict.message, "rank 2: bad");
  EXPECT_EQ(verdict.status, TPRT_IO);
  EXPECT_EQ(verdict.spokesman, 1);
}

TEST(Verdict, silence) {
  Alarms alarms(3);
  alarms.add(0, Notice::Waited, Progress::Exchanging, 7);
  alarms.add(2, Notice::Told, Progress::Exchanging, 6);
  EXPECT_EQ(alarms.conclude().message,
            "rank 1 does not answer: killed, stopped or cut off; rank 0 is in "
            "all_reduce 'b', step 8; rank 2 is in all_reduce 'b', step 7; the "
            "last step completed by all is 6, all_reduce 'a'");
  Alarms many(20);
  many.add(0, Notice::Waited, Progress::Exchanging, 0);
  EXPECT_EQ(many.conclude().message,
            "ranks 1, 2, 3, 4, 5, 6, 7, 8 and 11 more do not answer: killed, "
            "stopped or cut off; rank 0 is in all_reduce 'b', step 1; no "
            "collective was completed by all");
}

TEST(Verdict, delay) {
  Alarms alarms(3);
  alarms.add(0, Notice::Waited, Progress::Exchanging, 6);
  alarms.add(1, Notice::Told, Progress::Computing, 6);
  alarms.add(2, Notice::Waited, Progress::Exchanging, 6);
  EXPECT_EQ(alarms.conclude().message,
            "rank 1 has let the others wait for 5 s, computing after "
            "all_reduce 'a', step 6; ranks 0, 2 are in all_reduce 'b', step 7; "
            "the last step completed by all is 6, all_reduce 'a'");
}

TEST(Verdict, cycle) {
  Alarms alarms(2);
  alarms.add(0, Notice::Waited, Progress::Exchanging, 6);
  alarms.add(1, Notice::Told, Progress::Meeting, 5);
  EXPECT_EQ(alarms.conclude().message,
            "the ranks wait for one another since 5 s; rank 0 is in all_reduce "
            "'b', step 7; rank 1 is waiting for the others (all_reduce 'b'), "
            "step 5; the last step completed by all is 5, all_reduce 'a'");
}

TEST(Verdict, launcher) {
  Alarms alarms(2);
  alarms.add(0, Notice::Signal, Progress::Computing, 6);
  alarms.add(1, Notice::Signal, Progress::Computing, 6);
  EXPECT_EQ(alarms.conclude().message,
            "the launcher ended the run; ranks 0, 1 are computing after "
            "all_reduce 'a', step 6; the last step completed by all is 6, "
            "all_reduce 'a'");
}

//===----------------------------------------------------------------------===//
// Agreement
//===----------------------------------------------------------------------===//

static std::string
factsOf(std::vector<std::pair<std::string, std::string>> of) {
  Facts facts;
  for (auto &[label, value] : of)
    facts.add(label, value);
  return facts.text();
}

TEST(Agreement, facts) {
  std::string a = factsOf({{"mesh", "tp=2"}, {"input", "x"}});
  std::string b = factsOf({{"mesh", "tp=2"}, {"input", "y"}});
  std::string c = factsOf({{"mesh", "tp=2"}});
  EXPECT_EQ(findDisagreement({a, a, a}), "");
  EXPECT_EQ(findDisagreement({a, a, b}),
            "the ranks differ: rank 2 has input y, rank 0 has input x");
  EXPECT_EQ(findDisagreement({a, b, b}),
            "the ranks differ: rank 0 has input x, rank 1 has input y");
  EXPECT_EQ(findDisagreement({a, b}),
            "the ranks differ: rank 1 has input y, rank 0 has input x");
  EXPECT_EQ(findDisagreement({a, c, a}),
            "the ranks differ: rank 1 has nothing more, rank 0 has input x");
}

TEST(Agreement, copies) {
  Mesh mesh({{"dp", 3}, {"tp", 2}});
  std::vector<SharedValue> values = {{"whole", {{4, 4, {}, 1}}},
                                     {"split", {{4, 4, {{1, 1, 2}}, 2}}}};
  // Ranks with the same coordinate on tp hold the same block of "split".
  std::vector<std::vector<uint64_t>> hashes = {{1, 10}, {1, 20}, {1, 10},
                                               {1, 20}, {1, 10}, {1, 20}};
  EXPECT_EQ(findDifferentCopy(mesh, values, hashes), "");
  hashes[3][1] = 21;
  std::string text = findDifferentCopy(mesh, values, hashes);
  EXPECT_EQ(text.find("the ranks differ: rank 3 and rank 1 should hold the "
                      "same values of 'split' and do not"),
            0u)
      << text;
  hashes[0][0] = 2;
  EXPECT_EQ(findDifferentCopy(mesh, values, hashes)
                .find("the ranks differ: rank 0 and rank 1 should hold the "
                      "same values of 'whole'"),
            0u);
  EXPECT_TRUE(isReplicated(mesh, values[1].dims));
  EXPECT_FALSE(isReplicated(mesh, {{6, 6, {{0, 1, 3}, {1, 1, 2}}, 6}}));
}

/// Any one bit counts, whatever the length.
TEST(Agreement, hashes) {
  for (size_t size : {1, 7, 8, 31, 32, 33, 100}) {
    std::vector<unsigned char> data(size, 7);
    uint64_t whole = hashBytes(data.data(), size);
    for (size_t i = 0; i < size; ++i) {
      data[i] ^= 0x80;
      EXPECT_NE(hashBytes(data.data(), size), whole);
      data[i] ^= 0x80;
    }
    data.push_back(0);
    EXPECT_NE(hashBytes(data.data(), size + 1), whole);
  }
}

//===----------------------------------------------------------------------===//
// The flight recorder
//===----------------------------------------------------------------------===//

TEST(Recorder, ring) {
  Recorder recorder;
  EXPECT_TRUE(recorder.empty());
  Entry entry;
  entry.name = "decode";
  CollectiveInfo a{3, TPRT_ALL_REDUCE, "a"}, b{4, TPRT_ALL_GATHER, "b"};
  recorder.enterEntry(entry, 9);
  recorder.begin(a, 100);
  EXPECT_EQ(recorder.progress().describe(),
            "in all_reduce 'a' of entry 'decode', step 1");
  recorder.end();
  EXPECT_EQ(recorder.progress().describe(),
            "computing in entry 'decode' after all_reduce 'a', step 1");
  recorder.begin(b, 200);
  EXPECT_EQ(std::string(recorder.progress().before), "all_reduce 'a'");
  EXPECT_EQ(std::string(recorder.progress().what), "all_gather 'b'");
  recorder.end();
  for (size_t i = 2; i < Recorder::capacity + 5; ++i) {
    recorder.begin(a, int64_t(i));
    if (i + 1 < Recorder::capacity + 5)
      recorder.end();
  }
  std::stringstream lines;
  recorder.write(lines);
  std::string line;
  int64_t step = 6;
  for (; std::getline(lines, line); ++step) {
    nlohmann::json record = nlohmann::json::parse(line);
    EXPECT_EQ(record["step"], step);
    EXPECT_EQ(record["entry"], "decode");
    EXPECT_EQ(record["execution"], 9);
    EXPECT_EQ(record["bytes"], step - 1);
    bool isLast = step == int64_t(Recorder::capacity) + 5;
    EXPECT_EQ(record["state"], isLast ? "waiting" : "done");
    EXPECT_EQ(record.contains("ended"), !isLast);
  }
  EXPECT_EQ(step, int64_t(Recorder::capacity) + 6);
  recorder.enterHost("loading");
  EXPECT_EQ(recorder.progress().describe(),
            "busy with loading, step " +
                std::to_string(Recorder::capacity + 4));
}

/// As on a device: all are queued, then they begin and end in order. What is
/// not done is not forgotten, however much is queued behind it.
TEST(Recorder, queue) {
  Recorder recorder;
  Entry entry;
  entry.name = "decode";
  CollectiveInfo a{3, TPRT_ALL_REDUCE, "a"}, b{4, TPRT_ALL_GATHER, "b"};
  recorder.enterEntry(entry, 0);
  recorder.enqueue(a, 100);
  const auto last = int64_t(Recorder::capacity) + 10;
  for (int64_t step = 2; step <= last; ++step)
    recorder.enqueue(b, step);
  recorder.end(); // none has begun: nothing ends
  EXPECT_EQ(recorder.progress().describe(),
            "computing in entry 'decode', step 0");
  recorder.start();
  EXPECT_EQ(recorder.progress().describe(),
            "in all_reduce 'a' of entry 'decode', step 1");
  recorder.end();
  recorder.start();
  EXPECT_EQ(recorder.progress().describe(),
            "in all_gather 'b' of entry 'decode', step 2");
  std::stringstream lines;
  recorder.write(lines);
  std::string line;
  int64_t step = 1;
  for (; std::getline(lines, line); ++step) {
    nlohmann::json record = nlohmann::json::parse(line);
    EXPECT_EQ(record["step"], step);
    EXPECT_EQ(record["state"], step == 1   ? "done"
                               : step == 2 ? "waiting"
                                           : "queued");
    EXPECT_EQ(record.contains("began"), step <= 2);
  }
  EXPECT_EQ(step, last + 1);
  for (int64_t i = 2; i <= last; ++i) {
    recorder.end();
    recorder.start();
  }
  EXPECT_EQ(recorder.progress().step, last);
  EXPECT_EQ(recorder.progress().phase, Progress::Computing);
}
