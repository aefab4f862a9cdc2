//===- Tcp.cpp - messages between processes by TCP ------------------------===//
//
// Part of tp-mlir, under the Apache License v2.0.
//
//===----------------------------------------------------------------------===//

#include "Messages.h"
#include "tprt/transport.h"

#include <algorithm>
#include <cstdio>
#include <memory>
#include <new>
#include <unistd.h>

using namespace tprt;

/// The place of each member among all processes.
struct tprt_channel {
  int32_t id;
  std::vector<int64_t> ranks;
};

struct tprt_request : Request {};

namespace {
struct Process {
  Membership self;
  std::unique_ptr<Messages> messages;
  std::vector<std::unique_ptr<tprt_channel>> channels;
  int32_t numSplits = 0;
};
} // namespace

static Process process;

template <typename Body>
static tprt_status guarded(tprt_error *error, Body &&body) {
  try {
    body();
    return TPRT_OK;
  } catch (const std::bad_alloc &) {
    std::snprintf(error->message, sizeof error->message, "out of memory");
    return TPRT_OUT_OF_MEMORY;
  } catch (const std::exception &exception) {
    std::snprintf(error->message, sizeof error->message, "%s",
                  exception.what());
    return TPRT_FAILED;
  }
}

static tprt_channel *makeChannel(std::vector<int64_t> ranks) {
  process.channels.push_back(std::make_unique<tprt_channel>(
      tprt_channel{int32_t(process.channels.size()), std::move(ranks)}));
  return process.channels.back().get();
}

static tprt_status start(tprt_endpoint *endpoint, tprt_error *error) {
  return guarded(error, [&] {
    process.self = readMembership();
    process.messages =
        std::make_unique<Messages>(process.self.rank, joinOthers(process.self));
    std::vector<int64_t> all;
    for (int64_t i = 0; i < process.self.size; ++i)
      all.push_back(i);
    endpoint->rank = process.self.rank;
    endpoint->size = process.self.size;
    endpoint->largest = largestMessage;
    endpoint->world = makeChannel(all);
    endpoint->control = makeChannel(all);
    std::snprintf(endpoint->description, sizeof endpoint->description, "TCP");
  });
}

namespace {
struct Part {
  int64_t color, key, rank;
};
} // namespace

/// What every process gives.
static std::vector<Part> exchangeParts(int64_t color, int64_t key) {
  constexpr int32_t splitChannel = -2;
  const auto size = size_t(process.self.size);
  const Part own = {color, key, process.self.rank};
  std::vector<Part> parts(size);
  std::vector<Request> requests(2 * size);
  for (size_t i = 0; i < size; ++i) {
    Request &in = requests[i], &out = requests[size + i];
    in.frame = out.frame = {splitChannel, process.numSplits, sizeof(Part)};
    in.source = int64_t(i);
    in.to = reinterpret_cast<char *>(&parts[i]);
    in.capacity = sizeof(Part);
    process.messages->receive(in);
    out.from = reinterpret_cast<const char *>(&own);
    process.messages->send(out, int64_t(i));
  }
  ++process.numSplits;
  while (!std::all_of(requests.begin(), requests.end(),
                      [](const Request &request) { return request.isDone; }))
    process.messages->progressSoon();
  return parts;
}

static tprt_status split(int64_t color, int64_t key, tprt_channel **channel,
                         tprt_error *error) {
  return guarded(error, [&] {
    std::vector<Part> parts = exchangeParts(color, key);
    std::sort(parts.begin(), parts.end(), [](const Part &a, const Part &b) {
      return std::make_pair(a.key, a.rank) < std::make_pair(b.key, b.rank);
    });
    std::vector<int64_t> ranks;
    for (const Part &part : parts)
      if (part.color == color)
        ranks.push_back(part.rank);
    *channel = makeChannel(std::move(ranks));
  });
}

static tprt_status send(tprt_channel *channel, int64_t peer, int64_t tag,
                        const void *data, int64_t bytes, tprt_request **request,
                        tprt_error *error) {
  return guarded(error, [&] {
    auto made = std::make_unique<tprt_request>();
    made->frame = {channel->id, int32_t(tag), bytes};
    made->from = static_cast<const char *>(data);
    process.messages->send(*made, channel->ranks.at(size_t(peer)));
    *request = made.release();
  });
}

static tprt_status receive(tprt_channel *channel, int64_t peer, int64_t tag,
                           void *data, int64_t capacity, tprt_request **request,
                           tprt_error *error) {
  return guarded(error, [&] {
    auto made = std::make_unique<tprt_request>();
    made->frame = {channel->id, int32_t(tag), 0};
    made->source = peer < 0 ? -1 : channel->ranks.at(size_t(peer));
    made->to = static_cast<char *>(data);
    made->capacity = capacity;
    process.messages->receive(*made);
    *request = made.release();
  });
}

static tprt_status test(tprt_request *request, int64_t *done, int64_t *bytes,
                        tprt_error *error) {
  return guarded(error, [&] {
    *done = 0;
    if (!request->isDone)
      process.messages->progress();
    if (!request->isDone)
      return;
    std::unique_ptr<tprt_request> whole(request);
    *done = 1;
    *bytes = whole->frame.bytes;
    if (whole->isTooLong)
      throw TcpError("a message of " + std::to_string(*bytes) +
                     " bytes came where at most " +
                     std::to_string(whole->capacity) + " were expected");
  });
}

static void abandon(int64_t code) {
  if (process.messages)
    process.messages->spreadEnd(code);
  _exit(int(code));
}

static tprt_status finish(tprt_error *error) {
  return guarded(error, [&] {
    process.messages->drain();
    process.channels.clear();
  });
}

static const tprt_transport transport = {TPRT_TRANSPORT_VERSION,
                                         "tcp",
                                         start,
                                         split,
                                         send,
                                         receive,
                                         test,
                                         abandon,
                                         finish};

extern "C" __attribute__((visibility("default"))) const tprt_transport *
tprt_transport_get(int64_t version) {
  return version == TPRT_TRANSPORT_VERSION ? &transport : nullptr;
}
