/* Runs a compiled program on inputs that it makes up, and writes what came out,
 * or holds it against what another program gave:
 *   gpu-check record PROGRAM.so FILE
 *   gpu-check check PROGRAM.so FILE TOLERANCE [COLLECTIVES]
 *   gpu-check time PROGRAM.so ENTRY REPETITIONS [INPUT=VALUE...]
 * A program with @prefill and @decode continues a prompt; of others the first
 * entry runs. Integers must be equal, and numbers within the tolerance,
 * relative to the largest. Weights are random. The time is that of a run from
 * its call to its return, with every element of a named i32 input set to the
 * value. Exits with 77 if there is no GPU. Needs the runtime alone. */
#define _POSIX_C_SOURCE 199309L
#include "tprt/tprt.h"
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { kSkipped = 77, kMostBuffers = 16, kSteps = 12, kWarmRuns = 3 };

static tprt_error error;
static tprt_world *world;
static tprt_session *session;

/* What came out so far. */
static char *record;
static size_t recordBytes;

/* The runtime needs one message for all processes: who fails, fails them all.
 */
static void finish(int code) {
  tprt_session_destroy(session);
  tprt_error last;
  if (tprt_world_close(world, code, &last) != TPRT_OK && code == 0) {
    fprintf(stderr, "error: %s\n", last.message);
    code = 1;
  }
  exit(code);
}

static void check(tprt_status status) {
  if (status == TPRT_OK)
    return;
  if (status != TPRT_ELSEWHERE)
    fprintf(stderr, "error: %s\n", error.message);
  const int skipped =
      status == TPRT_UNSUPPORTED && strstr(error.message, "no GPU") != NULL;
  finish(skipped ? kSkipped : 1);
}

static void fail(const char *message) {
  tprt_world_fail(world, message, &error);
  fprintf(stderr, "error: %s\n", message);
  finish(1);
}

static size_t elementBytes(tprt_dtype dtype) {
  switch (dtype) {
  case TPRT_I8:
    return 1;
  case TPRT_F64:
  case TPRT_I64:
    return 8;
  case TPRT_BF16:
  case TPRT_F16:
    return 2;
  default:
    return 4;
  }
}

static size_t countOf(const tprt_buffer *buffer) {
  size_t count = 1;
  for (int64_t i = 0; i < buffer->rank; ++i)
    count *= (size_t)buffer->shape[i];
  return count;
}

static void append(const void *data, size_t bytes) {
  record = realloc(record, recordBytes + bytes);
  if (!record)
    fail("out of memory");
  memcpy(record + recordBytes, data, bytes);
  recordBytes += bytes;
}

/* Outputs go to the record: dtype, count, elements. */
static void run(const char *entry, tprt_buffer *inputs, size_t numInputs,
                int32_t *best) {
  tprt_buffer outputs[kMostBuffers];
  const size_t count =
      tprt_session_outputs(session, entry, outputs, kMostBuffers);
  if (count > kMostBuffers)
    fail("too many outputs");
  for (size_t i = 0; i < count; ++i)
    outputs[i].data =
        calloc(countOf(&outputs[i]) + 1, elementBytes(outputs[i].dtype));
  check(tprt_session_run(session, entry, inputs, numInputs, outputs, count,
                         &error));
  for (size_t i = 0; i < count; ++i) {
    const int64_t head[2] = {outputs[i].dtype, (int64_t)countOf(&outputs[i])};
    append(head, sizeof head);
    append(outputs[i].data,
           countOf(&outputs[i]) * elementBytes(outputs[i].dtype));
    if (best && strcmp(outputs[i].name, "top_ids") == 0)
      *best = *(const int32_t *)outputs[i].data;
    free(outputs[i].data);
  }
}

/* The next token, the same in every process. */
static int32_t feed(const char *entry, const int32_t *tokens, int32_t count,
                    int32_t *position) {
  int32_t best = 0, length = 0;
  tprt_buffer in[3];
  if (tprt_session_inputs(session, entry, in, 3) != 3 || in[0].rank != 2)
    fail("an entry does not take (input_ids, position, length)");
  const int32_t chunk = (int32_t)in[0].shape[1];
  int32_t *ids = calloc((size_t)chunk, sizeof *ids);
  in[0].data = ids, in[1].data = position, in[2].data = &length;
  for (; count > 0; count -= length, tokens += length, *position += length) {
    length = count < chunk ? count : chunk;
    memcpy(ids, tokens, (size_t)length * sizeof *ids);
    run(entry, in, 3, &best);
    check(tprt_world_size(world) == 1
              ? TPRT_OK
              : tprt_world_broadcast(world, &best, sizeof best, &error));
  }
  free(ids);
  return best;
}

