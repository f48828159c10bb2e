"""Cases for Burn's base operations. NumPy says each meaning by loops over places where there is a choice of index rules."""

from itertools import product

import numpy as np

from tests.burn.harness import BOOL, EVERY, NUMBERS, Case, T, indices

COMBINE = {
    "Assign": lambda old, new: new,
    "Add": lambda old, new: old | new if isinstance(old, np.bool_) else old + new,
    "Mul": lambda old, new: old * new,
    "Min": min,
    "Max": max,
}


def sliced(tensor, slices):
    """Burn's rule, told entry by entry: walk start..end forwards or backwards."""
    for axis, (start, end, step) in enumerate(slices):
        n = tensor.shape[axis]
        first, last = (int(np.clip(i + n if i < 0 else i, 0, n)) for i in (start, n if end is None else end))
        walked = list(range(first, last)) if step > 0 else list(range(first, last))[::-1]
        tensor = np.take(tensor, walked[:: abs(step)], axis=axis)
    return tensor


def slice_assigned(tensor, value, slices):
    places = sliced(np.arange(tensor.size).reshape(tensor.shape), slices)
    out = tensor.copy().reshape(-1)
    out[places.reshape(-1)] = value.reshape(-1)
    return out.reshape(tensor.shape)


def gathered(tensor, indices, dim):
    out = np.empty(indices.shape, tensor.dtype)
    for place in np.ndindex(indices.shape):
        source = list(place)
        source[dim] = indices[place]
        out[place] = tensor[tuple(source)]
    return out


def scattered(tensor, indices, value, dim, update):
    out = tensor.copy()
    for place in np.ndindex(indices.shape):
        target = list(place)
        target[dim] = indices[place]
        out[tuple(target)] = COMBINE[update](out[tuple(target)], value[place])
    return out


def select_assigned(tensor, indices, value, dim, update):
    out = np.moveaxis(tensor.copy(), dim, 0)
    for k, index in enumerate(indices):
        for place in np.ndindex(out.shape[1:]):
            out[index][place] = COMBINE[update](out[index][place], np.moveaxis(value, dim, 0)[k][place])
    return np.moveaxis(out, 0, dim)


def scattered_nd(data, indices, values, reduction):
    out = data.copy()
    k = indices.shape[-1]
    for place in np.ndindex(indices.shape[:-1]):
        for rest in np.ndindex(data.shape[k:]):
            target = (*indices[place], *rest)
            out[target] = COMBINE[reduction](out[target], values[(*place, *rest)])
    return out


