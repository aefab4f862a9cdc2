"""Ranks as processes: the same bits as with threads, and everything that tp-run does."""

from __future__ import annotations

import json
import os
import re
from pathlib import Path

import numpy as np
from launch import MPIRUN, TORCHRUN, Job, long_model, require_mpi, run_processes
from support import ROOT, Tools, check, main, smollm2

import experts
from make_checkpoint import make_variant

FILES = ("--input", "input_ids=ids.npy", "--output", "logits=logits.npy")


def logits_of(tools: Tools) -> bytes:
    path = tools.work / "logits.npy"
    data = path.read_bytes()
    path.unlink()
    return data


def same_bits(tools: Tools, model: Path | str, mesh: str, ranks: int, *options: str, launcher: str = MPIRUN) -> None:
    command = ("forward", model, *FILES, f"--mesh={mesh}", *options)
    tools.output("tp-run", *command)
    threads = logits_of(tools)
    result = run_processes(tools, ranks, *command, launcher=launcher)
    check(logits_of(tools) == threads, f"{mesh}: threads and processes differ")
    transport = "Open MPI" if launcher == MPIRUN else "TCP"
    check(re.search(rf"^start: .*{transport}.*mesh {mesh}, {ranks} processes; ", result.stderr, re.M) is not None, result.stderr)
    check(len(re.findall("^start: ", result.stderr, re.M)) == 1, "more than one start line")


def bits(tools: Tools) -> None:
    """Short messages: everything fits the first."""
    require_mpi(tools)
    make_variant("grouped", tools.work / "model")
    np.save(tools.work / "ids.npy", np.random.default_rng(1).integers(0, 96, (2, 13)).astype(np.int32))
    for mesh, ranks in (("tp=2", 2), ("tp=3", 3), ("dp=2,tp=2", 4), ("dp=2,tp=3", 6)):
        same_bits(tools, "model", mesh, ranks)


def long_messages(tools: Tools) -> None:
    """Messages that travel in pieces."""
    require_mpi(tools)
    long_model(tools.work / "model")
    np.save(tools.work / "ids.npy", np.random.default_rng(1).integers(0, 96, (2, 300)).astype(np.int32))
    for mesh, ranks in (("tp=3", 3), ("dp=2,tp=2", 4)):
        same_bits(tools, "model", mesh, ranks)
    same_bits(tools, "model", "tp=4", 4, "--dtype=bf16", f"--plan={ROOT / 'examples/plans/llama-vocabulary-parallel.json'}")


def torchrun(tools: Tools) -> None:
    """Over TCP: short and long messages, tokens that one process prints, and other numbers of processes."""
    make_variant("grouped", tools.work / "small")
    long_model(tools.work / "model")
    rng = np.random.default_rng(1)
    np.save(tools.work / "ids.npy", rng.integers(0, 96, (2, 13)).astype(np.int32))
    for mesh, ranks in (("tp=2", 2), ("dp=2,tp=3", 6)):
        same_bits(tools, "small", mesh, ranks, launcher=TORCHRUN)
    run_processes(tools, 1, "forward", "small", *FILES, "--mesh=tp=1", "--ranks=tcp", launcher=TORCHRUN)
    run_processes(tools, 3, "forward", "small", *FILES, "--mesh=tp=3", launcher=TORCHRUN, TP_TEST_NEIGHBOUR="1")
    # What srun starts without PMIx meets so too.
    slurm = run_processes(tools, 3, "forward", "small", *FILES, "--mesh=tp=3", launcher=TORCHRUN, TP_TEST_SLURM="1")
    check(re.search("^start: .*TCP.*3 processes; ", slurm.stderr, re.M) is not None, slurm.stderr)
    np.save(tools.work / "ids.npy", rng.integers(0, 96, (2, 300)).astype(np.int32))
    for mesh, ranks in (("tp=3", 3), ("dp=2,tp=2", 4)):
        same_bits(tools, "model", mesh, ranks, launcher=TORCHRUN)
    command = ("generate", "model", "--prompt-ids=5,6,7", "--tokens=12", "--max-seq=64", "--seq=4")
    threads = tools.output("tp-run", *command, "--mesh=tp=2")
    result = run_processes(tools, 2, *command, "--mesh=tp=*", launcher=TORCHRUN)
    check(result.stdout == threads, "threads and processes differ")
    Job(tools, [(*command, "--mesh=tp=2")] * 3, TORCHRUN).expect_failure(r"has 2 ranks, but there are 3 processes")


