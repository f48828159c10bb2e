"""linearize and transpose on graphs written as text, against finite differences and against each other."""

import numpy as np
import pytest

from burngraph.errors import RefusedError
from burngraph.ir.interpret import run
from burngraph.ir.text import parse
from burngraph.ir.verify import verify
from burngraph.passes.linearize import linearize
from burngraph.passes.transpose import transpose, vjp

GRAPHS = {
    "shared operand": """
        graph @f(%x: f64[3,4]) -> f64[3,4] {
          %0: f64[3,4] = tanh(%x)
          %1: f64[3,4] = mul(%0, %x)
          %2: f64[3,4] = add(%1, %0)
          return %2
        }""",
    "matmul of two": """
        graph @f(%x: f64[3,4], %y: f64[4,2]) -> f64[3,2] {
          %0: f64[3,2] = matmul(%x, %y)
          %1: f64[3,2] = sigmoid(%0)
          return %1
        }""",
    "softmax through a reduction": """
        graph @f(%x: f64[3,4]) -> f64[3] {
          %0: f64[3,4] = softmax(%x, axis=1)
          %1: f64[3,4] = mul(%0, %x)
          %2: f64[3] = sum(%1, axes=[1])
          return %2
        }""",
    "convolution and pool": """
        graph @f(%x: f64[2,6,6,3], %w: f64[4,3,3,3]) -> f64[2,2,2,4] {
          %0: f64[2,4,4,4] = conv(%x, %w, stride=[1,1], pad_low=[0,0], pad_high=[0,0], dilation=[1,1], input_dilation=[1,1])
          %1: f64[2,2,2,4] = max_pool(%0, axes=[1,2], size=[2,2], stride=[2,2], pad_low=[0,0], pad_high=[0,0], dilation=[1,1])
          return %1
        }""",
}


def arrays_like(types, rng):
    return [rng.normal(size=t.shape) for t in types]


@pytest.mark.parametrize("name", GRAPHS)
def test_linearize_is_the_central_difference(name):
    graph, rng = parse(GRAPHS[name]), np.random.default_rng(0)
    x, dot = arrays_like(graph.param_types, rng), arrays_like(graph.param_types, rng)
    joint = verify(linearize(graph, range(len(x))))
    h = 1e-6
    ahead = run(graph, *(a + h * d for a, d in zip(x, dot, strict=True)))[0]
    behind = run(graph, *(a - h * d for a, d in zip(x, dot, strict=True)))[0]
    np.testing.assert_allclose(run(joint, *x, *dot)[1], (ahead - behind) / (2 * h), rtol=1e-6, atol=1e-8)


@pytest.mark.parametrize("name", GRAPHS)
def test_transpose_is_the_adjoint(name):
    graph, rng = parse(GRAPHS[name]), np.random.default_rng(0)
    x, dot = arrays_like(graph.param_types, rng), arrays_like(graph.param_types, rng)
    bar = arrays_like(graph.result_types, rng)
    forward = run(linearize(graph, range(len(x))), *x, *dot)[1]
    backward = run(verify(vjp(graph, range(len(x)))), *x, *bar)[1:]
    np.testing.assert_allclose(
        (forward * bar[0]).sum(), sum((d * b).sum() for d, b in zip(dot, backward, strict=True)), rtol=1e-10
    )


@pytest.mark.parametrize("name", GRAPHS)
def test_second_derivative_is_the_difference_of_the_first(name):
    graph, rng = parse(GRAPHS[name]), np.random.default_rng(0)
    reverse = vjp(graph, range(len(graph.params)))
    x, dot = arrays_like(reverse.param_types, rng), arrays_like(reverse.param_types, rng)
    h = 1e-6
    ahead = run(reverse, *(a + h * d for a, d in zip(x, dot, strict=True)))
    behind = run(reverse, *(a - h * d for a, d in zip(x, dot, strict=True)))
    found = run(verify(linearize(reverse, range(len(x)))), *x, *dot)[len(ahead) :]
    for value, a, b in zip(found, ahead, behind, strict=True):
        np.testing.assert_allclose(value, (a - b) / (2 * h), rtol=1e-5, atol=1e-7)


def test_transposing_what_is_not_linear_is_refused():
    graph = parse("""
        graph @f(%x: f64[3]) -> f64[3] {
          %0: f64[3] = mul(%x, %x)
          return %0
        }""")
    with pytest.raises(RefusedError, match=r"mul is not linear in operands \[0, 1\] together"):
        transpose(graph, [0], [0])


def test_integer_results_have_no_tangent():
    graph = parse("""
        graph @f(%x: f64[3]) -> (u32[], f64[3]) {
          %0: u32[] = arg_max(%x, axis=0)
          return %0, %x
        }""")
    assert len(linearize(graph, [0]).results) == 3
