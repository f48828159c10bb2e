"""Sorting, running and whole reductions: values and gradients against PyTorch, interpreted and compiled."""

import numpy as np
import pytest

import burngraph as bg

torch = pytest.importorskip("torch")

RNG = np.random.default_rng(0)
X = RNG.normal(size=(2, 3, 5)).astype("float32")
TIES = np.array([[2, -1, 2, 0, -1, 0], [0, 0, 3, 3, 0, 1], [1, 1, 1, 1, 1, 1]], "float32")
ZEROS = np.array([[1.5, 0, -2, 3], [0, 2, 0, 1], [1, 0.5, 2, 0], [1, -1, 2, 3]], "float32")
NAN = np.array([[3, np.nan, 1, 2], [1, 2, -np.inf, 5], [np.nan, np.nan, 0, np.inf]], "float32")
WIDE = np.array([[-1000, 0, 500, 499], [1000, -1000, 3, 1001], [-np.inf, -np.inf, 2, 1]], "float32")


def check(ours, theirs, x, gradient=True):
    """Values of the interpreter and of the compiled program, and the compiled gradient of a weighted sum."""
    tensor = torch.tensor(x, requires_grad=gradient)
    want = theirs(tensor)
    several = (want,) if isinstance(want, torch.Tensor) else tuple(want)
    wants, first = [w.detach().numpy() for w in several], several[0]
    graph = bg.trace(ours, x)
    for found in (bg.run(graph, x), bg.compile(ours)(x)):
        founds = found if isinstance(found, list | tuple) else [found]
        for a, b in zip(founds, wants, strict=True):
            np.testing.assert_allclose(np.array(a), b, rtol=1e-5, atol=1e-6)
    if not gradient:
        return
    weights = np.random.default_rng(1).normal(size=tuple(first.shape)).astype("float32")
    (first * torch.from_numpy(np.asarray(weights))).sum().backward()

    def loss(x):
        y = ours(x)
        return bg.sum((y[0] if isinstance(y, tuple) else y) * weights)

    np.testing.assert_allclose(np.array(bg.compile(bg.grad(loss))(x)), tensor.grad.numpy(), rtol=1e-4, atol=1e-5)


SORTS = {
    "sort": (lambda x: bg.sort_with_indices(x, 1), lambda x: torch.sort(x, dim=1, stable=True)),
    "sort descending": (
        lambda x: bg.sort_with_indices(x, 1, descending=True),
        lambda x: torch.sort(x, dim=1, descending=True, stable=True),
    ),
    "sort values": (lambda x: bg.sort(x, 0, descending=True), lambda x: torch.sort(x, dim=0, descending=True, stable=True)[0]),
    "topk": (lambda x: bg.topk(x, 3, 1), lambda x: tuple(v[:, :3] for v in torch.sort(x, dim=1, descending=True, stable=True))),
    "bottomk": (
        lambda x: bg.topk(x, 2, 1, largest=False),
        lambda x: tuple(v[:, :2] for v in torch.sort(x, dim=1, stable=True)),
    ),
}


@pytest.mark.parametrize("name", SORTS)
@pytest.mark.parametrize("x", [X[0], TIES, NAN], ids=["random", "ties", "nan"])
def test_sorts(name, x):
    ours, theirs = SORTS[name]
    check(ours, theirs, x)


def test_topk_of_distinct_entries_is_torch_topk():
    check(lambda x: bg.topk(x, 4), lambda x: torch.topk(x, 4), X)


@pytest.mark.parametrize("n", [1, 4, 5])
def test_median_is_the_lower_middle(n):
    check(lambda x: bg.median_with_indices(x, 2), lambda x: torch.median(x, 2), X[:, :, :n])
    check(bg.median, torch.median, X[:, :, :n])


def test_median_of_nan_is_nan():
    check(lambda x: bg.median(x, 1), lambda x: torch.median(x, 1)[0], NAN)


RUNNING = {
    "cumsum": (lambda x: bg.cumulative_sum(x, 1), lambda x: torch.cumsum(x, 1)),
    "cumprod": (lambda x: bg.cumulative_prod(x, 1), lambda x: torch.cumprod(x, 1)),
    "cumprod reversed": (lambda x: bg.cumprod(x, 1, reverse=True), lambda x: torch.cumprod(x.flip(1), 1).flip(1)),
    "cummax": (lambda x: bg.cummax(x, 1), lambda x: torch.cummax(x, 1)),
    "cummin": (lambda x: bg.cummin(x, 1), lambda x: torch.cummin(x, 1)),
    "logcumsumexp": (lambda x: bg.logcumsumexp(x, 1), lambda x: torch.logcumsumexp(x, 1)),
}


@pytest.mark.parametrize("name", RUNNING)
@pytest.mark.parametrize("x", [X, TIES, ZEROS, np.ones((2, 1), "float32")], ids=["random", "ties", "zeros", "one"])
def test_running(name, x):
    check(*RUNNING[name], x)


@pytest.mark.parametrize("name", ["cummax", "cummin"])
def test_running_extrema_of_nan(name):
    check(*RUNNING[name], NAN)


