/* Continues a prompt with a program of tp-compile. Needs the runtime alone:
 *   tp-compile model.mlir --mesh=tp=2 -o model.so
 *   cc generate.c -Iruntime/include -Lbuild/lib -ltprt -o generate
 *   ./generate model.so 20 1 2 3        20 tokens after the prompt 1 2 3 */
#include "tprt/tprt.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static tprt_error error;

static void check(tprt_status status) {
  if (status == TPRT_OK)
    return;
  fprintf(stderr, "error: %s\n", error.message);
  exit(1);
}

/* Feeds tokens to an entry, as many at a time as it takes; the best next one.
 */
static int32_t feed(tprt_session *session, const char *entry,
                    const int32_t *tokens, int32_t count, int32_t *position) {
  int32_t best = -1, length = 0;
  tprt_buffer in[3], out = {"top_ids", TPRT_I32, 2, {1, 1}, &best};
  if (tprt_session_inputs(session, entry, in, 3) != 3 || in[0].rank != 2) {
    fprintf(stderr, "error: there is no @%s(input_ids, position, length)\n",
            entry);
    exit(1);
  }
  int32_t chunk = (int32_t)in[0].shape[1],
          *ids = calloc((size_t)chunk, sizeof *ids);
  in[0].data = ids, in[1].data = position, in[2].data = &length;
  for (; count > 0; count -= length, tokens += length, *position += length) {
    length = count < chunk ? count : chunk;
    memcpy(ids, tokens, (size_t)length * sizeof *ids);
    check(tprt_session_run(session, entry, in, 3, &out, 1, &error));
  }
  free(ids);
  return best;
}

int main(int argc, char **argv) {
  tprt_program *program;
  tprt_session *session;
  char *weights;
  if (argc < 4)
    return fprintf(stderr, "usage: generate PROGRAM.so TOKENS ID...\n"), 1;
  check(tprt_program_open(argv[1], &program, &error));
  check(tprt_session_create(tprt_program_manifest(program), tprt_program_lookup,
                            program, NULL, &session, &error));
  check(
      tprt_program_weights(program, &weights, &error)); /* null: random ones */
  check(tprt_session_load(session, weights, /*seed=*/1, &error));
  int32_t position = 0, count = argc - 3,
          *prompt = calloc((size_t)count, sizeof *prompt);
  for (int32_t i = 0; i < count; ++i)
    prompt[i] = atoi(argv[i + 3]);
  int32_t next = feed(session, "prefill", prompt, count, &position);
  for (int left = atoi(argv[2]); left > 0; --left) {
    printf("%d%s", next, left > 1 ? " " : "\n");
    next = left > 1 ? feed(session, "decode", &next, 1, &position) : next;
  }
  free(prompt);
  tprt_session_destroy(session);
  tprt_program_close(program);
  tprt_free(weights);
}
