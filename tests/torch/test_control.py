"""Recurrent networks as scans, against PyTorch's: values and gradients."""

import mlx.core as mx
import numpy as np
import pytest

import burngraph as bg

torch = pytest.importorskip("torch")

T, N, I, H = 5, 2, 3, 4
RNG = np.random.default_rng(0)
X = RNG.normal(size=(T, N, I)).astype("float32")
START = RNG.normal(size=(2, N, H)).astype("float32")


def parameters(network):
    return {name: p.detach().numpy() for name, p in network.named_parameters()}


def lstm_cell(p, carry, x):
    """The gates in PyTorch's order: input, forget, cell, output."""
    h, c = carry
    gates = x @ p["weight_ih_l0"].T + p["bias_ih_l0"] + h @ p["weight_hh_l0"].T + p["bias_hh_l0"]
    i, f, g, o = bg.chunk(gates, 4, -1)
    c = bg.sigmoid(f) * c + bg.sigmoid(i) * bg.tanh(g)
    h = bg.sigmoid(o) * bg.tanh(c)
    return (h, c), h


def gru_cell(p, h, x):
    """The gates in PyTorch's order: reset, update, new."""
    a, b = (y @ p[f"weight_{k}_l0"].T + p[f"bias_{k}_l0"] for y, k in ((x, "ih"), (h, "hh")))
    (ar, az, an), (br, bz, bn) = bg.chunk(a, 3, -1), bg.chunk(b, 3, -1)
    z = bg.sigmoid(az + bz)
    h = (1.0 - z) * bg.tanh(an + bg.sigmoid(ar + br) * bn) + z * h
    return h, h


@pytest.mark.parametrize("reverse", [False, True])
@pytest.mark.parametrize("kind", ["LSTM", "GRU"])
def test_recurrent_network(kind, reverse):
    torch.manual_seed(0)
    network = getattr(torch.nn, kind)(I, H)
    is_lstm = kind == "LSTM"

    def loss(p, x, start):
        cell = lstm_cell if is_lstm else gru_cell
        carry, ys = bg.scan(lambda c, x: cell(p, c, x), (start[0], start[1]) if is_lstm else start[0], x, reverse=reverse)
        return bg.sum(ys * ys) + sum(bg.sum(bg.sin(c)) for c in (carry if is_lstm else [carry])), (ys, carry)

    x, start = torch.tensor(X, requires_grad=True), torch.tensor(START, requires_grad=True)
    given = (start[:1], start[1:]) if is_lstm else start[:1]
    ys, carry = network(x.flip(0) if reverse else x, given)
    ys = ys.flip(0) if reverse else ys
    want = (ys * ys).sum() + sum(c.sin().sum() for c in (carry if is_lstm else [carry]))
    want.backward()

    step = bg.value_and_grad(loss, (0, 1, 2), has_aux=True)
    arguments = ({k: mx.array(v) for k, v in parameters(network).items()}, mx.array(X), mx.array(START))
    for run in (step, bg.compile(step), bg.compile(step, target="metal")):
        (value, (found_ys, _)), (p_bar, x_bar, start_bar) = run(*arguments)
        pairs = [(value, want), (found_ys, ys), (x_bar, x.grad), (start_bar, start.grad)]
        pairs += [(p_bar[name], p.grad) for name, p in network.named_parameters()]
        for a, b in pairs:
            np.testing.assert_allclose(np.array(a), b.detach().numpy(), rtol=1e-4, atol=1e-5)
