//===- ContractSource.cpp - contractions as calls of cuBLASLt -------------===//
//
// Part of tp-mlir, under the Apache License v2.0.
//
//===----------------------------------------------------------------------===//
//
// A contraction is a product of matrices if one dim of each role, neighbours in
// memory being one dim, makes matrices with a unit stride. cuBLASLt counts in
// columns: a row-major C is its transpose there, and the operands change
// places. What is left over is a batch or loops around the call.
//
//===----------------------------------------------------------------------===//

#include "SourceModels.h"
#include "tp/Cuda/SourcePrinter.h"
#include "tp/Dialect/RT/IR/RT.h"
#include <numeric>

using namespace mlir;
using namespace mlir::tp;

namespace {

/// A dim of a contraction, or neighbours that are one in every operand.
struct Dim {
  int64_t extent = 1;
  int64_t a = 0, b = 0, c = 0; ///< strides in the left, the right, the result
};

using Dims = SmallVector<Dim>;

/// The dims by role.
struct Contraction {
  Dims batch, rows, columns, inner;

  /// From the words of a tprt_contract_desc.
  explicit Contraction(ArrayRef<int64_t> words);
};

/// A matrix as cuBLASLt takes it.
struct Matrix {
  bool transposed = false;
  int64_t leading = 1;
};

/// One call, and what is around it.
struct Product {
  bool exchanged = false; ///< A is the contraction's right operand
  Matrix a, b, c;
  Dim row, column, inner, batch;
  Dims loops, innerLoops;
};

} // namespace

/// Makes one dim of each pair that is one in all three operands.
static void mergeDims(Dims &dims) {
  auto key = [](const Dim &dim) {
    return std::make_tuple(-(dim.a + dim.b + dim.c), -dim.a, -dim.b,
                           dim.extent);
  };
  llvm::sort(dims, [&](const Dim &x, const Dim &y) { return key(x) < key(y); });
  for (size_t i = dims.size(); i-- > 1;) {
    Dim &outer = dims[i - 1];
    const Dim inner = dims[i];
    if (outer.a != inner.a * inner.extent ||
        outer.b != inner.b * inner.extent || outer.c != inner.c * inner.extent)
      continue;
    outer = {outer.extent * inner.extent, inner.a, inner.b, inner.c};
    dims.erase(dims.begin() + i);
  }
}

Contraction::Contraction(ArrayRef<int64_t> words) {
  Dims *const lists[] = {&batch, &rows, &columns, &inner};
  for (int64_t i = 0; i < words[1]; ++i) {
    ArrayRef<int64_t> dim = words.slice(2 + 5 * i, 5);
    if (dim[1] != 1)
      lists[dim[0]]->push_back({dim[1], dim[2], dim[3], dim[4]});
  }
  for (Dims *list : lists)
    mergeDims(*list);
}

/// Whether fast x slow is a matrix with a unit stride along `fast`.
static bool fits(int64_t fast, int64_t fastStride, int64_t slow,
                 int64_t slowStride, int64_t &leading) {
  leading = slow > 1 ? slowStride : std::max<int64_t>(fast, 1);
  return (fast == 1 || fastStride == 1) && leading >= fast;
}

static std::optional<Matrix> matrixOf(int64_t rows, int64_t rowStride,
                                      int64_t columns, int64_t columnStride) {
  Matrix matrix;
  if (fits(rows, rowStride, columns, columnStride, matrix.leading))
    return matrix;
  matrix.transposed = true;
  if (fits(columns, columnStride, rows, rowStride, matrix.leading))
    return matrix;
  return std::nullopt;
}

