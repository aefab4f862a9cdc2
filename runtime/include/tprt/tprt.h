//===- tprt.h - the tp-mlir runtime, C ABI --------------------------------===//
//
// Part of tp-mlir, under the Apache License v2.0.
//
//===----------------------------------------------------------------------===//
//
// Everything a compiled program and its host need at run time. The library
// knows nothing of MLIR or LLVM: a program compiled ahead of time and this
// library are enough to run.
//
// The header has three parts:
//
//  * the *session* API, called by the host: it opens a program (a manifest and
//    the addresses of its compiled entry points), starts one thread a rank,
//    loads each rank's shard of the weights and runs entry points on global
//    buffers that it slices and assembles;
//  * programs compiled ahead of time: opening a shared object, for a session;
//  * the *program* API, called by compiled code: library kernels and
//    collectives, one function for each op of the `rt` dialect.
//
// Tensors are dense, row-major and contiguous. All sizes are in elements unless
// the name says bytes. Errors are sticky: the first one that any rank reports
// ends the run on all ranks; a call on a rank whose run has already failed
// returns at once, so compiled code is straight-line and checks nothing.
//
//===----------------------------------------------------------------------===//

#ifndef TPRT_TPRT_H
#define TPRT_TPRT_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/// Version of this interface. A manifest names the version it was made for.
#define TPRT_VERSION 1

/// Most dims that a tensor may have anywhere in this interface.
#define TPRT_MAX_RANK 8

//===----------------------------------------------------------------------===//
// Vocabulary
//===----------------------------------------------------------------------===//

typedef enum tprt_dtype {
  TPRT_F32 = 0,
  TPRT_F64 = 1,
  TPRT_BF16 = 2,
  TPRT_F16 = 3,
  TPRT_I32 = 4,
  TPRT_I64 = 5,
  TPRT_I8 = 6 ///< and booleans: 0 and 1
} tprt_dtype;

/// How a weight lies in memory when not as its dtype, f32: the 16-bit floats,
/// and the block-quantised types of GGUF files. To those the size of a line in
/// elements may be added, times 256: lines of so many elements, a multiple of
/// eight of them, are then interleaved in groups of eight, block by block and in
/// a block field by field: the scales of eight lines' first blocks, their
/// minima, the first four bytes of their numbers, and so on; fields are of two
/// bytes for a scale or a minimum, else of four.
typedef enum tprt_stored {
  TPRT_STORED_AS_DTYPE = 0,
  TPRT_STORED_F16 = 1,
  TPRT_STORED_BF16 = 2,
  TPRT_STORED_Q4_0 = 3,
  TPRT_STORED_Q4_1 = 4,
  TPRT_STORED_Q5_0 = 5,
  TPRT_STORED_Q5_1 = 6,
  TPRT_STORED_Q8_0 = 7,
  TPRT_STORED_Q4_K = 8,
  TPRT_STORED_Q5_K = 9,
  TPRT_STORED_Q6_K = 10
} tprt_stored;

typedef enum tprt_status {
  TPRT_OK = 0,
  TPRT_INVALID = 1,       ///< the caller or the input is wrong
  TPRT_IO = 2,            ///< a file cannot be read or written, or is damaged
  TPRT_OUT_OF_MEMORY = 3, ///< memory could not be reserved
  TPRT_FAILED = 4,        ///< a rank failed or did not answer in time
  TPRT_UNSUPPORTED = 5,   ///< understood, but not provided by this library
  TPRT_ELSEWHERE = 6 ///< the run of several processes failed, and another one
                     ///< tells the user so
} tprt_status;

typedef enum tprt_reduction {
  TPRT_SUM = 0,
  TPRT_MAX = 1,
  TPRT_MIN = 2,
  TPRT_PRODUCT = 3,
  TPRT_AND = 4, ///< bitwise, of integers only
  TPRT_OR = 5   ///< bitwise, of integers only
} tprt_reduction;

typedef enum tprt_collective_kind {
  TPRT_ALL_REDUCE = 0,
  TPRT_ALL_GATHER = 1,
  TPRT_REDUCE_SCATTER = 2,
  TPRT_ALL_TO_ALL = 3,
  TPRT_PERMUTE = 4
} tprt_collective_kind;

/// One rank of a running session; compiled code only passes it on.
typedef struct tprt_rank tprt_rank;

/// A program loaded on all ranks of its mesh.
typedef struct tprt_session tprt_session;

/// The processes that run a program together.
typedef struct tprt_world tprt_world;

/// A message for people. Filled whenever a function of the session API returns
/// anything but TPRT_OK; always terminated, truncated if it must be.
typedef struct tprt_error {
  char message[1024];
} tprt_error;

