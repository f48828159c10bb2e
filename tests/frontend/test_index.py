"""x[...] and x.at[...] against NumPy's on many index expressions; every one is read, written and differentiated."""

import mlx.core as mx
import numpy as np
import pytest

import burngraph as bg
from burngraph.errors import BurngraphError, DTypeError, ShapeError, TraceError

X = np.random.default_rng(0).normal(size=(3, 4, 5)).astype("float32")
I = np.array([2, 0, -1])
J = np.array([[1], [-3]])
K = np.array([0, 2, 2, -5])
ROW = np.array(1)

s = np.s_
EXPRESSIONS = {
    "integer": s[1], "negative": s[-1], "all integers": s[1, -2, 3], "slice": s[1:], "slices": s[:2, 1:3], "empty": s[2:1],
    "step": s[:, ::2, 1::3], "backwards": s[::-1], "backwards by 2": s[:, ::-2, 3:0:-1], "beyond": s[-9:9, :99],
    "none": s[None], "nones": s[:, None, 1, None], "dots": s[..., 0], "dots between": s[0, ..., ::2], "only dots": s[...],
    "dots and none": s[..., None, 2], "nothing": (), "integer and slice": s[-2, 1:, ::-1], "list": s[[0, 2]],
    "array": s[I], "array of rank 2": s[J % 3], "array of rank 0": s[ROW], "array last": s[..., K], "array middle": s[:, J],
    "two arrays": s[I, I], "two broadcast": s[I, J], "three": s[I, J, 0], "three arrays": s[I, J, J],
    "two last": s[:, I, J], "apart": s[I, :, J], "apart by dots": s[I, ..., J], "apart by empty dots": s[I, I, ..., I],
    "array, slice": s[I, 1:3], "slice, array": s[1:, J, ::2], "backwards slice, array": s[::-1, I],
    "integer, array": s[1, I], "array, integer": s[I, 1], "integer, slice, array": s[1, :, I],
    "array, slice, integer": s[J, ::-1, 2], "none, array": s[None, I], "array, none": s[I, None],
    "arrays apart by none": s[I, None, J], "none between slices and arrays": s[:, None, I, K[:3]],
    "array of nothing": s[np.zeros((0,), int)], "list of nothing": s[[]], "lists of nothing": s[:, [[], []]],
    "small dtypes": s[I.astype("int8"), I.astype("uint8") % 4],
    "repeated": s[np.array([1, 1, 1])], "repeated pairs": s[np.array([0, 1, 0, 1]), :, np.array([2, 2, 2, 3])],
    "rank 0 beside rank 1": s[ROW, :, I],
}  # fmt: skip
every_expression = pytest.mark.parametrize("index", EXPRESSIONS.values(), ids=EXPRESSIONS)


@every_expression
def test_reading_is_numpys(index) -> None:
    np.testing.assert_array_equal(np.array(bg.compile(lambda x: x[index])(X)), X[index])


@every_expression
def test_arrays_may_be_traced(index) -> None:
    items = index if isinstance(index, tuple) else (index,)
    arrays = [item for item in items if isinstance(item, np.ndarray)]

    def read(x, *arrays):
        rest = iter(arrays)
        return x[tuple(next(rest) if isinstance(item, np.ndarray) else item for item in items)]

    np.testing.assert_array_equal(np.array(bg.compile(read)(X, *arrays)), X[index])


def updates(index, kind: str) -> np.ndarray:
    shape = X[index].shape if kind == "full" else X[index].shape[-1:]
    return np.random.default_rng(1).uniform(0.5, 2, shape).astype("float32")


WRITES = {
    "set": None, "add": np.add, "subtract": np.subtract, "multiply": np.multiply, "divide": np.divide,
    "maximum": np.maximum, "minimum": np.minimum,
}  # fmt: skip


def numpys(method: str, x: np.ndarray, index, v: np.ndarray) -> np.ndarray:
    out = x.copy()
    if WRITES[method] is None:
        out[index] = v
    else:
        WRITES[method].at(out, index, v)
    return out


def written(x, index, v) -> list:
    return [getattr(x.at[index], method)(v) for method in WRITES]


