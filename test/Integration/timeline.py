"""tp-run --profile: the form of the trace, and that it tells of the same ops and bytes as tp-report does."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
from launch import MPIRUN, TORCHRUN, long_model, require_mpi, run_processes
from support import Tools, check, main

from make_checkpoint import make_variant

Event = dict[str, Any]
Report = dict[str, Any]

# Times are written to the nanosecond and read as fractions of microseconds.
EXACT = 0.0015
FIRST_PROCESS = 1000
COMPUTING, COMMUNICATING = 0, 1
PROMPT = "--prompt-ids=5,6,7,8,9,10"
GENERATE = ("generate", PROMPT, "--tokens=6", "--random-weights=1")
# The prompt of 6 goes in chunks of 4; the last token is not fed.
GENERATED = {"prefill": 2, "decode": 5}


def read(path: Path) -> list[Event]:
    trace = json.loads(path.read_text())
    check(set(trace) == {"displayTimeUnit", "traceEvents"}, f"keys {sorted(trace)}")
    return trace["traceEvents"]


def check_tracks(events: list[Event], ranks: int) -> None:
    """A process for each rank with the two threads of the prediction, and nothing else."""
    wanted = set()
    for rank in range(ranks):
        pid = FIRST_PROCESS + rank
        wanted |= {
            ("process_name", pid, 0, f"rank {rank} (measured)"),
            ("thread_name", pid, COMPUTING, "computing"),
            ("thread_name", pid, COMMUNICATING, "communicating"),
        }
    found = [(e["name"], e["pid"], e["tid"], e["args"]["name"]) for e in events if e["ph"] == "M"]
    check(len(found) == len(wanted) and set(found) == wanted, f"tracks {found}")
    check({e["ph"] for e in events} <= {"M", "X"}, "other events than names and spans")
    for e in events:
        if e["ph"] == "X":
            check(set(e) == {"ph", "name", "cat", "pid", "tid", "ts", "dur", "args"}, f"span {e}")
            check(e["ts"] >= 0 and e["dur"] >= 0, f"span {e}")
    used = {(e["pid"], e["tid"]) for e in events if e["ph"] == "X"}
    check(used <= {(pid, tid) for _, pid, tid, _ in wanted}, f"spans on {used}")


def end_of(event: Event) -> float:
    return event["ts"] + event["dur"]


def on_track(events: list[Event], rank: int, track: int) -> list[Event]:
    """Spans in the order of time, what encloses others first."""
    spans = [e for e in events if e["ph"] == "X" and (e["pid"], e["tid"]) == (FIRST_PROCESS + rank, track)]
    return sorted(spans, key=lambda e: (e["ts"], -e["dur"]))


def apart(spans: list[Event]) -> None:
    for before, after in zip(spans, spans[1:]):
        check(end_of(before) <= after["ts"] + EXACT, f"{before} overlaps {after}")


def runs_of(events: list[Event], rank: int) -> list[tuple[Event, list[Event]]]:
    """Each run of an entry with the spans in it, which follow one another without a gap up to its end."""
    spans = on_track(events, rank, COMPUTING)
    entries = [e for e in spans if e["cat"] == "entry"]
    inner = [e for e in spans if e["cat"] != "entry"]
    check({e["cat"] for e in inner} <= {"compute", "wait"}, "other spans than computing and waiting")
    apart(entries)
    runs = []
    taken = 0
    for entry in entries:
        mine = [e for e in inner if entry["ts"] - EXACT <= e["ts"] and end_of(e) <= end_of(entry) + EXACT]
        taken += len(mine)
        check(bool(mine), f"nothing ran in {entry}")
        for before, after in zip(mine, mine[1:]):
            check(abs(end_of(before) - after["ts"]) <= EXACT, f"{before} does not end where {after} begins")
        check(abs(end_of(mine[-1]) - end_of(entry)) <= EXACT, f"{mine[-1]} does not end with {entry}")
        runs.append((entry, mine))
    check(taken == len(inner), f"{len(inner) - taken} spans are in no run")
    return runs


def key(event: Event) -> tuple[str, str]:
    return event["name"], event["args"]["module"]


def is_call(event: Event) -> bool:
    """What is never fused into a kernel."""
    return event["name"].startswith("tp.") or event["name"] in ("nn.contract", "nn.attention", "nn.embedding")


def check_run(entry: Event, spans: list[Event], predicted: list[Event]) -> None:
    """The same ops as predicted, but for what is fused into another or costs nothing."""
    known = {key(e) for e in predicted}
    for span in spans:
        check(key(span) in known, f"{entry['name']}: {key(span)} is not in the prediction")
        check(span["cat"] == "wait" or set(span["args"]) <= {"module", "kernel"}, f"arguments of {span}")
        check((span["cat"] == "wait") == span["name"].startswith("tp.all"), f"kind of {span}")
    calls, wanted = (Counter(key(e) for e in all_of if is_call(e)) for all_of in (spans, predicted))
    check(bool(wanted), f"{entry['name']}: nothing is predicted")
    check(calls == wanted, f"{entry['name']}: calls {calls - wanted} too many, {wanted - calls} too few")


def check_collectives(events: list[Event], rank: int, report: Report) -> None:
    """On the track of communication: as many of each kind, module and bytes as the runtime counted in its report."""
    spans = on_track(events, rank, COMMUNICATING)
    apart(spans)
    waits = [e for e in on_track(events, rank, COMPUTING) if e["cat"] == "wait"]
    times = [[(e["name"], e["ts"], e["dur"]) for e in of] for of in (spans, waits)]
    check(times[0] == times[1], "a rank does not stand still in the collectives that it is in")
    found: Counter[tuple[str, str, int]] = Counter()
    for e in spans:
        check(e["cat"] == "collective" and set(e["args"]) == {"module", "bytes_sent"}, f"arguments of {e}")
        found[e["name"], e["args"]["module"], e["args"]["bytes_sent"]] += 1
    wanted: Counter[tuple[str, str, int]] = Counter()
    for c in report["collectives"]:
        wanted["tp." + c["kind"], c["module"], c["bytes_sent"]] += c["count"] * c["executions"]
    check(bool(wanted) and found == wanted, f"collectives {found - wanted} too many, {wanted - found} too few")


def check_trace(events: list[Event], ranks: int, report: Report, prediction: list[Event], executions: dict[str, int]) -> None:
    check_tracks(events, ranks)
    phases = {e["pid"]: e["args"]["name"].removesuffix(" (predicted)") for e in prediction if e["name"] == "process_name"}
    predicted: dict[str, list[Event]] = {phase: [] for phase in phases.values()}
    for e in prediction:
        if e["ph"] == "X":
            predicted[phases[e["pid"]]].append(e)
    check(not set(phases) & {FIRST_PROCESS + rank for rank in range(ranks)}, "processes of both traces are mixed up")
    for rank in range(ranks):
        runs = runs_of(events, rank)
        steps = {name: [e["args"]["step"] for e, _ in runs if e["name"] == name] for name in executions}
        check(steps == {name: list(range(count)) for name, count in executions.items()}, f"rank {rank} has steps {steps}")
        check(len(runs) == sum(executions.values()), f"rank {rank} has {len(runs)} runs")
        for entry, spans in runs:
            check_run(entry, spans, predicted[entry["name"]])
        check_collectives(events, rank, report)


def predict(tools: Tools, sharded: Path) -> list[Event]:
    tools.output("tp-report", sharded, "--timeline=predicted.json")
    return read(tools.work / "predicted.json")


def run_profiled(tools: Tools, *command: str | Path) -> tuple[list[Event], Report]:
    """The trace and the report of a run, which prints and reports what it does without a trace."""
    plain = tools.output("tp-run", *command, "--report=plain.json")
    profiled = tools.output("tp-run", *command, "--report=report.json", "--profile=trace.json")
    check(plain == profiled, "standard output differs with --profile")
    reports = [json.loads((tools.work / f"{name}.json").read_text()) for name in ("plain", "report")]
    check(reports[0] == reports[1], "the report differs with --profile")
    return read(tools.work / "trace.json"), reports[1]


def forward(tools: Tools) -> None:
    """On one axis and two; the whole sequence of one entry."""
    make_variant("grouped", tools.work / "model")
    module = tools.import_model("model", "--entry=forward", "--batch=2", "--seq=13")
    np.save(tools.work / "ids.npy", np.random.default_rng(1).integers(0, 96, (2, 13)).astype(np.int32))
    for mesh, ranks in (("tp=3", 3), ("dp=2,tp=2", 4)):
        sharded = tools.shard(module, mesh)
        events, report = run_profiled(tools, "forward", sharded, "--input", "input_ids=ids.npy")
        check_trace(events, ranks, report, predict(tools, sharded), {"forward": 1})


def alone(tools: Tools) -> None:
    """Without a mesh there is one rank, which communicates with nobody."""
    long_model(tools.work / "model")
    module = tools.import_model("model", "--entry=generate", "--seq=4", "--max-seq=16")
    tools.output("tp-run", GENERATE[0], module, *GENERATE[1:], "--profile=trace.json")
    events = read(tools.work / "trace.json")
    check_tracks(events, 1)
    check(len(runs_of(events, 0)) == 7, "not 7 runs")
    check(not on_track(events, 0, COMMUNICATING), "one rank communicates")


def generate(tools: Tools) -> None:
    """Chunks of the prompt, then decode steps; with --check only the sharded program's."""
    long_model(tools.work / "model")
    module = tools.import_model("model", "--entry=generate", "--seq=4", "--max-seq=16")
    sharded = tools.shard(module, "tp=2")
    prediction = predict(tools, sharded)
    events, report = run_profiled(tools, GENERATE[0], sharded, *GENERATE[1:])
    check_trace(events, 2, report, prediction, GENERATED)
    tools.output("tp-run", GENERATE[0], module, *GENERATE[1:], "--mesh=tp=2", "--check", "--profile=trace.json")
    events = read(tools.work / "trace.json")
    check_tracks(events, 2)
    check(len(runs_of(events, 1)) == 7, "not 7 runs")


