//===- ReshardParts.cpp - the parts of axes that a search may use ---------===//
//
// Part of tp-mlir, under the Apache License v2.0.
//
//===----------------------------------------------------------------------===//

#include "ReshardSearch.h"

using namespace mlir;
using namespace mlir::tp;
using namespace mlir::tp::reshard;

std::optional<PartTable> PartTable::make(ArrayRef<CutAxis> axes) {
  // One number is kept free, to separate lists in keys.
  constexpr size_t mostParts = 255;
  PartTable table;
  table.axes.assign(axes.begin(), axes.end());
  for (auto [number, axis] : llvm::enumerate(axes))
    for (auto [i, begin] : llvm::enumerate(axis.cuts))
      for (int64_t end : ArrayRef<int64_t>(axis.cuts).drop_front(i + 1)) {
        if (end % begin) {
          table.clashes = true;
          continue;
        }
        if (table.parts.size() == mostParts)
          return std::nullopt;
        table.parts.push_back({axis.axis.name, begin, end / begin});
        table.axisOf.push_back(number);
      }
  return table;
}

int64_t PartTable::product(ArrayRef<Part> list) const {
  int64_t product = 1;
  for (Part part : list)
    product *= parts[part].size;
  return product;
}

Part PartTable::find(unsigned axis, int64_t begin, int64_t end) const {
  for (size_t i = 0; i < parts.size(); ++i)
    if (axisOf[i] == axis && parts[i].pre == begin &&
        begin * parts[i].size == end)
      return Part(i);
  return Part(parts.size()); // Never: callers ask for what the cuts give.
}

Parts PartTable::encode(ArrayRef<Axis> list) const {
  Parts result;
  for (const Axis &axis : list)
    for (auto [number, cut] : llvm::enumerate(axes))
      if (cut.axis.name == axis.name && axis.size > 1)
        append(result, find(number, axis.pre, axis.pre * axis.size));
  return result;
}

Axes PartTable::decode(ArrayRef<Part> list) const {
  Axes result;
  for (Part part : list)
    result.push_back(parts[part]);
  return normalised(result);
}

void PartTable::append(Parts &list, Part part) const {
  if (!list.empty() && axisOf[list.back()] == axisOf[part]) {
    const Axis &last = parts[list.back()], &next = parts[part];
    if (last.pre * last.size == next.pre) {
      list.back() = find(axisOf[part], last.pre, next.pre * next.size);
      return;
    }
  }
  list.push_back(part);
}

Parts PartTable::sorted(Parts list) const {
  llvm::sort(list, [&](Part a, Part b) {
    return std::pair(axisOf[a], parts[a].pre) <
           std::pair(axisOf[b], parts[b].pre);
  });
  Parts result;
  append(result, list);
  return result;
}

Parts PartTable::atoms(ArrayRef<Part> list) const {
  Parts result;
  for (Part part : list) {
    int64_t at = parts[part].pre, end = at * parts[part].size;
    for (int64_t cut : axes[axisOf[part]].cuts)
      if (cut > at && cut <= end && cut % at == 0 && end % cut == 0) {
        result.push_back(find(axisOf[part], at, cut));
        at = cut;
      }
  }
  return result;
}

void PartTable::forEachSuffix(
    ArrayRef<Part> list,
    function_ref<void(const Parts &, const Parts &)> visit) const {
  Parts rest; // all after part i
  for (size_t i = list.size(); i-- > 0;) {
    const Axis &axis = parts[list[i]];
    int64_t begin = axis.pre, end = begin * axis.size;
    for (int64_t cut : llvm::reverse(axes[axisOf[list[i]]].cuts)) {
      if (cut >= end || cut < begin || cut % begin || end % cut)
        continue;
      Parts kept(list.begin(), list.begin() + i);
      if (cut > begin)
        kept.push_back(find(axisOf[list[i]], begin, cut));
      Parts suffix{find(axisOf[list[i]], cut, end)};
      suffix.append(rest);
      visit(kept, suffix);
    }
    rest.insert(rest.begin(), list[i]);
  }
}

void PartTable::forEachSubPart(Part part, bool onlyAtoms,
                               function_ref<void(Part)> visit) const {
  int64_t begin = parts[part].pre, end = begin * parts[part].size;
  auto isInside = [&](Part other) {
    int64_t from = parts[other].pre, to = from * parts[other].size;
    return axisOf[other] == axisOf[part] && from >= begin && to <= end &&
           from % begin == 0 && end % to == 0;
  };
  auto isAtom = [&](Part other) {
    int64_t from = parts[other].pre, to = from * parts[other].size;
    return llvm::none_of(axes[axisOf[other]].cuts, [&](int64_t cut) {
      return cut > from && cut < to && cut % from == 0 && to % cut == 0;
    });
  };
  for (size_t i = 0; i < parts.size(); ++i)
    if (isInside(Part(i)) && (!onlyAtoms || isAtom(Part(i))))
      visit(Part(i));
}

void PartTable::without(Part part, Part taken, Parts &rest) const {
  int64_t begin = parts[part].pre, end = begin * parts[part].size;
  int64_t from = parts[taken].pre, to = from * parts[taken].size;
  if (from > begin)
    rest.push_back(find(axisOf[part], begin, from));
  if (to < end)
    rest.push_back(find(axisOf[part], to, end));
}

Parts PartTable::unused(ArrayRef<Part> used) const {
  Parts result;
  for (auto [number, axis] : llvm::enumerate(axes)) {
    SmallVector<std::pair<int64_t, int64_t>, 4> taken;
    for (Part part : used)
      if (axisOf[part] == number)
        taken.push_back({parts[part].pre, parts[part].pre * parts[part].size});
    llvm::sort(taken);
    taken.push_back({axis.axis.size, axis.axis.size});
    int64_t at = 1;
    for (auto [begin, end] : taken) {
      if (begin > at && begin % at == 0)
        result.push_back(find(number, at, begin));
      at = end;
    }
  }
  return result;
}
