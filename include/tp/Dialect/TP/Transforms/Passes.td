//===- Passes.td - propagation, resharding, partitioning, proof -----------===//
//
// Part of tp-mlir, under the Apache License v2.0.
//
//===----------------------------------------------------------------------===//

#ifndef TP_DIALECT_TP_TRANSFORMS_PASSES
#define TP_DIALECT_TP_TRANSFORMS_PASSES

include "mlir/Pass/PassBase.td"

def TPFlatten : Pass<"tp-flatten", "::mlir::ModuleOp"> {
  let summary = "writes out calls and loops, so that a program is one list of ops";
  let description = [{
    Every `func.call` of a function of the module becomes its body, every `scf.for`
    with constant bounds its iterations: each op may then be placed by itself, and
    reports name each layer. What was asked of the arguments and results of a callee
    becomes constraints. Private functions that nobody calls any more are erased.
    Refuses recursion and loops whose bounds are not constant.

    With `local`, it is the `tp.call`s of a partitioned program that are written
    out, before it is lowered.

    Before:
    ```mlir
    func.func private @layer(%x: tensor<8xf32>) -> tensor<8xf32> {
      %0 = math.exp %x : tensor<8xf32>
      return %0 : tensor<8xf32>
    }
    func.func @main(%x: tensor<8xf32>) -> tensor<8xf32> {
      %0 = scf.for %i = %c0 to %c2 step %c1 iter_args(%y = %x) -> tensor<8xf32> {
        %1 = func.call @layer(%y) : (tensor<8xf32>) -> tensor<8xf32>
        scf.yield %1 : tensor<8xf32>
      }
      return %0 : tensor<8xf32>
    }
    ```
    After:
    ```mlir
    func.func @main(%x: tensor<8xf32>) -> tensor<8xf32> {
      %0 = math.exp %x : tensor<8xf32>
      %1 = math.exp %0 : tensor<8xf32>
      return %1 : tensor<8xf32>
    }
    ```
  }];
  let options = [
    Option<"local", "local", "bool", "false",
           "write out the tp.calls of a local program instead">
  ];
  let dependentDialects = ["::mlir::tp::TPDialect"];
}

def TPPropagate : Pass<"tp-propagate", "::mlir::ModuleOp"> {
  let summary = "carries shardings through every op, forward and backward";
  let description = [{
    From the shardings of arguments, and of ops that declare them (`tp.constraint`,
    `tp.reshard`, `tp.call`), which are never changed, to every other value, by the
    ops' sharding rules, to a fixed point: axes are only ever added. What is asked
    of results is carried backward.

    Requests are let in one class after the other, each carried to a fixed point:
    by their priority (`p0` first, which is also the default), then

    1. data-parallel axes of activations, and other axes of parameters;
    2. other axes of activations: they fill what the parameters left open, so that
       a residual that is sharded on the sequence does not undo what two weights
       say of a layer;
    3. data-parallel axes of parameters: those are stored so, and gathered for use.

    Within a class it goes in rounds, by distance in the graph, so that the order of
    ops plays no part. A second run goes on from the cache that the first left, so
    that it changes nothing but what is new. Where the tensors of an op disagree, see
    FactorChoice.h.
    Chooses padded extents, one for every set of dims that must agree.

    What has no operands (a constant, positions) is made once for each user, so that
    it lies as each needs it and is never sent; CSE merges what lies alike.

    A parameter or state is stored once for all functions of a module: what is asked
    of it in one holds in all, and of what is left open, the function with the most
    work decides first. Functions that ask for different things are an error.

    The result is `tp.sharding` on all arguments and results and a `tp.shardings`
    cache on every op; partial sums are not part of it: see tp-insert-reshards.

    Before:
    ```mlir
    func.func @f(%x: tensor<8x64xf32>,
                 %w: tensor<24x64xf32> {tp.sharding = #tp.sharding<@mesh, [{"tp"}, {} ]>})
    %0 = nn.contract %x, %w "sk,nk->sn" : ...
    ```
    After:
    ```mlir
    %0 = nn.contract %x, %w "sk,nk->sn"
        {tp.shardings = [#tp.sharding<@mesh, [{}, {"tp"} ]>]} : ...
    ```
  }];
}

