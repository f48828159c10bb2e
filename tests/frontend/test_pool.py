"""Pools and windows: Burn's ceil rule, windows without entries, NaN, what is refused, and that no gradient scatters."""

import re

import numpy as np
import pytest

import burngraph as bg
from burngraph.errors import DTypeError, InputError, ShapeError
from burngraph.ir.target import CPU, METAL


def draw(*shape, seed=0):
    return np.random.default_rng(seed).normal(size=shape).astype("float32")


X = draw(2, 3, 6, 8)

REFUSED = {
    "needs 2 spatial axes at the end": lambda: bg.max_pool2d(X[0, 0, 0], 2),
    r"padding \(2, 2\) is over half of kernel_size \(3, 3\)": lambda: bg.avg_pool2d(X, 3, padding=2),
    "the window is larger than the padded input": lambda: bg.max_pool2d(X, 9),
    "kernel_size = 0 must be at least 1": lambda: bg.max_pool2d(X, 0),
    r"output_size = \[-1, -1\] must be at least 0": lambda: bg.adaptive_avg_pool2d(X, -1),
    "output_size = .1, 2, 3. must be an int or 2 of them": lambda: bg.adaptive_max_pool2d(X, (1, 2, 3)),
    "whose windows would be empty": lambda: bg.adaptive_avg_pool1d(X[..., :0], 2),
    "a window is larger than the padded image": lambda: bg.unfold(X, 9),
    r"must be \[N, C \* 4, 15\]": lambda: bg.fold(draw(2, 8, 14), (4, 6), 2),
    r"needs \[..., C \* 4, H, W\]": lambda: bg.pixel_shuffle(X, 2),
    "indices must have x's shape": lambda: bg.max_unpool2d(X, np.zeros((2, 3, 6, 7), "int32"), 2),
    "is a stride": lambda: bg.max_unpool2d(X, np.zeros(X.shape, "int32"), 2, output_size=(14, 16)),
    'mode "reflect" has 5 entries for padding': lambda: bg.pad(X, (0, 0, 6, 0), mode="reflect"),
    "num_groups = 2 does not divide": lambda: bg.group_norm(X, 2),
    "takes more than one value per channel": lambda: bg.batch_norm(X[:1, :, :1, :1], training=True),
    "takes more than one value per group": lambda: bg.group_norm(X[:1, :, :1, :1], 3),
    r"size = \(5,\) must be an int or 2": lambda: bg.interpolate(X, size=(5,)),
    r"output_size = \(5,\) must be an int or 2": lambda: bg.adaptive_avg_pool2d(X, (5,)),
    "flatten: axis 1 is out of range": lambda: bg.flatten(X[0, 0, 0, 0], 1),
    "takes more than one position": lambda: bg.instance_norm(X[:, :, :1, :1]),
    r"padding \(1, 1\) is over half of kernel_size \(1, 1\)": lambda: bg.max_pool2d(X, 1, padding=1, dilation=3),
    r"output_size \(4, 12, 16\) is neither": lambda: bg.max_unpool2d(X, np.zeros(X.shape, "int32"), 2, output_size=(4, 12, 16)),
    "longest an axis can be": lambda: bg.avg_pool2d(X, 2, 2**31),
    r"a result would be f32\[2,3,6,3000000000\]": lambda: bg.zeros((2, 3, 6, 3_000_000_000)),
    "num is -1": lambda: bg.linspace(0, 1, -1),
    "no -1 axes to contract": lambda: bg.tensordot(X, X, -1),
    "num_classes is 0": lambda: bg.one_hot(np.zeros(3, "int32"), 0),
    "num = 2.5 must be an int": lambda: bg.random_split(bg.random_key(0), 2.5),
}


@pytest.mark.parametrize("message", REFUSED)
def test_refused_with_the_line(message):
    with pytest.raises(ShapeError, match=message) as refusal:
        REFUSED[message]()
    assert "test_pool.py" in str(refusal.value)