TWO_HALVES = """
#rows = #tp.sharding<@mesh, [{}, {"tp"}]>
#whole = #tp.sharding<@mesh, [{}, {}]>
tp.mesh @mesh = <["tp"=2]>
func.func @forward(%x: tensor<4x4xf32> {nn.input = "x", tp.global = tensor<4x8xf32>, tp.sharding = #rows},
                   %w: tensor<6x4xf32> {nn.input = "w", tp.global = tensor<6x8xf32>, tp.sharding = #rows})
    -> (tensor<4x6xf32> {nn.output = "y", tp.global = tensor<4x6xf32>, tp.sharding = #whole}) {
  %0 = nn.contract %x, %w "mk,nk->mn" : (tensor<4x4xf32>, tensor<6x4xf32>) -> tensor<4x6xf32>
  %p = tp.all_reduce %0 sum over [#tp.axis<"tp">] of @mesh module "one" : (tensor<4x6xf32>) -> !tp.pending<tensor<4x6xf32>>
  %1 = nn.contract %x, %w "mk,nk->mn" : (tensor<4x4xf32>, tensor<6x4xf32>) -> tensor<4x6xf32>
  %q = tp.all_reduce %1 sum over [#tp.axis<"tp">] of @mesh module "two" : (tensor<4x6xf32>) -> !tp.pending<tensor<4x6xf32>>
  %2 = tp.wait %p : !tp.pending<tensor<4x6xf32>>
  %3 = tp.wait %q : !tp.pending<tensor<4x6xf32>>
  %4 = arith.addf %2, %3 : tensor<4x6xf32>
  return %4 : tensor<4x6xf32>
}
"""


