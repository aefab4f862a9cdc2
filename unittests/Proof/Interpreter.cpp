//===- Interpreter.cpp - runs programs and places tensors -----------------===//
//
// Part of tp-mlir, under the Apache License v2.0.
//
//===----------------------------------------------------------------------===//

#include "Interpreter.h"
#include <cmath>

using namespace mlir;
using namespace mlir::tp;
using namespace mlir::tp::proof;

Mesh proof::toMesh(MeshAttr mesh) {
  Mesh result;
  for (MeshAxisAttr axis : mesh.getAxes())
    result.axes.push_back({axis.getName().str(), axis.getSize()});
  return result;
}

//===----------------------------------------------------------------------===//
// Programs
//===----------------------------------------------------------------------===//

static std::string unknown(Operation *op) {
  return "the interpreter has no semantics for '" +
         op->getName().getStringRef().str() + "'";
}

/// Refuses results of another shape than the op declares.
static bool hasShapes(Operation *op, ArrayRef<Tensor> results,
                      std::string &error) {
  for (auto [value, tensor] : llvm::zip(op->getResults(), results))
    if (shapeOf(isStart(op) ? tensorOf(value.getType()) : value.getType()) !=
        ArrayRef<int64_t>(tensor.shape)) {
      error = "'" + op->getName().getStringRef().str() +
              "' does not give what its types say";
      return false;
    }
  if (results.size() != op->getNumResults())
    error = unknown(op);
  return error.empty();
}

FailureOr<Tensors> proof::evaluateGlobal(func::FuncOp function,
                                         ArrayRef<Tensor> arguments,
                                         std::string &error,
                                         DenseMap<Value, Tensor> *all) {
  DenseMap<Value, Tensor> own;
  DenseMap<Value, Tensor> &values = all ? *all : own;
  for (auto [argument, tensor] : llvm::zip(function.getArguments(), arguments))
    values.try_emplace(argument, tensor);
  for (Operation &op : function.getBody().front()) {
    SmallVector<const Tensor *> in;
    for (Value operand : op.getOperands())
      in.push_back(&values.find(operand)->second);
    if (op.hasTrait<OpTrait::IsTerminator>()) {
      Tensors results;
      for (const Tensor *tensor : in)
        results.push_back(*tensor);
      return results;
    }
    OpFunction evaluate = lookupOp(op.getName().getStringRef());
    if (!evaluate) {
      error = unknown(&op);
      return failure();
    }
    Tensors results = evaluate(&op, in);
    if (!hasShapes(&op, results, error))
      return failure();
    for (auto [value, tensor] : llvm::zip(op.getResults(), results))
      values.try_emplace(value, std::move(tensor));
  }
  return failure();
}

/// One op on every device; empty with `error` on failure.
static std::vector<Tensors> stepLocal(Operation &op, const Mesh &mesh,
                                      ArrayRef<const Tensors *> in,
                                      std::string &error) {
  StringRef name = op.getName().getStringRef();
  OpFunction evaluate = lookupOp(name);
  CollectiveFunction collective = lookupCollective(name);
  std::vector<Tensors> results(op.getNumResults());
  if (!evaluate && !collective)
    error = unknown(&op);
  for (int64_t device = 0; error.empty() && device < mesh.numDevices();
       ++device) {
    Tensors mine;
    if (collective) {
      mine = collective(&op, mesh, device, in);
    } else {
      SmallVector<const Tensor *> operands;
      for (const Tensors *devices : in)
        operands.push_back(&(*devices)[device]);
      mine = evaluate(&op, operands);
    }
    if (hasShapes(&op, mine, error))
      for (auto [all, tensor] : llvm::zip(results, mine))
        all.push_back(std::move(tensor));
  }
  return results;
}

