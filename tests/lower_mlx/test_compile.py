"""Programs: one evaluation per call, a cache by signature, values freed after their last use."""

from collections.abc import Callable
from dataclasses import replace

import mlx.core as mx
import numpy as np
import pytest

import burngraph as bg
from burngraph.compile import compile
from burngraph.errors import BurngraphError, InputError, LoweringError
from burngraph.frontend.recording import apply
from burngraph.ir.builder import rewrite
from burngraph.ir.graph import Graph
from burngraph.ir.ops.arithmetic import Add, Mul, Neg
from burngraph.ir.ops.functions import Tanh
from burngraph.ir.text import parse
from burngraph.lower_mlx.lower import array_type, lower


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
    with pytest.raises(InputError, match="pass 'eliminate-layout' reassociates, precision='exact' forbids it"):
        compile(model, precision="exact", passes=["eliminate-layout"])


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


def test_verify_looks_at_the_emitted_program_too(monkeypatch: pytest.MonkeyPatch) -> None:
    graph = parse("graph @f(%x: f32[2]) -> f32[2] {\n  %0: f32[2] = exp(%x)\n  return %0\n}")
    wrong = lambda *given: replace(lower(*given), run=lambda prepared, arrays: [arrays[0] + 1])  # noqa: E731
    monkeypatch.setattr("burngraph.program.entry.lower", wrong)
    with pytest.raises(BurngraphError, match=r"the emitted program changed result 0\n  largest difference: 0.718"):
        compile(graph, verify=True)(np.ones((2,), np.float32))


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        (lambda i: i + mx.array([0, 1], mx.int32), "largest difference: 1"),  # a thousandth of it, which floats may be off by
        (lambda i: i.astype(mx.int64), r"it was int32\[2\], now int64\[2\]"),
        (lambda i: i[None], r"it was int32\[2\], now int32\[1, 2\]"),
    ],
    ids=["entry", "dtype", "shape"],
)
def test_verify_compares_integers_and_types_exactly(
    wrong: Callable[[mx.array], mx.array], message: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    graph = parse("graph @f(%i: i32[2]) -> i32[2] {\n  %0: i32[2] = add(%i, %i)\n  return %0\n}")
    given = lambda *given: replace(lower(*given), run=lambda prepared, arrays: [wrong(arrays[0] * 2)])  # noqa: E731
    monkeypatch.setattr("burngraph.program.entry.lower", given)
    with pytest.raises(BurngraphError, match=r"the emitted program changed result 0\n  " + message):
        compile(graph, verify=True)(np.array([1, 2000], np.int32))


@pytest.mark.parametrize("dtype", [mx.float16, mx.bfloat16])
def test_verify_allows_16_bit_results_their_rounding(dtype: mx.Dtype) -> None:
    x, w = (mx.random.normal(s, key=mx.random.key(7)).astype(dtype) for s in ((32, 64), (64, 64)))

    def loss(w):
        y = x
        for _ in range(3):
            y = bg.tanh(bg.matmul(y, w))
        return bg.mean(bg.layer_norm(y, (64,)) ** 2 * x)

    compile(bg.value_and_grad(loss), verify=True)(w / 8)


ADD_WEIGHT = """graph @f(%x: f32[2,3]) -> f32[2,3] {
  %w: f32[2,3] = weight(key="w")
  %y: f32[2,3] = add(%x, %w)
  return %y
}"""


@pytest.mark.parametrize("wrong", [mx.ones(3), mx.ones((4, 2, 3)), mx.ones((2, 3), mx.float16)], ids=["row", "rank", "dtype"])
def test_a_weight_of_another_type_is_refused_when_bound_and_when_rebound(wrong: mx.array) -> None:
    with pytest.raises(InputError, match=r"weight 'w' was given .*, must be f32\[2,3\]"):
        compile(parse(ADD_WEIGHT), weights={"w": wrong})
    weights = {"w": mx.ones((2, 3))}
    program = compile(parse(ADD_WEIGHT), weights=weights)
    weights["w"] = wrong
    with pytest.raises(InputError, match="weight 'w' was given"):
        program(mx.zeros((2, 3)))
    weights["w"] = 2 * mx.ones((2, 3))
    assert program(mx.zeros((2, 3))).tolist() == [[2.0] * 3] * 2


def test_one_key_stands_for_one_type() -> None:
    text = """graph @f() -> (f32[2], f32[3]) {
      %v: f32[2] = weight(key="w")
      %w: f32[3] = weight(key="w")
      return %v, %w
    }"""
    with pytest.raises(LoweringError, match="weight 'w' is both"):
        compile(parse(text), weights={"w": mx.ones(2)})


def test_weights_may_be_bound_after_compile() -> None:
    weights: dict[str, mx.array] = {}
    program = compile(parse(ADD_WEIGHT), weights=weights)
    weights["w"] = mx.ones((2, 3))
    assert program(mx.zeros((2, 3))).tolist() == [[1.0] * 3] * 2


@pytest.mark.parametrize(("first", "second"), [((1,), (True,)), ((1,), (1.0,)), (0.0, -0.0), ((0.0,), (-0.0,))], ids=str)
def test_static_arguments_that_only_compare_equal_are_different_signatures(first: object, second: object) -> None:
    program = compile(lambda x, s: apply(Neg(), x), static_argnames=("s",))
    x = mx.ones(2)
    for s in (first, second, first, second):
        program(x, s=s)
    assert program.cache_info()[:2] == (2, 2)


@pytest.mark.parametrize(("dtype", "values"), [("f16", "1.0 2.0"), ("i8", "1 2"), ("i64", "1 2"), ("f32", "1.0 2.0")])
def test_a_choice_between_two_scalars_keeps_its_dtype(dtype: str, values: str) -> None:
    a, b = values.split()
    graph = parse(f"""graph @f(%m: bool[2]) -> {dtype}[2] {{
      %a: {dtype}[2] = splat(value={a})
      %b: {dtype}[2] = splat(value={b})
      %y: {dtype}[2] = select(%m, %a, %b)
      return %y
    }}""")
    found = compile(graph)(np.array([True, False]))
    assert array_type(found) == graph.result_types[0]
    assert found.tolist() == [1, 2]


@pytest.mark.parametrize("given", [3.0, [1.0], None], ids=str)
def test_what_is_no_array_is_refused_by_a_compiled_graph(given: object) -> None:
    program = compile(parse(ADD_WEIGHT), weights={"w": mx.ones((2, 3))})
    with pytest.raises(InputError, match="does not convert"):
        program(given)


def test_verify_runs_weights_inside_called_graphs() -> None:
    text = (
        ADD_WEIGHT.replace("@f", "@g")
        + """
    graph @f(%x: f32[2,3]) -> f32[2,3] {
      %y: f32[2,3] = call(%x, graph=@g)
      return %y
    }"""
    )
    program = compile(parse(text), weights={"w": mx.ones((2, 3))}, verify=True)
    assert program(mx.zeros((2, 3))).tolist() == [[1.0] * 3] * 2


def test_a_pass_that_does_not_exist_is_refused_before_the_first_call() -> None:
    with pytest.raises(InputError, match="no pass 'nope'"):
        compile(lambda x: apply(Neg(), x), passes=("nope",))


def test_one_static_name_may_be_a_string() -> None:
    program = compile(lambda x, scale: apply(Neg(), x) if scale == (2,) else x, static_argnames="scale")
    assert program(mx.ones(1), scale=(2,)).tolist() == [-1.0]
