"""The public functions, traced and interpreted, against NumPy and formulas written out."""

import numpy as np
import pytest

from burngraph.errors import DTypeError, ShapeError
from burngraph.frontend import public as bg
from burngraph.frontend.trace import TensorSpec, trace
from burngraph.ir.interpret import run
from burngraph.ir.verify import verify

RANDOM = np.random.default_rng(0)


def f32(*shape):
    return RANDOM.normal(size=shape).astype(np.float32)


def evaluate(fn, *arrays):
    results = run(verify(trace(fn, *arrays)), *arrays)
    return results[0] if len(results) == 1 else results


def check(fn, numpy_fn, *arrays, tolerance=1e-5):
    found, expected = evaluate(fn, *arrays), numpy_fn(*arrays)
    assert found.shape == np.shape(expected)
    np.testing.assert_allclose(found, expected, rtol=tolerance, atol=tolerance)


A, B, V = f32(2, 3, 4), f32(3, 1), f32(4)
I = np.array([[2, 0], [1, -1]], np.int32)

SAME = {
    "operators": lambda x, y: (x + y) * 2 - x / (y * y + 1) + 3 ** (x * 0.1) - (-x) % 2,
    "compare": lambda x, y: ((x > y) & (x < 1)) | (x == y) | ~(y >= 0),
    "slice": lambda x, y: x[1, ::-1, 1:3] + y[::2, 0][0],
    "newaxis": lambda x, y: x[..., None, ::2][0] + y[None, :, :, None],
    "negative step": lambda x, y: x[:, 2:0:-1, ::-2],
    "integer array": lambda x, y: x[:, I],
    "two arrays": lambda x, y: x[:, I[0], I[1]],
    "arrays apart": lambda x, y: x[I[0] - 1, :, I[1]],
    "methods": lambda x, y: x.sum(axis=1) + x.mean(axis=(0, 1), keepdims=True)[0] - x.max(axis=1) * x.min(axis=1),
    "var": lambda x, y: x.var(axis=-1, ddof=1) + x.std(axis=-1),
    "T": lambda x, y: x.T.reshape(-1, 2),
    "flatten": lambda x, y: x.transpose(2, 0, 1).flatten() * x.size,
    "unpack": lambda x, y: next(a * b for a, b in [x]),
    "len": lambda x, y: x * len(x),
    "cumsum": lambda x, y: x.cumsum(axis=1),
    "argmax": lambda x, y: x.argmax(axis=2) + x.argmin(axis=2),
}


@pytest.mark.parametrize("fn", SAME.values(), ids=SAME.keys())
def test_traced_values_behave_as_numpy_arrays(fn):
    check(fn, fn, A, B)


