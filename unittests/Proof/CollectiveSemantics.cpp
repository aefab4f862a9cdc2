//===- CollectiveSemantics.cpp - what collectives do ----------------------===//
//
// Part of tp-mlir, under the Apache License v2.0.
//
//===----------------------------------------------------------------------===//

#include "Interpreter.h"
#include "llvm/ADT/StringMap.h"

using namespace mlir;
using namespace mlir::tp;
using namespace mlir::tp::proof;

static Axes axesOf(Operation *op) {
  MeshAttr mesh = lookupMesh(op, op->getAttrOfType<FlatSymbolRefAttr>("mesh"));
  return toAxes(op->getAttrOfType<ArrayAttr>("axes"), mesh);
}

static int64_t sizeOfGroup(ArrayRef<Axis> axes) {
  int64_t size = 1;
  for (const Axis &axis : axes)
    size *= axis.size;
  return size;
}

//===----------------------------------------------------------------------===//
// On one tensor
//===----------------------------------------------------------------------===//

/// The blocks of the group side by side along `dim`, in the group's order.
static Tensor gather(const Tensors &in, const Mesh &mesh, int64_t device,
                     ArrayRef<Axis> axes, int64_t dim) {
  std::vector<int64_t> shape = in[device].shape;
  int64_t block = shape[dim];
  shape[dim] *= sizeOfGroup(axes);
  Tensor result(shape);
  forEachIndex(shape, [&](ArrayRef<int64_t> index) {
    SmallVector<int64_t> local(index);
    local[dim] %= block;
    const Tensor &from = in[mesh.member(device, axes, index[dim] / block)];
    result.data[result.at(index)] = from.data[from.at(local)];
  });
  return result;
}

/// This device's block of `tensor`, cut along `dim` for the group.
static Tensor cut(const Tensor &tensor, const Mesh &mesh, int64_t device,
                  ArrayRef<Axis> axes, int64_t dim) {
  std::vector<int64_t> shape = tensor.shape;
  shape[dim] /= sizeOfGroup(axes);
  int64_t first = mesh.index(device, axes) * shape[dim];
  Tensor result(shape);
  forEachIndex(shape, [&](ArrayRef<int64_t> index) {
    SmallVector<int64_t> from(index);
    from[dim] += first;
    result.data[result.at(index)] = tensor.data[tensor.at(from)];
  });
  return result;
}

static Tensor reduce(const Tensors &in, const Mesh &mesh, int64_t device,
                     ArrayRef<Axis> axes, ReduceKind kind) {
  Tensor result = in[mesh.member(device, axes, 0)];
  for (int64_t i = 1; i < sizeOfGroup(axes); ++i) {
    const Tensor &other = in[mesh.member(device, axes, i)];
    for (auto [a, b] : llvm::zip(result.data, other.data))
      a = combine(a, b, kind);
  }
  return result;
}

//===----------------------------------------------------------------------===//
// Ops
//===----------------------------------------------------------------------===//

static Tensors allReduce(Operation *op, const Mesh &mesh, int64_t device,
                         ArrayRef<const Tensors *> in) {
  Tensors out;
  for (const Tensors *input : in)
    out.push_back(reduce(*input, mesh, device, axesOf(op),
                         cast<AllReduceOp>(op).getKind()));
  return out;
}

static Tensors allGather(Operation *op, const Mesh &mesh, int64_t device,
                         ArrayRef<const Tensors *> in) {
  Tensors out;
  for (auto [input, dim] : llvm::zip(in, cast<AllGatherOp>(op).getDims()))
    out.push_back(gather(*input, mesh, device, axesOf(op), dim));
  return out;
}

static Tensors reduceScatter(Operation *op, const Mesh &mesh, int64_t device,
                             ArrayRef<const Tensors *> in) {
  auto scatter = cast<ReduceScatterOp>(op);
  Tensors out;
  for (auto [input, dim] : llvm::zip(in, scatter.getDims()))
    out.push_back(
        cut(reduce(*input, mesh, device, axesOf(op), scatter.getKind()), mesh,
            device, axesOf(op), dim));
  return out;
}

static Tensors allToAll(Operation *op, const Mesh &mesh, int64_t device,
                        ArrayRef<const Tensors *> in) {
  auto exchange = cast<AllToAllOp>(op);
  Tensors out;
  for (auto [input, dim, split] :
       llvm::zip(in, exchange.getDims(), exchange.getSplitDims()))
    out.push_back(cut(gather(*input, mesh, device, axesOf(op), dim), mesh,
                      device, axesOf(op), split));
  return out;
}

static Tensors slice(Operation *op, const Mesh &mesh, int64_t device,
                     ArrayRef<const Tensors *> in) {
  return {cut((*in[0])[device], mesh, device, axesOf(op),
              cast<SliceOp>(op).getDim())};
}

static Tensors makePartial(Operation *op, const Mesh &mesh, int64_t device,
                           ArrayRef<const Tensors *> in) {
  const Tensor &mine = (*in[0])[device];
  ReduceKind kind = cast<MakePartialOp>(op).getKind();
  bool addsUp = kind == ReduceKind::Sum || kind == ReduceKind::Product;
  if (!addsUp || mesh.index(device, axesOf(op)) == 0)
    return {mine};
  return {Tensor(mine.shape, kind == ReduceKind::Sum ? 0 : 1)};
}

/// From the device whose index over `axes` is this one's over `to_axes`.
static Tensors permute(Operation *op, const Mesh &mesh, int64_t device,
                       ArrayRef<const Tensors *> in) {
  auto permute = cast<PermuteOp>(op);
  MeshAttr meshAttr = lookupMesh(op, permute.getMeshAttr());
  Axes from = axesOf(op), to = toAxes(permute.getToAxes(), meshAttr);
  int64_t source = mesh.member(device, from, mesh.index(device, to));
  Tensors out;
  for (const Tensors *input : in)
    out.push_back((*input)[source]);
  return out;
}

static Tensors resize(Operation *op, const Mesh &, int64_t device,
                      ArrayRef<const Tensors *> in) {
  auto type = cast<RankedTensorType>(op->getResult(0).getType());
  const Tensor &from = (*in[0])[device];
  Tensor to(std::vector<int64_t>(type.getShape()),
            std::numeric_limits<double>::quiet_NaN());
  forEachIndex(to.shape, [&](ArrayRef<int64_t> index) {
    for (auto [i, extent] : llvm::zip(index, from.shape))
      if (i >= extent)
        return;
    to.data[to.at(index)] = from.data[from.at(index)];
  });
  return {to};
}

static Tensors wait(Operation *, const Mesh &, int64_t device,
                    ArrayRef<const Tensors *> in) {
  return {(*in[0])[device]};
}

static Tensors shardStart(Operation *op, const Mesh &mesh, int64_t device,
                          ArrayRef<const Tensors *>) {
  int64_t block = cast<ShardStartOp>(op).getBlock();
  return {Tensor({}, double(mesh.index(device, axesOf(op)) * block))};
}

CollectiveFunction proof::lookupCollective(StringRef name) {
  static const llvm::StringMap<CollectiveFunction> table = {
      {"tp.all_reduce", allReduce},
      {"tp.all_gather", allGather},
      {"tp.reduce_scatter", reduceScatter},
      {"tp.all_to_all", allToAll},
      {"tp.permute", permute},
      {"tp.resize", resize},
      {"tp.wait", wait},
      {"tp.slice", slice},
      {"tp.make_partial", makePartial},
      {"tp.shard_start", shardStart},
  };
  return table.lookup(name);
}
