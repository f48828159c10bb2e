"""PyTorch's tensors and parameters as arguments."""

import mlx.core as mx
import numpy as np
import pytest

import burngraph as bg

torch = pytest.importorskip("torch")


def test_parameters_are_taken_without_their_gradient():
    layer = torch.nn.Linear(3, 2)
    x = torch.ones(4, 3)
    found = bg.compile(lambda p, x: bg.linear(x, p["weight"], p["bias"]))(dict(layer.named_parameters()), x)
    np.testing.assert_allclose(np.array(found), layer(x).detach().numpy(), rtol=1e-6)


def test_bfloat16_comes_bit_by_bit():
    x = torch.randn(3, 4).to(torch.bfloat16)
    found = bg.compile(lambda x: x * 1)(x.T)
    assert found.dtype == mx.bfloat16
    np.testing.assert_array_equal(np.array(found.astype(mx.float32)), x.T.to(torch.float32).numpy())
