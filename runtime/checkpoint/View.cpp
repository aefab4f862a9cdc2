//===- View.cpp - reading any strided part of a tensor --------------------===//
//
// Part of tp-mlir, under the Apache License v2.0.
//
//===----------------------------------------------------------------------===//
//
// A stored tensor is one sequence of elements, row after row; quantised rows
// are whole blocks, so that the sequence is whole blocks too. A view is then a
// nest of loops, each with a step in that sequence and a step in the
// destination. One loop is taken out of the nest as the run: the one that walks
// the file element by element, if there is one.
//
//===----------------------------------------------------------------------===//

#include "checkpoint/Codec.h"
#include "checkpoint/MappedFile.h"
#include "checkpoint/Support.h"
#include "tprt/Dtype.h"

#include <algorithm>

using namespace tprt;
using namespace tprt::checkpoint;

namespace {
/// Steps are in elements.
struct Loop {
  int64_t count, sourceStep, targetStep;
};

/// A view whose indices are known to be inside the tensor.
struct Plan {
  std::vector<Loop> loops;    ///< outermost first, over true elements only
  int64_t first = 0;          ///< the stored element that it begins with
  int64_t low = 0, high = 0;  ///< the stored elements it lies between
  int64_t targetElements = 1; ///< padding included
  bool padded = false, empty = false;
};
} // namespace

//===----------------------------------------------------------------------===//
// Making and checking a plan
//===----------------------------------------------------------------------===//

static Status invalid(const std::string &message) {
  return Status::error(TPRT_INVALID, message);
}

/// Checks one dim alone; `valid` is how many of its positions are true
/// elements.
static Status checkDim(const TensorInfo &tensor, const ViewDim &dim,
                       size_t number, int64_t &valid) {
  std::string name = "dim " + std::to_string(number) + " of the view ";
  int64_t rank = static_cast<int64_t>(tensor.shape.size());
  if (dim.dim < 0 || dim.dim >= rank)
    return invalid(name + "reads stored dim " + std::to_string(dim.dim) +
                   ", the tensor has " + std::to_string(rank));
  int64_t end = 0;
  if (dim.size < 0 || dim.start < 0 || dim.extent < 0 ||
      __builtin_add_overflow(dim.start, dim.extent, &end))
    return invalid(name + "has size " + std::to_string(dim.size) + ", start " +
                   std::to_string(dim.start) + ", extent " +
                   std::to_string(dim.extent) +
                   ", expected no negative and no overflow");
  valid = std::max<int64_t>(0, std::min(end, dim.size) - dim.start);
  return {};
}

/// Checks that the indices along stored dim `d` are inside it; `origin` is the
/// first of them.
static Status checkRange(const TensorInfo &tensor,
                         const std::vector<ViewDim> &dims,
                         const std::vector<int64_t> &valid, int64_t offset,
                         int d, int64_t &origin, int64_t &low, int64_t &high) {
  bool overflow = false;
  origin = low = high = offset;
  for (size_t k = 0; k < dims.size(); ++k) {
    if (dims[k].dim != d)
      continue;
    int64_t first = 0, span = 0;
    overflow |= __builtin_mul_overflow(dims[k].start, dims[k].stride, &first);
    overflow |= __builtin_mul_overflow(valid[k] - 1, dims[k].stride, &span);
    overflow |= __builtin_add_overflow(origin, first, &origin);
    overflow |= __builtin_add_overflow(low, first, &low);
    overflow |= __builtin_add_overflow(high, first, &high);
    int64_t &bound = span < 0 ? low : high;
    overflow |= __builtin_add_overflow(bound, span, &bound);
  }
  std::string name = "stored dim " + std::to_string(d) + " of shape " +
                     shapeText(tensor.shape);
  if (overflow)
    return invalid("the view's indices along " + name + " overflow");
  if (low < 0 || high >= tensor.shape[d])
    return invalid("the view reads " + std::to_string(low) + " to " +
                   std::to_string(high) + " along " + name);
  return {};
}

static Status checkExtents(const std::vector<ViewDim> &dims, int64_t bytes,
                           int64_t &elements) {
  elements = 1;
  bool overflow = false, zero = false;
  for (const ViewDim &dim : dims) {
    zero |= dim.extent == 0;
    overflow |= __builtin_mul_overflow(
        elements, std::max<int64_t>(1, dim.extent), &elements);
  }
  int64_t total = 0;
  overflow |= __builtin_mul_overflow(elements, bytes, &total);
  if (overflow)
    return invalid("the view's size overflows");
  elements = zero ? 0 : elements;
  return {};
}

