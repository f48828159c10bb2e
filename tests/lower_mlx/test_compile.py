"""Programs: one evaluation per call, a cache by signature, values freed after their last use."""

import mlx.core as mx
import numpy as np
import pytest

from burngraph.compile import compile
from burngraph.errors import InputError
from burngraph.frontend.recording import apply
from burngraph.ir.ops.arithmetic import Add, Mul
from burngraph.ir.ops.functions import Tanh


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
