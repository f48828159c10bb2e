"""The walks batch, split_linear and jacobian on random graphs: against the interpreter on one example at a time."""

import numpy as np
import pytest

from burngraph.errors import RefusedError
from burngraph.ir.interpret import run
from burngraph.ir.text import parse
from burngraph.ir.verify import verify
from burngraph.passes.batch import batch
from burngraph.passes.jacobian import jacobian_forward, jacobian_reverse
from burngraph.passes.linearize import linearize
from burngraph.passes.split_linear import split_linear
from burngraph.passes.transpose import vjp
from tests.random_graphs import random_graph

SIZE = 3


def arrays_of(graph, rng, lead=None):
    return [rng.normal(size=p.shape if lead is None else (lead, *p.shape)).astype(np.float32) for p in graph.params]


def close(got, want):
    scale = max(1.0, float(np.abs(want).max(initial=0)))
    np.testing.assert_allclose(got / scale, want / scale, rtol=2e-4, atol=2e-5)


@pytest.mark.parametrize("seed", range(20))
@pytest.mark.parametrize("derivative", [False, True], ids=["value", "derivative"])
def test_batched_graph_is_the_stack_of_runs(seed, derivative):
    graph = random_graph(seed, n_ops=8)
    graph = vjp(graph, range(len(graph.params))) if derivative else graph
    rng = np.random.default_rng(seed)
    stacked = arrays_of(graph, rng, SIZE)
    in_axes = [None if rng.random() < 0.3 else int(rng.integers(p.type.rank + 1)) for p in graph.params]
    out_axes = [int(rng.integers(v.type.rank + 1)) for v in graph.results]
    given = [x[0] if a is None else np.moveaxis(x, 0, a) for x, a in zip(stacked, in_axes, strict=True)]
    whole = verify(batch(graph, in_axes, out_axes, SIZE))
    assert parse(str(whole)) == whole
    examples = [run(graph, *(x[0 if a is None else k] for x, a in zip(stacked, in_axes, strict=True))) for k in range(SIZE)]
    for got, axis, *want in zip(run(whole, *given), out_axes, *examples, strict=True):
        close(got, np.stack(want, axis))


@pytest.mark.parametrize("seed", range(20))
def test_split_computes_what_the_joint_graph_does(seed):
    graph = random_graph(seed, n_ops=8)
    joint = linearize(graph, range(len(graph.params)))
    split = split_linear(joint, len(graph.params), len(graph.results))
    rng = np.random.default_rng(seed)
    x, dots = arrays_of(graph, rng), arrays_of(graph, rng)
    values = run(verify(split.primal), *x)
    n = len(graph.results)
    assert len(values) == n + split.n_residuals
    found = [*values[:n], *run(verify(split.linear), *values[n:], *dots)]
    for got, want in zip(found, run(joint, *x, *dots), strict=True):
        np.testing.assert_array_equal(got, want)


def test_split_keeps_what_is_read_and_makes_constants_again():
    graph = parse("""
        graph @f(%x: f32[3], %y: f32[3]) -> f32[3] {
          %0: f32[3] = exp(%x)
          %1: f32[3] = splat(value=2.0)
          %2: f32[3] = mul(%0, %1)
          %3: f32[3] = add(%2, %y)
          return %3
        }""")
    split = split_linear(linearize(graph, [0, 1]), 2, 1)
    assert split.n_residuals == 1
    assert [node.op.name for node in split.linear.nodes] == ["splat", "mul", "mul", "add"]


def test_a_result_that_differs_has_an_axis():
    graph = parse("graph @f(%x: f32[3], %y: f32[2]) -> (f32[3], f32[2]) {\n  return %x, %y\n}")
    assert batch(graph, [0, None], [1, None], 4).result_types == batch(graph, [1, None], [1, None], 4).result_types
    with pytest.raises(RefusedError, match="result 0 of @f differs between examples"):
        batch(graph, [0, None], [None, 0], 4)


@pytest.mark.parametrize("walk", [jacobian_forward, jacobian_reverse])
def test_jacobian_rows_are_single_derivatives(walk):
    graph = parse("""
        graph @f(%x: f64[2,3], %y: f64[3]) -> (f64[2], i32[], f64[]) {
          %0: f64[2] = dot(%x, %y, x_axes=[1], y_axes=[0])
          %1: f64[2] = tanh(%0)
          %2: i32[] = splat(value=7)
          %3: f64[] = sum(%y, axes=[0])
          return %1, %2, %3
        }""")
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(2, 3)), rng.normal(size=3)
    found = run(verify(walk(graph, [1, 0])), x, y)
    slope = 1 - np.tanh(x @ y) ** 2
    wanted = [slope[:, None] * x, np.einsum("i,ij,k->ijk", slope, np.eye(2), y)]
    wanted += [np.zeros(3, np.int32), np.zeros((2, 3), np.int32), np.ones(3), np.zeros((2, 3))]
    for got, want in zip(found, wanted, strict=True):
        assert got.dtype == want.dtype
        np.testing.assert_allclose(got, want, rtol=1e-12)
