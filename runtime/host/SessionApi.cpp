//===- SessionApi.cpp - the session half of the C ABI --------------------===//
//
// Part of tp-mlir, under the Apache License v2.0.
//
//===----------------------------------------------------------------------===//

#include "Session.h"

#include "Blas.h"

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <cstring>

using namespace tprt;

struct tprt_session {
  std::shared_ptr<Session> session;
};

static constexpr double defaultTimeout = 60;
static constexpr double longestTimeout = 1e8; // years, and far from overflows

static void setMessage(tprt_error *error, const char *message) noexcept {
  if (!error)
    return;
  std::strncpy(error->message, message, sizeof error->message - 1);
  error->message[sizeof error->message - 1] = '\0';
}

/// Runs the body of a function of the session API; no exception leaves it.
template <typename Body>
static tprt_status callGuarded(tprt_error *error, Body &&body) noexcept {
  try {
    body();
    return TPRT_OK;
  } catch (const Error &failure) {
    const char *what = failure.what();
    setMessage(error, *what ? what : "out of memory");
    return failure.status();
  } catch (const std::bad_alloc &) {
    setMessage(error, "out of memory");
    return TPRT_OUT_OF_MEMORY;
  } catch (const std::exception &exception) {
    setMessage(error, exception.what());
    return TPRT_FAILED;
  } catch (...) {
    setMessage(error, "unknown exception");
    return TPRT_FAILED;
  }
}

static Session &check(tprt_session *session) {
  if (!session)
    raise(TPRT_INVALID, "the session is null");
  return *session->session;
}

static double readTimeout(const tprt_options *options) {
  double seconds = options ? options->timeout_seconds : 0;
  if (!(seconds >= 0)) // NaN too
    raise(TPRT_INVALID, "timeout_seconds is ", seconds);
  return seconds == 0 ? defaultTimeout : std::min(seconds, longestTimeout);
}

tprt_status tprt_session_create(const char *manifest, tprt_lookup lookup,
                                void *context, const tprt_options *options,
                                tprt_session **session, tprt_error *error) {
  if (session)
    *session = nullptr;
  return callGuarded(error, [&] {
    if (!session)
      raise(TPRT_INVALID, "nowhere to put the session");
    useOneBlasThread();
    auto made = std::make_unique<tprt_session>();
    made->session = std::make_shared<Session>(manifest, lookup, context,
                                              readTimeout(options));
    made->session->start();
    *session = made.release();
  });
}

tprt_status tprt_session_load(tprt_session *session, const char *path,
                              uint64_t seed, tprt_error *error) {
  return callGuarded(error, [&] { check(session).load(path, seed); });
}

tprt_status tprt_session_run(tprt_session *session, const char *entry,
                             const tprt_buffer *inputs, size_t num_inputs,
                             tprt_buffer *outputs, size_t num_outputs,
                             tprt_error *error) {
  return callGuarded(error, [&] {
    if ((num_inputs && !inputs) || (num_outputs && !outputs))
      raise(TPRT_INVALID, "the buffers are null");
    check(session).run(entry, inputs, num_inputs, outputs, num_outputs);
  });
}

tprt_status tprt_session_reset(tprt_session *session, tprt_error *error) {
  return callGuarded(error, [&] { check(session).reset(); });
}

tprt_status tprt_session_counters(tprt_session *session, char **json,
                                  tprt_error *error) {
  if (json)
    *json = nullptr;
  return callGuarded(error, [&] {
    if (!json)
      raise(TPRT_INVALID, "nowhere to put the counters");
    std::string text = check(session).counters();
    *json = static_cast<char *>(std::malloc(text.size() + 1));
    if (!*json)
      throw std::bad_alloc();
    std::memcpy(*json, text.c_str(), text.size() + 1);
  });
}

void tprt_free(void *pointer) { std::free(pointer); }

void tprt_session_destroy(tprt_session *session) {
  if (!session)
    return;
  callGuarded(nullptr, [&] { session->session->stop(); });
  delete session;
}
