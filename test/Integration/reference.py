"""The reference itself: golden ids, every kind of checkpoint, the chat tokenizer."""

from __future__ import annotations

import numpy as np
from support import Tools, check, check_close, main, smollm2
from support import stories as stories_model

from chat import load_chat, stream_text
from llama_numpy import Cache, Llama
from make_checkpoint import GGUF_CONFIG, make_gguf, make_variant, random_tensors
from variants import VARIANTS
from safetensors_writer import write_checkpoint


def stories(tools: Tools) -> None:
    """Golden ids, and the published numbers of the first step."""
    model, expected = stories_model(tools.work)
    for dtype in (np.float32, np.float64):
        ids, _ = Llama(model, dtype).greedy([1], len(expected))
        check(ids == expected, f"{dtype.__name__}: {ids}")
    first = Llama(model, np.float64).logits(np.array([[1]]))[0, 0]
    check_close(first[:4], [-6.222914, 8.404342, -6.223739, -6.222544], 1e-6, "first logits")
    check_close(np.log(np.exp(first).sum()), 17.267259, 1e-7, "log of the sum of exponentials")


def kinds(tools: Tools) -> None:
    """f32 agrees with f64; a cache changes nothing; GGUF agrees with Hugging Face."""
    ids = np.random.default_rng(1).integers(0, 96, (2, 13))
    for name, variant in VARIANTS.items():
        path = tools.work / name
        make_variant(name, path)
        exact = Llama(path, np.float64).logits(ids)
        check_close(Llama(path, np.float32).logits(ids), exact, 2e-6, f"{name} in f32")
        if variant.config.get("max_position_embeddings", 64) >= 13:
            model, cache = Llama(path, np.float64), Cache()
            steps = [model.logits(part, cache) for part in np.split(ids, [5, 6], axis=1)]
            check_close(np.concatenate(steps, axis=1), exact, 1e-12, f"{name} with a cache")
    make_gguf(tools.work / "f32.gguf", types="f32")
    write_checkpoint(tools.work / "same", GGUF_CONFIG, random_tensors(GGUF_CONFIG))
    gguf, directory = (Llama(tools.work / name, np.float64).logits(ids) for name in ("f32.gguf", "same"))
    check_close(gguf, directory, 1e-12, "GGUF against Hugging Face")


def tokenizer(tools: Tools) -> None:
    """Round trips, digits one by one, text that streams in whole characters."""
    chat = load_chat(smollm2())
    text = "It's 2024 — 世界 🙂!\n\n  x = 10"
    ids = chat.encode([{"role": "user", "content": text}])
    check(ids[0] == 1 and ids[-3:] == [520, 9531, 198], f"the template is not ChatML: {ids}")
    check(text in chat.tokenizer.decode(ids, skip_special_tokens=False), "the prompt does not survive")
    check(chat.eos_ids == [2], f"ends of sequence: {chat.eos_ids}")
    plain = chat.tokenizer.encode(text, add_special_tokens=False).ids
    pieces = list(stream_text(chat.tokenizer, iter(plain)))
    check("".join(pieces) == text and "\ufffd" not in "".join(pieces), f"streamed {pieces}")
    check({"2", "0", "4", "世", " 🙂"} <= set(pieces), f"streamed {pieces}")


if __name__ == "__main__":
    main({"stories": stories, "kinds": kinds, "tokenizer": tokenizer})