/// Two neighbouring loops that together walk both sides evenly are one loop:
/// longer runs, fewer of them.
static void mergeLoops(std::vector<Loop> &loops) {
  std::vector<Loop> merged;
  for (const Loop &loop : loops) {
    if (loop.count == 1)
      continue;
    if (!merged.empty()) {
      Loop &outer = merged.back();
      if (outer.sourceStep == loop.sourceStep * loop.count &&
          outer.targetStep == loop.targetStep * loop.count) {
        outer = {outer.count * loop.count, loop.sourceStep, loop.targetStep};
        continue;
      }
    }
    merged.push_back(loop);
  }
  loops = std::move(merged);
}

/// The loops of dims whose indices have been checked: no product overflows,
/// because strides of more than one position are smaller than the stored dim.
static void makeLoops(const std::vector<ViewDim> &dims,
                      const std::vector<int64_t> &valid,
                      const std::vector<int64_t> &steps, Plan &plan) {
  int64_t targetStep = 1;
  plan.loops.resize(dims.size());
  for (size_t k = dims.size(); k-- > 0;) {
    int64_t step = valid[k] > 1 ? dims[k].stride * steps[dims[k].dim] : 0;
    plan.loops[k] = {valid[k], step, targetStep};
    targetStep *= dims[k].extent;
  }
  mergeLoops(plan.loops);
}

static Status makePlan(const TensorInfo &tensor,
                       const std::vector<ViewDim> &dims,
                       const std::vector<int64_t> &offset, int64_t bytes,
                       Plan &plan) {
  size_t rank = tensor.shape.size();
  if (offset.size() != rank)
    return invalid("the view has " + std::to_string(offset.size()) +
                   " offsets, the tensor has " + std::to_string(rank) +
                   " dims");
  std::vector<int64_t> valid(dims.size());
  for (size_t k = 0; k < dims.size(); ++k) {
    if (Status status = checkDim(tensor, dims[k], k, valid[k]); !status.ok())
      return status;
    plan.padded |= valid[k] < dims[k].extent;
    plan.empty |= valid[k] == 0;
  }
  if (Status status = checkExtents(dims, bytes, plan.targetElements);
      !status.ok() || plan.empty)
    return status;

  std::vector<int64_t> steps(rank);
  int64_t step = 1;
  for (size_t d = rank; d-- > 0; step *= tensor.shape[d]) {
    int64_t origin = 0, low = 0, high = 0;
    Status status = checkRange(tensor, dims, valid, offset[d],
                               static_cast<int>(d), origin, low, high);
    if (!status.ok())
      return status;
    steps[d] = step;
    plan.first += origin * step;
    plan.low += low * step;
    plan.high += high * step;
  }
  makeLoops(dims, valid, steps, plan);
  return {};
}

//===----------------------------------------------------------------------===//
// Executing a plan
//===----------------------------------------------------------------------===//

namespace {
/// Reading a large tensor should not keep all of it in memory: after this many
/// bytes the pages go back.
constexpr int64_t dropInterval = 32 << 20;

/// Decodes elements and stores them in the program's type.
template <typename Carrier> class Converter {
public:
  Converter(StoredType type, tprt_dtype dtype)
      : bytes(elementBytes(dtype)), info(storedTypeInfo(type)), dtype(dtype),
        copies(sameRepresentation(type, dtype)),
        decode(findDecoder<Carrier>(type)), store(findStore<Carrier>(dtype)) {}

  /// Where in the tensor an element's block begins.
  int64_t byteOf(int64_t element) const {
    return element / info.blockElements * info.blockBytes;
  }

  Status move(const uint8_t *data, Loop run, int64_t source,
              uint8_t *out) const;

  const int64_t bytes; ///< of one element at the destination

private:
  const StoredTypeInfo &info;
  const tprt_dtype dtype;
  const bool copies;
  const Decoder<Carrier> decode;
  const Store<Carrier> store;
};

/// Moves whole blocks as they are: a block counts as one element.
class BlockCopier {
public:
  explicit BlockCopier(StoredType type)
      : bytes(storedTypeInfo(type).blockBytes) {}

  int64_t byteOf(int64_t block) const { return block * bytes; }

  Status move(const uint8_t *data, Loop run, int64_t source,
              uint8_t *out) const {
    data += source * bytes;
    if (run.sourceStep == 1 && run.targetStep == 1) {
      std::memcpy(out, data, run.count * bytes);
      return {};
    }
    for (int64_t i = 0; i < run.count; ++i)
      std::memcpy(out + i * run.targetStep * bytes,
                  data + i * run.sourceStep * bytes, bytes);
    return {};
  }

