#!/usr/bin/env python3
"""with-port.py COMMAND...: runs a command while the port that it is told, TPRT_PORT, is taken."""
import os
import socket
import subprocess
import sys

with socket.socket() as taken:
    taken.bind(("", 0))
    taken.listen()
    os.environ["TPRT_PORT"] = str(taken.getsockname()[1])
    sys.exit(subprocess.run(sys.argv[1:]).returncode == 0)
