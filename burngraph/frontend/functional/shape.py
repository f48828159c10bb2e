"""Functions that rearrange: reshape, permute, broadcast, join; and what all functions use to read arguments."""

import math
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from burngraph.errors import AxisError, DTypeError, InputError, ShapeError
from burngraph.frontend.blame import an, argument_name, not_an_array
from burngraph.frontend.functional.spelling import also_spelled
from burngraph.frontend.recording import TracedValue, active_trace, apply, evaluator, is_tensor, located, type_of
from burngraph.ir.ops.cast import Cast
from burngraph.ir.ops.constant import Splat
from burngraph.ir.ops.movement import Broadcast, Concat, Flip, Permute, Reshape, Slice
from burngraph.ir.promotion import at_least_float, holds, promote, promote_scalar, scalar_dtype
from burngraph.ir.types import DType, TensorType, as_dtype

__all__ = [
    "broadcast_to",
    "concat",
    "concatenate",
    "expand_dims",
    "flatten",
    "flip",
    "matrix_transpose",
    "moveaxis",
    "permute_dims",
    "reshape",
    "squeeze",
    "stack",
    "swapaxes",
    "transpose",
]

Axes = int | Sequence[int] | None


def tensor(x: Any) -> Any:
    """`x` if it is traced or an array, else an array from a Python number.

    Raises   DTypeError   neither; lists must be converted by the user, with bg.asarray
    """
    if is_tensor(x):
        return x
    if isinstance(x, bool | int | float | complex):
        return splat(x, TensorType(alone(x), ()))
    raise not_an_array(x)


def as_operand(x: Any) -> Any:
    """`x` if it is a Python number, which adapts its dtype to others; else as tensor."""
    return x if isinstance(x, bool | int | float | complex) and not is_tensor(x) else tensor(x)


def as_float(x: Any) -> Any:
    """`x` as an array; of bool and integers, f32."""
    x = tensor(x)
    return astype(x, at_least_float(type_of(x).dtype))


def alone(x: complex) -> DType:
    """The dtype of a Python number that meets no array."""
    try:
        return scalar_dtype(x)
    except DTypeError as error:
        raise located(error) from None


def splat(value: bool | complex, type: TensorType) -> Any:
    """`value` converted to the kind of the dtype, in every entry. A float too large for its dtype is inf.

    Raises   DTypeError   an int does not fit the dtype, or a complex number, inf or nan becomes what has none
    """
    convert = {"bool": bool, "float": float, "complex": complex}.get(type.dtype.kind, int)
    try:
        converted = convert(value)  # type: ignore[arg-type]
    except (OverflowError, TypeError, ValueError):
        raise located(DTypeError(f"the number {value} does not become {type.dtype.long_name}")) from None
    if isinstance(converted, float):
        with np.errstate(over="ignore"):
            rounded = float(type.dtype.numpy.type(converted))
        converted = rounded if math.isinf(rounded) else converted
    elif type.dtype.is_integer:
        check_fits(converted, type.dtype)
    return apply(Splat(converted, type))


def check_fits(value: int, dtype: DType) -> None:
    """Raise DTypeError if an integer dtype does not hold `value`."""
    if not holds(dtype, value):
        way_out = "cast the array first, as in x.astype('int64')"
        raise located(DTypeError(f"the number {value} does not fit {dtype.long_name}", way_out))


def computed_dtype(xs: Sequence[Any]) -> DType:
    """The dtype that an operation on `xs` is computed in; Python scalars are weak."""
    dtypes = [type_of(x).dtype for x in xs if is_tensor(x)]
    scalars = [x for x in xs if not is_tensor(x)]
    dtype = promote(*dtypes) if dtypes else alone(scalars[0])
    for scalar in scalars:
        dtype = promote_scalar(dtype, scalar)
    return dtype


def as_type(x: Any, dtype: DType, shape: tuple[int, ...]) -> Any:
    """`x` cast and broadcast; a Python scalar becomes a splat."""
    if not is_tensor(x):
        return splat(x, TensorType(dtype, shape))
    return broadcast_to(astype(x, dtype), shape)


