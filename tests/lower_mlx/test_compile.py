"""Programs: one evaluation per call, a cache by signature, values freed after their last use."""

import mlx.core as mx
import numpy as np
import pytest

from burngraph.compile import compile
from burngraph.errors import BurngraphError, InputError
from burngraph.frontend.recording import apply
from burngraph.ir.builder import rewrite
from burngraph.ir.graph import Graph
from burngraph.ir.ops.arithmetic import Add, Mul, Neg
from burngraph.ir.ops.functions import Tanh
from burngraph.ir.text import parse


def model(x, y):
    return {"sum": apply(Tanh(), apply(Add(), x, y)), "product": apply(Mul(), x, y)}


def test_one_evaluation_per_call(monkeypatch: pytest.MonkeyPatch) -> None:
    program = compile(model)
    x = np.ones((2, 3), np.float32)
    program(x, x)
    calls = []
    monkeypatch.setattr(mx, "eval", lambda *a: calls.append(a))
    program(x, x)
    program.lazy(x, x)
    assert len(calls) == 1
    assert program.cache_info()[:3] == (2, 1, 1)


def test_result_and_source() -> None:
    program = compile(model, verify=True)
    x, y = mx.ones((3,)), mx.array([1.0, 2.0, 3.0])
    out = program(x, y)
    assert out["product"].tolist() == [1.0, 2.0, 3.0]
    np.testing.assert_allclose(np.array(out["sum"]), np.tanh([2.0, 3.0, 4.0]), rtol=1e-5)
    assert "del " in program.source and "mx.tanh" in program.source


def test_options_that_do_not_exist_are_refused() -> None:
    with pytest.raises(InputError, match="checks=True is not available"):
        compile(model, checks=True)


def test_prepare_runs_again_when_a_bound_array_is_another_object() -> None:
    weights = {"w": np.ones((2,), np.float32)}
    graph = parse("""graph @f(%x: f32[2], %w: weight f32[2]) -> f32[2] {
        %0: f32[2] = exp(%w)
        %1: f32[2] = mul(%x, %0)
        return %1
    }""")
    program = compile(graph, weights=weights, verify=True)
    x = np.array([1.0, 2.0], np.float32)
    np.testing.assert_allclose(np.array(program(x)), np.e * x, rtol=1e-5)
    weights["w"] = np.zeros((2,), np.float32)
    np.testing.assert_allclose(np.array(program(x)), x, rtol=1e-5)
    assert "exp" in program.source[: program.source.index("def run")]


def test_verify_names_the_pass_that_changes_a_result(monkeypatch: pytest.MonkeyPatch) -> None:
    def break_it(graph: Graph) -> Graph:
        return rewrite(graph, lambda emit, node, operands: emit(Neg(), *operands))

    monkeypatch.setattr("burngraph.passes.pipeline.PIPELINE", (("break-it", break_it),))
    graph = parse("graph @f(%x: f32[2]) -> f32[2] {\n  %0: f32[2] = exp(%x)\n  return %0\n}")
    with pytest.raises(BurngraphError, match="pass break-it changed result 0"):
        compile(graph, verify=True)(np.ones((2,), np.float32))