def TPDecompose : Pass<"tp-decompose", "::mlir::func::FuncOp"> {
  let summary = "writes out composite ops whose reduction is sharded";
  let description = [{
    A composite (a norm, softmax, cross-entropy, top-k) whose reduced dim is sharded
    or padded is replaced by its own decomposition, on global tensors; what remains
    are reductions that the sharding machinery knows. Run tp-propagate again
    afterwards.

    Before:
    ```mlir
    %1 = nn.rms_norm %0, %w epsilon 1.0e-5   // %0 is sharded on its last dim
    ```
    After:
    ```mlir
    %2 = arith.mulf %0, %0
    %3 = nn.reduce %2 "sum" dims [1]         // partial: one number a row is reduced
    ...
    ```
  }];
}

def TPInsertReshards : Pass<"tp-insert-reshards", "::mlir::func::FuncOp"> {
  let summary = "makes every change of placement explicit, reductions lazily";
  let description = [{
    Goes forward through the graph, decides how each op is sharded from the
    propagated shardings, and inserts `tp.reshard` where an operand is placed
    otherwise. Partial values pass through every op that is linear in them and are
    reduced where that is cheapest: at the first use that is not linear, or before
    an op that would make them larger. A value is resharded to one placement once.

    Before:
    ```mlir
    %1 = nn.contract %0, %w "sk,nk->sn"      // k is sharded: partial
    %2 = nn.rms_norm %1, %g epsilon 1.0e-5
    ```
    After:
    ```mlir
    %1 = nn.contract %0, %w "sk,nk->sn"
    %2 = tp.reshard %1 from <@mesh, [{}, {} ], partial = sum{"tp"}> to <@mesh, [{}, {} ]>
    %3 = nn.rms_norm %2, %g epsilon 1.0e-5
    ```
  }];
  let dependentDialects = ["::mlir::tp::TPDialect"];
}

def TPPartition : Pass<"tp-partition", "::mlir::func::FuncOp"> {
  let summary = "from global tensors to what one device holds";
  let description = [{
    Every tensor gets its local type, every `tp.reshard` becomes the cheapest
    sequence of collectives, ops that read global positions are given their
    shard's start, and padding is masked before reductions. Arguments and results
    keep their sharding and record their global type as `tp.global`.

    Before:
    ```mlir
    %2 = tp.reshard %1 from <@mesh, [{}, {} ], partial = sum{"tp"}> to <@mesh, [{}, {} ]>
        : tensor<8x64xf32>
    ```
    After:
    ```mlir
    %2 = tp.all_reduce %1 sum over [#tp.axis<"tp">] of @mesh
        : (tensor<8x64xf32>) -> tensor<8x64xf32>
    ```
  }];
  let dependentDialects = ["::mlir::tp::TPDialect"];
}

def TPStripPlacements : Pass<"tp-strip-placements", "::mlir::ModuleOp"> {
  let summary = "takes back all that was said of placements";
  let description = [{
    Meshes, shardings, constraints and reshards are removed: what remains is the
    program of one device. What one device of several runs (`tp.call` and its
    function, a partitioned program) is an error.

    Before:
    ```mlir
    tp.mesh @mesh = <["tp"=2]>
    func.func @f(%x: tensor<8xf32> {tp.sharding = #tp.sharding<@mesh, [{"tp"} ]>}) -> tensor<8xf32> {
      %0 = math.exp %x : tensor<8xf32>
      %1 = tp.constraint %0 to <@mesh, [{} ]> : tensor<8xf32>
      return %1 : tensor<8xf32>
    }
    ```
    After:
    ```mlir
    func.func @f(%x: tensor<8xf32>) -> tensor<8xf32> {
      %0 = math.exp %x : tensor<8xf32>
      return %0 : tensor<8xf32>
    }
    ```
  }];
}

def TPKeepProgram : Pass<"tp-keep-program", "::mlir::ModuleOp"> {
  let summary = "keeps the functions as they are, to be compared with later";
  let description = [{
    Copies all functions into a `tp.program` at the end of the module. Runs before
    partitioning, which makes something else of the functions.

    Before:
    ```mlir
    tp.mesh @mesh = <["tp"=2]>
    func.func @main(%x: tensor<8xf32>) -> tensor<8xf32> {
      return %x : tensor<8xf32>
    }
    ```
    After:
    ```mlir
    tp.mesh @mesh = <["tp"=2]>
    func.func @main(%x: tensor<8xf32>) -> tensor<8xf32> {
      return %x : tensor<8xf32>
    }
    tp.program {
      tp.mesh @mesh = <["tp"=2]>
      func.func @main(%x: tensor<8xf32>) -> tensor<8xf32> {
        return %x : tensor<8xf32>
      }
    }
    ```
  }];
  let dependentDialects = ["::mlir::tp::TPDialect"];
}