//===----------------------------------------------------------------------===//
// Session API
//===----------------------------------------------------------------------===//

/// A compiled entry point. `arena` is this rank's planned memory; `arguments`
/// and `results` hold one local buffer each, in the manifest's order. A result
/// that is a donated argument has the same address as that argument.
typedef void (*tprt_entry)(tprt_rank *rank, void *arena, void *const *arguments,
                           void *const *results);

/// Finds the compiled code of an entry point by its symbol; null if unknown.
typedef tprt_entry (*tprt_lookup)(const char *symbol, void *context);

typedef struct tprt_options {
  double timeout_seconds; ///< a rank that waits longer fails the run; 0: 60 s
  tprt_world *world;      ///< null: all ranks are threads of this process
  uint64_t fingerprint;   ///< of the compiled code, compared between processes
  /// How ranks on GPUs communicate: "nccl", a GPU for each; "loopback", kernels
  /// on the one GPU that the ranks of this process share; null or "auto".
  const char *collectives;
} tprt_options;

//===----------------------------------------------------------------------===//
// Ranks that are processes
//===----------------------------------------------------------------------===//
//
// Processes that mpirun, srun or torchrun launched together, each one rank of
// the mesh. Every process makes the same calls of the session and the world
// API, in the same order; what must be the same everywhere (program, mesh,
// inputs, the weights that several ranks hold) is compared. When any call fails
// on any process the run has failed on all: their calls return the same
// message, one of them with the status of the failure and the others with
// TPRT_ELSEWHERE. The host prints the message of the former and calls
// tprt_world_close; a process that does not is ended after two seconds.
// docs/processes.md says more.

/// Joins the processes. `ranks` is "threads", "mpi", "tcp" or "auto": what the
/// launch says. `world` stays null for threads, which is what every other
/// function takes for one process. TPRT_UNSUPPORTED if the transport is not
/// installed.
tprt_status tprt_world_open(const char *ranks, const tprt_options *options,
                            tprt_world **world, tprt_error *error);

/// This process, from 0, and how many there are.
int64_t tprt_world_rank(const tprt_world *world);
int64_t tprt_world_size(const tprt_world *world);

/// "Open MPI v4.1.4", or "threads".
const char *tprt_world_description(const tprt_world *world);

/// From rank 0 to all.
tprt_status tprt_world_broadcast(tprt_world *world, void *data, size_t bytes,
                                 tprt_error *error);

/// An error of the host's: fails the run on all processes, with this message.
tprt_status tprt_world_fail(tprt_world *world, const char *message,
                            tprt_error *error);

/// With code 0, waits for all processes and frees the world; sessions are
/// destroyed before. With another code, or after a failure, ends all processes
/// and does not return.
tprt_status tprt_world_close(tprt_world *world, int code, tprt_error *error);

/// Fills in the one size '*' of a mesh ("dp=*,tp=2") for the number of
/// processes. An error names the sizes that work. Null is a world of threads,
/// whose number is not known.
tprt_status tprt_resolve_mesh(const tprt_world *world, const char *mesh,
                              char *text, size_t size, tprt_error *error);

//===----------------------------------------------------------------------===//
// Sessions
//===----------------------------------------------------------------------===//

/// Makes a session from a manifest (JSON, described in docs/manifest.md) and
/// starts its rank threads. Memory is reserved by tprt_session_load.
/// TPRT_INVALID if the manifest is malformed or of another version,
/// TPRT_OUT_OF_MEMORY, TPRT_UNSUPPORTED if what the program runs on is not here
/// (a GPU, its libraries, the runtime's plugin for it).
///
/// With TPRT_POISON in the environment every run begins with an arena full of
/// bytes 0xff, which are NaN in every float type, so that a test sees whatever
/// reads memory, or padding, that was never written.
tprt_status tprt_session_create(const char *manifest, tprt_lookup lookup,
                                void *context, const tprt_options *options,
                                tprt_session **session, tprt_error *error);

/// Reserves one block a rank (parameters, then state, then the arena) and fills
/// the parameters from the checkpoint at `path` (a GGUF file, a safetensors
/// file or a Hugging Face directory). Each rank reads only its own shard. With
/// `path` null the weights are random from `seed`, the same on every mesh.
/// State is zeroed.
tprt_status tprt_session_load(tprt_session *session, const char *path,
                              uint64_t seed, tprt_error *error);

/// A global buffer of the host: dense, row-major, of true (unpadded) sizes.
typedef struct tprt_buffer {
  const char *name;
  tprt_dtype dtype;
  int64_t rank;
  int64_t shape[TPRT_MAX_RANK];
  void *data;
} tprt_buffer;