def broadcast_shape(function: str, xs: Sequence[Any]) -> tuple[int, ...]:
    """The NumPy broadcast of the shapes of the arrays in `xs`.

    Raises   ShapeError   they do not broadcast; names each operand's type
    """
    shapes = [type_of(x).shape for x in xs if is_tensor(x)]
    result: list[int] = [1] * max(map(len, shapes), default=0)
    for shape in shapes:
        for i, dim in enumerate(shape, len(result) - len(shape)):
            if dim != 1:
                if result[i] not in (1, dim):
                    types = [f"operand {n}: {type_of(x)}" for n, x in enumerate(xs) if is_tensor(x)]
                    raise located(ShapeError(f"{function}: shapes do not broadcast", *types))
                result[i] = dim
    return tuple(result)


def normal_axis(function: str, axis: int, rank: int) -> int:
    """`axis` counted from the front.

    Raises   AxisError   out of range;   ShapeError   no int
    """
    if not isinstance(axis, int | np.integer):
        raise located(ShapeError(f"{function}: axis {axis!r} is {an(axis)}, must be an int"))
    if not -rank <= axis < rank:
        raise located(AxisError(f"{function}: axis {axis} is out of range for rank {rank}"))
    return int(axis) % rank


def normal_axes(function: str, axes: Axes, rank: int) -> tuple[int, ...]:
    """Sorted axes counted from the front; None is all of them.

    Raises   ShapeError   out of range, or one is named twice
    """
    if axes is None:
        return tuple(range(rank))
    given = tuple(axes) if isinstance(axes, Iterable) and not is_tensor(axes) else (axes,)
    found = sorted(normal_axis(function, axis, rank) for axis in given)
    if len(set(found)) != len(found):
        raise located(ShapeError(f"{function}: axes {given} name an axis twice"))
    return tuple(found)


def check_device(function: str, device: Any) -> None:
    """Raise InputError unless `device` is None: what the array API calls a device is no property of an array here."""
    if device is not None:
        way_out = "leave it out; mx.set_default_device chooses where operations run, bg.compile's target where a program does"
        raise located(InputError(f"{function}: device = {device!r}, but arrays are in memory that all devices share", way_out))


def unshared(x: Any) -> Any:
    """`x` as an object that later writes into `x` do not reach; while a graph is recorded, `x`."""
    return x if isinstance(x, TracedValue) or active_trace() is not None else evaluator().frozen(x)


def shape_tuple(shape: int | Sequence[int]) -> tuple[int, ...]:
    """A shape given as one int or several.

    Raises   ShapeError   an entry is no Python int
    """
    if isinstance(shape, int | np.integer):
        return (int(shape),)
    if isinstance(shape, Iterable) and (isinstance(shape, np.ndarray) or not is_tensor(shape)):
        dims = tuple(shape)
        if all(isinstance(dim, int | np.integer) for dim in dims):
            return tuple(map(int, dims))
        wrong = next(dim for dim in dims if not isinstance(dim, int | np.integer))
    else:
        wrong = shape
    way_out = "dims are fixed when a graph is built" if isinstance(wrong, TracedValue) else f"given: {shape!r}"
    raise located(ShapeError(f"{argument_name(shape)} must be Python ints, but holds {wrong!r}", way_out))


def astype(x: Any, dtype: Any) -> Any:
    """Each entry converted to `dtype`; `x` itself if it has it. The public function, in conversion.py, rests on this one."""
    x = tensor(x)
    target = as_dtype(dtype)
    return x if type_of(x).dtype is target else apply(Cast(target), x)


