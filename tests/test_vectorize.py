"""vmap, jacfwd, jacrev, hessian: against loops over examples and entries, in trees, nested, and their errors."""

import mlx.core as mx
import numpy as np
import pytest

import burngraph as bg
from burngraph.errors import DTypeError, InputError, RefusedError, ShapeError

RNG = np.random.default_rng(0)


def array(*shape):
    return mx.array(RNG.normal(size=shape).astype(np.float32))


def close(got, want, tolerance=1e-5):
    np.testing.assert_allclose(np.array(got), np.array(want), rtol=tolerance, atol=tolerance)


def stacked(fn, *columns, axis=0):
    return np.stack([np.array(fn(*row)) for row in zip(*columns, strict=True)], axis)


def layer(x, w, b):
    return bg.softmax(bg.tanh(x @ w) + b, axis=-1)


@pytest.mark.parametrize("run", [lambda f: f, bg.compile], ids=["eager", "compiled"])
@pytest.mark.parametrize(("in_axes", "out_axes"), [((0, None, 0), 0), ((1, None, -1), 1), ([2, None, 0], -1)], ids=str)
def test_vmap_is_the_stack_of_the_calls(in_axes, out_axes, run):
    x, w, b = array(5, 2, 3), array(3, 4), array(5, 4)
    given = [mx.moveaxis(x, 0, in_axes[0]), w, mx.moveaxis(b, 0, in_axes[2])]
    want = stacked(lambda x, b: layer(x, w, b), x, b, axis=out_axes)
    close(run(bg.vmap(layer, in_axes, out_axes))(*given), want)


def test_vmap_takes_prefixes_of_trees_and_keywords():
    params, x = {"w": array(3, 4), "b": [array(5, 4), None]}, array(2, 5)

    def fn(p, x, *, scale):
        return {"y": x[0] * p["w"][0, 0] + bg.sum(p["b"][0]), "w": p["w"]}, x * scale

    axes = ({"w": None, "b": 0}, 1)
    (tree, scaled) = bg.vmap(fn, axes, ({"y": 0, "w": None}, 1))(params, x, scale=mx.arange(5.0))
    close(tree["y"], np.array(x)[0] * params["w"][0, 0].item() + np.array(params["b"][0]).sum(1))
    close(tree["w"], params["w"])
    close(scaled, np.array(x) * np.arange(5.0))


def test_vmap_nests_and_repeats_what_no_example_changes():
    a, b = array(3), array(4)
    close(bg.vmap(bg.vmap(lambda a, b: a * b, (None, 0)), (0, None))(a, b), np.outer(a, b))
    close(bg.vmap(lambda x: mx.array([1.0, 2.0]))(a), [[1, 2]] * 3)


def test_vmap_shares_a_value_of_the_trace_around_it():
    f = lambda w, x: bg.sum(bg.vmap(lambda row: bg.tanh(row @ w))(x))  # noqa: E731
    w, x = array(3, 2), array(4, 3)
    close(bg.compile(bg.grad(f))(w, x), bg.grad(lambda w, x: bg.sum(bg.tanh(x @ w)))(w, x))


def test_per_example_gradients_of_a_convnet():
    def loss(w, image, label):
        features = bg.max_pool2d(bg.relu(bg.conv2d(image[None], w["conv"], padding=1)), 2)
        return bg.cross_entropy(bg.flatten(features, 1) @ w["head"], label[None])

    w = {"conv": array(2, 3, 3, 3), "head": array(8, 4)}
    images, labels = array(5, 3, 4, 4), mx.array([0, 3, 1, 1, 2])
    got = bg.compile(bg.vmap(bg.grad(loss), (None, 0, 0)))(w, images, labels)
    for key in w:
        close(got[key], stacked(lambda x, y, k=key: bg.grad(loss)(w, x, y)[k], images, labels))


def test_gradient_of_a_batched_gradient():
    inner = lambda x: bg.sum(bg.vmap(bg.grad(lambda z: bg.sin(z) * z * z))(x))  # noqa: E731
    x = array(4)
    z = np.array(x, np.float64)
    close(bg.grad(inner)(x), 2 * np.sin(z) + 4 * z * np.cos(z) - z * z * np.sin(z))


