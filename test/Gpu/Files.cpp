//===- Files.cpp - messages between processes by files --------------------===//
//
// Part of tp-mlir, under the Apache License v2.0.
//
//===----------------------------------------------------------------------===//
//
// A transport for machines without MPI: made as libtprt-mpi.so, it carries the
// few messages of ranks on GPUs, whose data NCCL moves. A message is a file in
// the folder that TPRT_FILES names, which is empty at first; it appears whole.
// The launch says who is who, in the variables of mpirun.
//
//===----------------------------------------------------------------------===//

#include "tprt/transport.h"

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <map>
#include <string>
#include <thread>
#include <tuple>
#include <unistd.h>
#include <vector>

namespace fs = std::filesystem;

struct tprt_channel {
  std::string name;
  std::vector<int64_t> members; ///< their ranks
  int64_t index;
  /// Messages so far, sent to and received from a member under a tag.
  std::map<std::pair<int64_t, int64_t>, int64_t> sent, received;
};

struct tprt_request {
  tprt_channel *channel = nullptr; ///< null: it is done
  int64_t peer = 0, tag = 0, capacity = 0, bytes = 0;
  void *data = nullptr;
  std::map<int64_t, int64_t> numbers; ///< of the message from each peer
};

static int64_t rank, size;
static fs::path folder;

static int64_t readNumber(const char *variable, int64_t otherwise) {
  const char *text = std::getenv(variable);
  return text ? std::atoll(text) : otherwise;
}

static fs::path pathOf(const tprt_channel &channel, int64_t from, int64_t to,
                       int64_t tag, int64_t number) {
  return folder /
         (channel.name + "-" + std::to_string(from) + "-" + std::to_string(to) +
          "-" + std::to_string(tag) + "-" + std::to_string(number));
}

static bool write(const fs::path &path, const void *data, int64_t bytes) {
  const fs::path draft = path.string() + ".draft";
  std::ofstream file(draft, std::ios::binary);
  file.write(static_cast<const char *>(data), bytes);
  file.close();
  std::error_code code;
  fs::rename(draft, path, code);
  return file && !code;
}

static tprt_status fail(tprt_error *error, const std::string &message) {
  std::snprintf(error->message, sizeof error->message, "%s", message.c_str());
  return TPRT_IO;
}

static tprt_channel *makeChannel(const std::string &name) {
  auto *channel = new tprt_channel{name, {}, rank, {}, {}};
  for (int64_t i = 0; i < size; ++i)
    channel->members.push_back(i);
  return channel;
}

static tprt_status start(tprt_endpoint *endpoint, tprt_error *error) {
  const char *path = std::getenv("TPRT_FILES");
  if (!path)
    return fail(error, "TPRT_FILES must name an empty folder");
  folder = path;
  rank = readNumber("OMPI_COMM_WORLD_RANK", 0);
  size = readNumber("OMPI_COMM_WORLD_SIZE", 1);
  endpoint->rank = rank;
  endpoint->size = size;
  endpoint->largest = int64_t(1) << 30;
  endpoint->world = makeChannel("world");
  endpoint->control = makeChannel("control");
  std::snprintf(endpoint->description, sizeof endpoint->description, "files");
  return TPRT_OK;
}

/// Everybody leaves a note with colour and key, which stays.
static tprt_status split(int64_t color, int64_t key, tprt_channel **channel,
                         tprt_error *error) {
  static int64_t number = 0;
  const std::string name = "split" + std::to_string(number++);
  const int64_t mine[2] = {color, key};
  if (!write(folder / (name + "-" + std::to_string(rank)), mine, sizeof mine))
    return fail(error, "cannot write to " + folder.string());
  std::map<std::pair<int64_t, int64_t>, int64_t> members; // by key, then rank
  for (int64_t other = 0; other < size; ++other) {
    const fs::path path = folder / (name + "-" + std::to_string(other));
    while (!fs::exists(path))
      std::this_thread::yield();
    int64_t theirs[2] = {};
    std::ifstream(path, std::ios::binary)
        .read(reinterpret_cast<char *>(theirs), sizeof theirs);
    if (theirs[0] == color)
      members[{theirs[1], other}] = other;
  }
  *channel = makeChannel(name + "-" + std::to_string(color));
  (*channel)->members.clear();
  for (const auto &member : members) {
    if (member.second == rank)
      (*channel)->index = int64_t((*channel)->members.size());
    (*channel)->members.push_back(member.second);
  }
  return TPRT_OK;
}

static tprt_status send(tprt_channel *channel, int64_t peer, int64_t tag,
                        const void *data, int64_t bytes, tprt_request **request,
                        tprt_error *error) {
  const int64_t number = channel->sent[{peer, tag}]++;
  if (!write(pathOf(*channel, channel->index, peer, tag, number), data, bytes))
    return fail(error, "cannot write to " + folder.string());
  *request = new tprt_request;
  (*request)->bytes = bytes;
  return TPRT_OK;
}

static tprt_status receive(tprt_channel *channel, int64_t peer, int64_t tag,
                           void *data, int64_t capacity, tprt_request **request,
                           tprt_error *) {
  auto *made = new tprt_request{channel, peer, tag, capacity, 0, data, {}};
  if (peer >= 0) // what comes from anybody is one message at a time
    made->numbers[peer] = channel->received[{peer, tag}]++;
  *request = made;
  return TPRT_OK;
}

static bool take(tprt_request &request, int64_t peer, int64_t number) {
  const fs::path path = pathOf(*request.channel, peer, request.channel->index,
                               request.tag, number);
  std::error_code code;
  const auto bytes = fs::file_size(path, code);
  if (code)
    return false;
  request.bytes = int64_t(bytes);
  std::ifstream(path, std::ios::binary)
      .read(static_cast<char *>(request.data),
            std::min(request.bytes, request.capacity));
  fs::remove(path, code);
  return true;
}

static tprt_status test(tprt_request *request, int64_t *done, int64_t *bytes,
                        tprt_error *) {
  tprt_channel *channel = request->channel;
  *done = channel == nullptr;
  if (channel && request->peer >= 0) {
    *done = take(*request, request->peer, request->numbers[request->peer]);
  } else if (channel) {
    for (size_t i = 0; i < channel->members.size() && !*done; ++i) {
      int64_t &next = channel->received[{int64_t(i), request->tag}];
      *done = take(*request, int64_t(i), next);
      next += *done;
    }
  }
  if (*done) {
    *bytes = request->bytes;
    delete request;
  }
  return TPRT_OK;
}

static void abandon(int64_t code) { _exit(int(code)); }

static tprt_status finish(tprt_error *) { return TPRT_OK; }

static const tprt_transport transport = {TPRT_TRANSPORT_VERSION,
                                         "files",
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