static void generate(void) {
  const int32_t prompt[] = {1, 2, 3, 4, 5, 6};
  int32_t position = 0, next = feed("prefill", prompt, 6, &position);
  for (int step = 0; step < kSteps; ++step)
    next = feed("decode", &next, 1, &position);
}

/* Returns how many there are. */
static size_t makeInputs(const char *entry, tprt_buffer *inputs) {
  const size_t count =
      tprt_session_inputs(session, entry, inputs, kMostBuffers);
  if (count > kMostBuffers)
    fail("too many inputs");
  for (size_t i = 0; i < count; ++i) {
    const size_t size = countOf(&inputs[i]);
    inputs[i].data = calloc(size + 1, elementBytes(inputs[i].dtype));
    for (size_t k = 0; k < size; ++k)
      if (inputs[i].dtype == TPRT_I32)
        ((int32_t *)inputs[i].data)[k] = (int32_t)((7 * k + 3) % 48);
      else if (inputs[i].dtype == TPRT_F32)
        ((float *)inputs[i].data)[k] = (float)((7 * k + 3) % 48) / 32;
      else
        fail("an input is neither i32 nor f32");
  }
  return count;
}

static void forward(const char *entry) {
  tprt_buffer inputs[kMostBuffers];
  const size_t count = makeInputs(entry, inputs);
  run(entry, inputs, count, NULL);
  for (size_t i = 0; i < count; ++i)
    free(inputs[i].data);
}

static int hasEntry(const char *name) {
  const char *entry;
  for (size_t i = 0; (entry = tprt_session_entry(session, i)); ++i)
    if (strcmp(entry, name) == 0)
      return 1;
  return 0;
}

static void setInput(tprt_buffer *inputs, size_t count, const char *text) {
  const char *equals = strchr(text, '=');
  for (size_t i = 0; equals && i < count; ++i) {
    if (strncmp(inputs[i].name, text, (size_t)(equals - text)) != 0 ||
        inputs[i].name[equals - text] != '\0' || inputs[i].dtype != TPRT_I32)
      continue;
    for (size_t k = 0; k < countOf(&inputs[i]); ++k)
      ((int32_t *)inputs[i].data)[k] = (int32_t)strtol(equals + 1, NULL, 10);
    return;
  }
  char message[256];
  snprintf(message, sizeof message,
           "\"%s\" is not INPUT=VALUE of an i32 input of the entry", text);
  fail(message);
}

