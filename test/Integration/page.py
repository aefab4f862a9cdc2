"""tp-report --format=html in a browser: opened, filtered, clicked, by keyboard, dark and light, wide and narrow."""

from __future__ import annotations

import struct
import time
import zlib
from pathlib import Path

import browser
from support import Tools, check, main, skip, smollm2

from make_checkpoint import make_config


def page(tools: Tools, mesh: str = "dp=1,tp=4") -> Path:
    module = tools.import_model(smollm2(), "--entry=generate", "--max-seq=128")
    tools.output("tp-report", tools.shard(module, mesh), "--format=html", "-o", "page.html")
    return tools.work / "page.html"


def chromium() -> str:
    return browser.find() or skip("there is no Chromium; TP_CHROMIUM names one")


def colours(png: bytes) -> int:
    """How many different lines of pixels a PNG has: one if it is empty."""
    data, at = b"", 8
    width = height = 0
    while at < len(png):
        (size,), kind = struct.unpack(">I", png[at : at + 4]), png[at + 4 : at + 8]
        if kind == b"IHDR":
            width, height = struct.unpack(">II", png[at + 8 : at + 16])
        if kind == b"IDAT":
            data += png[at + 8 : at + 8 + size]
        at += 12 + size
    raw = zlib.decompress(data)
    line = len(raw) // max(1, height)
    check(width > 0 and height > 0, "the screenshot has no size")
    return len({raw[i * line : (i + 1) * line] for i in range(height)})


def alone(tools: Tools) -> None:
    """One file that names no other, and data that ends no script. No browser needed."""
    text = page(tools).read_text()
    for word in ("http:", "https:", "src=", "@import", "url("):
        found = [i for i in range(len(text)) if text.startswith(word, i)]
        found = [i for i in found if not text.startswith("http://www.w3.org/2000/svg", i)]
        check(not found, f"the page has {word!r}: {text[found[0] - 40 : found[0] + 60]!r}" if found else "")
    check(text.count("</script>") == 2 and text.count("<script") == 2, "data ends a script")
    make_config("llama-3-405b", tools.work / "large")
    module = tools.import_model("large", "--entry=forward", "--seq=128", "--batch=2048")
    sharded = tools.shard(module, "dp=2048,tp=8")
    start = time.monotonic()
    size = len(tools.output("tp-report", sharded, "--format=html"))
    seconds = time.monotonic() - start
    check(size < 3_000_000, f"the page of 126 layers has {size} bytes")
    # A sanitizer takes its time.
    cache = tools.bin.parent / "CMakeCache.txt"
    is_sanitized = cache.exists() and "TP_SANITIZE:STRING=\n" not in cache.read_text() + "\n"
    print(f"{seconds:.2f} s, {size} bytes")
    check(seconds < 2 or is_sanitized, f"126 layers and 16384 devices take {seconds} s")


def wide(tools: Tools) -> None:
    path = page(tools)
    with browser.Browser(chromium(), tools.work / "profile") as tab:
        tab.open(path)
        rows = "document.querySelectorAll('#table tbody tr.row').length"
        check(tab.run(rows) == 8, f"{tab.run(rows)} rows of folded collectives")
        tab.click("#fold")
        check(tab.run(rows) == 124, f"{tab.run(rows)} rows of all collectives")
        tab.click("#filter")
        tab.type("layers.7.mlp decode")
        check(tab.run(rows) == 1, f"{tab.run(rows)} rows after filtering")
        check("decode" in tab.run("document.querySelector('#table tbody').innerText"), "the wrong row is left")
        tab.run("document.querySelector('#filter').select()")
        tab.type("layers")
        # Sorted by bytes, the largest first, then the smallest.
        cell = "document.querySelector('#table tbody tr.row').cells[6].innerText"
        tab.click("#table th:nth-child(7) button")
        check(tab.run(cell) == "216 KiB", f"sorted down, the first sends {tab.run(cell)}")
        tab.click("#table th:nth-child(7) button")
        check(tab.run(cell) == "3.4 KiB", f"sorted up, the first sends {tab.run(cell)}")
        check(tab.run("document.querySelector('#table th:nth-child(7)').ariaSort") == "ascending", "aria-sort")
        # A row opens by mouse and closes by keyboard.
        tab.click("#table tbody tr.row")
        detail = tab.run("document.querySelector('#table tr.detail').innerText")
        check("is partial over tp because" in detail and "needs it whole" in detail, f"a row's detail is {detail!r}")
        check("sharded.mlir:" in detail, f"a row's detail has no location: {detail!r}")
        tab.run("document.querySelector('#table tbody tr.row').focus()")
        tab.press("Enter")
        check(tab.run("document.querySelectorAll('#table tr.detail').length") == 0, "Enter closes no row")
        # The graph of a layer has two collectives.
        check(tab.run("document.querySelectorAll('#graph .edge.sends').length") >= 2, "the graph marks no collectives")
        tab.run("document.querySelector('#graph .edge.sends').focus()")
        tab.press("Enter")
        said = tab.run("document.querySelector('#graph-detail').innerText")
        check("all_reduce" in said and "IR:" in said, f"an edge says {said!r}")
        # Choosing an op shows how its result lies.
        tab.run("[...document.querySelectorAll('#graph .node')].find((n) => n.textContent.includes('nn.attention')).id = 'chosen'")
        tab.click("#chosen")
        check("self_attn" in tab.run("document.querySelector('#tensor-name').value"), "an op is not shown on the mesh")
        check("Shard(2)" in tab.run("document.querySelector('#tensor-about').innerText"), "an op's placement is not shown")
        # Memory over the program, by keyboard.
        tab.run("document.querySelector('#curve svg').focus()")
        before = tab.run("document.querySelector('#curve-detail').innerText")
        tab.press("ArrowRight")
        after = tab.run("document.querySelector('#curve-detail').innerText")
        check("in use" in before and before != after, f"the curve says {before!r}, then {after!r}")
        check(tab.run("document.querySelectorAll('#tree details').length") > 10, "the module tree is empty")
        # 3 KV heads in 4 blocks: one is padding, and device 2 has one.
        tab.run("document.querySelector('#tensor-name').value = 'model.layers.0.self_attn.q_proj.weight'")
        tab.run("document.querySelector('#tensor-name').dispatchEvent(new Event('input'))")
        tab.run("document.querySelector('#device').value = 2; document.querySelector('#device').dispatchEvent(new Event('input'))")
        check(tab.run("document.querySelectorAll('#picture td.cell').length") == 4, "the tensor has not 4 blocks")
        check(tab.run("document.querySelectorAll('#picture td.padding').length") == 1, "no block is padding")
        check(tab.run("document.querySelector('#picture td.mine').innerText").startswith("2"), "device 2 has another block")
        check(colours(tab.screenshot()) > 100, "the screenshot is empty")
        check(not tab.errors, f"console: {tab.errors}")
        outside = [url for url in tab.requests if not url.startswith(("file:", "data:", "about:"))]
        check(not outside, f"requests: {outside}")


