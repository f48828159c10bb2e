"""grad, value_and_grad, jvp, vjp on functions: values, trees, nesting, errors."""

import mlx.core as mx
import numpy as np
import pytest

import burngraph as bg
from burngraph.errors import DTypeError, ShapeError


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
