"""Every op on every dtype: does MLX compute what the NumPy meaning says, forward, in both derivatives and batched?

`python -m tests.conformance` runs all of it and writes docs/conformance.md; tests/test_conformance.py runs a sample of it, and
all of it with --full. A sample of an op is tried with each dtype in the place of each dtype among its operands; what `infer`
refuses counts as refused, everything else has to agree.
"""

import math
import sys
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import mlx.core as mx
import numpy as np

import burngraph.ir.ops  # noqa: F401  (fills OPS)
from burngraph.errors import BurngraphError, RefusedError
from burngraph.evaluator import as_numpy
from burngraph.ir.builder import Builder, infer_types
from burngraph.ir.graph import Graph
from burngraph.ir.interpret import run
from burngraph.ir.op import OPS
from burngraph.ir.target import CPU
from burngraph.ir.types import DTYPES, Array, DType, TensorType
from burngraph.lower_mlx.lower import from_numpy, lower
from burngraph.passes.linearize import linearize
from burngraph.passes.transpose import vjp
from tests.samples import Sample, all_samples

PAGE = Path(__file__).parents[1] / "docs" / "conformance.md"
COLUMNS = ("bool", "i8", "i16", "i32", "i64", "u8", "u16", "u32", "u64", "f16", "bf16", "f32", "f64", "c64")
ASPECTS = ("forward", "jvp", "vjp", "vmap")
# Relative to the largest entry of the result. MLX's float64 is only as exact as float32 in exp, sin, cos, erf, convolution and
# what rests on them (mlx-facts 1.2), so f64 asks what f32 does.
TOLERANCE = {"f16": 1e-2, "bf16": 6e-2, "f32": 5e-5, "f64": 5e-5, "c64": 5e-5}
# Ops whose derivative magnifies rounding, by how much.
MAGNIFIED: dict[str, float] = {}


class Swapped:
    """A sample with one dtype among its operands replaced."""

    def __init__(self, sample: Sample, old: DType, new: DType) -> None:
        self.sample, self.old, self.new = sample, old, new
        self.types = tuple(t if t is None or t.dtype is not old else t.with_dtype(new) for t in sample.types)

    def __str__(self) -> str:
        return f"{self.sample}:{self.old}->{self.new}"

    def arrays(self, seed: int = 0) -> list[Array | None]:
        rng = np.random.default_rng(seed)
        sample = self.sample
        if self.new.is_integer and not self.old.is_integer and sample.ranges:  # a range such as (0.2, 0.9) holds no integer
            fits = [r is None or math.ceil(r[0]) < math.ceil(r[1]) for r in sample.ranges]
            sample = replace(sample, ranges=tuple(r if fit else (1, 4) for r, fit in zip(sample.ranges, fits, strict=True)))
        with np.errstate(all="ignore"):
            return sample.operands(rng, self.types)

    def refusal(self) -> str | None:
        """Why the op does not take these dtypes; None if it does."""
        try:
            infer_types(self.sample.op, self.types)
        except BurngraphError as error:
            return str(error)
        return None


def every_swap() -> Iterator[Swapped]:
    """All samples, each dtype among the operands of each replaced by every dtype."""
    for sample in all_samples():
        for old in dict.fromkeys(t.dtype for t in sample.types if t is not None):
            if sample.op.graphs():  # the dtypes of a nested graph's parameters are fixed
                yield Swapped(sample, old, old)
            else:
                yield from (Swapped(sample, old, new) for new in DTYPES.values())


def check(swapped: Swapped, aspect: str) -> bool:
    """Compare MLX with the interpreter; False if the op refuses the aspect.

    Raises   AssertionError   they differ
    """
    arrays = swapped.arrays()
    try:
        graph = one_op(swapped)
        given = [a for a in arrays if a is not None]
        if aspect in ("jvp", "vjp"):
            wrt = [i for i, p in enumerate(graph.params) if p.type.dtype.is_inexact]
            inexact = [v.type for v in graph.results if v.type.dtype.is_inexact]
            if not wrt or not inexact:
                return False
            extra = [graph.params[i].type for i in wrt] if aspect == "jvp" else inexact
            graph = (linearize if aspect == "jvp" else vjp)(graph, wrt)
            rng = np.random.default_rng(3)
            given += [_direction(rng, t) for t in extra]
        elif aspect == "vmap":
            others = [a for a in swapped.arrays(1) if a is not None]
            given = [np.stack(pair) for pair in zip(given, others, strict=True)]
            if not given:
                return False
            graph = stacked(swapped, given)
    except RefusedError:
        return False
    with np.errstate(all="ignore"):
        wanted = run(graph, *given)
    lowered = lower(graph, CPU)
    with mx.stream(mx.cpu):
        found = lowered.run(lowered.prepare({}), tuple(map(from_numpy, given)))
    for got, want in zip(found, wanted, strict=True):
        _compare(as_numpy(got), want, swapped)
    return True


