"""torch's own indexing functions: values and gradients."""

import numpy as np
import pytest

import burngraph as bg

torch = pytest.importorskip("torch")

RNG = np.random.default_rng(0)
X, SRC = RNG.normal(size=(4, 5)).astype("float32"), RNG.normal(size=(3, 5)).astype("float32")
INDEX = RNG.integers(0, 4, (3, 5))
UNIQUE = np.stack([RNG.permutation(4)[:3] for _ in range(5)], 1)
ROWS, NEW = np.array([3, 0, 3]), RNG.normal(size=(4, 3)).astype("float32")
MASK = X > 0.3
PAIRS = np.array([[0, 1], [3, 4], [0, 1]])
FIVE = RNG.normal(size=(5,)).astype("float32")

# name: (function of a library's namespace and arrays, arrays to differentiate, constant arrays)
CASES = {
    "gather": (lambda m, x, i: m.gather(x, 0, i), (X,), (INDEX,)),
    "gather, smaller": (lambda m, x, i: m.gather(x, 1, i), (X,), (INDEX[:, :2],)),
    "gather, larger along dim": (lambda m, x, i: m.gather(x, -2, i), (X,), (np.concatenate([INDEX, INDEX]),)),
    "index_select": (lambda m, x, i: m.index_select(x, 1, i), (X,), (ROWS,)),
    "scatter": (lambda m, x, src, i: m.scatter(x, 0, i, src), (X, SRC), (UNIQUE,)),
    "scatter of a number": (lambda m, x, i: m.scatter(x, 0, i, 2.5), (X,), (UNIQUE[:, :3],)),
    "scatter_add": (lambda m, x, src, i: m.scatter_add(x, 0, i, src), (X, SRC), (INDEX,)),
    "scatter_add, smaller": (lambda m, x, src, i: m.scatter_add(x, 1, i, src[:2, :3]), (X, SRC), (INDEX[:2, :3],)),
    **{
        f"scatter_reduce {r} {own}": (
            lambda m, x, src, i, r=r, own=own: m.scatter_reduce(x, 0, i, src, r, include_self=own), (X, SRC), (INDEX,)
        )
        for r in ("sum", "prod", "mean", "amax", "amin") for own in (True, False)
    },
    "index_add": (lambda m, x, new, i: m.index_add(x, 1, i, new), (X, NEW), (ROWS,)),
    "index_add, alpha": (lambda m, x, new, i: m.index_add(x, 1, i, new, alpha=-2.0), (X, NEW), (ROWS,)),
    "slice_scatter": (lambda m, x, new: m.slice_scatter(x, new, 1, 0, 5, 2), (X, NEW), ()),
    "slice_scatter, negative": (lambda m, x, new: m.slice_scatter(x, new, 1, -3), (X, NEW), ()),
    "select_scatter": (lambda m, x, row: m.select_scatter(x, row, 0, -2), (X, FIVE), ()),
    "masked_fill": (lambda m, x, mask: m.masked_fill(x, mask, -1.5), (X,), (MASK,)),
    "x[i, :]": (lambda m, x, i: x[i, 1:], (X,), (ROWS,)),
}  # fmt: skip


@pytest.mark.parametrize("name", CASES)
def test_value_and_gradients_equal_torch(name: str) -> None:
    function, arrays, constants = CASES[name]
    tensors = [torch.tensor(a, requires_grad=True) for a in arrays]
    want = function(torch, *tensors, *map(torch.from_numpy, constants))
    weights = RNG.normal(size=tuple(want.shape)).astype("float32")
    (want * torch.from_numpy(weights)).sum().backward()

    def loss(*arrays):
        y = function(bg, *arrays, *constants)
        return bg.sum(y * weights), y

    (_, found), gradients = bg.compile(bg.value_and_grad(loss, tuple(range(len(arrays))), has_aux=True), verify=True)(*arrays)
    np.testing.assert_allclose(np.array(found), want.detach().numpy(), rtol=1e-5, atol=1e-6)
    for gradient, tensor in zip(gradients if len(arrays) > 1 else (gradients,), tensors, strict=True):
        np.testing.assert_allclose(np.array(gradient), tensor.grad.numpy(), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("reduce", ["add", "multiply"])
def test_scatter_reduces(reduce: str) -> None:
    want = torch.scatter(torch.tensor(X), 0, torch.from_numpy(INDEX), 2.5, reduce=reduce)
    np.testing.assert_allclose(np.array(bg.scatter(X, 0, INDEX, 2.5, reduce=reduce)), want.numpy(), rtol=1e-6)


def test_src_may_be_larger_than_index() -> None:
    want = torch.scatter_add(torch.tensor(X), 1, torch.from_numpy(INDEX[:2, :3]), torch.tensor(SRC))
    np.testing.assert_allclose(np.array(bg.scatter_add(X, 1, INDEX[:2, :3], SRC)), want.numpy(), rtol=1e-6)


def test_integer_means_are_rounded_down() -> None:
    x, src, i = np.array([5, -7], "int32"), np.array([2, -2, 1], "int32"), np.array([0, 1, 1])
    want = torch.scatter_reduce(torch.from_numpy(x), 0, torch.from_numpy(i), torch.from_numpy(src), "mean")
    assert np.array(bg.scatter_reduce(x, 0, i, src, "mean")).tolist() == want.tolist()


def test_gather_nd_and_scatter_nd() -> None:
    """gather_nd(x, tuples) is x[tuple of columns]; scatter_nd with add is index_put_ that accumulates."""
    x, v = torch.tensor(X), torch.tensor(RNG.normal(size=3).astype("float32"))
    at = tuple(torch.from_numpy(PAIRS[:, k]) for k in range(2))
    np.testing.assert_array_equal(np.array(bg.gather_nd(X, PAIRS)), x[at].numpy())
    want = x.clone().index_put_(at, v, accumulate=True).numpy()
    np.testing.assert_allclose(np.array(bg.scatter_nd(X, PAIRS, v.numpy(), "add")), want, rtol=1e-6)
