//===- Slot.cpp - one rank of this process on its GPU ---------------------===//
//
// Part of tp-mlir, under the Apache License v2.0.
//
//===----------------------------------------------------------------------===//
//
// Whatever touches the rank's memory is queued on its compute stream, which
// does not wait for CUDA's own default stream.
//
//===----------------------------------------------------------------------===//

#include "Slot.h"

#include "Groups.h"

#include <algorithm>
#include <limits>
#include <thread>

using namespace tprt_cuda;

Slot::Slot(const Program &program, int64_t index, int gpu, const Watch &watch,
           Count count, Progress progress, std::unique_ptr<Exchange> exchange,
           const Wishes &wishes)
    : program(program), gpu(gpu), watch(watch),
      count([this, tell = std::move(count)](int64_t id, int64_t bytes) {
        ++numCollectives;
        tell(id, bytes);
      }),
      progress(std::move(progress)), exchange(std::move(exchange)),
      graphs(wishes.graphs ? size_t(program.numEntries) : 0),
      choice(wishes.products) {
  rank.index = index;
  rank.host = this;
  for (int64_t i = 0; i < program.numGroups; ++i)
    coordinates.push_back(coordinateOf(program.groups[i], index));
  rank.coordinates = coordinates.data();
  try {
    open();
  } catch (...) {
    close();
    throw;
  }
}

Slot::~Slot() { close(); }

void Slot::open() {
  select();
  for (cudaStream_t *stream : {&rank.compute, &rank.communicate})
    TPRT_CHECK(cudaStreamCreateWithFlags(stream, cudaStreamNonBlocking));
  events.resize(size_t(program.events) + 2);
  for (cudaEvent_t &event : events)
    TPRT_CHECK(cudaEventCreateWithFlags(&event, cudaEventDisableTiming));
  rank.computed = events[size_t(program.events)];
  rank.communicated = events[size_t(program.events) + 1];
  rank.events = events.data();
  void *fault = nullptr;
  TPRT_CHECK(cudaHostAlloc(&fault, sizeof(Fault), cudaHostAllocMapped));
  rank.fault = new (fault) Fault();
  products = std::make_unique<Products>();
  products->open(program);
  attentions = std::make_unique<Attentions>();
}

void Slot::close() {
  cudaSetDevice(gpu);
  graphs.clear();
  products.reset();
  attentions.reset();
  exchange.reset();
  for (const std::vector<cudaEvent_t> *some : {&events, &marks})
    for (cudaEvent_t event : *some)
      if (event)
        cudaEventDestroy(event);
  for (cudaStream_t stream : {rank.compute, rank.communicate})
    if (stream)
      cudaStreamDestroy(stream);
  for (const Staging &staging : stagings) {
    if (staging.copied)
      cudaEventDestroy(staging.copied);
    if (staging.memory)
      cudaFreeHost(staging.memory);
  }
  if (rank.fault)
    cudaFreeHost(rank.fault);
  if (own)
    cudaFree(own);
}

void Slot::connect(const void *id) {
  select();
  if (exchange)
    exchange->connect(id);
}

//===----------------------------------------------------------------------===//
// Memory
//===----------------------------------------------------------------------===//

static int64_t roundUp(int64_t bytes, int64_t multiple) {
  return (bytes + multiple - 1) / multiple * multiple;
}

/// Beside the session's block: the workspace, the scratch buffer and the
/// exchange's word.
int64_t Slot::extraBytes() const {
  return roundUp(program.workspaceBytes, 256) +
         roundUp(program.scratchBytes, 256) + Exchange::kWordBytes;
}

int64_t Slot::freeBytes() {
  select();
  size_t free = 0, total = 0;
  TPRT_CHECK(cudaMemGetInfo(&free, &total));
  return std::max<int64_t>(int64_t(free) - extraBytes(), 0);
}

/// One piece, so that all that collectives touch lies in it.
void *Slot::reserve(int64_t bytes) {
  select();
  const int64_t workspaceAt = roundUp(bytes, 256);
  const int64_t scratchAt = workspaceAt + roundUp(program.workspaceBytes, 256);
  blockBytes = roundUp(workspaceAt + extraBytes(), 4096);
  block = exchange ? exchange->reserve(blockBytes) : nullptr;
  if (!block) {
    TPRT_CHECK(cudaMalloc(&own, size_t(blockBytes)));
    block = own;
  }
  rank.workspace = static_cast<char *>(block) + workspaceAt;
  rank.scratch = static_cast<char *>(block) + scratchAt;
  fill(block, 0, bytes);
  return block;
}

