"""Tensors and configurations of GGUF files and Hugging Face directories."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any, Protocol

import numpy as np

sys.path.append(str(Path(__file__).resolve().parents[2] / "examples"))
from gguf_file import GgufFile  # noqa: E402

F32, F16, Q4_0, Q4_1, Q5_0, Q5_1, Q8_0, Q4_K, Q5_K, Q6_K, BF16 = 0, 1, 2, 3, 6, 7, 8, 12, 13, 14, 30
# Elements and bytes of a block.
BLOCKS = {
    F32: (1, 4),
    F16: (1, 2),
    BF16: (1, 2),
    Q4_0: (32, 18),
    Q4_1: (32, 20),
    Q5_0: (32, 22),
    Q5_1: (32, 24),
    Q8_0: (32, 34),
    Q4_K: (256, 144),
    Q5_K: (256, 176),
    Q6_K: (256, 210),
}


class Tensors(Protocol):
    """Named tensors, each read as f32 (f64 where stored so) when asked for."""

    def __contains__(self, name: str) -> bool: ...

    def __getitem__(self, name: str) -> np.ndarray: ...


def bf16_to_f32(bits: np.ndarray) -> np.ndarray:
    """u16 [...] to f32 [...]."""
    return (bits.astype(np.uint32) << 16).view(np.float32)


def _halves(packed: np.ndarray) -> np.ndarray:
    """u8 [..., m, j] to the low halves of all m, then the high halves, [..., 2 * m, j]."""
    return np.concatenate([packed & 15, packed >> 4], axis=-2)


def _group_scales(packed: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The 6-bit scales and minima of 8 groups, each [blocks, 8], from 12 bytes a block."""
    first, second, third = (packed[:, i : i + 4] for i in (0, 4, 8))
    scale = np.concatenate([first & 63, third & 15 | first >> 6 << 4], axis=1)
    minimum = np.concatenate([second & 63, third >> 4 | second >> 6 << 4], axis=1)
    return scale.astype(np.float32), minimum.astype(np.float32)


def _super_blocks(blocks: np.ndarray, type_: int) -> np.ndarray:
    """The blocks of 256 elements of the K types, u8 [blocks, bytes], to f32."""

    def half(at: int) -> np.ndarray:
        return blocks[:, at : at + 2].copy().view("<f2").astype(np.float32)

    if type_ == Q6_K:
        low = _halves(blocks[:, :128].reshape(-1, 2, 2, 32))  # [blocks, half, group, 32]
        shifts = np.array([0, 2, 4, 6], np.uint8)[:, None]
        high = blocks[:, 128:192].reshape(-1, 2, 1, 32) >> shifts & 3
        levels = (low | high << 4).astype(np.float32).reshape(-1, 16, 16) - 32
        scale = half(208) * blocks[:, 192:208].view(np.int8)
        return (levels * scale[:, :, None]).ravel()
    scale, minimum = _group_scales(blocks[:, 4:16])
    low = _halves(blocks[:, -128:].reshape(-1, 4, 1, 32)).reshape(-1, 8, 32)
    if type_ == Q5_K:
        bits = np.unpackbits(blocks[:, 16:48], axis=1, bitorder="little").reshape(-1, 32, 8)
        low = low | bits.swapaxes(1, 2) << 4
    return (low * (half(0) * scale)[:, :, None] - (half(2) * minimum)[:, :, None]).ravel()


def dequantise(raw: np.ndarray, type_: int) -> np.ndarray:
    """Bytes of whole blocks, u8 [n], to the f32 elements they stand for."""
    if type_ == F32:
        return raw.view("<f4")
    if type_ == F16:
        return raw.view("<f2").astype(np.float32)
    if type_ == BF16:
        return bf16_to_f32(raw.view("<u2"))
    blocks = raw.reshape(-1, BLOCKS[type_][1])
    if BLOCKS[type_][0] == 256:
        return _super_blocks(blocks, type_)
    scale = blocks[:, :2].copy().view("<f2").astype(np.float32)  # [blocks, 1]
    if type_ == Q8_0:
        return (blocks[:, 2:].view(np.int8) * scale).ravel()
    levels = _halves(blocks[:, None, -16:]).reshape(-1, 32).astype(np.float32)
    if type_ in (Q5_0, Q5_1):
        levels += 16 * np.unpackbits(blocks[:, -20:-16], axis=1, bitorder="little")
    if type_ in (Q4_0, Q5_0):
        return ((levels - (8 if type_ == Q4_0 else 16)) * scale).ravel()
    minimum = blocks[:, 2:4].copy().view("<f2").astype(np.float32)
    return (levels * scale + minimum).ravel()


class GgufTensors:
    def __init__(self, file: GgufFile) -> None:
        self.file = file

    def __contains__(self, name: str) -> bool:
        return name in self.file.tensors

    def __getitem__(self, name: str) -> np.ndarray:
        info = self.file.tensors[name]
        elements, size = BLOCKS[info.type]
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
