"""stop_gradient, custom_vjp, custom_jvp: their rules are used, at every order, eagerly, compiled and through text."""

import mlx.core as mx
import numpy as np
import pytest

import burngraph as bg
from burngraph.errors import InputError, RefusedError, ShapeError


def test_stop_gradient_is_the_identity_with_derivative_zero():
    f = lambda x: bg.sum(x * bg.stop_gradient({"k": x * x})["k"])  # noqa: E731
    x = mx.array([2.0, 3.0])
    assert f(x).item() == 35
    assert bg.grad(f)(x).tolist() == [4, 9]
    assert bg.grad(lambda x: bg.sum(bg.grad(f)(x)))(x).tolist() == [0, 0]  # what is left of it is stopped too
    assert bg.jvp(bg.stop_gradient, (x,), (x,))[1].tolist() == [0, 0]
    program = bg.compile(bg.stop_gradient).specialise(x)
    assert program.source.split("inputs\n")[1].strip() == "return (x,)"


def softplus():
    """log(1 + exp(x)), whose own derivative is nan far out; JAX's example."""

    @bg.custom_vjp
    def f(x):
        return bg.log(1 + bg.exp(x))

    f.defvjp(lambda x: (f(x), x), lambda x, g: (g * bg.sigmoid(x),))
    return f


def softplus_forward():
    @bg.custom_jvp
    def f(x):
        return bg.log(1 + bg.exp(x))

    f.defjvp(lambda primals, tangents: (f(*primals), bg.sigmoid(primals[0]) * tangents[0]))
    return f


BOTH = pytest.mark.parametrize("make", [softplus, softplus_forward])
S = lambda x: 1 / (1 + np.exp(-x))  # noqa: E731


@BOTH
def test_the_rule_replaces_the_derivative_in_every_transform(make):
    f = make()
    assert bg.grad(f)(1000.0).item() == 1
    x = mx.array([-1.0, 0.5, 1000.0])
    s = S(np.array(x))
    for run in (lambda f: f, bg.compile):
        np.testing.assert_allclose(run(bg.vmap(bg.grad(f)))(x), s, rtol=1e-5)
        np.testing.assert_allclose(run(lambda x: bg.jvp(f, (x,), (x * 0 + 1,)))(x)[1], s, rtol=1e-5)
        np.testing.assert_allclose(run(bg.grad(lambda x: bg.sum(bg.vmap(f)(x))))(x), s, rtol=1e-5)
        np.testing.assert_allclose(run(bg.jacfwd(f))(x), np.diag(s), rtol=1e-5)
        np.testing.assert_allclose(run(bg.jacrev(bg.checkpoint(f)))(x), np.diag(s), rtol=1e-5)
        np.testing.assert_allclose(bg.linearize(f, x)[1](x * 0 + 1), s, rtol=1e-5)
        np.testing.assert_allclose(run(bg.vmap(bg.hessian(f)))(x), s * (1 - s), rtol=1e-5)


@BOTH
def test_the_rule_survives_text(make):
    graph = bg.trace(make(), bg.TensorSpec((2,)))
    again = bg.parse(str(graph))
    assert again == graph
    assert [node.op.name for node in again.nodes] == ["custom_vjp" if make is softplus else "custom_jvp"]
    np.testing.assert_allclose(bg.compile(again)(mx.array([0.0, 1.0])), np.log1p(np.exp([0.0, 1.0])), rtol=1e-6)


def rounded():
    f = bg.custom_vjp(bg.round)
    f.defvjp(lambda x: (f(x), None), lambda _, g: (g,))
    return f


def rounded_forward():
    f = bg.custom_jvp(bg.round)
    f.defjvp(lambda primals, tangents: (f(*primals), tangents[0]))
    return f


@pytest.mark.parametrize("make", [rounded, rounded_forward])
def test_a_straight_through_rule_holds_at_every_order(make):
    f = make()
    power = lambda x: f(x) ** 4  # noqa: E731
    want = [32.0, 48.0, 48.0, 24.0]
    for derivative in want:
        power = bg.grad(power)
        assert power(2.3).item() == derivative
    assert bg.jvp(bg.grad(lambda x: f(x) ** 4), (2.3,), (1.0,))[1].item() == 48


def test_results_and_their_derivative_are_the_ones_of_fwd():
    f = bg.custom_vjp(lambda x: x * 2)
    f.defvjp(lambda x: (x * 3, x), lambda x, g: (g * x,))
    value, gradient = bg.value_and_grad(f)(5.0)
    assert (value.item(), gradient.item()) == (15, 5)
    assert f(5.0) == 10


