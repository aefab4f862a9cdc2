"""Time of tp-run from its start, without a program in the cache and with one.

    build/venv/bin/python3 bench/start.py build/bin MODEL > bench/start.md

The least of five, in seconds. `program` is the time until it can be run, without the weights: on a warm start until the line that begins
with "start:" is printed, which is after the program was mapped; on a cold one that of the warm start and what the whole took longer.
"""

import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

RUNS = 5


def run(command: list[str]) -> tuple[float, float]:
    """Seconds until the start line, and until the end."""
    begin = time.monotonic()
    started = 0.0
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True) as process:
        for line in process.stderr:
            if line.startswith("start:"):
                started = time.monotonic() - begin
    if process.returncode or not started:
        raise SystemExit(f"failed: {' '.join(command)}")
    return started, time.monotonic() - begin


def main() -> None:
    tools, model = Path(sys.argv[1]), sys.argv[2]
    print("# Starts\n\n" + (__doc__ or ""))
    print(f"{os.cpu_count()} cores; {Path(model).name}, `generate`, one token of a prompt of three.\n")
    print("| mesh | cold, all | warm, all | cold, program | warm, program |")
    print("|---|---|---|---|---|")
    for mesh in ("tp=1", "tp=2", "tp=3"):
        command = [str(tools / "tp-run"), "generate", model, f"--mesh={mesh}", "--prompt-ids=1,2,3", "--tokens=1"]
        colds, warms = [], []
        for _ in range(RUNS):
            with tempfile.TemporaryDirectory() as cache:
                colds.append(run([*command, f"--cache={cache}"])[1])
                warms.append(run([*command, f"--cache={cache}"]))
        cold, warm, started = min(colds), min(end for _, end in warms), min(start for start, _ in warms)
        print(f"| {mesh} | {cold:.2f} | {warm:.2f} | {cold - warm + started:.2f} | {started:.2f} |")


if __name__ == "__main__":
    main()
