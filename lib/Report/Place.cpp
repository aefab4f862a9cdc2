//===- Place.cpp - how one tensor lies on the mesh ------------------------===//
//
// Part of tp-mlir, under the Apache License v2.0.
//
//===----------------------------------------------------------------------===//
//
// A block has an index along each dim; the axes of the dim are its digits. The
// devices that hold it are one, plus every combination of the axes, or parts of
// axes, that no dim has. Devices are numbered along the mesh, minor axes
// fastest.
//
//===----------------------------------------------------------------------===//

#include "tp/Report/Place.h"
#include "LocalProgram.h"
#include "tp/Support/Tool.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/Support/FormatVariadic.h"
#include "llvm/Support/JSON.h"
#include <map>

using namespace mlir;
using namespace mlir::tp;

const ReportPlacement *tp::findTensor(const Report &report, StringRef name) {
  // Those that have it as a part come first.
  std::vector<std::tuple<bool, unsigned, StringRef>> near;
  for (const ReportPlacement &tensor : report.tensors) {
    if (tensor.name == name)
      return &tensor;
    near.push_back({!StringRef(tensor.name).contains(name),
                    name.edit_distance(tensor.name), tensor.name});
  }
  llvm::sort(near);
  near.erase(llvm::unique(near), near.end());
  std::string text = "there is no tensor '" + name.str() + "'";
  constexpr size_t kMostNames = 3;
  for (auto [i, candidate] : llvm::enumerate(near))
    if (i < kMostNames)
      text += (i ? ", " : "; the nearest are ") + std::get<2>(candidate).str();
  printError(text);
  return nullptr;
}

namespace {

/// A digit of a device's number: `size` values, `stride` devices apart.
struct Digit {
  int64_t size = 1, stride = 1;
};

class Layout {
public:
  Layout(const Report &report, const ReportPlacement &tensor)
      : tensor(tensor), placement(tensor.placement) {
    findStrides(report);
    for (const Axes &axes : placement.dims) {
      std::vector<Digit> digits;
      for (const Axis &axis : axes)
        digits.push_back(digitOf(axis));
      dims.push_back(std::move(digits));
      blocks.push_back(sizeOf(axes));
      if (blocks.back() > 1)
        sharded.push_back(dims.size() - 1);
    }
    findFree(report);
  }

  int64_t blockSize(size_t dim) const { return tensor.local[dim]; }

  /// The first device that holds a block.
  int64_t firstDevice(ArrayRef<int64_t> index) const {
    int64_t device = 0;
    for (size_t dim = 0; dim < dims.size(); ++dim) {
      int64_t rest = index[dim];
      for (const Digit &digit : llvm::reverse(dims[dim])) {
        device += rest % digit.size * digit.stride;
        rest /= digit.size;
      }
    }
    return device;
  }

  /// How many devices hold each block.
  int64_t copies() const {
    int64_t count = 1;
    for (const Digit &digit : free)
      count = saturatingProduct(count, digit.size);
    return count;
  }

  /// The first of them, in order.
  std::vector<int64_t> devicesOf(ArrayRef<int64_t> index, int64_t most) const {
    std::vector<int64_t> devices = {firstDevice(index)};
    for (const Digit &digit : llvm::reverse(free)) { // minor first
      std::vector<int64_t> more;
      for (int64_t i = 0; i < digit.size && int64_t(more.size()) < most; ++i)
        for (int64_t device : devices)
          if (int64_t(more.size()) < most)
            more.push_back(device + i * digit.stride);
      devices = std::move(more);
    }
    return devices;
  }

  /// "0..287", "3 (padding)" of block i of a dim.
  std::string rangeOf(size_t dim, int64_t i) const {
    int64_t block = blockSize(dim), begin = i * block, end = begin + block;
    int64_t size = tensor.shape[dim];
    int64_t last = std::min(end, size) - 1;
    if (begin >= size)
      return "padding";
    std::string text = std::to_string(begin);
    if (last > begin)
      text += ".." + std::to_string(last);
    return end > size ? text + " +pad" : text;
  }

  const ReportPlacement &tensor;
  const Placement &placement;
  std::vector<int64_t> blocks; ///< of each dim
  std::vector<size_t> sharded; ///< dims of several blocks

private:
  void findStrides(const Report &report) {
    int64_t stride = 1;
    for (const auto &axis : llvm::reverse(report.axes)) {
      whole[axis.first] = {axis.second, stride};
      stride = saturatingProduct(stride, axis.second);
    }
  }

