//===- collectives.cpp - how long collectives take on CPU ranks -----------===//
//
// Part of tp-mlir, under the Apache License v2.0.
//
//===----------------------------------------------------------------------===//
//
// All-reduce and all-gather between threads, between processes by MPI and by
// TCP, and a plain copy of as many bytes, in one run:
//
//   mpirun -n 4 build/bin/bench-collectives [BYTES]
//
// While the threads are measured, all in the first process, the other processes
// wait; while the processes are measured there are no threads. The processes
// have joined twice, over MPI and over 127.0.0.1.
//
//===----------------------------------------------------------------------===//

#include "host/Plugin.h"
#include "host/ProcessCommunicator.h"
#include "host/ThreadCommunicator.h"

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <netinet/in.h>
#include <sys/socket.h>
#include <thread>
#include <unistd.h>

using namespace tprt;

namespace {

constexpr double timeout = 120;

/// Of one size: an all-reduce of so many bytes on each rank, or an all-gather
/// that ends with so many.
struct Collective {
  tprt_collective_desc desc = {};
  std::vector<char> input, output;

  Collective(tprt_collective_kind kind, int64_t bytes, int64_t ranks) {
    const int64_t own = kind == TPRT_ALL_GATHER ? bytes / ranks : bytes;
    desc.kind = kind;
    desc.num_buffers = 1;
    desc.buffers[0] = {TPRT_F32, 1, {own / 4}, 0, 0};
    input.resize(size_t(own));
    output.resize(size_t(bytes));
  }

  /// Seconds of one of many in a row, the best of three rows. The first few are
  /// not counted: they touch memory for the first time.
  double measure(Communicator &communicator, int64_t repetitions) {
    const void *inputs[] = {input.data()};
    void *outputs[] = {output.data()};
    double best = 1e9;
    for (int row = -1; row < 3; ++row) {
      const int64_t count = row < 0 ? 2 : repetitions;
      auto began = Clock::now();
      for (int64_t i = 0; i < count; ++i)
        communicator.run(desc, communicator.index(), inputs, outputs);
      std::chrono::duration<double> time = Clock::now() - began;
      if (row >= 0)
        best = std::min(best, time.count() / double(count));
    }
    return best;
  }
};

} // namespace

static int64_t repetitionsOf(int64_t bytes) {
  return std::clamp<int64_t>((int64_t(64) << 20) / bytes, 3, 2000);
}

static double measureThreads(tprt_collective_kind kind, int64_t bytes,
                             int64_t ranks) {
  std::vector<int64_t> members;
  for (int64_t rank = 0; rank < ranks; ++rank)
    members.push_back(rank);
  const bool fits = ranks <= int64_t(std::thread::hardware_concurrency());
  auto group = std::make_shared<ThreadGroup>(members, fits ? 4000 : 50);
  RunState run;
  double first = 0;
  std::vector<std::thread> threads;
  for (int64_t rank = 0; rank < ranks; ++rank)
    threads.emplace_back([&, rank] {
      ThreadCommunicator communicator(group, rank, run, timeout);
      Collective collective(kind, bytes, ranks);
      double time = collective.measure(communicator, repetitionsOf(bytes));
      if (rank == 0)
        first = time;
    });
  for (std::thread &thread : threads)
    thread.join();
  return first;
}

static double measureCopy(int64_t bytes) {
  std::vector<char> from(size_t(bytes), 1), to(size_t(bytes), 2);
  double best = 1e9;
  const int64_t count = repetitionsOf(bytes);
  for (int row = 0; row < 3; ++row) {
    auto began = Clock::now();
    for (int64_t i = 0; i < count; ++i) {
      std::memcpy(to.data(), from.data(), from.size());
      asm volatile("" : : "r"(to.data()) : "memory"); // it is not for nothing
    }
    std::chrono::duration<double> time = Clock::now() - began;
    best = std::min(best, time.count() / double(count));
  }
  return best;
}

static ProcessCommunicator communicatorOf(World &world) {
  std::vector<int64_t> members;
  for (int64_t rank = 0; rank < world.size(); ++rank)
    members.push_back(rank);
  return {world, world.split(0, world.rank()), members, world.rank()};
}

static void measureAll(World &mpi, World &tcp, int64_t smallest,
                       int64_t largest) {
  ProcessCommunicator processes[] = {communicatorOf(mpi), communicatorOf(tcp)};
  const bool isFirst = mpi.rank() == 0;
  if (isFirst)
    std::printf(
        "%d ranks, %u cores, %s, %s; microseconds\n\n"
        "| bytes | all-reduce, threads | MPI | TCP | all-gather, "
        "threads | MPI | TCP | copy |\n|---|---|---|---|---|---|---|---|"
        "\n",
        int(mpi.size()), std::thread::hardware_concurrency(), mpi.description(),
        tcp.description());
  for (int64_t bytes = smallest; bytes <= largest; bytes *= 4) {
    std::vector<double> times;
    for (tprt_collective_kind kind : {TPRT_ALL_REDUCE, TPRT_ALL_GATHER}) {
      times.push_back(isFirst ? measureThreads(kind, bytes, mpi.size()) : 0);
      mpi.check("", [](auto &) { return std::string(); }, "threads");
      for (ProcessCommunicator &communicator : processes) {
        Collective collective(kind, bytes, mpi.size());
        times.push_back(collective.measure(communicator, repetitionsOf(bytes)));
      }
    }
    if (!isFirst)
      continue;
    times.push_back(measureCopy(bytes));
    std::printf("| %lld", static_cast<long long>(bytes));
    for (double time : times)
      std::printf(" | %.1f", time * 1e6);
    std::printf(" |\n");
    std::fflush(stdout);
  }
}

/// A port that nobody listens at now.
static int freePort() {
  const int fd = socket(AF_INET, SOCK_STREAM, 0);
  sockaddr_in address = {};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof address;
  const bool good =
      fd >= 0 && bind(fd, reinterpret_cast<sockaddr *>(&address), size) == 0 &&
      getsockname(fd, reinterpret_cast<sockaddr *>(&address), &size) == 0;
  if (fd >= 0)
    close(fd);
  if (!good)
    raise(TPRT_FAILED, "there is no free port at 127.0.0.1");
  return ntohs(address.sin_port);
}

/// What torchrun would have said to the processes that mpirun has started.
static void describeLaunch(World &mpi) {
  int port = mpi.rank() == 0 ? freePort() : 0;
  mpi.broadcast(&port, sizeof port, "the port");
  auto say = [](const char *name, const std::string &value) {
    setenv(name, value.c_str(), /*overwrite=*/1);
  };
  say("RANK", std::to_string(mpi.rank()));
  say("WORLD_SIZE", std::to_string(mpi.size()));
  say("MASTER_ADDR", "127.0.0.1");
  say("MASTER_PORT", "1");
  say("TPRT_PORT", std::to_string(port));
}

int main(int argc, char **argv) {
  const int64_t only = argc > 1 ? std::atoll(argv[1]) : 0;
  try {
    const Launch launch = readLaunch();
    World mpi(openTransport("mpi"), launch, timeout);
    mpi.introduce();
    describeLaunch(mpi);
    World tcp(openTransport("tcp"), launch, timeout);
    tcp.introduce();
    measureAll(mpi, tcp, only ? only : 4096, only ? only : 64 << 20);
    tcp.close(0);
    mpi.close(0);
    return 0;
  } catch (const Error &error) {
    std::fprintf(stderr, "error: %s\n", error.what());
    return 1;
  }
}