def TPVerifyErasure : Pass<"tp-verify-erasure", "::mlir::ModuleOp"> {
  let summary = "a local program without its collectives is the global one";
  let description = [{
    The other half of the proof: `tp-verify-placements` shows that collectives and
    masks keep to the meaning of values; this, that the values are the right ones.
    With collectives, slices and masks taken for the identity, every op of a
    function must be what some op of its `tp.program` becomes on one device: on the
    same operands, in the same order, with the same attributes but for extents and
    starts, which are checked by building the op from the global one again. The
    results must be the same values. Several ops may be the same one: a program may
    compute something twice.

    Placements are inferred on the way, for they do not tell how large a dim is along
    which all elements are equal (a splat's) or come from positions (an index's).
    Here the global op tells it: a reduction, a softmax, whatever depends on the
    number of elements must have as many on all devices together as that has, without
    padding. Global values that differ only in the extents of such dims are one class;
    a local value is a part of a class.

    Refuses an op that computes something else, or over more or fewer elements, a
    result that is another value, and what `tp-verify-placements` refuses.
    Changes nothing, but drops the `tp.program` if asked to.
  }];
  let options = [
    Option<"drop", "drop", "bool", "false",
           "erase the tp.program once it has been compared">
  ];
}

def TPPlanReshards : Pass<"tp-plan-reshards", "::mlir::func::FuncOp"> {
  let summary = "a function of reshards alone, as collectives";
  let description = [{
    For trying out what a change of placement costs. The function has tensor
    arguments with their `tp.sharding`, and `tp.reshard` ops; every reshard becomes
    the cheapest sequence of collectives, and every result keeps the sharding that
    it has. Where no padded extent is given, a dim is padded to a multiple of all
    axes that it ever has. The result is verified.

    Before:
    ```mlir
    func.func @f(%x: tensor<8x6xf32> {tp.sharding = #tp.sharding<@mesh, [{"x"}, {"y"} ]>})
        -> tensor<8x6xf32> {
      %0 = tp.reshard %x to <@mesh, [{"x"}, { } ]> : tensor<8x6xf32>
      return %0 : tensor<8x6xf32>
    }
    ```
    After:
    ```mlir
    %0 = tp.all_gather %x dims [1] over [#tp.axis<"y">] of @mesh
        : (tensor<4x2xf32>) -> tensor<4x6xf32>
    ```
  }];
  let dependentDialects = ["::mlir::tp::TPDialect"];
}

def TPSimplifyCollectives : Pass<"tp-simplify-collectives", "::mlir::func::FuncOp"> {
  let summary = "fewer and smaller collectives for the same placements";
  let description = [{
    On a local program, also one that was written by hand. Equal collectives of equal
    operands become one, whatever their reasons, and those that nothing uses go. What
    up to eight successive placement ops do together is one change of placement, of
    the axes that they name; where the reshard search knows a path that costs less
    than those of them that nothing else uses, it takes their place. So an all-reduce
    and a slice are a reduce-scatter, a gather and its slice nothing, and so on; the
    table is in docs/collectives.md. Every collective keeps the reasons and modules
    of those that it replaces.

    An op whose result something else needs stays, and counts as free of charge: a
    slice of what is gathered for others too is still the value before.

    Before:
    ```mlir
    %1 = tp.all_reduce %0 sum over [#tp.axis<"tp">] of @mesh : (tensor<8x4xf32>) -> tensor<8x4xf32>
    %2 = tp.slice %1 dim 0 over [#tp.axis<"tp">] of @mesh : (tensor<8x4xf32>) -> tensor<2x4xf32>
    ```
    After:
    ```mlir
    %2 = tp.reduce_scatter %0 sum dims [0] over [#tp.axis<"tp">] of @mesh
        : (tensor<8x4xf32>) -> tensor<2x4xf32>
    ```
  }];
  let dependentDialects = ["::mlir::tp::TPDialect"];
}

def TPMergeCollectives : Pass<"tp-merge-collectives", "::mlir::func::FuncOp"> {
  let summary = "packs small collectives of one group into one message";
  let description = [{
    Collectives of one kind over the same axes become one op with several operands
    (at most four, what the runtime sends at once), if none depends on another and
    as long as the message stays below `bytes`. It stands where the first of them
    stood, or as soon after it as all operands are there, and never after the first
    use of a result. What a later one sends is computed before that use, if that
    takes a few ops which do not depend on it: two norms one after the other reduce
    once.

    Before:
    ```mlir
    %2 = tp.all_gather %v dims [1] over [#tp.axis<"tp">] of @mesh : ...
    %3 = tp.all_gather %i dims [1] over [#tp.axis<"tp">] of @mesh : ...
    ```
    After:
    ```mlir
    %2:2 = tp.all_gather %v, %i dims [1, 1] over [#tp.axis<"tp">] of @mesh : ...
    ```
  }];
  let options = [
    Option<"bytes", "bytes", "int64_t", "65536",
           "largest message that is packed, in bytes">
  ];
}

