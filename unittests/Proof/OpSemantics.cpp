//===- OpSemantics.cpp - what ops compute ---------------------------------===//
//
// Part of tp-mlir, under the Apache License v2.0.
//
//===----------------------------------------------------------------------===//

#include "Interpreter.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "tp/Dialect/NN/IR/NN.h"
#include "llvm/ADT/StringMap.h"
#include <cmath>
#include <map>

using namespace mlir;
using namespace mlir::tp;
using namespace mlir::tp::proof;

namespace {

using Index = SmallVector<int64_t>;
using Inputs = ArrayRef<const Tensor *>;

ArrayRef<int64_t> resultShape(Operation *op, unsigned number = 0) {
  return shapeOf(op->getResult(number).getType());
}

double at(const Tensor &tensor, ArrayRef<int64_t> index) {
  return tensor.data[tensor.at(index)];
}

/// A tensor of the op's result shape with `value` of each index.
Tensor tabulate(Operation *op,
                llvm::function_ref<double(ArrayRef<int64_t>)> value) {
  Tensor result(resultShape(op));
  size_t next = 0;
  forEachIndex(result.shape, [&](ArrayRef<int64_t> index) {
    result.data[next++] = value(index);
  });
  return result;
}

/// The whole number in `x`; none for poison.
std::optional<int64_t> whole(double x) {
  return std::isnan(x) ? std::nullopt : std::optional<int64_t>(int64_t(x));
}

//===----------------------------------------------------------------------===//
// Elementwise
//===----------------------------------------------------------------------===//

using Unary = double (*)(double);
using Binary = double (*)(double, double);

double same(double x) { return x; }

Unary unaryOf(StringRef name) {
  static const llvm::StringMap<Unary> table = {
      {"arith.negf", [](double x) { return -x; }},
      {"arith.extf", same},
      {"arith.truncf", same},
      {"arith.sitofp", same},
      {"arith.extsi", same},
      {"arith.extui", [](double x) { return double(x != 0); }}, // of booleans
      {"arith.uitofp", [](double x) { return double(x != 0); }},
      {"arith.trunci", same},
      {"arith.fptosi", [](double x) { return std::trunc(x); }},
      {"math.exp", [](double x) { return std::exp(x); }},
      {"math.log", [](double x) { return std::log(x); }},
      {"math.sqrt", [](double x) { return std::sqrt(x); }},
      {"math.rsqrt", [](double x) { return 1 / std::sqrt(x); }},
      {"math.tanh", [](double x) { return std::tanh(x); }},
      {"math.sin", [](double x) { return std::sin(x); }},
      {"math.cos", [](double x) { return std::cos(x); }},
      {"math.absf", [](double x) { return std::abs(x); }},
      {"math.erf", [](double x) { return std::erf(x); }},
      {"math.floor", [](double x) { return std::floor(x); }},
      {"math.ceil", [](double x) { return std::ceil(x); }},
  };
  return table.lookup(name);
}

Binary binaryOf(StringRef name) {
  static const Binary max = [](double a, double b) { return std::max(a, b); };
  static const Binary min = [](double a, double b) { return std::min(a, b); };
  static const llvm::StringMap<Binary> table = {
      {"arith.addf", [](double a, double b) { return a + b; }},
      {"arith.addi", [](double a, double b) { return a + b; }},
      {"arith.subf", [](double a, double b) { return a - b; }},
      {"arith.subi", [](double a, double b) { return a - b; }},
      {"arith.mulf", [](double a, double b) { return a * b; }},
      {"arith.muli", [](double a, double b) { return a * b; }},
      {"arith.divf", [](double a, double b) { return a / b; }},
      {"arith.remf", [](double a, double b) { return std::fmod(a, b); }},
      {"arith.divsi", [](double a, double b) { return std::trunc(a / b); }},
      {"arith.remsi", [](double a, double b) { return std::fmod(a, b); }},
      {"arith.maximumf", max},
      {"arith.maxnumf", max},
      {"arith.maxsi", max},
      {"arith.minimumf", min},
      {"arith.minnumf", min},
      {"arith.minsi", min},
      {"arith.andi",
       [](double a, double b) { return double(int64_t(a) & int64_t(b)); }},
      {"arith.ori",
       [](double a, double b) { return double(int64_t(a) | int64_t(b)); }},
      {"arith.xori",
       [](double a, double b) { return double(int64_t(a) ^ int64_t(b)); }},
      {"math.powf", [](double a, double b) { return std::pow(a, b); }},
  };
  return table.lookup(name);
}

Tensors unary(Operation *op, Inputs in) {
  Unary function = unaryOf(op->getName().getStringRef());
  // Of one bit, 1 is -1 where it is taken for a number.
  bool fromBit = getElementTypeOrSelf(op->getOperand(0)).isInteger(1);
  bool toBit = getElementTypeOrSelf(op->getResult(0)).isInteger(1);
  Tensor result = *in[0];
  for (double &x : result.data) {
    x = std::isnan(x) ? kPoison : function(fromBit ? -x : x);
    if (toBit && !std::isnan(x))
      x = double(int64_t(x) & 1);
  }
  return {result};
}

Tensors binary(Operation *op, Inputs in) {
  Binary function = binaryOf(op->getName().getStringRef());
  Tensor result = *in[0];
  for (auto [a, b] : llvm::zip(result.data, in[1]->data))
    a = std::isnan(a) || std::isnan(b) ? kPoison : function(a, b);
  return {result};
}

/// A comparison: the order in which it holds.
Tensors compareWith(Inputs in, bool less, bool equal, bool greater) {
  Tensor result = *in[0];
  for (auto [a, b] : llvm::zip(result.data, in[1]->data))
    a = std::isnan(a) || std::isnan(b) ? kPoison
                                       : (a < b   ? less
                                          : a > b ? greater
                                                  : equal);
  return {result};
}

/// Of unsigned predicates, what is negative is large.
Tensors cmpi(Operation *op, Inputs in) {
  StringRef name =
      arith::stringifyCmpIPredicate(cast<arith::CmpIOp>(op).getPredicate());
  Tensor a = *in[0], b = *in[1];
  if (name.starts_with("u"))
    for (Tensor *tensor : {&a, &b})
      for (double &x : tensor->data)
        x += x < 0 ? std::ldexp(1, 64) : 0;
  return compareWith(
      {&a, &b}, name == "ne" || name.ends_with("lt") || name.ends_with("le"),
      name == "eq" || name.ends_with("le") || name.ends_with("ge"),
      name == "ne" || name.ends_with("gt") || name.ends_with("ge"));
}

/// No element is NaN, so ordered and unordered predicates are alike.
Tensors cmpf(Operation *op, Inputs in) {
  StringRef name =
      arith::stringifyCmpFPredicate(cast<arith::CmpFOp>(op).getPredicate());
  StringRef order = name.drop_front(name.size() > 2 ? 1 : 0);
  bool ordered = name == "ord" || name == "true";
  return compareWith(
      in, ordered || order == "lt" || order == "le" || order == "ne",
      ordered || order == "eq" || order == "le" || order == "ge",
      ordered || order == "gt" || order == "ge" || order == "ne");
}

Tensors select(Operation *, Inputs in) {
  Tensor result = *in[1];
  for (auto [i, x] : llvm::enumerate(result.data)) {
    double condition = in[0]->data[in[0]->data.size() == 1 ? 0 : i];
    double other = in[2]->data[i];
    // What is not chosen is not read.
    x = std::isnan(condition) ? kPoison : condition != 0 ? x : other;
  }
  return {result};
}

Tensors constant(Operation *op, Inputs) {
  Tensor result(resultShape(op));
  auto dense =
      dyn_cast<DenseElementsAttr>(cast<arith::ConstantOp>(op).getValue());
  if (!dense)
    return {};
  bool isBool = dense.getElementType().isInteger(1);
  size_t next = 0;
  if (isa<FloatType>(dense.getElementType()))
    for (APFloat value : dense.getValues<APFloat>())
      result.data[next++] = value.convertToDouble();
  else
    for (APInt value : dense.getValues<APInt>())
      result.data[next++] =
          isBool ? double(value.getZExtValue()) : double(value.getSExtValue());
  return {result};
}

Tensors identity(Operation *, Inputs in) { return {*in[0]}; }

Tensors mask(Operation *op, Inputs in) {
  auto mask = cast<MaskOp>(op);
  Tensor result = *in[0];
  forEachIndex(result.shape, [&](ArrayRef<int64_t> index) {
    int64_t global = int64_t(in[1]->data[0]) + index[mask.getDim()];
    if (global >= int64_t(mask.getSize()))
      result.data[result.at(index)] = mask.getFill().convertToDouble();
  });
  return {result};
}

//===----------------------------------------------------------------------===//
// Contraction and reduction
//===----------------------------------------------------------------------===//

Tensors contract(Operation *op, Inputs in) {
  StringRef equation = cast<nn::ContractOp>(op).getEquation();
  StringRef lhs = equation.split(",").first;
  StringRef rhs = equation.split(",").second.split("->").first;
  StringRef out = equation.split("->").second;
  std::map<char, int64_t> sizes;
  for (auto [letters, tensor] : {std::pair(lhs, in[0]), std::pair(rhs, in[1])})
    for (auto [letter, size] : llvm::zip(letters, tensor->shape))
      sizes[letter] = size;
  std::string letters;
  Index space;
  for (auto [letter, size] : sizes) {
    letters += letter;
    space.push_back(size);
  }
  auto pick = [&](StringRef names, ArrayRef<int64_t> index) {
    Index picked;
    for (char name : names)
      picked.push_back(index[letters.find(name)]);
    return picked;
  };
  Tensor result(resultShape(op));
  forEachIndex(space, [&](ArrayRef<int64_t> index) {
    result.data[result.at(pick(out, index))] +=
        at(*in[0], pick(lhs, index)) * at(*in[1], pick(rhs, index));
  });
  return {result};
}

Tensors reduce(Operation *op, Inputs in) {
  auto reduction = cast<nn::ReduceOp>(op);
  StringRef kind = reduction.getKind();
  double infinity = std::numeric_limits<double>::infinity();
  Tensor result(resultShape(op), kind == "max"       ? -infinity
                                 : kind == "min"     ? infinity
                                 : kind == "product" ? 1
                                                     : 0);
  forEachIndex(in[0]->shape, [&](ArrayRef<int64_t> index) {
    Index kept;
    for (auto [i, position] : llvm::enumerate(index))
      if (!llvm::is_contained(reduction.getDims(), int64_t(i)))
        kept.push_back(position);
    double &to = result.data[result.at(kept)], x = at(*in[0], index);
    if (std::isnan(x) || std::isnan(to))
      to = kPoison;
    else if (kind == "sum")
      to += x;
    else if (kind == "product")
      to *= x;
    else
      to = kind == "max" ? std::max(to, x) : std::min(to, x);
  });
  return {result};
}

Tensors cumulativeSum(Operation *op, Inputs in) {
  auto sum = cast<nn::CumulativeSumOp>(op);
  int64_t dim = sum.getDim();
  return {tabulate(op, [&](ArrayRef<int64_t> index) {
    Index from(index);
    double total = 0;
    int64_t count = index[dim] + (sum.getExclusive() ? 0 : 1);
    for (from[dim] = 0; from[dim] < count; ++from[dim])
      total += at(*in[0], from);
    return total;
  })};
}

//===----------------------------------------------------------------------===//
// Layout
//===----------------------------------------------------------------------===//

Tensors reshape(Operation *op, Inputs in) {
  Tensor result(resultShape(op));
  result.data = in[0]->data;
  return {result};
}

Tensors transpose(Operation *op, Inputs in) {
  return {tabulate(op, [&](ArrayRef<int64_t> index) {
    Index from(index);
    for (auto [i, dim] :
         llvm::enumerate(cast<nn::TransposeOp>(op).getPermutation()))
      from[dim] = index[i];
    return at(*in[0], from);
  })};
}

Tensors broadcast(Operation *op, Inputs in) {
  return {tabulate(op, [&](ArrayRef<int64_t> index) {
    Index from;
    for (int64_t dim : cast<nn::BroadcastOp>(op).getDims())
      from.push_back(index[dim]);
    return at(*in[0], from);
  })};
}

Tensors slice(Operation *op, Inputs in) {
  auto box = cast<nn::SliceOp>(op);
  return {tabulate(op, [&](ArrayRef<int64_t> index) {
    Index from;
    for (auto [i, offset, stride] :
         llvm::zip(index, box.getOffsets(), box.getStrides()))
      from.push_back(offset + i * stride);
    return at(*in[0], from);
  })};
}

Tensors concat(Operation *op, Inputs in) {
  int64_t dim = cast<nn::ConcatOp>(op).getDim();
  return {tabulate(op, [&](ArrayRef<int64_t> index) {
    Index from(index);
    const Tensor *const *part = in.begin();
    while (from[dim] >= (*part)->shape[dim])
      from[dim] -= (*part++)->shape[dim];
    return at(**part, from);
  })};
}

Tensors pad(Operation *op, Inputs in) {
  auto padding = cast<nn::PadOp>(op);
  return {tabulate(op, [&](ArrayRef<int64_t> index) {
    Index from;
    bool isInside = true;
    for (auto [i, low, size] :
         llvm::zip(index, padding.getLow(), in[0]->shape)) {
      from.push_back(i - low);
      isInside &= i >= low && i < low + size;
    }
    return isInside ? at(*in[0], from) : padding.getValue().convertToDouble();
  })};
}

Tensors iota(Operation *op, Inputs in) {
  double start = in.empty() ? 0 : in[0]->data[0];
  return {tabulate(op, [&](ArrayRef<int64_t> index) {
    return start + double(index[cast<nn::IotaOp>(op).getDim()]);
  })};
}

//===----------------------------------------------------------------------===//
// Gather and scatter
//===----------------------------------------------------------------------===//

Tensors take(Operation *op, Inputs in) {
  int64_t dim = cast<nn::TakeOp>(op).getDim();
  std::optional<int64_t> chosen = whole(in[1]->data[0]);
  bool isInside = chosen && *chosen >= 0 && *chosen < in[0]->shape[dim];
  return {tabulate(op, [&](ArrayRef<int64_t> index) {
    if (!isInside)
      return kPoison;
    Index from(index);
    from.insert(from.begin() + dim, *chosen);
    return at(*in[0], from);
  })};
}

/// Where the shard starts, in the op's last operand.
template <typename Op> int64_t startOf(Op op, Inputs in) {
  return op.getStart() ? int64_t(in.back()->data[0]) : 0;
}

/// The start of the shard and the size of the vocabulary.
template <typename Op>
std::pair<int64_t, int64_t> vocabularyOf(Op op, Inputs in, int64_t rows) {
  return {startOf(op, in), int64_t(op.getVocabulary().value_or(rows))};
}

/// An id that is no row's ends the run: everything is poison.
Tensors embedding(Operation *op, Inputs in) {
  const Tensor &ids = *in[0], &table = *in[1];
  std::pair<int64_t, int64_t> extent =
      vocabularyOf(cast<nn::EmbeddingOp>(op), in, table.shape[0]);
  for (double x : ids.data)
    if (!(x >= 0 && x < double(extent.second)))
      return {Tensor(resultShape(op), kPoison)};
  return {tabulate(op, [&](ArrayRef<int64_t> index) {
    int64_t row = int64_t(at(ids, index.drop_back())) - extent.first;
    bool isHere = row >= 0 && row < table.shape[0];
    return isHere ? at(table, {row, index.back()}) : 0;
  })};
}

Tensors embeddingGradient(Operation *op, Inputs in) {
  const Tensor &ids = *in[0], &gradient = *in[1];
  Tensor result(resultShape(op));
  auto [start, vocabulary] =
      vocabularyOf(cast<nn::EmbeddingGradientOp>(op), in, result.shape[0]);
  for (auto [i, x] : llvm::enumerate(gradient.data)) {
    int64_t width = result.shape[1], column = int64_t(i) % width;
    std::optional<int64_t> id = whole(ids.data[i / size_t(width)]);
    if (!id || *id < 0 || *id >= vocabulary) // Any row may be hit.
      llvm::fill(result.data, kPoison);
    else if (*id >= start && *id < start + result.shape[0])
      result.data[result.at({*id - start, column})] += x;
  }
  return {result};
}

/// The row of its own table that an id at `index` stands for, and a column;
/// none if there is no such row, which ends the run.
std::optional<Index> rowOf(const Tensor &ids, ArrayRef<int64_t> tables,
                           ArrayRef<int64_t> index) {
  std::optional<int64_t> id = whole(at(ids, index.drop_back()));
  if (!id || *id < 0 || *id >= tables[tables.size() - 2])
    return std::nullopt;
  Index row(index.take_front(tables.size() - 2));
  row.push_back(*id);
  row.push_back(index.back());
  return row;
}

Tensors gather(Operation *op, Inputs in) {
  bool isWhole = true;
  Tensor result = tabulate(op, [&](ArrayRef<int64_t> index) {
    std::optional<Index> row = rowOf(*in[0], in[1]->shape, index);
    isWhole &= row.has_value();
    return row ? at(*in[1], *row) : kPoison;
  });
  return {isWhole ? result : Tensor(resultShape(op), kPoison)};
}

Tensors scatterAdd(Operation *op, Inputs in) {
  Tensor result(resultShape(op));
  bool isWhole = true;
  forEachIndex(in[1]->shape, [&](ArrayRef<int64_t> index) {
    if (std::optional<Index> row = rowOf(*in[0], result.shape, index))
      result.data[result.at(*row)] += at(*in[1], index);
    else
      isWhole = false;
  });
  return {isWhole ? result : Tensor(resultShape(op), kPoison)};
}

/// A position without room for the rows ends the run: everything is poison.
Tensors cacheUpdate(Operation *op, Inputs in) {
  auto cache = cast<nn::CacheUpdateOp>(op);
  Tensor result = *in[0];
  int64_t rows = result.shape[1], start = startOf(cache, in);
  auto capacity = int64_t(cache.getCapacity().value_or(rows));
  std::optional<int64_t> position = whole(in[2]->data[0]),
                         length = whole(in[3]->data[0]);
  const Tensor &update = *in[1];
  if (!position || !length || *position < 0 || *length < 0 ||
      *length > update.shape[1] || *position + *length > capacity) {
    llvm::fill(result.data, kPoison);
    return {result};
  }
  forEachIndex(update.shape, [&](ArrayRef<int64_t> index) {
    if (index[1] >= *length)
      return;
    Index to(index);
    to[1] += *position - start;
    if (to[1] >= 0 && to[1] < rows)
      result.data[result.at(to)] = at(update, index);
  });
  return {result};
}

//===----------------------------------------------------------------------===//
// Composites
//===----------------------------------------------------------------------===//

Tensors rmsNorm(Operation *op, Inputs in) {
  double epsilon = cast<nn::RMSNormOp>(op).getEpsilon().convertToDouble();
  const Tensor &x = *in[0], &weight = *in[1];
  Tensor result(resultShape(op));
  size_t width = weight.data.size();
  for (size_t row = 0; row < x.data.size(); row += width) {
    double squares = 0;
    for (size_t i = 0; i < width; ++i)
      squares += x.data[row + i] * x.data[row + i];
    double root = std::sqrt(squares / double(width) + epsilon);
    for (size_t i = 0; i < width; ++i)
      result.data[row + i] = x.data[row + i] / root * weight.data[i];
  }
  return {result};
}

Tensors softmax(Operation *op, Inputs in) {
  int64_t dim = cast<nn::SoftmaxOp>(op).getDim();
  const Tensor &x = *in[0];
  return {tabulate(op, [&](ArrayRef<int64_t> index) {
    Index other(index);
    double sum = 0;
    for (other[dim] = 0; other[dim] < x.shape[dim]; ++other[dim])
      sum += std::exp(at(x, other));
    return std::exp(at(x, index)) / sum;
  })};
}

/// A row's loss and what it counts in a mean. A target that is no class gives
/// NaN; one that is ignored, nothing.
std::pair<double, double> rowLoss(nn::CrossEntropyOp op, Inputs in,
                                  ArrayRef<int64_t> row) {
  bool hasIds = op.hasIds();
  double smoothing =
      op.getLabelSmoothing() ? op.getLabelSmoothing()->convertToDouble() : 0;
  int64_t classes = in[0]->shape.back();
  std::optional<int64_t> id;
  if (hasIds) {
    id = whole(at(*in[1], row));
    if (id && op.getIgnoreIndex() && *id == int64_t(*op.getIgnoreIndex()))
      return {0, 0};
    if (!id || *id < 0 || *id >= classes)
      return {kPoison, kPoison};
  }
  auto weightOf = [&](int64_t i) {
    return op.getWeights() ? in[2]->data[size_t(i)] : 1.0;
  };
  Index place(row);
  place.push_back(0);
  int64_t &i = place.back();
  double sum = 0, loss = 0;
  for (i = 0; i < classes; ++i)
    sum += std::exp(at(*in[0], place));
  for (i = 0; i < classes; ++i) {
    double target = hasIds ? double(i == *id) : at(*in[1], place);
    target = (1 - smoothing) * target + smoothing / double(classes);
    loss -= weightOf(i) * target * (at(*in[0], place) - std::log(sum));
  }
  return {loss, hasIds ? weightOf(*id) : 1};
}

Tensors crossEntropy(Operation *op, Inputs in) {
  auto entropy = cast<nn::CrossEntropyOp>(op);
  if (entropy.getReduction() == "none")
    return {tabulate(op, [&](ArrayRef<int64_t> row) {
      return rowLoss(entropy, in, row).first;
    })};
  double loss = 0, count = 0;
  forEachIndex(ArrayRef(in[0]->shape).drop_back(), [&](ArrayRef<int64_t> row) {
    auto [rowsLoss, rowsCount] = rowLoss(entropy, in, row);
    loss += rowsLoss;
    count += rowsCount;
  });
  if (entropy.getReduction() == "mean")
    loss = count == 0 ? 0 : loss / count;
  return {Tensor(resultShape(op), loss)};
}

Tensors rotary(Operation *op, Inputs in) {
  bool interleaved = cast<nn::RotaryOp>(op).getInterleaved();
  int64_t pairs = in[1]->shape[1];
  return {tabulate(op, [&](ArrayRef<int64_t> index) {
    int64_t i = index.back();
    if (i >= 2 * pairs)
      return at(*in[0], index);
    int64_t pair = interleaved ? i / 2 : i % pairs;
    bool isFirst = interleaved ? i % 2 == 0 : i < pairs;
    Index other(index);
    other.back() += (isFirst ? 1 : -1) * (interleaved ? 1 : pairs);
    double c = at(*in[1], {index[1], pair}), s = at(*in[2], {index[1], pair});
    double mine = at(*in[0], index), partner = at(*in[0], other);
    return mine * c + (isFirst ? -partner : partner) * s;
  })};
}

Tensors attention(Operation *op, Inputs in) {
  auto attention = cast<nn::AttentionOp>(op);
  const Tensor &query = *in[0], &key = *in[1], &value = *in[2];
  double scale = attention.getScale().convertToDouble();
  double offset = attention.getOffset() ? in[3]->data[0] : 0;
  offset += double(startOf(attention, in));
  int64_t depth = key.shape[3];
  auto keys = int64_t(attention.getKeys().value_or(key.shape[1]));
  return {tabulate(op, [&](ArrayRef<int64_t> index) {
    double position = offset + double(index[1]), sum = 0, weights = 0;
    for (int64_t t = 0; t < keys; ++t) {
      bool isHidden = (attention.getCausal() && double(t) > position) ||
                      (attention.getWindow() &&
                       double(t) <= position - double(*attention.getWindow()));
      if (isHidden)
        continue;
      double score = 0;
      for (int64_t d = 0; d < depth; ++d)
        score += at(query, {index[0], index[1], index[2], index[3], d}) *
                 at(key, {index[0], t, index[2], d});
      score *= scale;
      if (attention.getSoftCap()) {
        double cap = attention.getSoftCap()->convertToDouble();
        score = cap * std::tanh(score / cap);
      }
      weights += std::exp(score);
      sum += std::exp(score) * at(value, {index[0], t, index[2], index[4]});
    }
    return std::isnan(offset) ? kPoison : weights == 0 ? 0 : sum / weights;
  })};
}

/// What is missing of a segment's k is -infinity with an id beyond all.
Tensors topK(Operation *op, Inputs in) {
  auto top = cast<nn::TopKOp>(op);
  const Tensor &values = *in[0];
  int64_t k = top.getK(), width = values.shape.back();
  int64_t answers = resultShape(op).back();
  int64_t segment = llvm::divideCeil(width, answers / k);
  double start = top.getStart() ? in.back()->data[0] : 0;
  double size = top.getSize() ? double(*top.getSize())
                              : std::numeric_limits<double>::infinity();
  Tensor best(resultShape(op), -std::numeric_limits<double>::infinity());
  Tensor ids(resultShape(op), double(std::numeric_limits<int32_t>::max()));
  size_t rows = values.data.size() / size_t(width);
  for (size_t row = 0; row < rows; ++row)
    for (int64_t first = 0, to = 0; to < answers; first += segment, to += k) {
      std::vector<std::pair<double, double>> found; // (-value, id)
      bool poisoned = false;
      for (int64_t i = first; i < std::min(first + segment, width); ++i) {
        size_t place = row * size_t(width) + size_t(i);
        double id = top.getIds() ? in[1]->data[place] : start + double(i);
        if (id >= size)
          continue;
        poisoned |= std::isnan(values.data[place]) || std::isnan(id);
        found.push_back({-values.data[place], id});
      }
      if (!poisoned)
        llvm::sort(found);
      for (int64_t i = 0; i < k; ++i) {
        size_t place = row * size_t(answers) + size_t(to + i);
        if (!poisoned && i >= int64_t(found.size()))
          continue;
        best.data[place] = poisoned ? kPoison : -found[i].first;
        ids.data[place] = poisoned ? kPoison : found[i].second;
      }
    }
  return {best, ids};
}

} // namespace

