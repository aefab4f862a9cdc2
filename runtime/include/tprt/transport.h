//===- transport.h - what carries messages between processes --------------===//
//
// Part of tp-mlir, under the Apache License v2.0.
//
//===----------------------------------------------------------------------===//
//
// The interface of a transport plugin: a shared library that the runtime opens
// by name ("mpi" is libtprt-mpi.so) when a host asks for ranks that are
// processes. A transport only moves bytes: what a collective does with them,
// and in which order it adds, is the runtime's, and the same as with threads.
//
// The runtime calls one function at a time, from any thread. Nothing but
// start, split and finish may block. All functions but abandon return TPRT_OK,
// or another status and a message.
//
//===----------------------------------------------------------------------===//

#ifndef TPRT_TRANSPORT_H
#define TPRT_TRANSPORT_H

#include "tprt/tprt.h"

#ifdef __cplusplus
extern "C" {
#endif

/// Version of this interface.
#define TPRT_TRANSPORT_VERSION 1

/// A group of processes, numbered from 0, whose messages meet no others.
typedef struct tprt_channel tprt_channel;

/// A message under way.
typedef struct tprt_request tprt_request;

/// This process among all that were launched together.
typedef struct tprt_endpoint {
  int64_t rank, size;
  tprt_channel *world;   ///< all processes, for data
  tprt_channel *control; ///< all processes, for what they tell of themselves
  int64_t largest;       ///< bytes of one message at most
  char description[128]; ///< "Open MPI 4.1.4"
} tprt_endpoint;

typedef struct tprt_transport {
  int64_t version;
  const char *name;

  /// Joins the other processes. Once.
  tprt_status (*start)(tprt_endpoint *endpoint, tprt_error *error);

  /// Splits the world: the processes that give the same colour become a
  /// channel, ordered by key. Every process calls it, in the same order.
  tprt_status (*split)(int64_t color, int64_t key, tprt_channel **channel,
                       tprt_error *error);

  /// Begin a message; the memory belongs to it until test says that it is done.
  /// Messages of one tag between two processes arrive in the order in which
  /// they were sent. receive takes from anybody if `peer` is -1.
  tprt_status (*send)(tprt_channel *channel, int64_t peer, int64_t tag,
                      const void *data, int64_t bytes, tprt_request **request,
                      tprt_error *error);
  tprt_status (*receive)(tprt_channel *channel, int64_t peer, int64_t tag,
                         void *data, int64_t capacity, tprt_request **request,
                         tprt_error *error);

  /// Whether a message is done; if so the request is gone, and `bytes` is the
  /// size of what was received.
  tprt_status (*test)(tprt_request *request, int64_t *done, int64_t *bytes,
                      tprt_error *error);

  /// Ends this process and all others, with that exit code, whatever they do.
  /// Does not return.
  void (*abandon)(int64_t code);

  /// Leaves in good order, with no message under way. Once, as the last call.
  tprt_status (*finish)(tprt_error *error);
} tprt_transport;

/// The one function that a plugin exports: its transport, or null if it does
/// not have that version of the interface.
typedef const tprt_transport *(*tprt_transport_get_type)(int64_t version);
#define TPRT_TRANSPORT_SYMBOL "tprt_transport_get"

#ifdef __cplusplus
}
#endif

#endif // TPRT_TRANSPORT_H
