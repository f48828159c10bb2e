"""Arrays that nested functions close over: each graph that can come to stand in another takes them as operands."""

import mlx.core as mx
import numpy as np
import pytest

import burngraph as bg
from burngraph.errors import InputError, TraceError
from burngraph.ir.ops.constant import Weight

A, B, X = mx.array([1.0, 2.0, 3.0]), mx.array([10.0, 20.0, 30.0]), mx.array([1.0, 1.0, 2.0])


def custom():
    f = bg.custom_vjp(lambda x: x * A)
    f.defvjp(lambda x: (x * A, ()), lambda _, g: (g * A,))
    return f


def ruled():
    f = bg.custom_jvp(lambda x: x * A)
    f.defjvp(lambda primals, tangents: (primals[0] * A, tangents[0] * A))
    return f


BLOCKS = {
    "checkpoint": bg.checkpoint(lambda x: x * A),
    "custom_vjp": custom(),
    "custom_jvp": ruled(),
    "checkpoint in a scan": lambda x: bg.scan(lambda c, _: (bg.checkpoint(lambda c: c * A)(c), None), x, length=1)[0],
    "cond in a checkpoint": bg.checkpoint(lambda x: bg.cond(x[0] > 0, lambda x: x * A, lambda x: x, x)),
}
each_block = pytest.mark.parametrize("block", BLOCKS.values(), ids=BLOCKS.keys())


def close(found, want):
    np.testing.assert_allclose(np.array(found), np.array(want), rtol=1e-6)


@each_block
def test_a_graph_is_called_beside_other_arrays(block):
    """Both traces number their arrays from 0."""
    program = bg.compile(bg.trace(block, X))
    close(bg.compile(lambda x: x * B + program(x))(X), X * B + X * A)
    close(bg.compile(bg.grad(lambda x: bg.sum(program(x) + x * B)))(X), A + B)


@each_block
def test_derivatives_taken_outside_of_a_trace_are_called_in_one(block):
    _, pull_back = bg.vjp(block, X)
    close(bg.compile(lambda g: g * B + pull_back(g)[0])(X), X * B + X * A)
    _, push = bg.linearize(block, X)
    close(bg.compile(lambda g: g * B + push(g))(X), X * B + X * A)


@each_block
def test_saved(block, tmp_path):
    program = bg.compile(lambda x: block(x) + B)
    want = program(X)
    program.save(tmp_path / "p.safetensors")
    loaded = bg.load(tmp_path / "p.safetensors")
    close(loaded(X), want)
    close(bg.grad(lambda x: bg.sum(loaded(x)))(X), A)


def test_a_weight_that_text_puts_into_a_nested_graph():
    text = """
    graph @g(%y: f32[3]) -> (f32[3]) {
      %1: f32[3] = weight(key="w")
      %2: f32[3] = mul(%y, %1)
      return %2
    }
    graph @f(%x: f32[3]) -> (f32[3]) {
      %0: f32[3] = checkpoint(%x, graph=@g)
      return %0
    }
    """
    program = bg.compile(bg.parse(text), weights={"w": A})
    close(program(X), X * A)
    with pytest.raises(InputError, match="weight 'w' inside a nested graph\n  make it an operand"):
        bg.compile(lambda x: program(x))(X)


def test_a_program_and_a_graph_are_made_inside_a_trace():
    inner = bg.compile(lambda x: x * A)
    graphs = []

    def outer(x):
        inner.specialise(X)
        graphs.append(bg.trace(lambda y: y + B, X))
        return x

    close(bg.compile(outer)(X), X)
    with pytest.raises(TraceError, match="uses values of an outer trace"):
        bg.compile(lambda x: bg.compile(lambda y: y * x).specialise(X)(x))(X)
    close(inner(X), X * A)
    close(bg.compile(graphs[0])(X), X + B)


def test_shared_residuals_are_not_repeated_for_each_example():
    f = bg.custom_vjp(lambda x, w: x * w)
    f.defvjp(lambda x, w: (x * w, w), lambda w, g: (g * w * A, None))
    program = bg.compile(bg.vmap(bg.grad(lambda x, w: bg.sum(f(x, w))), (0, None)))
    close(program(mx.stack([X, X]), B), mx.stack([B * A, B * A]))
    batched = bg.trace(bg.vmap(f, (0, None)), mx.stack([X, X]), B).nodes
    (op,) = [node.op for node in batched if node.op.name == "custom_vjp"]
    assert [p.shape for p in op.backward.params] == [(3,), (3,), (2, 3)]
    assert not [n for graph in op.graphs() for n in graph.nodes if isinstance(n.op, Weight)]
