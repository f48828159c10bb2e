"""Each aspect of an op is a law; each law runs over all samples."""

from itertools import permutations, product
from pathlib import Path
from typing import Any

import mlx.core as mx
import numpy as np
import pytest

import burngraph.ir.ops  # noqa: F401  (fills OPS)
from burngraph.ir.builder import Builder, infer_types
from burngraph.ir.graph import Graph
from burngraph.ir.interpret import ArrayValue, Evaluate, decomposed, evaluate, run
from burngraph.ir.op import OPS, Refuses, operand_names
from burngraph.ir.ops.composite import Composite
from burngraph.ir.ops.precision import WideReference
from burngraph.ir.ops.random import RandomBits
from burngraph.passes.linearize import linearize
from burngraph.passes.push_forward import push_forward
from burngraph.passes.split_linear import split_linear
from burngraph.passes.transpose import transpose
from tests.samples import Sample, all_samples

SAMPLES = all_samples()
every_sample = pytest.mark.parametrize("sample", SAMPLES, ids=str)


def values(sample: Sample, types: Any = None) -> tuple[list[Any], tuple[Any, ...]]:
    arrays = sample.operands(np.random.default_rng(0), types)
    kinds = tuple(None if a is None else ArrayValue(a).type for a in arrays)
    return arrays, infer_types(sample.op, kinds)


def test_every_op_has_a_sample() -> None:
    assert set(OPS) - {s.op.name for s in SAMPLES} == set()


@every_sample
def test_infer(sample: Sample) -> None:
    arrays, types = values(sample)
    with np.errstate(all="ignore"):
        out = sample.op.reference(*arrays)
    assert [np.shape(a) for a in (out if isinstance(out, tuple) else (out,))] == [t.shape for t in types]
    for array, type in zip(out if isinstance(out, tuple) else (out,), types, strict=True):
        if type.dtype.bytes == 2 and type.dtype.is_inexact:  # 16-bit floats are computed in f32 and narrowed by `evaluate`
            assert np.asarray(array).dtype in (np.float32, type.dtype.numpy)
        else:
            assert np.asarray(array).dtype == type.dtype.numpy


@every_sample
def test_transpose(sample: Sample) -> None:
    op = sample.op
    arrays, types = values(sample, sample.types if op.graphs() else sample.types64())
    groups = op.linear_positions(len(arrays))
    if not groups:
        pytest.skip("not linear")
    if len(types) != 1 or not types[0].dtype.is_inexact:
        pytest.skip("several results, or integers")
    if types[0].dtype.bytes == 2:
        pytest.skip("16-bit floats are too coarse for a product")
    if op.graphs() and types[0].dtype.name == "f32":
        pytest.skip("its graphs compute in f32")
    rng = np.random.default_rng(1)
    tolerance = 1e-5 if is_complex(arrays, types) else 1e-10  # c64 is the widest there is
    for group in groups:
        point = list(arrays)
        for i in group:
            point[i] = direction(rng, arrays[i])
        y_bar = direction(rng, np.empty(types[0].shape, types[0].dtype.numpy))
        left = np.sum(np.real(evaluate(op, point, types)[0] * y_bar))
        operands = [None if a is None else ArrayValue(a) for a in point]
        if hasattr(op, "transpose_nested"):
            found = op.transpose_nested(Evaluate(), transpose, group, (ArrayValue(y_bar),), tuple(operands))
        else:
            found = [op.transpose(Evaluate(), i, ArrayValue(y_bar), *operands) for i in group]
        bars = [bar.array for bar in found]
        assert [bar.dtype for bar in bars] == [point[i].dtype for i in group]
        right = sum(np.sum(np.real(bar * point[i])) for bar, i in zip(bars, group, strict=True))
        np.testing.assert_allclose(left, right, rtol=tolerance, atol=tolerance)


def is_complex(arrays: list[Any], types: Any) -> bool:
    return any(a is not None and a.dtype.kind == "c" for a in arrays) or any(t.dtype.kind == "complex" for t in types)


def direction(rng: np.random.Generator, like: Any) -> Any:
    """A random array of like's shape: complex as it is, else f64."""
    real = np.asarray(rng.uniform(-1, 1, like.shape))
    return np.asarray(real + 1j * rng.uniform(-1, 1, like.shape)).astype(like.dtype) if like.dtype.kind == "c" else real