def windows(input, dim, size, step):
    count = max(0, (input.shape[dim] - size) // step + 1)
    parts = [np.moveaxis(np.take(input, range(w * step, w * step + size), axis=dim), dim, -1) for w in range(count)]
    return np.stack(parts, axis=dim)


SLICES = {
    "forward": ((1, 4, 2), (-3, None, 1)),
    "backward": ((0, 5, -1), (1, 4, -2)),
    "clamped": ((-9, 9, 1), (2, 99, 1)),
    "empty": ((3, 2, 1), (0, None, -1)),
    "one": ((-1, None, 1),),
}


def on_floats_and_ints(name, **more):
    """Arithmetic updates overflow small integers differently from the loop's, so their values stay small."""
    return [
        Case(
            f"Base.{name}",
            {key: given[update] if isinstance(given, dict) else given for key, given in more["operands"].items()},
            {**more["attributes"], more["attribute"]: update},
            more["want"],
            NUMBERS if update != "Add" else more["dtypes"],
            label=update,
        )
        for update in ("Assign", "Add", "Mul", "Min", "Max")
    ]


SMALL = (-2, 3)

CASES = [
    Case("Base.Reshape", {"input": T(2, 3, 4)}, {"shape": (4, 6)}, lambda input, shape: input.reshape(shape), EVERY),
    Case(
        "Base.SwapDims",
        {"input": T(2, 3, 4)},
        {"dim1": 0, "dim2": 2},
        lambda input, dim1, dim2: input.swapaxes(dim1, dim2),
        EVERY,
    ),
    Case("Base.Permute", {"input": T(2, 3, 4)}, {"axes": (2, 0, 1)}, lambda input, axes: np.transpose(input, axes), EVERY),
    Case("Base.Flip", {"input": T(2, 3, 4)}, {"axes": (0, 2)}, lambda input, axes: np.flip(input, axes), EVERY),
    Case("Base.Expand", {"input": T(3, 1)}, {"shape": (2, 3, 4)}, lambda input, shape: np.broadcast_to(input, shape), EVERY),
    *(
        Case(
            "Base.Unfold", {"input": T(2, 7, 3)}, {"dim": 1, "size": size, "step": step}, windows, EVERY, label=f"{size},{step}"
        )
        for size, step in ((3, 2), (2, 3), (7, 1))
    ),
    *(Case("Base.Slice", {"tensor": T(5, 6)}, {"slices": s}, sliced, EVERY, label=name) for name, s in SLICES.items()),
    *(
        Case(
            "Base.SliceAssign",
            {"tensor": T(5, 6), "value": T(*sliced(np.zeros((5, 6)), s).shape)},
            {"slices": s},
            slice_assigned,
            EVERY,
            label=name,
        )
        for name, s in SLICES.items()
    ),
    Case(
        "Base.Select",
        {"tensor": T(2, 5, 3), "indices": indices(4, below=5)},
        {"dim": 1},
        lambda tensor, indices, dim: np.take(tensor, indices, axis=dim),
        EVERY,
    ),
    *on_floats_and_ints(
        "SelectAssign",
        operands={"tensor": T(2, 5, 3, limits=SMALL), "indices": np.array([1, 4, 1, 0]), "value": T(2, 4, 3, limits=SMALL)},
        attributes={"dim": 1},
        attribute="update",
        want=select_assigned,
        dtypes=EVERY,
    ),
    Case(
        "Base.MaskWhere",
        {"tensor": T(2, 3), "mask": np.array([[True, False, True]]), "value": T(2, 1)},
        {},
        lambda tensor, mask, value: np.where(mask, value, tensor),
        EVERY,
    ),
    *(
        Case(
            "Base.MaskFill",
            {"tensor": T(2, 3), "mask": np.array([[True], [False]])},
            {"value": value},
            lambda tensor, mask, value: np.where(mask, np.asarray(value, tensor.dtype), tensor),
            dtypes,
            label=str(value),
        )
        for value, dtypes in ((1, NUMBERS), (True, BOOL))
    ),
    *(
        Case(
            "Base.Gather",
            {"tensor": T(3, 4), "indices": indices(*shape, below=below)},
            {"dim": dim},
            gathered,
            EVERY,
            label=str(dim),
        )
        for dim, shape, below in ((0, (5, 4), 3), (1, (3, 2), 4))
    ),
    *on_floats_and_ints(
        "Scatter",
        operands={"tensor": T(3, 4, limits=SMALL), "indices": indices(5, 4, below=3), "value": T(5, 4, limits=SMALL)},
        attributes={"dim": 0},
        attribute="update",
        want=scattered,
        dtypes=EVERY,
    ),
    *(
        Case(
            "Base.GatherNd",
            {"data": T(3, 4, 2), "indices": np.array(places)},
            {},
            lambda data, indices: data[tuple(np.moveaxis(indices, -1, 0))],
            EVERY,
            label=f"K={len(places[0])}",
        )
        for places in ([[2], [0]], [[1, 3], [2, 0], [1, 3]], [[0, 1, 1], [2, 3, 0]])
    ),
    *on_floats_and_ints(
        "ScatterNd",
        operands={
            "data": T(3, 4, 2, limits=SMALL),
            "indices": np.array([[1, 3], [2, 0], [1, 3]]),
            "values": T(3, 2, limits=SMALL),
        },
        attributes={},
        attribute="reduction",
        want=scattered_nd,
        dtypes=EVERY,
    ),
    *(
        Case(f"Base.{name}", {"lhs": T(2, 3, limits=(0, 2)), "rhs": T(1, 3, limits=(0, 2))}, {}, want, EVERY, out=("bool",))
        for name, want in (("Equal", lambda lhs, rhs: lhs == rhs), ("NotEqual", lambda lhs, rhs: lhs != rhs))
    ),
    *(
        Case(
            f"Base.{name}",
            {"lhs": np.array([1.0, np.nan, 0.0])},
            {"rhs": 1},
            want,
            ("f32", "f16", "bf16", "f64"),
            ("bool",),
            label="nan",
        )
        for name, want in (("EqualElem", lambda lhs, rhs: lhs == rhs), ("NotEqualElem", lambda lhs, rhs: lhs != rhs))
    ),
    *(
        Case(f"Base.{name}", {"lhs": T(2, 3, limits=(0, 2))}, {"rhs": 1}, want, EVERY, out=("bool",))
        for name, want in (("EqualElem", lambda lhs, rhs: lhs == rhs), ("NotEqualElem", lambda lhs, rhs: lhs != rhs))
    ),
    Case(
        "Base.RepeatDim",
        {"tensor": T(2, 3)},
        {"dim": 1, "times": 2},
        lambda tensor, dim, times: np.concatenate([tensor] * times, axis=dim),
        EVERY,
    ),
    Case(
        "Base.Cat",
        {"tensors.0": T(2, 3), "tensors.1": T(2, 1), "tensors.2": T(2, 0)},
        {"dim": 1},
        lambda tensors, dim: np.concatenate(tensors, axis=dim),
        EVERY,
    ),
    *(
        Case("Base.Cast", {"input": T(2, 3, limits=limits)}, {"dtype": dtype}, want, tried, out=(dtype,), label=dtype)
        for dtype, want, tried, limits in (
            ("f32", lambda input, dtype: input, ("f16", "bf16", "f64"), (-2.0, 2.0)),
            ("f16", lambda input, dtype: input, ("f32",), (-2.0, 2.0)),
            ("i8", lambda input, dtype: input.astype(np.int8), ("i32", "i64", "u8", "u16", "u32", "u64"), (-400, 400)),
            ("u16", lambda input, dtype: input.astype(np.uint16), ("i32", "i8", "i16"), (-100, 100)),
            ("bool", lambda input, dtype: input != 0, ("bool", "i32", "u8"), (0, 2)),
        )
    ),
    Case("Base.Empty", {}, {"shape": (2, 3), "dtype": "T"}, lambda shape, dtype: np.zeros(shape), EVERY),
    Case("Base.Zeros", {}, {"shape": (2, 3), "dtype": "T"}, lambda shape, dtype: np.zeros(shape), EVERY),
    Case("Base.Ones", {}, {"shape": (2, 3), "dtype": "T"}, lambda shape, dtype: np.ones(shape), EVERY),
    *(
        Case(f"Base.{name}", {"input": np.asarray(entries)}, {}, want, tried, out=("bool",), label=label)
        for (name, want), (label, entries, tried) in product(
            (("All", lambda input: input.astype(bool).all()), ("Any", lambda input: input.astype(bool).any())),
            (("mixed", [[0.0, np.nan], [2.0, 1.0]], ("f32", "f16", "bf16", "f64")), ("zeros", [0.0, -0.0], ("f32",))),
        )
    ),
    *(
        Case(f"Base.{name}", {"input": T(2, 3, limits=(0, 2))}, {}, want, EVERY, out=("bool",))
        for name, want in (("All", lambda input: input.astype(bool).all()), ("Any", lambda input: input.astype(bool).any()))
    ),
    *(
        Case(f"Base.{name}", {"input": T(4, 3, limits=(0, 2))}, {"axis": 1}, want, EVERY, out=("bool",))
        for name, want in (
            ("AllDim", lambda input, axis: input.astype(bool).all(axis, keepdims=True)),
            ("AnyDim", lambda input, axis: input.astype(bool).any(axis, keepdims=True)),
        )
    ),
]
