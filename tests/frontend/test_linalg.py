"""einsum and other products, against NumPy: traced and interpreted, and compiled."""

import numpy as np
import pytest

import burngraph as bg
from burngraph.errors import InputError, RefusedError, ShapeError

RNG = np.random.default_rng(0)


def f(*shape):
    return RNG.uniform(-1, 1, shape).astype("float32")


EQUATIONS = [
    ("ij,jk->ik", (2, 3), (3, 4)),
    ("ij,jk", (2, 3), (3, 4)),
    ("bij,bjk->bik", (5, 2, 3), (5, 3, 4)),
    ("bij,bkj->kib", (5, 2, 3), (5, 4, 3)),
    ("bhqd,bhkd->bhqk", (2, 3, 4, 5), (2, 3, 6, 5)),
    ("i,i->", (4,), (4,)),
    ("i,j->ij", (4,), (3,)),
    ("bi,bi->b", (4, 3), (4, 3)),
    ("bi,bi->bi", (4, 3), (4, 3)),
    ("ij->ji", (2, 3)),
    ("ij->", (2, 3)),
    ("ii", (3, 3)),
    ("ii->i", (3, 3)),
    ("iji->j", (3, 2, 3)),
    ("iii->i", (3, 3, 3)),
    ("...ij,...jk->...ik", (2, 1, 3, 4), (5, 4, 2)),
    ("i...,j...->...ij", (2, 3, 4), (5, 3, 4)),
    ("b...i->...b", (2, 3, 4)),
    ("ij,k->k", (2, 3), (4,)),
    ("ij,jk,kl->il", (2, 3), (3, 4), (4, 5)),
    ("ijk,ilm,njm,nlk,abc->", (2, 3, 2), (2, 2, 4), (3, 3, 4), (3, 2, 2), (1, 2, 2)),
    ("ab,bc,cd,de,ef,fg,gh->ah", *((2, 3), (3, 2)) * 3, (2, 4)),
    ("ij,jk->ik", (0, 3), (3, 4)),
    ("ij,jk->ik", (2, 0), (0, 4)),
    (",ij->ij", (), (2, 3)),
]


@pytest.mark.parametrize(("equation", "shapes"), [(e, s) for e, *s in EQUATIONS], ids=[e for e, *_ in EQUATIONS])
def test_einsum(equation, shapes):
    arrays = [f(*shape) for shape in shapes]
    want = np.einsum(equation, *(a.astype("float64") for a in arrays))
    (got,) = bg.run(bg.trace(lambda *xs: bg.einsum(equation, *xs), *arrays), *arrays)
    np.testing.assert_allclose(got, want, rtol=1e-5, atol=1e-5)
    compiled = bg.compile(lambda *xs: bg.einsum(equation, *xs))(*arrays)
    np.testing.assert_allclose(np.array(compiled), want, rtol=1e-5, atol=1e-5)


def test_einsum_of_a_plain_product_is_one_dot():
    graph = bg.trace(lambda x, y: bg.einsum("ij,kj->ik", x, y), f(2, 3), f(4, 3))
    assert [node.op.name for node in graph.nodes] == ["dot"]


@pytest.mark.parametrize(
    ("error", "message", "equation", "shapes"),
    [
        (InputError, "does not read", "i-j", [(2, 3)]),
        (InputError, "does not read", "...i...->i", [(2, 3)]),
        (InputError, "names 1 operands, got 2", "ij->i", [(2, 3), (2,)]),
        (InputError, "names a letter twice, or one that no operand has", "ij->ii", [(2, 3)]),
        (InputError, "names a letter twice, or one that no operand has", "ij->k", [(2, 3)]),
        (ShapeError, "has rank 2, its term 'ijk' has another", "ijk->i", [(2, 3)]),
        (ShapeError, "'j' of 'ij,jk' is both 3 and 4", "ij,jk", [(2, 3), (4, 5)]),
        (ShapeError, "'i' of 'ii' is both 2 and 3", "ii", [(2, 3)]),
    ],
)
def test_einsum_refuses(error, message, equation, shapes):
    with pytest.raises(error, match=message.replace("(", r"\(")):
        bg.trace(lambda *xs: bg.einsum(equation, *xs), *map(bg.TensorSpec, shapes))


