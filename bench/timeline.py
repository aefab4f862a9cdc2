"""What --profile costs: time from token to token, with marks and times and without.

    build/venv/bin/python3 bench/timeline.py build/bin MODEL

MODEL is a checkpoint. Runs with and without take turns; a figure is the median over the steps of the best that a step
took in any run. Only a machine that does nothing else tells a percent. What was measured is in docs/report.md.
"""

import json
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

TOKENS, ROUNDS = 64, 7


def used(process: int) -> float:
    """Seconds that all threads have run."""
    tasks = Path(f"/proc/{process}/task").glob("*/schedstat")
    return sum(int(task.read_text().split()[0]) for task in tasks) / 1e9


def intervals(command: list[str]) -> tuple[list[float], list[float]]:
    """From each token on standard output to the next: seconds that passed, and seconds that all threads ran."""
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, bufsize=0)
    times = []
    while (piece := process.stdout.read(64)) and len(times) < TOKENS:
        times += [(time.monotonic(), used(process.pid))] * len(piece.split())
    process.stdout.read()
    if process.wait() or len(times) < TOKENS:
        raise SystemExit(f"failed: {' '.join(command)}")
    wall, cpu = zip(*times[:TOKENS])
    return [b - a for a, b in zip(wall, wall[1:])], [b - a for a, b in zip(cpu, cpu[1:])]


def best(rounds: list[tuple[list[float], list[float]]], kind: int) -> float:
    """Milliseconds."""
    return statistics.median(min(step) for step in zip(*(each[kind] for each in rounds))) * 1e3


def count_spans(trace: Path) -> int:
    """Of a decode step of rank 0."""
    events = json.loads(trace.read_text())["traceEvents"]
    mine = [e for e in events if e["ph"] == "X" and e["pid"] == 1000 and e["tid"] == 0]
    steps = sum(e["name"] == "decode" for e in mine)
    first = min(e["ts"] for e in mine if e["name"] == "decode")
    return sum(e["ts"] >= first and e["cat"] != "entry" for e in mine) // steps


def main() -> None:
    tools, model = (Path(argument).resolve() for argument in sys.argv[1:3])
    print("| ranks | spans of a step | | a step without | with `--profile` | more |\n|---|---|---|---|---|---|")
    with tempfile.TemporaryDirectory() as work:
        trace = Path(work) / "trace.json"
        for ranks in (1, 2):
            command = [str(tools / "tp-run"), "generate", str(model), "--prompt-ids=1,2,3,4", f"--tokens={TOKENS}"]
            command += ["--seq=4", "--max-seq=128", f"--mesh=tp={ranks}"]
            without, profiled = [], []
            for _ in range(ROUNDS):
                without.append(intervals(command))
                profiled.append(intervals([*command, f"--profile={trace}"]))
            for kind, name in enumerate(("time", "CPU time")):
                a, b = best(without, kind), best(profiled, kind)
                print(f"| {ranks} | {count_spans(trace)} | {name} | {a:.2f} ms | {b:.2f} ms | {100 * (b / a - 1):+.1f} % |", flush=True)


if __name__ == "__main__":
    main()
