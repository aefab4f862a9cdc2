//===- Join.cpp - every process meets every other -------------------------===//
//
// Part of tp-mlir, under the Apache License v2.0.
//
//===----------------------------------------------------------------------===//

#include "Join.h"

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <memory>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

using namespace tprt;

void Socket::reset() {
  if (fd >= 0)
    close(fd);
  fd = -1;
}

//===----------------------------------------------------------------------===//
// The environment
//===----------------------------------------------------------------------===//

static const char *require(const char *name) {
  const char *value = std::getenv(name);
  if (!value || !*value)
    throw TcpError(std::string("TCP needs ") + name +
                   " in the environment, as torchrun sets it");
  return value;
}

static int64_t toNumber(const char *name, const char *text, int64_t most,
                        int64_t least = 0) {
  char *end = nullptr;
  errno = 0;
  long long value = std::strtoll(text, &end, 10);
  if (end == text || *end || errno || value < least || value > most)
    throw TcpError(std::string("the environment's ") + name + " is '" + text +
                   "', not a number from " + std::to_string(least) + " to " +
                   std::to_string(most));
  return value;
}

/// FNV-1a, of one more text.
static uint64_t hash(uint64_t value, const char *text) {
  for (; text && *text; ++text)
    value = (value ^ uint64_t(uint8_t(*text))) * 0x100000001b3u;
  return value;
}

Membership tprt::readMembership() {
  constexpr int64_t mostRanks = 65536, mostPort = 65535;
  Membership self;
  const bool isSlurm = !std::getenv("RANK") && !std::getenv("WORLD_SIZE") &&
                       std::getenv("SLURM_STEP_NUM_TASKS");
  const char *size = isSlurm ? "SLURM_STEP_NUM_TASKS" : "WORLD_SIZE";
  const char *rank = isSlurm ? "SLURM_PROCID" : "RANK";
  self.size = toNumber(size, require(size), mostRanks);
  self.rank = toNumber(rank, require(rank), mostRanks);
  self.address = require("MASTER_ADDR");
  const char *launcherPort = require("MASTER_PORT");
  if (const char *port = std::getenv("TPRT_PORT")) {
    self.ports = {toNumber("TPRT_PORT", port, mostPort, 1)};
  } else {
    int64_t before = toNumber("MASTER_PORT", launcherPort, mostPort - 1);
    for (int64_t i = 1; i <= 4 && before + i <= mostPort; ++i)
      self.ports.push_back(before + i);
  }
  self.job = hash(0xcbf29ce484222325u, launcherPort);
  for (const char *name : {"TORCHELASTIC_RUN_ID", "TORCHELASTIC_RESTART_COUNT",
                           "SLURM_JOB_ID", "SLURM_STEP_ID"})
    self.job = hash(self.job, std::getenv(name));
  if (self.rank >= self.size)
    throw TcpError(std::string("the environment's ") + rank + " is " +
                   std::to_string(self.rank) + ", but " + size + " is " +
                   std::to_string(self.size));
  return self;
}

//===----------------------------------------------------------------------===//
// Addresses
//===----------------------------------------------------------------------===//

namespace {

using Addresses = std::unique_ptr<addrinfo, decltype(&freeaddrinfo)>;

/// Where a process listens; numeric.
struct Place {
  char address[NI_MAXHOST];
  int32_t port;
};

/// The first words on every connection.
struct Hello {
  char magic[8]; ///< "tprt-tcp"
  uint64_t job;
  int64_t rank, size;
  Place place;
};

} // namespace

/// With a name that is not known yet, or not any more: none.
static Addresses lookup(const std::string &address, int64_t port) {
  addrinfo hints = {};
  hints.ai_family = AF_UNSPEC;
  hints.ai_socktype = SOCK_STREAM;
  addrinfo *found = nullptr;
  if (getaddrinfo(address.c_str(), std::to_string(port).c_str(), &hints,
                  &found) != 0)
    found = nullptr;
  // Small containers have no file of hosts.
  if (!found && address == "localhost")
    return lookup("127.0.0.1", port);
  return Addresses(found, freeaddrinfo);
}

static Place placeOf(const sockaddr_storage &address, socklen_t size) {
  Place place = {};
  char port[NI_MAXSERV] = {};
  getnameinfo(reinterpret_cast<const sockaddr *>(&address), size, place.address,
              sizeof place.address, port, sizeof port,
              NI_NUMERICHOST | NI_NUMERICSERV);
  place.port = int32_t(std::atoi(port));
  return place;
}

/// This end of a socket.
static Place placeOf(const Socket &socket) {
  sockaddr_storage address = {};
  socklen_t size = sizeof address;
  getsockname(socket.get(), reinterpret_cast<sockaddr *>(&address), &size);
  return placeOf(address, size);
}

