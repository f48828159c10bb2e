"""grad, value_and_grad, jvp, vjp on functions: values, trees, nesting, errors."""

import doctest
import importlib

import mlx.core as mx
import numpy as np
import pytest

import burngraph as bg
from burngraph.errors import DTypeError, InputError, ShapeError


def test_gradient_of_a_tree_keeps_its_shape():
    grads = bg.grad(lambda p, x: bg.sum(bg.tanh(x @ p["w"]) + p["b"]))(
        {"w": mx.ones((3, 2)), "b": mx.zeros((2,))}, mx.ones((4, 3))
    )
    assert {k: v.shape for k, v in grads.items()} == {"w": (3, 2), "b": (2,)}
    np.testing.assert_allclose(np.array(grads["b"]), 4.0)


def test_third_derivative_by_nesting():
    cube = lambda x: x * x * x * x  # noqa: E731
    assert bg.grad(bg.grad(bg.grad(cube)))(2.0).item() == pytest.approx(48.0)


def test_gradient_closes_over_an_outer_traced_value():
    def outer(a):
        return bg.grad(lambda x: bg.sum(a * x * x))(mx.array([1.0, 2.0])).sum() * a

    assert bg.grad(outer)(3.0).item() == pytest.approx(36.0)  # d/da of 6 a^2
    assert bg.compile(bg.grad(outer))(mx.array(3.0)).item() == pytest.approx(36.0)


def test_forward_over_reverse_equals_reverse_over_forward():
    f = lambda x: bg.sum(bg.sigmoid(x) * x)  # noqa: E731
    x, v = mx.array([0.3, -1.2, 2.0]), mx.array([1.0, 2.0, -1.0])
    forward_over_reverse = bg.jvp(bg.grad(f), (x,), (v,))[1]
    reverse_over_forward = bg.grad(lambda x: bg.jvp(f, (x,), (v,))[1])(x)
    np.testing.assert_allclose(np.array(forward_over_reverse), np.array(reverse_over_forward), rtol=1e-5)


def test_argnums_argnames_and_aux_return_what_mlx_returns():
    f = lambda x, y, *, z: (bg.sum(x * y * z), x + y)  # noqa: E731
    x, y, z = mx.array([2.0]), mx.array([3.0]), mx.array([5.0])
    (value, aux), (by_position, by_name) = bg.value_and_grad(f, (0, 1), "z", has_aux=True)(x, y, z=z)
    assert (value.item(), aux.item()) == (30.0, 5.0)
    assert [g.item() for g in by_position] == [15.0, 10.0]
    assert by_name["z"].item() == 6.0


def test_vjp_pulls_back_a_tree():
    value, pull_back = bg.vjp(lambda x, y: {"p": x * y}, mx.array(2.0), mx.array(3.0))
    assert value["p"].item() == 6.0
    assert [c.item() for c in pull_back({"p": mx.array(1.0)})] == [3.0, 2.0]


def test_jvp_of_an_integer_result_is_zero():
    value, dot = bg.jvp(lambda x: bg.argmax(x, axis=0), (mx.array([1.0, 3.0]),), (mx.array([1.0, 1.0]),))
    assert (value.item(), dot.item()) == (1, 0)


def test_loss_must_be_a_scalar():
    with pytest.raises(ShapeError, match=r"its loss is f32\[2\], not a scalar\n  reduce it"):
        bg.grad(lambda x: x * 2)(mx.ones((2,)))


def test_gradient_with_respect_to_integers_is_refused():
    with pytest.raises(DTypeError, match="only floats have one"):
        bg.grad(lambda i: bg.sum(i.astype("float32")))(mx.array([1, 2]))


def test_a_complex_loss_is_refused():
    with pytest.raises(DTypeError, match=r"its loss is c64\[\], not a float\n  take bg.real or bg.abs of it"):
        bg.grad(lambda x: bg.sum(x.astype("complex64")))(mx.ones((2,)))


def test_tangents_and_cotangents_fit_the_tree_or_are_zero_for_none():
    f = lambda p, y: {"a": p["a"] * y, "b": p["b"]}  # noqa: E731
    p, y, one = {"a": mx.array(2.0), "b": mx.array([1, 2])}, mx.array(3.0), mx.array(1.0)
    _, dot = bg.jvp(f, (p, y), (None, one))
    assert (dot["a"].item(), dot["b"].tolist()) == (2.0, [0, 0])
    _, pull_back = bg.vjp(f, p, y)
    (bar, y_bar), none = pull_back({"a": one, "b": None}), pull_back(None)
    assert (bar["a"].item(), bar["b"].tolist(), y_bar.item(), none[1].item()) == (3.0, [0, 0], 2.0, 0.0)
    for wrong in ({"a": one, "c": p["b"]}, (one, p["b"]), [one, p["b"]], {"a": one}):
        with pytest.raises(InputError, match=r"vjp: cotangents: the tree must be(.|\n)*test_transforms.py"):
            pull_back(wrong)
        with pytest.raises(InputError, match="jvp: tangents: the tree must be"):
            bg.jvp(f, (p, y), (wrong, one))
    with pytest.raises(InputError, match="jvp: tangents must be a tuple with an entry per argument, not array"):
        bg.jvp(lambda x: x, (mx.ones((1,)),), mx.ones((1,)))


