//===- MutationOperators.cpp - ops dropped, doubled, moved, replaced ------===//
//
// Part of tp-mlir, under the Apache License v2.0.
//
//===----------------------------------------------------------------------===//

#include "Mutation.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "tp/Dialect/NN/IR/NN.h"

using namespace mlir;
using namespace mlir::tp;
using namespace mlir::tp::proof;

namespace {

using Apply = std::function<void(Operation *op, const IRMapping &copy)>;

bool isCollective(Operation *op) { return isa<CollectiveOpInterface>(op); }
bool isPlacement(Operation *op) {
  return isa<PlacementOpInterface, MaskOp>(op);
}

RankedTensorType tensorOf(Value value) {
  return dyn_cast<RankedTensorType>(value.getType());
}

/// What an op is called in the table.
std::string classOf(Operation *op) {
  return isCollective(op)         ? "a collective"
         : isa<MaskOp>(op)        ? "a mask"
         : isa<MakePartialOp>(op) ? "a make_partial"
         : isa<SliceOp>(op)       ? "a tp.slice"
                                  : "an op";
}

class Mutator {
public:
  Mutator(func::FuncOp function, MutationSink sink)
      : function(function), sink(sink) {
    for (MeshOp op : function->getParentOfType<ModuleOp>().getOps<MeshOp>()) {
      mesh = op.getMesh();
      meshName = op.getSymName();
    }
  }

  void run() {
    for (BlockArgument argument : function.getArguments())
      visible.push_back(argument);
    for (Operation &op : function.getBody().front()) {
      operands(&op);
      if (!op.hasTrait<OpTrait::IsTerminator>())
        mutate(&op);
      visible.append(op.getResults().begin(), op.getResults().end());
    }
  }

private:
  void add(Operation *op, std::string name, std::string what, Apply apply) {
    sink(op, {std::move(name), std::move(what), std::move(apply)});
  }

  void mutate(Operation *op) {
    collectAttributeMutations(op, mesh, sink);
    drop(op);
    standIn(op);
    duplicate(op);
    results(op);
    resize(op);
    siblings(op);
    insert(op);
    postpone(op);
    exchange(op);
    recompose(op);
    turn(op);
  }

  //===--------------------------------------------------------------------===//
  // Operands and results
  //===--------------------------------------------------------------------===//

  void operands(Operation *op) {
    for (unsigned i = 0; i < op->getNumOperands(); ++i) {
      Value old = op->getOperand(i);
      for (Value other : visible)
        if (other != old && other.getType() == old.getType())
          add(op, "another operand", "operand " + std::to_string(i),
              [i, other](Operation *clone, const IRMapping &copy) {
                clone->setOperand(i, copy.lookup(other));
              });
      for (unsigned j = 0; j < i; ++j)
        if (op->getOperand(j) != old &&
            op->getOperand(j).getType() == old.getType())
          add(op, "operands exchanged",
              std::to_string(j) + " and " + std::to_string(i),
              [i, j](Operation *clone, const IRMapping &) {
                Value first = clone->getOperand(j);
                clone->setOperand(j, clone->getOperand(i));
                clone->setOperand(i, first);
              });
    }
    if (op->getNumOperands() && op->getOperands().back().getType().isIndex())
      add(op, "start dropped", "", [](Operation *clone, const IRMapping &) {
        unsigned last = clone->getNumOperands() - 1;
        if (auto sizes = clone->getAttrOfType<DenseI32ArrayAttr>(
                "operandSegmentSizes")) {
          SmallVector<int32_t> list(sizes.asArrayRef());
          list.back() = 0;
          clone->setAttr("operandSegmentSizes",
                         DenseI32ArrayAttr::get(clone->getContext(), list));
        }
        clone->eraseOperand(last);
      });
  }

  void results(Operation *op) {
    for (unsigned i = 0; i < op->getNumResults(); ++i)
      for (unsigned j = 0; j < i; ++j)
        if (op->getResult(i).getType() == op->getResult(j).getType())
          add(op, "results exchanged", "",
              [i, j](Operation *clone, const IRMapping &) {
                Value a = clone->getResult(i), b = clone->getResult(j);
                SmallVector<OpOperand *> uses;
                for (OpOperand &use : a.getUses())
                  uses.push_back(&use);
                b.replaceAllUsesWith(a);
                for (OpOperand *use : uses)
                  use->set(b);
              });
  }

