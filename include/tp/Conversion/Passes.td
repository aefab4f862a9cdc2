//===- Passes.td - from local programs to machine code --------------------===//
//
// Part of tp-mlir, under the Apache License v2.0.
//
//===----------------------------------------------------------------------===//

#ifndef TP_CONVERSION_PASSES
#define TP_CONVERSION_PASSES

include "mlir/Pass/PassBase.td"

def TPKeepOrigins : Pass<"tp-keep-origins", "::mlir::func::FuncOp"> {
  let summary = "writes every op's name and module into its location";
  let description = [{
    For programs with a timeline: lowering fuses ops, writes them out and turns them
    into calls, and keeps of them only the location. `rt-mark-ops` reads it there. The
    module is what reports say: that of the location, of the parameter that the op
    reads, or what the modules of its operands share.

    Before:
    ```mlir
    %0 = nn.contract %x, %w "mk,nk->mn" : ... loc("model.mlir":7:8)
    ```
    After:
    ```mlir
    %0 = nn.contract %x, %w "mk,nk->mn" : ...
        loc("mlp.down_proj"(fused<#rt.origin<"nn.contract" of "mlp.down_proj">>["model.mlir":7:8]))
    ```
  }];
  let dependentDialects = ["::mlir::rt::RTDialect"];
}

def NNFuseKernels : Pass<"nn-fuse-kernels", "::mlir::func::FuncOp"> {
  let summary = "groups elementwise ops, broadcasts and reductions into kernels";
  let description = [{
    Composites that have no kernel of their own (norms, softmax, cross-entropy) are
    written out; then ops over one iteration space become one `rt.fused`
    unless an op outside needs a member's result before the last member. Constants,
    broadcasts and index tensors are computed again in every kernel that uses them.

    Before:
    ```mlir
    %cst = arith.constant dense<1.0> : tensor<8x64xf32>
    %0 = arith.addf %x, %y : tensor<8x64xf32>
    %1 = arith.mulf %0, %cst : tensor<8x64xf32>
    return %1 : tensor<8x64xf32>
    ```
    After:
    ```mlir
    %0 = rt.fused (%a = %x : tensor<8x64xf32>, %b = %y : tensor<8x64xf32>)
        -> tensor<8x64xf32> {
      %1 = arith.addf %a, %b : tensor<8x64xf32>
      %cst = arith.constant dense<1.0> : tensor<8x64xf32>
      %2 = arith.mulf %1, %cst : tensor<8x64xf32>
      rt.yield %2 : tensor<8x64xf32>
    }
    return %0 : tensor<8x64xf32>
    ```
  }];
  let dependentDialects = ["::mlir::rt::RTDialect", "::mlir::nn::NNDialect",
                           "::mlir::arith::ArithDialect",
                           "::mlir::math::MathDialect"];
}

def TPKeepStored : Pass<"tp-keep-stored", "::mlir::ModuleOp"> {
  let summary = "keeps weights in memory as their file stores them";
  let description = [{
    A parameter of f32 that its file stores quantised, or as a 16-bit float, need not
    be widened when it is loaded: contractions and embeddings read it as it is
    (`getStoredLineDims` of BufferOpInterface), and it takes a fraction of the memory
    and of the time to read it. Marks such parameters with `rt.stored`;
    tp-lower-to-runtime gives them buffers of that element type. Lines that are
    contracted are interleaved if the runtime can and all who contract them have the
    same ones. A weight is widened on loading all the same if
    - an op of any function uses it that cannot read it so, or
    - its sharding or its map from the file cuts a block, the elements that share a
      scale: blocks run along the last dim.

    Before:
    ```mlir
    func.func @f(%x: tensor<8x64xf32>,
        %w: tensor<32x64xf32> {nn.parameter = #nn.parameter<name = "w",
          tensor = "w", shape = [32, 64], offset = [0, 0], dims = [0, 1],
          strides = [1, 1], initialisation = "normal", stored = "Q4_1">})
    ```
    After:
    ```mlir
    func.func @f(%x: tensor<8x64xf32>,
        %w: tensor<32x64xf32> {nn.parameter = #nn.parameter<name = "w",
          tensor = "w", shape = [32, 64], offset = [0, 0], dims = [0, 1],
          strides = [1, 1], initialisation = "normal", stored = "Q4_1">,
          rt.stored = !rt.stored<"Q4_1" interleaved 64>})
    ```
  }];
  let dependentDialects = ["::mlir::rt::RTDialect"];
}

