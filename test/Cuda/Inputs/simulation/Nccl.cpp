//===- Nccl.cpp - NCCL, simulated in shared memory ------------------------===//
//
// Part of tp-mlir, under the Apache License v2.0.
//
//===----------------------------------------------------------------------===//
//
// Made as libnccl.so.2, for threads and for processes of one machine. Each
// member of a communicator has a window of its memory; what is sent is written
// there, all members meet, and what is received is read. A call does its work
// at once, after what its stream has queued. Nobody waits for ever: a member
// that does not come in a minute ends the process.
//
// Memory that is registered is watched: where a communicator has some, all that
// it sends and receives lies in it, in a window at the same offset on every
// member; it is deregistered before the communicator goes, and freed after
// that. Whoever does otherwise ends the process. SIMULATED_NCCL_LOG=1 tells of
// it, SIMULATED_NCCL_REFUSES=n refuses the n-th memory. With
// SIMULATED_NCCL_HANGS=n the n-th reduction, gather or scatter of a thread
// never ends on its GPU.
//
//===----------------------------------------------------------------------===//

#include "nccl.h"
#include "cuda_bf16.h"
#include "cuda_fp16.h"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <fcntl.h>
#include <map>
#include <mutex>
#include <string>
#include <sys/mman.h>
#include <thread>
#include <unistd.h>
#include <vector>

static constexpr size_t windowBytes = size_t(1) << 20;
static constexpr int mostMembers = 16;

namespace {

/// What the members share.
struct Shared {
  std::atomic<int> arrived, generation, attached, aborted;
  std::atomic<size_t> sizes[mostMembers], offsets[mostMembers];
  alignas(64) char windows[mostMembers][windowBytes];
};

/// What a communicator knows of memory.
struct Registered {
  char *begin = nullptr;
  size_t bytes = 0;
  bool isWindow = false;
  int uses = 0;
};

} // namespace

[[noreturn]] static void end(const char *reason) {
  std::fprintf(stderr, "simulated NCCL: %s\n", reason);
  std::_Exit(3);
}

static void log(const std::string &what) {
  if (std::getenv("SIMULATED_NCCL_LOG"))
    std::fprintf(stderr, "simulated NCCL: %s\n", what.c_str());
}

struct ncclComm {
  std::string name;
  int rank, size;
  Shared *shared;
  int splits = 0;
  bool inProgress = true, isBroken = false;
  Registered memory = {};

  /// Of what is sent or received: where it lies in what is registered.
  size_t use(const void *buffer, size_t bytes) {
    if (!memory.begin)
      return 0;
    const char *begin = static_cast<const char *>(buffer);
    if (begin < memory.begin || begin + bytes > memory.begin + memory.bytes)
      end("a buffer is not in the memory that is registered");
    ++memory.uses;
    return size_t(begin - memory.begin);
  }
  /// A window is symmetric.
  void checkOffsets(size_t offset) {
    shared->offsets[rank] = offset;
    if (!memory.isWindow || !meet())
      return;
    for (int member = 0; member < size; ++member)
      if (shared->offsets[member] != offset)
        end("buffers lie at different offsets in the window");
    meet();
  }

  char *window(int member) { return shared->windows[member]; }

  /// False if another member has aborted meanwhile.
  bool meet() {
    using Clock = std::chrono::steady_clock;
    const auto deadline = Clock::now() + std::chrono::seconds(60);
    const int generation = shared->generation.load();
    if (shared->arrived.fetch_add(1) + 1 == size) {
      shared->arrived = 0;
      ++shared->generation;
      return true;
    }
    while (shared->generation.load() == generation) {
      if (shared->aborted) {
        isBroken = true;
        return false;
      }
      if (Clock::now() > deadline)
        end("a rank did not come");
      std::this_thread::yield();
    }
    return true;
  }
};

/// Memory of that name, zero at first; gone when all have it.
static ncclResult_t open(ncclComm_t *communicator, const std::string &name,
                         int rank, int size) {
  if (size > mostMembers)
    return ncclInvalidArgument;
  int file = shm_open(name.c_str(), O_RDWR | O_CREAT, 0600);
  if (file < 0 || ftruncate(file, sizeof(Shared)) != 0)
    return ncclSystemError;
  void *memory = mmap(nullptr, sizeof(Shared), PROT_READ | PROT_WRITE,
                      MAP_SHARED, file, 0);
  close(file);
  if (memory == MAP_FAILED)
    return ncclSystemError;
  *communicator = new ncclComm{name, rank, size, static_cast<Shared *>(memory)};
  if (++(*communicator)->shared->attached == size)
    shm_unlink(name.c_str());
  (*communicator)->meet();
  return ncclInProgress;
}