def overlap(tools: Tools) -> None:
    """A collective that is started is done when it returns, on CPUs: its span begins and ends there, once."""
    sharded = tools.work / "sharded.mlir"
    sharded.write_text(TWO_HALVES)
    for name, rows in (("x", 4), ("w", 6)):
        np.save(tools.work / f"{name}.npy", np.ones((rows, 8), np.float32))
    events, report = run_profiled(tools, "forward", sharded, "--input", "x=x.npy", "--input", "w=w.npy")
    check_trace(events, 2, report, predict(tools, sharded), {"forward": 1})
    modules = [e["args"]["module"] for e in on_track(events, 0, COMMUNICATING)]
    check(modules == ["one", "two"], f"communicated for {modules}")


def compiled(tools: Tools) -> None:
    """Ahead of time: the same trace of a program with marks, and an error of one without."""
    long_model(tools.work / "model")
    module = tools.import_model("model", "--entry=generate", "--seq=4", "--max-seq=16")
    sharded = tools.shard(module, "tp=2")
    _, report = run_profiled(tools, GENERATE[0], sharded, *GENERATE[1:])
    tools.output("tp-compile", sharded, "--profile", "-o", "marked.so")
    tools.output("tp-compile", sharded, "-o", "plain.so")
    answers = {
        tools.output("tp-run", GENERATE[0], program, *GENERATE[1:], *options)
        for program, options in (("plain.so", ()), ("marked.so", ()), ("marked.so", ("--profile=trace.json",)))
    }
    check(len(answers) == 1, f"marks change what is answered: {answers}")
    check_trace(read(tools.work / "trace.json"), 2, report, predict(tools, sharded), GENERATED)
    check(b"tprt_mark" in (tools.work / "marked.so").read_bytes(), "no marks are made")
    check(b"tprt_mark" not in (tools.work / "plain.so").read_bytes(), "marks are made that nobody asked for")
    refused = tools.run("tp-run", GENERATE[0], "plain.so", *GENERATE[1:], "--profile=none.json")
    says = "error: a timeline needs a program with marks, and entry 'decode' has none: compile it with tp-compile --profile\n"
    check(refused.returncode == 1 and refused.stdout == "" and refused.stderr.replace("prefill", "decode") == says, refused.stderr)
    check(not (tools.work / "none.json").exists(), "a trace is left behind")


