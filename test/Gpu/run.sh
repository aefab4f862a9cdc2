#!/bin/sh
# Runs the programs of a bundle against the values that they should give: each
# with its ranks on one GPU, then two processes under NCCL. One line a test;
# without a GPU all are skipped. Needs the GPU's driver, cuBLASLt, and NCCL for
# the last test.
cd "$(dirname "$0")" || exit 1
export TPRT_PLUGIN_PATH="$PWD/lib"
export LD_LIBRARY_PATH="$PWD/lib${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}"
log=$(mktemp -d) || exit 1
trap 'rm -rf "$log"' EXIT
passed=0 failed=0 skipped=0

# result NAME STATUS: the line of a test, whose output is in $log/out.
result() {
  said=$(tail -n 1 "$log/out")
  case $2 in
  0) passed=$((passed + 1)) && echo "passed: $1 ($said)" ;;
  77) skipped=$((skipped + 1)) && echo "skipped: $1 (${said#error: })" ;;
  124) failed=$((failed + 1)) && echo "FAILED: $1 (has not come to its end)" ;;
  *) failed=$((failed + 1)) && echo "FAILED: $1 ($said)" ;;
  esac
}

while read -r name expected tolerance ranks; do
  [ "$ranks" = 1 ] && collectives=auto || collectives=loopback
  timeout 300 bin/gpu-check check "programs/$name.so" "expected/$expected" "$tolerance" $collectives > "$log/out" 2>&1 < /dev/null
  result "$name" $?
done < list

# Products of few columns by our own kernel.
for each in tiny-2 llama-attention-bias-2 llama-bf16-1; do
  line=$(grep "^$each " list) && {
    # shellcheck disable=SC2086 # four words
    set -- $line
    TPRT_MEASURE_PRODUCTS=own timeout 300 bin/gpu-check check "programs/$1.so" "expected/$2" "$3" auto > "$log/out" 2>&1 < /dev/null
    result "$1, products by our own kernel" $?
  }
done

# Two processes with one GPU: NCCL takes each for a machine of its own, whose only
# way to the other is a socket. Good for its answer, not for its speed.
smoke() {
  mkdir "$log/messages"
  for rank in 0 1; do
    env OMPI_COMM_WORLD_RANK=$rank OMPI_COMM_WORLD_SIZE=2 OMPI_COMM_WORLD_LOCAL_RANK=$rank \
      OMPI_COMM_WORLD_LOCAL_SIZE=2 TPRT_FILES="$log/messages" NCCL_HOSTID=tp-rank-$rank NCCL_NET=Socket \
      NCCL_IB_DISABLE=1 NCCL_SOCKET_IFNAME=lo NCCL_P2P_DISABLE=1 NCCL_SHM_DISABLE=1 NCCL_NVLS_ENABLE=0 \
      NCCL_MAX_CTAS=1 NCCL_ALGO=Ring NCCL_PROTO=Simple \
      timeout 300 bin/gpu-check check "programs/$1.so" "expected/$2" "$3" > "$log/out$rank" 2>&1 < /dev/null &
    eval "process$rank=$!"
  done
  wait "$process0" && status0=0 || status0=$?
  wait "$process1" && status1=0 || status1=$?
  cat "$log/out1" "$log/out0" > "$log/out"
  status=$status0
  if [ "$status" = 0 ]; then status=$status1; fi
  # Which of them says what is wrong, and with what status, is theirs to decide.
  if [ "$status" != 0 ] && grep -q "^error: .*no GPU" "$log/out"; then
    status=77
    grep "^error: .*no GPU" "$log/out" | head -n 1 > "$log/line" && mv "$log/line" "$log/out"
  elif [ "$status" != 0 ] && grep -q "libnccl.so.2: cannot open" "$log/out"; then
    status=77
    grep "libnccl.so.2: cannot open" "$log/out" | head -n 1 > "$log/line" && mv "$log/line" "$log/out"
  elif [ "$status" = 0 ] && ! grep -q "NCCL" "$log/out"; then
    status=1
  fi
  result "two processes under NCCL" "$status"
}
line=$(grep "^tiny-2 " list) && {
  # shellcheck disable=SC2086 # three words
  set -- $line
  smoke "$1" "$2" "$3"
}

echo "$passed passed, $failed failed, $skipped skipped"
[ $failed = 0 ]