const char *ncclGetErrorString(ncclResult_t) { return "simulated"; }

ncclResult_t ncclGetUniqueId(ncclUniqueId *id) {
  static std::atomic<int> number{0};
  std::snprintf(id->internal, sizeof id->internal, "/tp-nccl-%d-%d",
                int(getpid()), number++);
  return ncclSuccess;
}

ncclResult_t ncclCommInitRankConfig(ncclComm_t *communicator, int ranks,
                                    ncclUniqueId id, int rank, ncclConfig_t *) {
  return open(communicator, id.internal, rank, ranks);
}

ncclResult_t ncclCommSplit(ncclComm_t whole, int color, int key,
                           ncclComm_t *part, ncclConfig_t *) {
  const int mine[2] = {color, key};
  std::memcpy(whole->window(whole->rank), mine, sizeof mine);
  whole->meet();
  std::vector<std::pair<int, int>> members; // by key, then rank
  for (int rank = 0; rank < whole->size; ++rank) {
    int other[2];
    std::memcpy(other, whole->window(rank), sizeof other);
    if (other[0] == color)
      members.push_back({other[1], rank});
  }
  whole->meet();
  std::sort(members.begin(), members.end());
  const auto me = std::find(members.begin(), members.end(),
                            std::make_pair(key, whole->rank));
  whole->inProgress = true;
  return open(part,
              whole->name + "-" + std::to_string(whole->splits++) + "-" +
                  std::to_string(color),
              int(me - members.begin()), int(members.size()));
}

/// Once after each call it is in progress.
ncclResult_t ncclCommGetAsyncError(ncclComm_t communicator,
                                   ncclResult_t *state) {
  *state = communicator->inProgress ? ncclInProgress : ncclSuccess;
  communicator->inProgress = false;
  return ncclSuccess;
}

ncclResult_t ncclCommAbort(ncclComm_t communicator) {
  if (communicator->memory.begin)
    end("a communicator went while memory was registered");
  communicator->shared->aborted = 1;
  munmap(communicator->shared, sizeof(Shared));
  delete communicator;
  return ncclSuccess;
}

//===----------------------------------------------------------------------===//
// Memory
//===----------------------------------------------------------------------===//

static std::mutex memoryMutex;
static std::map<void *, int> memoryUsers; ///< registrations of each

ncclResult_t ncclMemAlloc(void **memory, size_t bytes) {
  static std::atomic<int> allocations{0};
  const char *refuses = std::getenv("SIMULATED_NCCL_REFUSES");
  if (refuses && ++allocations == std::atoi(refuses))
    return ncclSystemError;
  *memory = std::aligned_alloc(4096, (bytes + 4095) / 4096 * 4096);
  if (!*memory)
    return ncclSystemError;
  std::memset(*memory, 0xff, bytes);
  std::lock_guard<std::mutex> lock(memoryMutex);
  memoryUsers[*memory] = 0;
  log("memory");
  return ncclSuccess;
}

ncclResult_t ncclMemFree(void *memory) {
  std::lock_guard<std::mutex> lock(memoryMutex);
  const auto it = memoryUsers.find(memory);
  if (it == memoryUsers.end() || it->second != 0)
    end("memory is freed that is registered, or not NCCL's");
  memoryUsers.erase(it);
  std::free(memory);
  log("freed");
  return ncclSuccess;
}

static void enter(ncclComm_t communicator, void *memory, size_t bytes,
                  bool isWindow) {
  std::lock_guard<std::mutex> lock(memoryMutex);
  const auto it = memoryUsers.find(memory);
  if (it == memoryUsers.end() || communicator->memory.begin)
    end("memory is registered that is not NCCL's, or a second time");
  ++it->second;
  communicator->memory = {static_cast<char *>(memory), bytes, isWindow, 0};
}

static ncclResult_t leave(ncclComm_t communicator, const char *what) {
  std::lock_guard<std::mutex> lock(memoryMutex);
  Registered &memory = communicator->memory;
  if (!memory.begin)
    return ncclInvalidArgument;
  --memoryUsers[memory.begin];
  log(std::string("deregistered ") + what + " after " +
      std::to_string(memory.uses) + " buffers");
  memory = {};
  return ncclSuccess;
}