def test_other_refusals():
    for message, call in {
        "divisor_override is 0": lambda: bg.avg_pool2d(X, 2, divisor_override=0),
        "has no root": lambda: bg.lp_pool2d(X, 0, 2),
        "p = 2 is no probability": lambda: bg.dropout(X, 2),
        "dropout: no key": lambda: bg.dropout(X, 0.5),
        "name the key": lambda: bg.dropout(X, 0.5, bg.random_key(0)),
        "takes no value": lambda: bg.pad(X, (1, 1), "reflect", 2.0),
        "mode = 'mirror' is not": lambda: bg.pad(X, 1, mode="mirror"),
    }.items():
        with pytest.raises(InputError, match=message):
            call()
    with pytest.raises(DTypeError, match="one_hot: x is f32"):
        bg.one_hot(draw(3), 4)
    with pytest.raises(DTypeError, match="indices are f32"):
        bg.embedding(draw(3), draw(4, 2))


def test_burns_ceil_rule_keeps_windows_outside():
    """Burn's own example, whose last divisor is 4 and not 9, and a window that torch would drop."""
    x = np.arange(36, dtype="float32").reshape(1, 1, 6, 6)
    y = np.array(bg.avg_pool2d(x, 3, 2, 1, True))
    assert y.shape == (1, 1, 4, 4)
    assert y[0, 0, -1, -1] == np.float32(35 / 4)
    line = np.arange(1, 5, dtype="float32").reshape(1, 1, 4)
    assert bg.max_pool1d(line, 1, 3, ceil_mode=True).shape == (1, 1, 2)
    five = np.arange(1, 6, dtype="float32").reshape(1, 1, 5)
    assert bg.max_pool1d(five, 2, 4, 1, ceil_mode=True).shape == (1, 1, 2)
    assert bg.max_pool1d(line, 2, 5, 1, ceil_mode=True).shape == (1, 1, 1)
    kept, at = bg.max_pool1d(line, 2, 5, 1, ceil_mode=True, return_indices=True, keep_outside_windows=True)
    np.testing.assert_array_equal(np.array(kept), [[[1, -np.inf]]])
    np.testing.assert_array_equal(np.array(at), [[[0, -1]]])
    for include in (True, False):
        means = bg.avg_pool1d(line, 2, 5, 1, True, include, keep_outside_windows=True)
        np.testing.assert_array_equal(np.array(means), [[[0.5 if include else 1, 0]]])


def test_nan_and_minus_infinity():
    x = np.array([[1, np.nan, 2, -np.inf, -np.inf, 0]], "float32")
    y, at = bg.compile(lambda x: bg.max_pool1d(x, 2, return_indices=True))(x)
    np.testing.assert_array_equal(np.array(y), [[np.nan, 2, 0]])
    np.testing.assert_array_equal(np.array(at), [[1, 2, 5]])
    low = np.full((1, 4), -np.inf, "float32")
    _, at = bg.max_pool1d(low, 3, 1, 1, return_indices=True)
    np.testing.assert_array_equal(np.array(at), [[0, 0, 1, 2]])


def test_adaptive_means_keep_infinity_in_its_window():
    x = draw(1, 40)
    x[0, 0] = np.inf
    for out in (3, 39):  # by slices, and by a gather
        y = np.array(bg.adaptive_avg_pool1d(x, out))
        assert np.isinf(y[0, 0])
        assert np.isfinite(y[0, 1:]).all()


REGULAR = {
    "max": lambda x: bg.max_pool2d(x, 2),
    "max, overlapping": lambda x: bg.max_pool2d(x, 3, 2),
    "max, padded": lambda x: bg.max_pool2d(x, 3, 2, 1, ceil_mode=True),
    "max, dilated": lambda x: bg.max_pool2d(x, 2, 1, 1, dilation=2),
    "mean": lambda x: bg.avg_pool2d(x, 3, 2, 1),
    "mean, ceil": lambda x: bg.avg_pool2d(x, 3, 2, 1, ceil_mode=True),
    "adaptive, dividing": lambda x: bg.adaptive_max_pool2d(x, (3, 4)) + bg.adaptive_avg_pool2d(x, (3, 4)),
    "adaptive mean, not dividing": lambda x: bg.adaptive_avg_pool2d(x, (4, 5)),
    "p-norm": lambda x: bg.lp_pool2d(x, 2, 3, 2),
    "columns": lambda x: bg.unfold(x, 3, padding=1),
}


