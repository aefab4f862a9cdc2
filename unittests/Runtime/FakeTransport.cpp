//===- FakeTransport.cpp - processes that are threads, for tests ----------===//
//
// Part of tp-mlir, under the Apache License v2.0.
//
//===----------------------------------------------------------------------===//

#include "FakeTransport.h"

#include <condition_variable>
#include <cstring>
#include <deque>
#include <list>
#include <map>
#include <mutex>
#include <set>
#include <thread>

using namespace tprt;
using namespace tprt::test;

struct tprt_channel {
  int64_t id; ///< the same for all its processes
  int64_t me;
  std::vector<int64_t> ranks; ///< of its members
};

struct tprt_request {
  int64_t channel, me, peer, tag;
  void *data;
  int64_t capacity;
  bool isReceive, matched = false;
  std::vector<char> message;
};

namespace {

struct Message {
  int64_t channel, from, to, tag;
  std::vector<char> data;
};

struct Split {
  int64_t color, key;
};

/// The state of all processes of one test.
struct Network {
  std::mutex mutex;
  std::condition_variable changed;
  int64_t size = 0;
  std::list<tprt_channel> channels;
  std::list<tprt_request> requests;
  std::list<Message> messages;
  std::map<int64_t, std::map<int64_t, Split>> splits; ///< by turn and rank
  std::vector<int64_t> turns;                         ///< of each rank
  std::set<int64_t> cut;
  int64_t abandoned = 0;

  tprt_channel *add(int64_t id, int64_t me, std::vector<int64_t> ranks) {
    channels.push_back({id, me, std::move(ranks)});
    return &channels.back();
  }
};

} // namespace

static std::unique_ptr<Network> network;
static thread_local int64_t currentRank = 0;

static tprt_status start(tprt_endpoint *endpoint, tprt_error *) {
  std::lock_guard<std::mutex> lock(network->mutex);
  std::vector<int64_t> all;
  for (int64_t rank = 0; rank < network->size; ++rank)
    all.push_back(rank);
  endpoint->rank = currentRank;
  endpoint->size = network->size;
  endpoint->world = network->add(0, currentRank, all);
  endpoint->control = network->add(1, currentRank, all);
  endpoint->largest = 64 * 1024; // so that large messages go in pieces
  std::strcpy(endpoint->description, "a test");
  return TPRT_OK;
}

/// The channel of a rank's colour; its id is made of the turn and the colour.
static tprt_status split(int64_t color, int64_t key, tprt_channel **channel,
                         tprt_error *) {
  std::unique_lock<std::mutex> lock(network->mutex);
  const int64_t turn = network->turns[size_t(currentRank)]++;
  auto &all = network->splits[turn];
  all[currentRank] = {color, key};
  network->changed.notify_all();
  network->changed.wait(lock,
                        [&] { return int64_t(all.size()) == network->size; });
  std::map<int64_t, int64_t> members; // by key
  for (auto &[rank, given] : all)
    if (given.color == color)
      members[given.key] = rank;
  std::vector<int64_t> ranks;
  int64_t me = 0;
  for (auto &[order, rank] : members) {
    if (rank == currentRank)
      me = int64_t(ranks.size());
    ranks.push_back(rank);
  }
  *channel = network->add(1000 * (turn + 1) + color, me, std::move(ranks));
  return TPRT_OK;
}

static tprt_status send(tprt_channel *channel, int64_t peer, int64_t tag,
                        const void *data, int64_t bytes, tprt_request **request,
                        tprt_error *) {
  std::lock_guard<std::mutex> lock(network->mutex);
  const char *from = static_cast<const char *>(data);
  if (!network->cut.count(channel->ranks[size_t(channel->me)]))
    network->messages.push_back(
        {channel->id, channel->me, peer, tag, {from, from + bytes}});
  network->requests.push_back(
      {channel->id, channel->me, peer, tag, nullptr, 0, false, true, {}});
  *request = &network->requests.back();
  return TPRT_OK;
}

static tprt_status receive(tprt_channel *channel, int64_t peer, int64_t tag,
                           void *data, int64_t capacity, tprt_request **request,
                           tprt_error *) {
  std::lock_guard<std::mutex> lock(network->mutex);
  network->requests.push_back(
      {channel->id, channel->me, peer, tag, data, capacity, true, false, {}});
  *request = &network->requests.back();
  return TPRT_OK;
}

/// Messages go to receives in the order of both.
static void matchAll() {
  for (tprt_request &request : network->requests) {
    if (!request.isReceive || request.matched)
      continue;
    for (auto it = network->messages.begin(); it != network->messages.end();
         ++it) {
      if (it->channel != request.channel || it->to != request.me ||
          it->tag != request.tag ||
          (request.peer >= 0 && request.peer != it->from))
        continue;
      request.message = std::move(it->data);
      request.matched = true;
      network->messages.erase(it);
      break;
    }
  }
}

