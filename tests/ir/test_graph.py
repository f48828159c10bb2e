"""Structural equality, and the rules that verify keeps."""

import pytest

from burngraph.errors import VerifyError
from burngraph.ir.graph import Graph, Node
from burngraph.ir.ops.elementwise import Tanh
from burngraph.ir.text import parse
from burngraph.ir.types import F32, TensorType
from burngraph.ir.value import Value
from burngraph.ir.verify import verify

VECTOR, SCALAR = TensorType(F32, (2,)), TensorType(F32, ())


def test_names_do_not_count_but_weight_keys_do():
    text = "graph @f(%x: f32[2], %w: weight f32[2]) -> f32[2] { %y: f32[2] = tanh(%x) return %y }"
    assert parse(text) == parse(text.replace("@f", "@g").replace("%x", "%a").replace("%y", "%b"))
    assert parse(text) != parse(text.replace("%w", "%v"))
    assert parse(text) != parse(text.replace("tanh", "exp"))


def test_undefined_operand():
    x, y = Value(VECTOR, "x"), Value(VECTOR, "y")
    with pytest.raises(VerifyError) as caught:
        verify(Graph("f", [], [Node(Tanh(), (x,), (y,))], [y]))
    assert str(caught.value) == "tanh reads %x: f32[2], which is not defined before it\n  in @f"


def test_wrong_declared_type():
    x, y = Value(VECTOR, "x"), Value(SCALAR, "y")
    with pytest.raises(VerifyError) as caught:
        verify(Graph("f", [x], [Node(Tanh(), (x,), (y,))], [y]))
    assert str(caught.value) == "tanh gives (f32[2]), declared (f32[])\n  in @f"
