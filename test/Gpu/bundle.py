#!/usr/bin/env python3
"""Packs CUDA programs, the runtime and the values that they should give into one
archive, for a machine that has a GPU and nothing else of this project:

    test/Gpu/bundle.py --build=build -o gpu-tests.tar.gz
    tar xf gpu-tests.tar.gz && gpu-tests/run.sh        # there
    gpu-tests/bench.py -o cuda.md                      # there, for bench/cuda.md

Values come from the CPU backend on one rank; weights are random, from a seed."""
import argparse
import concurrent.futures
import json
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tarfile
import tempfile

import benches

here = pathlib.Path(__file__).resolve().parent
tests = here.parent
sys.path.insert(0, str(tests / "reference"))
from variants import BASE, VARIANTS  # noqa: E402

tiny = tests / "Import" / "Inputs" / "tiny"
largest_megabytes = 60
everywhere = [1, 2, 3, 4, 8]


def case(name, tolerance, ranks, make, **options):
    return {"name": name, "tolerance": tolerance, "ranks": ranks, "make": make, **options}


# `make` gives the module; "mesh" and "plan" are tp-compile's, "passes" tp-opt's.
cases = [
    case("kernels", 1e-5, [1], lambda tools: tests / "Cuda" / "Inputs" / "softmax.mlir"),
    case("collectives", 0, [4], lambda tools: tests / "Cuda" / "Inputs" / "moves.mlir", is_local=True,
         passes=["-tp-propagate", "-tp-insert-reshards", "-tp-partition"]),
    case("tiny", 1e-4, everywhere, lambda tools: tools.import_model(tiny, "--entry=generate", "--seq=4", "--max-seq=32")),
    case("logits", 1e-4, everywhere, lambda tools: tools.import_model(tiny, "--batch=2", "--seq=6")),
    case("attention", 1e-2, [1], lambda tools: tests / "Cuda" / "Inputs" / "attention.mlir", is_local=True),
    # So many queries that a library is asked, and heads that it takes.
    case("prefill", 3e-2, [1, 2], lambda tools: tools.import_model(tools.model(benches.tiny), "--batch=2", "--seq=20")),
    case("bf16", 3e-2, [1, 2, 4], lambda tools: tools.import_model(tiny, "--batch=2", "--seq=6", "--dtype=bf16")),
    case("f64", 1e-12, [1, 2], lambda tools: tools.import_model(tiny, "--batch=2", "--seq=6", "--dtype=f64")),
    case("two-axes", 1e-4, [4], lambda tools: tools.import_model(tiny, "--batch=2", "--seq=6"), mesh="dp=2,tp=2"),
    case("sequence", 1e-4, [2], lambda tools: tools.import_model(tiny, "--batch=2", "--seq=6"),
         plan=tests / "Cuda" / "Inputs" / "sequence-parallel.json"),
    case("overlap", 1e-4, [2], lambda tools: tools.import_model(tiny, "--batch=2", "--seq=6"),
         passes=["--tp-shard=mesh=tp=2", "--tp-split-collectives"], is_local=True),
    case("smollm2-135m", 1e-3, everywhere,
         lambda tools: tools.import_model(tests / "Cuda" / "Inputs" / "smollm2-135m", "--entry=generate", "--seq=16",
                                          "--max-seq=64")),
]


def import_variant(tools, config):
    return tools.import_model(tools.model(config), "--batch=2", "--seq=13")


def write_block(tools, family):
    module = tools.path(".mlir")
    script = tests / "Plan" / "Volumes" / "Inputs" / "block.py"
    module.write_bytes(subprocess.run([sys.executable, script, family, "small"], check=True, stdout=subprocess.PIPE).stdout)
    return module


# The models of test/Integration: configurations of Llama, and a layer of each other family. Tables of rotary embedding are
# made alike on any number of ranks.
for name, variant in VARIANTS.items():
    if variant.files > 1:
        continue  # weights are random
    narrow = variant.dtype in ("BF16", "F16")
    cases.append(case(f"llama-{name}", 3e-2 if narrow else 1e-4, [1, 3] if name.startswith("rope") else everywhere,
                      lambda tools, config=BASE | variant.config: import_variant(tools, config)))
for family in ("gemma-2-2b", "phi-3-mini", "glm-4-9b", "olmo-2-7b", "cohere", "phi-2", "starcoder2-3b"):
    cases.append(case(f"block-{family}", 1e-4, everywhere, lambda tools, family=family: write_block(tools, family)))


class Tools:
    def __init__(self, build, folder):
        self.bin, self.folder, self.number = build / "bin", folder, 0

    def path(self, suffix):
        self.number += 1
        return self.folder / f"{self.number}{suffix}"

    def run(self, tool, *arguments):
        subprocess.run([self.bin / tool, *map(str, arguments)], check=True, stdin=subprocess.DEVNULL)

    def model(self, config):
        """A directory that can be imported."""
        model = self.path("")
        model.mkdir()
        (model / "config.json").write_text(json.dumps(config))
        return model

    def import_model(self, model, *options):
        module = self.path(".mlir")
        self.run("tp-import", model, *options, "-o", module)
        return module

    def prepare(self, module, case):
        """What tp-compile is given, and how it is to be sharded."""
        if "passes" not in case:
            return module
        prepared = self.path(".mlir")
        # The names of modules, which kernels and collectives are told by.
        self.run("tp-opt", module, *case["passes"], "--mlir-print-debuginfo", "-o", prepared)
        return prepared


def shard_options(case, ranks):
    if case.get("is_local"):
        return []
    mesh = case.get("mesh") or f"tp={ranks}"
    return [f"--mesh={mesh}"] + ([f"--plan={case['plan']}"] if "plan" in case else [])


