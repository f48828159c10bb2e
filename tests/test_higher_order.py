"""Second derivatives of the NCHW functions, forward and reverse over reverse, against differences of the first, in float64."""

import numpy as np
import pytest

import burngraph as bg
from burngraph.ir.interpret import run
from burngraph.passes.linearize import linearize
from burngraph.passes.transpose import vjp

LABELS = np.array([0, 3, 1], np.int32)

# name: (function, shapes of the arguments)
CASES = {
    "softmax": (lambda x: bg.softmax(x, axis=1), [(3, 4)]),
    "layer_norm": (lambda x, w, b: bg.layer_norm(x, (4,), w, b), [(3, 4), (4,), (4,)]),
    "batch_norm": (
        lambda x, w, b: bg.batch_norm(x, bg.zeros(3, "float64"), bg.ones(3, "float64"), w, b, training=True)[0],
        [(2, 3, 2, 2), (3,), (3,)],
    ),
    "conv2d": (lambda x, w, b: bg.conv2d(x, w, b, stride=2, padding=1), [(2, 3, 5, 4), (2, 3, 3, 3), (2,)]),
    "max_pool2d": (lambda x: bg.max_pool2d(x, 3, stride=2, padding=1), [(2, 3, 5, 4)]),
    "avg_pool2d": (lambda x: bg.avg_pool2d(x, 3, stride=2, padding=1), [(2, 3, 5, 4)]),
    "gelu": (bg.gelu, [(3, 4)]),
    "gelu, tanh": (lambda x: bg.gelu(x, approximate="tanh"), [(3, 4)]),
    "cross_entropy": (lambda x: bg.cross_entropy(x, LABELS), [(3, 4)]),
}


def apart(rng, shape):
    """Entries at least a tenth apart, so that no step changes a maximum."""
    return 0.13 * (rng.permutation(int(np.prod(shape))).reshape(shape) - np.prod(shape) / 2)


@pytest.mark.parametrize("name", CASES)
def test_second_derivative_is_the_difference_of_the_first(name):
    fn, shapes = CASES[name]
    specs = [bg.TensorSpec(shape, "float64") for shape in shapes]
    gradient = bg.trace(bg.grad(lambda *xs: bg.sum(bg.sin(fn(*xs))), argnums=tuple(range(len(shapes)))), *specs)
    rng = np.random.default_rng(0)
    x = [apart(rng, shape) * (1.0 if "pool" in name else 0.4) for shape in shapes]
    dots = [rng.normal(size=shape) for shape in shapes]
    weights = gradient_weights(gradient)

    def first(xs):
        return run(gradient, *xs, weights=weights)

    h = 1e-5
    ahead, behind = (first([a + sign * h * d for a, d in zip(x, dots, strict=True)]) for sign in (1, -1))
    wanted = [(a - b) / (2 * h) for a, b in zip(ahead, behind, strict=True)]
    assert max(np.abs(w).max() for w in wanted) > 1e-2
    every = range(len(shapes))
    forward = run(linearize(gradient, every), *x, *dots, weights=weights)[len(shapes) :]
    reverse = run(vjp(gradient, every), *x, *dots, weights=weights)[len(shapes) :]  # the Hessian is symmetric
    for want, f, r in zip(wanted, forward, reverse, strict=True):
        np.testing.assert_allclose(f, want, rtol=1e-5, atol=1e-7)
        np.testing.assert_allclose(r, want, rtol=1e-5, atol=1e-7)


def gradient_weights(graph):
    return {node.op.key: np.asarray(node.op.data) for node in graph.nodes if node.op.name == "weight"}
