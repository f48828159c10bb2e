"""Padding: with a number, or with entries of the array itself, mirrored, repeated at the edge, or wrapped around."""

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from burngraph.errors import BurngraphError, InputError, ShapeError
from burngraph.frontend.functional.shape import astype, shape_tuple, sliced, splat, tensor
from burngraph.frontend.recording import apply, is_tensor, located, type_of
from burngraph.ir.ops.movement import Broadcast, Concat, Flip, Pad, Reshape, Slice
from burngraph.ir.types import TensorType

__all__ = ["pad"]

Pairs = tuple[tuple[int, int], ...]
NAMES = {"reflect": "reflect", "replicate": "replicate", "edge": "replicate", "circular": "circular", "wrap": "circular"}


def pad(x: Any, pad: int | Sequence[Any], mode: str = "constant", value: Any = None) -> Any:
    """Entries added before and after axes of x, as torch.nn.functional.pad; a negative number takes some away.

    pad     (low, high) of the last axis, then of the one before it, and so on, in one flat sequence; or, as MLX and NumPy have
            it, a sequence with a (low, high) or a number for each axis, from the first on; or one number for all
    mode    "constant", "reflect" (mirrored, without the edge itself), "replicate" or "edge" (the edge entry), "circular" or
            "wrap" (from the other end)
    value   what "constant" adds; 0 if None

    Raises   InputError   another mode, or a value for it;   ShapeError   pad does not fit x, or an axis is too short

    >>> bg.pad(mx.array([[1.0, 2.0]]), (1, 2), value=9.0)
    array([[9, 1, 2, 9, 9]], dtype=float32)
    """
    x = tensor(x)
    pairs = _pairs(pad, type_of(x))
    more, less = (tuple((max(s * low, 0), max(s * high, 0)) for low, high in pairs) for s in (1, -1))
    if mode != "constant":
        if value is not None:
            raise located(InputError(f'pad: mode "{mode}" takes no value, and was given {value!r}'))
        if NAMES.get(mode) == "circular":  # what is taken away does not come round
            return pad_with_entries(_cropped(x, less), more, mode)
        return _cropped(pad_with_entries(x, more, mode), less)
    x = _cropped(x, less)
    if not any(low or high for low, high in more):
        return x
    type = type_of(x)
    value = 0 if value is None else value
    fill = astype(value, type.dtype) if is_tensor(value) else splat(value, TensorType(type.dtype, ()))
    low, high = tuple(p[0] for p in more), tuple(p[1] for p in more)
    return apply(Pad(low, high, (0,) * type.rank), x, fill)


def _pairs(pad: Any, type: TensorType) -> Pairs:
    """(low, high) for each axis, from the first on."""
    integer = int | np.integer
    if isinstance(pad, integer):
        return ((int(pad), int(pad)),) * type.rank
    if not isinstance(pad, Iterable):
        raise _wrong(pad, type)
    given = list(pad)
    if all(isinstance(n, integer) for n in given):
        if len(given) % 2 or len(given) > 2 * type.rank:
            raise _wrong(pad, type)
        last_first = [(int(low), int(high)) for low, high in zip(given[::2], given[1::2], strict=True)]
        return (*((0, 0),) * (type.rank - len(last_first)), *reversed(last_first))
    pairs = [tuple(map(int, shape_tuple((p, p) if isinstance(p, integer) else p))) for p in given]
    if len(pairs) != type.rank or any(len(p) != 2 for p in pairs):
        raise _wrong(pad, type)
    return tuple((low, high) for low, high in pairs)


def _wrong(pad: Any, type: TensorType) -> BurngraphError:
    return located(
        ShapeError(
            f"pad: pad = {pad!r:.80} does not fit {type}",
            "give (low, high) of the last axis, then of the one before it, ..., in one flat sequence,",
            "or a sequence with one (low, high) for each axis",
        )
    )


def _cropped(x: Any, pairs: Pairs) -> Any:
    """x without `low` entries at the beginning and `high` at the end of each axis."""
    type = type_of(x)
    start = [low for low, _ in pairs]
    stop = [dim - high for dim, (_, high) in zip(type.shape, pairs, strict=True)]
    if any(a > b for a, b in zip(start, stop, strict=True)):
        raise located(ShapeError(f"pad: {pairs} takes away more entries than {type} has"))
    return sliced(x, start, stop, [1] * type.rank)


def pad_with_entries(x: Any, pairs: Pairs, mode: str) -> Any:
    """x with `low` and `high` entries more before and after each axis, one axis after another.

    mode   "reflect" (mirrored, without the edge), "replicate" or "edge" (the edge entry), "circular" or "wrap" (from the
           other end)
    Raises   InputError   another mode;   ShapeError   an axis is too short
    """
    if mode not in NAMES:
        raise located(InputError(f'pad: mode = {mode!r} is not "constant" or one of {", ".join(map(repr, sorted(NAMES)))}'))
    for axis, (low, high) in enumerate(pairs):
        if not low and not high:
            continue
        n = type_of(x).shape[axis]
        most = {"reflect": n - 1, "replicate": max(low, high) if n else 0, "circular": n}[NAMES[mode]]
        if max(low, high) > most:
            raise located(ShapeError(f'pad: mode "{mode}" has {max(most, 0)} entries for padding {low, high} of axis {axis}',
                                     f"x: {type_of(x)}"))  # fmt: skip
        before, after = _beside(x, axis, n, low, high, NAMES[mode])
        x = apply(Concat(axis), *([before] if low else []), x, *([after] if high else []))
    return x


def _beside(x: Any, axis: int, n: int, low: int, high: int, mode: str) -> tuple[Any, Any]:
    """What goes before and after x along `axis`; None where nothing does."""
    if mode == "circular":
        return low and _cut(x, axis, n - low, n), high and _cut(x, axis, 0, high)
    if mode == "replicate":
        return low and _repeated(x, axis, 0, low), high and _repeated(x, axis, n - 1, high)
    before = low and apply(Flip((axis,)), _cut(x, axis, 1, low + 1))
    return before, high and apply(Flip((axis,)), _cut(x, axis, n - 1 - high, n - 1))


def _cut(x: Any, axis: int, start: int, stop: int) -> Any:
    shape = type_of(x).shape
    starts, stops = [0] * len(shape), list(shape)
    starts[axis], stops[axis] = start, stop
    return apply(Slice(tuple(starts), tuple(stops), (1,) * len(shape)), x)


def _repeated(x: Any, axis: int, at: int, count: int) -> Any:
    shape = type_of(x).shape
    entry = apply(Reshape((*shape[:axis], *shape[axis + 1 :])), _cut(x, axis, at, at + 1))
    return apply(Broadcast((*shape[:axis], count, *shape[axis + 1 :]), (axis,)), entry)
