//===- World.cpp - this process among those it was launched with ----------===//
//
// Part of tp-mlir, under the Apache License v2.0.
//
//===----------------------------------------------------------------------===//

#include "World.h"

#include <algorithm>
#include <cstddef>
#include <cstring>
#include <ctime>
#include <sched.h>

using namespace tprt;

static constexpr int64_t controlTag = 1, gatherTag = 2, broadcastTag = 3;

static Clock::duration seconds(double count) {
  return std::chrono::duration_cast<Clock::duration>(
      std::chrono::duration<double>(count));
}

/// While it exists the watch ends the process if it takes too long.
class World::Blocking {
public:
  Blocking(World &world, const char *what) : world(world) {
    world.blockedSince = Clock::now().time_since_epoch().count();
    world.blockedIn = what;
  }
  ~Blocking() { world.blockedIn = nullptr; }

private:
  World &world;
};

//===----------------------------------------------------------------------===//
// Joining and leaving
//===----------------------------------------------------------------------===//

World::World(const tprt_transport &transport, const Launch &launch,
             double timeout)
    : transport(transport), launch(launch), timeoutSeconds(timeout) {
  watcher = std::thread([this] { watch(); });
  try {
    start();
  } catch (...) {
    {
      std::lock_guard<std::mutex> lock(mutex);
      stopping = true;
    }
    watcher.join();
    throw;
  }
}

void World::start() {
  std::lock_guard<std::mutex> lock(io);
  Blocking blocking(*this, "joining the other processes");
  tprt_error error = {};
  call(transport.start(&endpoint, &error), error);
  checkSize();
  heardOf.resize(size_t(size()));
  distance = size();
  alarms.resize(size_t(size()));
  listen();
  joined = true;
}

void World::introduce() {
  // A name under which the files of all ranks are found.
  int64_t id = std::chrono::system_clock::now().time_since_epoch().count();
  broadcast(&id, sizeof id, "the start");
  job = join("tprt-flight-", id);
}

void World::checkSize() const {
  if (endpoint.size == launch.size || launch.launcher.empty())
    return;
  raise(TPRT_UNSUPPORTED, launch.launcher, " launched ", launch.size,
        " processes, but ", endpoint.description, " sees ", endpoint.size,
        launch.launcher == "srun"
            ? ": launch with 'srun --mpi=pmix', or with mpirun"
            : ": launch with the mpirun of the same MPI");
}

World::~World() {
  {
    std::lock_guard<std::mutex> lock(mutex);
    stopping = true;
  }
  watcher.join();
}

void World::call(tprt_status status, const tprt_error &error) const {
  if (status != TPRT_OK)
    raise(status, error.message);
}

tprt_channel *World::split(int64_t color, int64_t key) {
  std::lock_guard<std::mutex> lock(io);
  Blocking blocking(*this, "splitting the processes into groups");
  tprt_channel *channel = nullptr;
  tprt_error error = {};
  call(transport.split(color, key, &channel, &error), error);
  return channel;
}

void World::attach(RunState *state) {
  std::lock_guard<std::mutex> lock(io);
  attached = state;
  if (state && failed())
    state->fail(TPRT_ELSEWHERE, "the run failed elsewhere");
}

/// Nobody sends any more but to himself.
void World::leave() {
  {
    std::lock_guard<std::mutex> lock(io);
    isLeaving = true;
    post(Notice::Leave, rank());
  }
  auto deadline = Clock::now() + seconds(timeoutSeconds);
  while (Clock::now() < deadline) {
    {
      std::lock_guard<std::mutex> lock(io);
      pollControl();
      if (!listening && posted.empty())
        return;
    }
    sched_yield();
  }
  raise(TPRT_FAILED, "messages were not delivered within ", timeoutSeconds,
        " s");
}

void World::close(int code) {
  if (code == 0) {
    check("", [](auto &) { return std::string(); }, "the end");
    leave();
    std::lock_guard<std::mutex> lock(io);
    Blocking blocking(*this, "leaving the other processes");
    tprt_error error = {};
    call(transport.finish(&error), error);
    return;
  }
  alarm(Notice::HostError, TPRT_FAILED, "ended");
  // The spokesman's message must be out before everybody ends.
  if (!isSpokesman()) {
    std::unique_lock<std::mutex> lock(mutex);
    changed.wait_for(lock, std::chrono::seconds(2), [this] { return ended; });
  }
  endProcess();
}

//===----------------------------------------------------------------------===//
// What processes tell of themselves; with `io` held
//===----------------------------------------------------------------------===//