def along(op: Any, arrays: list[Any]) -> list[int]:
    """The operands that the derivative is taken along: floats that the op does not hold constant."""
    names = operand_names(type(op), len(arrays))
    return [
        i
        for i, a in enumerate(arrays)
        if a is not None and a.dtype in (np.float64, np.complex64) and a.size and names[i] not in op.constant_in
    ]


def differentiable(sample: Sample) -> tuple[list[Any], list[int], Graph]:
    """Operands in f64, those that the derivative is taken along, and the graph of the op alone."""
    arrays, _ = values(sample, sample.types if sample.op.graphs() else sample.types64())
    moving = along(sample.op, arrays)
    if not moving or any(a is not None and a.dtype.kind not in "fiubc" for a in arrays):
        pytest.skip("no f64 operand")
    if any(a is not None and a.dtype.kind == "f" and a.dtype != np.float64 for a in arrays):
        pytest.skip("16-bit floats are too coarse for a difference")
    b = Builder("one_op")
    params = [None if a is None else b.param(ArrayValue(a).type) for a in arrays]
    return arrays, moving, b.build(b.several(sample.op, *params))


@every_sample
def test_reverse(sample: Sample) -> None:
    """Along all operands together and each alone: what is kept of the values and the transpose of the rest give <y_bar, y_dot>.

    Values and tangents are split as a scan splits its step, and `bg.vjp` its function.
    """
    arrays, moving, graph = differentiable(sample)
    if sample.op.name == "while":
        pytest.skip("it has no reverse derivative")
    types, given = graph.result_types, [a for a in arrays if a is not None]
    present = [i for i, a in enumerate(arrays) if a is not None]
    rng = np.random.default_rng(2)
    tolerance = 1e-4 if is_complex(arrays, types) or sample.op.graphs() else 1e-8
    for chosen in dict.fromkeys([tuple(moving), *((i,) for i in moving)]):
        dots = [direction(rng, arrays[i]) for i in chosen]
        wrt = [present.index(i) for i in chosen]
        forward = run(push_forward(graph, wrt), *given, *dots)[len(types) :]
        parts = split_linear(linearize(graph, wrt), len(given), len(types))
        reverse = transpose(parts.linear, range(parts.n_residuals, len(parts.linear.params)), range(len(parts.linear.results)))
        bars = [direction(rng, y_dot).astype(y_dot.dtype) for y_dot in forward]
        kept = run(parts.primal, *given)[len(types) :]
        found = run(reverse, *kept, *bars)
        left = sum(np.sum(np.real(bar * y_dot)) for bar, y_dot in zip(bars, forward, strict=True))
        right = sum(np.sum(np.real(bar * dot)) for bar, dot in zip(found, dots, strict=True))
        np.testing.assert_allclose(right, left, rtol=tolerance, atol=tolerance)


@every_sample
def test_linearize(sample: Sample) -> None:
    """The derivative along a random direction, all operands together and each alone, is the central difference in f64."""
    arrays, moving, graph = differentiable(sample)
    results = graph.results
    present = [i for i, a in enumerate(arrays) if a is not None]
    rng = np.random.default_rng(2)
    h, tolerance = (1e-2, 1e-3) if is_complex(arrays, [r.type for r in results]) else (1e-6, 1e-5)
    for chosen in dict.fromkeys([tuple(moving), *((i,) for i in moving)]):
        dots = [direction(rng, arrays[i]) for i in chosen]
        joint = push_forward(graph, [present.index(i) for i in chosen])
        found = run(joint, *(arrays[i] for i in present), *dots)[len(results) :]
        steps = dict(zip(chosen, dots, strict=True))
        ahead, behind = (
            run(graph, *((arrays[i] + s * h * steps[i]).astype(arrays[i].dtype) if i in steps else arrays[i] for i in present))
            for s in (1, -1)
        )
        inexact = [k for k, r in enumerate(results) if r.type.dtype.is_inexact]
        for got, k in zip(found, inexact, strict=True):
            np.testing.assert_allclose(got, (ahead[k] - behind[k]) / (2 * h), rtol=tolerance, atol=tolerance / 10)


def test_permuted_acceptances_are_golden(request: pytest.FixtureRequest) -> None:
    """How many of the permutations asked of its samples each op accepts, so that None is never the lazy answer."""
    accepted: dict[str, list[int]] = {}
    for sample in SAMPLES:
        arrays, types = values(sample)
        kinds = tuple(None if a is None else ArrayValue(a).type for a in arrays)
        given = [(i, a.ndim) for i, a in enumerate(arrays) if a is not None] + [(~k, t.rank) for k, t in enumerate(types)]
        answers = [sample.op.permuted(kinds, index, perm) for index, rank in given for perm in permutations(range(rank))]
        row = accepted.setdefault(sample.op.name, [0, 0])
        row[0] += sum(answer is not None for answer in answers)
        row[1] += len(answers)
    assert_golden(request, "permuted_acceptance.txt", [f"{op} {n} of {m}" for op, (n, m) in sorted(accepted.items())])