  /// What no operand has the extents of: a splat, an index.
  void resize(Operation *op) {
    if (!isa<ShardingRuleOpInterface>(op) || op->getNumResults() != 1 ||
        llvm::any_of(op->getOperands(),
                     [](Value value) { return bool(tensorOf(value)); }))
      return;
    if (auto constant = dyn_cast<arith::ConstantOp>(op);
        constant && !isa<SplatElementsAttr>(constant.getValue()))
      return;
    auto type = tensorOf(op->getResult(0));
    for (int64_t dim = 0; type && dim < type.getRank(); ++dim)
      for (int64_t step : {-1, 1}) {
        SmallVector<int64_t> shape(type.getShape());
        shape[dim] += step;
        Type other = type.clone(ArrayRef<int64_t>(shape));
        add(op, "another extent",
            "dim " + std::to_string(dim) + " of " + std::to_string(shape[dim]),
            [other](Operation *clone, const IRMapping &) {
              auto ruled = cast<ShardingRuleOpInterface>(clone);
              OpBuilder builder(clone);
              Operation *made = ruled.buildLocal(
                  builder, clone->getOperands(), TypeRange(other),
                  [&](unsigned i) { return ruled.getShardStart(i); });
              clone->replaceAllUsesWith(made);
            });
      }
  }

  //===--------------------------------------------------------------------===//
  // Whole ops
  //===--------------------------------------------------------------------===//

  void drop(Operation *op) {
    if (isPlacement(op)) {
      if (op->getResultTypes() ==
          op->getOperands().take_front(op->getNumResults()).getTypes())
        add(op, "drop " + classOf(op), "",
            [](Operation *clone, const IRMapping &) {
              clone->replaceAllUsesWith(
                  clone->getOperands().take_front(clone->getNumResults()));
            });
      return;
    }
    if (op->getNumResults() != 1)
      return;
    for (unsigned i = 0; i < op->getNumOperands(); ++i)
      if (op->getOperand(i).getType() == op->getResult(0).getType())
        add(op, "drop an op", "operand " + std::to_string(i) + " instead",
            [i](Operation *clone, const IRMapping &) {
              clone->getResult(0).replaceAllUsesWith(clone->getOperand(i));
            });
  }

  /// Own copies in place of what others would send.
  static Value repeat(OpBuilder &builder, Value value, int64_t dim,
                      int64_t count) {
    auto type = cast<RankedTensorType>(value.getType());
    SmallVector<int64_t> shape(type.getShape());
    shape[dim] *= count;
    return nn::ConcatOp::create(builder, value.getLoc(),
                                type.clone(ArrayRef<int64_t>(shape)),
                                SmallVector<Value>(count, value), dim);
  }

  static Value cut(OpBuilder &builder, Operation *like, Value value,
                   ArrayAttr axes, int64_t dim, int64_t count) {
    auto type = cast<RankedTensorType>(value.getType());
    SmallVector<int64_t> shape(type.getShape());
    shape[dim] /= count;
    return SliceOp::create(
        builder, value.getLoc(), type.clone(ArrayRef<int64_t>(shape)), value,
        like->getAttrOfType<FlatSymbolRefAttr>("mesh").getValue(), axes, dim);
  }

