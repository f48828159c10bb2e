"""The random-graph law: interpreter, each pass alone, the pipeline, text and MLX agree; so do joint derivative graphs."""

import numpy as np
import pytest

import burngraph as bg
from burngraph.ir.interpret import run
from burngraph.ir.text import parse
from burngraph.ir.verify import verify
from burngraph.passes.pipeline import PIPELINE, run_pipeline
from burngraph.passes.transpose import vjp
from tests.random_graphs import random_graph

SEEDS = range(40)
TOLERANCE = {"rtol": 2e-4, "atol": 2e-4}


def inputs(graph, seed):
    rng = np.random.default_rng(seed)
    return [rng.normal(size=p.shape).astype("float32") for p in graph.params]


def assert_same(graph, expected, found):
    for want, have in zip(expected, found, strict=True):
        scale = max(1.0, float(np.abs(want).max(initial=0)))
        np.testing.assert_allclose(np.array(have) / scale, want / scale, **TOLERANCE, err_msg=str(graph))


@pytest.mark.parametrize("seed", SEEDS)
def test_each_pass_alone(seed):
    graph = verify(random_graph(seed))
    arrays = inputs(graph, seed)
    expected = run(graph, *arrays)
    for name, transform in PIPELINE:
        after = verify(transform(graph))
        assert parse(str(after)) == after, name
        assert_same(graph, expected, run(after, *arrays))


@pytest.mark.parametrize("seed", SEEDS)
def test_pipeline_and_mlx(seed):
    graph = random_graph(seed)
    arrays = inputs(graph, seed)
    expected = run(graph, *arrays)
    assert_same(graph, expected, run(run_pipeline(graph)[-1][1], *arrays))
    found = bg.compile(graph)(*arrays)
    assert_same(graph, expected, found if len(graph.results) > 1 else (found,))


@pytest.mark.parametrize("seed", SEEDS)
def test_joint_derivative_graphs(seed):
    graph = random_graph(seed, n_ops=8)
    joint = verify(vjp(graph, range(len(graph.params))))
    arrays = inputs(joint, seed)
    expected = run(joint, *arrays)
    assert_same(joint, expected, run(run_pipeline(joint)[-1][1], *arrays))
    assert_same(joint, expected, bg.compile(joint)(*arrays))
