#!/usr/bin/env python3
"""make-ids.py OUT.npy BATCH LENGTH: token ids below 48, as NumPy writes them."""
import struct
import sys

path, batch, length = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
header = f"{{'descr': '<i4', 'fortran_order': False, 'shape': ({batch}, {length}), }}"
header = header.ljust((len(header) + 10 + 64) // 64 * 64 - 11) + "\n"
ids = [(7 * i + 3) % 48 for i in range(batch * length)]
with open(path, "wb") as file:
    file.write(b"\x93NUMPY\x01\x00" + struct.pack("<H", len(header)) + header.encode())
    file.write(struct.pack(f"<{len(ids)}i", *ids))