Notice World::describeSelf(Notice::Kind kind) const {
  Notice notice;
  notice.kind = kind;
  notice.rank = rank();
  notice.progress = recorder.progress();
  const bool waits = notice.progress.phase == Progress::Meeting ||
                     notice.progress.phase == Progress::Exchanging;
  notice.distance = waits ? distance : 0;
  return notice;
}

void World::listen() {
  tprt_error error = {};
  call(transport.receive(endpoint.control, -1, controlTag, &incoming,
                         sizeof incoming, &listening, &error),
       error);
}

void World::post(Notice::Kind kind, int64_t to) {
  posted.emplace_back();
  Posted &message = posted.back();
  message.notice = kind == Notice::Alarm ? own : describeSelf(kind);
  tprt_error error = {};
  if (transport.send(endpoint.control, to, controlTag, &message.notice,
                     sizeof message.notice, &message.request,
                     &error) != TPRT_OK)
    posted.pop_back(); // Whoever waits for it finds that it does not come.
}

void World::handle(const Notice &notice) {
  if (notice.rank < 0 || notice.rank >= size())
    return;
  switch (notice.kind) {
  case Notice::Question:
    return post(Notice::Status, notice.rank);
  case Notice::Status:
    heardOf[size_t(notice.rank)] = {Clock::now(), notice.distance};
    return;
  case Notice::Alarm:
    // The first counts, but an error is more than to have been told of one.
    if (std::optional<Notice> &known = alarms[size_t(notice.rank)];
        !known || known->cause == Notice::Told)
      known = notice;
    return;
  case Notice::Settled:
    settledBy = notice.rank;
    return;
  default:
    return;
  }
}

bool World::pollControl() {
  bool heard = false;
  int64_t done = 1, bytes = 0;
  tprt_error error = {};
  // A few at a time: the caller has other things to look at.
  for (int i = 0; i < 8 && listening && done; ++i) {
    call(transport.test(listening, &done, &bytes, &error), error);
    if (!done)
      break;
    listening = nullptr;
    Notice notice = incoming;
    if (notice.kind == Notice::Leave && isLeaving)
      break;
    listen();
    heard = true;
    if (bytes == int64_t(sizeof notice))
      handle(notice);
  }
  for (auto it = posted.begin(); it != posted.end();) {
    call(transport.test(it->request, &done, &bytes, &error), error);
    it = done ? posted.erase(it) : std::next(it);
  }
  return heard;
}

void World::askAbout(const std::vector<Transfers::Open> &open) {
  for (const Transfers::Open &one : open)
    post(Notice::Question, one.rank);
}

/// Whether every one of these has lately said that it is busy, or that it waits
/// for such a one. Ranks that wait for one another in a circle get ever further
/// from being busy, and soon too far.
bool World::areBusy(const std::vector<Transfers::Open> &open) {
  auto since = Clock::now() - seconds(timeoutSeconds / 2);
  distance = 1;
  for (const Transfers::Open &one : open) {
    const Heard &heard = heardOf[size_t(one.rank)];
    int64_t far = heard.at < since ? size() : heard.distance + 1;
    distance = std::min(std::max(distance, far), size());
  }
  return distance < size();
}

//===----------------------------------------------------------------------===//
// Transfers
//===----------------------------------------------------------------------===//

Transfers::~Transfers() {
  if (open.empty() || kept.empty())
    return;
  // A message that was given up may still be written or read.
  std::lock_guard<std::mutex> lock(world.io);
  world.abandoned.splice(world.abandoned.end(), kept);
}

char *Transfers::keep(size_t bytes) {
  kept.emplace_back(bytes);
  return kept.back().data();
}

template <typename Begin>
void Transfers::inPieces(int64_t rank, bool isReceive, int64_t bytes,
                         Begin &&begin) {
  std::lock_guard<std::mutex> lock(world.io);
  int64_t begun = 0;
  do {
    int64_t size = std::min(bytes - begun, world.endpoint.largest);
    tprt_request *request = nullptr;
    tprt_error error = {};
    world.call(begin(begun, size, &request, &error), error);
    open.push_back({request, rank, isReceive});
    bytesBegun += size;
    begun += size;
  } while (begun < bytes);
}

void Transfers::send(tprt_channel *channel, int64_t member, int64_t rank,
                     int64_t tag, const void *data, int64_t bytes) {
  inPieces(rank, /*isReceive=*/false, bytes,
           [&](int64_t from, int64_t size, tprt_request **request,
               tprt_error *error) {
             return world.transport.send(channel, member, tag,
                                         static_cast<const char *>(data) + from,
                                         size, request, error);
           });
}

