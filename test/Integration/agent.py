"""What torchrun --no-python does for the processes of one machine.

    agent.py '[["tp-run", ...], ...]'

Listens on MASTER_PORT itself, as torchrun's agent may, so that nobody else can; sets the environment of each rank; and
when a process fails ends the others, first by SIGTERM. Process ids go to pid.RANK. With TP_TEST_NEIGHBOUR in the
environment a stranger, who never says a word, listens on the port after MASTER_PORT. With TP_TEST_SLURM processes have srun's variables
for their number and rank, and torchrun's for where they meet. With TP_TEST_MACHINES, names of network namespaces, ranks are spread over
these, and MASTER_ADDR and MASTER_PORT are the environment's.
"""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

# torchrun's own is 30 s.
GRACE = 3.0


def end(processes: list[subprocess.Popen[bytes]]) -> None:
    left = [process for process in processes if process.poll() is None]
    for process in left:
        process.send_signal(signal.SIGTERM)
    deadline = time.monotonic() + GRACE
    while any(process.poll() is None for process in left) and time.monotonic() < deadline:
        time.sleep(0.02)
    for process in left:
        if process.poll() is None:
            process.kill()
            process.wait()


def listen() -> list[socket.socket]:
    """The launcher's own, and perhaps its neighbour."""
    while True:
        store = socket.create_server(("127.0.0.1", 0))
        if "TP_TEST_NEIGHBOUR" not in os.environ:
            return [store]
        try:
            return [store, socket.create_server(("127.0.0.1", store.getsockname()[1] + 1))]
        except (OSError, OverflowError):
            store.close()


def main() -> int:
    commands = json.loads(sys.argv[1])
    machines = os.environ.get("TP_TEST_MACHINES", "").split()
    listeners = [] if machines else listen()
    size = str(len(commands))
    each = len(commands) // max(len(machines), 1)
    shared = {"TORCHELASTIC_RUN_ID": f"run-{os.getpid()}", "TORCHELASTIC_RESTART_COUNT": "0"}
    if listeners:
        shared |= {"MASTER_ADDR": "localhost", "MASTER_PORT": str(listeners[0].getsockname()[1])}
    processes = []
    for rank, command in enumerate(commands):
        if machines:
            command = ["ip", "netns", "exec", machines[rank // each], *command]
        own = {"WORLD_SIZE": size, "LOCAL_WORLD_SIZE": str(each), "RANK": str(rank), "LOCAL_RANK": str(rank % each)}
        if "TP_TEST_SLURM" in os.environ:
            own = {"SLURM_STEP_NUM_TASKS": size, "SLURM_PROCID": str(rank), "SLURM_LOCALID": str(rank), "SLURM_JOB_ID": "7"}
        process = subprocess.Popen(command, env=os.environ | shared | own, stdin=subprocess.DEVNULL)
        Path(f"pid.{rank}.tmp").write_text(f"{process.pid}\n")
        Path(f"pid.{rank}.tmp").rename(f"pid.{rank}")
        processes.append(process)
    while True:
        states = [process.poll() for process in processes]
        if any(states):
            end(processes)
            return 1
        if all(state == 0 for state in states):
            return 0
        time.sleep(0.02)


if __name__ == "__main__":
    sys.exit(main())