def one_op(swapped: Swapped) -> Graph:
    """The graph of the sample's op on the swapped types."""
    builder = Builder("one_op")
    params = [None if t is None else builder.param(t) for t in swapped.types]
    return builder.build(builder.several(swapped.sample.op, *params))


def stacked(swapped: Swapped, arrays: list[Array]) -> Graph:
    """The graph of the op batched over all of its operands."""
    builder = Builder("stacked")
    rest = iter(arrays)
    params = [None if t is None else builder.param(t.with_shape(next(rest).shape)) for t in swapped.types]
    out: Any = swapped.sample.op.batched(builder, tuple(params), tuple(p is not None for p in params))
    return builder.build(out if isinstance(out, tuple) else (out,))


def _direction(rng: np.random.Generator, type: TensorType) -> Array:
    values: Any = rng.uniform(-1, 1, type.shape)
    if type.dtype.kind == "complex":
        values = values + 1j * rng.uniform(-1, 1, type.shape)
    return np.asarray(values).astype(type.dtype.numpy)


def _compare(got: Array, want: Array, swapped: Swapped) -> None:
    assert got.shape == want.shape
    assert got.dtype == want.dtype
    wide = np.complex128 if want.dtype.kind == "c" else np.float64
    name = next(d.name for d in DTYPES.values() if d.numpy == want.dtype)
    # a 16-bit or f32 operand bounds the exactness of a wider result too
    tolerance = max(TOLERANCE.get(name, 0.0), TOLERANCE.get(swapped.new.name, 0.0) if want.dtype.kind in "fcV" else 0.0)
    tolerance *= MAGNIFIED.get(swapped.sample.op.name, 1.0)
    finite = np.isfinite(want.astype(wide))
    scale = float(np.max(np.abs(want.astype(wide)), initial=0.0, where=finite))
    np.testing.assert_allclose(got.astype(wide), want.astype(wide), rtol=tolerance, atol=tolerance * scale)


def page() -> str:
    """Run everything; the text of docs/conformance.md. Raises AssertionError at the first disagreement, naming it."""
    from rich.progress import track

    tried: dict[str, dict[str, set[str]]] = defaultdict(lambda: defaultdict(set))
    counts = dict.fromkeys(ASPECTS, 0)
    refused, failures = 0, []
    for swapped in track(list(every_swap()), description="ops x dtypes"):
        if swapped.refusal() is not None:
            refused += 1
            continue
        for aspect in ASPECTS:
            try:
                held = check(swapped, aspect)
            except Exception as error:
                failures.append(f"{swapped} {aspect}: {type(error).__name__}: {str(error).strip()[:300]}")
                continue
            if held:
                counts[aspect] += 1
                tried[swapped.sample.op.name][swapped.new.name].add(aspect)
    if failures:
        print(*failures, sep="\n", file=sys.stderr)
        raise AssertionError(f"{len(failures)} disagreements")
    return _text(tried, counts, refused)


HEAD = """# Conformance

MLX (CPU) against the NumPy meaning of each op, for every dtype in the place of every dtype among the operands of every sample:
forward, both derivatives, and batched. `python -m tests.conformance` writes this page and fails on any disagreement;
`pytest --full` runs the same comparisons, and the laws of every aspect besides.

Comparisons that agree: {counts}. Combinations of dtypes that an op refuses with a message: {refused}. Ops: {ops}.

Tolerance, relative to the largest entry of the result: {tolerances}. f64 is asked no more than f32: MLX's float64 is only
as exact as float32 in exp, sin, cos, erf, convolution and what rests on them. Integers and bools must be equal.
{magnified}
F forward, J forward derivative, V reverse derivative, B batched; an empty cell is a dtype that the op does not take.
"""


def _text(tried: dict[str, dict[str, set[str]]], counts: dict[str, int], refused: int) -> str:
    head = HEAD.format(
        counts=", ".join(f"{aspect} {n}" for aspect, n in counts.items()),
        refused=refused,
        ops=len(tried),
        tolerances=", ".join(f"{name} {bound:g}" for name, bound in TOLERANCE.items()),
        magnified="".join(f"\n- `{name}`: {factor:g} times that" for name, factor in sorted(MAGNIFIED.items())),
    )
    lines = [head, "| op | " + " | ".join(COLUMNS) + " |", "| --- |" + " --- |" * len(COLUMNS)]
    letters = {"forward": "F", "jvp": "J", "vjp": "V", "vmap": "B"}
    for name in sorted(OPS):
        cells = ["".join(letters[a] for a in ASPECTS if a in tried[name][column]) for column in COLUMNS]
        lines.append(f"| {name} | " + " | ".join(cells) + " |")
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    PAGE.write_text(page())