def test_logcumsumexp_of_far_apart_scores():
    check(lambda x: bg.logcumsumexp(x, 1), lambda x: torch.logcumsumexp(x, 1), WIDE[:2])
    check(lambda x: bg.logcumsumexp(x, 1), lambda x: torch.logcumsumexp(x, 1), WIDE, gradient=False)
    gradient = bg.compile(bg.grad(lambda x: bg.sum(bg.logcumsumexp(x, 0)[2:])))(WIDE[2])
    np.testing.assert_allclose(
        np.array(gradient), [0, 0, 1 + np.exp(2) / (np.exp(2) + np.exp(1)), np.exp(1) / (np.exp(2) + np.exp(1))], rtol=1e-5
    )


AXES = [None, (), 0, 1, -1, (0, 2), (1, 2), (0, 1, 2)]


@pytest.mark.parametrize("keepdims", [False, True])
@pytest.mark.parametrize("axis", AXES, ids=str)
@pytest.mark.parametrize("name", ["sum", "mean", "amax", "amin", "logsumexp", "var", "std"])
def test_reductions(name, axis, keepdims):
    function, given = getattr(torch, name), {"correction": 1} if name in ("var", "std") else {}
    dims = tuple(range(3)) if axis is None else axis
    if axis == ():  # torch takes () for all axes
        want = (lambda x: x * float("nan")) if given else (lambda x: x * 1)
        check(lambda x: getattr(bg, name)(x, (), keepdims, **given), want, X, gradient=not given)
    else:
        check(
            lambda x: getattr(bg, name)(x, axis, keepdims, **given),
            lambda x: function(x, dim=dims, keepdim=keepdims, **given),
            X,
        )


@pytest.mark.parametrize("name", ["amax", "amin"])
def test_equal_extrema_share_the_gradient_evenly(name):
    check(lambda x: getattr(bg, name)(x, 1), lambda x: getattr(torch, name)(x, 1), TIES)
    check(lambda x: getattr(bg, name)(x), lambda x: getattr(torch, name)(x), TIES)


@pytest.mark.parametrize("x", [X[0], TIES, NAN], ids=["random", "ties", "nan"])
def test_extrema_with_indices(x):
    if x is NAN:
        want = [float("nan"), 5, float("nan")], [1, 3, 0]
        for a, b in zip(bg.compile(lambda x: bg.max_with_indices(x, 1))(x), want, strict=True):
            np.testing.assert_array_equal(np.array(a), b)
    else:
        first = np.argmax(x, 1)
        check(
            lambda x: bg.max_with_indices(x, 1),
            lambda x: (x.gather(1, torch.from_numpy(first)[:, None])[:, 0], torch.from_numpy(first)),
            x,
        )
    check(
        lambda x: bg.min_with_indices(x, 1, keepdims=True)[0],
        lambda x: torch.min(x, 1, keepdim=True)[0],
        x,
        gradient=x is not TIES,
    )


@pytest.mark.parametrize("axis", [None, 0, 1])
def test_prod_is_exact_at_zeros(axis):
    theirs = torch.prod if axis is None else (lambda x: torch.prod(x, axis))
    check(lambda x: bg.prod(x, axis), theirs, ZEROS)


@pytest.mark.parametrize("row", ZEROS, ids=str)
def test_prod_and_cumprod_are_exact_at_zeros_in_second_order(row):
    """Against the formula: torch divides in its cumprod, and loses the second derivative at zeros."""
    wants = np.zeros((4, 4, 4))
    for n, i, j in np.ndindex(4, 4, 4):
        if i != j and max(i, j) <= n:
            wants[n, i, j] = np.prod([x for k, x in enumerate(row[: n + 1]) if k not in (i, j)])
    for fn, want in ((bg.prod, wants[3]), (lambda x: bg.sum(bg.cumprod(x)), wants.sum(0))):
        rows = [bg.grad(lambda x, i=i, fn=fn: bg.grad(fn)(x)[i]) for i in range(4)]
        found = bg.compile(lambda x, rows=rows: bg.stack([g(x) for g in rows]))(row)
        np.testing.assert_allclose(np.array(found), want, rtol=1e-5, atol=1e-6)


def test_nan_reductions():
    x = NAN[:, :2]
    check(lambda x: bg.nansum(x, 1), lambda x: torch.nansum(x, 1), x)
    check(lambda x: bg.nanmean(x, 1), lambda x: torch.nanmean(x, 1), x, gradient=False)
    np.testing.assert_array_equal(np.array(bg.compile(lambda x: bg.nanmax(x, 1))(x)), [3, 2, np.nan])
    np.testing.assert_array_equal(np.array(bg.compile(lambda x: bg.nanmin(x, 0))(NAN)), [1, 2, -np.inf, 2])


def test_std_of_equal_entries_has_no_nan_gradient():
    check(lambda x: bg.std(x, 1, correction=1), lambda x: torch.std(x, 1), TIES)


@pytest.mark.parametrize("side", ["left", "right"])
def test_searchsorted(side):
    rows = np.sort(X, 2)
    values = np.concatenate([rows[:, :, 1:3], X[:, :, :1] * 0.9], 2)
    ours = bg.compile(lambda a, v: bg.searchsorted(a, v, side=side))
    want = torch.searchsorted(torch.from_numpy(rows), torch.from_numpy(values), side=side).numpy()
    np.testing.assert_array_equal(np.array(ours(rows, values)), want)
    np.testing.assert_array_equal(np.array(ours(rows[0, 0], values)), np.searchsorted(rows[0, 0], values, side=side))
