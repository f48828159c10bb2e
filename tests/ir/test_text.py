"""Text: parse(print(g)) == g, whole error messages, cost linear in the number of ops."""

import pytest

from burngraph.errors import ParseError
from burngraph.ir.builder import Builder
from burngraph.ir.graph import Graph
from burngraph.ir.ops.elementwise import Tanh
from burngraph.ir.text import parse, print_graph
from burngraph.ir.types import F32, TensorType
from burngraph.ir.verify import verify
from tests.linear_cost import assert_close_to_linear
from tests.random_graphs import random_graph

EVERY_KIND = """graph @inner(%x: f32[2]) -> f32[2] {
  return %x
}
graph @main(%x: f32[2], %a_b: weight(key="a b") f32[2], %s: state f32[2], %k: key u32[2]) -> (f32[2], f32[2]) {
  %0: f32[2] = splat(value=-inf)
  %1: f32[2] = splat(value=nan)
  %2: i32[] = splat(value=-3)
  %3: bool[] = splat(value=true)
  %4: c64[] = splat(value=complex(0.0,-1.5))
  %5: f32[2] = constant(values=[0.1,-0.0])
  %6: f32[2] = call(%x, graph=@inner)
  %7: f32[2] = call(%6, graph=@inner)
  %8: f32[2] = call(%7, graph=graph @nested(%x: f32[2]) -> f32[2] {
    %y: f32[2] = tanh(%x)
    return %y
  })
  return %8, %s
}
"""


def test_every_value_kind_prints_as_it_was_read():
    graph = parse(EVERY_KIND)
    assert str(graph) == EVERY_KIND
    assert parse(str(graph)) == graph


@pytest.mark.parametrize("seed", range(20))
def test_random_graphs_round_trip(seed):
    graph = random_graph(seed)
    assert parse(print_graph(graph)) == graph


def body(line: str) -> str:
    return f"graph @f(%x: f32[2]) -> f32[2] {{\n{line}\nreturn %x\n}}"


MESSAGES = [
    (
        "%y: f32[2] = tanhh(%x)",
        "a.bg:2:14: no op 'tanhh'; did you mean tanh?\n  %y: f32[2] = tanhh(%x)\n  " + " " * 13 + "^\n"
        "  for an op of your own, first import the module that registers it",
    ),
    ("%y: f32[2] = tanh(%q)", "a.bg:2:19: %q is not defined before this\n  %y: f32[2] = tanh(%q)\n  " + " " * 18 + "^"),
    ("%x: f32[2] = tanh(%x)", "a.bg:2:1: %x is defined twice\n  %x: f32[2] = tanh(%x)\n  ^"),
    (
        "%y: f32[3] = tanh(%x)",
        "a.bg:2:1: tanh gives f32[2], declared f32[3]\n  %y: f32[3] = tanh(%x)\n  ^",
    ),
    (
        "%y: f32[2] = splat(value=)",
        "a.bg:2:26: expected a value such as [1,1] after 'value='\n  %y: f32[2] = splat(value=)\n  " + " " * 25 + "^",
    ),
]


@pytest.mark.parametrize(("line", "message"), MESSAGES)
def test_message(line, message):
    with pytest.raises(ParseError) as caught:
        parse(body(line), "a.bg")
    assert str(caught.value) == message


def test_nesting_is_bounded():
    with pytest.raises(ParseError, match="nested more than 64 deep"):
        parse(body("%y: f32[] = splat(value=" + "[" * 100 + "]" * 100 + ")"))


def named_chain(n: int) -> str:
    """`n` graphs, each of which calls the one before by its name."""
    text = "graph @g0(%x: f32[2]) -> f32[2] {\n  %y: f32[2] = sin(%x)\n  return %y\n}\n"
    for i in range(1, n):
        line = f"  %y: f32[2] = call(%x, graph=@g{i - 1})\n"
        text += f"graph @g{i}(%x: f32[2]) -> f32[2] {{\n{line}  return %y\n}}\n"
    return text


def test_nesting_by_name_is_bounded_too():
    graph = parse(named_chain(64))
    assert parse(str(graph)) == graph
    for n in (65, 3000):
        with pytest.raises(ParseError) as caught:
            parse(named_chain(n), "a.bg")
        assert caught.value.headline == "a.bg:257:7: graphs and lists are nested more than 64 deep"


def test_graphs_that_double_are_bounded():
    """Forty short graphs, each of which calls the one before twice, are 2 ** 40 ops."""
    text = "graph @g0(%x: f32[2]) -> f32[2] {\n  %y: f32[2] = sin(%x)\n  return %y\n}\n"
    for i in range(1, 40):
        twice = "".join(f"  %{to}: f32[2] = call(%{of}, graph=@g{i - 1})\n" for of, to in ("xy", "yz"))
        text += f"graph @g{i}(%x: f32[2]) -> f32[2] {{\n{twice}  return %z\n}}\n"
    with pytest.raises(ParseError, match="more than 10000000 ops, counting those of a nested graph for each use"):
        parse(text)


@pytest.mark.parametrize(
    "line",
    [
        "%y: u8[2] = splat(value=300)",
        "%y: i32[2] = splat(value=0.5)",
        "%y: i32[2] = splat(value=nan)",
        "%y: f32[2] = splat(value=complex(0.0,1.0))",
        "%y: i8[2] = constant(values=[1,128])",
        "%y: u32[2] = constant(values=[-1,0])",
        "%y: i64[2] = constant(values=[inf,0])",
    ],
)
def test_numbers_that_their_dtype_cannot_hold_are_refused(line):
    with pytest.raises(ParseError, match="cannot hold"):
        parse(body(line))


def chain(n: int) -> Graph:
    b = Builder("chain")
    value = b.param(TensorType(F32, (2,)), "x")
    for _ in range(n):
        value = b(Tanh(), value)
    return b.build([value])


WORKS = {"print": print_graph, "verify": verify, "parse": parse, "build": chain}


@pytest.mark.parametrize("name", WORKS)
def test_cost_is_close_to_linear(name):
    inputs = {"parse": lambda n: str(chain(n)), "build": int}.get(name, chain)
    assert_close_to_linear(WORKS[name], inputs(1_000), inputs(10_000))
