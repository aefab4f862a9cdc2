#!/usr/bin/env python3
"""Holds docs/errors.md against the sources and the tests.

Every item of the page begins with one message or more, each between
backquotes, with `...` for what varies. What stands between must be printed
by lib, tools or runtime, and one file of test or unittests must show all of
it that is longer than 20 characters. A message of short parts only is shown
by one line that has them all, in their order.
"""

import argparse
import re
import sys
from collections.abc import Iterator
from pathlib import Path

PAGE = "docs/errors.md"
SOURCES = ("lib", "tools", "runtime")
TESTS = ("test", "unittests")
SOURCE_SUFFIXES = {".cpp", ".h", ".cu", ".c"}
TEST_SUFFIXES = {".mlir", ".test", ".py", ".cpp", ".h", ".cu", ".c", ".sh"}
LONG = 20

TOKEN = re.compile(
    r"""//[^\n]*|/\*.*?\*/            # a comment
      | '(?:[^'\\\n]|\\.)'            # one character
      | "(?P<text>(?:[^"\\\n]|\\.)*)" # a literal
      | (?P<other>\S)""",
    re.VERBOSE | re.DOTALL,
)


def literals(code: str) -> Iterator[str]:
    """Yields the string literals of C++; those with nothing or `<<` or `+`
    between them are one."""
    text: str | None = None
    between = ""
    for token in TOKEN.finditer(code):
        if token["other"]:
            between += token["other"]
        if token["text"] is None:
            continue
        if text is None or between not in ("", "<<", "+"):
            if text is not None:
                yield text
            text = ""
        text += unescaped(token["text"])
        between = ""
    if text is not None:
        yield text


def unescaped(text: str) -> str:
    return re.sub(r"\\(.)", r"\1", text)


def files(root: Path, folders: tuple[str, ...], suffixes: set[str]) -> Iterator[Path]:
    for folder in folders:
        for path in sorted((root / folder).rglob("*")):
            if path.suffix in suffixes and path.stem != Path(__file__).stem:
                yield path


def items(page: str) -> Iterator[str]:
    """Yields the items of the page's lists, each on one line."""
    for item in re.findall(r"^- .*(?:\n  .*)*", page, re.MULTILINE):
        yield " ".join(item[2:].split())


def messages(item: str) -> list[str]:
    """The messages that an item begins with; none if it is malformed."""
    head = re.match(r"(?:`[^`]+`(?:, )?)+(?=: )", item)
    return re.findall(r"`([^`]+)`", head[0]) if head else []


def parts(message: str) -> list[str]:
    """What stands between what varies."""
    return [part for part in map(str.strip, message.split("...")) if part]


def known_by(message: str) -> list[str]:
    """The parts that a message is known by."""
    return [part for part in parts(message) if len(part) > LONG] or parts(message)


def shows(test: str, message: str) -> bool:
    if any(len(part) > LONG for part in parts(message)):
        return all(part in test for part in known_by(message))
    return re.search(".*".join(map(re.escape, parts(message))), test) is not None


def complaints(root: Path) -> Iterator[str]:
    printed = "\n".join(text for path in files(root, SOURCES, SOURCE_SUFFIXES) for text in literals(path.read_text()))
    tests = []
    for path in files(root, TESTS, TEST_SUFFIXES):
        text = path.read_text(errors="replace")
        # As it is written, and as a literal over several lines says it.
        tests.append(text + unescaped(re.sub(r'"\s+[fr]?"', "", text)))
    count = 0
    for item in items((root / PAGE).read_text()):
        if not messages(item):
            yield f"no message before a colon: {item}"
        for message in messages(item):
            count += 1
            for part in known_by(message):
                if part not in printed:
                    yield f"nothing prints '{part}', of: {message}"
            if not any(shows(test, message) for test in tests):
                yield f"no test shows: {message}"
    if not count:
        yield f"{PAGE} has no messages"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("root", type=Path, help="the repository")
    found = list(complaints(parser.parse_args().root.resolve()))
    for complaint in found:
        print(complaint, file=sys.stderr)
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