  const int64_t bytes;
};

/// Walks a plan, moving runs with a Mover, one of the two above.
template <typename Mover> class Execution {
public:
  Execution(const MappedFile &file, const TensorInfo &tensor,
            const Mover &mover, const Plan &plan, uint8_t *target)
      : file(file), tensor(tensor), mover(mover), plan(plan), target(target),
        data(file.data() + tensor.offset), bytes(mover.bytes) {}

  Status run();

private:
  Status runNest(const std::vector<Loop> &nest, Loop run, int64_t source,
                 uint8_t *out);
  Status runOne(Loop run, int64_t source, uint8_t *out);
  void dropPages();

  const MappedFile &file;
  const TensorInfo &tensor;
  const Mover &mover;
  const Plan &plan;
  uint8_t *target;
  const uint8_t *data;
  const int64_t bytes;
  int64_t sinceDrop = 0;
};
} // namespace

template <typename Carrier>
Status Converter<Carrier>::move(const uint8_t *data, Loop run, int64_t source,
                                uint8_t *out) const {
  if (copies && run.sourceStep == 1 && run.targetStep == 1) {
    std::memcpy(out, data + source * bytes, run.count * bytes);
    return {};
  }
  constexpr int64_t bufferElements = 256;
  Carrier buffer[bufferElements];
  for (int64_t i = 0; i < run.count; i += bufferElements) {
    int64_t count = std::min(bufferElements, run.count - i);
    int64_t first = source + i * run.sourceStep;
    decode(data, first, run.sourceStep, count, buffer);
    int64_t stored =
        store(buffer, count, run.targetStep, out + i * run.targetStep * bytes);
    if (stored != count)
      return invalid("element " +
                     std::to_string(first + stored * run.sourceStep) +
                     " does not fit in " + dtypeName(dtype));
  }
  return {};
}

template <typename Mover> void Execution<Mover>::dropPages() {
  int64_t end =
      mover.byteOf(plan.high) + storedTypeInfo(tensor.type).blockBytes;
  file.drop(tensor.offset + static_cast<uint64_t>(mover.byteOf(plan.low)),
            tensor.offset + static_cast<uint64_t>(end));
  sinceDrop = 0;
}

template <typename Mover>
Status Execution<Mover>::runOne(Loop run, int64_t source, uint8_t *out) {
  sinceDrop += run.count * bytes;
  if (sinceDrop > dropInterval)
    dropPages();
  return mover.move(data, run, source, out);
}

template <typename Mover>
Status Execution<Mover>::runNest(const std::vector<Loop> &nest, Loop run,
                                 int64_t source, uint8_t *out) {
  std::vector<int64_t> position(nest.size(), 0);
  while (true) {
    if (Status status = runOne(run, source, out); !status.ok())
      return status;
    size_t k = nest.size();
    while (k-- > 0) {
      source += nest[k].sourceStep;
      out += nest[k].targetStep * bytes;
      if (++position[k] < nest[k].count)
        break;
      position[k] = 0;
      source -= nest[k].sourceStep * nest[k].count;
      out -= nest[k].targetStep * nest[k].count * bytes;
    }
    if (k == static_cast<size_t>(-1))
      return {};
  }
}

template <typename Mover> Status Execution<Mover>::run() {
  std::vector<Loop> nest = plan.loops;
  if (nest.empty())
    nest.push_back({1, 1, 1});
  // The longest run along the file, else the innermost loop.
  size_t chosen = nest.size() - 1;
  for (size_t k = 0; k < nest.size(); ++k)
    if (nest[k].sourceStep == 1 &&
        (nest[chosen].sourceStep != 1 || nest[k].count > nest[chosen].count))
      chosen = k;
  Loop run = nest[chosen];
  nest.erase(nest.begin() + static_cast<int64_t>(chosen));

  // A transposed tensor is read in strips: each line of the file that is loaded
  // is used up, and writes stay within a few lines. Else strips only bound what
  // is read before pages are given back.
  int64_t strip = run.targetStep == 1 ? dropInterval / 8 : 64;
  for (int64_t i = 0; i < run.count; i += strip) {
    Loop part{std::min(strip, run.count - i), run.sourceStep, run.targetStep};
    Status status = runNest(nest, part, plan.first + i * run.sourceStep,
                            target + i * run.targetStep * bytes);
    if (!status.ok())
      return status;
  }
  dropPages();
  return {};
}

//===----------------------------------------------------------------------===//
// read
//===----------------------------------------------------------------------===//

static bool converts(StoredType type, tprt_dtype dtype) {
  bool integer = storedTypeInfo(type).kind == StoredKind::Integer;
  return integer ? findStore<int64_t>(dtype) != nullptr
                 : findStore<float>(dtype) != nullptr;
}