/// Runs one entry point on all ranks. `inputs` are found by name and must have
/// the manifest's dtype and shape; `outputs` are found by name and are filled
/// (a subset may be asked for). Parameters and state belong to the session. Of
/// several processes each gives all inputs and names all outputs; rank 0 gets
/// them, elsewhere their `data` is not looked at.
tprt_status tprt_session_run(tprt_session *session, const char *entry,
                             const tprt_buffer *inputs, size_t num_inputs,
                             tprt_buffer *outputs, size_t num_outputs,
                             tprt_error *error);

/// Zeroes all state.
tprt_status tprt_session_reset(tprt_session *session, tprt_error *error);

/// The runtime's own counters as JSON, to be freed with tprt_free:
/// {"entries":[{"name","executions","collectives":[{"id","executions",
///   "bytes_sent"}]}], "memory":{"parameters","state","arena"}}.
/// `bytes_sent` is per device and per execution, the largest rank, by the ring
/// algorithms' formula on the sizes that were really moved. Of several
/// processes rank 0 has the largest of all, the others their own.
tprt_status tprt_session_counters(tprt_session *session, char **json,
                                  tprt_error *error);

/// From here on the session keeps when each op of each rank ran. TPRT_INVALID
/// for a program without marks (tprt_mark), TPRT_UNSUPPORTED for one that does
/// not run on CPUs. Once.
tprt_status tprt_session_start_timeline(tprt_session *session,
                                        tprt_error *error);

/// When each op ran, in the runs that have ended well: a Chrome trace
/// (docs/report.md), to be freed with tprt_free. `runs_left_out` are the last
/// runs, which a rank had no room for: it keeps 2^20 times. Of several
/// processes rank 0 gets all ranks', and null is put elsewhere. TPRT_INVALID if
/// no timeline was started.
tprt_status tprt_session_timeline(tprt_session *session, char **json,
                                  int64_t *runs_left_out, tprt_error *error);

/// What the program runs on: "CPU", or "NVIDIA H200, 4 ranks share it: loopback
/// collectives; attention by cuDNN 9.19.0". After a run it may say more. Valid
/// until it is asked for again, and as long as the session.
const char *tprt_session_description(const tprt_session *session);

/// The name of entry point `index`, valid as long as the session; null beyond
/// the last.
const char *tprt_session_entry(tprt_session *session, size_t index);

/// Describes the inputs, or the outputs, of an entry point: the first
/// `capacity` of them, with null data and names that are valid as long as the
/// session. Returns how many there are; 0 for an unknown entry.
size_t tprt_session_inputs(tprt_session *session, const char *entry,
                           tprt_buffer *inputs, size_t capacity);
size_t tprt_session_outputs(tprt_session *session, const char *entry,
                            tprt_buffer *outputs, size_t capacity);

void tprt_free(void *pointer);

/// Stops the rank threads and frees everything. Null is allowed.
void tprt_session_destroy(tprt_session *session);

//===----------------------------------------------------------------------===//
// Programs compiled ahead of time
//===----------------------------------------------------------------------===//

/// The name under which a compiled program exports its tprt_program_table.
#define TPRT_PROGRAM_SYMBOL "tp_program"

/// What a compiled program says of itself. Later versions of this interface
/// change nothing before `version` and nothing of the name.
typedef struct tprt_program_table {
  int64_t version; ///< TPRT_VERSION of the interface that the code was made for
  /// What the code needs of the CPU beyond the baseline of its architecture:
  /// names of InstructionSets.h, separated by commas.
  const char *instruction_sets;
  const char *manifest;
  int64_t num_entries;
  const struct tprt_program_entry {
    const char *symbol; ///< as in the manifest, or TPRT_DEVICE_TABLE
    tprt_entry code;
  } *entries;
} tprt_program_table;

/// A shared object that was opened.
typedef struct tprt_program tprt_program;

/// Opens a shared object made by tp-compile; none of its entries runs. TPRT_IO
/// if it cannot be read or is cut short, TPRT_INVALID if it is no program,
/// TPRT_UNSUPPORTED if it was made for another version of this interface or for
/// instruction sets that this CPU lacks.
tprt_status tprt_program_open(const char *path, tprt_program **program,
                              tprt_error *error);

/// What tprt_session_create wants; valid until the program is closed.
const char *tprt_program_manifest(const tprt_program *program);

/// The tprt_lookup of a program, which is the context.
tprt_entry tprt_program_lookup(const char *symbol, void *program);