ncclResult_t ncclCommRegister(const ncclComm_t communicator, void *memory,
                              size_t bytes, void **handle) {
  enter(communicator, memory, bytes, /*isWindow=*/false);
  *handle = communicator;
  log("registered a buffer");
  return ncclSuccess;
}

ncclResult_t ncclCommDeregister(const ncclComm_t communicator, void *) {
  return leave(communicator, "a buffer");
}

#ifndef SIMULATED_NCCL_OLD // 2.26 had no windows
ncclResult_t ncclCommWindowRegister(ncclComm_t communicator, void *memory,
                                    size_t bytes, ncclWindow_t *window,
                                    int flags) {
  communicator->shared->sizes[communicator->rank] = bytes;
  communicator->meet();
  for (int member = 0; member < communicator->size; ++member)
    if (communicator->shared->sizes[member] != bytes)
      end("windows have different sizes");
  communicator->meet();
  enter(communicator, memory, bytes, (flags & NCCL_WIN_COLL_SYMMETRIC) != 0);
  *window = reinterpret_cast<ncclWindow_t>(communicator);
  communicator->inProgress = true;
  log("registered a window");
  return ncclInProgress;
}

ncclResult_t ncclCommWindowDeregister(ncclComm_t communicator, ncclWindow_t) {
  return leave(communicator, "a window");
}
#endif

//===----------------------------------------------------------------------===//
// Collectives
//===----------------------------------------------------------------------===//

static size_t bytesOf(ncclDataType_t type) {
  switch (type) {
  case ncclInt8:
    return 1;
  case ncclInt64:
  case ncclFloat64:
    return 8;
  case ncclFloat16:
  case ncclBfloat16:
    return 2;
  default:
    return 4;
  }
}

static float wide(__nv_bfloat16 value) { return __bfloat162float(value); }
static float wide(__half value) { return __half2float(value); }
template <typename T> static T wide(T value) { return value; }
static void narrow(float from, __nv_bfloat16 &to) {
  to = __float2bfloat16_rn(from);
}
static void narrow(float from, __half &to) { to = __float2half_rn(from); }
template <typename T> static void narrow(T from, T &to) { to = from; }

template <typename T>
static void reduce(ncclComm_t communicator, size_t begin, size_t count,
                   ncclRedOp_t operation, void *receive) {
  for (size_t i = 0; i < count; ++i) {
    auto element = [&](int member) {
      return wide(
          reinterpret_cast<const T *>(communicator->window(member))[begin + i]);
    };
    auto result = element(0);
    for (int member = 1; member < communicator->size; ++member) {
      const auto value = element(member);
      result = operation == ncclSum    ? decltype(result)(result + value)
               : operation == ncclProd ? decltype(result)(result * value)
               : operation == ncclMax  ? std::max(result, value)
                                       : std::min(result, value);
    }
    narrow(result, static_cast<T *>(receive)[i]);
  }
}

static void reduce(ncclComm_t communicator, size_t begin, size_t count,
                   ncclDataType_t type, ncclRedOp_t operation, void *receive) {
  switch (type) {
  case ncclFloat32:
    return reduce<float>(communicator, begin, count, operation, receive);
  case ncclFloat64:
    return reduce<double>(communicator, begin, count, operation, receive);
  case ncclBfloat16:
    return reduce<__nv_bfloat16>(communicator, begin, count, operation,
                                 receive);
  case ncclFloat16:
    return reduce<__half>(communicator, begin, count, operation, receive);
  case ncclInt8:
    return reduce<int8_t>(communicator, begin, count, operation, receive);
  case ncclInt32:
    return reduce<int32_t>(communicator, begin, count, operation, receive);
  case ncclInt64:
    return reduce<int64_t>(communicator, begin, count, operation, receive);
  }
}

/// Shows what is sent to all, and takes with `take` what is received. What is
/// captured meets when it runs, which only processes can: threads would wait
/// for one another with all streams locked.
template <typename Take>
static ncclResult_t run(const void *send, size_t bytes, const void *receive,
                        size_t receivedBytes, ncclComm_t communicator,
                        cudaStream_t stream, Take take) {
  if (bytes > windowBytes)
    return ncclInvalidArgument;
  const size_t offset = communicator->use(send, bytes);
  communicator->use(receive, receivedBytes);
  auto exchange = [=] {
    communicator->checkOffsets(offset);
    std::memcpy(communicator->window(communicator->rank), send, bytes);
    if (communicator->meet())
      take();
    communicator->meet();
  };
  communicator->inProgress = true;
  if (stream->graph) {
    stream->push(exchange);
    return ncclSuccess;
  }
  static thread_local int collectives = 0;
  const char *hangs = std::getenv("SIMULATED_NCCL_HANGS");
  if (hangs && ++collectives == std::atoi(hangs))
    stream->push([stream] { stream->hangs = true; });
  stream->runAll();
  if (stream->hangs)
    return ncclSuccess;
  exchange();
  return communicator->isBroken ? ncclSystemError : ncclSuccess;
}

