#!/usr/bin/env python3
"""Runs clang-tidy over lib, tools and runtime, or over the given files.

The compile commands are those of the build, without the precompiled header:
with it, what a file fails to include goes unseen, and a stale one is an error.
Exits with 1 if anything was found.
"""

import argparse
import concurrent.futures
import json
import os
import pathlib
import re
import shlex
import subprocess
import sys

SOURCE = pathlib.Path(__file__).resolve().parent.parent
FOLDERS = ("lib", "tools", "runtime")


def without_precompiled_header(arguments):
    """The arguments less those that CMake adds for a precompiled header."""
    kept = []
    arguments = iter(arguments)
    for argument in arguments:
        if argument == "-Winvalid-pch":
            continue
        if argument != "-Xclang":
            kept.append(argument)
            continue
        option = next(arguments)
        if option in ("-include", "-include-pch"):
            next(arguments), next(arguments)  # -Xclang FILE
        elif option != "-fno-pch-timestamp":
            kept += ["-Xclang", option]
    return kept


def database(build):
    """The compile commands of our folders, by file; each file once."""
    commands = {}
    for entry in json.loads((build / "compile_commands.json").read_text()):
        path = pathlib.Path(entry["directory"], entry["file"]).resolve()
        if not path.is_relative_to(SOURCE):
            continue
        if path.relative_to(SOURCE).parts[0] in FOLDERS:
            arguments = without_precompiled_header(shlex.split(entry["command"]))
            commands[path] = {"directory": entry["directory"], "file": str(path),
                              "arguments": arguments}
    return commands


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("build", type=pathlib.Path, help="the build folder")
    parser.add_argument("files", nargs="*", type=pathlib.Path,
                        help="source files, or folders of them")
    parser.add_argument("-j", type=int, default=os.cpu_count(), dest="jobs")
    parser.add_argument("--clang-tidy", default="clang-tidy-22")
    options = parser.parse_intermixed_args()

    commands = database(options.build)
    wanted = [path.resolve() for path in options.files]
    chosen = [path for path in sorted(commands)
              if not wanted or any(path.is_relative_to(root) for root in wanted)]
    if not chosen:
        sys.exit("tidy.py: none of these files is compiled by the build")

    folder = options.build / "tidy"
    folder.mkdir(exist_ok=True)
    (folder / "compile_commands.json").write_text(
        json.dumps([commands[path] for path in chosen], indent=1))

    def check(path):
        """What is wrong with a file, as paragraphs that begin with a place."""
        result = subprocess.run(
            [options.clang_tidy, "-p", folder, "--quiet", path],
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        text = result.stdout or (result.stderr if result.returncode else "")
        return re.split(r"^(?=/[^\n]*: (?:error|warning): )", text, flags=re.M)

    # What is found in a header is found again with every file that includes it.
    seen = set()
    with concurrent.futures.ThreadPoolExecutor(options.jobs) as pool:
        for findings in pool.map(check, chosen):
            for finding in findings:
                place, _, rest = finding.strip().partition(": ")
                key = (os.path.normpath(place), rest)
                if finding.strip() and key not in seen:
                    seen.add(key)
                    print(finding.strip(), flush=True)
    print(f"clang-tidy: {len(seen)} findings in {len(chosen)} files")
    return 1 if seen else 0


if __name__ == "__main__":
    sys.exit(main())
