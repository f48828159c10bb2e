"""Tracing: what is recorded, what is captured, and every way to misuse a traced value."""

import inspect

import mlx.core as mx
import numpy as np
import pytest

from burngraph.errors import ShapeError, TraceError
from burngraph.frontend import public as bg
from burngraph.frontend.trace import TensorSpec, Tracer, apply, trace, trace_graph
from burngraph.ir.interpret import run
from burngraph.ir.ops.constant import Weight
from burngraph.ir.ops.functions import Exp
from burngraph.ir.types import F32, TensorType
from burngraph.ir.verify import verify

X = TensorSpec((3, 4))


def refused(fn, *specs):
    """The error of tracing `fn`, after checking that it names this file."""
    with pytest.raises(TraceError) as caught:
        trace(fn, *(specs or (X,)))
    assert f"{__file__}:{inspect.getsourcelines(fn)[1]}" in str(caught.value)
    return str(caught.value)


def test_parameters_are_named_after_arguments_and_paths():
    def step(params, x, *rest):
        return params["conv"][0] * x + rest[0]

    graph = trace(step, {"conv": [X]}, X, X)
    assert [p.name for p in graph.params] == ["params.conv.0", "x", "rest.0"]
    assert graph.name == "step"
    assert verify(graph).nodes[0].source.file == __file__


def test_python_values_are_static():
    graph = trace(lambda x, n, mode, flag: x * n if mode == "times" and flag else x, X, 3, "times", True)
    x = np.ones((3, 4), np.float32)
    np.testing.assert_array_equal(run(graph, x)[0], 3 * x)


def test_one_array_is_captured_once_and_two_get_two_keys():
    a, b = np.ones((3, 4), np.float32), np.zeros((3, 4), np.float32)
    graph = trace(lambda x: x * a + a + b, X)
    weights = [n.op for n in graph.nodes if isinstance(n.op, Weight)]
    assert [w.key for w in weights] == ["captured.0", "captured.1"]
    np.testing.assert_array_equal(weights[0].data, a)


def test_values_of_an_outer_trace_become_parameters_of_a_closed_graph():
    inner = {}

    def outer(x):
        y = bg.exp(x)
        inner["traced"] = trace_graph(lambda z: z + y + x + y, [TensorType(F32, (3, 4))], "inner")
        assert [type(c) for c in inner["traced"].captured] == [Tracer, Tracer]
        return y

    verify(trace(outer, X))
    graph = verify(inner["traced"].graph)
    assert len(graph.params) == 3
    one = np.ones((3, 4), np.float32)
    np.testing.assert_array_equal(run(graph, one, 2 * one, 5 * one)[0], 10 * one)


def test_returned_trees_numbers_and_arrays():
    traced = trace_graph(lambda x: {"b": [x, 2.0], "a": np.ones(2, np.int32)}, [TensorType(F32, ())], "f")
    assert list(map(str, traced.graph.result_types)) == ["i32[2]", "f32[]", "f32[]"]
    assert str(traced.out_tree) == "{'a': *, 'b': [*, *]}"


def test_an_example_that_is_no_array_is_refused():
    with pytest.raises(TraceError, match="an example is a object"):
        trace(lambda x: x, object())


def test_branch():
    assert "bg.where" in refused(lambda x: x if x.sum() > 0 else -x)


@pytest.mark.parametrize("convert", [float, int, complex, range, np.asarray, lambda x: x.item(), lambda x: x.tolist()])
def test_conversions(convert):
    def fn(x):
        return convert(x.sum())

    with pytest.raises(TraceError, match="which has no entries while the graph is built"):
        trace(fn, X)


def test_assignment():
    def fn(x):
        x[0] = 1.0

    with pytest.raises(TraceError, match=r"x = bg.where\(mask, new, x\)") as caught:
        trace(fn, X)
    assert f"{__file__}:{inspect.getsourcelines(fn)[1] + 1}" in str(caught.value)


def test_numpy_scalars_are_splats_of_their_dtype():
    graph = trace(lambda x: np.float32(2) * x * np.float64(3), TensorSpec((2,), "float16"))
    assert str(graph.result_types[0]) == "f32[2]"
    assert not any(isinstance(n.op, Weight) for n in graph.nodes)


def test_numpy_function():
    assert "bg.exp(...)" in refused(lambda x: np.exp(x))


def test_mlx_function():
    message = refused(lambda x: mx.exp(x))
    assert "mx.exp was called on a traced value" in message
    assert "write bg.exp(...)" in message


def test_mlx_function_of_two():
    assert "write bg.add(...)" in refused(lambda x: mx.add(mx.zeros((4,)), x))


def test_mlx_array_on_the_left():
    assert "write bg.add(x, y)" in refused(lambda x: mx.zeros((4,)) + x)
    assert "write bg.matmul(x, y)" in refused(lambda x: mx.zeros((4, 3)) @ x)


@pytest.mark.parametrize("evaluate", [lambda x: mx.eval(x), lambda x: mx.eval([{"a": x}]), lambda x: mx.async_eval(x)])
def test_mlx_evaluation(evaluate):
    before = mx.eval
    assert "eval was called on a traced value" in refused(evaluate)
    assert mx.eval is before


def test_mlx_array_compared_with_a_traced_value():
    assert "write bg.equal(x, y)" in refused(lambda x: mx.zeros((4,)) == x)
    assert "write bg.not_equal(x, y)" in refused(lambda x: mx.zeros((4,)) != x)


def test_mlx_array_indexed_with_a_traced_value():
    assert "bg.take(array, index, axis=0)" in refused(lambda i: mx.zeros((4,))[i], TensorSpec((2,), "int32"))


def test_errors_of_the_user_stay_as_they_are():
    def fn(x):
        raise ValueError("mine")

    with pytest.raises(ValueError, match=r"^mine$"):
        trace(fn, X)


def test_leaked_value():
    kept = []
    trace(lambda x: kept.append(x) or x, X)
    assert "after its trace has ended" in refused(lambda x: x + kept[0])
    with pytest.raises(TraceError, match="after its trace has ended"):
        bg.exp(kept[0])


def test_returning_something_else():
    with pytest.raises(TraceError, match=r"returned str, which is no array\n  at 1 of the returned tree"):
        trace(lambda x: (x, "text"), X)


def test_boolean_mask():
    assert "bg.where(mask, x, other)" in refused(lambda x: x[x > 0])


def test_shape_error_names_values_and_line():
    with pytest.raises(ShapeError) as caught:
        trace(lambda x, y: x + y, X, TensorSpec((5,)))
    assert "operand 0: f32[3,4]" in str(caught.value)
    assert f"from {__file__}:" in str(caught.value)


def test_numpy_array_on_the_left_is_recorded():
    graph = trace(lambda x: np.ones((4,), np.float32) - x, X)
    np.testing.assert_array_equal(run(graph, np.ones((3, 4), np.float32))[0], np.zeros((3, 4)))


def test_apply_runs_on_concrete_arrays_outside_a_trace():
    np.testing.assert_allclose(np.array(apply(Exp(), np.zeros(3, np.float32))), np.ones(3))