def reshape(x: Any, /, shape: int | Sequence[int], *, copy: bool | None = None) -> Any:
    """The same entries in row-major order; one dim may be -1.

    copy     True: not `x` itself. What is written into one of the two reaches the other in no case, as always in MLX

    Raises   ShapeError   the sizes differ
    """
    x = tensor(x)
    type, wanted = type_of(x), shape_tuple(shape)
    known = math.prod(dim for dim in wanted if dim != -1)
    if wanted.count(-1) == 1 and known and type.size % known == 0:
        wanted = tuple(type.size // known if dim == -1 else dim for dim in wanted)
    if -1 in wanted or math.prod(wanted) != type.size:
        raise located(ShapeError(f"reshape: {type} has {type.size} entries, which do not fill {list(wanted)}"))
    if wanted != type.shape:
        return apply(Reshape(wanted), x)
    return unshared(x) if copy else x


def permute_dims(x: Any, /, axes: Sequence[int]) -> Any:
    """Axis k of the result is axis axes[k] of `x`.

    Raises   ShapeError   `axes` is no permutation of x's axes
    """
    x = tensor(x)
    rank = type_of(x).rank
    perm = tuple(normal_axis("permute_dims", axis, rank) for axis in axes)
    if sorted(perm) != list(range(rank)):
        raise located(ShapeError(f"permute_dims: axes {tuple(axes)} are no permutation of the axes of {type_of(x)}"))
    return x if perm == tuple(range(rank)) else apply(Permute(perm), x)


def transpose(x: Any, axes: Sequence[int] | int | None = None, dim1: int | None = None) -> Any:
    """permute_dims by `axes`; all axes in reverse order if there are none. With two ints, as torch.transpose: swapaxes."""
    x = tensor(x)
    if isinstance(axes, int) and dim1 is not None:
        return swapaxes(x, axes, dim1)
    if isinstance(axes, int) or dim1 is not None:
        raise located(InputError(f"transpose: {axes!r} and {dim1!r} are neither a sequence of axes nor two ints"))
    return permute_dims(x, range(type_of(x).rank)[::-1] if axes is None else axes)


def swapaxes(x: Any, axis1: int, axis2: int) -> Any:
    """Two axes exchanged.

    Raises   ShapeError   no such axis
    """
    x = tensor(x)
    perm = list(range(type_of(x).rank))
    a, b = (normal_axis("swapaxes", axis, len(perm)) for axis in (axis1, axis2))
    perm[a], perm[b] = b, a
    return permute_dims(x, perm)


def moveaxis(x: Any, /, source: int | Sequence[int], destination: int | Sequence[int]) -> Any:
    """The axes `source` at the positions `destination` of the result, the others in their order around them.

    Raises   ShapeError   as many destinations as sources, or one named twice
    """
    x = tensor(x)
    rank = type_of(x).rank
    moved = [shape_tuple(s) for s in (source, destination)]
    first, last = ([normal_axis("moveaxis", axis, rank) for axis in axes] for axes in moved)
    if len(first) != len(last) or len(set(first)) != len(first) or len(set(last)) != len(last):
        raise located(ShapeError(f"moveaxis: {source} and {destination} are not as many distinct axes of {type_of(x)}"))
    perm = [axis for axis in range(rank) if axis not in first]
    for at, axis in sorted(zip(last, first, strict=True)):
        perm.insert(at, axis)
    return permute_dims(x, perm)


def matrix_transpose(x: Any, /) -> Any:
    """The last two axes exchanged."""
    return swapaxes(x, -1, -2)


def broadcast_to(x: Any, /, shape: Sequence[int]) -> Any:
    """`x` repeated along new leading axes and along its axes of size 1.

    Raises   ShapeError   x's shape does not broadcast to `shape`
    """
    x = tensor(x)
    type, wanted = type_of(x), shape_tuple(shape)
    if type.shape == wanted:
        return x
    lead = len(wanted) - type.rank
    if lead < 0 or any(d not in (1, wanted[lead + i]) for i, d in enumerate(type.shape)):
        raise located(ShapeError(f"broadcast_to: {type} does not broadcast to {list(wanted)}"))
    kept = [i for i, d in enumerate(type.shape) if d == wanted[lead + i]]
    new = tuple(i for i in range(len(wanted)) if i - lead not in kept)
    return apply(Broadcast(wanted, new), reshape(x, [type.shape[i] for i in kept]))


def expand_dims(x: Any, /, axis: int | Sequence[int]) -> Any:
    """New axes of size 1 at the positions `axis` of the result."""
    x = tensor(x)
    given = shape_tuple(axis)
    old = list(type_of(x).shape)
    rank = len(old) + len(given)
    new = normal_axes("expand_dims", given, rank)
    return reshape(x, [1 if i in new else old.pop(0) for i in range(rank)])


def squeeze(x: Any, /, axis: Axes = None) -> Any:
    """Without the axes `axis`, which have size 1; without all such axes if None.

    Raises   ShapeError   an axis has another size
    """
    x = tensor(x)
    type = type_of(x)
    if axis is None:
        axis = [i for i, d in enumerate(type.shape) if d == 1]
    gone = normal_axes("squeeze", axis, type.rank)
    if any(type.shape[i] != 1 for i in gone):
        raise located(ShapeError(f"squeeze: axes {gone} of {type} are not all of size 1"))
    return reshape(x, [d for i, d in enumerate(type.shape) if i not in gone])


@also_spelled(start_dim="start_axis", end_dim="end_axis")
def flatten(x: Any, start_axis: int = 0, end_axis: int = -1) -> Any:
    """Axes start_axis..end_axis (included) merged into one; a rank-0 array becomes rank 1."""
    x = tensor(x)
    shape = type_of(x).shape or (1,)
    start, end = (normal_axis("flatten", axis, len(shape)) for axis in (start_axis, end_axis))
    if start > end:
        raise located(ShapeError(f"flatten: start_axis {start_axis} comes after end_axis {end_axis}"))
    return reshape(x, (*shape[:start], math.prod(shape[start : end + 1]), *shape[end + 1 :]))


@also_spelled(dim="axis")
def concat(arrays: Sequence[Any], /, axis: int | None = 0) -> Any:
    """Arrays one after another along `axis`; with None, each is flattened first.

    Raises   ShapeError   no arrays, or another axis differs
    """
    if (is_tensor(axis) and not isinstance(axis, np.integer)) or not isinstance(arrays, Iterable):
        raise located(ShapeError("concat takes one list of arrays", "write bg.concat([x, y], axis)"))
    parts = [tensor(x) for x in arrays]
    if not parts:
        raise located(ShapeError("concat: no arrays"))
    if axis is None:
        parts, axis = [reshape(x, -1) for x in parts], 0
    dtype, first = computed_dtype(parts), type_of(parts[0])
    axis = normal_axis("concat", axis, first.rank)
    for i, x in enumerate(parts):
        other = type_of(x).shape
        if other[:axis] + other[axis + 1 :] != first.shape[:axis] + first.shape[axis + 1 :]:
            raise located(ShapeError(f"concat: arrays[0] is {first} and arrays[{i}] is {type_of(x)}, axis {axis}"))
    if len(parts) == 1:
        return parts[0]
    return apply(Concat(axis), *(astype(x, dtype) for x in parts))


@also_spelled(dim="axis")
def stack(arrays: Sequence[Any], /, axis: int = 0) -> Any:
    """Arrays of one shape along a new axis."""
    return concat([expand_dims(x, axis) for x in arrays], axis)


@also_spelled(dims="axis")
def flip(x: Any, /, axis: Axes = None) -> Any:
    """Entries in reverse order along `axis` (all axes if None)."""
    x = tensor(x)
    axes = normal_axes("flip", axis, type_of(x).rank)
    return apply(Flip(axes), x) if axes else x


def sliced(x: Any, start: Sequence[int], stop: Sequence[int], step: Sequence[int]) -> Any:
    """x[start:stop:step] per axis, with 0 <= start <= stop <= dim and step >= 1."""
    type = type_of(x)
    if all(a == 0 and b == d and s == 1 for a, b, s, d in zip(start, stop, step, type.shape, strict=True)):
        return x
    return apply(Slice(tuple(start), tuple(stop), tuple(step)), x)


def cut(x: Any, axis: int, start: int, stop: int, step: int = 1) -> Any:
    """x[start:stop:step] along one axis, as in sliced."""
    shape = type_of(x).shape
    starts, stops, steps = [0] * len(shape), list(shape), [1] * len(shape)
    starts[axis], stops[axis], steps[axis] = start, stop, step
    return sliced(x, starts, stops, steps)


concatenate = concat  # MLX's name for it
