#!/usr/bin/env python3
"""Answers one prompt with a chat model, sharded over CPU ranks by tp-run.

    chat.py --model MODEL.gguf --mesh tp=3 "Why is the sky blue?"

MODEL is a GGUF file, a Hugging Face directory, or an imported or sharded
module (then --tokenizer names the checkpoint). Options that are not listed
here go to tp-run as they are, for example --plan=none or --report=FILE.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

from gguf_file import GgufFile
from jinja2.sandbox import ImmutableSandboxedEnvironment
from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, pre_tokenizers

CHATML = (
    "{% for message in messages %}{{ '<|im_start|>' + message['role'] + '\n' + message['content'] "
    "+ '<|im_end|>' + '\n' }}{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}"
)
# How GGUF names the ways of cutting text into words before merging.
DIGITS_APART = {"smollm", "starcoder", "refact", "command-r"}
LLAMA3_WORDS = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}"
    r"| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
)
CONTROL_TOKEN, USER_TOKEN = 3, 4


@dataclass
class Chat:
    """A tokenizer, the template around a conversation, and where answers stop."""

    tokenizer: Tokenizer
    template: str = CHATML
    eos_ids: list[int] = field(default_factory=list)
    special_texts: dict[str, str] = field(default_factory=dict)  # bos_token, eos_token

    def encode(self, messages: list[dict[str, str]]) -> list[int]:
        """The ids of a conversation, up to where the assistant speaks."""

        def raise_exception(message: str) -> None:
            raise ValueError(message)

        environment = ImmutableSandboxedEnvironment(trim_blocks=True, lstrip_blocks=True)
        environment.globals["raise_exception"] = raise_exception
        text = environment.from_string(self.template).render(
            messages=messages, add_generation_prompt=True, **self.special_texts
        )
        return self.tokenizer.encode(text, add_special_tokens=False).ids


def pre_tokenizer(name: str) -> pre_tokenizers.PreTokenizer:
    byte_level = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=True)
    if name in DIGITS_APART:
        return pre_tokenizers.Sequence([pre_tokenizers.Digits(individual_digits=True), byte_level])
    if name in {"llama-bpe", "llama3", "llama-v3"}:
        split = pre_tokenizers.Split(Regex(LLAMA3_WORDS), behavior="isolated")
        return pre_tokenizers.Sequence([split, pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)])
    if name in {"default", "gpt-2"}:
        return byte_level
    raise ValueError(f'the pre-tokenizer "{name}" is not known')


def chat_from_gguf(path: Path) -> Chat:
    """Builds the byte-level BPE tokenizer that a GGUF file carries."""
    data = GgufFile(path).metadata
    kind = data.get("tokenizer.ggml.model")
    if kind != "gpt2":
        raise ValueError(f'{path}: tokenizers of kind "{kind}" are not supported, only byte-level BPE ("gpt2")')
    tokens: list[str] = data["tokenizer.ggml.tokens"]
    merges = [tuple(merge.split(" ", 1)) for merge in data["tokenizer.ggml.merges"]]
    tokenizer = Tokenizer(models.BPE({token: i for i, token in enumerate(tokens)}, merges))
    tokenizer.pre_tokenizer = pre_tokenizer(data.get("tokenizer.ggml.pre", "default"))
    tokenizer.decoder = decoders.ByteLevel()
    types = data.get("tokenizer.ggml.token_type", [])
    tokenizer.add_special_tokens(
        [AddedToken(tokens[i], special=True, normalized=False) for i, t in enumerate(types) if t == CONTROL_TOKEN]
    )
    tokenizer.add_tokens([AddedToken(tokens[i], normalized=False) for i, t in enumerate(types) if t == USER_TOKEN])
    bos, eos = (data.get(f"tokenizer.ggml.{name}_token_id") for name in ("bos", "eos"))
    end_of_turn = data.get("tokenizer.ggml.eot_token_id")
    return Chat(
        tokenizer,
        data.get("tokenizer.chat_template", CHATML),
        sorted({i for i in (eos, end_of_turn) if i is not None}),
        {name: tokens[i] for name, i in (("bos_token", bos), ("eos_token", eos)) if i is not None},
    )


def chat_from_directory(path: Path) -> Chat:
    """Reads tokenizer.json and the files beside it in a Hugging Face directory."""

    def load(name: str) -> dict[str, Any]:
        file = path / name
        return json.loads(file.read_text(encoding="utf-8")) if file.exists() else {}

    tokenizer = Tokenizer.from_file(str(path / "tokenizer.json"))
    settings = load("tokenizer_config.json")
    texts = {}
    for name in ("bos_token", "eos_token"):
        value = settings.get(name) or ""
        texts[name] = value["content"] if isinstance(value, dict) else value
    template = settings.get("chat_template", CHATML)
    if (path / "chat_template.jinja").exists():
        template = (path / "chat_template.jinja").read_text(encoding="utf-8")
    if isinstance(template, list):
        template = next(t["template"] for t in template if t["name"] == "default")
    eos = load("generation_config.json").get("eos_token_id", load("config.json").get("eos_token_id"))
    ids = set(eos) if isinstance(eos, list) else {eos}
    ids.add(tokenizer.token_to_id(texts["eos_token"]))
    return Chat(tokenizer, template, sorted(i for i in ids if i is not None), texts)


def load_chat(path: Path) -> Chat:
    return chat_from_directory(path) if path.is_dir() else chat_from_gguf(path)


def stream_ids(output: IO[bytes]) -> Iterator[int]:
    """Yields ids separated by white space as soon as each is complete."""
    word = b""
    while byte := output.read(1):
        if not byte.isspace():
            word += byte
        elif word:
            yield int(word)
            word = b""
    if word:
        yield int(word)


def stream_text(tokenizer: Tokenizer, ids: Iterator[int]) -> Iterator[str]:
    """Yields text as it grows; a character split between tokens waits for its last byte."""
    stream = decoders.DecodeStream(skip_special_tokens=True)
    for token in ids:
        if piece := stream.step(tokenizer, token):
            yield piece


def tp_run_command(options: argparse.Namespace, prompt_ids: list[int], eos_ids: list[int]) -> list[str]:
    command = [str(options.bin / "tp-run"), "generate", str(options.model)]
    command += ["--prompt-ids=" + ",".join(map(str, prompt_ids)), f"--tokens={options.tokens}"]
    if eos_ids:
        command.append("--eos-ids=" + ",".join(map(str, eos_ids)))
    for name in ("mesh", "temperature", "top_k", "top_p", "seed"):
        value = getattr(options, name)
        if value is not None:
            command.append(f"--{name.replace('_', '-')}={value}")
    # A checkpoint is compiled for a cache that just holds this conversation.
    if options.model.suffix != ".mlir" and not any(o.startswith("--max-seq") for o in options.pass_through):
        longest = len(prompt_ids) + options.tokens
        command.append(f"--max-seq={-(-longest // 256) * 256}")
    return command + options.pass_through


def parse_arguments() -> argparse.Namespace:
    here = Path(__file__).resolve().parent
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("prompt", nargs="*", help="read from standard input if absent")
    parser.add_argument("--model", type=Path, required=True)
    parser.add_argument("--tokenizer", type=Path, help="GGUF file or directory to take the tokenizer from")
    parser.add_argument("--system", help="a system message")
    parser.add_argument("--mesh", help="for example tp=3")
    parser.add_argument("--tokens", type=int, default=200, help="the longest answer")
    parser.add_argument("--temperature", type=float)
    parser.add_argument("--top-k", type=int)
    parser.add_argument("--top-p", type=float)
    parser.add_argument("--seed", type=int)
    parser.add_argument("--bin", type=Path, default=here.parent / "build" / "bin", help="where tp-run is")
    options, pass_through = parser.parse_known_args()
    options.pass_through = pass_through
    return options


def main() -> int:
    options = parse_arguments()
    try:
        chat = load_chat(options.tokenizer or options.model)
        prompt = " ".join(options.prompt) or sys.stdin.read().strip()
        messages = [{"role": "system", "content": options.system}] if options.system else []
        prompt_ids = chat.encode([*messages, {"role": "user", "content": prompt}])
    except (OSError, ValueError, KeyError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    command = tp_run_command(options, prompt_ids, chat.eos_ids)
    try:
        process = subprocess.Popen(command, stdout=subprocess.PIPE, bufsize=0)
    except OSError as error:
        print(f"error: {command[0]}: {error.strerror}", file=sys.stderr)
        return 1
    assert process.stdout
    try:
        for piece in stream_text(chat.tokenizer, stream_ids(process.stdout)):
            print(piece, end="", flush=True)
    except KeyboardInterrupt:
        process.terminate()
    print()
    status = process.wait()
    return status if status >= 0 else 128 - status


if __name__ == "__main__":
    sys.exit(main())
