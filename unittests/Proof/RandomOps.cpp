//===- RandomOps.cpp - how random programs come by their ops --------------===//
//
// Part of tp-mlir, under the Apache License v2.0.
//
//===----------------------------------------------------------------------===//

#include "RandomProgram.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "tp/Dialect/NN/IR/NN.h"
#include <numeric>

using namespace mlir;
using namespace mlir::tp;
using namespace mlir::tp::proof;

namespace {

RankedTensorType typeOf(Value value) {
  return cast<RankedTensorType>(value.getType());
}

Operation *create(ProgramBuilder &p, StringRef op, ValueRange operands,
                  Type result) {
  OperationState state(p.loc, op);
  state.addOperands(operands);
  state.addTypes(result);
  return p.builder.create(state);
}

Value splat(ProgramBuilder &p, Type type, double value) {
  auto tensor = cast<RankedTensorType>(type);
  Type element = tensor.getElementType();
  Attribute number =
      isa<FloatType>(element)
          ? Attribute(p.builder.getFloatAttr(element, value))
          : Attribute(p.builder.getIntegerAttr(element, int64_t(value)));
  auto op = arith::ConstantOp::create(p.builder, p.loc,
                                      SplatElementsAttr::get(tensor, number));
  p.keep(op);
  return op;
}

//===----------------------------------------------------------------------===//
// Elementwise
//===----------------------------------------------------------------------===//

/// At least 1, whatever `value` is; null if that does not work out.
Value positive(ProgramBuilder &p, Value value) {
  auto absolute = math::AbsFOp::create(p.builder, p.loc, value);
  if (!p.keep(absolute))
    return {};
  Value one = splat(p, value.getType(), 1);
  auto sum = arith::AddFOp::create(p.builder, p.loc, absolute, one);
  return p.keep(sum) ? Value(sum) : Value();
}

void unary(ProgramBuilder &p, StringRef op) {
  Value value = p.any(p.f32);
  p.keep(create(p, op, value, value.getType()));
}

/// Defined above 0 only.
void unaryOfPositive(ProgramBuilder &p, StringRef op) {
  if (Value value = positive(p, p.any(p.f32)))
    p.keep(create(p, op, value, value.getType()));
}

/// A small difference of the operand makes a large one of the result.
void unaryOfExact(ProgramBuilder &p, StringRef op) {
  Value value = p.any(p.f32, 0, 4, /*exact=*/true);
  p.keep(create(p, op, value, value.getType()));
}

void binary(ProgramBuilder &p, StringRef op) {
  Value a = p.any(p.f32);
  p.keep(create(p, op, {a, p.operand(a.getType())}, a.getType()));
}

void quotient(ProgramBuilder &p, StringRef op) {
  Value a = p.any(p.f32);
  if (Value b = positive(p, p.operand(a.getType())))
    p.keep(create(p, op, {a, b}, a.getType()));
}

void remainder(ProgramBuilder &p, StringRef op) {
  Value a = p.any(p.f32, 0, 4, /*exact=*/true);
  p.keep(create(p, op, {a, p.operand(a.getType(), 1, 5)}, a.getType()));
}

void power(ProgramBuilder &p, StringRef op) {
  Value a = p.any(p.f32);
  if (Value base = positive(p, a))
    p.keep(create(p, op, {base, splat(p, a.getType(), 1 + p.below(3))},
                  a.getType()));
}

void integers(ProgramBuilder &p, StringRef op) {
  Value a = p.any(p.i32);
  p.keep(create(p, op, {a, p.operand(a.getType())}, a.getType()));
}

void integerQuotient(ProgramBuilder &p, StringRef op) {
  Value a = p.any(p.i32);
  p.keep(create(p, op, {a, p.operand(a.getType(), 1, 5)}, a.getType()));
}

void logical(ProgramBuilder &p, StringRef op) {
  Value a = p.any(p.oneIn(3) ? p.i32 : Type(p.builder.getI1Type()));
  p.keep(create(p, op, {a, p.operand(a.getType())}, a.getType()));
}

void cast_(ProgramBuilder &p, StringRef op) {
  Builder &b = p.builder;
  Type bf16 = b.getBF16Type(), i64 = b.getI64Type();
  std::pair<Type, Type> types = {p.f32, bf16};
  if (op == "arith.extf")
    types = {bf16, p.f32};
  if (op == "arith.sitofp")
    types = {p.i32, p.f32};
  if (op == "arith.fptosi")
    types = {p.f32, p.i32};
  if (op == "arith.extsi")
    types = {p.i32, i64};
  if (op == "arith.extui")
    types = {b.getI1Type(), p.i32};
  if (op == "arith.uitofp")
    types = {b.getI1Type(), p.f32};
  if (op == "arith.trunci")
    types = {i64, p.i32};
  Value value = p.any(types.first, 0, 4, op == "arith.fptosi");
  p.keep(create(p, op, value, typeOf(value).clone(types.second)));
}

void compareFloats(ProgramBuilder &p, StringRef) {
  Value a = p.any(p.f32, 0, 4, /*exact=*/true);
  arith::CmpFPredicate predicates[] = {
      arith::CmpFPredicate::OLT, arith::CmpFPredicate::OEQ,
      arith::CmpFPredicate::OGE, arith::CmpFPredicate::UNE};
  auto predicate = predicates[p.below(4)];
  p.keep(arith::CmpFOp::create(p.builder, p.loc, predicate, a,
                               p.operand(a.getType(), -40, 40)));
}

void compareIntegers(ProgramBuilder &p, StringRef) {
  Value a = p.any(p.i32);
  arith::CmpIPredicate predicates[] = {
      arith::CmpIPredicate::slt, arith::CmpIPredicate::eq,
      arith::CmpIPredicate::sge, arith::CmpIPredicate::ne};
  auto predicate = predicates[p.below(4)];
  p.keep(arith::CmpIOp::create(p.builder, p.loc, predicate, a,
                               p.operand(a.getType())));
}

void select(ProgramBuilder &p, StringRef op) {
  Value condition = p.any(p.builder.getI1Type());
  Type type = typeOf(condition).clone(p.f32);
  Value a = p.operand(type), b = p.operand(type);
  p.keep(create(p, op, {condition, a, b}, type));
}

void constant(ProgramBuilder &p, StringRef) {
  RankedTensorType type = p.tensor(p.shape(0, 3), p.oneIn(4) ? p.i32 : p.f32);
  if (!p.oneIn(3)) {
    splat(p, type, double(p.below(4)) - 1);
    return;
  }
  SmallVector<Attribute> elements;
  for (int64_t i = 0; i < type.getNumElements(); ++i) {
    int64_t number = int64_t(p.below(5)) - 2 + i % 3;
    elements.push_back(
        type.getElementType() == p.f32
            ? Attribute(p.builder.getF32FloatAttr(float(number)))
            : Attribute(p.builder.getI32IntegerAttr(int32_t(number))));
  }
  p.keep(arith::ConstantOp::create(p.builder, p.loc,
                                   DenseElementsAttr::get(type, elements)));
}

//===----------------------------------------------------------------------===//
// Contraction and reduction
//===----------------------------------------------------------------------===//

/// Takes letters in a random order.
std::string shuffled(ProgramBuilder &p, std::string letters) {
  std::string result;
  while (!letters.empty()) {
    unsigned i = p.below(letters.size());
    result += letters[i];
    letters.erase(i, 1);
  }
  return result;
}

void contract(ProgramBuilder &p, StringRef) {
  Value lhs = p.any(p.f32, 1, 4);
  std::string names = "abcd", left, right, out;
  DenseMap<char, int64_t> sizes;
  for (auto [i, size] : llvm::enumerate(typeOf(lhs).getShape())) {
    char letter = names[i];
    sizes[letter] = size;
    left += letter;
    // Reduced, kept, or common to all three.
    unsigned role = p.below(3);
    if (role != 1)
      right += letter;
    if (role != 0)
      out += letter;
  }
  for (unsigned i = p.below(3); i > 0; --i) {
    char letter = char('m' + i);
    sizes[letter] = p.size();
    right += letter;
    out += letter;
  }
  right = shuffled(p, right);
  out = shuffled(p, out);
  auto shapeOfLetters = [&](StringRef letters) {
    SmallVector<int64_t> shape;
    for (char letter : letters)
      shape.push_back(sizes[letter]);
    return shape;
  };
  if (right.size() > 5 || out.size() > 5)
    return;
  Value rhs = p.operand(p.tensor(shapeOfLetters(right)));
  bool isSwapped = p.oneIn(4);
  std::string equation = isSwapped ? right + "," + left : left + "," + right;
  p.keep(nn::ContractOp::create(p.builder, p.loc, p.tensor(shapeOfLetters(out)),
                                isSwapped ? rhs : lhs, isSwapped ? lhs : rhs,
                                equation + "->" + out));
}

void reduce(ProgramBuilder &p, StringRef) {
  Value value = p.any(p.f32, 1, 4);
  StringRef kind =
      ArrayRef<StringRef>{"sum", "sum", "max", "min", "product"}[p.below(5)];
  SmallVector<int64_t> dims, shape;
  for (auto [i, size] : llvm::enumerate(typeOf(value).getShape())) {
    if (p.below(2))
      dims.push_back(i);
    else
      shape.push_back(size);
  }
  p.keep(nn::ReduceOp::create(p.builder, p.loc, p.tensor(shape), value, kind,
                              dims));
}

//===----------------------------------------------------------------------===//
// Layout
//===----------------------------------------------------------------------===//

/// Any type that layout ops take; floats mostly.
Value anyForLayout(ProgramBuilder &p, unsigned leastRank) {
  return p.any(p.oneIn(5) ? p.i32 : p.f32, leastRank, 4);
}

void reshape(ProgramBuilder &p, StringRef) {
  Value value = anyForLayout(p, 0);
  SmallVector<int64_t> shape;
  for (int64_t size : typeOf(value).getShape()) {
    int64_t part = ArrayRef<int64_t>{2, 3, 4, 6}[p.below(4)];
    switch (p.below(5)) {
    case 1: // Merge with the dim before.
      if (!shape.empty()) {
        shape.back() *= size;
        break;
      }
      [[fallthrough]];
    default:
      shape.push_back(size);
      break;
    case 2: // Split.
    case 3:
      if (size % part) {
        shape.push_back(size);
        break;
      }
      shape.append({part, size / part});
      break;
    case 4: // One more dim.
      shape.append({1, size});
      break;
    }
  }
  if (p.oneIn(4))
    llvm::erase(shape, 1);
  if (shape.size() <= 6)
    p.keep(nn::ReshapeOp::create(p.builder, p.loc, typeOf(value).clone(shape),
                                 value));
}

void transpose(ProgramBuilder &p, StringRef) {
  Value value = anyForLayout(p, 1);
  std::string order = "0123";
  order = shuffled(p, order.substr(0, typeOf(value).getRank()));
  SmallVector<int64_t> permutation, shape;
  for (char digit : order) {
    permutation.push_back(digit - '0');
    shape.push_back(typeOf(value).getDimSize(digit - '0'));
  }
  p.keep(nn::TransposeOp::create(p.builder, p.loc, typeOf(value).clone(shape),
                                 value, permutation));
}

void broadcast(ProgramBuilder &p, StringRef) {
  Value value = p.any(p.oneIn(5) ? p.i32 : p.f32, 0, 3);
  SmallVector<int64_t> dims, shape;
  auto maybeNew = [&] {
    if (p.below(2))
      shape.push_back(p.size());
  };
  for (int64_t size : typeOf(value).getShape()) {
    maybeNew();
    dims.push_back(shape.size());
    shape.push_back(size);
  }
  maybeNew();
  p.keep(nn::BroadcastOp::create(p.builder, p.loc, typeOf(value).clone(shape),
                                 value, dims));
}

void slice(ProgramBuilder &p, StringRef) {
  Value value = anyForLayout(p, 1);
  SmallVector<int64_t> offsets, strides, shape;
  for (int64_t size : typeOf(value).getShape()) {
    bool isWhole = p.below(2) == 0;
    int64_t offset = isWhole ? 0 : p.below(size);
    int64_t stride = isWhole ? 1 : 1 + p.below(2);
    offsets.push_back(offset);
    strides.push_back(stride);
    int64_t most = (size - offset + stride - 1) / stride;
    shape.push_back(isWhole ? size : 1 + p.below(most));
  }
  p.keep(nn::SliceOp::create(p.builder, p.loc, typeOf(value).clone(shape),
                             value, offsets, strides));
}

void concat(ProgramBuilder &p, StringRef) {
  Value first = anyForLayout(p, 1);
  int64_t dim = p.below(typeOf(first).getRank());
  SmallVector<Value> parts = {first};
  SmallVector<int64_t> shape(typeOf(first).getShape());
  for (unsigned count = 1 + p.below(2); count > 0; --count) {
    SmallVector<int64_t> other(typeOf(first).getShape());
    if (p.below(2))
      other[dim] = p.size();
    parts.push_back(p.operand(typeOf(first).clone(other)));
    shape[dim] += other[dim];
  }
  p.keep(nn::ConcatOp::create(p.builder, p.loc, typeOf(first).clone(shape),
                              parts, dim));
}

void pad(ProgramBuilder &p, StringRef) {
  Value value = p.any(p.f32, 1, 4);
  SmallVector<int64_t> low, high, shape;
  for (int64_t size : typeOf(value).getShape()) {
    bool isKept = p.below(2) == 0;
    low.push_back(isKept ? 0 : p.below(3));
    high.push_back(isKept ? 0 : p.below(3));
    shape.push_back(size + low.back() + high.back());
  }
  p.keep(nn::PadOp::create(p.builder, p.loc, p.tensor(shape), value, low, high,
                           APFloat(double(p.below(2)))));
}

void iota(ProgramBuilder &p, StringRef) {
  RankedTensorType type = p.tensor(p.shape(1, 3), p.i32);
  p.keep(nn::IotaOp::create(p.builder, p.loc, type, Value(),
                            p.below(type.getRank())));
}

void boundary(ProgramBuilder &p, StringRef) {
  Value value = p.any(p.f32);
  p.keep(nn::BoundaryOp::create(p.builder, p.loc, value.getType(), value,
                                "output", "0", "module", DenseI64ArrayAttr()));
}

/// From what the operand has, or from another placement, to any.
void reshard(ProgramBuilder &p, StringRef) {
  Value value = anyForLayout(p, 0);
  RankedTensorType type = typeOf(value);
  Placement from = p.placement(type, true), to = p.placement(type, true);
  bool saysFrom = p.oneIn(2);
  for (size_t i = 0; saysFrom && i < to.pads.size(); ++i)
    from.pads[i] = to.pads[i] = std::lcm(from.pads[i], to.pads[i]);
  p.keep(ReshardOp::create(p.builder, p.loc, type, value,
                           saysFrom ? p.attribute(from, type) : ShardingAttr(),
                           p.attribute(to, type), StringAttr(), StringAttr()));
}

void constraint(ProgramBuilder &p, StringRef) {
  Value value = anyForLayout(p, 0);
  ShardingAttr sharding =
      p.attribute(p.placement(typeOf(value), false), typeOf(value));
  SmallVector<DimShardingAttr> dims;
  for (DimShardingAttr dim : sharding.getDims())
    dims.push_back(DimShardingAttr::get(dim.getContext(), dim.getAxes(),
                                        dim.getPad(), p.oneIn(3), -1));
  sharding = ShardingAttr::get(sharding.getContext(), sharding.getMesh(), dims,
                               ReduceKind::Sum, {});
  p.keep(
      ConstraintOp::create(p.builder, p.loc, value.getType(), value, sharding));
}

//===----------------------------------------------------------------------===//
// Gathers and composites
//===----------------------------------------------------------------------===//

void take(ProgramBuilder &p, StringRef) {
  Value value = anyForLayout(p, 1);
  int64_t dim = p.below(typeOf(value).getRank());
  SmallVector<int64_t> shape(typeOf(value).getShape());
  int64_t extent = shape[dim];
  shape.erase(shape.begin() + dim);
  Value index = p.operand(p.tensor({}, p.i32), 0, int(extent) - 1);
  p.keep(nn::TakeOp::create(p.builder, p.loc, typeOf(value).clone(shape), value,
                            index, dim));
}

void embedding(ProgramBuilder &p, StringRef) {
  Value table = p.any(p.f32, 2, 2);
  SmallVector<int64_t> shape = p.shape(0, 2);
  Value ids = p.operand(p.tensor(shape, p.i32), 0,
                        int(typeOf(table).getDimSize(0)) - 1);
  shape.push_back(typeOf(table).getDimSize(1));
  p.keep(nn::EmbeddingOp::create(p.builder, p.loc, p.tensor(shape), ids, table,
                                 Value(), IntegerAttr()));
}

void embeddingGradient(ProgramBuilder &p, StringRef) {
  Value gradient = p.any(p.f32, 1, 3);
  ArrayRef<int64_t> shape = typeOf(gradient).getShape();
  int64_t rows = p.size();
  Value ids = p.operand(p.tensor(shape.drop_back(), p.i32), 0, int(rows) - 1);
  p.keep(nn::EmbeddingGradientOp::create(p.builder, p.loc,
                                         p.tensor({rows, shape.back()}), ids,
                                         gradient, Value(), IntegerAttr()));
}

void gather(ProgramBuilder &p, StringRef) {
  Value table = p.any(p.f32, 2, 4);
  ArrayRef<int64_t> tables = typeOf(table).getShape();
  SmallVector<int64_t> shape(tables.drop_back(2));
  llvm::append_range(shape, p.shape(0, 2));
  Value ids =
      p.operand(p.tensor(shape, p.i32), 0, int(tables[tables.size() - 2]) - 1);
  shape.push_back(tables.back());
  p.keep(nn::GatherOp::create(p.builder, p.loc, p.tensor(shape), ids, table));
}

void scatterAdd(ProgramBuilder &p, StringRef) {
  Value rows = p.any(p.f32, 1, 4);
  ArrayRef<int64_t> shape = typeOf(rows).getShape();
  SmallVector<int64_t> tables(shape.take_front(p.below(shape.size())));
  int64_t count = p.size();
  tables.append({count, shape.back()});
  Value ids = p.operand(p.tensor(shape.drop_back(), p.i32), 0, int(count) - 1);
  p.keep(
      nn::ScatterAddOp::create(p.builder, p.loc, p.tensor(tables), ids, rows));
}

void cumulativeSum(ProgramBuilder &p, StringRef) {
  Value value = p.any(p.f32, 1, 4);
  p.keep(nn::CumulativeSumOp::create(p.builder, p.loc, value.getType(), value,
                                     p.below(typeOf(value).getRank()),
                                     p.oneIn(2)));
}

void cacheUpdate(ProgramBuilder &p, StringRef) {
  Value cache = p.any(p.f32, 2, 4);
  SmallVector<int64_t> shape(typeOf(cache).getShape());
  shape[1] = 1 + p.below(shape[1]);
  int room = int(typeOf(cache).getDimSize(1) - shape[1]);
  Value update = p.operand(p.tensor(shape));
  Value position = p.operand(p.tensor({}, p.i32), 0, room);
  Value length = p.operand(p.tensor({}, p.i32), 0, int(shape[1]));
  p.keep(nn::CacheUpdateOp::create(p.builder, p.loc, cache.getType(), cache,
                                   update, position, length, Value(),
                                   IntegerAttr()));
}

void rmsNorm(ProgramBuilder &p, StringRef) {
  Value value = p.any(p.f32, 1, 4);
  ArrayRef<int64_t> shape = typeOf(value).getShape();
  size_t normed = p.oneIn(3) ? 1 + p.below(shape.size()) : 1;
  Value weight = p.operand(p.tensor(shape.take_back(normed)));
  p.keep(nn::RMSNormOp::create(p.builder, p.loc, value.getType(), value, weight,
                               APFloat(0.25)),
         /*inexact=*/true);
}

void softmax(ProgramBuilder &p, StringRef) {
  Value value = p.any(p.f32, 1, 4);
  p.keep(nn::SoftmaxOp::create(p.builder, p.loc, value,
                               p.below(typeOf(value).getRank())),
         /*inexact=*/true);
}

void crossEntropy(ProgramBuilder &p, StringRef) {
  Value logits = p.any(p.f32, 1, 4);
  ArrayRef<int64_t> shape = typeOf(logits).getShape();
  bool hasIds = !p.oneIn(4), ignores = hasIds && p.oneIn(2);
  Value targets = hasIds ? p.operand(p.tensor(shape.drop_back(), p.i32),
                                     ignores ? -1 : 0, int(shape.back()) - 1)
                         : p.operand(p.tensor(shape), 0, 2);
  Value weights;
  if (p.oneIn(3))
    weights = p.operand(p.tensor(shape.back()), 1, 3);
  StringRef reduction = ArrayRef<StringRef>{"none", "mean", "sum"}[p.below(3)];
  RankedTensorType type =
      p.tensor(reduction == "none" ? shape.drop_back() : ArrayRef<int64_t>());
  p.keep(nn::CrossEntropyOp::create(
             p.builder, p.loc, type, logits, targets, weights,
             ignores ? p.builder.getI64IntegerAttr(-1) : IntegerAttr(),
             p.oneIn(3) ? p.builder.getF64FloatAttr(0.25) : FloatAttr(),
             reduction),
         /*inexact=*/true);
}

void rotary(ProgramBuilder &p, StringRef) {
  Value value = p.any(p.f32, 3, 4);
  ArrayRef<int64_t> shape = typeOf(value).getShape();
  if (shape.back() < 2)
    return;
  RankedTensorType table =
      p.tensor({shape[1], 1 + int64_t(p.below(shape.back() / 2))});
  Value cosine = p.operand(table), sine = p.operand(table);
  p.keep(nn::RotaryOp::create(p.builder, p.loc, value.getType(), value, cosine,
                              sine, p.oneIn(2)));
}

void attention(ProgramBuilder &p, StringRef) {
  int64_t batch = p.size(), heads = p.size(), depth = 1 + p.below(2);
  RankedTensorType query = p.tensor(
      {batch, 1 + int64_t(p.below(4)), heads, 1 + int64_t(p.below(3)), depth});
  RankedTensorType key = p.tensor({batch, p.size(), heads, depth});
  Value q = p.operand(query, -3, 3), k = p.operand(key, -3, 3),
        v = p.operand(key);
  bool isCausal = p.oneIn(2), hasOffset = p.oneIn(2);
  Value offset = hasOffset ? p.operand(p.tensor({}, p.i32), 0, 3) : Value();
  p.keep(nn::AttentionOp::create(p.builder, p.loc, query, q, k, v, offset,
                                 Value(), APFloat(0.125), isCausal,
                                 p.oneIn(4) ? p.builder.getI64IntegerAttr(2)
                                            : IntegerAttr(),
                                 FloatAttr(), IntegerAttr()),
         /*inexact=*/true);
}

void topK(ProgramBuilder &p, StringRef) {
  Value value = p.any(p.f32, 1, 3, /*exact=*/true);
  SmallVector<int64_t> shape(typeOf(value).getShape());
  int64_t width = shape.back(), k = 1 + p.below(width);
  Value ids;
  if (p.oneIn(5))
    ids = p.operand(p.tensor(shape, p.i32), 0, int(width) - 1);
  shape.back() = k;
  p.keep(nn::TopKOp::create(p.builder, p.loc, p.tensor(shape),
                            p.tensor(shape, p.i32), value, ids, Value(), k, 1,
                            IntegerAttr()));
}

} // namespace

