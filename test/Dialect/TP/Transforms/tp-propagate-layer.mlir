// Two annotated weights a layer give the full Megatron plan, two constraints on the
// residual on top of them sequence parallelism, and storage over a data-parallel
// axis is gathered before use: nothing else is said.
// RUN: tp-opt %s -split-input-file -tp-propagate -tp-decompose -tp-propagate -tp-insert-reshards \
// RUN:   -tp-keep-program -tp-partition -tp-verify-placements -tp-verify-erasure=drop -tp-merge-collectives \
// RUN:   | FileCheck %s --implicit-check-not=tp.all --implicit-check-not=tp.reduce_scatter \
// RUN:     --implicit-check-not=tp.permute --implicit-check-not=tp.slice

// The query and the gate weight.
// CHECK-LABEL: func.func @query_and_gate
// CHECK: tp.all_reduce {{.*}}tensor<2x16x64xf32>) -> tensor<2x16x64xf32>
// CHECK: tp.all_reduce {{.*}}tensor<2x16x64xf32>) -> tensor<2x16x64xf32>
tp.mesh @mesh = <["tp"=4]>
func.func @query_and_gate(%x: tensor<2x16x64xf32>, %c: tensor<16x4xf32>, %g1_0: tensor<64xf32>, %wq_0: tensor<8x1x8x64xf32> {tp.sharding = #tp.sharding<@mesh, [{"tp"}, {}, {}, {}]>}, %wk_0: tensor<8x8x64xf32>, %wv_0: tensor<8x8x64xf32>, %wo_0: tensor<64x8x1x8xf32>, %g2_0: tensor<64xf32>, %wg_0: tensor<128x64xf32> {tp.sharding = #tp.sharding<@mesh, [{"tp"}, {}]>}, %wu_0: tensor<128x64xf32>, %wd_0: tensor<64x128xf32>) -> tensor<2x16x64xf32> {
%n1_0 = nn.rms_norm %x, %g1_0 epsilon 1.0e-5 : (tensor<2x16x64xf32>, tensor<64xf32>) -> tensor<2x16x64xf32>
%q_0 = nn.contract %n1_0, %wq_0 "bsk,hgdk->bshgd" : (tensor<2x16x64xf32>, tensor<8x1x8x64xf32>) -> tensor<2x16x8x1x8xf32>
%k_0 = nn.contract %n1_0, %wk_0 "bsk,hdk->bshd" : (tensor<2x16x64xf32>, tensor<8x8x64xf32>) -> tensor<2x16x8x8xf32>
%v_0 = nn.contract %n1_0, %wv_0 "bsk,hdk->bshd" : (tensor<2x16x64xf32>, tensor<8x8x64xf32>) -> tensor<2x16x8x8xf32>
%a_0 = nn.attention %q_0, %k_0, %v_0 scale 0.25 causal : (tensor<2x16x8x1x8xf32>, tensor<2x16x8x8xf32>, tensor<2x16x8x8xf32>) -> tensor<2x16x8x1x8xf32>
%o_0 = nn.contract %a_0, %wo_0 "bshgd,khgd->bsk" : (tensor<2x16x8x1x8xf32>, tensor<64x8x1x8xf32>) -> tensor<2x16x64xf32>
%r1_0_ = arith.addf %x, %o_0 : tensor<2x16x64xf32>
%n2_0 = nn.rms_norm %r1_0_, %g2_0 epsilon 1.0e-5 : (tensor<2x16x64xf32>, tensor<64xf32>) -> tensor<2x16x64xf32>
%ga_0 = nn.contract %n2_0, %wg_0 "bsk,fk->bsf" : (tensor<2x16x64xf32>, tensor<128x64xf32>) -> tensor<2x16x128xf32>
%up_0 = nn.contract %n2_0, %wu_0 "bsk,fk->bsf" : (tensor<2x16x64xf32>, tensor<128x64xf32>) -> tensor<2x16x128xf32>
%si_0 = math.tanh %ga_0 : tensor<2x16x128xf32>
%m_0 = arith.mulf %si_0, %up_0 : tensor<2x16x128xf32>
%dn_0 = nn.contract %m_0, %wd_0 "bsf,kf->bsk" : (tensor<2x16x128xf32>, tensor<64x128xf32>) -> tensor<2x16x64xf32>
%r2_0_ = arith.addf %r1_0_, %dn_0 : tensor<2x16x64xf32>
return %r2_0_ : tensor<2x16x64xf32>
}

// -----

// The output and the down weight.
// CHECK-LABEL: func.func @output_and_down
// CHECK: tp.all_reduce {{.*}}tensor<2x16x64xf32>) -> tensor<2x16x64xf32>
// CHECK: tp.all_reduce {{.*}}tensor<2x16x64xf32>) -> tensor<2x16x64xf32>
tp.mesh @mesh = <["tp"=4]>
func.func @output_and_down(%x: tensor<2x16x64xf32>, %c: tensor<16x4xf32>, %g1_0: tensor<64xf32>, %wq_0: tensor<8x1x8x64xf32>, %wk_0: tensor<8x8x64xf32>, %wv_0: tensor<8x8x64xf32>, %wo_0: tensor<64x8x1x8xf32> {tp.sharding = #tp.sharding<@mesh, [{}, {"tp"}, {}, {}]>}, %g2_0: tensor<64xf32>, %wg_0: tensor<128x64xf32>, %wu_0: tensor<128x64xf32>, %wd_0: tensor<64x128xf32> {tp.sharding = #tp.sharding<@mesh, [{}, {"tp"}]>}) -> tensor<2x16x64xf32> {
%n1_0 = nn.rms_norm %x, %g1_0 epsilon 1.0e-5 : (tensor<2x16x64xf32>, tensor<64xf32>) -> tensor<2x16x64xf32>
%q_0 = nn.contract %n1_0, %wq_0 "bsk,hgdk->bshgd" : (tensor<2x16x64xf32>, tensor<8x1x8x64xf32>) -> tensor<2x16x8x1x8xf32>
%k_0 = nn.contract %n1_0, %wk_0 "bsk,hdk->bshd" : (tensor<2x16x64xf32>, tensor<8x8x64xf32>) -> tensor<2x16x8x8xf32>
%v_0 = nn.contract %n1_0, %wv_0 "bsk,hdk->bshd" : (tensor<2x16x64xf32>, tensor<8x8x64xf32>) -> tensor<2x16x8x8xf32>
%a_0 = nn.attention %q_0, %k_0, %v_0 scale 0.25 causal : (tensor<2x16x8x1x8xf32>, tensor<2x16x8x8xf32>, tensor<2x16x8x8xf32>) -> tensor<2x16x8x1x8xf32>
%o_0 = nn.contract %a_0, %wo_0 "bshgd,khgd->bsk" : (tensor<2x16x8x1x8xf32>, tensor<64x8x1x8xf32>) -> tensor<2x16x64xf32>
%r1_0_ = arith.addf %x, %o_0 : tensor<2x16x64xf32>
%n2_0 = nn.rms_norm %r1_0_, %g2_0 epsilon 1.0e-5 : (tensor<2x16x64xf32>, tensor<64xf32>) -> tensor<2x16x64xf32>
%ga_0 = nn.contract %n2_0, %wg_0 "bsk,fk->bsf" : (tensor<2x16x64xf32>, tensor<128x64xf32>) -> tensor<2x16x128xf32>
%up_0 = nn.contract %n2_0, %wu_0 "bsk,fk->bsf" : (tensor<2x16x64xf32>, tensor<128x64xf32>) -> tensor<2x16x128xf32>
%si_0 = math.tanh %ga_0 : tensor<2x16x128xf32>
%m_0 = arith.mulf %si_0, %up_0 : tensor<2x16x128xf32>
%dn_0 = nn.contract %m_0, %wd_0 "bsf,kf->bsk" : (tensor<2x16x128xf32>, tensor<64x128xf32>) -> tensor<2x16x64xf32>
%r2_0_ = arith.addf %r1_0_, %dn_0 : tensor<2x16x64xf32>
return %r2_0_ : tensor<2x16x64xf32>
}

// -----

// The same, with the residual sharded on the sequence. So does x come then, of
// which nothing was said.
// CHECK-LABEL: func.func @query_gate_and_residual
// CHECK: tp.all_gather {{.*}}dims [1]
// CHECK: tp.reduce_scatter {{.*}}dims [1]
// CHECK: tp.all_gather {{.*}}dims [1]
// CHECK: tp.reduce_scatter {{.*}}dims [1]
tp.mesh @mesh = <["tp"=4]>
func.func @query_gate_and_residual(%x: tensor<2x16x64xf32>, %c: tensor<16x4xf32>, %g1_0: tensor<64xf32>, %wq_0: tensor<8x1x8x64xf32> {tp.sharding = #tp.sharding<@mesh, [{"tp"}, {}, {}, {}]>}, %wk_0: tensor<8x8x64xf32>, %wv_0: tensor<8x8x64xf32>, %wo_0: tensor<64x8x1x8xf32>, %g2_0: tensor<64xf32>, %wg_0: tensor<128x64xf32> {tp.sharding = #tp.sharding<@mesh, [{"tp"}, {}]>}, %wu_0: tensor<128x64xf32>, %wd_0: tensor<64x128xf32>) -> tensor<2x16x64xf32> {
%n1_0 = nn.rms_norm %x, %g1_0 epsilon 1.0e-5 : (tensor<2x16x64xf32>, tensor<64xf32>) -> tensor<2x16x64xf32>
%q_0 = nn.contract %n1_0, %wq_0 "bsk,hgdk->bshgd" : (tensor<2x16x64xf32>, tensor<8x1x8x64xf32>) -> tensor<2x16x8x1x8xf32>
%k_0 = nn.contract %n1_0, %wk_0 "bsk,hdk->bshd" : (tensor<2x16x64xf32>, tensor<8x8x64xf32>) -> tensor<2x16x8x8xf32>
%v_0 = nn.contract %n1_0, %wv_0 "bsk,hdk->bshd" : (tensor<2x16x64xf32>, tensor<8x8x64xf32>) -> tensor<2x16x8x8xf32>
%a_0 = nn.attention %q_0, %k_0, %v_0 scale 0.25 causal : (tensor<2x16x8x1x8xf32>, tensor<2x16x8x8xf32>, tensor<2x16x8x8xf32>) -> tensor<2x16x8x1x8xf32>
%o_0 = nn.contract %a_0, %wo_0 "bshgd,khgd->bsk" : (tensor<2x16x8x1x8xf32>, tensor<64x8x1x8xf32>) -> tensor<2x16x64xf32>
%r1_0_ = arith.addf %x, %o_0 : tensor<2x16x64xf32>
%r1_0 = tp.constraint %r1_0_ to <@mesh, [{}, {"tp"}, {}]> : tensor<2x16x64xf32>
%n2_0 = nn.rms_norm %r1_0, %g2_0 epsilon 1.0e-5 : (tensor<2x16x64xf32>, tensor<64xf32>) -> tensor<2x16x64xf32>
%ga_0 = nn.contract %n2_0, %wg_0 "bsk,fk->bsf" : (tensor<2x16x64xf32>, tensor<128x64xf32>) -> tensor<2x16x128xf32>
%up_0 = nn.contract %n2_0, %wu_0 "bsk,fk->bsf" : (tensor<2x16x64xf32>, tensor<128x64xf32>) -> tensor<2x16x128xf32>
%si_0 = math.tanh %ga_0 : tensor<2x16x128xf32>
%m_0 = arith.mulf %si_0, %up_0 : tensor<2x16x128xf32>
%dn_0 = nn.contract %m_0, %wd_0 "bsf,kf->bsk" : (tensor<2x16x128xf32>, tensor<64x128xf32>) -> tensor<2x16x64xf32>
%r2_0_ = arith.addf %r1_0, %dn_0 : tensor<2x16x64xf32>
%r2_0 = tp.constraint %r2_0_ to <@mesh, [{}, {"tp"}, {}]> : tensor<2x16x64xf32>
return %r2_0 : tensor<2x16x64xf32>
}

// -----

// x comes sharded on the sequence.
// CHECK-LABEL: func.func @output_down_and_residual
// CHECK: tp.all_gather {{.*}}dims [1]
// CHECK: tp.reduce_scatter {{.*}}dims [1]
// CHECK: tp.all_gather {{.*}}dims [1]
// CHECK: tp.reduce_scatter {{.*}}dims [1]
tp.mesh @mesh = <["tp"=4]>
func.func @output_down_and_residual(%x: tensor<2x16x64xf32> {tp.sharding = #tp.sharding<@mesh, [{}, {"tp"}, {}]>}, %c: tensor<16x4xf32>, %g1_0: tensor<64xf32>, %wq_0: tensor<8x1x8x64xf32>, %wk_0: tensor<8x8x64xf32>, %wv_0: tensor<8x8x64xf32>, %wo_0: tensor<64x8x1x8xf32> {tp.sharding = #tp.sharding<@mesh, [{}, {"tp"}, {}, {}]>}, %g2_0: tensor<64xf32>, %wg_0: tensor<128x64xf32>, %wu_0: tensor<128x64xf32>, %wd_0: tensor<64x128xf32> {tp.sharding = #tp.sharding<@mesh, [{}, {"tp"}]>}) -> tensor<2x16x64xf32> {
%n1_0 = nn.rms_norm %x, %g1_0 epsilon 1.0e-5 : (tensor<2x16x64xf32>, tensor<64xf32>) -> tensor<2x16x64xf32>
%q_0 = nn.contract %n1_0, %wq_0 "bsk,hgdk->bshgd" : (tensor<2x16x64xf32>, tensor<8x1x8x64xf32>) -> tensor<2x16x8x1x8xf32>
%k_0 = nn.contract %n1_0, %wk_0 "bsk,hdk->bshd" : (tensor<2x16x64xf32>, tensor<8x8x64xf32>) -> tensor<2x16x8x8xf32>
%v_0 = nn.contract %n1_0, %wv_0 "bsk,hdk->bshd" : (tensor<2x16x64xf32>, tensor<8x8x64xf32>) -> tensor<2x16x8x8xf32>
%a_0 = nn.attention %q_0, %k_0, %v_0 scale 0.25 causal : (tensor<2x16x8x1x8xf32>, tensor<2x16x8x8xf32>, tensor<2x16x8x8xf32>) -> tensor<2x16x8x1x8xf32>
%o_0 = nn.contract %a_0, %wo_0 "bshgd,khgd->bsk" : (tensor<2x16x8x1x8xf32>, tensor<64x8x1x8xf32>) -> tensor<2x16x64xf32>
%r1_0_ = arith.addf %x, %o_0 : tensor<2x16x64xf32>
%r1_0 = tp.constraint %r1_0_ to <@mesh, [{}, {"tp"}, {}]> : tensor<2x16x64xf32>
%n2_0 = nn.rms_norm %r1_0, %g2_0 epsilon 1.0e-5 : (tensor<2x16x64xf32>, tensor<64xf32>) -> tensor<2x16x64xf32>
%ga_0 = nn.contract %n2_0, %wg_0 "bsk,fk->bsf" : (tensor<2x16x64xf32>, tensor<128x64xf32>) -> tensor<2x16x128xf32>
%up_0 = nn.contract %n2_0, %wu_0 "bsk,fk->bsf" : (tensor<2x16x64xf32>, tensor<128x64xf32>) -> tensor<2x16x128xf32>
%si_0 = math.tanh %ga_0 : tensor<2x16x128xf32>
%m_0 = arith.mulf %si_0, %up_0 : tensor<2x16x128xf32>
%dn_0 = nn.contract %m_0, %wd_0 "bsf,kf->bsk" : (tensor<2x16x128xf32>, tensor<64x128xf32>) -> tensor<2x16x64xf32>
%r2_0_ = arith.addf %r1_0, %dn_0 : tensor<2x16x64xf32>
%r2_0 = tp.constraint %r2_0_ to <@mesh, [{}, {"tp"}, {}]> : tensor<2x16x64xf32>
return %r2_0 : tensor<2x16x64xf32>
}

// -----

// FSDP: the weights of attention together, those of the MLP together.
// CHECK-LABEL: func.func @stored_in_shards
// CHECK: tp.all_gather %arg3, %arg4, %arg5, %arg6 dims [0, 0, 0, 0]
// CHECK: tp.all_gather %arg8, %arg9, %arg10 dims [0, 0, 0]
tp.mesh @mesh = <["dp"=2]>
func.func @stored_in_shards(%x: tensor<2x16x64xf32> {tp.sharding = #tp.sharding<@mesh, [{"dp"}, {}, {}]>}, %c: tensor<16x4xf32>, %g1_0: tensor<64xf32>, %wq_0: tensor<8x1x8x64xf32> {tp.sharding = #tp.sharding<@mesh, [{"dp"}, {}, {}, {}]>}, %wk_0: tensor<8x8x64xf32> {tp.sharding = #tp.sharding<@mesh, [{"dp"}, {}, {}]>}, %wv_0: tensor<8x8x64xf32> {tp.sharding = #tp.sharding<@mesh, [{"dp"}, {}, {}]>}, %wo_0: tensor<64x8x1x8xf32> {tp.sharding = #tp.sharding<@mesh, [{"dp"}, {}, {}, {}]>}, %g2_0: tensor<64xf32>, %wg_0: tensor<128x64xf32> {tp.sharding = #tp.sharding<@mesh, [{"dp"}, {}]>}, %wu_0: tensor<128x64xf32> {tp.sharding = #tp.sharding<@mesh, [{"dp"}, {}]>}, %wd_0: tensor<64x128xf32> {tp.sharding = #tp.sharding<@mesh, [{"dp"}, {}]>}) -> tensor<2x16x64xf32> {
%n1_0 = nn.rms_norm %x, %g1_0 epsilon 1.0e-5 : (tensor<2x16x64xf32>, tensor<64xf32>) -> tensor<2x16x64xf32>
%q_0 = nn.contract %n1_0, %wq_0 "bsk,hgdk->bshgd" : (tensor<2x16x64xf32>, tensor<8x1x8x64xf32>) -> tensor<2x16x8x1x8xf32>
%k_0 = nn.contract %n1_0, %wk_0 "bsk,hdk->bshd" : (tensor<2x16x64xf32>, tensor<8x8x64xf32>) -> tensor<2x16x8x8xf32>
%v_0 = nn.contract %n1_0, %wv_0 "bsk,hdk->bshd" : (tensor<2x16x64xf32>, tensor<8x8x64xf32>) -> tensor<2x16x8x8xf32>
%a_0 = nn.attention %q_0, %k_0, %v_0 scale 0.25 causal : (tensor<2x16x8x1x8xf32>, tensor<2x16x8x8xf32>, tensor<2x16x8x8xf32>) -> tensor<2x16x8x1x8xf32>
%o_0 = nn.contract %a_0, %wo_0 "bshgd,khgd->bsk" : (tensor<2x16x8x1x8xf32>, tensor<64x8x1x8xf32>) -> tensor<2x16x64xf32>
%r1_0_ = arith.addf %x, %o_0 : tensor<2x16x64xf32>
%n2_0 = nn.rms_norm %r1_0_, %g2_0 epsilon 1.0e-5 : (tensor<2x16x64xf32>, tensor<64xf32>) -> tensor<2x16x64xf32>
%ga_0 = nn.contract %n2_0, %wg_0 "bsk,fk->bsf" : (tensor<2x16x64xf32>, tensor<128x64xf32>) -> tensor<2x16x128xf32>
%up_0 = nn.contract %n2_0, %wu_0 "bsk,fk->bsf" : (tensor<2x16x64xf32>, tensor<128x64xf32>) -> tensor<2x16x128xf32>
%si_0 = math.tanh %ga_0 : tensor<2x16x128xf32>
%m_0 = arith.mulf %si_0, %up_0 : tensor<2x16x128xf32>
%dn_0 = nn.contract %m_0, %wd_0 "bsf,kf->bsk" : (tensor<2x16x128xf32>, tensor<64x128xf32>) -> tensor<2x16x64xf32>
%r2_0_ = arith.addf %r1_0_, %dn_0 : tensor<2x16x64xf32>
return %r2_0_ : tensor<2x16x64xf32>
}

// -----

// Both.
// CHECK-LABEL: func.func @stored_in_shards_and_split
// CHECK: tp.all_gather %arg3, %arg6, %arg8, %arg10
// CHECK: tp.all_reduce {{.*}}over [#tp.axis<"tp">]
// CHECK: tp.all_reduce {{.*}}over [#tp.axis<"tp">]
tp.mesh @mesh = <["dp"=2, "tp"=4]>
func.func @stored_in_shards_and_split(%x: tensor<2x16x64xf32> {tp.sharding = #tp.sharding<@mesh, [{"dp"}, {}, {}]>}, %c: tensor<16x4xf32>, %g1_0: tensor<64xf32>, %wq_0: tensor<8x1x8x64xf32> {tp.sharding = #tp.sharding<@mesh, [{"tp"}, {}, {}, {"dp"}]>}, %wk_0: tensor<8x8x64xf32>, %wv_0: tensor<8x8x64xf32>, %wo_0: tensor<64x8x1x8xf32> {tp.sharding = #tp.sharding<@mesh, [{"dp"}, {"tp"}, {}, {}]>}, %g2_0: tensor<64xf32>, %wg_0: tensor<128x64xf32> {tp.sharding = #tp.sharding<@mesh, [{"tp", "dp"}, {}]>}, %wu_0: tensor<128x64xf32>, %wd_0: tensor<64x128xf32> {tp.sharding = #tp.sharding<@mesh, [{"dp"}, {"tp"}]>}) -> tensor<2x16x64xf32> {
%n1_0 = nn.rms_norm %x, %g1_0 epsilon 1.0e-5 : (tensor<2x16x64xf32>, tensor<64xf32>) -> tensor<2x16x64xf32>
%q_0 = nn.contract %n1_0, %wq_0 "bsk,hgdk->bshgd" : (tensor<2x16x64xf32>, tensor<8x1x8x64xf32>) -> tensor<2x16x8x1x8xf32>
%k_0 = nn.contract %n1_0, %wk_0 "bsk,hdk->bshd" : (tensor<2x16x64xf32>, tensor<8x8x64xf32>) -> tensor<2x16x8x8xf32>
%v_0 = nn.contract %n1_0, %wv_0 "bsk,hdk->bshd" : (tensor<2x16x64xf32>, tensor<8x8x64xf32>) -> tensor<2x16x8x8xf32>
%a_0 = nn.attention %q_0, %k_0, %v_0 scale 0.25 causal : (tensor<2x16x8x1x8xf32>, tensor<2x16x8x8xf32>, tensor<2x16x8x8xf32>) -> tensor<2x16x8x1x8xf32>
%o_0 = nn.contract %a_0, %wo_0 "bshgd,khgd->bsk" : (tensor<2x16x8x1x8xf32>, tensor<64x8x1x8xf32>) -> tensor<2x16x64xf32>
%r1_0_ = arith.addf %x, %o_0 : tensor<2x16x64xf32>
%n2_0 = nn.rms_norm %r1_0_, %g2_0 epsilon 1.0e-5 : (tensor<2x16x64xf32>, tensor<64xf32>) -> tensor<2x16x64xf32>
%ga_0 = nn.contract %n2_0, %wg_0 "bsk,fk->bsf" : (tensor<2x16x64xf32>, tensor<128x64xf32>) -> tensor<2x16x128xf32>
%up_0 = nn.contract %n2_0, %wu_0 "bsk,fk->bsf" : (tensor<2x16x64xf32>, tensor<128x64xf32>) -> tensor<2x16x128xf32>
%si_0 = math.tanh %ga_0 : tensor<2x16x128xf32>
%m_0 = arith.mulf %si_0, %up_0 : tensor<2x16x128xf32>
%dn_0 = nn.contract %m_0, %wd_0 "bsf,kf->bsk" : (tensor<2x16x128xf32>, tensor<64x128xf32>) -> tensor<2x16x64xf32>
%r2_0_ = arith.addf %r1_0_, %dn_0 : tensor<2x16x64xf32>
return %r2_0_ : tensor<2x16x64xf32>
}

// -----

// The batch alone: nothing is sent.
// CHECK-LABEL: func.func @batch
// CHECK: return
tp.mesh @mesh = <["dp"=2, "tp"=4]>
func.func @batch(%x: tensor<2x16x64xf32> {tp.sharding = #tp.sharding<@mesh, [{"dp"}, {}, {}]>}, %c: tensor<16x4xf32>, %g1_0: tensor<64xf32>, %wq_0: tensor<8x1x8x64xf32>, %wk_0: tensor<8x8x64xf32>, %wv_0: tensor<8x8x64xf32>, %wo_0: tensor<64x8x1x8xf32>, %g2_0: tensor<64xf32>, %wg_0: tensor<128x64xf32>, %wu_0: tensor<128x64xf32>, %wd_0: tensor<64x128xf32>) -> tensor<2x16x64xf32> {
%n1_0 = nn.rms_norm %x, %g1_0 epsilon 1.0e-5 : (tensor<2x16x64xf32>, tensor<64xf32>) -> tensor<2x16x64xf32>
%q_0 = nn.contract %n1_0, %wq_0 "bsk,hgdk->bshgd" : (tensor<2x16x64xf32>, tensor<8x1x8x64xf32>) -> tensor<2x16x8x1x8xf32>
%k_0 = nn.contract %n1_0, %wk_0 "bsk,hdk->bshd" : (tensor<2x16x64xf32>, tensor<8x8x64xf32>) -> tensor<2x16x8x8xf32>
%v_0 = nn.contract %n1_0, %wv_0 "bsk,hdk->bshd" : (tensor<2x16x64xf32>, tensor<8x8x64xf32>) -> tensor<2x16x8x8xf32>
%a_0 = nn.attention %q_0, %k_0, %v_0 scale 0.25 causal : (tensor<2x16x8x1x8xf32>, tensor<2x16x8x8xf32>, tensor<2x16x8x8xf32>) -> tensor<2x16x8x1x8xf32>
%o_0 = nn.contract %a_0, %wo_0 "bshgd,khgd->bsk" : (tensor<2x16x8x1x8xf32>, tensor<64x8x1x8xf32>) -> tensor<2x16x64xf32>
%r1_0_ = arith.addf %x, %o_0 : tensor<2x16x64xf32>
%n2_0 = nn.rms_norm %r1_0_, %g2_0 epsilon 1.0e-5 : (tensor<2x16x64xf32>, tensor<64xf32>) -> tensor<2x16x64xf32>
%ga_0 = nn.contract %n2_0, %wg_0 "bsk,fk->bsf" : (tensor<2x16x64xf32>, tensor<128x64xf32>) -> tensor<2x16x128xf32>
%up_0 = nn.contract %n2_0, %wu_0 "bsk,fk->bsf" : (tensor<2x16x64xf32>, tensor<128x64xf32>) -> tensor<2x16x128xf32>
%si_0 = math.tanh %ga_0 : tensor<2x16x128xf32>
%m_0 = arith.mulf %si_0, %up_0 : tensor<2x16x128xf32>
%dn_0 = nn.contract %m_0, %wd_0 "bsf,kf->bsk" : (tensor<2x16x128xf32>, tensor<64x128xf32>) -> tensor<2x16x64xf32>
%r2_0_ = arith.addf %r1_0_, %dn_0 : tensor<2x16x64xf32>
return %r2_0_ : tensor<2x16x64xf32>
}
