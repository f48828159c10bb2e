"""Casts, division and shifts at the edges of every dtype: one meaning, in the interpreter, op by op and in emitted source."""

import mlx.core as mx
import numpy as np
import pytest

import burngraph as bg
from burngraph.ir.builder import Builder
from burngraph.ir.interpret import run
from burngraph.ir.ops.arithmetic import FloorDivide, Remainder
from burngraph.ir.ops.cast import Cast
from burngraph.ir.ops.logic import LeftShift, RightShift
from burngraph.ir.ops.special import Fmod
from burngraph.ir.target import TARGETS
from burngraph.ir.types import DTYPES, Array, DType, as_dtype, type_of
from burngraph.lower_mlx.lower import apply_eagerly, from_numpy, lower

INTEGERS = [d for d in DTYPES.values() if d.is_integer]


def edges(dtype: DType) -> Array:
    """Numbers at which conversions from `dtype` go wrong."""
    if dtype.kind == "bool":
        return np.array([False, True])
    if dtype.is_integer:
        limits = np.iinfo(dtype.numpy)
        near = {0, 1, 2, 3, 7, 100, 127, 128, 255, 256, 2**24 + 1, 2**31 - 1, 2**31, 2**53 + 1, limits.max, limits.max - 1}
        both = near | {-n for n in near} | {limits.min, limits.min + 1}
        return np.array(sorted(n for n in both if limits.min <= n <= limits.max), dtype.numpy)
    powers = [2.0**n for n in (7, 8, 15, 16, 31, 32, 63, 64, 127)]
    values = [0.0, 0.4, 0.5, 0.9, 1.0, 1.5, 2.5, 65504.0, 65519.0, 65520.0, 3e38, np.inf, np.nan, 1 + 2**-8 + 2**-40, *powers]
    values += [1 + 2**-11 + 2**-40, 65519.999999, *(p - 1 for p in powers), *(np.nextafter(np.float32(p), 0) for p in powers)]
    with np.errstate(over="ignore"):
        both = np.array([*values, *(-v for v in values)]).astype(dtype.numpy if dtype.kind == "float" else np.complex64)
    return both


def everywhere(op, *arrays: Array) -> list[Array]:
    """The result in the interpreter, op by op on MLX and in emitted source, which must be equal."""
    builder = Builder("one_op")
    graph = builder.build([builder(op, *(builder.param(type_of(a)) for a in arrays))])
    (want,) = run(graph, *arrays)
    given = [from_numpy(a) for a in arrays]
    for got in (apply_eagerly(op, *given)[0], bg.compile(graph)(*given)):
        assert as_dtype(got.dtype) is as_dtype(want.dtype)
        is_bf16 = got.dtype == mx.bfloat16  # NumPy does not know its nan
        np.testing.assert_array_equal(np.array(got.astype(mx.float32) if is_bf16 else got),
                                      want.astype(np.float32) if is_bf16 else want)  # fmt: skip
    return want


@pytest.mark.parametrize("target", DTYPES.values(), ids=str)
@pytest.mark.parametrize("source", DTYPES.values(), ids=str)
def test_casts_have_one_meaning(source: DType, target: DType) -> None:
    x = edges(source)
    got = everywhere(Cast(target), x)
    if target.is_integer and source.kind == "float":
        limits = np.iinfo(target.numpy)
        for value, found in zip(x.astype(np.float64).tolist(), got.tolist(), strict=True):
            exact = 0 if np.isnan(value) else limits.max if value == np.inf else limits.min if value == -np.inf else int(value)
            assert found == min(max(exact, int(limits.min)), int(limits.max))
    if target.kind == "bool":
        assert got.tolist() == [value != 0 for value in x.tolist()]
    if target.is_integer and source.is_integer:
        bits = 8 * target.bytes
        assert all((a - b) % 2**bits == 0 for a, b in zip(x.tolist(), got.tolist(), strict=True))


def test_f64_rounds_once() -> None:
    """Through f32, 1 + 2^-11 + 2^-40 would become 1: the second rounding sees a tie."""
    assert everywhere(Cast(DTYPES["f16"]), np.array([1 + 2**-11 + 2**-40]))[0] == 1 + 2**-10
    assert everywhere(Cast(DTYPES["bf16"]), np.array([1 + 2**-8 + 2**-40]))[0] == 1 + 2**-7


@pytest.mark.parametrize("dtype", INTEGERS, ids=str)
def test_integer_division_never_ends_the_process(dtype: DType) -> None:
    x, y = (a.ravel() for a in np.meshgrid(edges(dtype), edges(dtype)))
    quotient, rest = everywhere(FloorDivide(), x, y), everywhere(Remainder(), x, y)
    bits = 8 * dtype.bytes
    for a, b, q, r in zip(x.tolist(), y.tolist(), quotient.tolist(), rest.tolist(), strict=True):
        assert (q, r) == (0, a) if b == 0 else ((a // b - q) % 2**bits, r) == (0, a % b)


@pytest.mark.parametrize("dtype", INTEGERS, ids=str)
def test_shifts_by_any_count(dtype: DType) -> None:
    bits = 8 * dtype.bytes
    limits = np.iinfo(dtype.numpy)
    counts = [n for n in (0, 1, bits - 1, bits, bits + 1, limits.max, -1, limits.min) if limits.min <= n <= limits.max]
    x, y = (a.ravel() for a in np.meshgrid(edges(dtype), np.array(counts, dtype.numpy)))
    left, right = everywhere(LeftShift(), x, y), everywhere(RightShift(), x, y)
    for a, n, up, down in zip(x.tolist(), y.tolist(), left.tolist(), right.tolist(), strict=True):
        fits = 0 <= n < bits
        assert (up - (a << n if fits else 0)) % 2**bits == 0
        assert down == (a >> n if fits else -int(a < 0))


def test_proved_divisors_and_counts_are_not_guarded() -> None:
    source = bg.compile(lambda x: ((x // 3) % 7) << 2).specialise(np.arange(4, dtype="int32")).source
    assert "where" not in source


@pytest.mark.parametrize("dtype", INTEGERS, ids=str)
def test_fmod_at_the_edges(dtype):
    values = edges(dtype)
    x, y = (a.ravel() for a in np.meshgrid(values, values))
    with np.errstate(divide="ignore"):
        want = np.where(y == 0, x, np.fmod(x, np.where(y == 0, 1, y)))
    np.testing.assert_array_equal(everywhere(Fmod(), x, y), want)


@pytest.mark.parametrize("op", [Fmod(), FloorDivide(), Remainder()], ids=lambda op: op.name)
@pytest.mark.parametrize("dtype", INTEGERS, ids=str)
@pytest.mark.parametrize("target", TARGETS.values(), ids=lambda target: target.name)
def test_no_device_divides_by_zero(target, dtype, op):
    """What an integer divided by zero gives differs between devices; so none is asked."""
    builder = Builder("one_op")
    x, y = (builder.param(type_of(np.ones(3, dtype.numpy)), name) for name in "xy")
    source = lower(builder.build([builder(op, x, y)]), target).source
    assert "y == 0" in source
    assert "mx.remainder(x, y)" not in source
    assert "x // y" not in source
