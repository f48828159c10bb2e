"""How a row of Burn's table of operations is tried: burngraph's spelling against NumPy, on every dtype and in every transform.

`operations.toml` has a row for each of Burn's 209 computing operations: what one writes here for it, an expression over `bg`
and the names of Burn's operands and attributes. A `Case` gives those names values and says in NumPy what must come out. The
checks run exactly the expression that the table shows.
"""

import tomllib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import mlx.core as mx
import numpy as np

import burngraph as bg
from burngraph.evaluator import as_numpy
from burngraph.ir.types import Array, TensorType, as_dtype
from tests.samples import draw

FILE = Path(__file__).parent / "operations.toml"
FLOATS = ("f32", "f16", "bf16", "f64")
SPECIAL = FLOATS[:3]  # for nan and infinities, where no difference quotient in f64 can be taken
INTS = ("i32", "i8", "i16", "i64", "u8", "u16", "u32", "u64")
SIGNED = ("i32", "i8", "i16", "i64")
BOOL = ("bool",)
NUMBERS = FLOATS + INTS
EVERY = NUMBERS + BOOL
# MLX's float64 is float32-accurate in transcendental functions and reductions (mlx-facts 1.2), so f64 asks what f32 does.
RELATIVE = {"f64": 2e-5, "f32": 2e-5, "f16": 4e-3, "bf16": 3e-2}


@dataclass(frozen=True)
class Row:
    """One line of operations.toml.

    ours        the expression
    differs     what is different from Burn, in words; empty if nothing is
    """

    family: str
    name: str
    ours: str
    differs: str

    def __str__(self) -> str:
        return f"{self.family}.{self.name}"


@dataclass(frozen=True)
class Arg:
    """An operand drawn at random. `dtype` "T" takes each dtype of the case in turn; see `draw` for limits and spread."""

    shape: tuple[int, ...]
    dtype: str = "T"
    limits: tuple[float, float] | None = None
    spread: bool = False


def T(*shape: int, limits: tuple[float, float] | None = None, spread: bool = False) -> Arg:
    """An operand of the dtype that is being tried."""
    return Arg(shape, "T", limits, spread)


def indices(*shape: int, below: int) -> Arg:
    """Indices: int32, 0 <= i < below."""
    return Arg(shape, "i32", (0, below))


@dataclass(frozen=True)
class Case:
    """Operands, attributes, and what must come out.

    row        "Base.Reshape"
    operands   name (or "name.0", "name.1" for a list) -> Arg, or an array that is used as it is, but that floats in it take the
               dtype that is being tried
    attributes name -> Python value; a dtype "T" is the one that is being tried
    want       NumPy: (**operands, **attributes) -> array or tuple of arrays; floats come as float64, others as they are
    dtypes     what "T" goes through; the first is tried by default, with the first integer and the first 16-bit float
    out        dtype name per result; "T" for the one that is tried; none for an operation without results
    exact      results must be equal, not close
    relative   factor on the tolerance of its dtype, with the reason in a comment where it is not 1
    """

    row: str
    operands: Mapping[str, Any]
    attributes: Mapping[str, Any]
    want: Callable[..., Any]
    dtypes: tuple[str, ...] = FLOATS
    out: tuple[str, ...] = ("T",)
    exact: bool = False
    relative: float = 1.0
    label: str = field(default="")

    def __str__(self) -> str:
        return self.row + (f"[{self.label}]" if self.label else "")

    def given(self, dtype: str) -> dict[str, Any]:
        """The attributes where `dtype` is being tried."""
        return {name: dtype if value == "T" else value for name, value in self.attributes.items()}

    def takes(self, dtype: str) -> bool:
        """Whether there is an operand or an attribute that "T" stands for, and `dtype` can be in its place."""
        is_float = as_dtype(dtype).kind == "float"
        places = [a.dtype == "T" if isinstance(a, Arg) else is_float and _is_float(a) for a in self.operands.values()]
        return any(places) or any(isinstance(value, str) and value == "T" for value in self.attributes.values())

    def types(self, dtype: str) -> list[TensorType]:
        """The types of the operands where `dtype` is being tried."""
        found = []
        for given in self.operands.values():
            if isinstance(given, Arg):
                found.append(TensorType(as_dtype(dtype if given.dtype == "T" else given.dtype), given.shape))
            else:
                array = np.asarray(given)
                found.append(TensorType(as_dtype(dtype if _is_float(given) else array.dtype), array.shape))
        return found

    def arrays(self, dtype: str, seed: int = 0) -> dict[str, Array]:
        """The operands where `dtype` is being tried."""
        rng = np.random.default_rng(seed)
        found: dict[str, Array] = {}
        for (name, given), type in zip(self.operands.items(), self.types(dtype), strict=True):
            if isinstance(given, Arg):
                found[name] = draw(rng, type, _limits(given, type), given.spread)
            else:
                found[name] = np.asarray(given).astype(type.dtype.numpy)
        return found


