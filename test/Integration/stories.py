"""stories260k: the golden greedy ids on many numbers of ranks."""

from __future__ import annotations

from collections.abc import Callable

from support import Tools, check, main, stories

BOS = [1]


def golden(ranks: int) -> Callable[[Tools], None]:
    def case(tools: Tools) -> None:
        model, expected = stories(tools.work)
        ids = tools.generate(model, BOS, len(expected), f"--mesh=tp={ranks}", "--max-seq=64")
        check(ids == expected, f"on {ranks} ranks\n{ids}\ninstead of\n{expected}")

    return case


def eos(tools: Tools) -> None:
    """Generation ends at the first end-of-sequence id."""
    model, expected = stories(tools.work)
    stop = expected[7]
    first = expected.index(stop)
    ids = tools.generate(model, BOS, len(expected), "--mesh=tp=2", "--max-seq=64", f"--eos-ids=2,{stop}")
    check(ids in (expected[:first], expected[: first + 1]), f"did not stop at {stop}: {ids}")


def chunks(tools: Tools) -> None:
    """One sharded module serves prompts of every length up to the cache's."""
    model, expected = stories(tools.work)
    module = tools.shard(tools.import_model(model, "--entry=generate", "--max-seq=49"), "tp=3")
    for split in (0, 1, 15, 31, 47):
        ids = tools.generate(module, BOS + expected[:split], len(expected) - split)
        check(ids == expected[split:], f"after {split + 1} prompt ids: {ids}")


def sampling(tools: Tools) -> None:
    """A seed decides; the best of one is greedy; ids are in the vocabulary."""
    model, expected = stories(tools.work)
    options = ("--mesh=tp=2", "--max-seq=64", "--temperature=0.9")
    first = tools.generate(model, BOS, 40, *options, "--seed=5", "--top-k=20", "--top-p=0.95")
    second = tools.generate(model, BOS, 40, *options, "--seed=5", "--top-k=20", "--top-p=0.95")
    other = tools.generate(model, BOS, 40, *options, "--seed=6", "--top-k=20", "--top-p=0.95")
    check(first == second, "the same seed gave other ids")
    check(first != other, "two seeds gave the same 40 ids")
    check(all(0 <= i < 512 for i in first + other), "an id is outside the vocabulary")
    best = tools.generate(model, BOS, 40, *options, "--top-k=1", "--seed=5")
    check(best == expected[:40], f"--top-k=1 is not greedy: {best}")


CASES: dict[str, Callable[[Tools], None]] = {f"golden-{n}": golden(n) for n in (1, 2, 3, 4, 5, 6, 7, 8)} | {
    "eos": eos,
    "chunks": chunks,
    "sampling": sampling,
}

if __name__ == "__main__":
    main(CASES)