def all_to_all(tools: Tools) -> None:
    """Tokens sent to their experts."""
    require_mpi(tools)
    inputs = experts.data(12, 4, 12)
    (tools.work / "f.mlir").write_text(experts.program("dispatch", 2))
    tools.output("tp-opt", "f.mlir", *experts.PASSES, "-o", "local.mlir")
    arguments = ["forward", "local.mlir", "--entry=f", "--random-weights=0"]
    for name, value in inputs.items():
        np.save(tools.work / f"{name}.npy", value)
        arguments += ["--input", f"{name}={name}.npy"]
    arguments += ["--output", "y=logits.npy"]
    tools.output("tp-run", *arguments)
    threads = logits_of(tools)
    run_processes(tools, 2, *arguments)
    check(logits_of(tools) == threads, "threads and processes differ")


def generate(tools: Tools) -> None:
    """The same tokens, greedy and drawn; only one process prints."""
    require_mpi(tools)
    long_model(tools.work / "model")
    for options in ((), ("--temperature=1", "--seed=3", "--top-k=20")):
        command = ("generate", "model", "--prompt-ids=5,6,7", "--tokens=12", "--max-seq=64", "--seq=4", "--mesh=tp=2", *options)
        threads = tools.output("tp-run", *command)
        check(run_processes(tools, 2, *command).stdout == threads, "threads and processes differ")


def checks(tools: Tools) -> None:
    """--check compares on the first process, and --report has the counters of all."""
    require_mpi(tools)
    make_variant("grouped", tools.work / "model")
    np.save(tools.work / "ids.npy", np.random.default_rng(1).integers(0, 96, (2, 13)).astype(np.int32))
    command = ("forward", "model", *FILES, "--mesh=dp=2,tp=2", "--check")
    tools.output("tp-run", *command, "--report=threads.json")
    result = run_processes(tools, 4, *command, "--report=processes.json")
    check(len(re.findall("^check: logits", result.stderr, re.M)) == 1, result.stderr)
    threads, processes = (json.loads((tools.work / f"{name}.json").read_text()) for name in ("threads", "processes"))
    check(threads == processes, "the reports differ")
    command = ("generate", "model", "--prompt-ids=5,6,7", "--tokens=3", "--max-seq=16", "--seq=4", "--mesh=tp=2", "--check")
    result = run_processes(tools, 2, *command)
    check(len(re.findall("^check: top_values", result.stderr, re.M)) == 3, result.stderr)


def mesh(tools: Tools) -> None:
    """'*' is what the number of processes leaves; what does not fit names what does."""
    require_mpi(tools)
    long_model(tools.work / "model")
    command = ("generate", "model", "--prompt-ids=5", "--tokens=2", "--max-seq=16", "--seq=4", "--batch=2")
    result = run_processes(tools, 4, *command, "--mesh=dp=*,tp=2")
    check("mesh dp=2,tp=2, 4 processes" in result.stderr, result.stderr)
    check("0 (0,0) 1 (0,1) 2 (1,0) 3 (1,1)" in result.stderr, result.stderr)
    Job(tools, [(*command, "--mesh=dp=*,tp=3")] * 4).expect_failure("4 processes do not divide by 3; what works is 3, 6, 9", "tp=1 or 2 or 4")
    Job(tools, [(*command, "--mesh=tp=2")] * 3).expect_failure(r"has 2 ranks, but there are 3 processes; what works is 2 processes, or the mesh tp=\*")
    Job(tools, [command] * 2).expect_failure("mesh has 1 rank, but there are 2 processes: launch 1, or give it a mesh of 2")
    alone = tools.run("tp-run", *command, "--mesh=dp=*,tp=2")
    check(alone.returncode == 1 and "mpirun -n 4" in alone.stderr, alone.stderr)


