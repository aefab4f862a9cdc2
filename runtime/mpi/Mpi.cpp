//===- Mpi.cpp - messages between processes by MPI ------------------------===//
//
// Part of tp-mlir, under the Apache License v2.0.
//
//===----------------------------------------------------------------------===//
//
// A channel is a communicator, a request is a request. Nothing of MPI's own
// collectives is used: their order of additions is not defined.
//
//===----------------------------------------------------------------------===//

#include "tprt/transport.h"

// The C++ bindings were removed from the standard; some headers still have
// them.
#define OMPI_SKIP_MPICXX 1
#define MPICH_SKIP_MPICXX 1
#include <mpi.h>

#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <new>
#include <unistd.h>

struct tprt_channel {
  MPI_Comm communicator;
  tprt_channel *next; ///< of those made before
};

/// All of them, the last one first.
static tprt_channel *channels = nullptr;

struct tprt_request {
  MPI_Request request;
};

/// TPRT_OK, or the message of an error code of MPI.
static tprt_status check(int code, const char *function, tprt_error *error) {
  if (code == MPI_SUCCESS)
    return TPRT_OK;
  char text[MPI_MAX_ERROR_STRING] = "unknown error";
  int length = 0;
  MPI_Error_string(code, text, &length);
  std::snprintf(error->message, sizeof error->message, "%s: %s", function,
                text);
  return TPRT_FAILED;
}

static tprt_status outOfMemory(tprt_error *error) {
  std::snprintf(error->message, sizeof error->message, "out of memory");
  return TPRT_OUT_OF_MEMORY;
}

/// Makes a channel of a communicator, whose errors come back to us.
static tprt_status makeChannel(MPI_Comm communicator, tprt_channel **channel,
                               tprt_error *error) {
  *channel = new (std::nothrow) tprt_channel{communicator, channels};
  if (!*channel)
    return outOfMemory(error);
  channels = *channel;
  return check(MPI_Comm_set_errhandler(communicator, MPI_ERRORS_RETURN),
               "MPI_Comm_set_errhandler", error);
}

static tprt_status duplicateWorld(tprt_channel **channel, tprt_error *error) {
  MPI_Comm copy;
  tprt_status status =
      check(MPI_Comm_dup(MPI_COMM_WORLD, &copy), "MPI_Comm_dup", error);
  return status != TPRT_OK ? status : makeChannel(copy, channel, error);
}

/// "Open MPI v4.1.4", from the first line of what the library says of itself.
static void describe(char *text, size_t size) {
  char version[MPI_MAX_LIBRARY_VERSION_STRING] = "MPI";
  int length = 0;
  MPI_Get_library_version(version, &length);
  size_t end = std::strcspn(version, ",\n");
  std::snprintf(text, size, "%.*s", int(end), version);
}

static tprt_status start(tprt_endpoint *endpoint, tprt_error *error) {
  // Open MPI would read large messages straight out of the sender's memory, and
  // end the process, without a word of ours, if the sender has died.
  setenv("OMPI_MCA_btl_vader_single_copy_mechanism", "none", /*overwrite=*/0);
  // Instead they go through shared memory, in pieces that are larger than usual
  // because ranks that outnumber the cores take turns at each.
  setenv("OMPI_MCA_btl_vader_max_send_size", "131072", /*overwrite=*/0);
  int provided = MPI_THREAD_SINGLE;
  tprt_status status =
      check(MPI_Init_thread(nullptr, nullptr, MPI_THREAD_SERIALIZED, &provided),
            "MPI_Init_thread", error);
  if (status != TPRT_OK)
    return status;
  if (provided < MPI_THREAD_SERIALIZED) {
    std::snprintf(error->message, sizeof error->message,
                  "this MPI library does not allow calls from several threads");
    return TPRT_UNSUPPORTED;
  }
  MPI_Comm_set_errhandler(MPI_COMM_WORLD, MPI_ERRORS_RETURN);
  int rank = 0, size = 1;
  MPI_Comm_rank(MPI_COMM_WORLD, &rank);
  MPI_Comm_size(MPI_COMM_WORLD, &size);
  endpoint->rank = rank;
  endpoint->size = size;
  endpoint->largest = int64_t(1) << 30; // counts are of type int
  describe(endpoint->description, sizeof endpoint->description);
  status = duplicateWorld(&endpoint->world, error);
  return status != TPRT_OK ? status : duplicateWorld(&endpoint->control, error);
}

static tprt_status split(int64_t color, int64_t key, tprt_channel **channel,
                         tprt_error *error) {
  MPI_Comm part;
  tprt_status status =
      check(MPI_Comm_split(MPI_COMM_WORLD, int(color), int(key), &part),
            "MPI_Comm_split", error);
  return status != TPRT_OK ? status : makeChannel(part, channel, error);
}

static tprt_status send(tprt_channel *channel, int64_t peer, int64_t tag,
                        const void *data, int64_t bytes, tprt_request **request,
                        tprt_error *error) {
  *request = new (std::nothrow) tprt_request;
  if (!*request)
    return outOfMemory(error);
  // Waited for in test(). NOLINTNEXTLINE(clang-analyzer-optin.mpi.MPI-Checker)
  return check(MPI_Isend(data, int(bytes), MPI_BYTE, int(peer), int(tag),
                         channel->communicator, &(*request)->request),
               "MPI_Isend", error);
}

static tprt_status receive(tprt_channel *channel, int64_t peer, int64_t tag,
                           void *data, int64_t capacity, tprt_request **request,
                           tprt_error *error) {
  *request = new (std::nothrow) tprt_request;
  if (!*request)
    return outOfMemory(error);
  int source = peer < 0 ? MPI_ANY_SOURCE : int(peer);
  // Waited for in test(). NOLINTNEXTLINE(clang-analyzer-optin.mpi.MPI-Checker)
  return check(MPI_Irecv(data, int(capacity), MPI_BYTE, source, int(tag),
                         channel->communicator, &(*request)->request),
               "MPI_Irecv", error);
}

static tprt_status test(tprt_request *request, int64_t *done, int64_t *bytes,
                        tprt_error *error) {
  int flag = 0;
  MPI_Status state;
  tprt_status status =
      check(MPI_Test(&request->request, &flag, &state), "MPI_Test", error);
  *done = flag;
  if (status != TPRT_OK || !flag)
    return status;
  int count = 0;
  MPI_Get_count(&state, MPI_BYTE, &count);
  *bytes = count;
  delete request;
  return TPRT_OK;
}

static void abandon(int64_t code) {
  // MPI_Abort waits for the launcher, which may itself be gone: a signal ends
  // this process then.
  std::signal(SIGALRM, SIG_DFL);
  alarm(2);
  int initialised = 0, finalised = 0;
  MPI_Initialized(&initialised);
  MPI_Finalized(&finalised);
  if (initialised && !finalised)
    MPI_Abort(MPI_COMM_WORLD, int(code));
  _exit(int(code));
}

static tprt_status finish(tprt_error *error) {
  tprt_status status = check(MPI_Finalize(), "MPI_Finalize", error);
  while (channels) {
    tprt_channel *next = channels->next;
    delete channels;
    channels = next;
  }
  return status;
}

static const tprt_transport transport = {TPRT_TRANSPORT_VERSION,
                                         "mpi",
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