  void standIn(Operation *op) {
    auto each =
        [&](std::string name,
            std::function<Value(OpBuilder &, Operation *, unsigned)> make) {
          add(op, name, "", [make](Operation *clone, const IRMapping &) {
            OpBuilder builder(clone);
            for (unsigned i = 0; i < clone->getNumResults(); ++i)
              clone->getResult(i).replaceAllUsesWith(make(builder, clone, i));
          });
        };
    if (isa<ReduceScatterOp>(op))
      each("drop a collective",
           [](OpBuilder &builder, Operation *clone, unsigned i) {
             auto scatter = cast<ReduceScatterOp>(clone);
             return cut(builder, clone, clone->getOperand(i), scatter.getAxes(),
                        scatter.getDims()[i], scatter.getGroupSize());
           });
    if (isa<AllGatherOp>(op))
      each("drop a collective",
           [](OpBuilder &builder, Operation *clone, unsigned i) {
             auto gather = cast<AllGatherOp>(clone);
             return repeat(builder, clone->getOperand(i), gather.getDims()[i],
                           gather.getGroupSize());
           });
    if (isa<AllToAllOp>(op))
      each("drop a collective",
           [](OpBuilder &builder, Operation *clone, unsigned i) {
             auto exchange = cast<AllToAllOp>(clone);
             int64_t size = exchange.getGroupSize();
             Value whole = repeat(builder, clone->getOperand(i),
                                  exchange.getDims()[i], size);
             return cut(builder, clone, whole, exchange.getAxes(),
                        exchange.getSplitDims()[i], size);
           });
    if (isa<SliceOp>(op))
      for (bool last : {false, true})
        each("slice: one part on every rank",
             [last](OpBuilder &builder, Operation *clone, unsigned) -> Value {
               auto slice = cast<SliceOp>(clone);
               SmallVector<int64_t> offsets, strides;
               auto in = tensorOf(slice.getInput()),
                    out = tensorOf(slice.getResult());
               for (auto [a, b] : llvm::zip(in.getShape(), out.getShape())) {
                 offsets.push_back(last ? a - b : 0);
                 strides.push_back(1);
               }
               return nn::SliceOp::create(builder, clone->getLoc(), out,
                                          slice.getInput(), offsets, strides);
             });
  }

  void duplicate(Operation *op) {
    bool fits = op->getNumResults() == 1 && op->getNumOperands() &&
                op->getOperand(0).getType() == op->getResult(0).getType();
    if (!fits &&
        !(isCollective(op) && op->getOperandTypes() == op->getResultTypes()))
      return;
    add(op, "duplicate " + classOf(op), "",
        [](Operation *clone, const IRMapping &) {
          OpBuilder builder(clone);
          builder.setInsertionPointAfter(clone);
          Operation *again = builder.clone(*clone);
          clone->replaceAllUsesWith(again);
          again->setOperands(0, clone->getNumResults(), clone->getResults());
        });
  }

  void siblings(Operation *op) {
    static const std::vector<std::vector<StringRef>> families = {
        {"arith.addf", "arith.subf", "arith.mulf", "arith.divf",
         "arith.maximumf", "arith.minimumf"},
        {"arith.addi", "arith.subi", "arith.muli", "arith.maxsi", "arith.minsi",
         "arith.andi", "arith.ori", "arith.xori"},
        {"math.exp", "math.sin", "math.cos", "math.rsqrt", "math.tanh",
         "arith.negf", "math.absf", "math.sqrt", "math.log"},
        {"tp.all_reduce", "tp.make_partial"}};
    StringRef name = op->getName().getStringRef();
    for (const std::vector<StringRef> &family : families) {
      if (!llvm::is_contained(family, name) || isPlacement(op))
        continue;
      for (StringRef other : family)
        if (other != name)
          add(op, "another op of the type", "now " + other.str(),
              [other](Operation *clone, const IRMapping &) {
                OpBuilder builder(clone);
                OperationState state(clone->getLoc(), other);
                state.addOperands(clone->getOperands());
                state.addTypes(clone->getResultTypes());
                clone->replaceAllUsesWith(builder.create(state));
              });
    }
  }

  //===--------------------------------------------------------------------===//
  // Collectives that were not there
  //===--------------------------------------------------------------------===//

