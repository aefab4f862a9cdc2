"""Time and memory of import, sharding and report for Llama-3 configurations: linear in layers, flat in devices.

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
from make_checkpoint import make_config  # noqa: E402

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


if __name__ == "__main__":
    main()