/// The call for one dim of each role, if it is one.
static std::optional<Product> productOf(const Dim &row, const Dim &column,
                                        const Dim &inner) {
  Product product;
  product.row = row;
  product.column = column;
  product.inner = inner;
  std::optional<Matrix> result =
      matrixOf(column.extent, column.c, row.extent, row.c);
  std::optional<Matrix> left, right;
  product.exchanged = result && !result->transposed;
  if (product.exchanged) {
    left = matrixOf(column.extent, column.b, inner.extent, inner.b);
    right = matrixOf(inner.extent, inner.a, row.extent, row.a);
  } else {
    result = matrixOf(row.extent, row.c, column.extent, column.c);
    left = matrixOf(row.extent, row.a, inner.extent, inner.a);
    right = matrixOf(inner.extent, inner.b, column.extent, column.b);
  }
  if (!result || result->transposed || !left || !right)
    return std::nullopt;
  product.a = *left;
  product.b = *right;
  product.c = *result;
  return product;
}

/// The largest part that is one call; null if there is none.
static std::optional<Product> planProduct(const Contraction &contraction) {
  auto choices = [](const Dims &dims) { return dims.empty() ? Dims(1) : dims; };
  Dims rows = choices(contraction.rows), columns = choices(contraction.columns),
       inners = choices(contraction.inner);
  std::optional<Product> best;
  int64_t bestWork = 0;
  size_t chosen[3] = {};
  for (auto [r, row] : llvm::enumerate(rows))
    for (auto [c, column] : llvm::enumerate(columns))
      for (auto [k, inner] : llvm::enumerate(inners)) {
        int64_t work = row.extent * column.extent * inner.extent;
        if (work <= bestWork)
          continue;
        if (auto product = productOf(row, column, inner)) {
          best = product;
          bestWork = work;
          chosen[0] = r, chosen[1] = c, chosen[2] = k;
        }
      }
  if (!best)
    return best;
  auto addOthers = [](const Dims &dims, size_t except, Dims &loops) {
    for (auto [i, dim] : llvm::enumerate(dims))
      if (i != except)
        loops.push_back(dim);
  };
  best->loops = contraction.batch;
  addOthers(contraction.rows, chosen[0], best->loops);
  addOthers(contraction.columns, chosen[1], best->loops);
  addOthers(contraction.inner, chosen[2], best->innerLoops);
  if (!best->loops.empty()) {
    auto *largest =
        llvm::max_element(best->loops, [](const Dim &x, const Dim &y) {
          return x.extent < y.extent;
        });
    best->batch = *largest;
    best->loops.erase(largest);
  }
  return best;
}

//===----------------------------------------------------------------------===//
// Printing
//===----------------------------------------------------------------------===//

static StringRef cudaTypeOf(Type element) {
  if (element.isF32())
    return "TPRT_F32";
  if (element.isF64())
    return "TPRT_F64";
  if (element.isBF16())
    return "TPRT_BF16";
  return element.isF16() ? "TPRT_F16" : "";
}

/// The multiple of bytes at which the buffers of every call begin.
static int64_t alignmentOf(rt::ContractOp op, const Product &product) {
  int64_t bytes = rt::getElementBytes(op.getOut().getType().getElementType());
  int64_t alignment = tp::alignmentOf({op.getLhs(), op.getRhs(), op.getOut()});
  for (const Dims *loops : {&product.loops, &product.innerLoops})
    for (const Dim &dim : *loops)
      for (int64_t stride : {dim.a, dim.b, dim.c})
        alignment = std::gcd(alignment, stride * bytes);
  return alignment;
}

/// The initialiser of its tprt_cuda::MatmulShape.
static std::string shapeOf(const Product &product, StringRef type,
                           int64_t alignment, bool addsBias) {
  const Dim &batch = product.batch;
  bool exchanged = product.exchanged;
  std::string text;
  llvm::raw_string_ostream os(text);
  os << "{" << type << ", " << (product.a.transposed ? "true" : "false") << ", "
     << (product.b.transposed ? "true" : "false");
  for (int64_t number :
       {exchanged ? product.column.extent : product.row.extent,
        exchanged ? product.row.extent : product.column.extent,
        product.inner.extent, product.a.leading, product.b.leading,
        product.c.leading, batch.extent, exchanged ? batch.b : batch.a,
        exchanged ? batch.a : batch.b, batch.c, alignment})
    os << ", " << number;
  os << (addsBias ? ", true}" : ", false}");
  return text;
}

