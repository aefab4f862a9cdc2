//===- collectives.cpp - how long collectives take on CPU ranks -----------===//
//
// Part of tp-mlir, under the Apache License v2.0.
//
//===----------------------------------------------------------------------===//
//
// All-reduce and all-gather between threads, between processes by MPI and by
// TCP, and plain copies of as many bytes, in one run:
//
//   mpirun -n 4 build/bin/bench-collectives [BYTES]
//
// First the threads are measured, all in the first process, before it joins the
// others: a process that waits over MPI for another would keep a core from
// them. Then the processes join twice, over MPI and over 127.0.0.1.
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
#include <sched.h>
#include <sys/socket.h>
#include <thread>
#include <unistd.h>

using namespace tprt;

namespace {

constexpr double timeout = 120;

/// Memory that begins at a cache line, as the buffers of a program do.
class Buffer {
public:
  explicit Buffer(int64_t bytes = 0, char value = 0)
      : lines(size_t((bytes + 63) / 64)) {
    std::memset(data(), value, size());
  }
  char *data() { return reinterpret_cast<char *>(lines.data()); }
  size_t size() const { return lines.size() * sizeof(StagingLine); }

private:
  std::vector<StagingLine> lines;
};

/// Of one size: an all-reduce of so many bytes on each rank, or an all-gather
/// that ends with so many.
struct Collective {
  tprt_collective_desc desc = {};
  Buffer input, output;

  Collective(tprt_collective_kind kind, int64_t bytes, int64_t ranks) {
    const int64_t own = kind == TPRT_ALL_GATHER ? bytes / ranks : bytes;
    desc.kind = kind;
    desc.num_buffers = 1;
    desc.buffers[0] = {TPRT_F32, 1, {own / 4}, 0, 0};
    input = Buffer(own);
    output = Buffer(bytes);
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

/// What `work(rank)` gives on the first of so many threads.
template <typename Work>
static double onThreads(int64_t ranks, const Work &work) {
  double first = 0;
  std::vector<std::thread> threads;
  for (int64_t rank = 0; rank < ranks; ++rank)
    threads.emplace_back([&, rank] {
      double result = work(rank);
      if (rank == 0)
        first = result;
    });
  for (std::thread &thread : threads)
    thread.join();
  return first;
}

static std::shared_ptr<ThreadGroup> makeGroup(int64_t ranks) {
  std::vector<int64_t> members;
  for (int64_t rank = 0; rank < ranks; ++rank)
    members.push_back(rank);
  const bool fits = ranks <= int64_t(std::thread::hardware_concurrency());
  return std::make_shared<ThreadGroup>(members, fits ? 1000 : 50);
}

static double measureThreads(tprt_collective_kind kind, int64_t bytes,
                             int64_t ranks) {
  auto group = makeGroup(ranks);
  RunState run;
  return onThreads(ranks, [&](int64_t rank) {
    ThreadCommunicator communicator(group, rank, run, timeout);
    Collective collective(kind, bytes, ranks);
    return collective.measure(communicator, repetitionsOf(bytes));
  });
}

/// Of all ranks at once, each its own bytes.
static double measureCopies(int64_t bytes, int64_t ranks) {
  auto group = makeGroup(ranks);
  return onThreads(ranks, [&](int64_t rank) {
    Buffer from(bytes, 1), to(bytes, 2);
    double best = 1e9;
    const int64_t count = repetitionsOf(bytes);
    for (int row = 0; row < 3; ++row) {
      group->barrier().meet(size_t(rank));
      auto began = Clock::now();
      for (int64_t i = 0; i < count; ++i) {
        std::memcpy(to.data(), from.data(), size_t(bytes));
        asm volatile("" : : "r"(to.data()) : "memory"); // it is not for nothing
      }
      std::chrono::duration<double> time = Clock::now() - began;
      best = std::min(best, time.count() / double(count));
    }
    return best;
  });
}

/// Lets this process run on every core, as one does that mpirun has not
/// started: it binds each process to one, which all its threads would share.
static void unbind() {
  cpu_set_t all;
  std::memset(&all, 0xff, sizeof all);
  sched_setaffinity(0, sizeof all, &all);
}

namespace {

/// Seconds of a row of the table, of what is measured before processes join.
struct Threads {
  double allReduce, allGather, copy, copies;
};

} // namespace

static Threads measureThreads(int64_t bytes, int64_t ranks) {
  return {measureThreads(TPRT_ALL_REDUCE, bytes, ranks),
          measureThreads(TPRT_ALL_GATHER, bytes, ranks),
          measureCopies(bytes, 1), measureCopies(bytes, ranks)};
}

static ProcessCommunicator communicatorOf(World &world) {
  std::vector<int64_t> members;
  for (int64_t rank = 0; rank < world.size(); ++rank)
    members.push_back(rank);
  return {world, world.split(0, world.rank()), members, world.rank()};
}

static void measureProcesses(World &mpi, World &tcp, int64_t smallest,
                             const std::vector<Threads> &threads,
                             int64_t rows) {
  ProcessCommunicator processes[] = {communicatorOf(mpi), communicatorOf(tcp)};
  const bool isFirst = mpi.rank() == 0;
  if (isFirst)
    std::printf(
        "%d ranks, %u cores, %s, %s; microseconds\n\n"
        "| bytes | all-reduce, threads | MPI | TCP | all-gather, threads | MPI "
        "| TCP | copy | copies at once | all-reduce / copies | all-gather / "
        "copies |\n|---|---|---|---|---|---|---|---|---|---|---|\n",
        int(mpi.size()), std::thread::hardware_concurrency(), mpi.description(),
        tcp.description());
  for (int64_t row = 0, bytes = smallest; row < rows; ++row, bytes *= 4) {
    std::vector<double> times;
    for (tprt_collective_kind kind : {TPRT_ALL_REDUCE, TPRT_ALL_GATHER})
      for (ProcessCommunicator &communicator : processes) {
        Collective collective(kind, bytes, mpi.size());
        times.push_back(collective.measure(communicator, repetitionsOf(bytes)));
      }
    if (!isFirst)
      continue;
    const Threads &own = threads[size_t(row)];
    std::printf("| %lld", static_cast<long long>(bytes));
    for (double time : {own.allReduce, times[0], times[1], own.allGather,
                        times[2], times[3], own.copy, own.copies})
      std::printf(" | %.1f", time * 1e6);
    std::printf(" | %.1f | %.1f |\n", own.allReduce / own.copies,
                own.allGather / own.copies);
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
  const int64_t smallest = only ? only : 4096, rows = only ? 1 : 8;
  try {
    const Launch launch = readLaunch();
    std::vector<Threads> threads;
    unbind();
    for (int64_t row = 0; launch.rank == 0 && row < rows; ++row)
      threads.push_back(measureThreads(smallest << (2 * row), launch.size));
    World mpi(openTransport("mpi"), launch, timeout);
    mpi.introduce();
    describeLaunch(mpi);
    World tcp(openTransport("tcp"), launch, timeout);
    tcp.introduce();
    measureProcesses(mpi, tcp, smallest, threads, rows);
    tcp.close(0);
    mpi.close(0);
    return 0;
  } catch (const Error &error) {
    std::fprintf(stderr, "error: %s\n", error.what());
    return 1;
  }
}
