"""The layout pass: what is left of the permutes, that the cut is a minimum, and that no result changes."""

import itertools
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import burngraph as bg
from burngraph.ir.builder import Builder
from burngraph.ir.graph import Graph, ParamKind, Source
from burngraph.ir.interpret import run
from burngraph.ir.op import Op
from burngraph.ir.ops.broadcast import Broadcast, Sum
from burngraph.ir.ops.constant import Splat
from burngraph.ir.ops.conv import Conv
from burngraph.ir.ops.elementwise import Add, Mul, Neg, Relu, Tanh
from burngraph.ir.ops.matmul import Dot, Matmul
from burngraph.ir.ops.movement import Concat, Permute, Reshape
from burngraph.ir.ops.norm import BatchNorm
from burngraph.ir.ops.pool_max import MaxPool
from burngraph.ir.permutation import compose, inverse
from burngraph.ir.types import F32, TensorType
from burngraph.ir.value import Value
from burngraph.ir.verify import verify
from burngraph.passes.eliminate_layout import eliminate_layout, eliminate_layout_with_certificate, layout_cost
from burngraph.passes.factor_contractions import factor_contractions
from burngraph.passes.layout_cut import LayoutCut
from burngraph.passes.layout_labels import LayoutProblem
from burngraph.passes.merge_movement import merge_movement

GOLDEN = Path(__file__).parent.parent / "golden" / "eliminate-layout"
TO_LAST = (0, 2, 3, 1)
TO_FIRST = (0, 3, 1, 2)
CONV = Conv(stride=(1, 1), pad_low=(1, 1), pad_high=(1, 1), dilation=(1, 1), input_dilation=(1, 1), groups=1, flip=False)


def f32(*shape: int) -> TensorType:
    return TensorType(F32, shape)


class Model:
    """Writes the same layers in NCHW, each convolution within permutes of its own, or in NHWC."""

    def __init__(self, first: bool) -> None:
        self.emit = Builder("model")
        self.first = first  # channels first
        self.count = 0

    def parameter(self, *shape: int) -> Value:
        self.count += 1
        return self.emit.param(f32(*shape), f"w{self.count}", ParamKind.WEIGHT)

    def start(self, *shape: int) -> Value:
        x = self.emit.param(f32(*shape), "x")
        return x if self.first else self.emit(Permute(TO_LAST), x)

    def end(self, x: Value) -> Value:
        return x if self.first else self.emit(Permute(TO_FIRST), x)

    def conv(self, x: Value, channels: int) -> Value:
        x = self.emit(Permute(TO_LAST), x) if self.first else x
        kernel = self.emit(Permute((0, 2, 3, 1)), self.parameter(channels, x.shape[3], 3, 3))
        y = self.emit(CONV, x, kernel)
        bias = self.parameter(channels)
        if not self.first:
            return self.emit(Add(), y, self.emit(Broadcast(y.shape, (0, 1, 2)), bias))
        y = self.emit(Permute(TO_FIRST), y)
        return self.emit(Add(), y, self.emit(Broadcast(y.shape, (0, 2, 3)), bias))

    def pool(self, x: Value) -> Value:
        axes = (2, 3) if self.first else (1, 2)
        return self.emit(MaxPool(axes, (2, 2), (2, 2), (0, 0), (0, 0), (1, 1)), x)

    def norm(self, x: Value) -> Value:
        channels = x.shape[1 if self.first else 3]
        op = BatchNorm(1 if self.first else 3, 1e-5)
        return self.emit.several(op, x, self.parameter(channels), self.parameter(channels))[0]

    def relu(self, x: Value) -> Value:
        return self.emit(Relu(), x)


def residual(first: bool) -> Graph:
    m = Model(first)
    x = m.relu(m.norm(m.conv(m.start(2, 3, 8, 8), 4)))
    y = m.conv(m.relu(m.norm(m.conv(x, 4))), 4)
    x = m.pool(m.relu(m.emit(Add(), x, y)))
    return m.emit.build([m.end(m.conv(x, 5))])


