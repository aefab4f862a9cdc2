"""Prefill of 512 tokens against the matrix products of OpenBLAS and oneDNN, and attention over 8192 positions against a score matrix.

    build/venv/bin/python3 bench/prefill.py build/bin MODEL.gguf [--processor-time] [--rounds=N] > bench/prefill.md

MODEL is a GGUF file. One thread a rank. `f32` is the model with its weights widened, `stored` leaves them as the file has them.

GFLOP counts the contractions that one rank's program has, two operations for each multiplication; attention, norms, rotary embedding,
weights' unpacking and collectives take time and count nothing. A library multiplies f32 matrices of the same shapes, each as often as the
program does and with as many threads at once as there are ranks, but always the same matrices, which stay in the caches. `of the best` is
the time that the better library needs for all of them, over the time of the step: 1 would be a step that does nothing else. OpenBLAS is the
library that the runtime links, oneDNN is `libdnnl` (`dnnl_sgemm`) where the system has it.

Program and libraries take turns; times are the least of all rounds. `--processor-time` takes for both the time that threads ran, over the
ranks, which is the fairer one on a machine that others use.
"""

import ctypes
import ctypes.util
import math
import os
import re
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

os.environ["OMP_NUM_THREADS"] = os.environ["OPENBLAS_NUM_THREADS"] = "1"

import numpy as np  # noqa: E402 (BLAS reads the number of threads when it is loaded)
from decode import WAYS, run  # noqa: E402

TOKENS = 512
POSITIONS, KV_HEADS, GROUPS, HEAD_DIM = 8192, 2, 4, 64
ATTENTION = """
func.func @attend(
    %q: tensor<1x{n}x{h}x{g}x{d}xf32> {{nn.input = "q"}},
    %k: tensor<1x{n}x{h}x{d}xf32> {{nn.input = "k"}},
    %v: tensor<1x{n}x{h}x{d}xf32> {{nn.input = "v"}})
    -> (tensor<1x{n}x{h}x{g}x{d}xf32> {{nn.output = "out"}}) {{
  %0 = nn.attention %q, %k, %v scale 0.125 causal
      : (tensor<1x{n}x{h}x{g}x{d}xf32>, tensor<1x{n}x{h}x{d}xf32>,
         tensor<1x{n}x{h}x{d}xf32>) -> tensor<1x{n}x{h}x{g}x{d}xf32>
  return %0 : tensor<1x{n}x{h}x{g}x{d}xf32>
}}
"""

Shape = tuple[int, int, int]  # rows, columns, contracted


def shapes_of(module: str, entry: str) -> Counter[Shape]:
    """The matrix products of an entry of a local module, and how often it has each."""
    body = re.search(rf"func\.func @{entry}\(.*?\n  \}}", module, re.S)[0]
    found: Counter[Shape] = Counter()
    pattern = r'nn\.contract [^"\n]*"(\w+),(\w+)->(\w+)" : \(tensor<([\dx]+)x\w+>, tensor<([\dx]+)x\w+>\)'
    for left, right, result, left_sizes, right_sizes in re.findall(pattern, body):
        size = dict(zip(left + right, map(int, f"{left_sizes}x{right_sizes}".split("x"))))
        in_all = set(left) & set(right) & set(result)

        def extent(letters: set[str], size: dict[str, int] = size) -> int:
            return math.prod(size[letter] for letter in letters)

        shape = extent(set(left) - set(right)), extent(set(right) - set(left)), extent((set(left) & set(right)) - in_all)
        found[shape] += extent(in_all)
    if sum(found.values()) != body.count("nn.contract "):
        raise SystemExit("a contraction of the module was not understood")
    return found


class Library:
    """c = a b' for row-major f32 matrices: dnnl_sgemm, or cblas_sgemm."""

    def __init__(self, name: str, path: str) -> None:
        self.name, self.library = name, ctypes.CDLL(path)
        if name == "OpenBLAS":
            self.library.openblas_set_num_threads(1)

    def multiply(self, a: np.ndarray, b: np.ndarray, c: np.ndarray) -> None:
        (m, k), n = a.shape, b.shape[0]
        at = [ctypes.c_void_p(array.ctypes.data) for array in (a, b, c)]
        one, zero = ctypes.c_float(1), ctypes.c_float(0)
        if self.name == "OpenBLAS":
            self.library.cblas_sgemm(101, 111, 112, m, n, k, one, at[0], k, at[1], k, zero, at[2], n)
            return
        sizes = [ctypes.c_int64(size) for size in (m, n, k)]
        wide, out = ctypes.c_int64(k), ctypes.c_int64(n)
        letters = ctypes.c_char(b"N"), ctypes.c_char(b"T")
        if self.library.dnnl_sgemm(*letters, *sizes, one, at[0], wide, at[1], wide, zero, at[2], out):
            raise SystemExit("dnnl_sgemm failed")


