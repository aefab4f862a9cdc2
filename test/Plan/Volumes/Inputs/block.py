"""One layer of a published model, without embedding and head, as an nn module on standard output.

    block.py FAMILY [small]

The sizes are the model's, so that what is sent per token can be read off tables; or small ones in f32, to be run. The layer
sees 16 tokens in bf16 and is followed by a norm, as it would be by the next layer's.
"""

import sys
from dataclasses import dataclass, replace

TOKENS = 16


@dataclass
class Model:
    hidden: int
    heads: int
    kv_heads: int
    head_dim: int
    width: int
    norm: str = "rms"  # or "layer", with a bias, or "plain", a layer norm without one
    parallel: bool = False  # attention and MLP see one norm, and are added up
    fused_qkv: bool = False
    fused_gate: bool = False
    gated: bool = True
    biases: bool = False  # everywhere
    qkv_biases: bool = False
    wide_norms: bool = False  # over all heads of q, and of k; branches are normed after, not before
    post_norms: bool = False  # branches are normed before and after
    element: str = "bf16"

    def small(self) -> "Model":
        """Six heads and widths that 4 does not divide, all else alike."""
        kv_heads = 6 if self.kv_heads == self.heads else 2
        return replace(self, hidden=24, heads=6, kv_heads=kv_heads, head_dim=4, width=10, element="f32")


MODELS = {
    "llama-3-8b": Model(4096, 32, 8, 128, 14336),
    "gemma-2-2b": Model(2304, 8, 4, 256, 9216, post_norms=True),
    "phi-3-mini": Model(3072, 32, 32, 96, 8192, fused_qkv=True, fused_gate=True),
    "glm-4-9b": Model(4096, 32, 2, 128, 13696, fused_gate=True, qkv_biases=True),
    "olmo-2-7b": Model(4096, 32, 32, 128, 11008, wide_norms=True),
    "cohere": Model(8192, 64, 64, 128, 22528, norm="plain", parallel=True),
    "phi-2": Model(2560, 32, 32, 80, 10240, norm="layer", parallel=True, gated=False, biases=True),
    "starcoder2-3b": Model(3072, 24, 2, 128, 12288, norm="layer", gated=False, biases=True),
}


@dataclass(frozen=True)
class Value:
    name: str
    shape: tuple[int, ...]
    element: str

    @property
    def type(self) -> str:
        return "tensor<" + "".join(f"{size}x" for size in self.shape) + self.element + ">"