  Digit digitOf(const Axis &axis) const {
    auto it = whole.find(axis.name.str());
    if (it == whole.end())
      return {};
    int64_t minor = it->second.size / (axis.pre * axis.size);
    return {axis.size, it->second.stride * minor};
  }

  /// What is left of each axis between the parts in use, major to minor.
  void findFree(const Report &report) {
    for (const auto &entry : report.axes) {
      std::vector<std::pair<int64_t, int64_t>> used; // pre, size
      for (const Axes &axes : placement.dims)
        for (const Axis &axis : axes)
          if (axis.name == entry.first)
            used.push_back({axis.pre, axis.size});
      llvm::sort(used);
      used.push_back({entry.second, 1});
      int64_t pre = 1;
      for (auto [begin, size] : used) {
        if (begin > pre)
          free.push_back(digitOf({entry.first, pre, begin / pre}));
        pre = begin * size;
      }
    }
  }

  std::map<std::string, Digit> whole;
  std::vector<std::vector<Digit>> dims;
  std::vector<Digit> free;
};

//===----------------------------------------------------------------------===//
// Text
//===----------------------------------------------------------------------===//

class Picture {
public:
  Picture(const Layout &layout, llvm::raw_ostream &os)
      : layout(layout), os(os), index(layout.blocks.size()) {}

  void print() {
    if (layout.sharded.empty()) {
      os << "every device holds all of it: " << cell() << "\n";
      return;
    }
    printOuter(0);
  }

private:
  static constexpr int64_t kMostRows = 16, kMostColumns = 5, kMostOuter = 4;

  /// The last two sharded dims are a table; those before are headings.
  void printOuter(size_t depth) {
    size_t outer =
        layout.sharded.size() - std::min<size_t>(layout.sharded.size(), 2);
    if (depth == outer)
      return printTable();
    size_t dim = layout.sharded[depth];
    for (int64_t i = 0; i < layout.blocks[dim]; ++i) {
      if (i == kMostOuter) {
        os << "\n... dim " << dim << ": " << layout.blocks[dim] - i
           << " more blocks\n";
        break;
      }
      index[dim] = i;
      os << "\ndim " << dim << ": " << layout.rangeOf(dim, i) << "\n";
      printOuter(depth + 1);
    }
    index[dim] = 0;
  }

  void printTable() {
    bool hasColumns = layout.sharded.size() > 1;
    size_t rows = layout.sharded[layout.sharded.size() - (hasColumns ? 2 : 1)];
    size_t columns = layout.sharded.back();
    int64_t width = hasColumns ? layout.blocks[columns] : 1;
    int64_t shown = std::min(width, kMostColumns);
    std::string line =
        llvm::formatv("{0,-18}", "dim " + std::to_string(rows)).str();
    for (int64_t j = 0; j < shown; ++j)
      line += column(hasColumns ? "dim " + std::to_string(columns) + ": " +
                                      layout.rangeOf(columns, j)
                                : "devices");
    os << StringRef(line).rtrim() << (shown < width ? " ..." : "") << "\n";
    for (int64_t i = 0; i < layout.blocks[rows]; ++i) {
      if (i == kMostRows) {
        os << "... " << layout.blocks[rows] - i << " more blocks\n";
        break;
      }
      index[rows] = i;
      line = llvm::formatv("{0,-18}", layout.rangeOf(rows, i)).str();
      for (int64_t j = 0; j < shown; ++j) {
        if (hasColumns)
          index[columns] = j;
        line += column(cell());
      }
      os << StringRef(line).rtrim() << "\n";
    }
    index[rows] = index[columns] = 0;
  }

  static std::string column(const std::string &text) {
    return llvm::formatv("{0,-13} ", text).str();
  }

