#!/usr/bin/env python3
"""Shards a model by a plan and by the plan that --tp-explain-plan=json writes,
and fails unless both give the same program, but for the roles of axes: the
effective plan has to give those, and the mesh then says so.

roundtrip.py TP-OPT MODEL PREFIX OPTIONS    writes PREFIX.json
"""
import re
import subprocess
import sys


def main():
    tp_opt, model, prefix, options = sys.argv[1:]

    def shard(options, *more):
        return subprocess.run(
            [tp_opt, model, f"--tp-shard={options} compare=false", *more],
            check=True, capture_output=True, text=True).stdout

    with open(prefix + ".json", "w") as file:
        file.write(shard(options, "--tp-explain-plan=json"))
    first, second = (re.sub(r"(tp\.mesh .*>) \{tp\.roles = .*\}", r"\1", shard(each))
                     for each in (options, f"plan={prefix}.json"))
    if first != second:
        sys.exit(f"{model}: {prefix}.json gives another program than {options}")
    if "func.func" not in first:
        sys.exit(f"{model}: {options} gives no program")


if __name__ == "__main__":
    main()