def arrays_for(graph: Graph) -> list[np.ndarray]:
    random = np.random.default_rng(0)
    return [random.normal(size=t.shape).astype(np.float32) for t in graph.param_types]


def check_same_meaning(before: Graph, after: Graph) -> None:
    verify(after)
    assert after.param_types == before.param_types
    arrays = arrays_for(before)
    for old, new in zip(run(before, *arrays), run(after, *arrays), strict=True):
        np.testing.assert_allclose(new, old, rtol=1e-4, atol=1e-5)


def permutes(graph: Graph) -> list[Op]:
    return [node.op for node in graph.nodes if isinstance(node.op, Permute)]


def test_residual_network_keeps_only_entry_exit_and_parameter_permutes() -> None:
    graph = residual(first=True)
    after, certificate = eliminate_layout_with_certificate(graph)
    check_same_meaning(graph, after)
    assert certificate.interior == ()
    assert [c.producer for c in certificate.entry] == ["parameter x"]
    assert [c.consumer for c in certificate.exit] == ["result 0"]
    assert len(certificate.parameters) == 4
    assert len(permutes(after)) == 6
    assert certificate.gap == 0


def test_certificate_matches_golden() -> None:
    _, certificate = eliminate_layout_with_certificate(residual(first=True))
    assert str(certificate) + "\n" == (GOLDEN / "residual.txt").read_text()


def test_spelling_does_not_matter() -> None:
    first, last = eliminate_layout(residual(True)), eliminate_layout(residual(False))
    check_same_meaning(residual(True), last)
    check_same_meaning(residual(True), first)
    assert sorted(n.op.name for n in first.nodes) == sorted(n.op.name for n in last.nodes)
    assert layout_cost(residual(True)) == layout_cost(residual(False))


def test_result_is_a_fixed_point() -> None:
    once = eliminate_layout(residual(True))
    assert eliminate_layout(once) == once


def test_forced_permute_is_named() -> None:
    """A flattening reshape whose result is multiplied entry by entry needs the written order: it forces a permute."""
    b = Builder("forced")
    x = b.param(f32(2, 4, 4, 3), "x")
    kernel = b.param(f32(5, 3, 3, 3), "kernel", ParamKind.WEIGHT)
    y = b(Permute(TO_FIRST), b(CONV, x, kernel))
    b.source = Source("model.py", 7)
    flat = b(Reshape((2, 80)), y)
    b.source = None
    graph = b.build([b(Tanh(), flat)])
    after, certificate = eliminate_layout_with_certificate(graph)
    check_same_meaning(graph, after)
    (change,) = certificate.interior
    assert (change.producer, change.consumer, str(change.source)) == ("conv", "reshape", "model.py:7")
    assert change.bytes == 2 * 80 * 4 == certificate.cut == certificate.lower_bound
    assert "conv -> reshape" in str(certificate)
    assert certificate.as_dict()["permutes"]["interior"][0]["axes"] == [0, 3, 1, 2]


def test_copy_shared_by_readers_costs_once() -> None:
    b = Builder("shared")
    kernel = b.param(f32(3, 3, 3, 3), "kernel", ParamKind.WEIGHT)
    y = b(CONV, b.param(f32(2, 4, 4, 3), "x"), kernel)
    y = b(Permute(TO_FIRST), y)
    flats = [b(Reshape((2, 48)), b(op, y)) for op in (Relu(), Tanh(), Neg())]
    graph = b.build(flats)
    after, certificate = eliminate_layout_with_certificate(graph)
    check_same_meaning(graph, after)
    assert certificate.cut == 2 * 48 * 4
    assert len(permutes(after)) == 1


def test_unit_axes_move_freely() -> None:
    b = Builder("unit")
    x = b.param(f32(2, 1, 4, 4), "x")
    kernel = b.param(f32(3, 3, 3, 1), "kernel", ParamKind.WEIGHT)
    graph = b.build([b(CONV, b(Permute(TO_LAST), x), kernel)])
    after, certificate = eliminate_layout_with_certificate(graph)
    check_same_meaning(graph, after)
    assert permutes(after) == [] and certificate.changes == ()
    assert [n.op.name for n in after.nodes] == ["reshape", "conv"]