FailureOr<std::vector<Tensors>>
proof::evaluateLocal(func::FuncOp function, const Mesh &mesh,
                     std::vector<Tensors> arguments, std::string &error) {
  DenseMap<Value, Tensors> values;
  for (auto [argument, tensors] : llvm::zip(function.getArguments(), arguments))
    values.try_emplace(argument, std::move(tensors));
  for (Operation &op : function.getBody().front()) {
    SmallVector<const Tensors *> in;
    for (Value operand : op.getOperands())
      in.push_back(&values.find(operand)->second);
    if (op.hasTrait<OpTrait::IsTerminator>()) {
      std::vector<Tensors> results;
      for (const Tensors *tensors : in)
        results.push_back(*tensors);
      return results;
    }
    std::vector<Tensors> results = stepLocal(op, mesh, in, error);
    if (!error.empty())
      return failure();
    for (auto [value, tensors] : llvm::zip(op.getResults(), results))
      values.try_emplace(value, std::move(tensors));
  }
  return failure();
}

//===----------------------------------------------------------------------===//
// Placing and comparing
//===----------------------------------------------------------------------===//

static int64_t product(ArrayRef<Axis> axes) {
  int64_t size = 1;
  for (const Axis &axis : axes)
    size *= axis.size;
  return size;
}

/// The global index of a device's local element.
static SmallVector<int64_t> globalIndex(const Placement &placement,
                                        const Mesh &mesh, int64_t device,
                                        ArrayRef<int64_t> local) {
  SmallVector<int64_t> index;
  for (auto [i, position] : llvm::enumerate(local)) {
    int64_t block = placement.pads[i] / product(placement.dims[i]);
    index.push_back(mesh.index(device, placement.dims[i]) * block + position);
  }
  return index;
}

static bool isPadding(ArrayRef<int64_t> index, const Tensor &whole) {
  return llvm::any_of(llvm::zip(index, whole.shape), [](auto pair) {
    return std::get<0>(pair) >= std::get<1>(pair);
  });
}

/// The bits of a value that share number `share` of `count` decides: the lowest
/// are dealt out, one of a truth value and four of a number, and the rest are
/// in every share.
static int64_t bitsOf(double value, int64_t share, int64_t count,
                      size_t element) {
  int64_t bits = -1;
  for (int64_t bit = 0; bit < (value == 0 || value == 1 ? 1 : 4); ++bit)
    if ((int64_t(element) + bit) % count != share)
      bits &= ~(int64_t(1) << bit);
  return bits;
}

/// Share number `share` of `count` of a value; those above 0 depend on the
/// element, so that mixing up elements or shares shows.
static double shareOf(double value, ReduceKind kind, int64_t share,
                      int64_t count, size_t element) {
  auto part = [&](int64_t number) {
    return double((int64_t(element) * 3 + number * 5) % 7 - 3);
  };
  switch (kind) {
  case ReduceKind::Sum:
    if (share)
      return part(share);
    for (int64_t other = 1; other < count; ++other)
      value -= part(other);
    return value;
  case ReduceKind::Max:
  case ReduceKind::Min: {
    double sign = kind == ReduceKind::Max ? -1 : 1;
    bool isOwner = int64_t(element) % count == share;
    return isOwner ? value : value + sign * double(1 + share);
  }
  case ReduceKind::Product:
    return share ? (element + share) % 2 ? 1 : -1 : [&] {
      for (int64_t other = 1; other < count; ++other)
        value *= (element + other) % 2 ? 1 : -1;
      return value;
    }();
  case ReduceKind::And:
    return double(int64_t(value) | ~bitsOf(value, share, count, element));
  case ReduceKind::Or:
    return double(int64_t(value) & bitsOf(value, share, count, element));
  }
  return value;
}

Tensors proof::shard(const Tensor &whole, const Placement &placement,
                     const Mesh &mesh, double padding) {
  SmallVector<int64_t> shape;
  for (auto [pad, axes] : llvm::zip(placement.pads, placement.dims))
    shape.push_back(pad / product(axes));
  int64_t shares = product(placement.partial);
  Tensors devices;
  for (int64_t device = 0; device < mesh.numDevices(); ++device) {
    Tensor tensor(shape, padding);
    int64_t share = mesh.index(device, placement.partial);
    forEachIndex(shape, [&](ArrayRef<int64_t> local) {
      SmallVector<int64_t> index = globalIndex(placement, mesh, device, local);
      if (isPadding(index, whole))
        return;
      size_t element = whole.at(index);
      tensor.data[tensor.at(local)] = shareOf(
          whole.data[element], placement.partialKind, share, shares, element);
    });
    devices.push_back(std::move(tensor));
  }
  return devices;
}