@pytest.mark.parametrize("jacobian", [bg.jacfwd, bg.jacrev])
@pytest.mark.parametrize("run", [lambda f: f, bg.compile], ids=["eager", "compiled"])
def test_jacobian_of_trees(jacobian, run):
    def fn(p, y):
        return {"a": bg.tanh(p["w"] @ y), "n": bg.argmax(y, axis=0)}

    p, y = {"w": array(2, 3)}, array(3)
    got = run(jacobian(fn, (0, 1)))(p, y)
    slope = 1 - np.tanh(np.array(p["w"]) @ np.array(y)) ** 2
    assert isinstance(got["a"], tuple)
    close(got["a"][0]["w"], np.einsum("i,ij,k->ijk", slope, np.eye(2), np.array(y)))
    close(got["a"][1], slope[:, None] * np.array(p["w"]))
    assert (got["n"][1].shape, got["n"][1].dtype) == ((3,), mx.int32)
    assert not np.array(got["n"][1]).any()


@pytest.mark.parametrize("jacobian", [bg.jacfwd, bg.jacrev])
@pytest.mark.parametrize("shape", [(), (0, 2), (1, 2)], ids=str)
def test_jacobian_of_small_arrays(jacobian, shape):
    size = int(np.prod(shape))
    close(jacobian(lambda x: 3 * x)(mx.ones(shape)), 3 * np.eye(size).reshape(shape + shape))


def test_forward_and_reverse_jacobian_agree_and_share_their_forward_part():
    fn = lambda x, w: bg.exp(x @ w)  # noqa: E731
    x, w = array(2, 3), array(3, 2)
    close(bg.jacfwd(fn, 1)(x, w), bg.jacrev(fn, 1)(x, w))
    for jacobian in (bg.jacfwd, bg.jacrev):
        names = [node.op.name for node in bg.trace(jacobian(fn, (0, 1)), x, w).nodes]
        assert names.count("exp") == 1


def test_hessian():
    x, y = array(3), {"k": array(2)}
    fn = lambda x, y: bg.sum(bg.sin(x)) * bg.sum(y["k"] * y["k"])  # noqa: E731
    got = bg.compile(bg.hessian(fn, (0, 1)))(x, y)
    k = np.array(y["k"], np.float64)
    close(got[0][0], np.diag(-np.sin(x)) * (k * k).sum())
    close(got[0][1]["k"], np.outer(np.cos(x), 2 * k))
    close(got[1]["k"][0], np.outer(2 * k, np.cos(x)))
    close(bg.hessian(fn, 0)(x, y), got[0][0])


def complex_array(*shape):
    return array(*shape) + 1j * array(*shape)


MATRIX = complex_array(4, 3)
COMPLEX = {  # of r: f32[3], z: c64[3]
    "to real": lambda r, z: bg.sum(bg.abs(bg.exp(z)) * r) + bg.real(z) ** 2,
    "holomorphic": lambda r, z: bg.exp(bg.matmul(MATRIX, z * z * r)),
    "not holomorphic": lambda r, z: bg.conj(z) * z[::-1] + r * bg.real(z),
    "to real, narrow": lambda r, z: bg.astype(bg.imag(z * z * r), "float16"),
}


def differences(fn, x, direction):
    """Along `direction` from each entry of x: fn's central differences, behind the axes of its result."""
    columns = []
    for at in np.ndindex(*x.shape):
        h = np.zeros(x.shape, np.asarray(direction).dtype)
        h[at] = direction * 2.0**-8
        after, before = (np.array(fn(mx.array((x + s * h).astype(x.dtype)))).astype(np.complex64) for s in (1, -1))
        columns.append((after - before) * 2.0**7)
    return np.stack(columns, -1)


