"""Time of a token against its floor, the weights' bytes as they are stored over the rate at which memory is read; and llama.cpp.

    build/venv/bin/python3 bench/decode.py build/bin MODEL.gguf > bench/decode.md

MODEL is a GGUF file. One thread a rank. `f32` is the model with its weights widened, `bf16` computes in bf16, and `stored` leaves the
weights as the file has them. A step stands at position 255 of a cache of 256. Where the Python package llama-cpp-python is installed, it
decodes the same file with as many threads.
"""

import json
import math
import re
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

import numpy as np

CACHE = 256
WAYS = {"f32": ["--dtype=f32", "--dequantise"], "bf16": ["--dtype=bf16"], "stored": ["--dtype=f32"]}
ROUNDS = 5
LLAMA = """
import statistics, sys, time
from llama_cpp import Llama
model = Llama(sys.argv[1], n_ctx={cache}, n_threads=int(sys.argv[2]), n_threads_batch=int(sys.argv[2]), verbose=False, seed=0)
model.eval(list(range(100, 100 + {cache} // 2)))
times = []
for i in range({cache} // 2 - 1):
    begin = time.perf_counter()
    model.eval([200 + i])
    times.append(time.perf_counter() - begin)
print(statistics.median(times))
"""


def run(*command: str | Path) -> str:
    result = subprocess.run([str(part) for part in command], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, check=False)
    if result.returncode:
        raise SystemExit(f"failed: {' '.join(map(str, command))}\n{result.stderr}")
    return result.stdout


def read_rate(threads: int) -> float:
    """GB/s of all threads together, each adding up 256 MiB of its own: the best of some rounds."""
    arrays = [np.ones(32 << 20, np.int64) for _ in range(threads)]
    best = 0.0
    for _ in range(ROUNDS):
        workers = [threading.Thread(target=array.sum) for array in arrays]
        begin = time.perf_counter()
        for worker in workers:
            worker.start()
        for worker in workers:
            worker.join()
        best = max(best, sum(array.nbytes for array in arrays) / (time.perf_counter() - begin) / 1e9)
    return best


BLOCKS = {"F16": (1, 2), "BF16": (1, 2), "Q4_0": (32, 18), "Q4_1": (32, 20), "Q5_0": (32, 22), "Q5_1": (32, 24)}
BLOCKS |= {"Q8_0": (32, 34), "Q4_K": (256, 144), "Q5_K": (256, 176), "Q6_K": (256, 210)}
DTYPES = {"f32": (1, 4), "bf16": (1, 2)}


def weight_bytes(manifest: Path) -> int:
    """Of all ranks together, of the parameters that @decode reads."""
    program = json.loads(manifest.read_text())
    ranks = math.prod(axis["size"] for axis in program["mesh"]["axes"])
    entry = next(entry for entry in program["entries"] if entry["name"] == "decode")
    total = 0
    for argument in entry["arguments"]:
        if argument["kind"] != "parameter":
            continue
        shards = math.prod(axis["size"] for dim in argument["dims"] for axis in dim["axes"])
        elements = math.prod(dim["padded"] for dim in argument["dims"])
        block, size = BLOCKS[argument["stored"]] if "stored" in argument else DTYPES[argument["dtype"]]
        total += elements // block * size // shards * ranks
    return total


def llama(model: Path, threads: int) -> float | None:
    """Milliseconds of a token; None without the package."""
    try:
        return float(run(sys.executable, "-c", LLAMA.format(cache=CACHE), model, str(threads)).split()[-1]) * 1e3
    except SystemExit:
        return None


def step(tools: Path, program: Path) -> float:
    """Milliseconds of @decode: the least of the rounds' medians."""
    found = []
    for _ in range(ROUNDS):
        text = run(tools / "tp-bench", "steps", program, "--repetitions=9", f"--input=position={CACHE - 1}", "--input=length=1")
        found.append(float(re.search(r"^decode: .*median ([\d.]+) ms", text, re.M)[1]))
    return min(found)


def main() -> None:
    tools, model = (Path(argument).resolve() for argument in sys.argv[1:3])
    print("# Decode\n\n```\n" + __doc__.strip() + "\n```\n")
    print("| ranks | weights | MB | read GB/s | floor, ms | measured, ms | tokens/s | of the floor | llama.cpp, tokens/s |")
    print("|---|---|---|---|---|---|---|---|---|")
    with tempfile.TemporaryDirectory() as work:
        module, program, manifest = (Path(work) / name for name in ("model.mlir", "program.so", "manifest.json"))
        for ranks in (1, 2):
            peer = llama(model, ranks)
            for way, options in WAYS.items():
                run(tools / "tp-import", model, "--entry=generate", f"--max-seq={CACHE}", "-o", module, *options)
                run(tools / "tp-compile", module, f"--mesh=tp={ranks}", "-o", program, f"--manifest={manifest}")
                size = weight_bytes(manifest)
                rate = statistics.median(read_rate(ranks) for _ in range(3))
                floor = size / rate / 1e6
                time_taken = step(tools, program)
                compared = f"{1e3 / peer:.0f}" if peer and way == "stored" else ""
                print(
                    f"| {ranks} | {way} | {size / 1e6:.0f} | {rate:.1f} | {floor:.1f} | {time_taken:.1f} | "
                    f"{1e3 / time_taken:.0f} | {floor / time_taken:.2f} | {compared} |"
                )


if __name__ == "__main__":
    main()