def _is_float(given: Any) -> bool:
    return bool(np.asarray(given).dtype.kind == "f")


def _limits(given: Arg, type: TensorType) -> tuple[float, float] | None:
    if given.limits is not None and type.dtype.kind == "uint":
        return max(given.limits[0], 0), given.limits[1]
    return given.limits


def rows() -> dict[str, Row]:
    """Every row of the table, by "Family.Name"."""
    table = tomllib.loads(FILE.read_text())
    found = [Row(family, name, **row) for family, members in table.items() for name, row in members.items()]
    return {str(row): row for row in found}


def spelled(row: Row, case: Case, dtype: str) -> Callable[..., Any]:
    """The row's expression as a function of the case's operands, in order."""
    attributes = case.given(dtype)
    code = compile(row.ours, f"operations.toml {row}", "eval")
    names = list(case.operands)

    def fn(*operands: Any) -> Any:
        return _flat(eval(code, {"bg": bg, **attributes, **_grouped(dict(zip(names, operands, strict=True)))}))

    fn.__name__ = row.name
    return fn


def _flat(found: Any) -> Any:
    """Several results as one tuple, whatever tuples they come in."""
    if not isinstance(found, tuple | list):
        return found
    return tuple(leaf for part in found for leaf in _tuple(_flat(part)))


def _grouped(named: dict[str, Any]) -> dict[str, Any]:
    """Operands named "tensors.0", "tensors.1" as one list `tensors`."""
    found: dict[str, Any] = {}
    for name, value in named.items():
        head, dot, _ = name.partition(".")
        if dot:
            found.setdefault(head, []).append(value)
        else:
            found[name] = value
    return found


def check_values(row: Row, case: Case, dtype: str) -> None:
    """Interpreter and compiled MLX give what NumPy gives, in the dtype that the case says."""
    arrays = case.arrays(dtype)
    wide = {n: a.astype(np.float64) if as_dtype(a.dtype).kind == "float" else a for n, a in arrays.items()}
    with np.errstate(all="ignore"):
        wanted = _tuple(case.want(**_grouped(wide), **case.given(dtype)))
    fn = spelled(row, case, dtype)
    if not case.out:  # an operation without results
        assert fn() is None
        return
    graph = bg.trace(fn, *arrays.values())
    expected = [as_dtype(dtype if name == "T" else name) for name in case.out]
    assert [value.type.dtype for value in graph.results] == expected
    assert bg.parse(str(graph)) == graph
    data = {n.op.key: n.op.data for n in graph.nodes if n.op.name == "weight"}
    with mx.stream(mx.cpu):
        compiled = bg.compile(fn)(*arrays.values())
        ran = [as_numpy(a) for a in _tuple(compiled)]
    for found in (bg.run(graph, *arrays.values(), weights={k: np.asarray(v) for k, v in data.items()}), ran):
        for got, want, kind in zip(found, wanted, expected, strict=True):
            _compare(got, np.asarray(want), kind.name, case)


def _compare(got: Array, want: Array, dtype: str, case: Case) -> None:
    assert got.shape == want.shape
    if dtype not in RELATIVE or case.exact:
        np.testing.assert_array_equal(got, want.astype(got.dtype))
        return
    tolerance = RELATIVE[dtype] * case.relative
    scale = np.max(np.abs(want), initial=0.0, where=np.isfinite(want))
    with np.errstate(all="ignore"):
        narrow = want.astype(got.dtype).astype(np.float64)  # overflows where the dtype does
    np.testing.assert_allclose(got.astype(np.float64), narrow, rtol=tolerance, atol=tolerance * max(float(scale), 1e-3))


@dataclass(frozen=True)
class _Exactness:
    """Of a difference quotient: the step, how far it may be off, and how far the two inner products may differ."""

    h: float
    relative: float
    absolute: float
    transposed: float


EXACTNESS = {"f64": _Exactness(1e-6, 1e-5, 1e-6, 1e-9), "f32": _Exactness(1e-2, 1e-4, 1e-4, 1e-6)}


