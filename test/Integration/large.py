"""Llama-3 from its configuration alone, for many devices: import, shard, report."""

from __future__ import annotations

import time
from collections.abc import Callable

from support import Tools, check, main

from make_checkpoint import make_config
from variants import CONFIGS
from report import check_form, check_llama

MESHES = {8: {"tp": 8}, 64: {"dp": 8, "tp": 8}, 16384: {"dp": 2048, "tp": 8}}


def parameters(config: dict[str, int]) -> int:
    """Elements of all weights."""
    hidden, ffn, heads = config["hidden_size"], config["intermediate_size"], config["num_attention_heads"]
    kv = hidden // heads * config["num_key_value_heads"]
    layer = 2 * hidden * hidden + 2 * hidden * kv + 3 * hidden * ffn + 2 * hidden
    return config["num_hidden_layers"] * layer + 2 * config["vocab_size"] * hidden + hidden


def large(name: str) -> Callable[[Tools], None]:
    def case(tools: Tools) -> None:
        config = CONFIGS[name]
        make_config(name, tools.work / "model")
        seconds = {}
        for devices, axes in MESHES.items():
            module = tools.import_model("model", "--entry=forward", "--seq=128", f"--batch={axes.get('dp', 1)}")
            start = time.monotonic()
            sharded = tools.shard(module, ",".join(f"{k}={v}" for k, v in axes.items()))
            seconds[devices] = time.monotonic() - start
            report = tools.report(sharded)
            check_form(report, axes)
            check_llama(report, config["num_hidden_layers"], "forward")
            share = 2 * parameters(config) / axes["tp"]  # bf16
            stored = report["memory"]["parameters"]
            check(share <= stored <= 1.02 * share, f"{stored} bytes of parameters a device instead of {share:.0f}")
        print({devices: round(time, 2) for devices, time in seconds.items()})
        check(seconds[16384] < 2 * seconds[8] + 1, f"time grows with the number of devices: {seconds}")

    return case


if __name__ == "__main__":
    main({name: large(name) for name in CONFIGS})
