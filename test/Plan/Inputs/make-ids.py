#!/usr/bin/env python3
"""Writes token ids, [2, 8] and below 40, as an .npy file."""
import struct
import sys

header = "{'descr': '<i4', 'fortran_order': False, 'shape': (2, 8), }"
header += " " * (53 - len(header) % 64 + (64 if len(header) % 64 > 53 else 0))
header += "\n"
ids = [(7 * i * i + 3 * i) % 40 for i in range(16)]
with open(sys.argv[1], "wb") as file:
    file.write(b"\x93NUMPY\x01\x00" + struct.pack("<H", len(header)))
    file.write(header.encode() + struct.pack("<16i", *ids))