  /// After `op`: what leaves the type alone and changes what devices hold.
  void insert(Operation *op) {
    auto after = [&](std::string name, unsigned result,
                     std::function<Value(OpBuilder &, Value)> make) {
      add(op, name, "", [=](Operation *clone, const IRMapping &) {
        OpBuilder builder(clone);
        builder.setInsertionPointAfter(clone);
        Value value = clone->getResult(result);
        Value made = make(builder, value);
        Operation *first = made.getDefiningOp();
        // All but the inserted ops use the result.
        SmallPtrSet<Operation *, 4> inserted;
        for (Operation *it = clone->getNextNode(); it; it = it->getNextNode()) {
          inserted.insert(it);
          if (it == first)
            break;
        }
        value.replaceAllUsesExcept(made, inserted);
      });
    };
    for (unsigned i = 0; i < op->getNumResults(); ++i) {
      RankedTensorType type = tensorOf(op->getResult(i));
      if (!type)
        continue;
      for (ArrayAttr axes : groups()) {
        StringRef name = meshName;
        if (isa<FloatType>(type.getElementType()) || isPlacement(op))
          for (ReduceKind kind : {ReduceKind::Sum, ReduceKind::Max})
            after("insert an all_reduce", i,
                  [=](OpBuilder &builder, Value value) -> Value {
                    return AllReduceOp::create(builder, value.getLoc(),
                                               TypeRange(type),
                                               ValueRange(value), name, axes,
                                               kind, StringAttr(), StringAttr())
                        .getResult(0);
                  });
        after("insert a make_partial", i,
              [=](OpBuilder &builder, Value value) -> Value {
                return MakePartialOp::create(builder, value.getLoc(), type,
                                             value, name, axes,
                                             ReduceKind::Sum);
              });
      }
      for (auto [from, to] : orders()) {
        StringRef name = meshName;
        after("insert a permute", i,
              [=, from = from, to = to](OpBuilder &builder,
                                        Value value) -> Value {
                return PermuteOp::create(builder, value.getLoc(),
                                         TypeRange(type), ValueRange(value),
                                         name, from, to, StringAttr(),
                                         StringAttr())
                    .getResult(0);
              });
      }
      for (int64_t dim = 0; dim < type.getRank(); ++dim)
        for (ArrayAttr axes : groups()) {
          StringRef name = meshName;
          int64_t block = type.getDimSize(dim);
          for (double fill : {0.0, 1.0})
            after("insert a mask", i,
                  [=](OpBuilder &builder, Value value) -> Value {
                    Value start = ShardStartOp::create(builder, value.getLoc(),
                                                       builder.getIndexType(),
                                                       name, axes, block);
                    return MaskOp::create(builder, value.getLoc(), type, value,
                                          start, dim, block, APFloat(fill));
                  });
          // There and back again, on other devices or not.
          for (ArrayAttr back : groups())
            after("insert a gather and a slice", i,
                  [=](OpBuilder &builder, Value value) -> Value {
                    Value whole = gather(builder, value, name, axes, dim);
                    return SliceOp::create(builder, value.getLoc(), type, whole,
                                           name, back, dim);
                  });
        }
    }
  }

  Value gather(OpBuilder &builder, Value value, StringRef name, ArrayAttr axes,
               int64_t dim) const {
    auto type = cast<RankedTensorType>(value.getType());
    SmallVector<int64_t> shape(type.getShape());
    shape[dim] *= sizeOf(toAxes(axes, mesh));
    return AllGatherOp::create(builder, value.getLoc(),
                               TypeRange(type.clone(ArrayRef<int64_t>(shape))),
                               ValueRange(value), name, axes,
                               ArrayRef<int64_t>(dim), StringAttr(),
                               StringAttr())
        .getResult(0);
  }

  AxisRefAttr whole(MeshAxisAttr axis) const {
    return AxisRefAttr::get(mesh.getContext(), axis.getName(), 1, 0);
  }

  /// Every axis, and all of them.
  SmallVector<ArrayAttr> groups() const {
    SmallVector<ArrayAttr> list;
    SmallVector<Attribute> all;
    for (MeshAxisAttr axis : mesh.getAxes()) {
      if (axis.getSize() == 1)
        continue; // Alone on it, a device sends nothing.
      all.push_back(whole(axis));
      list.push_back(ArrayAttr::get(mesh.getContext(), {whole(axis)}));
    }
    if (all.size() > 1)
      list.push_back(ArrayAttr::get(mesh.getContext(), all));
    return list;
  }

  /// Two axes, and the other way round.
  SmallVector<std::pair<ArrayAttr, ArrayAttr>> orders() const {
    SmallVector<std::pair<ArrayAttr, ArrayAttr>> list;
    ArrayRef<MeshAxisAttr> axes = mesh.getAxes();
    for (size_t i = 1; i < axes.size(); ++i) {
      if (axes[i - 1].getSize() == 1 || axes[i].getSize() == 1)
        continue;
      Attribute a = whole(axes[i - 1]), b = whole(axes[i]);
      list.push_back({ArrayAttr::get(mesh.getContext(), {a, b}),
                      ArrayAttr::get(mesh.getContext(), {b, a})});
    }
    return list;
  }

  //===--------------------------------------------------------------------===//
  // Order
  //===--------------------------------------------------------------------===//

