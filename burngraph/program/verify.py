"""`compile(..., verify=True)`: every stage in the NumPy interpreter, and the emitted program, on the call's own arrays."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import ml_dtypes
import mlx.core as mx
import numpy as np

from burngraph.errors import BurngraphError
from burngraph.evaluator import as_numpy
from burngraph.ir import interpret
from burngraph.ir.graph import Graph, ParamKind


def verify_entry(
    stages: Sequence[tuple[str, Graph]],
    emitted: Callable[[], list[mx.array]],
    inputs: Sequence[Any],
    weights: Mapping[str, mx.array],
) -> None:
    """Compare the results of each stage, and of the emitted program, with those of the first.

    Raises   BurngraphError   names the first that computes something else
    """
    graph, bound = stages[0][1], {key: as_numpy(array) for key, array in weights.items()}
    rest = iter(inputs)
    kinds = zip(graph.params, graph.kinds, strict=True)
    arrays = [bound[p.name or ""] if kind is ParamKind.WEIGHT else as_numpy(next(rest)) for p, kind in kinds]
    expected = interpret.run(graph, *arrays, weights=bound)
    for name, later in stages[1:]:
        way_out = "switch it off with passes=... and report it"
        _compare(f"pass {name}", expected, interpret.run(later, *arrays, weights=bound), way_out)
    _compare("the emitted program", expected, [as_numpy(x) for x in emitted()], "report it, with program.source")


def _compare(what: str, expected: Sequence[Any], found: Sequence[Any], way_out: str) -> None:
    for i, (a, b) in enumerate(zip(expected, found, strict=True)):
        if (a.dtype, a.shape) != (b.dtype, b.shape):
            types = f"{a.dtype}{list(a.shape)}, now {b.dtype}{list(b.shape)}"
            raise BurngraphError(f"{what} changed result {i}", f"it was {types}", way_out)
        wide = np.complex128 if a.dtype.kind == "c" else np.float64
        found_wide, expected_wide = (np.asarray(x).astype(wide) for x in (b, a))
        if not (np.array_equal(a, b) if a.dtype.kind in "biu" else _is_close(expected_wide, found_wide, a.dtype)):
            worst = float(np.nanmax(np.abs(found_wide - expected_wide), initial=0.0))
            raise BurngraphError(f"{what} changed result {i}", f"largest difference: {worst:.3g}", way_out)


def _is_close(expected: Any, found: Any, dtype: Any) -> bool:
    """Up to rounding: 16-bit results are rounded once or more, in another order in each stage."""
    relative = max(1e-3, 16 * float(ml_dtypes.finfo(dtype).eps))
    return np.allclose(found, expected, relative, relative / 100, equal_nan=True)
