// RUN: tp-opt %s -split-input-file -tp-schedule-collectives="machine=speed=3" -verify-diagnostics
// RUN: not tp-opt %s -tp-schedule-collectives="machine=link=fast" 2>&1 | FileCheck %s --check-prefix=FAST
// RUN: not tp-opt %s -tp-schedule-collectives="machine=link=0" 2>&1 | FileCheck %s --check-prefix=ZERO
// RUN: tp-opt %s -tp-schedule-collectives="machine=latency=0" -allow-unregistered-dialect | FileCheck %s

// FAST: error: in the option 'machine': the machine's 'link' must be a positive number, got 'fast'
// ZERO: error: in the option 'machine': the machine's 'link' must be a positive number, got '0'
// expected-error @+1 {{in the option 'machine': a machine has no 'speed'; it has reduce-latency, latency, link, memory, compute}}
func.func @f(%x: tensor<?xf32>) -> tensor<?xf32> {
  // CHECK: arith.negf
  %0 = arith.negf %x : tensor<?xf32>
  return %0 : tensor<?xf32>
}