SAME = [
    ("cross", lambda x, y: bg.cross(x, y), np.cross, (2, 3), (2, 3)),
    ("cross axis", lambda x, y: bg.cross(x, y, axis=0), lambda x, y: np.cross(x, y, axis=0), (3, 4), (3, 1)),
    ("outer", bg.outer, np.outer, (2, 3), (4,)),
    ("inner", bg.inner, np.inner, (2, 3), (4, 3)),
    ("vecdot", bg.vecdot, lambda x, y: np.sum(x * y, -1), (2, 3), (4, 1, 3)),
    ("vecdot axis", lambda x, y: bg.vecdot(x, y, axis=0), lambda x, y: np.sum(x * y, 0), (2, 3), (2, 3)),
    ("kron", bg.kron, np.kron, (2, 3), (3, 1, 2)),
    ("norm", bg.vector_norm, np.linalg.norm, (7,)),
    ("norm 2", lambda x: bg.vector_norm(x, axis=1, keepdims=True), lambda x: np.linalg.norm(x, axis=1, keepdims=True), (2, 3)),
    *(
        (f"norm {p}", lambda x, p=p: bg.vector_norm(x, axis=0, ord=p), lambda x, p=p: np.linalg.norm(x, axis=0, ord=p), (5, 2))
        for p in (0, 1, 3, 2.5, 0.5, -1, np.inf, -np.inf)
    ),
    ("roll", lambda x: bg.roll(x, 5), lambda x: np.roll(x, 5), (2, 3)),
    ("roll axes", lambda x: bg.roll(x, (1, -4), axis=(0, -1)), lambda x: np.roll(x, (1, -4), (0, -1)), (2, 3)),
    ("roll empty", lambda x: bg.roll(x, 1, axis=1), lambda x: np.roll(x, 1, 1), (2, 0)),
    ("repeat", lambda x: bg.repeat(x, 3, axis=1), lambda x: np.repeat(x, 3, 1), (2, 3)),
    ("repeat flat", lambda x: bg.repeat(x, 2), lambda x: np.repeat(x, 2), (2, 3)),
    ("repeat counts", lambda x: bg.repeat(x, (2, 0, 1), axis=-1), lambda x: np.repeat(x, (2, 0, 1), -1), (2, 3)),
    ("tile", lambda x: bg.tile(x, (2, 1, 3)), lambda x: np.tile(x, (2, 1, 3)), (2, 3)),
    ("tile one", lambda x: bg.tile(x, 2), lambda x: np.tile(x, 2), (2, 3)),
    ("tile rank 0", lambda x: bg.tile(x, (2, 2)), lambda x: np.tile(x, (2, 2)), ()),
    *(
        (f"diagonal {k}", lambda x, k=k: bg.diagonal(x, offset=k), lambda x, k=k: np.diagonal(x, k, -2, -1), (2, 3, 4))
        for k in (-4, -2, 0, 1, 3, 4)
    ),
    ("diagonal axes", lambda x: bg.diagonal(x, axis1=2, axis2=0), lambda x: np.diagonal(x, 0, 2, 0), (2, 3, 4)),
    *((f"tril {k}", lambda x, k=k: bg.tril(x, k=k), lambda x, k=k: np.tril(x, k), (2, 3, 4)) for k in (-2, 0, 1)),
    *((f"triu {k}", lambda x, k=k: bg.triu(x, k=k), lambda x, k=k: np.triu(x, k), (2, 3, 4)) for k in (-2, 0, 1)),
    ("diff", lambda x: bg.diff(x, n=2, axis=0), lambda x: np.diff(x, n=2, axis=0), (4, 3)),
    ("diff ends", lambda x, y: bg.diff(x, prepend=y), lambda x, y: np.diff(x, prepend=y), (2, 3), (2, 1)),
    ("diff empty", bg.diff, np.diff, (2, 0)),
    ("meshgrid", lambda x, y: bg.meshgrid(x, y), lambda x, y: tuple(np.meshgrid(x, y)), (2,), (3,)),
    (
        "meshgrid ij",
        lambda x, y, z: bg.meshgrid(x, y, z, indexing="ij"),
        lambda x, y, z: tuple(np.meshgrid(x, y, z, indexing="ij")),
        (2,),
        (3,),
        (4,),
    ),
    ("broadcast_arrays", bg.broadcast_arrays, lambda x, y: tuple(np.broadcast_arrays(x, y)), (2, 1), (3,)),
    ("moveaxis", lambda x: bg.moveaxis(x, (0, -1), (1, 0)), lambda x: np.moveaxis(x, (0, -1), (1, 0)), (2, 3, 4)),
    ("positive", bg.positive, np.positive, (2, 3)),
    ("empty_like", bg.empty_like, np.zeros_like, (2, 3)),
    ("unstack", lambda x: bg.unstack(x, axis=1), lambda x: tuple(np.moveaxis(x, 1, 0)), (2, 3)),
]