void Transfers::receive(tprt_channel *channel, int64_t member, int64_t rank,
                        int64_t tag, void *data, int64_t bytes) {
  inPieces(rank, /*isReceive=*/true, bytes,
           [&](int64_t from, int64_t size, tprt_request **request,
               tprt_error *error) {
             return world.transport.receive(channel, member, tag,
                                            static_cast<char *>(data) + from,
                                            size, request, error);
           });
}

namespace {
/// How a rank waits, which may be for one that has no core of its own: it spins
/// if all have one, then lets others run, and sleeps once a message is later
/// than a slow copy of it would be. Before, it must not: MPI moves a large
/// message a piece for each look.
class Pause {
public:
  Pause(bool isCrowded, Clock::time_point began, int64_t bytes)
      : spins(isCrowded ? 20 : 2000),
        sleepsFrom(began + std::chrono::milliseconds(20) +
                   std::chrono::microseconds(bytes / 50)) {}

  void rest(Clock::time_point now) {
    if (++round <= spins)
      return;
    if (now < sleepsFrom) {
      sched_yield();
      return;
    }
    timespec time = {0, 50'000};
    nanosleep(&time, nullptr);
  }
  /// Whether it is time to look at what is rarely there.
  bool isSometimes() const { return round % 16 == 15; }

private:
  const int spins;
  const Clock::time_point sleepsFrom;
  int round = 0;
};
} // namespace

/// How long a wait may last.
struct Transfers::Limits {
  Clock::duration timeout;
  Clock::time_point began, looked, question, deadline, last;

  explicit Limits(double timeoutSeconds)
      : timeout(seconds(timeoutSeconds)), began(Clock::now()), looked(began),
        question(began + timeout / 4), deadline(began + timeout),
        last(began + 10 * timeout) {}

  /// Time in which this process was stopped, or had no core, does not count:
  /// the others may have come meanwhile.
  void look(Clock::time_point now) {
    if (now - looked > timeout / 8) {
      deadline += now - looked;
      last += now - looked;
    }
    looked = now;
  }
};

/// Whether all are done; with `io` held.
bool Transfers::testAll() {
  for (size_t i = 0; i < open.size();) {
    int64_t done = 0, bytes = 0;
    tprt_error error = {};
    world.call(world.transport.test(open[i].request, &done, &bytes, &error),
               error);
    if (!done) {
      ++i;
      continue;
    }
    open[i] = open.back();
    open.pop_back();
  }
  return open.empty();
}

/// Asks from time to time what the others do, and gives them more of it if they
/// are busy; with `io` held.
void Transfers::bePatient(Limits &limits) {
  if (limits.looked > limits.question) {
    world.areBusy(open); // so that whoever asks this rank is told
    world.askAbout(open);
    limits.question = limits.looked + limits.timeout / 4;
  }
  if (limits.looked > limits.deadline && limits.looked < limits.last &&
      world.areBusy(open))
    limits.deadline = limits.looked + limits.timeout / 2;
}

void Transfers::wait(Patience patience) {
  Limits limits(world.timeoutSeconds);
  const bool isCrowded =
      world.localSize() > int64_t(std::thread::hardware_concurrency());
  Pause pause(isCrowded, limits.began, bytesBegun);
  for (bool isFirst = true;; isFirst = false) {
    {
      std::lock_guard<std::mutex> lock(world.io);
      if (isFirst)
        world.distance = world.size();
      if (pause.isSometimes())
        world.pollControl();
      if (testAll())
        return;
      limits.look(Clock::now());
      if (patience == Patient)
        bePatient(limits);
    }
    if (world.failed())
      raise(TPRT_ELSEWHERE, "the run failed elsewhere");
    if (limits.looked > limits.deadline)
      world.giveUp(open);
    pause.rest(limits.looked);
  }
}

void World::giveUp(const std::vector<Transfers::Open> &open) {
  std::vector<int64_t> ranks;
  for (const Transfers::Open &one : open)
    ranks.push_back(one.rank);
  std::sort(ranks.begin(), ranks.end());
  ranks.erase(std::unique(ranks.begin(), ranks.end()), ranks.end());
  std::string message =
      join("waited ", timeoutSeconds, " s for ranks ", joinSizes(ranks));
  // The run may have failed elsewhere meanwhile: either way all is said.
  alarm(Notice::Waited, TPRT_FAILED, message);
  raise(TPRT_ELSEWHERE, message);
}

//===----------------------------------------------------------------------===//
// Exchanges of the host
//===----------------------------------------------------------------------===//

namespace {
/// The first message of a text: its size, and as much of it as fits.
struct FirstMessage {
  static constexpr int64_t most = 4096;
  int64_t size;
  char text[most];

