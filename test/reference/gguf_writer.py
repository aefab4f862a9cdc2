"""Writes GGUF files, quantising as asked, well formed or wrong on purpose."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from checkpoint_files import BF16, BLOCKS, F16, F32, Q4_0, Q4_1, Q4_K, Q5_0, Q5_1, Q5_K, Q6_K, Q8_0, dequantise
from safetensors_writer import f32_to_bf16

Value = str | bool | int | float | list[str]


def _half(values: np.ndarray) -> np.ndarray:
    """f32 [n, 1] to the bytes of f16, u8 [n, 2]."""
    return values.astype("<f2").view(np.uint8).reshape(-1, 2)


def _inverse(scale: np.ndarray) -> np.ndarray:
    return np.divide(1, scale, out=np.zeros_like(scale), where=scale != 0)


def _nibbles(levels: np.ndarray) -> np.ndarray:
    """Levels 0..15, [n, 32], packed with element j and j + 16 in one byte."""
    levels = levels.astype(np.uint8)
    return levels[:, :16] | (levels[:, 16:] << 4)


def quantise(values: np.ndarray, type_: int) -> bytes:
    """f32 [..., multiple of 32 for block types] to the bytes GGUF stores."""
    if type_ == F32:
        return values.astype("<f4").tobytes()
    if type_ == F16:
        return values.astype("<f2").tobytes()
    if type_ == BF16:
        return f32_to_bf16(values).tobytes()
    if values.shape[-1] % 32:
        raise ValueError(f"rows of {values.shape[-1]} elements are not whole blocks of 32")
    x = values.astype(np.float32).reshape(-1, 32)
    if type_ == Q8_0:
        scale = np.abs(x).max(axis=1, keepdims=True) / 127
        levels = np.rint(x * _inverse(scale)).astype(np.int8)
        return np.concatenate([_half(scale), levels.view(np.uint8)], axis=1).tobytes()
    if type_ == Q4_0:
        largest = np.take_along_axis(x, np.abs(x).argmax(axis=1)[:, None], axis=1)
        scale = largest / -8
        levels = np.clip(np.rint(x * _inverse(scale)) + 8, 0, 15)
        return np.concatenate([_half(scale), _nibbles(levels)], axis=1).tobytes()
    if type_ == Q4_1:
        low = x.min(axis=1, keepdims=True)
        scale = (x.max(axis=1, keepdims=True) - low) / 15
        levels = np.clip(np.rint((x - low) * _inverse(scale)), 0, 15)
        return np.concatenate([_half(scale), _half(low), _nibbles(levels)], axis=1).tobytes()
    raise ValueError(f"GGUF type {type_}")


# Where a block has f16 scales, and how large each is beside the first for elements around zero.
_SCALES = {
    Q5_0: {0: 1.0},
    Q5_1: {0: 1.0, 2: -15.5},
    Q4_K: {0: 1.0, 2: 7.5},
    Q5_K: {0: 1.0, 2: 15.5},
    Q6_K: {208: 1.0},
}


def random_blocks(type_: int, shape: tuple[int, ...], deviation: float, rng: np.random.Generator) -> bytes:
    """Blocks of random bits, except for the f16 scales: those give elements this standard deviation, about."""
    elements, size = BLOCKS[type_]
    if shape[-1] % elements:
        raise ValueError(f"rows of {shape[-1]} elements are not whole blocks of {elements}")
    blocks = rng.integers(0, 256, (int(np.prod(shape)) // elements, size), np.uint8)
    varied = rng.uniform(0.5, 1.5, (len(blocks), 1)).astype(np.float32)
    spread = 1.0
    for _ in range(2):  # as it comes, then as it should be
        for at, factor in _SCALES[type_].items():
            blocks[:, at : at + 2] = _half(varied * np.float32(factor * spread))
        spread = deviation / float(dequantise(blocks, type_).std())
    return blocks.tobytes()


@dataclass
class Tensor:
    """One tensor; the table's row can be made to lie for tests of bad input."""

    name: str
    values: np.ndarray
    type: int = F32
    content: bytes | None = None  # instead of the values, quantised
    stated_type: int | None = None
    stated_dims: list[int] | None = None  # fastest first
    stated_offset: int | None = None


def _string(text: str) -> bytes:
    data = text.encode()
    return struct.pack("<Q", len(data)) + data


def _value(value: Value) -> bytes:
    if isinstance(value, str):
        return struct.pack("<I", 8) + _string(value)
    if isinstance(value, bool):
        return struct.pack("<I?", 7, value)
    if isinstance(value, int):
        return struct.pack("<II", 4, value)
    if isinstance(value, float):
        return struct.pack("<If", 6, value)
    return struct.pack("<IIQ", 9, 8, len(value)) + b"".join(map(_string, value))


def gguf_bytes(metadata: dict[str, Value], tensors: list[Tensor], alignment: int = 32) -> bytes:
    head = b"GGUF" + struct.pack("<IQQ", 3, len(tensors), len(metadata))
    for key, value in metadata.items():
        head += _string(key) + _value(value)
    data = b""
    for tensor in tensors:
        dims = tensor.stated_dims or list(reversed(tensor.values.shape))
        type_ = tensor.type if tensor.stated_type is None else tensor.stated_type
        offset = len(data) if tensor.stated_offset is None else tensor.stated_offset
        head += _string(tensor.name) + struct.pack(f"<I{len(dims)}QIQ", len(dims), *dims, type_, offset)
        data += quantise(tensor.values, tensor.type) if tensor.content is None else tensor.content
        data += bytes(-len(data) % alignment)
    return head + bytes(-len(head) % alignment) + data


def write_gguf(path: Path, metadata: dict[str, Value], tensors: list[Tensor]) -> None:
    path.write_bytes(gguf_bytes(metadata, tensors))