PAIRS = {
    "where": (lambda x: bg.where(x > 0, x, 0.5), lambda x: np.where(x > 0, x, 0.5)),
    "clip": (lambda x: bg.clip(x, -0.5, 0.5), lambda x: np.clip(x, -0.5, 0.5)),
    "matmul vector": (lambda x: x @ V, lambda x: x @ V),
    "matmul batch": (lambda x: x @ bg.permute_dims(x, (0, 2, 1)), lambda x: x @ x.transpose(0, 2, 1)),
    "matmul broadcast": (lambda x: x[None] @ x[:1].swapaxes(1, 2), lambda x: x[None] @ x[:1].swapaxes(1, 2)),
    "vector matmul": (lambda x: V @ bg.matrix_transpose(x), lambda x: V @ x.transpose(0, 2, 1)),
    "concat": (lambda x: bg.concat([x, x[:, :1]], 1), lambda x: np.concatenate([x, x[:, :1]], 1)),
    "stack": (lambda x: bg.stack([x, x], -1), lambda x: np.stack([x, x], -1)),
    "pad": (
        lambda x: bg.pad(x, [(0, 1), (2, 0), 1], value=7),
        lambda x: np.pad(x, [(0, 1), (2, 0), (1, 1)], constant_values=7),
    ),
    "broadcast_to": (
        lambda x: bg.broadcast_to(x[:, :1], (5, 2, 3, 4)),
        lambda x: np.broadcast_to(x[:, :1], (5, 2, 3, 4)),
    ),
    "split": (lambda x: bg.split(x, [1, 2, 1], 2)[1], lambda x: x[:, :, 1:3]),
    "take": (lambda x: bg.take(x, I, axis=1), lambda x: np.take(x, I, axis=1)),
    "take_along_axis": (
        lambda x: bg.take_along_axis(x, I[:, :, None], axis=1),
        lambda x: np.take_along_axis(x, I[:, :, None] % 3, axis=1),
    ),
    "arange": (lambda x: bg.arange(1, 9, 2) * x, lambda x: np.arange(1, 9, 2) * x),
    "eye": (lambda x: bg.eye(4) * x[:, :1], lambda x: np.eye(4) * x[:, :1]),
    "one_hot": (lambda x: bg.one_hot(I, 3) + x[:, :2, :3], lambda x: (I[..., None] == np.arange(3)) + x[:, :2, :3]),
    "prod": (lambda x: bg.prod(x, 0), lambda x: np.prod(x, 0)),
    "any": (lambda x: bg.any(x > 1, axis=2), lambda x: np.any(x > 1, axis=2)),
    "softmax": (lambda x: bg.softmax(x, dim=1), lambda x: np.exp(x) / np.exp(x).sum(1, keepdims=True)),
    "logsumexp": (lambda x: bg.logsumexp(x, 1, keepdims=True), lambda x: np.log(np.exp(x).sum(1, keepdims=True))),
    "silu": (bg.silu, lambda x: x / (1 + np.exp(-x))),
    "softplus": (bg.softplus, lambda x: np.log1p(np.exp(x))),
    "hardswish": (bg.hardswish, lambda x: x * np.clip(x + 3, 0, 6) / 6),
    "layer_norm": (
        lambda x: bg.layer_norm(x, (4,), V),
        lambda x: (x - x.mean(-1, keepdims=True)) / np.sqrt(x.var(-1, keepdims=True) + 1e-5) * V,
    ),
}


@pytest.mark.parametrize("pair", PAIRS.values(), ids=PAIRS.keys())
def test_functions_equal_their_formulas(pair):
    check(*pair, A)


def test_dtypes_promote_as_in_mlx():
    spec = [TensorSpec((2,), d) for d in ("int32", "bool", "float16")]
    graph = trace(lambda i, b, h: [i / i, b + 1, h * 2.5, h + i, b.sum(), i + True, i.mean(), h * h], *spec)
    assert [t.dtype.name for t in graph.result_types] == ["f32", "i32", "f16", "f16", "i32", "i32", "f32", "f16"]


def naive_conv(x, w, stride, padding, groups):
    x = np.pad(x, [(0, 0), (0, 0), (padding, padding), (padding, padding)])
    kernel = w.shape[2]
    windows = np.lib.stride_tricks.sliding_window_view(x, (kernel, kernel), (2, 3))[:, :, ::stride, ::stride]
    parts = [
        np.einsum("nchwij,ocij->nohw", part, kernels)
        for part, kernels in zip(np.split(windows, groups, 1), np.split(w, groups, 0), strict=True)
    ]
    return np.concatenate(parts, 1)


