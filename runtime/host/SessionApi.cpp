//===- SessionApi.cpp - the session half of the C ABI --------------------===//
//
// Part of tp-mlir, under the Apache License v2.0.
//
//===----------------------------------------------------------------------===//

#include "ApiGuard.h"
#include "Blas.h"
#include "Session.h"

#include <cstdlib>
#include <cstring>

using namespace tprt;

struct tprt_session {
  std::shared_ptr<Session> session;
};

/// Runs the body of a function of the session API.
template <typename Body>
static tprt_status callGuarded(tprt_error *error, tprt_session *session,
                               Body &&body) noexcept {
  if (session && session->session->processes())
    return callGuarded(error, *session->session->processes(), body);
  return callGuarded(error, body);
}

static Session &check(tprt_session *session) {
  if (!session)
    raise(TPRT_INVALID, "the session is null");
  return *session->session;
}

tprt_status tprt_session_create(const char *manifest, tprt_lookup lookup,
                                void *context, const tprt_options *options,
                                tprt_session **session, tprt_error *error) {
  if (session)
    *session = nullptr;
  auto create = [&] {
    if (!session)
      raise(TPRT_INVALID, "nowhere to put the session");
    useOneBlasThread();
    auto made = std::make_unique<tprt_session>();
    std::shared_ptr<World> world;
    if (options && options->world)
      world = options->world->world;
    made->session = std::make_shared<Session>(
        manifest, lookup, context, readTimeout(options), std::move(world),
        options ? options->fingerprint : 0,
        options ? options->collectives : nullptr);
    try {
      made->session->start();
    } catch (...) {
      made->session->stop();
      throw;
    }
    *session = made.release();
  };
  if (options && options->world)
    return callGuarded(error, *options->world->world, create);
  return callGuarded(error, create);
}

tprt_status tprt_session_load(tprt_session *session, const char *path,
                              uint64_t seed, tprt_error *error) {
  return callGuarded(error, session, [&] { check(session).load(path, seed); });
}

tprt_status tprt_session_run(tprt_session *session, const char *entry,
                             const tprt_buffer *inputs, size_t num_inputs,
                             tprt_buffer *outputs, size_t num_outputs,
                             tprt_error *error) {
  return callGuarded(error, session, [&] {
    if ((num_inputs && !inputs) || (num_outputs && !outputs))
      raise(TPRT_INVALID, "the buffers are null");
    check(session).run(entry, inputs, num_inputs, outputs, num_outputs);
  });
}

tprt_status tprt_session_reset(tprt_session *session, tprt_error *error) {
  return callGuarded(error, session, [&] { check(session).reset(); });
}

/// A copy that tprt_free frees.
static char *copyText(const std::string &text) {
  char *copy = static_cast<char *>(std::malloc(text.size() + 1));
  if (!copy)
    throw std::bad_alloc();
  std::memcpy(copy, text.c_str(), text.size() + 1);
  return copy;
}

tprt_status tprt_session_counters(tprt_session *session, char **json,
                                  tprt_error *error) {
  if (json)
    *json = nullptr;
  return callGuarded(error, session, [&] {
    if (!json)
      raise(TPRT_INVALID, "nowhere to put the counters");
    *json = copyText(check(session).counters());
  });
}

tprt_status tprt_session_start_timeline(tprt_session *session,
                                        tprt_error *error) {
  return callGuarded(error, session, [&] { check(session).startTimeline(); });
}

tprt_status tprt_session_timeline(tprt_session *session, char **json,
                                  int64_t *runs_left_out, tprt_error *error) {
  if (json)
    *json = nullptr;
  return callGuarded(error, session, [&] {
    if (!json || !runs_left_out)
      raise(TPRT_INVALID, "nowhere to put the timeline");
    std::string text = check(session).timeline(*runs_left_out);
    if (!text.empty())
      *json = copyText(text);
  });
}

const char *tprt_session_description(const tprt_session *session) {
  if (!session)
    return nullptr;
  try {
    return session->session->description().c_str();
  } catch (const std::bad_alloc &) {
    return "out of memory";
  }
}

const char *tprt_session_entry(tprt_session *session, size_t index) {
  return session ? session->session->entryName(index) : nullptr;
}

/// Fills what fits; 0 if `list` does not know the entry.
template <typename List>
static size_t describe(tprt_buffer *buffers, size_t capacity,
                       List &&list) noexcept {
  std::vector<tprt_buffer> all;
  if (callGuarded(nullptr, [&] { all = list(); }) != TPRT_OK)
    return 0;
  for (size_t i = 0; buffers && i < std::min(capacity, all.size()); ++i)
    buffers[i] = all[i];
  return all.size();
}

size_t tprt_session_inputs(tprt_session *session, const char *entry,
                           tprt_buffer *inputs, size_t capacity) {
  return describe(inputs, capacity,
                  [&] { return check(session).describeInputs(entry); });
}

size_t tprt_session_outputs(tprt_session *session, const char *entry,
                            tprt_buffer *outputs, size_t capacity) {
  return describe(outputs, capacity,
                  [&] { return check(session).describeOutputs(entry); });
}

void tprt_free(void *pointer) { std::free(pointer); }

/// Keeps a session until the process ends, which is soon: messages that were
/// given up may still reach its memory.
static void keepForever(tprt_session *session) {
  static std::mutex mutex;
  static auto *kept = new std::vector<std::unique_ptr<tprt_session>>;
  std::lock_guard<std::mutex> lock(mutex);
  session->session->forgetWorld();
  kept->emplace_back(session);
}

void tprt_session_destroy(tprt_session *session) {
  if (!session)
    return;
  callGuarded(nullptr, [&] { session->session->stop(); });
  World *world = session->session->processes();
  if (world && world->failed())
    keepForever(session);
  else
    delete session;
}
