"""The programs that bench/cuda.py times: one rank's shard of Llama-3-8B's blocks, with no collective in it, and all of the model on one GPU."""
import json
import re

llama = {
    "architectures": ["LlamaForCausalLM"],
    "model_type": "llama",
    "hidden_act": "silu",
    "hidden_size": 4096,
    "intermediate_size": 14336,
    "num_attention_heads": 32,
    "num_key_value_heads": 8,
    "head_dim": 128,
    "num_hidden_layers": 32,
    "max_position_embeddings": 131072,
    "rms_norm_eps": 1e-05,
    "rope_theta": 500000.0,
    "rope_scaling": {
        "factor": 8.0,
        "low_freq_factor": 1.0,
        "high_freq_factor": 4.0,
        "original_max_position_embeddings": 8192,
        "rope_type": "llama3",
    },
    "tie_word_embeddings": False,
    "torch_dtype": "bfloat16",
    "vocab_size": 128256,
}
# So small that a simulated GPU gets through.
tiny = {
    **llama,
    "hidden_size": 64,
    "intermediate_size": 128,
    "num_attention_heads": 16,
    "num_key_value_heads": 8,
    "head_dim": 8,
    "num_hidden_layers": 2,
    "vocab_size": 64,
}


def shard(config, ranks, **changes):
    """What a rank of so many has of the heads and of the hidden width."""
    parts = {key: config[key] // ranks for key in ("num_attention_heads", "num_key_value_heads", "intermediate_size")}
    return {**config, **parts, **changes}


def specs(is_tiny):
    """Each a program with @prefill and @decode; "entries" are those that the table of shards has, "use" says which others have it."""
    model, ranks = (tiny, [8]) if is_tiny else (llama, [1, 2, 4, 8])
    short, long, batch, capacity, most = (4, 8, 4, 16, 16) if is_tiny else (512, 2048, 32, 2048, 8192)
    # As few blocks as have more weights than a GPU has cache, eight times over.
    few = {"num_hidden_layers": 2 if is_tiny else 8, "vocab_size": model["vocab_size"] if is_tiny else 256}
    programs = []

    def add(name, config, batch, sequence, capacity, **more):
        programs.append({"name": name, "config": config, "batch": batch, "sequence": sequence, "capacity": capacity, "use": "", **more})

    for count in ranks:
        config = shard(model, count, **few)
        add(f"shard-{count}-{short}", config, 1, short, capacity, ranks=count, entries=["prefill"])
        add(f"shard-{count}-{long}", config, 1, long, capacity, ranks=count, entries=["prefill", "decode"])
        add(f"shard-{count}-batch", config, batch, 1, capacity, ranks=count, entries=["decode"])
    add("tiny" if is_tiny else "Llama-3-8B", model, 1, short if is_tiny else 16, capacity, use="step")
    add("kernels", {**shard(model, 1, **few), "num_hidden_layers": 2}, 1, most, most, use="kernels")
    return programs


def kernels_of(source):
    """Of each kernel in a program's source the bytes of its buffers and the module that it is for first."""
    pattern = r"// \d+ launch(?:es)?(?:, the first for (\S+))?; its buffers have (\d+) bytes?\n__global__ void __launch_bounds__\(\d+\) (kernel_\d+)\("
    return {name: [int(size), first] for first, size, name in re.findall(pattern, source)}


def make(tools, folder, compiler, is_tiny):
    """Compiles them into `folder`, with a list of what they are. `tools` and `compiler` as in bundle.py."""
    folder.mkdir()
    programs = specs(is_tiny)
    for spec in programs:
        print(f"compiling {spec['name']}", flush=True)
        source = tools.path(".cu")
        module = tools.import_model(
            tools.model(spec["config"]),
            "--entry=generate",
            f"--batch={spec['batch']}",
            f"--seq={spec['sequence']}",
            f"--max-seq={spec['capacity']}",
        )
        tools.run("tp-compile", module, *compiler, f"--source={source}", "-o", folder / f"{spec['name']}.so")
        spec["kernels"] = kernels_of(source.read_text())
    (folder / "list.json").write_text(json.dumps({"tiny": is_tiny, "programs": programs}, indent=1) + "\n")
