"""vmap, Jacobians, Hessians, linearize against torch.func on the same arrays."""

import mlx.core as mx
import numpy as np
import pytest

import burngraph as bg

torch = pytest.importorskip("torch")
F, func = torch.nn.functional, torch.func

RNG = np.random.default_rng(0)
X, W, V = (RNG.normal(size=s).astype("float32") for s in ((5, 2, 6, 6), (3, 2, 3, 3), (3, 2, 3, 3)))
HEAD, LABELS = RNG.normal(size=(12, 4)).astype("float32"), np.array([0, 3, 1, 1, 2])


def loss(w, head, x, label):
    y = bg.max_pool2d(bg.gelu(bg.conv2d(x[None], w)), 2)
    return bg.cross_entropy(bg.flatten(y, 1) @ head, label[None])


def torch_loss(w, head, x, label):
    y = F.max_pool2d(F.gelu(F.conv2d(x[None], w)), 2)
    return F.cross_entropy(y.flatten(1) @ head, label[None])


def normalised(w):
    return bg.softmax(bg.layer_norm(w, (3, 3), None, None), axis=0)


def torch_normalised(w):
    return F.softmax(F.layer_norm(w, (3, 3)), dim=0)


LAST = (X[0], LABELS[0])
AXES = (None, None, 0, 0)
# name: (burngraph, torch, arguments)
CASES = {
    "per-example loss": (bg.vmap(loss, AXES), func.vmap(torch_loss, AXES), (W, HEAD, X, LABELS)),
    "per-example gradient": (bg.vmap(bg.grad(loss), AXES), func.vmap(func.grad(torch_loss), AXES), (W, HEAD, X, LABELS)),
    "out_axes": (bg.vmap(normalised, 1, 3), func.vmap(torch_normalised, 1, 3), (W,)),
    "jacfwd": (bg.jacfwd(normalised), func.jacfwd(torch_normalised), (W,)),
    "jacrev": (bg.jacrev(normalised), func.jacrev(torch_normalised), (W,)),
    "jacobian by the second": (
        bg.jacrev(lambda a, b: bg.conv2d(a, b), 1),
        func.jacrev(lambda a, b: F.conv2d(a, b), 1),
        (X[:1], W),
    ),
    "hessian": (bg.hessian(loss, 1), func.hessian(torch_loss, 1), (W, HEAD, *LAST)),
    "hessian by the convolution": (bg.hessian(loss), func.hessian(torch_loss), (W, HEAD, *LAST)),
    "jvp of grad": (
        lambda w, v: bg.jvp(bg.grad(lambda w: loss(w, mx.array(HEAD), *map(mx.array, LAST))), (w,), (v,))[1],
        lambda w, v: func.jvp(func.grad(lambda w: torch_loss(w, torch.tensor(HEAD), *map(torch.tensor, LAST))), (w,), (v,))[1],
        (W, V),
    ),
    "linearize": (
        lambda w, v: bg.linearize(normalised, w)[1](v),
        lambda w, v: func.jvp(torch_normalised, (w,), (v,))[1],
        (W, V),
    ),
    "vmap of hessian": (
        bg.vmap(bg.hessian(lambda x: bg.sum(bg.softmax(bg.tanh(x), axis=0) ** 2))),
        func.vmap(func.hessian(lambda x: (torch.softmax(torch.tanh(x), 0) ** 2).sum())),
        (HEAD,),
    ),
}


@pytest.mark.filterwarnings("ignore:`torch.jit:DeprecationWarning")  # torch's own forward mode calls it
@pytest.mark.parametrize("name", CASES)
def test_against_torch(name):
    ours, theirs, arguments = CASES[name]
    want = theirs(*map(torch.tensor, arguments)).detach().numpy()
    for run in (ours, bg.compile(ours)):
        got = np.array(run(*map(mx.array, arguments)))
        assert got.shape == want.shape
        np.testing.assert_allclose(got, want, rtol=1e-3, atol=1e-5)
