// RUN: tp-opt %s --tp-emit-cuda | FileCheck %s

// Descriptors are constants of types, before the entries: two layers that call alike
// share one. Where a buffer begins at an element that only the rank knows, so much is
// said of its alignment.
// CHECK: namespace calls {
// CHECK: // 1 call, the first for model.norm
// CHECK-NEXT: struct copy_0 {
// CHECK-NEXT: static constexpr tprt_copy_desc desc = {4, 3, 0, 0, {4, 2, 12}, {24, 12, 1}, {12, 48, 1}};
// CHECK-NEXT: static constexpr int64_t alignment = 64;
// CHECK-NEXT: };
// CHECK: struct copy_1 {
// CHECK-NEXT: desc = {4, 3, 0, 0, {4, 2, 12}, {12, 48, 1}, {24, 12, 1}};
// CHECK: struct copy_2 {
// CHECK-NEXT: desc = {4, 3, 0, 0, {4, 2, 24}, {24, 96, 1}, {48, 24, 1}};
// CHECK: struct copy_3 {
// CHECK-NEXT: desc = {4, 3, 0, 0, {4, 4, 12}, {48, 12, 1}, {12, 48, 1}};
// CHECK: struct mask_0 {
// CHECK-NEXT: desc = {0, 1, 8, 1, 5};
// CHECK: // 2 calls
// CHECK-NEXT: struct mask_1 {
// CHECK-NEXT: desc = {0, 1, 4, 1, 3};
// CHECK-NEXT: alignment = 4;
// CHECK: constexpr int64_t workspaceBytes = mostOf({
// CHECK-NEXT: workspaceBytesOf(copy_0::desc),