def TPSplitCollectives : Pass<"tp-split-collectives", "::mlir::func::FuncOp"> {
  let summary = "every collective in two halves, its start and its waits";
  let description = [{
    The halves stand one after the other, so that nothing changes until
    tp-schedule-collectives moves them apart.

    Before:
    ```mlir
    %1 = tp.all_gather %0 dims [0] over [#tp.axis<"tp">] of @mesh : (tensor<2xf32>) -> tensor<8xf32>
    ```
    After:
    ```mlir
    %1 = tp.all_gather %0 dims [0] over [#tp.axis<"tp">] of @mesh : (tensor<2xf32>) -> !tp.pending<tensor<8xf32>>
    %2 = tp.wait %1 : !tp.pending<tensor<8xf32>>
    ```
  }];
  let dependentDialects = ["::mlir::tp::TPDialect"];
  let options = [
    Option<"bytes", "bytes", "int64_t", "0",
           "leave collectives whole that send less, in bytes per device">
  ];
}

def MachineOption : Option<"machine", "machine", "std::string", "\"\"",
    "how fast the device is, such as latency=10.8,link=370: reduce-latency and "
    "latency of a collective in microseconds, link and memory in GB/s, compute "
    "in TFLOP/s; by default an H200 among eight">;

def TPScheduleCollectives : Pass<"tp-schedule-collectives", "::mlir::func::FuncOp"> {
  let summary = "computes while collectives run";
  let description = [{
    Starts go to where their operands are there, waits to before the first use of
    what they wait for, and between them come ops that depend on neither: by list
    scheduling under a model of the machine, from the dependences of the ops and
    nothing else. Of the ops that need not wait, the one goes first on which the
    longest chain of others depends. Collectives stay in the order that they have,
    so that all ranks agree on it. Tensors that are under way at once, and what the
    new order needs more than the old at its worst, stay within `extra-mebibytes`.
    Where the model predicts a gain below one in a hundred, the order of ops stays.
    Halves that end up with nothing in between become one op again. A block with an
    op that has regions is left as it is.

    Before, tp-split-collectives has made halves:
    ```mlir
    %1 = tp.all_reduce %0 sum over [#tp.axis<"tp">] of @mesh
        : (tensor<1024x1024xf32>) -> !tp.pending<tensor<1024x1024xf32>>
    %2 = tp.wait %1 : !tp.pending<tensor<1024x1024xf32>>
    %3 = math.exp %2 : tensor<1024x1024xf32>
    %4 = math.log %x : tensor<1024x1024xf32>
    ```
    After:
    ```mlir
    %1 = tp.all_reduce %0 sum over [#tp.axis<"tp">] of @mesh
        : (tensor<1024x1024xf32>) -> !tp.pending<tensor<1024x1024xf32>>
    %4 = math.log %x : tensor<1024x1024xf32>
    %2 = tp.wait %1 : !tp.pending<tensor<1024x1024xf32>>
    %3 = math.exp %2 : tensor<1024x1024xf32>
    ```
  }];
  let dependentDialects = ["::mlir::tp::TPDialect"];
  let options = [
    MachineOption,
    Option<"extraMebibytes", "extra-mebibytes", "int64_t", "64",
           "memory that overlap may cost, of one device">
  ];
}

def TPVerifyPlacements : Pass<"tp-verify-placements", "::mlir::func::FuncOp"> {
  let summary = "proves that a local program computes the global one";
  let description = [{
    Infers the placement of every value of a local function forward from its
    arguments, by the ops' rules and the collectives' semantics alone, trusting no
    cached attribute: a local value denotes the global value V under sharding S if,
    block by block, combining it over S's partial axes gives V. Refuses:
    - an op whose operands disagree in a factor, or that needs a factor whole, or
      two of whose factors are sharded over the same axes;
    - a partial value in an op that is not linear in it;
    - a partial value that meets a replicated one in an addition;
    - a reduction over padding that nothing masks, or that an op which masks it by
      itself was not told of;
    - padding that an op may fail on;
    - an op that is told of more elements than all devices together have;
    - a shard's start that is not the start of the shard;
    - a result that is not placed as the function declares.
    Changes nothing.
  }];
}

#endif // TP_DIALECT_TP_TRANSFORMS_PASSES