def empty(tools: Tools) -> None:
    """A program that sends nothing, one that has no layers, and tensors over three axes have pages too."""
    program = """tp.mesh @mesh = <["x"=2, "y"=2, "z"=2]>
func.func @f(%a: tensor<1x2x2xf32> {nn.input = "a", tp.global = tensor<2x3x4xf32>,
    tp.sharding = #tp.sharding<@mesh, [{"x"}, {"y"} pad 4, {"z"}]>})
    -> (tensor<1x2x2xf32> {nn.output = "</script><b>", tp.global = tensor<2x3x4xf32>,
    tp.sharding = #tp.sharding<@mesh, [{"x"}, {"y"} pad 4, {"z"}]>}) {
  %0 = math.exp %a : tensor<1x2x2xf32>
  return %0 : tensor<1x2x2xf32>
}
"""
    (tools.work / "cube.mlir").write_text(program)
    (tools.work / "nothing.mlir").write_text("tp.mesh @mesh = <[\"x\"=2]>\nfunc.func @f() { return }\n")
    for name in ("cube", "nothing"):
        tools.output("tp-report", f"{name}.mlir", "--format=html", "-o", f"{name}.html")
    with browser.Browser(chromium(), tools.work / "profile") as tab:
        tab.open(tools.work / "nothing.html")
        check(not tab.errors, f"console: {tab.errors}")
        tab.open(tools.work / "cube.html")
        check(tab.run("document.querySelectorAll('#table tbody tr').length") == 0, "there are collectives")
        cells = "document.querySelectorAll('#picture td.cell').length"
        check(tab.run(cells) == 4, f"{tab.run(cells)} blocks of a slice")
        tab.run("document.querySelector('#tensor-slices input').value = 1")
        tab.run("document.querySelector('#tensor-slices input').dispatchEvent(new Event('input'))")
        cell = "[...document.querySelectorAll('#picture td.cell')].map((c) => c.innerText).join('|')"
        check(tab.run(cell) == "4|5|6|7", f"the second slice has devices {tab.run(cell)}")
        check(not tab.errors, f"console: {tab.errors}")


def narrow(tools: Tools) -> None:
    """A phone in the dark: nothing is wider than the screen but what scrolls."""
    path = page(tools)
    with browser.Browser(chromium(), tools.work / "profile", width=390, height=800, dark=True) as tab:
        tab.open(path)
        check(tab.run("document.documentElement.scrollWidth") <= 390, f"{tab.run('document.documentElement.scrollWidth')} wide")
        paper = tab.run("getComputedStyle(document.body).backgroundColor")
        check(paper == "rgb(22, 24, 27)", f"dark paper is {paper}")
        # Everything that can be chosen can be reached by Tab.
        for _ in range(12):
            tab.press("Tab")
        focused = tab.run("document.activeElement.tagName")
        check(focused != "BODY", "Tab goes nowhere")
        check(colours(tab.screenshot()) > 100, "the screenshot is empty")
        check(not tab.errors, f"console: {tab.errors}")


if __name__ == "__main__":
    main({"alone": alone, "empty": empty, "wide": wide, "narrow": narrow})
