// Every op of kernels and every call, so that all of the headers is compiled.
func.func private @floats(%a: tensor<8x16xf32>, %b: tensor<8x16xf32>) -> (tensor<8x16xf32>, tensor<8xf32>) attributes {rt.kernel} {
  %0 = arith.addf %a, %b : tensor<8x16xf32>
  %1 = arith.subf %0, %b : tensor<8x16xf32>
  %2 = arith.divf %1, %b : tensor<8x16xf32>
  %3 = arith.negf %2 : tensor<8x16xf32>
  %4 = math.absf %3 : tensor<8x16xf32>
  %5 = math.atan %4 : tensor<8x16xf32>
  %6 = math.ceil %5 : tensor<8x16xf32>
  %7 = math.cos %6 : tensor<8x16xf32>
  %8 = math.erf %7 : tensor<8x16xf32>
  %9 = math.exp %8 : tensor<8x16xf32>
  %10 = math.exp2 %9 : tensor<8x16xf32>
  %11 = math.expm1 %10 : tensor<8x16xf32>
  %12 = math.floor %11 : tensor<8x16xf32>
  %13 = math.log %12 : tensor<8x16xf32>
  %14 = math.log1p %13 : tensor<8x16xf32>
  %15 = math.log2 %14 : tensor<8x16xf32>
  %16 = math.roundeven %15 : tensor<8x16xf32>
  %17 = math.rsqrt %16 : tensor<8x16xf32>
  %18 = math.sin %17 : tensor<8x16xf32>
  %19 = math.sqrt %18 : tensor<8x16xf32>
  %20 = math.tan %19 : tensor<8x16xf32>
  %21 = math.tanh %20 : tensor<8x16xf32>
  %22 = math.trunc %21 : tensor<8x16xf32>
  %23 = math.copysign %22, %a : tensor<8x16xf32>
  %24 = math.powf %23, %b : tensor<8x16xf32>
  %25 = arith.minimumf %24, %b : tensor<8x16xf32>
  %26 = arith.maxnumf %25, %b : tensor<8x16xf32>
  %27 = arith.minnumf %26, %b : tensor<8x16xf32>
  %28 = arith.cmpf one, %27, %b : tensor<8x16xf32>
  %29 = arith.cmpf uno, %27, %a : tensor<8x16xf32>
  %30 = arith.xori %28, %29 : tensor<8x16xi1>
  %31 = arith.select %30, %27, %a : tensor<8x16xi1>, tensor<8x16xf32>
  %32 = nn.reduce %31 "max" dims [1] : (tensor<8x16xf32>) -> tensor<8xf32>
  %33 = nn.reduce %31 "min" dims [1] : (tensor<8x16xf32>) -> tensor<8xf32>
  %34 = nn.reduce %31 "product" dims [1] : (tensor<8x16xf32>) -> tensor<8xf32>
  %35 = arith.addf %32, %33 : tensor<8xf32>
  %36 = arith.mulf %35, %34 : tensor<8xf32>
  return %31, %36 : tensor<8x16xf32>, tensor<8xf32>
}
func.func private @others(%a: tensor<5x3xi32>, %h: tensor<5x3xf16>, %d: tensor<5x3xf64>) -> (tensor<5x3xi1>, tensor<5x3xf16>, tensor<5x3xf64>) attributes {rt.kernel} {
  %c = arith.constant dense<3> : tensor<5x3xi32>
  %0 = arith.divsi %a, %c : tensor<5x3xi32>
  %1 = arith.remsi %a, %c : tensor<5x3xi32>
  %2 = arith.muli %0, %1 : tensor<5x3xi32>
  %3 = arith.minsi %2, %c : tensor<5x3xi32>
  %4 = arith.shli %3, %c : tensor<5x3xi32>
  %5 = arith.shrsi %4, %c : tensor<5x3xi32>
  %6 = arith.andi %5, %a : tensor<5x3xi32>
  %7 = arith.ori %6, %a : tensor<5x3xi32>
  %8 = arith.cmpi sge, %7, %c : tensor<5x3xi32>
  %9 = arith.sitofp %7 : tensor<5x3xi32> to tensor<5x3xf16>
  %10 = arith.addf %9, %h : tensor<5x3xf16>
  %11 = math.exp %10 : tensor<5x3xf16>
  %12 = arith.extf %11 : tensor<5x3xf16> to tensor<5x3xf64>
  %13 = arith.mulf %12, %d : tensor<5x3xf64>
  %14 = math.powf %13, %d : tensor<5x3xf64>
  return %8, %11, %14 : tensor<5x3xi1>, tensor<5x3xf16>, tensor<5x3xf64>
}
func.func @entry(%ids: memref<4xi32>, %table: memref<16x8xf32>, %rows: memref<4x8xf32>, %position: memref<i32>,
                 %cache: memref<1x6x2x8xbf16>, %update: memref<1x2x2x8xbf16>, %q: memref<1x2x2x3x8xbf16>, %out: memref<1x2x2x3x8xbf16>,
                 %x: memref<4x8xf16>, %values: memref<4x2xf16>, %best: memref<4x2xi32>, %one: memref<8xf32>,
                 %a: memref<2x8xf64>, %b: memref<4x8xf64>, %c: memref<2x4xf64>) {
  %c0 = arith.constant 0 : index
  rt.embedding %ids, %table from %c0 into %rows of 16 : memref<4xi32>, memref<16x8xf32>, memref<4x8xf32>
  rt.embedding_gradient %ids, %rows from %c0 into %table of 16 : memref<4xi32>, memref<4x8xf32>, memref<16x8xf32>
  rt.take %rows, %position into %one dim 0 : memref<4x8xf32>, memref<i32>, memref<8xf32>
  rt.cache_update %cache, %update at %position length %position from %c0 of 6 : memref<1x6x2x8xbf16>, memref<1x2x2x8xbf16>, memref<i32>, memref<i32>
  rt.attention %q, %cache, %cache at %position from %c0 into %out scale 0.5 causal window 3 soft_cap 30.0 : memref<1x2x2x3x8xbf16>, memref<1x6x2x8xbf16>, memref<1x6x2x8xbf16>, memref<i32>, index, memref<1x2x2x3x8xbf16>
  rt.top_k %x from %c0 into %values, %best k 2 segments 1 of 8 : memref<4x8xf16>, memref<4x2xf16>, memref<4x2xi32>
  rt.copy %rows to %table extents [8, 4] from 0 [1, 8] to 0 [4, 1] : memref<4x8xf32>, memref<16x8xf32>
  rt.mask %rows dim 1 from %c0 size 5 fill 1.0 : memref<4x8xf32>
  rt.contract %a, %b into %c "mk,nk->mn" : memref<2x8xf64>, memref<4x8xf64>, memref<2x4xf64>
  return
}
func.func @kernels(%a: memref<8x16xf32>, %b: memref<8x16xf32>, %c: memref<8xf32>,
                   %i: memref<5x3xi32>, %h: memref<5x3xf16>, %d: memref<5x3xf64>, %t: memref<5x3xi8>) {
  rt.launch @floats(%a, %a) into (%b, %c) : (memref<8x16xf32>, memref<8x16xf32>) -> (memref<8x16xf32>, memref<8xf32>)
  rt.launch @others(%i, %h, %d) into (%t, %h, %d) : (memref<5x3xi32>, memref<5x3xf16>, memref<5x3xf64>) -> (memref<5x3xi8>, memref<5x3xf16>, memref<5x3xf64>)
  return
}
