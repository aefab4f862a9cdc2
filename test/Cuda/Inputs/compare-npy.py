#!/usr/bin/env python3
"""compare-npy.py A.npy B.npy TOLERANCE: f4 or f8 arrays of one shape, finite, and max|a-b| / max|b| within the tolerance."""
import ast
import math
import struct
import sys


def read(path):
    with open(path, "rb") as file:
        data = file.read()
    length = struct.unpack("<H", data[8:10])[0]
    header = ast.literal_eval(data[10 : 10 + length].decode())
    code = {"<f4": "f", "<f8": "d"}[header["descr"]]
    body = data[10 + length :]
    return header["shape"], struct.unpack(f"<{len(body) // struct.calcsize(code)}{code}", body)


(shape, a), (wanted, b) = read(sys.argv[1]), read(sys.argv[2])
if shape != wanted or not a or not all(map(math.isfinite, a + b)) or not any(b):
    sys.exit(f"{shape} against {wanted}, or nothing to compare")
error = max(abs(x - y) for x, y in zip(a, b)) / max(map(abs, b))
print(f"max|a-b| / max|b| = {error:.3g}")
sys.exit(not error <= float(sys.argv[3]))
