"""A small reader of GGUF files: metadata, the tensor table, raw tensor bytes.

Standard library only. It trusts the file to be well formed, apart from the
magic number and the version.
"""

from __future__ import annotations

import mmap
import struct
from dataclasses import dataclass
from pathlib import Path
from typing import Any

_SCALARS = {0: "B", 1: "b", 2: "H", 3: "h", 4: "I", 5: "i", 6: "f", 7: "?", 10: "Q", 11: "q", 12: "d"}
_STRING, _ARRAY = 8, 9


@dataclass(frozen=True)
class TensorInfo:
    """One row of the tensor table; `shape` is slowest dim first."""

    name: str
    shape: tuple[int, ...]
    type: int
    offset: int  # from the start of the file


class GgufFile:
    """`metadata` maps keys to Python values, `tensors` names to TensorInfo."""

    def __init__(self, path: str | Path) -> None:
        with open(path, "rb") as file:
            self.data = memoryview(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ))
        self._at = 4
        if self.data[:4] != b"GGUF":
            raise ValueError(f"{path} is not a GGUF file")
        version = self._scalar("I")
        if version not in (2, 3):
            raise ValueError(f"{path}: GGUF version {version} is not supported")
        tensor_count, key_count = self._scalar("Q"), self._scalar("Q")
        self.metadata: dict[str, Any] = {}
        for _ in range(key_count):
            key = self._string()
            self.metadata[key] = self._value(self._scalar("I"))
        table = [self._tensor_row() for _ in range(tensor_count)]
        alignment = self.metadata.get("general.alignment", 32)
        start = -(-self._at // alignment) * alignment
        self.tensors = {name: TensorInfo(name, shape, type_, start + offset) for name, shape, type_, offset in table}

    def _scalar(self, code: str) -> Any:
        (value,) = struct.unpack_from("<" + code, self.data, self._at)
        self._at += struct.calcsize("<" + code)
        return value

    def _string(self) -> str:
        size = self._scalar("Q")
        self._at += size
        return bytes(self.data[self._at - size : self._at]).decode("utf-8", errors="replace")

    def _value(self, type_: int) -> Any:
        if type_ == _STRING:
            return self._string()
        if type_ != _ARRAY:
            return self._scalar(_SCALARS[type_])
        element, count = self._scalar("I"), self._scalar("Q")
        if element in (_STRING, _ARRAY):
            return [self._value(element) for _ in range(count)]
        code = f"<{count}{_SCALARS[element]}"
        values = list(struct.unpack_from(code, self.data, self._at))
        self._at += struct.calcsize(code)
        return values

    def _tensor_row(self) -> tuple[str, tuple[int, ...], int, int]:
        name = self._string()
        dims = [self._scalar("Q") for _ in range(self._scalar("I"))]
        return name, tuple(reversed(dims)), self._scalar("I"), self._scalar("Q")