static std::string indexText(ArrayRef<int64_t> index) {
  std::string text = "[";
  for (int64_t i : index)
    text += (text.size() > 1 ? ", " : "") + std::to_string(i);
  return text + "]";
}

std::string proof::compare(ArrayRef<Tensor> devices, const Tensor &whole,
                           const Placement &placement, const Mesh &mesh,
                           double tolerance) {
  std::string wrong;
  int64_t shares = product(placement.partial);
  for (int64_t device = 0; device < mesh.numDevices(); ++device) {
    const Tensor &mine = devices[device];
    for (size_t i = 0; i < placement.pads.size(); ++i)
      if (mine.shape[i] * product(placement.dims[i]) != placement.pads[i])
        return "device " + std::to_string(device) + " has " +
               std::to_string(mine.shape[i]) + " of dim " + std::to_string(i);
    forEachIndex(mine.shape, [&](ArrayRef<int64_t> local) {
      SmallVector<int64_t> index = globalIndex(placement, mesh, device, local);
      if (!wrong.empty() || isPadding(index, whole))
        return;
      size_t place = mine.at(local);
      double value =
          devices[mesh.member(device, placement.partial, 0)].data[place];
      for (int64_t share = 1; share < shares; ++share)
        value = combine(
            value,
            devices[mesh.member(device, placement.partial, share)].data[place],
            placement.partialKind);
      double expected = whole.data[whole.at(index)];
      bool same =
          value == expected || (std::isnan(value) && std::isnan(expected)) ||
          std::abs(value - expected) <= tolerance * (1 + std::abs(expected));
      if (!same)
        wrong = "device " + std::to_string(device) + " has " +
                std::to_string(value) + " instead of " +
                std::to_string(expected) + " at " + indexText(index);
    });
  }
  return wrong;
}

/// How argument or result `type` of a local function lies.
static Placement placementOf(Type type, DictionaryAttr attributes,
                             MeshAttr mesh) {
  auto global = attributes ? attributes.getAs<TypeAttr>(kGlobalName) : nullptr;
  ArrayRef<int64_t> shape = shapeOf(global ? global.getValue() : type);
  auto sharding =
      attributes ? attributes.getAs<ShardingAttr>(kShardingName) : nullptr;
  return sharding ? toPlacement(sharding, mesh, shape)
                  : Placement::replicated(shape);
}

std::string proof::checkLocal(func::FuncOp local, ArrayRef<Tensor> arguments,
                              ArrayRef<Tensor> expected, double tolerance) {
  MeshAttr meshAttr;
  for (MeshOp op : local->getParentOfType<ModuleOp>().getOps<MeshOp>())
    meshAttr = op.getMesh();
  Mesh mesh = toMesh(meshAttr);
  std::vector<Tensors> inputs;
  for (auto [i, tensor] : llvm::enumerate(arguments)) {
    bool isParameter = local.getArgAttr(i, "nn.parameter") != nullptr;
    inputs.push_back(shard(tensor,
                           placementOf(local.getArgumentTypes()[i],
                                       local.getArgAttrDict(i), meshAttr),
                           mesh, isParameter ? 0 : kPoison));
  }
  std::string error;
  FailureOr<std::vector<Tensors>> results =
      evaluateLocal(local, mesh, std::move(inputs), error);
  if (failed(results))
    return error.empty() ? "the program does not return" : error;
  for (auto [i, tensors] : llvm::enumerate(*results)) {
    error = compare(tensors, expected[i],
                    placementOf(local.getResultTypes()[i],
                                local.getResultAttrDict(i), meshAttr),
                    mesh, tolerance);
    if (!error.empty())
      return "result " + std::to_string(i) + ": " + error;
  }
  return "";
}
