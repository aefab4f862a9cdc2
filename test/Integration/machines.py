"""Ranks on several machines: network namespaces, each with an address of its own on one switch. What goes from one to
another goes through its cable, which can be pulled."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from launch import SLACK, TIMEOUT, Job, long_model, require_mpi, run_processes
from support import Tools, check, main, skip

from make_checkpoint import make_variant

NETWORK = "10.77.0"


def ip(*arguments: str) -> None:
    subprocess.run(["ip", *arguments], check=True, capture_output=True, text=True)


class Machines:
    """`count` machines; machine i is NETWORK.(i + 1)."""

    def __init__(self, tools: Tools, count: int) -> None:
        self.tools, self.count = tools, count
        self.switch = f"tp-switch-{os.getpid()}"

    def name(self, machine: int) -> str:
        return f"tp-machine-{os.getpid()}-{machine}"

    def address(self, machine: int) -> str:
        return f"{NETWORK}.{machine + 1}"

    def start(self) -> None:
        ip("netns", "add", self.switch)
        ip("-n", self.switch, "link", "add", "switch", "type", "bridge")
        ip("-n", self.switch, "link", "set", "switch", "up")
        for machine in range(self.count):
            name, cable, port = self.name(machine), f"cable{machine}", f"port{machine}"
            ip("netns", "add", name)
            ip("link", "add", cable, "netns", name, "type", "veth", "peer", "name", port, "netns", self.switch)
            ip("-n", name, "addr", "add", f"{self.address(machine)}/24", "dev", cable)
            ip("-n", name, "link", "set", cable, "up")
            ip("-n", name, "link", "set", "lo", "up")
            ip("-n", self.switch, "link", "set", port, "master", "switch")
            ip("-n", self.switch, "link", "set", port, "up")

    def stop(self) -> None:
        for name in (self.switch, *map(self.name, range(self.count))):
            subprocess.run(["ip", "netns", "del", name], capture_output=True, check=False)

    def pull_cable(self, machine: int) -> None:
        ip("-n", self.switch, "link", "set", f"port{machine}", "down")

    def bytes_sent(self, machine: int) -> int:
        shown = subprocess.run(
            ["ip", "-n", self.name(machine), "-j", "-s", "link", "show", f"cable{machine}"], check=True, capture_output=True, text=True
        )
        return int(json.loads(shown.stdout)[0]["stats64"]["tx"]["bytes"])

    def torchrun(self, commands: Sequence[Sequence[str]]) -> list[str]:
        """As many ranks on each machine, the first ones on the first."""
        names = " ".join(map(self.name, range(self.count)))
        agent = str(Path(__file__).with_name("agent.py"))
        environment = [f"TP_TEST_MACHINES={names}", f"MASTER_ADDR={self.address(0)}", "MASTER_PORT=29500"]
        return ["env", *environment, sys.executable, agent, json.dumps(commands)]

    def mpirun(self, commands: Sequence[Sequence[str]]) -> list[str]:
        """Started on the first machine; the others are reached by what stands in for ssh."""
        shell = self.tools.work / "shell"
        enter = f'exec ip netns exec tp-machine-{os.getpid()}-$((${{host##*.}} - 1)) unshare --uts sh -c "hostname $host; $*"'
        shell.write_text(f"#!/bin/sh\nhost=$1\nshift\n{enter}\n")
        shell.chmod(0o755)
        each = len(commands) // self.count
        hosts = ",".join(f"{self.address(machine)}:{each}" for machine in range(self.count))
        network = f"{NETWORK}.0/24"
        line = ["mpirun", "--host", hosts, "--mca", "plm_rsh_agent", str(shell), "--mca", "oob_tcp_if_include", network]
        line += ["--mca", "btl_tcp_if_include", network, "--mca", "btl", "self,vader,tcp"]
        for number, command in enumerate(commands):
            script = 'echo $$ > pid.tmp.$0 && mv pid.tmp.$0 pid.$OMPI_COMM_WORLD_RANK && exec "$@"'
            line += [":"] * (number > 0) + ["-n", "1", "sh", "-c", script, str(number), *command]
        first = 'hostname "$0" && exec "$@"'
        return ["ip", "netns", "exec", self.name(0), "unshare", "--uts", "sh", "-c", first, self.address(0), *line]


@contextmanager
def machines(tools: Tools, count: int) -> Iterator[Machines]:
    for tool in ("ip", "unshare", "hostname"):
        if not shutil.which(tool):
            skip(f"there is no {tool} (Debian: iproute2, util-linux, hostname)")
    made = Machines(tools, count)
    try:
        try:
            made.start()
        except subprocess.CalledProcessError as error:
            skip(f"no network namespaces can be made here: {error.stderr.strip()}")
        yield made
    finally:
        made.stop()


def same_bits(tools: Tools, launcher: str) -> None:
    """The values of threads; what ranks say to those of other machines goes through their cables."""
    make_variant("grouped", tools.work / "model")
    np.save(tools.work / "ids.npy", np.random.default_rng(1).integers(0, 96, (2, 13)).astype(np.int32))
    path = tools.work / "logits.npy"
    for mesh, count, ranks in (("tp=2", 2, 2), ("dp=2,tp=2", 2, 4), ("tp=3", 3, 3)):
        command = ("forward", "model", "--input", "input_ids=ids.npy", "--output", "logits=logits.npy", f"--mesh={mesh}")
        tools.output("tp-run", *command)
        threads = path.read_bytes()
        path.unlink()
        with machines(tools, count) as cluster:
            result = run_processes(tools, ranks, *command, launcher=getattr(cluster, launcher))
            sent = [cluster.bytes_sent(machine) for machine in range(count)]
        check(path.read_bytes() == threads, f"{mesh}: threads and machines differ")
        check(f"mesh {mesh}, {ranks} processes" in result.stderr, result.stderr)
        check(min(sent) > 5000, f"{mesh}: the machines sent {sent} bytes")


def tcp(tools: Tools) -> None:
    same_bits(tools, "torchrun")


def mpi(tools: Tools) -> None:
    require_mpi(tools)
    same_bits(tools, "mpirun")


def cable(tools: Tools) -> None:
    """A machine that is cut off: both sides end in time, and each says whom it does not hear."""
    long_model(tools.work / "model")
    endless = ("generate", "model", "--prompt-ids=5,6", "--tokens=30000", "--max-seq=30100", "--seq=4", "--mesh=tp=*", f"--timeout={TIMEOUT}")
    with machines(tools, 2) as cluster:
        job = Job(tools, [endless] * 4, cluster.torchrun)
        job.await_tokens()
        cluster.pull_cable(1)
        cut = time.monotonic()
        result = job.wait(2 * TIMEOUT + SLACK)
        print(f"ended {time.monotonic() - cut:.1f} s after the cut\n{result.stderr}")
    check(result.returncode != 0, "succeeded")
    lines = [line for line in result.stderr.splitlines() if line.startswith("error: ")]
    for others in ("ranks 2, 3 do not answer", "ranks 0, 1 do not answer"):
        check(sum(others in line for line in lines) == 1, f"not one line with {others!r} in {lines}")
    check(len(lines) == 2, f"{len(lines)} lines of errors")


if __name__ == "__main__":
    main({"tcp": tcp, "mpi": mpi, "cable": cable})