@pytest.mark.parametrize(("stride", "padding", "groups"), [(1, 0, 1), (2, 1, 1), (1, 1, 2), (2, 0, 4)])
def test_conv2d(stride, padding, groups):
    x, w, b = f32(2, 4, 6, 7), f32(8, 4 // groups, 3, 3), f32(8)
    check(
        lambda x, w, b: bg.conv2d(x, w, b, stride, padding, groups=groups),
        lambda x, w, b: naive_conv(x, w, stride, padding, groups) + b[:, None, None],
        x,
        w,
        b,
        tolerance=1e-4,
    )


def test_conv_same_keeps_the_size():
    graph = trace(lambda x, w: bg.conv1d(x, w, padding="same", dilation=2), TensorSpec((2, 3, 9)), TensorSpec((5, 3, 4)))
    assert graph.result_types[0].shape == (2, 5, 9)


def test_pools():
    x = f32(2, 3, 4, 6)
    blocks = x.reshape(2, 3, 2, 2, 3, 2)
    check(lambda x: bg.max_pool2d(x, 2), lambda x: blocks.max((3, 5)), x)
    check(lambda x: bg.avg_pool2d(x, 2), lambda x: blocks.mean((3, 5)), x)
    check(lambda x: bg.adaptive_avg_pool2d(x, (2, 3)), lambda x: blocks.mean((3, 5)), x)
    check(lambda x: bg.adaptive_avg_pool2d(x, 1), lambda x: x.mean((2, 3), keepdims=True), x)


def test_linear():
    check(lambda x, w, b: bg.linear(x, w, b), lambda x, w, b: x @ w.T + b, A, f32(5, 4), f32(5))


def test_batch_norm_training_updates_with_the_unbiased_variance():
    x, mean, var = f32(4, 3, 2, 2), f32(3), np.abs(f32(3))
    y, new_mean, new_var = evaluate(lambda x, m, v: bg.batch_norm(x, m, v, training=True), x, mean, var)
    m, v = x.mean((0, 2, 3)), x.var((0, 2, 3))
    normal = (x - m[:, None, None]) / np.sqrt(v + 1e-5)[:, None, None]
    np.testing.assert_allclose(y, normal, rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(new_mean, 0.9 * mean + 0.1 * m, rtol=1e-5)
    np.testing.assert_allclose(new_var, 0.9 * var + 0.1 * v * 16 / 15, rtol=1e-5)


def test_cross_entropy():
    logits, targets = f32(5, 3), np.array([0, 2, 1, 1, 0], np.int32)
    expected = (np.log(np.exp(logits).sum(1)) - logits[np.arange(5), targets]).mean()
    np.testing.assert_allclose(evaluate(bg.cross_entropy, logits, targets), expected, rtol=1e-5)


def test_random_numbers_have_their_distribution():
    key = np.array([0, 7], np.uint32)
    uniform, normal = evaluate(lambda k: (bg.uniform(k, (4000,), 1.0, 3.0), bg.normal(k, (4000,), 1.0, 2.0)), key)
    assert uniform.min() >= 1
    assert uniform.max() < 3
    assert abs(uniform.mean() - 2) < 0.05
    assert abs(normal.mean() - 1) < 0.15
    assert abs(normal.std() - 2) < 0.15


BAD = {
    "matmul: the last axis": lambda x: x @ x,
    "reshape: ": lambda x: x.reshape(5, -1),
    "index 2 is out of range for axis 0": lambda x: x[2],
    "axis 3 is out of range": lambda x: x.sum(axis=3),
    "4 indices and 0 ellipses": lambda x: x[0, 0, 0, 0],
    "conv2d: x and weight must have rank 4": lambda x: bg.conv2d(x, x),
    "linear: x must end": lambda x: bg.linear(x, bg.zeros((5, 3))),
    "concat: ": lambda x: bg.concat([x, x[:, :, :1]], 1),
    "does not divide": lambda x: x.split(5, 2),
    "does not divide into 3 equal": lambda x: x.split(np.int64(3), 2),
}


@pytest.mark.parametrize(("message", "fn"), BAD.items(), ids=BAD.keys())
def test_shape_errors_say_what_and_where(message, fn):
    with pytest.raises(ShapeError, match=message) as caught:
        trace(fn, TensorSpec((2, 3, 4)))
    assert f"from {__file__}:" in str(caught.value)


def test_lists_and_float_indices_are_refused():
    with pytest.raises(DTypeError, match="exp: x is a list, not an array"):
        bg.exp([1.0])
    with pytest.raises(DTypeError, match="not integers"):
        trace(lambda x: bg.take(x, x, 0), TensorSpec((2,)))


def test_every_public_name_exists_once():
    assert len(set(bg.__all__)) == len(bg.__all__)
    assert all(callable(getattr(bg, name)) for name in bg.__all__)