def test_refusals_are_golden(request: pytest.FixtureRequest) -> None:
    """Every aspect that an op refuses, and why: a new refusal shows in review as a new line."""
    lines = [
        f"{name}.{aspect}: {refusal.reason}"
        for name, op in sorted(OPS.items())
        for aspect in dir(op)
        if isinstance(refusal := getattr(op, aspect), Refuses)
    ]
    assert_golden(request, "refusals.txt", lines)


def assert_golden(request: pytest.FixtureRequest, name: str, lines: list[str]) -> None:
    path = Path(__file__).parent / "golden" / name
    text = "".join(line + "\n" for line in lines)
    if request.config.getoption("--update-golden"):
        path.write_text(text)
    assert text == path.read_text()


@every_sample
def test_permuted(sample: Sample) -> None:
    arrays, types = values(sample)
    want = evaluate(sample.op, arrays, types)
    kinds = tuple(None if a is None else ArrayValue(a).type for a in arrays)
    given = [(i, a.ndim) for i, a in enumerate(arrays) if a is not None] + [(~k, t.rank) for k, t in enumerate(types)]
    for index, rank in given:
        for perm in permutations(range(rank)):
            found = sample.op.permuted(kinds, index, perm)
            if found is None:
                continue
            assert (found.operands[index] if index >= 0 else found.results[~index]) == perm
            moved = [None if a is None else a.transpose(p) for a, p in zip(arrays, found.operands, strict=True)]
            wanted = [y.transpose(p) for y, p in zip(want, found.results, strict=True)]
            got = evaluate(found.op, moved, [ArrayValue(w).type for w in wanted])
            for a, b in zip(got, wanted, strict=True):
                np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-5)


@every_sample
def test_batched(sample: Sample) -> None:
    draws = [sample.operands(np.random.default_rng(seed)) for seed in range(2)]
    present = [a is not None for a in draws[0]]
    for flags in product((False, True), repeat=len(present)):
        if not any(flags) or any(f and not p for f, p in zip(flags, present, strict=True)):
            continue
        runs = [[draws[k if f else 0][i] for i, f in enumerate(flags)] for k in range(2)]
        stacked = [np.stack([r[i] for r in runs]) if f else runs[0][i] for i, f in enumerate(flags)]
        out: Any = sample.op.batched(Evaluate(), tuple(None if a is None else ArrayValue(a) for a in stacked), tuple(flags))
        _, types = values(sample)
        wants = zip(*(evaluate(sample.op, r, types) for r in runs), strict=True)
        for got, want in zip(out if isinstance(out, tuple) else (out,), wants, strict=True):
            np.testing.assert_allclose(got.array, np.stack(want), rtol=1e-5, atol=1e-5)


def has_own_reference(op: Any) -> bool:
    """Whether the op's NumPy meaning is not its decomposition, which would make the law below compare it with itself."""
    return hasattr(op, "decompose") and type(op).reference not in (Composite.reference, WideReference.reference)


@pytest.mark.parametrize("sample", [s for s in SAMPLES if has_own_reference(s.op)], ids=str)
def test_decomposition(sample: Sample) -> None:
    arrays, types = values(sample)
    out = decomposed(sample.op, arrays)
    wants = evaluate(sample.op, arrays, types)
    for got, want in zip(out if isinstance(out, tuple) else (out,), wants, strict=True):
        np.testing.assert_allclose(got, want, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("n", [1, 2, 3, 5, 8, 15, 16, 101])
def test_random_words_are_mlx_uniform_before_scaling(n: int) -> None:
    """MLX shows its raw words for even counts only (by splitting); its uniform shows the leading bits for any count."""
    key = np.array([7, 2**31 + 5], np.uint32)
    words = RandomBits((n,)).reference(key)
    uniform = np.array(mx.random.uniform(shape=(n,), key=mx.array(key)))
    np.testing.assert_allclose(uniform, words.astype(np.float64) / 2**32, atol=2**-22)
    if n % 2 == 0:
        np.testing.assert_array_equal(words, np.array(mx.random.split(mx.array(key), n // 2)).ravel())