def test_arguments_are_trees_and_some_are_not_differentiated():
    @bg.custom_vjp
    def f(p, index, scale):
        return {"y": p["w"][0] * scale, "n": index + 1}

    def fwd(p, index, scale):
        return f(p, index, scale), (p["w"], scale)

    def bwd(residuals, bars):
        _, scale = residuals
        assert (bars["n"].shape, bars["n"].dtype) == ((), bg.int32)
        return {"w": [bars["y"] * scale * 10]}, None, None

    f.defvjp(fwd, bwd)
    loss = lambda p, i, s: bg.sum(f({"w": [p]}, i, s)["y"])  # noqa: E731
    x = mx.array([1.0, 2.0])
    gradients = bg.grad(loss, (0, 2))(x, mx.array(3), 2.0)
    assert gradients[0].tolist() == [20, 20]
    assert gradients[1].item() == 0


def test_nondiff_arguments_come_first():
    f = bg.custom_jvp(lambda kind, x, n: x**n, nondiff_argnums=(0, 2))
    f.defjvp(lambda kind, n, primals, tangents: (f(kind, *primals, n), tangents[0] * (100 if kind == "far" else n)))
    assert bg.grad(f, 1)("far", 2.0, n=3).item() == 100
    assert bg.grad(f, 1)("near", 2.0, 3).item() == 3


def test_batching_sums_the_cotangent_of_what_examples_share():
    f = bg.custom_vjp(lambda w, x: bg.sum(w * x))
    f.defvjp(lambda w, x: (f(w, x), (w, x)), lambda r, g: (g * r[1] * 2, g * r[0]))  # twice, to tell it from the plain one
    w, x = mx.array([1.0, 2.0]), mx.array([[1.0, 0.0], [3.0, 4.0], [5.0, 6.0]])
    loss = lambda w, x: bg.sum(bg.vmap(f, (None, 0))(w, x))  # noqa: E731
    assert bg.grad(loss)(w, x).tolist() == [18, 20]
    assert bg.compile(bg.vmap(bg.grad(f), (None, 0)))(w, x).tolist() == (2 * x).tolist()


def test_a_rule_may_use_composites_of_the_tangent():
    f = bg.custom_jvp(lambda x: bg.mean(x * x))
    f.defjvp(lambda primals, tangents: (f(*primals), 2 * bg.mean(primals[0] * bg.flip(tangents[0]))))
    x = mx.array([1.0, 2.0, 6.0])
    np.testing.assert_allclose(bg.grad(f)(x), [4, 4 / 3, 2 / 3], rtol=1e-6)


def test_forward_mode_of_custom_vjp_is_the_transpose_of_bwd():
    f = bg.custom_vjp(lambda x: x)
    f.defvjp(lambda x: (f(x), None), lambda _, g: (bg.cumulative_sum(g),))  # not symmetric
    x = mx.array([1.0, 2.0, 4.0])
    assert bg.jvp(f, (x,), (x,))[1].tolist() == [7, 6, 4]


def clipped():
    """x * x * y, whose cotangents are clipped: no linear map has such a transpose."""
    f = bg.custom_vjp(lambda x, y: x * x * y)
    f.defvjp(lambda x, y: (f(x, y), (x, y)), lambda r, g: (bg.clip(g, -1, 1) * 2 * r[0] * r[1], bg.clip(g, -1, 1) * r[0] ** 2))
    return f


@pytest.mark.filterwarnings("ignore:custom_vjp. forward derivatives of")
def test_where_bwd_has_no_transpose_forward_mode_is_the_derivative_of_the_function_itself():
    f = clipped()
    x, y = mx.array([1.0, 2.0]), mx.array([3.0, 5.0])
    loop = lambda x, y: bg.scan(lambda c, s: (f(c, s), None), x, bg.stack([y, y]))[0]  # noqa: E731
    value = lambda x, y: bg.sum(5 * bg.jvp(f, (x, y), (x, y))[0])  # noqa: E731
    tangent = lambda x, y: bg.sum(5 * bg.jvp(f, (x, y), (x, None))[1])  # noqa: E731
    for run in (lambda f: f, bg.compile):
        assert run(bg.grad(lambda x, y: bg.sum(5 * f(x, y))))(x, y).tolist() == [6, 20]
        assert run(lambda x, y: bg.jvp(f, (x, y), (x, y)))(x, y)[1].tolist() == [9, 60]
        assert run(lambda x, y: bg.jvp(bg.checkpoint(f), (x, y), (x, None)))(x, y)[1].tolist() == [6, 40]
        assert run(bg.jacfwd(f, 1))(x, y).tolist() == [[1, 0], [0, 4]]
        assert run(lambda x, y: bg.linearize(f, x, y)[1](x, y))(x, y).tolist() == [9, 60]
        assert run(lambda x, y: bg.jvp(loop, (x, y), (x, None)))(x, y)[1].tolist() == [4 * 27, 4 * 2**4 * 5**3]
        # Backwards through what forward mode gives: of the value it is the user's rule, of the tangent the function's own.
        assert run(bg.grad(value))(x, y).tolist() == [6, 20]
        assert run(bg.grad(tangent))(x, y).tolist() == [60, 200]