def processes(tools: Tools) -> None:
    """One file has all processes, launched either way."""
    long_model(tools.work / "model")
    module = tools.import_model("model", "--entry=generate", "--seq=4", "--max-seq=16")
    sharded = tools.shard(module, "tp=2")
    _, report = run_profiled(tools, GENERATE[0], sharded, *GENERATE[1:])
    prediction = predict(tools, sharded)
    (tools.work / "trace.json").unlink()
    for launcher in (TORCHRUN, MPIRUN):
        if launcher == MPIRUN:
            require_mpi(tools)
        run_processes(tools, 2, GENERATE[0], sharded, *GENERATE[1:], "--profile=trace.json", launcher=launcher)
        events = read(tools.work / "trace.json")
        (tools.work / "trace.json").unlink()
        check_trace(events, 2, report, prediction, GENERATED)
        for here, there in zip(*(on_track(events, rank, COMMUNICATING) for rank in range(2))):
            # No rank leaves an all-reduce before the other has come; clocks are one on one machine.
            check(max(here["ts"], there["ts"]) <= min(end_of(here), end_of(there)) + EXACT, f"{here} and {there} do not meet")
    check(not list(tools.work.glob("trace.json*")), "something is left behind")


def errors(tools: Tools) -> None:
    """What cannot be written is found out before anything runs; a run that fails leaves nothing."""
    long_model(tools.work / "model")
    command = ("generate", "model", PROMPT, "--tokens=2", "--max-seq=16", "--seq=4", "--mesh=tp=2")
    (tools.work / "folder").mkdir()
    for path, reason in (("none/trace.json", "o such file or directory"), ("folder", "s a directory")):
        result = tools.run("tp-run", *command, f"--profile={path}")
        check(result.returncode == 1 and result.stdout == "", f"{path}: {result.stdout}")
        line = result.stderr.strip()
        check(line.startswith(f'error: cannot write "{path}": ') and "\n" not in line, result.stderr)
        check(reason in line, result.stderr)
    result = tools.run("tp-run", "generate", "model", "--prompt-ids=90000", "--max-seq=16", "--seq=4", "--profile=trace.json")
    check(result.returncode == 1 and "error: " in result.stderr, "a token that is none is taken")
    check(not list(tools.work.glob("trace.json*")), "something is left behind")
    tools.output("tp-run", *command, "--profile=/dev/null")
    refused = tools.run("tp-compile", tools.import_model("model", "--entry=forward"), "--backend=cuda", "--profile", "-o", "p.so")
    check(refused.returncode == 1 and refused.stderr == "error: --profile has no effect with --backend=cuda\n", refused.stderr)


if __name__ == "__main__":
    main(
        {
            "forward": forward,
            "alone": alone,
            "generate": generate,
            "overlap": overlap,
            "compiled": compiled,
            "processes": processes,
            "errors": errors,
        }
    )
