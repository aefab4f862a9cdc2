"""Tensors and configurations of GGUF files and Hugging Face directories."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any, Protocol

import numpy as np

sys.path.append(str(Path(__file__).resolve().parents[2] / "examples"))
from gguf_file import GgufFile  # noqa: E402

F32, F16, Q4_0, Q4_1, Q8_0, BF16 = 0, 1, 2, 3, 8, 30
_BLOCK_BYTES = {F32: (1, 4), F16: (1, 2), BF16: (1, 2), Q4_0: (32, 18), Q4_1: (32, 20), Q8_0: (32, 34)}


class Tensors(Protocol):
    """Named tensors, each read as f32 (f64 where stored so) when asked for."""

    def __contains__(self, name: str) -> bool: ...

    def __getitem__(self, name: str) -> np.ndarray: ...


def bf16_to_f32(bits: np.ndarray) -> np.ndarray:
    """u16 [...] to f32 [...]."""
    return (bits.astype(np.uint32) << 16).view(np.float32)


def dequantise(raw: np.ndarray, type_: int) -> np.ndarray:
    """Bytes of whole blocks, u8 [n], to the f32 elements they stand for."""
    if type_ == F32:
        return raw.view("<f4")
    if type_ == F16:
        return raw.view("<f2").astype(np.float32)
    if type_ == BF16:
        return bf16_to_f32(raw.view("<u2"))
    blocks = raw.reshape(-1, _BLOCK_BYTES[type_][1])
    scale = blocks[:, :2].copy().view("<f2").astype(np.float32)  # [blocks, 1]
    if type_ == Q8_0:
        return (blocks[:, 2:].view(np.int8) * scale).ravel()
    start = 4 if type_ == Q4_1 else 2
    packed = blocks[:, start:]
    levels = np.concatenate([packed & 15, packed >> 4], axis=1).astype(np.float32)  # [blocks, 32]
    if type_ == Q4_0:
        return ((levels - 8) * scale).ravel()
    minimum = blocks[:, 2:4].copy().view("<f2").astype(np.float32)
    return (levels * scale + minimum).ravel()


class GgufTensors:
    def __init__(self, file: GgufFile) -> None:
        self.file = file

    def __contains__(self, name: str) -> bool:
        return name in self.file.tensors

    def __getitem__(self, name: str) -> np.ndarray:
        info = self.file.tensors[name]
        elements, size = _BLOCK_BYTES[info.type]
        count = int(np.prod(info.shape)) // elements * size
        raw = np.frombuffer(self.file.data, np.uint8, count, info.offset)
        return dequantise(raw, info.type).reshape(info.shape)


class SafeTensors:
    """All tensors of a directory: one file, or several with an index."""

    _TYPES = {"F64": "<f8", "F32": "<f4", "F16": "<f2", "BF16": "<u2"}

    def __init__(self, directory: Path) -> None:
        index = directory / "model.safetensors.index.json"
        names = {"model.safetensors"}
        if index.exists():
            names = set(json.loads(index.read_text())["weight_map"].values())
        self._entries: dict[str, tuple[Path, str, list[int], int]] = {}
        for name in names:
            path = directory / name
            with open(path, "rb") as file:
                size = int.from_bytes(file.read(8), "little")
                header: dict[str, Any] = json.loads(file.read(size))
            header.pop("__metadata__", None)
            for tensor, entry in header.items():
                offset = 8 + size + entry["data_offsets"][0]
                self._entries[tensor] = (path, entry["dtype"], entry["shape"], offset)

    def __contains__(self, name: str) -> bool:
        return name in self._entries

    def __getitem__(self, name: str) -> np.ndarray:
        path, type_, shape, offset = self._entries[name]
        data = np.memmap(path, self._TYPES[type_], "r", offset, tuple(shape))
        if type_ == "BF16":
            return bf16_to_f32(data)
        return np.asarray(data) if type_ == "F64" else np.asarray(data, np.float32)