class Graph:
    """Writes a function, value by value."""

    def __init__(self, element: str) -> None:
        self.element = element
        self.arguments: list[str] = []
        self.lines: list[str] = []

    def op(self, text: str, like: Value, shape: tuple[int, ...] | None = None, element: str | None = None) -> Value:
        """`text` may say $r, the result's type."""
        result = Value(f"%{len(self.lines)}", like.shape if shape is None else shape, element or like.element)
        self.lines.append(f"  {result.name} = " + text.replace("$r", result.type))
        return result

    def parameter(self, name: str, *shape: int, initialisation: str = "normal") -> Value:
        value = Value(f"%p{len(self.arguments)}", shape, self.element)
        rank = range(len(shape))
        self.arguments.append(
            f'    {value.name}: {value.type} {{nn.parameter = #nn.parameter<name = "model.layers.0.{name}", tensor = "{name}", '
            f'shape = {list(shape)}, offset = {[0 for _ in rank]}, dims = {list(rank)}, strides = {[1 for _ in rank]}, '
            f'initialisation = "{initialisation}">}}'
        )
        return value

    def binary(self, op: str, a: Value, b: Value) -> Value:
        return self.op(f"arith.{op} {a.name}, {b.name} : $r", a)

    def unary(self, op: str, a: Value) -> Value:
        return self.op(f"{op} {a.name} : $r", a)

    def splat(self, like: Value, number: float) -> Value:
        return self.op(f"arith.constant dense<{number:e}> : $r", like)

    def broadcast(self, a: Value, shape: tuple[int, ...], *dims: int) -> Value:
        return self.op(f"nn.broadcast {a.name} dims {list(dims)} : ({a.type}) -> $r", a, shape)

    def reshape(self, a: Value, *shape: int) -> Value:
        return self.op(f"nn.reshape {a.name} : ({a.type}) -> $r", a, shape)

    def slice(self, a: Value, first: int, size: int) -> Value:
        """Of the last dim."""
        offsets = [0] * (len(a.shape) - 1) + [first]
        ones = [1] * len(a.shape)
        return self.op(f"nn.slice {a.name} offsets {offsets} strides {ones} : ({a.type}) -> $r", a, (*a.shape[:-1], size))

    def linear(self, x: Value, name: str, out: int, bias: bool) -> Value:
        w = self.parameter(f"{name}.weight", out, x.shape[-1])
        shape = (*x.shape[:-1], out)
        y = self.op(f'nn.contract {x.name}, {w.name} "bsk,nk->bsn" : ({x.type}, {w.type}) -> $r', x, shape)
        if not bias:
            return y
        return self.binary("addf", y, self.broadcast(self.parameter(f"{name}.bias", out), shape, 2))

    def norm(self, x: Value, name: str, kind: str) -> Value:
        weight = self.parameter(f"{name}.weight", x.shape[-1], initialisation="ones")
        if kind == "rms":
            return self.op(f"nn.rms_norm {x.name}, {weight.name} epsilon 1.0e-5 : ({x.type}, {weight.type}) -> $r", x)
        is_narrow = x.element != "f32"
        wide = self.op(f"arith.extf {x.name} : {x.type} to $r", x, element="f32") if is_narrow else x
        centred = self.binary("subf", wide, self.mean(wide))
        variance = self.mean(self.binary("mulf", centred, centred))
        inverse = self.unary("math.rsqrt", self.binary("addf", variance, self.splat(wide, 1e-5)))
        y = self.binary("mulf", centred, inverse)
        if is_narrow:
            y = self.op(f"arith.truncf {y.name} : {y.type} to $r", y, element=x.element)
        y = self.binary("mulf", y, self.broadcast(weight, x.shape, 2))
        if kind == "layer":
            y = self.binary("addf", y, self.broadcast(self.parameter(f"{name}.bias", x.shape[-1]), x.shape, 2))
        return y

    def mean(self, x: Value) -> Value:
        """Over the last dim, in the shape of x."""
        total = self.op(f'nn.reduce {x.name} "sum" dims [2] : ({x.type}) -> $r', x, x.shape[:-1])
        return self.broadcast(self.binary("mulf", total, self.splat(total, 1 / x.shape[-1])), x.shape, 0, 1)

    def silu(self, x: Value) -> Value:
        """Its cost is that of any activation."""
        denominator = self.binary("addf", self.unary("math.exp", self.unary("arith.negf", x)), self.splat(x, 1))
        return self.binary("divf", x, denominator)

    def rotate(self, x: Value) -> Value:
        angles = Value("", (TOKENS, x.shape[-1] // 2), x.element)
        tables = [self.splat(angles, 0.5), self.splat(angles, 0.25)]
        names = ", ".join(value.name for value in (x, *tables))
        return self.op(f"nn.rotary {names} : ({x.type}, {angles.type}, {angles.type}) -> $r", x)


def attention(graph: Graph, model: Model, x: Value) -> Value:
    q, kv, b = model.heads * model.head_dim, model.kv_heads * model.head_dim, model.biases or model.qkv_biases
    if model.fused_qkv:
        qkv = graph.linear(x, "self_attn.qkv_proj", q + 2 * kv, b)
        query, key, value = graph.slice(qkv, 0, q), graph.slice(qkv, q, kv), graph.slice(qkv, q + kv, kv)
    else:
        query = graph.linear(x, "self_attn.q_proj", q, b)
        key = graph.linear(x, "self_attn.k_proj", kv, b)
        value = graph.linear(x, "self_attn.v_proj", kv, b)
    if model.wide_norms:
        query, key = graph.norm(query, "self_attn.q_norm", "rms"), graph.norm(key, "self_attn.k_norm", "rms")
    group = model.heads // model.kv_heads
    query = graph.rotate(graph.reshape(query, 1, TOKENS, model.kv_heads, group, model.head_dim))
    key = graph.rotate(graph.reshape(key, 1, TOKENS, model.kv_heads, model.head_dim))
    value = graph.reshape(value, 1, TOKENS, model.kv_heads, model.head_dim)
    names = f"{query.name}, {key.name}, {value.name}"
    text = f"nn.attention {names} scale 0.125 causal : ({query.type}, {key.type}, {value.type}) -> $r"
    mixed = graph.reshape(graph.op(text, query), 1, TOKENS, q)
    return graph.linear(mixed, "self_attn.o_proj", model.hidden, model.biases)


def mlp(graph: Graph, model: Model, x: Value) -> Value:
    if not model.gated:
        y = graph.silu(graph.linear(x, "mlp.fc1", model.width, model.biases))
        return graph.linear(y, "mlp.fc2", model.hidden, model.biases)
    if model.fused_gate:
        both = graph.linear(x, "mlp.gate_up_proj", 2 * model.width, model.biases)
        gate, up = graph.slice(both, 0, model.width), graph.slice(both, model.width, model.width)
    else:
        gate = graph.linear(x, "mlp.gate_proj", model.width, model.biases)
        up = graph.linear(x, "mlp.up_proj", model.width, model.biases)
    y = graph.binary("mulf", graph.silu(gate), up)
    return graph.linear(y, "mlp.down_proj", model.hidden, model.biases)


def layer(graph: Graph, model: Model, x: Value) -> Value:
    if model.parallel:
        normed = graph.norm(x, "input_layernorm", model.norm)
        branches = graph.binary("addf", attention(graph, model, normed), mlp(graph, model, normed))
        return graph.binary("addf", branches, x)
    for branch, name in ((attention, "attention"), (mlp, "mlp")):
        y = x if model.wide_norms else graph.norm(x, f"pre_{name}_norm", model.norm)
        y = branch(graph, model, y)
        if model.wide_norms or model.post_norms:
            y = graph.norm(y, f"post_{name}_norm", model.norm)
        x = graph.binary("addf", x, y)
    return x


def write(model: Model) -> str:
    graph = Graph(model.element)
    x = Value("%x", (1, TOKENS, model.hidden), model.element)
    y = graph.norm(layer(graph, model, x), "next_norm", model.norm)
    arguments = ",\n".join([f'    %x: {x.type} {{nn.input = "x", nn.dims = ["batch", "sequence", ""]}}', *graph.arguments])
    body = "\n".join(graph.lines)
    return f'func.func @f(\n{arguments}) -> ({y.type} {{nn.output = "y"}}) {{\n{body}\n  return {y.name} : {y.type}\n}}\n'


if __name__ == "__main__":
    if len(sys.argv) < 2 or sys.argv[1] not in MODELS or sys.argv[2:] not in ([], ["small"]):
        sys.exit(f"usage: block.py FAMILY [small], with FAMILY one of {', '.join(MODELS)}")
    chosen = MODELS[sys.argv[1]]
    print(write(chosen.small() if sys.argv[2:] else chosen))