  /// c(x) used by u becomes c(u(x)): a bias is added on every rank, a mask
  /// comes too late.
  void postpone(Operation *op) {
    for (unsigned r = 0; isPlacement(op) && r < op->getNumResults(); ++r)
      for (OpOperand &use : op->getResult(r).getUses()) {
        Operation *user = use.getOwner();
        if (user->getNumResults() != 1 || op->getNumResults() != 1 ||
            op->getOperand(0).getType() != op->getResult(0).getType() ||
            user->getResult(0).getType() != op->getResult(0).getType())
          continue;
        unsigned number = use.getOperandNumber();
        Value result = user->getResult(0);
        add(op, "an op before " + classOf(op) + " instead of after", "",
            [number, result](Operation *clone, const IRMapping &copy) {
              Operation *user = copy.lookup(result).getDefiningOp();
              user->setOperand(number, clone->getOperand(0));
              OpBuilder builder(user);
              builder.setInsertionPointAfter(user);
              Operation *late = builder.clone(*clone);
              user->getResult(0).replaceAllUsesExcept(late->getResult(0), late);
              late->setOperand(0, user->getResult(0));
            });
      }
    // u(x) and then c becomes u(c(x)).
    if (!isPlacement(op) || op->getNumResults() != 1 ||
        op->getOperand(0).getType() != op->getResult(0).getType())
      return;
    Operation *before = op->getOperand(0).getDefiningOp();
    for (unsigned i = 0; before && i < before->getNumOperands(); ++i)
      if (before->getNumResults() == 1 &&
          before->getOperand(i).getType() == op->getResult(0).getType())
        add(op, "an op after " + classOf(op) + " instead of before",
            "operand " + std::to_string(i),
            [i](Operation *clone, const IRMapping &) {
              Operation *before = clone->getOperand(0).getDefiningOp();
              OpBuilder builder(clone);
              Operation *late = builder.clone(*before);
              clone->setOperand(0, before->getOperand(i));
              clone->moveBefore(late);
              late->setOperand(i, clone->getResult(0));
              clone->getResult(0).replaceAllUsesExcept(late->getResult(0),
                                                       late);
            });
  }

  /// Two collectives in a row, in the other order.
  void exchange(Operation *op) {
    if (!isPlacement(op) || isa<MaskOp>(op) || op->getNumOperands() != 1)
      return;
    Operation *first = op->getOperand(0).getDefiningOp();
    if (!first || !isPlacement(first) || first->getNumResults() != 1)
      return;
    RankedTensorType in = tensorOf(first->getOperand(0)),
                     middle = tensorOf(op->getOperand(0)),
                     out = tensorOf(op->getResult(0));
    SmallVector<int64_t> shape;
    for (auto [a, b, c] :
         llvm::zip(in.getShape(), middle.getShape(), out.getShape()))
      shape.push_back(b ? a * c / b : 0);
    add(op, "collectives in a row exchanged", "",
        [type = in.clone(ArrayRef<int64_t>(shape))](Operation *clone,
                                                    const IRMapping &) {
          Operation *first = clone->getOperand(0).getDefiningOp();
          OpBuilder builder(clone);
          builder.setInsertionPointAfter(clone);
          Operation *second = builder.clone(*first);
          Type last = clone->getResult(0).getType();
          clone->setOperand(0, first->getOperand(0));
          clone->getResult(0).setType(type);
          second->getResult(0).setType(cast<RankedTensorType>(last));
          clone->getResult(0).replaceAllUsesExcept(second->getResult(0),
                                                   second);
          second->setOperand(0, clone->getResult(0));
        });
  }