//===----------------------------------------------------------------------===//
// Listening and calling
//===----------------------------------------------------------------------===//

static Socket tryListen(const addrinfo &where, const sockaddr *address) {
  Socket listener(socket(where.ai_family, SOCK_STREAM | SOCK_CLOEXEC, 0));
  const int yes = 1;
  setsockopt(listener.get(), SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
  if (bind(listener.get(), address, where.ai_addrlen) != 0 ||
      listen(listener.get(), SOMAXCONN) != 0)
    listener.reset();
  return listener;
}

/// Listens at an address of this machine; where the name is one that only
/// others know it by, at all of them. Port 0 is any. Closed, with `why` from
/// errno, if that cannot be.
static Socket listenAt(const std::string &address, int64_t port, int &why) {
  Addresses all = lookup(address, port);
  if (!all)
    throw TcpError("MASTER_ADDR is '" + address +
                   "', which is no host that this machine knows");
  why = EADDRNOTAVAIL;
  for (const addrinfo *where = all.get(); where; where = where->ai_next) {
    if (Socket listener = tryListen(*where, where->ai_addr); listener.isOpen())
      return listener;
    why = errno;
    if (why != EADDRNOTAVAIL)
      continue;
    sockaddr_in any4 = {};
    any4.sin_family = AF_INET;
    any4.sin_port = htons(uint16_t(port));
    sockaddr_in6 any6 = {};
    any6.sin6_family = AF_INET6;
    any6.sin6_port = htons(uint16_t(port));
    const void *any = where->ai_family == AF_INET6
                          ? static_cast<const void *>(&any6)
                          : static_cast<const void *>(&any4);
    if (Socket listener = tryListen(*where, static_cast<const sockaddr *>(any));
        listener.isOpen())
      return listener;
    why = errno;
  }
  return Socket();
}

/// At the first of several ports that is free.
static Socket listenAt(const std::string &address,
                       const std::vector<int64_t> &ports) {
  int why = 0;
  for (int64_t port : ports)
    if (Socket listener = listenAt(address, port, why); listener.isOpen())
      return listener;
  std::string range = std::to_string(ports.front());
  if (ports.size() > 1)
    range += " to " + std::to_string(ports.back());
  throw TcpError("cannot listen at " + address + ":" + range + ": " +
                 std::strerror(why) +
                 "; TPRT_PORT names another port, the same for all ranks");
}

static void takeBreath() {
  timespec time = {0, 20'000'000};
  nanosleep(&time, nullptr);
}

/// How long a stranger may say nothing: who calls waits longer than who
/// listens, who may have others before him.
static constexpr timeval callerPatience = {6, 0}, listenerPatience = {2, 0},
                         endless = {0, 0};

static void limit(const Socket &socket, int option, const timeval &time) {
  setsockopt(socket.get(), SOL_SOCKET, option, &time, sizeof time);
}

/// Closed if nobody listens there.
static Socket callAt(const std::string &address, int64_t port) {
  Addresses all = lookup(address, port);
  for (const addrinfo *where = all.get(); where; where = where->ai_next) {
    Socket caller(socket(where->ai_family, SOCK_STREAM | SOCK_CLOEXEC, 0));
    limit(caller, SO_SNDTIMEO, listenerPatience);
    if (connect(caller.get(), where->ai_addr, where->ai_addrlen) != 0)
      continue;
    limit(caller, SO_SNDTIMEO, endless);
    return caller;
  }
  return Socket();
}

//===----------------------------------------------------------------------===//
// First words
//===----------------------------------------------------------------------===//

static bool sendAll(const Socket &socket, const void *data, size_t size) {
  const char *bytes = static_cast<const char *>(data);
  while (size > 0) {
    ssize_t sent = send(socket.get(), bytes, size, MSG_NOSIGNAL);
    if (sent < 0 && errno == EINTR)
      continue;
    if (sent <= 0)
      return false;
    bytes += sent;
    size -= size_t(sent);
  }
  return true;
}

static bool receiveAll(const Socket &socket, void *data, size_t size) {
  char *bytes = static_cast<char *>(data);
  while (size > 0) {
    ssize_t got = recv(socket.get(), bytes, size, 0);
    if (got < 0 && errno == EINTR)
      continue;
    if (got <= 0)
      return false;
    bytes += got;
    size -= size_t(got);
  }
  return true;
}

static bool introduce(const Socket &socket, const Membership &self,
                      const Place &place) {
  Hello hello = {};
  std::memcpy(hello.magic, "tprt-tcp", sizeof hello.magic);
  hello.job = self.job;
  hello.rank = self.rank;
  hello.size = self.size;
  hello.place = place;
  return sendAll(socket, &hello, sizeof hello);
}

/// Whether one of the job speaks, before patience ends.
static bool hear(const Socket &socket, const Membership &self,
                 const timeval &patience, Hello &hello) {
  limit(socket, SO_RCVTIMEO, patience);
  if (!receiveAll(socket, &hello, sizeof hello) ||
      std::memcmp(hello.magic, "tprt-tcp", sizeof hello.magic) != 0 ||
      hello.job != self.job || hello.size != self.size || hello.rank < 0 ||
      hello.rank >= self.size)
    return false;
  hello.place.address[sizeof hello.place.address - 1] = 0;
  limit(socket, SO_RCVTIMEO, endless);
  return true;
}

static bool hasHungUp(const Socket &socket) {
  char byte;
  return recv(socket.get(), &byte, 1, MSG_PEEK | MSG_DONTWAIT) == 0;
}

/// The next of the job that calls, and is answered; strangers are turned away.
static Socket acceptOne(const Socket &listener, const Membership &self,
                        Hello &hello) {
  while (true) {
    Socket caller(accept4(listener.get(), nullptr, nullptr, SOCK_CLOEXEC));
    if (caller.isOpen() && hear(caller, self, listenerPatience, hello) &&
        hello.rank > self.rank && !hasHungUp(caller) &&
        introduce(caller, self, Place{}))
      return caller;
  }
}

/// Of each rank from `first` on. Who gave up before it was answered comes
/// again, and the later connection counts.
static void acceptFrom(const Socket &listener, const Membership &self,
                       int64_t first, std::vector<Socket> &others,
                       std::vector<Place> &places) {
  for (int64_t missing = self.size - first; missing > 0;) {
    Hello hello;
    Socket caller = acceptOne(listener, self, hello);
    Socket &known = others[size_t(hello.rank)];
    missing -= !known.isOpen();
    known = std::move(caller);
    places[size_t(hello.rank)] = hello.place;
  }
}

//===----------------------------------------------------------------------===//
// Joining
//===----------------------------------------------------------------------===//

/// Rank 0: hears where all listen, and tells all.
static void gatherPlaces(const Membership &self, std::vector<Socket> &others) {
  Socket listener = listenAt(self.address, self.ports);
  std::vector<Place> places(size_t(self.size), Place{});
  acceptFrom(listener, self, 1, others, places);
  // Who is gone again will be missed later.
  for (int64_t i = 1; i < self.size; ++i)
    sendAll(others[size_t(i)], places.data(), places.size() * sizeof(Place));
}

/// Calls one of the job and says where this process listens: at the same
/// address as it calls from. Closed if the job is not there.
static Socket visit(const Membership &self, const std::string &address,
                    int64_t port, Socket *listener) {
  Socket other = callAt(address, port);
  if (!other.isOpen())
    return other;
  if (listener && !listener->isOpen())
    *listener = listenAt(placeOf(other).address, {0});
  Hello answer;
  if (!introduce(other, self, listener ? placeOf(*listener) : Place{}) ||
      !hear(other, self, callerPatience, answer))
    other.reset();
  return other;
}

/// Another rank: calls rank 0, then those between, and hears the others.
static void meetOthers(const Membership &self, std::vector<Socket> &others) {
  Socket listener;
  std::vector<Place> places(size_t(self.size), Place{});
  // Strangers, or rank 0 of an earlier run, may hold some of the ports.
  for (size_t i = 0; !others[0].isOpen(); ++i) {
    if (i == self.ports.size()) {
      takeBreath();
      i = 0;
    }
    Socket first = visit(self, self.address, self.ports[i], &listener);
    if (first.isOpen() &&
        receiveAll(first, places.data(), places.size() * sizeof(Place)))
      others[0] = std::move(first);
  }
  for (int64_t i = 1; i < self.rank; ++i) {
    Place &place = places[size_t(i)];
    place.address[sizeof place.address - 1] = 0;
    Socket &other = others[size_t(i)];
    while (!(other = visit(self, place.address, place.port, nullptr)).isOpen())
      takeBreath();
  }
  acceptFrom(listener, self, self.rank + 1, others, places);
}

std::vector<Socket> tprt::joinOthers(const Membership &self) {
  std::vector<Socket> others(size_t(self.size));
  if (self.size == 1)
    return others;
  if (self.rank == 0)
    gatherPlaces(self, others);
  else
    meetOthers(self, others);
  const int yes = 1;
  for (const Socket &other : others)
    if (other.isOpen())
      setsockopt(other.get(), IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes);
  return others;
}