@every_expression
def test_writing_is_numpys(index) -> None:
    v, row = updates(index, "full"), updates(index, "row")
    got = bg.compile(lambda x, v, row: written(x, index, v) + written(x, index, row))(X, v, row)
    wants = [numpys(method, X, index, new) for new in (v, row) for method in WRITES]
    for method, found, want in zip([*WRITES, *WRITES], got, wants, strict=True):
        np.testing.assert_allclose(np.array(found), want, rtol=1e-6, err_msg=method)


SOME = ["all integers", "backwards by 2", "none", "array", "array middle", "two broadcast", "apart", "backwards slice, array",
        "array, slice, integer", "repeated", "repeated pairs"]  # fmt: skip


@pytest.mark.parametrize("index", [EXPRESSIONS[name] for name in SOME], ids=SOME)
def test_writing_is_differentiated(index) -> None:
    """Reverse mode along a random direction is the central difference of NumPy's meaning in f64, all methods together."""
    v = updates(index, "full")
    rng = np.random.default_rng(2)
    dx, dv = (rng.uniform(-1, 1, shape) for shape in (X.shape, v.shape))
    weights = rng.uniform(-1, 1, (len(WRITES), *X.shape))
    gradients = bg.compile(bg.grad(lambda x, v: bg.sum(bg.stack(written(x, index, v)) * weights.astype("float32")), (0, 1)))

    def loss(h: float) -> float:
        return sum(float(np.sum(numpys(m, X + h * dx, index, v + h * dv) * w)) for m, w in zip(WRITES, weights, strict=True))

    got = sum(np.sum(np.array(g) * d) for g, d in zip(gradients(X, v), (dx, dv), strict=True))
    np.testing.assert_allclose(got, (loss(1e-6) - loss(-1e-6)) / 2e-6, rtol=2e-4, atol=5e-4)


def test_the_last_write_wins() -> None:
    at = np.random.default_rng(0).integers(0, 5, (40, 25))
    v = np.arange(1000, dtype="float32").reshape(40, 25)
    want = np.zeros(5, "float32")
    for i, value in zip(at.ravel(), v.ravel(), strict=True):
        want[i] = value
    program = bg.compile(lambda x, i, v: x.at[i].set(v), verify=True)
    np.testing.assert_array_equal(np.array(program(np.zeros(5, "float32"), at.astype("int32"), v)), want)
    gradient = bg.compile(bg.grad(lambda v: bg.sum(bg.zeros((5,)).at[at.astype("int32")].set(v))))(v)
    np.testing.assert_array_equal(np.array(gradient), np.isin(v, want))


def test_untouched_entries_keep_their_bits() -> None:
    x = np.array([-0.0, np.nan, -0.0, np.inf], "float32")
    for method in WRITES:
        got = bg.compile(lambda x, i, method=method: getattr(x.at[i], method)(1.5))(x, np.array([7, -9], "int32"))
        np.testing.assert_array_equal(np.array(got).view("uint32"), x.view("uint32"))


def test_setting_keeps_the_bits_of_what_is_set() -> None:
    v = np.array([-0.0, np.nan], "float32")
    for index in (s[::2], s[2:], s[np.array([3, 1])], s[::-2]):
        got = np.array(bg.compile(lambda x, v, index=index: x.at[index].set(v))(np.ones(4, "float32"), v))
        np.testing.assert_array_equal(got[index].view("uint32"), v.view("uint32"))


@pytest.mark.parametrize("dtype", ["bool", "int8", "uint8", "int32", "uint64", "float16", "bfloat16", "complex64"])
def test_dtypes(dtype: str) -> None:
    x, v = mx.array([0, 1, 0, 1]).astype(getattr(mx, dtype.replace("bool", "bool_"))), mx.array([1, 1, 0])
    i, v = mx.array([0, 0, 3]), v.astype(x.dtype)
    add = {"bool": [1, 1, 0, 1]}.get(dtype, [2, 1, 0, 1])
    assert bg.compile(lambda x, i, v: x.at[i].add(v))(x, i, v).astype(mx.float32).tolist() == add
    assert bg.compile(lambda x, i, v: x.at[i].multiply(v))(x, i, v).astype(mx.float32).tolist() == [0, 1, 0, 0]
    assert bg.compile(lambda x, i, v: x.at[i].set(v))(x, i, v).astype(mx.float32).tolist() == [1, 1, 0, 0]
    assert bg.compile(lambda x, v: x.at[::-2].set(v))(x, v[1:]).astype(mx.float32).tolist() == [0, 0, 0, 1]