ncclResult_t ncclAllReduce(const void *send, void *receive, size_t count,
                           ncclDataType_t type, ncclRedOp_t operation,
                           ncclComm_t communicator, cudaStream_t stream) {
  const size_t bytes = count * bytesOf(type);
  return run(send, bytes, receive, bytes, communicator, stream,
             [=] { reduce(communicator, 0, count, type, operation, receive); });
}

ncclResult_t ncclAllGather(const void *send, void *receive, size_t count,
                           ncclDataType_t type, ncclComm_t communicator,
                           cudaStream_t stream) {
  const size_t bytes = count * bytesOf(type);
  const size_t all = bytes * size_t(communicator->size);
  return run(send, bytes, receive, all, communicator, stream, [=] {
    for (int member = 0; member < communicator->size; ++member)
      std::memcpy(static_cast<char *>(receive) + size_t(member) * bytes,
                  communicator->window(member), bytes);
  });
}

ncclResult_t ncclReduceScatter(const void *send, void *receive, size_t count,
                               ncclDataType_t type, ncclRedOp_t operation,
                               ncclComm_t communicator, cudaStream_t stream) {
  const size_t all = count * size_t(communicator->size);
  const size_t bytes = count * bytesOf(type);
  return run(send, all * bytesOf(type), receive, bytes, communicator, stream,
             [=] {
               reduce(communicator, count * size_t(communicator->rank), count,
                      type, operation, receive);
             });
}

//===----------------------------------------------------------------------===//
// Messages, which travel when their group ends
//===----------------------------------------------------------------------===//

namespace {

struct Message {
  const void *send;
  void *receive;
  size_t bytes;
  int peer;
};

struct Messages {
  std::vector<Message> list;
  ncclComm_t communicator = nullptr;
  cudaStream_t stream = nullptr;
};

} // namespace

static thread_local Messages messages;

ncclResult_t ncclSend(const void *send, size_t count, ncclDataType_t type,
                      int peer, ncclComm_t communicator, cudaStream_t stream) {
  messages.communicator = communicator;
  messages.stream = stream;
  communicator->use(send, count * bytesOf(type));
  messages.list.push_back({send, nullptr, count * bytesOf(type), peer});
  return ncclSuccess;
}

ncclResult_t ncclRecv(void *receive, size_t count, ncclDataType_t type,
                      int peer, ncclComm_t communicator, cudaStream_t stream) {
  messages.communicator = communicator;
  messages.stream = stream;
  communicator->use(receive, count * bytesOf(type));
  messages.list.push_back({nullptr, receive, count * bytesOf(type), peer});
  return ncclSuccess;
}

ncclResult_t ncclGroupStart() { return ncclSuccess; }

/// A window has a place for each peer, and there its messages in order.
ncclResult_t ncclGroupEnd() {
  Messages group;
  std::swap(group, messages);
  if (group.list.empty())
    return ncclSuccess;
  ncclComm_t communicator = group.communicator;
  group.stream->runAll();
  const size_t each = windowBytes / mostMembers;
  std::vector<size_t> sent(mostMembers), received(mostMembers);
  for (const Message &message : group.list) {
    size_t &place = sent[size_t(message.peer)];
    if (!message.send)
      continue;
    if (place + message.bytes > each)
      return ncclInvalidArgument;
    std::memcpy(communicator->window(communicator->rank) +
                    size_t(message.peer) * each + place,
                message.send, message.bytes);
    place += message.bytes;
  }
  communicator->meet();
  for (const Message &message : group.list) {
    size_t &place = received[size_t(message.peer)];
    if (!message.receive)
      continue;
    std::memcpy(message.receive,
                communicator->window(message.peer) +
                    size_t(communicator->rank) * each + place,
                message.bytes);
    place += message.bytes;
  }
  communicator->meet();
  communicator->inProgress = true;
  return communicator->isBroken ? ncclSystemError : ncclSuccess;
}
