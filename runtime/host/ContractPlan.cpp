//===- ContractPlan.cpp - contractions as matrix products ----------------===//
//
// Part of tp-mlir, under the Apache License v2.0.
//
//===----------------------------------------------------------------------===//

#include "ContractPlan.h"

#include "Checked.h"

#include <algorithm>
#include <limits>
#include <utility>

using namespace tprt;

static constexpr int64_t blasMax = std::numeric_limits<int>::max();

int64_t tprt::extentOf(const std::vector<ContractDim> &dims) {
  int64_t result = 1;
  for (const ContractDim &dim : dims)
    result *= dim.extent;
  return result;
}

/// Slowest first, so that the last one is fast in as many operands as possible.
static void sortDims(std::vector<ContractDim> &dims) {
  auto speed = [](const ContractDim &dim) { return dim.a + dim.b + dim.c; };
  for (size_t i = 1; i < dims.size(); ++i)
    for (size_t j = i; j > 0 && speed(dims[j - 1]) < speed(dims[j]); --j)
      std::swap(dims[j - 1], dims[j]);
}

/// Makes one dim of each pair that is one in all three operands.
static void mergeDims(std::vector<ContractDim> &dims) {
  sortDims(dims);
  for (size_t i = dims.size(); i-- > 1;) {
    ContractDim &outer = dims[i - 1];
    const ContractDim inner = dims[i];
    if (outer.a != inner.a * inner.extent ||
        outer.b != inner.b * inner.extent || outer.c != inner.c * inner.extent)
      continue;
    outer = {outer.extent * inner.extent, inner.a, inner.b, inner.c};
    dims.erase(dims.begin() + int64_t(i));
  }
}

ContractPlan::ContractPlan(const tprt_contract_desc &desc) {
  if (desc.num_dims < 0 || desc.num_dims > 2 * TPRT_MAX_RANK)
    raise(TPRT_INVALID, desc.num_dims, " dims; the most is ",
          2 * TPRT_MAX_RANK);
  std::vector<ContractDim> *const lists[] = {&batch, &rows, &columns, &inner};
  int64_t work = 1;
  for (int64_t i = 0; i < desc.num_dims; ++i) {
    const tprt_contract_dim &dim = desc.dims[i];
    if (dim.kind < 0 || dim.kind > 3 || dim.extent < 0)
      raise(TPRT_INVALID, "dim ", i, " has kind ", dim.kind, " and extent ",
            dim.extent);
    work = multiply(work, std::max<int64_t>(dim.extent, 1), "the work");
    if (dim.extent != 1)
      lists[dim.kind]->push_back({dim.extent, dim.kind == 2 ? 0 : dim.stride_a,
                                  dim.kind == 1 ? 0 : dim.stride_b,
                                  dim.kind == 3 ? 0 : dim.stride_c});
  }
  for (std::vector<ContractDim> *list : lists)
    mergeDims(*list);
}

ContractPlan ContractPlan::mirrored() const {
  ContractPlan result = *this;
  std::swap(result.rows, result.columns);
  for (auto *list :
       {&result.batch, &result.rows, &result.columns, &result.inner})
    for (ContractDim &dim : *list)
      std::swap(dim.a, dim.b);
  return result;
}

bool tprt::matrixLayout(int64_t rows, int64_t rowStride, int64_t columns,
                        int64_t columnStride, MatrixLayout &layout) {
  auto fits = [](int64_t slow, int64_t slowStride, int64_t fast,
                 int64_t fastStride, int &stride) {
    if (fast > 1 && fastStride != 1)
      return false;
    int64_t result = slow > 1 ? slowStride : std::max<int64_t>(fast, 1);
    if (result < fast || result < 1 || result > blasMax || slow > blasMax)
      return false;
    stride = int(result);
    return true;
  };
  layout.transposed = false;
  if (fits(rows, rowStride, columns, columnStride, layout.stride))
    return true;
  layout.transposed = true;
  return fits(columns, columnStride, rows, rowStride, layout.stride);
}

/// Whether the three dims together are one BLAS call.
static bool isProduct(const ContractDim &row, const ContractDim &column,
                      const ContractDim &inner) {
  auto isVector = [](const ContractDim &dim, int64_t stride) {
    return dim.extent == 1 || (stride > 0 && stride <= blasMax);
  };
  for (const ContractDim *dim : {&row, &column, &inner})
    if (dim->extent > blasMax)
      return false;
  const int64_t m = row.extent, n = column.extent, k = inner.extent;
  MatrixLayout layout;
  bool matrixA = matrixLayout(m, row.a, k, inner.a, layout);
  bool matrixB = matrixLayout(k, inner.b, n, column.b, layout);
  // With one row or one column only the other operand must be a matrix.
  if (m == 1)
    return matrixB && isVector(inner, inner.a) && isVector(column, column.c);
  if (n == 1)
    return matrixA && isVector(inner, inner.b) && isVector(row, row.c);
  return matrixA && matrixB && matrixLayout(m, row.c, n, column.c, layout);
}

ContractPlan::Direct ContractPlan::direct() const {
  Direct best;
  size_t chosen[3] = {0, 0, 0};
  auto choices = [](const std::vector<ContractDim> &dims) {
    return dims.empty() ? std::vector<ContractDim>(1) : dims;
  };
  auto rowChoices = choices(rows), columnChoices = choices(columns),
       innerChoices = choices(inner);
  for (size_t r = 0; r < rowChoices.size(); ++r)
    for (size_t c = 0; c < columnChoices.size(); ++c)
      for (size_t k = 0; k < innerChoices.size(); ++k) {
        int64_t work = rowChoices[r].extent * columnChoices[c].extent *
                       innerChoices[k].extent;
        if (work <= best.work ||
            !isProduct(rowChoices[r], columnChoices[c], innerChoices[k]))
          continue;
        best.row = rowChoices[r];
        best.column = columnChoices[c];
        best.inner = innerChoices[k];
        best.work = work;
        chosen[0] = r;
        chosen[1] = c;
        chosen[2] = k;
      }
  best.outerLoops = batch;
  auto addOthers = [](const std::vector<ContractDim> &dims, size_t except,
                      std::vector<ContractDim> &loops) {
    for (size_t i = 0; i < dims.size(); ++i)
      if (i != except)
        loops.push_back(dims[i]);
  };
  addOthers(rows, chosen[0], best.outerLoops);
  addOthers(columns, chosen[1], best.outerLoops);
  addOthers(inner, chosen[2], best.innerLoops);
  return best;
}
