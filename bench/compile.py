"""Time and memory of import, sharding and report for Llama-3 configurations: linear in layers, flat in devices.

The second table is sharding alone, on one core: by layers of Llama-3-70B and by devices, with the share of propagation.

    build/venv/bin/python3 bench/compile.py build/bin > bench/compile.md

Each figure is the wall time and the peak memory of one process, the best of three; a configuration alone, no weights.
"""

import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "test" / "reference"))
from make_checkpoint import make_config, write_checkpoint  # noqa: E402
from variants import CONFIGS  # noqa: E402

MODELS = {"llama-3-8b": 32, "llama-3-70b": 80, "llama-3-405b": 126}
MESHES = {8: ("tp=8", 1), 64: ("dp=8,tp=8", 8), 16384: ("dp=2048,tp=8", 2048)}


def measure(command: list[str]) -> tuple[float, float]:
    """Seconds and MiB of the fastest of three runs."""
    best = None
    for _ in range(3):
        start = time.monotonic()
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        _, status, usage = os.wait4(process.pid, 0)
        if status:
            raise SystemExit(f"failed: {' '.join(command)}")
        result = (time.monotonic() - start, usage.ru_maxrss / 1024)
        best = result if best is None or result < best else best
    return best


def propagation(command: list[str]) -> float:
    """Seconds that all runs of tp-propagate take, the least of three."""
    best = None
    for _ in range(3):
        text = subprocess.run([*command, "-mlir-timing"], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
                              text=True, check=True).stderr
        seconds = sum(float(line.split()[0]) for line in text.splitlines() if line.endswith("TPPropagate"))
        best = seconds if best is None else min(best, seconds)
    return best


def scaling(tools: Path, work: Path) -> None:
    """Sharding by layers and by devices, on one core."""
    print("| layers | ops | devices | shard | of it propagation | peak memory |")
    print("|---|---|---|---|---|---|")
    os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
    for layers, devices in [(24, 8), (48, 8), (96, 8), (192, 8), (96, 2), (96, 512), (96, 65536)]:
        mesh, batch = (f"tp={devices}", 1) if devices <= 8 else (f"dp={devices // 8},tp=8", devices // 8)
        source = work / f"layers-{layers}"
        write_checkpoint(source, CONFIGS["llama-3-70b"] | {"num_hidden_layers": layers}, {}, files=0)
        module = work / "model.mlir"
        subprocess.run([str(tools / "tp-import"), str(source), "--seq=512", f"--batch={batch}", "-o", str(module)],
                       check=True, stderr=subprocess.DEVNULL)
        ops = sum(" = " in line and "func.func" not in line for line in module.read_text().splitlines())
        command = [str(tools / "tp-opt"), str(module), f"--tp-shard=mesh={mesh} plan=auto", "-o", str(work / "out.mlir")]
        seconds, memory = measure(command)
        print(f"| {layers} | {ops} | {devices} | {seconds:.2f} s | {propagation(command):.3f} s | {memory:.0f} MiB |")


def main() -> None:
    tools = Path(sys.argv[1])
    print("| model | layers | devices | import | shard | report | peak memory of sharding |")
    print("|---|---|---|---|---|---|---|")
    with tempfile.TemporaryDirectory() as directory:
        work = Path(directory)
        for model, layers in MODELS.items():
            source = work / model
            make_config(model, source)
            for devices, (mesh, batch) in MESHES.items():
                module, sharded = work / "model.mlir", work / "sharded.mlir"
                imported = measure(
                    [str(tools / "tp-import"), str(source), "--seq=512", f"--batch={batch}", "-o", str(module)])
                shard = measure(
                    [str(tools / "tp-opt"), str(module), f"--tp-shard=mesh={mesh} plan=auto", "-o", str(sharded)])
                report = measure([str(tools / "tp-report"), str(sharded)])
                print(f"| {model} | {layers} | {devices} | {imported[0]:.2f} s | {shard[0]:.2f} s | "
                      f"{report[0]:.2f} s | {shard[1]:.0f} MiB |")
        print()
        scaling(tools, work)


if __name__ == "__main__":
    main()
