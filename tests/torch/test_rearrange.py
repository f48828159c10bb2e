"""Padding, cutting into parts, transposing: as torch, values and gradients."""

import numpy as np
import pytest

import burngraph as bg
from burngraph.errors import InputError, ShapeError

torch = pytest.importorskip("torch")
F = torch.nn.functional

X = np.random.default_rng(0).normal(size=(5, 7, 6))
EMPTY = np.zeros((0, 3))

SAME = {
    **{
        f"pad {pads} {mode}": (
            lambda x, p=pads, m=mode: bg.pad(x[None], p, m),
            lambda x, p=pads, m=mode: F.pad(x[None], p, m),
        )
        for mode in ("constant", "reflect", "replicate", "circular")
        for pads in ((1, 2), (2, 0, 1, 3), (-1, 2), (0, -2, 1, -1), (-5, 4, 0, 0), (0, 0, -4, 3))
        if mode == "constant" or (len(pads) == 4 and (mode != "circular" or min(pads) > -3))
    },
    "pad value": (lambda x: bg.pad(x, (1, 2, 3, 4, 5, 6), "constant", 3.0), lambda x: F.pad(x, (1, 2, 3, 4, 5, 6), value=3.0)),
    "pad nothing": (lambda x: bg.pad(x, ()), lambda x: F.pad(x, ())),
    **{
        f"split {size}": (lambda x, s=size: bg.split(x, s), lambda x, s=size: torch.split(x, s))
        for size in (1, 2, 5, 9, [2, 3], [0, 5])
    },
    **{
        f"tensor_split {at}": (lambda x, a=at: bg.tensor_split(x, a, 1), lambda x, a=at: torch.tensor_split(x, a, 1))
        for at in (1, 3, 4, 9, [2, 4], [3, 3, 9], [-2])
    },
    **{
        f"chunk {n}": (lambda x, n=n: bg.chunk(x, n, dim=1), lambda x, n=n: torch.chunk(x, n, dim=1))
        for n in (1, 2, 3, 4, 6, 8)
    },
    **{f"diag {k}": (lambda x, k=k: bg.diag(x[0], k), lambda x, k=k: torch.diag(x[0], k)) for k in (-2, 0, 3)},
    **{
        f"diag of a vector {k}": (lambda x, k=k: bg.diag(x[0, 0], k), lambda x, k=k: torch.diag(x[0, 0], k)) for k in (-2, 0, 3)
    },
    "transpose": (lambda x: bg.transpose(x, 0, -1), lambda x: torch.transpose(x, 0, -1)),
}


@pytest.mark.parametrize("name", SAME)
def test_as_torch(name):
    ours, theirs = SAME[name]
    x = torch.tensor(X, requires_grad=True)
    want = theirs(x)
    parts = list(want) if isinstance(want, tuple | list) else [want]
    weights = [np.random.default_rng(1).normal(size=part.shape) for part in parts]
    sum((part * torch.tensor(w)).sum() for part, w in zip(parts, weights, strict=True)).backward()

    def loss(x):
        given = ours(x)
        given = given if isinstance(given, list) else [given]
        return sum((bg.sum(part * w) for part, w in zip(given, weights, strict=True)), bg.zeros((), dtype="float64")), given

    (_, found), gradient = bg.compile(bg.value_and_grad(loss, has_aux=True))(X)
    assert len(found) == len(parts)
    for got, part in zip(found, parts, strict=True):
        np.testing.assert_array_equal(np.array(got), part.detach().numpy())
    np.testing.assert_allclose(np.array(gradient), x.grad.numpy(), rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("name", ["split", "chunk", "tensor_split"])
def test_an_axis_without_entries(name):
    got, want = getattr(bg, name)(EMPTY, 2), getattr(torch, name)(torch.tensor(EMPTY), 2)
    assert [part.shape for part in got] == [tuple(part.shape) for part in want]


REFUSED = {
    "sizes .2, 2. do not add up to the 5 entries of axis 0.*\n  bg.tensor_split cuts": (
        ShapeError,
        lambda: bg.split(X, [2, 2]),
    ),
    "split: parts of 0": (ShapeError, lambda: bg.split(X, 0)),
    "chunk: 0 parts": (ShapeError, lambda: bg.chunk(X, 0)),
    "tensor_split: 0 parts": (ShapeError, lambda: bg.tensor_split(X, 0)),
    "pad = .1, 2, 3. does not fit f64.5,7,6.": (ShapeError, lambda: bg.pad(X, (1, 2, 3))),
    "pad: .* takes away more entries than": (ShapeError, lambda: bg.pad(X, (-4, -3))),
    "0 and None are neither a sequence of axes nor two ints": (InputError, lambda: bg.transpose(X, 0)),
    "has neither one nor two axes": (ShapeError, lambda: bg.diag(X)),
}


@pytest.mark.parametrize("message", REFUSED)
def test_refused_with_the_line(message):
    error, call = REFUSED[message]
    with pytest.raises(error, match=rf"(?s){message}.*test_rearrange.py"):
        call()


def test_methods_of_a_traced_value_are_those_of_mx_array():
    graph = bg.trace(lambda x: (*x.split(5), x.real, x.diagonal(), x.conj(), x[0].diag(1), x * x.itemsize), X)
    shapes = [v.shape for v in graph.results]
    assert shapes == [(1, 7, 6)] * 5 + [(5, 7, 6), (6, 5), (5, 7, 6), (5,), (5, 7, 6)]
