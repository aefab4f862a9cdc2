//===- Timeline.cpp - when the ops of a rank ran --------------------------===//
//
// Part of tp-mlir, under the Apache License v2.0.
//
//===----------------------------------------------------------------------===//

#include "Timeline.h"

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <limits>
#include <nlohmann/json.hpp>

using namespace tprt;

//===----------------------------------------------------------------------===//
// Recording
//===----------------------------------------------------------------------===//

void Timeline::begin(size_t entry, int64_t execution, size_t numMarks) {
  marks.resize(keptMarks);
  recording = !numLeftOut && numMarks <= mostMarks - keptMarks;
  current = {int64_t(entry), execution, nanosecondsNow(), 0,
             int64_t(keptMarks)};
}

void Timeline::end() { current.end = nanosecondsNow(); }

void Timeline::keep() {
  if (recording)
    kept.push_back(current);
  else
    ++numLeftOut;
  keptMarks = marks.size();
  recording = false;
}

std::vector<Timeline::Mark> Timeline::marksOf(size_t run) const {
  const size_t last =
      run + 1 < kept.size() ? size_t(kept[run + 1].firstMark) : keptMarks;
  return {marks.begin() + kept[run].firstMark, marks.begin() + int64_t(last)};
}

template <typename T> static void append(std::string &bytes, const T &value) {
  bytes.append(reinterpret_cast<const char *>(&value), sizeof value);
}

template <typename T> static T take(const std::string &bytes, size_t &place) {
  T value;
  if (bytes.size() - place < sizeof value)
    raise(TPRT_FAILED, "a timeline of another rank is cut short");
  std::memcpy(&value, bytes.data() + place, sizeof value);
  place += sizeof value;
  return value;
}

std::string Timeline::pack() const {
  std::string bytes;
  append(bytes, int64_t(kept.size()));
  append(bytes, int64_t(keptMarks));
  append(bytes, numLeftOut);
  for (const Run &run : kept)
    append(bytes, run);
  for (size_t mark = 0; mark < keptMarks; ++mark)
    append(bytes, marks[mark]);
  return bytes;
}

Timeline Timeline::unpack(const std::string &bytes, size_t &place) {
  Timeline result;
  const auto numRuns = take<int64_t>(bytes, place);
  result.keptMarks = size_t(take<int64_t>(bytes, place));
  result.numLeftOut = take<int64_t>(bytes, place);
  for (int64_t run = 0; run < numRuns; ++run)
    result.kept.push_back(take<Run>(bytes, place));
  for (size_t mark = 0; mark < result.keptMarks; ++mark)
    result.marks.push_back(take<Mark>(bytes, place));
  return result;
}

//===----------------------------------------------------------------------===//
// Clocks
//===----------------------------------------------------------------------===//

int64_t ClockMap::map(int64_t time) const {
  const int64_t span = last.at - first.at, drift = last.ahead - first.ahead;
  // Quartz drifts less than this: more is the noise of two readings.
  constexpr int64_t mostDrift = 1000; // one in so many
  if (span <= 0 || std::abs(drift) > span / mostDrift)
    return time + (last.roundTrip < first.roundTrip ? last.ahead : first.ahead);
  return time + first.ahead +
         int64_t(double(drift) * double(time - first.at) / double(span));
}

//===----------------------------------------------------------------------===//
// The trace
//===----------------------------------------------------------------------===//

namespace {

/// Writes the events of one trace after another.
class TraceWriter {
public:
  TraceWriter(const Manifest &manifest, const std::vector<RankTimeline> &ranks)
      : manifest(manifest), ranks(ranks) {}

  std::string write();

private:
  enum Track { Computing, Communicating };
  /// What is the same whenever an op runs.
  struct Texts {
    std::string computing, communicating; ///< the latter of a collective
  };

  void findOrigin();
  void writeRank(size_t rank);
  void writeRun(size_t rank, size_t run, const std::vector<Texts> &texts);
  std::vector<Texts> describe(size_t rank, size_t entry) const;
  void name(const char *what, size_t rank, Track track,
            const std::string &text);
  void span(size_t rank, Track track, int64_t begin, int64_t end,
            const std::string &text);
  void separate();

  /// Processes of a predicted run are numbered from 0: both fit in one file.
  static constexpr size_t firstProcess = 1000;

  const Manifest &manifest;
  const std::vector<RankTimeline> &ranks;
  int64_t origin = 0; ///< the beginning of the first run, by rank 0's clock
  std::string out;
  bool isFirst = true;
};

} // namespace

static std::string quote(const std::string &text) {
  return nlohmann::json(text).dump(-1, ' ', true,
                                   nlohmann::json::error_handler_t::replace);
}

void TraceWriter::separate() {
  out += isFirst ? "\n" : ",\n";
  isFirst = false;
}