/// The checkpoint that the program was compiled with, to be freed with
/// tprt_free: null if it names none. TPRT_IO if it is not there or cannot be
/// read, TPRT_INVALID if it has changed since. A relative path in the manifest
/// is relative to the directory of the program.
tprt_status tprt_program_weights(const tprt_program *program, char **path,
                                 tprt_error *error);

/// After its sessions are destroyed. The code stays mapped, since a rank that
/// did not come back may still run it. Null is allowed.
void tprt_program_close(tprt_program *program);

//===----------------------------------------------------------------------===//
// Program API: called by compiled code, on the rank's own thread
//===----------------------------------------------------------------------===//
//
// Descriptors are constants of the compiled program; every field is an int64_t
// so that a descriptor is an array of 64-bit words. A double travels as its bit
// pattern in a field named *_bits.

/// The dims of a contraction C[..] = sum A[..] * B[..], each with its role.
typedef struct tprt_contract_dim {
  int64_t kind; ///< 0 batch (A, B, C), 1 row (A, C), 2 column (B, C), 3
                ///< contracted (A, B)
  int64_t extent;
  int64_t stride_a, stride_b, stride_c; ///< elements; 0 where absent
} tprt_contract_dim;

/// One of A and B may lie as it is stored (tprt_stored; dtype is then
/// TPRT_F32): strides count elements all the same, and blocks run along its
/// last dim, a multiple of a block.
typedef struct tprt_contract_desc {
  int64_t dtype; ///< of A, B and C; accumulated in at least f32
  int64_t num_dims;
  tprt_contract_dim dims[2 * TPRT_MAX_RANK];
  int64_t stored_a, stored_b;
} tprt_contract_desc;

void tprt_contract(tprt_rank *rank, const tprt_contract_desc *desc,
                   const void *a, const void *b, void *c);

/// out[b,s,k,g,:] = softmax(scale * q . K) V over the keys that a query may
/// see, without a score matrix. q, out: [batch, queries, kv_heads, groups,
/// head_dim]; k, v: [batch, capacity, kv_heads, head_dim], of which the first
/// `keys` rows count. Query i stands at position *offset + start + i (a null
/// offset is 0) and sees keys j <= its position if `causal`, else all
/// keys, and only j > position - window if window > 0. With soft_cap c > 0
/// scores are c * tanh(score / c). A query that sees no key gives zeros.
/// Accumulates in f32 (f64 for TPRT_F64).
typedef struct tprt_attention_desc {
  int64_t dtype, batch, queries, keys, capacity, kv_heads, groups, head_dim;
  int64_t causal, window, scale_bits, soft_cap_bits;
} tprt_attention_desc;

void tprt_attention(tprt_rank *rank, const tprt_attention_desc *desc,
                    const void *q, const void *k, const void *v,
                    const int32_t *offset, int64_t start, void *out);

/// Rotary embedding of the first rotary_dim of the last dim; the rest passes.
/// x, out: [batch, sequence, heads, head_dim]; cosine, sine: [sequence,
/// rotary_dim / 2], of dtype. Pairs are (2i, 2i+1) if `interleaved`, else
/// (i, i + rotary_dim / 2): (a, b) -> (a cos - b sin, b cos + a sin).
typedef struct tprt_rotary_desc {
  int64_t dtype, batch, sequence, heads, head_dim, rotary_dim, interleaved;
} tprt_rotary_desc;

void tprt_rotary(tprt_rank *rank, const tprt_rotary_desc *desc, const void *x,
                 const void *cosine, const void *sine, void *out);

/// out[i, :] = table[ids[i] - start, :], or zeros where that row is not in this
/// shard's [0, rows). An id outside [0, vocabulary) is an error that names it.
/// `stored` says how the table lies (tprt_stored); other than as dtype, out is
/// TPRT_F32 and width a multiple of a block.
typedef struct tprt_embedding_desc {
  int64_t dtype, num_ids, rows, width, vocabulary, stored;
} tprt_embedding_desc;

void tprt_embedding(tprt_rank *rank, const tprt_embedding_desc *desc,
                    const int32_t *ids, const void *table, int64_t start,
                    void *out);

/// table_gradient[r, :] = sum of gradient[i, :] over i with ids[i] == start +
/// r: the transpose of tprt_embedding, same descriptor, in order of i.
void tprt_embedding_gradient(tprt_rank *rank, const tprt_embedding_desc *desc,
                             const int32_t *ids, const void *gradient,
                             int64_t start, void *table_gradient);

