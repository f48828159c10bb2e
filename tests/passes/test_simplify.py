"""Small exact clean-ups, one before and after each."""

import pytest

from burngraph.errors import InputError
from burngraph.ir.builder import Builder
from burngraph.ir.ops.call import Call
from burngraph.ir.share import share_equal_nodes
from burngraph.ir.text import parse
from burngraph.passes.simplify import drop_unread_nodes, fold_constants, inline_calls

CASES = {
    "fold splats": (
        lambda g: drop_unread_nodes(fold_constants(g)),
        """graph @f(%x: f32[2]) -> f32[2] {
             %0: f32[2] = splat(value=2.0)
             %1: f32[2] = splat(value=3.0)
             %2: f32[2] = mul(%0, %1)
             %3: f32[2] = add(%x, %2)
             return %3
           }""",
        """graph @f(%x: f32[2]) -> f32[2] {
             %0: f32[2] = splat(value=6.0)
             %1: f32[2] = add(%x, %0)
             return %1
           }""",
    ),
    "times one": (
        lambda g: drop_unread_nodes(fold_constants(g)),
        """graph @f(%x: f32[2]) -> f32[2] {
             %0: f32[2] = splat(value=1.0)
             %1: f32[2] = mul(%0, %x)
             return %1
           }""",
        "graph @f(%x: f32[2]) -> f32[2] {\n return %x\n}",
    ),
    "plus zero stays, for -0.0": (
        fold_constants,
        """graph @f(%x: f32[2]) -> f32[2] {
             %0: f32[2] = splat(value=0.0)
             %1: f32[2] = add(%0, %x)
             return %1
           }""",
        """graph @f(%x: f32[2]) -> f32[2] {
             %0: f32[2] = splat(value=0.0)
             %1: f32[2] = add(%0, %x)
             return %1
           }""",
    ),
    "share equal nodes": (
        lambda g: drop_unread_nodes(share_equal_nodes(g)),
        """graph @f(%x: f32[2]) -> f32[2] {
             %0: f32[2] = exp(%x)
             %1: f32[2] = exp(%x)
             %2: f32[2] = add(%0, %1)
             return %2
           }""",
        """graph @f(%x: f32[2]) -> f32[2] {
             %0: f32[2] = exp(%x)
             %1: f32[2] = add(%0, %0)
             return %1
           }""",
    ),
    "inline calls": (
        inline_calls,
        """graph @g(%a: f32[2]) -> f32[2] {
             %0: f32[2] = exp(%a)
             return %0
           }
           graph @f(%x: f32[2]) -> f32[2] {
             %0: f32[2] = call(%x, graph=@g)
             %1: f32[2] = call(%0, graph=@g)
             return %1
           }""",
        """graph @f(%x: f32[2]) -> f32[2] {
             %0: f32[2] = exp(%x)
             %1: f32[2] = exp(%0)
             return %1
           }""",
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_before_and_after(name):
    run, before, after = CASES[name]
    assert run(parse(before)) == parse(after)


def test_splats_that_differ_only_in_the_sign_of_zero_are_not_shared():
    graph = parse("""graph @f() -> (f32[2], f32[2]) {
        %0: f32[2] = splat(value=0.0)
        %1: f32[2] = splat(value=-0.0)
        return %0, %1
    }""")
    assert len(share_equal_nodes(graph)) == 2


def test_minus_zero_is_no_identity_of_complex_addition():
    graph = parse("""graph @f(%x: c64[1]) -> c64[1] {
        %0: c64[1] = splat(value=-0.0)
        %1: c64[1] = add(%x, %0)
        return %1
    }""")
    assert len(fold_constants(graph)) == 2


def test_calls_that_double_at_each_level_are_refused():
    graph = parse("graph @g0(%x: f32[1]) -> f32[1] { %y: f32[1] = exp(%x) return %y }")
    for i in range(1, 40):
        builder = Builder(f"g{i}")
        (once,) = builder.several(Call(graph), builder.param(graph.param_types[0]))
        graph = builder.build(builder.several(Call(graph), once))
    with pytest.raises(InputError, match="once its calls are inlined"):
        inline_calls(graph)


def test_a_call_without_results_is_kept_by_constant_folding():
    graph = parse("""graph @f(%x: f32[2]) -> f32[2] {
        call(%x, graph=graph @g(%y: f32[2]) -> () {
          return
        })
        return %x
    }""")
    assert fold_constants(graph) == graph
