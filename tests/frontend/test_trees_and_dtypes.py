"""Tree utilities, questions about dtypes, and the bg.linalg namespace."""

import mlx.core as mx
import numpy as np
import pytest

import burngraph as bg
from burngraph.errors import DTypeError, InputError, ShapeError

TREE = {"b": [1, (2, None)], "a": 3}


def test_trees_come_apart_and_together():
    leaves, tree_def = bg.tree_flatten(TREE)
    assert leaves == bg.tree_leaves(TREE) == [3, 1, 2]
    assert bg.tree_unflatten(tree_def, leaves) == TREE
    assert bg.tree_flatten_with_path(TREE) == [("a", 3), ("b.0", 1), ("b.1.0", 2)]


def test_tree_map():
    assert bg.tree_map(lambda x, y: x + 10 * y, TREE, TREE) == {"b": [11, (22, None)], "a": 33}
    assert bg.tree_map_with_path(lambda path, x: f"{path}={x}", TREE) == {"b": ["b.0=1", ("b.1.0=2", None)], "a": "a=3"}
    with pytest.raises(InputError, match="trees differ in shape"):
        bg.tree_map(lambda x, y: x, TREE, {"a": 1})


def test_tree_reduce():
    assert bg.tree_reduce(lambda x, y: x + y, TREE) == 6
    assert bg.tree_reduce(lambda x, y: x + y, {}, 5) == 5
    with pytest.raises(TypeError):
        bg.tree_reduce(lambda x, y: x, {})


@pytest.mark.parametrize(
    "given",
    [
        ("float32", "float16"), ("int8", "uint8"), ("uint64", "int64"), ("bool", 1), ("int8", 1), ("int8", 1.0),
        ("float16", 1.0), ("bool", True), ("bfloat16", "float16"), ("int32", 1j),
    ],
)  # fmt: skip
def test_result_type_is_mlx_s(given):
    arrays = [mx.zeros(2, getattr(mx, "bool_" if g == "bool" else g)) if isinstance(g, str) else g for g in given]
    want = (arrays[0] + arrays[1]).dtype
    assert bg.result_type(*given).long_name == str(want).rpartition(".")[2].rstrip("_")
    assert bg.result_type(*arrays) == bg.result_type(*given)


def test_result_type_of_numbers_alone():
    assert bg.result_type(1, 2.0).long_name == "float32"


def test_kinds_of_dtypes():
    assert bg.isdtype("int8", "integral")
    assert bg.isdtype("uint8", ("bool", "unsigned integer"))
    assert not bg.isdtype("float16", "integral")
    assert bg.isdtype("float16", "float16")
    assert bg.can_cast("int8", "int32")
    assert not bg.can_cast(np.float32(1), "int32")
    with pytest.raises(DTypeError):
        bg.isdtype("int8", "whole")


def test_limits_of_dtypes():
    assert bg.finfo("bfloat16").bits == 16
    assert float(bg.finfo("float16").max) == 65504
    assert bg.iinfo(np.zeros(1, np.int8)).max == 127
    with pytest.raises(DTypeError, match=r"iinfo: f32 is not an integer"):
        bg.iinfo("float32")
    with pytest.raises(DTypeError, match=r"finfo: i32 is not a float"):
        bg.finfo("int32")


X = np.random.default_rng(0).uniform(-1, 1, (2, 3, 3)).astype("float32")


@pytest.mark.parametrize(
    ("ours", "want"),
    [
        (lambda x: bg.linalg.trace(x, offset=1), np.trace(X, 1, 1, 2)),
        (bg.linalg.matrix_norm, np.linalg.norm(X, axis=(1, 2))),
        *((lambda x, p=p: bg.linalg.matrix_norm(x, ord=p, keepdims=True), np.linalg.norm(X, p, (1, 2), True)) for p in (1, -1)),
        *((lambda x, p=p: bg.linalg.matrix_norm(x, ord=p), np.linalg.norm(X, p, (1, 2))) for p in (np.inf, -np.inf)),
        *((lambda x, n=n: bg.linalg.matrix_power(x, n), np.linalg.matrix_power(X, n)) for n in (0, 1, 2, 5)),
    ],
)
def test_linalg(ours, want):
    np.testing.assert_allclose(np.array(bg.compile(ours)(X)), want, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize(
    ("error", "call"),
    [
        (InputError, lambda x: bg.linalg.matrix_norm(x, ord=2)),
        (InputError, lambda x: bg.linalg.matrix_power(x, -1)),
        (ShapeError, lambda x: bg.linalg.matrix_power(x[:, :2], 2)),
        (ShapeError, lambda x: bg.linalg.matrix_norm(x[0, 0])),
    ],
)
def test_linalg_refuses(error, call):
    with pytest.raises(error):
        bg.trace(call, X)