@pytest.mark.parametrize("dtype", ["float64", "bfloat16"])
def test_a_captured_array_keeps_its_dtype(dtype):
    w = mx.array([1.5, 2.0]).astype(getattr(mx, dtype))
    x = mx.array([1.0, 3.0]).astype(getattr(mx, dtype))
    f = lambda x: bg.sum(x * x * w)  # noqa: E731
    for found in (bg.grad(f)(x), bg.compile(bg.grad(f))(x)):
        assert found.dtype == getattr(mx, dtype)
        assert found.tolist() == [3.0, 12.0]
    x_numpy = np.array([1.0, 3.0]).astype(bg.trace(f, x).params[0].type.dtype.numpy)
    assert float(bg.run(bg.trace(f, x), x_numpy)[0]) == 19.5


def test_names_of_leaves_reach_graph_and_source():
    def loss(params, image):
        return bg.sum(bg.conv2d(image, params["conv"]["w"]))

    step = bg.compile(bg.value_and_grad(loss))
    step({"conv": {"w": mx.ones((4, 3, 3, 3))}}, image=mx.ones((1, 3, 5, 5)))
    assert [p.name for p in step.graph.params] == ["params.conv.w", "image"]
    assert "(params_conv_w, image,) = inputs" in step.source


@pytest.mark.parametrize("chosen", [{"argnums": (0, 0)}, {"argnames": ("x", "x")}], ids=str)
def test_an_argument_is_differentiated_once(chosen):
    with pytest.raises(InputError, match="more than once"):
        bg.grad(lambda x: bg.sum(x * x), **chosen)


def test_vjp_refuses_a_primal_that_is_no_array():
    with pytest.raises(DTypeError, match="primal 1 has leaves that are not arrays"):
        bg.vjp(lambda x, n: x * n, mx.ones(2), 3)


def test_pull_back_and_push_read_what_was_kept_and_compute_the_function_once():
    calls = bg.compile(lambda x, *bars: [bg.vjp(bg.exp, x)[1](bar) for bar in bars])
    x = mx.array([0.0, 1.0])
    calls(x, x, x + 1)
    assert calls.source.count("mx.exp(") == 1
    value, pull_back = bg.vjp(lambda x, y: (bg.exp(x) * y, bg.argmax(x, axis=0)), x, x)
    (x_bar, y_bar), zeros = pull_back((mx.array([1.0, 2.0]), value[1])), [0.0, 0.0]
    np.testing.assert_allclose(np.array(x_bar), [0, 2 * np.e], rtol=1e-6)
    np.testing.assert_allclose(np.array(y_bar), [1, 2 * np.e], rtol=1e-6)
    assert pull_back((mx.array(zeros), value[1]))[0].tolist() == zeros


def test_linearize_is_jvp_in_two_steps():
    f = lambda x, n: {"y": bg.sin(x["k"]) * n, "n": n, "i": bg.argmax(x["k"], axis=0)}  # noqa: E731
    x, n = {"k": mx.array([0.3, 2.0])}, mx.array(3)
    value, push = bg.linearize(f, x, n)
    for scale in (1.0, -2.0):
        dots = push({"k": mx.array([scale, 0.5])}, mx.array(0))
        want, want_dots = bg.jvp(f, (x, n), ({"k": mx.array([scale, 0.5])}, mx.array(0)))
        for key in value:
            assert value[key].tolist() == want[key].tolist()
            assert dots[key].tolist() == want_dots[key].tolist()
            assert (dots[key].dtype, dots[key].shape) == (value[key].dtype, value[key].shape)


def test_linear_map_inside_a_compiled_function():
    f = lambda x, d: bg.linearize(lambda x: x * x, x)[1](d)  # noqa: E731
    assert bg.compile(f)(mx.array(3.0), mx.array(2.0)).item() == 12
    assert bg.compile(bg.grad(f))(mx.array(3.0), mx.array(2.0)).item() == 4


@pytest.mark.parametrize("transform", [bg.linearize, bg.vjp, lambda f, *x: bg.jvp(f, x, x)])
def test_a_primal_must_be_arrays(transform):
    with pytest.raises(DTypeError, match="primal 1 has leaves that are not arrays\n  close over them"):
        transform(lambda x, n: x * n, mx.ones(2), 3)


@pytest.mark.parametrize("module", ["burngraph.transforms", "burngraph.vectorize", "burngraph.frontend.custom"])
def test_examples_in_docstrings(module):
    examples = [t for t in doctest.DocTestFinder(recurse=True).find(importlib.import_module(module)) if t.examples]
    assert len(examples) >= 4
    runner = doctest.DocTestRunner()
    for example in examples:
        example.globs.update(bg=bg, mx=mx)
        assert runner.run(example).failed == 0
