//===- device.h - what runs a program's entries on a device ---------------===//
//
// Part of tp-mlir, under the Apache License v2.0.
//
//===----------------------------------------------------------------------===//
//
// The interface of a device plugin: a shared library that the runtime opens by
// name ("cuda" is libtprt-cuda.so) when a program's manifest says that it was
// made for that backend. A plugin has the memory of ranks, moves bytes to and
// from it and runs entries; which bytes, and when, is the runtime's, and the
// same as on CPUs.
//
// A rank is named by its slot, its place among those of this process. What is
// said of one slot is said by one thread at a time; what is said of different
// slots may come at the same time. All functions but close, describe and
// wants_id return TPRT_OK, or another status and a message.
//
//===----------------------------------------------------------------------===//

#ifndef TPRT_DEVICE_H
#define TPRT_DEVICE_H

#include "tprt/tprt.h"

#ifdef __cplusplus
extern "C" {
#endif

/// Version of this interface.
#define TPRT_DEVICE_VERSION 2

/// The symbol of a program for a device that is no entry: a tprt_device_table.
#define TPRT_DEVICE_TABLE "tp_device_table"

/// What the plugin must know of a program; it says what that is.
typedef const void *(*tprt_device_table)(void);

/// Bytes that the ranks of a program give one another before they communicate.
#define TPRT_DEVICE_ID_BYTES 128

/// The devices that have the ranks of this process.
typedef struct tprt_device tprt_device;

typedef struct tprt_device_setup {
  const void *table;                ///< what the program's table function gave
  int64_t ranks;                    ///< of the mesh
  int64_t first, count;             ///< those of this process
  int64_t local_rank, local_size;   ///< this process among those of the machine
  const char *collectives;          ///< see tprt_options
  double timeout_seconds;           ///< a rank that waits longer fails
  void *context;                    ///< of these functions, from any thread:
  int64_t (*failed)(void *context); ///< whether the run failed elsewhere
  /// A rank comes to a collective, in which it sends so many bytes.
  void (*collective)(void *context, int64_t slot, int64_t id, int64_t bytes);
  /// While it waits for the end of a run, and if it waits in vain: of the
  /// collectives that the rank came to in this run, so many have begun and so
  /// many have ended on the device.
  void (*progress)(void *context, int64_t slot, int64_t begun, int64_t ended);
} tprt_device_setup;

typedef struct tprt_device_plugin {
  int64_t version;
  const char *name;

  /// TPRT_UNSUPPORTED, with what is missing, if there is no such device.
  tprt_status (*open)(const tprt_device_setup *setup, tprt_device **device,
                      tprt_error *error);
  /// Null is allowed.
  void (*close)(tprt_device *device);

  /// "NVIDIA H200, 4 ranks share it: loopback collectives; ..."; not while an
  /// entry runs.
  void (*describe)(const tprt_device *device, char *text, size_t size);

  /// Whether the ranks need an id; made on one of them, for all.
  int64_t (*wants_id)(const tprt_device *device);
  tprt_status (*make_id)(tprt_device *device, void *id, tprt_error *error);

  /// Joins the other ranks; all of them come, each with the same id, on threads
  /// of their own.
  tprt_status (*connect)(tprt_device *device, int64_t slot, const void *id,
                         tprt_error *error);

  /// Bytes that are free where a slot's memory would be, and how many ranks of
  /// this machine share them.
  tprt_status (*available)(tprt_device *device, int64_t slot, int64_t *bytes,
                           int64_t *sharers, tprt_error *error);
  /// A slot's one block, zeroed; freed by close.
  tprt_status (*reserve)(tprt_device *device, int64_t slot, int64_t bytes,
                         void **block, tprt_error *error);

  /// How much stage and put move at once.
  int64_t staging_bytes;
  /// Memory of the host's that is fast to copy from, for what is put next; it
  /// is the slot's, and another one than that of the put before, so that the
  /// caller writes to one while the other is copied.
  tprt_status (*stage)(tprt_device *device, int64_t slot, void **memory,
                       tprt_error *error);
  /// Begins to copy what was staged; it is there before whatever the slot does
  /// next.
  tprt_status (*put)(tprt_device *device, int64_t slot, void *target,
                     int64_t bytes, tprt_error *error);
  tprt_status (*read)(tprt_device *device, int64_t slot, void *target,
                      const void *source, int64_t bytes, tprt_error *error);
  tprt_status (*fill)(tprt_device *device, int64_t slot, void *target,
                      int64_t byte, int64_t bytes, tprt_error *error);

  /// Runs an entry of the program to its end.
  tprt_status (*run)(tprt_device *device, int64_t slot, int64_t entry,
                     void *arena, void *const *arguments, void *const *results,
                     tprt_error *error);
  /// Before a run, with all ranks idle: forgets what a failed one left behind.
  tprt_status (*reset)(tprt_device *device, tprt_error *error);
} tprt_device_plugin;

/// The one function that a plugin exports: null if it does not have that
/// version of the interface.
typedef const tprt_device_plugin *(*tprt_device_get_type)(int64_t version);
#define TPRT_DEVICE_SYMBOL "tprt_device_get"

#ifdef __cplusplus
}
#endif

#endif // TPRT_DEVICE_H
