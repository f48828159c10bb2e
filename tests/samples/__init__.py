"""Sample inputs for every op, one module per family; each law in tests/test_laws.py runs over all of them.

Dims are unequal (2, 3, 4), so that a swapped axis shows. A family module holds `SAMPLES`, a list of `Sample`.
"""

import importlib
import math
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from burngraph.errors import BurngraphError
from burngraph.ir.builder import infer_types
from burngraph.ir.op import Op
from burngraph.ir.types import F64, Array, TensorType, as_dtype

FAMILIES = (
    "constant",
    "elementwise",
    "compare",
    "cast",
    "movement",
    "reduce",
    "matmul",
    "index",
    "random",
    "conv",
    "window",
    "pool",
    "softmax",
    "norm",
    "activation",
    "loss",
    "call",
    "sort",
    "cumulative",
    "scatter",
    "control",
    "custom",
    "fft",
    "attention",
    "resample",
    "quantize",
)

Range = tuple[float, float]


def t(text: str) -> TensorType:
    """The type that text names: t("f32[2,3]"), t("u32[]")."""
    dtype, _, dims = text.rstrip("]").partition("[")
    return TensorType(as_dtype(dtype), tuple(int(d) for d in dims.split(",") if d))


@dataclass(frozen=True, eq=False)
class Sample:
    """One op with operands to try it on.

    op          the op, with its attributes
    types       one TensorType per operand, written as for f32 (`t` reads text); None for an absent optional operand
    ranges      per operand: (low, high), uniform in it (integers: low <= n < high); None for the default, which is (-2, 2)
                for floats, (0, 4) for unsigned and (-4, 4) for signed integers. Empty: the default for every operand
    spread      the floats of an operand are all distinct, at least a tenth apart and a twentieth away from 0 and from the
                integers: for maxima, floors, and other ops with kinks or jumps
    arrays      exact operand arrays instead of random ones; the derivative laws cast the floats among them
    """

    op: Op
    types: tuple[TensorType | None, ...]
    ranges: tuple[Range | None, ...] = ()
    spread: bool = False
    arrays: tuple[Array | None, ...] | None = None

    def __str__(self) -> str:
        fields = ", ".join(f"{k}={_short(v)}" for k, v in self.op.__dict__.items() if not k.startswith("_"))
        return f"{self.op.name}({fields}) on {', '.join(map(str, self.types))}".replace(" ", "")

    def types64(self) -> tuple[TensorType | None, ...]:
        """The operand types with f32 made f64; nested graphs fix theirs."""
        if self.op.graphs():
            return self.types
        return tuple(x.with_dtype(F64) if x is not None and x.dtype.name == "f32" else x for x in self.types)

    def operands(self, rng: np.random.Generator, types: tuple[TensorType | None, ...] | None = None) -> list[Array | None]:
        """Random arrays, one per operand. `types` replaces the sample's own; shapes may differ from them."""
        types = self.types if types is None else types
        if self.arrays is not None:
            return [
                None if a is None or x is None else np.broadcast_to(a, x.shape).astype(x.dtype.numpy)
                for a, x in zip(self.arrays, types, strict=True)
            ]
        ranges = self.ranges or (None,) * len(types)
        return [None if x is None else draw(rng, x, limits, self.spread) for x, limits in zip(types, ranges, strict=True)]


def draw(rng: np.random.Generator, type: TensorType, limits: Range | None = None, spread: bool = False) -> Array:
    """A random array of `type` with entries in `limits`."""
    if type.dtype.kind == "bool":
        return np.asarray(rng.integers(0, 2, type.shape).astype(np.bool_))
    if type.dtype.is_integer:
        low, high = limits or ((0, 4) if type.dtype.kind == "uint" else (-4, 4))
        return np.asarray(rng.integers(math.ceil(low), math.ceil(high), type.shape).astype(type.dtype.numpy))
    if spread:
        low, high = limits or (-2.0, 2.0)
        n_steps = max(type.size, math.ceil((high - low) * 10))
        steps = rng.permutation(n_steps)[: type.size].reshape(type.shape)
        values: Any = math.floor(low) + 0.05 + 0.1 * steps  # 0.05 off the tenths, so off every integer too
    else:
        low, high = limits or (-2.0, 2.0)
        values = rng.uniform(low, high, type.shape)
        if type.dtype.kind == "complex":
            values = values + 1j * rng.uniform(low, high, type.shape)
    return np.asarray(values).astype(type.dtype.numpy)


def _short(value: object) -> str:
    text = str(value)
    return text if len(text) <= 60 else text[:57] + "..."


def samples_by_family() -> dict[str, list[Sample]]:
    """SAMPLES of every family module, by module name."""
    return {name: importlib.import_module(f"tests.samples.{name}").SAMPLES for name in FAMILIES}


def written_samples() -> list[Sample]:
    """The samples of every family."""
    return [sample for samples in samples_by_family().values() for sample in samples]


def all_samples() -> list[Sample]:
    """`written_samples`, and of each op the same with an axis of no entries, and of rank 0, where it takes that."""
    written = written_samples()
    tried: dict[str, int] = {}
    found = list(written)
    for sample in written:
        tried[sample.op.name] = tried.get(sample.op.name, 0) + 1
        if tried[sample.op.name] <= 2 and sample.arrays is None and not sample.op.graphs():
            found += _degenerate(sample)
    return found


def _degenerate(sample: Sample) -> list[Sample]:
    """`sample` with each of its dims made 0 wherever it stands, and with every operand of rank 0; what `infer` refuses is not.

    Dims of a sample are unequal, so that equal ones belong together.
    """
    dims = sorted({dim for type in sample.types if type is not None for dim in type.shape} - {0})
    shapes = [{dim: 0} for dim in dims]
    candidates = [
        tuple(t and t.with_shape(tuple(change.get(dim, dim) for dim in t.shape)) for t in sample.types) for change in shapes
    ]
    candidates.append(tuple(t and t.with_shape(()) for t in sample.types))
    found = []
    for types in candidates:
        try:
            infer_types(sample.op, types)
        except BurngraphError:
            continue
        if types != sample.types:
            found.append(replace(sample, types=types))
    return found