static tprt_status test_(tprt_request *request, int64_t *done, int64_t *bytes,
                         tprt_error *error) {
  std::lock_guard<std::mutex> lock(network->mutex);
  matchAll();
  *done = request->matched;
  if (!*done)
    return TPRT_OK;
  *bytes = int64_t(request->message.size());
  if (*bytes > request->capacity && request->isReceive) {
    std::strcpy(error->message, "the message is too long");
    return TPRT_FAILED;
  }
  if (*bytes > 0)
    std::memcpy(request->data, request->message.data(), size_t(*bytes));
  network->requests.remove_if(
      [&](const tprt_request &other) { return &other == request; });
  return TPRT_OK;
}

static void abandon(int64_t) {
  std::lock_guard<std::mutex> lock(network->mutex);
  ++network->abandoned;
}

static tprt_status finish(tprt_error *) { return TPRT_OK; }

static const tprt_transport transport = {TPRT_TRANSPORT_VERSION,
                                         "test",
                                         start,
                                         split,
                                         send,
                                         receive,
                                         test_,
                                         abandon,
                                         finish};

void test::cutOff(int64_t rank) {
  std::lock_guard<std::mutex> lock(network->mutex);
  network->cut.insert(rank);
}

int64_t test::abandoned() {
  std::lock_guard<std::mutex> lock(network->mutex);
  return network->abandoned;
}

std::vector<Outcome> test::runProcesses(int64_t count,
                                        std::function<void(Process &)> body,
                                        double timeout) {
  network = std::make_unique<Network>();
  network->size = count;
  network->turns.resize(size_t(count));
  std::vector<Outcome> outcomes(static_cast<size_t>(count));
  // They end together, so that none outlives the messages of another.
  std::vector<std::unique_ptr<tprt_world>> worlds(static_cast<size_t>(count));
  std::vector<std::thread> threads;
  for (int64_t rank = 0; rank < count; ++rank)
    threads.emplace_back([&, rank] {
      currentRank = rank;
      Launch launch;
      launch.launcher = "a test";
      launch.rank = rank;
      launch.size = launch.localSize = count;
      auto &world = worlds[size_t(rank)];
      world = std::make_unique<tprt_world>();
      tprt_error error = {};
      Outcome &outcome = outcomes[size_t(rank)];
      world->world = std::make_shared<World>(transport, launch, timeout);
      outcome.status = callGuarded(&error, *world->world, [&] {
        world->world->introduce();
        Process process = {world.get(), rank};
        body(process);
      });
      outcome.message = error.message;
    });
  for (std::thread &thread : threads)
    thread.join();
  return outcomes;
}

//===----------------------------------------------------------------------===//
// Sessions
//===----------------------------------------------------------------------===//

static std::function<void(tprt_rank *)> currentBody;

static void callBody(tprt_rank *rank, void *, void *const *, void *const *) {
  currentBody(rank);
}

static tprt_entry lookup(const char *, void *) { return callBody; }

std::vector<Outcome> test::runOnProcesses(int64_t ranks,
                                          std::function<Json(int64_t)> manifest,
                                          std::function<void(tprt_rank *)> body,
                                          double timeout) {
  currentBody = std::move(body);
  auto require = [](tprt_status status, const tprt_error &error) {
    if (status != TPRT_OK)
      throw Error(status, error.message);
  };
  return runProcesses(
      ranks,
      [&](Process &process) {
        tprt_options options = {};
        options.timeout_seconds = timeout;
        options.world = process.world;
        tprt_error error = {};
        tprt_session *session = nullptr;
        tprt_status status =
            tprt_session_create(manifest(process.rank).dump().c_str(), lookup,
                                nullptr, &options, &session, &error);
        if (status == TPRT_OK)
          status = tprt_session_load(session, nullptr, 1, &error);
        if (status == TPRT_OK)
          status = tprt_session_run(session, "entry0", nullptr, 0, nullptr, 0,
                                    &error);
        tprt_session_destroy(session);
        require(status, error);
      },
      timeout);
}

std::vector<Outcome>
test::runOnProcesses(int64_t ranks,
                     std::function<void(tprt_rank *, int64_t)> body,
                     double timeout) {
  return runOnProcesses(
      ranks,
      [=](int64_t) {
        return manifest({{{"name", "x"}, {"size", ranks}}},
                        {{axis("x", ranks)}}, {entry()});
      },
      [=](tprt_rank *rank) { body(rank, tprt_coordinate(rank, 0)); }, timeout);
}