void *Slot::stage() {
  select();
  turn = 1 - turn;
  Staging &staging = stagings[turn];
  if (!staging.copied)
    TPRT_CHECK(
        cudaEventCreateWithFlags(&staging.copied, cudaEventDisableTiming));
  if (!staging.memory)
    TPRT_CHECK(cudaHostAlloc(&staging.memory, size_t(kStagingBytes),
                             cudaHostAllocDefault));
  TPRT_CHECK(cudaEventSynchronize(staging.copied));
  return staging.memory;
}

void Slot::put(void *target, int64_t bytes) {
  select();
  const Staging &staging = stagings[turn];
  TPRT_CHECK(cudaMemcpyAsync(target, staging.memory, size_t(bytes),
                             cudaMemcpyHostToDevice, rank.compute));
  TPRT_CHECK(cudaEventRecord(staging.copied, rank.compute));
}

void Slot::read(void *target, const void *source, int64_t bytes) {
  select();
  TPRT_CHECK(cudaMemcpyAsync(target, source, size_t(bytes),
                             cudaMemcpyDeviceToHost, rank.compute));
  TPRT_CHECK(cudaStreamSynchronize(rank.compute));
}

void Slot::fill(void *target, int64_t byte, int64_t bytes) {
  select();
  TPRT_CHECK(cudaMemsetAsync(target, int(byte), size_t(bytes), rank.compute));
  TPRT_CHECK(cudaStreamSynchronize(rank.compute));
}

//===----------------------------------------------------------------------===//
// Running
//===----------------------------------------------------------------------===//

void Slot::reset() {
  rank.status = TPRT_OK;
  rank.message[0] = '\0';
  *rank.fault = Fault();
  if (exchange)
    exchange->reset();
}

void Slot::run(int64_t entry, void *arena, void *const *arguments,
               void *const *results) {
  select();
  if (entry < 0 || entry >= program.numEntries)
    raise(TPRT_INVALID, "the program has no entry ", entry);
  numMarks = numCollectives = begun = ended = 0;
  waits = false;
  try {
    if (!hasBegun)
      begin();
    if (queue(entry, arena, arguments, results) != TPRT_OK)
      raise(rank.status, rank.message);
    finish();
  } catch (...) {
    if (waits) // before the exchange ends what there is to see
      lookAtCollectives();
    if (exchange)
      exchange->abandon();
    throw;
  }
  progress(int64_t(numCollectives), int64_t(numCollectives));
  checkFault();
}

/// Before the first entry, all ranks together.
void Slot::begin() {
  if (exchange)
    exchange->share(rank, block, blockBytes);
  choice = Wishes::Choice(agree(choice));
  if (choice != Wishes::First)
    chooseAlgorithms();
  hasBegun = true;
}

/// The least of what all ranks say.
int32_t Slot::agree(int32_t mine) {
  if (!exchange)
    return mine;
  void *word = static_cast<char *>(block) + blockBytes - Exchange::kWordBytes;
  return exchange->agree(rank, mine, word);
}

/// Rank 0's choice is that of all: what is computed on several ranks has the
/// same bits.
void Slot::chooseAlgorithms() {
  constexpr int32_t nothing = std::numeric_limits<int32_t>::max();
  // To the end: when memory goes, CUDA may wait for GPUs that wait for this
  // one.
  Products::Measurement measurement(block, blockBytes, [&] {
    awaitStream(rank.compute, watch, watch.deadline(), [] {});
  });
  for (int64_t number = 0; number < products->size(); ++number) {
    int64_t mine = nothing;
    if (rank.index == 0)
      mine = choice == Wishes::Own
                 ? products->findOwn(number)
                 : products->measure(rank, number, measurement);
    products->choose(number, agree(int32_t(mine)));
  }
  if (rank.index == 0)
    std::fprintf(stderr,
                 "remark: %lld of %lld products by a%s algorithm than "
                 "cuBLASLt's first\n",
                 static_cast<long long>(products->numOthers()),
                 static_cast<long long>(products->size()),
                 choice == Wishes::Own ? "nother" : " faster");
}

tprt_status Slot::queue(int64_t entry, void *arena, void *const *arguments,
                        void *const *results) {
  const Entry &from = program.entries[entry];
  auto call = [&] { return from.run(&rank, arena, arguments, results); };
  if (graphs.empty())
    return call();
  std::vector<const void *> buffers{arena};
  buffers.insert(buffers.end(), arguments, arguments + from.numArguments);
  buffers.insert(buffers.end(), results, results + from.numResults);
  current = &graphs[size_t(entry)];
  return current->run(rank, std::move(buffers), call, count);
}

