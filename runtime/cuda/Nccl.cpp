//===- Nccl.cpp - collectives by NCCL -------------------------------------===//
//
// Part of tp-mlir, under the Apache License v2.0.
//
//===----------------------------------------------------------------------===//
//
// A communicator for each group that is larger than one, split from that of all
// ranks in one order. Communicators do not block: every wait looks at whether
// the run has failed elsewhere and at its deadline, and a rank that gives up
// aborts its communicators, which ends what is queued. NCCL is opened when it
// is first needed: programs of one rank, and ranks that share a GPU, do
// without.
//
// A rank's memory is NCCL's own and registered with each communicator, once,
// when the ranks first run together: the same bytes at the same offsets on all
// of them, as symmetric windows want it. To register some ranks' memory and not
// that of others is not allowed, so that they agree on what all of them can.
//
//===----------------------------------------------------------------------===//

#include "Exchange.h"
#include "Groups.h"

#if __has_include(<nccl.h>)
#include <cstdlib>
#include <deque>
#include <dlfcn.h>
#include <mutex>
#include <nccl.h>
#include <thread>
#include <vector>
#define TPRT_HAVE_NCCL 1
#else
#define TPRT_HAVE_NCCL 0
#endif

namespace tprt_cuda {

#if TPRT_HAVE_NCCL

//===----------------------------------------------------------------------===//
// The library
//===----------------------------------------------------------------------===//

namespace {

#define TPRT_NCCL_FUNCTIONS(name)                                              \
  name(GetErrorString) name(GetUniqueId) name(CommInitRankConfig)              \
      name(CommSplit) name(CommGetAsyncError) name(CommAbort) name(GroupStart) \
          name(GroupEnd) name(AllReduce) name(AllGather) name(ReduceScatter)   \
              name(Send) name(Recv)

/// What older libraries lack; null there.
#define TPRT_NCCL_MEMORY_FUNCTIONS(name)                                       \
  name(MemAlloc) name(MemFree) name(CommRegister) name(CommDeregister)

#if NCCL_VERSION_CODE >= NCCL_VERSION(2, 27, 0)
#define TPRT_HAVE_NCCL_WINDOWS 1
#define TPRT_NCCL_WINDOW_FUNCTIONS(name)                                       \
  name(CommWindowRegister) name(CommWindowDeregister)
#else
typedef void *ncclWindow_t;
#define TPRT_HAVE_NCCL_WINDOWS 0
#define TPRT_NCCL_WINDOW_FUNCTIONS(name)
#endif

struct Nccl {
// NOLINTNEXTLINE(bugprone-macro-parentheses): a declaration
#define TPRT_MEMBER(name) decltype(&nccl##name) name = nullptr;
  TPRT_NCCL_FUNCTIONS(TPRT_MEMBER)
  TPRT_NCCL_MEMORY_FUNCTIONS(TPRT_MEMBER)
  TPRT_NCCL_WINDOW_FUNCTIONS(TPRT_MEMBER)
#undef TPRT_MEMBER
};

} // namespace

static const char *const installNccl =
    "install NCCL (Debian, from NVIDIA: libnccl2; pip: nvidia-nccl-cu13)";

static const Nccl &getNccl() {
  static std::mutex mutex;
  static const Nccl *loaded = nullptr;
  std::lock_guard<std::mutex> lock(mutex);
  if (loaded)
    return *loaded;
  void *library = dlopen("libnccl.so.2", RTLD_NOW | RTLD_LOCAL);
  if (!library)
    raise(TPRT_UNSUPPORTED, dlerror(), ": ", installNccl);
  static Nccl table;
#define TPRT_FIND_OPTIONAL(name)                                               \
  table.name =                                                                 \
      reinterpret_cast<decltype(table.name)>(dlsym(library, "nccl" #name));
#define TPRT_FIND(name)                                                        \
  TPRT_FIND_OPTIONAL(name)                                                     \
  if (!table.name)                                                             \
    raise(TPRT_UNSUPPORTED,                                                    \
          "libnccl.so.2 is too old, it has no nccl" #name ": ", installNccl);
  TPRT_NCCL_FUNCTIONS(TPRT_FIND)
  TPRT_NCCL_MEMORY_FUNCTIONS(TPRT_FIND_OPTIONAL)
  TPRT_NCCL_WINDOW_FUNCTIONS(TPRT_FIND_OPTIONAL)
#undef TPRT_FIND
#undef TPRT_FIND_OPTIONAL
  loaded = &table;
  return table;
}

static void check(const Nccl &nccl, ncclResult_t status, const char *call) {
  if (status != ncclSuccess && status != ncclInProgress)
    raise(TPRT_FAILED, call, ": ", nccl.GetErrorString(status));
}

static ncclDataType_t typeOf(tprt_dtype type) {
  switch (type) {
  case TPRT_F32:
    return ncclFloat32;
  case TPRT_F64:
    return ncclFloat64;
  case TPRT_BF16:
    return ncclBfloat16;
  case TPRT_F16:
    return ncclFloat16;
  case TPRT_I8:
    return ncclInt8;
  case TPRT_I32:
    return ncclInt32;
  default:
    return ncclInt64;
  }
}

static ncclRedOp_t reductionOf(tprt_reduction reduction) {
  switch (reduction) {
  case TPRT_SUM:
    return ncclSum;
  case TPRT_MAX:
    return ncclMax;
  case TPRT_MIN:
    return ncclMin;
  case TPRT_PRODUCT:
    return ncclProd;
  default:
    raise(TPRT_UNSUPPORTED, "NCCL has no bitwise reductions");
  }
}

//===----------------------------------------------------------------------===//
// Ranks
//===----------------------------------------------------------------------===//

namespace {

class NcclExchange : public Exchange {
public:
  NcclExchange(const Program &program, int64_t rank, const Watch &watch)
      : nccl(getNccl()), program(program), me(rank), watch(watch),
        groups(size_t(program.numGroups), nullptr) {}
  ~NcclExchange() override;

  void connect(const void *id) override;
  void *reserve(int64_t bytes) override;
  void share(Rank &rank, void *block, int64_t bytes) override;
  int32_t agree(Rank &rank, int32_t mine, void *word) override;
  void queue(Rank &rank, const Collective &what) override;
  bool canBeCaptured() const override { return true; }
  void poll() override;
  void abandon() override {
    aborted |= world != nullptr;
    release();
  }
  void reset() override {
    if (aborted)
      raise(TPRT_FAILED, "the ranks gave up their communicators in a run that "
                         "failed: open the program again");
  }

private:
  void queueBuffer(Rank &rank, const Collective &what, ncclComm_t group,
                   const Collective::Buffer &buffer);
  void exchange(Rank &rank, const Collective &what, ncclComm_t group,
                const Collective::Buffer &buffer);
  void permute(Rank &rank, const Collective &what, ncclComm_t group,
               const Collective::Buffer &buffer);
  void settle(ncclComm_t communicator, const char *call);
  bool communicates() const;
  void registerMemory(ncclComm_t communicator, void *block, int64_t bytes,
                      int32_t how);
  void deregister();
  void release();

  /// How memory is known to communicators; what comes later is better.
  enum : int32_t { Unregistered, Registered, Symmetric };
  struct Registration {
    ncclComm_t communicator;
    void *handle;        ///< of ncclCommRegister
    ncclWindow_t window; ///< or of ncclCommWindowRegister
  };

  const Nccl &nccl;
  const Program &program;
  const int64_t me;
  const Watch watch;
  ncclComm_t world = nullptr;
  std::vector<ncclComm_t> groups; ///< null: of one rank
  bool aborted = false;
  void *memory = nullptr;                 ///< NCCL's own
  std::deque<Registration> registrations; ///< which stay where they are
};

} // namespace

/// Until what a communicator was asked for is under way.
void NcclExchange::settle(ncclComm_t communicator, const char *call) {
  const Clock::time_point deadline = watch.deadline();
  for (;;) {
    ncclResult_t state = ncclSuccess;
    check(nccl, nccl.CommGetAsyncError(communicator, &state),
          "ncclCommGetAsyncError");
    check(nccl, state, call);
    if (state == ncclSuccess)
      return;
    if (watch.failed())
      raise(TPRT_FAILED, call, ": the run failed on another rank");
    if (Clock::now() > deadline)
      raise(TPRT_FAILED, call, ": the other ranks did not come in ",
            watch.timeout(), " s");
    std::this_thread::yield();
  }
}

void NcclExchange::connect(const void *bytes) {
  if (program.ranks == 1)
    return;
  ncclUniqueId id;
  std::memcpy(&id, bytes, sizeof id);
  ncclConfig_t config = NCCL_CONFIG_INITIALIZER;
  config.blocking = 0;
  check(
      nccl,
      nccl.CommInitRankConfig(&world, int(program.ranks), id, int(me), &config),
      "ncclCommInitRankConfig");
  settle(world, "ncclCommInitRankConfig");
  for (int64_t i = 0; i < program.numGroups; ++i) {
    const Group &group = program.groups[i];
    if (sizeOf(group) == 1) // on every rank
      continue;
    ncclComm_t &communicator = groups[size_t(i)];
    // The lowest rank is a colour that no other group of the kind has.
    check(nccl,
          nccl.CommSplit(world, int(memberOf(group, me, 0)),
                         int(coordinateOf(group, me)), &communicator, nullptr),
          "ncclCommSplit");
    settle(world, "ncclCommSplit");
    settle(communicator, "ncclCommSplit");
  }
}

//===----------------------------------------------------------------------===//
// Memory
//===----------------------------------------------------------------------===//

/// TPRT_NCCL_MEMORY=0 in the environment does without, on all ranks.
static bool wantsMemory() {
  const char *wish = std::getenv("TPRT_NCCL_MEMORY");
  return !wish || std::strcmp(wish, "0") != 0;
}

void *NcclExchange::reserve(int64_t bytes) {
  if (program.ranks == 1 || !wantsMemory())
    return nullptr;
  const char *reason = "this NCCL has none";
  if (nccl.MemAlloc && nccl.MemFree) {
    const ncclResult_t status = nccl.MemAlloc(&memory, size_t(bytes));
    if (status == ncclSuccess)
      return memory;
    memory = nullptr;
    reason = nccl.GetErrorString(status);
    cudaGetLastError(); // the next call's is its own
  }
  std::fprintf(stderr,
               "remark: rank %lld: no memory of NCCL's own (ncclMemAlloc: %s): "
               "cudaMalloc's, which collectives copy through buffers\n",
               static_cast<long long>(me), reason);
  return nullptr;
}

bool NcclExchange::communicates() const {
  for (ncclComm_t group : groups)
    if (group)
      return true;
  return false;
}

/// Through memory that is pinned: a copy from or to other memory would wait on
/// the host, without an end.
int32_t NcclExchange::agree(Rank &rank, int32_t mine, void *word) {
  if (program.ranks == 1)
    return mine;
  if (!world)
    raise(TPRT_FAILED, "the ranks gave up their communicators in a run that "
                       "failed: open the program again");
  auto *pinned = reinterpret_cast<int32_t *>(rank.fault->values);
  *pinned = mine;
  TPRT_CHECK(cudaMemcpyAsync(word, pinned, sizeof mine, cudaMemcpyHostToDevice,
                             rank.communicate));
  check(nccl,
        nccl.AllReduce(word, word, 1, ncclInt32, ncclMin, world,
                       rank.communicate),
        "ncclAllReduce");
  settle(world, "ncclAllReduce");
  TPRT_CHECK(cudaMemcpyAsync(pinned, word, sizeof mine, cudaMemcpyDeviceToHost,
                             rank.communicate));
  awaitStream(rank.communicate, watch, watch.deadline(), [] {});
  return *pinned;
}

void NcclExchange::share(Rank &rank, void *block, int64_t bytes) {
  if (!world || !communicates() || !wantsMemory())
    return;
  int32_t mine = Unregistered;
  if (memory == block && nccl.CommRegister && nccl.CommDeregister)
    mine = Registered;
#if TPRT_HAVE_NCCL_WINDOWS
  if (memory == block && nccl.CommWindowRegister && nccl.CommWindowDeregister)
    mine = Symmetric;
#endif
  const int32_t all =
      agree(rank, mine, static_cast<char *>(block) + bytes - kWordBytes);
  if (all == Unregistered)
    return;
  for (ncclComm_t group : groups)
    if (group)
      registerMemory(group, block, bytes, all);
}

/// A window is made by all members together, the rest by each for itself. What
/// NCCL has no use for has no handle. NCCL may write a handle after the call.
void NcclExchange::registerMemory(ncclComm_t communicator, void *block,
                                  int64_t bytes, int32_t how) {
  registrations.push_back({communicator, nullptr, nullptr});
  Registration &made = registrations.back();
  const char *call =
      how == Symmetric ? "ncclCommWindowRegister" : "ncclCommRegister";
  try {
#if TPRT_HAVE_NCCL_WINDOWS
    if (how == Symmetric)
      check(nccl,
            nccl.CommWindowRegister(communicator, block, size_t(bytes),
                                    &made.window, NCCL_WIN_COLL_SYMMETRIC),
            call);
#endif
    if (how == Registered)
      check(nccl,
            nccl.CommRegister(communicator, block, size_t(bytes), &made.handle),
            call);
    settle(communicator, call);
  } catch (const tprt::Error &error) {
    raise(error.status(), error.what(),
          "; with TPRT_NCCL_MEMORY=0 in the environment memory is not "
          "registered");
  }
}

/// Before the communicators go, and the memory after them. Errors concern
/// nobody any more.
void NcclExchange::deregister() {
  for (const Registration &made : registrations) {
#if TPRT_HAVE_NCCL_WINDOWS
    if (made.window)
      nccl.CommWindowDeregister(made.communicator, made.window);
#endif
    if (made.handle)
      nccl.CommDeregister(made.communicator, made.handle);
  }
  registrations.clear();
}

NcclExchange::~NcclExchange() {
  release();
  if (!memory)
    return;
  cudaDeviceSynchronize(); // kernels may still be in it; cudaFree would wait
  nccl.MemFree(memory);
}

//===----------------------------------------------------------------------===//
// Collectives
//===----------------------------------------------------------------------===//

void NcclExchange::queue(Rank &rank, const Collective &what) {
  ncclComm_t group = groups[size_t(what.group)];
  if (!group)
    raise(TPRT_FAILED, "collective ", what.id, ": the ranks are not connected");
  check(nccl, nccl.GroupStart(), "ncclGroupStart");
  for (int64_t i = 0; i < what.numBuffers; ++i)
    queueBuffer(rank, what, group, what.buffers[i]);
  check(nccl, nccl.GroupEnd(), "ncclGroupEnd");
  settle(group, "ncclGroupEnd");
}

void NcclExchange::queueBuffer(Rank &rank, const Collective &what,
                               ncclComm_t group,
                               const Collective::Buffer &buffer) {
  const size_t count = size_t(buffer.count);
  const ncclDataType_t type = typeOf(buffer.type);
  switch (what.kind) {
  case TPRT_ALL_REDUCE:
    return check(nccl,
                 nccl.AllReduce(buffer.send, buffer.receive, count, type,
                                reductionOf(what.reduction), group,
                                rank.communicate),
                 "ncclAllReduce");
  case TPRT_ALL_GATHER:
    return check(nccl,
                 nccl.AllGather(buffer.send, buffer.receive, count, type, group,
                                rank.communicate),
                 "ncclAllGather");
  case TPRT_REDUCE_SCATTER:
    return check(nccl,
                 nccl.ReduceScatter(buffer.send, buffer.receive, count, type,
                                    reductionOf(what.reduction), group,
                                    rank.communicate),
                 "ncclReduceScatter");
  case TPRT_ALL_TO_ALL:
    return exchange(rank, what, group, buffer);
  case TPRT_PERMUTE:
    return permute(rank, what, group, buffer);
  }
}

/// A block to and from everybody.
void NcclExchange::exchange(Rank &rank, const Collective &what,
                            ncclComm_t group,
                            const Collective::Buffer &buffer) {
  const ncclDataType_t type = typeOf(buffer.type);
  const int64_t bytes = buffer.count * bytesOf(buffer.type);
  const int64_t members = sizeOf(program.groups[what.group]);
  for (int64_t member = 0; member < members; ++member) {
    check(nccl,
          nccl.Send(static_cast<const char *>(buffer.send) + member * bytes,
                    size_t(buffer.count), type, int(member), group,
                    rank.communicate),
          "ncclSend");
    check(nccl,
          nccl.Recv(static_cast<char *>(buffer.receive) + member * bytes,
                    size_t(buffer.count), type, int(member), group,
                    rank.communicate),
          "ncclRecv");
  }
}

/// All of it from one member, and to whoever takes it from this one.
void NcclExchange::permute(Rank &rank, const Collective &what,
                           ncclComm_t communicator,
                           const Collective::Buffer &buffer) {
  const Group &group = program.groups[what.group];
  const Group &source = program.groups[what.source];
  const int64_t mine = coordinateOf(group, me);
  for (int64_t member = 0; member < sizeOf(group); ++member)
    if (coordinateOf(source, memberOf(group, me, member)) == mine)
      check(nccl,
            nccl.Send(buffer.send, size_t(buffer.count), typeOf(buffer.type),
                      int(member), communicator, rank.communicate),
            "ncclSend");
  check(nccl,
        nccl.Recv(buffer.receive, size_t(buffer.count), typeOf(buffer.type),
                  int(coordinateOf(source, me)), communicator,
                  rank.communicate),
        "ncclRecv");
}

void NcclExchange::poll() {
  for (ncclComm_t communicator : groups)
    if (communicator) {
      ncclResult_t state = ncclSuccess;
      check(nccl, nccl.CommGetAsyncError(communicator, &state),
            "ncclCommGetAsyncError");
      check(nccl, state, "NCCL");
    }
}

/// Also in good order: ncclCommDestroy would wait for the other ranks, which
/// one thread may be giving back one after the other.
void NcclExchange::release() {
  deregister();
  groups.push_back(world);
  for (ncclComm_t communicator : groups)
    if (communicator)
      nccl.CommAbort(communicator);
  groups.assign(size_t(program.numGroups), nullptr);
  world = nullptr;
}

void requireNccl() { getNccl(); }

void makeNcclId(void *id) {
  static_assert(sizeof(ncclUniqueId) == 128, "TPRT_DEVICE_ID_BYTES");
  const Nccl &nccl = getNccl();
  check(nccl, nccl.GetUniqueId(static_cast<ncclUniqueId *>(id)),
        "ncclGetUniqueId");
}

std::unique_ptr<Exchange> makeNcclExchange(const Program &program, int64_t rank,
                                           const Watch &watch) {
  return std::make_unique<NcclExchange>(program, rank, watch);
}

#else // the plugin was built without

void requireNccl() {
  raise(TPRT_UNSUPPORTED, "the runtime was built without NCCL: install it "
                          "(Debian, from NVIDIA: libnccl-dev) and build the "
                          "runtime again");
}

void makeNcclId(void *) { requireNccl(); }

std::unique_ptr<Exchange> makeNcclExchange(const Program &, int64_t,
                                           const Watch &) {
  requireNccl();
  return nullptr;
}

#endif

} // namespace tprt_cuda