def test_many_16_bit_additions_are_added_up_in_f32() -> None:
    ones, at = mx.ones((4096,), mx.bfloat16), mx.zeros((4096,), mx.int32)
    assert bg.compile(lambda v, i: bg.zeros((2,), "bfloat16").at[i].add(v))(ones, at).tolist() == [4096.0, 0.0]
    assert bg.compile(bg.grad(lambda x, i: bg.sum(bg.take(x, i, 0))))(mx.zeros((2,), mx.bfloat16), at).tolist() == [4096, 0]


def test_a_mask_sets_one_number() -> None:
    x = np.arange(6, dtype="float32").reshape(2, 3)
    np.testing.assert_array_equal(np.array(bg.compile(lambda x: x.at[x > 3].set(-1.0))(x)), np.where(x > 3, -1, x))
    got = bg.compile(lambda x: x.at[x[:, 0] > 1].set(0.0))(x)
    np.testing.assert_array_equal(np.array(got), x * [[1], [0]])


SECOND = {
    "add": lambda x, v, i: x.at[i].add(v),
    "set": lambda x, v, i: x.at[i].set(v),
    "multiply": lambda x, v, i: x.at[i].multiply(v),
    "maximum": lambda x, v, i: x.at[i].maximum(v),
    "slice": lambda x, v, i: x.at[1:3].multiply(v[:2]),
}


@pytest.mark.parametrize("name", SECOND)
def test_second_derivatives_in_both_orders(name: str) -> None:
    x, v, i = np.array([1.0, -2.0, 0.5, 3.0]), np.array([0.7, 2.0, -1.5]), np.array([1, 3, 1], "int32")
    x, v, dx = x.astype("float32"), v.astype("float32"), np.array([1, 0.5, -1, 2], "float32")

    def loss(x, v):
        return bg.sum(bg.exp(0.3 * SECOND[name](x, v, i)))

    gradient = bg.grad(loss, 1)
    got = bg.compile(lambda x, v: bg.jvp(lambda x: gradient(x, v), (x,), (dx,))[1])(x, v)
    h = 1e-2
    want = (np.array(gradient(x + h * dx, v)) - np.array(gradient(x - h * dx, v))) / (2 * h)
    np.testing.assert_allclose(np.array(got[0] if isinstance(got, list | tuple) else got), want, rtol=2e-2, atol=2e-3)


def test_products_with_zeros_have_the_right_gradient() -> None:
    """One zero among the factors: it alone gets the product of the others; two: none gets anything."""
    x, v = np.array([2.0, 3.0, 0.0], "float32"), np.array([0.0, 5.0, 0.0, 0.0, 7.0], "float32")
    i = np.array([0, 0, 1, 1, 2], "int32")
    gx, gv = bg.compile(bg.grad(lambda x, v: bg.sum(x.at[i].multiply(v)), (0, 1)))(x, v)
    assert (gx.tolist(), gv.tolist()) == ([0, 0, 7], [10, 0, 0, 0, 0])


def test_ties_give_the_derivative_to_x_and_then_to_the_first() -> None:
    x, v, i = np.array([1.0, 5.0], "float32"), np.array([1.0, 5.0, 7.0, 7.0], "float32"), np.array([0, 0, 1, 1], "int32")
    gx, gv = bg.compile(bg.grad(lambda x, v: bg.sum(x.at[i].maximum(v)), (0, 1)))(x, v)
    assert (gx.tolist(), gv.tolist()) == ([0, 0], [0, 1, 1, 0])


@pytest.mark.parametrize("function", [lambda x: x[x > 0], lambda x: x[True], lambda x: x.at[x > 0].add(1.0)])
def test_traced_masks_are_refused(function) -> None:
    with pytest.raises(TraceError, match=r"use bg\.where\(mask, x, other\)"):
        bg.trace(function, bg.TensorSpec((3, 4, 5)))


