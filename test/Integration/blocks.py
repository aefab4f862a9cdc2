"""One layer of each family of test/Plan/Volumes/Inputs/block.py, small, on 2, 3 and 4 ranks against the same layer on one.

On one it is run as written; sharded, it is normalised first: fused weights are cut up, heads are dims. Nothing divides by
all of the meshes.
"""

import subprocess
import sys

import numpy as np
from support import ROOT, Tools, check_close, main

BLOCK = ROOT / "test" / "Plan" / "Volumes" / "Inputs" / "block.py"
FAMILIES = ["llama-3-8b", "gemma-2-2b", "phi-3-mini", "glm-4-9b", "olmo-2-7b", "cohere", "phi-2", "starcoder2-3b"]


def run(tools: Tools, *options: str) -> np.ndarray:
    files = ("--input", "x=x.npy", "--output", "y=y.npy")
    tools.output("tp-run", "forward", "block.mlir", "--entry=f", "--random-weights=1", *files, *options)
    return np.load(tools.work / "y.npy")


def check_family(tools: Tools, family: str) -> None:
    text = subprocess.run([sys.executable, BLOCK, family, "small"], check=True, capture_output=True, text=True).stdout
    (tools.work / "block.mlir").write_text(text)
    np.save(tools.work / "x.npy", np.random.default_rng(2).normal(size=(1, 16, 24)).astype(np.float32))
    wanted = run(tools)
    for ranks in (2, 3, 4):
        check_close(run(tools, f"--mesh=tp={ranks}"), wanted, 1e-5, f"{family} on {ranks}")


if __name__ == "__main__":
    main({family: lambda tools, family=family: check_family(tools, family) for family in FAMILIES})