def TPPlanMemory : Pass<"tp-plan-memory", "::mlir::func::FuncOp"> {
  let summary = "gives every tensor a buffer";
  let description = [{
    Each result of each op gets a place: an argument's or a result's buffer, its
    operand's (in place, or a view), or an offset in the function's one arena, where
    buffers that are never live at the same time share memory. State is updated in
    place where nothing reads the old content afterwards; otherwise it is copied,
    with a remark.

    Before:
    ```mlir
    func.func @f(%x: tensor<8x64xf32>, %w: tensor<64x64xf32>) -> tensor<8x64xf32> {
      %0 = nn.contract %x, %w "mk,nk->mn" : ...
      %1 = nn.contract %0, %w "mk,nk->mn" : ...
      return %1 : tensor<8x64xf32>
    ```
    After:
    ```mlir
    func.func @f(%x: tensor<8x64xf32>, %w: tensor<64x64xf32>) -> tensor<8x64xf32>
        attributes {rt.arena_bytes = 2048, rt.memory = {...}} {
      %0 = nn.contract %x, %w "mk,nk->mn" {rt.places = [#rt.place<arena 0>]} : ...
      %1 = nn.contract %0, %w "mk,nk->mn" {rt.places = [#rt.place<result 0>]} : ...
      return %1 : tensor<8x64xf32>
    ```
  }];
  let dependentDialects = ["::mlir::rt::RTDialect"];
}

def TPLowerToRuntime : Pass<"tp-lower-to-runtime", "::mlir::ModuleOp"> {
  let summary = "turns ops on tensors into runtime calls on buffers";
  let description = [{
    Follows the places that memory planning chose. A fused op becomes the launch of a
    kernel; fused ops with equal bodies share it.

    Before:
    ```mlir
    %0 = nn.contract %x, %w "mk,nk->mn" {rt.places = [#rt.place<result 0>]}
        : (tensor<8x64xf32>, tensor<64x64xf32>) -> tensor<8x64xf32>
    return %0 : tensor<8x64xf32>
    ```
    After:
    ```mlir
    %0 = rt.result 0 : memref<8x64xf32>
    rt.contract %x, %w into %0 "mk,nk->mn"
        : memref<8x64xf32>, memref<64x64xf32>, memref<8x64xf32>
    return %0 : memref<8x64xf32>
    ```
  }];
  let dependentDialects = ["::mlir::rt::RTDialect", "::mlir::memref::MemRefDialect",
                           "::mlir::arith::ArithDialect",
                           "::mlir::func::FuncDialect"];
}

def RTMarkOps : Pass<"rt-mark-ops", "::mlir::func::FuncOp"> {
  let summary = "marks where each call and launch of an entry begins";
  let description = [{
    For a timeline of a run, `tp-run --profile`: one mark before every call of the
    runtime and every launch of a kernel, with the name and the module of the op that
    it comes from (`tp-keep-origins`), or else its own name and what its location
    says. Kernels are left as they are, and so is an entry that has marks. Without
    this pass a program has none, and is what it always was.

    Before:
    ```mlir
    rt.contract %x, %w into %0 "mk,nk->mn"
        : memref<8x64xf32>, memref<64x64xf32>, memref<8x64xf32> loc(#origin)
    rt.collective all_reduce sum(%0) into (%1) group 0 id 3 name "mlp.down_proj"
        : (memref<8x64xf32>) -> memref<8x64xf32>
    ```
    After:
    ```mlir
    rt.mark "nn.contract" of "mlp.down_proj"
    rt.contract %x, %w into %0 "mk,nk->mn"
        : memref<8x64xf32>, memref<64x64xf32>, memref<8x64xf32>
    rt.mark "tp.all_reduce" of "mlp.down_proj" collective 3
    rt.collective all_reduce sum(%0) into (%1) group 0 id 3 name "mlp.down_proj"
        : (memref<8x64xf32>) -> memref<8x64xf32>
    ```
  }];
  let dependentDialects = ["::mlir::rt::RTDialect"];
}

def RTFoldBias : Pass<"rt-fold-bias", "::mlir::ModuleOp"> {
  let summary = "lets a contraction add its bias";
  let description = [{
    For GPUs, whose library adds a bias to a product before it is stored: a kernel
    that does nothing but add a broadcast buffer to what a contraction has just
    written, in place, goes into the contraction. The sum is rounded once where it was
    rounded twice. A kernel that nobody launches any more goes.

    Before:
    ```mlir
    rt.contract %x, %w into %0 "mk,nk->mn"
        : memref<8x64xbf16>, memref<32x64xbf16>, memref<8x32xbf16>
    rt.launch @kernel_0(%0, %b) into (%0)
        : (memref<8x32xbf16>, memref<32xbf16>) -> memref<8x32xbf16>
    ...
    func.func private @kernel_0(%x: tensor<8x32xbf16>, %b: tensor<32xbf16>)
        -> tensor<8x32xbf16> attributes {rt.kernel} {
      %0 = nn.broadcast %b dims [1] : (tensor<32xbf16>) -> tensor<8x32xbf16>
      %1 = arith.addf %x, %0 : tensor<8x32xbf16>
      return %1 : tensor<8x32xbf16>
    }
    ```
    After:
    ```mlir
    rt.contract %x, %w plus %b into %0 "mk,nk->mn"
        : memref<8x64xbf16>, memref<32x64xbf16>, memref<32xbf16>, memref<8x32xbf16>
    ```
  }];
  let dependentDialects = ["::mlir::rt::RTDialect"];
}