ERRORS = {
    "index 3 is out of range for axis 0": (ShapeError, lambda x: x[3]),
    "4 indices and 0 ellipses do not fit": (ShapeError, lambda x: x[0, 0, 0, 0]),
    "1 indices and 2 ellipses do not fit": (ShapeError, lambda x: x[..., 0, ...]),
    "an index is a float, not an integer": (DTypeError, lambda x: x[1.0]),
    "a slice has step 0": (ShapeError, lambda x: x[::0]),
    "indexing: shapes do not broadcast": (ShapeError, lambda x: x[I, K]),
    "does not broadcast to": (ShapeError, lambda x: x.at[0].set(bg.zeros((3,)))),
    "f32 does not go into i32": (DTypeError, lambda x: bg.astype(x, "int32").at[0].set(1.5)),
    "divide: x is i32": (DTypeError, lambda x: bg.astype(x, "int32").at[0].divide(2)),
    "scatter: no reduce 'mean'": (ShapeError, lambda x: bg.scatter(x, 0, bg.zeros((1, 1, 1), "int32"), 0.0, "mean")),
    "scatter_nd: no reduction 'mul'": (ShapeError, lambda x: bg.scatter_nd(x, bg.zeros((1, 1), "int32"), 0.0, "mul")),
    "gather: x is f32": (ShapeError, lambda x: bg.gather(x, 0, bg.zeros((1, 5, 1), "int32"))),
    "select_scatter: src is": (ShapeError, lambda x: bg.select_scatter(x, bg.zeros((4, 1)), 0, 0)),
    "masked_fill: mask is": (DTypeError, lambda x: bg.masked_fill(x, x, 0.0)),
    "must have 1 to 3 entries": (ShapeError, lambda x: bg.gather_nd(x, bg.zeros((2, 4), "int32"))),
}


@pytest.mark.parametrize("message", ERRORS)
def test_errors_name_the_users_line(message: str) -> None:
    kind, function = ERRORS[message]
    with pytest.raises(kind) as caught:
        bg.trace(function, bg.TensorSpec((3, 4, 5)))
    assert isinstance(caught.value, BurngraphError) and message in str(caught.value) and "test_index.py" in str(caught.value)


def test_proved_indices_are_not_clamped() -> None:
    """argmax, iota and constants are in range by what they are; a traced index is not."""
    x = np.zeros((4, 6), "float32")
    program = bg.compile(lambda x: bg.take_along_axis(x, bg.expand_dims(bg.argmax(x, 1), 1), 1) + x[[0, 3, 1, 1]][:, [2]])
    program(x)
    assert "clip" not in program.source and "minimum" not in program.source
    assert "clip" in bg.compile(lambda x, i: x[i]).specialise(x, np.array([0], "int32")).source


MASK = np.array([[True, False, True], [False, False, True]])


MASKS = [
    MASK,
    (MASK, 1),
    (slice(None), MASK[0]),
    (MASK[:, 0], slice(0, 2)),
    (..., np.array([True, False, True, False])),
    (MASK[:, 0], np.array([2])),
]


@pytest.mark.parametrize("index", MASKS, ids=str)
def test_masks_of_known_entries_select_as_in_numpy(index):
    x = np.arange(24, dtype="float32").reshape(2, 3, 4)
    (got,) = bg.run(bg.trace(lambda x: x[index], x), x)
    np.testing.assert_array_equal(got, x[index])
    (added,) = bg.run(bg.trace(lambda x: x.at[index].add(1.0), x), x)
    x[index] += 1
    np.testing.assert_array_equal(added, x)


def test_a_list_of_bools_is_a_mask():
    (got,) = bg.run(bg.trace(lambda x: x[[True, False]], bg.TensorSpec((2, 3))), np.ones((2, 3), "float32"))
    assert got.shape == (1, 3)


def test_a_mask_that_does_not_fit_is_refused():
    with pytest.raises(ShapeError, match=r"a mask of shape \[3\] does not fit axes of \[2\]"):
        bg.trace(lambda x: x[MASK[0]], bg.TensorSpec((2, 3)))
    with pytest.raises(TraceError, match="a mask whose entries are not known"):
        bg.trace(lambda x: x[x > 0], bg.TensorSpec((2, 3)))
