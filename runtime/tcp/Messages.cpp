//===- Messages.cpp - messages over streams -------------------------------===//
//
// Part of tp-mlir, under the Apache License v2.0.
//
//===----------------------------------------------------------------------===//

#include "Messages.h"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

using namespace tprt;

static constexpr int64_t frameBytes = sizeof(Frame);

/// Of a frame that says: end, with the tag as exit code.
static constexpr int32_t endChannel = -1;

/// Read and written at most before the next peer has its turn.
static constexpr int64_t turnBytes = int64_t(4) << 20;

Messages::Messages(int64_t rank, std::vector<Socket> sockets)
    : rank(rank), peers(sockets.size()), events(epoll_create1(EPOLL_CLOEXEC)) {
  if (!events.isOpen())
    throw TcpError(std::string("epoll_create1: ") + std::strerror(errno));
  for (size_t i = 0; i < sockets.size(); ++i) {
    peers[i].socket = std::move(sockets[i]);
    epoll_event event = {};
    event.events = EPOLLIN;
    event.data.u64 = i;
    if (peers[i].socket.isOpen() &&
        epoll_ctl(events.get(), EPOLL_CTL_ADD, peers[i].socket.get(), &event))
      throw TcpError(std::string("epoll_ctl: ") + std::strerror(errno));
  }
}

//===----------------------------------------------------------------------===//
// Asking and being asked
//===----------------------------------------------------------------------===//

/// The first request that takes such a message; it waits no more.
Request *Messages::takeWaiting(int64_t source, const Frame &frame) {
  for (auto it = waiting.begin(); it != waiting.end(); ++it) {
    Request *request = *it;
    if (request->frame.channel != frame.channel ||
        request->frame.tag != frame.tag ||
        (request->source >= 0 && request->source != source))
      continue;
    waiting.erase(it);
    return request;
  }
  return nullptr;
}

void Messages::complete(Request &request, const Arrival &arrival) {
  request.frame.bytes = arrival.frame.bytes;
  request.isTooLong = arrival.frame.bytes > request.capacity;
  if (!request.isTooLong && !arrival.bytes.empty())
    std::memcpy(request.to, arrival.bytes.data(), arrival.bytes.size());
  request.isDone = true;
}

void Messages::receive(Request &request) {
  for (auto it = arrivals.begin(); it != arrivals.end(); ++it) {
    if (it->wanted || it->frame.channel != request.frame.channel ||
        it->frame.tag != request.frame.tag ||
        (request.source >= 0 && request.source != it->source))
      continue;
    if (!it->isWhole) {
      it->wanted = &request;
      return;
    }
    complete(request, *it);
    arrivals.erase(it);
    return;
  }
  waiting.push_back(&request);
}

void Messages::send(Request &request, int64_t to) {
  if (to != rank) {
    Peer &peer = peers[size_t(to)];
    peer.outgoing.push_back(&request);
    return writeTo(peer);
  }
  Arrival arrival = {rank, request.frame, {}, true};
  arrival.bytes.assign(request.from, request.from + request.frame.bytes);
  if (Request *asked = takeWaiting(rank, request.frame))
    complete(*asked, arrival);
  else
    arrivals.push_back(std::move(arrival));
  request.isDone = true;
}

//===----------------------------------------------------------------------===//
// Streams
//===----------------------------------------------------------------------===//

void Messages::writeTo(Peer &peer) {
  for (int64_t turn = 0; turn < turnBytes && !peer.outgoing.empty();) {
    if (!peer.socket.isOpen())
      return; // Who waits for it finds that it does not come.
    Request &request = *peer.outgoing.front();
    const int64_t total = frameBytes + request.frame.bytes;
    const int64_t ofFrame = std::max<int64_t>(frameBytes - request.sent, 0);
    const int64_t ofBytes = std::max<int64_t>(request.sent - frameBytes, 0);
    iovec parts[2] = {
        {reinterpret_cast<char *>(&request.frame) + frameBytes - ofFrame,
         size_t(ofFrame)},
        {const_cast<char *>(request.from) + ofBytes,
         size_t(std::min(request.frame.bytes - ofBytes, turnBytes))}};
    msghdr message = {};
    message.msg_iov = parts;
    message.msg_iovlen = 2;
    const ssize_t sent =
        sendmsg(peer.socket.get(), &message, MSG_NOSIGNAL | MSG_DONTWAIT);
    if (sent < 0 && errno == EINTR)
      continue;
    if (sent < 0 && errno != EAGAIN && errno != EWOULDBLOCK)
      peer.socket.reset();
    if (sent < 0)
      return;
    turn += sent;
    request.sent += sent;
    if (request.sent < total)
      continue;
    request.isDone = true;
    peer.outgoing.pop_front();
  }
}

