/* A program as tp-compile would make it, with what a test needs to be wrong. */
#include "tprt/tprt.h"

#ifndef VERSION
#define VERSION TPRT_VERSION
#endif
#ifndef INSTRUCTION_SETS
#define INSTRUCTION_SETS ""
#endif
#ifndef ENTRIES
#define ENTRIES entries
#endif

#define DIMS "[{\"size\":3,\"padded\":3,\"axes\":[]}]"

static void entry0(tprt_rank *rank, void *arena, void *const *arguments,
                   void *const *results) {
  (void)rank, (void)arena;
  for (int i = 0; i < 3; ++i)
    ((float *)results[0])[i] = 2 * ((const float *)arguments[0])[i];
}

static const struct tprt_program_entry entries[] = {{"entry0", entry0}};
const struct tprt_program_entry *const tprt_fixture_entries = entries;

#ifndef NO_TABLE
const tprt_program_table tp_program = {
    VERSION, INSTRUCTION_SETS,
    "{\"version\":1,\"mesh\":{\"axes\":[]},\"groups\":[],\"entries\":[{"
    "\"name\":\"entry0\",\"symbol\":\"entry0\",\"arena_bytes\":0,"
    "\"arguments\":[{\"kind\":\"input\",\"name\":\"x\",\"dtype\":\"f32\","
    "\"dims\":" DIMS "}],\"results\":[{\"kind\":\"output\",\"name\":\"y\","
    "\"dtype\":\"f32\",\"dims\":" DIMS "}],\"collectives\":[]}]}",
    1, ENTRIES};
#endif