OpFunction proof::lookupOp(StringRef name) {
  static const llvm::StringMap<OpFunction> table = {
      {"arith.cmpi", cmpi},
      {"arith.cmpf", cmpf},
      {"arith.constant", constant},
      {"arith.select", select},
      {"nn.attention", attention},
      {"nn.boundary", identity},
      {"nn.broadcast", broadcast},
      {"nn.cache_update", cacheUpdate},
      {"nn.concat", concat},
      {"nn.contract", contract},
      {"nn.cross_entropy", crossEntropy},
      {"nn.cumulative_sum", cumulativeSum},
      {"nn.embedding", embedding},
      {"nn.embedding_gradient", embeddingGradient},
      {"nn.gather", gather},
      {"nn.iota", iota},
      {"nn.pad", pad},
      {"nn.reduce", reduce},
      {"nn.reshape", reshape},
      {"nn.rms_norm", rmsNorm},
      {"nn.rotary", rotary},
      {"nn.scatter_add", scatterAdd},
      {"nn.slice", slice},
      {"nn.softmax", softmax},
      {"nn.take", take},
      {"nn.top_k", topK},
      {"nn.transpose", transpose},
      {"tp.constraint", identity},
      {"tp.mask", mask},
      {"tp.reshard", identity},
  };
  if (OpFunction function = table.lookup(name))
    return function;
  return unaryOf(name) ? unary : binaryOf(name) ? binary : nullptr;
}