@pytest.mark.parametrize(("ours", "numpys", "shapes"), [(a, b, s) for _, a, b, *s in SAME], ids=[name for name, *_ in SAME])
def test_same_as_numpy(ours, numpys, shapes):
    arrays = [f(*shape) for shape in shapes]
    wanted = numpys(*arrays)
    wanted = wanted if isinstance(wanted, tuple) else (wanted,)
    found = bg.run(bg.trace(ours, *arrays), *arrays)
    compiled = bg.compile(ours)(*arrays)
    for got, ran, want in zip(found, compiled if isinstance(compiled, tuple) else (compiled,), wanted, strict=True):
        assert got.shape == want.shape
        np.testing.assert_allclose(got, want, rtol=1e-5, atol=1e-6)
        np.testing.assert_allclose(np.array(ran), want, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize(
    ("arguments", "options"),
    [
        ((0.0, 1.0, 5), {}),
        ((2, -3, 4), {"endpoint": False}),
        ((1, 9, 3), {"dtype": "int32"}),
        ((1.0, 2.0, 1), {}),
        ((0, 1, 0), {}),
    ],
)
def test_linspace(arguments, options):
    got = np.array(bg.linspace(*arguments, **options))
    np.testing.assert_allclose(got, np.linspace(*arguments, **options), rtol=1e-6)
    assert got.dtype == np.dtype(options.get("dtype", "float32"))


def test_gradient_of_an_einsum():
    x, y, z = (RNG.normal(size=s) for s in ((2, 3), (2, 3, 4), (4, 2)))

    def loss(x, y, z):
        return bg.sum(bg.einsum("bi,bij,jb->ib", x, y, z) ** 2)

    graph = bg.trace(bg.grad(loss, argnums=(0, 1, 2)), x, y, z)
    once = np.einsum("bi,bij,jb->ib", x, y, z)
    for got, want in zip(
        bg.run(graph, x, y, z),
        (
            np.einsum("ib,bij,jb->bi", 2 * once, y, z),
            np.einsum("bi,ib,jb->bij", x, 2 * once, z),
            np.einsum("bi,bij,ib->jb", x, y, 2 * once),
        ),
        strict=True,
    ):
        np.testing.assert_allclose(got, want, rtol=1e-10)


@pytest.mark.parametrize(
    ("message", "call"),
    [
        ("cross: axis -1 must be of length 3", lambda x: bg.cross(x, x)),
        ("vecdot: axis -1 differs in length", lambda x: bg.vecdot(x, x[:, :1])),
        ("roll: 2 shifts for 1 axes", lambda x: bg.roll(x, (1, 2), axis=(0,))),
        ("repeat: needs 2 counts", lambda x: bg.repeat(x, (1, 2, 3), axis=0)),
        ("tile: a count is negative", lambda x: bg.tile(x, -1)),
        ("diagonal: axis 1 named twice", lambda x: bg.diagonal(x, axis1=1, axis2=-1)),
        ("tril: .* has no last two axes", lambda x: bg.tril(x[0])),
        ("broadcast_shapes: .* do not broadcast", lambda x: bg.broadcast_shapes((2, 3), (4,))),
        ("meshgrid: takes arrays of rank 1", lambda x: bg.meshgrid(x)),
        ("diff: n is -1", lambda x: bg.diff(x, n=-1)),
        ("moveaxis: .* are not as many distinct axes", lambda x: bg.moveaxis(x, (0, 1), (0, 0))),
    ],
)
def test_refusals(message, call):
    with pytest.raises(ShapeError, match=message):
        bg.trace(call, bg.TensorSpec((2, 4)))


def test_variance_of_complex_numbers_is_of_their_distances():
    x = (RNG.normal(size=5) + 1j * RNG.normal(size=5)).astype("complex64")
    np.testing.assert_allclose(np.array(bg.compile(bg.var)(x)), np.var(x), rtol=1e-5)
    np.testing.assert_allclose(np.array(bg.compile(bg.std)(x)), np.std(x), rtol=1e-5)


def test_positions_of_what_is_not_zero_have_no_fixed_shape():
    with pytest.raises(RefusedError, match=r"choose with bg\.where"):
        bg.nonzero(np.float32([0, 1]))


@pytest.mark.parametrize("ord", [2, 3, 0.5, 1, np.inf])
def test_where_a_norm_is_0_so_is_its_derivative(ord):
    x = np.array([[0.0, 0.0], [3.0, 0.0]], "float32")
    gradient = np.array(bg.compile(bg.grad(lambda x: bg.sum(bg.vector_norm(x, axis=1, ord=ord))))(x))
    np.testing.assert_allclose(gradient, [[0, 0], [1, 0]], rtol=1e-6)


def test_a_norm_of_16_bit_floats_is_added_up_in_f32():
    x = np.full((4, 4), 300, "float16")  # whose squares are beyond f16
    assert np.array(bg.compile(bg.linalg.matrix_norm)(x)) == np.array(bg.vector_norm(x)) == 1200
    assert not np.array(bg.grad(lambda x: bg.linalg.matrix_norm(x))(np.zeros((2, 2), "float32"))).any()