/// Whether a bias of so many elements is along the columns that cuBLASLt sees,
/// and all is added at once.
static bool takesBias(const Product &product, int64_t elements) {
  return product.exchanged && product.column.extent == elements &&
         product.column.c == 1 && product.innerLoops.empty();
}

namespace {

struct ContractSource
    : SourceOpInterface::ExternalModel<ContractSource, rt::ContractOp> {
  LogicalResult printSource(Operation *op, SourcePrinter &printer) const {
    auto contract = cast<rt::ContractOp>(op);
    Type element = contract.getOut().getType().getElementType();
    StringRef type = cudaTypeOf(element);
    if (type.empty())
      return op->emitOpError("cannot be written as CUDA source: cuBLASLt has "
                             "no products of ")
             << element;
    std::optional<Product> product =
        planProduct(Contraction(contract.getDescriptor()));
    if (!product)
      return op->emitOpError("cannot be written as CUDA source: no part of it "
                             "is a product of matrices with a unit stride");
    if (!product->innerLoops.empty() && element.getIntOrFloatBitWidth() < 32)
      return op->emitOpError("cannot be written as CUDA source: its "
                             "contracted dims are no one dim in memory, and "
                             "sums would be rounded to ")
             << element << " on the way";
    Value bias = contract.getBias();
    if (bias &&
        !takesBias(*product, cast<MemRefType>(bias.getType()).getNumElements()))
      return op->emitOpError("cannot be written as CUDA source: cuBLASLt adds "
                             "a bias to whole rows only");
    unsigned number = printer.tables.addMatmul(
        ::shapeOf(*product, type, alignmentOf(contract, *product), bool(bias)));
    printer.comment("\"" + contract.getEquation() + "\"");
    Pointers pointers{printer.nameOf(contract.getLhs()),
                      printer.nameOf(contract.getRhs()),
                      printer.nameOf(contract.getOut()),
                      bias ? printer.nameOf(bias) : "", ""};
    return printLoops(printer, *product, number, 0, pointers);
  }

private:
  /// The operands at the point of the loops, the bias if there is one, and
  /// whether it is their first.
  struct Pointers {
    std::string a, b, c, bias, isFirst;
  };

  static LogicalResult printLoops(SourcePrinter &printer,
                                  const Product &product, unsigned number,
                                  size_t depth, const Pointers &at) {
    size_t numLoops = product.loops.size();
    if (depth == numLoops + product.innerLoops.size()) {
      std::string adds = !at.bias.empty()     ? ", false, " + at.bias
                         : at.isFirst.empty() ? ""
                                              : ", !(" + at.isFirst + ")";
      printer.line("TPRT_TRY(multiply(rank, " + Twine(number) + ", " +
                   (product.exchanged ? at.b : at.a) + ", " +
                   (product.exchanged ? at.a : at.b) + ", " + at.c + adds +
                   "));");
      return success();
    }
    bool isInner = depth >= numLoops;
    const Dim &dim =
        isInner ? product.innerLoops[depth - numLoops] : product.loops[depth];
    std::string i = printer.freshName("i");
    auto step = [&](const std::string &pointer, int64_t stride) {
      return stride == 0 ? pointer
                         : (pointer + " + " + i + " * " + Twine(stride)).str();
    };
    Pointers next{step(at.a, dim.a), step(at.b, dim.b), step(at.c, dim.c),
                  at.bias, at.isFirst};
    if (isInner)
      next.isFirst += (at.isFirst.empty() ? "" : " && ") + i + " == 0";
    return printer.braces(
        "for (int64_t " + i + " = 0; " + i + " < " + Twine(dim.extent) +
            "; ++" + i + ")",
        [&] { return printLoops(printer, product, number, depth + 1, next); });
  }
};

} // namespace

void tp::registerContractSource(DialectRegistry &registry) {
  registry.addExtension(+[](MLIRContext *context, rt::RTDialect *) {
    rt::ContractOp::attachInterface<ContractSource>(*context);
  });
}