def check_derivative(row: Row, case: Case, modes: Sequence[str]) -> None:
    """f64, in the interpreter: jvp is the central difference along a random direction, vjp its transpose.

    All operands in f64 and f32 move; a 16-bit one has no difference quotient.
    """
    given = list(case.arrays("f64").values())
    fn, n = spelled(row, case, "f64"), len(given)
    rng = np.random.default_rng(2)
    moving = [i for i, a in enumerate(given) if a.size and a.dtype in (np.float64, np.float32)]
    dots = {i: np.asarray(rng.uniform(-1, 1, given[i].shape), given[i].dtype) for i in moving}

    def at(step: float) -> tuple[Array, ...]:
        return run(fn, *(np.asarray(a + step * dots[i], a.dtype) if i in dots else a for i, a in enumerate(given)))

    def along(*operands: Any) -> Any:
        moved = dict(zip(dots, operands[n:], strict=True))
        tangents = [moved[i] if i in moved else bg.zeros_like(operands[i]) for i in range(n)]
        return bg.jvp(fn, operands[:n], tangents)[1]

    def back(*operands: Any) -> Any:
        value, pull_back = bg.vjp(fn, *operands[:n])
        return pull_back(operands[n:] if isinstance(value, tuple) else operands[n])

    values = at(0.0)
    smooth = [k for k, y in enumerate(values) if _is_float(y)]
    assert dots and smooth
    dtypes = {a.dtype for a in (*dots.values(), *(values[k] for k in smooth))}
    exactness = EXACTNESS["f64" if dtypes == {np.dtype("float64")} else "f32"]
    ahead, behind = at(exactness.h), at(-exactness.h)
    slopes = {k: (ahead[k].astype(np.float64) - behind[k]) / (2 * exactness.h) for k in smooth}
    if "forward" in modes:
        forward = run(along, *given, *dots.values())
        for k, slope in slopes.items():
            scale = max(1.0, float(np.max(np.abs(slope), initial=0)))
            np.testing.assert_allclose(forward[k], slope, rtol=exactness.relative, atol=exactness.absolute * scale)
    if "reverse" in modes:
        bars = [np.asarray(rng.uniform(-1, 1, y.shape) * _is_float(y), y.dtype) for y in values]
        reverse = run(back, *given, *bars)
        left = sum(float(np.sum((forward if "forward" in modes else slopes)[k] * bars[k])) for k in smooth)
        right = sum(float(np.sum(reverse[i] * dot)) for i, dot in dots.items())
        bound = exactness.transposed if "forward" in modes else exactness.relative
        np.testing.assert_allclose(left, right, rtol=bound, atol=bound)


def check_no_derivative(row: Row, case: Case, dtype: str) -> None:
    """Tangents and cotangents are zeros, of the dtype of what they are of."""
    arrays = list(case.arrays(dtype).values())
    fn = spelled(row, case, dtype)
    if not arrays:
        return
    tangents = [np.ones_like(a) for a in arrays]
    n = len(arrays)
    values = run(fn, *arrays)
    dots = run(lambda *given: bg.jvp(fn, given[:n], given[n:])[1], *arrays, *tangents)

    def back(*operands: Any) -> Any:
        value, pull_back = bg.vjp(fn, *operands[:n])
        seeds = operands[n:]
        return pull_back(seeds if isinstance(value, tuple) else seeds[0])

    bars = run(back, *arrays, *(np.ones_like(y) for y in values))
    for primal, found in (*zip(values, dots, strict=True), *zip(arrays, bars, strict=True)):
        assert (found.dtype, found.shape) == (primal.dtype, primal.shape)
        assert not found.any()


def check_vmap(row: Row, case: Case, dtype: str) -> None:
    """vmap over all operands at once, in the interpreter, is the stack of separate runs."""
    draws = [list(case.arrays(dtype, seed).values()) for seed in range(2)]
    fn = spelled(row, case, dtype)
    stacked = [np.stack(pair) for pair in zip(*draws, strict=True)]
    if not stacked:
        return
    wants = zip(*(run(fn, *each) for each in draws), strict=True)
    for got, want in zip(run(bg.vmap(fn), *stacked), wants, strict=True):
        tolerance = RELATIVE.get(dtype, 0.0) * case.relative
        np.testing.assert_allclose(*(x.astype(np.float64) for x in (got, np.stack(want))), rtol=tolerance, atol=tolerance)


def run(fn: Callable[..., Any], *arrays: Array) -> tuple[Array, ...]:
    """Trace and interpret, flat."""
    graph = bg.trace(fn, *arrays)
    data = {n.op.key: np.asarray(n.op.data) for n in graph.nodes if n.op.name == "weight"}
    return bg.run(graph, *arrays, weights=data)


def _tuple(found: Any) -> tuple[Any, ...]:
    return tuple(found) if isinstance(found, tuple | list) else (found,)
