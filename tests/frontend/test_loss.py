"""Edges of losses: classes out of range, infinite logarithms, logits of 0, shapes that do not pair up."""

import numpy as np
import pytest

import burngraph as bg
from burngraph.errors import DTypeError, InputError, ShapeError

X = np.random.default_rng(0).normal(size=(3, 4)).astype("float32")


@pytest.mark.parametrize("dtype", ["int8", "int32", "int64", "uint8", "uint32"])
@pytest.mark.parametrize("function", [bg.cross_entropy, bg.nll_loss, bg.multi_margin_loss])
def test_a_class_out_of_range_gives_nan_and_no_gradient(function, dtype):
    targets = np.array([1, 100, 2]).astype(dtype)

    def loss(x):
        losses = function(x, targets, reduction="none")
        return bg.sum(bg.where(bg.isnan(losses), 0.0, losses)), losses

    (_, losses), gradient = bg.compile(bg.value_and_grad(loss, has_aux=True))(X)
    assert np.isnan(np.array(losses)).tolist() == [False, True, False]
    assert (np.array(gradient)[1] == 0).all() and np.isfinite(np.array(gradient)).all()


def test_ignored_classes():
    targets = np.array([1, -100, 2], "int64")
    losses = np.array(bg.cross_entropy(X, targets, reduction="none"))
    assert losses[1] == 0
    assert np.array(bg.cross_entropy(X, targets)) == pytest.approx(losses[[0, 2]].mean())
    assert np.isnan(np.array(bg.cross_entropy(X, targets, ignore_index=None)))
    assert np.isnan(np.array(bg.cross_entropy(X, np.full(3, -100))))
    checked = bg.compile(bg.cross_entropy, checks=True)  # an ignored class is no index
    assert np.array(checked(X, targets)) == pytest.approx(losses[[0, 2]].mean())


def test_a_large_batch_in_16_bits():
    logits = np.tile(np.array([[4, 0]], "float16"), (30000, 1))
    found = np.array(bg.cross_entropy(logits, np.ones(30000, "int32")))
    assert found.dtype == np.float16 and found == pytest.approx(4.018, abs=0.01)  # their sum is over the largest f16


def test_probabilities_of_0_and_1():
    p, t = np.array([0, 0, 1, 1], "float32"), np.array([0, 1, 0, 1], "float32")

    def loss(p):
        losses = bg.binary_cross_entropy(p, t, reduction="none")
        return bg.sum(losses), losses

    (_, losses), gradient = bg.value_and_grad(loss, has_aux=True)(p)
    np.testing.assert_array_equal(np.array(losses), [0, 100, 100, 0])
    assert np.isfinite(np.array(gradient)).all()


def test_logits_far_out_and_at_zero():
    x, t = np.array([-200, 0, 200], "float32"), np.array([0, 1, 1], "float32")
    value, gradient = bg.value_and_grad(lambda x: bg.binary_cross_entropy_with_logits(x, t, reduction="sum"))(x)
    assert np.array(value) == pytest.approx(np.log(2))
    np.testing.assert_allclose(np.array(gradient), [0, -0.5, 0], atol=1e-6)


def test_kl_of_probability_0():
    value, gradient = bg.value_and_grad(lambda x: bg.kl_div(x, np.array([0, 1], "float32"), "sum"))(X[0, :2])
    assert np.array(value) == pytest.approx(-X[0, 1])
    np.testing.assert_array_equal(np.array(gradient), [0, -1])


def test_refusals():
    with pytest.raises(
        ShapeError, match=r"mse_loss: operands differ in shape\n  operand 0: f32\[3,4\]\n  operand 1: f32\[3,1\]"
    ):
        bg.mse_loss(X, X[:, :1])
    with pytest.raises(InputError, match=r'l1_loss: reduction = \'batchmean\' is not "mean", "sum" or "none"'):
        bg.l1_loss(X, X, "batchmean")
    with pytest.raises(ShapeError, match="targets must be logits without axis 1"):
        bg.cross_entropy(X, np.zeros((3, 4), "int32"))
    with pytest.raises(DTypeError, match="not integer classes"):
        bg.nll_loss(X, X[:, 0])
    with pytest.raises(ShapeError, match="probabilities must have the shape of logits"):
        bg.cross_entropy(X, X[:, 0])
    with pytest.raises(ShapeError, match="one entry for each of 4 classes"):
        bg.cross_entropy(X, np.zeros(3, "int32"), weight=np.ones(3, "float32"))
    with pytest.raises(InputError, match="label_smoothing = 2 is not in"):
        bg.cross_entropy(X, np.zeros(3, "int32"), label_smoothing=2)
    with pytest.raises(ShapeError, match="var does not go with input"):
        bg.gaussian_nll_loss(X, X, X[:2])
    np.testing.assert_allclose(np.array(bg.mse_loss(X, 1.0)), ((X - 1) ** 2).mean(), rtol=1e-6)
