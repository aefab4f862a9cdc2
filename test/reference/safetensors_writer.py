"""Writes Hugging Face checkpoints: safetensors files, and an index for several."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np


def f32_to_bf16(values: np.ndarray) -> np.ndarray:
    """f32 [...] to the bits of the nearest bf16, ties to even: u16 [...]."""
    bits = np.ascontiguousarray(values, np.float32).view(np.uint32)
    return ((bits + 0x7FFF + ((bits >> 16) & 1)) >> 16).astype("<u2")


def encode(values: np.ndarray, dtype: str) -> bytes:
    """Elements in the little-endian form of F64, F32, F16 or BF16."""
    if dtype == "BF16":
        return f32_to_bf16(values).tobytes()
    return values.astype({"F64": "<f8", "F32": "<f4", "F16": "<f2"}[dtype]).tobytes()


def write_safetensors(path: Path, tensors: dict[str, np.ndarray], dtype: str) -> None:
    header: dict[str, Any] = {"__metadata__": {"format": "pt"}}
    blobs, offset = [], 0
    for name, values in tensors.items():
        blobs.append(encode(values, dtype))
        end = offset + len(blobs[-1])
        header[name] = {"dtype": dtype, "shape": list(values.shape), "data_offsets": [offset, end]}
        offset = end
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    path.write_bytes(len(text).to_bytes(8, "little") + text + b"".join(blobs))


def write_checkpoint(
    directory: Path, config: dict[str, Any], tensors: dict[str, np.ndarray], dtype: str = "F32", files: int = 1
) -> None:
    """Writes config.json and the tensors, dealt out over `files` files (0: none)."""
    directory.mkdir(parents=True, exist_ok=True)
    (directory / "config.json").write_text(json.dumps(config, indent=2) + "\n")
    if files == 1:
        write_safetensors(directory / "model.safetensors", tensors, dtype)
        return
    if files == 0:
        return
    names = list(tensors)
    weight_map: dict[str, str] = {}
    for i in range(files):
        file = f"model-{i + 1:05}-of-{files:05}.safetensors"
        part = {name: tensors[name] for name in names[i::files]}
        write_safetensors(directory / file, part, dtype)
        weight_map |= {name: file for name in part}
    index = {
        "metadata": {"total_size": sum((directory / file).stat().st_size for file in set(weight_map.values()))},
        "weight_map": weight_map,
    }
    (directory / "model.safetensors.index.json").write_text(json.dumps(index, indent=2) + "\n")