/// The k largest of each segment of the last dim, in descending order, lowest
/// id first among equals; NaN is larger than everything. values: [outer,
/// segments * extent]; the element j of a row stands for id start + j, or for
/// ids[row, j] if `ids` is not null. Elements whose id is outside [0, size) do
/// not take part; missing places are filled with -infinity and id INT32_MAX.
/// out_values, out_ids: [outer, segments * k].
typedef struct tprt_top_k_desc {
  int64_t dtype, outer, segments, extent, k, size;
} tprt_top_k_desc;

void tprt_top_k(tprt_rank *rank, const tprt_top_k_desc *desc,
                const void *values, const int32_t *ids, int64_t start,
                void *out_values, int32_t *out_ids);

/// cache[b, *position + i - start, :] = update[b, i, :] for i < *length, in
/// place, where that row is in this shard's [0, rows). cache: [outer, rows,
/// inner], of a whole of `capacity` rows; update: [outer, extent, inner]. An
/// error that names the sizes if *position < 0, *length is outside [0, extent]
/// or the sum exceeds capacity.
typedef struct tprt_cache_update_desc {
  int64_t dtype, outer, rows, extent, inner, capacity;
} tprt_cache_update_desc;

void tprt_cache_update(tprt_rank *rank, const tprt_cache_update_desc *desc,
                       void *cache, const void *update, const int32_t *position,
                       const int32_t *length, int64_t start);

/// out[o, :] = x[o, *index, :]; x: [outer, extent, inner]. An error that names
/// the sizes if *index is outside [0, extent).
typedef struct tprt_take_desc {
  int64_t dtype, outer, extent, inner;
} tprt_take_desc;

void tprt_take(tprt_rank *rank, const tprt_take_desc *desc, const void *x,
               const int32_t *index, void *out);

/// out[dst_offset + sum i*dst_stride] = x[src_offset + sum i*src_stride]:
/// transposes, slices, concatenations, padding, plain copies.
typedef struct tprt_copy_desc {
  int64_t element_bytes, num_dims, src_offset, dst_offset;
  int64_t extent[TPRT_MAX_RANK], src_stride[TPRT_MAX_RANK],
      dst_stride[TPRT_MAX_RANK];
} tprt_copy_desc;

void tprt_copy(tprt_rank *rank, const tprt_copy_desc *desc, const void *x,
               void *out);

/// In place: elements of x ([outer, extent, inner]) whose index along the
/// middle dim, start + i, is at or beyond `size` become `fill`. What masks the
/// padding of an uneven dim before a reduction.
typedef struct tprt_mask_desc {
  int64_t dtype, outer, extent, inner, size, fill_bits;
} tprt_mask_desc;

void tprt_mask(tprt_rank *rank, const tprt_mask_desc *desc, void *x,
               int64_t start);

/// Replicated to partial: on every rank whose coordinate in `group` is not 0,
/// x becomes the neutral element of `reduction`, 0 of sums and 1 of products;
/// of the others, to which every rank may contribute the same value, nothing is
/// done. In place.
typedef struct tprt_make_partial_desc {
  int64_t group, reduction, dtype, elements;
} tprt_make_partial_desc;

void tprt_make_partial(tprt_rank *rank, const tprt_make_partial_desc *desc,
                       void *x);

/// One tensor of a collective: its shape before, and the dims it acts on.
typedef struct tprt_collective_buffer {
  int64_t dtype, rank, shape[TPRT_MAX_RANK];
  int64_t dim; ///< all_gather, reduce_scatter: the dim that grows or shrinks;
               ///< all_to_all: the dim that grows (gathered)
  int64_t split_dim; ///< all_to_all: the dim that shrinks
} tprt_collective_buffer;

/// A collective over `group` (an index into the manifest's groups; members are
/// ordered by their index in the group). Several tensors may travel as one.
/// all_reduce may run in place. Reductions go in rank order, so that every rank
/// gets the same bits; bf16 and f16 accumulate in f32. `permute` gives this
/// rank the tensor of the member of `group` whose index is this rank's index
/// within `source_group`, the same ranks in another order; others ignore that
/// field.
typedef struct tprt_collective_desc {
  int64_t kind, id, reduction, group, source_group, num_buffers;
  tprt_collective_buffer buffers[4];
} tprt_collective_desc;

void tprt_collective(tprt_rank *rank, const tprt_collective_desc *desc,
                     const void *const *inputs, void *const *outputs);

/// The rank has come to mark `number` of its entry, where a span of its
/// timeline begins. Only in programs that were compiled for one; costs nothing
/// but the call where the session keeps none.
void tprt_mark(tprt_rank *rank, int64_t number);

/// This rank's index within `group`: major to minor over the group's axes.
int64_t tprt_coordinate(tprt_rank *rank, int64_t group);

#ifdef __cplusplus
}
#endif

#endif // TPRT_TPRT_H