  /// reduce_scatter as all_reduce and a slice of the right part or a wrong one;
  /// all_reduce as reduce_scatter and an all_gather of the right order or not.
  void recompose(Operation *op) {
    if (op->getNumResults() != 1 || !isa<ReduceScatterOp, AllReduceOp>(op))
      return;
    RankedTensorType in = tensorOf(op->getOperand(0));
    for (int64_t dim = 0; dim < in.getRank(); ++dim)
      for (ArrayAttr axes : groups()) {
        bool scatters = isa<ReduceScatterOp>(op);
        MeshAttr mesh = this->mesh;
        add(op,
            scatters ? "reduce_scatter as all_reduce and slice"
                     : "all_reduce as reduce_scatter and all_gather",
            "dim " + std::to_string(dim),
            [=](Operation *clone, const IRMapping &) {
              OpBuilder builder(clone);
              Location loc = clone->getLoc();
              Value input = clone->getOperand(0), result = clone->getResult(0);
              auto name =
                  clone->getAttrOfType<FlatSymbolRefAttr>("mesh").getValue();
              auto own = clone->getAttrOfType<ArrayAttr>("axes");
              ReduceKind kind =
                  clone->getAttrOfType<ReduceKindAttr>("kind").getValue();
              Value made;
              if (scatters) {
                Value whole =
                    AllReduceOp::create(builder, loc, TypeRange(in),
                                        ValueRange(input), name, own, kind,
                                        StringAttr(), StringAttr())
                        .getResult(0);
                made = SliceOp::create(builder, loc, result.getType(), whole,
                                       name, axes, dim);
              } else {
                SmallVector<int64_t> shape(in.getShape());
                shape[dim] /= sizeOf(toAxes(own, mesh));
                Value part =
                    ReduceScatterOp::create(
                        builder, loc,
                        TypeRange(in.clone(ArrayRef<int64_t>(shape))),
                        ValueRange(input), name, own, kind,
                        ArrayRef<int64_t>(dim), StringAttr(), StringAttr())
                        .getResult(0);
                made = AllGatherOp::create(
                           builder, loc, TypeRange(result.getType()),
                           ValueRange(part), name, axes, ArrayRef<int64_t>(dim),
                           StringAttr(), StringAttr())
                           .getResult(0);
              }
              result.replaceAllUsesWith(made);
            });
      }
  }

  /// The dim that a value is cut along, with all that is computed from it, up
  /// to where it is gathered again: from `from` to `to`.
  static void retype(Operation *cut, int64_t from, int64_t to, bool all) {
    auto old = cast<RankedTensorType>(cut->getResult(0).getType());
    auto input = cast<RankedTensorType>(cut->getOperand(0).getType());
    int64_t count = input.getDimSize(from) / old.getDimSize(from);
    SmallVector<int64_t> shape(input.getShape());
    shape[to] /= count;
    Attribute axes = cut->getAttr("axes");
    DenseSet<Value> turned;
    auto turnCut = [&](Operation *op) {
      if (auto slice = dyn_cast<SliceOp>(op))
        slice.setDim(to);
      else
        cast<ReduceScatterOp>(op).setDims(ArrayRef<int64_t>(to));
    };
    for (Operation *op = cut; op; op = op->getNextNode()) {
      bool isCut = op == cut || (all && op->getName() == cut->getName() &&
                                 op->getAttr("axes") == axes &&
                                 op->getOperandTypes() == TypeRange(input) &&
                                 op->getResultTypes() == TypeRange(old));
      if (isCut)
        turnCut(op);
      else if (llvm::none_of(op->getOperands(),
                             [&](Value v) { return turned.count(v); }))
        continue;
      if (auto gather = dyn_cast<AllGatherOp>(op)) {
        SmallVector<int64_t> dims(gather.getDims());
        for (auto [dim, value] : llvm::zip(dims, gather.getInputs()))
          if (turned.count(value) && dim == from && gather.getAxes() == axes)
            dim = to;
        gather.setDims(dims);
        continue;
      }
      for (Value result : op->getResults())
        if (auto type = tensorOf(result); type.getShape() == old.getShape()) {
          result.setType(type.clone(ArrayRef<int64_t>(shape)));
          turned.insert(result);
        }
    }
  }

  void turn(Operation *op) {
    if (!isa<SliceOp, ReduceScatterOp>(op) || op->getNumResults() != 1)
      return;
    int64_t from = isa<SliceOp>(op) ? int64_t(cast<SliceOp>(op).getDim())
                                    : cast<ReduceScatterOp>(op).getDims()[0];
    RankedTensorType in = tensorOf(op->getOperand(0));
    int64_t count =
        in.getDimSize(from) / tensorOf(op->getResult(0)).getDimSize(from);
    for (int64_t to = 0; to < in.getRank(); ++to)
      for (bool all : {false, true})
        if (to != from && in.getDimSize(to) % count == 0)
          add(op, "collective: another dim, up to the gather",
              std::to_string(to) + (all ? ", of all alike" : ""),
              [=](Operation *clone, const IRMapping &) {
                retype(clone, from, to, all);
              });
  }

  func::FuncOp function;
  MutationSink sink;
  MeshAttr mesh;
  StringRef meshName;
  SmallVector<Value> visible;
};

} // namespace

void proof::collectMutations(func::FuncOp function, MutationSink sink) {
  Mutator(function, sink).run();
}