void tprt_cuda::awaitStream(cudaStream_t stream, const Watch &watch,
                            Clock::time_point deadline,
                            const std::function<void()> &poll) {
  const Clock::time_point begin = Clock::now();
  for (;;) {
    const cudaError_t state = cudaStreamQuery(stream);
    if (state == cudaSuccess)
      return;
    if (state != cudaErrorNotReady)
      raise(TPRT_FAILED, "the GPU: ", cudaGetErrorString(state));
    poll();
    if (watch.failed())
      raise(TPRT_FAILED, "the run failed on another rank");
    const Clock::time_point now = Clock::now();
    if (now > deadline)
      raise(TPRT_FAILED, "the GPU has not come to the end of the entry in ",
            watch.timeout(), " s");
    // A decode step takes milliseconds: at first every microsecond counts.
    if (now - begin < std::chrono::milliseconds(20))
      std::this_thread::yield();
    else
      std::this_thread::sleep_for(std::chrono::microseconds(100));
  }
}

/// Waits for both streams, and looks at what others do meanwhile.
void Slot::finish() {
  const Clock::time_point deadline = watch.deadline();
  waits = true;
  lookedAt = Clock::now();
  for (cudaStream_t stream : {rank.compute, rank.communicate})
    awaitStream(stream, watch, deadline, [this] {
      if (exchange)
        exchange->poll();
      // Others may ask where this rank is.
      if (Clock::now() - lookedAt > std::chrono::milliseconds(50))
        lookAtCollectives();
    });
}

/// Event `number` of this run's collectives: what was queued has come so far.
void Slot::mark(size_t number) {
  if (marks.size() <= number) {
    marks.resize(number + 1);
    TPRT_CHECK(
        cudaEventCreateWithFlags(&marks[number], cudaEventDisableTiming));
  }
  TPRT_CHECK(cudaEventRecord(marks[number], rank.communicate));
  numMarks = number + 1;
}

/// Collectives run one after the other: the first event that is not there yet
/// says how far they are.
void Slot::lookAtCollectives() {
  lookedAt = Clock::now();
  if (numMarks == 0)
    return; // there are none, or they are in a graph
  size_t reached = begun + ended;
  while (reached < numMarks && cudaEventQuery(marks[reached]) == cudaSuccess)
    ++reached;
  begun = (reached + 1) / 2;
  ended = reached / 2;
  progress(int64_t(begun), int64_t(ended));
}

void Slot::checkFault() {
  const Fault &fault = *rank.fault;
  const long long *values = fault.values;
  switch (fault.what) {
  case Fault::None:
    return;
  case Fault::Token:
    raise(TPRT_INVALID, "token id ", values[0],
          " is outside the vocabulary of ", values[1], ": ids are 0 to ",
          values[1] - 1);
  case Fault::Cache:
    raise(TPRT_INVALID, "position ", values[0], " + length ", values[1],
          " exceeds the cache's capacity of ", values[2]);
  default:
    raise(TPRT_INVALID, "index ", values[0], " is outside [0, ", values[1],
          ")");
  }
}

//===----------------------------------------------------------------------===//
// What programs ask for; no exception may reach them
//===----------------------------------------------------------------------===//

tprt_status Slot::multiply(Rank *from, int64_t number, const void *a,
                           const void *b, bool adds, const void *bias,
                           void *c) {
  return products->queue(from, number, a, b, adds, bias, c);
}

tprt_status Slot::attend(Rank *from, const Attention &what, bool *isQueued) {
  try {
    return attentions->queue(from, what, isQueued);
  } catch (const std::exception &exception) {
    return from->fail(TPRT_FAILED, "attention", exception.what());
  }
}

/// Alone in a group, whatever the collective, the output is the input.
static void copyThrough(const Rank &rank, const Collective &what) {
  for (int64_t i = 0; i < what.numBuffers; ++i) {
    const Collective::Buffer &buffer = what.buffers[i];
    if (buffer.send != buffer.receive && buffer.count > 0)
      TPRT_CHECK(cudaMemcpyAsync(buffer.receive, buffer.send,
                                 size_t(buffer.count * bytesOf(buffer.type)),
                                 cudaMemcpyDeviceToDevice, rank.communicate));
  }
}

tprt_status Slot::communicate(Rank *from, const Collective &what) {
  try {
    const int64_t size = sizeOf(program.groups[what.group]);
    const int64_t bytes = bytesSent(what, size);
    const bool isCaptured = current && current->isCapturing();
    if (isCaptured) {
      current->note(what.id, bytes);
    } else {
      mark(2 * numCollectives);
      count(what.id, bytes);
    }
    if (size == 1) {
      copyThrough(*from, what);
    } else {
      waits = true;
      exchange->queue(*from, what);
      waits = false;
    }
    if (!isCaptured)
      mark(2 * numCollectives - 1);
    return TPRT_OK;
  } catch (const tprt::Error &error) {
    return from->fail(error.status(), "collective", error.what());
  } catch (const std::exception &exception) {
    return from->fail(TPRT_FAILED, "collective", exception.what());
  }
}
