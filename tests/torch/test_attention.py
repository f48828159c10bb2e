"""Attention against PyTorch's, values and gradients of query, key, value and a float mask."""

import numpy as np
import pytest

import burngraph as bg

torch = pytest.importorskip("torch")

RNG = np.random.default_rng(0)


def f32(*shape):
    return RNG.normal(size=shape).astype("float32")


Q, K, V = f32(2, 4, 3, 8), f32(2, 4, 5, 8), f32(2, 4, 5, 6)
K2, V2 = f32(2, 2, 5, 8), f32(2, 2, 5, 8)
SEEN = np.array([[1, 0, 1, 1, 0], [0, 0, 0, 1, 0], [1] * 5]).astype(bool)

CASES = {
    "plain": ((Q, K, V), {}),
    "scale": ((Q, K, V), {"scale": 0.3}),
    "rank 3": ((Q[0], K[0], V[0]), {}),
    "causal, more keys": ((Q, K, V), {"is_causal": True}),
    "causal, more queries": ((K, Q, f32(2, 4, 3, 6)), {"is_causal": True}),
    "bool mask": ((Q, K, V), {"attn_mask": SEEN}),
    "bool mask per head": ((Q, K, V), {"attn_mask": RNG.random((4, 3, 5)) > 0.2}),
    "float mask": ((Q, K, V, f32(4, 3, 5)), {}),
    "shared heads": ((Q, K2, V2), {"enable_gqa": True}),
    "shared heads, causal": ((Q, K2, V2), {"enable_gqa": True, "is_causal": True}),
}


@pytest.mark.parametrize("name", CASES)
def test_value_and_gradients(name):
    arrays, options = CASES[name]
    leaves = [torch.tensor(a, requires_grad=True) for a in arrays]
    theirs = {k: torch.from_numpy(v) if isinstance(v, np.ndarray) else v for k, v in options.items()}
    want = torch.nn.functional.scaled_dot_product_attention(*leaves, **theirs)
    seed = f32(*want.shape)
    (want * torch.from_numpy(seed)).sum().backward()

    def loss(*arrays):
        y = bg.scaled_dot_product_attention(*arrays, **options)
        return bg.sum(y * seed), y

    step = bg.compile(bg.value_and_grad(loss, tuple(range(len(arrays))), has_aux=True))
    (_, found), gradients = step(*arrays)
    np.testing.assert_allclose(np.array(found), want.detach().numpy(), rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(np.array(bg.compile(lambda *a: loss(*a)[1])(*arrays)), np.array(found), rtol=1e-4, atol=1e-5)
    for gradient, leaf in zip(gradients, leaves, strict=True):
        np.testing.assert_allclose(np.array(gradient), leaf.grad.numpy(), rtol=1e-4, atol=1e-5)
