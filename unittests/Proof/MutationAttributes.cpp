//===- MutationAttributes.cpp - what an op says of itself, changed --------===//
//
// Part of tp-mlir, under the Apache License v2.0.
//
//===----------------------------------------------------------------------===//

#include "Mutation.h"

using namespace mlir;
using namespace mlir::tp;
using namespace mlir::tp::proof;

namespace {

using Attributes = SmallVector<Attribute>;

/// Axes with one that is another, one that is a part of itself, one less, one
/// more, and in another order.
Attributes changeAxes(ArrayAttr axes, MeshAttr mesh) {
  MLIRContext *context = mesh.getContext();
  Attributes changed, parts;
  for (MeshAxisAttr axis : mesh.getAxes()) {
    if (axis.getSize() == 1)
      continue; // Whether it is there makes no difference.
    parts.push_back(AxisRefAttr::get(context, axis.getName(), 1, 0));
    for (int64_t size = 2; size < axis.getSize(); ++size)
      if (axis.getSize() % size == 0) {
        parts.push_back(AxisRefAttr::get(context, axis.getName(), 1, size));
        parts.push_back(AxisRefAttr::get(context, axis.getName(),
                                         axis.getSize() / size, size));
      }
  }
  auto add = [&](Attributes list) {
    changed.push_back(ArrayAttr::get(context, list));
  };
  for (size_t i = 0; i < axes.size(); ++i) {
    Attributes list(axes.begin(), axes.end());
    for (Attribute part : parts) {
      list[i] = part;
      add(list);
    }
    list.erase(list.begin() + i);
    add(list);
  }
  for (Attribute part : parts) {
    Attributes list(axes.begin(), axes.end());
    list.push_back(part);
    add(list);
  }
  Attributes list(axes.begin(), axes.end());
  std::reverse(list.begin(), list.end());
  add(list);
  return changed;
}

/// Numbers one off, exchanged and mirrored.
Attributes changeNumbers(DenseI64ArrayAttr numbers) {
  Attributes changed;
  auto add = [&](ArrayRef<int64_t> list) {
    changed.push_back(DenseI64ArrayAttr::get(numbers.getContext(), list));
  };
  for (size_t i = 0; i < size_t(numbers.size()); ++i) {
    for (int64_t step : {-1, 1}) {
      SmallVector<int64_t> list(numbers.asArrayRef());
      list[i] += step;
      add(list);
    }
    for (size_t j = 0; j < i; ++j) {
      SmallVector<int64_t> list(numbers.asArrayRef());
      std::swap(list[i], list[j]);
      add(list);
    }
  }
  return changed;
}

/// An equation with two of its letters exchanged, or one for another; a kind of
/// reduction that is another kind.
Attributes changeText(StringAttr text) {
  Attributes changed;
  auto add = [&](StringRef other) {
    changed.push_back(StringAttr::get(text.getContext(), other));
  };
  for (StringRef kind : {"sum", "max", "min"})
    add(kind);
  std::string equation = text.str();
  for (size_t i = 0; i < equation.size(); ++i)
    for (size_t j = 0; j < equation.size(); ++j) {
      if (!llvm::isAlpha(equation[i]) || !llvm::isAlpha(equation[j]))
        continue;
      std::string other = equation;
      if (j < i)
        std::swap(other[i], other[j]);
      else
        other[i] = equation[j];
      add(other);
    }
  return changed;
}

Attributes changeConstant(DenseElementsAttr dense) {
  Attributes changed;
  auto add = [&](function_ref<double(double)> change) {
    if (isa<FloatType>(dense.getElementType()))
      changed.push_back(
          dense.mapValues(dense.getElementType(), [&](const APFloat &value) {
            APFloat number(change(value.convertToDouble()));
            bool isInexact;
            number.convert(value.getSemantics(), APFloat::rmNearestTiesToEven,
                           &isInexact);
            return number.bitcastToAPInt();
          }));
    else if (isa<IntegerType>(dense.getElementType()))
      changed.push_back(
          dense.mapValues(dense.getElementType(), [&](const APInt &value) {
            return APInt(
                value.getBitWidth(),
                uint64_t(int64_t(change(double(value.getSExtValue())))),
                /*isSigned=*/true, /*implicitTrunc=*/true);
          }));
  };
  add([](double x) { return x + 1; });
  add([](double x) { return -x; });
  return changed;
}

Attributes changed(Attribute attribute, MeshAttr mesh) {
  MLIRContext *context = mesh.getContext();
  if (auto axes = dyn_cast<ArrayAttr>(attribute))
    return llvm::all_of(axes, llvm::IsaPred<AxisRefAttr>)
               ? changeAxes(axes, mesh)
               : Attributes();
  if (auto numbers = dyn_cast<DenseI64ArrayAttr>(attribute))
    return changeNumbers(numbers);
  if (auto text = dyn_cast<StringAttr>(attribute))
    return changeText(text);
  if (auto dense = dyn_cast<DenseElementsAttr>(attribute))
    return changeConstant(dense);
  Attributes list;
  if (auto kind = dyn_cast<ReduceKindAttr>(attribute)) {
    for (ReduceKind other : {ReduceKind::Sum, ReduceKind::Max, ReduceKind::Min,
                             ReduceKind::Product})
      list.push_back(ReduceKindAttr::get(context, other));
  } else if (auto number = dyn_cast<IntegerAttr>(attribute)) {
    unsigned width = number.getValue().getBitWidth();
    for (int64_t other : {number.getInt() - 1, number.getInt() + 1,
                          2 * number.getInt(), int64_t(0)})
      list.push_back(IntegerAttr::get(
          number.getType(), APInt(width, uint64_t(other), /*isSigned=*/true,
                                  /*implicitTrunc=*/true)));
  } else if (auto real = dyn_cast<FloatAttr>(attribute)) {
    double value = real.getValueAsDouble();
    for (double other : {value + 1, 2 * value, -value, 0.0, double(-INFINITY)})
      list.push_back(FloatAttr::get(real.getType(), other));
  }
  return list;
}

/// What an attribute is about, for the table.
StringRef about(Operation *op, StringRef name) {
  if (isa<ShardStartOp>(op))
    return "shard_start: another start";
  if (isa<MaskOp>(op))
    return name == "fill"   ? "mask: another fill"
           : name == "size" ? "mask: another size"
                            : "mask: another dim";
  if (isa<PlacementOpInterface>(op))
    return name.ends_with("axes") ? "collective: other axes"
           : name == "kind"       ? "collective: another kind"
                                  : "collective: another dim";
  return "op: another attribute";
}

/// Removes an attribute, or gives it the default if it has one.
void reset(Operation *op, StringAttr name) {
  op->removeAttr(name);
  op->getName().populateDefaultProperties(op->getPropertiesStorage());
}

bool isDefault(Operation *op, NamedAttribute attribute) {
  Operation *probe = op->clone();
  reset(probe, attribute.getName());
  bool same = probe->getAttr(attribute.getName()) == attribute.getValue();
  probe->destroy();
  return same;
}

} // namespace

void proof::collectAttributeMutations(Operation *op, MeshAttr mesh,
                                      MutationSink sink) {
  static const StringRef ignored[] = {"reason", "module", "fastmath",
                                      "overflowFlags", "operandSegmentSizes"};
  for (NamedAttribute named : op->getAttrDictionary()) {
    StringRef name = named.getName().strref();
    if (llvm::is_contained(ignored, name))
      continue;
    Attributes others = changed(named.getValue(), mesh);
    if (!isDefault(op, named))
      others.push_back(Attribute());
    for (Attribute other : others) {
      if (other == named.getValue())
        continue;
      std::string what = name.str() + " becomes ";
      llvm::raw_string_ostream os(what);
      other ? os << other : os << "nothing";
      StringAttr key = named.getName();
      sink(op, {about(op, name).str(), what,
                [key, other](Operation *clone, const IRMapping &) {
                  if (other) {
                    clone->setAttr(key, other);
                    return;
                  }
                  reset(clone, key);
                }});
    }
  }
}