/// A frame is whole: where its bytes go.
void Messages::begin(int64_t source) {
  Peer &peer = peers[size_t(source)];
  hear(peer.frame);
  if (peer.frame.bytes < 0 || peer.frame.bytes > largestMessage) {
    peer.socket.reset(); // Not one of ours, whatever it said before.
    return;
  }
  peer.request = takeWaiting(source, peer.frame);
  if (peer.request && peer.frame.bytes <= peer.request->capacity)
    return;
  arrivals.push_back({source, peer.frame, {}, false, peer.request});
  peer.request = nullptr;
  peer.arrival = std::prev(arrivals.end());
  peer.arrival->bytes.resize(size_t(peer.frame.bytes));
}

/// A message is whole.
void Messages::finish(Peer &peer) {
  peer.arrived = 0;
  if (peer.request) {
    peer.request->frame.bytes = peer.frame.bytes;
    peer.request->isDone = true;
    peer.request = nullptr;
    return;
  }
  peer.arrival->isWhole = true;
  if (!peer.arrival->wanted)
    return;
  complete(*peer.arrival->wanted, *peer.arrival);
  arrivals.erase(peer.arrival);
}

void Messages::readFrom(int64_t source) {
  Peer &peer = peers[size_t(source)];
  for (int64_t turn = 0; turn < turnBytes && peer.socket.isOpen();) {
    const bool inFrame = peer.arrived < frameBytes;
    const int64_t at = inFrame ? peer.arrived : peer.arrived - frameBytes;
    char *to = inFrame        ? reinterpret_cast<char *>(&peer.frame)
               : peer.request ? peer.request->to
                              : peer.arrival->bytes.data();
    const int64_t left = (inFrame ? frameBytes : peer.frame.bytes) - at;
    const ssize_t got = recv(peer.socket.get(), to + at,
                             size_t(std::min(left, turnBytes)), MSG_DONTWAIT);
    if (got < 0 && errno == EINTR)
      continue;
    if (got < 0 && (errno == EAGAIN || errno == EWOULDBLOCK))
      return;
    if (got <= 0) {
      peer.socket.reset();
      return;
    }
    turn += got;
    peer.arrived += got;
    if (peer.arrived == frameBytes)
      begin(source);
    if (peer.socket.isOpen() && peer.arrived >= frameBytes &&
        peer.arrived == frameBytes + peer.frame.bytes)
      finish(peer);
  }
}

void Messages::progress() {
  epoll_event ready[16];
  const int count = epoll_wait(events.get(), ready, 16, 0);
  for (int i = 0; i < count; ++i)
    readFrom(int64_t(ready[i].data.u64));
  for (Peer &peer : peers)
    if (!peer.outgoing.empty())
      writeTo(peer);
}

void Messages::progressSoon() {
  epoll_event ready;
  epoll_wait(events.get(), &ready, 1, /*milliseconds=*/1);
  progress();
}

//===----------------------------------------------------------------------===//
// The end
//===----------------------------------------------------------------------===//

void Messages::drain() {
  auto isSent = [](const Peer &peer) {
    return peer.outgoing.empty() || !peer.socket.isOpen();
  };
  while (!std::all_of(peers.begin(), peers.end(), isSent))
    progressSoon();
  for (Peer &peer : peers)
    if (peer.socket.isOpen())
      shutdown(peer.socket.get(), SHUT_WR);
  auto isClosed = [](const Peer &peer) { return !peer.socket.isOpen(); };
  while (!std::all_of(peers.begin(), peers.end(), isClosed))
    progressSoon();
}

void Messages::spreadEnd(int64_t code) {
  const Frame frame = {endChannel, int32_t(code), 0};
  for (Peer &peer : peers) {
    // Not into the middle of another message.
    if (peer.socket.isOpen() &&
        (peer.outgoing.empty() || peer.outgoing.front()->sent == 0))
      (void)!::send(peer.socket.get(), &frame, sizeof frame,
                    MSG_NOSIGNAL | MSG_DONTWAIT);
  }
}

void Messages::hear(const Frame &frame) {
  if (frame.channel == endChannel)
    _exit(frame.tag);
}
