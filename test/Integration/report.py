"""tp-report's JSON, schema 1: its form, the collectives of a Llama, and tp-run's own count."""

from __future__ import annotations

import json
from collections import Counter
from typing import Any

import numpy as np
from json_schema import mistakes
from support import ROOT, Tools, check, main, smollm2

from make_checkpoint import make_config, make_variant

BYTES = {"f64": 8, "f32": 4, "bf16": 2, "f16": 2, "i64": 8, "i32": 4, "i8": 1, "i1": 1}
TEXT_KEYS = ("kind", "dtype", "phase", "module", "reason", "location")
COUNT_KEYS = ("group_size", "bytes_sent", "count")
MEMORY_KEYS = {"parameters", "state", "activations_peak", "peak"}

SCHEMA = json.loads((ROOT / "docs" / "report.schema.json").read_text())

Report = dict[str, Any]


def is_count(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0


def check_form(report: Report, axes: dict[str, int]) -> None:
    """Keys and types of schema 1; totals are the sums of their parts."""
    wrong = mistakes(report, SCHEMA, SCHEMA)
    check(not wrong, "not as docs/report.schema.json says: " + "; ".join(wrong[:5]))
    check(report["schema"] == 1, f"schema {report['schema']}")
    found = {axis["name"]: axis["size"] for axis in report["mesh"]["axes"]}
    check(found == axes, f"mesh axes {found} instead of {axes}")
    totals: dict[str, Counter[str]] = {}
    for c in report["collectives"]:
        for key in TEXT_KEYS:
            check(isinstance(c[key], str), f'"{key}" of {c} is not a string')
        for key in COUNT_KEYS:
            check(is_count(c[key]), f'"{key}" of {c} is not a count')
        check("reduction" in c, f"{c} lacks reduction")
        check(bool(c["reason"]) and bool(c["module"]), f"{c} does not say why it is there")
        check(all(is_count(d) for d in c["shape"]), f"shape of {c}")
        size = int(np.prod([axes[a] for a in c["axes"] if a in axes]))
        check(c["group_size"] <= size or any(a not in axes for a in c["axes"]), f"group of {c} exceeds its axes")
        sums = totals.setdefault(c["kind"], Counter())
        sums["count"] += c["count"]
        sums["bytes_sent"] += c["count"] * c["bytes_sent"]
        if c["kind"] == "all_reduce":
            g, full = c["group_size"], int(np.prod(c["shape"])) * BYTES[c["dtype"]]
            check(c["bytes_sent"] == -(-2 * (g - 1) * full // g), f"bytes of {c} are not those of a ring")
    stated = dict(report["totals"])
    check(stated.pop("bytes_sent") == sum(s["bytes_sent"] for s in totals.values()), "total bytes are not the sum")
    check(
        {k: v for k, v in stated.items() if v["count"]} == {k: dict(v) for k, v in totals.items()},
        f"totals {stated} are not the sums {totals}",
    )
    memory = report["memory"]
    check(set(memory) >= MEMORY_KEYS, f"memory has {sorted(memory)}")
    check(all(is_count(memory[key]) for key in MEMORY_KEYS), f"memory {memory}")
    parts = memory["parameters"] + memory["state"] + memory["activations_peak"]
    check(max(memory["parameters"], memory["activations_peak"]) <= memory["peak"] <= parts, f"peak of {memory}")
    check_padding(report)
    check_summary(report)


def check_summary(report: Report) -> None:
    """Sums by phase, axis and module are the same collectives; no time is lost."""
    total = report["totals"]["bytes_sent"]
    for key, rows in report["summary"].items():
        check(sum(row["bytes_sent"] for row in rows) == total, f"bytes by {key} are not {total}")
        check(sum(row["collectives"] for row in rows) == sum(c["count"] for c in report["collectives"]), f"counts by {key}")
    for time in report["time"]:
        parts = time["compute_microseconds"] + time["communication_microseconds"] - time["hidden_microseconds"]
        check(abs(parts - time["microseconds"]) <= 0.01 + 1e-6 * parts, f"times do not add up: {time}")
    for phase in report["memory"]["phases"]:
        alive = sum(live["bytes"] for live in phase["alive_at_peak"])
        check(alive == phase["live"] <= phase["arena"], f"{alive} bytes are alive of {phase['live']} and {phase['arena']}")
        most = max((point["bytes"] for point in phase["over_program"]), default=0)
        check(most == phase["live"], f"the curve's peak is {most} instead of {phase['live']}")


STORED = ("parameters", "state", "activations")


def check_padding(report: Report) -> None:
    """Each row is the share of its dim; no row exceeds the phase that it is in."""
    padding = report["padding"]
    for row in padding["dims"]:
        where = f"{row['module']}, {row['size']} -> {row['padded']}"
        check(0 <= row["size"] < row["padded"] and bool(row["axes"]), f"{where} is no padded dim")
        phase = padding["phases"][row["phase"]]
        amounts = [(row[key]["elements"], row[key]["padding_elements"], phase[key]["padding_elements"]) for key in STORED]
        amounts.append((row["multiply_adds"]["total"], row["multiply_adds"]["padding"], phase["multiply_adds"]["padding"]))
        for total, part, most in amounts:
            check(is_count(total) and is_count(part) and part <= most, f"{where}: {part} of {total}, in all {most}")
            share = total * (row["padded"] - row["size"]) // row["padded"]
            check(part == share, f"{where}: {part} of {total} instead of {share}")
    for name, phase in padding["phases"].items():
        for key in STORED:
            part = phase[key]
            check(part["padding_elements"] <= part["elements"], f"{name}: {key} {part}")
            check(part["padding_bytes"] <= part["bytes"], f"{name}: {key} {part}")


def counts(report: Report, phase: str) -> Counter[str]:
    result: Counter[str] = Counter()
    for c in report["collectives"]:
        if c["phase"] == phase:
            result[c["kind"]] += c["count"]
    return result


def check_llama(report: Report, layers: int, phase: str) -> None:
    """Two all-reduces a layer, one for the embedding, at most one all-gather."""
    found = counts(report, phase)
    check(found["all_reduce"] == 2 * layers + 1, f"{phase} has {dict(found)}")
    check(found["all_gather"] <= 1, f"{phase} gathers more than once: {dict(found)}")
    check(set(found) <= {"all_reduce", "all_gather"}, f"{phase} has {dict(found)}")
    of_layer: Counter[int] = Counter()
    for c in report["collectives"]:
        words = c["module"].split(".")
        if c["phase"] == phase and c["kind"] == "all_reduce" and "layers" in words:
            place = words[words.index("layers") + 1]
            if place.isdigit():
                of_layer[int(place)] += c["count"]
    if of_layer:  # a report may join layers: layers.*
        check(of_layer == {i: 2 for i in range(layers)}, f"all-reduces by layer: {dict(of_layer)}")


def forward(tools: Tools) -> None:
    for variant in ("grouped", "nine-heads", "one-kv-head", "tied"):
        make_variant(variant, tools.work / variant)
        module = tools.import_model(variant, "--entry=forward", "--batch=2", "--seq=16")
        for ranks in (2, 3, 4, 8):
            report = tools.report(tools.shard(module, f"tp={ranks}"))
            check_form(report, {"tp": ranks})
            check_llama(report, 2, "forward")


def single(tools: Tools) -> None:
    """One rank, or plan=none, needs nothing."""
    make_variant("grouped", tools.work / "model")
    module = tools.import_model("model", "--entry=forward", "--seq=16")
    for mesh, axes, plan in (("tp=1", {"tp": 1}, "auto"), ("tp=4", {"tp": 4}, "none")):
        report = tools.report(tools.shard(module, mesh, plan))
        check_form(report, axes)
        check(report["totals"]["bytes_sent"] == 0, f"{plan} on {mesh} communicates")
        check(not report["padding"]["dims"], f"{plan} on {mesh} pads {report['padding']['dims']}")


def generate(tools: Tools) -> None:
    module = tools.import_model(smollm2(), "--entry=generate", "--max-seq=128")
    for ranks in (2, 3, 4):
        report = tools.report(tools.shard(module, f"tp={ranks}"))
        check_form(report, {"tp": ranks})
        for phase in sorted({c["phase"] for c in report["collectives"]}):
            check_llama(report, 30, phase)
        check(len({c["phase"] for c in report["collectives"]}) == 2, "phases are not prefill and decode")


def padding(tools: Tools) -> None:
    """SmolLM2 has 9 heads over 3 key heads of 64, and rows of 576: on 2 and on 4 ranks, 12 are computed."""
    sequence, width = 64, 576
    module = tools.import_model(smollm2(), "--entry=generate", "--max-seq=128")
    for ranks in (2, 4):
        sharded = tools.shard(module, f"tp={ranks}")
        report = tools.report(sharded)
        rows = [row for row in report["padding"]["dims"] if row["phase"] == "prefill"]
        for layer in (0, 29):
            for name in ("q_proj", "o_proj"):
                found = [row for row in rows if row["module"] == f"model.layers.{layer}.self_attn.{name}"]
                check(len(found) == 1, f"{name} of layer {layer} on {ranks} ranks has rows {found}")
                held, work = found[0]["parameters"], found[0]["multiply_adds"]
                check(held["elements"] * ranks == 12 * 64 * width, f"{name} holds {held} on {ranks} ranks")
                check(held["padding_elements"] * ranks == 3 * 64 * width, f"{name} pads {held} on {ranks} ranks")
                # As they are stored: blocks of Q4_1, 32 elements in 20 bytes.
                for what in ("", "padding_"):
                    check(32 * held[f"{what}bytes"] == 20 * held[f"{what}elements"], f"{name} has bytes {held}")
                check(work["padding"] == sequence * held["padding_elements"], f"{name} computes {work} on {ranks} ranks")
        attention = [row for row in rows if row["module"] == "model.layers.7.self_attn"]
        check(len(attention) == 1, f"attention on {ranks} ranks has rows {attention}")
        work = attention[0]["multiply_adds"]
        # Queries times keys, times values, for each of the heads.
        check(work["total"] * ranks == 2 * sequence * 128 * 64 * 12, f"attention computes {work} on {ranks} ranks")
        check(4 * work["padding"] == work["total"], f"attention pads {work} on {ranks} ranks")
        check(not any("mlp" in row["module"] for row in rows), "a layer's MLP is padded")
        held = report["padding"]["phases"]["prefill"]["parameters"]
        check(0 <= report["memory"]["parameters"] - held["bytes"] < 64 * 300, f"parameters are {held}")
        text = tools.output("tp-report", sharded)
        lines = text[text.index("\npadding") :].splitlines()
        check(max(map(len, text.splitlines())) <= 100, f"the text is wider than 100 columns:\n{text}")
        check(len(lines) < 20, f"layers are not folded:\n{text}")
        check(any("25.0 %" in line and "self_attn.q_proj" in line for line in lines), f"no row for q_proj:\n{text}")
        check(any(line.startswith("prefill: padding is") for line in lines), f"no total:\n{text}")


def memory(tools: Tools) -> None:
    """Parameters are divided by the ranks; replication keeps them whole."""
    make_variant("grouped", tools.work / "model")
    module = tools.import_model("model", "--entry=forward", "--seq=16", "--dtype=f32")
    whole = tools.report(tools.shard(module, "tp=1"))["memory"]["parameters"]
    halves = tools.report(tools.shard(module, "tp=2"))["memory"]["parameters"]
    copies = tools.report(tools.shard(module, "tp=2", "none"))["memory"]["parameters"]
    check(copies == whole, f"replicated: {copies} instead of {whole}")
    check(halves < 0.52 * whole, f"2 ranks hold {halves} each of {whole}")


def key(c: dict[str, Any]) -> str:
    """All of a collective but what only a run knows."""
    return json.dumps({k: v for k, v in c.items() if k != "executions"}, sort_keys=True)


def agreement(tools: Tools) -> None:
    """What a run counted is what the compiler said, exactly."""
    make_variant("nine-heads", tools.work / "model")
    module = tools.import_model("model", "--entry=forward", "--batch=2", "--seq=13")
    sharded = tools.shard(module, "tp=4")
    stated = tools.report(sharded)
    tools.forward(sharded, np.ones((2, 13)), "--report=run.json")
    counted = json.loads((tools.work / "run.json").read_text())
    check_form(counted, {"tp": 4})
    check(sorted(map(key, counted["collectives"])) == sorted(map(key, stated["collectives"])), "collectives differ")
    check(all(c["executions"] >= 1 for c in counted["collectives"]), "a collective did not run")
    check(set(counted) == set(stated), f"parts {set(counted) ^ set(stated)}")
    for part in set(stated) - {"collectives"}:
        check(counted[part] == stated[part], f"{part}: {counted[part]} instead of {stated[part]}")


def agreement_generate(tools: Tools) -> None:
    make_variant("grouped", tools.work / "model")
    module = tools.import_model("model", "--entry=generate", "--max-seq=32")
    sharded = tools.shard(module, "tp=3")
    stated = tools.report(sharded)
    tools.generate(sharded, [1, 2, 3], 5, "--report=run.json")
    counted = json.loads((tools.work / "run.json").read_text())
    check(sorted(map(key, counted["collectives"])) == sorted(map(key, stated["collectives"])), "collectives differ")
    check(counted["totals"] == stated["totals"], "totals differ")


def fit(tools: Tools) -> None:
    """The largest batch fits, and one more does not; so for sizes. The documented example is what comes out."""
    make_variant("grouped", tools.work / "model")

    def peak(batch: int, mesh: str) -> int:
        module = tools.import_model("model", "--entry=forward", "--seq=16", f"--batch={batch}", "--dtype=f32")
        return tools.report(tools.shard(module, mesh))["memory"]["peak"]

    for mesh in ("tp=2", "dp=2,tp=2"):
        memory = 2 * peak(9, mesh) + 1000
        options = (f"--device-memory={memory}", "--seq=16", "--dtype=f32", f"--mesh={mesh}", "--format=json")
        answer = json.loads(tools.output("tp-report", "model", *options))
        row = answer["meshes"][0]
        most = row["largest_batch"]
        check(row["peak"] == peak(1, mesh) and row["fits"], f"{row} for batch 1")
        check(peak(most, mesh) == row["largest_batch_peak"] <= memory, f"{most} does not fit: {row}")
        check(peak(most + 1, mesh) > memory, f"{most + 1} fits as well: {row}")
    # Half of what one device needs: more than one is needed.
    memory = peak(1, "tp=1") * 6 // 10
    answer = json.loads(tools.output("tp-report", "model", f"--device-memory={memory}", "--seq=16", "--dtype=f32", "--format=json"))
    smallest = answer["smallest_tensor_parallel"]
    check(smallest > 1 and peak(1, f"tp={smallest}") <= memory, f"{smallest} does not fit")
    check(all(peak(1, f"tp={size}") > memory for size in range(1, smallest)), f"less than {smallest} fits")
    check(answer["meshes"][0]["largest_batch"] == 0, "a batch fits on one device")
    make_config("llama-3-8b", tools.work / "llama")
    text = tools.output("tp-report", "llama", "--device-memory=80GB", "--seq=512")
    documented = (ROOT / "docs" / "machines.md").read_text()
    check("\n".join("    " + line if line else "" for line in text.splitlines()) in documented, f"docs/machines.md has not\n{text}")
    wrong = tools.run("tp-report", "llama")
    check(wrong.returncode == 1 and "--device-memory" in wrong.stderr, f"a model alone: {wrong.stderr}")


def text(tools: Tools) -> None:
    """The text names kinds, modules and bytes."""
    make_variant("grouped", tools.work / "model")
    sharded = tools.shard(tools.import_model("model", "--entry=forward", "--seq=16"), "tp=2")
    output = tools.output("tp-report", sharded, "--format=text")
    for word in ("o_proj", "down_proj", "embed_tokens"):
        check(word in output, f"{word} is not in the text:\n{output}")


def deterministic(tools: Tools) -> None:
    """The same input gives the same IR, and the same reports."""
    make_variant("nine-heads", tools.work / "model")
    texts = set()
    for name in ("a", "b"):
        module = tools.import_model("model", "--entry=generate", "--max-seq=32", name=f"{name}.mlir")
        texts.add(module.read_text() + tools.shard(module, "tp=4").read_text())
    check(len(texts) == 1, "two runs gave different IR")
    for form in ("text", "json", "html", "dot"):
        texts = {tools.output("tp-report", "sharded.mlir", f"--format={form}") for _ in range(3)}
        check(len(texts) == 1, f"three runs gave different reports as {form}")


if __name__ == "__main__":
    main(
        {
            "forward": forward,
            "single": single,
            "generate": generate,
            "memory": memory,
            "padding": padding,
            "agreement": agreement,
            "agreement-generate": agreement_generate,
            "fit": fit,
            "text": text,
            "deterministic": deterministic,
        }
    )
