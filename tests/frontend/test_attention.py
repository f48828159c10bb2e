"""What attention promises beyond PyTorch's values: empty rows, both alignments, shared heads, soft caps, dropout, refusals."""

import numpy as np
import pytest

import burngraph as bg
from burngraph.errors import DTypeError, InputError, ShapeError

RNG = np.random.default_rng(0)


def f32(*shape):
    return RNG.normal(size=shape).astype("float32")


Q, K, V = f32(2, 4, 3, 8), f32(2, 4, 5, 8), f32(2, 4, 5, 6)
attend = bg.scaled_dot_product_attention


def plain(q, k, v, seen=True, added=0.0, scale=None, softcap=None):
    """The formula in NumPy, f64, a key at a time hidden by `seen`."""
    s = np.einsum("...qd,...kd->...qk", q, k).astype("float64") * (q.shape[-1] ** -0.5 if scale is None else scale)
    s = s if softcap is None else softcap * np.tanh(s / softcap)
    e = np.where(seen, np.exp(s + added), 0)
    total = e.sum(-1, keepdims=True)
    return np.einsum("...qk,...kd->...qd", e / np.where(total == 0, 1, total), v)


def check(found, want):
    assert np.array(found).dtype == np.float32
    np.testing.assert_allclose(np.array(found), want, rtol=2e-5, atol=2e-5)


ALIGNED = {"upper_left": 0, "lower_right": 2}


@pytest.mark.parametrize("causal", ALIGNED)
@pytest.mark.parametrize("softcap", [None, 0.7])
def test_causal(causal, softcap):
    seen = np.tri(3, 5, ALIGNED[causal], dtype=bool)
    check(attend(Q, K, V, is_causal=causal, softcap=softcap), plain(Q, K, V, seen, softcap=softcap))
    check(attend(Q, K, V, seen, softcap=softcap), plain(Q, K, V, seen, softcap=softcap))


def test_true_is_upper_left_and_goes_with_a_mask():
    mask = RNG.random((4, 1, 5)) > 0.4
    check(attend(Q, K, V, is_causal=True), plain(Q, K, V, np.tri(3, 5, dtype=bool)))
    check(attend(Q, K, V, mask, is_causal=True), plain(Q, K, V, np.tri(3, 5, dtype=bool) & mask))


@pytest.mark.parametrize("compiled", [False, True])
@pytest.mark.parametrize("mode", ["bool", "float", "causal"])
def test_queries_that_see_nothing_give_zero_and_zero_gradients(mode, compiled):
    seen = np.tri(5, 3, -2, dtype=bool) if mode == "causal" else np.array([[True] * 3, [False] * 3, [False, True, False]])
    q, k, v = f32(2, len(seen), 4), f32(2, 3, 4), f32(2, 3, 4)
    if mode == "causal":
        options = {"is_causal": "lower_right"}
    else:
        options = {"attn_mask": seen if mode == "bool" else np.where(seen, 0, -np.inf).astype("float32")}
    weights = f32(2, len(seen), 4)

    def loss(q, k, v):
        y = attend(q, k, v, **options)
        return bg.sum(y * weights), y

    step = bg.value_and_grad(loss, (0, 1, 2), has_aux=True)
    (_, y), gradients = (bg.compile(step) if compiled else step)(q, k, v)
    check(y, plain(q, k, v, seen))
    hidden = ~seen.any(-1)
    assert hidden.any() and (np.array(y)[:, hidden] == 0).all() and (np.array(gradients[0])[:, hidden] == 0).all()
    for n, gradient in enumerate(gradients):  # against differences of the formula, f64
        step = RNG.normal(size=gradient.shape)
        at = [
            [a.astype("float64") + (sign * 1e-6 * step if i == n else 0) for i, a in enumerate((q, k, v))] for sign in (1, -1)
        ]
        slope = sum(sign * np.sum(plain(*a, seen) * weights) for sign, a in zip((1, -1), at, strict=True)) / 2e-6
        assert np.sum(np.array(gradient) * step) == pytest.approx(slope, rel=1e-3, abs=1e-3)


def test_shared_heads_and_broadcast_batch():
    k, v = f32(1, 2, 5, 8), f32(2, 2, 5, 6)
    want = plain(Q, np.repeat(k, 2, 1), np.repeat(v, 2, 1))
    check(attend(Q, k, v, enable_gqa=True), want)
    check(attend(Q[0, 0], K[:, 0], V[0, 0]), plain(Q[0, 0], K[:, 0], V[0, 0]))


def test_nan_is_not_hidden():
    q = Q.copy()
    q[0, 0, 0, 0] = np.nan
    y = np.array(attend(q, K, V, np.ones((3, 5), bool)))
    assert np.isnan(y[0, 0, 0]).all() and np.isfinite(y[0, 0, 1:]).all()


@pytest.mark.parametrize("gqa", [False, True])
def test_dropout(gqa):
    key, value = bg.random_key(3), np.ones((2, 2 if gqa else 4, 200, 1), "float32")
    k = f32(2, 2 if gqa else 4, 200, 8) * 0
    y = np.array(attend(Q, k, value, dropout_p=0.25, dropout_key=key, enable_gqa=gqa))
    assert y.shape == (2, 4, 3, 1) and abs(y.mean() - 1) < 0.05 and y.std() > 0.01
    np.testing.assert_array_equal(y, np.array(attend(Q, k, value, dropout_p=0.25, dropout_key=key, enable_gqa=gqa)))


def test_refusals():
    with pytest.raises(InputError, match=r"dropout_p = 0.1 needs random bits"):
        attend(Q, K, V, dropout_p=0.1)
    with pytest.raises(DTypeError, match=r"attn_mask is i32\[3,5\]"):
        attend(Q, K, V, np.ones((3, 5), "int32"))
    with pytest.raises(ShapeError, match="enable_gqa=True"):
        attend(Q, K[:, :2], V[:, :2])
    with pytest.raises(ShapeError, match="divide those of query"):
        attend(Q, K[:, :3], V[:, :3], enable_gqa=True)
    with pytest.raises(ShapeError, match=r"attn_mask is bool\[4,5\], does not broadcast to \[2, 4, 3, 5\]"):
        attend(Q, K, V, np.ones((4, 5), bool))
    with pytest.raises(ShapeError, match="must agree in D"):
        attend(Q, V, V)
    with pytest.raises(InputError, match="is_causal = 'yes'"):
        attend(Q, K, V, is_causal="yes")


def test_a_causal_mask_is_kept_once_for_all_heads():
    step = bg.compile(bg.grad(lambda q, k, v: bg.sum(bg.scaled_dot_product_attention(q, k, v, is_causal=True)), (0, 1, 2)))
    x = f32(2, 4, 128, 16)
    step(x, x, x)
    prepared = step.source.partition("def run")[0]
    assert "(128, 128)" in prepared
    assert "(2, 4, 128, 128)" not in prepared
