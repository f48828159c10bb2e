"""Keywords and names of PyTorch: taken where they mean the same, explained where they do not."""

import numpy as np
import pytest

import burngraph as bg
from burngraph.errors import InputError, ShapeError

torch = pytest.importorskip("torch")

X = np.random.default_rng(0).normal(size=(2, 3, 4)).astype("float32")


@pytest.mark.parametrize("name", ["sum", "mean", "prod", "all", "any", "argmax", "argmin", "amax", "amin", "logsumexp"])
@pytest.mark.parametrize("keepdim", [False, True])
def test_reductions(name, keepdim):
    got, want = (getattr(space, name)(x, dim=1, keepdim=keepdim) for space, x in ((bg, X), (torch, torch.tensor(X))))
    np.testing.assert_allclose(np.array(got), want.numpy(), rtol=1e-5)
    np.testing.assert_array_equal(
        np.array(bg.compile(lambda x: getattr(bg, name)(x, dim=1, keepdim=keepdim))(X)), np.array(got)
    )


def test_others():
    x = torch.tensor(X)
    for got, want in (
        (bg.concat([X, X], dim=2), torch.concat([x, x], dim=2)),
        (bg.stack([X, X], dim=1), torch.stack([x, x], dim=1)),
        (bg.flip(X, dims=(0, 2)), torch.flip(x, dims=(0, 2))),
        (bg.roll(X, shifts=1, dims=2), torch.roll(x, shifts=1, dims=2)),
        (bg.argsort(X, dim=1), torch.argsort(x, dim=1)),
        (bg.count_nonzero(X, dim=1), torch.count_nonzero(x, dim=1)),
        (bg.relu(X, inplace=True), torch.nn.functional.relu(x)),
        (bg.leaky_relu(X, 0.2, inplace=True), torch.nn.functional.leaky_relu(x, 0.2)),
    ):
        np.testing.assert_allclose(np.array(got), want.numpy(), rtol=1e-6)


@pytest.mark.parametrize(
    ("name", "way_out"),
    [("max", "bg.max_with_indices"), ("min", "bg.min_with_indices"), ("sort", "bg.sort_with_indices"), ("var", "correction=1"),
     ("std", "correction=1"), ("median", "bg.argsort")],
)  # fmt: skip
def test_what_means_something_else_is_told_what_to_write(name, way_out):
    with pytest.raises(
        InputError, match=rf"(?s)dim is PyTorch's, whose {name} means something else.*{way_out}.*test_keywords.py"
    ):
        getattr(bg, name)(X, dim=1)


def test_names_that_are_not_here():
    for name, said in {"cat": "write bg.concat", "unsqueeze": "write bg.expand_dims", "sofmax": "there is bg.softmax"}.items():
        with pytest.raises(AttributeError, match=said):
            getattr(bg, name)
    assert not hasattr(bg, "_no_such_thing")
    with pytest.raises(InputError, match=r"(?s)trace records a function.*bg.linalg.trace"):
        bg.trace(X)
    with pytest.raises(ShapeError, match=r"(?s)takes all 3 axes.*x.swapaxes\(1, 2\), or bg.transpose\(x, 1, 2\)"):
        bg.compile(lambda x: x.transpose(1, 2))(X)


def test_numpys_integers_are_integers():
    one = np.int64(1)
    for fn in (
        lambda x: bg.softmax(x, axis=one),
        lambda x: bg.sum(x, axis=(one,)),
        lambda x: bg.scan(lambda c, _: (c + x, None), x, length=one)[0],
        lambda x: bg.vmap(bg.relu, in_axes=one)(x),
        lambda x: bg.grad(lambda a, b: bg.sum(a * b), argnums=one)(x, x),
        lambda x: bg.randint(bg.random_key(0), 0, np.int64(4), (2,)) + x[0, 0, 0],
    ):
        program = bg.compile(fn)
        program(X)
        assert "int64(" not in program.source and bg.parse(str(program.graph)) == program.graph


@pytest.mark.parametrize("name", ["tensor_split", "chunk"])
def test_a_number_of_parts_beyond_reason_is_refused(name):
    with pytest.raises(ShapeError, match="2147483648 parts"):
        getattr(bg, name)(X, 2**31)
