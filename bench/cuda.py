#!/usr/bin/env python3
"""What programs reach on a GPU, beside PyTorch and beside their floors, in one run.

    bench/cuda.py --build=build -o bench/cuda.md       # on a machine with nvcc and a GPU
    gpu-tests/bench.py -o cuda.md                      # from the archive of test/Gpu/bundle.py, with a GPU alone

Needs PyTorch for the columns that it fills, and CUPTI, of CUDA's toolkit, for the table of kernels; without them the rest is printed. Without a
GPU it says so and exits with 77.

    bench/cuda.py --build=build --check                # needs PyTorch and no GPU

holds what PyTorch computes against what programs do on CPUs, from the same weights.
"""

import argparse
import datetime
import json
import math
import os
import pathlib
import re
import statistics
import struct
import subprocess
import sys
import tempfile
import time

here = pathlib.Path(__file__).resolve().parent
no_gpu = 77
warm_runs = 3


def say(text):
    print(text, file=sys.stderr, flush=True)


# ----------------------------------------------------------------------------
# The same model in PyTorch
# ----------------------------------------------------------------------------


def rotary_frequencies(config):
    """As Llama 3.1 has them."""
    dim, base = config["head_dim"], config["rope_theta"]
    frequencies = [base ** (-2 * i / dim) for i in range(dim // 2)]
    scaling = config.get("rope_scaling")
    if not scaling:
        return frequencies
    factor, low, high = (scaling[key] for key in ("factor", "low_freq_factor", "high_freq_factor"))
    original, scaled = scaling["original_max_position_embeddings"], []
    for frequency in frequencies:
        smooth = (original * frequency / (2 * math.pi) - low) / (high - low)
        smooth = min(max(smooth, 0), 1)
        scaled.append(frequency * (smooth + (1 - smooth) / factor))
    return scaled


def make_peer(torch, spec, dtype, device):
    """The model of a program, with modules named as its parameters are."""
    config = spec["config"]
    width, heads, kv_heads, dim = (
        config[key] for key in ("hidden_size", "num_attention_heads", "num_key_value_heads", "head_dim")
    )
    nn, functional = torch.nn, torch.nn.functional

    def linear(inputs, outputs):
        return nn.Linear(inputs, outputs, bias=False, dtype=dtype, device=device)

    class Norm(nn.Module):
        def __init__(self):
            super().__init__()
            self.weight = nn.Parameter(torch.ones(width, dtype=dtype, device=device))

        def forward(self, x):
            wide = x.float()
            wide = wide * torch.rsqrt(wide.pow(2).mean(-1, keepdim=True) + config["rms_norm_eps"])
            return self.weight * wide.to(x.dtype)

    def rotate(x, cosine, sine):
        half = x.shape[-1] // 2
        return x * cosine + torch.cat((-x[..., half:], x[..., :half]), -1) * sine

    class Attention(nn.Module):
        def __init__(self):
            super().__init__()
            self.q_proj, self.o_proj = linear(width, heads * dim), linear(heads * dim, width)
            self.k_proj, self.v_proj = linear(width, kv_heads * dim), linear(width, kv_heads * dim)
            shape = (spec["batch"], kv_heads, spec["capacity"], dim)
            for name in ("keys", "values"):
                self.register_buffer(name, torch.zeros(shape, dtype=dtype, device=device), persistent=False)

        def forward(self, x, cosine, sine, position):
            batch, length, _ = x.shape
            end = position + length
            q, k, v = (
                project(x).view(batch, length, -1, dim).transpose(1, 2) for project in (self.q_proj, self.k_proj, self.v_proj)
            )
            self.keys[:, :, position:end] = rotate(k, cosine, sine)
            self.values[:, :, position:end] = v
            mask = None
            if position > 0 and length > 1:  # no prefill that is timed
                mask = torch.ones(length, end, dtype=torch.bool, device=x.device).tril(position)
            out = functional.scaled_dot_product_attention(
                rotate(q, cosine, sine),
                self.keys[:, :, :end],
                self.values[:, :, :end],
                attn_mask=mask,
                is_causal=position == 0 and length > 1,
                enable_gqa=heads != kv_heads,
            )
            return self.o_proj(out.transpose(1, 2).reshape(batch, length, heads * dim))

    class Gates(nn.Module):
        def __init__(self):
            super().__init__()
            hidden = config["intermediate_size"]
            self.gate_proj, self.up_proj, self.down_proj = linear(width, hidden), linear(width, hidden), linear(hidden, width)

        def forward(self, x):
            return self.down_proj(functional.silu(self.gate_proj(x)) * self.up_proj(x))

    class Block(nn.Module):
        def __init__(self):
            super().__init__()
            self.input_layernorm, self.self_attn = Norm(), Attention()
            self.post_attention_layernorm, self.mlp = Norm(), Gates()

        def forward(self, x, cosine, sine, position):
            x = x + self.self_attn(self.input_layernorm(x), cosine, sine, position)
            return x + self.mlp(self.post_attention_layernorm(x))

    class Inner(nn.Module):
        def __init__(self):
            super().__init__()
            self.embed_tokens = nn.Embedding(config["vocab_size"], width, dtype=dtype, device=device)
            self.layers = nn.ModuleList(Block() for _ in range(config["num_hidden_layers"]))
            self.norm = Norm()
            frequencies = torch.tensor(rotary_frequencies(config), dtype=torch.float32, device=device)
            self.register_buffer("frequencies", frequencies, persistent=False)

    class Model(nn.Module):
        """Logits of the last token; `position` is a number, so that a compiled step is made for it."""

        def __init__(self):
            super().__init__()
            self.model, self.lm_head = Inner(), linear(width, config["vocab_size"])

        def forward(self, ids, position):
            x = self.model.embed_tokens(ids)
            places = torch.arange(position, position + ids.shape[1], dtype=torch.float32, device=ids.device)
            angles = torch.outer(places, self.model.frequencies)
            angles = torch.cat((angles, angles), -1)
            cosine, sine = angles.cos().to(x.dtype), angles.sin().to(x.dtype)
            for layer in self.model.layers:
                x = layer(x, cosine, sine, position)
            return self.lm_head(self.model.norm(x[:, -1:]))

    return Model().requires_grad_(False).eval()


def time_peer(torch, model, spec, entry, compiled, repetitions):
    """Microseconds of a run, from its call until the GPU is done: the median. None if it cannot be."""
    prefills = entry == "prefill"
    ids = torch.zeros(spec["batch"], spec["sequence"] if prefills else 1, dtype=torch.long, device="cuda")
    position = 0 if prefills else spec["capacity"] - 1
    try:
        with torch.inference_mode():
            torch.compiler.reset()
            # A compiled decode step is a CUDA graph; a prefill gains nothing by one.
            run = torch.compile(model, dynamic=False, mode="default" if prefills else "reduce-overhead") if compiled else model
            times = []
            for i in range(-warm_runs - 2, repetitions):
                begin = time.perf_counter()
                run(ids, position)
                torch.cuda.synchronize()
                if i >= 0:
                    times.append(time.perf_counter() - begin)
            return statistics.median(times) * 1e6
    except Exception as error:  # whatever PyTorch's compiler and allocator raise
        say(f"PyTorch, {spec['name']}, {entry}{', compiled' if compiled else ''}: {str(error).splitlines()[0] if str(error) else error!r}")
        return None


# ----------------------------------------------------------------------------
# Floors
# ----------------------------------------------------------------------------


def block_parameters(config):
    width, dim = config["hidden_size"], config["head_dim"]
    heads, kv_heads = config["num_attention_heads"], config["num_key_value_heads"]
    return width * dim * (2 * heads + 2 * kv_heads) + 3 * width * config["intermediate_size"]


def floors(spec, entry, copy_rate, product_rate):
    """Microseconds of one block: of the bytes that must move, of the operations that must be done. bf16."""
    config, batch = spec["config"], spec["batch"]
    length = spec["sequence"] if entry == "prefill" else 1
    keys = spec["sequence"] if entry == "prefill" else spec["capacity"]
    row = 2 * config["head_dim"]
    moved = 2 * (block_parameters(config) + 2 * config["hidden_size"])
    moved += 2 * batch * keys * config["num_key_value_heads"] * row  # keys and values, new ones written or old ones read
    moved += 2 * batch * length * config["hidden_size"] * 2  # what comes in and goes out
    pairs = batch * (length * (length + 1) / 2 if entry == "prefill" else keys)
    done = 2 * batch * length * block_parameters(config) + 4 * pairs * config["num_attention_heads"] * config["head_dim"]
    return moved / copy_rate * 1e6, done / product_rate * 1e6


def step_bytes(config):
    """The weights that a decode step reads; of the embedding it reads a row."""
    layers = config["num_hidden_layers"] * (block_parameters(config) + 2 * config["hidden_size"])
    return 2 * (layers + config["hidden_size"] * (config["vocab_size"] + 2))


# ----------------------------------------------------------------------------
# Measuring
# ----------------------------------------------------------------------------


def environment(folder, **more):
    """The archive's libraries first, then what the user says, then where CUDA's may be: the toolkit's, and those that PyTorch brings."""
    toolkit = pathlib.Path(os.environ.get("CUDA_HOME", "/usr/local/cuda"))
    folders = [folder / "lib", *os.environ.get("LD_LIBRARY_PATH", "").split(":"), toolkit / "lib64", toolkit / "extras/CUPTI/lib64"]
    for site in sys.path:
        folders += sorted(pathlib.Path(site).glob("nvidia/*/lib"))
    libraries = ":".join(str(each) for each in folders if str(each))
    return {**os.environ, "TPRT_PLUGIN_PATH": str(folder / "lib"), "LD_LIBRARY_PATH": libraries, **more}


def run(command, **more):
    return subprocess.run([str(part) for part in command], stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False, **more)


def stop(command, result):
    said = (result.stderr.strip() or result.stdout.strip()).splitlines()
    last = said[-1] if said else f"ended with {result.returncode}"
    if result.returncode == no_gpu:
        print(last.replace("error: ", ""))
        sys.exit(no_gpu)
    sys.exit(f"{last if last.startswith('error: ') else 'error: ' + last}, of {' '.join(map(str, command))}")


def time_program(folder, spec, entry, repetitions, **more):
    """Microseconds of a run, the median, and the device's description."""
    position, length = (0, spec["sequence"]) if entry == "prefill" else (spec["capacity"] - 1, 1)
    command = [folder / "bin" / "gpu-check", "time", folder / "benches" / f"{spec['name']}.so", entry, repetitions]
    command += [f"position={position}", f"length={length}", "input_ids=0"]
    result = run(command, env=environment(folder, **more))
    found = re.search(r"median ([\d.]+) us; on (.+)", result.stdout)
    if result.returncode or not found:
        stop(command, result)
    return float(found[1]), found[2]


def ceilings(folder, tiny):
    """The chip with its versions, bytes and operations a second, and the rows of bench-cuda."""
    command = [folder / "bin" / "bench-cuda"] + (["--tiny"] if tiny else [])
    result = run(command, env=environment(folder))
    first, _, rows = result.stdout.partition("\n\n")
    found = re.match(r"(.+): a copy of \d+ bytes moves ([\d.]+) GB/s, a product of \d+ does ([\d.]+) TFLOP/s", first)
    if result.returncode or not found:
        stop(command, result)
    return first, max(float(found[2]), 1e-3) * 1e9, max(float(found[3]), 1e-5) * 1e12, rows.strip()


def driver_version():
    try:
        result = run(["nvidia-smi", "--query-gpu=driver_version", "--format=csv,noheader"])
        if result.returncode == 0:
            return result.stdout.split()[0]
    except OSError:
        pass
    return "unknown"


def import_torch():
    try:
        import torch
    except ImportError:
        return None, "no PyTorch: its columns are empty"
    if not torch.cuda.is_available():
        return None, f"PyTorch {torch.__version__} finds no GPU: its columns are empty"
    return torch, f"PyTorch {torch.__version__} (CUDA {torch.version.cuda})"


# ----------------------------------------------------------------------------
# Tables
# ----------------------------------------------------------------------------


def cell(value, form="{:.1f}"):
    return "" if value is None else form.format(value)


def shard_table(folder, listing, torch, copy_rate, product_rate, repetitions):
    lines = [
        "| ranks | step | floor: bytes, us | floor: operations, us | program, us | of the floor | without cuDNN, us | as a graph, us | "
        "of the floor | PyTorch, us | compiled, us |",
        "|---|---|---|---|---|---|---|---|---|---|---|",
    ]
    for spec in listing["programs"]:
        if "ranks" not in spec:
            continue
        layers, model = spec["config"]["num_hidden_layers"], None
        if torch:
            torch.manual_seed(1)
            model = make_peer(torch, spec, torch.bfloat16, "cuda")
        for entry in spec["entries"]:
            say(f"{spec['name']}, {entry}")
            by_bytes, by_operations = floors(spec, entry, copy_rate, product_rate)
            floor = max(by_bytes, by_operations)
            plain, device = time_program(folder, spec, entry, repetitions)
            plain, own, graph = plain / layers, None, None
            if entry == "prefill" and "cuDNN" in device:
                own = time_program(folder, spec, entry, repetitions, TPRT_CUDNN="0")[0] / layers
            if entry == "decode":
                graph = time_program(folder, spec, entry, repetitions, TPRT_CUDA_GRAPHS="1")[0] / layers
            eager, compiled = (time_peer(torch, model, spec, entry, way, repetitions) if torch else None for way in (False, True))
            step = f"prefill {spec['sequence']}" if entry == "prefill" else f"decode, batch {spec['batch']}"
            lines.append(
                f"| {spec['ranks']} | {step} | {by_bytes:.1f} | {by_operations:.1f} | {plain:.1f} | {floor / plain:.2f} | {cell(own)} | "
                f"{cell(graph)} | {cell(graph and floor / graph, '{:.2f}')} | "
                f"{cell(eager and eager / layers)} | {cell(compiled and compiled / layers)} |"
            )
        if torch:
            del model
            torch.cuda.empty_cache()
    return lines


def step_table(folder, listing, copy_rate, repetitions):
    lines = [
        "| model | weights, MB | floor, ms | launches, ms | of the floor | as a graph, ms | of the floor | products measured, ms | of the floor |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    for spec in listing["programs"]:
        if spec["use"] != "step":
            continue
        say(f"{spec['name']}, decode")
        size = step_bytes(spec["config"])
        floor = size / copy_rate * 1e3
        times = [
            time_program(folder, spec, "decode", repetitions, TPRT_CUDA_GRAPHS=graphs, TPRT_MEASURE_PRODUCTS=measures)[0] / 1e3
            for graphs, measures in ("00", "10", "11")
        ]
        cells = " | ".join(f"{time:.3f} | {floor / time:.2f}" for time in times)
        lines.append(f"| {spec['name']} | {size / 1e6:.0f} | {floor:.3f} | {cells} |")
    return lines


def read_times(text):
    """What bench/kernels.cpp writes: name to (launches, microseconds of the fastest, of all)."""
    times = {}
    for line in text.splitlines():
        launches, least, total, name = line.split(" ", 3)
        times[name] = (int(launches), int(least) / 1e3, int(total) / 1e3)
    return times


def kernel_rows(times, spec, copy_rate):
    """A program's own kernels have the bytes of their buffers; what else there is has its share of the time."""
    lines = ["| kernel | first for | MB | us | GB/s | of the copy | share of the time |", "|---|---|---|---|---|---|---|"]
    total = sum(each[2] for each in times.values())
    for name, (_, least, taken) in sorted(times.items(), key=lambda item: -item[1][2]):
        share = f"{100 * taken / total:.1f} %"
        own = re.search(r"kernel_\d+", name)
        if own and own[0] in spec["kernels"]:
            size, first = spec["kernels"][own[0]]
            rate = size / least * 1e6
            lines.append(
                f"| {own[0]} | {first} | {size / 1e6:.1f} | {least:.1f} | {rate / 1e9:.0f} | {rate / copy_rate:.2f} | {share} |"
            )
        elif taken > total / 1000:
            short = re.search(r"\d([a-z][A-Za-z]*Kernel)", name)  # of a name as C++ mangles it
            lines.append(f"| {short[1] if short else name[:60]} | | | {least:.1f} | | | {share} |")
    return lines


def kernel_table(folder, listing, copy_rate):
    spec = next(spec for spec in listing["programs"] if spec["use"] == "kernels")
    library = folder / "lib" / "libkernel-times.so"
    if not library.exists():
        return ["Not measured: there is no libkernel-times.so."]
    with tempfile.TemporaryDirectory() as work:
        path = pathlib.Path(work) / "times"
        say(f"{spec['name']}, kernels")
        time_program(folder, spec, "prefill", 3, CUDA_INJECTION64_PATH=str(library), TPRT_KERNEL_TIMES=str(path))
        if not path.exists() or not path.read_text():
            return ["Not measured: CUPTI, of CUDA's toolkit, did not tell of kernels."]
        return kernel_rows(read_times(path.read_text()), spec, copy_rate)


text_of_shards = """## One rank's shard of a block

Each row is a model whose blocks have the shapes that one rank of so many has of Llama-3-8B's: heads, KV heads and hidden width are divided,
and no collective is in it, on either side; what they take is another table's. There are {layers} blocks in a row, each with weights
of its own, so that none are in a cache from the run before; the time is divided by that. A vocabulary of {vocabulary} before and a head
after them are in the time, too. bf16, random weights. A prefill begins at position 0; a decode step is the last of a cache of
{capacity}. PyTorch runs the same model (`bench/cuda.py`) on the same shapes in the same way: projections apart as they are published,
`scaled_dot_product_attention`, a cache that is written in place. Compiled is `torch.compile`, and for decode `mode="reduce-overhead"`, which is
a CUDA graph. A program's prefill takes its attention from cuDNN where there is one; without, it is by the program's own kernel. All
times are those of a call until the GPU is done, the median of {repetitions}.
"""

text_of_step = """## A decode step

All of the model on one GPU, with launches one by one, as a CUDA graph (`TPRT_CUDA_GRAPHS=1`), and as one whose products are by the fastest
algorithm that was measured (`TPRT_MEASURE_PRODUCTS=1`); the floor is that of the weights' bytes.
"""

text_of_kernels = """## Kernels of a program

Of a prefill of {sequence} tokens, whose buffers are larger than a GPU's caches, by CUPTI. The fastest launch of each; bytes are those of its
buffers, each once. Kernels of fewer bytes than a megabyte, or at other sizes, say little about bandwidth.
"""


def report(folder, options):
    listing = json.loads((folder / "benches" / "list.json").read_text())
    repetitions = 3 if listing["tiny"] else 20
    first, copy_rate, product_rate, rows = ceilings(folder, listing["tiny"])
    torch, about = import_torch()
    say(about)
    spec = next(spec for spec in listing["programs"] if "ranks" in spec)
    device = time_program(folder, spec, "decode", 1)[1]
    long = next(spec for spec in listing["programs"] if spec["use"] == "kernels")
    lines = ["# Programs on a GPU", "", f"{datetime.date.today()}; driver {driver_version()}; {about}.", ""]
    lines += [f"{first}. Programs run on {device}."]
    lines += ["", "## What programs call", "", rows, "", text_of_shards.format(
        layers=spec["config"]["num_hidden_layers"], vocabulary=spec["config"]["vocab_size"], capacity=spec["capacity"], repetitions=repetitions
    )]  # fmt: skip
    lines += shard_table(folder, listing, torch, copy_rate, product_rate, repetitions)
    lines += ["", text_of_step, *step_table(folder, listing, copy_rate, repetitions)]
    lines += ["", text_of_kernels.format(sequence=long["sequence"]), *kernel_table(folder, listing, copy_rate)]
    text = "\n".join(lines) + "\n"
    if options.output:
        options.output.write_text(text)
    else:
        print(text, end="")


# ----------------------------------------------------------------------------
# Whether PyTorch computes the same
# ----------------------------------------------------------------------------

all_bits = (1 << 64) - 1


def scramble(x):
    x ^= x >> 30
    x = x * 0xBF58476D1CE4E5B9 & all_bits
    x ^= x >> 27
    x = x * 0x94D049BB133111EB & all_bits
    return x ^ x >> 31


def random_weights(seed, tensor, count):
    """As runtime/host/RandomSource.cpp makes them."""
    key = 0xCBF29CE484222325
    for byte in tensor.encode():
        key = (key ^ byte) * 0x100000001B3 & all_bits
    key = scramble(scramble(seed + 0x9E3779B97F4A7C15 & all_bits) ^ key)
    values = []
    for index in range(count):
        total = 0
        for i in range(3):
            bits = scramble(key + (3 * index + i + 1) * 0x9E3779B97F4A7C15 & all_bits)
            total += sum(bits >> shift & 0xFFFF for shift in (0, 16, 32, 48))
        values.append(0.02 * (2 * total - 12 * 65535) / (2 * 65536.0))
    return values


def peer_logits(torch, spec, dtype, prompt, steps, chosen):
    """Of a prompt's chunks, and of decode steps that are fed what the program chose."""
    model = make_peer(torch, spec, dtype, "cpu")
    for name, parameter in model.named_parameters():
        if parameter.dim() > 1:
            values = torch.tensor(random_weights(1, name, parameter.numel()), dtype=torch.float64)
            parameter.copy_(values.view_as(parameter).to(dtype))
    logits, position = [], 0
    pieces = [prompt[i : i + spec["sequence"]] for i in range(0, len(prompt), spec["sequence"])]
    for number in range(len(pieces) + steps):
        piece = pieces[number] if number < len(pieces) else [chosen[number - 1]]
        logits.append(model(torch.tensor([piece]), position)[0, -1].double())
        position += len(piece)
    return logits


def program_logits(torch, path, vocabulary):
    """From the record of gpu-check: the best `vocabulary` of each step, and their ids."""
    data, at, logits, chosen = path.read_bytes(), 0, [], []
    while at < len(data):
        arrays = []
        for form in ("f", "i"):
            _, count = struct.unpack_from("<qq", data, at)
            arrays.append(struct.unpack_from(f"<{count}{form}", data, at + 16))
            at += 16 + 4 * count
        row = torch.zeros(vocabulary, dtype=torch.float64)
        row[torch.tensor(arrays[1])] = torch.tensor(arrays[0], dtype=torch.float64)
        logits.append(row)
        chosen.append(arrays[1][0])
    return logits, chosen


def check(options):
    try:
        import torch
    except ImportError:
        print("skipped: no PyTorch")
        sys.exit(no_gpu)
    sys.path.insert(0, str(here.parent / "test" / "Gpu"))
    import benches

    tools, good = options.build / "bin", True
    for name, tolerance in (("f32", 1e-5), ("bf16", 3e-2)):
        with tempfile.TemporaryDirectory() as work, torch.inference_mode():
            work = pathlib.Path(work)
            config = benches.shard(benches.tiny, 2)
            spec = {"config": config, "batch": 1, "sequence": 4, "capacity": 32}
            (work / "model").mkdir()
            (work / "model" / "config.json").write_text(json.dumps(config))
            vocabulary = config["vocab_size"]
            commands = [
                [tools / "tp-import", work / "model", "--entry=generate", "--seq=4", "--max-seq=32", f"--dtype={name}",
                 f"--top-k={vocabulary}", "-o", work / "model.mlir"],
                [tools / "tp-compile", work / "model.mlir", "-o", work / "model.so"],
                [tools / "gpu-check", "record", work / "model.so", work / "record"],
            ]  # fmt: skip
            for command in commands:
                result = run(command)
                if result.returncode:
                    stop(command, result)
            found, chosen = program_logits(torch, work / "record", vocabulary)
            wanted = peer_logits(torch, spec, getattr(torch, {"f32": "float32", "bf16": "bfloat16"}[name]), [1, 2, 3, 4, 5, 6], 12, chosen)
            if len(found) != len(wanted):
                sys.exit(f"error: the program has {len(found)} steps, PyTorch {len(wanted)}")
            error = max(float((a - b).abs().max() / b.abs().max()) for a, b in zip(found, wanted))
            good &= error <= tolerance
            print(f"{name}: logits of {len(found)} steps, largest difference {error:.2g}, tolerance {tolerance:g}")
    sys.exit(0 if good else 1)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--build", type=pathlib.Path, help="the build tree; else what is beside this file, as in the archive")
    parser.add_argument("--arch", default="sm_90", help="with --build: the GPU, as tp-compile has it")
    parser.add_argument("-o", dest="output", type=pathlib.Path, help="where to write the page; else to the standard output")
    parser.add_argument("--check", action="store_true", help="with --build: whether PyTorch computes the same, on a CPU")
    options = parser.parse_args()
    if options.build:
        options.build = options.build.resolve()
    if options.check:
        if not options.build:
            parser.error("--check needs --build")
        check(options)
    if not options.build:
        if not (here / "benches" / "list.json").exists():
            parser.error("say --build=BUILD, or run bench.py of the archive that test/Gpu/bundle.py makes")
        return report(here, options)
    with tempfile.TemporaryDirectory() as work:
        archive = pathlib.Path(work) / "archive.tar.gz"
        command = [sys.executable, here.parent / "test" / "Gpu" / "bundle.py", f"--build={options.build}", f"--arch={options.arch}"]
        made = run([*command, "--only=benches", "-o", archive])
        if made.returncode:
            stop(command, made)
        subprocess.run(["tar", "xf", archive, "-C", work], check=True)
        report(pathlib.Path(work) / "gpu-tests", options)


if __name__ == "__main__":
    main()