static double secondsNow(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

static int compareTimes(const void *a, const void *b) {
  const double x = *(const double *)a, y = *(const double *)b;
  return (x > y) - (x < y);
}

/* The first runs find algorithms, and capture graphs. */
static void timeEntry(const char *entry, long repetitions, char **values,
                      int numValues) {
  if (!hasEntry(entry))
    fail("the program has no such entry");
  if (repetitions < 1)
    fail("there must be one repetition at least");
  tprt_buffer inputs[kMostBuffers];
  const size_t count = makeInputs(entry, inputs);
  for (int i = 0; i < numValues; ++i)
    setInput(inputs, count, values[i]);
  double *times = calloc((size_t)repetitions, sizeof *times);
  if (!times)
    fail("out of memory");
  for (long i = -kWarmRuns; i < repetitions; ++i) {
    const double begin = secondsNow();
    run(entry, inputs, count, NULL);
    if (i >= 0)
      times[i] = secondsNow() - begin;
    recordBytes = 0;
  }
  qsort(times, (size_t)repetitions, sizeof *times, compareTimes);
  printf("%s: least %.3f us, median %.3f us; on %s\n", entry, times[0] * 1e6,
         times[repetitions / 2] * 1e6, tprt_session_description(session));
  free(times);
  for (size_t i = 0; i < count; ++i)
    free(inputs[i].data);
}

/* Element i as a number. */
static double numberAt(tprt_dtype dtype, const char *data, int64_t i) {
  uint32_t bits;
  uint16_t half;
  float single;
  double value;
  switch (dtype) {
  case TPRT_F32:
    memcpy(&single, data + 4 * i, 4);
    return single;
  case TPRT_F64:
    memcpy(&value, data + 8 * i, 8);
    return value;
  case TPRT_BF16:
    memcpy(&half, data + 2 * i, 2);
    bits = (uint32_t)half << 16;
    memcpy(&single, &bits, 4);
    return single;
  default:
    return NAN;
  }
}

/* Whether one output is what it should be; `error` is relative to the largest.
 */
static int agrees(tprt_dtype dtype, const char *got, const char *wanted,
                  int64_t count, double tolerance, double *largestError) {
  if (dtype == TPRT_I8 || dtype == TPRT_I32 || dtype == TPRT_I64)
    return memcmp(got, wanted, (size_t)count * elementBytes(dtype)) == 0;
  double difference = 0, largest = 0;
  for (int64_t i = 0; i < count; ++i) {
    const double a = numberAt(dtype, got, i), b = numberAt(dtype, wanted, i);
    if (!isfinite(a) || !isfinite(b))
      return 0;
    difference = fmax(difference, fabs(a - b));
    largest = fmax(largest, fabs(b));
  }
  const double relative = largest > 0 ? difference / largest : difference;
  *largestError = fmax(*largestError, relative);
  return relative <= tolerance;
}

static char *readFile(const char *path, size_t *bytes) {
  FILE *file = fopen(path, "rb");
  if (!file)
    fail("cannot read the expected values");
  fseek(file, 0, SEEK_END);
  *bytes = (size_t)ftell(file);
  rewind(file);
  char *data = malloc(*bytes + 1);
  if (!data || fread(data, 1, *bytes, file) != *bytes)
    fail("cannot read the expected values");
  fclose(file);
  return data;
}

static void compare(const char *path, double tolerance) {
  size_t bytes;
  char *wanted = readFile(path, &bytes);
  double largestError = 0;
  if (bytes != recordBytes || bytes == 0)
    fail("there are other outputs than expected");
  int output = 0;
  for (size_t at = 0; at < bytes; ++output) {
    int64_t head[2], other[2];
    memcpy(head, record + at, sizeof head);
    memcpy(other, wanted + at, sizeof other);
    at += sizeof head;
    if (memcmp(head, other, sizeof head) != 0)
      fail("there are other outputs than expected");
    const tprt_dtype dtype = (tprt_dtype)head[0];
    if (!agrees(dtype, record + at, wanted + at, head[1], tolerance,
                &largestError)) {
      char text[128];
      snprintf(text, sizeof text,
               "output %d is not what is expected; error %.3g, tolerance %.3g",
               output, largestError, tolerance);
      fail(text);
    }
    at += (size_t)head[1] * elementBytes(dtype);
  }
  printf("%d outputs agree, error %.3g; on %s\n", output, largestError,
         tprt_session_description(session));
  free(wanted);
}

int main(int argc, char **argv) {
  const int records = argc == 4 && strcmp(argv[1], "record") == 0;
  const int times = argc >= 5 && strcmp(argv[1], "time") == 0;
  if (!records && !times &&
      !((argc == 5 || argc == 6) && strcmp(argv[1], "check") == 0))
    return fprintf(stderr, "usage: gpu-check record PROGRAM.so FILE\n"
                           "       gpu-check check PROGRAM.so FILE TOLERANCE "
                           "[COLLECTIVES]\n"
                           "       gpu-check time PROGRAM.so ENTRY REPETITIONS "
                           "[INPUT=VALUE...]\n"),
           2;
  tprt_options options = {0};
  check(tprt_world_open("auto", &options, &world, &error));
  options.world = world;
  options.collectives = argc == 6 && !times ? argv[5] : NULL;
  tprt_program *program;
  check(tprt_program_open(argv[2], &program, &error));
  check(tprt_session_create(tprt_program_manifest(program), tprt_program_lookup,
                            program, &options, &session, &error));
  check(tprt_session_load(session, NULL, /*seed=*/1, &error));
  if (times)
    timeEntry(argv[3], strtol(argv[4], NULL, 10), argv + 5, argc - 5);
  else if (hasEntry("prefill"))
    generate();
  else
    forward(tprt_session_entry(session, 0));
  if (tprt_world_rank(world) == 0 && records) {
    FILE *file = fopen(argv[3], "wb");
    if (!file || fwrite(record, 1, recordBytes, file) != recordBytes ||
        fclose(file) != 0)
      fail("cannot write the values");
  } else if (tprt_world_rank(world) == 0 && !times) {
    compare(argv[3], atof(argv[4]));
  }
  free(record);
  finish(0);
}
