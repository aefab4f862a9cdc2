//===- CollectiveSteps.cpp - local placement ops as moves -----------------===//
//
// Part of tp-mlir, under the Apache License v2.0.
//
//===----------------------------------------------------------------------===//

#include "CollectiveSteps.h"
#include "llvm/ADT/TypeSwitch.h"

using namespace mlir;
using namespace mlir::tp;

//===----------------------------------------------------------------------===//
// Provenance
//===----------------------------------------------------------------------===//

/// Both, once each, with `separator` between them; either may be null.
static StringAttr join(StringAttr a, StringAttr b, StringRef separator) {
  if (!a || !b)
    return a ? a : b;
  SmallVector<StringRef> parts;
  a.getValue().split(parts, separator);
  if (a == b || llvm::is_contained(parts, b.getValue()))
    return a;
  return StringAttr::get(a.getContext(),
                         a.getValue() + separator + b.getValue());
}

void Provenance::add(Operation *op) {
  if (!llvm::is_contained(locations, op->getLoc()))
    locations.push_back(op->getLoc());
  auto collective = dyn_cast<CollectiveOpInterface>(op);
  if (!collective)
    return;
  reason = join(reason, collective.getReasonText(), "; also: ");
  module = join(module, collective.getModuleName(), ", ");
}

void Provenance::writeTo(NamedAttrList &attributes) const {
  if (reason)
    attributes.set("reason", reason);
  if (module)
    attributes.set("module", module);
}

Location Provenance::location(MLIRContext *context) const {
  return FusedLoc::get(context, locations);
}

//===----------------------------------------------------------------------===//
// Moves
//===----------------------------------------------------------------------===//

bool tp::isCollective(Move move) {
  return move != Move::Slice && move != Move::MakePartial;
}

std::optional<ReshardStep> tp::stepOf(Operation *op, unsigned index,
                                      MeshAttr mesh) {
  if (isStart(op))
    return std::nullopt;
  return TypeSwitch<Operation *, std::optional<ReshardStep>>(op)
      .Case([&](SliceOp slice) {
        return ReshardStep{Move::Slice, toAxes(slice.getAxes(), mesh),
                           int64_t(slice.getDim())};
      })
      .Case([&](MakePartialOp partial) {
        return ReshardStep{Move::MakePartial, toAxes(partial.getAxes(), mesh),
                           0, 0, partial.getKind()};
      })
      .Case([&](AllReduceOp reduce) {
        return ReshardStep{Move::AllReduce, toAxes(reduce.getAxes(), mesh), 0,
                           0, reduce.getKind()};
      })
      .Case([&](AllGatherOp gather) {
        return ReshardStep{Move::AllGather, toAxes(gather.getAxes(), mesh),
                           gather.getDims()[index]};
      })
      .Case([&](ReduceScatterOp scatter) {
        return ReshardStep{Move::ReduceScatter, toAxes(scatter.getAxes(), mesh),
                           scatter.getDims()[index], 0, scatter.getKind()};
      })
      .Case([&](AllToAllOp exchange) {
        return ReshardStep{Move::AllToAll, toAxes(exchange.getAxes(), mesh),
                           exchange.getDims()[index],
                           exchange.getSplitDims()[index]};
      })
      .Case([&](PermuteOp permute) {
        return ReshardStep{
            Move::Permute,   toAxes(permute.getAxes(), mesh),  0, 0,
            ReduceKind::Sum, toAxes(permute.getToAxes(), mesh)};
      })
      .Default(std::nullopt);
}

Value tp::buildStep(OpBuilder &builder, Location loc, Value value,
                    const ReshardStep &step, Type type,
                    FlatSymbolRefAttr meshName, MeshAttr mesh,
                    StringAttr reason, StringAttr module) {
  MLIRContext *context = builder.getContext();
  ArrayAttr axes = toAttribute(step.axes, mesh, context);
  TypeRange types(type);
  ValueRange values(value);
  auto dims = [&](int64_t dim) { return builder.getDenseI64ArrayAttr({dim}); };
  auto kind = ReduceKindAttr::get(context, step.kind);
  switch (step.move) {
  case Move::Slice:
    return SliceOp::create(builder, loc, type, value, meshName, axes,
                           builder.getI64IntegerAttr(step.dim));
  case Move::MakePartial:
    return MakePartialOp::create(builder, loc, type, value, meshName, axes,
                                 kind);
  case Move::AllGather:
    return AllGatherOp::create(builder, loc, types, values, meshName, axes,
                               dims(step.dim), reason, module)
        .getResult(0);
  case Move::AllReduce:
    return AllReduceOp::create(builder, loc, types, values, meshName, axes,
                               kind, reason, module)
        .getResult(0);
  case Move::ReduceScatter:
    return ReduceScatterOp::create(builder, loc, types, values, meshName, axes,
                                   kind, dims(step.dim), reason, module)
        .getResult(0);
  case Move::AllToAll:
    return AllToAllOp::create(builder, loc, types, values, meshName, axes,
                              dims(step.dim), dims(step.splitDim), reason,
                              module)
        .getResult(0);
  case Move::Permute:
    return PermuteOp::create(builder, loc, types, values, meshName, axes,
                             toAttribute(step.toAxes, mesh, context), reason,
                             module)
        .getResult(0);
  }
  return value;
}

//===----------------------------------------------------------------------===//
// Tensors that travel together
//===----------------------------------------------------------------------===//

ArrayRef<StringLiteral> tp::tensorListNames() {
  static constexpr StringLiteral names[] = {"dims", "split_dims"};
  return names;
}

DictionaryAttr tp::commonKindOf(Operation *op) {
  NamedAttrList attributes(op->getAttrDictionary());
  for (StringRef name : tensorListNames())
    attributes.erase(name);
  for (StringRef name : {"reason", "module"})
    attributes.erase(name);
  attributes.erase(kShardingsName);
  attributes.set("op", op->getName().getIdentifier());
  return attributes.getDictionary(op->getContext());
}

Operation *tp::packCollectives(OpBuilder &builder, ArrayRef<Operation *> parts,
                               function_ref<bool(Operation *, unsigned)> keep) {
  Operation *first = parts.front();
  MLIRContext *context = first->getContext();
  OperationState state(first->getLoc(), first->getName());
  NamedAttrList attributes(first->getAttrDictionary());
  Provenance provenance;
  for (Operation *part : parts) {
    provenance.add(part);
    for (unsigned i = 0; i < part->getNumOperands(); ++i)
      if (keep(part, i)) {
        state.addOperands(part->getOperand(i));
        state.addTypes(part->getResult(i).getType());
      }
  }
  for (StringRef name : tensorListNames()) {
    if (!attributes.get(name))
      continue;
    SmallVector<int64_t> all;
    for (Operation *part : parts)
      for (auto [i, number] : llvm::enumerate(
               part->getAttrOfType<DenseI64ArrayAttr>(name).asArrayRef()))
        if (keep(part, i))
          all.push_back(number);
    attributes.set(name, DenseI64ArrayAttr::get(context, all));
  }
  provenance.writeTo(attributes);
  attributes.erase(kShardingsName);
  state.addAttributes(attributes);
  state.location = provenance.location(context);
  return builder.create(state);
}