void TraceWriter::name(const char *what, size_t rank, Track track,
                       const std::string &text) {
  separate();
  out +=
      join(R"({"ph":"M","name":")", what, R"(","pid":)", firstProcess + rank,
           R"(,"tid":)", int(track), R"(,"args":{"name":)", quote(text), "}}");
}

/// Times in microseconds, to the nanosecond.
static std::string microseconds(int64_t nanoseconds) {
  char text[32];
  std::snprintf(text, sizeof text, "%lld.%03d",
                static_cast<long long>(nanoseconds / 1000),
                int(nanoseconds % 1000));
  return text;
}

void TraceWriter::span(size_t rank, Track track, int64_t begin, int64_t end,
                       const std::string &text) {
  const ClockMap &clock = ranks[rank].clock;
  const int64_t from = clock.map(begin) - origin;
  const int64_t length = std::max<int64_t>(clock.map(end) - origin - from, 0);
  separate();
  out += R"({"ph":"X",)";
  out += text;
  out += join(R"(,"pid":)", firstProcess + rank, R"(,"tid":)", int(track),
              R"(,"ts":)", microseconds(from), R"(,"dur":)",
              microseconds(length), "}");
}

void TraceWriter::findOrigin() {
  origin = std::numeric_limits<int64_t>::max();
  for (const RankTimeline &rank : ranks)
    if (!rank.timeline.runs().empty())
      origin =
          std::min(origin, rank.clock.map(rank.timeline.runs().front().begin));
}

std::vector<TraceWriter::Texts> TraceWriter::describe(size_t rank,
                                                      size_t number) const {
  const Entry &entry = manifest.entries[number];
  std::vector<Texts> result;
  for (const MarkInfo &mark : entry.marks) {
    const std::string name = R"("name":)" + quote(mark.op) + R"(,"cat":)";
    const std::string module = R"(,"args":{"module":)" + quote(mark.module);
    Texts texts;
    if (mark.collective < 0) {
      texts.computing = name + R"("compute")" + module;
      if (!mark.kernel.empty())
        texts.computing += R"(,"kernel":)" + quote(mark.kernel);
    } else {
      // Bytes are said once, so that sums over a trace are right.
      texts.computing = name + R"("wait")" + module;
      texts.communicating =
          join(name, R"("collective")", module, R"(,"bytes_sent":)",
               ranks[rank].bytesSent[number][size_t(mark.collective)], "}");
    }
    texts.computing += "}";
    result.push_back(std::move(texts));
  }
  return result;
}

void TraceWriter::writeRun(size_t rank, size_t number,
                           const std::vector<Texts> &texts) {
  const Timeline &timeline = ranks[rank].timeline;
  const Timeline::Run &run = timeline.runs()[number];
  const Entry &entry = manifest.entries[size_t(run.entry)];
  span(rank, Computing, run.begin, run.end,
       join(R"("name":)", quote(entry.name),
            R"(,"cat":"entry","args":{"step":)", run.execution, "}"));
  const std::vector<Timeline::Mark> marks = timeline.marksOf(number);
  for (size_t i = 0; i < marks.size(); ++i) {
    if (marks[i].number < 0 || size_t(marks[i].number) >= texts.size())
      raise(TPRT_INVALID, "entry '", entry.name, "': mark ", marks[i].number,
            " is not in the manifest");
    const Texts &text = texts[size_t(marks[i].number)];
    const int64_t end = i + 1 < marks.size() ? marks[i + 1].time : run.end;
    span(rank, Computing, marks[i].time, end, text.computing);
    if (!text.communicating.empty())
      span(rank, Communicating, marks[i].time, end, text.communicating);
  }
}

void TraceWriter::writeRank(size_t rank) {
  name("process_name", rank, Computing, join("rank ", rank, " (measured)"));
  name("thread_name", rank, Computing, "computing");
  name("thread_name", rank, Communicating, "communicating");
  std::vector<std::vector<Texts>> texts;
  for (size_t entry = 0; entry < manifest.entries.size(); ++entry)
    texts.push_back(describe(rank, entry));
  const std::vector<Timeline::Run> &runs = ranks[rank].timeline.runs();
  for (size_t run = 0; run < runs.size(); ++run)
    writeRun(rank, run, texts[size_t(runs[run].entry)]);
}

std::string TraceWriter::write() {
  findOrigin();
  out = R"({"displayTimeUnit":"ms","traceEvents":[)";
  for (size_t rank = 0; rank < ranks.size(); ++rank)
    writeRank(rank);
  out += "\n]}\n";
  return std::move(out);
}

std::string tprt::printTimeline(const Manifest &manifest,
                                const std::vector<RankTimeline> &ranks) {
  return TraceWriter(manifest, ranks).write();
}
