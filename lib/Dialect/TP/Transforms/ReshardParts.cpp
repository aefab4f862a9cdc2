//===- ReshardParts.cpp - the parts of axes that a search may use ---------===//
//
// Part of tp-mlir, under the Apache License v2.0.
//
//===----------------------------------------------------------------------===//

#include "ReshardSearch.h"

using namespace mlir;
using namespace mlir::tp;
using namespace mlir::tp::reshard;

/// Whether each divides the next.
static bool nest(ArrayRef<int64_t> cuts) {
  for (size_t i = 0; i + 1 < cuts.size(); ++i)
    if (cuts[i + 1] % cuts[i])
      return false;
  return true;
}

std::optional<PartTable> PartTable::make(ArrayRef<CutAxis> axes) {
  // One number is kept free, to separate lists in keys.
  constexpr size_t mostParts = 255;
  PartTable table;
  for (const CutAxis &axis : axes) {
    if (!nest(axis.cuts)) {
      table.ranges.push_back({axis.axis.name, axis.cuts});
      continue;
    }
    for (size_t i = 0; i + 1 < axis.cuts.size(); ++i)
      table.ranges.push_back(
          {axis.axis.name, {axis.cuts[i], axis.cuts[i + 1]}});
  }
  for (auto [number, range] : llvm::enumerate(table.ranges)) {
    table.firstPart.push_back(table.numParts());
    for (auto [i, begin] : llvm::enumerate(range.cuts))
      for (int64_t end : ArrayRef<int64_t>(range.cuts).drop_front(i + 1)) {
        if (end % begin)
          continue;
        if (table.parts.size() == mostParts)
          return std::nullopt;
        table.parts.push_back({range.axis, begin, end / begin});
        table.rangeOf.push_back(number);
      }
  }
  table.firstPart.push_back(table.numParts());
  table.findAtoms();
  return table;
}

void PartTable::findAtoms() {
  for (Part part = 0; part < numParts(); ++part) {
    unsigned range = rangeOf[part];
    auto isInside = [&](Part inner, Part outer) {
      return inner != outer && beginOf(inner) % beginOf(outer) == 0 &&
             endOf(outer) % endOf(inner) == 0;
    };
    Parts &found = atoms.emplace_back();
    for (Part inner = firstPart[range]; inner < firstPart[range + 1]; ++inner) {
      bool isCut = false;
      for (Part other = firstPart[range]; other < firstPart[range + 1]; ++other)
        isCut |= isInside(other, inner);
      if (!isCut && (inner == part || isInside(inner, part)))
        found.push_back(inner);
    }
  }
}

int64_t PartTable::product(ArrayRef<Part> list) const {
  int64_t product = 1;
  for (Part part : list)
    product *= parts[part].size;
  return product;
}

Part PartTable::find(unsigned range, int64_t begin, int64_t end) const {
  for (unsigned i = firstPart[range]; i < firstPart[range + 1]; ++i)
    if (parts[i].pre == begin && begin * parts[i].size == end)
      return Part(i);
  return Part(parts.size()); // Never: callers ask for what the cuts give.
}

Parts PartTable::encode(ArrayRef<Axis> list) const {
  Parts result;
  for (const Axis &axis : list)
    for (auto [number, range] : llvm::enumerate(ranges)) {
      int64_t begin = std::max(axis.pre, range.cuts.front());
      int64_t end = std::min(axis.pre * axis.size, range.cuts.back());
      if (range.axis == axis.name && begin < end)
        append(result, find(number, begin, end));
    }
  return result;
}

Axes PartTable::decode(ArrayRef<Part> list) const {
  Axes result;
  for (Part part : list)
    result.push_back(parts[part]);
  return normalised(result);
}

void PartTable::append(Parts &list, Part part) const {
  if (!list.empty() && isSameRange(list.back(), part) &&
      endOf(list.back()) == beginOf(part))
    list.back() = find(rangeOf[part], beginOf(list.back()), endOf(part));
  else
    list.push_back(part);
}

Parts PartTable::sorted(Parts list) const {
  llvm::sort(list, [&](Part a, Part b) {
    return std::pair(rangeOf[a], beginOf(a)) <
           std::pair(rangeOf[b], beginOf(b));
  });
  Parts result;
  append(result, list);
  return result;
}

void PartTable::forEachSuffix(
    ArrayRef<Part> list,
    function_ref<void(const Parts &, const Parts &)> visit) const {
  Parts rest; // all after part i
  for (size_t i = list.size(); i-- > 0;) {
    int64_t begin = beginOf(list[i]), end = endOf(list[i]);
    unsigned range = rangeOf[list[i]];
    for (int64_t cut : llvm::reverse(ranges[range].cuts)) {
      if (cut >= end || cut < begin || cut % begin || end % cut)
        continue;
      Parts kept(list.begin(), list.begin() + i);
      if (cut > begin)
        kept.push_back(find(range, begin, cut));
      Parts suffix{find(range, cut, end)};
      suffix.append(rest);
      visit(kept, suffix);
    }
    rest.insert(rest.begin(), list[i]);
  }
}

void PartTable::forEachAtom(Part part, function_ref<void(Part)> visit) const {
  for (Part atom : atoms[part])
    visit(atom);
}

SmallVector<int64_t, 8> PartTable::endsFrom(Part part) const {
  SmallVector<int64_t, 8> ends;
  for (int64_t cut : ranges[rangeOf[part]].cuts)
    if (cut > beginOf(part) && cut % beginOf(part) == 0)
      ends.push_back(cut);
  return ends;
}

void PartTable::without(Part part, Part taken, Parts &rest) const {
  if (beginOf(taken) > beginOf(part))
    rest.push_back(find(rangeOf[part], beginOf(part), beginOf(taken)));
  if (endOf(taken) < endOf(part))
    rest.push_back(find(rangeOf[part], endOf(taken), endOf(part)));
}

Parts PartTable::unused(ArrayRef<Part> used) const {
  Parts result;
  for (auto [number, range] : llvm::enumerate(ranges)) {
    SmallVector<std::pair<int64_t, int64_t>, 4> taken;
    for (Part part : used)
      if (rangeOf[part] == number)
        taken.push_back({beginOf(part), endOf(part)});
    llvm::sort(taken);
    taken.push_back({range.cuts.back(), range.cuts.back()});
    int64_t at = range.cuts.front();
    for (auto [begin, end] : taken) {
      if (begin > at && begin % at == 0)
        result.push_back(find(number, at, begin));
      at = end;
    }
  }
  return result;
}