def add_libraries(target, build, plugins):
    """The runtime and its plugins, and what they need that machines may lack."""
    target.mkdir()
    runtime = build / "lib" / "libtprt.so.1"
    shutil.copy(runtime, target / "libtprt.so.1")
    shutil.copy(plugins / "libtprt-cuda.so", target)
    shutil.copy(build / "test" / "Gpu" / "libtprt-mpi.so", target)
    simulated = plugins / "libnccl.so.2"
    if simulated.exists():
        shutil.copy(simulated, target)
    listing = subprocess.run(["ldd", runtime], check=True, capture_output=True, text=True).stdout
    # Not where there is no CUPTI, as on a simulated GPU.
    if (plugins / "libkernel-times.so").exists():
        shutil.copy(plugins / "libkernel-times.so", target)
    for name, path in re.findall(r"(\S+) => (\S+)", listing):
        if not re.match(r"(libc|libm|libdl|libpthread|librt|libgcc_s|ld-linux.*)\.", name):
            shutil.copy(path, target / name)
    if strip := shutil.which("strip") or shutil.which("llvm-strip", path="/usr/lib/llvm-22/bin"):
        subprocess.run([strip, "--strip-unneeded", *target.iterdir()], check=True)


def make(options, folder, bundle):
    tools = Tools(options.build, folder)
    (bundle / "programs").mkdir(parents=True)
    (bundle / "expected").mkdir()
    (bundle / "bin").mkdir()
    shutil.copy(options.build / "bin" / "gpu-check", bundle / "bin")
    shutil.copy(here / "run.sh", bundle)
    add_libraries(bundle / "lib", options.build, options.plugins or options.build / "lib")
    compiler = ["--backend=cuda", f"--arch={options.arch}"] + ([f"--nvcc={options.nvcc}"] if options.nvcc else [])
    if "benches" in options.only if options.only else options.output:
        shutil.copy(here.parent.parent / "bench" / "cuda.py", bundle / "bench.py")
        shutil.copy((options.plugins or options.build / "bin") / "bench-cuda", bundle / "bin")
        benches.make(tools, bundle / "benches", compiler, options.tiny_benches)
    lines, programs = [], []
    for entry in cases:
        if options.only and entry["name"] not in options.only:
            continue
        module = entry["make"](tools)
        reference, expected = tools.path(".so"), bundle / "expected" / entry["name"]
        # Before it is sharded, where it can be run so.
        whole = module if not entry.get("is_local") or entry["name"] == "overlap" else tools.prepare(module, entry)
        tools.run("tp-compile", whole, "-o", reference)
        tools.run("gpu-check", "record", reference, expected)
        prepared = tools.prepare(module, entry)
        for ranks in entry["ranks"]:
            if options.ranks and ranks not in options.ranks:
                continue
            name = f"{entry['name']}-{ranks}"
            programs.append((name, [prepared, *shard_options(entry, ranks), *compiler]))
            lines.append(f"{name} {entry['name']} {entry['tolerance']} {ranks}\n")
    (bundle / "list").write_text("".join(lines))

    def compile_program(program):
        name, arguments = program
        print(f"compiling {name}", flush=True)
        tools.run("tp-compile", *arguments, "-o", bundle / "programs" / f"{name}.so")

    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        list(pool.map(compile_program, programs))


def numbers(text):
    return [int(part) for part in text.split(",")]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--build", type=pathlib.Path, default=pathlib.Path("build"), help="the build tree")
    parser.add_argument("-o", dest="output", type=pathlib.Path, help="the archive (.tar.gz)")
    parser.add_argument("--run", action="store_true", help="run it here, too")
    parser.add_argument("--arch", default="sm_90", help="the GPU, as tp-compile has it")
    parser.add_argument("--nvcc", help="as tp-compile has it")
    parser.add_argument("--plugins", type=pathlib.Path, help="where libtprt-cuda.so is; else in the build tree")
    parser.add_argument("--only", type=lambda text: text.split(","), help="names of cases, or benches")
    parser.add_argument("--tiny-benches", action="store_true", help="such that a simulated GPU gets through")
    parser.add_argument("--ranks", type=numbers, help="numbers of ranks")
    options = parser.parse_args()
    options.build = options.build.resolve()
    if not options.output and not options.run:
        parser.error("say -o ARCHIVE, --run, or both")
    unknown = set(options.only or []) - {entry["name"] for entry in cases} - {"benches"}
    if unknown:
        parser.error(f"there are no cases {sorted(unknown)}; there are {[entry['name'] for entry in cases] + ['benches']}")
    plugin = (options.plugins or options.build / "lib") / "libtprt-cuda.so"
    if not plugin.exists():
        why = f"there is no {plugin}: install the CUDA toolkit and build again"
        if options.output:
            sys.exit(f"error: {why}")
        for entry in cases:
            for ranks in entry["ranks"]:
                print(f"skipped: {entry['name']}-{ranks} ({why})")
        return
    with tempfile.TemporaryDirectory() as folder:
        bundle = pathlib.Path(folder) / "gpu-tests"
        work = pathlib.Path(folder) / "work"
        work.mkdir()
        make(options, work, bundle)
        if options.output:
            with tarfile.open(options.output, "w:gz") as archive:
                archive.add(bundle, "gpu-tests")
            megabytes = os.path.getsize(options.output) / 1e6
            print(f"{options.output}: {megabytes:.1f} MB")
            if megabytes > largest_megabytes:
                sys.exit(f"error: the archive has more than {largest_megabytes} MB")
        if options.run:
            sys.exit(subprocess.run([bundle / "run.sh"]).returncode)


main()