@pytest.mark.parametrize("target", [CPU, METAL], ids=lambda t: t.name)
@pytest.mark.parametrize("name", REGULAR)
def test_no_gradient_of_a_regular_pool_scatters(name, target):
    source = bg.compile(bg.grad(lambda x: bg.sum(bg.square(REGULAR[name](x)))), target=target).specialise(X).source
    assert "put_along_axis" not in source
    assert "scatter" not in source
    for index in re.findall(r"\.at\[(.*?)\]", source):
        assert re.fullmatch(r"[-\d:, .]*", index), index  # slices of numbers only


@pytest.mark.parametrize("target", [CPU, METAL], ids=lambda t: t.name)
def test_pools_leave_no_interior_permutes(target):
    w = draw(3, 3, 3, 3)

    def loss(x):
        x = bg.conv2d(x, w, padding=1)
        x = bg.max_pool2d(x, 3, 2, 1, ceil_mode=True)
        x = bg.conv2d(bg.avg_pool2d(x, 3, 1, 1, count_include_pad=False), w, padding=1)
        x = bg.local_response_norm(x, 3) + bg.pad(x, [(0, 0), (0, 0), (1, 1), (0, 2)], mode="reflect")[:, :, 1:-1, :-2]
        return bg.sum(bg.square(bg.adaptive_avg_pool2d(bg.conv2d(x, w, padding=1), (2, 3))))

    program = bg.compile(bg.value_and_grad(loss), target=target).specialise(draw(2, 3, 9, 10))
    assert program.certificate().interior == ()


def test_empty_and_long_windows():
    assert bg.sliding_windows(X, 2, 7, 1).shape == (2, 3, 0, 8, 7)
    assert bg.max_pool2d(X[:0], 2).shape == (0, 3, 3, 4)
    assert np.array(bg.grad(lambda x: bg.sum(bg.avg_pool2d(x, 2)))(X[:0])).shape == (0, 3, 6, 8)
    x = draw(2, 50)
    want = np.lib.stride_tricks.sliding_window_view(x, 40, -1)
    np.testing.assert_allclose(np.array(bg.max_pool1d(x, 40, 1)), want.max(-1))
    np.testing.assert_allclose(np.array(bg.avg_pool1d(x, 40, 1)), want.mean(-1), rtol=1e-5, atol=1e-6)
    long = draw(600)  # the source of its gradient must not nest 300 deep
    gradient = bg.compile(bg.grad(lambda x: bg.sum(bg.sliding_windows(x, 0, 300, 1))))(long)
    np.testing.assert_array_equal(np.array(gradient), np.minimum(np.minimum(np.arange(600) + 1, 600 - np.arange(600)), 300))


def test_dropout_keeps_the_mean_and_repeats_with_its_key():
    x, key = np.ones((200, 50), "float32"), bg.random_key(3)
    y = np.array(bg.dropout(x, 0.25, key=key))
    assert set(np.unique(y)) == {0, np.float32(1 / 0.75)}
    assert abs(y.mean() - 1) < 0.03
    np.testing.assert_array_equal(y, np.array(bg.dropout(x, 0.25, key=key)))
    gradient = np.array(bg.grad(lambda x: bg.sum(bg.dropout(x, 0.25, key=key)))(x))
    np.testing.assert_array_equal(gradient, y)
    assert not np.array(bg.dropout(x, 1, key=key)).any()
    assert bg.dropout(x, 0.5, training=False) is x


def test_sixteen_bits_are_summed_in_f32():
    x = np.full((1, 1, 64, 64), 0.1, "float16")
    np.testing.assert_allclose(np.array(bg.avg_pool2d(x, 64)), np.float16(0.1), rtol=1e-3)
    np.testing.assert_allclose(np.array(bg.rms_norm(x * 2000, 64)), 1, rtol=1e-3)