ArrayRef<std::pair<StringRef, Maker>> proof::makers() {
  static const std::pair<StringRef, Maker> table[] = {
      {"arith.addf", binary},
      {"arith.addi", integers},
      {"arith.andi", logical},
      {"arith.cmpf", compareFloats},
      {"arith.cmpi", compareIntegers},
      {"arith.constant", constant},
      {"arith.divf", quotient},
      {"arith.divsi", integerQuotient},
      {"arith.extf", cast_},
      {"arith.extsi", cast_},
      {"arith.extui", cast_},
      {"arith.fptosi", cast_},
      {"arith.maximumf", binary},
      {"arith.maxnumf", binary},
      {"arith.maxsi", integers},
      {"arith.minimumf", binary},
      {"arith.minnumf", binary},
      {"arith.minsi", integers},
      {"arith.mulf", binary},
      {"arith.muli", integers},
      {"arith.negf", unary},
      {"arith.ori", logical},
      {"arith.remf", remainder},
      {"arith.remsi", integerQuotient},
      {"arith.select", select},
      {"arith.sitofp", cast_},
      {"arith.subf", binary},
      {"arith.subi", integers},
      {"arith.truncf", cast_},
      {"arith.uitofp", cast_},
      {"arith.xori", logical},
      {"arith.trunci", cast_},
      {"math.absf", unary},
      {"math.ceil", unaryOfExact},
      {"math.cos", unary},
      {"math.erf", unary},
      {"math.exp", unary},
      {"math.floor", unaryOfExact},
      {"math.log", unaryOfPositive},
      {"math.powf", power},
      {"math.rsqrt", unaryOfPositive},
      {"math.sin", unary},
      {"math.sqrt", unaryOfPositive},
      {"math.tanh", unary},
      {"nn.attention", attention},
      {"nn.boundary", boundary},
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
      {"tp.constraint", constraint},
      {"tp.reshard", reshard},
      // What carries partial sums, more often.
      {"arith.addf", binary},
      {"arith.mulf", binary},
      {"arith.subf", binary},
      {"nn.broadcast", broadcast},
      {"nn.contract", contract},
      {"nn.contract", contract},
      {"nn.contract", contract},
      {"nn.contract", contract},
      {"nn.reduce", reduce},
      {"nn.reduce", reduce},
      {"nn.reshape", reshape},
      {"nn.reshape", reshape},
      {"nn.rms_norm", rmsNorm},
      {"nn.top_k", topK},
      {"nn.transpose", transpose},
      {"tp.constraint", constraint},
      {"tp.constraint", constraint},
  };
  return table;
}