module attributes {rt.groups = [[#tp.axis<"dp">], [#tp.axis<"tp">], [#tp.axis<"dp">, #tp.axis<"tp">], [#tp.axis<"tp">, #tp.axis<"dp">]]} {
tp.mesh @mesh = <["dp"=2, "tp"=4]>

// Dims that are neighbours in all operands are one; two batch dims are a batch and
// a loop.
// CHECK-LABEL: tprt_status run_products(
// CHECK: // "bqhd,bkhd->bhqk"
// CHECK-NEXT: for (int64_t [[I:i.*]] = 0; [[I]] < 2; ++[[I]]) {
// CHECK-NEXT: multiply(rank, 0, argument_1 + [[I]] * 192, argument_0 + [[I]] * 96, argument_2 + [[I]] * 96)
func.func @products(%q: memref<2x4x3x8xf32>, %k: memref<2x8x3x8xf32>, %s: memref<2x3x4x8xf32>) {
  rt.contract %q, %k into %s "bqhd,bkhd->bhqk" : memref<2x4x3x8xf32>, memref<2x8x3x8xf32>, memref<2x3x4x8xf32>
  return
}

// A bias is added to all rows, which are cuBLASLt's columns; a kernel that adds one is
// gone.
// CHECK-LABEL: tprt_status run_bias(
// CHECK: multiply(rank, 1, argument_1, argument_0, argument_3, false, argument_2)
// CHECK-NEXT: return TPRT_OK;
func.func @bias(%x: memref<2x4x8xbf16>, %w: memref<2x3x8xbf16>, %b: memref<2x3xbf16>, %y: memref<2x4x2x3xbf16>) {
  rt.contract %x, %w into %y "bsk,hdk->bshd" : memref<2x4x8xbf16>, memref<2x3x8xbf16>, memref<2x4x2x3xbf16>
  rt.launch @add(%y, %b) into (%y) : (memref<2x4x2x3xbf16>, memref<2x3xbf16>) -> memref<2x4x2x3xbf16>
  return
}
func.func private @add(%x: tensor<2x4x2x3xbf16>, %b: tensor<2x3xbf16>) -> tensor<2x4x2x3xbf16> attributes {rt.kernel} {
  %0 = nn.broadcast %b dims [2, 3] : (tensor<2x3xbf16>) -> tensor<2x4x2x3xbf16>
  %1 = arith.addf %x, %0 : tensor<2x4x2x3xbf16>
  return %1 : tensor<2x4x2x3xbf16>
}

// A dim that is not the first one goes through the scratch buffer.
// CHECK-LABEL: tprt_status run_collectives(
// CHECK: // all_gather over tp: model.norm
// CHECK: TPRT_TRY(communicate(rank, {TPRT_ALL_GATHER, 0, 1, 1, TPRT_SUM, 1, {{[{][{]}}argument_0, at<float>(rank->scratch, 0), 24, TPRT_F32{{[}][}]}}}));
// CHECK: TPRT_CUDA(rank, cudaStreamWaitEvent(rank->compute, rank->communicated));
// CHECK-NEXT: TPRT_TRY(tprt_cuda::copy<calls::copy_0>(rank, at<float>(rank->scratch, 0), argument_1));
// CHECK: // reduce_scatter of sum over tp: model.norm
// CHECK-NEXT: TPRT_TRY(tprt_cuda::copy<calls::copy_1>(rank, argument_1, at<float>(rank->scratch, 0)));
// CHECK: {TPRT_REDUCE_SCATTER, 1, 1, 1, TPRT_SUM, 1, {{[{][{]}}at<float>(rank->scratch, 0), argument_0, 24, TPRT_F32
// The first dim needs no copy. Several buffers travel as one.
// CHECK: // all_gather over dp x tp{{$}}
// CHECK: {TPRT_ALL_GATHER, 2, 2, 2, TPRT_SUM, 2, {{[{][{]}}argument_2, argument_3, 6, TPRT_BF16}, {argument_4, argument_5, 6, TPRT_I32{{[}][}]}}}
// CHECK-NOT: copy
func.func @collectives(%x: memref<2x3x4xf32>, %y: memref<2x12x4xf32>, %a: memref<2x3xbf16>, %b: memref<16x3xbf16>,
                       %c: memref<2x3xi32>, %d: memref<16x3xi32>) {
  rt.collective all_gather sum (%x) into (%y) group 1 id 0 name "model.norm" dims [1] : (memref<2x3x4xf32>) -> memref<2x12x4xf32> loc("model.norm")
  rt.collective reduce_scatter sum (%y) into (%x) group 1 id 1 name "model.norm" dims [1] : (memref<2x12x4xf32>) -> memref<2x3x4xf32>
  rt.collective all_gather sum (%a, %c) into (%b, %d) group 2 id 2 name "" dims [0, 0] : (memref<2x3xbf16>, memref<2x3xi32>) -> (memref<16x3xbf16>, memref<16x3xi32>)
  return
}

// What members exchange goes in blocks of the dim that is split, and comes in
// blocks of the dim that grows. All of a permute is from one member.
// CHECK-LABEL: tprt_status run_exchanges(
// CHECK: // all_to_all over tp: experts
// CHECK-NEXT: TPRT_TRY(tprt_cuda::copy<calls::copy_2>(rank, argument_0, at<float>(rank->scratch, 0)));
// CHECK: {TPRT_ALL_TO_ALL, 0, 1, 1, TPRT_SUM, 1, {{[{][{]}}at<float>(rank->scratch, 0), at<float>(rank->scratch, 768), 48, TPRT_F32
// CHECK: TPRT_TRY(tprt_cuda::copy<calls::copy_3>(rank, at<float>(rank->scratch, 768), argument_1));
// CHECK: // permute over dp x tp{{$}}
// CHECK: {TPRT_PERMUTE, 1, 2, 3, TPRT_SUM, 1, {{[{][{]}}argument_1, argument_0, 192, TPRT_F32
func.func @exchanges(%x: memref<2x8x12xf32>, %y: memref<2x2x48xf32>) {
  rt.collective all_to_all sum (%x) into (%y) group 1 id 0 name "experts" dims [2] split [1] : (memref<2x8x12xf32>) -> memref<2x2x48xf32>
  rt.collective permute sum (%y) into (%x) group 2 id 1 name "" source 3 : (memref<2x2x48xf32>) -> memref<2x8x12xf32>
  return
}

// What is started is awaited where its buffer is needed.
// CHECK-LABEL: tprt_status run_halves(
// CHECK: {TPRT_ALL_REDUCE, 3, 0, 0, TPRT_MAX, 1, {{[{][{]}}argument_0, argument_0, 8, TPRT_F32
// CHECK-NEXT: TPRT_CUDA(rank, cudaEventRecord(rank->events[3], rank->communicate));
// CHECK-NOT: cudaStreamWaitEvent
// CHECK: tprt_cuda::mask<calls::mask_0>(rank, argument_1, {{v[0-9]+}})
// CHECK-NEXT: TPRT_CUDA(rank, cudaStreamWaitEvent(rank->compute, rank->events[3]));
func.func @halves(%x: memref<8xf32>, %y: memref<8xf32>) {
  rt.collective all_reduce max (%x) into (%x) group 0 id 3 name "" started : (memref<8xf32>) -> memref<8xf32>
  %0 = rt.coordinate group 1
  rt.mask %y dim 0 from %0 size 5 fill 0.0 : memref<8xf32>
  rt.wait %x of 3 : memref<8xf32>
  return
}

// CHECK-LABEL: tprt_status run_views(
// CHECK: float *[[PART:v[0-9]+]] = argument_0 + {{v[0-9]+}};
// CHECK: tprt_cuda::mask<calls::mask_1>(rank, [[PART]], {{v[0-9]+}})
// CHECK: tprt_cuda::mask<calls::mask_1>(rank, [[PART]], {{v[0-9]+}})
func.func @views(%x: memref<8xf32>) {
  %0 = rt.coordinate group 1
  %1 = rt.view %x from %0 : memref<8xf32> to memref<4xf32>
  rt.mask %1 dim 0 from %0 size 3 fill 0.0 : memref<4xf32>
  rt.mask %1 dim 0 from %0 size 3 fill 0.0 : memref<4xf32>
  return
}

// What goes through the scratch buffer, which is one for all, is done at once.
// CHECK-LABEL: tprt_status run_packed(
// CHECK: {TPRT_ALL_GATHER, 0, 0, 0, TPRT_SUM, 1, {{[{][{]}}argument_0, at<float>(rank->scratch, 0), 6,
// CHECK: TPRT_CUDA(rank, cudaStreamWaitEvent(rank->compute, rank->communicated));
// CHECK-NEXT: tprt_cuda::copy<calls::copy_4>(
// CHECK-NEXT: return TPRT_OK;
func.func @packed(%x: memref<2x3xf32>, %y: memref<2x6xf32>) {
  rt.collective all_gather sum (%x) into (%y) group 0 id 0 name "" dims [1] started : (memref<2x3xf32>) -> memref<2x6xf32>
  rt.wait %y of 0 : memref<2x6xf32>
  return
}
}

// dp is r / 4, tp is r % 4. Four gathered blocks of 2 x 3 x 4, or eight of others.
// CHECK: const Group groups[] = {
// CHECK-NEXT: {1, {{[{][{]}}4, 2{{[}][}]}}} /* dp */,
// CHECK-NEXT: {1, {{[{][{]}}1, 4{{[}][}]}}} /* tp */,
// CHECK-NEXT: {2, {{[{][{]}}4, 2}, {1, 4{{[}][}]}}} /* dp x tp */,
// CHECK-NEXT: {2, {{[{][{]}}1, 4}, {4, 2{{[}][}]}}} /* tp x dp */,
// CHECK: {TPRT_F32, true, false, 8, 4, 8, 24, 24, 8, 3, 8, 8, 32, 64, false},
// CHECK-NEXT: {TPRT_BF16, true, false, 6, 8, 8, 8, 8, 6, 1, 0, 0, 0, 64, true},
// CHECK: const Program tp_cuda_program = {kVersion, 8, 1536, calls::workspaceBytes, 4, 4, 2, 7, groups, matmuls, entries};