def flatten_linear() -> Graph:
    """conv, relu, flatten, linear, and the gradients of the linear layer; the activation is larger than the weight."""
    b = Builder("head")
    x = b.param(f32(16, 4, 5, 3), "x")
    kernel = b.param(f32(6, 3, 3, 3), "kernel", ParamKind.WEIGHT)
    w = b.param(f32(10, 120), "w", ParamKind.WEIGHT)
    g = b.param(f32(16, 10), "g")
    y = b(Permute(TO_FIRST), b(Relu(), b(CONV, x, kernel)))
    flat = b(Tanh(), b(Reshape((16, 120)), y))
    out = b(Matmul(), flat, b(Permute((1, 0)), w))
    dw = b(Matmul(), b(Permute((1, 0)), g), flat)
    dflat = b(Mul(), b(Matmul(), g, w), flat)
    dy = b(Permute(TO_LAST), b(Reshape((16, 6, 4, 5)), dflat))
    return b.build([out, dw, b(CONV, b(Relu(), dy), b.param(f32(3, 3, 3, 6), "k2", ParamKind.WEIGHT))])


def test_flatten_and_linear_cost_no_activation_permute() -> None:
    graph = flatten_linear()
    factored = factor_contractions(graph)
    check_same_meaning(graph, factored)
    assert sum(isinstance(n.op, Dot) for n in factored.nodes) == 3
    after, certificate = eliminate_layout_with_certificate(factored)
    check_same_meaning(graph, after)
    assert certificate.interior == ()
    assert [c.consumer for c in certificate.exit] == ["reshape"]  # the gradient of w, whose axes are merged as written


def test_plain_matmuls_are_left_alone() -> None:
    b = Builder("plain")
    x, w = b.param(f32(4, 5), "x"), b.param(f32(5, 6), "w")
    graph = b.build([b(Matmul(), b(Relu(), x), w)])
    assert factor_contractions(graph) is graph


def random_graph(seed: int) -> Graph:
    random = np.random.default_rng(seed)
    b = Builder("random")
    kernel = b.param(f32(3, 3, 3, 3), "kernel", ParamKind.WEIGHT)
    pool = [(b.param(f32(2, 4, 5, 3), "x"), False)]

    def to(pair: tuple[Value, bool], first: bool) -> Value:
        value, is_first = pair
        return value if is_first == first else b(Permute(TO_FIRST if first else TO_LAST), value)

    for _ in range(9):
        kind, first = random.integers(5), bool(random.integers(2))
        one, other = (pool[random.integers(len(pool))] for _ in range(2))
        if kind == 0:
            pool.append((b(CONV, to(one, False), kernel), False))
        elif kind == 1:
            shape = to(one, True).shape
            pool.append((b(Reshape(shape), b(Tanh(), b(Reshape((2, 60)), to(one, True)))), True))
        elif kind == 2:
            pool.append((b(Relu(), to(one, first)), first))
        else:
            pool.append((b(Add(), to(one, first), to(other, first)), first))
    return b.build([value for value, _ in pool[-3:]])


@pytest.mark.parametrize("seed", range(25))
def test_cut_is_the_minimum_over_all_assignments(seed: int) -> None:
    graph = random_graph(seed)
    problem = LayoutProblem(graph)
    cut = LayoutCut(problem)
    choice = cut.solve()
    roots = list(problem.roots.values())
    choices = itertools.product(*(range(len(labels)) for labels in problem.labels))
    best = min(sum(r.weight * len(cut.copies(r, list(c))) for r in roots) for c in choices)
    assert choice.lower_bound <= best == choice.cost
    check_same_meaning(graph, eliminate_layout(graph))