  static int64_t bytes(int64_t size) {
    return int64_t(offsetof(FirstMessage, text)) + std::min(size, most);
  }
};

/// Marks what the host waits for.
class Meeting {
public:
  Meeting(Recorder &recorder, const char *what)
      : recorder(recorder), what(what) {
    recorder.enterMeeting(what);
  }
  ~Meeting() { recorder.enterHost(what); }

private:
  Recorder &recorder;
  const char *what;
};
} // namespace

/// Cuts off what a text was gathered for; an Error if that is something else
/// than here.
static void checkMeeting(std::string &text, int64_t rank, const char *what) {
  const size_t end = text.find('\0');
  if (text.compare(0, end, what) != 0)
    raise(TPRT_FAILED, "the ranks differ: rank ", rank, " has come to ",
          text.substr(0, end), ", rank 0 to ", what);
  text.erase(0, end + 1);
}

std::vector<std::string> World::gather(const std::string &text,
                                       const char *what) {
  Meeting meeting(recorder, what);
  const std::string mine = what + std::string(1, '\0') + text;
  const int64_t all = size();
  std::vector<std::string> texts(rank() == 0 ? size_t(all) : 0);
  if (rank() != 0) {
    Transfers transfers(*this);
    const int64_t length = int64_t(mine.size());
    char *memory = transfers.keep(sizeof(int64_t) + mine.size());
    std::memcpy(memory, &length, sizeof length);
    mine.copy(memory + sizeof length, mine.size());
    const int64_t first = FirstMessage::bytes(length);
    transfers.send(everybody(), 0, 0, gatherTag, memory, first);
    if (length > FirstMessage::most)
      transfers.send(everybody(), 0, 0, gatherTag, memory + first,
                     length - FirstMessage::most);
    transfers.wait(Transfers::Patient);
    return texts;
  }
  texts[0] = text;
  Transfers firsts(*this);
  std::vector<FirstMessage *> messages(static_cast<size_t>(all));
  for (int64_t from = 1; from < all; ++from) {
    char *memory = firsts.keep(sizeof(FirstMessage));
    messages[size_t(from)] = reinterpret_cast<FirstMessage *>(memory);
    firsts.receive(everybody(), from, from, gatherTag, memory,
                   sizeof(FirstMessage));
  }
  firsts.wait(Transfers::Patient);
  Transfers rest(*this);
  std::vector<std::pair<int64_t, char *>> parts;
  for (int64_t from = 1; from < all; ++from) {
    const FirstMessage &message = *messages[size_t(from)];
    texts[size_t(from)].assign(
        message.text, size_t(std::min(message.size, FirstMessage::most)));
    int64_t left = message.size - FirstMessage::most;
    if (left <= 0)
      continue;
    parts.push_back({from, rest.keep(size_t(left))});
    rest.receive(everybody(), from, from, gatherTag, parts.back().second, left);
  }
  rest.wait(Transfers::Patient);
  for (auto [from, part] : parts)
    texts[size_t(from)].append(
        part, size_t(messages[size_t(from)]->size - FirstMessage::most));
  for (int64_t from = 1; from < all; ++from)
    checkMeeting(texts[size_t(from)], from, what);
  return texts;
}

void World::broadcast(void *data, int64_t bytes, const char *what) {
  Meeting meeting(recorder, what);
  Transfers transfers(*this);
  char *memory = transfers.keep(size_t(bytes));
  if (rank() == 0) {
    std::memcpy(memory, data, size_t(bytes));
    for (int64_t to = 1; to < size(); ++to)
      transfers.send(everybody(), to, to, broadcastTag, memory, bytes);
  } else {
    transfers.receive(everybody(), 0, 0, broadcastTag, memory, bytes);
  }
  transfers.wait(Transfers::Patient);
  if (rank() != 0)
    std::memcpy(data, memory, size_t(bytes));
}

void World::check(const std::string &mine, const Judge &judge,
                  const char *what) {
  std::vector<std::string> texts = gather(mine, what);
  char answer[sizeof Notice::message] = {};
  if (rank() == 0)
    judge(texts).copy(answer, sizeof answer - 1);
  broadcast(answer, sizeof answer, what);
  if (!*answer)
    return;
  alarm(Notice::Error, TPRT_FAILED, answer);
  raise(TPRT_FAILED, answer);
}
