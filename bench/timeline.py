"""What --profile costs: time from token to token, with marks and times and without.

    build/venv/bin/python3 bench/timeline.py build/bin MODEL > bench/timeline.md

MODEL is a checkpoint. Runs with and without take turns; a figure is the median over the steps of the best that a step
took in any run, which a machine that does other things as well disturbs least.
"""

import json
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

TOKENS, ROUNDS = 64, 7


def intervals(command: list[str]) -> list[float]:
    """Seconds from each token on standard output to the next."""
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, bufsize=0)
    times = []
    while piece := process.stdout.read(64):
        times += [time.monotonic()] * len(piece.split())
    if process.wait() or len(times) < TOKENS:
        raise SystemExit(f"failed: {' '.join(command)}")
    return [after - before for before, after in zip(times, times[1:TOKENS])]


def best(rounds: list[list[float]]) -> float:
    return statistics.median(min(step) for step in zip(*rounds))


def count_spans(trace: Path) -> int:
    """Of a decode step of rank 0."""
    events = json.loads(trace.read_text())["traceEvents"]
    mine = [e for e in events if e["ph"] == "X" and e["pid"] == 1000 and e["tid"] == 0]
    steps = sum(e["name"] == "decode" for e in mine)
    first = min(e["ts"] for e in mine if e["name"] == "decode")
    return sum(e["ts"] >= first and e["cat"] != "entry" for e in mine) // steps


def main() -> None:
    tools, model = (Path(argument).resolve() for argument in sys.argv[1:3])
    print("| ranks | spans of a step | a step without | a step with `--profile` | more |\n|---|---|---|---|---|")
    with tempfile.TemporaryDirectory() as work:
        trace = Path(work) / "trace.json"
        for ranks in (1, 2):
            command = [str(tools / "tp-run"), "generate", str(model), "--prompt-ids=1,2,3,4", f"--tokens={TOKENS}"]
            command += ["--seq=4", "--max-seq=128", f"--mesh=tp={ranks}"]
            without, profiled = [], []
            for _ in range(ROUNDS):
                without.append(intervals(command))
                profiled.append(intervals([*command, f"--profile={trace}"]))
            a, b = best(without) * 1e3, best(profiled) * 1e3
            print(f"| {ranks} | {count_spans(trace)} | {a:.2f} ms | {b:.2f} ms | {100 * (b / a - 1):+.1f} % |", flush=True)


if __name__ == "__main__":
    main()