def test_attention_heads_have_a_bound() -> None:
    """Heads are split and moved; three layouts meet, so expansion moves answer and the bound is only a bound."""
    b = Builder("heads")
    q, k = b.param(f32(2, 6, 12), "q"), b.param(f32(2, 6, 12), "k")
    split = [b(Permute((0, 2, 1, 3)), b(Relu(), b(Reshape((2, 6, 3, 4)), v))) for v in (q, k)]
    scores = b(Matmul(), split[0], b(Permute((0, 1, 3, 2)), split[1]))
    back = b(Permute((0, 2, 1, 3)), b(Matmul(), scores, split[1]))
    graph = b.build([b(Reshape((2, 6, 12)), back)])
    after, certificate = eliminate_layout_with_certificate(graph)
    check_same_meaning(graph, after)
    assert 0 <= certificate.lower_bound <= certificate.cut


def test_a_parameter_that_is_wanted_in_two_layouts_is_in_the_bound_twice() -> None:
    """Forward by one layout of the weight, back to the input by another: no choice of labels saves one."""

    def loss(x: Any, w: Any, v: Any) -> Any:
        return bg.sum(bg.conv2d(bg.relu(bg.conv2d(x, w)), v) ** 2)

    x, w, v = (np.zeros(shape, np.float32) for shape in ((2, 3, 8, 8), (4, 3, 3, 3), (5, 4, 3, 3)))
    certificate = bg.compile(bg.grad(loss, (1, 2))).specialise(x, w, v).certificate()
    assert sum("v -> conv" in str(change) for change in certificate.entry) == 2
    assert certificate.gap == 0 and certificate.interior == ()


def test_ten_thousand_nodes_are_solved_to_the_bound() -> None:
    b = Builder("deep")
    kernel = b.param(f32(3, 1, 1, 3), "kernel", ParamKind.WEIGHT)
    conv = Conv((1, 1), (0, 0), (0, 0), (1, 1), (1, 1), 1, False)
    x = b.param(f32(2, 3, 4, 4), "x")
    zero = b(Splat(0.5, x.type))
    while len(b.nodes) < 10_000:
        y = b(Permute(TO_FIRST), b(conv, b(Permute(TO_LAST), x), kernel))
        x = b(Add(), b(Relu(), b(Mul(), y, zero)), x)
    _, certificate = eliminate_layout_with_certificate(b.build([x]))
    assert certificate.interior == () and certificate.gap == 0


def test_many_operands_are_worked_through_once_per_layout(monkeypatch: pytest.MonkeyPatch) -> None:
    b = Builder("stack")
    parts = [b(Tanh(), b.param(f32(2, 3), f"x{i}")) for i in range(50)]
    graph = b.build([b(Permute((1, 0)), b(Concat(0), *parts))])
    calls: list[Op] = []
    infer = Concat.infer
    monkeypatch.setattr(Concat, "infer", lambda op, *types: calls.append(op) or infer(op, *types))
    LayoutProblem(graph)
    assert len(calls) == 2  # as written and transposed, not once per operand that asks


def test_merge_movement() -> None:
    b = Builder("movement")
    x = b.param(f32(2, 3, 4), "x")
    p, q = (2, 0, 1), (1, 0, 2)
    twice = b(Permute(q), b(Permute(p), x))
    back = b(Permute(inverse(p)), b(Permute(p), x))
    flat = b(Reshape((24,)), b(Reshape((6, 4)), x))
    same = b(Reshape((2, 3, 4)), b(Reshape((6, 4)), x))
    splat = b(Permute(p), b(Splat(2.0, x.type)))
    wide = b(Permute(p), b(Broadcast((2, 3, 4), (0, 1)), b(Sum((0, 1)), x)))
    graph = b.build([twice, back, flat, same, splat, wide])
    after = merge_movement(graph)
    check_same_meaning(graph, after)
    assert after.results[1] is after.params[0] and after.results[3] is after.params[0]
    assert permutes(after) == [Permute(compose(p, q))]
    assert [n.op.name for n in after.nodes] == ["permute", "reshape", "splat", "sum", "broadcast"]