template <typename Mover>
static Status execute(const MappedFile &file, const TensorInfo &tensor,
                      const Mover &mover, const Plan &plan, void *target) {
  if (plan.targetElements == 0)
    return {};
  if (!target)
    return invalid("the destination is null");
  if (plan.padded)
    std::memset(target, 0, plan.targetElements * mover.bytes);
  if (plan.empty)
    return {};
  return Execution<Mover>(file, tensor, mover, plan,
                          static_cast<uint8_t *>(target))
      .run();
}

static Status convert(const MappedFile &file, const TensorInfo &tensor,
                      tprt_dtype dtype, const Plan &plan, void *target) {
  if (storedTypeInfo(tensor.type).kind == StoredKind::Integer)
    return execute(file, tensor, Converter<int64_t>(tensor.type, dtype), plan,
                   target);
  if (tensor.type == StoredType::F64)
    return execute(file, tensor, Converter<double>(tensor.type, dtype), plan,
                   target);
  return execute(file, tensor, Converter<float>(tensor.type, dtype), plan,
                 target);
}

static Status located(const MappedFile &file, const TensorInfo &tensor,
                      Status status) {
  if (!status.ok())
    status.message =
        file.name() + ": tensor " + quoted(tensor.name) + ": " + status.message;
  return status;
}

/// Only a description that was checked on opening may be followed.
const TensorInfo *Checkpoint::findOwn(const TensorInfo &tensor,
                                      Status &status) const {
  const TensorInfo *known = find(tensor.name);
  if (!known)
    status = invalid("tensor " + quoted(tensor.name) +
                     " does not belong to this checkpoint");
  return known;
}

Status Checkpoint::read(const TensorInfo &wanted,
                        const std::vector<ViewDim> &dims,
                        const std::vector<int64_t> &offset, tprt_dtype dtype,
                        void *destination) const {
  Status status;
  const TensorInfo *tensor = findOwn(wanted, status);
  if (!tensor)
    return status;
  const MappedFile &file = *files[tensor->file];
  if (!converts(tensor->type, dtype))
    status = Status::error(TPRT_UNSUPPORTED,
                           std::string(storedTypeInfo(tensor->type).name) +
                               " does not convert to " + dtypeName(dtype));
  Plan plan;
  if (status.ok())
    status = makePlan(*tensor, dims, offset, elementBytes(dtype), plan);
  if (status.ok())
    status = convert(file, *tensor, dtype, plan, destination);
  return located(file, *tensor, status);
}

//===----------------------------------------------------------------------===//
// readStored
//===----------------------------------------------------------------------===//

/// Counts a tensor, a view and an offset in blocks along the fast stored dim.
/// False if that cuts one.
static bool toBlocks(TensorInfo &tensor, std::vector<ViewDim> &dims,
                     std::vector<int64_t> &offset) {
  const int64_t block = storedTypeInfo(tensor.type).blockElements;
  if (block == 1)
    return true;
  const size_t rank = tensor.shape.size();
  auto divide = [&](int64_t &number) {
    bool whole = number % block == 0;
    number /= block;
    return whole;
  };
  if (rank == 0 || offset.size() != rank || dims.empty() ||
      !divide(tensor.shape.back()) || !divide(offset.back()))
    return false;
  ViewDim &last = dims.back();
  if (last.dim != int(rank) - 1 || last.stride != 1 || !divide(last.size) ||
      !divide(last.start) || !divide(last.extent))
    return false;
  for (size_t k = 0; k + 1 < dims.size(); ++k)
    if (dims[k].dim == int(rank) - 1 && !divide(dims[k].stride))
      return false;
  return true;
}

Status Checkpoint::readStored(const TensorInfo &wanted,
                              const std::vector<ViewDim> &dims,
                              const std::vector<int64_t> &offset,
                              void *destination) const {
  Status status;
  const TensorInfo *known = findOwn(wanted, status);
  if (!known)
    return status;
  const MappedFile &file = *files[known->file];
  TensorInfo tensor = *known;
  std::vector<ViewDim> blockDims = dims;
  std::vector<int64_t> blockOffset = offset;
  const BlockCopier copier(tensor.type);
  Plan plan;
  if (!toBlocks(tensor, blockDims, blockOffset))
    status = invalid(std::string("the view cuts blocks of ") +
                     storedTypeInfo(tensor.type).name);
  else
    status = makePlan(tensor, blockDims, blockOffset, copier.bytes, plan);
  if (status.ok())
    status = execute(file, tensor, copier, plan, destination);
  return located(file, *known, status);
}
