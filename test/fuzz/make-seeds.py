#!/usr/bin/env python3
#===- make-seeds.py - valid inputs to start fuzzing from ------------------===//
#
# Part of tp-mlir, under the Apache License v2.0.
#
#===----------------------------------------------------------------------===//
"""Writes the seed-* files of the corpus: small valid files of every type."""

import json
import os
import struct


def string(text):
    return struct.pack("<Q", len(text)) + text.encode()


def gguf(values, tensors, alignment=32):
    """values: (key, type, bytes); tensors: (name, type, dims, bytes)."""
    head = b"GGUF" + struct.pack("<IQQ", 3, len(tensors), len(values))
    for key, kind, value in values:
        head += string(key) + struct.pack("<I", kind) + value
    data = b""
    for name, kind, dims, content in tensors:
        data += b"\0" * (-len(data) % alignment)
        head += string(name) + struct.pack("<I", len(dims))
        head += b"".join(struct.pack("<Q", dim) for dim in dims)
        head += struct.pack("<IQ", kind, len(data))
        data += content
    return head + b"\0" * (-len(head) % alignment) + data


def safetensors(tensors, metadata=None):
    """tensors: (name, dtype, shape, bytes)."""
    header, data = {}, b""
    if metadata:
        header["__metadata__"] = metadata
    for name, dtype, shape, content in tensors:
        header[name] = {"dtype": dtype, "shape": shape,
                        "data_offsets": [len(data), len(data) + len(content)]}
        data += content
    text = json.dumps(header, separators=(",", ":")).encode()
    return struct.pack("<Q", len(text)) + text + data


def pattern(count):
    return bytes((i * 37 + 11) % 251 for i in range(count))


def gguf_seeds():
    yield "empty", gguf([], [])
    scalars = [("u8", 0, b"\1"), ("i8", 1, b"\xff"), ("u16", 2, b"\1\0"),
               ("i16", 3, b"\1\0"), ("u32", 4, b"\1\0\0\0"),
               ("i32", 5, b"\1\0\0\0"), ("f32", 6, b"\0\0\x80\x3f"),
               ("b", 7, b"\1"), ("s", 8, string("llama")),
               ("u64", 10, b"\xff" * 8), ("i64", 11, b"\xff" * 8),
               ("f64", 12, b"\0" * 8), ("split.count", 2, b"\1\0")]
    yield "scalars", gguf(scalars, [])
    arrays = [("ints", 9, struct.pack("<IQ3i", 5, 3, 1, 2, 3)),
              ("bools", 9, struct.pack("<IQ2B", 7, 2, 0, 1)),
              ("tokens", 9, struct.pack("<IQ", 8, 2) + string("a") +
               string("bc"))]
    yield "arrays", gguf(arrays, [])
    kinds = [("f32", 0, 4), ("f16", 1, 2), ("bf16", 30, 2), ("f64", 28, 8),
             ("i8", 24, 1), ("i16", 25, 2), ("i32", 26, 4), ("i64", 27, 8)]
    yield "plain", gguf([], [(name, kind, [3, 2], pattern(6 * size))
                             for name, kind, size in kinds])
    blocks = [("q4_0", 2, 18), ("q4_1", 3, 20), ("q8_0", 8, 34),
              ("q5_0", 6, 22), ("q5_1", 7, 24)]
    yield "blocks", gguf([], [(name, kind, [64, 3], pattern(6 * size))
                              for name, kind, size in blocks])
    supers = [("q4_k", 12, 144), ("q5_k", 13, 176), ("q6_k", 14, 210)]
    yield "super-blocks", gguf([], [(name, kind, [512, 2], pattern(4 * size))
                                    for name, kind, size in supers])
    for name, kind, size in supers:
        yield name, gguf([], [("t", kind, [256, 2], pattern(2 * size))])
    for name, kind, size in kinds[:4]:
        yield name, gguf([], [("t", kind, [5, 4], pattern(20 * size))])
    for name, kind, size in blocks:
        yield name, gguf([], [("t", kind, [32, 2], pattern(2 * size))])
    yield "ranks", gguf([], [("scalar", 0, [], pattern(4)),
                             ("none", 0, [0], b""),
                             ("eight", 0, [1, 2, 1, 2, 1, 1, 1, 2],
                              pattern(32))])
    yield "aligned", gguf([("general.alignment", 4, b"\x08\0\0\0")],
                          [("a", 0, [1], pattern(4)), ("b", 0, [1], pattern(4))],
                          alignment=8)


def safetensors_seeds():
    kinds = [("F32", 4), ("F16", 2), ("BF16", 2), ("F64", 8), ("I8", 1),
             ("I16", 2), ("I32", 4), ("I64", 8), ("U8", 1), ("U16", 2),
             ("U32", 4), ("BOOL", 1)]
    yield "empty", safetensors([])
    yield "metadata", safetensors([("t", "F32", [1], pattern(4))],
                                  {"format": "pt", "note": "\u00e9\u20ac"})
    yield "all", safetensors([(dtype.lower(), dtype, [2, 3], pattern(6 * size))
                              for dtype, size in kinds])
    for dtype, size in kinds:
        yield dtype.lower(), safetensors([("t", dtype, [3, 5],
                                           pattern(15 * size))])
    yield "ranks", safetensors([("scalar", "F32", [], pattern(4)),
                                ("none", "F16", [4, 0], b""),
                                ("eight", "U8", [1, 2, 1, 2, 1, 1, 1, 2],
                                 pattern(8))])
    extra = (b'{"t":{"more":[{"a":[null,-1,1.5]}],"dtype":"U8","shape":[2],'
             b'"data_offsets":[0,2],"x":true}}  ')
    yield "extra", struct.pack("<Q", len(extra)) + extra + b"\1\2"


def main():
    corpus = os.path.join(os.path.dirname(os.path.abspath(__file__)), "corpus")
    for folder, seeds in (("gguf", gguf_seeds()),
                          ("safetensors", safetensors_seeds())):
        os.makedirs(os.path.join(corpus, folder), exist_ok=True)
        for name, content in seeds:
            path = os.path.join(corpus, folder, "seed-" + name)
            with open(path, "wb") as file:
                file.write(content)


if __name__ == "__main__":
    main()