def test_forward_mode_says_that_it_does_not_use_the_rule():
    x = mx.array([1.0, 2.0])
    with pytest.warns(
        UserWarning, match=r"forward derivatives of @.* are those of the function itself.*test_custom_derivatives.py"
    ):
        bg.jvp(clipped(), (x, x), (x, None))


@pytest.mark.parametrize("kind", ["vjp", "jvp"])
def test_what_a_rule_says_nothing_of_has_the_derivative_of_the_function_itself(kind):
    """The rule triples the derivative by x; of `a`, which the function closes over, it does not speak."""

    def outer(a, b):
        if kind == "vjp":
            f = bg.custom_vjp(lambda x: x * x * a)
            f.defvjp(lambda x: (f(x), (x, a)), lambda r, g: (g * 6 * r[0] * r[1],))
        else:
            f = bg.custom_jvp(lambda x: x * x * a)
            f.defjvp(lambda primals, tangents: (f(*primals), tangents[0] * 6 * primals[0] * a))
        return f(b * a)

    a, b = mx.array(3.0), mx.array(2.0)
    by_a = 6 * 6 * 3 * 2 + 36  # through the argument, and from the function itself
    for run in (lambda f: f, bg.compile):
        assert run(outer)(a, b).item() == 108
        assert [g.item() for g in run(bg.grad(outer, (0, 1)))(a, b)] == [by_a, 6 * 6 * 3 * 3]
        assert run(lambda a, b: bg.jvp(outer, (a, b), (1.0, None)))(a, b)[1].item() == by_a
        assert run(bg.jacrev(outer))(a, b).item() == by_a


@BOTH
def test_rules_hold_inside_a_loop(make):
    """softplus twice along a scan, whose second step is where the plain derivative is nan."""
    f = make()
    loop = lambda x: bg.scan(lambda c, s: (f(c) * s, None), x, mx.array([1.0, 2.0]))[0]  # noqa: E731
    for run in (lambda f: f, bg.compile):
        assert run(bg.grad(loop))(mx.array(1000.0)).item() == 2
        assert run(bg.grad(bg.checkpoint(loop)))(mx.array(1000.0)).item() == 2
        assert run(lambda x: bg.jvp(loop, (x,), (x,))[1])(mx.array(1000.0)).item() == 2000
        assert run(bg.vmap(bg.grad(loop)))(mx.array([1000.0, 2000.0])).tolist() == [2, 2]
        assert run(bg.vmap(bg.jacfwd(bg.grad(loop))))(mx.array([1000.0])).tolist() == [0]


def jvp_rule(rule):
    f = bg.custom_jvp(lambda x: x * 2)
    f.defjvp(rule)
    return lambda: bg.grad(f)(1.0)


def vjp_rule(fwd, bwd):
    f = bg.custom_vjp(lambda x, y: x * y)
    f.defvjp(fwd, bwd)
    return lambda: bg.grad(f)(1.0, 2.0)


def good(x, y):
    return x * y, None


ERRORS = {
    "no rule": (
        lambda: bg.custom_vjp(lambda x: x)(1.0),
        InputError,
        r"no derivative rule yet\n  call <lambda>.defvjp\(fwd, bwd\)",
    ),
    "no pair": (vjp_rule(lambda x, y: x, good), InputError, r"fwd must return \(\*, residuals\)"),
    "no tuple": (vjp_rule(good, lambda _, g: g), InputError, "bwd must return a tuple of 2, one entry per argument"),
    "shape": (
        vjp_rule(good, lambda _, g: (bg.ones(2), None)),
        ShapeError,
        r"argument 0 from bwd: leaf 0 is f32\[2\], must be f32",
    ),
    "affine": (jvp_rule(lambda p, t: (p[0] * 2, t[0] + 1)), RefusedError, "add has operand 1 beside what is linear"),
    "constant": (jvp_rule(lambda p, t: (p[0] * 2, p[0])), RefusedError, "does not depend on what is linear, and is not zero"),
    "square": (
        jvp_rule(lambda p, t: (p[0] * 2, t[0] * t[0])),
        RefusedError,
        r"mul is not linear in operands \[0, 1\] together",
    ),
    "tangent in result": (jvp_rule(lambda p, t: (p[0] * t[0], t[0])), RefusedError, "gives depend on the tangents"),
    "tree": (jvp_rule(lambda p, t: ([p[0]], [t[0]])), InputError, r"a result of shape \[\*\], fn one of \*"),
}


@pytest.mark.parametrize("name", ERRORS)
def test_errors(name):
    call, error, message = ERRORS[name]
    with pytest.raises(error, match=message):
        call()
