#!/usr/bin/env bash
# Installs what is missing, builds, and runs every test.
set -euo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/setup.sh"

usage() {
  cat <<'EOF'
usage: ./test.sh [--long] [--gpu] [--sanitize=address|undefined|thread] [-- CTEST-ARGUMENT...]

  --long      the long tests too
  --gpu       instead of the others, programs on a GPU; where there is none they are skipped
  --sanitize  a build of its own with the sanitizer on our code
EOF
}

preset=release
long=0
gpu=0
while (($#)); do
  case $1 in
  --long) long=1 ;;
  --gpu) gpu=1 ;;
  --sanitize=address | --sanitize=undefined | --sanitize=thread) preset=${1#--sanitize=} ;;
  -h | --help)
    usage
    exit 0
    ;;
  --)
    shift
    break
    ;;
  *)
    usage >&2
    tp_die "unknown option $1"
    ;;
  esac
  shift
done

tp_setup
tp_build "$preset"
if ((gpu)); then
  exec "$tp_root/test/Gpu/bundle.py" --build="$tp_build_dir" --run "$@"
fi
tp_fetch_model

# A sanitizer's own memory cannot be told from ours.
skip=()
((long)) || skip+=(long)
[[ $preset == release ]] || skip+=(memory)
selection=()
((${#skip[@]} == 0)) || selection=(-LE "^($(IFS='|' && echo "${skip[*]}"))\$")
cd "$tp_build_dir"
ctest --output-on-failure --no-tests=error -j "$(nproc)" "${selection[@]}" "$@"
