#!/usr/bin/env python3
"""Writes a tiny Llama whose weights are zeros, to test the importer with.

make-model.py OUT.gguf [edits]    a GGUF file
make-model.py DIRECTORY [edits]   config.json and model.safetensors

Edits: --set KEY=VALUE (a JSON value; null removes the key), --drop TENSOR,
--tensor NAME=TYPE:SIZExSIZE... (adds a tensor, or changes one).
"""
import argparse
import json
import os
import struct

LAYERS, HIDDEN, INTERMEDIATE, HEADS, KV_HEADS, VOCABULARY = 2, 32, 64, 8, 2, 48
HEAD_DIM = HIDDEN // HEADS

GGUF_KEYS = {
    "general.architecture": "llama",
    "general.name": "tiny",
    "llama.block_count": LAYERS,
    "llama.context_length": 64,
    "llama.embedding_length": HIDDEN,
    "llama.feed_forward_length": INTERMEDIATE,
    "llama.attention.head_count": HEADS,
    "llama.attention.head_count_kv": KV_HEADS,
    "llama.attention.layer_norm_rms_epsilon": 1e-5,
    "llama.rope.dimension_count": HEAD_DIM,
    "llama.rope.freq_base": 10000.0,
    "tokenizer.ggml.model": "gpt2",
}
CONFIG_KEYS = {
    "architectures": ["LlamaForCausalLM"],
    "model_type": "llama",
    "hidden_size": HIDDEN,
    "intermediate_size": INTERMEDIATE,
    "num_hidden_layers": LAYERS,
    "num_attention_heads": HEADS,
    "num_key_value_heads": KV_HEADS,
    "vocab_size": VOCABULARY,
    "max_position_embeddings": 64,
    "rms_norm_eps": 1e-5,
    "tie_word_embeddings": True,
}
# Shapes have the slowest dim first.
TOP = {
    "token_embd": ("model.embed_tokens", (VOCABULARY, HIDDEN)),
    "output_norm": ("model.norm", (HIDDEN,)),
}
LAYER = {
    "attn_norm": ("input_layernorm", (HIDDEN,)),
    "attn_q": ("self_attn.q_proj", (HIDDEN, HIDDEN)),
    "attn_k": ("self_attn.k_proj", (KV_HEADS * HEAD_DIM, HIDDEN)),
    "attn_v": ("self_attn.v_proj", (KV_HEADS * HEAD_DIM, HIDDEN)),
    "attn_output": ("self_attn.o_proj", (HIDDEN, HIDDEN)),
    "ffn_norm": ("post_attention_layernorm", (HIDDEN,)),
    "ffn_gate": ("mlp.gate_proj", (INTERMEDIATE, HIDDEN)),
    "ffn_up": ("mlp.up_proj", (INTERMEDIATE, HIDDEN)),
    "ffn_down": ("mlp.down_proj", (HIDDEN, INTERMEDIATE)),
}
# Name: (GGUF's number, elements in a block, bytes of a block).
TYPES = {
    "F32": (0, 1, 4), "F16": (1, 1, 2), "BF16": (30, 1, 2), "F64": (28, 1, 8),
    "Q4_0": (2, 32, 18), "Q4_1": (3, 32, 20), "Q8_0": (8, 32, 34),
    "Q6_K": (14, 256, 210),
    "I32": (26, 1, 4),
}


def default_tensors(gguf, matrix_type):
    tensors = {}
    for stored, (published, shape) in TOP.items():
        name = stored if gguf else published
        tensors[name + ".weight"] = (matrix_type, shape)
    for layer in range(LAYERS):
        for stored, (published, shape) in LAYER.items():
            name = (f"blk.{layer}.{stored}" if gguf
                    else f"model.layers.{layer}.{published}")
            tensors[name + ".weight"] = (matrix_type, shape)
    return {name: ("F32" if gguf and len(shape) == 1 else kind, shape)
            for name, (kind, shape) in tensors.items()}


def content(kind, shape):
    _, elements, size = TYPES[kind]
    count = 1
    for extent in shape:
        count *= extent
    # Float vectors are ones: some tensors must not be zero.
    if kind == "F32" and len(shape) == 1:
        return struct.pack(f"<{count}f", *[1.0] * count)
    return bytes(count // elements * size)


def text(value):
    data = value.encode()
    return struct.pack("<Q", len(data)) + data


def gguf_value(value):
    if isinstance(value, str):
        return struct.pack("<I", 8) + text(value)
    if isinstance(value, bool):
        return struct.pack("<I?", 7, value)
    if isinstance(value, int):
        return (struct.pack("<II", 4, value) if 0 <= value < 2**32
                else struct.pack("<IQ", 10, value) if value > 0
                else struct.pack("<Iq", 11, value))
    if isinstance(value, float):
        return struct.pack("<If", 6, value)
    return (struct.pack("<IIQ", 9, 4, len(value)) +
            struct.pack(f"<{len(value)}I", *value))


def write_gguf(path, keys, tensors):
    header = struct.pack("<4sIQQ", b"GGUF", 3, len(tensors), len(keys))
    for key, value in keys.items():
        header += text(key) + gguf_value(value)
    data = b""
    for name, (kind, shape) in tensors.items():
        header += text(name) + struct.pack("<I", len(shape))
        header += struct.pack(f"<{len(shape)}Q", *reversed(shape))
        header += struct.pack("<IQ", TYPES[kind][0], len(data))
        data += content(kind, shape)
        data += bytes(-len(data) % 32)
    header += bytes(-len(header) % 32)
    with open(path, "wb") as file:
        file.write(header + data)


def write_directory(path, keys, tensors):
    os.makedirs(path, exist_ok=True)
    with open(os.path.join(path, "config.json"), "w") as file:
        json.dump(keys, file)
    header, data = {}, b""
    for name, (kind, shape) in tensors.items():
        begin = len(data)
        data += content(kind, shape)
        header[name] = {"dtype": kind, "shape": shape,
                        "data_offsets": [begin, len(data)]}
    table = json.dumps(header).encode()
    table += b" " * (-len(table) % 8)
    with open(os.path.join(path, "model.safetensors"), "wb") as file:
        file.write(struct.pack("<Q", len(table)) + table + data)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("out")
    parser.add_argument("--type", default="F32", help="of the matrices")
    parser.add_argument("--set", action="append", default=[])
    parser.add_argument("--drop", action="append", default=[])
    parser.add_argument("--tensor", action="append", default=[])
    args = parser.parse_args()
    gguf = args.out.endswith(".gguf")
    keys = dict(GGUF_KEYS if gguf else CONFIG_KEYS)
    for edit in args.set:
        key, value = edit.split("=", 1)
        keys[key] = json.loads(value)
    if gguf:
        keys = {key: value for key, value in keys.items() if value is not None}
    tensors = default_tensors(gguf, args.type)
    for name in args.drop:
        del tensors[name]
    for edit in args.tensor:
        name, kind, shape = edit.replace("=", ":").split(":")
        tensors[name] = (kind, tuple(int(size) for size in shape.split("x")))
    (write_gguf if gguf else write_directory)(args.out, keys, tensors)


if __name__ == "__main__":
    main()
