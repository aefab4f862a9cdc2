//===- Program.cpp - an emitted CUDA program as a program for CPUs --------===//
//
// Part of tp-mlir, under the Apache License v2.0.
//
//===----------------------------------------------------------------------===//
//
// SOURCE is the emitted source with its launches rewritten to
// `TPRT_LAUNCH(kernel, blocks, threads, stream)(...)`, MANIFEST the program's
// manifest as a string literal. Linked as a shared object it is what
// tprt_program_open takes.
//
//===----------------------------------------------------------------------===//

#include SOURCE

#include <memory>

namespace {

/// The rank that stands for a GPU's, made for each run of an entry.
class Simulation {
public:
  explicit Simulation(tprt_rank *host) {
    const Program &program = tp_cuda_program;
    communicators.resize(size_t(program.numGroups));
    for (int64_t i = 0; i < program.numGroups; ++i) {
      int64_t colour = 0;
      GroupRank place = placeInGroup(program.groups[i], 0, colour);
      place.coordinate = tprt_coordinate(host, i);
      communicators[size_t(i)] = {host, i, place.size, &collectives};
      place.communicator = &communicators[size_t(i)];
      rank.groups.push_back(place);
    }
    rank.matmuls.resize(size_t(program.numMatmuls));
    for (int64_t i = 0; i < program.numMatmuls; ++i)
      check(createMatmul(&rank, program.matmuls[i], rank.matmuls[size_t(i)]));
    rank.events.resize(size_t(program.events));
    scratch.reset(new char[size_t(program.scratchBytes) + 1]);
    rank.scratch = scratch.get();
    rank.fault = &fault;
  }
  ~Simulation() {
    rank.groups.clear();
    rank.scratch = nullptr;
    rank.fault = nullptr;
    closeRank(rank);
  }

  void run(const Entry &entry, void *arena, void *const *arguments,
           void *const *results) {
    check(entry.run(&rank, arena, arguments, results));
    check(finish(rank));
  }

private:
  void check(tprt_status status) {
    if (status == TPRT_OK)
      return;
    std::fprintf(stderr, "simulation: %s\n", rank.message);
    std::_Exit(3); // other ranks are waiting
  }

  Rank rank;
  Fault fault = {};
  int64_t collectives = 0;
  std::vector<SimulatedCommunicator> communicators;
  std::unique_ptr<char[]> scratch;
};

template <int number>
void runEntry(tprt_rank *rank, void *arena, void *const *arguments,
              void *const *results) {
  Simulation(rank).run(tp_cuda_program.entries[number], arena, arguments,
                       results);
}

const struct tprt_program_table::tprt_program_entry *symbols() {
  static tprt_program_table::tprt_program_entry entries[] = {
      {nullptr, runEntry<0>}, {nullptr, runEntry<1>}};
  for (int64_t i = 0; i < tp_cuda_program.numEntries; ++i)
    entries[i].symbol = tp_cuda_program.entries[i].name;
  return entries;
}

} // namespace

extern "C" {
extern const tprt_program_table tp_program;
const tprt_program_table tp_program = {TPRT_VERSION, "",
#include MANIFEST
                                       , tp_cuda_program.numEntries, symbols()};
}