def libraries(tools: Path) -> list[Library]:
    """OpenBLAS as the runtime links it, and oneDNN if the system has it."""
    linked = re.search(r"libopenblas\S* => (\S+)", run("ldd", tools / "tp-bench"))
    if not linked:
        raise SystemExit("the runtime links no OpenBLAS")
    found = [Library("OpenBLAS", linked[1])]
    if name := ctypes.util.find_library("dnnl"):
        found.append(Library("oneDNN", name))
    return found


def clock(on_processor: bool) -> float:
    """Of the calling thread, or on the wall."""
    return time.thread_time() if on_processor else time.perf_counter()


def product(library: Library, shape: Shape, threads: int, on_processor: bool) -> float:
    """Milliseconds of one product of many in a row, which so many threads begin at once."""
    m, n, k = shape
    random = np.random.default_rng(0)
    start, taken = threading.Barrier(threads), []
    repetitions = max(1, round(2e9 / (2 * m * n * k)))

    def work() -> None:
        a, b, c = (random.random(size, np.float32) for size in ((m, k), (n, k), (m, n)))
        library.multiply(a, b, c)
        start.wait()
        begin = clock(on_processor)
        for _ in range(repetitions):
            library.multiply(a, b, c)
        taken.append(clock(on_processor) - begin)

    workers = [threading.Thread(target=work) for _ in range(threads)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    return (sum(taken) / threads if on_processor else max(taken)) / repetitions * 1e3


def products(library: Library, shapes: Counter[Shape], threads: int, on_processor: bool) -> float:
    """Milliseconds of all of them."""
    return sum(product(library, shape, threads, on_processor) * count for shape, count in shapes.items())


def step(tools: Path, program: Path, entry: str, ranks: int, on_processor: bool, *inputs: str) -> float:
    """Milliseconds of an entry."""
    text = run(tools / "tp-bench", "steps", program, "--repetitions=3", *inputs)
    wall, processors = re.search(rf"^{entry}: least ([\d.]+) ms, .*processors ([\d.]+) ms$", text, re.M).groups()
    return float(processors) / ranks if on_processor else float(wall)


def prefill(tools: Path, model: Path, work: Path, rounds: int, on_processor: bool) -> None:
    peers = libraries(tools)
    rates = " | ".join(f"{peer.name}, GFLOP/s" for peer in peers)
    print(f"| ranks | weights | step, ms | GFLOP of a rank | GFLOP/s of a rank | {rates} | of the best |")
    print("|" + "---|" * (6 + len(peers)))
    module, program, sharded = (work / name for name in ("model.mlir", "program.so", "sharded.mlir"))
    for ranks in (1, 2):
        for way in ("f32", "stored"):
            options = WAYS[way]
            run(tools / "tp-import", model, "--entry=generate", f"--seq={TOKENS}", f"--max-seq={TOKENS}", "-o", module, *options)
            run(tools / "tp-opt", module, f"--tp-shard=mesh=tp={ranks} plan=auto", "-o", sharded)
            run(tools / "tp-compile", module, f"--mesh=tp={ranks}", "-o", program)
            shapes = shapes_of(sharded.read_text(), "prefill")
            giga = sum(2 * m * n * k * count for (m, n, k), count in shapes.items()) / 1e9
            best, taken = [math.inf] * len(peers), math.inf
            for _ in range(rounds):
                best = [min(least, products(peer, shapes, ranks, on_processor)) for least, peer in zip(best, peers)]
                taken = min(taken, step(tools, program, "prefill", ranks, on_processor, "--input=length=1"))
            rates = " | ".join(f"{giga / least * 1e3:.1f}" for least in best)
            own = f"{taken:.0f} | {giga:.1f} | {giga / taken * 1e3:.1f}"
            print(f"| {ranks} | {way} | {own} | {rates} | {min(best) / taken:.2f} |", flush=True)


# Attention


def attend_with_scores(library: Library, q: np.ndarray, k: np.ndarray, v: np.ndarray, scores: np.ndarray) -> np.ndarray:
    """Causal attention of one head, [positions, head_dim], by way of all its scores, [positions, positions]."""
    out = np.empty_like(q)
    library.multiply(q * np.float32(HEAD_DIM**-0.5), k, scores)
    for i, row in enumerate(scores):  # in place, and a row at a time: it stays in the caches
        seen = row[: i + 1]
        np.exp(seen - seen.max(), out=seen)
        seen /= seen.sum()
        row[i + 1 :] = 0
    library.multiply(scores, np.ascontiguousarray(v.T), out)
    return out


def time_with_scores(library: Library, on_processor: bool) -> float:
    """Milliseconds of all heads, one after the other in one score matrix."""
    random = np.random.default_rng(0)
    q, k, v = (random.standard_normal((POSITIONS, HEAD_DIM), np.float32) for _ in range(3))
    scores = np.zeros((POSITIONS, POSITIONS), np.float32)
    begin = clock(on_processor)
    attend_with_scores(library, q, k, v, scores)
    return (clock(on_processor) - begin) * 1e3 * KV_HEADS * GROUPS


TORCH = """
import sys, time, torch
torch.set_num_threads(1)
clock = time.thread_time if sys.argv[1] == "True" else time.perf_counter
q = torch.randn(1, {heads}, {n}, {d})
k, v = (torch.randn(1, {heads}, {n}, {d}) for _ in range(2))
attend = torch.nn.functional.scaled_dot_product_attention
times = []
for i in range(3):
    begin = clock()
    attend(q, k, v, is_causal=True)
    times.append(clock() - begin)
print(min(times))
"""


def time_torch(on_processor: bool) -> float | None:
    """Milliseconds of PyTorch's attention with every head's own keys; None without the package."""
    program = TORCH.format(heads=KV_HEADS * GROUPS, n=POSITIONS, d=HEAD_DIM)
    try:
        return float(run(sys.executable, "-c", program, str(on_processor)).split()[-1]) * 1e3
    except SystemExit:
        return None


def attention_program(tools: Path, work: Path, positions: int) -> Path:
    module, program = work / f"attend{positions}.mlir", work / f"attend{positions}.so"
    module.write_text(ATTENTION.format(n=positions, h=KV_HEADS, g=GROUPS, d=HEAD_DIM))
    run(tools / "tp-compile", module, "--mesh=tp=1", "-o", program)
    return program


def resident(tools: Path, program: Path) -> int:
    """Bytes that were resident at the most while a program was loaded and run."""
    with subprocess.Popen([tools / "tp-bench", "steps", program, "--repetitions=1"], stdout=subprocess.DEVNULL) as process:
        peak = 0
        while process.poll() is None:
            found = re.search(r"^VmHWM:\s*(\d+) kB$", Path(f"/proc/{process.pid}/status").read_text(), re.M)
            peak = max(peak, int(found[1]) * 1024 if found else 0)
            time.sleep(0.002)
    if process.returncode:
        raise SystemExit("failed: tp-bench steps")
    return peak


def attention(tools: Path, work: Path, rounds: int, on_processor: bool) -> None:
    program, small = (attention_program(tools, work, positions) for positions in (POSITIONS, 128))
    taken, scored, peer = math.inf, math.inf, None
    library = libraries(tools)[0]
    for _ in range(rounds):
        taken = min(taken, step(tools, program, "attend", 1, on_processor))
        scored = min(scored, time_with_scores(library, on_processor))
        if torch := time_torch(on_processor):
            peer = min(peer or math.inf, torch)
    heads, whole = KV_HEADS * GROUPS, 4 * POSITIONS**2 / 1e6
    giga = 4 * HEAD_DIM * heads * POSITIONS * (POSITIONS + 1) / 2 / 1e9
    given = 4 * POSITIONS * HEAD_DIM * (2 * heads + 2 * KV_HEADS) / 1e6
    more = (resident(tools, program) - resident(tools, small)) / 1e6
    rows = {"this runtime": (taken, f"{more:.0f}"), "a score matrix, by OpenBLAS and numpy": (scored, f"more than {whole:.0f}")}
    if peer:
        rows["PyTorch"] = (peer, "")
    print(
        f"\n## Attention\n\n{heads} heads over {KV_HEADS} of keys and values, {HEAD_DIM} wide, {POSITIONS} positions, causal,"
        f" f32, one rank. The score matrix of one head takes\n{whole:.0f} MB, of all {whole * heads:.0f} MB; what goes in and out takes"
        f" {given:.0f} MB, in the caller's buffers and again in the rank's. GFLOP are those of the\nscores that causal attention needs."
        " `MB` is the most that was resident, above the same program of 128 positions.\n"
    )
    print("| | ms | GFLOP/s | MB |\n|---|---|---|---|")
    for name, (milliseconds, memory) in rows.items():
        print(f"| {name} | {milliseconds:.0f} | {giga / milliseconds * 1e3:.1f} | {memory} |")


def main() -> None:
    tools, model = (Path(argument).resolve() for argument in sys.argv[1:3])
    on_processor = "--processor-time" in sys.argv
    rounds = next((int(option[9:]) for option in sys.argv if option.startswith("--rounds=")), 3)
    print("# Prefill\n\n```\n" + (__doc__ or "").strip() + "\n```\n")
    print("Processor time.\n" if on_processor else "Wall clock.\n")
    with tempfile.TemporaryDirectory() as work:
        prefill(tools, model, Path(work), rounds, on_processor)
        attention(tools, Path(work), rounds, on_processor)


if __name__ == "__main__":
    main()