  /// "0, 4, .. (64)": as many as there is room for.
  std::string cell() {
    bool isWide = layout.sharded.size() < 2;
    bool isAll = layout.copies() <= 4;
    size_t room = isWide ? 64 : isAll ? 13 : 9;
    std::vector<int64_t> devices = layout.devicesOf(index, isWide ? 16 : 4);
    std::string text;
    size_t shown = 0;
    for (int64_t device : devices) {
      std::string next =
          (shown ? isWide ? ", " : "," : "") + std::to_string(device);
      if (shown && text.size() + next.size() > room)
        break;
      text += next;
      ++shown;
    }
    if (layout.copies() > int64_t(shown))
      text += isWide ? ", .. (" + std::to_string(layout.copies()) + ")" : ",..";
    return text;
  }

  const Layout &layout;
  llvm::raw_ostream &os;
  std::vector<int64_t> index;
};

} // namespace

static std::string shapeText(ArrayRef<int64_t> shape) {
  return shape.empty() ? "a scalar"
                       : llvm::join(llvm::map_range(shape,
                                                    [](int64_t s) {
                                                      return std::to_string(s);
                                                    }),
                                    "x");
}

void tp::printPlaceText(const Report &report, const ReportPlacement &tensor,
                        llvm::raw_ostream &os) {
  Layout layout(report, tensor);
  os << tensor.name << ", " << tensor.kind << ": " << shapeText(tensor.shape)
     << " " << tensor.dtype << "\n"
     << tensor.text << ", " << layout.copies()
     << (layout.copies() == 1 ? " device has" : " devices have")
     << " each block, " << shapeText(tensor.local) << "\n";
  for (size_t dim : layout.sharded) {
    os << "dim " << dim << ": " << tensor.shape[dim];
    if (tensor.placement.pads[dim] != tensor.shape[dim])
      os << ", padded to " << tensor.placement.pads[dim] << ",";
    os << " in " << layout.blocks[dim] << " blocks of " << layout.blockSize(dim)
       << " over ";
    llvm::interleave(
        tensor.placement.dims[dim], os,
        [&](const Axis &axis) {
          os << axis.name;
          for (const auto &whole : report.axes)
            if (whole.first == axis.name && whole.second != axis.size)
              os << ":(" << axis.pre << ")" << axis.size;
        },
        ", ");
    os << "\n";
  }
  if (!tensor.placement.partial.empty())
    os << "each device has a summand\n";
  os << "\n";
  Picture(layout, os).print();
}

//===----------------------------------------------------------------------===//
// JSON
//===----------------------------------------------------------------------===//

void tp::printPlaceJson(const Report &report, const ReportPlacement &tensor,
                        llvm::raw_ostream &os) {
  constexpr int64_t kMostBlocks = 1024, kMostDevices = 64;
  Layout layout(report, tensor);
  llvm::json::OStream json(os, /*IndentSize=*/2);
  auto list = [&](StringRef key, ArrayRef<int64_t> values) {
    json.attributeArray(key, [&] {
      for (int64_t value : values)
        json.value(value);
    });
  };
  int64_t blocks = 1;
  for (int64_t count : layout.blocks)
    blocks = saturatingProduct(blocks, count);
  json.object([&] {
    json.attribute("schema", 1);
    json.attribute("name", tensor.name);
    json.attribute("kind", tensor.kind);
    json.attribute("dtype", tensor.dtype);
    json.attribute("placement", tensor.text);
    list("shape", tensor.shape);
    list("padded", tensor.placement.pads);
    list("local_shape", tensor.local);
    list("blocks_by_dim", layout.blocks);
    json.attribute("devices_by_block", layout.copies());
    json.attributeArray("blocks", [&] {
      std::vector<int64_t> index(layout.blocks.size());
      for (int64_t n = 0; n < std::min(blocks, kMostBlocks); ++n) {
        json.object([&] {
          std::vector<int64_t> offset, extent;
          for (size_t dim = 0; dim < index.size(); ++dim) {
            int64_t begin = index[dim] * layout.blockSize(dim);
            offset.push_back(begin);
            extent.push_back(std::max<int64_t>(
                0, std::min(layout.blockSize(dim), tensor.shape[dim] - begin)));
          }
          list("index", index);
          list("offset", offset);
          list("extent", extent);
          list("devices", layout.devicesOf(index, kMostDevices));
        });
        for (size_t dim = index.size(); dim-- > 0;) {
          if (++index[dim] < layout.blocks[dim])
            break;
          index[dim] = 0;
        }
      }
    });
    if (blocks > kMostBlocks)
      json.attribute("blocks_left_out", blocks - kMostBlocks);
  });
  os << "\n";
}