def launchers(tools: Tools) -> None:
    """What is missing, and launchers without MPI, are one line each."""
    require_mpi(tools)
    long_model(tools.work / "model")
    command = ("generate", "model", "--prompt-ids=5", "--tokens=2", "--max-seq=16", "--seq=4")
    Job(tools, [(*command, "--mesh=tp=2")] * 2, TPRT_PLUGIN_PATH="/nowhere").expect_failure("no /nowhere/libtprt-mpi.so: install MPI")
    torchrun = {"RANK": "0", "WORLD_SIZE": "2", "LOCAL_RANK": "0", "MASTER_ADDR": "localhost", "MASTER_PORT": "29500"}
    result = tools.run("tp-run", *command, "--mesh=tp=2", "--ranks=mpi", env=os.environ | torchrun)
    check(result.returncode == 1 and "torchrun launched 2 processes" in result.stderr, result.stderr)
    for name, value in (("WORLD_SIZE", "two"), ("MASTER_PORT", "-1"), ("RANK", "2"), ("TPRT_PORT", "99999")):
        wrong = tools.run("tp-run", *command, "--mesh=tp=2", env=os.environ | torchrun | {name: value})
        check(wrong.returncode == 1 and re.fullmatch(rf"error: the environment's {name} is .*\n", wrong.stderr) is not None, wrong.stderr)
    nowhere = tools.run("tp-run", *command, "--mesh=tp=2", env=os.environ | torchrun | {"MASTER_ADDR": "nowhere.invalid"})
    check(nowhere.returncode != 0 and "MASTER_ADDR is 'nowhere.invalid', which is no host that this machine knows" in nowhere.stderr, nowhere.stderr)
    alone = tools.run("tp-run", *command, "--mesh=tp=2", "--ranks=tcp")
    check(alone.returncode == 1 and "TCP needs WORLD_SIZE in the environment" in alone.stderr, alone.stderr)
    # A launcher that MPI knows nothing of, and one that does not say where processes meet.
    slurm = {"SLURM_STEP_NUM_TASKS": "2", "SLURM_PROCID": "0", "SLURM_LOCALID": "0"}
    result = tools.run("tp-run", *command, "--mesh=tp=2", env=os.environ | slurm)
    says = "error: srun launched 2 processes without PMIx: launch with 'srun --mpi=pmix' or with mpirun, or set MASTER_ADDR and MASTER_PORT"
    check(result.returncode == 1 and says in result.stderr, result.stderr)
    result = tools.run("tp-run", *command, "--mesh=tp=2", "--ranks=mpi", env=os.environ | slurm)
    says = "srun launched 2 processes, but .* sees 1: launch with 'srun --mpi=pmix', or with mpirun"
    check(result.returncode == 1 and re.search(says, result.stderr) is not None, result.stderr)
    # One that was asked for by name, and one process of it.
    run_processes(tools, 1, *command, "--ranks=mpi", "--mesh=tp=1")
    threads = tools.run("tp-run", *command, "--mesh=tp=2", "--ranks=threads", env=os.environ | torchrun)
    check(threads.returncode == 0, threads.stderr)
    result = tools.run("tp-run", *command, "--ranks=cuda")
    check(result.returncode == 1 and result.stderr.startswith("error: ") and '"auto", "threads", "mpi" or "tcp"' in result.stderr, result.stderr)


def model(tools: Tools) -> None:
    """SmolLM2 on 3 processes."""
    require_mpi(tools)
    np.save(tools.work / "ids.npy", np.arange(10, 42, dtype=np.int32).reshape(1, 32))
    same_bits(tools, smollm2(), "tp=3", 3)


if __name__ == "__main__":
    main(
        {
            "bits": bits,
            "long-messages": long_messages,
            "torchrun": torchrun,
            "all-to-all": all_to_all,
            "generate": generate,
            "check": checks,
            "mesh": mesh,
            "launchers": launchers,
            "smollm2": model,
        }
    )