def RTEmitKernels : Pass<"rt-emit-kernels", "::mlir::ModuleOp"> {
  let summary = "writes kernels as vectorised loops, or for threads of a GPU";
  let description = [{
    One loop for each dim, adjacent dims that every operand has alike being one; the
    innermost is vectorised, with what remains in a shorter vector. A reduction is a
    loop of its own; later uses of the full shape compute its inputs again.

    With `threads`, the points of the space go to the threads of a grid instead,
    neighbours to neighbours, in vectors of at most 16 bytes; what is reduced is a
    row, which has a block, and ends in a reduction over the block. `rt.grid` says
    how many blocks and threads to launch.

    Before:
    ```mlir
    func.func private @kernel_0(%x: tensor<8x5xf32>) -> tensor<8x5xf32>
        attributes {rt.kernel} {
      %0 = arith.negf %x : tensor<8x5xf32>
      return %0 : tensor<8x5xf32>
    }
    ```
    After:
    ```mlir
    func.func private @kernel_0(%x: memref<8x5xf32>, %out: memref<8x5xf32>)
        attributes {rt.kernel} {
      %flat = memref.reinterpret_cast %x ... to memref<40xf32>
      scf.for %i = %c0 to %c32 step %c16 {
        %0 = vector.load %flat[%i] : memref<40xf32>, vector<16xf32>
        %1 = arith.negf %0 : vector<16xf32>
        vector.store %1, ...
      }
      %2 = vector.load ... vector<8xf32>
      ...
    ```
    After, with `threads`:
    ```mlir
    func.func private @kernel_0(%x: memref<8x5xf32>, %out: memref<8x5xf32>)
        attributes {rt.grid = array<i64: 1, 256>, rt.kernel} {
      ...
      scf.for %i = %thread to %c10 step %threads {
        %j = arith.muli %i, %c4 : index
        %0 = vector.load %flat[%j] : memref<40xf32>, vector<4xf32>
        ...
    ```
  }];
  let options = [Option<"threads", "threads", "bool", "false",
                        "for the threads of a GPU">];
  let dependentDialects = ["::mlir::arith::ArithDialect", "::mlir::math::MathDialect",
                           "::mlir::memref::MemRefDialect", "::mlir::scf::SCFDialect",
                           "::mlir::gpu::GPUDialect",
                           "::mlir::vector::VectorDialect"];
}

def RTExpandMath : Pass<"rt-expand-math", "::mlir::ModuleOp"> {
  let summary = "chooses how kernels compute functions";
  let description = [{
    exp, tanh, erf and log of f32 become polynomials that vectorise; everything else
    that is not an instruction, and all of f64, calls the C library, so that sines
    and cosines of large positions keep their accuracy. bf16 arithmetic is done in
    f32 and rounded. Integer divisions do not trap: padding may hold zeros.

    Before:
    ```mlir
    %1 = math.sin %0 : f32
    ```
    After:
    ```mlir
    %1 = call @sinf(%0) : (f32) -> f32
    ```
  }];
  let options = [Option<"keepFunctions", "keep-functions", "bool", "false",
                        "leave functions of f32 and f64 as they are">];
  let dependentDialects = ["::mlir::arith::ArithDialect", "::mlir::math::MathDialect",
                           "::mlir::func::FuncDialect",
                           "::mlir::vector::VectorDialect"];
}

def RTToLLVM : Pass<"rt-to-llvm", "::mlir::ModuleOp"> {
  let summary = "turns runtime-level programs into LLVM IR";
  let description = [{
    An entry becomes `void entry(rank, arena, arguments, results)`, as tprt.h has it:
    straight-line calls with constant descriptors. A kernel takes bare pointers.

    Before:
    ```mlir
    func.func @f(%x: memref<8xf32>) -> memref<8xf32> {
      %0 = rt.result 0 : memref<8xf32>
      rt.launch @kernel_0(%x) into (%0) : (memref<8xf32>) -> memref<8xf32>
      return %0 : memref<8xf32>
    }
    ```
    After:
    ```mlir
    llvm.func @f(%rank: !llvm.ptr, %arena: !llvm.ptr, %arguments: !llvm.ptr,
                 %results: !llvm.ptr) {
      %x = llvm.load %arguments : !llvm.ptr -> !llvm.ptr
      %0 = llvm.load %results : !llvm.ptr -> !llvm.ptr
      llvm.call @kernel_0(%x, %0) : (!llvm.ptr, !llvm.ptr) -> ()
      llvm.return
    }
    ```
  }];
  let dependentDialects = ["::mlir::LLVM::LLVMDialect", "::mlir::cf::ControlFlowDialect"];
}

#endif // TP_CONVERSION_PASSES
