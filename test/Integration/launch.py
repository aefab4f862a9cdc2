"""What the tests of ranks as processes share: launching with mpirun, or as torchrun does, and waiting for an end that
must come."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from support import Run, Tools, check, fail, skip

from make_checkpoint import random_tensors
from safetensors_writer import write_checkpoint
from variants import BASE

# Longest wait for another rank that the tests ask for, and what may pass beyond it until the launcher returns: hearing
# the other ranks, ending, and a machine that does other things as well.
TIMEOUT, SLACK = 4, 20

# Ranks may outnumber cores, and tests run as root in containers.
OPEN_MPI = {
    "OMPI_ALLOW_RUN_AS_ROOT": "1",
    "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM": "1",
    "OMPI_MCA_rmaps_base_oversubscribe": "1",
    "OMPI_MCA_hwloc_base_binding_policy": "none",
    "OMPI_MCA_btl": "self,vader",
    # MPI's own memory lives to the end.
    "ASAN_OPTIONS": "detect_leaks=0",
}


def require_mpi(tools: Tools) -> None:
    if not shutil.which("mpirun"):
        skip("there is no mpirun (Debian: openmpi-bin)")
    if not (tools.bin.parent / "lib" / "libtprt-mpi.so").exists():
        skip("the runtime was built without MPI (Debian: libopenmpi-dev)")


def long_model(directory: Path) -> Path:
    """A small checkpoint that can generate for a long time."""
    config = BASE | {"max_position_embeddings": 40000}
    write_checkpoint(directory, config, random_tensors(config), "F32", 1)
    return directory


MPIRUN, TORCHRUN = "mpirun", "torchrun"
# One of these, or what makes a command line of those of the ranks.
Launcher = str | Callable[[Sequence[Sequence[str]]], list[str]]


class Job:
    """tp-run, launched. `commands` are the arguments of each rank."""

    def __init__(
        self, tools: Tools, commands: Sequence[Sequence[str | Path]], launcher: Launcher = MPIRUN, **environment: str
    ) -> None:
        self.tools, self.size = tools, len(commands)
        self.flight = tools.work / "flight"
        self.flight.mkdir(exist_ok=True)
        for old in tools.work.glob("pid.*"):
            old.unlink()
        lines = [[str(tools.bin / "tp-run"), *map(str, command)] for command in commands]
        own = {MPIRUN: self.mpirun, TORCHRUN: self.torchrun}
        line = (own[launcher] if isinstance(launcher, str) else launcher)(lines)
        self.began = time.monotonic()
        with open(tools.work / "out", "wb") as out, open(tools.work / "err", "wb") as err:
            self.process = subprocess.Popen(
                line,
                cwd=tools.work,
                stdout=out,
                stderr=err,
                stdin=subprocess.DEVNULL,
                env=os.environ | OPEN_MPI | {"TPRT_FLIGHT_DIR": str(self.flight)} | environment,
            )

    def mpirun(self, commands: Sequence[Sequence[str]]) -> list[str]:
        require_mpi(self.tools)
        line = ["mpirun"]
        for command in commands:
            # The process ids, by rank.
            script = 'echo $$ > pid.tmp.$0 && mv pid.tmp.$0 pid.$OMPI_COMM_WORLD_RANK && exec "$@"'
            name = str(len(line))
            line += [] if len(line) == 1 else [":"]
            line += ["-n", "1", "sh", "-c", script, name, *command]
        return line

    @staticmethod
    def torchrun(commands: Sequence[Sequence[str]]) -> list[str]:
        return [sys.executable, str(Path(__file__).with_name("agent.py")), json.dumps(commands)]

    @property
    def stdout(self) -> str:
        return (self.tools.work / "out").read_text(errors="replace")

    @property
    def stderr(self) -> str:
        return (self.tools.work / "err").read_text(errors="replace")

    def pid(self, rank: int) -> int:
        path = self.tools.work / f"pid.{rank}"
        while not path.exists():
            self.check_running("started")
            time.sleep(0.01)
        return int(path.read_text())

    def check_running(self, what: str) -> None:
        if self.process.poll() is not None:
            fail(f"ended before it had {what}\n{self.stderr[-3000:]}")
        if time.monotonic() > self.began + 120:
            self.end()
            fail(f"had not {what} after 120 s\n{self.stderr[-3000:]}")

    def await_tokens(self, count: int = 3) -> None:
        while len(self.stdout.split()) < count:
            self.check_running(f"answered {count} tokens")
            time.sleep(0.01)

    def end(self) -> None:
        self.process.kill()
        self.process.wait()

    def wait(self, seconds: float) -> Run:
        """Waits for the end; a job that does not end, or leaves a process behind, fails the test."""
        try:
            status = self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            self.end()
            fail(f"did not end within {seconds:g} s\n{self.stderr[-3000:]}")
        deadline = time.monotonic() + 10
        while left := [rank for rank in range(self.size) if self.is_alive(rank)]:
            if time.monotonic() > deadline:
                fail(f"ranks {left} are still there\n{self.stderr[-3000:]}")
            time.sleep(0.05)
        return subprocess.CompletedProcess(self.process.args, status, self.stdout, self.stderr)

    def is_alive(self, rank: int) -> bool:
        path = self.tools.work / f"pid.{rank}"
        if not path.exists():
            return False
        try:
            state = Path(f"/proc/{int(path.read_text())}/stat").read_text().rsplit(")", 1)[1].split()[0]
        except (OSError, ValueError):
            return False
        return state != "Z"

    def expect_failure(self, *patterns: str, seconds: float = TIMEOUT + SLACK) -> str:
        """The one line that says what is wrong, which must match."""
        result = self.wait(seconds)
        check(result.returncode != 0, f"succeeded\n{result.stderr[-3000:]}")
        lines = [line for line in result.stderr.splitlines() if line.startswith("error: ")]
        check(len(lines) == 1, f"{len(lines)} lines of errors\n{result.stderr[-3000:]}")
        for pattern in patterns:
            check(re.search(pattern, lines[0]) is not None, f"no {pattern!r} in\n{lines[0]}")
        print(lines[0])
        return lines[0]


def run_processes(
    tools: Tools, ranks: int, *command: str | Path, launcher: Launcher = MPIRUN, seconds: float = 240, **environment: Any
) -> Run:
    """A run that must succeed."""
    result = Job(tools, [command] * ranks, launcher, **environment).wait(seconds)
    check(result.returncode == 0, f"exit status {result.returncode}\n{result.stderr[-3000:]}")
    check("error" not in result.stderr, result.stderr[-3000:])
    return result