@pytest.mark.parametrize("jacobian", [bg.jacfwd, bg.jacrev])
@pytest.mark.parametrize("run", [lambda f: f, bg.compile], ids=["eager", "compiled"])
@pytest.mark.parametrize("name", COMPLEX)
def test_complex_jacobians_are_those_of_the_parts(name, jacobian, run):
    fn, r, z = COMPLEX[name], array(3), complex_array(3) * 0.5
    by_r, by_z = run(jacobian(fn, (0, 1)))(r, z)
    tolerance = 3e-2 if "narrow" in name else 3e-3
    close(by_r, differences(lambda r: fn(r, z), np.array(r), 1.0), tolerance)
    along_re, along_im = (differences(lambda z: fn(r, z), np.array(z), step) for step in (1.0, 1j))
    if "to real" in name:
        close(by_z, along_re + 1j * along_im, tolerance)
        return
    assert isinstance(by_z, bg.ComplexJacobian)
    close(by_z.holomorphic, (along_re - 1j * along_im) / 2, tolerance)
    close(by_z.antiholomorphic, (along_re + 1j * along_im) / 2, tolerance)
    if name == "holomorphic":
        close(by_z.antiholomorphic, 0 * along_re)
        for numbers in (1, (0, 1)):  # all arguments complex, and one that is not
            got = run(jacobian(fn, numbers, holomorphic=True))(r, z)
            close(got if numbers == 1 else got[1], by_z.holomorphic)


def test_a_gradient_is_the_jacobian_of_a_real_function_and_its_jacobian_the_hessian():
    z = complex_array(3)
    loss = lambda z: bg.sum(bg.abs(z) ** 2 * bg.real(z))  # noqa: E731
    for jacobian in (bg.jacfwd, bg.jacrev):
        close(jacobian(loss)(z), bg.grad(loss)(z))
    along_re, along_im = (differences(bg.grad(loss), np.array(z), step) for step in (1.0, 1j))
    for hessian in (bg.hessian(loss), bg.compile(bg.hessian(loss)), bg.jacrev(bg.grad(loss)), bg.jacfwd(bg.jacfwd(loss))):
        got = hessian(z)
        close(got.holomorphic, (along_re - 1j * along_im) / 2, 3e-3)
        close(got.antiholomorphic, (along_re + 1j * along_im) / 2, 3e-3)
    stacked_up = bg.vmap(bg.hessian(loss))(mx.stack([z, 2 * z]))
    close(stacked_up.holomorphic[0], bg.hessian(loss)(z).holomorphic)


ONES = mx.ones((2, 3))
ERRORS = {
    "sizes differ": (
        lambda: bg.vmap(lambda x, y: x)(ONES, mx.ones((4,))),
        ShapeError,
        r"vmap: arguments have different numbers of examples\n  x: f32\[2,3\] along axis 0\n  y: f32\[4\] along axis 0",
    ),
    "no such axis": (lambda: bg.vmap(lambda x: x, 2)(ONES), ShapeError, r"vmap: x is f32\[2,3\] and has no axis 2\n"),
    "too few in_axes": (lambda: bg.vmap(lambda x, y: x, (0,))(ONES, ONES), InputError, "in_axes has 1 entries for 2 arguments"),
    "nothing stacked": (lambda: bg.vmap(lambda x: x, None)(ONES), InputError, "no argument is stacked"),
    "number stacked": (lambda: bg.vmap(lambda x, n: x)(ONES, 2), InputError, "argument 1 is no array, so it has no axis 0"),
    "no prefix": (lambda: bg.vmap(lambda x: x, ({"k": 0},))(ONES), InputError, "in_axes {'k': 0} is no prefix of the tree *"),
    "out axis": (lambda: bg.vmap(lambda x: x, out_axes=2)(ONES), ShapeError, "so its stack has no axis 2"),
    "differs": (lambda: bg.vmap(lambda x: x, out_axes=None)(ONES), RefusedError, "result 0 of @lambda differs between"),
    "jacobian by integers": (
        lambda: bg.jacrev(lambda x: x)(mx.array([1])),
        DTypeError,
        r"jacrev with respect to %x: i32\[1\]: only floats",
    ),
    "twice": (lambda: bg.jacfwd(lambda x: x, (0, 0)), InputError, "name an argument more than once"),
    "no argument": (lambda: bg.jacfwd(lambda x: x, 1)(ONES), InputError, "jacfwd: no positional argument 1"),
}


@pytest.mark.parametrize("name", ERRORS)
def test_errors(name):
    call, error, message = ERRORS[name]
    with pytest.raises(error, match=message):
        call()
